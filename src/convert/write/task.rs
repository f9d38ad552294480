//! VTODO → tasks.

use super::super::task::{GROUPS, REGENERATION};
use super::super::{Context, alarm, companions, kept};
use super::attachments::{self, Attachments};
use super::fields;
use super::rule;
use super::{Current, NotifyStep, Plan};
use crate::model::field_group::FieldGroup;
use crate::model::item::{Change, Field, ItemClass, Pattern, RangeEnd, Recurrence, Value};
use crate::model::recurrence::Rule;
use crate::model::refusal::{Reason, Refusal};
use crate::model::zone::Zone;
use crate::text::moment::{Moment, Zones, length};
use crate::text::{Component, Line};
use bytes::Bytes;
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

pub fn plan(
    context: &Context,
    name: &str,
    octets: &Bytes,
    calendar: &Component,
    current: Option<Current>,
) -> Result<Plan, Refusal> {
    let mailbox = Zone::iana(&context.zone).unwrap_or(Zone::Utc);
    let served_calendar = current.and_then(|current| {
        let rendered = super::super::task::render(context, current.item).ok()?;
        Component::parse(&rendered.body).ok()
    });
    let mut settled = calendar.clone();
    companions::settle(&mut settled, served_calendar.as_ref(), &mailbox);
    let is_as_sent = settled == *calendar;
    let calendar = &settled;
    let task = calendar.children_named("VTODO").find(|task| task.line("RECURRENCE-ID").is_none());
    let task = task.ok_or_else(|| Refusal::new(Reason::InvalidObject, "there is no VTODO"))?;
    let served = served_calendar.as_ref().and_then(|calendar| calendar.children_named("VTODO").next());
    let served_zones = Zones::new(served_calendar.as_ref().unwrap_or(calendar), &mailbox);
    let zones = Zones::new(calendar, &mailbox);
    let uid = task.value("UID").unwrap_or_default().to_owned();

    let mut text = calendar.clone();
    let Attachments { attach, detach } = attachments::attachments(context, &mut text, current)?;
    let text = if is_as_sent && text == *calendar { octets.clone() } else { Bytes::from(text.write()) };
    if !kept::fits(&text) {
        return Err(Refusal::new(
            Reason::TooLarge,
            "the object is too long to be kept: shorten its properties",
        ));
    }

    let mut changes = vec![
        Change::optional(Field::ClientUid, Some(uid.clone())),
        Change::optional(Field::ClientName, Some(name.to_owned())),
    ];
    if let Some(current) = current {
        changes.retain(|change| current.item.value(change.field) != change.value.as_ref());
    }
    let days = Days::of(task, &zones);
    for (which, properties) in GROUPS {
        let is_changed = served.is_none_or(|served| {
            let own = |name: &str| {
                // A turn that is excluded moves the task on to the next one.
                properties.contains(&name) || *which == FieldGroup::Times && name == "EXDATE"
            };
            let lines = |task: &Component| -> Vec<Line> {
                task.lines.iter().filter(|line| own(&line.name)).cloned().collect()
            };
            match which {
                FieldGroup::Alarms => alarm::is_changed((task, &zones), (served, &served_zones)),
                FieldGroup::Rule => lines(served) != lines(task) && !is_same_rule(served, task),
                _ => companions::is_changed(*which, task, served)
                    .unwrap_or_else(|| lines(served) != lines(task)),
            }
        });
        if is_changed {
            changes.extend(group(*which, task, &zones, &days, context)?);
        }
    }
    if current.is_none() {
        changes.retain(|change| change.value.is_some());
    }
    let is_html = changes.iter().filter_map(|change| change.value.as_ref()).any(Value::is_html);
    // Exchange derives each of these from the others.
    let state = |change: &Change| {
        let is_new = Change::text(Field::Status, "NotStarted") == *change;
        matches!(change.field, Field::CompletedDay | Field::Percent | Field::Status)
            && !(is_new && current.is_none())
    };
    let has_state = changes.iter().any(state);
    Ok(Plan {
        class: ItemClass::Task,
        uid,
        calls_off: false,
        reply: None,
        outcome: changes.clone(),
        changes,
        telling: NotifyStep::Never,
        replies: Vec::new(),
        detach,
        attach,
        delete: Vec::new(),
        moves: Vec::new(),
        edits: Vec::new(),
        guests: Vec::new(),
        places: BTreeMap::new(),
        gone: BTreeSet::new(),
        is_certain: !is_html && !has_state,
        is_one_call: false,
        text: Some(text),
    })
}

/// Days of a task, as written: Exchange's tasks have no times.
struct Days {
    /// The first turn of all.
    first: Option<Date>,
    start: Option<Date>,
    due: Option<Date>,
}

impl Days {
    fn of(task: &Component, zones: &Zones) -> Self {
        let moment = |name: &str| task.line(name).and_then(|line| zones.moment(line));
        let start = moment("DTSTART");
        let due = moment("DUE").or_else(|| start.as_ref()?.after(task.value("DURATION").and_then(length)?));
        let day = |moment: crate::text::moment::Moment| moment.local().date();
        let (mut start, mut due) = (start.map(day), due.map(day));
        if task.line("RRULE").is_some() {
            // What repeats has a start and is due.
            (start, due) = (start.or(due), due.or(start));
        }
        let first = start.or(due);
        if let Some(shift) = first.and_then(|first| skipped(task, zones, first)) {
            let later = |day: Date| day.checked_add(shift).ok();
            (start, due) = (start.and_then(later), due.and_then(later));
        }
        // Exchange refuses what is due before it starts; the client's start stays in its text.
        if due.is_some_and(|due| start.is_some_and(|start| start > due)) {
            start = None;
        }
        Self { first, start, due }
    }
}

/// How far the open turn is behind the first one, because that and perhaps others are excluded.
fn skipped(task: &Component, zones: &Zones, first: Date) -> Option<jiff::Span> {
    let rule: Rule = task.value("RRULE")?.parse().ok()?;
    let dates = task.lines_named("EXDATE").flat_map(|line| zones.moments(line));
    let gone: BTreeSet<Date> = dates.map(|moment| moment.day(zones.floating())).collect();
    if !gone.contains(&first) {
        return None;
    }
    let rule = rule.of_days(zones.floating());
    let mut turns =
        rule.occurrences(first.into(), &Zone::Utc).take(gone.len() + 1).map(jiff::civil::DateTime::date);
    turns.find(|turn| !gone.contains(turn)).map(|turn| turn - first)
}

fn day_change(field: Field, day: Option<Date>) -> Change {
    Change { field, value: day.map(Value::Day) }
}

fn group(
    which: FieldGroup,
    task: &Component,
    zones: &Zones,
    days: &Days,
    context: &Context,
) -> Result<Vec<Change>, Refusal> {
    Ok(match which {
        FieldGroup::Subject => vec![fields::subject(task)],
        FieldGroup::Body => vec![fields::body(task)],
        FieldGroup::Times => {
            vec![day_change(Field::StartDay, days.start), day_change(Field::DueDay, days.due)]
        }
        FieldGroup::Rule => vec![rule_change(task, days, context)?],
        STATE => vec![state(task, zones)],
        FieldGroup::Importance => vec![fields::importance_change(task)],
        FieldGroup::Class => vec![fields::sensitivity_change(task)],
        FieldGroup::Categories => vec![fields::categories(task)],
        FieldGroup::Alarms => {
            alarm::Reminder::changes(alarm::held(task, zones).first().map(|(_, reminder)| *reminder))
        }
        _ => Vec::new(),
    })
}

/// Whether Exchange's rule can stay. A client that moves a task on to its next turn counts its turns down; one that does
/// not know our property of regeneration leaves it away.
fn is_same_rule(served: &Component, task: &Component) -> bool {
    match (served.value("RRULE"), task.value("RRULE")) {
        (None, None) => task.line(REGENERATION).is_none(),
        (Some(old), Some(new)) => {
            let uncounted = |rule: &str| -> BTreeSet<String> {
                let parts = rule.split(';').map(|part| part.trim().to_ascii_uppercase());
                parts.filter(|part| !part.starts_with("COUNT=")).collect()
            };
            let moved =
                served.value("DTSTART") != task.value("DTSTART") || served.value("DUE") != task.value("DUE");
            let counted =
                old.to_ascii_uppercase().contains("COUNT=") && new.to_ascii_uppercase().contains("COUNT=");
            old == new || moved && counted && uncounted(old) == uncounted(new)
        }
        _ => false,
    }
}

/// `WEEKLY;INTERVAL=2`: so long after it was completed the task comes anew.
fn regeneration(text: &str) -> Option<Pattern> {
    let mut parts = text.split(';').map(str::trim);
    let unit = parts.next()?.to_ascii_uppercase();
    let unit =
        ["Daily", "Weekly", "Monthly", "Yearly"].into_iter().find(|known| unit == known.to_uppercase())?;
    let interval = parts.find_map(|part| part.to_ascii_uppercase().strip_prefix("INTERVAL=")?.parse().ok());
    let interval = interval.unwrap_or(1).clamp(1, 999);
    Some(Pattern::Regeneration { interval, unit: unit.to_owned() })
}

fn rule_change(task: &Component, days: &Days, context: &Context) -> Result<Change, Refusal> {
    let pattern = task.value(REGENERATION).and_then(regeneration);
    if task.line("RRULE").is_none() && pattern.is_none() {
        return Ok(Change::remove(Field::Recurrence));
    }
    if !context.capabilities.takes_recurring_tasks {
        let text = "this server does not store tasks that repeat: make a task for each turn";
        return Err(Refusal::of_part(Reason::UnsupportedRecurrence, "RRULE", text));
    }
    let start = days
        .first
        .ok_or_else(|| Refusal::new(Reason::InvalidData, "a task that repeats has a start or is due"))?;
    let Some(rule) = task.value("RRULE") else {
        let pattern = pattern.unwrap_or(Pattern::Daily { interval: 1 });
        let recurrence = Recurrence { pattern, start, end: RangeEnd::Never };
        return Ok(Change::set(Field::Recurrence, Value::Recurrence(recurrence)));
    };
    let translated = rule::translate(rule, &Moment::Day(start), &Zone::Utc)?;
    rule::check_interval(&translated.recurrence, context.capabilities.longest_months)?;
    if !translated.superfluous.is_empty() {
        return Err(Refusal::of_part(
            Reason::UnsupportedRecurrence,
            "BYMONTHDAY",
            "tasks cannot leave out short months: use the last day of the month",
        ));
    }
    Ok(Change::set(Field::Recurrence, Value::Recurrence(translated.recurrence)))
}

/// The group of Status, PercentComplete and CompleteDate.
pub(super) const STATE: FieldGroup = FieldGroup::State;

/// One of Status, PercentComplete and CompleteDate, since each sets the others:
fn state(task: &Component, zones: &Zones) -> Change {
    let status = task.value("STATUS").map(|word| word.trim().to_ascii_uppercase());
    let percent = task.value("PERCENT-COMPLETE").and_then(|text| text.trim().parse::<u8>().ok()).unwrap_or(0);
    let completed =
        task.line("COMPLETED").and_then(|line| zones.moment(line)).map(|moment| moment.local().date());
    match status.as_deref() {
        Some("COMPLETED") => match completed {
            Some(day) => Change::set(Field::CompletedDay, Value::Day(day)),
            None => Change::text(Field::Status, "Completed"),
        },
        None if completed.is_some() || percent >= 100 => match completed {
            Some(day) => Change::set(Field::CompletedDay, Value::Day(day)),
            None => Change::text(Field::Status, "Completed"),
        },
        Some("CANCELLED") => Change::text(Field::Status, "Deferred"),
        _ if (1..=99).contains(&percent) => Change::text(Field::Percent, percent.to_string()),
        Some("IN-PROCESS") => Change::text(Field::Status, "InProgress"),
        _ => Change::text(Field::Status, "NotStarted"),
    }
}
