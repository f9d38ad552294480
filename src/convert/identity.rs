//! Names and tags of objects: UID, resource name, ETag.

use super::{Context, HtmlForm, RENDERING_VERSION};
use crate::model::id::{ETag, ResourceName};
use crate::model::item::{Field, Item, ItemClass};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// The longest name that is made of a UID; longer ones become a hash. URLs have limits.
const MAX_NAME: usize = 120;

/// The first `digits` hex digits of the SHA-256 of a text.
pub(super) fn hash(text: impl AsRef<[u8]>, digits: usize) -> String {
    let mut hex = String::with_capacity(64);
    for octet in Sha256::digest(text.as_ref()) {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{octet:02x}");
    }
    hex.truncate(digits);
    hex
}

/// A UID for an item that has none: the same for the same item, wherever it is read.
pub(super) fn derived_uid(item: &Item) -> String {
    format!("ews-{}", hash(&item.id.id, 32))
}

/// The UID of a contact or a group.
pub(super) fn card_uid(item: &Item) -> String {
    let davmail = || davmail_name(item).and_then(|name| Some(name.strip_suffix(".vcf")?.to_owned()));
    item.text(Field::ClientUid)
        .or_else(|| item.text(Field::IntegrationUid))
        .or_else(davmail)
        .unwrap_or_else(|| derived_uid(item))
}

/// The name of an object: the client's where it is known, else made of the UID.
pub(super) fn resource_name(kept: Option<&str>, uid: &str, extension: &str, item: &Item) -> ResourceName {
    kept.and_then(|name| name.parse().ok())
        .or_else(|| {
            let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@');
            let mut name = String::with_capacity(uid.len() + 4);
            for octet in uid.bytes() {
                if safe(octet) {
                    name.push(char::from(octet));
                } else {
                    let _ = write!(name, "%{octet:02X}");
                }
            }
            name.push_str(extension);
            (name.len() <= MAX_NAME && !name.starts_with('.')).then(|| name.parse().ok()).flatten()
        })
        .unwrap_or_else(|| fallback_name(item, extension))
}

/// A name that no other item can have.
pub(super) fn fallback_name(item: &Item, extension: &str) -> ResourceName {
    let name = format!("ews-{}{extension}", hash(&item.id.id, 32));
    // Hex digits and an extension of ours are always a name.
    name.parse().unwrap_or_else(|_| unreachable!("{name}"))
}

/// The tag of a rendering: what Exchange holds, and how it is rendered.
///
/// A series shares its version with its exceptions: any change of theirs is one of its own. `revision`: the latest
/// revision of rendering that changed how this item is rendered; 0 if none did.
pub(super) fn etag(context: &Context, item: &Item, exceptions: &[Item], revision: u32) -> ETag {
    let html = match context.settings.html {
        HtmlForm::XAltDesc => "x",
        HtmlForm::Altrep => "a",
        HtmlForm::StyledDescription => "s",
        HtmlForm::None => "n",
    };
    let mut parts = vec![
        RENDERING_VERSION.to_string(),
        html.to_owned(),
        context.settings.inline_attachments.to_string(),
        context.zone.to_string(),
        item.id.version.clone(),
    ];
    let attached = std::iter::once(item).chain(exceptions).flat_map(Item::attachments);
    parts.extend(attached.map(|attachment| attachment.id));
    if !context.capabilities.judges_versions {
        // Its versions do not tell of every change.
        parts.extend(std::iter::once(item).chain(exceptions).filter_map(|item| item.state.clone()));
    }
    parts.extend((revision > 0).then(|| format!("revision {revision}")));
    ETag(hash(parts.join("\u{1f}"), 32))
}

/// The UID that Exchange is given: the client's, where Exchange can hold it.
pub(super) fn exchange_uid(uid: &str) -> String {
    let fits = uid.chars().count() <= 255 && !uid.chars().any(char::is_control);
    if fits { uid.to_owned() } else { format!("dav-{}", hash(uid, 64)) }
}

/// The name that DavMail gave: users who come from there keep their resources.
pub(super) fn davmail_name(item: &Item) -> Option<String> {
    let name = item.text(Field::DavmailName)?;
    let stem = name.strip_suffix(".EML").or_else(|| name.strip_suffix(".eml"))?;
    let extension = match item.class {
        ItemClass::CalendarItem | ItemClass::Task => ".ics",
        ItemClass::Contact | ItemClass::DistributionList => ".vcf",
    };
    Some(format!("{stem}{extension}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::model::item::{ItemRef, Value};

    /// The ETag of an item of Exchange at UTC, and what it was, as octets, before there were revisions of rendering.
    fn etag_of(class: ItemClass, fields: Vec<(Field, Value)>) -> (String, String) {
        let id = ItemRef { id: "a".to_owned(), version: "b".to_owned() };
        let subject = (Field::Subject, Value::Text("x".to_owned()));
        let item = Item::new(class, id, std::iter::once(subject).chain(fields).collect());
        let rendered = crate::convert::render(
            &Context::of("demo@example.com"),
            &item,
            &crate::convert::Related::default(),
        );
        let first = hash(["3", "x", "0", "UTC", "b"].join("\u{1f}"), 32);
        (rendered.unwrap().etag.0, first)
    }

    #[test]
    fn a_change_of_rendering_changes_the_etags_of_the_items_that_it_renders_otherwise_and_no_others() {
        let time = |text: &str| Value::Time(text.parse().unwrap());
        let day = |text: &str| Value::Day(text.parse().unwrap());
        let times = |end: &str| vec![(Field::Start, time("2027-06-10T10:00:00Z")), (Field::End, time(end))];
        let days = |start: &str| vec![(Field::DueDay, day("2027-06-10")), (Field::StartDay, day(start))];
        let phone = (Field::Phone("MobilePhone"), Value::Text("1".to_owned()));
        let spouse = (Field::Spouse, Value::Text("Kim".to_owned()));
        for (class, fields, revision) in [
            (ItemClass::CalendarItem, times("2027-06-10T11:00:00Z"), 0),
            (ItemClass::CalendarItem, times("2027-06-10T10:00:00Z"), 1),
            (ItemClass::Task, days("2027-06-09"), 0),
            (ItemClass::Task, days("2027-06-11"), 1),
            (ItemClass::Contact, vec![phone.clone()], 0),
            // Its label was written in upper case.
            (ItemClass::Contact, vec![phone, spouse], 2),
        ] {
            let (etag, first) = etag_of(class, fields.clone());
            let expected = match revision {
                0 => first,
                n => hash(["3", "x", "0", "UTC", "b", &format!("revision {n}")].join("\u{1f}"), 32),
            };
            assert_eq!(etag, expected, "{fields:?}");
        }
    }
}
