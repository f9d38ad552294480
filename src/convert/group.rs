//! Distribution lists → vCard groups.

use super::card::{self, Card, Groups, UNIT, Version};
use super::event::group::{categories, categories_text, class_text, sensitivity};
use super::kept::fingerprint;
use super::write::line::uid;
use super::{Context, Rendered, body};
use crate::model::field_group::FieldGroup;
use crate::model::item::{Field, Item, Mailbox};
use crate::text::{Component, Line, address, escape};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Lines that Exchange changes together:
pub(super) const GROUPS: Groups = &[
    (FieldGroup::Names, &["FN", "N"]),
    (FieldGroup::Members, &["MEMBER", "X-ADDRESSBOOKSERVER-MEMBER"]),
    (FieldGroup::Body, &["NOTE"]),
    (FieldGroup::Categories, &["CATEGORIES"]),
    (FieldGroup::Class, &["CLASS"]),
];

pub(super) fn render(context: &Context, item: &Item, uids: &HashMap<String, String>) -> Rendered {
    let known: HashSet<String> = uids.values().map(|known| uid(known)).collect();
    // A UID that nobody has here is the client's alone.
    let held = |which: FieldGroup, card: &Component| {
        let is_held = |line: &Line| {
            let member = uid(&line.value);
            which != FieldGroup::Members || member.starts_with("mailto:") || known.contains(&member)
        };
        card.lines.iter().map(|line| is_held(line).then_some("")).collect()
    };
    card::render(
        context,
        item,
        None,
        (GROUPS, &held),
        &sums(item),
        body::is_of_html(item) || class_text(item) != "Normal",
        |version, uid| project(context, item, uids, version, uid),
    )
}

fn name(item: &Item) -> String {
    let name = item
        .filled(Field::DisplayName)
        .or_else(|| item.filled(Field::FileAs))
        .or_else(|| item.filled(Field::Subject));
    name.unwrap_or_else(|| "(no name)".to_owned())
}

fn project(
    context: &Context,
    item: &Item,
    uids: &HashMap<String, String>,
    version: Version,
    uid: &str,
) -> Component {
    let mut card = Card::new(version, uid);
    let name = name(item);
    let (kind, member) = match version {
        Version::V3 => ("X-ADDRESSBOOKSERVER-KIND", "X-ADDRESSBOOKSERVER-MEMBER"),
        Version::V4 => ("KIND", "MEMBER"),
    };
    card.push(Line::raw(kind, "group"));
    card.push(Line::text("FN", &name));
    if version == Version::V3 {
        // RFC 2426 3.1.2: N must be there.
        card.push(Line::raw("N", format!("{};;;;", escape(&name))));
    }
    for mailbox in item.members() {
        if let Some(uri) = reference(context, &mailbox, uids, version) {
            card.push(Line::raw(member, uri));
        }
    }
    card.text("NOTE", body::text(item));
    if let Some(line) = categories(item) {
        card.push(line);
    }
    let class = item.filled(Field::Sensitivity).and_then(|word| sensitivity(&word));
    if let Some(class) = class.filter(|_| version == Version::V3) {
        card.push(Line::raw("CLASS", class));
    }
    card.finish(item)
}

/// How a member is named: by the UID of its own card where there is one, else by its address.
pub(super) fn reference(
    context: &Context,
    member: &Mailbox,
    uids: &HashMap<String, String>,
    version: Version,
) -> Option<String> {
    let uid = member.item.as_ref().and_then(|id| uids.get(id));
    let uid = uid.map(|uid| uid.strip_prefix("urn:uuid:").unwrap_or(uid));
    match uid {
        // Apple puts any UID behind urn:uuid:, the standard only a UUID.
        Some(uid) if version == Version::V3 || is_uuid(uid) => return Some(format!("urn:uuid:{uid}")),
        _ => {}
    }
    let address = context.directory.get(&member.address).unwrap_or(&member.address);
    address.contains('@').then(|| address::uri(address))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text
            .char_indices()
            .all(|(at, c)| if matches!(at, 8 | 13 | 18 | 23) { c == '-' } else { c.is_ascii_hexdigit() })
}

pub(super) fn sums(item: &Item) -> BTreeMap<FieldGroup, String> {
    let mut members: Vec<String> =
        item.members().into_iter().map(|m| format!("{}<{}>", m.name, m.address.to_lowercase())).collect();
    members.sort_unstable();
    let texts = [
        (FieldGroup::Names, name(item)),
        (FieldGroup::Members, members.join(UNIT)),
        (FieldGroup::Body, body::text(item).unwrap_or_default()),
        (FieldGroup::Categories, categories_text(item)),
        (FieldGroup::Class, class_text(item)),
    ];
    texts.into_iter().map(|(which, text)| (which, fingerprint(&text))).collect()
}
