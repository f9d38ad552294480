//! What the product does, in domain words. [`Mailbox`] is one signed-in user.
//!
//! **Invariant:** no HTTP, no XML, no URL; no EWS word in a public signature.

pub mod error;

pub use error::Error;

use crate::model::collection::Collection;
use crate::model::id::{CollectionId, ResourceName, SyncToken};
use crate::model::object::{Head, Object};
use crate::query::filter::{Filter, TimeRange};
use crate::query::shape::{CardVersion, Shape};
use bytes::Bytes;
use jiff::Timestamp;

/// The whole product behind the protocol: signs users in.
#[derive(Clone)]
pub struct Gateway {}

/// Who is signed in. RFC 5397
#[derive(Clone, Debug, PartialEq)]
pub struct Principal {
    /// The path segment in URLs: `[A-Za-z0-9._~-]` only, no `@`; one to one with the login.
    pub segment: String,
    /// Primary SMTP address.
    pub address: String,
    /// All addresses under which the user may appear as attendee, the primary one first.
    pub addresses: Vec<String>,
    /// A name for people.
    pub display_name: String,
}

/// One signed-in user's view of the upstream. Cheap to clone.
#[derive(Clone)]
pub struct Mailbox {}

/// How fresh an answer is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Freshness {
    /// The collection's change log stands here.
    pub token: SyncToken,
    /// `Some` when the upstream could not be asked: since when the mirror has been on its own.
    pub stale_since: Option<Timestamp>,
}

/// Answer to sync-collection. RFC 6578 3.2
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// New or changed members.
    pub changed: Vec<Head>,
    /// Members that are gone.
    pub removed: Vec<ResourceName>,
    /// Where to go on.
    pub token: SyncToken,
    /// More is to come: the limit was reached. RFC 6578 3.6
    pub truncated: bool,
}

/// A member with as much of its body as was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Selected {
    /// Name and tags.
    pub head: Head,
    /// `None` for [`Shape::Nothing`].
    pub body: Option<Bytes>,
}

/// Answer to a query. RFC 4791 7.8, RFC 6352 8.6
#[derive(Clone, Debug, PartialEq)]
pub struct Matches {
    /// What matched.
    pub members: Vec<Selected>,
    /// A limit was reached.
    pub truncated: bool,
}

/// A whole collection as one stream of iCalendar or vCards.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// Strong tag over all members, without quotes.
    pub etag: crate::model::id::ETag,
    /// The newest member's change.
    pub last_modified: Timestamp,
    /// The text.
    pub body: Bytes,
}

/// An attachment's content.
#[derive(Clone, Debug, PartialEq)]
pub struct Attachment {
    /// File name for people.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// Octets.
    pub content: Bytes,
}

impl Gateway {
    /// Opens the mailbox of `login` if the upstream accepts the password.
    ///
    /// Fails with [`Error::SignIn`] only when the upstream refused the credentials.
    pub async fn sign_in(&self, login: &str, password: &str) -> Result<Mailbox, Error> {
        let _ = (login, password);
        Err(Error::SignIn)
    }
}

#[allow(clippy::unused_async, clippy::unused_self, unused_variables)] // bodies are being written
impl Mailbox {
    /// Who this is.
    pub fn principal(&self) -> &Principal {
        todo!()
    }

    /// All collections, defaults first, as fresh as the freshness window asks.
    pub async fn collections(&self) -> Result<Vec<Collection>, Error> {
        todo!()
    }

    /// One collection, or `None` when there is none of that name.
    pub async fn collection(&self, id: &CollectionId) -> Result<Option<Collection>, Error> {
        todo!()
    }

    /// Makes sure that the mirror of these collections is fresh: at most one upstream call per window
    /// when nothing changed, however many collections are asked for.
    pub async fn refresh(&self, ids: &[CollectionId]) -> Result<Vec<Freshness>, Error> {
        todo!()
    }

    /// All members without bodies.
    pub async fn list(&self, id: &CollectionId) -> Result<Vec<Head>, Error> {
        todo!()
    }

    /// One member.
    pub async fn get(&self, id: &CollectionId, name: &ResourceName) -> Result<Option<Object>, Error> {
        todo!()
    }

    /// Members by name, in the order asked for; `None` where there is no such member.
    pub async fn multiget(
        &self,
        id: &CollectionId,
        names: &[ResourceName],
        shape: &Shape,
    ) -> Result<Vec<Option<Selected>>, Error> {
        todo!()
    }

    /// Members that match.
    pub async fn query(
        &self,
        id: &CollectionId,
        filter: &Filter,
        shape: &Shape,
        limit: Option<usize>,
    ) -> Result<Matches, Error> {
        todo!()
    }

    /// What changed since a token; `None` asks for everything. Fails with [`Error::ForgottenToken`].
    pub async fn changes(
        &self,
        id: &CollectionId,
        since: Option<SyncToken>,
        limit: Option<usize>,
    ) -> Result<Changes, Error> {
        todo!()
    }

    /// Busy time of a calendar as one VFREEBUSY object. RFC 4791 7.10
    pub async fn free_busy(&self, id: &CollectionId, range: TimeRange) -> Result<Bytes, Error> {
        todo!()
    }

    /// The whole collection as one text.
    pub async fn export(&self, id: &CollectionId, version: CardVersion) -> Result<Export, Error> {
        todo!()
    }

    /// The content of an attachment of a member.
    pub async fn attachment(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        managed_id: &str,
    ) -> Result<Option<Attachment>, Error> {
        todo!()
    }
}
