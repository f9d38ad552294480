//! FindItem: the few items that a property names. MS-OXWSSRCH 3.1.4.2

use super::{folder_id, missing};
use crate::model::item::{Field, ItemClass, ItemRef};
use crate::upstream::FolderSelector;
use crate::upstream::ews::client::{Repeat, Session};
use crate::upstream::ews::error::Error;
use crate::upstream::ews::field::{self, ExtendedProperty};
use crate::upstream::ews::soap::{check, m, messages};
use crate::upstream::ews::types::table::{At, row};
use crate::upstream::ews::types::write::extended_uri;
use crate::upstream::ews::types::{class_of, item_id, name as t};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

impl Session {
    /// Ids of the items of a folder of which one of these fields has this value: of those that are extended properties, and
    /// the UID of events. With a restriction Exchange gives
    /// at most 250, and walks through the folder: for single questions only. docs/EXCHANGE.md, Limits
    pub async fn find_items(
        &self,
        folder: &str,
        wanted: &[(Field, String)],
    ) -> Result<Vec<(ItemRef, ItemClass)>, Error> {
        let wanted: Vec<(ExtendedProperty, String)> =
            wanted.iter().filter_map(|(field, value)| searched(*field, value)).collect();
        let answer = self
            .call("FindItem", Repeat::Freely, |w| {
                w.open(&m("FindItem")).attribute("Traversal", "Shallow");
                w.open(&m("ItemShape")).leaf(&t("BaseShape"), "IdOnly").close();
                w.open(&m("Restriction"));
                let are_several = wanted.len() > 1;
                if are_several {
                    w.open(&t("Or"));
                }
                for (property, value) in &wanted {
                    w.open(&t("IsEqualTo")).element(&extended_uri(property));
                    w.open(&t("FieldURIOrConstant")).open(&t("Constant")).attribute("Value", value);
                    w.close().close().close();
                }
                if are_several {
                    w.close();
                }
                w.close().open(&m("ParentFolderIds"));
                folder_id(w, &FolderSelector::Id(folder.to_owned()));
            })
            .await?;
        let message = check(messages(&answer).next().ok_or_else(|| missing("response message"))?)?;
        let items = message.find("RootFolder").and_then(|root| root.find("Items"));
        let items = items.ok_or_else(|| missing("RootFolder"))?.children();
        Ok(items
            .filter_map(|item| {
                let class = class_of(item.name().local())?;
                Some((item_id(item.find("ItemId")?)?, class))
            })
            .collect())
    }
}

/// The property that is searched for a field, and its value there.
fn searched(field: Field, value: &str) -> Option<(ExtendedProperty, String)> {
    match row(ItemClass::CalendarItem, field).at {
        // `calendar:UID` cannot be searched for. docs/EXCHANGE.md, UIDs
        At::Uri(_) if field == Field::Uid => {
            Some((field::CLEAN_GLOBAL_OBJECT_ID, STANDARD.encode(global_id(value))))
        }
        At::Extended(property) => Some((property, value.to_owned())),
        At::Uri(_) | At::Indexed(..) => None,
    }
}

/// What every global object id begins with. MS-OXOCAL 2.2.1.27
const GLOBAL_ID: [u8; 16] = [4, 0, 0, 0, 0x82, 0, 0xE0, 0, 0x74, 0xC5, 0xB7, 0x10, 0x1A, 0x82, 0xE0, 8];

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
