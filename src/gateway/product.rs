//! The product put together: its settings, and what all users share.

use super::error::Error;
use super::login_throttle::LoginThrottle;
use super::sign_in::{Digest, MAX_HASHING, Refused, RememberedSignIn};
use super::visitors::Visitors;
use super::write::WriteLocks;
use crate::accounts::{self, Accounts};
use crate::convert;
use crate::mirror::{self, Store};
use crate::model::id::{CollectionId, ResourceName};
use crate::sync;
use crate::upstream::Upstream;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// How users are let in.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long Exchange's yes to a password holds.
    pub recheck: Duration,
    /// How long Exchange's no holds: a client with an old password must not lock the account. Twice as long each time
    /// the same password is refused again, up to [`Settings::recheck`].
    pub refusal: Duration,
    /// How long the mirror answers on its own while Exchange is away.
    pub offline: Duration,
    /// IANA name of the zone of all-day and floating times; empty: that of this machine.
    pub zone: String,
    /// Where clients reach exdav, for links to attachments; empty: no links.
    pub public_url: String,
    /// Whether names that are no account sign in with what Exchange accepts.
    pub pass_through: bool,
    /// Accounts of exdav's own.
    pub accounts: accounts::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            pass_through: true,
            accounts: accounts::Settings::default(),
            recheck: Duration::from_secs(15 * 60),
            refusal: Duration::from_secs(10),
            offline: Duration::from_secs(7 * 24 * 3600),
            zone: String::new(),
            public_url: String::new(),
        }
    }
}

/// Makes the path of an attachment: principal's segment, collection, member, MANAGED-ID.
pub type Links = fn(&str, &CollectionId, &ResourceName, &str) -> String;

/// The whole product behind the protocol: signs users in. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) upstream: Arc<dyn Upstream>,
    pub(super) accounts: Option<Accounts>,
    pub(super) hashing: tokio::sync::Semaphore,
    pub(super) store: Arc<Store>,
    pub(super) settings: Settings,
    pub(super) sync: sync::Settings,
    pub(super) live: sync::Live,
    pub(super) convert: convert::Settings,
    pub(super) links: Links,
    pub(super) zone: Arc<str>,
    pub(super) secret: [u8; 32],
    pub(super) known: Mutex<HashMap<String, RememberedSignIn>>,
    pub(super) refused: Mutex<HashMap<Digest, Refused>>,
    pub(super) guesses: LoginThrottle,
    pub(super) turns: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
    pub(super) write_locks: Arc<WriteLocks>,
    /// Writes that are under way.
    pub(super) work: TaskTracker,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gateway({})", self.0.upstream.name())
    }
}

impl Gateway {
    /// Whether attachments are served: links to them need to know where clients reach exdav.
    pub fn has_links(&self) -> bool {
        !self.0.settings.public_url.is_empty()
    }

    /// Prepares the product; asks nobody yet.
    pub fn new(
        settings: Settings,
        upstream: Arc<dyn Upstream>,
        mirror: mirror::Settings,
        sync: sync::Settings,
        convert: convert::Settings,
        links: Links,
    ) -> Result<Self, Error> {
        let mut secret = [0; 32];
        rustls::crypto::ring::default_provider()
            .secure_random
            .fill(&mut secret)
            .map_err(|_| Error::Internal("the system has no random numbers".to_owned(), None))?;
        let zone = if settings.zone.is_empty() {
            jiff::tz::TimeZone::system().iana_name().unwrap_or("UTC").to_owned()
        } else {
            settings.zone.clone()
        };
        let visitors = Visitors::open(mirror.path.join("visitors.json"));
        Ok(Self(Arc::new(Inner {
            upstream,
            accounts: Accounts::open(&settings.accounts)?,
            hashing: tokio::sync::Semaphore::new(MAX_HASHING),
            store: Arc::new(Store::new(mirror)?),
            settings,
            live: sync::Live::new(sync.live),
            sync,
            convert,
            links,
            zone: zone.into(),
            secret,
            known: Mutex::default(),
            refused: Mutex::default(),
            guesses: LoginThrottle::new(visitors),
            turns: Mutex::default(),
            write_locks: Arc::default(),
            work: TaskTracker::new(),
        })))
    }

    /// Tries to reach the upstream once, without signing in, and logs what was found.
    pub async fn look_at_upstream(&self) {
        self.0.upstream.look().await;
    }

    /// Takes the store for this process alone; from then on mirrors that nobody needs are closed. Needs a tokio runtime.
    ///
    /// Fails with [`mirror::Error::Taken`] if another process has it and does not end within some seconds.
    pub fn take_store(&self) -> Result<(), mirror::Error> {
        self.0.store.take()
    }

    /// Does something that writes: it goes on to its end when the caller goes away, and [`Gateway::finish_writes`] waits
    /// for it.
    pub fn carry_on<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.0.work.spawn(work)
    }

    /// Waits for the writes that are under way, but no longer than until then. No other may begin meanwhile.
    pub async fn finish_writes(&self, until: Instant) {
        self.0.work.close();
        if tokio::time::timeout_at(until, self.0.work.wait()).await.is_err() {
            let count = self.0.work.len();
            tracing::warn!(count, "writes have not ended within the grace period: the next start ends them");
        }
    }

    /// Takes leave of the upstream, for a few seconds at most.
    pub async fn shutdown(&self) {
        self.0.live.shutdown().await;
    }
}
