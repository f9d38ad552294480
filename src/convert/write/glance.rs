//! What an object is, before it is compared with anything: enough to lock it and to know whom it concerns.

use super::KINDS;
use super::event::user;
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
    /// It ends somebody's participation or the whole meeting: it is cancelled, or one of these addresses declines.
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
    Glance {
        uid: first.value("UID").map(str::to_owned).filter(|uid| !uid.trim().is_empty()),
        organizer: first.line("ORGANIZER").map(user).unwrap_or_default(),
        has_participants: components.iter().any(|one| one.line("ATTENDEE").is_some()),
        ends: is_cancelled(first) || first.lines_named("ATTENDEE").any(declines),
    }
}

/// An invitation as it was served, with the owner's answer out of a client's own copy of it and nothing else of that copy:
/// what came by mail may be worded otherwise. `None` where the copy has no answer to it.
pub fn with_answer(context: &Context, served: &[u8], copy: &[u8]) -> Option<Bytes> {
    let copy = Component::parse(copy).ok()?;
    let of_owner = |line: &Line| {
        line.name == "ATTENDEE" && address::of_line(line).is_some_and(|own| context.is_owner(&own))
    };
    let answer = copy.children_named("VEVENT").next()?.lines.iter().find(|line| of_owner(line))?;
    let answer = answer.params.iter().find(|param| param.name == "PARTSTAT")?.clone();
    let mut served = Component::parse(served).ok()?;
    for event in served.children.iter_mut().filter(|child| child.name == "VEVENT") {
        for line in event.lines.iter_mut().filter(|line| of_owner(line)) {
            line.params.retain(|param| param.name != "PARTSTAT" && param.name != "RSVP");
            line.params.push(answer.clone());
        }
    }
    Some(served.write().into())
}
