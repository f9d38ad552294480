//! What a refused write means: a client must not try again what can never be stored.

use crate::gateway::Error;
use crate::model::refusal::{Reason, Refusal};
use crate::upstream::{self, ErrorKind};

/// The failure of a write. That the item, or the occurrence, is gone means that it is no longer what is known of it.
pub(super) fn refused(error: upstream::Error) -> Error {
    match error.kind {
        ErrorKind::Conflict | ErrorKind::ItemNotFound | ErrorKind::OccurrenceNotFound => Error::Changed,
        ErrorKind::TooLarge => {
            Refusal::new(Reason::TooLarge, "the server takes no object of this size: shorten it").into()
        }
        _ => error.into(),
    }
}
