//! Groups → distribution lists: who is meant by a member, and who stays as Exchange has it.

use super::RenderContext;
use super::line::{text_of, uid};
use super::set_or_remove;
use crate::convert::card::Version;
use crate::convert::group as lists;
use crate::model::field_group::FieldGroup;
use crate::model::item::{Change, Field, Mailbox, Member, Value};
use crate::text::{Component, Line, address};
use std::collections::{HashMap, HashSet};

const MEMBERS: [&str; 2] = ["MEMBER", "X-ADDRESSBOOKSERVER-MEMBER"];

/// How a member names somebody.
enum Named<'a> {
    /// By an address.
    Address(String),
    /// By the UID of a card.
    Uid(&'a str),
}

impl<'a> Named<'a> {
    fn of(line: &'a Line) -> Option<Self> {
        let mut text = line.value.trim();
        for scheme in ["urn:uuid:", "mailto:"] {
            if text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)) {
                text = text.get(scheme.len()..)?;
                if scheme == "mailto:" {
                    return address::smtp(line.value.trim()).map(Self::Address);
                }
            }
        }
        let is_uid = text.len() < line.value.trim().len() && !text.is_empty();
        is_uid.then_some(Self::Uid(text))
    }
}

/// What members are called by in [`Context::people`](crate::convert::Context::people).
fn key(named: &Named) -> String {
    match named {
        Named::Address(address) => format!("mailto:{}", address::key(address)),
        Named::Uid(uid) => uid.to_lowercase(),
    }
}

/// Whom a card of a group names: UIDs as they are written, and `mailto:` URIs. Empty for cards of people.
pub fn people_named(octets: &[u8]) -> Vec<String> {
    let Ok(card) = Component::parse(octets) else { return Vec::new() };
    let lines = card.lines.iter().filter(|line| MEMBERS.contains(&line.name.as_str()));
    let named = lines.filter_map(Named::of).map(|named| match named {
        Named::Address(_) => key(&named),
        Named::Uid(uid) => uid.to_owned(),
    });
    named.collect()
}

pub(super) fn group(which: FieldGroup, scene: &RenderContext) -> Vec<Change> {
    let RenderContext { card, .. } = *scene;
    match which {
        FieldGroup::Names => {
            let name = text_of(card, "FN").or_else(|| text_of(card, "N"));
            let mut changes = vec![set_or_remove(Field::DisplayName, name.clone())];
            if scene.current.is_none() {
                changes
                    .push(set_or_remove(Field::Subject, name.map(|name| name.chars().take(255).collect())));
            }
            changes
        }
        FieldGroup::Members => vec![members(scene)],
        FieldGroup::Body | FieldGroup::Categories | FieldGroup::Class => super::group(which, scene),
        _ => Vec::new(),
    }
}

/// Whether somebody is named whom the list in Exchange does not have: a group may come before its members.
pub(super) fn has_newcomers(scene: &RenderContext) -> bool {
    let known = scene.current.map(|current| current.item.list_members()).unwrap_or_default();
    match members(scene).value {
        Some(Value::Members(members)) => members.iter().any(|member| !known.contains(member)),
        _ => false,
    }
}

/// The whole list: those who stay as they are, new ones by what is known of them, and those whom no client is shown.
fn members(scene: &RenderContext) -> Change {
    let RenderContext { context, card, current, .. } = *scene;
    let version = if text_of(card, "VERSION").as_deref() == Some("4.0") { Version::V4 } else { Version::V3 };
    let (mut shown, mut hidden): (HashMap<String, Vec<Member>>, Vec<Member>) = Default::default();
    for (member, uids) in
        current.iter().flat_map(|c| c.item.list_members().into_iter().map(|m| (m, &c.related.uids)))
    {
        match lists::reference(context, &member.mailbox, uids, version) {
            Some(uri) => shown.entry(uid(&uri)).or_default().push(member),
            None => hidden.push(member),
        }
    }
    let mut members: Vec<Member> = Vec::new();
    let mut seen: HashSet<(String, Option<String>)> = HashSet::new();
    for line in card.lines.iter().filter(|line| MEMBERS.contains(&line.name.as_str())) {
        let new = match shown.remove(&uid(&line.value)) {
            Some(same) => same,
            None => Named::of(line).and_then(|named| newcomer(scene, line, &named)).into_iter().collect(),
        };
        let new = new.into_iter();
        members
            .extend(new.filter(|m| seen.insert((address::key(&m.mailbox.address), m.mailbox.item.clone()))));
    }
    members.append(&mut hidden);
    if members.is_empty() {
        Change::remove(Field::Members)
    } else {
        Change::set(Field::Members, Value::Members(members))
    }
}

/// Somebody new; `None` for a UID that nobody here has.
fn newcomer(scene: &RenderContext, line: &Line, named: &Named) -> Option<Member> {
    let known = scene.context.people.get(&key(named));
    let mailbox = match (known, named) {
        (Some(person), _) => person.clone(),
        (None, Named::Uid(_)) => return None,
        (None, Named::Address(address)) => Mailbox {
            name: line.param("CN").unwrap_or(address).to_owned(),
            address: address.clone(),
            routing: "SMTP".to_owned(),
            kind: "OneOff".to_owned(),
            item: None,
        },
    };
    Some(Member { key: None, mailbox })
}
