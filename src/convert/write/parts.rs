//! What a client wants of an object that several items make: see `mirror/parts.rs`.

use super::series::is_cancelled;
use crate::convert::Context;
use crate::model::refusal::{Reason, Refusal};
use crate::model::zone::Zone;
use crate::text::moment::Zones;
use crate::text::{Component, Line, address};
use bytes::Bytes;

/// The text of such an object, item by item. Items are named by their place in the list of what was served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Divided {
    /// Items whose event is another than was served, with the object that it would be alone.
    pub changed: Vec<(usize, Bytes)>,
    /// Items whose event the client left out.
    pub left_out: Vec<usize>,
    /// Whether an event is as it was served: the client has seen the object.
    pub has_seen: bool,
}

/// How many overrides a text has that has no master, as only such objects have them; 0 for every other text.
pub fn overrides_alone(text: &[u8]) -> usize {
    const NAME: &[u8] = b"RECURRENCE-ID";
    // Most texts need no second look.
    if !text.windows(NAME.len()).any(|window| window.eq_ignore_ascii_case(NAME)) {
        return 0;
    }
    let Ok(calendar) = Component::parse(text) else { return 0 };
    let events = || calendar.children_named("VEVENT");
    if events().all(|event| event.line("RECURRENCE-ID").is_some()) { events().count() } else { 0 }
}

/// The item that an object is about which would be alone: its place in the list of what was served.
pub fn part_named(context: &Context, text: &[u8], served: &[Bytes]) -> Option<usize> {
    let calendar = Component::parse(text).ok()?;
    let mut events = calendar.children_named("VEVENT");
    let (only, None) = (events.next()?, events.next()) else { return None };
    let named = only.line("RECURRENCE-ID")?;
    let is_it = |text: &Bytes| {
        let served = Component::parse(text).ok()?;
        let line = served.children_named("VEVENT").next()?.line("RECURRENCE-ID")?;
        Some(is_same(context, (named, &calendar), (line, &served)))
    };
    served.iter().position(|text| is_it(text) == Some(true))
}

/// Whether two lines, each in its calendar, say the same time.
pub(super) fn is_same(context: &Context, one: (&Line, &Component), other: (&Line, &Component)) -> bool {
    let mailbox = Zone::iana(&context.zone).unwrap_or(Zone::Utc);
    let at = |(line, calendar): (&Line, &Component)| {
        let zones = Zones::new(calendar, &mailbox);
        zones.moment(line).map(|moment| (moment.is_day(), zones.instant(&moment)))
    };
    one.0 == other.0 || at(one).is_some_and(|one| at(other) == Some(one))
}

/// Divides a client's text among the items that were served.
///
/// Only the organiser invites: a series, and an occurrence that is none of the items, are refused, unless the client says of
/// it that it is over.
pub fn divide(context: &Context, text: &[u8], served: &[Bytes]) -> Result<Divided, Refusal> {
    let calendar = super::calendar(text, "VEVENT")?;
    let parsed: Vec<Component> = served
        .iter()
        .map(|text| Component::parse(text).unwrap_or_else(|_| Component::new("VCALENDAR")))
        .collect();
    let event_of = |calendar: &'_ Component| calendar.children_named("VEVENT").next().cloned();
    let mut divided = Divided::default();
    let mut seen = vec![false; parsed.len()];
    for event in calendar.children_named("VEVENT") {
        let Some(named) = event.line("RECURRENCE-ID") else {
            let text = "you are invited to single occurrences only: the series is the organiser's";
            return Err(Refusal::of_part(Reason::AttendeeChange, "RECURRENCE-ID", text));
        };
        let at = parsed.iter().position(|served| {
            let line = event_of(served).and_then(|event| event.line("RECURRENCE-ID").cloned());
            line.is_some_and(|line| is_same(context, (named, &calendar), (&line, served)))
        });
        let Some((at, seen)) = at.and_then(|at| Some((at, seen.get_mut(at)?))) else {
            if is_cancelled(event) || is_declined(context, event) {
                continue;
            }
            let part = format!("RECURRENCE-ID:{}", named.value);
            return Err(Refusal::of_part(
                Reason::AttendeeChange,
                part,
                "you are not invited to this occurrence",
            ));
        };
        if std::mem::replace(seen, true) {
            let text = "an occurrence is named twice";
            return Err(Refusal::of_part(Reason::InvalidObject, "RECURRENCE-ID", text));
        }
        if parsed.get(at).and_then(event_of).as_ref() == Some(event) {
            divided.has_seen = true;
        } else {
            divided.changed.push((at, alone(&calendar, event)));
        }
    }
    divided.left_out = seen.iter().enumerate().filter(|(_, seen)| !**seen).map(|(at, _)| at).collect();
    Ok(divided)
}

/// An event of a calendar as an object of its own.
fn alone(calendar: &Component, event: &Component) -> Bytes {
    let mut own = Component::new("VCALENDAR");
    own.lines.clone_from(&calendar.lines);
    let names = |line: &Line, id: &str| line.param("TZID") == Some(id);
    let is_used = |zone: &&Component| {
        let id = zone.line("TZID").map(Line::unescaped).unwrap_or_default();
        event.lines.iter().any(|line| names(line, &id))
    };
    own.children = calendar.children_named("VTIMEZONE").filter(is_used).cloned().collect();
    own.children.push(event.clone());
    own.write().into()
}

fn is_declined(context: &Context, event: &Component) -> bool {
    event.lines_named("ATTENDEE").any(|line| {
        line.param("PARTSTAT").is_some_and(|word| word.eq_ignore_ascii_case("DECLINED"))
            && address::of_line(line).is_some_and(|own| context.is_owner(&own))
    })
}
