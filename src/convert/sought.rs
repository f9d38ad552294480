//! By which fields Exchange is asked for an object, while not all of its collection is known.

use super::identity;
use crate::model::collection::CollectionKind;
use crate::model::item::Field;
use percent_encoding::percent_decode_str;

/// Fields and values of which an item has one that has this name or this UID; `None` for names that are made of
/// Exchange's ids, which no field holds.
pub fn sought(kind: CollectionKind, name: &str, uid: Option<&str>) -> Option<Vec<(Field, String)>> {
    if name.starts_with("ews-") {
        return None;
    }
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let mut wanted = vec![(Field::ClientName, name.to_owned()), (Field::DavmailName, format!("{stem}.EML"))];
    // Items that have no name of a client's are called by their UID.
    let called = percent_decode_str(stem).decode_utf8_lossy();
    let mut uids = vec![called.as_ref()];
    uids.extend(uid.filter(|uid| *uid != called));
    for uid in uids {
        wanted.push((Field::ClientUid, uid.to_owned()));
        wanted.push(match kind {
            CollectionKind::Calendar => (Field::Uid, identity::exchange_uid(uid)),
            CollectionKind::Tasks => (Field::DavmailUid, uid.to_owned()),
            CollectionKind::AddressBook => (Field::IntegrationUid, uid.to_owned()),
        });
    }
    Some(wanted)
}
