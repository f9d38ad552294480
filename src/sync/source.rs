//! The item behind an entry, as Exchange told it: with it a change is planned without asking again.

use crate::convert::Related;
use crate::model::item::{Item, ItemClass};
use crate::upstream::Session;
use bytes::Bytes;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use std::io::{Read as _, Write as _};

/// Octets of an item that is not worth keeping, or that was never packed here.
const MAX_SOURCE: u64 = 1 << 20;

/// The item, packed; `None` where it does not stand for itself: series with exceptions and contacts with pictures are
/// told in several answers, and lists name other items.
pub(super) fn pack(session: &Session, item: &Item, related: &Related) -> Option<Bytes> {
    let stands_alone = item.class != ItemClass::DistributionList
        && related.exceptions.is_empty()
        && related.photo.is_none()
        && item.modified_occurrences().is_empty();
    let text = stands_alone.then(|| session.pack(item)).filter(|text| text.len() as u64 <= MAX_SOURCE)?;
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes()).ok()?;
    Some(packed.finish().ok()?.into())
}

/// The way back.
pub fn unpack(session: &Session, packed: &[u8]) -> Option<Item> {
    let mut text = String::new();
    DeflateDecoder::new(packed).take(MAX_SOURCE + 1).read_to_string(&mut text).ok()?;
    session.unpack(&text)
}
