//! Memory for what is large: request bodies, and members on their way to a client. One budget for the process, and a
//! smaller one for each user, so that nobody takes all of it.
//!
//! **Invariant:** who waits for a part holds none of the same kind, so that nobody waits in a circle: requests and
//! answers have budgets of their own.

use super::error::Error;
use crate::gateway::Principal;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Octets of a unit.
const UNIT: usize = 1024;
/// What needs no more than this is taken from a budget of its own, so that it never waits for what is large.
pub(super) const SMALL: usize = 256 * UNIT;
/// The longest that somebody waits for memory.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// Users between two looks at which of them are gone.
const MAX_USERS: usize = 256;

/// What memory is for.
#[derive(Clone, Copy)]
pub(super) enum Use {
    /// The body of a request.
    Request,
    /// Members of an answer.
    Answer,
}

/// Octets of the process and of each user.
struct Sizes {
    all: usize,
    user: usize,
}

const FOR_SMALL: Sizes = Sizes { all: 32 << 20, user: 8 << 20 };
const FOR_REQUESTS: Sizes = Sizes { all: 80 << 20, user: 40 << 20 };
const FOR_ANSWERS: Sizes = Sizes { all: 96 << 20, user: 48 << 20 };

/// The budgets of all users.
#[derive(Clone)]
pub(super) struct Budgets(Arc<Inner>);

struct Inner {
    all: Pools,
    users: Mutex<HashMap<String, Weak<Pools>>>,
}

struct Pools {
    small: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    answers: Arc<Semaphore>,
}

/// The budget of one user.
#[derive(Clone)]
pub(super) struct Budget {
    all: Budgets,
    user: Arc<Pools>,
}

/// A part of a budget, given back when it is dropped.
pub(super) struct Share {
    user: OwnedSemaphorePermit,
    all: OwnedSemaphorePermit,
}

impl Share {
    /// Gives back what is more than so many octets.
    #[must_use]
    pub(super) fn shrunk_to(mut self, octets: usize) -> Self {
        for permit in [&mut self.user, &mut self.all] {
            let surplus = permit.num_permits().saturating_sub(units(octets));
            drop(permit.split(surplus));
        }
        self
    }
}

impl Pools {
    fn new(size: fn(&Sizes) -> usize) -> Self {
        let pool = |sizes: &Sizes| Arc::new(Semaphore::new(units(size(sizes))));
        Self { small: pool(&FOR_SMALL), requests: pool(&FOR_REQUESTS), answers: pool(&FOR_ANSWERS) }
    }
}

fn units(octets: usize) -> usize {
    octets.div_ceil(UNIT)
}

impl Budgets {
    pub(super) fn new() -> Self {
        Self(Arc::new(Inner { all: Pools::new(|sizes| sizes.all), users: Mutex::default() }))
    }

    /// The budget of whoever is signed in.
    pub(super) fn of(&self, principal: &Principal) -> Budget {
        let mut users = self.0.users.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= MAX_USERS {
            users.retain(|_, user| user.strong_count() > 0);
        }
        let known = users.entry(principal.segment.clone()).or_default();
        let user = known.upgrade().unwrap_or_else(|| {
            let user = Arc::new(Pools::new(|sizes| sizes.user));
            *known = Arc::downgrade(&user);
            user
        });
        Budget { all: self.clone(), user }
    }
}

impl Budget {
    /// Waits for memory for members that are answered with, where they are large.
    pub(super) async fn take_for_answer(&self, octets: usize) -> Result<Option<Share>, Error> {
        if octets <= SMALL {
            return Ok(None);
        }
        self.take(Use::Answer, octets).await.map(Some)
    }

    /// Waits for so many octets; what is larger than the whole budget gets all of it.
    pub(super) async fn take(&self, what: Use, octets: usize) -> Result<Share, Error> {
        let (user, all) = (&self.user, &self.all.0.all);
        let (user, all, most) = match what {
            _ if octets <= SMALL => (&user.small, &all.small, FOR_SMALL.user),
            Use::Request => (&user.requests, &all.requests, FOR_REQUESTS.user),
            Use::Answer => (&user.answers, &all.answers, FOR_ANSWERS.user),
        };
        let number = u32::try_from(units(octets.min(most))).unwrap_or(u32::MAX);
        let both = async {
            let user = Arc::clone(user).acquire_many_owned(number).await.ok()?;
            let all = Arc::clone(all).acquire_many_owned(number).await.ok()?;
            Some(Share { user, all })
        };
        tokio::time::timeout(MAX_WAIT, both).await.ok().flatten().ok_or(Error::Busy)
    }
}
