//! A file that nobody needs is closed: its cache and its handle go. Whoever works on it next opens it again.
//!
//! **Invariant:** nobody notices but by the time it takes: what is not in the file (the collections at hand, written_during_refresh)
//! stays, and another file that lies there afterwards is not taken for this one.
//! **Invariant:** files rest only in a folder that no other process uses: what that wrote meanwhile would go unnoticed.

use super::store::{Error, Mirror, Store, private_file};
use std::fs::TryLockError;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How often it is looked which files may rest.
const SHORTEST_ROUND: Duration = Duration::from_secs(1);
const MAX_ROUND: Duration = Duration::from_mins(1);
/// How long a process before this one may take to end.
const ENDING: Duration = Duration::from_secs(5);

impl Store {
    /// Takes the folder for this process alone, for as long as the store lives, and closes files that have not been
    /// worked on for [`Settings::idle`](super::Settings::idle). Needs a tokio runtime.
    ///
    /// Waits some seconds for a process that is just ending, blocking; one that was killed holds nothing. Fails with
    /// [`Error::Taken`].
    pub fn take(self: &Arc<Self>) -> Result<(), Error> {
        let file = private_file(&self.settings.path.join("lock"))?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if began.elapsed() < ENDING => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(TryLockError::WouldBlock) => return Err(Error::Taken(self.settings.path.clone())),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        if self.own.set(file).is_ok() {
            tokio::spawn(Self::close_idle_loop(Arc::downgrade(self), self.settings.idle));
        }
        Ok(())
    }

    async fn close_idle_loop(store: Weak<Self>, idle: Duration) {
        let mut rounds = tokio::time::interval(idle.clamp(SHORTEST_ROUND, MAX_ROUND));
        rounds.tick().await;
        loop {
            rounds.tick().await;
            let Some(store) = store.upgrade() else { return };
            if let Err(error) = tokio::task::spawn_blocking(move || store.rest()).await {
                tracing::error!(%error, "files that nobody needs stay open");
            }
        }
    }

    /// Blocks.
    pub(super) fn rest(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mirrors: Vec<_> = open.values().filter_map(Weak::upgrade).collect();
        drop(open);
        for mirror in mirrors {
            mirror.rest(self.settings.idle);
        }
    }
}

impl Mirror {
    fn rest(&self, idle: Duration) {
        // Who works on it needs it.
        let Ok(_alone) = self.gate.try_write() else { return };
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let mut db = self.db.write().unwrap_or_else(PoisonError::into_inner);
        let worked = self.worked.lock().unwrap_or_else(PoisonError::into_inner);
        // One that cannot be opened does not rest.
        if db.is_some() && worked.elapsed() >= idle {
            *db = None;
            *tried = None;
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    pub(super) fn touch(&self) {
        *self.worked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}
