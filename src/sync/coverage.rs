//! How far the mirror can be trusted: what was looked at, and what was heard since.
//!
//! Looks are dated by when they began: what is heard of later may not be in them.
//!
//! **Invariant:** what somebody was told of is looked at before it counts as fresh.

use crate::model::id::CollectionId;
use crate::upstream::Event;
use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::time::{Duration, Instant};

/// What is known of one mailbox.
#[derive(Default)]
pub(super) struct Coverage {
    /// Since when every change is heard of.
    since: Option<Instant>,
    seen: HashMap<CollectionId, Instant>,
    /// A look that began before does not count, even if it ends later.
    distrusted: HashMap<CollectionId, Instant>,
    heard: HashMap<CollectionId, Instant>,
    /// The first of what was heard that no look has shown.
    unseen: HashMap<CollectionId, Instant>,
    /// The last write of one's own that began before that.
    written: HashMap<CollectionId, Instant>,
    tree: Option<Instant>,
    tree_heard: Option<Instant>,
    /// A folder was modified: perhaps its name.
    tree_doubted: Option<Instant>,
    /// Something happened that nobody can place.
    doubted: Option<Instant>,
    folders: Option<Folders>,
}

/// The folders of the mailbox.
struct Folders {
    collections: HashMap<String, CollectionId>,
    /// Hashes of the ids of all others.
    others: HashSet<u64>,
    hasher: RandomState,
}

impl Coverage {
    /// A look that began then has shown the collection as it is.
    pub(super) fn saw(&mut self, id: CollectionId, began: Instant) {
        if self.distrusted.get(&id).is_some_and(|distrusted| began < *distrusted) {
            return;
        }
        match self.heard.get(&id).filter(|heard| **heard >= began) {
            Some(heard) => self.unseen.insert(id.clone(), *heard),
            None => self.unseen.remove(&id),
        };
        self.seen.insert(id, began);
    }

    /// The next look asks Exchange.
    pub(super) fn invalidate(&mut self, id: &CollectionId, now: Instant) {
        self.distrust_before(id, now);
        self.seen.remove(id);
    }

    /// The next look asks Exchange if the last one began before that.
    pub(super) fn distrust_before(&mut self, id: &CollectionId, at: Instant) {
        if self.seen.get(id).is_some_and(|seen| *seen < at) {
            self.seen.remove(id);
        }
        // A look may be under way that began before.
        let distrusted = self.distrusted.entry(id.clone()).or_insert(at);
        *distrusted = at.max(*distrusted);
    }

    /// Whether the collection was looked at before.
    pub(super) fn was_seen(&self, id: &CollectionId) -> bool {
        self.seen.contains_key(id)
    }

    /// Whether the mirror of the collection is good: nothing was heard since it was looked at and everything would
    /// have been heard, or the look is not older than the window.
    pub(super) fn is_fresh(&self, id: &CollectionId, window: Duration) -> bool {
        self.seen.get(id).is_some_and(|seen| self.holds(*seen, self.heard.get(id), self.doubted, window))
    }

    /// Whether the mirror of the collection was good within the window, and what was heard since may be told of one's own
    /// writes: it began after one.
    pub(super) fn is_recent(&self, id: &CollectionId, window: Duration) -> bool {
        let Some((seen, since)) = self.seen.get(id).zip(self.since) else { return self.is_fresh(id, window) };
        let was_good = *seen >= since && self.doubted.is_none_or(|doubted| doubted < *seen);
        let is_ones_own = self.unseen.get(id).zip(self.written.get(id)).is_some_and(|(unseen, written)| {
            unseen.elapsed() < window
                && unseen.checked_duration_since(*written).is_some_and(|after| after < window)
        });
        self.is_fresh(id, window) || was_good && is_ones_own
    }

    /// A write of one's own begins now: Exchange will tell of it.
    pub(super) fn writes(&mut self, id: &CollectionId, now: Instant) {
        if !self.unseen.contains_key(id) {
            self.written.insert(id.clone(), now);
        }
    }

    /// Whether the mirror of the folder tree is good.
    pub(super) fn is_tree_fresh(&self, window: Duration) -> bool {
        let doubted = self.doubted.max(self.tree_doubted);
        self.tree.is_some_and(|seen| self.holds(seen, self.tree_heard.as_ref(), doubted, window))
    }

    fn holds(
        &self,
        seen: Instant,
        heard: Option<&Instant>,
        doubted: Option<Instant>,
        window: Duration,
    ) -> bool {
        if heard.is_some_and(|heard| *heard >= seen) {
            return false;
        }
        match self.since {
            // What happened before anybody listened is not in an older look.
            Some(since) if seen < since => false,
            Some(_) if doubted.is_none_or(|doubted| doubted < seen) => true,
            _ => seen.elapsed() < window,
        }
    }

    /// A look that began then has shown the tree as it is.
    pub(super) fn saw_tree(&mut self, began: Instant) {
        self.tree = Some(began);
    }

    /// The next look at the tree asks Exchange.
    pub(super) fn distrust_tree(&mut self) {
        self.tree = None;
    }

    /// Which folders there are, and which of them are collections.
    pub(super) fn know_folders<'a>(
        &mut self,
        collections: HashMap<String, CollectionId>,
        all: impl Iterator<Item = &'a str>,
    ) {
        let hasher = RandomState::new();
        let others = all.filter(|id| !collections.contains_key(*id)).map(|id| hasher.hash_one(id)).collect();
        self.folders = Some(Folders { collections, others, hasher });
    }

    pub(super) fn knows_folders(&self) -> bool {
        self.folders.is_some()
    }

    /// From now on every change is heard of.
    pub(super) fn stream_established(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// Changes are no longer heard of.
    pub(super) fn stream_lost(&mut self) {
        self.since = None;
    }

    pub(super) fn is_listening(&self) -> bool {
        self.since.is_some()
    }

    /// Something happened.
    pub(super) fn on_notification(&mut self, events: &[Event], now: Instant) {
        for event in events {
            match (event, &self.folders) {
                (Event::Tree, _) => self.tree_heard = Some(now),
                (Event::Folder(_), _) => self.tree_doubted = Some(now),
                (Event::Item(folder), Some(folders)) => {
                    if let Some(id) = folders.collections.get(folder) {
                        self.heard.insert(id.clone(), now);
                        self.unseen.entry(id.clone()).or_insert(now);
                    } else if !folders.others.contains(&folders.hasher.hash_one(folder.as_str())) {
                        self.doubted = Some(now);
                    }
                }
                (Event::Item(_), None) => self.doubted = Some(now),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_hours(1);
    const NONE: Duration = Duration::ZERO;

    fn at(seconds: u64) -> Instant {
        static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        *BEGIN.get_or_init(Instant::now) + Duration::from_secs(seconds)
    }

    fn id(name: &str) -> CollectionId {
        name.parse().unwrap()
    }

    fn item(folder: &str) -> Vec<Event> {
        vec![Event::Item(folder.to_owned())]
    }

    fn listening() -> Coverage {
        let mut coverage = Coverage::default();
        let collections = HashMap::from([("F1".to_owned(), id("one")), ("F2".to_owned(), id("two"))]);
        coverage.know_folders(collections, ["F1", "F2", "mail"].into_iter());
        coverage.stream_established(at(1));
        coverage.saw(id("one"), at(2));
        coverage.saw(id("two"), at(2));
        coverage
    }

    #[test]
    fn a_look_before_anybody_listened_is_looked_at_again_however_young_it_is() {
        let mut coverage = listening();
        coverage.saw(id("one"), at(0));
        assert!(!coverage.is_fresh(&id("one"), WINDOW));
        assert!(coverage.is_fresh(&id("two"), NONE), "and a later one holds past the window");
    }

    #[test]
    fn what_is_heard_makes_its_collection_stale_and_no_other() {
        let mut coverage = listening();
        coverage.on_notification(&item("F1"), at(3));
        assert!(!coverage.is_fresh(&id("one"), WINDOW));
        assert!(coverage.is_fresh(&id("two"), NONE));
        coverage.saw(id("one"), at(3));
        assert!(
            !coverage.is_fresh(&id("one"), WINDOW),
            "a look that began when it was heard may not show it"
        );
        coverage.saw(id("one"), at(4));
        assert!(coverage.is_fresh(&id("one"), NONE));
    }

    #[test]
    fn what_was_heard_leaves_the_mirror_recent_until_the_first_of_it_is_older_than_the_window() {
        let mut coverage = listening();
        coverage.writes(&id("one"), at(3));
        coverage.on_notification(&item("F1"), at(3));
        coverage.writes(&id("one"), at(4));
        coverage.on_notification(&item("F1"), at(4));
        assert!(coverage.is_recent(&id("one"), WINDOW) && !coverage.is_recent(&id("one"), NONE));
        coverage.stream_lost();
        assert!(!coverage.is_recent(&id("one"), WINDOW), "whoever is deaf does not know since when");
        let mut coverage = listening();
        coverage.invalidate(&id("one"), at(3));
        coverage.on_notification(&item("F1"), at(3));
        assert!(!coverage.is_recent(&id("one"), WINDOW));
    }

    #[test]
    fn what_was_heard_before_ones_own_write_is_looked_at_first() {
        let mut coverage = listening();
        coverage.on_notification(&item("F1"), at(3));
        assert!(!coverage.is_recent(&id("one"), WINDOW), "nobody here has written");
        coverage.writes(&id("one"), at(4));
        coverage.on_notification(&item("F1"), at(4));
        assert!(
            !coverage.is_recent(&id("one"), WINDOW),
            "one's own write does not speak for what was before"
        );
        let mut coverage = listening();
        coverage.writes(&id("one"), at(3));
        coverage.on_notification(&item("F1"), at(3) + WINDOW);
        assert!(!coverage.is_recent(&id("one"), WINDOW), "so late nobody tells of that write");
    }

    #[test]
    fn mail_wakes_nobody_and_what_cannot_be_placed_leads_back_to_the_window() {
        let mut coverage = listening();
        coverage.on_notification(&item("mail"), at(3));
        assert!(coverage.is_fresh(&id("one"), NONE));
        coverage.on_notification(&item("unknown"), at(3));
        assert!(!coverage.is_fresh(&id("one"), NONE));
        assert!(coverage.is_fresh(&id("one"), WINDOW));
    }

    #[test]
    fn new_folders_are_looked_for_at_once_and_modified_ones_when_their_time_comes() {
        let mut coverage = listening();
        coverage.saw_tree(at(2));
        assert!(coverage.is_tree_fresh(NONE));
        coverage.on_notification(&[Event::Folder("F1".to_owned())], at(3));
        assert!(coverage.is_tree_fresh(WINDOW) && !coverage.is_tree_fresh(NONE));
        coverage.on_notification(&[Event::Tree], at(3));
        assert!(!coverage.is_tree_fresh(WINDOW));
    }

    #[test]
    fn a_look_that_was_under_way_when_it_was_distrusted_does_not_count() {
        let mut coverage = listening();
        coverage.invalidate(&id("one"), at(5));
        coverage.distrust_before(&id("two"), at(5));
        for (began, counts) in [(at(4), false), (at(5), true)] {
            for name in ["one", "two"] {
                coverage.saw(id(name), began);
                assert_eq!(coverage.is_fresh(&id(name), WINDOW), counts, "{name}");
                assert_eq!(coverage.is_recent(&id(name), WINDOW), counts, "{name}");
            }
        }
        coverage.distrust_before(&id("one"), at(4));
        assert!(coverage.is_fresh(&id("one"), WINDOW), "it began later");
    }

    #[test]
    fn who_no_longer_hears_goes_by_the_window() {
        let mut coverage = listening();
        coverage.stream_lost();
        assert!(coverage.is_fresh(&id("one"), WINDOW) && !coverage.is_fresh(&id("one"), NONE));
    }
}
