//! A mailbox: its tree of folders, its items, and the order in which they were written.
//!
//! Synchronisation is answered from the journals: each folder knows its items by their last write.

use std::collections::HashMap;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value as Json;

use super::clock::Clock;
use super::item::{Attachment, Change, Exceptions, Extended, FolderKey, Item, ItemKey, ItemKind, Properties};
use super::permissions::Permissions;
use super::product::Product;
use super::subscriptions::log::{Event, Log, Thing, What};

/// A mailbox with everything in it.
#[derive(Debug)]
pub struct Mailbox {
    /// The primary address, in lower case.
    pub address: String,
    /// The name shown to others.
    pub display_name: String,
    /// Identifies the mailbox within ids; 16 octets.
    pub guid: [u8; 16],
    /// Says when something happens.
    pub clock: Clock,
    /// All folders.
    pub folders: BTreeMap<FolderKey, Folder>,
    /// Writes to folders, newest last.
    pub folder_journal: BTreeMap<Change, FolderEvent>,
    /// Every mail that a write would have sent, oldest first.
    pub sends: Vec<Json>,
    /// What happened lately.
    pub log: Log,
    /// Which product the server is.
    pub product: Product,
    /// Who asks, while somebody else's request is carried out.
    pub visitor: Option<String>,
    /// Delegates who see private items.
    pub see_private: BTreeSet<String>,
    items: HashMap<ItemKey, Item>,
    last_change: Change,
    last_number: u64,
}

/// A folder.
#[derive(Debug)]
pub struct Folder {
    /// Its name in the mailbox.
    pub key: FolderKey,
    /// Where it lies; the root lies in itself.
    pub parent: FolderKey,
    /// The element that it is written as.
    pub kind: FolderKind,
    /// The name that a `DistinguishedFolderId` calls it by.
    pub distinguished: Option<&'static str>,
    /// The name shown to the user.
    pub display_name: String,
    /// `IPF.…`.
    pub class: String,
    /// Whether the owner may write to it.
    pub access: Access,
    /// What others may do; who is not in it has what is usual.
    pub permissions: Permissions,
    /// The last write to the folder itself.
    pub change: Change,
    /// The write that made it.
    pub created: Change,
    /// When anything in it was last written.
    pub committed: Timestamp,
    /// How many items were ever deleted from it.
    pub deleted_count: u32,
    /// Extended properties of the folder.
    pub extended: Extended,
    /// Its items and those that left it, by their last write.
    pub journal: BTreeMap<Change, ItemEvent>,
    /// How many items lie in it.
    pub item_count: u32,
}

/// What the owner may do in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    Full,
    /// Reading only.
    ReadOnly,
}

/// The element that a folder is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderKind {
    /// `Folder`.
    Folder,
    /// `CalendarFolder`.
    Calendar,
    /// `ContactsFolder`.
    Contacts,
    /// `TasksFolder`.
    Tasks,
}

/// What last happened to an item in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemEvent {
    /// It came or was changed; the item says when it came.
    Written(ItemKey),
    /// It was deleted or moved away; it had come with that write.
    Gone(ItemKey, Change),
}

/// What last happened to a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderEvent {
    /// It came or was changed.
    Written(FolderKey),
    /// It was deleted; it had come with that write and lain in that parent.
    Gone(FolderKey, Change, FolderKey),
}

/// What a new item consists of.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// What it is.
    pub kind: ItemKind,
    /// Properties that have a field URI.
    pub properties: Properties,
    /// Properties that have none.
    pub extended: Extended,
    /// Attachments; their numbers are given by the mailbox.
    pub attachments: Vec<Attachment>,
    /// Exceptions of a series.
    pub exceptions: Exceptions,
}

impl NewItem {
    /// An item without properties.
    pub fn new(kind: ItemKind) -> Self {
        NewItem {
            kind,
            properties: Properties::default(),
            extended: Extended::new(),
            attachments: Vec::new(),
            exceptions: Exceptions::default(),
        }
    }
}

impl FolderKind {
    /// The element's local name.
    pub fn element(self) -> &'static str {
        match self {
            FolderKind::Folder => "Folder",
            FolderKind::Calendar => "CalendarFolder",
            FolderKind::Contacts => "ContactsFolder",
            FolderKind::Tasks => "TasksFolder",
        }
    }

    /// The kind that a folder class asks for.
    pub fn of_class(class: &str) -> FolderKind {
        let base = class.split('.').take(2).collect::<Vec<_>>().join(".");
        match base.as_str() {
            "IPF.Appointment" => FolderKind::Calendar,
            "IPF.Contact" => FolderKind::Contacts,
            "IPF.Task" => FolderKind::Tasks,
            _ => FolderKind::Folder,
        }
    }

    /// The class that such a folder has unless it says otherwise.
    pub fn class(self) -> &'static str {
        match self {
            FolderKind::Folder => "IPF.Note",
            FolderKind::Calendar => "IPF.Appointment",
            FolderKind::Contacts => "IPF.Contact",
            FolderKind::Tasks => "IPF.Task",
        }
    }
}

/// The folders of a new mailbox: distinguished name, parent's distinguished name, kind, class, display name.
const TREE: &[(&str, &str, FolderKind, &str, &str)] = &[
    ("root", "root", FolderKind::Folder, "", ""),
    ("msgfolderroot", "root", FolderKind::Folder, "IPF.Note", "Top of Information Store"),
    ("inbox", "msgfolderroot", FolderKind::Folder, "IPF.Note", "Inbox"),
    ("drafts", "msgfolderroot", FolderKind::Folder, "IPF.Note", "Drafts"),
    ("sentitems", "msgfolderroot", FolderKind::Folder, "IPF.Note", "Sent Items"),
    ("deleteditems", "msgfolderroot", FolderKind::Folder, "IPF.Note", "Deleted Items"),
    ("outbox", "msgfolderroot", FolderKind::Folder, "IPF.Note", "Outbox"),
    ("junkemail", "msgfolderroot", FolderKind::Folder, "IPF.Note", "Junk Email"),
    ("calendar", "msgfolderroot", FolderKind::Calendar, "IPF.Appointment", "Calendar"),
    ("contacts", "msgfolderroot", FolderKind::Contacts, "IPF.Contact", "Contacts"),
    ("tasks", "msgfolderroot", FolderKind::Tasks, "IPF.Task", "Tasks"),
    ("notes", "msgfolderroot", FolderKind::Folder, "IPF.StickyNote", "Notes"),
    ("journal", "msgfolderroot", FolderKind::Folder, "IPF.Journal", "Journal"),
    ("searchfolders", "root", FolderKind::Folder, "", "Finder"),
    ("recoverableitemsroot", "root", FolderKind::Folder, "", "Recoverable Items"),
    ("recoverableitemsdeletions", "recoverableitemsroot", FolderKind::Folder, "", "Deletions"),
];

impl Mailbox {
    /// Whether this is one of its addresses: the primary one, or the other proxy address that the directory tells.
    pub fn is_at(&self, address: &str) -> bool {
        let address = address.trim().to_ascii_lowercase();
        address.strip_prefix("alias-").unwrap_or(&address) == self.address
    }

    /// A mailbox with the folders that every mailbox has, without items.
    pub fn new(address: &str, display_name: &str, guid: [u8; 16], now: Timestamp) -> Self {
        let mut mailbox = Mailbox {
            address: address.to_ascii_lowercase(),
            display_name: display_name.to_owned(),
            guid,
            clock: Clock::default(),
            folders: BTreeMap::new(),
            folder_journal: BTreeMap::new(),
            sends: Vec::new(),
            log: Log::default(),
            product: Product::default(),
            visitor: None,
            see_private: BTreeSet::new(),
            items: HashMap::new(),
            last_change: Change(0),
            last_number: 0,
        };
        for (name, parent, kind, class, shown) in TREE {
            let parent = mailbox.distinguished(parent).unwrap_or(FolderKey(1));
            let key = mailbox.add_folder(parent, *kind, class, shown, now);
            if let Some(folder) = mailbox.folders.get_mut(&key) {
                folder.distinguished = Some(name);
            }
        }
        mailbox
    }

    /// The folder that a `DistinguishedFolderId` names.
    pub fn distinguished(&self, name: &str) -> Option<FolderKey> {
        self.folders.values().find(|folder| folder.distinguished == Some(name)).map(|folder| folder.key)
    }

    /// The children of a folder, in the order in which they were made.
    pub fn subfolders(&self, parent: FolderKey) -> impl Iterator<Item = &Folder> {
        self.folders.values().filter(move |folder| folder.parent == parent && folder.key != parent)
    }

    /// Whether `folder` lies somewhere below `ancestor`.
    pub fn lies_below(&self, folder: FolderKey, ancestor: FolderKey) -> bool {
        let mut at = folder;
        while let Some(here) = self.folders.get(&at) {
            if here.parent == at {
                return false;
            }
            if here.parent == ancestor {
                return true;
            }
            at = here.parent;
        }
        false
    }

    /// Makes a folder; the caller has made sure that the name is free.
    pub fn add_folder(
        &mut self,
        parent: FolderKey,
        kind: FolderKind,
        class: &str,
        display_name: &str,
        now: Timestamp,
    ) -> FolderKey {
        let key = FolderKey(self.next_number());
        let change = self.next_change();
        self.folders.insert(
            key,
            Folder {
                key,
                parent,
                kind,
                distinguished: None,
                display_name: display_name.to_owned(),
                class: class.to_owned(),
                access: Access::Full,
                permissions: Permissions::new(),
                change,
                created: change,
                committed: now,
                deleted_count: 0,
                extended: Extended::new(),
                journal: BTreeMap::new(),
                item_count: 0,
            },
        );
        self.folder_journal.insert(change, FolderEvent::Written(key));
        self.happened(What::Created, Thing::Folder(key), parent, None);
        key
    }

    /// Notes that a folder's own properties were written.
    pub fn folder_written(&mut self, key: FolderKey, now: Timestamp) {
        let change = self.next_change();
        if let Some(folder) = self.folders.get_mut(&key) {
            self.folder_journal.remove(&folder.change);
            folder.change = change;
            folder.committed = now;
            let parent = folder.parent;
            self.folder_journal.insert(change, FolderEvent::Written(key));
            self.happened(What::Modified, Thing::Folder(key), parent, None);
        }
    }

    /// Removes a folder with everything below it.
    pub fn remove_folder(&mut self, key: FolderKey) {
        let below: Vec<FolderKey> = self.subfolders(key).map(|folder| folder.key).collect();
        for child in below {
            self.remove_folder(child);
        }
        let change = self.next_change();
        if let Some(folder) = self.folders.remove(&key) {
            self.folder_journal.remove(&folder.change);
            self.folder_journal.insert(change, FolderEvent::Gone(key, folder.created, folder.parent));
            self.items.retain(|_, item| item.folder != key);
            self.happened(What::Deleted, Thing::Folder(key), folder.parent, None);
        }
    }

    /// An item.
    pub fn item(&self, key: ItemKey) -> Option<&Item> {
        self.items.get(&key)
    }

    /// The items of a folder, those written last first.
    pub fn items_in(&self, folder: FolderKey) -> impl Iterator<Item = &Item> {
        let journal = self.folders.get(&folder).map(|folder| &folder.journal);
        journal.into_iter().flat_map(|journal| journal.values().rev()).filter_map(|event| match event {
            ItemEvent::Written(key) => self.items.get(key),
            ItemEvent::Gone(..) => None,
        })
    }

    /// Stores a new item. The folder must exist.
    pub fn add_item(&mut self, folder: FolderKey, new: NewItem, now: Timestamp) -> ItemKey {
        let NewItem { kind, properties, extended, mut attachments, exceptions } = new;
        for attachment in &mut attachments {
            attachment.number = self.next_number();
        }
        let key = ItemKey(self.next_number());
        let change = self.next_change();
        let item = Item {
            key,
            folder,
            kind,
            change,
            arrived: change,
            content_change: change,
            created: now,
            creator: self.visitor.clone(),
            modified: now,
            properties,
            extended,
            attachments,
            exceptions,
        };
        self.arrive(item, now);
        self.happened(What::Created, Thing::Item(key), folder, None);
        self.contents_changed(folder);
        key
    }

    /// Changes an occurrence of a series, which is a change of the series where the product thinks so.
    pub fn update_occurrence<T>(
        &mut self,
        key: ItemKey,
        now: Timestamp,
        change: impl FnOnce(&mut Item) -> T,
    ) -> Option<T> {
        if self.product.traits().occurrences_change_series {
            return self.update_item(key, now, change);
        }
        self.items.get_mut(&key).map(change)
    }

    /// Changes an item; its ChangeKey is a new one afterwards. Answers what `change` answers.
    pub fn update_item<T>(
        &mut self,
        key: ItemKey,
        now: Timestamp,
        change: impl FnOnce(&mut Item) -> T,
    ) -> Option<T> {
        let number = self.next_change();
        let item = self.items.get_mut(&key)?;
        let folder = self.folders.get_mut(&item.folder)?;
        folder.journal.remove(&item.change);
        let answer = change(item);
        item.change = number;
        item.content_change = number;
        item.modified = now;
        folder.journal.insert(number, ItemEvent::Written(key));
        folder.committed = now;
        let parent = folder.key;
        self.happened(What::Modified, Thing::Item(key), parent, None);
        Some(answer)
    }

    /// Takes an item out of the mailbox.
    pub fn remove_item(&mut self, key: ItemKey, now: Timestamp) -> Option<Item> {
        let item = self.take_item(key, now)?;
        self.happened(What::Deleted, Thing::Item(key), item.folder, None);
        self.contents_changed(item.folder);
        Some(item)
    }

    fn take_item(&mut self, key: ItemKey, now: Timestamp) -> Option<Item> {
        let change = self.next_change();
        let item = self.items.remove(&key)?;
        if let Some(folder) = self.folders.get_mut(&item.folder) {
            folder.journal.remove(&item.change);
            folder.journal.insert(change, ItemEvent::Gone(key, item.arrived));
            folder.deleted_count += 1;
            folder.item_count = folder.item_count.saturating_sub(1);
            folder.committed = now;
        }
        Some(item)
    }

    /// Moves an item into another folder, where it has a new name.
    pub fn move_item(&mut self, key: ItemKey, target: FolderKey, now: Timestamp) -> Option<ItemKey> {
        let mut item = self.take_item(key, now)?;
        let old = (Thing::Item(key), item.folder);
        item.key = ItemKey(self.next_number());
        item.folder = target;
        let key = self.settle(item, now);
        self.happened(What::Moved, Thing::Item(key), target, Some(old));
        self.contents_changed(old.1);
        self.contents_changed(target);
        Some(key)
    }

    /// Puts a copy of an item into a folder.
    pub fn copy_item(&mut self, key: ItemKey, target: FolderKey, now: Timestamp) -> Option<ItemKey> {
        let mut item = self.items.get(&key)?.clone();
        let old = (Thing::Item(key), item.folder);
        item.key = ItemKey(self.next_number());
        item.folder = target;
        for attachment in &mut item.attachments {
            attachment.number = self.next_number();
        }
        let key = self.settle(item, now);
        self.happened(What::Copied, Thing::Item(key), target, Some(old));
        self.contents_changed(target);
        Some(key)
    }

    /// The last write.
    pub fn last_change(&self) -> Change {
        self.last_change
    }

    /// A number that nothing else in the mailbox has.
    pub fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Octets that nothing else in any mailbox has.
    pub fn next_unique(&mut self) -> [u8; 24] {
        let mut unique = [0; 24];
        let number = self.next_number().to_be_bytes();
        for (slot, octet) in unique.iter_mut().zip(self.guid.iter().chain(&number)) {
            *slot = *octet;
        }
        unique
    }

    fn next_change(&mut self) -> Change {
        self.last_change.0 += 1;
        self.last_change
    }

    fn happened(&mut self, what: What, thing: Thing, parent: FolderKey, old: Option<(Thing, FolderKey)>) {
        let (at, change) = (self.clock.now(), self.last_change);
        self.log.push(Event { at, what, thing, change, parent, old });
    }

    /// A folder is modified by what comes and goes in it.
    fn contents_changed(&mut self, key: FolderKey) {
        if let Some(parent) = self.folders.get(&key).map(|folder| folder.parent) {
            self.happened(What::Modified, Thing::Folder(key), parent, None);
        }
    }

    fn settle(&mut self, mut item: Item, now: Timestamp) -> ItemKey {
        let key = item.key;
        let change = self.next_change();
        item.change = change;
        item.arrived = change;
        item.content_change = change;
        item.modified = now;
        self.arrive(item, now);
        key
    }

    fn arrive(&mut self, item: Item, now: Timestamp) {
        if let Some(folder) = self.folders.get_mut(&item.folder) {
            folder.journal.insert(item.change, ItemEvent::Written(item.key));
            folder.item_count += 1;
            folder.committed = now;
        }
        self.items.insert(item.key, item);
    }
}
