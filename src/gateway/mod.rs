//! What the product does, in domain words. [`Mailbox`] is one signed-in user.
//!
//! Reads make sure that the mirror is fresh and then answer from it; when the upstream is away the mirror answers on
//! its own, for a while, and says so ([`Freshness::stale_for`]).
//!
//! **Invariant:** no HTTP, no XML, no URL; no EWS word in a public signature.
//! **Invariant:** a [`Mailbox`] exists only after the upstream itself accepted the credentials, or those of its account.

mod access;
mod availability;
mod directory;
pub mod error;
mod failure;
mod identity;
mod login_throttle;
mod mailbox;
mod opening;
mod password_mark;
mod product;
mod read;
mod search;
mod shared_mailbox;
mod sign_in;
mod visitors;
pub mod write;

pub use access::access;
pub use availability::Availability;
pub use error::Error;
pub use mailbox::Mailbox;
pub use product::{Gateway, Links, Settings};
pub use search::Search;

use crate::model::id::{ETag, ResourceName, SyncToken};
use crate::model::object::Head;
use bytes::Bytes;
use jiff::Timestamp;
use std::time::Duration;

/// Who is signed in. RFC 5397
#[derive(Clone, Debug, PartialEq)]
pub struct Principal {
    /// The path segment in URLs: `[A-Za-z0-9._~-]` only, no `@`; one to one with the login.
    pub segment: String,
    /// Primary SMTP address; the login where none could be learned.
    pub address: String,
    /// All SMTP addresses under which the user may appear as attendee, the primary one first; empty where none could be
    /// learned. See `identity`.
    pub addresses: Vec<String>,
    /// A name for people.
    pub display_name: String,
}

/// Somebody else, as the directory tells. RFC 3744 2
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Primary SMTP address.
    pub address: String,
    /// A name for people.
    pub display_name: String,
    /// A list of the organisation.
    pub is_group: bool,
}

/// How fresh an answer is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Freshness {
    /// The collection's change log stands here.
    pub token: SyncToken,
    /// `Some` when the upstream could not be asked: how long the mirror has been on its own.
    pub stale_for: Option<Duration>,
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
    /// `None` for [`Shape::Nothing`](crate::query::shape::Shape::Nothing), and for what is too much.
    pub body: Option<Bytes>,
    /// In the shape that was asked for it is larger than an answer may be: too many instances.
    pub is_too_much: bool,
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
    pub etag: ETag,
    /// The newest member's change.
    pub last_modified: Timestamp,
    /// The text.
    pub body: Bytes,
}

/// An attachment, without its content.
#[derive(Clone, Debug, PartialEq)]
pub struct Attachment {
    /// File name for people.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// Octets, about.
    pub size: u64,
    /// The upstream's id.
    upstream: String,
}
