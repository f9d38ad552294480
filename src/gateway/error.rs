//! What can go wrong, in the words of those who serve clients.

use crate::model::refusal::Refusal;
use std::time::Duration;

/// A failure of the gateway. `dav::error` turns it into HTTP, nobody else does.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The upstream refused the credentials.
    #[error("sign-in was refused: check the user name and password")]
    SignIn,
    /// Too many wrong passwords for this name or from this address: nobody was asked.
    #[error("too many wrong passwords: try again later")]
    TooMany {
        /// When to try again.
        retry_after: Duration,
    },
    /// Signed in, but without the right.
    #[error("Exchange does not allow this: {0}")]
    Denied(String),
    /// There is no such collection or member.
    #[error("there is no such resource")]
    NotFound,
    /// The sync-token is of another mirror or too old. RFC 6578 3.2
    #[error("this sync-token is no longer known: synchronise anew without a token")]
    ForgottenToken,
    /// A condition of a writing request is not met: the resource is not what the client thinks. RFC 9110 15.5.13
    #[error("the resource has changed: read it again first")]
    Changed,
    /// The object cannot be stored.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// There is a collection of that name.
    #[error("there is such a collection already")]
    Exists,
    /// The mailbox is full. RFC 4331 6
    #[error("the mailbox is full")]
    Full,
    /// The upstream is of a kind that does not do this.
    #[error("{0}")]
    Unsupported(String),
    /// The upstream is away or throttles; try again later.
    #[error("Exchange cannot be reached at the moment: {reason}")]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
        /// What happened, without secrets.
        reason: String,
    },
    /// The collection is not complete yet: how far its first fill is. What is missing must not look like deleted.
    #[error("this collection is not complete yet ({0}): come back in a moment")]
    Filling(String),
    /// exdav's own store has trouble that passes.
    #[error("exdav cannot answer at the moment: {reason}")]
    Store {
        /// When to try again.
        retry_after: Duration,
        /// What happened, without secrets.
        reason: String,
    },
    /// The upstream no longer takes what exdav keeps for this account: a person must act, and nothing is shown till then.
    #[error("exdav cannot sign in to Exchange for this account at the moment; its log says why")]
    Barred(String),
    /// A fault of ours or an answer that nobody can make sense of. The source is for the log.
    #[error("exdav failed: {0}")]
    Internal(String, #[source] Option<Box<dyn std::error::Error + Send + Sync>>),
}

/// What takes so long may be done by then.
pub(crate) const SOON: Duration = Duration::from_secs(10);

impl Error {
    /// What was begun could not be ended now.
    pub(crate) fn busy(reason: &str) -> Self {
        Self::Unavailable { retry_after: SOON, reason: reason.to_owned() }
    }

    /// The answer is due and Exchange's is not there yet.
    pub(crate) fn late() -> Self {
        Self::Unavailable { retry_after: SOON, reason: "its answer is not there yet".to_owned() }
    }
}
