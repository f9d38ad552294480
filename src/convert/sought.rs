//! By which properties Exchange is asked for an object, while not all of its collection is known.

use super::identity;
use crate::ews::field::{self, ExtendedProperty};
use crate::model::collection::CollectionKind;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

/// What every global object id begins with. MS-OXOCAL 2.2.1.27
const GLOBAL_ID: [u8; 16] = [4, 0, 0, 0, 0x82, 0, 0xE0, 0, 0x74, 0xC5, 0xB7, 0x10, 0x1A, 0x82, 0xE0, 8];

/// Properties and values of which an item has one that has this name or this UID; `None` for names that are made of
/// Exchange's ids, which no property holds.
pub fn sought(
    kind: CollectionKind,
    name: &str,
    uid: Option<&str>,
) -> Option<Vec<(ExtendedProperty, String)>> {
    if name.starts_with("ews-") {
        return None;
    }
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let mut wanted = vec![(field::DAV_NAME, name.to_owned()), (field::URL_COMP_NAME, format!("{stem}.EML"))];
    // Items that have no name of a client's are called by their UID.
    let called = percent_decode_str(stem).decode_utf8_lossy();
    let mut uids = vec![called.as_ref()];
    uids.extend(uid.filter(|uid| *uid != called));
    for uid in uids {
        wanted.push((field::DAV_UID, uid.to_owned()));
        wanted.push(match kind {
            CollectionKind::Calendar => (field::CLEAN_GLOBAL_OBJECT_ID, STANDARD.encode(global_id(uid))),
            CollectionKind::Tasks => (field::DAVMAIL_UID, uid.to_owned()),
            CollectionKind::AddressBook => (field::INTEGRATION_UID, uid.to_owned()),
        });
    }
    Some(wanted)
}

/// The global object id of a UID: its octets, or the UID wrapped up with a closing NUL. MS-OXCICAL; docs/EXCHANGE.md, UIDs
/// 2.1.3.1.1.20.26
fn global_id(uid: &str) -> Vec<u8> {
    let hex = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let octets: Option<Vec<u8>> = uid.as_bytes().chunks(2).map(hex).collect();
    if let Some(octets) =
        octets.filter(|octets| octets.starts_with(&GLOBAL_ID) && uid.len().is_multiple_of(2))
    {
        return octets;
    }
    let uid = identity::exchange_uid(uid);
    let mut data = b"vCal-Uid\x01\0\0\0".to_vec();
    data.extend_from_slice(uid.as_bytes());
    data.push(0);
    let mut octets = GLOBAL_ID.to_vec();
    octets.extend_from_slice(&[0; 20]);
    octets.extend_from_slice(&u32::try_from(data.len()).unwrap_or_default().to_le_bytes());
    octets.extend(data);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn global_ids_are_those_of_microsofts_example() {
        let id = STANDARD.encode(global_id("{81412D3C-2A24-4E9D-B20E-11F7BBE92799}"));
        let data = "MwAAAHZDYWwtVWlkAQAAAHs4MTQxMkQzQy0yQTI0LTRFOUQtQjIwRS0xMUY3QkJFOTI3OTl9AA==";
        assert!(id.ends_with(data), "{id}");
        let own = "040000008200E00074C5B7101A82E00800000000A0A0";
        assert_eq!(global_id(own).len(), own.len() / 2);
    }
}
