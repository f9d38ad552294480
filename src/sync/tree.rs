//! The tree of folders: which collections there are.

use super::early::{self, Tree};
use super::follower::{Error, Follower, lock};
use super::hierarchy::{self, WELL_KNOWN};
use super::shared::MAX_RIGHTS_AGE;
use crate::mirror::{Folder, Mirror};
use crate::model::id::CollectionId;
use crate::upstream::Folder as UpstreamFolder;
use crate::upstream::{ErrorKind, FolderSelector, Session};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// How much of the folder tree is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it, if something in it changed.
    IfChanged,
    /// All of it.
    Whole,
}

impl Follower {
    /// Asks Exchange for the distinguished folders: proves the credentials in one call.
    pub async fn sign_in(session: &Session) -> Result<Vec<Option<UpstreamFolder>>, Error> {
        let wanted: Vec<FolderSelector> =
            WELL_KNOWN.iter().map(|(which, _)| FolderSelector::WellKnown(*which)).collect();
        let mut found = Vec::new();
        for folder in session.folders(&wanted).await? {
            match folder {
                Ok(folder) => found.push(Some(folder)),
                Err(error) if error.is_transient() => return Err(error.into()),
                // A mailbox without tasks is a mailbox.
                Err(_) => found.push(None),
            }
        }
        Ok(found)
    }

    /// Takes over what the sign-in showed, so that nobody asks for it again.
    pub fn note_distinguished(&self, folders: &[Option<UpstreamFolder>]) {
        let ids = folders.iter().map(|f| f.as_ref().map(|f| f.id.clone())).collect();
        lock(&self.0.state).distinguished = Some(ids);
    }

    /// The collections, as fresh as the settings ask.
    pub async fn collections(&self) -> Result<Arc<[Folder]>, Error> {
        let known = self.0.mirror.known_folders().await?;
        let has_begun = std::mem::replace(&mut lock(&self.0.state).has_begun, true);
        // Rights of yesterday are none.
        if !has_begun && !known.is_empty() && self.0.shared.is_none() {
            // After a restart the tree of yesterday serves at once; it is looked at when its time comes.
            lock(&self.0.state).coverage.saw_tree(Instant::now());
        }
        if self.is_tree_fresh() && !known.is_empty() {
            return Ok(known);
        }
        let follower = self.clone();
        tokio::spawn(async move { follower.follow_tree(Extent::IfChanged).await })
            .await
            .map_err(|_| Error::Interrupted)??;
        Ok(self.0.mirror.known_folders().await?)
    }

    /// The folder tree is looked at with the next request: neither the one of before a restart nor one that was read early
    /// will do.
    pub fn expect_tree_change(&self) {
        let mut state = lock(&self.0.state);
        state.has_begun = true;
        if let Some(early) = &mut state.early {
            early.tree = None;
        }
        state.coverage.distrust_tree();
    }

    fn is_tree_fresh(&self) -> bool {
        let settings = &self.0.settings;
        let is_shared = self.0.shared.is_some();
        let window = if is_shared { settings.freshness.min(MAX_RIGHTS_AGE) } else { settings.hierarchy };
        lock(&self.0.state).coverage.is_tree_fresh(window)
    }

    pub(super) async fn follow_tree(&self, wanted: Extent) -> Result<(), Error> {
        let _looking = self.0.looking.lock().await;
        let is_whole = wanted == Extent::Whole;
        if !is_whole && self.is_tree_fresh() {
            return Ok(());
        }
        let session = self.session();
        let at = Instant::now();
        if let Some(shared) = &self.0.shared {
            let collections = shared.collections(&session).await?;
            let known = self.0.mirror.run(Mirror::folders).await?;
            if !known.iter().map(|folder| &folder.collection).eq(&collections) {
                self.0.mirror.run(move |mirror| mirror.set_collections(&collections, None)).await?;
            }
            lock(&self.0.state).coverage.saw_tree(at);
            return Ok(());
        }
        let before = self.0.mirror.run(Mirror::tree_cursor).await?;
        if let Some(state) = before.filter(|_| !is_whole) {
            match session.folder_changes(Some(&state)).await {
                Ok(page) if page.is_last && page.changes.is_empty() => {
                    lock(&self.0.state).coverage.saw_tree(at);
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) if error.is(&ErrorKind::CursorLost) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let known = lock(&self.0.state).distinguished.clone();
        let distinguished = match known {
            Some(ids) => ids,
            None => {
                let folders = Self::sign_in(&session).await?;
                self.note_distinguished(&folders);
                folders.into_iter().map(|f| f.map(|f| f.id)).collect()
            }
        };
        let Tree { folders, cursor, began: at } = match self.early_tree().filter(|_| !is_whole) {
            Some(tree) => tree,
            None => early::tree(&session, at).await?,
        };
        let collections = hierarchy::collections(&folders, &distinguished);
        let places: HashMap<String, CollectionId> =
            collections.iter().map(|c| (c.upstream.0.clone(), c.id.clone())).collect();
        let sizes = folders.iter().filter_map(|f| Some((places.get(&f.id)?.clone(), f.count?))).collect();
        self.0.mirror.run(move |mirror| mirror.set_collections(&collections, Some(&cursor))).await?;
        let mut state = lock(&self.0.state);
        state.sizes = sizes;
        state.coverage.know_folders(places, folders.iter().map(|folder| folder.id.as_str()));
        state.coverage.saw_tree(at);
        Ok(())
    }
}
