//! MAPI properties behind the fields: clients ask for them as extended properties and search by them.
//! MS-OXPROPS; MS-OXOCAL 2.2.1

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::field;
use super::item::{ExtendedName, ExtendedValue, ItemKind, utc};
use super::shape::SETS;
use super::view::{Style, View};

/// Begins every global object id.
const GLOBAL_ID: [u8; 16] = [0x04, 0, 0, 0, 0x82, 0, 0xE0, 0, 0x74, 0xC5, 0xB7, 0x10, 0x1A, 0x82, 0xE0, 0x08];

/// A property that follows from the item's fields.
pub fn computed(view: &View<'_>, name: &ExtendedName) -> Option<ExtendedValue> {
    let item = view.item;
    let (kind, text) = match name {
        // PidTagInternetArticleNumber rises with each item.
        ExtendedName::Tag(0x0E23) => ("Integer", item.key.0.to_string()),
        ExtendedName::Tag(0x3008) => ("SystemTime", utc(item.modified)),
        ExtendedName::Tag(0x3007) => ("SystemTime", utc(item.created)),
        ExtendedName::Tag(0x0037 | 0x0E1D) => ("String", view.text(field::SUBJECT)?.to_owned()),
        ExtendedName::Tag(0x001A) => {
            ("String", view.text(field::ITEM_CLASS).unwrap_or(item.kind.item_class()).to_owned())
        }
        ExtendedName::Tag(0x3001) if item.kind == ItemKind::Contact => {
            ("String", view.text(field::DISPLAY_NAME)?.to_owned())
        }
        ExtendedName::Tag(0x3A51) if item.kind == ItemKind::Contact => {
            ("String", view.text(field::BUSINESS_HOME_PAGE)?.to_owned())
        }
        ExtendedName::Id(set, id) => named(view, set, *id)?,
        _ => return None,
    };
    Some(ExtendedValue { kind, texts: vec![text] })
}

fn bare_day(text: &str) -> Option<String> {
    Some(format!("{}T00:00:00Z", text.get(..10)?))
}

fn named(view: &View<'_>, set: &str, id: i32) -> Option<(&'static str, String)> {
    let set = SETS.iter().find(|(_, guid)| *guid == set).map(|(name, _)| *name)?;
    let style = Style { zone: None, body: "Text" };
    let text = |field| view.property(field, &style).map(|e| e.text);
    if view.item.kind != ItemKind::CalendarItem {
        return match (set, id) {
            // PidLidTaskStartDate, PidLidTaskDueDate: bare days
            ("Task", 0x8104) => Some(("SystemTime", bare_day(&text(field::START_DATE)?)?)),
            ("Task", 0x8105) => Some(("SystemTime", bare_day(&text(field::DUE_DATE)?)?)),
            ("Common", 0x8503) => Some(("Boolean", text(field::REMINDER_IS_SET)?)),
            _ => None,
        };
    }
    Some(match (set, id) {
        // PidLidRecurring, of masters and exceptions
        ("Appointment", 0x8223) => {
            let master = view.item.properties.get(field::RECURRENCE).is_some() && view.occurrence.is_none();
            ("Boolean", master.to_string())
        }
        ("Appointment", 0x8205) => {
            let words = ["Free", "Tentative", "Busy", "OOF", "WorkingElsewhere"];
            let status = text(field::LEGACY_FREE_BUSY_STATUS)?;
            ("Integer", words.iter().position(|w| *w == status)?.to_string())
        }
        ("Appointment", 0x820D) => ("SystemTime", text(field::START)?),
        ("Appointment", 0x820E) => ("SystemTime", text(field::END)?),
        ("Appointment", 0x8208) => ("String", text(field::LOCATION)?),
        ("Appointment", 0x8215) => ("Boolean", text(field::IS_ALL_DAY_EVENT)?),
        ("Appointment", 0x8217) => ("Integer", text(field::APPOINTMENT_STATE)?),
        ("Common", 0x8503) => ("Boolean", text(field::REMINDER_IS_SET)?),
        ("Common", 0x8501) => ("Integer", text(field::REMINDER_MINUTES_BEFORE_START)?),
        // PidLidGlobalObjectId and its clean form
        ("Meeting", 0x03 | 0x23) => ("Binary", STANDARD.encode(global_id(&text(field::UID)?))),
        _ => return None,
    })
}

/// The clean global object id of a UID: its octets, or the UID wrapped up. MS-OXOCAL 2.2.1.28
fn global_id(uid: &str) -> Vec<u8> {
    let pairs = uid.as_bytes().as_chunks::<2>();
    let hex = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if let (pairs, []) = pairs
        && let Some(octets) = pairs.iter().map(hex).collect::<Option<Vec<u8>>>()
        && octets.starts_with(&GLOBAL_ID)
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
    use super::global_id;

    #[test]
    fn foreign_uids_are_wrapped_with_a_closing_nul() {
        let id = global_id("{81412D3C-2A24-4E9D-B20E-11F7BBE92799}");
        assert_eq!(id.get(36..40), Some([0x33, 0, 0, 0].as_slice()));
        assert_eq!(id.last(), Some(&0));
        assert_eq!(id.len(), 40 + 0x33);
    }
}
