//! A second upstream, in memory and without any protocol, behind the same boundary as Exchange.
//!
//! It is awkward on purpose, as Microsoft Graph is: it mails the guests of every write to a meeting, makes UIDs and ids of its
//! own, has no place for the texts of tasks, moves and copies nothing, holds no contact groups, judges no versions, takes one
//! occurrence a call and tells nobody what happens.

use async_trait::async_trait;
use exdav::model::capabilities::Capabilities;
use exdav::model::collection::CollectionKind;
use exdav::model::item::{
    Change, Field, Item, ItemClass, ItemRef, Mailbox, Notify, Occurrence, Pattern, Person, RangeEnd, Value,
};
use exdav::upstream::{
    Access, Answer, BusyTime, Disposal, Error, ErrorKind, EventStream, Fetched, Folder, FolderChange,
    FolderEdit, FolderProperties, FolderProperty, FolderSelector, ItemChange, NewAttachment, Page, Relocate,
    Resolved, Scope, Session, SharedAccount, SharedTime, SubscriptionGroup, Target, Unreachable, Upstream,
    UserSession, WellKnownFolder,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

pub const OWNER: &str = "me@example.com";

/// The upstream, and what a test looks at from behind.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<World>>);

#[derive(Debug, Default)]
pub struct World {
    folders: Vec<Folder>,
    items: BTreeMap<String, Stored>,
    /// What happened to items, oldest first: a cursor is a position in it.
    log: Vec<(String, ItemChange)>,
    /// Versions of items that were ever handed out.
    history: BTreeMap<(String, String), Item>,
    files: BTreeMap<String, Vec<u8>>,
    made: usize,
    tree: usize,
    /// Mails to guests: what was written, and to how many.
    pub mails: Vec<(&'static str, usize)>,
    /// Calls by their names.
    pub calls: BTreeMap<&'static str, usize>,
    /// Calls that come next and are lost after they were carried out.
    pub lost: usize,
}

#[derive(Clone, Debug)]
struct Stored {
    folder: String,
    item: Item,
    /// The series that it is an exception of.
    master: Option<String>,
}

fn folder(id: &str, kind: CollectionKind) -> Folder {
    Folder {
        id: id.to_owned(),
        parent: String::new(),
        kind: Some(kind),
        display_name: id.to_owned(),
        rights: [true; 4],
        may_modify_folder: true,
        may_view_private: true,
        stamp: None,
        count: None,
        committed: None,
        properties: FolderProperties::default(),
    }
}

fn refused(kind: ErrorKind, text: &str) -> Error {
    Error::new(kind, text)
}

fn not_found() -> Error {
    refused(ErrorKind::ItemNotFound, "there is no such item")
}

fn people(item: &Item) -> usize {
    [Field::Required, Field::Optional, Field::Resources].iter().map(|f| item.attendees(*f).len()).sum()
}

impl Memory {
    pub fn new() -> Self {
        let memory = Self::default();
        memory.world().folders = vec![
            folder("the calendar", CollectionKind::Calendar),
            folder("the contacts", CollectionKind::AddressBook),
            folder("the tasks", CollectionKind::Tasks),
        ];
        memory
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// All items that are no exceptions.
    pub fn items(&self) -> Vec<Item> {
        self.world().items.values().filter(|stored| stored.master.is_none()).map(|s| s.item.clone()).collect()
    }

    /// Somebody else changes an item, by another program.
    pub fn change(&self, id: &str, change: Change) {
        let mut world = self.world();
        let stored = world.items[id].clone();
        let item = Item::predicted(stored.item.class, Some(&stored.item), stored.item.id.clone(), &[change]);
        world.store(&stored.folder, item, None);
    }

    fn call(&self, name: &'static str) -> MutexGuard<'_, World> {
        let mut world = self.world();
        *world.calls.entry(name).or_default() += 1;
        world
    }
}

impl World {
    /// Stores an item under a new version.
    fn store(&mut self, folder: &str, mut item: Item, master: Option<String>) -> ItemRef {
        self.made += 1;
        item.id.version = format!("version {}", self.made);
        let id = item.id.clone();
        self.history.insert((id.id.clone(), id.version.clone()), item.clone());
        if master.is_none() {
            let change = ItemChange::Written(id.clone(), Some(item.class));
            self.log.push((folder.to_owned(), change));
        }
        self.items.insert(id.id.clone(), Stored { folder: folder.to_owned(), item, master });
        id
    }

    fn mail(&mut self, what: &'static str, before: Option<&Item>, after: Option<&Item>) {
        let guests = before.map_or(0, people).max(after.map_or(0, people));
        if guests > 0 {
            self.mails.push((what, guests));
        }
    }

    /// What it makes of changes: its own UID, nothing to keep the text of a task in.
    fn made_of(&self, class: ItemClass, base: Option<&Item>, id: ItemRef, changes: &[Change]) -> Item {
        let uid = base.and_then(|base| base.text(Field::Uid)).unwrap_or_else(|| format!("uid of {}", id.id));
        let kept: Vec<Change> = changes
            .iter()
            .filter(|change| change.field != Field::Uid)
            .filter(|change| class != ItemClass::Task || change.field != Field::Kept)
            .cloned()
            .collect();
        let mut item = Item::predicted(class, base, id.clone(), &kept);
        let mut own = vec![Change::set(
            Field::Modified,
            Value::Time(Timestamp::from_second(1_800_000_000 + i64::try_from(self.made).unwrap()).unwrap()),
        )];
        if class == ItemClass::CalendarItem {
            own.push(Change::text(Field::Uid, uid));
            if people(&item) > 0 {
                let organizer = Mailbox {
                    name: "Me".to_owned(),
                    address: OWNER.to_owned(),
                    routing: "SMTP".to_owned(),
                    kind: "Mailbox".to_owned(),
                    item: None,
                };
                own.push(Change::set(Field::Organizer, Value::Person(organizer)));
                own.push(Change::text(Field::OwnResponse, "Organizer"));
            }
        }
        item = Item::predicted(class, Some(&item), id, &own);
        item
    }

    /// Where the rule puts an occurrence: it knows daily series, which is enough for what is tested.
    fn start_of(item: &Item, number: u32) -> Option<Timestamp> {
        let (first, rule) = (item.time(Field::Start)?, item.recurrence()?);
        let Pattern::Daily { interval } = rule.pattern else { return None };
        if let RangeEnd::After(count) = rule.end
            && number > count
        {
            return None;
        }
        let days = i64::from(interval) * i64::from(number - 1);
        first.checked_add(SignedDuration::from_hours(24 * days)).ok()
    }

    /// The item that a target means, made where the occurrence was like its series so far; the master of an occurrence.
    fn target(&self, target: &Target) -> Result<(Stored, Option<Stored>), Error> {
        match target {
            Target::Item(id) => {
                let stored = self.items.get(&id.id).cloned().ok_or_else(not_found)?;
                let master = stored.master.as_ref().and_then(|master| self.items.get(master)).cloned();
                Ok((stored, master))
            }
            Target::Occurrence(id, number) => {
                let master = self.items.get(&id.id).cloned().ok_or_else(not_found)?;
                let gone = || refused(ErrorKind::OccurrenceNotFound, "there is no such occurrence");
                let start = Self::start_of(&master.item, *number).ok_or_else(gone)?;
                if master.item.deleted_occurrences().contains(&start) {
                    return Err(gone());
                }
                let own = format!("{} at {start}", id.id);
                if let Some(known) = self.items.get(&own) {
                    return Ok((known.clone(), Some(master)));
                }
                let length = master.item.time(Field::End).unwrap() - master.item.time(Field::Start).unwrap();
                let gone =
                    [Field::Recurrence, Field::ModifiedOccurrences, Field::DeletedOccurrences, Field::Kept];
                let mut changes: Vec<Change> = gone.into_iter().map(Change::remove).collect();
                changes.push(Change::set(Field::Start, Value::Time(start)));
                changes.push(Change::set(Field::End, Value::Time(start + length)));
                changes.push(Change::set(Field::OriginalStart, Value::Time(start)));
                let id = ItemRef { id: own, version: String::new() };
                let item = Item::predicted(master.item.class, Some(&master.item), id, &changes);
                let stored = Stored { folder: master.folder.clone(), item, master: Some(id_of(&master)) };
                Ok((stored, Some(master)))
            }
        }
    }

    fn update(&mut self, class: ItemClass, target: &Target, changes: &[Change]) -> Result<ItemRef, Error> {
        let (stored, master) = self.target(target)?;
        let item = self.made_of(class, Some(&stored.item), stored.item.id.clone(), changes);
        self.mail("change", Some(&stored.item), Some(&item));
        let original = item.time(Field::OriginalStart);
        let id = self.store(&stored.folder, item, master.as_ref().map(id_of));
        if let (Some(master), Some(original_start)) = (master, original) {
            let mut modified = master.item.modified_occurrences();
            modified.retain(|known| known.original_start != original_start);
            modified.push(Occurrence { id: id.clone(), original_start });
            modified.sort_by_key(|known| known.original_start);
            let change = Change::set(Field::ModifiedOccurrences, Value::Occurrences(modified));
            let item = Item::predicted(class, Some(&master.item), master.item.id.clone(), &[change]);
            self.store(&master.folder, item, None);
        }
        Ok(id)
    }

    fn delete(&mut self, target: &Target) -> Result<(), Error> {
        let (stored, master) = self.target(target)?;
        self.mail("delete", Some(&stored.item), None);
        let id = id_of(&stored);
        self.items.remove(&id);
        let Some(master) = master else {
            self.items.retain(|_, other| other.master.as_ref() != Some(&id));
            self.log.push((stored.folder, ItemChange::Gone(id)));
            return Ok(());
        };
        let original = stored.item.time(Field::OriginalStart).unwrap();
        let mut modified = master.item.modified_occurrences();
        modified.retain(|known| known.original_start != original);
        let mut deleted = master.item.deleted_occurrences();
        deleted.push(original);
        let changes = [
            Change::set(Field::ModifiedOccurrences, Value::Occurrences(modified)),
            Change::set(Field::DeletedOccurrences, Value::Times(deleted)),
        ];
        let item = Item::predicted(master.item.class, Some(&master.item), master.item.id.clone(), &changes);
        self.store(&master.folder, item, None);
        Ok(())
    }

    /// The answer to a call that was carried out, unless it is lost.
    fn answered<T>(&mut self, answer: T) -> Result<T, Error> {
        if self.lost > 0 {
            self.lost -= 1;
            return Err(refused(ErrorKind::Lost, "the answer was lost"));
        }
        Ok(answer)
    }
}

fn id_of(stored: &Stored) -> String {
    stored.item.id.id.clone()
}

#[async_trait]
impl Upstream for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn session(&self, access: &Access<'_>) -> Result<Session, Unreachable> {
        match access {
            Access::Password { login, password } => Ok(Arc::new(User {
                memory: self.clone(),
                is_known: (*login, *password) == (OWNER, "secret"),
            })),
            _ => Err(Unreachable("it knows passwords alone")),
        }
    }

    async fn look(&self) {}
}

/// One user there.
#[derive(Clone, Debug)]
struct User {
    memory: Memory,
    is_known: bool,
}

impl User {
    fn call(&self, name: &'static str) -> Result<MutexGuard<'_, World>, Error> {
        if self.is_known {
            Ok(self.memory.call(name))
        } else {
            Err(refused(ErrorKind::SignIn, "who are you?"))
        }
    }
}

#[async_trait]
impl UserSession for User {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            judges_versions: false,
            writes_silently: false,
            keeps_uids: false,
            moves_items: false,
            keeps_text_of_tasks: false,
            takes_groups: false,
            ..Capabilities::ALL
        }
    }

    fn concurrency(&self) -> usize {
        4
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn server_time(&self) -> Option<Timestamp> {
        None
    }

    fn mailbox(&self) -> Option<&str> {
        Some(OWNER)
    }

    fn shared_account(&self) -> Option<SharedAccount> {
        None
    }

    fn giving_up_at_once(&self) -> Session {
        Arc::new(self.clone())
    }

    fn asking_once(&self) -> Session {
        Arc::new(self.clone())
    }

    fn pack(&self, item: &Item) -> String {
        format!("{}\n{}", item.id.id, item.id.version)
    }

    fn unpack(&self, text: &str) -> Option<Item> {
        let (id, version) = text.split_once('\n')?;
        self.memory.world().history.get(&(id.to_owned(), version.to_owned())).cloned()
    }

    async fn folders(&self, folders: &[FolderSelector]) -> Result<Vec<Result<Folder, Error>>, Error> {
        let world = self.call("folders")?;
        let find = |selector: &FolderSelector| {
            let id = match selector {
                FolderSelector::WellKnown(WellKnownFolder::Calendar) => "the calendar",
                FolderSelector::WellKnown(WellKnownFolder::Contacts) => "the contacts",
                FolderSelector::WellKnown(WellKnownFolder::Tasks) => "the tasks",
                FolderSelector::Id(id) => id,
                FolderSelector::WellKnown(WellKnownFolder::DeletedItems) | FolderSelector::Shared(..) => "",
            };
            let found = world.folders.iter().find(|folder| folder.id == id);
            found.cloned().ok_or_else(|| refused(ErrorKind::FolderNotFound, "there is no such folder"))
        };
        Ok(folders.iter().map(find).collect())
    }

    async fn folder_changes(&self, cursor: Option<&str>) -> Result<Page<FolderChange>, Error> {
        let world = self.call("folder_changes")?;
        let now = format!("tree {}", world.tree);
        let all =
            || world.folders.iter().map(|folder| FolderChange::Written(Box::new(folder.clone()))).collect();
        let changes = if cursor == Some(now.as_str()) { Vec::new() } else { all() };
        Ok(Page { changes, cursor: now, is_last: true })
    }

    async fn item_changes(&self, folder: &str, cursor: Option<&str>) -> Result<Page<ItemChange>, Error> {
        let world = self.call("item_changes")?;
        let lost = || refused(ErrorKind::CursorLost, "this is no cursor");
        let from: usize = match cursor {
            Some(cursor) => cursor.parse().map_err(|_| lost())?,
            None => 0,
        };
        let log = world.log.get(from..).ok_or_else(lost)?;
        let mut last: BTreeMap<String, ItemChange> = BTreeMap::new();
        for (_, change) in log.iter().filter(|(place, _)| place == folder) {
            let (ItemChange::Written(ItemRef { id, .. }, _) | ItemChange::Gone(id)) = change;
            last.insert(id.clone(), change.clone());
        }
        let cursor = world.log.len().to_string();
        Ok(Page { changes: last.into_values().collect(), cursor, is_last: true })
    }

    async fn items(&self, _: ItemClass, ids: &[&str]) -> Result<Vec<Fetched>, Error> {
        let world = self.call("items")?;
        let find = |id: &&str| world.items.get(*id).map(|stored| stored.item.clone()).ok_or_else(not_found);
        Ok(ids.iter().map(find).collect())
    }

    async fn find_items(
        &self,
        folder: &str,
        wanted: &[(Field, String)],
    ) -> Result<Vec<(ItemRef, ItemClass)>, Error> {
        let world = self.call("find_items")?;
        let is_it = |stored: &&Stored| {
            let has = |(field, value): &(Field, String)| stored.item.text(*field).as_ref() == Some(value);
            stored.folder == folder && stored.master.is_none() && wanted.iter().any(has)
        };
        Ok(world.items.values().filter(is_it).map(|s| (s.item.id.clone(), s.item.class)).collect())
    }

    async fn attachments(&self, ids: &[&str]) -> Result<Vec<Result<Vec<u8>, Error>>, Error> {
        let world = self.call("attachments")?;
        let none = || refused(ErrorKind::AttachmentNotFound, "there is no such attachment");
        Ok(ids.iter().map(|id| world.files.get(*id).cloned().ok_or_else(none)).collect())
    }

    async fn create_folder(
        &self,
        _: WellKnownFolder,
        kind: CollectionKind,
        display_name: &str,
        properties: &[(FolderProperty, String)],
    ) -> Result<String, Error> {
        let mut world = self.call("create_folder")?;
        world.tree += 1;
        let mut new = folder(&format!("folder {}", world.tree), kind);
        new.display_name = display_name.to_owned();
        new.properties.name = properties
            .iter()
            .find(|(which, _)| *which == FolderProperty::Name)
            .map(|(_, value)| value.clone());
        let id = new.id.clone();
        world.folders.push(new);
        world.answered(id)
    }

    async fn update_folder(&self, _: &str, _: CollectionKind, _: &[FolderEdit]) -> Result<(), Error> {
        Err(refused(ErrorKind::Unsupported, "folders stay as they are"))
    }

    async fn delete_folder(&self, folder: &str) -> Result<(), Error> {
        let mut world = self.call("delete_folder")?;
        world.tree += 1;
        world.folders.retain(|known| known.id != folder);
        world.items.retain(|_, stored| stored.folder != folder);
        world.answered(())
    }

    async fn create_item(
        &self,
        folder: &str,
        class: ItemClass,
        changes: &[Change],
        _: Notify,
    ) -> Result<ItemRef, Error> {
        let mut world = self.call("create_item")?;
        if class == ItemClass::DistributionList {
            return Err(refused(ErrorKind::Unsupported, "there are no contact groups here"));
        }
        world.made += 1;
        let id = ItemRef { id: format!("item {}", world.made), version: String::new() };
        let item = world.made_of(class, None, id, changes);
        world.mail("create", None, Some(&item));
        let id = world.store(folder, item, None);
        world.answered(id)
    }

    async fn update_items(
        &self,
        class: ItemClass,
        changes: &[(Target, Vec<Change>)],
        _: Notify,
    ) -> Result<Vec<Result<ItemRef, Error>>, Error> {
        let mut done = Vec::new();
        for (target, changes) in changes {
            let mut world = self.call("update_item")?;
            let answer = world.update(class, target, changes);
            done.push(world.answered(answer)?);
        }
        Ok(done)
    }

    async fn delete_items(
        &self,
        targets: &[Target],
        _: Disposal,
        _: Notify,
    ) -> Result<Vec<Result<(), Error>>, Error> {
        let mut done = Vec::new();
        for target in targets {
            let mut world = self.call("delete_item")?;
            let answer = world.delete(target);
            done.push(world.answered(answer)?);
        }
        Ok(done)
    }

    async fn relocate_item(&self, _: Relocate, _: &ItemRef, _: &str) -> Result<Option<ItemRef>, Error> {
        Err(refused(ErrorKind::Unsupported, "nothing moves here"))
    }

    async fn create_attachments(
        &self,
        item: &ItemRef,
        new: &[NewAttachment],
    ) -> Result<(ItemRef, Vec<String>), Error> {
        let mut world = self.call("create_attachments")?;
        let stored = world.items.get(&item.id).cloned().ok_or_else(not_found)?;
        let mut hanging = stored.item.attachments();
        let mut ids = Vec::new();
        for file in new {
            world.made += 1;
            let id = format!("file {}", world.made);
            world.files.insert(id.clone(), file.content.clone());
            hanging.push(exdav::model::item::Attachment {
                id: id.clone(),
                name: file.name.clone(),
                content_type: Some(file.content_type.clone()),
                size: file.content.len() as u64,
                is_inline: false,
                is_contact_photo: file.is_contact_photo,
                kind: exdav::model::item::AttachmentKind::File,
            });
            ids.push(id);
        }
        let change = Change::set(Field::Attachments, Value::Attachments(hanging));
        let id = world.update(stored.item.class, &Target::Item(item.clone()), &[change])?;
        world.answered((id, ids))
    }

    async fn delete_attachments(&self, item: &ItemRef, ids: &[String]) -> Result<ItemRef, Error> {
        let mut world = self.call("delete_attachments")?;
        let stored = world.items.get(&item.id).cloned().ok_or_else(not_found)?;
        let mut hanging = stored.item.attachments();
        hanging.retain(|file| !ids.contains(&file.id));
        let change = Change::set(Field::Attachments, Value::Attachments(hanging));
        let id = world.update(stored.item.class, &Target::Item(item.clone()), &[change])?;
        world.answered(id)
    }

    async fn occurrence_starts(
        &self,
        targets: &[Target],
    ) -> Result<Vec<Result<(ItemRef, Option<Timestamp>), Error>>, Error> {
        let world = self.call("occurrence_starts")?;
        let find = |target: &Target| {
            let (stored, _) = world.target(target)?;
            Ok((stored.item.id.clone(), stored.item.time(Field::Start)))
        };
        Ok(targets.iter().map(find).collect())
    }

    async fn occurrence_ids(&self, targets: &[Target]) -> Result<Vec<Result<ItemRef, Error>>, Error> {
        let world = self.call("occurrence_ids")?;
        Ok(targets.iter().map(|target| Ok(world.target(target)?.0.item.id)).collect())
    }

    async fn answer(&self, item: &ItemRef, answer: Answer, _: &str, _: bool) -> Result<(), Error> {
        let mut world = self.call("answer")?;
        if answer == Answer::Decline {
            return world.delete(&Target::Item(item.clone()));
        }
        let word = if answer == Answer::Accept { "Accept" } else { "Tentative" };
        let stored = world.items.get(&item.id).cloned().ok_or_else(not_found)?;
        let change = Change::text(Field::OwnResponse, word);
        let item = Item::predicted(stored.item.class, Some(&stored.item), stored.item.id.clone(), &[change]);
        world.store(&stored.folder, item, None);
        Ok(())
    }

    async fn resolve_names(&self, name: &str, _: Scope) -> Result<Resolved, Error> {
        drop(self.call("resolve_names")?);
        let person = |name: &str, address: &str| Person {
            mailbox: Mailbox {
                name: name.to_owned(),
                address: address.to_owned(),
                routing: "SMTP".to_owned(),
                kind: "Mailbox".to_owned(),
                item: None,
            },
            contact: Item::new(
                ItemClass::Contact,
                ItemRef { id: address.to_owned(), version: String::new() },
                vec![
                    (Field::DisplayName, Value::Text(name.to_owned())),
                    (Field::Email("EmailAddress1"), Value::Text(address.to_owned())),
                ],
            ),
            photo: None,
        };
        let all = [person("Me", OWNER), person("Bob Example", "bob@example.com")];
        let means = |one: &Person| {
            one.mailbox.address.starts_with(name)
                || one.mailbox.name.to_lowercase().contains(&name.to_lowercase())
        };
        Ok(Resolved { people: all.into_iter().filter(means).collect(), is_complete: true })
    }

    async fn availability(
        &self,
        addresses: &[&str],
        from: Timestamp,
        _: Timestamp,
    ) -> Result<Vec<Result<Vec<BusyTime>, Error>>, Error> {
        drop(self.call("availability")?);
        let hour = SignedDuration::from_hours(1);
        let busy = BusyTime { start: from + hour, end: from + hour + hour, status: "Busy".to_owned() };
        Ok(addresses.iter().map(|_| Ok(vec![busy.clone()])).collect())
    }

    async fn shared_times(&self, _: &str, _: Timestamp, _: Timestamp) -> Result<Vec<SharedTime>, Error> {
        Err(refused(ErrorKind::Refused, "nobody shares anything here"))
    }

    async fn subscribe(&self, _: &Arc<SubscriptionGroup>) -> Result<String, Error> {
        Err(refused(ErrorKind::Unsupported, "nothing is told here"))
    }

    async fn unsubscribe(&self, _: &Arc<SubscriptionGroup>, _: &str) -> Result<(), Error> {
        Ok(())
    }

    async fn listen(&self, _: &Arc<SubscriptionGroup>, _: &[String]) -> Result<Box<dyn EventStream>, Error> {
        Err(refused(ErrorKind::Unsupported, "nothing is told here"))
    }
}
