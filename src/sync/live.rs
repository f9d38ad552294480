//! Listening to Exchange, so that nobody has to ask whether something changed.
//!
//! A mailbox that is looked at again and again joins a [`SharedConnection`]: mailboxes that one connection listens to. Mailboxes
//! of people are alone in theirs; those that one account reaches at one endpoint share a connection. What is heard
//! marks the mirror, see [`super::coverage`]; the next request fetches it.
//!
//! **Invariant:** a mailbox is listened to only with credentials that Exchange accepted for it.
//! **Invariant:** whatever ends a connection, the mailboxes are deaf before anything else is done.

mod listener;

use super::follower::Follower;
use super::listener_handle::WeakFollower;
use crate::upstream::{self, ErrorKind, MAX_SUBSCRIPTIONS, SharedAccount};
use listener::Listener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// How changes are listened for.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whether at all.
    pub enabled: bool,
    /// A mailbox that nobody asked for that long is listened to no longer.
    pub sleep: Duration,
    /// A connection that says nothing for that long is dead. Exchange says something every 45 seconds.
    pub silence: Duration,
    /// So long those who join late wait for others before all of them move to a new connection.
    pub gather: Duration,
    /// The first pause after a connection broke; it doubles.
    pub retry: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            sleep: Duration::from_hours(2),
            silence: Duration::from_secs(100),
            gather: Duration::from_secs(5),
            retry: Duration::from_millis(250),
        }
    }
}

/// All that is listened to. Cheap to clone; dropping the last one ends everything.
#[derive(Clone)]
pub struct Live(Arc<Inner>);

struct Inner {
    settings: Settings,
    /// Groups of accounts that reach several mailboxes.
    shared: Shared,
    closing: watch::Sender<bool>,
    tasks: Mutex<JoinSet<()>>,
    /// That Exchange does not take subscriptions was said.
    complained: Arc<AtomicBool>,
}

type Shared = Arc<Mutex<Vec<Arc<SharedConnection>>>>;

/// Mailboxes that one connection listens to.
pub(super) struct SharedConnection {
    /// `None`: one person's.
    account: Option<SharedAccount>,
    joining: Mutex<Vec<WeakFollower>>,
    size: AtomicUsize,
    wake: Notify,
}

/// Who listens for a mailbox.
#[derive(Clone, Default)]
pub(super) enum SubscriptionState {
    /// Nobody.
    #[default]
    Free,
    /// Soon somebody does.
    Joining,
    /// These.
    Member(Arc<SharedConnection>),
    /// Nobody, and until then nobody tries.
    Resting(Instant),
}

impl SubscriptionState {
    /// Takes the way to a group if there is one.
    pub(super) fn may_join(&mut self) -> bool {
        let may = match self {
            Self::Free => true,
            Self::Resting(until) => *until <= Instant::now(),
            Self::Joining | Self::Member(_) => false,
        };
        if may {
            *self = Self::Joining;
        }
        may
    }

    /// The group looks whether something is different.
    pub(super) fn wake(&self) {
        if let Self::Member(group) = self {
            group.wake.notify_one();
        }
    }

    pub(super) fn is_in(&self, group: &Arc<SharedConnection>) -> bool {
        matches!(self, Self::Member(here) if Arc::ptr_eq(here, group))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    /// Listens to nobody yet.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(Inner {
            settings,
            shared: Shared::default(),
            closing: watch::channel(false).0,
            tasks: Mutex::default(),
            complained: Arc::default(),
        }))
    }

    /// Listens for this mailbox from soon on.
    pub(super) fn join(&self, follower: &Follower) {
        let inner = &self.0;
        if !inner.settings.enabled || *inner.closing.borrow() {
            return;
        }
        let account = follower.session().shared_account();
        let mut shared = lock(&inner.shared);
        let has_room = |group: &&Arc<SharedConnection>| {
            group.account == account && group.size.load(Ordering::Relaxed) < MAX_SUBSCRIPTIONS
        };
        // The youngest group is disturbed rather than those that are full.
        let open = account.and_then(|_| shared.iter().rev().find(has_room).cloned());
        let is_new = open.is_none();
        let group = open.unwrap_or_else(|| {
            Arc::new(SharedConnection {
                account,
                joining: Mutex::default(),
                size: AtomicUsize::new(0),
                wake: Notify::new(),
            })
        });
        group.size.fetch_add(1, Ordering::Relaxed);
        lock(&group.joining).push(follower.loose());
        follower.set_place(SubscriptionState::Member(Arc::clone(&group)));
        group.wake.notify_one();
        if is_new {
            if account.is_some() {
                shared.push(Arc::clone(&group));
            }
            let mut tasks = lock(&inner.tasks);
            while tasks.try_join_next().is_some() {}
            let listener = Listener::new(
                inner.settings,
                group,
                Arc::clone(&inner.shared),
                inner.closing.subscribe(),
                Arc::clone(&inner.complained),
            );
            tasks.spawn(listener.run());
        }
    }

    /// Ends all connections and unsubscribes, for a few seconds at most.
    pub async fn shutdown(&self) {
        const MAX_UNSUBSCRIBE: Duration = Duration::from_secs(3);
        let _ = self.0.closing.send(true);
        let mut tasks = std::mem::take(&mut *lock(&self.0.tasks));
        let _ =
            tokio::time::timeout(MAX_UNSUBSCRIBE, async { while tasks.join_next().await.is_some() {} }).await;
    }
}

/// What can be done about a failure.
enum Remedy {
    /// Trying again after a while.
    Patience,
    /// New subscriptions: the old ones are gone.
    Resubscribe,
    /// Nothing: the server does not do this. Once in a while it is tried again.
    None,
    /// Other credentials.
    SignIn,
}

/// What failures mean for a connection.
fn remedy(error: &upstream::Error) -> Remedy {
    match error.kind {
        ErrorKind::SignIn | ErrorKind::KeptSecret => Remedy::SignIn,
        ErrorKind::SubscriptionLost => Remedy::Resubscribe,
        _ if error.is_transient() => Remedy::Patience,
        _ => Remedy::None,
    }
}
