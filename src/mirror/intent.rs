//! Writes of several calls that have been begun: what a kill leaves half done is found here afterwards.

use super::entry::{Packer, Unpacker};
use super::store::{Error, Mirror};
use super::tables::{INTENTS, damaged};
use crate::model::id::{CollectionId, ResourceName, UpstreamVersion};
use bytes::Bytes;
use jiff::Timestamp;
use redb::ReadableTable as _;

/// Who is still to be told of a write, by its last call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PendingNotification {
    /// Nobody: there is nothing to be told, or an earlier call tells.
    Nobody,
    /// Whom the last call concerns by itself.
    Concerned,
    /// All guests.
    All,
}

/// A write that takes several calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The collection.
    pub collection: CollectionId,
    /// The member.
    pub name: ResourceName,
    /// What was there before; `None`: nothing.
    pub before: Option<UpstreamVersion>,
    /// When it was begun, for the log alone: clocks are set.
    pub since: Timestamp,
    /// Nobody has been told before its last call: half of it can be removed.
    pub can_be_undone: bool,
    /// Who is to be told when all is done.
    pub owed: PendingNotification,
    /// What the client wants to be there.
    pub body: Bytes,
    /// What was there before, in short, in the words of whoever compares it.
    pub trace: String,
}

impl Mirror {
    /// Writes down that a write begins; durable when this returns. One of the same text that is there already stays:
    /// what was before it is what was before both.
    pub fn begin_write_of(&self, intent: &Intent) -> Result<(), Error> {
        let write = self.begin()?;
        {
            let mut table = write.open_table(INTENTS)?;
            let key = (intent.collection.as_str(), intent.name.as_str());
            let known =
                table.get(key)?.map(|row| intent_of(key, row.value()).ok_or_else(damaged)).transpose()?;
            if known.is_some_and(|known| known.body == intent.body) {
                return Ok(());
            }
            let mut packer = Packer::default();
            packer
                .optional(intent.before.as_ref().map(|version| version.0.as_str()))
                .instant(Some(intent.since))
                .number(i64::from(intent.can_be_undone))
                .bytes(&intent.body)
                .number(match intent.owed {
                    PendingNotification::Nobody => 0,
                    PendingNotification::Concerned => 1,
                    PendingNotification::All => 2,
                })
                .bytes(intent.trace.as_bytes());
            table.insert(key, packer.0.as_slice())?;
        }
        write.commit()?;
        Ok(())
    }

    /// The write is done, or nothing of it is.
    pub fn end_write_of(&self, id: &CollectionId, name: &ResourceName) -> Result<(), Error> {
        let write = self.begin()?;
        write.open_table(INTENTS)?.remove((id.as_str(), name.as_str()))?;
        write.commit()?;
        Ok(())
    }

    /// What has been begun and not been ended.
    pub fn intents(&self) -> Result<Vec<Intent>, Error> {
        let read = self.begin_read()?;
        let mut found = Vec::new();
        for row in read.open_table(INTENTS)?.iter()? {
            let (key, value) = row?;
            found.push(intent_of(key.value(), value.value()).ok_or_else(damaged)?);
        }
        Ok(found)
    }
}

fn intent_of((collection, name): (&str, &str), packed: &[u8]) -> Option<Intent> {
    let mut u = Unpacker(packed);
    Some(Intent {
        collection: collection.parse().ok()?,
        name: name.parse().ok()?,
        before: u.optional()?.map(UpstreamVersion),
        since: u.instant()??,
        can_be_undone: u.number()? == 1,
        body: Bytes::copy_from_slice(u.bytes()?),
        owed: match u.number()? {
            0 => PendingNotification::Nobody,
            1 => PendingNotification::Concerned,
            _ => PendingNotification::All,
        },
        trace: String::from_utf8(u.bytes()?.to_vec()).ok()?,
    })
}
