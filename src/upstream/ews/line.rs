//! The connections of one user: nobody else's requests travel over them.
//!
//! Some servers send an answer too many: whoever uses the connection next reads it as the answer to its own request. A
//! connection to such a server, or to one that is not known yet, carries the next request only after the last answer was
//! judged: until then it is leased to one request alone. Seen: gromox 3.10 sends a second answer after a SOAP fault.

use super::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Connections of a user that are open or being opened.
#[derive(Debug, Default)]
pub(super) struct Line(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    /// Whose connections all requests share.
    shared: Option<reqwest::Client>,
    has_answered: bool,
    /// Nothing is under way over the connections of any of these.
    idle: Vec<reqwest::Client>,
}

/// The right to send one request. Where it is dropped, a connection that was leased for it alone is closed.
#[derive(Debug)]
pub(super) struct Lease {
    /// Over whose connections the request travels.
    pub client: reqwest::Client,
    /// Whether that may be a connection which carried another request before.
    pub is_used: bool,
    is_alone: bool,
}

impl Line {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connections for one request: those that all share, or one that is its alone until it is given back.
    pub(super) fn lease(
        &self,
        is_alone: bool,
        make: impl FnOnce() -> Result<reqwest::Client, Error>,
    ) -> Result<Lease, Error> {
        if !is_alone {
            let client = self.client(make)?;
            return Ok(Lease { client, is_used: self.open().has_answered, is_alone });
        }
        let idle = self.open().idle.pop();
        let is_used = idle.is_some();
        Ok(Lease { client: idle.map_or_else(make, Ok)?, is_used, is_alone })
    }

    /// The client whose connections all requests share.
    pub(super) fn client(
        &self,
        make: impl FnOnce() -> Result<reqwest::Client, Error>,
    ) -> Result<reqwest::Client, Error> {
        let mut open = self.open();
        if let Some(client) = &open.shared {
            return Ok(client.clone());
        }
        // What was leased before the server was known is as good as a new one.
        let idle = std::mem::take(&mut open.idle).pop();
        open.has_answered = idle.is_some();
        let client = idle.map_or_else(make, Ok)?;
        open.shared = Some(client.clone());
        Ok(client)
    }

    /// The request had its answer, and nothing else came: the next one may travel over the same connection.
    pub(super) fn give_back(&self, lease: Lease) {
        let mut open = self.open();
        if lease.is_alone {
            open.idle.push(lease.client);
        } else {
            open.has_answered = true;
        }
    }

    /// The next request opens a connection; requests that are under way end on their own.
    pub(super) fn end(&self) {
        *self.open() = Open::default();
    }
}
