//! Who takes part, and who hears of it.

use super::{Draft, master_of, values};
use crate::convert::event as projected;
use crate::convert::write::{NotifyStep, Reply, series};
use crate::model::field_group::FieldGroup;
use crate::model::item::{Attendee, Change, Field, Mailbox, Notify, Value};
use crate::model::refusal::{Reason, Refusal};
use crate::text::{Component, Line, address};
use std::collections::BTreeSet;

/// Lists of people: CUTYPE says more than ROLE.
pub(super) const LISTS: [Field; 3] = [Field::Required, Field::Optional, Field::Resources];

impl Draft<'_> {
    /// A meeting that has lost its participants.
    pub(super) fn nobody(&self) -> Vec<Change> {
        let Some(current) = self.current else { return Vec::new() };
        let lists = LISTS.into_iter().filter(|list| !current.item.attendees(*list).is_empty());
        lists.map(Change::remove).collect()
    }

    /// The participants, when the owner is the one who invites them.
    pub(super) fn people(&self, event: &Component) -> Option<People> {
        let organizer = event.line("ORGANIZER").and_then(address::of_line)?;
        if !self.context.is_owner(&organizer) {
            return None;
        }
        let mut people =
            People { lists: Default::default(), asks: event.lines_named("ATTENDEE").count() == 0 };
        let mut silent = true;
        for line in event.lines_named("ATTENDEE") {
            let rsvp = line.param("RSVP").map(|word| word.eq_ignore_ascii_case("TRUE"));
            people.asks |= rsvp.unwrap_or(false);
            silent &= rsvp.is_none();
            // Exchange invites mailboxes only; other calendar users are kept in the text.
            let Some(address) = address::of_line(line) else { continue };
            if self.context.is_owner(&address) || address::same(&address, &organizer) {
                continue;
            }
            let word = |name| line.param(name).map(str::to_ascii_uppercase);
            let list = match (word("CUTYPE").as_deref(), word("ROLE").as_deref()) {
                (Some("ROOM" | "RESOURCE"), _) => 2,
                (_, Some("OPT-PARTICIPANT" | "NON-PARTICIPANT")) => 1,
                _ => 0,
            };
            people.add(list, line.param("CN").unwrap_or_default(), &address);
        }
        people.asks |= silent;
        people.lists.iter().any(|list| !list.is_empty()).then_some(people)
    }

    /// Whether the client changed no more of an invitation than its own answer.
    pub(super) fn is_only_own_answer(&self, master: &Component) -> bool {
        let Some(served) = self.served.as_ref().and_then(master_of) else { return false };
        let bare = |component: &Component| {
            let mut people: Vec<String> = component.lines_named("ATTENDEE").map(user).collect();
            people.sort_unstable();
            people
        };
        let same = |name: &str| values(master, name) == values(served, name);
        let host = |component: &Component| component.line("ORGANIZER").map(user);
        bare(master) == bare(served)
            && host(master) == host(served)
            && ["DTSTART", "RRULE"].iter().all(|name| same(name))
    }

    /// The client's answer to an invitation, when it is another than Exchange knows.
    pub(super) fn reply(&self, master: &Component, invited: bool, tell: bool) -> Option<Reply> {
        let current = self.current.filter(|_| invited)?;
        let status = self.own_status(master)?;
        let known = match current.item.filled(Field::OwnResponse).as_deref() {
            Some("Accept") => "ACCEPTED",
            Some("Tentative") => "TENTATIVE",
            Some("Decline") => "DECLINED",
            _ => "",
        };
        (status != known).then(|| Self::reply_of(master, status, tell))
    }

    /// Whether a line means the owner.
    pub(super) fn is_owner(&self, line: &Line) -> bool {
        address::of_line(line).is_some_and(|address| self.context.is_owner(&address))
    }

    /// Refuses invitations and answers of an owner whose addresses are unknown: nobody would be sent them.
    pub(super) fn check_owner(&self, changed: &BTreeSet<FieldGroup>, invited: bool) -> Result<(), Refusal> {
        let names_people = |event: &Component| event.line("ORGANIZER").and(event.line("ATTENDEE")).is_some();
        let is_about_people = self.calendar.children_named("VEVENT").any(names_people)
            && (changed.contains(&FieldGroup::People) || self.served.as_ref() != Some(self.calendar));
        if !self.context.addresses.is_empty() || !is_about_people {
            return Ok(());
        }
        let reason = if invited { Reason::AttendeeChange } else { Reason::OrganizerChange };
        let text = "the e-mail address of this mailbox could not be learned from Exchange, so no invitation and no answer can \
                    be sent: sign in with the mailbox's e-mail address";
        Err(Refusal::of_part(reason, "ATTENDEE", text))
    }

    /// The owner's own answer, where it is one that Exchange has a word for.
    pub(super) fn own_status(&self, event: &Component) -> Option<&'static str> {
        let own = event.lines_named("ATTENDEE").find(|line| self.is_owner(line))?;
        let word = own.param("PARTSTAT")?;
        ["ACCEPTED", "TENTATIVE", "DECLINED"].into_iter().find(|known| word.eq_ignore_ascii_case(known))
    }

    pub(super) fn reply_of(event: &Component, status: &'static str, tell: bool) -> Reply {
        let silent = event.line("ORGANIZER").is_some_and(is_silent);
        let comment = event.line("COMMENT").or_else(|| event.line("X-CALENDARSERVER-COMMENT"));
        Reply { status, comment: comment.map(Line::unescaped).unwrap_or_default(), tell: tell && !silent }
    }

    /// Whether guests who count upon a meeting are to hear that none of it will be held. RFC 5546 3.2.5
    pub(super) fn calls_off(&self, master: &Component, people: Option<&People>) -> bool {
        let is_awaited = self.current.is_some_and(|c| projected::is_meeting(self.context, c.item))
            && !self.was_cancelled()
            && people.is_some();
        is_awaited && series::is_cancelled(master) && !self.is_silent(master)
    }

    /// Whether the client saw it as called off.
    pub(super) fn was_cancelled(&self) -> bool {
        self.served.as_ref().and_then(master_of).is_some_and(series::is_cancelled)
    }

    /// Whether the client sees to all messages itself, or wants none. RFC 6638 7.1
    pub(super) fn is_silent(&self, master: &Component) -> bool {
        let all_silent = master.lines_named("ATTENDEE").all(|line| is_silent(line) || self.is_owner(line));
        let moz = master
            .value("X-MOZ-SEND-INVITATIONS")
            .is_some_and(|word| word.trim().eq_ignore_ascii_case("FALSE"));
        (self.people(master).is_some() && all_silent) || moz
    }

    /// Refuses a write that would mail somebody whom the client keeps to itself: Exchange mails all guests of a meeting, or
    /// those who have come and gone, or nobody. RFC 6638 7.1
    pub(super) fn check_agents(&self, telling: NotifyStep) -> Result<(), Refusal> {
        let notify = match telling {
            NotifyStep::Never => return Ok(()),
            NotifyStep::First(notify) | NotifyStep::Occurrence(notify) | NotifyStep::Last(notify) => notify,
        };
        let served = self.served.as_ref().map(guests).unwrap_or_default();
        let wanted = guests(self.calendar);
        let is_among = |line: &Line, guests: &[&Line]| guests.iter().any(|other| user(other) == user(line));
        let come = wanted.iter().filter(|line| notify == Notify::All || !is_among(line, &served));
        let gone = served.iter().filter(|line| !is_among(line, &wanted));
        let mut mailed = come.chain(gone);
        let Some(line) = mailed.find(|line| is_silent(line) && !self.is_owner(line)) else { return Ok(()) };
        let text = format!(
            "Exchange mails every guest of a meeting or none, and {} has SCHEDULE-AGENT={}: give it to all guests, or to none",
            line.value.trim(),
            line.param("SCHEDULE-AGENT").unwrap_or_default()
        );
        Err(Refusal::of_part(Reason::OrganizerChange, "ATTENDEE", text))
    }

    /// Who is told of the item itself: `None` where nobody may be.
    pub(super) fn told(
        &self,
        changed: &BTreeSet<FieldGroup>,
        people: Option<&People>,
        invited: bool,
        master: &Component,
    ) -> Option<Notify> {
        let had_people = self.current.is_some_and(|c| projected::is_meeting(self.context, c.item));
        if invited || (people.is_none() && !had_people) {
            return None;
        }
        if self.is_silent(master) {
            return None;
        }
        let was_cancelled = self.was_cancelled();
        // Nobody is invited to what will not be held, and nobody hears twice that it will not.
        if people.is_some() && series::is_cancelled(master) && (self.current.is_none() || was_cancelled) {
            return None;
        }
        if self.current.is_none()
            || was_cancelled
            || [
                FieldGroup::Times,
                FieldGroup::Rule,
                FieldGroup::Place,
                FieldGroup::Subject,
                FieldGroup::Body,
                FieldGroup::Files,
            ]
            .iter()
            .any(|which| changed.contains(which))
        {
            return Some(Notify::All);
        }
        Some(if changed.contains(&FieldGroup::People) { Notify::Changed } else { Notify::Nobody })
    }
}

/// The lines of all who are invited to any event of a calendar.
fn guests(calendar: &Component) -> Vec<&Line> {
    calendar.children_named("VEVENT").flat_map(|event| event.lines_named("ATTENDEE")).collect()
}

/// Names and addresses by list.
pub(super) type PeopleLists = [Vec<(String, String)>; 3];

/// Invited people by list.
pub(super) struct People {
    pub(super) lists: PeopleLists,
    asks: bool,
}

impl People {
    /// Each mailbox is invited once, whatever its spellings: as somebody who is needed rather than as one who may come.
    fn add(&mut self, list: usize, name: &str, address: &str) {
        for (at, people) in self.lists.iter_mut().enumerate() {
            if let Some(there) = people.iter().position(|(_, other)| address::same(other, address)) {
                if at <= list {
                    return;
                }
                people.remove(there);
            }
        }
        if let Some(people) = self.lists.get_mut(list) {
            people.push((name.to_owned(), address::ascii(address)));
        }
    }

    pub(super) fn changes(&self) -> Vec<Change> {
        let lists = LISTS.into_iter().zip(&self.lists).map(|(list, people)| list_change(list, people));
        std::iter::once(Change::set(Field::AsksForAnswers, Value::Flag(self.asks))).chain(lists).collect()
    }
}

/// Sets a list of people: names and SMTP addresses.
pub(super) fn list_change(list: Field, people: &[(String, String)]) -> Change {
    if people.is_empty() {
        return Change::remove(list);
    }
    let attendee = |(name, address): &(String, String)| {
        let (name, address) = (name.clone(), address.clone());
        let mailbox = Mailbox { name, address, routing: "SMTP".to_owned(), kind: String::new(), item: None };
        Attendee { mailbox, response: String::new() }
    };
    Change::set(list, Value::People(people.iter().map(attendee).collect()))
}

/// What is the same for all spellings of a calendar user.
pub(in crate::convert::write) fn user(line: &Line) -> String {
    address::of_line(line).map_or_else(|| line.value.trim().to_lowercase(), |address| address::key(&address))
}

/// Whether the client sees to messages itself. RFC 6638 7.1
pub(super) fn is_silent(line: &Line) -> bool {
    line.param("SCHEDULE-AGENT").is_some_and(|word| !word.eq_ignore_ascii_case("SERVER"))
}

/// Whether Exchange tells the others when a meeting goes.
pub fn tells_of_end(calendar: &Component, is_own: bool) -> bool {
    let Some(master) = master_of(calendar) else { return true };
    let organizer = master.line("ORGANIZER");
    if !is_own {
        return !organizer.is_some_and(is_silent);
    }
    let host = organizer.map(user).unwrap_or_default();
    let mut guests = master.lines_named("ATTENDEE").filter(|line| user(line) != host).peekable();
    guests.peek().is_none() || guests.any(|line| !is_silent(line))
}

pub(super) fn same_people(one: &[(String, String)], other: &[(String, String)]) -> bool {
    let addresses = |list: &[(String, String)]| -> BTreeSet<String> {
        list.iter().map(|(_, address)| address::key(address)).collect()
    };
    addresses(one) == addresses(other)
}
