//! What a write that was cut off has left, and what somebody else did to it meanwhile.

use super::{Plan, keep_of, sums};
use crate::convert::event::group;
use crate::convert::kept;
use crate::ews::types::{Item, ItemClass};
use crate::text::Component;
use bytes::Bytes;
use std::collections::BTreeMap;

/// Groups that a write changes piece by piece, that others may change at any time, or that Exchange spells anew: half of
/// them says nothing.
const PIECEWISE: &str = "RHPJW";

/// Groups that Exchange never changes by itself.
const PLAIN: &str = "SLBCIK";

/// What an item was like, in short: the text that it keeps, and its fields by group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    kept: String,
    sums: BTreeMap<char, String>,
}

impl Trace {
    /// That of an item; `None`: there is none.
    pub fn of(class: ItemClass, item: Option<(&Item, &[Item])>) -> Self {
        let Some((item, exceptions)) = item else {
            return Self { kept: fingerprint(None), ..Self::default() };
        };
        Self { kept: fingerprint(keep_of(item)), sums: sums(class, item, exceptions) }
    }

    /// In one line.
    pub fn write(&self) -> String {
        let sums: Vec<String> = self.sums.iter().map(|(letter, sum)| format!("{letter}:{sum}")).collect();
        format!("{};{}", self.kept, sums.join(","))
    }

    /// Reads such a line.
    pub fn read(line: &str) -> Option<Self> {
        let (kept, sums) = line.split_once(';')?;
        let sums = sums.split(',').filter_map(|sum| {
            let (letter, sum) = sum.split_once(':')?;
            Some((letter.chars().next()?, sum.to_owned()))
        });
        Some(Self { kept: kept.to_owned(), sums: sums.collect() })
    }

    /// Whether an item keeps the same text still: the last call of a write, by whomever, was not done since.
    pub fn keeps_its_text(&self, item: &Item) -> bool {
        self.kept == fingerprint(keep_of(item))
    }

    /// The groups of an item that are neither as they were nor as the plan, made for the item as it is, wants them.
    pub fn foreign(&self, plan: &Plan, item: &Item, exceptions: &[Item]) -> Vec<char> {
        let now = sums(plan.class, item, exceptions);
        let wanted = sums(
            plan.class,
            &Item::predicted(plan.class, Some(item), item.id.clone(), &plan.outcome),
            exceptions,
        );
        let is_foreign = |letter: &char| {
            let sum = now.get(letter);
            !PIECEWISE.contains(*letter) && sum != self.sums.get(letter) && sum != wanted.get(letter)
        };
        now.keys().copied().filter(is_foreign).collect()
    }
}

/// Of what a write wants, what is known beforehand: all that it changes at once, or, where Exchange has its own mind, what it
/// leaves as it was.
pub(super) fn foretold(
    wanted: BTreeMap<char, String>,
    was: &BTreeMap<char, String>,
    is_certain: bool,
) -> impl Iterator<Item = (char, String)> {
    wanted.into_iter().filter(move |(letter, sum)| {
        if is_certain {
            !PIECEWISE.contains(*letter)
        } else {
            PLAIN.contains(*letter) && was.get(letter) == Some(sum)
        }
    })
}

fn fingerprint(kept: Option<String>) -> String {
    kept.map(|text| kept::fingerprint(&text)).unwrap_or_default()
}

/// A client's text with these groups as another text of the same event has them; `None` where that cannot be said.
pub fn with_foreign(class: ItemClass, ours: &Bytes, theirs: &Bytes, groups: &[char]) -> Option<Bytes> {
    if groups.is_empty() {
        return Some(ours.clone());
    }
    if class != ItemClass::CalendarItem {
        return None;
    }
    let is_master = |event: &Component| event.name == "VEVENT" && event.line("RECURRENCE-ID").is_none();
    let (mut text, theirs) = (Component::parse(ours).ok()?, Component::parse(theirs).ok()?);
    let fresh = theirs.children.iter().find(|child| is_master(child))?;
    let event = text.children.iter_mut().find(|child| is_master(child))?;
    for group in groups.iter().flat_map(|letter| group::of(*letter)) {
        group.replace(event, fresh);
    }
    Some(Bytes::from(text.write()))
}
