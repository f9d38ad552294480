//! The collections at hand: every request looks at them, so they are read from the file once, and again after a write.

use super::store::{Error, Mirror};
use super::tables::Folder;
use redb::WriteTransaction;
use std::sync::{Arc, MutexGuard, PoisonError};

/// What was read last.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Writes so far: what was read before one of them is not kept.
    writes: u64,
    folders: Option<Arc<[Folder]>>,
}

impl Mirror {
    /// All collections, as the last write left them. Waits for the disk only where there was one since the last look.
    pub async fn known_folders(self: &Arc<Self>) -> Result<Arc<[Folder]>, Error> {
        let (writes, at_hand) = {
            let known = self.known();
            (known.writes, known.folders.clone())
        };
        if let Some(folders) = at_hand {
            return Ok(folders);
        }
        let folders: Arc<[Folder]> = self.run(Mirror::folders).await?.into();
        let mut known = self.known();
        if known.writes == writes {
            known.folders = Some(Arc::clone(&folders));
        }
        Ok(folders)
    }

    /// Commits what may have changed a collection's own row.
    pub(super) fn commit_folders(&self, write: WriteTransaction) -> Result<(), Error> {
        let done = write.commit();
        let mut known = self.known();
        known.writes += 1;
        known.folders = None;
        Ok(done?)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
