//! Tasks → VTODO. Exchange's tasks have days, not times, and one open turn, not occurrences.

use super::event::group::{self, categories_text, class_text, sensitivity};
use super::event::stamp;
use super::event::time::Moment;
use super::kept::{self, Kept};
use super::recurrence::{self, Bound};
use super::{Context, Error, PRODID, Rendered, alarm, attachment, body, identity};
use crate::model::field_group::FieldGroup;
use crate::model::item::{Field, Item, Pattern};
use crate::model::object::Span;
use crate::model::zone::Zone;
use crate::text::moment::Zones;
use crate::text::{Component, Line, address};
use bytes::Bytes;
use jiff::Timestamp;
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

/// Tells the rule of a task that comes anew after it was completed: no RRULE says that.
pub(super) const REGENERATION: &str = "X-EWS-TASK-REGENERATION";
const UNIT: &str = "\u{1f}";

pub(super) fn render(context: &Context, item: &Item) -> Result<Rendered, Error> {
    let kept = Kept::of(item, "ics").filter(|kept| kept.is_of(""));
    // Exchange copies what is kept on a task that recurs to the finished copy of each turn: the copy is another object.
    let is_copy = kept.as_ref().is_some_and(|kept| is_finished_turn(item, kept));
    let kept = kept.filter(|_| !is_copy);
    let own = |text: Option<String>| text.filter(|_| !is_copy);
    let uid = own(item.text(Field::ClientUid).or_else(|| item.text(Field::DavmailUid)));
    let uid = uid.unwrap_or_else(|| identity::derived_uid(item));
    let kept_name = own(item.text(Field::ClientName).or_else(|| identity::davmail_name(item)));
    let name = identity::resource_name(kept_name.as_deref(), &uid, ".ics", item);
    let (links, attachments) = attachment::lines(context, item, &name);
    let projected = projection(context, item, &uid, &links);
    let is_late = start(item).zip(due(item)).is_some_and(|(start, due)| start > due);
    let is_revised = is_late
        || body::is_of_html(item)
        || kept.as_ref().is_some_and(|k| !k.changed(&sums(item)).is_empty());
    let body = kept.and_then(|kept| kept_body(context, &kept, item, &projected, &links));
    let (body, is_mended) = body.unzip();
    // Revision 1 served what a client wrote to be due before its start.
    let revision = if is_mended == Some(true) { 2 } else { u32::from(is_revised) };
    Ok(Rendered {
        occurrence: None,
        body: body.unwrap_or_else(|| Bytes::from(projected.write())),
        vcard4: None,
        fallback_name: identity::fallback_name(item, ".ics"),
        uid,
        name,
        etag: identity::etag(context, item, &[], revision),
        schedule_tag: None,
        // What makes a task match a time range is more than its days. RFC 4791 9.9
        span: Span::default(),
        last_modified: item.time(Field::Modified).unwrap_or(Timestamp::UNIX_EPOCH),
        attachments,
    })
}

/// Whether this is what Exchange made of a turn that was completed: what is kept on it speaks of a task that recurs.
fn is_finished_turn(item: &Item, kept: &Kept) -> bool {
    let is_done = item.filled(Field::Status).as_deref() == Some("Completed");
    is_done
        && item.recurrence().is_none()
        && kept.sum(FieldGroup::Rule).is_some_and(|sum| sum != kept::fingerprint(""))
}

fn projection(context: &Context, item: &Item, uid: &str, links: &[Option<Line>]) -> Component {
    let mut task = Component::new("VTODO");
    task.push(Line::text("UID", uid));
    task.push(stamp("DTSTAMP", item.time(Field::Modified).unwrap_or(Timestamp::UNIX_EPOCH)));
    task.lines.extend(item.time(Field::Modified).map(|at| stamp("LAST-MODIFIED", at)));
    task.lines.extend(item.time(Field::Created).map(|at| stamp("CREATED", at)));
    task.push(Line::text("SUMMARY", item.text(Field::Subject).unwrap_or_default().trim_end()));
    task.lines.extend(body::lines(item, context.settings.html));
    task.lines.extend(start(item).map(|day| Moment::Date(day).line("DTSTART")));
    task.lines.extend(due(item).map(|day| Moment::Date(day).line("DUE")));
    task.lines.extend(rule(item));
    task.lines.extend(state(item));
    task.lines.extend(group::priority(item));
    task.lines.extend(
        item.filled(Field::Sensitivity).and_then(|word| sensitivity(&word)).map(|c| Line::raw("CLASS", c)),
    );
    task.lines.extend(group::categories(item));
    task.lines.extend(delegation(context, item));
    task.lines.extend(links.iter().flatten().cloned());
    if let Some(at) = item.time(Field::ReminderTime).filter(|_| item.flag(Field::ReminderSet)) {
        task.children.push(group::display_alarm(item, stamp("TRIGGER", at).with("VALUE", "DATE-TIME")));
    }
    let mut calendar = Component::new("VCALENDAR");
    calendar.push(Line::raw("VERSION", "2.0"));
    calendar.push(Line::raw("PRODID", PRODID));
    ends_after_start(&mut task, &Zones::new(&calendar, &Zone::Utc));
    calendar.children.push(task);
    calendar
}

fn start(item: &Item) -> Option<Date> {
    item.day(Field::StartDay)
}

fn due(item: &Item) -> Option<Date> {
    item.day(Field::DueDay)
}

fn rule(item: &Item) -> Option<Line> {
    let recurrence = item.recurrence()?;
    if let Pattern::Regeneration { interval, unit } = &recurrence.pattern {
        return Some(Line::raw(REGENERATION, format!("{};INTERVAL={interval}", unit.to_ascii_uppercase())));
    }
    // A rule needs a start to count from.
    start(item).or_else(|| due(item))?;
    recurrence::rrule(&recurrence, Bound::Date).map(|rule| Line::raw("RRULE", rule))
}

/// STATUS, PERCENT-COMPLETE and COMPLETED of each state. Put off is not cancelled.
fn state(item: &Item) -> Vec<Line> {
    let status = match item.filled(Field::Status).as_deref() {
        Some("Completed") => "COMPLETED",
        Some("InProgress" | "WaitingOnOthers") => "IN-PROCESS",
        Some(_) => "NEEDS-ACTION",
        None if item.flag(Field::Complete) => "COMPLETED",
        None => return Vec::new(),
    };
    let mut lines = vec![Line::raw("STATUS", status)];
    if status == "COMPLETED" {
        lines.extend(
            completed(item).map(|day| Line::raw("COMPLETED", format!("{}T000000Z", day.strftime("%Y%m%d")))),
        );
        lines.push(Line::raw("PERCENT-COMPLETE", "100"));
    } else {
        let percent = item.filled(Field::Percent).and_then(|text| text.parse::<f64>().ok());
        let percent = percent.filter(|percent| *percent > 0.0 && *percent <= 100.0);
        lines.extend(percent.map(|percent| Line::raw("PERCENT-COMPLETE", format!("{percent:.0}"))));
    }
    lines
}

fn completed(item: &Item) -> Option<Date> {
    item.day(Field::CompletedDay)
}

/// Who gave the task to whom, where the directory knows both.
fn delegation(context: &Context, item: &Item) -> Vec<Line> {
    if !matches!(item.filled(Field::DelegationState).as_deref(), Some("Owned" | "Accepted")) {
        return Vec::new();
    }
    let (Some(by), Some(owner)) = (item.filled(Field::Delegator), item.filled(Field::Owner)) else {
        return Vec::new();
    };
    let Some(from) = context.directory.get(&by) else { return Vec::new() };
    let Some(to) = context.directory.get(&owner).or_else(|| context.addresses.first()) else {
        return Vec::new();
    };
    vec![
        Line::raw("ORGANIZER", address::uri(from)).with("CN", &by),
        Line::raw("ATTENDEE", address::uri(to)).with("CN", &owner).with("PARTSTAT", "ACCEPTED"),
    ]
}

/// Groups of lines that Exchange changes together, and that are written together:
pub(super) const GROUPS: &[(FieldGroup, &[&str])] = &[
    (FieldGroup::Subject, &["SUMMARY"]),
    (FieldGroup::Body, &["DESCRIPTION", "X-ALT-DESC", "STYLED-DESCRIPTION"]),
    (FieldGroup::Times, &["DTSTART", "DUE", "DURATION"]),
    (FieldGroup::Rule, &["RRULE", REGENERATION, "RDATE", "EXDATE", "EXRULE"]),
    (FieldGroup::State, &["STATUS", "PERCENT-COMPLETE", "COMPLETED"]),
    (FieldGroup::Importance, &["PRIORITY", "X-MICROSOFT-CDO-IMPORTANCE"]),
    (FieldGroup::Class, &["CLASS", "X-CALENDARSERVER-ACCESS"]),
    (FieldGroup::Categories, &["CATEGORIES"]),
    (FieldGroup::Files, &["ATTACH"]),
    (FieldGroup::Alarms, &[]),
];

pub(super) fn sums(item: &Item) -> BTreeMap<FieldGroup, String> {
    let date = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
    let reminder = item.flag(Field::ReminderSet);
    let moment = item.time(Field::ReminderTime).filter(|_| reminder).map(kept::utc).unwrap_or_default();
    let texts = [
        (FieldGroup::Subject, item.text(Field::Subject).unwrap_or_default()),
        (FieldGroup::Body, body::told_text(item).unwrap_or_default()),
        (FieldGroup::MarkUp, body::mark_up(item)),
        (FieldGroup::Times, [date(start(item)), date(due(item))].join(UNIT)),
        (FieldGroup::Rule, item.recurrence().map(|r| recurrence::text(&r)).unwrap_or_default()),
        (
            FieldGroup::State,
            [
                // What Exchange says of a task of which nothing was said.
                item.filled(Field::Status).unwrap_or_else(|| "NotStarted".to_owned()),
                item.filled(Field::Percent).unwrap_or_else(|| "0".to_owned()),
                date(completed(item)),
            ]
            .join(UNIT),
        ),
        (FieldGroup::Importance, item.filled(Field::Importance).unwrap_or_else(|| "Normal".to_owned())),
        (FieldGroup::Class, class_text(item)),
        (FieldGroup::Categories, categories_text(item)),
        (FieldGroup::Files, attachment::text(item)),
        (FieldGroup::Alarms, format!("{reminder}{UNIT}{moment}")),
    ];
    texts.into_iter().map(|(which, text)| (which, kept::fingerprint(&text))).collect()
}

/// Takes over the days of start and due and leaves the client's times of day; whether that can be done.
fn move_days(old: &mut Component, fresh: &Component) -> bool {
    const DAYS: [&str; 2] = ["DTSTART", "DUE"];
    let has_times = DAYS.iter().any(|name| old.value(name).is_some_and(|value| value.contains('T')));
    let same_lines = DAYS.iter().all(|name| old.line(name).is_some() == fresh.line(name).is_some());
    if !has_times || !same_lines || old.line("DURATION").is_some() {
        return false;
    }
    for line in old.lines.iter_mut().filter(|line| DAYS.contains(&line.name.as_str())) {
        let Some(day) = fresh.value(&line.name).and_then(|value| value.get(..8)) else { continue };
        let time = line.value.split_once('T').map(|(_, time)| format!("T{time}"));
        line.value = format!("{day}{}", time.unwrap_or_default());
    }
    true
}

/// A task is due at its start or later: what Exchange has moved before a start that stayed takes that start with it.
/// RFC 5545 3.8.2.3
///
/// Whether that was so.
fn ends_after_start(task: &mut Component, zones: &Zones) -> bool {
    let moment = |name: &str| task.line(name).and_then(|line| zones.moment(line));
    let (Some(start), Some(due)) = (moment("DTSTART"), moment("DUE")) else { return false };
    if zones.instant(&due) >= zones.instant(&start) {
        return false;
    }
    let (start, due) = (start.local().date(), due.local().date());
    let (source, target) = if start == due { ("DTSTART", "DUE") } else { ("DUE", "DTSTART") };
    let other = task.line(source).cloned();
    if target == "DTSTART" && task.line("RRULE").is_none() && task.children.is_empty() {
        task.lines.retain(|line| line.name != "DTSTART");
        return true;
    }
    // A rule and alarms count from a start.
    if let (Some(other), Some(line)) = (other, task.lines.iter_mut().find(|line| line.name == target)) {
        *line = Line { name: target.to_owned(), ..other };
    }
    true
}

/// The client's own text with what Exchange has changed since.
fn kept_body(
    context: &Context,
    kept: &Kept,
    item: &Item,
    projected: &Component,
    links: &[Option<Line>],
) -> Option<(Bytes, bool)> {
    let octets = kept.octets.as_ref()?;
    let mut calendar = Component::parse(octets).ok()?;
    let attached = attachment::put_back(&mut calendar, links);
    let (text, floating) = (calendar.clone(), Zone::iana(&context.zone).unwrap_or(Zone::Utc));
    let zones = Zones::new(&text, &floating);
    let changed: BTreeSet<FieldGroup> = kept.changed(&sums(item));
    let Some(old) = calendar.children.iter_mut().find(|child| child.name == "VTODO") else {
        return changed.is_empty().then(|| (octets.clone(), false));
    };
    if changed.is_empty() {
        let is_mended = ends_after_start(old, &zones);
        let is_same = !attached && !is_mended;
        return Some((if is_same { octets.clone() } else { Bytes::from(calendar.write()) }, is_mended));
    }
    let fresh = projected.children_named("VTODO").next()?;
    // Alarms first: the kept times say which of them Exchange held.
    for (which, properties) in GROUPS.iter().rev().filter(|(which, _)| changed.contains(which)) {
        if *which == FieldGroup::Alarms {
            alarm::replace(old, fresh, &zones, kept.sum(FieldGroup::Alarms));
            continue;
        }
        if *which == FieldGroup::Times && move_days(old, fresh) {
            continue;
        }
        if *which == FieldGroup::Files {
            attachment::replace(old, fresh);
            continue;
        }
        kept::replace_lines(old, fresh, |line| properties.contains(&line.name.as_str()));
    }
    ends_after_start(old, &zones);
    kept::restamp(old, fresh);
    Some((Bytes::from(calendar.write()), false))
}
