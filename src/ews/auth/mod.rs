//! Signing in to Exchange: who asks, and by which scheme.
//!
//! A scheme is chosen once per upstream, from what the server offers or as the settings say; from then on a call is one
//! HTTP request. NTLM (and Negotiate, which carries it) signs in a *connection*: [`pinned`] keeps connections that
//! belong to one identity for life.
//!
//! **Invariant:** a password or token is never part of an error, a log line or a `Debug` text.
//! **Invariant:** a connection that was signed in is used by the identity that signed in, and by no other.
//! **Invariant:** a refused secret is shown to the server once: no scheme is tried after another has failed.

mod binding;
mod challenge;
mod ntlm;
pub mod oauth;
pub(super) mod pinned;
mod scheme;

pub(super) use scheme::Schemes;
pub use scheme::{Choice, Scheme};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::sync::Arc;

/// Who asks Exchange, and for whose mailbox. Cheap to clone; clones share connections. `Debug` shows no secret.
#[derive(Clone)]
pub struct Credentials {
    identity: Arc<Identity>,
    mailbox: Option<Arc<str>>,
}

/// An account that Exchange knows, with the connections that are signed in as it.
pub(super) struct Identity {
    login: String,
    secret: Secret,
    pub(super) connections: pinned::Pool,
}

/// What proves an identity.
pub(super) enum Secret {
    /// The account's password.
    Password(String),
    /// Tokens of an identity provider.
    Tokens(oauth::Tokens),
}

impl Credentials {
    /// An account with its password. The login is `user@domain`, `DOMAIN\user` or a bare name.
    pub fn password(login: impl Into<String>, password: impl Into<String>) -> Self {
        Self::of(login.into(), Secret::Password(password.into()))
    }

    /// The application itself, which acts in the mailboxes of others: see [`Credentials::for_mailbox`].
    pub fn application(provider: Arc<oauth::Provider>) -> Self {
        Self::of(String::new(), Secret::Tokens(oauth::Tokens::of_the_application(provider)))
    }

    /// A person who signed in at the identity provider; `keep` is told of each new refresh token.
    pub fn person(
        login: &str,
        provider: Arc<oauth::Provider>,
        refresh_token: String,
        keep: oauth::Keep,
    ) -> Self {
        Self::of(login.to_owned(), Secret::Tokens(oauth::Tokens::of_a_person(provider, refresh_token, keep)))
    }

    fn of(login: String, secret: Secret) -> Self {
        let identity = Identity { login, secret, connections: pinned::Pool::default() };
        Self { identity: Arc::new(identity), mailbox: None }
    }

    /// The same account in another's mailbox, which it must be allowed to impersonate: an SMTP address.
    /// MS-OXWSCDATA 2.2.3.3 (ExchangeImpersonation)
    #[must_use]
    pub fn for_mailbox(&self, address: &str) -> Self {
        Self { identity: Arc::clone(&self.identity), mailbox: Some(address.into()) }
    }

    /// The account's name.
    pub fn login(&self) -> &str {
        &self.identity.login
    }

    /// The impersonated mailbox, if there is one.
    pub(super) fn impersonated(&self) -> Option<&str> {
        self.mailbox.as_deref()
    }

    /// The mailbox that requests are about, where an SMTP address is known: for `X-AnchorMailbox`.
    pub(super) fn anchor(&self) -> Option<&str> {
        self.impersonated().or_else(|| Some(self.login()).filter(|login| login.contains('@')))
    }

    pub(super) fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }
}

impl Identity {
    pub(super) fn secret(&self) -> &Secret {
        &self.secret
    }
}

/// HTTP Basic. RFC 7617
pub(super) fn basic(login: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{login}:{password}")))
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.mailbox {
            Some(mailbox) => write!(f, "Credentials({} for {mailbox})", self.login()),
            None => write!(f, "Credentials({})", self.login()),
        }
    }
}
