//! Autodiscover: from an e-mail address to the EWS endpoint of its mailbox. MS-OXDISCO 3.1.5, MS-OXDSCLI, MS-OXWSADISC
//!
//! The documented order: `https://DOMAIN`, `https://autodiscover.DOMAIN` (at each SOAP, then POX), the redirect of
//! `http://autodiscover.DOMAIN`, the DNS record `_autodiscover._tcp.DOMAIN`, and for tokens Exchange Online's own host.
//! Service connection points are left out: they are read from Active Directory by LDAP with the rights of a
//! domain member, which a gateway does not have; who has them can set the endpoint.
//!
//! **Invariant:** a secret goes only where [`trust`] allows, over TLS with a verified certificate, and only to a server
//! that asked for a sign-in.
//! **Invariant:** redirects, octets, depth and time are bounded; what leads to a place that was asked before ends.

pub mod answer;
mod cache;
mod finder;
pub mod trust;
mod walk;

pub(super) use finder::Finder;
pub use walk::Step;

use super::auth::Credentials;
use super::client::Exchange;
use super::error::Error;
use reqwest::Url;
use std::net::SocketAddr;
use std::path::PathBuf;

/// How endpoints are discovered.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Mail domains whose users may sign in; the first is that of names without one.
    pub domains: Vec<String>,
    /// Hosts, with those below them, to which a redirect without TLS or a DNS record may lead.
    pub trusted: Vec<String>,
    /// The DNS server that is asked for the record; `None`: those of the system.
    pub nameserver: Option<SocketAddr>,
    /// Where what was found is kept; `None`: only in memory.
    pub book: Option<PathBuf>,
}

impl Exchange {
    /// Walks all steps of Autodiscover for the credentials' mailbox, whatever is known: each step, and where they end.
    pub async fn discover(&self, credentials: &Credentials) -> (Vec<Step>, Result<Url, Error>) {
        match self.settings().autodiscover.address(credentials) {
            Ok(address) => walk::walk(self, credentials, &address).await,
            Err(error) => (Vec::new(), Err(error)),
        }
    }
}

impl Settings {
    /// The mailbox's address. One whom nobody vouches for must be of a domain of ours.
    fn address(&self, credentials: &Credentials) -> Result<String, Error> {
        let address = match (credentials.anchor(), self.domains.first()) {
            (Some(address), _) => address.to_ascii_lowercase(),
            (None, Some(domain)) => {
                // CORP\user: the name without the old domain is the best guess.
                let name = credentials.login().rsplit('\\').next().unwrap_or_default();
                format!("{name}@{domain}").to_ascii_lowercase()
            }
            (None, None) => return Err(Error::Settings("exchange.domain is not set".to_owned())),
        };
        let domain = trust::domain(&address).ok_or(Error::SignIn)?;
        let is_ours = self.domains.iter().any(|ours| ours.eq_ignore_ascii_case(domain));
        if is_ours || credentials.identity().is_kept() {
            return Ok(address);
        }
        tracing::warn!(domain, "a sign-in from a domain that is not in exchange.domain is refused");
        Err(Error::SignIn)
    }
}
