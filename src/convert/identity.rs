//! Names and tags of objects: UID, resource name, ETag.

use super::{Context, HtmlForm, RENDERING_VERSION};
use crate::ews::field;
use crate::ews::types::{Item, ItemClass};
use crate::model::id::{ETag, ResourceName};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// The longest name that is made of a UID; longer ones become a hash. URLs have limits.
const MOST_NAME: usize = 120;

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
    item.extended(&field::DAV_UID)
        .or_else(|| item.extended(&field::INTEGRATION_UID))
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
            (name.len() <= MOST_NAME && !name.starts_with('.')).then(|| name.parse().ok()).flatten()
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
/// A series shares its ChangeKey with its exceptions: any change of theirs is one of its own. `revision`: the latest
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
        item.id.change_key.clone(),
    ];
    let attached = std::iter::once(item).chain(exceptions).flat_map(Item::attachments);
    parts.extend(attached.map(|attachment| attachment.id));
    if !context.behaviour.judges_change_keys {
        // Its versions do not tell of every change.
        parts.extend(std::iter::once(item).chain(exceptions).map(Item::write));
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
    let name = item.extended(&field::URL_COMP_NAME)?;
    let stem = name.strip_suffix(".EML").or_else(|| name.strip_suffix(".eml"))?;
    let extension = match item.class {
        ItemClass::CalendarItem | ItemClass::Task => ".ics",
        ItemClass::Contact | ItemClass::DistributionList => ".vcf",
    };
    Some(format!("{stem}{extension}"))
}
