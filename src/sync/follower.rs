//! One mailbox that is followed: what belongs to it while somebody holds it.

use super::coverage::Coverage;
use super::early::Early;
use super::filling::Fill;
use super::live::{self, Live, SubscriptionState};
use super::shared::Shared;
use crate::convert;
use crate::mirror::{self, Mirror};
use crate::model::id::{CollectionId, ResourceName};
use crate::upstream::{self, Session};
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
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
    /// Whether all collections are filled from the sign-in on, not only those that are asked for.
    pub fill_at_sign_in: bool,
    /// Whether lines of the log about a first fill show a bar.
    pub bar: bool,
    /// How far back events are shown; `None`: all are. Counted from the beginning of the day, UTC.
    pub past: Option<Duration>,
    /// By which clock.
    pub clock: fn() -> Timestamp,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            freshness: Duration::from_secs(15),
            hierarchy: Duration::from_secs(120),
            live: live::Settings::default(),
            fill_at_sign_in: false,
            bar: false,
            past: None,
            clock: Timestamp::now,
        }
    }
}

/// Why a mirror could not be made fresh.
#[derive(Debug, thiserror::Error, Clone)]
pub enum Error {
    /// Exchange did not answer as it should.
    #[error(transparent)]
    Exchange(#[from] upstream::Error),
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
pub struct Follower(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) session: RwLock<Session>,
    pub(super) mirror: Arc<Mirror>,
    pub(super) context: convert::Context,
    pub(super) links: Option<Links>,
    /// Somebody else's folders are followed.
    pub(super) shared: Option<Shared>,
    pub(super) directory: RwLock<Arc<HashMap<String, String>>>,
    pub(super) settings: Settings,
    pub(super) live: Live,
    pub(super) state: Mutex<State>,
    /// Held while the folders are looked at.
    pub(super) looking: tokio::sync::Mutex<()>,
    /// Held while a collection is followed.
    pub(super) following: Mutex<HashMap<CollectionId, Arc<tokio::sync::Mutex<()>>>>,
    /// First fills that are under way.
    pub(super) fills: Mutex<HashMap<CollectionId, Fill>>,
    /// Wakes those who wait for a fill.
    pub(super) filled: tokio::sync::Notify,
    /// Requests that first fills may have under way.
    pub(super) lanes: tokio::sync::Semaphore,
    /// Held while a part of a fill is made visible.
    pub(super) showing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
pub(super) struct State {
    /// The collections were asked for before.
    pub(super) has_begun: bool,
    /// When each collection was last known to be like Exchange, and what was heard since.
    pub(super) coverage: Coverage,
    /// Who listens for this mailbox.
    pub(super) place: SubscriptionState,
    /// When somebody last asked for it.
    pub(super) asked: Option<Instant>,
    /// How many items are in each collection, as the folder tree told.
    pub(super) sizes: HashMap<CollectionId, u64>,
    /// What was read before the mailbox was opened.
    pub(super) early: Option<Early>,
    /// The ids of [`WELL_KNOWN`], once they are known.
    pub(super) distinguished: Option<Vec<Option<String>>>,
}

/// A panic elsewhere must not take the others along.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

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
        let lanes = tokio::sync::Semaphore::new(session.concurrency().saturating_sub(1).max(1));
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
            fills: Mutex::default(),
            filled: tokio::sync::Notify::new(),
            lanes,
            showing: tokio::sync::Mutex::default(),
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
}

impl Drop for Inner {
    fn drop(&mut self) {
        lock(&self.state).place.wake();
    }
}
