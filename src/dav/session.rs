//! One request of a signed-in user, with what every answer needs.

use super::headers::Preferences;
use super::path::Hrefs;
use super::property::Scene;
use super::resource::Resource;
use crate::gateway::Mailbox;
use axum::http::HeaderMap;

/// Who asks, and how.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) mailbox: Mailbox,
    pub(super) hrefs: Hrefs,
    pub(super) headers: HeaderMap,
    pub(super) preferences: Preferences,
    pub(super) max_resource_size: u64,
}

impl Session {
    pub(super) fn new(mailbox: Mailbox, headers: HeaderMap, max_resource_size: u64) -> Self {
        let hrefs = Hrefs::of(mailbox.principal());
        let preferences = Preferences::of(&headers);
        Self { mailbox, hrefs, headers, preferences, max_resource_size }
    }

    /// What properties of a resource are computed from.
    pub(super) fn scene<'a>(&'a self, resource: &'a Resource) -> Scene<'a> {
        Scene {
            principal: self.mailbox.principal(),
            hrefs: &self.hrefs,
            max_resource_size: self.max_resource_size,
            resource,
        }
    }

    /// Seen: Thunderbird's address books cannot recover from the usual answer to a forgotten sync-token.
    pub(super) fn is_thunderbird(&self) -> bool {
        super::headers::text(&self.headers, "user-agent").is_some_and(|agent| agent.contains("Thunderbird/"))
    }
}
