//! Creating, changing and removing collections.

use crate::gateway::{Error, Mailbox};
use crate::model::collection::{Collection, CollectionKind};
use crate::model::id::CollectionId;
use crate::upstream::{ErrorKind, FolderEdit, FolderProperty, WellKnownFolder};

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

/// Names that are tried when another folder beside it has the name already.
const MAX_NAMESAKES: u32 = 20;

impl Mailbox {
    /// Makes a folder. Fails with [`Error::Exists`].
    pub async fn create_collection(&self, new: NewCollection) -> Result<Collection, Error> {
        let NewCollection { id, kind, properties } = new;
        if self.is_visit() {
            return Err(Error::Denied("folders are made by the owner of the mailbox".to_owned()));
        }
        if self.collection(&id).await?.is_some() {
            return Err(Error::Exists);
        }
        let mut display_name = id.to_string();
        let mut kept = vec![(FolderProperty::Name, id.to_string())];
        for CollectionChange { field, value } in properties {
            match (property(field), value) {
                (Some(property), Some(value)) => kept.push((property, value)),
                (None, Some(value)) if !value.trim().is_empty() => value.trim().clone_into(&mut display_name),
                (_, _) => {}
            }
        }
        let session = self.follower().session();
        let parent = parent(kind);
        let mut namesakes = 1;
        let outcome = loop {
            // Two folders beside each other never have one name in Exchange.
            let name = match namesakes {
                1 => display_name.clone(),
                many => format!("{display_name} ({many})"),
            };
            match session.create_folder(parent, kind, &name, &kept).await {
                Err(error) if error.is(&ErrorKind::FolderExists) && namesakes < MAX_NAMESAKES => {
                    // It may be the very same, made by another gateway a moment ago.
                    if namesakes == 1 {
                        self.follower().expect_tree_change();
                        let folders = self.in_time(self.follower().collections()).await?;
                        if folders.iter().any(|folder| folder.collection.id == id) {
                            return Err(Error::Exists);
                        }
                    }
                    namesakes += 1;
                }
                outcome => break outcome,
            }
        };
        self.follower().expect_tree_change();
        match outcome {
            Ok(_) => {}
            // It may have been made all the same: looked up below.
            Err(error) if error.is(&ErrorKind::Lost) => {
                return self.collection(&id).await?.ok_or_else(|| error.into());
            }
            Err(error) => return Err(error.into()),
        }
        let made = self.collection(&id).await?;
        made.ok_or_else(|| Error::Internal("the folder that was made is not listed".to_owned(), None))
    }

    /// Changes all of these or none. RFC 4918 9.2
    pub async fn change_collection(
        &self,
        id: &CollectionId,
        changes: &[CollectionChange],
    ) -> Result<(), Error> {
        let collection = self.collection(id).await?.ok_or(Error::NotFound)?;
        if !collection.rights.administer {
            return Err(Error::Denied("the folder belongs to somebody else".to_owned()));
        }
        let mut edits = Vec::new();
        for CollectionChange { field, value } in changes {
            edits.push(match (property(*field), value) {
                (Some(property), value) => FolderEdit::Property(property, value.clone()),
                (None, _) if collection.is_default => {
                    return Err(Error::Denied("default folders keep their names".to_owned()));
                }
                (None, Some(name)) if !name.trim().is_empty() => {
                    FolderEdit::DisplayName(name.trim().to_owned())
                }
                (None, _) => return Err(Error::Denied("a folder needs a name".to_owned())),
            });
        }
        if edits.is_empty() {
            return Ok(());
        }
        let session = self.follower().session();
        let outcome = session.update_folder(&collection.upstream.0, collection.kind, &edits).await;
        self.follower().expect_tree_change();
        Ok(outcome?)
    }

    /// Removes a folder with everything in it. Default folders stay: [`Error::Denied`].
    pub async fn delete_collection(&self, id: &CollectionId) -> Result<(), Error> {
        let collection = self.collection(id).await?.ok_or(Error::NotFound)?;
        if collection.is_default {
            return Err(Error::Denied("default folders stay".to_owned()));
        }
        if !collection.rights.administer {
            return Err(Error::Denied("the folder belongs to somebody else".to_owned()));
        }
        let outcome = self.follower().session().delete_folder(&collection.upstream.0).await;
        self.follower().expect_tree_change();
        match outcome {
            // Somebody was faster.
            Err(error) if error.is(&ErrorKind::FolderNotFound) || error.is(&ErrorKind::ItemNotFound) => {
                Ok(())
            }
            outcome => Ok(outcome?),
        }
    }
}

/// Where a property is kept; `None`: it is the folder's name.
const fn property(field: Field) -> Option<FolderProperty> {
    match field {
        Field::DisplayName => None,
        Field::Description => Some(FolderProperty::Description),
        Field::Color => Some(FolderProperty::Color),
        Field::Order => Some(FolderProperty::Order),
        Field::TimeZone => Some(FolderProperty::TimeZone),
    }
}

/// The default folder of the kind: new ones are made in it, as Outlook does.
const fn parent(kind: CollectionKind) -> WellKnownFolder {
    match kind {
        CollectionKind::Calendar => WellKnownFolder::Calendar,
        CollectionKind::Tasks => WellKnownFolder::Tasks,
        CollectionKind::AddressBook => WellKnownFolder::Contacts,
    }
}
