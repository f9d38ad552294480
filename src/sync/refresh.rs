//! The contents of the collections that somebody looks at.

use super::fetch::Show;
use super::follower::{Error, Follower, lock};
use super::limited;
use crate::convert;
use crate::mirror::{Commit, Folder, Mirror};
use crate::model::id::{CollectionId, ResourceName, UpstreamId};
use crate::model::item::ItemClass;
use crate::upstream::{self, ErrorKind, FolderSelector, ItemChange, Page};
use futures_util::future::try_join_all;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

/// Codes that say that a folder is gone: the next look is at the tree.
fn is_without_folder(error: &upstream::Error) -> bool {
    matches!(error.kind, ErrorKind::ItemNotFound | ErrorKind::FolderNotFound)
}

/// Pages of ids that are known before their items are fetched.
const PAGES_AHEAD: usize = 8;

/// What SyncFolderItems tells of a folder from nothing on.
struct Found {
    members: HashSet<UpstreamId>,
    gone: HashSet<UpstreamId>,
    cursor: String,
}

/// What a look at a folder showed.
struct Stamp {
    /// `None` when it proves nothing.
    text: Option<String>,
    /// When.
    seen: Instant,
}

impl Follower {
    /// The next look at this collection asks Exchange, however fresh the mirror is.
    pub fn invalidate(&self, id: &CollectionId) {
        lock(&self.0.state).coverage.invalidate(id, Instant::now());
    }

    /// The same, unless the last look at this collection began after that.
    pub fn distrust_before(&self, id: &CollectionId, at: Instant) {
        lock(&self.0.state).coverage.distrust_before(id, at);
    }

    /// Makes sure that these collections are as fresh as the settings ask.
    pub async fn refresh(&self, ids: &[CollectionId]) -> Result<(), Error> {
        self.move_horizons(ids).await?;
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

    /// Whether the mirror was good within the freshness window, but for what Exchange told since one's own write began,
    /// of which it tells, too: enough for writes, which Exchange judges by the version.
    pub fn is_recent(&self, id: &CollectionId) -> bool {
        lock(&self.0.state).coverage.is_recent(id, self.0.settings.freshness)
    }

    /// A write to this collection begins.
    pub fn writes(&self, id: &CollectionId) {
        lock(&self.0.state).coverage.writes(id, Instant::now());
    }

    fn stale(&self, ids: &[CollectionId]) -> Vec<CollectionId> {
        let state = lock(&self.0.state);
        let window = self.0.settings.freshness;
        ids.iter().filter(|id| !state.coverage.is_fresh(id, window)).cloned().collect()
    }

    /// Whoever comes for the second time will come again: from then on it is cheaper to listen than to ask.
    fn is_worth_listening(&self, stale: &[CollectionId]) -> bool {
        // Only the owner of a mailbox may listen to it. docs/EXCHANGE.md, Notifications
        if self.0.shared.is_some() {
            return false;
        }
        let mut state = lock(&self.0.state);
        state.asked = Some(Instant::now());
        stale.iter().any(|id| state.coverage.was_seen(id)) && state.place.may_join()
    }

    async fn refresh_now(&self, ids: &[CollectionId]) -> Result<(), Error> {
        let known = self.0.mirror.known_folders().await?;
        let is_filled = |id: &CollectionId| {
            known.iter().any(|folder| folder.collection.id == *id && folder.cursor.is_some())
        };
        let (filled, empty): (Vec<CollectionId>, Vec<CollectionId>) =
            ids.iter().cloned().partition(is_filled);
        // Nobody waits for somebody else's first fill.
        let fills = try_join_all(empty.iter().map(|id| self.fill_in_turn(id)));
        let (followed, filled) = tokio::join!(self.follow_changed(filled), fills);
        followed?;
        filled.map(drop)
    }

    async fn turn(&self, id: &CollectionId) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = Arc::clone(lock(&self.0.following).entry(id.clone()).or_default());
        turn.lock_owned().await
    }

    async fn follow_changed(&self, mut ids: Vec<CollectionId>) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        // Always in the same order, so that nobody waits for somebody who waits for him.
        ids.sort();
        ids.dedup();
        let mut turns = Vec::with_capacity(ids.len());
        for id in &ids {
            turns.push(self.turn(id).await);
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

    /// Fills a collection of which nothing, or not all, is known.
    async fn fill_in_turn(&self, id: &CollectionId) -> Result<(), Error> {
        let _turn = self.turn(id).await;
        // Whoever had the turn before may have done the work.
        if self.stale(std::slice::from_ref(id)).is_empty() {
            return Ok(());
        }
        let key = id.clone();
        let Some(folder) = self.0.mirror.run(move |mirror| mirror.folder(&key)).await? else { return Ok(()) };
        // No look at the folder comes before: it would take one more call, and nothing is known that it could save.
        let seen = self.early_began(&folder.collection.upstream.0).unwrap_or_else(Instant::now);
        self.follow(&folder, Stamp { text: None, seen }).await
    }

    /// One GetFolder over all collections that are followed; gives those of `wanted` that have to be followed.
    async fn look(&self, wanted: &[CollectionId]) -> Result<Vec<(Folder, Stamp)>, Error> {
        let all = self.0.mirror.run(Mirror::folders).await?;
        let followed: Vec<Folder> =
            all.into_iter().filter(|f| f.cursor.is_some() || wanted.contains(&f.collection.id)).collect();
        let at = Instant::now();
        let (limited, followed): (Vec<Folder>, Vec<Folder>) =
            followed.into_iter().partition(|f| f.collection.upstream.0 == limited::UPSTREAM);
        let limited = limited.into_iter().filter(|f| wanted.contains(&f.collection.id));
        let mut to_follow: Vec<(Folder, Stamp)> =
            limited.map(|folder| (folder, Stamp { text: None, seen: at })).collect();
        if followed.is_empty() {
            return Ok(to_follow);
        }
        if let [alone] = followed.as_slice() {
            // Who is followed alone is asked at once: as many calls when nothing changed, one less when something did.
            if wanted.contains(&alone.collection.id) {
                to_follow.push((alone.clone(), Stamp { text: None, seen: at }));
            }
            return Ok(to_follow);
        }
        let asked: Vec<FolderSelector> =
            followed.iter().map(|f| FolderSelector::Id(f.collection.upstream.0.clone())).collect();
        let session = self.session();
        let at = Instant::now();
        let answers = session.folders(&asked).await?;
        let server_time = session.server_time();
        for (folder, answer) in followed.into_iter().zip(answers) {
            let id = folder.collection.id.clone();
            let now = match answer {
                Ok(now) => now,
                Err(error) if is_without_folder(&error) => {
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
            let unchanged = folder.cursor.is_some() && stamp.text.is_some() && folder.stamp == stamp.text;
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
        if folder.collection.upstream.0 == limited::UPSTREAM {
            return self.follow_limited(folder, stamp.seen).await;
        }
        let outcome = match folder.cursor.clone() {
            None => self.fill(folder).await,
            state => self.follow_from(folder, state, &stamp).await,
        };
        let outcome = match outcome {
            Err(Error::Exchange(error)) if error.is(&ErrorKind::CursorLost) => {
                tracing::info!(collection = %id, "the cursor is no longer valid: comparing everything");
                self.follow_from(folder, None, &stamp).await
            }
            Err(Error::Exchange(error)) if is_without_folder(&error) => {
                self.expect_tree_change();
                return Ok(());
            }
            outcome => outcome,
        };
        outcome?;
        lock(&self.0.state).coverage.saw(id, stamp.seen);
        Ok(())
    }

    /// Fetches all that is in a folder, and lets it be seen part by part. See the head of `filling.rs`.
    async fn fill(&self, folder: &Folder) -> Result<(), Error> {
        self.fill_begins(folder);
        let outcome = self.fill_from_nothing(folder).await;
        self.fill_ends(&folder.collection.id, &outcome);
        outcome
    }

    async fn fill_from_nothing(&self, folder: &Folder) -> Result<(), Error> {
        let id = folder.collection.id.clone();
        self.0.mirror.begin_refresh(&id);
        let key = id.clone();
        let written = self.0.mirror.run(move |mirror| mirror.written(&key)).await?;
        let (sender, pages) = mpsc::channel(PAGES_AHEAD);
        // What was written since is not in a page that was read early.
        let first = self.early_page(&folder.collection.upstream.0).filter(|_| written.is_empty());
        let (found, lost) = tokio::try_join!(
            self.find_all(folder, first, sender),
            self.fetch_pages(folder, pages, Show::Parts)
        )?;
        let Found { mut members, mut gone, cursor } = found;
        for item in lost {
            members.remove(&item);
            gone.insert(item);
        }
        let commit = Commit {
            gone: gone.into_iter().collect(),
            seen: written.into_iter().map(|(item, _)| item).collect(),
            current: HashSet::new(),
            only: Some(members),
            cursor: Some(cursor),
            stamp: None,
        };
        self.0.mirror.run(move |mirror| mirror.commit(&id, &commit)).await?;
        Ok(())
    }

    /// All ids of a folder, page by page; those that have to be fetched are sent on.
    async fn find_all(
        &self,
        folder: &Folder,
        mut first: Option<Page<ItemChange>>,
        wanted: mpsc::Sender<Vec<(String, ItemClass)>>,
    ) -> Result<Found, Error> {
        let id = &folder.collection.id;
        let session = self.session();
        let (mut members, mut gone) = (HashSet::new(), HashSet::new());
        let mut state: Option<String> = None;
        loop {
            let page = match first.take() {
                Some(page) => page,
                None => {
                    let _lane = self.lane(folder).await;
                    session.item_changes(&folder.collection.upstream.0, state.as_deref()).await?
                }
            };
            let mut written = Vec::new();
            for change in page.changes {
                match change {
                    ItemChange::Written(item, class) => {
                        gone.remove(&UpstreamId(item.id.clone()));
                        members.insert(UpstreamId(item.id.clone()));
                        written.push((item, class));
                    }
                    ItemChange::Gone(item) => {
                        members.remove(&UpstreamId(item.clone()));
                        gone.insert(UpstreamId(item));
                    }
                }
            }
            // What an interrupted fill already fetched is not fetched again.
            let key = id.clone();
            let items: Vec<UpstreamId> =
                written.iter().map(|(item, _)| UpstreamId(item.id.clone())).collect();
            let have = self.0.mirror.run(move |mirror| mirror.versions(&key, &items)).await?;
            let before = written.len();
            let missing: Vec<(String, ItemClass)> = written
                .into_iter()
                .filter(|(item, _)| {
                    have.get(&UpstreamId(item.id.clone())).is_none_or(|known| known.0 != item.version)
                })
                .filter_map(|(item, class)| Some((item.id, class?)))
                .collect();
            self.fill_moves(id, members.len(), before - missing.len());
            // Nobody receives only when the fill has failed, which says so itself.
            let _ = wanted.send(missing).await;
            let stuck = state.as_deref() == Some(page.cursor.as_str());
            let is_last = page.is_last || stuck;
            state = Some(page.cursor);
            if let Some(cursor) = state.clone().filter(|_| is_last) {
                return Ok(Found { members, gone, cursor });
            }
        }
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
            let page = session.item_changes(&folder.collection.upstream.0, state.as_deref()).await?;
            for change in page.changes {
                match change {
                    ItemChange::Written(item, class) => {
                        gone.remove(&UpstreamId(item.id.clone()));
                        mentioned.insert(item.id, (item.version, class));
                    }
                    ItemChange::Gone(item) => {
                        mentioned.remove(&item);
                        gone.insert(UpstreamId(item));
                    }
                }
            }
            let stuck = state.as_deref() == Some(page.cursor.as_str());
            state = Some(page.cursor);
            if page.is_last || stuck {
                break;
            }
        }
        let unchanged = folder.cursor == state && mentioned.is_empty() && gone.is_empty();
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
        let mut current: HashSet<UpstreamId> = mentioned.keys().cloned().map(UpstreamId).collect();
        let unmentioned = self.classes(folder, unmentioned).await?;
        current.extend(unmentioned.iter().map(|(item, _)| UpstreamId(item.clone())));
        for lost in self.fetch(folder, unmentioned).await? {
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
            for lost in self.fetch(folder, wanted).await? {
                if let Some(only) = &mut only {
                    only.remove(&lost);
                }
                gone.insert(lost);
            }
        }
        self.resolve_duplicate_uids(folder, &gone).await?;
        let commit = Commit {
            gone: gone.into_iter().collect(),
            seen,
            current,
            only,
            cursor: state,
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
