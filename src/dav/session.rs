//! One request of a signed-in user, with what every answer needs.

use super::error::Error;
use super::headers::Preferences;
use super::path::{Hrefs, Space};
use super::property::Scene;
use super::resource::{self, Resource};
use crate::gateway::{Mailbox, Principal};
use crate::model::collection::Collection;
use crate::model::id::CollectionId;
use axum::http::HeaderMap;
use std::sync::Arc;

/// Who asks, and how.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) mailbox: Mailbox,
    pub(super) hrefs: Hrefs,
    /// Those of who is signed in.
    pub(super) user: Hrefs,
    pub(super) headers: HeaderMap,
    pub(super) preferences: Preferences,
    pub(super) limits: Limits,
}

/// Octets that clients may send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Of a member.
    pub(super) resource: u64,
    /// Of an attachment.
    pub(super) attachment: u64,
}

impl Session {
    pub(super) fn new(user: &Principal, mailbox: Mailbox, headers: HeaderMap, limits: Limits) -> Self {
        let hrefs = Hrefs::of(mailbox.principal());
        let user = Hrefs::of(user);
        let preferences = Preferences::of(&headers);
        Self { mailbox, hrefs, user, headers, preferences, limits }
    }

    /// What properties of a resource are computed from.
    pub(super) fn scene<'a>(&'a self, resource: &'a Resource) -> Scene<'a> {
        Scene {
            principal: self.mailbox.principal(),
            hrefs: &self.hrefs,
            user: &self.user,
            is_visit: self.mailbox.is_visit(),
            limits: self.limits,
            attachments: self.mailbox.attachments_url(),
            resource,
        }
    }

    /// The collection that something is to be put into. RFC 4918 9.7.1
    pub(super) async fn parent(&self, space: Space, id: &CollectionId) -> Result<Arc<Collection>, Error> {
        resource::collection(&self.mailbox, space, id).await.map_err(|error| match error {
            Error::NotFound => Error::NoParent,
            other => other,
        })
    }

    /// Seen: Thunderbird's address books cannot recover from the usual answer to a forgotten sync-token.
    pub(super) fn is_thunderbird(&self) -> bool {
        super::headers::text(&self.headers, "user-agent").is_some_and(|agent| agent.contains("Thunderbird/"))
    }
}
