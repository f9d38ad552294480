//! One mailbox: what is fresh, what is not, and who is refreshing it.

use super::coverage::Coverage;
use super::hierarchy::{self, DISTINGUISHED};
use super::live::{self, Live, Place};
use super::shared::Shared;
use crate::convert;
use crate::ews::types::{Folder as EwsFolder, ItemClass};
use crate::ews::{self, Event, FolderChange, FolderSelector, ItemChange, Session};
use crate::mirror::{self, Commit, Folder, Mirror};
use crate::model::id::{CollectionId, ResourceName, UpstreamId};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::time::{Duration, Instant};

/// How closely Exchange is followed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Within this time after a look at Exchange nobody asks it again.
    pub freshness: Duration,
    /// How often new and renamed folders are looked for.
    pub hierarchy: Duration,
    /// How changes are listened for.
    pub live: live::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            freshness: Duration::from_secs(15),
            hierarchy: Duration::from_secs(120),
            live: live::Settings::default(),
        }
    }
}

/// Why a mirror could not be made fresh.
#[derive(Debug, thiserror::Error, Clone)]
pub enum Error {
    /// Exchange did not answer as it should.
    #[error(transparent)]
    Exchange(#[from] ews::Error),
    /// The store failed.
    #[error(transparent)]
    Mirror(Arc<mirror::Error>),
    /// The refresh was cut off.
    #[error("the refresh was interrupted")]
    Interrupted,
}

impl From<mirror::Error> for Error {
    fn from(error: mirror::Error) -> Self {
        Self::Mirror(Arc::new(error))
    }
}

/// Makes the URL of an attachment: collection, member, MANAGED-ID.
pub type Links = Arc<dyn Fn(&CollectionId, &ResourceName, &str) -> String + Send + Sync>;

/// One mailbox being followed. Cheap to clone.
#[derive(Clone)]
pub struct Follower(Arc<Inner>);

/// A mailbox that is followed as long as somebody else holds it.
pub(super) struct Loose(Weak<Inner>);

struct Inner {
    session: RwLock<Session>,
    mirror: Arc<Mirror>,
    context: convert::Context,
    links: Option<Links>,
    /// Somebody else's folders are followed.
    shared: Option<Shared>,
    directory: RwLock<Arc<HashMap<String, String>>>,
    settings: Settings,
    live: Live,
    state: Mutex<State>,
    /// Held while the folders are looked at.
    looking: tokio::sync::Mutex<()>,
    /// Held while a collection is followed.
    following: Mutex<HashMap<CollectionId, Arc<tokio::sync::Mutex<()>>>>,
}

#[derive(Default)]
struct State {
    /// The collections were asked for before.
    has_begun: bool,
    /// When each collection was last known to be like Exchange, and what was heard since.
    coverage: Coverage,
    /// Who listens for this mailbox.
    place: Place,
    /// When somebody last asked for it.
    asked: Option<Instant>,
    /// The ids of [`DISTINGUISHED`], once they are known.
    distinguished: Option<Vec<Option<String>>>,
}

/// A panic elsewhere must not take the others along.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Codes that say that a folder is gone: the next look is at the tree.
const NO_FOLDER: [&str; 3] = ["ErrorItemNotFound", "ErrorFolderNotFound", "ErrorSyncFolderNotFound"];

impl Follower {
    /// Follows a mailbox; asks nothing yet.
    pub fn new(
        session: Session,
        mirror: Arc<Mirror>,
        context: convert::Context,
        links: Option<Links>,
        shared: Option<Shared>,
        settings: Settings,
        live: Live,
    ) -> Self {
        Self(Arc::new(Inner {
            session: RwLock::new(session),
            mirror,
            context,
            links,
            shared,
            directory: RwLock::default(),
            settings,
            live,
            state: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
            following: Mutex::default(),
        }))
    }

    /// The session in use.
    pub fn session(&self) -> Session {
        self.0.session.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on another session is used: the password has changed.
    pub fn use_session(&self, session: Session) {
        *self.0.session.write().unwrap_or_else(PoisonError::into_inner) = session;
    }

    /// The mirror that is kept.
    pub fn mirror(&self) -> &Arc<Mirror> {
        &self.0.mirror
    }

    pub(super) fn directory(&self) -> RwLockReadGuard<'_, Arc<HashMap<String, String>>> {
        self.0.directory.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn learn(&self, name: String, address: String) {
        let mut known = self.0.directory.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut known).insert(name, address);
    }

    /// How items are rendered that lie in no collection.
    pub fn rendering(&self) -> convert::Context {
        self.0.context.clone()
    }

    pub(super) fn context(&self, id: &CollectionId) -> convert::Context {
        let known = Arc::clone(&self.directory());
        let known = if known.values().any(String::is_empty) {
            Arc::new(
                known.iter().filter(|(_, a)| !a.is_empty()).map(|(n, a)| (n.clone(), a.clone())).collect(),
            )
        } else {
            known
        };
        let attachment_url = self.0.links.clone().map(|links| {
            let id = id.clone();
            Arc::new(move |name: &ResourceName, managed: &str| links(&id, name, managed))
                as convert::AttachmentUrl
        });
        convert::Context { directory: known, attachment_url, ..self.0.context.clone() }
    }

    /// Asks Exchange for the distinguished folders: proves the credentials in one call.
    pub async fn sign_in(session: &Session) -> Result<Vec<Option<EwsFolder>>, Error> {
        let wanted: Vec<FolderSelector> =
            DISTINGUISHED.iter().map(|(name, _)| FolderSelector::Distinguished(name)).collect();
        let mut found = Vec::new();
        for folder in session.get_folders(&wanted).await? {
            match folder {
                Ok(folder) => found.push(Some(folder)),
                Err(error) if error.is_transient() => return Err(error.into()),
                // A mailbox without tasks is a mailbox.
                Err(_) => found.push(None),
            }
        }
        Ok(found)
    }

    /// Takes over what the sign-in showed, so that nobody asks for it again.
    pub fn note_distinguished(&self, folders: &[Option<EwsFolder>]) {
        let ids = folders.iter().map(|f| f.as_ref().map(|f| f.id.clone())).collect();
        lock(&self.0.state).distinguished = Some(ids);
    }

    /// The collections, as fresh as the settings ask.
    pub async fn collections(&self) -> Result<Arc<[Folder]>, Error> {
        let known = self.0.mirror.known_folders().await?;
        let has_begun = std::mem::replace(&mut lock(&self.0.state).has_begun, true);
        // Rights of yesterday are none.
        if !has_begun && !known.is_empty() && self.0.shared.is_none() {
            // After a restart the tree of yesterday serves at once; it is looked at when its time comes.
            lock(&self.0.state).coverage.saw_tree(Instant::now());
        }
        if self.is_tree_fresh() && !known.is_empty() {
            return Ok(known);
        }
        let follower = self.clone();
        tokio::spawn(async move { follower.follow_tree(Tree::IfChanged).await })
            .await
            .map_err(|_| Error::Interrupted)??;
        Ok(self.0.mirror.known_folders().await?)
    }

    /// The folder tree is looked at with the next request.
    pub fn expect_tree_change(&self) {
        lock(&self.0.state).coverage.distrust_tree();
    }

    fn is_tree_fresh(&self) -> bool {
        let settings = &self.0.settings;
        let window = if self.0.shared.is_some() { settings.freshness } else { settings.hierarchy };
        lock(&self.0.state).coverage.is_tree_fresh(window)
    }

    async fn follow_tree(&self, wanted: Tree) -> Result<(), Error> {
        let _looking = self.0.looking.lock().await;
        let is_whole = wanted == Tree::Whole;
        if !is_whole && self.is_tree_fresh() {
            return Ok(());
        }
        let session = self.session();
        let at = Instant::now();
        if let Some(shared) = &self.0.shared {
            let collections = shared.collections(&session).await?;
            let known = self.0.mirror.run(Mirror::folders).await?;
            if !known.iter().map(|folder| &folder.collection).eq(&collections) {
                self.0.mirror.run(move |mirror| mirror.set_collections(&collections, None)).await?;
            }
            lock(&self.0.state).coverage.saw_tree(at);
            return Ok(());
        }
        let before = self.0.mirror.run(Mirror::hierarchy_state).await?;
        if let Some(state) = before.filter(|_| !is_whole) {
            match session.sync_hierarchy(Some(&state)).await {
                Ok(page) if page.is_last && page.changes.is_empty() => {
                    lock(&self.0.state).coverage.saw_tree(at);
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) if error.is("ErrorInvalidSyncStateData") => {}
                Err(error) => return Err(error.into()),
            }
        }
        let known = lock(&self.0.state).distinguished.clone();
        let distinguished = match known {
            Some(ids) => ids,
            None => {
                let folders = Self::sign_in(&session).await?;
                self.note_distinguished(&folders);
                folders.into_iter().map(|f| f.map(|f| f.id)).collect()
            }
        };
        let mut folders = Vec::new();
        let mut state: Option<String> = None;
        loop {
            let page = session.sync_hierarchy(state.as_deref()).await?;
            folders.extend(page.changes.into_iter().filter_map(|change| match change {
                FolderChange::Written(folder) => Some(*folder),
                FolderChange::Gone(_) => None,
            }));
            let stuck = state.as_deref() == Some(page.sync_state.as_str());
            state = Some(page.sync_state);
            if page.is_last || stuck {
                break;
            }
        }
        let collections = hierarchy::collections(&folders, &distinguished);
        let places = collections.iter().map(|c| (c.upstream.0.clone(), c.id.clone())).collect();
        self.0.mirror.run(move |mirror| mirror.set_collections(&collections, state.as_deref())).await?;
        let mut state = lock(&self.0.state);
        state.coverage.know_folders(places, folders.iter().map(|folder| folder.id.as_str()));
        state.coverage.saw_tree(at);
        Ok(())
    }

    /// The next look at this collection asks Exchange, however fresh the mirror is.
    pub fn distrust(&self, id: &CollectionId) {
        lock(&self.0.state).coverage.distrust(id);
    }

    /// Makes sure that these collections are as fresh as the settings ask.
    pub async fn refresh(&self, ids: &[CollectionId]) -> Result<(), Error> {
        let stale = self.stale(ids);
        if self.is_worth_listening(&stale) {
            self.0.live.join(self);
        }
        if stale.is_empty() {
            return Ok(());
        }
        let (follower, ids) = (self.clone(), ids.to_vec());
        tokio::spawn(async move { follower.refresh_now(&ids).await }).await.map_err(|_| Error::Interrupted)?
    }

    /// Whether the mirror was good within the freshness window, whatever was heard since: enough for writes, which
    /// Exchange judges by the ChangeKey. Of one's own writes Exchange tells, too.
    pub fn is_recent(&self, id: &CollectionId) -> bool {
        lock(&self.0.state).coverage.is_recent(id, self.0.settings.freshness)
    }

    fn stale(&self, ids: &[CollectionId]) -> Vec<CollectionId> {
        let state = lock(&self.0.state);
        let window = self.0.settings.freshness;
        ids.iter().filter(|id| !state.coverage.is_fresh(id, window)).cloned().collect()
    }

    /// Whoever comes for the second time will come again: from then on it is cheaper to listen than to ask.
    fn is_worth_listening(&self, stale: &[CollectionId]) -> bool {
        // Only the owner of a mailbox may listen to it. FACTS 6
        if self.0.shared.is_some() {
            return false;
        }
        let mut state = lock(&self.0.state);
        state.asked = Some(Instant::now());
        stale.iter().any(|id| state.coverage.was_seen(id)) && state.place.may_join()
    }

    async fn refresh_now(&self, ids: &[CollectionId]) -> Result<(), Error> {
        // Always in the same order, so that nobody waits for somebody who waits for him.
        let mut ids = ids.to_vec();
        ids.sort();
        ids.dedup();
        let mut turns = Vec::with_capacity(ids.len());
        for id in &ids {
            let turn = Arc::clone(lock(&self.0.following).entry(id.clone()).or_default());
            turns.push(turn.lock_owned().await);
        }
        // Whoever had the turn before may have done the work.
        let changed = {
            let _looking = self.0.looking.lock().await;
            let stale = self.stale(&ids);
            if stale.is_empty() { Vec::new() } else { self.look(&stale).await? }
        };
        for (folder, stamp) in changed {
            self.follow(&folder, stamp).await?;
        }
        Ok(())
    }

    /// One GetFolder over all collections that are followed; gives those of `wanted` that have to be followed.
    async fn look(&self, wanted: &[CollectionId]) -> Result<Vec<(Folder, Stamp)>, Error> {
        let all = self.0.mirror.run(Mirror::folders).await?;
        let followed: Vec<Folder> =
            all.into_iter().filter(|f| f.sync_state.is_some() || wanted.contains(&f.collection.id)).collect();
        if followed.is_empty() {
            return Ok(Vec::new());
        }
        if let [alone] = followed.as_slice() {
            // Who is followed alone is asked at once: as many calls when nothing changed, one less when something did.
            return Ok(vec![(alone.clone(), Stamp { text: None, seen: Instant::now() })]);
        }
        let asked: Vec<FolderSelector> =
            followed.iter().map(|f| FolderSelector::Id(f.collection.upstream.0.clone())).collect();
        let session = self.session();
        let at = Instant::now();
        let answers = session.get_folders(&asked).await?;
        let server_time = session.server_time();
        let mut to_follow = Vec::new();
        for (folder, answer) in followed.into_iter().zip(answers) {
            let id = folder.collection.id.clone();
            let now = match answer {
                Ok(now) => now,
                Err(error) if NO_FOLDER.iter().any(|code| error.is(code)) => {
                    self.expect_tree_change();
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            // Stamps count whole seconds: one of this very second does not prove that nothing else will happen in it.
            let settled = match (now.committed, server_time) {
                (Some(committed), Some(time)) => time.duration_since(committed).as_secs() >= 2,
                _ => false,
            };
            let stamp = Stamp { text: now.stamp.filter(|_| settled), seen: at };
            let unchanged = folder.sync_state.is_some() && stamp.text.is_some() && folder.stamp == stamp.text;
            if unchanged {
                lock(&self.0.state).coverage.saw(id, at);
            } else if wanted.contains(&id) {
                to_follow.push((folder, stamp));
            }
        }
        Ok(to_follow)
    }

    /// Follows one collection with SyncFolderItems. The caller has its turn.
    async fn follow(&self, folder: &Folder, stamp: Stamp) -> Result<(), Error> {
        let id = folder.collection.id.clone();
        let outcome = match self.follow_from(folder, folder.sync_state.clone(), &stamp).await {
            Err(Error::Exchange(error)) if error.is("ErrorInvalidSyncStateData") => {
                tracing::info!(collection = %id, "the SyncState is no longer valid: comparing everything");
                self.follow_from(folder, None, &stamp).await
            }
            Err(Error::Exchange(error)) if NO_FOLDER.iter().any(|code| error.is(code)) => {
                self.expect_tree_change();
                return Ok(());
            }
            outcome => outcome,
        };
        outcome?;
        lock(&self.0.state).coverage.saw(id, stamp.seen);
        Ok(())
    }

    async fn follow_from(&self, folder: &Folder, state: Option<String>, stamp: &Stamp) -> Result<(), Error> {
        let id = folder.collection.id.clone();
        let session = self.session();
        self.0.mirror.begin_refresh(&id);
        let key = id.clone();
        let written = self.0.mirror.run(move |mirror| mirror.written(&key)).await?;
        let from_nothing = state.is_none();
        let mut state = state;
        let mut mentioned: HashMap<String, (String, Option<ItemClass>)> = HashMap::new();
        let mut gone: HashSet<UpstreamId> = HashSet::new();
        loop {
            let page = session.sync_items(&folder.collection.upstream.0, state.as_deref()).await?;
            for change in page.changes {
                match change {
                    ItemChange::Written(item, class) => {
                        gone.remove(&UpstreamId(item.id.clone()));
                        mentioned.insert(item.id, (item.change_key, class));
                    }
                    ItemChange::Gone(item) => {
                        mentioned.remove(&item);
                        gone.insert(UpstreamId(item));
                    }
                }
            }
            let stuck = state.as_deref() == Some(page.sync_state.as_str());
            state = Some(page.sync_state);
            if page.is_last || stuck {
                break;
            }
        }
        let unchanged = folder.sync_state == state && mentioned.is_empty() && gone.is_empty();
        if unchanged && written.is_empty() && (stamp.text.is_none() || folder.stamp == stamp.text) {
            return Ok(());
        }
        let mut only =
            from_nothing.then(|| mentioned.keys().cloned().map(UpstreamId).collect::<HashSet<_>>());
        let seen: Vec<UpstreamId> = written.iter().map(|(item, _)| item.clone()).collect();
        let unmentioned = written
            .into_iter()
            .filter(|(item, _)| !from_nothing && !mentioned.contains_key(&item.0) && !gone.contains(item))
            .collect();
        for lost in self.fetch(&id, self.classes(folder, unmentioned).await?).await? {
            gone.insert(lost);
        }
        if !mentioned.is_empty() {
            let key = id.clone();
            // What the mirror or an interrupted refresh already holds is not fetched again.
            let items: Vec<UpstreamId> = mentioned.keys().cloned().map(UpstreamId).collect();
            let have = self.0.mirror.run(move |mirror| mirror.versions(&key, &items)).await?;
            let wanted = mentioned
                .into_iter()
                .filter(|(item, (version, _))| {
                    have.get(&UpstreamId(item.clone())).is_none_or(|known| known.0 != *version)
                })
                .filter_map(|(item, (_, class))| Some((item, class?)))
                .collect();
            for lost in self.fetch(&id, wanted).await? {
                if let Some(only) = &mut only {
                    only.remove(&lost);
                }
                gone.insert(lost);
            }
        }
        self.part_twins(folder, &gone).await?;
        let commit = Commit {
            gone: gone.into_iter().collect(),
            seen,
            only,
            sync_state: state,
            stamp: stamp.text.clone(),
        };
        self.0.mirror.run(move |mirror| mirror.commit(&id, &commit)).await?;
        Ok(())
    }

    /// The classes of members, to fetch them by.
    async fn classes(
        &self,
        folder: &Folder,
        members: Vec<(UpstreamId, ResourceName)>,
    ) -> Result<Vec<(String, ItemClass)>, Error> {
        let (id, kind) = (folder.collection.id.clone(), folder.collection.kind);
        let classes = self.0.mirror.run(move |mirror| {
            let names: Vec<ResourceName> = members.iter().map(|(_, name)| name.clone()).collect();
            let objects = mirror.get_many(&id, &names)?;
            let known = members.into_iter().zip(objects).filter_map(|((item, _), object)| {
                Some((item.0, convert::write::class_of(kind, &object?.body)))
            });
            Ok(known.collect())
        });
        Ok(classes.await?)
    }
}

/// What is listened for, as the one who listens sees it.
impl Follower {
    pub(super) fn loose(&self) -> Loose {
        Loose(Arc::downgrade(&self.0))
    }

    /// Who listens for this mailbox now.
    pub(super) fn set_place(&self, place: Place) {
        let before = std::mem::replace(&mut lock(&self.0.state).place, place);
        before.wake();
    }

    /// Whether these listen for this mailbox.
    pub(super) fn is_in(&self, group: &Arc<live::Group>) -> bool {
        lock(&self.0.state).place.is_in(group)
    }

    /// Since when nobody has asked for this mailbox.
    pub(super) fn idle(&self) -> Duration {
        lock(&self.0.state).asked.map_or(Duration::MAX, |at| at.elapsed())
    }

    /// Makes sure that the folders are known of which events may tell.
    pub(super) async fn know_folders(&self) -> Result<(), Error> {
        if lock(&self.0.state).coverage.knows_folders() {
            return Ok(());
        }
        self.follow_tree(Tree::Whole).await
    }

    /// From now on every change is heard of.
    pub(super) fn listening(&self) {
        lock(&self.0.state).coverage.listening(Instant::now());
    }

    /// Changes are no longer heard of.
    pub(super) fn deaf(&self) {
        lock(&self.0.state).coverage.deaf();
    }

    /// Takes note of what happened.
    pub(super) fn heard(&self, events: &[Event]) {
        lock(&self.0.state).coverage.heard(events, Instant::now());
    }

    /// Nobody asks for this mailbox: all that can be had again is dropped.
    pub(super) fn sleep(&self) {
        lock(&self.0.state).coverage = Coverage::default();
        *self.0.directory.write().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }

    /// The password has changed: whoever listens with the old one stops.
    pub fn stop_listening(&self) {
        lock(&self.0.state).coverage.deaf();
        self.set_place(Place::default());
    }

    /// Whether every change is heard of.
    pub fn is_live(&self) -> bool {
        lock(&self.0.state).coverage.is_listening()
    }
}

impl Loose {
    pub(super) fn hold(&self) -> Option<Follower> {
        self.0.upgrade().map(Follower)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        lock(&self.state).place.wake();
    }
}

/// How much of the folder tree is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tree {
    /// All of it, if something in it changed.
    IfChanged,
    /// All of it.
    Whole,
}

/// What a look at a folder showed.
struct Stamp {
    /// `None` when it proves nothing.
    text: Option<String>,
    /// When.
    seen: Instant,
}
