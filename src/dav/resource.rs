//! What a path turned out to be.

use super::error::Error;
use super::path::{Hrefs, ResourcePath, Space};
use crate::gateway::{Freshness, Mailbox, Person};
use crate::model::collection::Collection;
use crate::model::id::{CollectionId, SyncToken};
use crate::model::object::Head;
use std::sync::Arc;

/// A resource with what is known of it without its body.
#[derive(Clone, Debug)]
pub(super) enum Resource {
    Root(&'static str),
    Principals(&'static str),
    Principal,
    Home(Space),
    Inbox,
    Outbox,
    /// The token only where it was asked for: it costs a refresh. There is none before the first fill is complete.
    Collection(Arc<Collection>, Option<SyncToken>),
    Member(Arc<Collection>, Head),
    /// The organisation's directory.
    Directory,
    /// Somebody's card in it.
    Entry(Head),
    /// A colleague.
    Person(Person),
}

/// Whether the sync-token is among what is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tokens {
    Wanted,
    Unwanted,
}

impl Resource {
    /// Its one spelling.
    pub(super) fn href(&self, hrefs: &Hrefs) -> String {
        match self {
            Self::Root(path) | Self::Principals(path) => (*path).to_owned(),
            Self::Principal => hrefs.principal(),
            Self::Home(space) => hrefs.home(*space),
            Self::Inbox => hrefs.inbox(),
            Self::Outbox => hrefs.outbox(),
            Self::Collection(collection, _) => hrefs.collection(collection),
            Self::Member(collection, head) => hrefs.member(collection, &head.name),
            Self::Directory => hrefs.directory(),
            Self::Entry(head) => hrefs.entry(&head.name),
            Self::Person(person) => hrefs.person(&person.address),
        }
    }

    /// Looks up what a place is.
    pub(super) async fn find(mailbox: &Mailbox, place: &ResourcePath, tokens: Tokens) -> Result<Self, Error> {
        Ok(match place {
            ResourcePath::Root(path) => Self::Root(path),
            ResourcePath::Principals(path) => Self::Principals(path),
            ResourcePath::Principal => Self::Principal,
            ResourcePath::Home(space) => Self::Home(*space),
            ResourcePath::Inbox => Self::Inbox,
            ResourcePath::Outbox => Self::Outbox,
            ResourcePath::Collection(space, id) => {
                let collection = collection(mailbox, *space, id).await?;
                let token = match tokens {
                    Tokens::Wanted => token(&mailbox.tokens(std::slice::from_ref(id)).await?, 0),
                    Tokens::Unwanted => None,
                };
                Self::Collection(collection, token)
            }
            ResourcePath::Member(space, id, name) => {
                let collection = collection(mailbox, *space, id).await?;
                let object = mailbox.get(id, name).await?.ok_or(Error::NotFound)?;
                Self::Member(collection, object.head)
            }
            ResourcePath::Directory => Self::Directory,
            ResourcePath::Entry(name) => {
                let found = mailbox.directory_entries(std::slice::from_ref(name)).await?;
                Self::Entry(found.into_iter().next().flatten().ok_or(Error::NotFound)?.head)
            }
            ResourcePath::Person(address) => {
                Self::Person(mailbox.person(address).await?.ok_or(Error::NotFound)?)
            }
            ResourcePath::Attachment(..) => return Err(Error::NotFound),
        })
    }

    /// What is directly below it.
    pub(super) async fn children(&self, mailbox: &Mailbox, tokens: Tokens) -> Result<Vec<Self>, Error> {
        match self {
            Self::Root("/") => Ok(vec![Self::Root(super::path::START)]),
            Self::Principals(_) => Ok(vec![Self::Principal]),
            // The directory is searched: it is never listed.
            Self::Root(_)
            | Self::Principal
            | Self::Inbox
            | Self::Outbox
            | Self::Member(..)
            | Self::Directory
            | Self::Entry(_)
            | Self::Person(_) => Ok(Vec::new()),
            Self::Home(space) => home(mailbox, *space, tokens).await,
            Self::Collection(collection, _) => {
                let heads = mailbox.list(&collection.id).await?;
                Ok(heads.into_iter().map(|head| Self::Member(Arc::clone(collection), head)).collect())
            }
        }
    }
}

async fn home(mailbox: &Mailbox, space: Space, tokens: Tokens) -> Result<Vec<Resource>, Error> {
    let mut collections = mailbox.collections().await?;
    collections.retain(|collection| Space::of(collection.kind) == space);
    let fresh = match tokens {
        Tokens::Wanted => {
            let ids: Vec<CollectionId> = collections.iter().map(|c| c.id.clone()).collect();
            mailbox.tokens(&ids).await?
        }
        Tokens::Unwanted => Vec::new(),
    };
    let with_token = |(at, collection)| Resource::Collection(Arc::new(collection), token(&fresh, at));
    let mut found: Vec<Resource> = collections.into_iter().enumerate().map(with_token).collect();
    if space == Space::Calendars && !mailbox.is_visit() {
        found.extend([Resource::Inbox, Resource::Outbox]);
    }
    Ok(found)
}

fn token(fresh: &[Option<Freshness>], at: usize) -> Option<SyncToken> {
    fresh.get(at)?.map(|freshness| freshness.token)
}

/// The place with the name by which its collection is known: calendars and address books may have the same path
/// segment, and the second of the two has another name. A place whose collection is not there stays as it is.
pub(super) async fn resolved(mailbox: &Mailbox, place: ResourcePath) -> ResourcePath {
    let (space, id) = match &place {
        ResourcePath::Collection(space, id) | ResourcePath::Member(space, id, _) => (*space, id),
        ResourcePath::Attachment(id, ..) => (Space::Calendars, id),
        _ => return place,
    };
    // What fails here fails again where the collection is looked up.
    let Ok(Some(found)) = mailbox.collection(id).await else { return place };
    if Space::of(found.kind) == space {
        return place;
    }
    let second = id.second();
    match place {
        ResourcePath::Collection(space, _) => ResourcePath::Collection(space, second),
        ResourcePath::Member(space, _, name) => ResourcePath::Member(space, second, name),
        ResourcePath::Attachment(_, name, managed_id) => ResourcePath::Attachment(second, name, managed_id),
        other => other,
    }
}

/// The collection of that name in that half of the tree.
pub(super) async fn collection(
    mailbox: &Mailbox,
    space: Space,
    id: &CollectionId,
) -> Result<Arc<Collection>, Error> {
    let found = mailbox.collection(id).await?.filter(|collection| Space::of(collection.kind) == space);
    found.map(Arc::new).ok_or(Error::NotFound)
}
