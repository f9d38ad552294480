//! One signed-in user: collections and freshness.

use super::directory::DirectoryCache;
use super::error::Error;
use super::opening::AccessMode;
use super::shared_mailbox::DelegateAccess;
use super::write::{Answer, IncompleteGroups, Unanswered, WriteLocks};
use super::{Freshness, Principal};
use crate::convert;
use crate::mirror::{Entry, Folder, Mirror};
use crate::model::collection::{Collection, CollectionKind};
use crate::model::id::{CollectionId, ResourceName};
use crate::sync::Follower;
use crate::upstream::Session;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// After a failed look at Exchange the mirror answers at once for this long.
const OFFLINE_BACK_OFF: Duration = Duration::from_secs(10);

/// One signed-in user's view of the upstream. Cheap to clone.
#[derive(Clone)]
pub struct Mailbox(Arc<Inner>, Request);

/// What belongs to the request that is being answered, if there is one.
#[derive(Clone, Default)]
struct Request {
    /// When its answer is due.
    due: Option<Instant>,
    answer: Arc<Answer>,
}

/// When Exchange was looked at. The monotonic clock decides: the wall clock may be set at any time.
#[derive(Clone, Copy)]
struct Looks {
    /// Exchange last answered.
    seen: Instant,
    /// Exchange last failed to answer; `None`: it has answered since.
    missed: Option<Instant>,
}

struct Inner {
    principal: Principal,
    follower: Follower,
    /// The server of attachments; empty: none are served.
    attachments: String,
    zone: Arc<str>,
    /// The rules of that zone, as iCalendar text.
    zone_text: Option<String>,
    looks: Mutex<Looks>,
    /// What is not cancelled with the request that began it.
    work: TaskTracker,
    /// Exchange no longer takes the password.
    refused: Arc<AtomicBool>,
    /// Who is writing which object, over all mailboxes.
    write_locks: Arc<WriteLocks>,
    /// Creations whose answers were lost.
    unanswered: Unanswered,
    /// A write ended without a clear outcome.
    unsettled: AtomicBool,
    /// What the directory told this user.
    told: DirectoryCache,
    /// Groups that wait for members.
    waiting: IncompleteGroups,
    /// The mailbox is somebody else's.
    is_visit: bool,
    /// Whom this user visits.
    visits: DelegateAccess,
}

impl Mailbox {
    pub(super) fn new(
        principal: Principal,
        follower: Follower,
        attachments: &str,
        zone: Arc<str>,
        work: TaskTracker,
        way: &AccessMode,
        write_locks: Arc<WriteLocks>,
    ) -> Self {
        // A password that is no longer taken is refused at every door.
        let (refused, is_visit) = match way {
            AccessMode::Own { .. } => (Arc::default(), false),
            AccessMode::Visit { guest, .. } => (Arc::clone(&guest.0.refused), true),
        };
        let zone_text = convert::zone_text(&zone);
        let inner = Arc::new(Inner {
            principal,
            follower,
            attachments: attachments.to_owned(),
            zone,
            zone_text,
            looks: Mutex::new(Looks { seen: Instant::now(), missed: None }),
            work,
            refused,
            is_visit,
            visits: DelegateAccess::default(),
            write_locks,
            unanswered: Unanswered::default(),
            unsettled: AtomicBool::new(false),
            told: DirectoryCache::default(),
            waiting: IncompleteGroups::default(),
        });
        Self(inner, Request::default())
    }

    /// The same for one request, whose answer is due then: what cannot be looked at in time is answered from the mirror,
    /// and no write is begun later. What is under way goes on.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        Self(Arc::clone(&self.0), Request { due: Some(deadline), ..Request::default() })
    }

    fn looks(&self) -> MutexGuard<'_, Looks> {
        self.0.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something that may write: it goes on to its end when the caller goes away, and the program waits for it
    /// before it ends.
    pub(super) fn carry_on(&self, work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.0.work.spawn(work)
    }

    /// Waits for something of the upstream until the answer is due.
    pub(super) async fn in_time<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, Error>
    where
        Error: From<E>,
    {
        match self.1.due {
            None => Ok(work.await?),
            Some(deadline) => match tokio::time::timeout_at(deadline, work).await {
                Ok(outcome) => Ok(outcome?),
                Err(_) => Err(Error::late()),
            },
        }
    }

    /// Whether the answer is overdue.
    pub(super) fn is_late(&self) -> bool {
        self.1.due.is_some_and(|deadline| deadline <= Instant::now())
    }

    pub(super) fn follower(&self) -> &Follower {
        &self.0.follower
    }

    /// Whether this is somebody else's mailbox, seen with the rights of who asks.
    pub fn is_visit(&self) -> bool {
        self.0.is_visit
    }

    pub(super) fn visits(&self) -> &DelegateAccess {
        &self.0.visits
    }

    /// From now on another session is used: the password has changed.
    pub(super) fn use_session(&self, session: &Session) {
        self.0.follower.use_session(session.clone());
        self.0.visits.use_session(session);
    }

    pub(super) fn write_locks(&self) -> &Arc<WriteLocks> {
        &self.0.write_locks
    }

    pub(super) fn unanswered(&self) -> &Unanswered {
        &self.0.unanswered
    }

    /// The answer to the request that is being answered.
    pub(super) fn open_answer(&self) -> &Answer {
        &self.1.answer
    }

    pub(super) fn waiting(&self) -> &IncompleteGroups {
        &self.0.waiting
    }

    pub(super) fn unsettled(&self) -> &AtomicBool {
        &self.0.unsettled
    }

    pub(super) fn told(&self) -> &DirectoryCache {
        &self.0.told
    }

    pub(super) fn mirror(&self) -> &Arc<Mirror> {
        self.0.follower.mirror()
    }

    /// Whether Exchange refused the password since it last accepted it.
    pub(super) fn is_refused(&self) -> bool {
        self.0.refused.load(Ordering::Relaxed)
    }

    pub(super) fn note_accepted(&self) {
        self.0.refused.store(false, Ordering::Relaxed);
    }

    /// The next sign-in asks Exchange when it no longer takes the password: it must not see it again and again.
    pub(super) fn note(&self, error: Error) -> Error {
        if matches!(error, Error::SignIn | Error::Barred(_)) {
            self.0.refused.store(true, Ordering::Relaxed);
        }
        error
    }

    /// IANA name of the zone of floating times.
    pub(super) fn zone(&self) -> &str {
        &self.0.zone
    }

    /// Who this is.
    pub fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// URL of the server of attachments; `None` where none are served. RFC 8607 6.1
    pub fn attachments_url(&self) -> Option<&str> {
        Some(self.0.attachments.as_str()).filter(|url| !url.is_empty())
    }

    /// All collections, defaults first, as fresh as the freshness window asks.
    pub async fn collections(&self) -> Result<Vec<Collection>, Error> {
        Ok(self.folders().await?.iter().map(|folder| self.shown(folder)).collect())
    }

    async fn folders(&self) -> Result<Arc<[Folder]>, Error> {
        match self.in_time(self.0.follower.collections()).await {
            Ok(folders) => Ok(folders),
            Err(error @ Error::Unavailable { .. }) => {
                let known = self.mirror().known_folders().await?;
                if known.is_empty() { Err(error) } else { Ok(known) }
            }
            Err(error) => Err(self.note(error)),
        }
    }

    /// As clients see it: a calendar without a zone of its own has the mailbox's.
    fn shown(&self, folder: &Folder) -> Collection {
        let mut collection = folder.collection.clone();
        if collection.kind != CollectionKind::AddressBook && collection.timezone.is_none() {
            collection.timezone.clone_from(&self.0.zone_text);
        }
        collection
    }

    /// One collection, or `None` when there is none of that name.
    pub async fn collection(&self, id: &CollectionId) -> Result<Option<Collection>, Error> {
        let folders = self.folders().await?;
        Ok(folders.iter().find(|folder| folder.collection.id == *id).map(|folder| self.shown(folder)))
    }

    /// Makes sure that the mirror of these collections is fresh: at most one upstream call per window
    /// when nothing changed, however many collections are asked for.
    pub async fn refresh(&self, ids: &[CollectionId]) -> Result<Vec<Freshness>, Error> {
        let stale_for = self.look(ids).await?;
        self.freshness(ids, stale_for).await
    }

    /// The same for listings, which wait for nobody's first fill: `None` for a collection that is not complete. It is
    /// filled behind.
    pub async fn tokens(&self, ids: &[CollectionId]) -> Result<Vec<Option<Freshness>>, Error> {
        let folders = self.mirror().known_folders().await?;
        let is_filled =
            |id: &&CollectionId| folders.iter().any(|f| f.collection.id == **id && f.cursor.is_some());
        let (filled, empty): (Vec<&CollectionId>, Vec<&CollectionId>) = ids.iter().partition(is_filled);
        for id in empty {
            self.0.follower.begin_fill(id);
        }
        let filled: Vec<CollectionId> = filled.into_iter().cloned().collect();
        let fresh = if filled.is_empty() { Vec::new() } else { self.refresh(&filled).await? };
        let token = |id| filled.iter().zip(&fresh).find(|(known, _)| *known == id).map(|(_, fresh)| *fresh);
        Ok(ids.iter().map(token).collect())
    }

    async fn freshness(
        &self,
        ids: &[CollectionId],
        stale_for: Option<Duration>,
    ) -> Result<Vec<Freshness>, Error> {
        let mut freshness = Vec::with_capacity(ids.len());
        let folders = self.mirror().known_folders().await?;
        for id in ids {
            let folder = folders.iter().find(|folder| folder.collection.id == *id).ok_or(Error::NotFound)?;
            if stale_for.is_some() && folder.cursor.is_none() {
                // Half of a collection would look like many deletions.
                return Err(self.filling(id));
            }
            freshness.push(Freshness { token: self.mirror().token(folder), stale_for });
        }
        Ok(freshness)
    }

    async fn look(&self, ids: &[CollectionId]) -> Result<Option<Duration>, Error> {
        let Looks { seen, missed } = *self.looks();
        if missed.is_some_and(|missed| missed.elapsed() < OFFLINE_BACK_OFF) && !self.is_any_new(ids).await? {
            return Ok(Some(seen.elapsed()));
        }
        match self.in_time(self.0.follower.refresh(ids)).await {
            Ok(()) => {
                self.note_answer();
                Ok(None)
            }
            Err(Error::Unavailable { reason, .. }) => {
                if missed.is_none() {
                    tracing::warn!(reason, "Exchange is away: the mirror answers on its own");
                }
                // A first look takes its time, and others need not go without theirs meanwhile.
                if !(self.is_late() && self.is_any_new(ids).await?) {
                    self.looks().missed = Some(Instant::now());
                }
                Ok(Some(seen.elapsed()))
            }
            Err(error) => Err(self.note(error)),
        }
    }

    /// Exchange has answered.
    fn note_answer(&self) {
        let missed = {
            let mut looks = self.looks();
            looks.seen = Instant::now();
            looks.missed.take()
        };
        if missed.is_some() {
            tracing::info!("Exchange answers again");
        }
    }

    /// Whether all of a collection is known: until its first fill is complete it is not listed. `true`, too, where there
    /// is no such collection.
    pub async fn is_filled(&self, id: &CollectionId) -> Result<bool, Error> {
        let mut folders = self.mirror().known_folders().await?;
        if !folders.iter().any(|folder| folder.collection.id == *id) {
            // A client may come straight to its collection, before the first look at the folders.
            folders = self.folders().await?;
        }
        Ok(!folders.iter().any(|folder| folder.collection.id == *id && folder.cursor.is_none()))
    }

    /// What is to be said while a collection is not complete.
    fn filling(&self, id: &CollectionId) -> Error {
        match self.0.follower.progress(id) {
            Some(progress) => Error::Filling(progress.to_string()),
            None => Error::late(),
        }
    }

    /// Waits until a collection is complete, as long as the answer may take.
    async fn wait_for_fill(&self, id: &CollectionId) -> Result<Folder, Error> {
        match self.look(std::slice::from_ref(id)).await? {
            // Half of a collection would look like many deletions.
            _ if !self.is_filled(id).await? => Err(self.filling(id)),
            _ => self.folder(id).await,
        }
    }

    /// Waits until more of a collection is visible than there was, or all of it: `false` when all is.
    pub(super) async fn wait_for_part(
        &self,
        id: &CollectionId,
        moved: impl Future<Output = ()>,
    ) -> Result<bool, Error> {
        tokio::select! {
            folder = self.wait_for_fill(id) => folder.map(|_| false),
            () = moved => Ok(true),
        }
    }

    /// Whether one of these collections was never fetched.
    async fn is_any_new(&self, ids: &[CollectionId]) -> Result<bool, Error> {
        for id in ids {
            if self.folder(id).await?.cursor.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether every change at Exchange is heard of: an unchanged poll then costs no call at all.
    pub fn is_live(&self) -> bool {
        self.0.follower.is_live()
    }

    /// How long the mirror has been on its own, if the last look at the upstream failed.
    pub fn stale_for(&self) -> Option<Duration> {
        let looks = *self.looks();
        looks.missed.map(|_| looks.seen.elapsed())
    }

    /// The collection as the mirror knows it.
    pub(super) async fn folder(&self, id: &CollectionId) -> Result<Folder, Error> {
        let folders = self.mirror().known_folders().await?;
        folders.iter().find(|folder| folder.collection.id == *id).cloned().ok_or(Error::NotFound)
    }

    /// What is behind a member, as the mirror knows it.
    pub(super) async fn entry(&self, id: &CollectionId, name: &ResourceName) -> Result<Option<Entry>, Error> {
        let (id, name) = (id.clone(), name.clone());
        Ok(self.mirror().run(move |mirror| mirror.entry(&id, &name)).await?)
    }

    /// The collection that is about to be written to: notifications of one's own writes need no look first.
    pub(super) async fn recent_folder(&self, id: &CollectionId) -> Result<Folder, Error> {
        let is_recent = self.follower().is_recent(id);
        let folder = if is_recent { self.folder(id).await? } else { self.current_folder(id).await? };
        self.follower().writes(id);
        Ok(folder)
    }

    /// The collection as it is known, after a look at the folders if it is not.
    pub(super) async fn known_folder(&self, id: &CollectionId) -> Result<Folder, Error> {
        match self.folder(id).await {
            Err(Error::NotFound) => {
                // Another gateway or program may have made it since the folders were looked at.
                self.follower().expect_tree_change();
                let looked = self.in_time(self.follower().collections()).await;
                looked.map_err(|error| self.note(error))?;
                self.folder(id).await
            }
            known => known,
        }
    }

    /// The collection for whoever writes, after making sure that it is fresh: where Exchange cannot be asked this fails,
    /// since a write must not be judged by what is good enough for readers.
    pub(super) async fn current_folder(&self, id: &CollectionId) -> Result<Folder, Error> {
        if !self.folders().await?.iter().any(|folder| folder.collection.id == *id) {
            return Err(Error::NotFound);
        }
        let looked = self.in_time(self.follower().refresh(std::slice::from_ref(id))).await;
        looked.map_err(|error| self.note(error))?;
        self.note_answer();
        self.folder(id).await
    }

    /// The collection for readers: after making sure that it is fresh, or as the mirror has it while Exchange is away.
    pub(super) async fn fresh_folder(&self, id: &CollectionId) -> Result<Folder, Error> {
        if !self.folders().await?.iter().any(|folder| folder.collection.id == *id) {
            return Err(Error::NotFound);
        }
        if !self.is_filled(id).await? {
            // What has changed since the fill began is looked for below.
            self.wait_for_fill(id).await?;
        }
        self.refresh(std::slice::from_ref(id)).await?;
        self.folder(id).await
    }
}
