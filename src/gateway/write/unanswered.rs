//! Creations whose answers their clients did not get: who repeats one is told that it is done.
//!
//! A client that did not get the answer to `If-None-Match: *` repeats the request. Only what this process knows tells that
//! apart from a second client that creates the same object: it answered with a failure of unclear outcome, the
//! connection was gone before there was an answer, or the process ended in the middle. RFC 9110 13.1.2

use crate::gateway::Mailbox;
use crate::model::id::{CollectionId, ResourceName};
use sha2::{Digest as _, Sha256};
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Creations of one mailbox that are remembered.
const MAX_REMEMBERED: usize = 256;

/// Where, and a hash of what was sent.
type Creation = (CollectionId, ResourceName, [u8; 32]);

/// What clients of a mailbox may repeat.
#[derive(Default)]
pub(in crate::gateway) struct Unanswered(Mutex<HashSet<Creation>>);

/// What belongs to the answer to one request.
#[derive(Default)]
pub(in crate::gateway) struct Answer(Mutex<(IsLost, Vec<Creation>)>);

type IsLost = bool;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Unanswered {
    fn insert(&self, creation: Creation) {
        let mut all = lock(&self.0);
        if all.len() >= MAX_REMEMBERED {
            all.clear();
        }
        all.insert(creation);
    }
}

fn creation(id: &CollectionId, name: &ResourceName, body: &[u8]) -> Creation {
    (id.clone(), name.clone(), Sha256::digest(body).into())
}

impl Mailbox {
    /// The request that is being answered creates this; its answer may be lost later, or already.
    pub(super) fn note_creation(&self, id: &CollectionId, name: &ResourceName, body: &[u8]) {
        let creation = creation(id, name, body);
        let mut answer = lock(&self.open_answer().0);
        if answer.0 {
            self.unanswered().insert(creation.clone());
        }
        answer.1.push(creation);
    }

    /// The client of the request that is being answered does not learn what became of it.
    pub fn note_lost_answer(&self) {
        let mut answer = lock(&self.open_answer().0);
        answer.0 = true;
        for creation in &answer.1 {
            self.unanswered().insert(creation.clone());
        }
    }

    /// A creation was completed after the process that began it had ended.
    pub(super) fn note_unanswered(&self, id: &CollectionId, name: &ResourceName, body: &[u8]) {
        self.unanswered().insert(creation(id, name, body));
    }

    /// Whether the answer to this very request was lost; it is given now.
    pub(super) fn take_unanswered(&self, id: &CollectionId, name: &ResourceName, body: &[u8]) -> bool {
        lock(&self.unanswered().0).remove(&creation(id, name, body))
    }
}
