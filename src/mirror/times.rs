//! When members take place: an index, so that a question about a month reads that month's rows, not the mailbox.
//!
//! Members of one class last at most so long, and a class is ordered by when they begin: what touches a range began
//! within it, or at most that long before. Members whose beginning or end nobody knows have classes of their own.
//!
//! **Invariant:** one row for each row of HEADS, made from it, in the same transaction.

use super::entry::Unpacker;
use super::store::{Error, Mirror};
use super::tables::{HEADS, damaged};
use super::window::Window;
use crate::model::id::{CollectionId, ResourceName};
use crate::model::object::Span;
use jiff::Timestamp;
use redb::{ReadableTable as _, ReadableTableMetadata as _, Table, TableDefinition, WriteTransaction};

/// Collection, class, beginning, name → end; seconds.
pub(super) const TIMES: TableDefinition<'_, (&str, u8, i64, &str), i64> = TableDefinition::new("times");

/// How long members of the first class last at most; those of each other class four times as long as of the one before.
const SHORTEST: i64 = 86_400;
/// The class of members of any length.
const ANY_LENGTH: u8 = 13;
/// Known beginning, no end.
const ENDLESS: u8 = 14;
/// Ordered by the end, which alone is known.
const BEGUN: u8 = 15;
/// Neither is known.
pub(super) const ALWAYS: u8 = 16;

/// Where a member stands in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    class: u8,
    key: i64,
    end: i64,
}

/// How long members of a class last at most; `None` where there is no limit.
fn length(class: u8) -> Option<i64> {
    (class < ANY_LENGTH).then(|| SHORTEST << (2 * class))
}

impl Row {
    fn of(span: &Span) -> Self {
        let Span { first, last } = span;
        match (first.map(Timestamp::as_second), last.map(Timestamp::as_second)) {
            (Some(key), Some(end)) => {
                let fits = |class: &u8| length(*class).is_none_or(|most| end.saturating_sub(key) <= most);
                Self { class: (0..=ANY_LENGTH).find(fits).unwrap_or(ANY_LENGTH), key, end }
            }
            (Some(key), None) => Self { class: ENDLESS, key, end: 0 },
            (None, Some(key)) => Self { class: BEGUN, key, end: 0 },
            (None, None) => Self { class: ALWAYS, key: 0, end: 0 },
        }
    }

    fn span(self) -> Option<Span> {
        let at = |second| Timestamp::from_second(second).ok();
        let Self { class, key, end } = self;
        Some(match class {
            0..=ANY_LENGTH => Span { first: Some(at(key)?), last: Some(at(end)?) },
            ENDLESS => Span { first: Some(at(key)?), last: None },
            BEGUN => Span { first: None, last: Some(at(key)?) },
            _ => Span::default(),
        })
    }
}

/// Keys of a class that may touch a range, both ends included.
pub(super) fn keys(class: u8, from: Option<Timestamp>, to: Option<Timestamp>) -> (i64, i64) {
    // Rows are in whole seconds.
    let from = from.map_or(i64::MIN, |at| at.as_second().saturating_sub(1));
    let to = to.map_or(i64::MAX, |at| at.as_second().saturating_add(1));
    match class {
        0..=ANY_LENGTH => (length(class).map_or(i64::MIN, |most| from.saturating_sub(most)), to),
        ENDLESS => (i64::MIN, to),
        BEGUN => (from, i64::MAX),
        _ => (i64::MIN, i64::MAX),
    }
}

/// When a member takes place, from its head.
fn span(head: &[u8]) -> Option<Span> {
    let mut h = Unpacker(head);
    h.bytes()?;
    if h.flag()? {
        h.bytes()?;
    }
    h.instant()?;
    h.number()?;
    Some(Span { first: h.instant()?, last: h.instant()? })
}

/// The index, inside one transaction.
pub(super) struct Times<'t>(Table<'t, (&'static str, u8, i64, &'static str), i64>);

impl<'t> Times<'t> {
    pub(super) fn open(write: &'t WriteTransaction) -> Result<Self, Error> {
        Ok(Self(write.open_table(TIMES)?))
    }

    pub(super) fn insert(&mut self, id: &str, name: &str, span: &Span) -> Result<(), Error> {
        let Row { class, key, end } = Row::of(span);
        self.0.insert((id, class, key, name), end)?;
        Ok(())
    }

    /// Fails where there is no such row: who does not agree with HEADS hides members from those who ask.
    pub(super) fn remove(&mut self, id: &str, name: &str, span: &Span) -> Result<(), Error> {
        let Row { class, key, .. } = Row::of(span);
        self.0.remove((id, class, key, name))?.map(drop).ok_or_else(damaged)
    }

    /// A collection is gone with all that was in it.
    pub(super) fn forget(&mut self, id: &str) -> Result<(), Error> {
        Ok(self.0.retain(|(collection, ..), _| collection != id)?)
    }

    /// Makes it from HEADS.
    pub(super) fn build(&mut self, write: &WriteTransaction) -> Result<(), Error> {
        for row in write.open_table(HEADS)?.iter()? {
            let (key, head) = row?;
            let (id, name) = key.value();
            self.insert(id, name, &span(head.value()).ok_or_else(damaged)?)?;
        }
        Ok(())
    }

    /// Whether it may be that of HEADS: as many rows.
    pub(super) fn check(&self, write: &WriteTransaction) -> Result<(), Error> {
        if self.0.len()? == write.open_table(HEADS)?.len()? {
            return Ok(());
        }
        Err(Error::Damaged("the index of times is not that of the members".to_owned()))
    }
}

impl Mirror {
    /// Members that may touch the half-open range `[from, to)` and whose times are wanted, in the order of their names.
    pub fn taking_place(
        &self,
        id: &CollectionId,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        is_wanted: impl Fn(&Span) -> bool,
    ) -> Result<Vec<ResourceName>, Error> {
        let read = self.begin_read()?;
        let window = Window::of(&read, id)?;
        let table = read.open_table(TIMES)?;
        let mut found = Vec::new();
        for class in 0..=ALWAYS {
            let (first, last) = keys(class, from, to);
            for row in table.range((id.as_str(), class, first, "")..)? {
                let (key, end) = row?;
                let (collection, its, key, name) = key.value();
                if collection != id.as_str() || its != class || key > last {
                    break;
                }
                let span = Row { class, key, end: end.value() }.span().ok_or_else(damaged)?;
                if span.may_overlap(from, to) && is_wanted(&span) && window.shows(name, &span) {
                    found.push(name.parse::<ResourceName>().map_err(|_| damaged())?);
                }
            }
        }
        found.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        Ok(found)
    }
}
