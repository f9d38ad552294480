//! What this gateway wrote itself: it enters the mirror as soon as Exchange has acknowledged it.

use super::entry::Entry;
use super::members::{Members, folder_of, store_folder};
use super::store::{Error, Mirror};
use super::tables::WRITTEN;
use crate::model::id::{CollectionId, ResourceName, UpstreamId};
use crate::model::object::Head;
use std::collections::HashSet;

/// One acknowledged write: a moved item is new in one collection and gone from another.
#[derive(Clone, Debug, Default)]
pub struct Deed {
    /// New items and new versions.
    pub written: Vec<(CollectionId, Entry)>,
    /// Items that are gone.
    pub gone: Vec<(CollectionId, UpstreamId)>,
}

impl Mirror {
    /// Enters an acknowledged write; durable when this returns. Gives the heads of what was written, in order.
    ///
    /// A refresh that is under way may have asked Exchange before the write: for these items this one is believed.
    pub fn record(&self, deed: &Deed) -> Result<Vec<Head>, Error> {
        let write = self.begin()?;
        let mut heads = Vec::with_capacity(deed.written.len());
        for (id, item) in &deed.gone {
            let Some(mut folder) = folder_of(&write, id)? else { continue };
            {
                let mut members = Members::open(&write, id)?;
                members.remove(&mut folder, item)?;
                members.unstage(item)?;
            }
            write.open_table(WRITTEN)?.remove((id.as_str(), item.0.as_str()))?;
            self.fence(id, item);
            store_folder(&write, &folder)?;
        }
        for (id, entry) in &deed.written {
            let mut folder = folder_of(&write, id)?.ok_or_else(|| Error::NoCollection(id.clone()))?;
            let name = {
                let mut members = Members::open(&write, id)?;
                members.unstage(&entry.upstream)?;
                members.put(&mut folder, entry)?
            };
            write.open_table(WRITTEN)?.insert((id.as_str(), entry.upstream.0.as_str()), ())?;
            self.fence(id, &entry.upstream);
            store_folder(&write, &folder)?;
            heads.push(entry.head(name));
        }
        write.commit()?;
        Ok(heads)
    }

    /// From here on a refresh of this collection may ask Exchange: what is recorded later is newer than its answers.
    pub fn begin_refresh(&self, id: &CollectionId) {
        self.fences().remove(id);
    }

    fn fence(&self, id: &CollectionId, item: &UpstreamId) {
        self.fences().entry(id.clone()).or_default().insert(item.clone());
    }

    /// What was recorded since the refresh began.
    pub(super) fn recorded(&self, id: &CollectionId) -> HashSet<UpstreamId> {
        self.fences().get(id).cloned().unwrap_or_default()
    }

    /// The members of a collection with this UID: at most one, unless somebody copied it.
    pub fn with_uid(&self, id: &CollectionId, uid: &str) -> Result<Vec<ResourceName>, Error> {
        let all = self.list(id)?;
        Ok(all.into_iter().filter(|listed| listed.uid == uid).map(|listed| listed.head.name).collect())
    }
}
