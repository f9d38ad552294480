//! The item behind an entry, as Exchange told it: with it a change is planned without asking again.

use crate::convert::Related;
use crate::ews::types::{document, parse_item};
use crate::model::item::{Item, ItemClass};
use bytes::Bytes;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use std::io::{Read as _, Write as _};

/// Octets of an item that is not worth keeping, or that was never packed here.
const MAX_SOURCE: u64 = 1 << 20;

/// The item, packed; `None` where it does not stand for itself: series with exceptions and contacts with pictures are
/// told in several answers, and lists name other items.
pub(super) fn pack(item: &Item, related: &Related) -> Option<Bytes> {
    let stands_alone = item.class != ItemClass::DistributionList
        && related.exceptions.is_empty()
        && related.photo.is_none()
        && item.modified_occurrences().is_empty();
    let text = stands_alone.then(|| document(item)).filter(|text| text.len() as u64 <= MAX_SOURCE)?;
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text.as_bytes()).ok()?;
    Some(packed.finish().ok()?.into())
}

/// The way back.
pub fn unpack(packed: &[u8]) -> Option<Item> {
    let mut text = String::new();
    DeflateDecoder::new(packed).take(MAX_SOURCE + 1).read_to_string(&mut text).ok()?;
    parse_item(&text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn an_item_comes_back_as_it_was() {
        let text = "<t:Task xmlns:t='http://schemas.microsoft.com/exchange/services/2006/types'>\
                    <t:ItemId Id='a' ChangeKey='b'/><t:Subject>one &amp; two&#13;\n three </t:Subject>\
                    <t:Body BodyType='Text'> </t:Body></t:Task>";
        let item = parse_item(text).unwrap();
        let packed = pack(&item, &Related::default()).unwrap();
        assert_eq!(unpack(&packed).unwrap(), item);
        assert_eq!(unpack(b"no deflated text"), None);
    }
}
