//! What can go wrong at an upstream, told apart by what can be done about it.

use crate::model::refusal::Refusal;
use std::fmt;
use std::time::Duration;

/// A failed call: what kind of failure, and the upstream's words.
#[derive(Debug, Clone)]
pub struct Error {
    /// What can be done about it.
    pub kind: ErrorKind,
    text: String,
}

/// Kinds of failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorKind {
    /// The password was refused.
    SignIn,
    /// The upstream takes no password of a person at all.
    NoPasswordSignIn,
    /// A password or a token that exdav keeps was refused: somebody must give another.
    KeptSecret,
    /// The settings do not lead to a sign-in.
    Settings,
    /// The user may not use the upstream's interface.
    Forbidden,
    /// The upstream asks for a pause; nothing was begun.
    Busy {
        /// How long it wants to be left alone.
        back_off: Option<Duration>,
    },
    /// The certificate is not trusted: nothing was sent.
    Certificate,
    /// No connection: nothing was sent.
    Unreachable,
    /// No answer: the work may have been done.
    Lost,
    /// It failed and may succeed later.
    Unavailable,
    /// A server of another kind does not do what was asked.
    Unsupported,
    /// There is no such item.
    ItemNotFound,
    /// There is no such folder.
    FolderNotFound,
    /// The item has no such attachment.
    AttachmentNotFound,
    /// The occurrence of a series is gone.
    OccurrenceNotFound,
    /// No mailbox has this address.
    MailboxNotFound,
    /// A folder of this name is there.
    FolderExists,
    /// The item is no longer what the call is based on.
    Conflict,
    /// The user may not do this.
    Denied,
    /// The mailbox is full.
    Full,
    /// More octets than it takes.
    TooLarge,
    /// It can never be stored like this.
    Invalid(Refusal),
    /// The cursor is not one of its own, or too old.
    CursorLost,
    /// The subscription is gone.
    SubscriptionLost,
    /// Free and busy times are not shown to this user.
    BusyTimesNotGranted,
    /// There are no free and busy times.
    NoBusyTimes,
    /// It understood and says no, for a reason that is not told apart.
    Refused,
    /// Nobody can make sense of its answer.
    Unintelligible,
}

impl Error {
    /// A failure in the upstream's words.
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// Whether it is of this kind.
    pub fn is(&self, kind: &ErrorKind) -> bool {
        self.kind == *kind
    }

    /// How long to wait before the same is sent again, where nothing has been begun.
    pub fn pause(&self) -> Option<Duration> {
        const USUAL: Duration = Duration::from_secs(1);
        match self.kind {
            ErrorKind::Busy { back_off } => Some(back_off.unwrap_or(USUAL)),
            ErrorKind::Unreachable => Some(USUAL),
            _ => None,
        }
    }

    /// Whether trying again later may help.
    pub fn is_transient(&self) -> bool {
        use ErrorKind::{Busy, Lost, Unavailable, Unreachable};
        matches!(self.kind, Busy { .. } | Unreachable | Lost | Unavailable)
    }

    /// Whether the upstream understood and said no, for good.
    pub fn is_refusal(&self) -> bool {
        use ErrorKind::{
            AttachmentNotFound, BusyTimesNotGranted, Conflict, CursorLost, Denied, FolderExists,
            FolderNotFound, Full, Invalid, ItemNotFound, MailboxNotFound, NoBusyTimes, OccurrenceNotFound,
            Refused, SubscriptionLost, TooLarge,
        };
        match self.kind {
            ItemNotFound | FolderNotFound | AttachmentNotFound | OccurrenceNotFound | MailboxNotFound
            | FolderExists | Conflict | Denied | Full | TooLarge | Invalid(_) | CursorLost
            | SubscriptionLost | BusyTimesNotGranted | NoBusyTimes | Refused => true,
            ErrorKind::SignIn
            | ErrorKind::NoPasswordSignIn
            | ErrorKind::KeptSecret
            | ErrorKind::Settings
            | ErrorKind::Forbidden
            | ErrorKind::Busy { .. }
            | ErrorKind::Certificate
            | ErrorKind::Unreachable
            | ErrorKind::Lost
            | ErrorKind::Unavailable
            | ErrorKind::Unsupported
            | ErrorKind::Unintelligible => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}
