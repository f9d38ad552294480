//! What a client wrote → what has to be done in Exchange.
//!
//! [`plan`] compares a client's text with what was served last and gives the fields that differ, the occurrences of a
//! series that are to be deleted or changed, attachments and answers. What Exchange has no field for stays in the
//! text, which is kept on the item; what can be neither is refused by name.
//!
//! **Invariant:** a property of the client's text is written, kept or refused; there is no fourth fate.
//! **Invariant:** no series is written that would repeat on other days than the client's: what Exchange cannot repeat is
//! refused, and a rule that the client left as it was is not written.
//! **Invariant:** what a client did not change against what it was served last is not sent, and a line that it left out
//! beside others of the same meaning is no change: see [`super::companions`].

mod attachments;
mod contact;
mod custom_time_zone;
mod event;
pub(super) mod fields;
mod glance;
mod interrupted_write;
pub mod limits;
mod parts;
mod rule;
mod series;
mod task;
mod zone;

pub(super) use contact::{PHOTO_PLACE, line, places};

pub use attachments::{Needed, needed};
pub use contact::{emails_of, is_group, people_named};
pub use glance::{Glance, glance, own_answers, with_answer};
pub use interrupted_write::{ItemSnapshot, with_foreign};
pub use parts::{Divided, divide, overrides_alone, part_named};

pub use super::event::differing;
use super::kept;
use super::{Context, Related};
use crate::model::capabilities::Capabilities;
use crate::model::collection::CollectionKind;
use crate::model::field_group::FieldGroup;
use crate::model::item::{Change, Field, Item, ItemClass, Notify, Value};
use crate::model::refusal::{Reason, Refusal};
use crate::text::Component;
use bytes::Bytes;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// An answer to an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// PARTSTAT: `ACCEPTED`, `TENTATIVE` or `DECLINED`.
    pub status: &'static str,
    /// A word to the organiser.
    pub comment: String,
    /// Whether the organiser is told.
    pub tell: bool,
}

/// Octets that a client attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// File name.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// Octets.
    pub content: Vec<u8>,
    /// The picture of a contact.
    pub is_photo: bool,
}

/// Changes of one occurrence, by its number in the series from 1, deleted ones counted.
pub type OccurrenceChange = (u32, Vec<Change>);

/// The one call that tells guests what a write means to them: everything else is done in silence, so that nobody
/// hears of it twice, and of nothing that is not there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyStep {
    /// None does.
    Never,
    /// The call for the item itself.
    First(Notify),
    /// The call for the only occurrence that changes.
    Occurrence(Notify),
    /// The last call, when attachments and occurrences are as they are to be.
    Last(Notify),
}

impl NotifyStep {
    /// Who is told, if it is so.
    pub fn first(self) -> Notify {
        if let Self::First(notify) = self { notify } else { Notify::Nobody }
    }

    /// Who is told, if it is so.
    pub fn of_occurrence(self) -> Notify {
        if let Self::Occurrence(notify) = self { notify } else { Notify::Nobody }
    }

    /// Who is told, if it is so.
    pub fn last(self) -> Notify {
        if let Self::Last(notify) = self { notify } else { Notify::Nobody }
    }
}

/// Who of the guests is to hear of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyPolicy {
    /// Those whom it concerns.
    Concerned,
    /// Nobody: so the client wants it, or they know already.
    Nobody,
    /// At least all of these: what was done before in silence concerned them.
    PendingNotification(Notify),
}

/// What has to be done in Exchange, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the item is.
    pub class: ItemClass,
    /// Its UID, as the client wrote it.
    pub uid: String,
    /// Nothing else but this: the whole meeting is called off, its guests hear of it, and Exchange takes it off the
    /// calendar, as it does when Outlook calls it off.
    pub calls_off: bool,
    /// First of all: the answer to an invitation.
    pub reply: Option<Reply>,
    /// Answers to single occurrences, by their number.
    pub replies: Vec<(u32, Reply)>,
    /// Fields of the item: all of them for a new one, else those that differ.
    pub changes: Vec<Change>,
    /// Which call tells the guests of all that is done.
    pub telling: NotifyStep,
    /// Exchange's ids of attachments that are gone.
    pub detach: Vec<String>,
    /// New attachments.
    pub attach: Vec<Attached>,
    /// Occurrences that are to be deleted, in one go.
    pub delete: Vec<u32>,
    /// Occurrences that are moved, one after the other: the order keeps them from touching each other.
    pub moves: Vec<OccurrenceChange>,
    /// Occurrences that are changed where they are, in one go.
    pub edits: Vec<OccurrenceChange>,
    /// Occurrences that have guests of their own: who is invited to them alone, or not to them, is told by these.
    pub guests: Vec<OccurrenceChange>,
    /// Where the rule puts the occurrences that are named by number here.
    pub places: BTreeMap<u32, Timestamp>,
    /// Occurrences that are gone in the end, those that were before included.
    pub gone: BTreeSet<u32>,
    /// Whether what Exchange makes of the changes is known beforehand.
    pub is_certain: bool,
    /// Whether one call is all that may be made, though it is not certain what the upstream makes of it: that is looked at
    /// afterwards.
    pub is_one_call: bool,
    /// How [`Plan::changes`] read once Exchange has taken them.
    pub outcome: Vec<Change>,
    /// The text that is kept on the item: the client's, attachments taken out; `None` where there is no place for it.
    text: Option<Bytes>,
}

/// Groups that servers spell anew: people, attachments, meetings.
const SPELLED_ANEW: [FieldGroup; 5] =
    [FieldGroup::People, FieldGroup::Files, FieldGroup::Meeting, FieldGroup::Picture, FieldGroup::Hobbies];

/// Groups that cannot be written once more, or are no fields.
const NOT_AGAIN: [FieldGroup; 5] = [
    FieldGroup::Rule,
    FieldGroup::Occurrences,
    FieldGroup::Files,
    FieldGroup::Relations,
    FieldGroup::Hobbies,
];

/// What no group of fields reads like: the client's text does not speak for it.
const LOST: &str = "\u{0}lost";

impl Plan {
    /// A meeting that will not be held.
    fn calling_off(uid: String, octets: &Bytes) -> Self {
        Self {
            class: ItemClass::CalendarItem,
            uid,
            calls_off: true,
            reply: None,
            replies: Vec::new(),
            changes: Vec::new(),
            telling: NotifyStep::First(Notify::All),
            detach: Vec::new(),
            attach: Vec::new(),
            delete: Vec::new(),
            moves: Vec::new(),
            edits: Vec::new(),
            guests: Vec::new(),
            places: BTreeMap::new(),
            gone: BTreeSet::new(),
            is_certain: false,
            is_one_call: false,
            outcome: Vec::new(),
            text: Some(octets.clone()),
        }
    }

    /// Whether it takes an invitation out of the calendar.
    pub fn declines(&self) -> bool {
        self.reply.as_ref().is_some_and(|reply| reply.status == "DECLINED")
    }

    /// Lets the item that is created have this mark, by which this write is known again.
    pub fn mark(&mut self, mark: &str) {
        self.changes.push(Change::optional(Field::CreationMark, Some(mark.to_owned())));
    }

    /// Whether nothing but one call for the item itself is needed.
    pub fn is_plain(&self) -> bool {
        (self.is_certain || self.is_one_call)
            && self.reply.is_none()
            && self.detach.is_empty()
            && self.attach.is_empty()
            && self.delete.is_empty()
            && self.moves.is_empty()
            && self.edits.is_empty()
            && self.guests.is_empty()
            && self.replies.is_empty()
            && self.telling.last() == Notify::Nobody
    }

    /// The same without coordinates, where there are any: not every server takes them, and the text keeps them.
    #[must_use]
    pub fn without_coordinates(&self) -> Option<Self> {
        let is_place = |change: &Change| change.field == Field::Place;
        let mut plan = self.clone();
        let occurrences = plan.moves.iter_mut().chain(&mut plan.edits).map(|(_, changes)| changes);
        let mut any = false;
        for changes in [&mut plan.changes, &mut plan.outcome].into_iter().chain(occurrences) {
            any |= changes.iter().any(is_place);
            changes.retain(|change| !is_place(change));
        }
        any.then_some(plan)
    }

    /// The same for an upstream that has no word for some of it: that stays in the text.
    #[must_use]
    pub fn as_far_as(self, capabilities: &Capabilities) -> Self {
        let mut plan = self;
        if !capabilities.holds_coordinates {
            plan = plan.without_coordinates().unwrap_or(plan);
        }
        let occurrences = plan.moves.iter_mut().chain(&mut plan.edits).map(|(_, changes)| changes);
        let elsewhere = Change::text(Field::BusyStatus, "WorkingElsewhere");
        for change in [&mut plan.changes, &mut plan.outcome].into_iter().chain(occurrences).flatten() {
            if !capabilities.has_working_elsewhere && *change == elsewhere {
                // Who works elsewhere can be met.
                *change = Change::text(Field::BusyStatus, "Free");
            }
        }
        plan
    }

    /// The same event in UTC, where its zone was told by its rules: a server that does not take these still takes the
    /// instants. `None` for series, whose occurrences these do not give.
    #[must_use]
    pub fn without_own_zone(&self) -> Option<Self> {
        let is_series = |change: &Change| change.field == Field::Recurrence;
        if self.changes.iter().any(is_series) {
            return None;
        }
        let mut plan = self.clone();
        let mut any = false;
        for change in plan.changes.iter_mut().chain(&mut plan.outcome) {
            if change.value.as_ref().is_some_and(Value::is_zone_by_rules) {
                change.value = Some(Value::zone("UTC"));
                any = true;
            }
        }
        any.then_some(plan)
    }

    /// The same without a day of completion, where there is one: Exchange takes none of the future.
    #[must_use]
    pub fn without_complete_date(&self) -> Option<Self> {
        let mut plan = self.clone();
        let mut any = false;
        for change in plan.changes.iter_mut().chain(&mut plan.outcome) {
            if change.field == Field::CompletedDay && change.value.is_some() {
                *change = Change::text(Field::Status, "Completed");
                any = true;
            }
        }
        any.then_some(plan)
    }

    /// Whether the text still speaks of a turn that Exchange has ended: `before` recurs, the plan completes it, and
    /// `after` is the next turn.
    pub fn completes_occurrence(&self, before: &Item, after: &Item) -> bool {
        let completes = self.changes.iter().any(|change| match &change.field {
            Field::CompletedDay => change.value.is_some(),
            Field::Status => change.value == Change::text(Field::Status, "Completed").value,
            Field::Percent => change.value == Change::text(Field::Percent, "100").value,
            _ => false,
        });
        completes
            && before.recurrence().is_some()
            && after.filled(Field::Status).is_some_and(|status| status != "Completed")
    }

    /// Groups of fields of an item that are not what they should be after a write to `before`. What
    /// repeats is left out: it cannot be written once more. So are attachments, which are no fields.
    pub fn lost(&self, before: Option<&Item>, after: &Item) -> BTreeSet<FieldGroup> {
        let wanted = Item::predicted(self.class, before, after.id.clone(), &self.outcome);
        let (wanted, there) = (sums(self.class, &wanted, &[]), sums(self.class, after, &[]));
        let groups = wanted.keys().copied().filter(|which| there.get(which) != wanted.get(which));
        // Of a task's state the server says more than was written.
        let is_derived = |which: FieldGroup| {
            self.class == ItemClass::Task && which == task::STATE && self.is_stored(after, &self.outcome)
        };
        groups.filter(|which| !NOT_AGAIN.contains(which) && !is_derived(*which)).collect()
    }

    /// Whether an item, or an occurrence, has all of these changes: making them once more would change nothing.
    pub fn is_stored(&self, item: &Item, changes: &[Change]) -> bool {
        let again = Item::predicted(self.class, Some(item), item.id.clone(), changes);
        let (again, there) = (sums(self.class, &again, &[]), sums(self.class, item, &[]));
        again.iter().all(|(which, sum)| SPELLED_ANEW.contains(which) || there.get(which) == Some(sum))
    }

    /// The changes that can be written a second time: a rule takes with it what is known of single occurrences.
    pub fn changes_again(&self) -> Vec<Change> {
        let is_rule = |change: &Change| change.field == Field::Recurrence;
        self.changes.iter().filter(|change| !is_rule(change)).cloned().collect()
    }

    /// The changes that keep the client's text on an item, for the item as Exchange has it after the writes.
    pub fn keep(&self, item: &Item, exceptions: &[Item]) -> Vec<Change> {
        let Some(text) = &self.text else { return Vec::new() };
        keep(self.class, text, item, &sums(self.class, item, exceptions))
    }

    /// The same after writes of several calls, which began with `before`: what somebody else changed between them is
    /// not the client's, and shows as changed. So does what the server did not store: groups that are lost.
    pub fn keep_after(
        &self,
        before: Option<&Item>,
        item: &Item,
        exceptions: &[Item],
        lost: &BTreeSet<FieldGroup>,
    ) -> Vec<Change> {
        let Some(text) = &self.text else { return Vec::new() };
        let mut sums = sums(self.class, item, exceptions);
        let wanted = Item::predicted(self.class, before, item.id.clone(), &self.outcome);
        let wanted = self::sums(self.class, &wanted, &[]);
        let was = before.map(|before| self::sums(self.class, before, &[])).unwrap_or_default();
        sums.extend(interrupted_write::predicted_fingerprints(wanted, &was, self.is_certain));
        for which in lost.iter().filter(|which| !SPELLED_ANEW.contains(which)) {
            sums.insert(*which, kept::fingerprint(LOST));
        }
        keep(self.class, text, item, &sums)
    }
}

/// The changes that keep a text on an item that has these fingerprints.
fn keep(class: ItemClass, text: &[u8], item: &Item, sums: &BTreeMap<FieldGroup, String>) -> Vec<Change> {
    let owner = match class {
        ItemClass::CalendarItem => item.filled(Field::Uid).unwrap_or_default(),
        _ => String::new(),
    };
    kept::write(text, kind(class), &owner, sums, item)
}

/// The text that an item keeps, with its fingerprints.
fn keep_of(item: &Item) -> Option<String> {
    item.kept().first().cloned()
}

/// Fingerprints of an item, by group.
fn sums(class: ItemClass, item: &Item, exceptions: &[Item]) -> BTreeMap<FieldGroup, String> {
    match class {
        ItemClass::CalendarItem => super::event::group::sums(item, &exceptions.iter().collect::<Vec<_>>()),
        ItemClass::Task => super::task::sums(item),
        ItemClass::Contact => super::contact::sums(item),
        ItemClass::DistributionList => super::group::sums(item),
    }
}

fn kind(class: ItemClass) -> &'static str {
    match class {
        ItemClass::CalendarItem | ItemClass::Task => "ics",
        ItemClass::Contact | ItemClass::DistributionList => "vcf",
    }
}

/// What is there before a write.
#[derive(Clone, Copy, Debug)]
pub struct Current<'a> {
    /// The item.
    pub item: &'a Item,
    /// Its exceptions and the like.
    pub related: &'a Related,
}

/// Plans a PUT. `name` is the resource's.
pub fn plan(
    context: &Context,
    kind: CollectionKind,
    name: &str,
    octets: &Bytes,
    current: Option<Current>,
    audience: NotifyPolicy,
) -> Result<Plan, Refusal> {
    let plan = match kind {
        CollectionKind::Calendar => {
            let calendar = calendar(octets, "VEVENT")?;
            event::plan(context, name, octets, &calendar, current, audience)
        }
        CollectionKind::Tasks => {
            let calendar = calendar(octets, "VTODO")?;
            task::plan(context, name, octets, &calendar, current)
        }
        CollectionKind::AddressBook => contact::plan(context, name, octets, current),
    };
    limits::within(plan?, &context.capabilities, current.map(|current| current.item))
}

/// The changes that keep a text that says of attachments what Exchange says now; `before` is the item that the rest of it
/// speaks of. `None` where no text is kept, or where more than attachments has changed.
pub fn keep_attachments(
    context: &Context,
    octets: &Bytes,
    before: Current,
    current: Current,
) -> Option<Vec<Change>> {
    keep_of(current.item)?;
    let (one, other) = ((before.item, before.related), (current.item, current.related));
    let has_only_files = match current.item.class {
        ItemClass::CalendarItem => super::event::group::same_but_attachments(
            (one.0, &one.1.exceptions),
            (other.0, &other.1.exceptions),
        ),
        _ => {
            let rest = |item: &Item| {
                let mut sums = super::task::sums(item);
                sums.remove(&FieldGroup::Files);
                sums
            };
            rest(one.0) == rest(other.0)
        }
    };
    let mut calendar = Component::parse(octets).ok()?;
    let sorted = attachments::attachments(context, &mut calendar, Some(current)).ok()?;
    let text = Bytes::from(calendar.write());
    if !has_only_files || !sorted.attach.is_empty() || !sorted.detach.is_empty() || !kept::fits(&text) {
        return None;
    }
    let class = current.item.class;
    let sums = sums(class, current.item, &current.related.exceptions);
    Some(keep(class, &text, current.item, &sums))
}

/// Whether Exchange tells the others when a meeting goes: a client may see to that itself. RFC 6638 7.1
pub fn tells_of_end(body: &[u8], is_own: bool) -> bool {
    Component::parse(body).map_or(true, |calendar| event::tells_of_end(&calendar, is_own))
}

/// The class of the item that an object of a collection is or becomes.
pub fn class_of(kind: CollectionKind, body: &[u8]) -> ItemClass {
    match kind {
        CollectionKind::Calendar => ItemClass::CalendarItem,
        CollectionKind::Tasks => ItemClass::Task,
        // Lists are members of address books, too.
        CollectionKind::AddressBook if Component::parse(body).is_ok_and(|card| is_group(&card)) => {
            ItemClass::DistributionList
        }
        CollectionKind::AddressBook => ItemClass::Contact,
    }
}

/// Components that an object is made of.
const KINDS: [&str; 4] = ["VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY"];

/// A calendar object resource with one kind of components. RFC 4791 4.1
fn calendar(octets: &[u8], wanted: &str) -> Result<Component, Refusal> {
    let calendar = Component::parse(octets).map_err(|e| Refusal::new(Reason::InvalidData, e.to_string()))?;
    let version = calendar.value("VERSION").map(str::trim);
    if calendar.name == "VCALENDAR" && version.is_none() {
        return Err(Refusal::of_part(Reason::InvalidData, "VERSION", "a calendar says VERSION:2.0"));
    }
    if calendar.name != "VCALENDAR" || version != Some("2.0") {
        return Err(Refusal::new(Reason::UnsupportedData, "only iCalendar 2.0 is stored".to_owned()));
    }
    if calendar.value("CALSCALE").is_some_and(|scale| !scale.trim().eq_ignore_ascii_case("GREGORIAN")) {
        return Err(Refusal::new(
            Reason::UnsupportedData,
            "only the Gregorian calendar is stored".to_owned(),
        ));
    }
    if calendar.line("METHOD").is_some() {
        return Err(Refusal::new(Reason::InvalidObject, "a stored object has no METHOD".to_owned()));
    }
    let mut found = calendar.children.iter().filter(|child| KINDS.contains(&child.name.as_str())).peekable();
    let Some(first) = found.peek() else {
        return Err(Refusal::new(Reason::InvalidObject, format!("there is no {wanted}")));
    };
    if first.name != wanted {
        return Err(Refusal::of_part(
            Reason::UnsupportedComponent,
            first.name.as_str(),
            "it belongs into another collection",
        ));
    }
    let uid = first.value("UID").map(str::to_owned).filter(|uid| !uid.trim().is_empty());
    let uid = uid.ok_or_else(|| Refusal::new(Reason::InvalidData, "a component has no UID".to_owned()))?;
    let mut masters = 0;
    for component in found {
        if component.name != wanted {
            return Err(Refusal::new(
                Reason::InvalidObject,
                "an object holds one kind of components".to_owned(),
            ));
        }
        if component.value("UID") != Some(&uid) {
            return Err(Refusal::new(
                Reason::InvalidObject,
                "an object holds components of one UID".to_owned(),
            ));
        }
        masters += usize::from(component.line("RECURRENCE-ID").is_none());
    }
    if masters > 1 {
        return Err(Refusal::new(Reason::InvalidObject, "a series has one master".to_owned()));
    }
    Ok(calendar)
}
