//! What others share: a colleague's calendar, contacts and tasks, opened with the visitor's own credentials.
//!
//! Exchange says at each look which folders the visitor may read. What is shared is mirrored once for each visitor:
//! nobody's rights are ever answered from what somebody else may see.
//!
//! **Invariant:** who grants nothing, not even free/busy times, and who does not exist are answered alike.
//! **Invariant:** details of private items that the visitor may not see are in no mirror of the visitor's.

use super::opening::AccessMode;
use super::{Error, Gateway, Mailbox};
use crate::convert::Privacy;
use crate::model::id::{CollectionId, ResourceName, UpstreamId};
use crate::model::item::{Item, ItemClass};
use crate::sync::{MAX_RIGHTS_AGE, Shared};
use crate::upstream::Session;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Mailboxes of others that are remembered for one user.
const MAX_VISITS: usize = 64;
/// Octets of an address. RFC 5321 4.5.3.1
const MAX_ADDRESS: usize = 254;

/// Whom a user visits.
#[derive(Default)]
pub(super) struct DelegateAccess {
    known: Mutex<HashMap<String, Visit>>,
    /// Held while somebody's door is knocked at.
    knocking: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
enum Visit {
    Open(Mailbox),
    Closed(Instant),
}

impl DelegateAccess {
    fn known(&self) -> MutexGuard<'_, HashMap<String, Visit>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `Some` if nobody has to be asked.
    fn find(&self, owner: &str) -> Option<Result<Mailbox, Error>> {
        match self.known().get(owner)? {
            Visit::Open(mailbox) if mailbox.mirror().is_dead() => None,
            Visit::Open(mailbox) => Some(Ok(mailbox.clone())),
            // Paths that are guessed must not become questions to Exchange.
            Visit::Closed(at) => (at.elapsed() < MAX_RIGHTS_AGE).then_some(Err(Error::NotFound)),
        }
    }

    fn note(&self, owner: String, visit: Visit) {
        let mut known = self.known();
        if known.len() >= MAX_VISITS {
            known.retain(|_, visit| matches!(visit, Visit::Open(_)));
        }
        if known.len() >= MAX_VISITS {
            known.clear();
        }
        known.insert(owner, visit);
    }

    pub(super) fn use_session(&self, session: &Session) {
        for visit in self.known().values() {
            if let Visit::Open(mailbox) = visit {
                mailbox.follower().use_session(session.clone());
            }
        }
    }
}

impl Gateway {
    /// Opens what `owner`, an SMTP address, shares with `guest`. Fails with [`Error::NotFound`] when that is nothing.
    pub async fn visit(&self, guest: &Mailbox, owner: &str) -> Result<Mailbox, Error> {
        let owner = owner.to_ascii_lowercase();
        let is_address = owner.len() <= MAX_ADDRESS
            && owner.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'))
            && !owner.chars().any(|c| c.is_control() || c.is_whitespace());
        if !is_address {
            return Err(Error::NotFound);
        }
        let visits = guest.visits();
        let found = match visits.find(&owner) {
            Some(found) => found,
            None => {
                let _knocking = visits.knocking.lock().await;
                match visits.find(&owner) {
                    Some(found) => found,
                    None => self.check_access(guest, &owner).await,
                }
            }
        };
        let mailbox = found?;
        if !mailbox.collections().await?.is_empty() {
            return Ok(mailbox);
        }
        // The rights are gone, or others than they were.
        visits.known().remove(&owner);
        let _knocking = visits.knocking.lock().await;
        let mailbox = match visits.find(&owner) {
            Some(found) => found?,
            None => self.check_access(guest, &owner).await?,
        };
        if mailbox.collections().await?.is_empty() { Err(Error::NotFound) } else { Ok(mailbox) }
    }

    async fn check_access(&self, guest: &Mailbox, owner: &str) -> Result<Mailbox, Error> {
        let session = guest.follower().session();
        let shared = Shared::ask(&session, owner).await.map_err(|error| guest.note(error.into()))?;
        let Some(grant) = shared else {
            guest.visits().note(owner.to_owned(), Visit::Closed(Instant::now()));
            return Err(Error::NotFound);
        };
        let way = AccessMode::Visit { guest: guest.clone(), grant };
        let mailbox = self.open(owner, owner, session, way).await?;
        guest.visits().note(owner.to_owned(), Visit::Open(mailbox.clone()));
        mailbox.settle_apart().await;
        Ok(mailbox)
    }
}

impl Mailbox {
    /// Whether details of private items are hidden from this user.
    pub(super) fn hides_private(&self) -> bool {
        self.follower().rendering().privacy == Privacy::Hidden
    }

    /// Refuses to touch an item, as Exchange has it now, that is shown without its details: they would be lost.
    pub(super) fn refuse_private(&self, item: &Item) -> Result<(), Error> {
        if self.follower().rendering().hides(item) { Err(private()) } else { Ok(()) }
    }

    /// The same before a write that does not read the item: asks Exchange where private items are hidden.
    pub(super) async fn refuse_private_now(
        &self,
        class: ItemClass,
        upstream: &UpstreamId,
    ) -> Result<(), Error> {
        if !self.hides_private() {
            return Ok(());
        }
        match self.follower().fetch_one(class, &upstream.0).await? {
            Some((item, _)) => self.refuse_private(&item),
            None => Err(Error::NotFound),
        }
    }

    /// Refuses to touch what the mirror shows without its details.
    pub(super) async fn refuse_hidden(&self, id: &CollectionId, name: &ResourceName) -> Result<(), Error> {
        if !self.hides_private() {
            return Ok(());
        }
        let entry = self.entry(id, name).await?;
        let hidden =
            entry.is_some_and(|entry| entry.body.windows(14).any(|window| window == b"\nCLASS:PRIVATE"));
        if hidden { Err(private()) } else { Ok(()) }
    }
}

fn private() -> Error {
    Error::Denied("the object is private".to_owned())
}
