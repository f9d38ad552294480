//! Removing objects.

use super::Conditions;
use crate::gateway::{Error, Mailbox};
use crate::model::id::{CollectionId, ResourceName};

/// Whether the others of a meeting hear of its end. RFC 6638 8.1
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// The organiser cancels, the attendee declines.
    Told,
    /// `Schedule-Reply: F`
    NotTold,
}

#[allow(clippy::unused_async)] // the body is being written
impl Mailbox {
    /// Removes an object. Fails with [`Error::NotFound`] and [`Error::Changed`].
    pub async fn delete(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        conditions: &Conditions,
        others: Others,
    ) -> Result<(), Error> {
        let _ = (id, name, conditions, others);
        Err(Error::Denied("writing is not built yet".to_owned()))
    }
}
