//! A mailbox as those see it who listen for it.

use super::coverage::Coverage;
use super::follower::{Error, Follower, Inner, lock};
use super::live::{self, SubscriptionState};
use super::tree::Extent;
use crate::upstream::Event;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

/// A mailbox that is followed as long as somebody else holds it.
pub(super) struct WeakFollower(Weak<Inner>);

impl Follower {
    pub(super) fn loose(&self) -> WeakFollower {
        WeakFollower(Arc::downgrade(&self.0))
    }

    /// Who listens for this mailbox now.
    pub(super) fn set_place(&self, place: SubscriptionState) {
        let before = std::mem::replace(&mut lock(&self.0.state).place, place);
        before.wake();
    }

    /// Whether these listen for this mailbox.
    pub(super) fn is_in(&self, group: &Arc<live::SharedConnection>) -> bool {
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
        self.follow_tree(Extent::Whole).await
    }

    /// From now on every change is heard of.
    pub(super) fn stream_established(&self) {
        lock(&self.0.state).coverage.stream_established(Instant::now());
    }

    /// Changes are no longer heard of.
    pub(super) fn stream_lost(&self) {
        lock(&self.0.state).coverage.stream_lost();
    }

    /// Takes note of what happened.
    pub(super) fn on_notification(&self, events: &[Event]) {
        lock(&self.0.state).coverage.on_notification(events, Instant::now());
    }

    /// Nobody asks for this mailbox: all that can be had again is dropped.
    pub(super) fn sleep(&self) {
        lock(&self.0.state).coverage = Coverage::default();
        *self.0.directory.write().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }

    /// The password has changed: whoever listens with the old one stops.
    pub fn stop_listening(&self) {
        lock(&self.0.state).coverage.stream_lost();
        self.set_place(SubscriptionState::default());
    }

    /// Whether every change is heard of.
    pub fn is_live(&self) -> bool {
        lock(&self.0.state).coverage.is_listening()
    }
}

impl WeakFollower {
    pub(super) fn hold(&self) -> Option<Follower> {
        self.0.upgrade().map(Follower)
    }
}
