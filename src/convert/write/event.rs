//! VEVENT → calendar items.

use super::super::{Context, event as projected, identity, kept};
use super::attachments::{self, Attachments};
use super::fields;
use super::rule::{self, Translated};
use super::series::{self, Moved, Numbered};
use super::zone::{self, Place};
use super::{Audience, Current, OccurrenceChange, Plan, Reply, Telling};
use crate::ews::field;
use crate::ews::types::ItemClass;
use crate::ews::types::write::{Change, Field, Notify, Value};
use crate::model::refusal::{Reason, Refusal};
use crate::model::zone::Zone;
use crate::text::moment::{Length, Moment, Zones, length};
use crate::text::{Component, Line};
use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::Date;
use projected::group::Group;
use projected::time::Frame;
use std::collections::{BTreeMap, BTreeSet};

/// Lists of people: THE table. CUTYPE says more than ROLE.
const LISTS: [&str; 3] = ["calendar:RequiredAttendees", "calendar:OptionalAttendees", "calendar:Resources"];

/// Start and end of a component, as Exchange is told.
#[derive(Clone)]
struct Times {
    start: Place,
    end: Place,
}

impl Times {
    fn of(
        component: &Component,
        calendar: &Component,
        mailbox: &Zone,
        repeats: bool,
    ) -> Result<Self, Refusal> {
        let line = component
            .line("DTSTART")
            .ok_or_else(|| Refusal::new(Reason::InvalidData, "an event has a DTSTART"))?;
        let start = zone::place(line, calendar, mailbox, repeats)?;
        let end = match (component.line("DTEND"), component.value("DURATION").and_then(length)) {
            (Some(line), _) => zone::place(line, calendar, mailbox, repeats)?,
            (None, Some(length)) => {
                let zoned = match &start.moment {
                    Moment::Floating(local) => Moment::Zoned(*local, start.zone.clone()),
                    other => other.clone(),
                };
                let moment = zoned
                    .after(length)
                    .ok_or_else(|| Refusal::new(Reason::TooLate, "the event is too long"))?;
                Place { moment, ..start.clone() }
            }
            (None, None) => start.clone(),
        };
        let mut times = Self { start, end };
        if times.start.moment.is_day() != times.end.moment.is_day() {
            return Err(Refusal::new(Reason::InvalidData, "start and end are both days or both times"));
        }
        if let (Moment::Day(first), Moment::Day(end)) = (&times.start.moment, &times.end.moment) {
            let next = first.tomorrow().map_err(|_| too_late())?;
            if end < first {
                return Err(Refusal::new(Reason::InvalidData, "the event ends before it starts"));
            }
            // A day always has a next one.
            times.end.moment = Moment::Day((*end).max(next));
        } else if times.end.instant() < times.start.instant() {
            return Err(Refusal::new(Reason::InvalidData, "the event ends before it starts"));
        }
        if times.start.moment.local().date() < Date::constant(1601, 1, 1) {
            return Err(Refusal::new(Reason::TooEarly, "Exchange's calendars begin in 1601"));
        }
        if times.end.moment.local().date() > Date::constant(4500, 8, 31) {
            return Err(too_late());
        }
        Ok(times)
    }

    fn is_all_day(&self) -> bool {
        self.start.moment.is_day()
    }

    fn seconds(&self) -> i64 {
        self.end.instant().as_second() - self.start.instant().as_second()
    }

    /// A moment as it is sent: days are local midnights, which Exchange reads in the item's zone.
    fn text(place: &Place) -> String {
        match &place.moment {
            Moment::Day(day) => format!("{day}T00:00:00"),
            _ => utc(place.instant()),
        }
    }

    fn changes(&self) -> Vec<Change> {
        let mut changes = vec![
            Change::text("calendar:Start", Self::text(&self.start)),
            Change::text("calendar:End", Self::text(&self.end)),
        ];
        changes.push(Change::text("calendar:IsAllDayEvent", self.is_all_day().to_string()));
        changes.push(Change::set("calendar:StartTimeZone", self.start.told.clone()));
        changes.push(Change::set("calendar:EndTimeZone", self.end.told.clone()));
        changes
    }

    /// The same, as Exchange will tell it.
    fn outcome(&self) -> [Change; 2] {
        [
            Change::text("calendar:Start", utc(self.start.instant())),
            Change::text("calendar:End", utc(self.end.instant())),
        ]
    }

    /// Times alone, for occurrences: these cannot have a zone of their own.
    fn of_occurrence(&self) -> Vec<Change> {
        self.changes().into_iter().take(2).collect()
    }
}

fn too_late() -> Refusal {
    Refusal::new(Reason::TooLate, "Exchange's calendars end in August 4500")
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Everything that a PUT is compared with.
struct Draft<'a> {
    context: &'a Context,
    calendar: &'a Component,
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
    audience: Audience,
) -> Result<Plan, Refusal> {
    let served = current.and_then(|current| {
        let rendered = projected::render(context, current.item, &current.related.exceptions).ok()?;
        Component::parse(&rendered.body).ok()
    });
    let mailbox = Zone::iana(&context.zone).unwrap_or(Zone::Utc);
    let draft = Draft { context, calendar, mailbox, current, served };
    let events: Vec<&Component> = calendar.children_named("VEVENT").collect();
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
        audience: Audience,
    ) -> Result<Plan, Refusal> {
        let repeats = master.line("RRULE").is_some();
        self.check_rules(master)?;
        let times = Times::of(master, self.calendar, &self.mailbox, repeats)?;
        let uid = master.value("UID").unwrap_or_default().to_owned();
        let people = self.people(master);
        let invited = self.current.is_some_and(|c| projected::is_invitation(self.context, c.item));
        if audience != Audience::Nobody && self.calls_off(master, people.as_ref()) {
            return Ok(Plan::calling_off(uid, octets));
        }
        let mut changed = self.changed_groups(master);
        if invited
            && ['T', 'R', 'P'].iter().any(|letter| changed.contains(letter))
            && !self.is_only_own_answer(master)
        {
            return Err(Refusal::new(
                Reason::AttendeeChange,
                "only the organiser can change time and participants",
            ));
        }
        let translated = match master.value("RRULE") {
            Some(rule) => Some(rule::translate(rule, &times.start.moment, &times.start.zone)?),
            None => None,
        };
        series::check_excluding_rules(master, &times.start)?;
        let mut text = self.calendar.clone();
        let Attachments { attach, detach } = attachments::attachments(self.context, &mut text, self.current)?;
        // A link and its octets say the same: what counts is what hangs on the item.
        changed.remove(&'H');
        if !(attach.is_empty() && detach.is_empty()) {
            changed.insert('H');
        }
        let text = if text == *self.calendar { octets.clone() } else { Bytes::from(text.write()) };
        if !kept::fits(&text) {
            return Err(Refusal::new(
                Reason::TooLarge,
                "the object is too long to be kept: shorten its properties",
            ));
        }

        let mut changes = self.identity(name, &uid);
        let mut outcome = Vec::new();
        let own = |letter: char| changed.contains(&letter) && !(invited && matches!(letter, 'T' | 'R' | 'P'));
        // What becomes a series is told its zone in the same breath. R:updateitem-operation
        let becomes_series = self.current.is_some_and(|current| current.item.recurrence().is_none())
            && translated.is_some()
            && !invited;
        if own('T') || becomes_series {
            changes.extend(times.changes());
            outcome.extend(times.outcome());
        }
        let rule_changed = changed.contains(&'T')
            || (changed.contains(&'R') && !self.has_the_rule_of_before(master, translated.as_ref()));
        let mut series = self.occurrences(master, &times, translated.as_ref(), rule_changed, invited)?;
        if audience == Audience::Nobody {
            series.replies.iter_mut().for_each(|(_, reply)| reply.tell = false);
        }
        let rewrites_rule = (rule_changed && !invited) || series.is_reset;
        match (&translated, self.current) {
            (Some(translated), _) if rewrites_rule => {
                changes.push(Change::set(
                    "calendar:Recurrence",
                    Value::Recurrence(translated.recurrence.clone()),
                ));
            }
            (None, Some(current)) if own('R') && current.item.recurrence().is_some() => {
                changes.push(Change::remove("calendar:Recurrence"));
            }
            _ => {}
        }
        for letter in changed.iter().filter(|letter| own(**letter)) {
            let told = self.group(*letter, master, &times, people.as_ref());
            // Whether and when to remind go together.
            changes.extend(told.into_iter().filter(|change| *letter == 'A' || !self.is_there(change)));
        }
        if self.current.is_none() {
            // Nothing is there that could be removed.
            changes.retain(|change| change.value.is_some());
        }
        // What Exchange makes of these is seen afterwards.
        let is_open = |value: &Value| matches!(value, Value::Body { is_html: true, .. } | Value::OwnZone(_));
        let is_open = changes.iter().filter_map(|change| change.value.as_ref()).any(is_open);
        let mut news = changed.clone();
        if !rewrites_rule {
            // Single dates that are excluded are changes of occurrences.
            news.remove(&'R');
        }
        let told = self.told(&news, people.as_ref(), invited, master);
        let is_staged = !(attach.is_empty() && detach.is_empty());
        let telling = series.tell(told.filter(|_| audience != Audience::Nobody), is_staged, audience);
        // Exchange adds to a meeting what only it knows, when it is made and when its guests hear of a change.
        let is_meeting_anew = people.is_some() && (self.current.is_none() || telling != Telling::Never);
        Ok(Plan {
            class: ItemClass::CalendarItem,
            uid,
            calls_off: false,
            reply: self.reply(master, invited, audience != Audience::Nobody),
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
            is_certain: !is_open && !is_meeting_anew,
            text,
        })
    }

    /// Whether Exchange holds it already, though the client says it in other words.
    fn is_there(&self, change: &Change) -> bool {
        let (Some(current), Field::Uri(uri)) = (self.current, &change.field) else { return false };
        let local = uri.rsplit(':').next().unwrap_or_default();
        match &change.value {
            Some(Value::Text(text)) => current.item.text(local).as_ref() == Some(text),
            Some(Value::Strings(strings)) => current.item.strings(local) == *strings,
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
        let own = |property, value: &str| Change::extended(property, Some(value.to_owned()));
        match self.current {
            None => vec![
                own(field::DAV_UID, uid),
                own(field::DAV_NAME, name),
                Change::text("calendar:UID", identity::exchange_uid(uid)),
            ],
            Some(current) => {
                let mut changes = Vec::new();
                if current.item.extended(&field::DAV_UID).as_deref() != Some(uid) {
                    changes.push(own(field::DAV_UID, uid));
                }
                if current.item.extended(&field::DAV_NAME).as_deref() != Some(name) {
                    changes.push(own(field::DAV_NAME, name));
                }
                changes
            }
        }
    }

    /// Letters of the groups in which the client's master differs from what it saw last.
    fn changed_groups(&self, master: &Component) -> BTreeSet<char> {
        let letters = projected::group::ALL.iter();
        let Some((served, current)) = self.served.as_ref().and_then(master_of).zip(self.current) else {
            return letters.map(|group| group.letter).collect();
        };
        let Ok(frame) = Frame::of(self.context, current.item, None) else {
            return letters.map(|group| group.letter).collect();
        };
        letters
            .filter(|group| !group.says_the_same(master, served, &frame))
            .map(|group| group.letter)
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

    /// The fields of a group; times, rules and attachments are told by themselves.
    fn group(&self, letter: char, event: &Component, times: &Times, people: Option<&People>) -> Vec<Change> {
        let served = self.served.as_ref().and_then(master_of);
        match letter {
            'S' => vec![fields::subject(event)],
            'L' => fields::place(event, served),
            'B' => fields::body(event, served).into_iter().collect(),
            'C' => vec![fields::sensitivity(event)],
            'I' => vec![fields::importance(event)],
            'K' => vec![fields::categories(event)],
            'F' => vec![busy(event, served)],
            'A' => {
                let is_single = event.line("RRULE").is_none();
                let (start, zone) = (times.start.instant(), self.mailbox.clone());
                let absolute = |trigger: &Line| {
                    let at = Zones::new(self.calendar, &zone)
                        .moment(trigger)
                        .map(|m| Zones::new(self.calendar, &zone).instant(&m))?;
                    is_single.then(|| start.as_second() - at.as_second())
                };
                fields::reminder(event, times.seconds(), absolute)
            }
            'P' => people.map_or_else(|| self.nobody(), People::changes),
            _ => Vec::new(),
        }
    }

    /// A meeting that has lost its participants.
    fn nobody(&self) -> Vec<Change> {
        let Some(current) = self.current else { return Vec::new() };
        let lists = LISTS
            .iter()
            .filter(|uri| !current.item.attendees(uri.rsplit(':').next().unwrap_or_default()).is_empty());
        lists.map(|uri| Change::remove(uri)).collect()
    }

    /// The participants, when the owner is the one who invites them.
    fn people(&self, event: &Component) -> Option<People> {
        let organizer = event.line("ORGANIZER").map(address)?;
        if !self.context.is_owner(&organizer) {
            return None;
        }
        let mut people =
            People { lists: Default::default(), asks: event.lines_named("ATTENDEE").count() == 0 };
        let mut silent = true;
        for line in event.lines_named("ATTENDEE") {
            let address = address(line);
            let rsvp = line.param("RSVP").map(|word| word.eq_ignore_ascii_case("TRUE"));
            people.asks |= rsvp.unwrap_or(false);
            silent &= rsvp.is_none();
            if !address.contains('@')
                || self.context.is_owner(&address)
                || address.eq_ignore_ascii_case(&organizer)
            {
                continue;
            }
            let word = |name| line.param(name).map(str::to_ascii_uppercase);
            let list = match (word("CUTYPE").as_deref(), word("ROLE").as_deref()) {
                (Some("ROOM" | "RESOURCE"), _) => 2,
                (_, Some("OPT-PARTICIPANT" | "NON-PARTICIPANT")) => 1,
                _ => 0,
            };
            if let Some(list) = people.lists.get_mut(list) {
                let known = list.iter().any(|(_, other)| other.eq_ignore_ascii_case(&address));
                if !known {
                    list.push((line.param("CN").unwrap_or_default().to_owned(), address));
                }
            }
        }
        people.asks |= silent;
        people.lists.iter().any(|list| !list.is_empty()).then_some(people)
    }

    /// Whether the client changed no more of an invitation than its own answer.
    fn is_only_own_answer(&self, master: &Component) -> bool {
        let Some(served) = self.served.as_ref().and_then(master_of) else { return false };
        let bare = |component: &Component| {
            let mut people: Vec<String> =
                component.lines_named("ATTENDEE").map(|l| l.value.to_lowercase()).collect();
            people.sort_unstable();
            people
        };
        let same = |name: &str| values(master, name) == values(served, name);
        bare(master) == bare(served) && ["DTSTART", "RRULE", "ORGANIZER"].iter().all(|name| same(name))
    }

    /// The client's answer to an invitation, when it is another than Exchange knows.
    fn reply(&self, master: &Component, invited: bool, tell: bool) -> Option<Reply> {
        let current = self.current.filter(|_| invited)?;
        let status = self.own_status(master)?;
        let known = match current.item.filled("MyResponseType").as_deref() {
            Some("Accept") => "ACCEPTED",
            Some("Tentative") => "TENTATIVE",
            Some("Decline") => "DECLINED",
            _ => "",
        };
        (status != known).then(|| Self::reply_of(master, status, tell))
    }

    /// The owner's own answer, where it is one that Exchange has a word for.
    fn own_status(&self, event: &Component) -> Option<&'static str> {
        let own = event.lines_named("ATTENDEE").find(|line| self.context.is_owner(&address(line)))?;
        let word = own.param("PARTSTAT")?;
        ["ACCEPTED", "TENTATIVE", "DECLINED"].into_iter().find(|known| word.eq_ignore_ascii_case(known))
    }

    fn reply_of(event: &Component, status: &'static str, tell: bool) -> Reply {
        let silent = event.line("ORGANIZER").is_some_and(is_silent);
        let comment = event.line("COMMENT").or_else(|| event.line("X-CALENDARSERVER-COMMENT"));
        Reply { status, comment: comment.map(Line::unescaped).unwrap_or_default(), tell: tell && !silent }
    }

    /// Whether guests who count upon a meeting are to hear that none of it will be held. RFC 5546 3.2.5
    fn calls_off(&self, master: &Component, people: Option<&People>) -> bool {
        let is_awaited = self.current.is_some_and(|c| projected::is_meeting(self.context, c.item))
            && !self.was_cancelled()
            && people.is_some();
        is_awaited && series::is_cancelled(master) && !self.is_silent(master)
    }

    /// Whether the client saw it as called off.
    fn was_cancelled(&self) -> bool {
        self.served.as_ref().and_then(master_of).is_some_and(series::is_cancelled)
    }

    /// Whether the client sees to all messages itself, or wants none. RFC 6638 7.1
    fn is_silent(&self, master: &Component) -> bool {
        let all_silent = master
            .lines_named("ATTENDEE")
            .all(|line| is_silent(line) || self.context.is_owner(&address(line)));
        let moz = master
            .value("X-MOZ-SEND-INVITATIONS")
            .is_some_and(|word| word.trim().eq_ignore_ascii_case("FALSE"));
        (self.people(master).is_some() && all_silent) || moz
    }

    /// Who is told of the item itself: THE table. `None` where nobody may be.
    fn told(
        &self,
        changed: &BTreeSet<char>,
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
            || ['T', 'R', 'L', 'S', 'B', 'H'].iter().any(|letter| changed.contains(letter))
        {
            return Some(Notify::All);
        }
        Some(if changed.contains(&'P') { Notify::Changed } else { Notify::Nobody })
    }
}

/// Names and addresses by list.
type PeopleLists = [Vec<(String, String)>; 3];

/// Invited people by list.
struct People {
    lists: PeopleLists,
    asks: bool,
}

impl People {
    fn changes(&self) -> Vec<Change> {
        let mut changes = vec![Change::text("calendar:IsResponseRequested", self.asks.to_string())];
        for (uri, people) in LISTS.iter().zip(&self.lists) {
            changes.push(if people.is_empty() {
                Change::remove(uri)
            } else {
                Change::set(uri, Value::People(people.clone()))
            });
        }
        changes
    }
}

/// A calendar user's SMTP address, or whatever stands there.
fn address(line: &Line) -> String {
    let value = line.value.trim();
    let scheme = value.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    match (scheme, line.param("EMAIL")) {
        (Some(_), _) => value.get(7..).unwrap_or_default().to_owned(),
        (None, Some(email)) => email.to_owned(),
        (None, None) => value.to_owned(),
    }
}

/// Whether the client sees to messages itself. RFC 6638 7.1
fn is_silent(line: &Line) -> bool {
    line.param("SCHEDULE-AGENT").is_some_and(|word| !word.eq_ignore_ascii_case("SERVER"))
}

/// Whether Exchange tells the others when a meeting goes.
pub fn tells_of_end(calendar: &Component, is_own: bool) -> bool {
    let Some(master) = master_of(calendar) else { return true };
    let organizer = master.line("ORGANIZER");
    if !is_own {
        return !organizer.is_some_and(is_silent);
    }
    let host = organizer.map(address).unwrap_or_default();
    let mut guests =
        master.lines_named("ATTENDEE").filter(|line| !address(line).eq_ignore_ascii_case(&host)).peekable();
    guests.peek().is_none() || guests.any(|line| !is_silent(line))
}

fn same_people(one: &[(String, String)], other: &[(String, String)]) -> bool {
    let addresses = |list: &[(String, String)]| -> BTreeSet<String> {
        list.iter().map(|(_, address)| address.to_lowercase()).collect()
    };
    addresses(one) == addresses(other)
}

fn master_of(calendar: &Component) -> Option<&Component> {
    let events = || calendar.children_named("VEVENT");
    events().find(|event| event.line("RECURRENCE-ID").is_none()).or_else(|| events().next())
}

fn values(component: &Component, name: &str) -> Vec<String> {
    component.lines_named(name).map(|line| line.value.trim().to_owned()).collect()
}

/// `calendar:LegacyFreeBusyStatus`: THE table. Of two words that contradict each other the one that changed counts.
fn busy(event: &Component, served: Option<&Component>) -> Change {
    let word = |component: &Component, name: &str| {
        component.value(name).map(|text| text.trim().to_ascii_uppercase())
    };
    let transparency = word(event, "TRANSP");
    let microsoft = word(event, "X-MICROSOFT-CDO-BUSYSTATUS");
    let is_free = transparency.as_deref() == Some("TRANSPARENT");
    let agrees = match (microsoft.as_deref(), transparency.as_deref()) {
        (Some("FREE"), Some("TRANSPARENT") | None) => true,
        (Some("FREE"), _) => false,
        (Some(_), _) => !is_free,
        (None, _) => false,
    };
    let changed = |name: &str| served.is_some_and(|served| word(served, name) != word(event, name));
    let newer = changed("X-MICROSOFT-CDO-BUSYSTATUS") && !changed("TRANSP");
    let status = word(event, "STATUS");
    let status_is_newer = changed("STATUS") && !changed("X-MICROSOFT-CDO-BUSYSTATUS");
    let named = match microsoft.as_deref().filter(|_| (agrees || newer) && !status_is_newer) {
        Some("FREE") => Some("Free"),
        Some("TENTATIVE") => Some("Tentative"),
        Some("BUSY") => Some("Busy"),
        Some("OOF") => Some("OOF"),
        Some("WORKINGELSEWHERE") => Some("WorkingElsewhere"),
        _ => None,
    };
    let value = named.unwrap_or(match status.as_deref() {
        _ if is_free => "Free",
        Some("CANCELLED") => "Free",
        Some("TENTATIVE") => "Tentative",
        _ => "Busy",
    });
    Change::text("calendar:LegacyFreeBusyStatus", value)
}

/// What happens to single occurrences.
#[derive(Default)]
struct Occurrences {
    is_reset: bool,
    delete: Vec<u32>,
    moves: Vec<OccurrenceChange>,
    edits: Vec<OccurrenceChange>,
    guests: Vec<OccurrenceChange>,
    replies: Vec<(u32, Reply)>,
    /// Occurrences of whose change the guests of the series hear.
    news: BTreeSet<u32>,
}

/// Fields of an occurrence that guests hear of.
const NEWS: [&str; 8] = [
    "item:Subject",
    "item:Body",
    "item:Attachments",
    "calendar:Location",
    "calendar:EnhancedLocation",
    "calendar:Start",
    "calendar:End",
    "calendar:IsAllDayEvent",
];

fn is_news(change: &Change) -> bool {
    matches!(&change.field, Field::Uri(uri) if NEWS.contains(uri))
}

impl Occurrences {
    /// Decides which call tells; `item` is who hears of the item's own changes, `None` where nobody may be told.
    fn tell(&mut self, item: Option<Notify>, is_staged: bool, audience: Audience) -> Telling {
        let Some(mut item) = item else {
            self.edits.append(&mut self.guests);
            return Telling::Never;
        };
        if let Audience::Owed(owed) = audience
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
                return Telling::Occurrence(Notify::All);
            }
            return Telling::Never;
        }
        if !self.news.is_empty() {
            item = Notify::All;
        }
        match item {
            Notify::Nobody => Telling::Never,
            _ if is_staged || !touched.is_empty() || matches!(audience, Audience::Owed(_)) => {
                Telling::Last(item)
            }
            _ => Telling::First(item),
        }
    }

    fn numbers(&self) -> impl Iterator<Item = &u32> {
        self.moves.iter().chain(&self.edits).chain(&self.guests).map(|(number, _)| number)
    }
}

impl Draft<'_> {
    fn occurrences(
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
        let exchange_has = |number: &u32| {
            self.current.is_some_and(|current| {
                let at = numbered.instant(*number);
                current.item.modified_occurrences().iter().any(|o| Some(o.original_start) == at)
            })
        };
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
                changes.push(Change::text("calendar:IsAllDayEvent", own.is_all_day().to_string()));
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
            let start = Place { moment, ..times.start.clone() };
            let length = || Length::Exact(jiff::SignedDuration::from_secs(times.seconds()));
            let end = told_end.or_else(|| start.moment.after(length()));
            let Some(end) = end.map(|moment| Place { moment, ..start.clone() }) else { continue };
            moved.insert(number, times.start.zone.to_local(zones.instant(&start.moment)).date());
            if before.is_none() || is_reset {
                let at = |place: &Place| utc(zones.instant(&place.moment));
                let changes =
                    vec![Change::text("calendar:Start", at(&start)), Change::text("calendar:End", at(&end))];
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
        Ok(Occurrences {
            is_reset,
            news: news.chain(called_off.copied()).collect(),
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
                .is_ok_and(|times| times.end.instant() < Timestamp::now())
        };
        for (event, line) in series::strays(self.calendar, zones, numbered) {
            if !served(event) && !series::is_cancelled(event) && !is_over(event) {
                let part = format!("RECURRENCE-ID:{}", line.value);
                return Err(Refusal::of_part(Reason::UnsupportedRecurrence, part, numbered.why_not()));
            }
        }
        let beyond = series::beyond(master, zones, numbered);
        let before = self.served.as_ref().and_then(|served| {
            Some(series::beyond(master_of(served)?, &Zones::new(served, &self.mailbox), numbered))
        });
        if !beyond.is_subset(&before.unwrap_or_default()) {
            return Err(Refusal::of_part(Reason::UnsupportedRecurrence, "EXDATE", numbered.why_not()));
        }
        Ok(())
    }

    /// The lists of people of an occurrence, where they are others than those of its series, or were.
    fn guests_of(&self, event: &Component, master: &Component, base: Option<&Component>) -> Vec<Change> {
        // An override that names no organiser says nothing of people.
        let is_own = event.line("ORGANIZER").is_some_and(|line| self.context.is_owner(&address(line)));
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
        LISTS
            .iter()
            .zip(wanted)
            .map(|(uri, people)| {
                if people.is_empty() { Change::remove(uri) } else { Change::set(uri, Value::People(people)) }
            })
            .collect()
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
        let differs = |group: &&Group| {
            let Some(current) = self.current else { return group.differs(event, base) };
            match Frame::of(self.context, current.item, None) {
                Ok(frame) => !group.says_the_same(event, base, &frame),
                Err(_) => group.differs(event, base),
            }
        };
        let told = ['S', 'L', 'B', 'C', 'K', 'F', 'A'];
        for group in projected::group::ALL.iter().filter(|group| told.contains(&group.letter)).filter(differs)
        {
            changes.extend(match group.letter {
                // Coordinates of the series are not those of another place.
                'L' => fields::place(event, Some(base)),
                letter => self.group(letter, event, times, None),
            });
        }
        if is_new {
            // An occurrence has all fields of its series: removing one needs it to be there, which it is.
            changes.retain(|change| change.value.is_some() || !matches!(change.field, Field::Extended(_)));
        }
        changes
    }
}

fn same_times(base: Option<&Component>, event: &Component) -> bool {
    let same = |base: &Component, name: &str| base.line(name) == event.line(name);
    base.is_some_and(|base| ["DTSTART", "DTEND", "DURATION"].iter().all(|name| same(base, name)))
}
