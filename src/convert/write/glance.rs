//! What an object is, before it is compared with anything: enough to lock it and to know whom it concerns.

use super::KINDS;
use super::event::user;
use super::parts::is_same;
use super::series::is_cancelled;
use crate::convert::Context;
use crate::text::{Component, Line, address};
use bytes::Bytes;

/// What an object is, as far as that is known before it is compared with anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    /// Its UID, where it has one.
    pub uid: Option<String>,
    /// The address of who invites to it, in lower case; empty where it invites nobody.
    pub organizer: String,
    /// It has participants: somebody may get mail about it.
    pub has_participants: bool,
    /// It ends somebody's participation or the whole meeting: an event is cancelled, or one of these addresses declines.
    pub ends: bool,
}

/// Looks at an object before it is planned; one that cannot be read shows nothing.
pub fn glance(context: &Context, body: &[u8]) -> Glance {
    let Ok(tree) = Component::parse(body) else { return Glance::default() };
    if tree.name == "VCARD" {
        let uid = tree.line("UID").map(Line::unescaped).filter(|uid| !uid.trim().is_empty());
        return Glance { uid, ..Glance::default() };
    }
    let components: Vec<&Component> =
        tree.children.iter().filter(|child| KINDS.contains(&child.name.as_str())).collect();
    let Some(first) = components.first() else { return Glance::default() };
    let declines = |line: &Line| {
        line.param("PARTSTAT").is_some_and(|word| word.eq_ignore_ascii_case("DECLINED"))
            && address::of_line(line).is_some_and(|own| context.is_owner(&own))
    };
    let ends = |one: &&Component| is_cancelled(one) || one.lines_named("ATTENDEE").any(declines);
    Glance {
        uid: first.value("UID").map(str::to_owned).filter(|uid| !uid.trim().is_empty()),
        organizer: first.line("ORGANIZER").map(user).unwrap_or_default(),
        has_participants: components.iter().any(|one| one.line("ATTENDEE").is_some()),
        ends: components.iter().any(ends),
    }
}

/// What the owner answers to each event of an object, in order.
pub fn own_answers(context: &Context, text: &[u8]) -> Vec<Option<String>> {
    let Ok(calendar) = Component::parse(text) else { return Vec::new() };
    let is_own = |line: &&Line| address::of_line(line).is_some_and(|own| context.is_owner(&own));
    let answer = |event: &Component| {
        let line = event.lines_named("ATTENDEE").find(is_own)?;
        Some(line.param("PARTSTAT").unwrap_or("NEEDS-ACTION").to_uppercase())
    };
    calendar.children_named("VEVENT").map(answer).collect()
}

/// An invitation as it was served, with the owner's answers out of a client's own copy of it and nothing else of that copy:
/// what came by mail may be worded otherwise. `None` where the copy has no answer to it, or is of another time.
///
/// An answer to a series is one to all of it; one to a single occurrence is one to that occurrence alone.
pub fn with_answer(context: &Context, served: &[u8], copy: &[u8]) -> Option<Bytes> {
    let copy = Component::parse(copy).ok()?;
    let of_owner = |line: &Line| {
        line.name == "ATTENDEE" && address::of_line(line).is_some_and(|own| context.is_owner(&own))
    };
    let mut served = Component::parse(served).ok()?;
    let before = served.clone();
    let same = |name: &str, one: &Component, other: &Component| match (one.line(name), other.line(name)) {
        (None, None) => true,
        (Some(one), Some(other)) => is_same(context, (one, &copy), (other, &before)),
        _ => false,
    };
    let is_series = |event: &Component| event.line("RECURRENCE-ID").is_none();
    // What is said of an occurrence counts more than what is said of its series.
    let mut said: Vec<&Component> = copy.children_named("VEVENT").collect();
    said.sort_by_key(|event| !is_series(event));
    let mut any = false;
    for copy in said {
        let answer = copy.lines.iter().find(|line| of_owner(line));
        let answer = answer.and_then(|line| line.params.iter().find(|param| param.name == "PARTSTAT"));
        let events = || before.children_named("VEVENT");
        let is_here = |event: &&Component| same("RECURRENCE-ID", copy, event) && same("DTSTART", copy, event);
        let (Some(answer), true) = (answer, events().any(|event| is_here(&event))) else { continue };
        for event in served.children.iter_mut().filter(|child| child.name == "VEVENT") {
            if !is_series(copy) && !same("RECURRENCE-ID", copy, event) {
                continue;
            }
            for line in event.lines.iter_mut().filter(|line| of_owner(line)) {
                line.params.retain(|param| param.name != "PARTSTAT" && param.name != "RSVP");
                line.params.push(answer.clone());
                any = true;
            }
        }
    }
    any.then(|| served.write().into())
}
