//! What a write that was cut off has left, and what somebody else did to it meanwhile.

use super::{Plan, keep_of, sums};
use crate::convert::event::group;
use crate::convert::kept;
use crate::model::field_group::{FieldGroup, Format};
use crate::model::item::{Field, Item, ItemClass};
use crate::text::Component;
use bytes::Bytes;
use std::collections::BTreeMap;

/// Groups that a write changes piece by piece, that others may change at any time, or that Exchange spells anew: half of
/// them says nothing.
const PIECEWISE: [FieldGroup; 10] = [
    FieldGroup::Relations,
    FieldGroup::Hobbies,
    FieldGroup::Picture,
    FieldGroup::Rule,
    FieldGroup::Files,
    FieldGroup::People,
    FieldGroup::Meeting,
    FieldGroup::MarkUp,
    FieldGroup::PlaceName,
    FieldGroup::Occurrences,
];

/// Groups that Exchange never changes by itself.
const PLAIN: [FieldGroup; 7] = [
    FieldGroup::Messengers,
    FieldGroup::Subject,
    FieldGroup::Place,
    FieldGroup::Body,
    FieldGroup::Class,
    FieldGroup::Importance,
    FieldGroup::Categories,
];

/// What an item was like, in short: the text that it keeps, and its fields by group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemSnapshot {
    kept: String,
    sums: BTreeMap<FieldGroup, String>,
    /// What the write marks the item with that it creates.
    pub mark: Option<String>,
}

impl ItemSnapshot {
    /// That of an item.
    pub fn of(class: ItemClass, item: &Item, exceptions: &[Item]) -> Self {
        Self { kept: fingerprint(keep_of(item)), sums: sums(class, item, exceptions), mark: None }
    }

    /// That of a name where nothing is: the item that the write creates has this mark.
    pub fn of_nothing(mark: String) -> Self {
        Self { kept: fingerprint(None), mark: Some(mark), ..Self::default() }
    }

    /// In one line.
    pub fn write(&self) -> String {
        let sums: Vec<String> =
            self.sums.iter().map(|(group, sum)| format!("{}:{sum}", group.letter())).collect();
        let mark = self.mark.as_deref().map(|mark| format!(";{mark}")).unwrap_or_default();
        format!("{};{}{mark}", self.kept, sums.join(","))
    }

    /// Reads such a line.
    pub fn read(class: ItemClass, line: &str) -> Option<Self> {
        let format = match class {
            ItemClass::CalendarItem | ItemClass::Task => Format::Calendar,
            ItemClass::Contact | ItemClass::DistributionList => Format::Card,
        };
        let (kept, rest) = line.split_once(';')?;
        let (sums, mark) = rest.split_once(';').map_or((rest, None), |(sums, mark)| (sums, Some(mark)));
        let sums = sums.split(',').filter_map(|sum| {
            let (letter, sum) = sum.split_once(':')?;
            Some((FieldGroup::of_letter(format, letter.chars().next()?)?, sum.to_owned()))
        });
        Some(Self { kept: kept.to_owned(), sums: sums.collect(), mark: mark.map(str::to_owned) })
    }

    /// Whether an item keeps the same text still: the last call of a write, by whomever, was not done since.
    pub fn keeps_its_text(&self, item: &Item) -> bool {
        self.kept == fingerprint(keep_of(item))
    }

    /// Whether an item was created by this write, and by no other. Notes of the version before have no mark: then it is
    /// whatever was created by that name.
    pub fn has_created(&self, item: &Item, name: &str) -> bool {
        match &self.mark {
            Some(mark) => item.text(Field::CreationMark).as_deref() == Some(mark),
            None => item.text(Field::ClientName).as_deref() == Some(name),
        }
    }

    /// Whether anything of a write may be done in an item that it changes: a group is other than it was that the write
    /// changes, or may have changed piece by piece. What else is other than it was is somebody else's work.
    pub fn has_begun(&self, plan: &Plan, item: &Item, exceptions: &[Item]) -> bool {
        let (now, wanted) = Self::now_and_wanted(plan, item, exceptions);
        let groups = now.keys().chain(self.sums.keys());
        groups.into_iter().any(|which| {
            let was = self.sums.get(which);
            now.get(which) != was && (wanted.get(which) != was || PIECEWISE.contains(which))
        })
    }

    fn now_and_wanted(
        plan: &Plan,
        item: &Item,
        exceptions: &[Item],
    ) -> (BTreeMap<FieldGroup, String>, BTreeMap<FieldGroup, String>) {
        let wanted = Item::predicted(plan.class, Some(item), item.id.clone(), &plan.outcome);
        (sums(plan.class, item, exceptions), sums(plan.class, &wanted, exceptions))
    }

    /// The groups of an item that are neither as they were nor as the plan, made for the item as it is, wants them.
    pub fn foreign(&self, plan: &Plan, item: &Item, exceptions: &[Item]) -> Vec<FieldGroup> {
        let (now, wanted) = Self::now_and_wanted(plan, item, exceptions);
        let is_foreign = |which: &FieldGroup| {
            let sum = now.get(which);
            !PIECEWISE.contains(which) && sum != self.sums.get(which) && sum != wanted.get(which)
        };
        now.keys().copied().filter(is_foreign).collect()
    }
}

/// Of what a write wants, what is known beforehand: all that it changes at once, or, where Exchange has its own mind, what it
/// leaves as it was.
pub(super) fn predicted_fingerprints(
    wanted: BTreeMap<FieldGroup, String>,
    was: &BTreeMap<FieldGroup, String>,
    is_certain: bool,
) -> impl Iterator<Item = (FieldGroup, String)> {
    wanted.into_iter().filter(move |(which, sum)| {
        if is_certain {
            !PIECEWISE.contains(which)
        } else {
            PLAIN.contains(which) && was.get(which) == Some(sum)
        }
    })
}

fn fingerprint(kept: Option<String>) -> String {
    kept.map(|text| kept::fingerprint(&text)).unwrap_or_default()
}

/// A client's text with these groups as another text of the same event has them; `None` where that cannot be said.
pub fn with_foreign(class: ItemClass, ours: &Bytes, theirs: &Bytes, groups: &[FieldGroup]) -> Option<Bytes> {
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
    for group in groups.iter().flat_map(|which| group::of(*which)) {
        group.replace(event, fresh);
    }
    Some(Bytes::from(text.write()))
}
