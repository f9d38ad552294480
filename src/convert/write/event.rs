//! VEVENT → calendar items.

mod occurrences;
mod people;
mod times;

pub use people::tells_of_end;
pub(super) use people::user;

use super::super::{Context, alarm, companions, event as projected, identity, kept};
use super::attachments::{self, Attachments};
use super::fields;
use super::rule::{self, Translated};
use super::series;
use super::{Current, NotifyPolicy, NotifyStep, Plan};
use crate::model::field_group::FieldGroup;
use crate::model::item::{Change, Field, ItemClass, Notify, Value};
use crate::model::refusal::{Reason, Refusal};
use crate::model::zone::Zone;
use crate::text::Component;
use crate::text::moment::Zones;
use bytes::Bytes;
use people::People;
use projected::time::EventTimes;
use std::collections::BTreeSet;
use times::Times;

/// Everything that a PUT is compared with.
struct Draft<'a> {
    context: &'a Context,
    /// What the client means: see [`companions::settle`].
    calendar: &'a Component,
    /// Whether that is what it sent.
    is_as_sent: bool,
    mailbox: Zone,
    current: Option<Current<'a>>,
    /// What the client saw last.
    served: Option<Component>,
}

pub fn plan(
    context: &Context,
    name: &str,
    octets: &Bytes,
    calendar: &Component,
    current: Option<Current>,
    audience: NotifyPolicy,
) -> Result<Plan, Refusal> {
    let served = current.and_then(|current| {
        let rendered = projected::render(context, current.item, &current.related.exceptions).ok()?;
        Component::parse(&rendered.body).ok()
    });
    let mailbox = Zone::iana(&context.zone).unwrap_or(Zone::Utc);
    let mut settled = calendar.clone();
    companions::settle(&mut settled, served.as_ref(), &mailbox);
    let is_as_sent = settled == *calendar;
    let draft = Draft { context, calendar: &settled, is_as_sent, mailbox, current, served };
    let events: Vec<&Component> = settled.children_named("VEVENT").collect();
    let is_master = |event: &&&Component| event.line("RECURRENCE-ID").is_none();
    // An invitation to one occurrence has no master: the occurrence is an event of its own.
    let master = events.iter().find(is_master).or(events.first());
    let master = *master.ok_or_else(|| Refusal::new(Reason::InvalidObject, "there is no VEVENT"))?;
    if master.line("RECURRENCE-ID").is_some() && events.len() > 1 {
        return Err(Refusal::new(Reason::InvalidObject, "several occurrences need their series"));
    }
    draft.plan(name, octets, master, audience)
}

impl Draft<'_> {
    fn plan(
        &self,
        name: &str,
        octets: &Bytes,
        master: &Component,
        audience: NotifyPolicy,
    ) -> Result<Plan, Refusal> {
        let repeats = master.line("RRULE").is_some();
        self.check_rules(master)?;
        let times = Times::of(master, self.calendar, &self.mailbox, repeats)?;
        let uid = master.value("UID").unwrap_or_default().to_owned();
        let people = self.people(master);
        let invited = self.current.is_some_and(|c| projected::is_invitation(self.context, c.item));
        if audience != NotifyPolicy::Nobody && self.calls_off(master, people.as_ref()) {
            self.check_agents(NotifyStep::First(Notify::All))?;
            return Ok(Plan::calling_off(uid, octets));
        }
        let mut changed = self.changed_groups(master);
        self.check_owner(&changed, invited)?;
        if invited
            && [FieldGroup::Times, FieldGroup::Rule, FieldGroup::People]
                .iter()
                .any(|which| changed.contains(which))
            && !self.is_only_own_answer(master)
        {
            return Err(Refusal::new(
                Reason::AttendeeChange,
                "only the organiser can change time and participants",
            ));
        }
        let translated = match master.value("RRULE") {
            Some(rule) => match rule::translate(rule, &times.start.moment, &times.start.zone) {
                Err(refusal) => Some(self.rule_as_it_is(master, &changed).ok_or(refusal)?),
                translated => Some(translated?),
            },
            None => None,
        };
        series::check_excluding_rules(master, &times.start)?;
        let mut text = self.calendar.clone();
        let Attachments { attach, detach } = attachments::attachments(self.context, &mut text, self.current)?;
        // A link and its octets say the same: what counts is what hangs on the item.
        changed.remove(&FieldGroup::Files);
        if !(attach.is_empty() && detach.is_empty()) {
            changed.insert(FieldGroup::Files);
        }
        let is_as_sent = self.is_as_sent && text == *self.calendar;
        let text = if is_as_sent { octets.clone() } else { Bytes::from(text.write()) };
        if !kept::fits(&text) {
            return Err(Refusal::new(
                Reason::TooLarge,
                "the object is too long to be kept: shorten its properties",
            ));
        }

        let mut changes = self.identity(name, &uid);
        let mut outcome = Vec::new();
        let own = |which: FieldGroup| {
            changed.contains(&which)
                && !(invited && matches!(which, FieldGroup::Times | FieldGroup::Rule | FieldGroup::People))
        };
        // Converting to a series needs the zone in the same UpdateItem. docs/EXCHANGE.md, Times
        let becomes_series = self.current.is_some_and(|current| current.item.recurrence().is_none())
            && translated.is_some()
            && !invited;
        let rule_changed = changed.contains(&FieldGroup::Times)
            || (changed.contains(&FieldGroup::Rule)
                && !self.has_the_rule_of_before(master, translated.as_ref()));
        let mut series = self.occurrences(master, &times, translated.as_ref(), rule_changed, invited)?;
        if audience == NotifyPolicy::Nobody {
            series.replies.iter_mut().for_each(|(_, reply)| reply.tell = false);
        }
        let rewrites_rule = (rule_changed && !invited) || series.is_reset;
        // A server that bends times with a new rule is told them again.
        let bends_times =
            rewrites_rule && translated.is_some() && !self.context.capabilities.stores_what_it_takes;
        if own(FieldGroup::Times) || becomes_series || bends_times {
            changes.extend(times.changes());
            outcome.extend(times.outcome());
        }
        match (&translated, self.current) {
            (Some(translated), _) if rewrites_rule => {
                rule::check_interval(&translated.recurrence, self.context.capabilities.longest_months)?;
                changes
                    .push(Change::set(Field::Recurrence, Value::Recurrence(translated.recurrence.clone())));
            }
            (None, Some(current)) if own(FieldGroup::Rule) && current.item.recurrence().is_some() => {
                changes.push(Change::remove(Field::Recurrence));
            }
            _ => {}
        }
        for which in changed.iter().filter(|which| own(**which)) {
            let has_coordinates =
                self.current.is_some_and(|c| projected::group::coordinates(c.item).is_some());
            let wanted = self.group(*which, master, has_coordinates, people.as_ref());
            // Whether and when to remind go together.
            changes.extend(
                wanted.into_iter().filter(|change| *which == FieldGroup::Alarms || !self.is_there(change)),
            );
        }
        if self.current.is_none() {
            // Nothing is there that could be removed.
            changes.retain(|change| change.value.is_some());
        }
        // What Exchange makes of these is seen afterwards.
        let is_open = |value: &Value| value.is_html() || value.is_zone_by_rules();
        let is_open = changes.iter().filter_map(|change| change.value.as_ref()).any(is_open);
        let mut news = changed.clone();
        if !rewrites_rule {
            // Single dates that are excluded are changes of occurrences.
            news.remove(&FieldGroup::Rule);
        }
        let told = self.told(&news, people.as_ref(), invited, master);
        let is_staged = !(attach.is_empty() && detach.is_empty());
        let telling = series.tell(told.filter(|_| audience != NotifyPolicy::Nobody), is_staged, audience);
        self.check_agents(telling)?;
        // Exchange adds to a meeting what only it knows, when it is made and when its guests hear of a change.
        let is_meeting_anew = people.is_some() && (self.current.is_none() || telling != NotifyStep::Never);
        Ok(Plan {
            class: ItemClass::CalendarItem,
            uid,
            calls_off: false,
            reply: self.reply(master, invited, audience != NotifyPolicy::Nobody),
            telling,
            replies: series.replies,
            outcome: changes.iter().cloned().chain(outcome).collect(),
            changes,
            detach,
            attach,
            delete: series.delete,
            moves: series.moves,
            edits: series.edits,
            guests: series.guests,
            places: series.places,
            gone: series.gone,
            is_certain: !is_open && !is_meeting_anew,
            is_one_call: false,
            text: Some(text),
        })
    }

    /// Whether Exchange holds it already, though the client says it in other words.
    fn is_there(&self, change: &Change) -> bool {
        match &change.value {
            Some(value @ (Value::Text(_) | Value::Flag(_) | Value::Strings(_))) => {
                self.current.is_some_and(|current| current.item.value(change.field) == Some(value))
            }
            _ => false,
        }
    }

    /// Rules that are refused as a whole.
    fn check_rules(&self, master: &Component) -> Result<(), Refusal> {
        let refuse = |part, text| Err(Refusal::of_part(Reason::UnsupportedRecurrence, part, text));
        if master.lines_named("RRULE").count() > 1 {
            return refuse("RRULE", "Exchange holds one rule");
        }
        let served = self.served.as_ref().and_then(master_of).map(|m| values(m, "RDATE")).unwrap_or_default();
        let zones = Zones::new(self.calendar, &self.mailbox);
        let start = master.line("DTSTART").and_then(|line| zones.moment(line)).map(|at| zones.instant(&at));
        let mut added = master.lines_named("RDATE").flat_map(|line| zones.moments(line));
        // Those beside a rule are judged by the occurrences that it has.
        let has_more = master.line("RRULE").is_none() && added.any(|at| Some(zones.instant(&at)) != start);
        if has_more && values(master, "RDATE") != served {
            return refuse(
                "RDATE",
                "Exchange repeats by a rule alone: make the added date an event of its own",
            );
        }
        Ok(())
    }

    fn identity(&self, name: &str, uid: &str) -> Vec<Change> {
        let own = |field, value: &str| Change::text(field, value);
        match self.current {
            None => vec![
                own(Field::ClientUid, uid),
                own(Field::ClientName, name),
                Change::text(Field::Uid, identity::exchange_uid(uid)),
            ],
            Some(current) => {
                let mut changes = Vec::new();
                if current.item.text(Field::ClientUid).as_deref() != Some(uid) {
                    changes.push(own(Field::ClientUid, uid));
                }
                if current.item.text(Field::ClientName).as_deref() != Some(name) {
                    changes.push(own(Field::ClientName, name));
                }
                changes
            }
        }
    }

    /// Zones of the client's text and of what it saw last.
    fn zones(&self) -> (Zones<'_>, Zones<'_>) {
        let of = |calendar| Zones::new(calendar, &self.mailbox);
        (of(self.calendar), of(self.served.as_ref().unwrap_or(self.calendar)))
    }

    /// The groups in which the client's master differs from what it saw last.
    fn changed_groups(&self, master: &Component) -> BTreeSet<FieldGroup> {
        let groups = projected::group::ALL.iter();
        let Some((served, current)) = self.served.as_ref().and_then(master_of).zip(self.current) else {
            return groups.map(|group| group.which).collect();
        };
        let Ok(frame) = EventTimes::of(self.context, current.item, None) else {
            return groups.map(|group| group.which).collect();
        };
        let zones = self.zones();
        groups
            .filter(|group| group.is_changed((master, &zones.0), (served, &zones.1), Some(&frame)))
            .map(|group| group.which)
            .collect()
    }

    /// Whether the client's rule is what it saw last or what Exchange has, whatever it excludes: a rule that is written
    /// again takes with it what only Exchange knows of changed occurrences. MS-OXOCAL 3.1.4.7.3.5
    fn has_the_rule_of_before(&self, master: &Component, translated: Option<&Translated>) -> bool {
        let Some((served, current)) = self.served.as_ref().and_then(master_of).zip(self.current) else {
            return false;
        };
        let adds = master.line("RDATE").or(served.line("RDATE")).is_some();
        let there = current.item.recurrence();
        let is_there =
            || translated.zip(there).is_some_and(|(told, there)| rule::same(&told.recurrence, &there));
        !adds && (values(master, "RRULE") == values(served, "RRULE") || is_there())
    }

    /// Exchange's own rule, where the client left the rule and its times as it was served them: what is not written needs no
    /// words of Exchange's.
    fn rule_as_it_is(&self, master: &Component, changed: &BTreeSet<FieldGroup>) -> Option<Translated> {
        let served = self.served.as_ref().and_then(master_of)?;
        let is_as_served =
            !changed.contains(&FieldGroup::Times) && values(master, "RRULE") == values(served, "RRULE");
        let recurrence = self.current.filter(|_| is_as_served)?.item.recurrence()?;
        rule::as_it_is(&recurrence)
    }

    /// The fields of a group; times, rules and attachments are written by themselves. `has_coordinates`: the place that
    /// Exchange has now has some.
    fn group(
        &self,
        which: FieldGroup,
        event: &Component,
        has_coordinates: bool,
        people: Option<&People>,
    ) -> Vec<Change> {
        match which {
            FieldGroup::Subject => vec![fields::subject(event)],
            FieldGroup::Place => fields::place(event, has_coordinates),
            FieldGroup::Body => vec![fields::body(event)],
            FieldGroup::Class => vec![fields::sensitivity_change(event)],
            FieldGroup::Importance => vec![fields::importance_change(event)],
            FieldGroup::Categories => vec![fields::categories(event)],
            FieldGroup::Busy => vec![Change::text(Field::BusyStatus, fields::busy(event))],
            FieldGroup::Alarms => {
                let held = alarm::held(event, &self.zones().0);
                alarm::Reminder::changes(held.first().map(|(_, reminder)| *reminder))
            }
            FieldGroup::People => people.map_or_else(|| self.nobody(), People::changes),
            _ => Vec::new(),
        }
    }
}

fn master_of(calendar: &Component) -> Option<&Component> {
    let events = || calendar.children_named("VEVENT");
    events().find(|event| event.line("RECURRENCE-ID").is_none()).or_else(|| events().next())
}

fn values(component: &Component, name: &str) -> Vec<String> {
    component.lines_named(name).map(|line| line.value.trim().to_owned()).collect()
}
