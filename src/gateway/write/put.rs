//! Creating and replacing objects.

use super::{Conditions, Written};
use crate::gateway::{Error, Mailbox};
use crate::model::id::{CollectionId, ResourceName};
use bytes::Bytes;

#[allow(clippy::unused_async)] // the body is being written
impl Mailbox {
    /// Stores an object under a name: iCalendar or vCard, as the collection has it.
    ///
    /// Fails with [`Error::Changed`] when a condition is not met and with [`Error::Refused`] when the object cannot
    /// be stored. RFC 4791 5.3.2, RFC 6352 6.3.2
    pub async fn put(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        conditions: &Conditions,
        body: Bytes,
    ) -> Result<Written, Error> {
        let _ = (id, name, conditions, body);
        Err(Error::Denied("writing is not built yet".to_owned()))
    }
}
