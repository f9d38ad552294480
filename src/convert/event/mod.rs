//! Calendar items → VEVENT: a single event, or a series with all its exceptions in one object.

pub(super) mod group;
mod people;

pub(super) mod time;

pub(super) use people::{is_invitation, is_meeting};

use super::kept::{self, Kept};
use super::{Context, Error, Rendered, attachment, body, identity, vtimezone};
use crate::model::field_group::FieldGroup;
use crate::model::item::{Field, Item, ItemRef};
use crate::model::object::Span;
use crate::model::recurrence::Rule;
use crate::model::zone::Zone;
use crate::text::moment::Zones;
use crate::text::{Component, Line};
use bytes::Bytes;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use time::{EventTimes, Moment};

use group::sums;

/// How far a floating time may be from the instant that it stands for somewhere on earth.
const FLOATING: SignedDuration = SignedDuration::from_hours(15);

/// Everything that the lines of one VEVENT are made of.
pub(super) struct RenderContext<'a> {
    context: &'a Context,
    item: &'a Item,
    /// The series that this is an exception of.
    master: Option<&'a Item>,
    /// Times of this very event.
    frame: EventTimes,
    /// Times of the series, to name an occurrence; the same as `frame` in the master.
    series: &'a EventTimes,
    attachments: &'a [Option<Line>],
    /// Original starts of the deleted occurrences.
    deleted: &'a [Timestamp],
}

pub(super) fn render(context: &Context, item: &Item, exceptions: &[Item]) -> Result<Rendered, Error> {
    let frame = EventTimes::of(context, item, None)?;
    let exchange_uid = item.filled(Field::Uid);
    let kept = Kept::of(item, "ics");
    // Where the upstream makes its own UIDs, an item that was created and has no text yet cannot be distinguished from a copy by its UID.
    let is_begun = !context.capabilities.keeps_uids && kept.is_none();
    let kept = kept.filter(|kept| kept.is_of(exchange_uid.as_deref().unwrap_or_default()));
    let own_uid = item.text(Field::ClientUid).filter(|uid| {
        kept.is_some() || is_begun || exchange_uid.as_deref() == Some(&identity::exchange_uid(uid))
    });
    let is_ours = own_uid.is_some();
    let uid = own_uid.or(exchange_uid).unwrap_or_else(|| identity::derived_uid(item));
    let kept_name = item.text(Field::ClientName).filter(|_| is_ours).or_else(|| identity::davmail_name(item));
    let name = identity::resource_name(kept_name.as_deref(), &uid, ".ics", item);

    let (links, mut attachments) = attachment::lines(context, item, &name);
    let deleted = deleted_starts(context, item, &frame);
    let scene = RenderContext {
        context,
        item,
        master: None,
        frame: frame.clone(),
        series: &frame,
        attachments: &links,
        deleted: &deleted,
    };
    let mut overrides: Vec<Override> = Vec::new();
    for exception in exceptions {
        let Some(original) = original_start(item, exception) else { continue };
        let original = frame.occurrence(original, context.capabilities.stores_what_it_takes);
        let (links, served) = attachment::lines(context, exception, &name);
        attachments.extend(served);
        overrides.push(Override {
            item: exception,
            original,
            frame: EventTimes::of(context, exception, Some(&frame))?,
            links,
        });
    }
    overrides.sort_by_key(|exception| exception.original);

    let projected = projection(&uid, &scene, &overrides);
    let body = match &kept {
        Some(kept) => kept_body(kept, &scene, &overrides, &projected),
        None => None,
    };
    let (body, is_mended) = body.unzip();
    let items: Vec<&Item> = overrides.iter().map(|exception| exception.item).collect();
    let is_revised = people::has_added(context, item)
        || kept.as_ref().is_some_and(|kept| !kept.changed(&sums(item, &items)).is_empty())
        || std::iter::once(&frame).chain(overrides.iter().map(|o| &o.frame)).any(|frame| !frame.has_length())
        || std::iter::once(item).chain(items).any(|item| body::is_of_html(item) || group::is_revised(item));
    // Revision 1 served an end that is the start.
    let revision = if is_mended == Some(true) { 2 } else { u32::from(is_revised) };
    let span = match &body {
        Some(text) => kept_span(text, span(item, &frame, &overrides)),
        None => span(item, &frame, &overrides),
    };
    let body = body.unwrap_or_else(|| Bytes::from(projected.write()));
    Ok(Rendered {
        body,
        vcard4: None,
        schedule_tag: people::is_meeting(context, item).then(|| group::schedule_tag(item, exceptions)),
        uid,
        fallback_name: identity::fallback_name(item, ".ics"),
        name,
        etag: identity::etag(context, item, exceptions, revision),
        span,
        last_modified: item.time(Field::Modified).unwrap_or(Timestamp::UNIX_EPOCH),
        attachments,
        occurrence: single_occurrence(context, item),
    })
}

/// When its series would have an occurrence to which the owner is invited without the series.
pub fn single_occurrence(context: &Context, item: &Item) -> Option<Timestamp> {
    let is_single = item.recurrence().is_none() && people::is_invitation(context, item);
    item.time(Field::RecurrenceId).filter(|_| is_single)
}

/// A modified occurrence.
struct Override<'a> {
    item: &'a Item,
    original: Timestamp,
    frame: EventTimes,
    links: Vec<Option<Line>>,
}

/// Where the rule had put an exception.
fn original_start(master: &Item, exception: &Item) -> Option<Timestamp> {
    exception.time(Field::OriginalStart).or_else(|| exception.time(Field::RecurrenceId)).or_else(|| {
        let listed = master.modified_occurrences();
        listed.into_iter().find(|o| o.id.id == exception.id.id).map(|o| o.original_start)
    })
}

/// Where the rule had put the occurrences of a series that were deleted.
fn deleted_starts(context: &Context, item: &Item, frame: &EventTimes) -> Vec<Timestamp> {
    let is_exact = context.capabilities.stores_what_it_takes;
    item.deleted_occurrences().into_iter().map(|at| frame.occurrence(at, is_exact)).collect()
}

/// The occurrences of a series that the server holds as deleted, and those that it holds as modified with their ids, by
/// where the rule had put them.
pub fn differing(context: &Context, item: &Item) -> (BTreeSet<Timestamp>, BTreeMap<Timestamp, ItemRef>) {
    let Ok(frame) = EventTimes::of(context, item, None) else { return Default::default() };
    let is_exact = context.capabilities.stores_what_it_takes;
    let modified = item.modified_occurrences().into_iter();
    let modified = modified.map(|found| (frame.occurrence(found.original_start, is_exact), found.id));
    (deleted_starts(context, item, &frame).into_iter().collect(), modified.collect())
}

/// The exception that an override of a text is about; `rid` is the value of its RECURRENCE-ID.
pub fn exception_named<'a>(
    context: &Context,
    item: &'a Item,
    exceptions: &'a [Item],
    text: &[u8],
    rid: &str,
) -> Option<&'a Item> {
    let frame = EventTimes::of(context, item, None).ok()?;
    let calendar = Component::parse(text).ok()?;
    let named = calendar.children_named("VEVENT").find(|event| attachment::is_instance(event, rid))?;
    exceptions.iter().find(|exception| {
        let original = original_start(item, exception);
        let original = original.map(|at| frame.occurrence(at, context.capabilities.stores_what_it_takes));
        original.is_some_and(|original| kept::is_override_of(named, original, &frame))
    })
}

impl RenderContext<'_> {
    fn of_override<'b>(&'b self, exception: &'b Override<'b>) -> RenderContext<'b> {
        RenderContext {
            context: self.context,
            item: exception.item,
            master: Some(self.item),
            frame: exception.frame.clone(),
            series: self.series,
            attachments: &exception.links,
            deleted: &[],
        }
    }

    /// What the series calls an occurrence that the rule had put there.
    fn name_of(&self, property: &str, original: Timestamp) -> Line {
        self.series.at(original).line(property)
    }
}

/// The whole object as Exchange's fields alone have it.
fn projection(uid: &str, scene: &RenderContext, overrides: &[Override]) -> Component {
    let mut calendar = Component::new("VCALENDAR");
    calendar.push(Line::raw("VERSION", "2.0"));
    calendar.push(Line::raw("PRODID", super::PRODID));
    calendar.children = zones(scene, overrides);
    calendar.children.push(event(uid, scene, scene.item.time(Field::RecurrenceId)));
    for exception in overrides {
        calendar.children.push(event(uid, &scene.of_override(exception), Some(exception.original)));
    }
    calendar
}

fn zones(scene: &RenderContext, overrides: &[Override]) -> Vec<Component> {
    let mut zones: Vec<Component> = Vec::new();
    let year = overrides.iter().map(|o| o.frame.first_year()).fold(scene.frame.first_year(), i16::min);
    let frames = std::iter::once(&scene.frame).chain(overrides.iter().map(|exception| &exception.frame));
    for zone in frames.flat_map(EventTimes::zones) {
        let known = |made: &Component| made.line("TZID").map(Line::unescaped).as_deref() == zone.name();
        if !zones.iter().any(known) {
            zones.extend(vtimezone::vtimezone(zone, year));
        }
    }
    zones
}

fn event(uid: &str, scene: &RenderContext, original: Option<Timestamp>) -> Component {
    let item = scene.item;
    let mut event = Component::new("VEVENT");
    event.push(Line::text("UID", uid));
    event.push(stamp("DTSTAMP", item.time(Field::Modified).unwrap_or(Timestamp::UNIX_EPOCH)));
    event.lines.extend(item.time(Field::Modified).map(|at| stamp("LAST-MODIFIED", at)));
    event.lines.extend(item.time(Field::Created).map(|at| stamp("CREATED", at)));
    event.lines.extend(item.number(Field::Sequence).map(|n| Line::raw("SEQUENCE", n.to_string())));
    event.lines.extend(original.map(|at| scene.name_of("RECURRENCE-ID", at)));
    for group in group::ALL {
        (group.project)(scene, &mut event);
    }
    event
}

pub(super) fn stamp(name: &str, at: Timestamp) -> Line {
    Line::raw(name, Moment::Utc(at).value())
}

/// The client's own text with what Exchange has changed since; `None` when there is nothing to be kept.
fn kept_body(
    kept: &Kept,
    scene: &RenderContext,
    overrides: &[Override],
    projected: &Component,
) -> Option<(Bytes, bool)> {
    let octets = kept.octets.as_ref()?;
    let mut calendar = Component::parse(octets).ok()?;
    let others: Vec<&Item> = overrides.iter().map(|exception| exception.item).collect();
    let changed: BTreeSet<FieldGroup> = kept.changed(&sums(scene.item, &others));
    let attached = attachment::put_back(&mut calendar, scene.attachments);
    let answers = overlay_answers(scene, overrides, &mut calendar) || attached;
    if !changed.is_empty() {
        merge(scene, overrides, projected, (kept, &changed), &mut calendar);
    }
    let is_mended = drop_empty_ends(&mut calendar);
    if changed.is_empty() && !answers && !is_mended {
        return Some((octets.clone(), false));
    }
    Some((Bytes::from(calendar.write()), is_mended))
}

/// Takes out ends that are the start: an end is later than its start. Whether there were any. RFC 5545 3.8.2.2
fn drop_empty_ends(calendar: &mut Component) -> bool {
    let mut any = false;
    for event in calendar.children.iter_mut().filter(|child| child.name == "VEVENT") {
        let at = |name: &str| event.line(name).map(|line| (line.value.trim(), line.param("TZID")));
        if at("DTEND").is_some() && at("DTSTART") == at("DTEND") {
            event.lines.retain(|line| line.name != "DTEND");
            any = true;
        }
    }
    any
}

/// Answers of the invited are Exchange's, whatever a client wrote. Whether any of them differed.
fn overlay_answers(scene: &RenderContext, overrides: &[Override], calendar: &mut Component) -> bool {
    let places = kept::Overrides::of(calendar.children_named("VEVENT"), scene.series);
    let mut items: BTreeMap<usize, &Item> = BTreeMap::new();
    for exception in overrides {
        for place in places.find(exception.original, scene.series) {
            items.entry(place).or_insert(exception.item);
        }
    }
    let mut any = false;
    let events = calendar.children.iter_mut().filter(|child| child.name == "VEVENT");
    for (place, event) in events.enumerate() {
        let item = items.get(&place).copied().unwrap_or(scene.item);
        any |= people::overlay(scene.context, item, &mut event.lines);
    }
    any
}

/// Replaces what Exchange has changed; every other line stays where it is.
fn merge(
    scene: &RenderContext,
    overrides: &[Override],
    projected: &Component,
    (sums, changed): (&Kept, &BTreeSet<FieldGroup>),
    calendar: &mut Component,
) {
    let series_changed = changed.contains(&FieldGroup::Rule) || changed.contains(&FieldGroup::Times);
    let (text, floating) = (calendar.clone(), Zone::iana(&scene.context.zone).unwrap_or(Zone::Utc));
    let zones = Zones::new(&text, &floating);
    let (mut events, rest): (Vec<Component>, Vec<Component>) =
        std::mem::take(&mut calendar.children).into_iter().partition(|child| child.name == "VEVENT");
    calendar.children = rest;
    let mut fresh = projected.children_named("VEVENT");
    let master = fresh.next();
    let at = events.iter().position(|event| event.line("RECURRENCE-ID").is_none());
    let mut merged = Vec::new();
    if let Some(master) = master {
        let mut kept = at.map_or_else(|| Component::new("VEVENT"), |at| events.remove(at));
        let rule = kept.line("RRULE").cloned();
        // Alarms first: the kept times say which of them Exchange held.
        let groups = group::ALL.iter().rev();
        for group in groups.filter(|group| changed.contains(&group.which) || at.is_none()) {
            group.take_over(&mut kept, master, &zones, sums.sum(group.which));
        }
        if changed.contains(&FieldGroup::Meeting) {
            people::overlay_request(scene.context, scene.item, &mut kept.lines);
        }
        if changed.contains(&FieldGroup::Times) {
            // Names of occurrences follow the start's form.
            group::of(FieldGroup::Rule).for_each(|group| group.replace(&mut kept, master));
        }
        // Occurrences alone have changed: the rule stays in the client's words.
        let rule_of = |line: &Line| line.value.parse::<Rule>().ok();
        let same = |old: &Line| kept.line("RRULE").is_some_and(|new| rule_of(new) == rule_of(old));
        if let Some(old) = rule.filter(|old| rule_of(old).is_some() && same(old)) {
            kept::set_line(&mut kept, "RRULE", Some(&old));
        }
        kept::restamp(&mut kept, master);
        merged.push(kept);
    }
    let places = kept::Overrides::of(events.iter(), scene.series);
    let mut events: Vec<Option<Component>> = events.into_iter().map(Some).collect();
    for (exception, fresh) in overrides.iter().zip(fresh) {
        let mut found = places.find(exception.original, scene.series).into_iter();
        let old = found.find_map(|place| events.get_mut(place)?.take());
        let is_known = old.is_some();
        let mut event = old.unwrap_or_else(|| fresh.clone());
        if series_changed && is_known {
            for group in group::ALL.iter().rev().filter(|group| group.which != FieldGroup::Rule) {
                if group.which == FieldGroup::Alarms || !group.says_the_same(&event, fresh, scene.series) {
                    group.take_over(&mut event, fresh, &zones, None);
                }
            }
            if changed.contains(&FieldGroup::Times) {
                kept::set_line(&mut event, "RECURRENCE-ID", fresh.line("RECURRENCE-ID"));
            }
            kept::restamp(&mut event, fresh);
        }
        merged.push(event);
    }
    // An override that Exchange never took (its rule does not produce it) stays while the rule does.
    if !series_changed {
        merged.extend(events.into_iter().flatten());
    }
    for zone in projected.children_named("VTIMEZONE") {
        let id = zone.line("TZID").map(Line::unescaped);
        let is_told = |known: &Component| known.line("TZID").map(Line::unescaped) == id;
        let is_used = |event: &Component| event.lines.iter().any(|line| line.param("TZID") == id.as_deref());
        if id.is_some() && merged.iter().any(is_used) && !calendar.children_named("VTIMEZONE").any(is_told) {
            calendar.children.push(zone.clone());
        }
    }
    calendar.children.append(&mut merged);
}

fn span(item: &Item, frame: &EventTimes, overrides: &[Override]) -> Span {
    let (mut first, mut last) = frame.bounds();
    if let Some(recurrence) = item.recurrence() {
        let length = last.duration_since(first);
        last = super::recurrence::last_day(&recurrence)
            .and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok())
            .and_then(|day| day.timestamp().checked_add(length + SignedDuration::from_hours(48)).ok())
            .unwrap_or(Timestamp::MAX);
    }
    for exception in overrides {
        let (from, to) = exception.frame.bounds();
        (first, last) = (first.min(from), last.max(to));
    }
    let margin = if frame.is_all_day() { FLOATING } else { SignedDuration::ZERO };
    Span {
        first: first.checked_sub(margin).ok(),
        last: last.checked_add(margin).ok().filter(|_| last != Timestamp::MAX),
    }
}

/// A moment after every day on which the events of a text begin or end, as far as it names them; `None` where it says no
/// more than how long they last.
fn last_named(text: &[u8]) -> Option<Timestamp> {
    const WANTED: [&str; 5] = ["DTSTART", "DTEND", "DURATION", "RECURRENCE-ID", "RDATE"];
    let is_wanted = |name: &str| WANTED.iter().any(|wanted| name.eq_ignore_ascii_case(wanted));
    let tree = Component::parse_only(text, is_wanted);
    let mut last = None;
    for event in tree.ok()?.children.iter().filter(|child| child.name == "VEVENT") {
        for line in &event.lines {
            if line.name == "DURATION" || line.param("RANGE").is_some() {
                return None;
            }
            // A list of days, of times, or of periods. RFC 5545 3.8.5.2
            for value in line.value.split([',', '/']) {
                last = last.max(Some(Date::strptime("%Y%m%d", value.get(..8)?).ok()?));
            }
        }
    }
    // In whichever zone, it is over then.
    let day = last?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    day.timestamp().checked_add(SignedDuration::from_hours(48)).ok()
}

/// A client's own text may hold what Exchange does not know of.
fn kept_span(text: &[u8], span: Span) -> Span {
    let has = |name: &str| text.windows(name.len()).any(|window| window == name.as_bytes());
    if has("RDATE") || has("RECURRENCE-ID") || has("RRULE") {
        let has_more = has("RDATE") || has("RECURRENCE-ID");
        let last =
            span.last.and_then(|last| if has_more { Some(last.max(last_named(text)?)) } else { Some(last) });
        return Span { first: None, last };
    }
    Span {
        first: span.first.and_then(|at| at.checked_sub(FLOATING).ok()),
        last: span.last.and_then(|at| at.checked_add(FLOATING).ok()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
