//! Members and the change log, inside one transaction.

use super::entry::{Entry, Unpacker};
use super::store::Error;
use super::tables::{
    BODIES, DISPLACED, FOLDERS, Folder, HEADS, LOG, Listed, NAMES, PARTS, REVISIONS, SHOWN, STAGE, UIDS,
    damaged, listed,
};
use super::times::Times;
use super::window::has_ended;
use crate::model::id::{CollectionId, ResourceName, UpstreamId, UpstreamVersion};
use crate::model::object::Span;
use redb::{ReadableTable as _, Table, WriteTransaction};

/// The tables of one collection's members.
pub(super) struct Members<'t> {
    id: String,
    heads: Table<'t, (&'static str, &'static str), &'static [u8]>,
    bodies: Table<'t, (&'static str, &'static str), &'static [u8]>,
    names: Table<'t, (&'static str, &'static str), &'static str>,
    uids: Table<'t, (&'static str, &'static str, &'static str), ()>,
    times: Times<'t>,
    displaced: Table<'t, (&'static str, &'static str, &'static str), ()>,
    shown: Table<'t, (&'static str, &'static str), ()>,
    log: Table<'t, (&'static str, u64), &'static str>,
    revisions: Table<'t, (&'static str, &'static str), u64>,
    staged: Table<'t, (&'static str, &'static str), (&'static [u8], &'static [u8])>,
    pub(super) parts: Table<'t, (&'static str, &'static str), (&'static [u8], &'static [u8])>,
}

impl<'t> Members<'t> {
    pub(super) fn open(write: &'t WriteTransaction, id: &CollectionId) -> Result<Self, Error> {
        Ok(Self {
            id: id.as_str().to_owned(),
            heads: write.open_table(HEADS)?,
            bodies: write.open_table(BODIES)?,
            names: write.open_table(NAMES)?,
            uids: write.open_table(UIDS)?,
            times: Times::open(write)?,
            displaced: write.open_table(DISPLACED)?,
            shown: write.open_table(SHOWN)?,
            log: write.open_table(LOG)?,
            revisions: write.open_table(REVISIONS)?,
            staged: write.open_table(STAGE)?,
            parts: write.open_table(PARTS)?,
        })
    }

    /// Notes that something happened to a name.
    fn note(&mut self, folder: &mut Folder, name: &str) -> Result<(), Error> {
        let id = self.id.as_str();
        folder.revision += 1;
        let before = self.revisions.insert((id, name), folder.revision)?.map(|row| row.value());
        if let Some(before) = before {
            self.log.remove((id, before))?;
        }
        self.log.insert((id, folder.revision), name)?;
        Ok(())
    }

    /// The name of an item that is a member.
    pub(super) fn name_of(&self, item: &UpstreamId) -> Result<Option<String>, Error> {
        Ok(self.names.get((self.id.as_str(), item.0.as_str()))?.map(|row| row.value().to_owned()))
    }

    /// The version of an item that is a member.
    pub(super) fn version_of(&self, item: &UpstreamId) -> Result<Option<UpstreamVersion>, Error> {
        if let Some(part) = self.part(item)? {
            return Ok(Some(part.version));
        }
        let Some(name) = self.name_of(item)? else { return Ok(None) };
        let Some(head) = self.heads.get((self.id.as_str(), name.as_str()))? else { return Ok(None) };
        Ok(Some(Entry::unpack_head(head.value()).ok_or_else(damaged)?.version))
    }

    /// All items that are members.
    pub(super) fn items(&self) -> Result<Vec<UpstreamId>, Error> {
        let mut items = Vec::new();
        for row in self.names.range((self.id.as_str(), "")..)? {
            let (key, _) = row?;
            let (collection, item) = key.value();
            if collection != self.id {
                break;
            }
            items.push(UpstreamId(item.to_owned()));
        }
        Ok(items)
    }

    /// Removes an item, if it is a member.
    pub(super) fn remove(&mut self, folder: &mut Folder, item: &UpstreamId) -> Result<(), Error> {
        if let Some(part) = self.part(item)? {
            return self.remove_part(folder, &part);
        }
        if let Some(name) = self.name_of(item)? {
            self.names.remove((self.id.as_str(), item.0.as_str()))?;
            self.remove_name(folder, &name)?;
            self.give_back(folder, &name)?;
        }
        Ok(())
    }

    /// A name has become free: whoever should have it gets it.
    pub(super) fn give_back(&mut self, folder: &mut Folder, name: &str) -> Result<(), Error> {
        let id = self.id.clone();
        let mut waiting = Vec::new();
        for row in self.displaced.range((id.as_str(), name, "")..)? {
            let (key, _) = row?;
            let (collection, wanted, item) = key.value();
            if (collection, wanted) != (id.as_str(), name) {
                break;
            }
            waiting.push(UpstreamId(item.to_owned()));
        }
        for item in waiting {
            self.displaced.remove((id.as_str(), name, item.0.as_str()))?;
            let Some(current) = self.name_of(&item)? else { continue };
            let key = (id.as_str(), current.as_str());
            let entry = match (self.heads.get(key)?, self.bodies.get(key)?) {
                (Some(head), Some(body)) => Entry::unpack(head.value(), body.value()).ok_or_else(damaged)?,
                _ => continue,
            };
            if entry.name.as_str() == name {
                // The first one takes the name, the others are displaced again.
                if entry.parts.is_empty() {
                    self.put_member(folder, &entry)?;
                } else {
                    self.combine_again(folder, &entry.uid)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn remove_name(&mut self, folder: &mut Folder, name: &str) -> Result<(), Error> {
        let was_shown = self.is_shown(folder, name)?;
        self.forget_indexed(name)?;
        self.heads.remove((self.id.as_str(), name))?;
        self.bodies.remove((self.id.as_str(), name))?;
        self.shown.remove((self.id.as_str(), name))?;
        if was_shown { self.note(folder, name) } else { Ok(()) }
    }

    /// Whether there is a member of that name that readers see.
    fn is_shown(&self, folder: &Folder, name: &str) -> Result<bool, Error> {
        let key = (self.id.as_str(), name);
        let Some(head) = self.heads.get(key)? else { return Ok(false) };
        let span = listed(name, head.value()).ok_or_else(damaged)?.span;
        Ok(!has_ended(folder.horizon, &span) || self.shown.get(key)?.is_some())
    }

    /// A member is shown until the horizon moves, however long ago it ended: somebody here has just written it.
    pub(super) fn show(
        &mut self,
        folder: &mut Folder,
        name: &ResourceName,
        span: &Span,
    ) -> Result<(), Error> {
        let key = (self.id.as_str(), name.as_str());
        if !has_ended(folder.horizon, span) || self.shown.insert(key, ())?.is_some() {
            return Ok(());
        }
        self.note(folder, name.as_str())
    }

    /// From now on other members are shown: those that ended after this.
    pub(super) fn move_horizon(&mut self, folder: &mut Folder, horizon: Option<i64>) -> Result<(), Error> {
        let id = self.id.clone();
        let mut changed = Vec::new();
        for row in self.heads.range((id.as_str(), "")..)? {
            let (key, head) = row?;
            let (collection, name) = key.value();
            if collection != id {
                break;
            }
            let span = listed(name, head.value()).ok_or_else(damaged)?.span;
            let was_shown =
                !has_ended(folder.horizon, &span) || self.shown.get((id.as_str(), name))?.is_some();
            if was_shown == has_ended(horizon, &span) {
                changed.push(name.to_owned());
            }
        }
        folder.horizon = horizon;
        self.shown.retain(|(collection, _), ()| collection != id)?;
        changed.iter().try_for_each(|name| self.note(folder, name))
    }

    /// A name no longer has the UID and the times that it had.
    fn forget_indexed(&mut self, name: &str) -> Result<(), Error> {
        let id = self.id.as_str();
        let Listed { uid, span, .. } = match self.heads.get((id, name))? {
            Some(head) => listed(name, head.value()).ok_or_else(damaged)?,
            None => return Ok(()),
        };
        self.uids.remove((id, uid.as_str(), name))?;
        self.times.remove(id, name, &span)
    }

    /// Enters an item, or its new version; gives the name that it has.
    pub(super) fn put(&mut self, folder: &mut Folder, entry: &Entry) -> Result<ResourceName, Error> {
        let was_part = self.part(&entry.upstream)?;
        if let Some(part) = was_part.filter(|part| !entry.is_part() || part.uid != entry.uid) {
            self.remove_part(folder, &part)?;
        }
        if !entry.is_part() {
            return self.put_member(folder, entry);
        }
        // What was an object of its own until now is none any more.
        if let Some(name) = self.name_of(&entry.upstream)? {
            let there = self.heads.get((self.id.as_str(), name.as_str()))?;
            let there = there.map(|row| Entry::unpack_head(row.value()).ok_or_else(damaged)).transpose()?;
            let is_own = there.is_some_and(|there| there.parts.is_empty());
            if is_own && self.made_of_parts(&entry.uid)?.is_some() {
                self.remove(folder, &entry.upstream)?;
            }
        }
        self.put_part(folder, entry)
    }

    /// Enters an object as clients see it.
    pub(super) fn put_member(&mut self, folder: &mut Folder, entry: &Entry) -> Result<ResourceName, Error> {
        let old = self.name_of(&entry.upstream)?;
        let is_free = |name: &ResourceName| {
            let is_own = old.as_deref() == Some(name.as_str());
            Ok::<bool, Error>(is_own || self.heads.get((self.id.as_str(), name.as_str()))?.is_none())
        };
        let is_wanted_free = is_free(&entry.name)?;
        let mut name = if is_wanted_free { entry.name.clone() } else { entry.fallback_name.clone() };
        let mut tries = 0_u32;
        while !is_free(&name)? {
            // Only a client that plays with our own names comes here.
            tries += 1;
            name = format!("{tries}-{}", entry.fallback_name).parse().map_err(|_| damaged())?;
        }
        let left = old.as_deref().filter(|old| *old != name.as_str());
        if let Some(left) = left {
            self.remove_name(folder, left)?;
        }
        let wanted = (self.id.as_str(), entry.name.as_str(), entry.upstream.0.as_str());
        if is_wanted_free {
            self.displaced.remove(wanted)?;
        } else {
            self.displaced.insert(wanted, ())?;
        }
        let (head, body) = (entry.pack_head(), entry.pack_body());
        let was_shown = self.is_shown(folder, name.as_str())?;
        self.forget_indexed(name.as_str())?;
        let id = self.id.as_str();
        let key = (id, name.as_str());
        self.uids.insert((id, entry.uid.as_str(), name.as_str()), ())?;
        self.times.insert(id, name.as_str(), &entry.span)?;
        let before = self.heads.get(key)?.and_then(|row| Unpacker(row.value()).text());
        self.names.insert((id, entry.upstream.0.as_str()), name.as_str())?;
        self.heads.insert(key, head.as_slice())?;
        self.bodies.insert(key, body.as_slice())?;
        let is_shown = self.is_shown(folder, name.as_str())?;
        let is_other = before.is_none_or(|etag| etag != entry.etag.0);
        if was_shown != is_shown || is_shown && is_other {
            self.note(folder, name.as_str())?;
        }
        if let Some(left) = left {
            self.give_back(folder, left)?;
        }
        Ok(name)
    }

    /// The item has this name from now on.
    pub(super) fn set_name(&mut self, item: &UpstreamId, name: &str) -> Result<(), Error> {
        self.names.insert((self.id.as_str(), item.0.as_str()), name)?;
        Ok(())
    }

    /// The item has no name any more.
    pub(super) fn forget_name(&mut self, item: &UpstreamId) -> Result<(), Error> {
        self.names.remove((self.id.as_str(), item.0.as_str()))?;
        Ok(())
    }

    /// A member that is there, as clients see it.
    pub(super) fn listed(&self, name: &ResourceName) -> Result<Listed, Error> {
        let head = self.heads.get((self.id.as_str(), name.as_str()))?.ok_or_else(damaged)?;
        listed(name.as_str(), head.value()).ok_or_else(damaged)
    }

    /// What is behind a member of this UID that parts make, with its name.
    pub(super) fn made_of_parts(&self, uid: &str) -> Result<Option<(String, Entry)>, Error> {
        for row in self.uids.range((self.id.as_str(), uid, "")..)? {
            let (key, _) = row?;
            let (collection, found, name) = key.value();
            if (collection, found) != (self.id.as_str(), uid) {
                break;
            }
            let Some(head) = self.heads.get((collection, name))? else { continue };
            let entry = Entry::unpack_head(head.value()).ok_or_else(damaged)?;
            if !entry.parts.is_empty() {
                return Ok(Some((name.to_owned(), entry)));
            }
        }
        Ok(None)
    }

    /// The collection.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Lays an item aside.
    pub(super) fn stage(&mut self, entry: &Entry) -> Result<(), Error> {
        let (head, body) = (entry.pack_head(), entry.pack_body());
        self.staged
            .insert((self.id.as_str(), entry.upstream.0.as_str()), (head.as_slice(), body.as_slice()))?;
        Ok(())
    }

    /// Throws away what was laid aside of an item.
    pub(super) fn unstage(&mut self, item: &UpstreamId) -> Result<(), Error> {
        self.staged.remove((self.id.as_str(), item.0.as_str()))?;
        Ok(())
    }

    /// All items that are laid aside, by id.
    pub(super) fn staged(&self) -> Result<Vec<UpstreamId>, Error> {
        let mut items = Vec::new();
        for row in self.staged.range((self.id.as_str(), "")..)? {
            let (key, _) = row?;
            let (collection, item) = key.value();
            if collection != self.id {
                break;
            }
            items.push(UpstreamId(item.to_owned()));
        }
        Ok(items)
    }

    /// Takes an item from where it was laid aside.
    pub(super) fn take_staged(&mut self, item: &UpstreamId) -> Result<Option<Entry>, Error> {
        let row = self.staged.remove((self.id.as_str(), item.0.as_str()))?;
        row.map(|row| {
            let (head, body) = row.value();
            Entry::unpack(head, body).ok_or_else(damaged)
        })
        .transpose()
    }

    /// Forgets the older half of the names that are gone when there are more than `most` of them, about. `before` is
    /// the revision at which the transaction began: counting them walks through the log, so it is done once in a
    /// while, not at every change of a large collection.
    pub(super) fn prune(&mut self, folder: &mut Folder, before: u64, most: u64) -> Result<(), Error> {
        let step = (most / 4).max(1);
        if folder.revision.saturating_sub(folder.floor) <= most || folder.revision / step == before / step {
            return Ok(());
        }
        let id = self.id.clone();
        let (mut living, mut gone) = (Vec::new(), Vec::new());
        for row in self.log.range((id.as_str(), 0)..=(id.as_str(), u64::MAX))? {
            let (key, name) = row?;
            let lives = self.heads.get((id.as_str(), name.value()))?.is_some();
            let list = if lives { &mut living } else { &mut gone };
            list.push((key.value().1, name.value().to_owned()));
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if gone.len() <= most {
            return Ok(());
        }
        let surplus = gone.len() - most / 2;
        for (revision, name) in gone.into_iter().take(surplus) {
            self.log.remove((id.as_str(), revision))?;
            self.revisions.remove((id.as_str(), name.as_str()))?;
            folder.floor = revision;
        }
        // Whoever reads the log from its beginning, in parts, must never stand below the floor.
        let floor = folder.floor;
        for (_, name) in living.into_iter().filter(|(revision, _)| *revision <= floor) {
            self.note(folder, &name)?;
        }
        Ok(())
    }
}

/// The collection as this transaction sees it.
pub(super) fn folder_of(write: &WriteTransaction, id: &CollectionId) -> Result<Option<Folder>, Error> {
    let table = write.open_table(FOLDERS)?;
    let found = table.get(id.as_str())?;
    found.map(|row| Folder::unpack(row.value()).ok_or_else(damaged)).transpose()
}

/// Writes the collection's own row.
pub(super) fn store_folder(write: &WriteTransaction, folder: &Folder) -> Result<(), Error> {
    let packed = folder.pack();
    write.open_table(FOLDERS)?.insert(folder.collection.id.as_str(), packed.as_slice())?;
    Ok(())
}
