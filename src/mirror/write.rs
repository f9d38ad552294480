//! Writing: staging, and making the staged visible.

use super::entry::{Entry, Unpacker};
use super::store::{Error, Mirror};
use super::tables::{BODIES, FOLDERS, Folder, HEADS, LOG, META, NAMES, REVISIONS, STAGE};
use crate::model::collection::Collection;
use crate::model::id::{CollectionId, ResourceName, UpstreamId};
use redb::{ReadableTable as _, Table, WriteTransaction};
use std::collections::HashSet;

/// Rows of names that are gone which a log keeps.
const MOST_GONE: usize = 20_000;

/// What a refresh found out.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// Items that are gone.
    pub gone: Vec<UpstreamId>,
    /// `Some` after a resync from nothing: only these are there.
    pub only: Option<HashSet<UpstreamId>>,
    /// Where SyncFolderItems goes on.
    pub sync_state: Option<String>,
    /// The folder's stamp, if it proves something.
    pub stamp: Option<String>,
}

/// The tables of a commit.
struct Tables<'t> {
    heads: Table<'t, (&'static str, &'static str), &'static [u8]>,
    bodies: Table<'t, (&'static str, &'static str), &'static [u8]>,
    names: Table<'t, (&'static str, &'static str), &'static str>,
    log: Table<'t, (&'static str, u64), &'static str>,
    revisions: Table<'t, (&'static str, &'static str), u64>,
}

impl<'t> Tables<'t> {
    fn open(write: &'t WriteTransaction) -> Result<Self, Error> {
        Ok(Self {
            heads: write.open_table(HEADS)?,
            bodies: write.open_table(BODIES)?,
            names: write.open_table(NAMES)?,
            log: write.open_table(LOG)?,
            revisions: write.open_table(REVISIONS)?,
        })
    }

    /// Notes that something happened to a name.
    fn note(&mut self, folder: &mut Folder, name: &str) -> Result<(), Error> {
        let id = folder.collection.id.as_str().to_owned();
        folder.revision += 1;
        let before = self.revisions.insert((id.as_str(), name), folder.revision)?.map(|row| row.value());
        if let Some(before) = before {
            self.log.remove((id.as_str(), before))?;
        }
        self.log.insert((id.as_str(), folder.revision), name)?;
        Ok(())
    }

    fn name_of(&self, id: &str, item: &UpstreamId) -> Result<Option<String>, Error> {
        Ok(self.names.get((id, item.0.as_str()))?.map(|row| row.value().to_owned()))
    }

    fn remove(&mut self, folder: &mut Folder, item: &UpstreamId) -> Result<(), Error> {
        let id = folder.collection.id.as_str().to_owned();
        if let Some(name) = self.name_of(&id, item)? {
            self.names.remove((id.as_str(), item.0.as_str()))?;
            self.heads.remove((id.as_str(), name.as_str()))?;
            self.bodies.remove((id.as_str(), name.as_str()))?;
            self.note(folder, &name)?;
        }
        Ok(())
    }

    fn put(&mut self, folder: &mut Folder, entry: &Entry) -> Result<ResourceName, Error> {
        let id = folder.collection.id.as_str().to_owned();
        let id = id.as_str();
        let old = self.name_of(id, &entry.upstream)?;
        let free = |tables: &Self, name: &str| {
            Ok::<bool, Error>(old.as_deref() == Some(name) || tables.heads.get((id, name))?.is_none())
        };
        let wanted = entry.name.as_str();
        // A name once given is kept, unless the item says otherwise and can have it.
        let name = if free(self, wanted)? { &entry.name } else { &entry.fallback_name };
        if let Some(old) = old.as_deref().filter(|old| *old != name.as_str()) {
            self.heads.remove((id, old))?;
            self.bodies.remove((id, old))?;
            self.note(folder, old)?;
        }
        let (head, body) = (entry.pack_head(), entry.pack_body());
        let key = (id, name.as_str());
        let same = self
            .heads
            .get(key)?
            .and_then(|row| Unpacker(row.value()).text())
            .is_some_and(|e| e == entry.etag.0);
        self.names.insert((id, entry.upstream.0.as_str()), name.as_str())?;
        self.heads.insert(key, head.as_slice())?;
        self.bodies.insert(key, body.as_slice())?;
        if !same {
            self.note(folder, name.as_str())?;
        }
        Ok(name.clone())
    }

    /// Drops the oldest rows of names that are gone.
    fn prune(&mut self, folder: &mut Folder) -> Result<(), Error> {
        let id = folder.collection.id.as_str().to_owned();
        let id = id.as_str();
        let mut gone = Vec::new();
        for row in self.log.range((id, 0)..=(id, u64::MAX))? {
            let (key, name) = row?;
            if self.heads.get((id, name.value()))?.is_none() {
                gone.push((key.value().1, name.value().to_owned()));
            }
        }
        let surplus = gone.len().saturating_sub(MOST_GONE);
        for (revision, name) in gone.into_iter().take(surplus) {
            self.log.remove((id, revision))?;
            self.revisions.remove((id, name.as_str()))?;
            folder.floor = revision;
        }
        Ok(())
    }
}

fn damaged() -> Error {
    Error::Damaged("an entry cannot be read".to_owned())
}

fn folder_of(write: &WriteTransaction, id: &CollectionId) -> Result<Option<Folder>, Error> {
    let table = write.open_table(FOLDERS)?;
    let found = table.get(id.as_str())?;
    found.map(|row| Folder::unpack(row.value()).ok_or_else(damaged)).transpose()
}

fn store_folder(write: &WriteTransaction, folder: &Folder) -> Result<(), Error> {
    let packed = folder.pack();
    write.open_table(FOLDERS)?.insert(folder.collection.id.as_str(), packed.as_slice())?;
    Ok(())
}

impl Mirror {
    /// Stores what collections there are; what is missing is forgotten with everything in it.
    pub fn set_collections(&self, collections: &[Collection], state: Option<&str>) -> Result<(), Error> {
        let write = self.begin()?;
        let known: Vec<Folder> = self.folders()?;
        for collection in collections {
            let folder = match known.iter().find(|f| f.collection.id == collection.id) {
                Some(old) => Folder { collection: collection.clone(), ..old.clone() },
                None => Folder::new(collection.clone()),
            };
            store_folder(&write, &folder)?;
        }
        for lost in known.iter().filter(|f| !collections.iter().any(|c| c.id == f.collection.id)) {
            let id = lost.collection.id.as_str();
            write.open_table(FOLDERS)?.remove(id)?;
            write.open_table(HEADS)?.retain(|(collection, _), _| collection != id)?;
            write.open_table(BODIES)?.retain(|(collection, _), _| collection != id)?;
            write.open_table(NAMES)?.retain(|(collection, _), _| collection != id)?;
            write.open_table(LOG)?.retain(|(collection, _), _| collection != id)?;
            write.open_table(REVISIONS)?.retain(|(collection, _), _| collection != id)?;
            write.open_table(STAGE)?.retain(|(collection, _), _| collection != id)?;
        }
        if let Some(state) = state {
            write.open_table(META)?.insert("hierarchy", state.as_bytes())?;
        }
        write.commit()?;
        Ok(())
    }

    /// Lays fetched items aside; nobody sees them before [`Mirror::commit`].
    pub fn stage(&self, id: &CollectionId, entries: &[Entry]) -> Result<(), Error> {
        let write = self.begin()?;
        {
            let mut table = write.open_table(STAGE)?;
            for entry in entries {
                let (head, body) = (entry.pack_head(), entry.pack_body());
                let key = (id.as_str(), entry.upstream.0.as_str());
                table.insert(key, (head.as_slice(), body.as_slice()))?;
            }
        }
        write.commit()?;
        Ok(())
    }

    /// Makes everything staged visible, with what is gone and the SyncState that says so, at once.
    pub fn commit(&self, id: &CollectionId, commit: &Commit) -> Result<(), Error> {
        let write = self.begin()?;
        let Some(mut folder) = folder_of(&write, id)? else { return Ok(()) };
        {
            let mut tables = Tables::open(&write)?;
            for item in &commit.gone {
                tables.remove(&mut folder, item)?;
            }
            if let Some(only) = &commit.only {
                let mut lost = Vec::new();
                for row in tables.names.range((id.as_str(), "")..)? {
                    let (key, _) = row?;
                    let (collection, item) = key.value();
                    if collection != id.as_str() {
                        break;
                    }
                    let item = UpstreamId(item.to_owned());
                    if !only.contains(&item) {
                        lost.push(item);
                    }
                }
                for item in lost {
                    tables.remove(&mut folder, &item)?;
                }
            }
            let mut staged = write.open_table(STAGE)?;
            let mut told = Vec::new();
            for row in staged.range((id.as_str(), "")..)? {
                let (key, value) = row?;
                let (collection, item) = key.value();
                if collection != id.as_str() {
                    break;
                }
                told.push(item.to_owned());
                let (head, body) = value.value();
                let entry = Entry::unpack(head, body).ok_or_else(damaged)?;
                let lost = commit.gone.contains(&entry.upstream)
                    || commit.only.as_ref().is_some_and(|only| !only.contains(&entry.upstream));
                if !lost {
                    tables.put(&mut folder, &entry)?;
                }
            }
            for item in told {
                staged.remove((id.as_str(), item.as_str()))?;
            }
            if !commit.gone.is_empty() || commit.only.is_some() {
                tables.prune(&mut folder)?;
            }
        }
        folder.sync_state.clone_from(&commit.sync_state);
        folder.stamp.clone_from(&commit.stamp);
        store_folder(&write, &folder)?;
        write.commit()?;
        Ok(())
    }

    /// Notes a folder's stamp without any change of its members.
    pub fn set_stamp(&self, id: &CollectionId, stamp: Option<String>) -> Result<(), Error> {
        let write = self.begin()?;
        if let Some(mut folder) = folder_of(&write, id)? {
            folder.stamp = stamp;
            store_folder(&write, &folder)?;
        }
        write.commit()?;
        Ok(())
    }

    /// Lets every item be fetched and rendered anew; what is visible stays so until then.
    pub(super) fn forget_versions(&self) -> Result<(), Error> {
        let write = self.begin()?;
        {
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
        }
        write.open_table(STAGE)?.retain(|_, _| false)?;
        for mut folder in self.folders()? {
            folder.sync_state = None;
            folder.stamp = None;
            store_folder(&write, &folder)?;
        }
        write.commit()?;
        Ok(())
    }

    fn begin(&self) -> Result<WriteTransaction, Error> {
        let mut write = self.db.begin_write()?;
        // A kill leaves a file that opens at once.
        write.set_quick_repair(true);
        Ok(write)
    }
}
