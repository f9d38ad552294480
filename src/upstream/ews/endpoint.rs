//! One URL of the upstream, with what is known of signing in there.

use super::auth::Schemes;
use super::soap::ServerVersion;
use reqwest::Url;
use std::sync::OnceLock;

/// Where requests are sent.
#[derive(Debug)]
pub(super) struct Endpoint {
    url: Url,
    schemes: Schemes,
    version: OnceLock<ServerVersion>,
}

impl Endpoint {
    /// Nothing is known of it yet.
    pub(super) fn new(url: Url) -> Self {
        Self { url, schemes: Schemes::default(), version: OnceLock::new() }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn schemes(&self) -> &Schemes {
        &self.schemes
    }

    /// What the server there called itself first, if it has answered anybody.
    pub(super) fn version(&self) -> &OnceLock<ServerVersion> {
        &self.version
    }
}
