//! What this gateway wrote itself: it enters the mirror as soon as Exchange has acknowledged it.

use super::entry::Entry;
use super::members::{Members, folder_of, store_folder};
use super::store::{Error, Mirror};
use super::tables::{UIDS, WRITTEN, damaged};
use crate::model::id::{CollectionId, ResourceName, UpstreamId};
use crate::model::object::Head;
use redb::WriteTransaction;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One acknowledged write: a moved item is new in one collection and gone from another.
#[derive(Clone, Debug, Default)]
pub struct AcknowledgedWrite {
    /// New items and new versions.
    pub written: Vec<(CollectionId, Entry)>,
    /// Items that are gone.
    pub gone: Vec<(CollectionId, UpstreamId)>,
}

/// Writes that wait for the transaction of those before them: each is durable when it is answered, and many share one
/// commit to the disk.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Vec<(AcknowledgedWrite, Arc<Outcome>)>>,
    /// Held while a batch is written.
    writing: Mutex<()>,
    /// Transactions so far.
    transactions: AtomicU64,
}

type Outcome = Mutex<Option<Result<Vec<Head>, Error>>>;

/// Writes that share one transaction.
const BATCH: usize = 256;

/// A panic elsewhere must not take the others along.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    fn put(&self, deed: &AcknowledgedWrite) -> Arc<Outcome> {
        let outcome = Arc::default();
        lock(&self.waiting).push((deed.clone(), Arc::clone(&outcome)));
        outcome
    }

    /// Those that have waited longest.
    fn take(&self) -> Vec<(AcknowledgedWrite, Arc<Outcome>)> {
        let mut waiting = lock(&self.waiting);
        let most = waiting.len().min(BATCH);
        waiting.drain(..most).collect()
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        lock(&self.waiting).len()
    }

    /// Lets all wait.
    #[cfg(test)]
    pub(super) fn hold(&self) -> MutexGuard<'_, ()> {
        lock(&self.writing)
    }

    /// How many batches were written.
    #[cfg(test)]
    pub(super) fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }
}

impl Mirror {
    /// Enters an acknowledged write; durable when this returns. Gives the heads of what was written, in order.
    ///
    /// A refresh that is under way may have asked Exchange before the write: for these items this one is believed.
    pub fn record(&self, deed: &AcknowledgedWrite) -> Result<Vec<Head>, Error> {
        let own = self.queue.put(deed);
        loop {
            let _writing = lock(&self.queue.writing);
            // Whoever wrote before may have taken this one along.
            if let Some(outcome) = lock(&own).take() {
                return outcome;
            }
            let batch = self.queue.take();
            let deeds: Vec<&AcknowledgedWrite> = batch.iter().map(|(deed, _)| deed).collect();
            match self.write_down(&deeds) {
                Ok(all) => {
                    for ((_, outcome), heads) in batch.iter().zip(all) {
                        *lock(outcome) = Some(Ok(heads));
                    }
                }
                // One that cannot be written must not keep the others away.
                Err(_) => {
                    for (deed, outcome) in &batch {
                        let alone = self.write_down(&[deed]).map(|mut all| all.pop().unwrap_or_default());
                        *lock(outcome) = Some(alone);
                    }
                }
            }
        }
    }

    /// All of them or none, in order.
    fn write_down(&self, deeds: &[&AcknowledgedWrite]) -> Result<Vec<Vec<Head>>, Error> {
        let write = self.begin()?;
        self.queue.transactions.fetch_add(1, Ordering::Relaxed);
        let heads = deeds.iter().map(|deed| self.enter(&write, deed)).collect::<Result<_, _>>()?;
        self.commit_folders(write)?;
        Ok(heads)
    }

    fn enter(&self, write: &WriteTransaction, deed: &AcknowledgedWrite) -> Result<Vec<Head>, Error> {
        let mut heads = Vec::with_capacity(deed.written.len());
        for (id, item) in &deed.gone {
            let Some(mut folder) = folder_of(write, id)? else { continue };
            {
                let mut members = Members::open(write, id)?;
                members.remove(&mut folder, item)?;
                members.unstage(item)?;
            }
            write.open_table(WRITTEN)?.remove((id.as_str(), item.0.as_str()))?;
            self.fence(id, item);
            store_folder(write, &folder)?;
        }
        for (id, entry) in &deed.written {
            let mut folder = folder_of(write, id)?.ok_or_else(|| Error::NoCollection(id.clone()))?;
            let head = {
                let mut members = Members::open(write, id)?;
                members.unstage(&entry.upstream)?;
                let name = members.put(&mut folder, entry)?;
                let listed = members.listed(&name)?;
                members.show(&mut folder, &name, &listed.span)?;
                listed.head
            };
            write.open_table(WRITTEN)?.insert((id.as_str(), entry.upstream.0.as_str()), ())?;
            self.fence(id, &entry.upstream);
            store_folder(write, &folder)?;
            heads.push(head);
        }
        Ok(heads)
    }

    /// From here on a refresh of this collection may ask Exchange: what is recorded later is newer than its answers.
    pub fn begin_refresh(&self, id: &CollectionId) {
        self.written_during_refresh().remove(id);
    }

    fn fence(&self, id: &CollectionId, item: &UpstreamId) {
        self.written_during_refresh().entry(id.clone()).or_default().insert(item.clone());
    }

    /// What was recorded since the refresh began.
    pub(super) fn recorded(&self, id: &CollectionId) -> HashSet<UpstreamId> {
        self.written_during_refresh().get(id).cloned().unwrap_or_default()
    }

    /// The members of a collection with this UID: at most one, unless somebody copied it.
    pub fn with_uid(&self, id: &CollectionId, uid: &str) -> Result<Vec<ResourceName>, Error> {
        let read = self.begin_read()?;
        let table = read.open_table(UIDS)?;
        let mut names = Vec::new();
        for row in table.range((id.as_str(), uid, "")..)? {
            let (key, _) = row?;
            let (collection, found, name) = key.value();
            if (collection, found) != (id.as_str(), uid) {
                break;
            }
            names.push(name.parse().map_err(|_| damaged())?);
        }
        Ok(names)
    }
}
