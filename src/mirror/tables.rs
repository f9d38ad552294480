//! The tables, and reading from them.

use super::entry::{Attachment, Entry, Packer, Unpacker, unpack_body};
use super::store::{Error, Mirror};
use super::window::Window;
use crate::model::collection::{Collection, CollectionKind, Rights};
use crate::model::id::{
    CollectionId, ETag, ResourceName, ScheduleTag, SyncToken, UpstreamId, UpstreamVersion,
};
use crate::model::object::{Head, Object, Span};
use redb::{ReadTransaction, ReadableTable as _, TableDefinition};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What is known of the file: epoch, version, cursor of the hierarchy.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// Collection → [`Folder`].
pub(super) const FOLDERS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("folders");
/// Collection, name → head of the entry.
pub(super) const HEADS: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("heads");
/// Collection, name → bodies of the entry.
pub(super) const BODIES: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("bodies");
/// Collection, item → name.
pub(super) const NAMES: TableDefinition<'_, (&str, &str), &str> = TableDefinition::new("names");
/// Collection, UID, name: which members have a UID.
pub(super) const UIDS: TableDefinition<'_, (&str, &str, &str), ()> = TableDefinition::new("uids");
/// Collection, revision → name; whether it lives is seen in HEADS.
pub(super) const LOG: TableDefinition<'_, (&str, u64), &str> = TableDefinition::new("log");
/// Collection, name → revision of its row in LOG.
pub(super) const REVISIONS: TableDefinition<'_, (&str, &str), u64> = TableDefinition::new("revisions");
/// Collection, item: written here, and not yet mentioned by a refresh.
pub(super) const WRITTEN: TableDefinition<'_, (&str, &str), ()> = TableDefinition::new("written");
/// Collection, item → packed head and bodies, fetched and not yet visible.
pub(super) const STAGE: TableDefinition<'_, (&str, &str), (&[u8], &[u8])> = TableDefinition::new("stage");

/// Collection, name, item: the item should have this name and has another, since this one was taken.
pub(super) const DISPLACED: TableDefinition<'_, (&str, &str, &str), ()> = TableDefinition::new("displaced");
/// Collection, name: ended before the horizon, and shown until the horizon moves.
pub(super) const SHOWN: TableDefinition<'_, (&str, &str), ()> = TableDefinition::new("shown");
/// Collection, item → packed head and bodies of a single occurrence as it would be alone: see `parts.rs`.
pub(super) const PARTS: TableDefinition<'_, (&str, &str), (&[u8], &[u8])> = TableDefinition::new("parts");
/// Collection, hash of a request → when it ended a meeting or the owner's part in it, in seconds.
pub(super) const ENDED: TableDefinition<'_, (&str, &[u8]), i64> = TableDefinition::new("ended_by");

/// Collection, name → packed write that has been begun.
pub(super) const INTENTS: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("intents");

/// Collection, name → packed move or copy to this name that has been begun.
pub(super) const ARRIVALS: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("arrivals");

/// A collection with how far it was followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Folder {
    /// As clients see it.
    pub collection: Collection,
    /// Where SyncFolderItems goes on; `None` before the first refresh is complete.
    pub cursor: Option<String>,
    /// The folder's stamp at that time; `None` when it proves nothing.
    pub stamp: Option<String>,
    /// Its change log stands here.
    pub revision: u64,
    /// Tokens below are forgotten.
    pub floor: u64,
    /// What ended before is not shown, in seconds since 1970; `None`: all is shown. See `window.rs`.
    pub horizon: Option<i64>,
}

impl Folder {
    /// A collection that nothing is known of yet.
    pub fn new(collection: Collection) -> Self {
        Self { collection, cursor: None, stamp: None, revision: 0, floor: 0, horizon: None }
    }

    pub(super) fn pack(&self) -> Vec<u8> {
        let Collection {
            id,
            upstream,
            kind,
            display_name,
            description,
            color,
            order,
            timezone,
            rights,
            is_default,
        } = &self.collection;
        let Rights { read, create, modify, delete, administer } = *rights;
        let mut packer = Packer::default();
        packer.text(id.as_str()).text(&upstream.0).text(display_name);
        for text in [description, color, timezone, &self.cursor, &self.stamp] {
            packer.optional(text.as_deref());
        }
        packer.number(order.map_or(-1, i64::from));
        packer.number(match kind {
            CollectionKind::Calendar => 0,
            CollectionKind::Tasks => 1,
            CollectionKind::AddressBook => 2,
        });
        for flag in [read, create, modify, delete, administer, *is_default] {
            packer.0.push(u8::from(flag));
        }
        packer.number(self.revision.cast_signed()).number(self.floor.cast_signed());
        packer.0.push(u8::from(self.horizon.is_some()));
        packer.number(self.horizon.unwrap_or_default());
        packer.0
    }

    pub(super) fn unpack(packed: &[u8]) -> Option<Self> {
        let mut u = Unpacker(packed);
        let id: CollectionId = CollectionId::of_kept(&u.text()?).ok()?;
        let upstream = UpstreamId(u.text()?);
        let display_name = u.text()?;
        let description = u.optional()?;
        let color = u.optional()?;
        let timezone = u.optional()?;
        let cursor = u.optional()?;
        let stamp = u.optional()?;
        let order = u32::try_from(u.number()?).ok();
        let kind = match u.number()? {
            0 => CollectionKind::Calendar,
            1 => CollectionKind::Tasks,
            _ => CollectionKind::AddressBook,
        };
        let rights = Rights {
            read: u.flag()?,
            create: u.flag()?,
            modify: u.flag()?,
            delete: u.flag()?,
            administer: u.flag()?,
        };
        let is_default = u.flag()?;
        let (revision, floor) = (u.number()?.cast_unsigned(), u.number()?.cast_unsigned());
        // Rows of version 0.1.0 end here.
        let horizon = u.flag().zip(u.number()).and_then(|(is_set, second)| is_set.then_some(second));
        let collection = Collection {
            id,
            upstream,
            kind,
            display_name,
            description,
            color,
            order,
            timezone,
            rights,
            is_default,
        };
        Some(Self { collection, cursor, stamp, revision, floor, horizon })
    }
}

/// A member without its body, with what filters look at first.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Name and tags.
    pub head: Head,
    /// When it takes place.
    pub span: Span,
    /// UID of the object.
    pub uid: String,
}

/// A row of the change log.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// New or changed.
    Written(Head),
    /// Gone.
    Gone(ResourceName),
}

/// What happened since a token.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// One per name; oldest first, where they are not all that there is.
    pub rows: Vec<Change>,
    /// Where to go on.
    pub token: SyncToken,
    /// There is more.
    pub truncated: bool,
}

/// A row that nobody here wrote.
pub(super) fn damaged() -> Error {
    Error::Damaged("an entry cannot be read".to_owned())
}

pub(super) fn listed(name: &str, packed: &[u8]) -> Option<Listed> {
    let mut h = Unpacker(packed);
    let etag = ETag(h.text()?);
    let schedule_tag = h.optional()?.map(ScheduleTag);
    let last_modified = h.instant()?.unwrap_or_default();
    let size = u64::try_from(h.number()?).ok()?;
    let span = Span { first: h.instant()?, last: h.instant()? };
    let uid = h.text()?;
    let head = Head { name: name.parse().ok()?, etag, schedule_tag, last_modified, size };
    Some(Listed { head, span, uid })
}

fn objects(
    read: &ReadTransaction,
    id: &CollectionId,
    names: &[ResourceName],
    window: &Window,
) -> Result<Vec<Option<Object>>, Error> {
    let (heads, bodies) = (read.open_table(HEADS)?, read.open_table(BODIES)?);
    let mut objects = Vec::with_capacity(names.len());
    for name in names {
        let key = (id.as_str(), name.as_str());
        objects.push(match (heads.get(key)?, bodies.get(key)?) {
            (Some(head), Some(body)) => {
                let Listed { head, span, .. } = listed(name.as_str(), head.value()).ok_or_else(damaged)?;
                let (body, vcard4) = unpack_body(body.value()).ok_or_else(damaged)?;
                window.shows(name.as_str(), &span).then_some(Object { head, body, vcard4 })
            }
            _ => None,
        });
    }
    Ok(objects)
}

impl Mirror {
    /// All collections.
    pub fn folders(&self) -> Result<Vec<Folder>, Error> {
        let read = self.begin_read()?;
        let table = read.open_table(FOLDERS)?;
        let mut folders = Vec::new();
        for row in table.iter()? {
            folders.push(Folder::unpack(row?.1.value()).ok_or_else(damaged)?);
        }
        folders.sort_by_key(|f| {
            (!f.collection.is_default, f.collection.kind as u8, f.collection.display_name.to_lowercase())
        });
        Ok(folders)
    }

    /// One collection.
    pub fn folder(&self, id: &CollectionId) -> Result<Option<Folder>, Error> {
        let read = self.begin_read()?;
        let table = read.open_table(FOLDERS)?;
        let found = table.get(id.as_str())?;
        found.map(|row| Folder::unpack(row.value()).ok_or_else(damaged)).transpose()
    }

    /// Where SyncFolderHierarchy goes on.
    pub fn tree_cursor(&self) -> Result<Option<String>, Error> {
        let read = self.begin_read()?;
        let table = read.open_table(META)?;
        let found = table.get("hierarchy")?;
        Ok(found.map(|row| String::from_utf8_lossy(row.value()).into_owned()))
    }

    /// The token of a collection's present state.
    pub fn token(&self, folder: &Folder) -> SyncToken {
        SyncToken { epoch: self.epoch, revision: folder.revision }
    }

    /// All members that are shown, in the order of their names.
    pub fn list(&self, id: &CollectionId) -> Result<Vec<Listed>, Error> {
        let read = self.begin_read()?;
        let window = Window::of(&read, id)?;
        let table = read.open_table(HEADS)?;
        let mut all = Vec::new();
        for row in table.range((id.as_str(), "")..)? {
            let (key, value) = row?;
            let (collection, name) = key.value();
            if collection != id.as_str() {
                break;
            }
            let listed = listed(name, value.value()).ok_or_else(damaged)?;
            if window.shows(name, &listed.span) {
                all.push(listed);
            }
        }
        Ok(all)
    }

    /// Members without bodies by name, in one snapshot and in the order asked; `None` where there is none.
    pub fn heads(&self, id: &CollectionId, names: &[ResourceName]) -> Result<Vec<Option<Head>>, Error> {
        let read = self.begin_read()?;
        let heads = read.open_table(HEADS)?;
        let head = |name: &ResourceName| {
            let head = heads.get((id.as_str(), name.as_str()))?;
            head.map(|head| Ok(listed(name.as_str(), head.value()).ok_or_else(damaged)?.head)).transpose()
        };
        names.iter().map(head).collect()
    }

    /// Members by name, in one snapshot and in the order asked; `None` where there is none. Those that are not shown are
    /// among them: see [`Mirror::shown`].
    pub fn get_many(&self, id: &CollectionId, names: &[ResourceName]) -> Result<Vec<Option<Object>>, Error> {
        objects(&self.begin_read()?, id, names, &Window::default())
    }

    /// The same as readers see them: `None`, too, where a member is not shown.
    pub fn shown(&self, id: &CollectionId, names: &[ResourceName]) -> Result<Vec<Option<Object>>, Error> {
        let read = self.begin_read()?;
        let window = Window::of(&read, id)?;
        objects(&read, id, names, &window)
    }

    /// How many of these members, from the first on, have bodies of at most so many octets together; at least one. With
    /// the octets of those. No body is read for this: each would be in memory as a whole.
    pub fn weigh(
        &self,
        id: &CollectionId,
        names: &[ResourceName],
        most: usize,
    ) -> Result<(usize, usize), Error> {
        let read = self.begin_read()?;
        let heads = read.open_table(HEADS)?;
        let (mut number, mut octets) = (0, 0);
        for name in names {
            let size = match heads.get((id.as_str(), name.as_str()))? {
                Some(head) => listed(name.as_str(), head.value()).ok_or_else(damaged)?.head.size,
                None => 0,
            };
            let more = usize::try_from(size).map_or(usize::MAX, |size| octets + size);
            if number > 0 && more > most {
                break;
            }
            (number, octets) = (number + 1, more);
        }
        Ok((number, octets))
    }

    /// One member.
    pub fn get(&self, id: &CollectionId, name: &ResourceName) -> Result<Option<Object>, Error> {
        Ok(self.get_many(id, std::slice::from_ref(name))?.pop().flatten())
    }

    /// What is behind a member: its item, version and attachments.
    pub fn entry(&self, id: &CollectionId, name: &ResourceName) -> Result<Option<Entry>, Error> {
        let read = self.begin_read()?;
        let key = (id.as_str(), name.as_str());
        let (head, body) = (read.open_table(HEADS)?.get(key)?, read.open_table(BODIES)?.get(key)?);
        match (head, body) {
            (Some(head), Some(body)) => {
                Entry::unpack(head.value(), body.value()).ok_or_else(damaged).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// An attachment of a member.
    pub fn attachment(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        managed_id: &str,
    ) -> Result<Option<Attachment>, Error> {
        let entry = self.entry(id, name)?;
        Ok(entry.and_then(|e| e.attachments.into_iter().find(|a| a.managed_id == managed_id)))
    }

    /// An attachment of any member of any collection. Looks at all heads: only for what is rarely asked.
    pub fn attachment_anywhere(&self, managed_id: &str) -> Result<Option<Attachment>, Error> {
        let read = self.begin_read()?;
        for row in read.open_table(HEADS)?.iter()? {
            let (_, head) = row?;
            let entry = Entry::unpack_head(head.value()).ok_or_else(damaged)?;
            let found = entry.attachments.into_iter().find(|attachment| attachment.managed_id == managed_id);
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Items with their names that were written here since the cursor of the last refresh, as far as these are known
    /// to be there: a refresh that does not mention them has to look whether they still are. An item that came and
    /// went between two looks is in no answer of SyncFolderItems.
    pub fn written(&self, id: &CollectionId) -> Result<Vec<(UpstreamId, ResourceName)>, Error> {
        let read = self.begin_read()?;
        let names = read.open_table(NAMES)?;
        let mut found = Vec::new();
        for row in read.open_table(WRITTEN)?.range((id.as_str(), "")..)? {
            let (key, _) = row?;
            let (collection, item) = key.value();
            if collection != id.as_str() {
                break;
            }
            if let Some(name) = names.get((collection, item))? {
                let name = name.value().parse().map_err(|_| damaged())?;
                found.push((UpstreamId(item.to_owned()), name));
            }
        }
        Ok(found)
    }

    /// The versions of those of these items that are visible or staged: what need not be fetched again.
    pub fn versions(
        &self,
        id: &CollectionId,
        items: &[UpstreamId],
    ) -> Result<HashMap<UpstreamId, UpstreamVersion>, Error> {
        let read = self.begin_read()?;
        let (names, heads, stage) =
            (read.open_table(NAMES)?, read.open_table(HEADS)?, read.open_table(STAGE)?);
        let parts = read.open_table(PARTS)?;
        let mut found = HashMap::new();
        for item in items {
            let key = (id.as_str(), item.0.as_str());
            let version = |head: &[u8]| Ok::<_, Error>(Entry::unpack_head(head).ok_or_else(damaged)?.version);
            if let Some(row) = stage.get(key)? {
                found.insert(item.clone(), version(row.value().0)?);
            } else if let Some(row) = parts.get(key)? {
                found.insert(item.clone(), version(row.value().0)?);
            } else if let Some(name) = names.get(key)?
                && let Some(head) = heads.get((id.as_str(), name.value()))?
            {
                found.insert(item.clone(), version(head.value())?);
            }
        }
        Ok(found)
    }

    /// Item → UID of everything visible and staged.
    pub fn uids(&self, id: &CollectionId) -> Result<HashMap<UpstreamId, String>, Error> {
        self.by_item(id, |entry| entry.uid)
    }

    fn by_item<T>(
        &self,
        id: &CollectionId,
        of: impl Fn(Entry) -> T,
    ) -> Result<HashMap<UpstreamId, T>, Error> {
        let read = self.begin_read()?;
        let mut found = HashMap::new();
        let mut note = |head: &[u8]| {
            let entry = Entry::unpack_head(head).ok_or_else(damaged)?;
            found.insert(entry.upstream.clone(), of(entry));
            Ok::<(), Error>(())
        };
        for row in read.open_table(HEADS)?.range((id.as_str(), "")..)? {
            let (key, value) = row?;
            if key.value().0 != id.as_str() {
                break;
            }
            note(value.value())?;
        }
        for row in read.open_table(STAGE)?.range((id.as_str(), "")..)? {
            let (key, value) = row?;
            if key.value().0 != id.as_str() {
                break;
            }
            note(value.value().0)?;
        }
        Ok(found)
    }

    /// Items of one UID, as they will be once what is staged is visible: only UIDs of what is staged. Different single
    /// occurrences of one series are one object, and no others are there of its UID: these are left out.
    pub fn twins(&self, id: &CollectionId, gone: &HashSet<UpstreamId>) -> Result<Vec<Vec<Entry>>, Error> {
        let read = self.begin_read()?;
        let (stage, uids) = (read.open_table(STAGE)?, read.open_table(UIDS)?);
        let (heads, bodies) = (read.open_table(HEADS)?, read.open_table(BODIES)?);
        let parts = read.open_table(PARTS)?;
        let mut staged: HashSet<UpstreamId> = HashSet::new();
        let mut by_uid: BTreeMap<String, Vec<UpstreamId>> = BTreeMap::new();
        for row in stage.range((id.as_str(), "")..)? {
            let (key, value) = row?;
            if key.value().0 != id.as_str() {
                break;
            }
            let Entry { upstream, uid, .. } = Entry::unpack_head(value.value().0).ok_or_else(damaged)?;
            staged.insert(upstream.clone());
            if !gone.contains(&upstream) {
                by_uid.entry(uid).or_default().push(upstream);
            }
        }
        let mut all = Vec::new();
        for (uid, items) in by_uid {
            let mut twins = Vec::new();
            for row in uids.range((id.as_str(), uid.as_str(), "")..)? {
                let (key, _) = row?;
                let (collection, found, name) = key.value();
                if (collection, found) != (id.as_str(), uid.as_str()) {
                    break;
                }
                let key = (collection, name);
                let (Some(head), Some(body)) = (heads.get(key)?, bodies.get(key)?) else { continue };
                let entry = Entry::unpack(head.value(), body.value()).ok_or_else(damaged)?;
                let mut entries = Vec::new();
                for part in &entry.parts {
                    let Some(row) = parts.get((id.as_str(), part.item.0.as_str()))? else { continue };
                    let (head, body) = row.value();
                    entries.push(Entry::unpack(head, body).ok_or_else(damaged)?);
                }
                if entries.is_empty() {
                    entries.push(entry);
                }
                let stays =
                    |entry: &Entry| !staged.contains(&entry.upstream) && !gone.contains(&entry.upstream);
                twins.extend(entries.into_iter().filter(stays));
            }
            if twins.len() + items.len() < 2 {
                continue;
            }
            for item in items {
                let Some(row) = stage.get((id.as_str(), item.0.as_str()))? else { continue };
                let (head, body) = row.value();
                twins.push(Entry::unpack(head, body).ok_or_else(damaged)?);
            }
            let originals: HashSet<_> =
                twins.iter().flat_map(|e| &e.parts).map(|part| part.original).collect();
            if !(twins.iter().all(Entry::is_part) && originals.len() == twins.len()) {
                all.push(twins);
            }
        }
        Ok(all)
    }

    /// What happened since a token; `None` asks for everything that lives. RFC 6578 3.5
    pub fn changes(
        &self,
        id: &CollectionId,
        since: Option<SyncToken>,
        limit: Option<usize>,
    ) -> Result<Changes, Error> {
        let read = self.begin_read()?;
        let folders = read.open_table(FOLDERS)?;
        let folder = folders.get(id.as_str())?.ok_or(Error::Forgotten)?;
        let folder = Folder::unpack(folder.value()).ok_or_else(damaged)?;
        let start = match since {
            None => 0,
            Some(token)
                if token.epoch == self.epoch
                    && token.revision <= folder.revision
                    && token.revision >= folder.floor =>
            {
                token.revision
            }
            Some(_) => return Err(Error::Forgotten),
        };
        let now = SyncToken { epoch: self.epoch, revision: folder.revision };
        let window = Window::of(&read, id)?;
        let (log, heads) = (read.open_table(LOG)?, read.open_table(HEADS)?);
        let mut rows = Vec::new();
        if since.is_none() && limit.is_none() {
            // Whoever gets all at once needs no order: one walk instead of a search for each.
            for row in heads.range((id.as_str(), "")..)? {
                let (key, head) = row?;
                let (collection, name) = key.value();
                if collection != id.as_str() {
                    break;
                }
                let Listed { head, span, .. } = listed(name, head.value()).ok_or_else(damaged)?;
                if window.shows(name, &span) {
                    rows.push(Change::Written(head));
                }
            }
            return Ok(Changes { rows, token: now, truncated: false });
        }
        for row in log.range((id.as_str(), start + 1)..=(id.as_str(), u64::MAX))? {
            let (key, name) = row?;
            let (_, revision) = key.value();
            let name = name.value();
            let member = heads.get((id.as_str(), name))?;
            let member = member.map(|head| listed(name, head.value()).ok_or_else(damaged)).transpose()?;
            let change = match member.filter(|member| window.shows(name, &member.span)) {
                Some(member) => Change::Written(member.head),
                // Who knows nothing needs not know what is gone.
                None if since.is_none() => continue,
                None => Change::Gone(name.parse().map_err(|_| damaged())?),
            };
            if limit.is_some_and(|limit| rows.len() >= limit) {
                let token = SyncToken { epoch: self.epoch, revision: revision - 1 };
                return Ok(Changes { rows, token, truncated: true });
            }
            rows.push(change);
        }
        Ok(Changes { rows, token: now, truncated: false })
    }
}
