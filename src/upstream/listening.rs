//! Listening to what happens in mailboxes.

use super::error::Error;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Subscriptions that one connection may carry. docs/EXCHANGE.md, Limits
pub const MAX_SUBSCRIPTIONS: usize = 200;

/// Something happened in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An item came into this folder, was changed in it or left it.
    Item(String),
    /// A folder was made, deleted, moved or copied.
    Tree,
    /// A folder was modified: its name or only its contents.
    Folder(String),
}

/// What is told at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notification {
    /// What happened, by the subscription that it was told to; none at all is a sign of life.
    pub events: BTreeMap<String, Vec<Event>>,
    /// The upstream ends the connection.
    pub is_last: bool,
}

/// Why a stream gives nothing more.
#[derive(Debug)]
pub struct Ended<E = Error> {
    /// What went wrong.
    pub error: E,
    /// The subscriptions that are to blame, if the upstream says so.
    pub subscriptions: Vec<String>,
}

impl<E> From<E> for Ended<E> {
    fn from(error: E) -> Self {
        Self { error, subscriptions: Vec::new() }
    }
}

/// A connection over which events come. Dropping it closes it.
#[async_trait]
pub trait EventStream: Send {
    /// The next notification; fails when nothing comes until then, or when the connection breaks. A call that is dropped
    /// loses nothing.
    async fn next(&mut self, until: Instant) -> Result<Notification, Ended>;
}

/// An account that opens several mailboxes, at one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedAccount {
    /// Which account.
    pub identity: usize,
    /// Where.
    pub endpoint: usize,
}

/// Subscriptions that one connection carries, with what an upstream notes about them: where they live, for instance.
#[derive(Debug)]
pub struct SubscriptionGroup {
    /// SMTP address of the mailbox around which they are gathered; `None`: around that of each call.
    pub anchor: Option<String>,
    notes: Mutex<BTreeMap<&'static str, String>>,
}

impl SubscriptionGroup {
    /// A new group around a mailbox.
    pub fn new(anchor: Option<&str>) -> Self {
        Self { anchor: anchor.map(str::to_owned), notes: Mutex::default() }
    }

    /// What the upstream has noted.
    pub fn notes(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// This long or up to a quarter longer, so that those who were sent away together do not come back together.
pub fn with_jitter(wait: Duration) -> Duration {
    let dice = u32::try_from(RandomState::new().hash_one(0_u8) % 256).unwrap_or_default();
    wait + wait / 4 * dice / 256
}
