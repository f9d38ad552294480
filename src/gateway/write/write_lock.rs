//! Who may write: one at a time for each name and each UID of a folder, over all users of this process.
//!
//! Two logins of one mailbox, and an owner and a delegate, write to the same folder through mirrors of their own. Locks
//! are therefore keyed by the mailbox's address and the collection, and a mirror that has not looked since another one
//! wrote to the folder is not trusted with a write. Exchange's folder ids would not do: they may differ by the way of access.

use crate::gateway::{Error, Mailbox};
use crate::model::id::{CollectionId, ResourceName};
use crate::text::address;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;
use tokio::sync::OwnedMutexGuard;

/// From this many on the map is searched for locks that nobody holds.
const MANY: usize = 64;

/// What a lock is for. Names come before UIDs: whoever needs several locks takes them in ascending order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Subject {
    Name(ResourceName),
    Uid(String),
}

/// A subject in a collection of a mailbox.
type Key = (Subject, String);

/// The locks of all mailboxes of this process.
#[derive(Default)]
pub(in crate::gateway) struct WriteLocks {
    held: Mutex<HashMap<Key, Weak<tokio::sync::Mutex<()>>>>,
    /// Folder → the last write, and the last one by another mirror than that one's.
    last_writes: Mutex<HashMap<String, [Option<(MirrorId, Instant)>; 2]>>,
}

/// Tells mirrors of this process apart.
type MirrorId = usize;

/// A panic elsewhere must not take the others along.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WriteLocks {
    fn of(&self, key: &Key) -> Arc<tokio::sync::Mutex<()>> {
        let mut held = lock(&self.held);
        if held.len() >= MANY {
            held.retain(|_, lock| lock.strong_count() > 0);
        }
        let known = held.entry(key.clone()).or_default();
        known.upgrade().unwrap_or_else(|| {
            let new = Arc::default();
            *known = Arc::downgrade(&new);
            new
        })
    }

    fn note_write(&self, folder: &str, writer: MirrorId) {
        let mut all = lock(&self.last_writes);
        let [last, before] = all.entry(folder.to_owned()).or_default();
        if last.is_some_and(|(by, _)| by != writer) {
            *before = *last;
        }
        *last = Some((writer, Instant::now()));
    }

    fn last_write_of_others(&self, folder: &str, reader: MirrorId) -> Option<Instant> {
        let all = lock(&self.last_writes);
        let by_others = all.get(folder)?.iter().flatten().filter(|(by, _)| *by != reader);
        by_others.map(|(_, at)| *at).max()
    }
}

/// A lock that is held until it is dropped; then other mirrors of the folder are out of date.
pub(super) struct WriteLock {
    _guard: OwnedMutexGuard<()>,
    locks: Arc<WriteLocks>,
    folder: String,
    writer: MirrorId,
}

impl Drop for WriteLock {
    fn drop(&mut self) {
        self.locks.note_write(&self.folder, self.writer);
    }
}

impl Mailbox {
    fn mirror_id(&self) -> MirrorId {
        Arc::as_ptr(self.mirror()) as MirrorId
    }

    /// What stands for a collection in locks; the same for all who have access to the mailbox.
    fn lock_scope(&self, id: &CollectionId) -> String {
        format!("{}\n{id}", address::key(&self.principal().address))
    }

    /// Waits until nobody else writes this member. Fails when the answer is due by then: nothing is begun after a client
    /// was told to come back.
    pub(super) async fn lock_object(
        &self,
        id: &CollectionId,
        name: &ResourceName,
    ) -> Result<WriteLock, Error> {
        self.wait_for((Subject::Name(name.clone()), self.lock_scope(id))).await
    }

    /// Both members, in the order that excludes a deadlock.
    pub(super) async fn lock_objects(
        &self,
        one: (&CollectionId, &ResourceName),
        other: (&CollectionId, &ResourceName),
    ) -> Result<[WriteLock; 2], Error> {
        let mut keys = [
            (Subject::Name(one.1.clone()), self.lock_scope(one.0)),
            (Subject::Name(other.1.clone()), self.lock_scope(other.0)),
        ];
        keys.sort();
        let [first, second] = keys;
        Ok([self.wait_for(first).await?, self.wait_for(second).await?])
    }

    /// Waits until nobody else writes an object with this UID in the collection. Names are locked first.
    pub(super) async fn lock_uid(&self, id: &CollectionId, uid: &str) -> Result<WriteLock, Error> {
        self.wait_for((Subject::Uid(uid.to_owned()), self.lock_scope(id))).await
    }

    async fn wait_for(&self, key: Key) -> Result<WriteLock, Error> {
        let locks = Arc::clone(self.write_locks());
        let lock = locks.of(&key);
        let guard = self.in_time(async { Ok::<_, Error>(lock.lock_owned().await) }).await?;
        if self.is_late() {
            return Err(Error::late());
        }
        Ok(WriteLock { _guard: guard, locks, folder: key.1, writer: self.mirror_id() })
    }

    /// Lets the next look at the collection ask Exchange if another mirror has written to its folder since the last one.
    pub(super) fn distrust_if_others_wrote(&self, id: &CollectionId) {
        let folder = self.lock_scope(id);
        if let Some(at) = self.write_locks().last_write_of_others(&folder, self.mirror_id()) {
            self.follower().distrust_before(id, at);
        }
    }
}
