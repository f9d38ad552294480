//! The connections of one user: nobody else's requests travel over them.
//!
//! A server that sends an answer too many makes the next request read it. Then all connections are ended: what comes
//! over them belongs to no request. Seen: gromox 3.10 sends a second answer after a SOAP fault.

use super::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Connections of a user that are open or being opened.
#[derive(Debug, Default)]
pub(super) struct Line(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    client: Option<reqwest::Client>,
    has_answered: bool,
}

impl Line {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client whose connections these are.
    pub(super) fn client(
        &self,
        make: impl FnOnce() -> Result<reqwest::Client, Error>,
    ) -> Result<reqwest::Client, Error> {
        let mut open = self.open();
        if let Some(client) = &open.client {
            return Ok(client.clone());
        }
        let client = make()?;
        open.client = Some(client.clone());
        Ok(client)
    }

    /// Whether the next request may travel over a connection that carried another one before.
    pub(super) fn is_used(&self) -> bool {
        self.open().has_answered
    }

    /// A request was answered.
    pub(super) fn note_answer(&self) {
        self.open().has_answered = true;
    }

    /// The next request opens a connection; requests that are under way end on their own.
    pub(super) fn end(&self) {
        *self.open() = Open::default();
    }
}
