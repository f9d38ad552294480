//! First fills: how a collection of which nothing is known comes into the mirror without anybody being kept waiting
//! for longer than needed.
//!
//! - A mailbox is filled from the sign-in on, the smallest collection first ([`Follower::begin_fills`]). A collection that
//!   a client asks for is filled at once, whatever else is being filled: each has a turn of its own.
//! - All fills of a mailbox together use one request fewer than the user may have under way. That one is left for what
//!   somebody waits for: a small collection, a write, a changed item.
//! - SyncFolderItems gives ids, at most 512 in an answer and one answer after the other. GetItem runs at the same time
//!   for the ids that are known. In sequence these two took 20,000 events 60 and 75 seconds at 1.5 s a call.
//! - What is fetched is visible at once ([`crate::mirror::Mirror::commit_part`]). The collection has no cursor until it
//!   is complete, and whoever needs the whole of it waits for that: clients take what is missing in a listing for
//!   deleted. Only clients that read sync-collection in pages see the parts (RFC 6578 3.6).
//! - A PUT waits for no fill: what Exchange finds by its name and UID is entered first ([`Follower::seek`]).
//! - Names and ETags are those of the rendered item, as with any other refresh: an interrupted fill goes on where it
//!   was, and a mirror that was deleted comes back with the same ones.
//!
//! **Invariant:** a collection without a cursor is never listed.

use super::follower::{Error, Follower, lock};
use crate::mirror::Folder;
use crate::model::id::CollectionId;
use crate::model::item::{Field, ItemClass};
use std::fmt;
use std::time::{Duration, Instant};
use tokio::sync::SemaphorePermit;

/// How often the log tells about a fill.
const BETWEEN_LINES: Duration = Duration::from_secs(5);
/// Items that come with a few calls.
pub(super) const SMALL: u64 = 200;
/// Characters of a bar.
const BAR: usize = 20;

/// How far the first fill of a collection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The collection's name for people.
    pub name: String,
    /// Items that are visible.
    pub done: usize,
    /// Items that there are; at least `done`.
    pub total: usize,
}

/// A fill that is under way.
pub(super) struct Fill {
    progress: Progress,
    began: Instant,
    logged: Instant,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, done, total } = self;
        write!(f, "first fill of {name}: {} of {}", grouped(*done), grouped(*total))
    }
}

impl Progress {
    /// The same with a bar, for a terminal.
    fn with_bar(&self) -> String {
        let full = (BAR * self.done).checked_div(self.total).unwrap_or(BAR).min(BAR);
        format!("[{}{}] {self}", "█".repeat(full), "░".repeat(BAR - full))
    }
}

/// With a comma every three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl Follower {
    /// How far the first fill of this collection is; `None` where none is under way.
    pub fn progress(&self, id: &CollectionId) -> Option<Progress> {
        lock(&self.0.fills).get(id).map(|fill| fill.progress.clone())
    }

    /// Ends when any fill of this mailbox has come further, or has ended; what happens after the call counts.
    pub fn filling(&self) -> impl Future<Output = ()> + use<'_> {
        self.0.filled.notified()
    }

    /// Fills this collection, unless that is under way.
    pub fn begin_fill(&self, id: &CollectionId) {
        if self.progress(id).is_some() {
            return;
        }
        let (follower, id) = (self.clone(), id.clone());
        tokio::spawn(async move { follower.fill_behind(&id).await });
    }

    /// Fills all collections of which nothing is known, the smallest first, if the settings ask for it.
    pub fn begin_fills(&self) {
        if !self.0.settings.fill_at_sign_in {
            return;
        }
        let follower = self.clone();
        tokio::spawn(async move {
            let folders = match follower.collections().await {
                Ok(folders) => folders,
                Err(error) => return tracing::warn!(%error, "the collections are not known yet"),
            };
            let mut empty: Vec<&Folder> = folders.iter().filter(|f| f.cursor.is_none()).collect();
            empty.sort_by_key(|folder| follower.size(&folder.collection.id).unwrap_or(u64::MAX));
            // One after the other: what somebody waits for comes between.
            for folder in empty {
                follower.fill_behind(&folder.collection.id).await;
            }
            follower.forget_early();
        });
    }

    /// Fills a collection for which nobody waits.
    async fn fill_behind(&self, id: &CollectionId) {
        if let Err(error) = self.refresh(std::slice::from_ref(id)).await {
            tracing::warn!(%error, collection = %id, "a collection could not be filled; the next request tries again");
        }
    }

    fn is_small(&self, id: &CollectionId) -> bool {
        self.size(id).is_some_and(|size| size <= SMALL)
    }

    /// The right of a first fill to send a request. A small collection needs none: it is filled with what fills leave
    /// free.
    pub(super) async fn lane(&self, folder: &Folder) -> Option<SemaphorePermit<'_>> {
        if self.is_small(&folder.collection.id) { None } else { self.0.lanes.acquire().await.ok() }
    }

    /// Looks in Exchange for the items of a collection that is not complete which have one of these fields, and enters
    /// them: what a write may meet.
    pub async fn seek(&self, folder: &Folder, wanted: &[(Field, String)]) -> Result<(), Error> {
        let id = &folder.collection.id;
        for (item, class) in self.session().find_items(&folder.collection.upstream.0, wanted).await? {
            let Some((item, mut related)) = self.fetch_one(class, &item.id).await? else { continue };
            if class == ItemClass::DistributionList {
                related = self.with_uids(id).await?;
            }
            self.record(id, item, related).await?;
        }
        Ok(())
    }

    /// How many items Exchange said are in a collection.
    fn size(&self, id: &CollectionId) -> Option<u64> {
        lock(&self.0.state).sizes.get(id).copied()
    }

    pub(super) fn fill_begins(&self, folder: &Folder) {
        let id = &folder.collection.id;
        let total = self.size(id).and_then(|size| size.try_into().ok()).unwrap_or_default();
        let progress = Progress { name: folder.collection.display_name.clone(), done: 0, total };
        tracing::info!(mailbox = self.mailbox(), collection = %id, total, "first fill of {} begins", progress.name);
        let now = Instant::now();
        lock(&self.0.fills).insert(id.clone(), Fill { progress, began: now, logged: now });
    }

    /// Notes that so many more items are known of, or visible.
    pub(super) fn fill_moves(&self, id: &CollectionId, known: usize, done: usize) {
        let line = lock(&self.0.fills).get_mut(id).and_then(|fill| {
            let progress = &mut fill.progress;
            progress.done += done;
            progress.total = progress.total.max(known).max(progress.done);
            let is_due = fill.logged.elapsed() >= BETWEEN_LINES;
            is_due.then(|| {
                fill.logged = Instant::now();
                if self.0.settings.bar { progress.with_bar() } else { progress.to_string() }
            })
        });
        if let Some(line) = line {
            tracing::info!(mailbox = self.mailbox(), "{line}");
        }
        if done > 0 {
            self.0.filled.notify_waiters();
        }
    }

    pub(super) fn fill_ends(&self, id: &CollectionId, outcome: &Result<(), Error>) {
        if let Some(fill) = lock(&self.0.fills).remove(id) {
            let seconds = fill.began.elapsed().as_secs();
            let Progress { name, done, total } = fill.progress;
            match outcome {
                Ok(()) => tracing::info!(
                    mailbox = self.mailbox(), collection = %id, items = done, seconds, "first fill of {name} is complete"
                ),
                Err(error) => tracing::warn!(
                    mailbox = self.mailbox(), collection = %id, done, total, seconds, %error,
                    "first fill of {name} was interrupted; it goes on with the next request"
                ),
            }
        }
        self.0.filled.notify_waiters();
    }

    fn mailbox(&self) -> &str {
        self.0.context.addresses.first().map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_how_far_a_fill_is() {
        let progress = Progress { name: "Calendar".to_owned(), done: 12_400, total: 20_000 };
        assert_eq!(progress.to_string(), "first fill of Calendar: 12,400 of 20,000");
        assert!(progress.with_bar().starts_with("[████████████░░░░░░░░] first"), "{}", progress.with_bar());
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
