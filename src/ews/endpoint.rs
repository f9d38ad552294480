//! One URL of the upstream, with what is known of signing in there.

use super::auth::Schemes;
use reqwest::Url;

/// Where requests are sent.
#[derive(Debug)]
pub(super) struct Endpoint {
    url: Url,
    schemes: Schemes,
}

impl Endpoint {
    /// Nothing is known of it yet.
    pub(super) fn new(url: Url) -> Self {
        Self { url, schemes: Schemes::default() }
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn schemes(&self) -> &Schemes {
        &self.schemes
    }
}
