//! People of the directory → vCard. They lie in no folder: their name and UID are their address.

use super::card::Version;
use super::identity::{self, hash};
use super::{Context, RENDERING_VERSION, Rendered, contact};
use crate::model::id::{ETag, ResourceName};
use crate::model::item::Person;
use crate::model::object::Span;
use bytes::Bytes;
use jiff::Timestamp;

const EXTENSION: &str = ".vcf";

/// Renders somebody whom the directory knows. The UID is the URI by which groups name this person. RFC 6350 6.6.5
pub fn render(context: &Context, person: &Person) -> Rendered {
    let Person { mailbox, contact: item, photo } = person;
    let uid = format!("mailto:{}", mailbox.address.to_lowercase());
    let card =
        |version| Bytes::from(contact::project(context, item, photo.as_deref(), version, &uid).write());
    let (body, vcard4) = (card(Version::V3), card(Version::V4));
    let etag = hash([RENDERING_VERSION.to_string().as_bytes(), &body, &vcard4].concat(), 32);
    let name = identity::resource_name(None, &mailbox.address.to_lowercase(), EXTENSION, item);
    Rendered {
        occurrence: None,
        body,
        vcard4: Some(vcard4),
        fallback_name: identity::fallback_name(item, EXTENSION),
        uid,
        name,
        etag: ETag(etag),
        schedule_tag: None,
        span: Span::default(),
        last_modified: Timestamp::UNIX_EPOCH,
        attachments: Vec::new(),
    }
}

/// The address of which a name was made; `None` for names that are not of this kind.
pub fn address_of(name: &ResourceName) -> Option<String> {
    let name = name.as_str().strip_suffix(EXTENSION)?;
    let mut octets = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        rest = others;
        if *first != b'%' {
            octets.push(*first);
            continue;
        }
        let (hex, others) = others.split_at_checked(2)?;
        octets.push(u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?);
        rest = others;
    }
    String::from_utf8(octets).ok().filter(|address| address.contains('@'))
}
