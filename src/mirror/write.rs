//! Writing what a refresh found: staging, and making the staged visible.

use super::entry::Entry;
use super::members::{Members, folder_of, store_folder};
use super::store::{Error, Mirror};
use super::tables::{
    BODIES, DISPLACED, ENDED, FOLDERS, Folder, HEADS, LOG, META, NAMES, PARTS, REVISIONS, SHOWN, STAGE, UIDS,
    WRITTEN, damaged,
};
use super::times::Times;
use crate::model::collection::Collection;
use crate::model::id::{CollectionId, UpstreamId};
use redb::{ReadableTable as _, WriteTransaction};
use std::collections::HashSet;

/// What a refresh found out.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// Items that are gone.
    pub gone: Vec<UpstreamId>,
    /// Items of [`Mirror::written`] before this refresh: it has mentioned them, or looked for them.
    pub seen: Vec<UpstreamId>,
    /// Items that this refresh has mentioned as written, or looked for. What an interrupted one has staged beside them is
    /// from before: it may have come and gone since, which SyncFolderItems does not mention.
    pub current: HashSet<UpstreamId>,
    /// `Some` after a resync from nothing: only these are there.
    pub only: Option<HashSet<UpstreamId>>,
    /// Where SyncFolderItems goes on.
    pub cursor: Option<String>,
    /// The folder's stamp, if it proves something.
    pub stamp: Option<String>,
}

impl Mirror {
    /// Stores what collections there are; what is missing is forgotten with everything in it.
    pub fn set_collections(&self, collections: &[Collection], state: Option<&str>) -> Result<(), Error> {
        let write = self.begin()?;
        let known: Vec<Folder> = self.folders()?;
        let lost = known.iter().filter(|f| !collections.iter().any(|c| c.id == f.collection.id));
        for folder in lost {
            let id = folder.collection.id.as_str();
            write.open_table(FOLDERS)?.remove(id)?;
            write.open_table(HEADS)?.retain(|(collection, _), _| collection != id)?;
            write.open_table(BODIES)?.retain(|(collection, _), _| collection != id)?;
            write.open_table(NAMES)?.retain(|(collection, _), _| collection != id)?;
            write.open_table(UIDS)?.retain(|(collection, ..), ()| collection != id)?;
            write.open_table(LOG)?.retain(|(collection, _), _| collection != id)?;
            write.open_table(REVISIONS)?.retain(|(collection, _), _| collection != id)?;
            write.open_table(STAGE)?.retain(|(collection, _), _| collection != id)?;
            write.open_table(WRITTEN)?.retain(|(collection, _), ()| collection != id)?;
            write.open_table(DISPLACED)?.retain(|(collection, ..), ()| collection != id)?;
            write.open_table(ENDED)?.retain(|(collection, _), _| collection != id)?;
            write.open_table(SHOWN)?.retain(|(collection, _), ()| collection != id)?;
            write.open_table(PARTS)?.retain(|(collection, _), _| collection != id)?;
            Times::open(&write)?.forget(id)?;
        }
        let mut meta = write.open_table(META)?;
        // A collection that comes back must not honour the tokens of its former life.
        let spent = meta
            .get("spent")?
            .map_or(0, |row| row.value().try_into().map(u64::from_le_bytes).unwrap_or_default());
        let spent = known.iter().map(|folder| folder.revision).fold(spent, u64::max);
        meta.insert("spent", spent.to_le_bytes().as_slice())?;
        if let Some(state) = state {
            meta.insert("hierarchy", state.as_bytes())?;
        }
        drop(meta);
        for collection in collections {
            let folder = match known.iter().find(|f| f.collection.id == collection.id) {
                // Another folder behind the same path: nothing of the old one holds.
                Some(old) if old.collection.upstream != collection.upstream => {
                    Folder { collection: collection.clone(), cursor: None, stamp: None, ..old.clone() }
                }
                Some(old) => Folder { collection: collection.clone(), ..old.clone() },
                None => {
                    // One above what was spent, so that a token of before is below the floor.
                    let first = if spent == 0 { 0 } else { spent + 1 };
                    Folder { revision: first, floor: first, ..Folder::new(collection.clone()) }
                }
            };
            store_folder(&write, &folder)?;
        }
        self.commit_folders(write)
    }

    /// Lays fetched items aside; nobody sees them before [`Mirror::commit`].
    pub fn stage(&self, id: &CollectionId, entries: &[Entry]) -> Result<(), Error> {
        let write = self.begin()?;
        if folder_of(&write, id)?.is_some() {
            let mut members = Members::open(&write, id)?;
            for entry in entries {
                members.stage(entry)?;
            }
        }
        write.commit()?;
        Ok(())
    }

    /// Makes what is staged of a collection visible that has no cursor yet: a part of its first fill. Whoever needs
    /// the whole collection waits for [`Mirror::commit`]; what was recorded since [`Mirror::begin_refresh`] stays.
    pub fn commit_part(&self, id: &CollectionId) -> Result<(), Error> {
        let write = self.begin()?;
        let Some(mut folder) = folder_of(&write, id)? else { return Ok(()) };
        let recorded = self.recorded(id);
        {
            let mut members = Members::open(&write, id)?;
            for item in members.staged()? {
                let Some(entry) = members.take_staged(&item)? else { continue };
                if !recorded.contains(&item) {
                    members.put(&mut folder, &entry)?;
                }
            }
        }
        store_folder(&write, &folder)?;
        self.commit_folders(write)
    }

    /// Makes everything staged visible, with what is gone and the cursor that says so, at once.
    ///
    /// Where a write that was recorded since [`Mirror::begin_refresh`] disagrees, the write stays and the cursor
    /// does not advance: the next refresh looks at the same changes again. After a look from nothing it advances all the
    /// same: what was recorded is looked for by the next refresh anyway, see [`Mirror::written`], and to begin anew
    /// would take as long as the first fill did.
    pub fn commit(&self, id: &CollectionId, commit: &Commit) -> Result<(), Error> {
        let write = self.begin()?;
        let Some(mut folder) = folder_of(&write, id)? else { return Ok(()) };
        let Commit { gone, seen, current, only, cursor, stamp } = commit;
        let recorded = self.recorded(id);
        let before = folder.revision;
        let mut agrees = true;
        let mut entered = Vec::new();
        {
            let mut members = Members::open(&write, id)?;
            let lost = match only {
                None => Vec::new(),
                Some(only) => members.items()?.into_iter().filter(|item| !only.contains(item)).collect(),
            };
            for item in gone.iter().chain(&lost) {
                if recorded.contains(item) {
                    agrees &= members.name_of(item)?.is_none();
                } else {
                    members.remove(&mut folder, item)?;
                }
            }
            let gone: HashSet<&UpstreamId> = gone.iter().collect();
            for item in members.staged()? {
                let Some(entry) = members.take_staged(&item)? else { continue };
                let is_there = !gone.contains(&item)
                    && match only {
                        Some(only) => only.contains(&item),
                        None => current.contains(&item) || members.name_of(&item)?.is_some(),
                    };
                if recorded.contains(&item) {
                    agrees &= members.version_of(&item)?.as_ref() == Some(&entry.version);
                } else if is_there {
                    members.put(&mut folder, &entry)?;
                    entered.push(item);
                }
            }
            members.prune(&mut folder, before, self.settings.most_gone)?;
        }
        if agrees || only.is_some() {
            folder.cursor.clone_from(cursor);
            folder.stamp.clone_from(stamp);
            let mut written = write.open_table(WRITTEN)?;
            for item in seen.iter().chain(gone).filter(|item| !recorded.contains(*item)) {
                written.remove((id.as_str(), item.0.as_str()))?;
            }
        } else {
            folder.stamp = None;
            // They are visible and newer than the cursor: the next refresh has to look whether they still are.
            let mut written = write.open_table(WRITTEN)?;
            for item in &entered {
                written.insert((id.as_str(), item.0.as_str()), ())?;
            }
        }
        store_folder(&write, &folder)?;
        self.commit_folders(write)
    }
}

/// Lets every item be fetched and rendered anew; what is visible stays so until then.
pub(super) fn forget_versions(write: &WriteTransaction) -> Result<(), Error> {
    let mut heads = write.open_table(HEADS)?;
    let bodies = write.open_table(BODIES)?;
    let mut anew = Vec::new();
    for row in heads.iter()? {
        let (key, value) = row?;
        let body = bodies.get(key.value())?;
        let entry = body.and_then(|body| Entry::unpack(value.value(), body.value()));
        let mut entry = entry.ok_or_else(damaged)?;
        entry.version.0.clear();
        let (collection, name) = key.value();
        anew.push((collection.to_owned(), name.to_owned(), entry.pack_head()));
    }
    for (collection, name, head) in anew {
        heads.insert((collection.as_str(), name.as_str()), head.as_slice())?;
    }
    let mut parts = write.open_table(PARTS)?;
    let mut anew = Vec::new();
    for row in parts.iter()? {
        let (key, value) = row?;
        let (head, body) = value.value();
        let mut entry = Entry::unpack(head, body).ok_or_else(damaged)?;
        entry.version.0.clear();
        let (collection, item) = key.value();
        anew.push((collection.to_owned(), item.to_owned(), entry));
    }
    for (collection, item, entry) in anew {
        let (head, body) = (entry.pack_head(), entry.pack_body());
        parts.insert((collection.as_str(), item.as_str()), (head.as_slice(), body.as_slice()))?;
    }
    write.open_table(STAGE)?.retain(|_, _| false)?;
    let mut table = write.open_table(FOLDERS)?;
    let mut folders = Vec::new();
    for row in table.iter()? {
        folders.push(Folder::unpack(row?.1.value()).ok_or_else(damaged)?);
    }
    for mut folder in folders {
        folder.cursor = None;
        folder.stamp = None;
        table.insert(folder.collection.id.as_str(), folder.pack().as_slice())?;
    }
    Ok(())
}
