//! One at a time: who writes a member has its turn.

use crate::gateway::{Error, Mailbox};
use crate::model::id::{CollectionId, ResourceName};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::OwnedMutexGuard;

/// The members that are being written.
pub(in crate::gateway) type Turns =
    Mutex<HashMap<(CollectionId, ResourceName), Weak<tokio::sync::Mutex<()>>>>;

/// From this many on the map is looked through for what is over.
const MANY: usize = 64;

impl Mailbox {
    /// Waits until nobody else writes this member; it is the caller's until the guard is dropped. Fails when the answer is
    /// due by then: nothing is begun behind the back of a client that was told to come back.
    ///
    /// Whoever needs two takes them in ascending order.
    pub(super) async fn turn(
        &self,
        id: &CollectionId,
        name: &ResourceName,
    ) -> Result<OwnedMutexGuard<()>, Error> {
        let turn = {
            let mut turns = self.turns().lock().unwrap_or_else(PoisonError::into_inner);
            if turns.len() >= MANY {
                turns.retain(|_, turn| turn.strong_count() > 0);
            }
            let known = turns.entry((id.clone(), name.clone())).or_default();
            known.upgrade().unwrap_or_else(|| {
                let turn = Arc::default();
                *known = Arc::downgrade(&turn);
                turn
            })
        };
        let turn = self.in_time(async { Ok::<_, Error>(turn.lock_owned().await) }).await?;
        if self.is_late() { Err(Error::late()) } else { Ok(turn) }
    }
}
