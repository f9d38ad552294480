//! What the failures of the modules below mean to whoever asked.

use super::error::Error;
use crate::accounts;
use crate::mirror;
use crate::model::refusal::{Reason, Refusal};
use crate::sync;
use crate::upstream::{self, ErrorKind};
use std::time::Duration;

/// When to come back if the upstream does not say.
const LATER: Duration = Duration::from_secs(30);

/// A store that is filled anew can be asked again then.
const MOMENT: Duration = Duration::from_secs(2);

impl From<sync::Error> for Error {
    fn from(error: sync::Error) -> Self {
        match error {
            sync::Error::Exchange(error) => error.into(),
            sync::Error::Mirror(error) => of_store(&error),
            sync::Error::Interrupted => Error::Unavailable { retry_after: LATER, reason: error.to_string() },
        }
    }
}

impl From<upstream::Error> for Error {
    fn from(error: upstream::Error) -> Self {
        let reason = error.to_string();
        match &error.kind {
            ErrorKind::SignIn => Error::SignIn,
            ErrorKind::Forbidden | ErrorKind::Denied => Error::Denied(reason),
            // No fault of the client's, and nothing that its password could mend: somebody must act here.
            ErrorKind::KeptSecret | ErrorKind::Settings | ErrorKind::NoPasswordSignIn => {
                tracing::error!("{reason}");
                Error::Barred(reason)
            }
            ErrorKind::Busy { back_off } => {
                Error::Unavailable { retry_after: back_off.unwrap_or(LATER), reason }
            }
            ErrorKind::Certificate | ErrorKind::Unreachable | ErrorKind::Lost | ErrorKind::Unavailable => {
                Error::Unavailable { retry_after: LATER, reason }
            }
            ErrorKind::Unsupported => {
                tracing::warn!("{reason}");
                Error::Unsupported(reason)
            }
            ErrorKind::ItemNotFound | ErrorKind::FolderNotFound => Error::NotFound,
            ErrorKind::Conflict => Error::Changed,
            ErrorKind::Full => Error::Full,
            ErrorKind::FolderExists => Error::Exists,
            ErrorKind::TooLarge => {
                Refusal::new(Reason::AttachmentTooLarge, "the attachment is larger than Exchange takes")
                    .into()
            }
            ErrorKind::Invalid(refusal) => refusal.clone().into(),
            ErrorKind::AttachmentNotFound
            | ErrorKind::OccurrenceNotFound
            | ErrorKind::MailboxNotFound
            | ErrorKind::CursorLost
            | ErrorKind::SubscriptionLost
            | ErrorKind::BusyTimesNotGranted
            | ErrorKind::NoBusyTimes
            | ErrorKind::Refused
            | ErrorKind::Unintelligible => Error::Internal(reason, Some(Box::new(error))),
        }
    }
}

impl From<accounts::Error> for Error {
    fn from(error: accounts::Error) -> Self {
        tracing::error!("accounts: {error}");
        Error::Unavailable { retry_after: LATER, reason: "the accounts of exdav cannot be read".to_owned() }
    }
}

impl From<mirror::Error> for Error {
    fn from(error: mirror::Error) -> Self {
        match error {
            mirror::Error::Forgotten => Error::ForgottenToken,
            error => of_store(&error),
        }
    }
}

/// Trouble with the store passes: a damaged one is filled anew, a full disk gets empty.
fn of_store(error: &mirror::Error) -> Error {
    let retry_after = match error {
        mirror::Error::Full(_) | mirror::Error::Folder(_) => LATER,
        mirror::Error::NoCollection(_) => return Error::Internal(error.to_string(), None),
        _ => MOMENT,
    };
    Error::Store { retry_after, reason: error.to_string() }
}
