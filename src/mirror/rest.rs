//! A file that nobody needs is closed: its cache and its handle go. Whoever works on it next opens it again.
//!
//! **Invariant:** nobody notices but by the time it takes: what is not in the file (the collections at hand, fences)
//! stays, and another file that lies there afterwards is not taken for this one.

use super::store::{Mirror, Store};
use std::sync::{PoisonError, Weak};
use std::time::{Duration, Instant};

/// How often it is looked which files may rest.
const SHORTEST_ROUND: Duration = Duration::from_secs(1);
const LONGEST_ROUND: Duration = Duration::from_mins(1);

impl Store {
    /// Closes files that have not been worked on for [`Settings::idle`](super::Settings::idle), as long as there is
    /// somebody who holds the store.
    pub async fn let_rest(store: Weak<Self>) {
        let Some(round) = store.upgrade().map(|store| store.settings.idle) else { return };
        let mut rounds = tokio::time::interval(round.clamp(SHORTEST_ROUND, LONGEST_ROUND));
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

    pub(super) fn is_resting(&self) -> bool {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    pub(super) fn has_worked(&self) {
        *self.worked.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}
