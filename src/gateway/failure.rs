//! THE table of failures: what the rooms below say, in the gateway's words.

use super::error::Error;
use crate::accounts;
use crate::ews;
use crate::mirror;
use crate::model::refusal::{Reason, Refusal};
use crate::sync;
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

impl From<ews::Error> for Error {
    fn from(error: ews::Error) -> Self {
        let reason = error.to_string();
        match &error {
            ews::Error::SignIn => Error::SignIn,
            ews::Error::Forbidden => Error::Denied(reason),
            // No fault of the client's, and nothing that its password could mend: somebody must act here.
            ews::Error::Kept(_)
            | ews::Error::Consent(_)
            | ews::Error::Settings(_)
            | ews::Error::Scheme(_)
            | ews::Error::NoScheme => {
                tracing::error!("{reason}");
                Error::Barred(reason)
            }
            ews::Error::Certificate(_) => Error::Unavailable { retry_after: LATER, reason },
            ews::Error::Busy { back_off } => {
                Error::Unavailable { retry_after: back_off.unwrap_or(LATER), reason }
            }
            ews::Error::Unsupported { .. } => {
                tracing::warn!("{reason}");
                Error::Unsupported(reason)
            }
            ews::Error::Response { code, .. } | ews::Error::Fault { code, .. } => match code.as_str() {
                "ErrorAccessDenied" | "ErrorDeleteDistinguishedFolder" | "ErrorCreateItemAccessDenied" => {
                    Error::Denied(reason)
                }
                "ErrorItemNotFound" | "ErrorFolderNotFound" => Error::NotFound,
                "ErrorIrresolvableConflict" | "ErrorStaleObject" => Error::Changed,
                "ErrorQuotaExceeded" => Error::Full,
                "ErrorFolderExists" => Error::Exists,
                "ErrorMessageSizeExceeded" | "ErrorAttachmentSizeLimitExceeded" => {
                    let text = "the attachment is larger than Exchange takes";
                    Refusal::new(Reason::AttachmentTooLarge, text).into()
                }
                _ if error.is_transient() => Error::Unavailable { retry_after: LATER, reason },
                _ => Error::Internal(reason, Some(Box::new(error))),
            },
            // IIS stands before Exchange and counts the whole request.
            ews::Error::Http { status: 413, .. } => {
                let text = "the request is larger than Exchange takes";
                Refusal::new(Reason::AttachmentTooLarge, text).into()
            }
            _ if error.is_transient() => Error::Unavailable { retry_after: LATER, reason },
            _ => Error::Internal(reason, Some(Box::new(error))),
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
