//! Moves and copies of several calls that have been begun: what a kill leaves half done is found here afterwards.

use super::entry::{Packer, Unpacker};
use super::store::{Error, Mirror};
use super::tables::{ARRIVALS, damaged};
use crate::model::id::{CollectionId, ResourceName, UpstreamId, UpstreamVersion};
use redb::ReadableTable as _;

/// An object on its way to a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingMove {
    /// Where it is to be.
    pub collection: CollectionId,
    /// What it is to be called there.
    pub name: ResourceName,
    /// Its UID.
    pub uid: String,
    /// What had the name before and is to go, unless somebody changes it meanwhile.
    pub replaces: Option<(UpstreamId, UpstreamVersion)>,
}

impl Mirror {
    /// Writes down that an object is on its way; durable when this returns.
    pub fn begin_move(&self, arrival: &PendingMove) -> Result<(), Error> {
        let mut packer = Packer::default();
        let replaces = arrival.replaces.as_ref();
        packer
            .text(&arrival.uid)
            .optional(replaces.map(|(item, _)| item.0.as_str()))
            .optional(replaces.map(|(_, version)| version.0.as_str()));
        let write = self.begin()?;
        let key = (arrival.collection.as_str(), arrival.name.as_str());
        write.open_table(ARRIVALS)?.insert(key, packer.0.as_slice())?;
        write.commit()?;
        Ok(())
    }

    /// It is there, or never will be.
    pub fn end_arrival(&self, id: &CollectionId, name: &ResourceName) -> Result<(), Error> {
        let write = self.begin()?;
        write.open_table(ARRIVALS)?.remove((id.as_str(), name.as_str()))?;
        write.commit()?;
        Ok(())
    }

    /// What is on its way.
    pub fn arrivals(&self) -> Result<Vec<PendingMove>, Error> {
        let read = self.begin_read()?;
        let mut found = Vec::new();
        for row in read.open_table(ARRIVALS)?.iter()? {
            let (key, value) = row?;
            found.push(arrival_of(key.value(), value.value()).ok_or_else(damaged)?);
        }
        Ok(found)
    }
}

fn arrival_of((collection, name): (&str, &str), packed: &[u8]) -> Option<PendingMove> {
    let mut u = Unpacker(packed);
    Some(PendingMove {
        collection: collection.parse().ok()?,
        name: name.parse().ok()?,
        uid: u.text()?,
        replaces: u.optional()?.map(UpstreamId).zip(u.optional()?.map(UpstreamVersion)),
    })
}
