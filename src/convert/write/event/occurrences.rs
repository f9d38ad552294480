//! What happens to single occurrences of a series.

use super::people::{LISTS, PeopleLists, list_change, same_people};
use super::times::Times;
use super::{Draft, master_of};
use crate::convert::event as projected;
use crate::convert::event::group::Group;
use crate::convert::write::rule::Translated;
use crate::convert::write::series::{self, Moved, Numbered};
use crate::convert::write::zone::ZonedMoment;
use crate::convert::write::{NotifyPolicy, NotifyStep, OccurrenceChange, Reply};
use crate::model::field_group::FieldGroup;
use crate::model::item::{Change, Field, Notify, Value};
use crate::model::refusal::{Reason, Refusal};
use crate::text::Component;
use crate::text::moment::{Length, Zones};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What happens to single occurrences.
#[derive(Default)]
pub(super) struct Occurrences {
    pub(super) is_reset: bool,
    pub(super) delete: Vec<u32>,
    pub(super) moves: Vec<OccurrenceChange>,
    pub(super) edits: Vec<OccurrenceChange>,
    pub(super) guests: Vec<OccurrenceChange>,
    pub(super) replies: Vec<(u32, Reply)>,
    /// Where the rule puts all of these, by their numbers, and what is gone of the series in the end.
    pub(super) places: BTreeMap<u32, Timestamp>,
    pub(super) gone: BTreeSet<u32>,
    /// Occurrences of whose change the guests of the series hear.
    news: BTreeSet<u32>,
}

/// Fields of an occurrence that guests hear of.
const NEWS: [Field; 7] =
    [Field::Subject, Field::Body, Field::Location, Field::Place, Field::Start, Field::End, Field::AllDay];

fn is_news(change: &Change) -> bool {
    NEWS.contains(&change.field)
}

impl Occurrences {
    /// Decides which call tells; `item` is who hears of the item's own changes, `None` where nobody may be told.
    pub(super) fn tell(
        &mut self,
        item: Option<Notify>,
        is_staged: bool,
        audience: NotifyPolicy,
    ) -> NotifyStep {
        let Some(mut item) = item else {
            self.edits.append(&mut self.guests);
            return NotifyStep::Never;
        };
        if let NotifyPolicy::PendingNotification(owed) = audience
            && item != Notify::All
            && owed != Notify::Nobody
        {
            item = owed;
        }
        let touched: BTreeSet<u32> = self.delete.iter().chain(self.numbers()).copied().collect();
        if item == Notify::Nobody && touched.len() == 1 && !is_staged {
            if !self.news.is_empty() {
                let of_guests = std::mem::take(&mut self.guests).into_iter().flat_map(|(_, changes)| changes);
                if let Some((_, changes)) = self.moves.iter_mut().chain(&mut self.edits).next() {
                    changes.extend(of_guests);
                }
                return NotifyStep::Occurrence(Notify::All);
            }
            return NotifyStep::Never;
        }
        if !self.news.is_empty() {
            item = Notify::All;
        }
        match item {
            Notify::Nobody => NotifyStep::Never,
            _ if is_staged
                || !touched.is_empty()
                || matches!(audience, NotifyPolicy::PendingNotification(_)) =>
            {
                NotifyStep::Last(item)
            }
            _ => NotifyStep::First(item),
        }
    }

    fn numbers(&self) -> impl Iterator<Item = &u32> {
        self.moves.iter().chain(&self.edits).chain(&self.guests).map(|(number, _)| number)
    }
}

impl Draft<'_> {
    pub(super) fn occurrences(
        &self,
        master: &Component,
        times: &Times,
        translated: Option<&Translated>,
        rule_changed: bool,
        invited: bool,
    ) -> Result<Occurrences, Refusal> {
        let Some(translated) = translated else { return Ok(Occurrences::default()) };
        let zones = Zones::new(self.calendar, &self.mailbox);
        let numbered = Numbered::of(translated, &times.start);
        let mut gone = series::excluded(master, &zones, &numbered);
        let mut overrides = series::overrides(self.calendar, &zones, &numbered)?;
        self.check_strays(master, &zones, &numbered)?;
        // Of an occurrence that is both excluded and overridden the override counts.
        gone.retain(|number| !overrides.contains_key(number));
        let added = series::added(master, &zones, &numbered, &mut gone)?;
        let calls_off = self.people(master).is_some();
        if calls_off {
            gone.extend(series::cancelled(&mut overrides));
        }
        gone.extend(&translated.superfluous);
        // What Exchange has already, where the rule has not changed.
        let served_zones = self.served.as_ref().map(|served| Zones::new(served, &self.mailbox));
        let before = match (&self.served, &served_zones) {
            (Some(served), Some(zones)) if !rule_changed => master_of(served).map(|m| (m, served, zones)),
            _ => None,
        };
        let (mut gone_before, mut known) = (BTreeSet::new(), BTreeMap::new());
        if let Some((master, served, zones)) = before {
            gone_before = series::excluded(master, zones, &numbered);
            series::added(master, zones, &numbered, &mut gone_before)?;
            gone_before.extend(&translated.superfluous);
            known = series::overrides(served, zones, &numbered)?;
            if calls_off {
                gone_before.extend(series::cancelled(&mut known));
            }
        }
        let differing = std::cell::LazyCell::new(|| {
            self.current.map(|current| projected::differing(self.context, current.item).1).unwrap_or_default()
        });
        let exchange_has =
            |number: &u32| numbered.instant(*number).is_some_and(|at| differing.contains_key(&at));
        // Nothing brings back a single occurrence but the rule written again, which is the organiser's alone.
        let is_reset = !invited
            && (gone_before.iter().any(|number| !gone.contains(number))
                || known.keys().any(|number| {
                    !overrides.contains_key(number) && !gone.contains(number) && exchange_has(number)
                }));
        if is_reset {
            (gone_before, known) = (BTreeSet::new(), BTreeMap::new());
        }
        let mut moved = Moved::new();
        let (mut moves, mut edits, mut guests) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (number, event) in &overrides {
            let own = Times::of(event, self.calendar, &self.mailbox, true)?;
            let original = numbered.instant(*number);
            let is_moved = Some(own.start.instant()) != original || own.seconds() != times.seconds();
            if is_moved {
                moved.insert(*number, times.start.zone.to_local(own.start.instant()).date());
            }
            if known.get(number).is_some_and(|served| *served == *event) {
                continue;
            }
            let base = known.get(number).copied();
            let was_all_day = match base {
                Some(base) => Times::of(base, self.calendar, &self.mailbox, true)?.is_all_day(),
                None => times.is_all_day(),
            };
            let turns = own.is_all_day() != was_all_day;
            // What was moved and goes back to its place is told, too.
            let tells_times = turns || ((is_moved || base.is_some()) && !same_times(base, event));
            let mut changes =
                self.occurrence(event, &own, base.unwrap_or(master), tells_times, base.is_none());
            if turns {
                changes.push(Change::set(Field::AllDay, Value::Flag(own.is_all_day())));
            }
            if !invited {
                let invites = self.guests_of(event, master, base);
                if !invites.is_empty() {
                    guests.push((*number, invites));
                }
            }
            if changes.is_empty() {
                continue;
            }
            if tells_times { drop(moves.insert(*number, changes)) } else { edits.push((*number, changes)) }
        }
        for (number, (moment, told_end)) in added {
            let start = ZonedMoment { moment, ..times.start.clone() };
            let length = || Length::Exact(jiff::SignedDuration::from_secs(times.seconds()));
            let end = told_end.or_else(|| start.moment.after(length()));
            let Some(end) = end.map(|moment| ZonedMoment { moment, ..start.clone() }) else { continue };
            moved.insert(number, times.start.zone.to_local(zones.instant(&start.moment)).date());
            if before.is_none() || is_reset {
                let at = |place: &ZonedMoment| Value::Time(zones.instant(&place.moment));
                let changes = vec![Change::set(Field::Start, at(&start)), Change::set(Field::End, at(&end))];
                moves.insert(number, changes);
            }
        }
        series::check_neighbours(&numbered, &gone, &moved)?;
        let mut delete: Vec<u32> = gone.difference(&gone_before).copied().collect();
        let mut replies = Vec::new();
        if invited {
            if !moves.is_empty() {
                let text = "only the organiser can move an occurrence";
                return Err(Refusal::of_part(Reason::AttendeeChange, "RECURRENCE-ID", text));
            }
            // An occurrence that somebody invited takes out is declined.
            let declined = std::mem::take(&mut delete).into_iter();
            replies.extend(declined.map(|number| (number, Self::reply_of(master, "DECLINED", true))));
            for (number, event) in &overrides {
                let before = known.get(number).copied().or(self.served.as_ref().and_then(master_of));
                let status = self.own_status(event);
                if let Some(status) = status.filter(|_| before.and_then(|b| self.own_status(b)) != status) {
                    replies.push((*number, Self::reply_of(event, status, true)));
                }
            }
            // What is declined is not there to be changed.
            let is_declined = |number: &u32| {
                overrides.get(number).and_then(|event| self.own_status(event)) == Some("DECLINED")
            };
            edits.retain(|(number, _)| !is_declined(number));
        }
        let changed = moves.iter().chain(edits.iter().map(|(number, changes)| (number, changes)));
        let news = changed.filter(|(_, changes)| changes.iter().any(is_news)).map(|(number, _)| *number);
        let called_off = delete.iter().filter(|number| !translated.superfluous.contains(number));
        let news = news.chain(called_off.copied()).collect();
        let touched = gone.iter().chain(overrides.keys()).chain(moves.keys());
        let numbers = touched.chain(replies.iter().map(|(number, _)| number));
        let places = numbers.filter_map(|number| Some((*number, numbered.instant(*number)?))).collect();
        // Without its times an occurrence may be stored an hour early or late. Seen: gromox 3.10, beyond a change of clocks
        if !self.context.capabilities.stores_what_it_takes {
            for (number, changes) in &mut edits {
                if let Some(event) = overrides.get(number) {
                    changes.extend(Times::of(event, self.calendar, &self.mailbox, true)?.of_occurrence());
                }
            }
        }
        // What somebody invited takes out is declined instead.
        let gone = if invited { BTreeSet::new() } else { gone };
        Ok(Occurrences {
            is_reset,
            places,
            gone,
            news,
            delete,
            moves: series::in_order(&numbered, &moved, moves),
            edits,
            guests,
            replies,
        })
    }

    /// Refuses overrides of what Exchange's series has no occurrence for, unless they were served so, are over, or
    /// cancel what is not there: these are kept. So are excluded dates that the rule does not produce.
    fn check_strays(&self, master: &Component, zones: &Zones, numbered: &Numbered) -> Result<(), Refusal> {
        let served = |event: &Component| self.served.as_ref().is_some_and(|s| s.children.contains(event));
        let is_over = |event: &Component| {
            Times::of(event, self.calendar, &self.mailbox, true)
                .is_ok_and(|times| times.end.instant() < self.context.now)
        };
        for (event, line) in series::strays(self.calendar, zones, numbered) {
            if !served(event) && !series::is_cancelled(event) && !is_over(event) {
                let part = format!("RECURRENCE-ID:{}", line.value);
                let at = zones.moment(line).map(|moment| zones.instant(&moment)).unwrap_or_default();
                return Err(Refusal::of_part(Reason::UnsupportedRecurrence, part, numbered.why_not(at)));
            }
        }
        let beyond = series::beyond(master, zones, numbered);
        let before = self.served.as_ref().and_then(|served| {
            Some(series::beyond(master_of(served)?, &Zones::new(served, &self.mailbox), numbered))
        });
        if !beyond.is_subset(&before.unwrap_or_default()) {
            return Err(Refusal::of_part(
                Reason::UnsupportedRecurrence,
                "EXDATE",
                numbered.why_not(Timestamp::MAX),
            ));
        }
        Ok(())
    }

    /// The lists of people of an occurrence, where they are others than those of its series, or were.
    fn guests_of(&self, event: &Component, master: &Component, base: Option<&Component>) -> Vec<Change> {
        // An override that names no organiser says nothing of people.
        let is_own = event.line("ORGANIZER").is_some_and(|line| self.is_owner(line));
        if !is_own {
            return Vec::new();
        }
        let lists = |event: &Component| self.people(event).map(|people| people.lists).unwrap_or_default();
        let before = base.map(lists);
        let served = self.served.as_ref().and_then(master_of).map(lists);
        let (wanted, series) = (lists(event), lists(master));
        let same = |one: &PeopleLists, other: &PeopleLists| {
            one.iter().zip(other).all(|(one, other)| same_people(one, other))
        };
        let is_inherited = match (&before, &served) {
            (Some(before), Some(served)) => same(before, served),
            _ => true,
        };
        let stays =
            if is_inherited { same(&wanted, &series) } else { before.is_some_and(|b| same(&b, &wanted)) };
        if stays {
            return Vec::new();
        }
        LISTS.iter().zip(wanted).map(|(field, people)| list_change(*field, &people)).collect()
    }

    /// The fields in which an override differs from what its occurrence is without it.
    fn occurrence(
        &self,
        event: &Component,
        times: &Times,
        base: &Component,
        tells_times: bool,
        is_new: bool,
    ) -> Vec<Change> {
        let mut changes = if tells_times { times.of_occurrence() } else { Vec::new() };
        let (zones, served_zones) = self.zones();
        let base_zones = if is_new { &zones } else { &served_zones };
        let differs = |group: &&Group| group.is_changed((event, &zones), (base, base_zones), None);
        let told = [
            FieldGroup::Subject,
            FieldGroup::Place,
            FieldGroup::Body,
            FieldGroup::Class,
            FieldGroup::Categories,
            FieldGroup::Busy,
            FieldGroup::Alarms,
        ];
        for group in projected::group::ALL.iter().filter(|group| told.contains(&group.which)).filter(differs)
        {
            // Coordinates of the series are not those of another place.
            let has_coordinates = base.line("GEO").or(base.line("X-APPLE-STRUCTURED-LOCATION")).is_some()
                || self.current.is_some_and(|c| projected::group::coordinates(c.item).is_some());
            changes.extend(self.group(group.which, event, has_coordinates, None));
        }
        changes
    }
}

pub(super) fn same_times(base: Option<&Component>, event: &Component) -> bool {
    let same = |base: &Component, name: &str| base.line(name) == event.line(name);
    base.is_some_and(|base| ["DTSTART", "DTEND", "DURATION"].iter().all(|name| same(base, name)))
}
