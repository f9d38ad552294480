//! What a mailbox is asked side by side when it is opened for the first time: calls that its first fill needs anyway.
//!
//! One after the other (folders, addresses, tree, ids, items) they take 7.5 seconds at 1.5 s a call before a client sees
//! its first event. The tree alone proves the credentials: a wrong password is tried once. Then the rest of the sign-in
//! and the first ids of each collection come at the same time.
//!
//! **Invariant:** what was read early is used once, and only where nothing was written since.

use super::filling::SMALL;
use super::follower::{Follower, lock};
use crate::model::collection::CollectionKind;
use crate::upstream::Folder as UpstreamFolder;
use crate::upstream::{self, FolderChange, ItemChange, Page, Session};
use futures_util::StreamExt as _;
use futures_util::stream;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Where a call takes less, a client does not notice that calls come one after the other.
const SLOW: Duration = Duration::from_secs(1);

/// The folder tree, and the first ids of collections with the time when they were asked for.
#[derive(Debug)]
pub struct Early {
    pub(super) tree: Option<Tree>,
    /// How long the tree took.
    took: Duration,
    pages: HashMap<String, (Instant, Page<ItemChange>)>,
}

/// All folders of a mailbox.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) folders: Vec<UpstreamFolder>,
    pub(super) cursor: String,
    /// When Exchange was asked.
    pub(super) began: Instant,
}

impl Early {
    /// Asks for the folder tree: proves the credentials in one call. `None` where Exchange refuses the call, but not the
    /// credentials.
    pub async fn of_tree(session: &Session) -> Result<Option<Self>, upstream::Error> {
        let began = Instant::now();
        match tree(session, began).await {
            Ok(tree) => {
                let took = began.elapsed();
                Ok(Some(Self { tree: Some(tree), took, pages: HashMap::new() }))
            }
            Err(error) if error.is_refusal() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All folders of the mailbox.
    pub fn folders(&self) -> impl Iterator<Item = &UpstreamFolder> {
        self.tree.iter().flat_map(|tree| &tree.folders)
    }

    /// Asks a slow server for the ids of small collections, calendars first, beside so many other calls. What fails is asked
    /// again later.
    pub async fn read_ids(&mut self, session: &Session, others: usize) {
        if self.took < SLOW {
            return;
        }
        let order = |folder: &UpstreamFolder| {
            let kind = folder.kind?;
            let count = folder.count.filter(|count| (1..=SMALL).contains(count))?;
            Some((kind != CollectionKind::Calendar, count))
        };
        let mut small: Vec<_> = self.folders().filter_map(|folder| Some((order(folder)?, folder))).collect();
        small.sort_by_key(|(order, _)| *order);
        let most = session.concurrency().saturating_sub(others);
        let ids: Vec<String> = small.into_iter().take(most).map(|(_, folder)| folder.id.clone()).collect();
        let pages = stream::iter(ids).map(|id| async move {
            let began = Instant::now();
            let page = session.item_changes(&id, None).await.ok()?;
            Some((id, (began, page)))
        });
        let pages: Vec<_> = pages.buffer_unordered(most.max(1)).collect().await;
        self.pages = pages.into_iter().flatten().collect();
    }
}

/// The folder tree from nothing on.
pub(super) async fn tree(session: &Session, began: Instant) -> Result<Tree, upstream::Error> {
    let mut folders = Vec::new();
    let mut state: Option<String> = None;
    loop {
        let page = session.folder_changes(state.as_deref()).await?;
        folders.extend(page.changes.into_iter().filter_map(|change| match change {
            FolderChange::Written(folder) => Some(*folder),
            FolderChange::Gone(_) => None,
        }));
        let stuck = state.as_deref() == Some(page.cursor.as_str());
        if page.is_last || stuck {
            return Ok(Tree { folders, cursor: page.cursor, began });
        }
        state = Some(page.cursor);
    }
}

impl Follower {
    /// Takes over what was read before the mailbox was opened.
    pub fn note_early(&self, early: Early) {
        lock(&self.0.state).early = Some(early);
    }

    /// The folder tree that was read early.
    pub(super) fn early_tree(&self) -> Option<Tree> {
        lock(&self.0.state).early.as_mut()?.tree.take()
    }

    /// When the first ids of a collection were asked for that were read early.
    pub(super) fn early_began(&self, folder: &str) -> Option<Instant> {
        Some(lock(&self.0.state).early.as_ref()?.pages.get(folder)?.0)
    }

    /// The first ids of a collection that were read early.
    pub(super) fn early_page(&self, folder: &str) -> Option<Page<ItemChange>> {
        Some(lock(&self.0.state).early.as_mut()?.pages.remove(folder)?.1)
    }

    /// Nobody needs any more what was read early.
    pub(super) fn forget_early(&self) {
        lock(&self.0.state).early = None;
    }
}
