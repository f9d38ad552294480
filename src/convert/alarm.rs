//! Which of a component's alarms is the one that Exchange holds: an item has one reminder, at or before its start.

use super::kept;
use crate::model::item::{Change, Field, Value};
use crate::model::zone::Zone;
use crate::text::moment::{Length, Moment, Zones, length};
use crate::text::{Component, Line};
use jiff::Timestamp;

/// The longest time before the start. MS-OXWSCORE 2.2.4.24
const MAX_MINUTES: i64 = 2_629_800;
/// Separates the parts of a fingerprint's text.
const UNIT: &str = "\u{1f}";

/// A reminder as Exchange has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reminder {
    /// Of an event: minutes before its start. `item:ReminderMinutesBeforeStart`
    Minutes(i64),
    /// Of a task: a moment. `item:ReminderDueBy`
    At(Timestamp),
}

impl Reminder {
    /// The fields that set it; without one the missing alarm is sent, too: Exchange gives new items one of its own.
    pub fn changes(wanted: Option<Self>) -> Vec<Change> {
        match wanted {
            Some(Self::Minutes(minutes)) => vec![
                Change::set(Field::ReminderSet, Value::Flag(true)),
                Change::set(Field::ReminderMinutes, Value::Number(minutes)),
            ],
            Some(Self::At(at)) => vec![
                Change::set(Field::ReminderTime, Value::Time(at)),
                Change::set(Field::ReminderSet, Value::Flag(true)),
            ],
            None => vec![Change::set(Field::ReminderSet, Value::Flag(false))],
        }
    }

    /// The text of group A in fingerprints while Exchange has this reminder.
    fn text(self) -> String {
        match self {
            Self::Minutes(minutes) => format!("true{UNIT}{minutes}"),
            Self::At(at) => format!("true{UNIT}{}", kept::utc(at)),
        }
    }
}

/// The alarms that Exchange could hold, in the order of the text: the place of each among the children, and what it
/// would be. The first one is what Exchange is given.
pub(super) fn held(component: &Component, zones: &Zones) -> Vec<(usize, Reminder)> {
    let alarms = component.children.iter().enumerate().filter(|(_, child)| child.name == "VALARM");
    let is_task = component.name == "VTODO";
    let extent = Extent::of(component, zones);
    alarms
        .filter_map(|(at, alarm)| {
            let trigger = trigger(alarm)?;
            let reminder = if is_task {
                Reminder::At(moment(component, trigger, zones)?)
            } else {
                Reminder::Minutes(minutes_before(trigger, extent.as_ref()?, zones)?)
            };
            Some((at, reminder))
        })
        .collect()
}

/// Whether a client changed the alarms that Exchange could hold.
pub(super) fn is_changed(client: (&Component, &Zones), served: (&Component, &Zones)) -> bool {
    let all = |(component, zones): (&Component, &Zones)| -> Vec<Reminder> {
        held(component, zones).into_iter().map(|(_, reminder)| reminder).collect()
    };
    all(client) != all(served)
}

/// Takes over Exchange's reminder, which `fresh` has as its only alarm, into a kept text: the alarm that Exchange held
/// gives way to it, all others stay. `was` is the fingerprint of the reminder that Exchange had when the text was
/// kept; where that is not known, Exchange had the first one that it could hold.
pub(super) fn replace(kept: &mut Component, fresh: &Component, zones: &Zones, was: Option<&str>) {
    let known = held(kept, zones);
    let now = held(fresh, zones).into_iter().next();
    let gone =
        known.iter().find(|(_, reminder)| was.is_none_or(|was| kept::fingerprint(&reminder.text()) == was));
    let is_there = |skipped: Option<usize>| {
        let others = known.iter().filter(|(at, _)| Some(*at) != skipped);
        now.is_some() && others.map(|(_, reminder)| Some(*reminder)).any(|r| r == now.map(|(_, now)| now))
    };
    let mut at = kept.children.len();
    if let Some((place, reminder)) = gone {
        if Some(*reminder) == now.map(|(_, now)| now) {
            return;
        }
        kept.children.remove(*place);
        at = *place;
    }
    if !is_there(gone.map(|(place, _)| *place)) {
        let new: Vec<Component> = fresh.children_named("VALARM").cloned().collect();
        kept.children.splice(at..at, new);
    }
}

/// The trigger of an alarm that is shown; of others Exchange knows nothing.
fn trigger(alarm: &Component) -> Option<&Line> {
    let action = alarm.value("ACTION").map(|word| word.trim().to_ascii_uppercase());
    let is_shown = matches!(action.as_deref(), None | Some("DISPLAY" | "AUDIO"));
    let is_default = alarm.line("X-APPLE-DEFAULT-ALARM").is_some();
    alarm.line("TRIGGER").filter(|_| is_shown && !is_default)
}

fn is_of_end(trigger: &Line) -> bool {
    trigger.param("RELATED").is_some_and(|word| word.eq_ignore_ascii_case("END"))
}

/// When an event takes place.
struct Extent {
    start: Timestamp,
    /// Its length in seconds.
    span: i64,
    is_single: bool,
}

impl Extent {
    fn of(event: &Component, zones: &Zones) -> Option<Self> {
        let start = zones.moment(event.line("DTSTART")?)?;
        let end = match (event.line("DTEND"), event.value("DURATION").and_then(length)) {
            (Some(line), _) => zones.moment(line),
            (None, Some(length)) => in_zone(&start, zones.floating()).after(length),
            (None, None) => None,
        };
        let end = end.unwrap_or_else(|| start.clone());
        let end = match (&start, &end) {
            // A day always has a next one.
            (Moment::Day(first), Moment::Day(last)) => Moment::Day((*last).max(first.tomorrow().ok()?)),
            _ => end,
        };
        let (start, end) = (zones.instant(&start), zones.instant(&end));
        let span = end.as_second() - start.as_second();
        Some(Self { start, span, is_single: event.line("RRULE").is_none() })
    }
}

fn in_zone(moment: &Moment, floating: &Zone) -> Moment {
    match moment {
        Moment::Floating(local) => Moment::Zoned(*local, floating.clone()),
        other => other.clone(),
    }
}

/// Minutes before the start, as far as Exchange can hold them.
fn minutes_before(trigger: &Line, event: &Extent, zones: &Zones) -> Option<i64> {
    let seconds = match length(&trigger.value) {
        Some(length) => {
            let before = -seconds(length)?;
            if is_of_end(trigger) { before - event.span } else { before }
        }
        None => {
            let at = zones.instant(&zones.moment(trigger).filter(|_| event.is_single)?);
            event.start.as_second() - at.as_second()
        }
    };
    // Rounded to the earlier minute; what rings after the start has no place.
    let minutes = seconds.checked_add(59)?.div_euclid(60);
    (seconds >= 0 && minutes <= MAX_MINUTES).then_some(minutes)
}

fn seconds(length: Length) -> Option<i64> {
    match length {
        Length::Exact(length) => Some(length.as_secs()),
        Length::Nominal(span) => {
            let relative = jiff::SpanRelativeTo::days_are_24_hours();
            let total = span.total((jiff::Unit::Second, relative)).ok()?;
            #[allow(clippy::cast_possible_truncation, reason = "checked against the range of years")]
            (total.abs() < 1.0e12).then(|| total.round() as i64)
        }
    }
}

/// The moment of a task's alarm. Days begin at midnight in the owner's zone.
fn moment(task: &Component, trigger: &Line, zones: &Zones) -> Option<Timestamp> {
    let of = |name: &str| task.line(name).and_then(|line| zones.moment(line));
    let Some(offset) = length(&trigger.value) else {
        return zones.moment(trigger).map(|at| zones.instant(&at));
    };
    let base = if is_of_end(trigger) { of("DUE") } else { of("DTSTART").or_else(|| of("DUE")) }?;
    let at = zones.instant(&base);
    let local = Moment::Zoned(zones.floating().to_local(at), zones.floating().clone());
    Some(zones.instant(&local.after(offset)?))
}
