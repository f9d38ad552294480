//! Moving and copying objects between collections.

use super::{Conditions, Written};
use crate::gateway::{Error, Mailbox};
use crate::model::id::{CollectionId, ResourceName};

/// Whether the object leaves its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relocation {
    /// MOVE
    Move,
    /// COPY
    Copy,
}

/// What happens to an object at the destination. RFC 4918 10.6
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// It is replaced.
    Allowed,
    /// The request fails with [`Error::Changed`].
    Forbidden,
}

#[allow(clippy::unused_async)] // the body is being written
impl Mailbox {
    /// Moves or copies an object to a name in this or another collection of the same kind.
    pub async fn relocate(
        &self,
        how: Relocation,
        from: (&CollectionId, &ResourceName),
        to: (&CollectionId, &ResourceName),
        overwrite: Overwrite,
        conditions: &Conditions,
    ) -> Result<Written, Error> {
        let _ = (how, from, to, overwrite, conditions);
        Err(Error::Denied("writing is not built yet".to_owned()))
    }
}
