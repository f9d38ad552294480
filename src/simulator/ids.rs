//! Ids as clients see them: opaque, case-sensitive base64 with everything needed to find the thing again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::item::{Change, FolderKey, ItemKey};
use super::mailbox::Mailbox;

/// What an id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A folder.
    Folder(FolderKey),
    /// An item.
    Item(ItemKey),
    /// An occurrence of a series, by its original start.
    Occurrence(ItemKey, Timestamp),
    /// An attachment of an item or of an occurrence.
    Attachment(ItemKey, Option<Timestamp>, u64),
}

/// Octets of an id: long enough that 140 characters and more come out, as with real ones.
const LENGTH: usize = 108;

/// The id of a thing in a mailbox.
pub fn encode(mailbox: &Mailbox, named: Named) -> String {
    let (kind, key, start, number) = match named {
        Named::Folder(key) => (1_u8, key.0, None, 0),
        Named::Item(key) => (2, key.0, None, 0),
        Named::Occurrence(key, start) => (3, key.0, Some(start), 0),
        Named::Attachment(key, start, number) => (4, key.0, start, number),
    };
    let mut octets = vec![0, 1, kind, u8::from(start.is_some())];
    octets.extend_from_slice(&mailbox.guid);
    octets.extend_from_slice(&key.to_be_bytes());
    octets.extend_from_slice(&start.map_or(0, Timestamp::as_second).to_be_bytes());
    octets.extend_from_slice(&number.to_be_bytes());
    if kind != 1 {
        octets.resize(LENGTH, 0);
    }
    STANDARD.encode(octets)
}

/// What an id names, with the mailbox it is of; `None` for text that is no id.
pub fn decode(text: &str) -> Option<([u8; 16], Named)> {
    let octets = STANDARD.decode(text).ok()?;
    let kind = *octets.get(2)?;
    let has_start = *octets.get(3)? == 1;
    let guid: [u8; 16] = octets.get(4..20)?.try_into().ok()?;
    let word = |at: usize| Some(u64::from_be_bytes(octets.get(at..at + 8)?.try_into().ok()?));
    let key = word(20)?;
    let start = Timestamp::from_second(word(28)?.cast_signed()).ok()?;
    let number = word(36)?;
    let named = match kind {
        1 => Named::Folder(FolderKey(key)),
        2 => Named::Item(ItemKey(key)),
        3 => Named::Occurrence(ItemKey(key), start),
        4 => Named::Attachment(ItemKey(key), has_start.then_some(start), number),
        _ => return None,
    };
    Some((guid, named))
}

/// The ChangeKey of a write.
pub fn change_key(change: Change) -> String {
    let mut octets = vec![0x45, 0, 0, 0, 0x14, 0, 0, 0];
    octets.extend_from_slice(&change.0.to_be_bytes());
    octets.extend_from_slice(&[0x9E, 0x37, 0x79, 0xB9]);
    STANDARD.encode(octets)
}

/// The write that a ChangeKey is of.
pub fn read_change_key(text: &str) -> Option<Change> {
    let octets = STANDARD.decode(text).ok()?;
    Some(Change(u64::from_be_bytes(octets.get(8..16)?.try_into().ok()?)))
}

/// What a SyncState remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncState {
    /// Of the folder tree, not of a folder's contents.
    pub is_hierarchy: bool,
    /// The folder, or the root.
    pub folder: FolderKey,
    /// Everything up to this write was told.
    pub seen: Change,
}

/// A SyncState as text.
pub fn encode_sync_state(guid: &[u8; 16], state: SyncState) -> String {
    let mut octets = vec![7, u8::from(state.is_hierarchy)];
    octets.extend_from_slice(guid);
    octets.extend_from_slice(&state.folder.0.to_be_bytes());
    octets.extend_from_slice(&state.seen.0.to_be_bytes());
    STANDARD.encode(octets)
}

/// What a SyncState remembers; `None` for text that is none, or of another mailbox.
pub fn decode_sync_state(guid: &[u8; 16], text: &str) -> Option<SyncState> {
    let octets = STANDARD.decode(text.trim()).ok()?;
    let word = |at: usize| Some(u64::from_be_bytes(octets.get(at..at + 8)?.try_into().ok()?));
    if octets.len() != 34 || octets.first() != Some(&7) || octets.get(2..18)? != guid {
        return None;
    }
    Some(SyncState {
        is_hierarchy: *octets.get(1)? == 1,
        folder: FolderKey(word(18)?),
        seen: Change(word(26)?),
    })
}
