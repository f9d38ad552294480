//! Creating, changing and removing collections.

use crate::gateway::{Error, Mailbox};
use crate::model::collection::{Collection, CollectionKind};
use crate::model::id::CollectionId;

/// A property of a collection that clients may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// `DAV:displayname`: the folder's name.
    DisplayName,
    /// `calendar-description`, `addressbook-description`
    Description,
    /// `#RRGGBBAA`
    Color,
    /// A number.
    Order,
    /// An iCalendar text with one VTIMEZONE.
    TimeZone,
}

/// One change: a value, or `None` to remove it.
#[derive(Clone, Debug, PartialEq)]
pub struct CollectionChange {
    /// Which property.
    pub field: Field,
    /// Its new value.
    pub value: Option<String>,
}

/// A collection to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewCollection {
    /// The path segment that the client chose: kept for all clients.
    pub id: CollectionId,
    /// What it holds.
    pub kind: CollectionKind,
    /// Its first properties.
    pub properties: Vec<CollectionChange>,
}

#[allow(clippy::unused_async)] // the bodies are being written
impl Mailbox {
    /// Makes a folder. Fails with [`Error::Exists`].
    pub async fn create_collection(&self, new: NewCollection) -> Result<Collection, Error> {
        let _ = new;
        Err(Error::Denied("writing is not built yet".to_owned()))
    }

    /// Changes all of these or none. RFC 4918 9.2
    pub async fn change_collection(
        &self,
        id: &CollectionId,
        changes: &[CollectionChange],
    ) -> Result<(), Error> {
        let _ = (id, changes);
        Err(Error::Denied("writing is not built yet".to_owned()))
    }

    /// Removes a folder with everything in it. Default folders stay: [`Error::Denied`].
    pub async fn delete_collection(&self, id: &CollectionId) -> Result<(), Error> {
        let _ = id;
        Err(Error::Denied("writing is not built yet".to_owned()))
    }
}
