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
pub mod challenge;
pub mod ntlm;
pub mod oauth;
pub(super) mod pinned;
mod scheme;

pub(super) use scheme::Schemes;
pub use scheme::{Choice, Scheme};

use super::error::Error;
use super::line::Line;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Who asks Exchange, and for whose mailbox. Cheap to clone; clones share connections. `Debug` shows no secret.
#[derive(Clone)]
pub struct Credentials {
    identity: Arc<Identity>,
    mailbox: Option<Arc<str>>,
    address: Option<Arc<str>>,
    line: Arc<Line>,
}

/// An account that Exchange knows, with the connections that are signed in as it.
pub(super) struct Identity {
    login: String,
    secret: Secret,
    is_kept: bool,
    refusals: Mutex<Refusals>,
    pub(super) connections: pinned::Pool,
}

/// How often in a row a secret was refused, and when last.
#[derive(Clone, Copy, Default)]
struct Refusals {
    times: u32,
    last: Option<Instant>,
}

/// After a refusal the secret is not shown for this long, twice as long each time, up to [`MAX_HOLD`].
const HOLD: Duration = Duration::from_secs(10);
const MAX_HOLD: Duration = Duration::from_secs(15 * 60);

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
        Self::of(login.into(), Secret::Password(password.into()), false)
    }

    /// The same of an account whose password exdav keeps: that it is refused is not the fault of whoever asks.
    pub fn kept_password(login: impl Into<String>, password: impl Into<String>) -> Self {
        Self::of(login.into(), Secret::Password(password.into()), true)
    }

    /// The application itself, which acts in the mailboxes of others: see [`Credentials::for_mailbox`].
    pub fn application(provider: Arc<oauth::Provider>) -> Self {
        Self::of(String::new(), Secret::Tokens(oauth::Tokens::of_the_application(provider)), true)
    }

    /// A person who signed in at the identity provider; `keep` is told of each new refresh token.
    pub fn person(
        login: &str,
        provider: Arc<oauth::Provider>,
        refresh_token: String,
        keep: oauth::Keep,
    ) -> Self {
        Self::of(
            login.to_owned(),
            Secret::Tokens(oauth::Tokens::of_a_person(provider, refresh_token, keep)),
            true,
        )
    }

    fn of(login: String, secret: Secret, is_kept: bool) -> Self {
        let refusals = Mutex::default();
        let identity = Identity { login, secret, is_kept, refusals, connections: pinned::Pool::default() };
        Self { identity: Arc::new(identity), mailbox: None, address: None, line: Arc::default() }
    }

    /// The same account in another's mailbox, which it must be allowed to impersonate: an SMTP address.
    /// MS-OXWSCDATA 2.2.3.3 (ExchangeImpersonation)
    #[must_use]
    pub fn for_mailbox(&self, address: &str) -> Self {
        Self {
            identity: Arc::clone(&self.identity),
            mailbox: Some(address.into()),
            address: None,
            line: Arc::default(),
        }
    }

    /// The same account, whose own mailbox has this SMTP address: a sign-in name does not tell.
    #[must_use]
    pub fn with_address(self, address: &str) -> Self {
        Self { address: Some(address.into()), ..self }
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
        let login = || Some(self.login()).filter(|login| login.contains('@'));
        self.impersonated().or(self.address.as_deref()).or_else(login)
    }

    pub(super) fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    /// The connections of this user.
    pub(super) fn line(&self) -> &Line {
        &self.line
    }

    /// Ends the connections of this user: an answer came over one of them that belongs to no request.
    pub(super) fn end_connections(&self) {
        self.line.end();
        self.identity.connections.end();
    }
}

impl Identity {
    /// Whether exdav keeps the secret: then an administrator has chosen the account.
    pub(super) fn is_kept(&self) -> bool {
        self.is_kept
    }

    pub(super) fn secret(&self) -> &Secret {
        &self.secret
    }

    fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a refusal of the secret means to whoever asked.
    fn refusal(&self) -> Error {
        if self.is_kept { Error::Kept(self.login.clone()) } else { Error::SignIn }
    }

    /// Refuses on its own while Exchange's last no holds: accounts are locked after some.
    pub(super) fn may_try(&self) -> Result<(), Error> {
        let Refusals { times, last } = *self.refusals();
        let hold = HOLD.saturating_mul(1 << times.saturating_sub(1).min(16)).min(MAX_HOLD);
        if last.is_some_and(|at| at.elapsed() < hold) { Err(self.refusal()) } else { Ok(()) }
    }

    /// Remembers how a try ended.
    pub(super) fn tried<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        match outcome {
            Err(Error::SignIn) => {
                let mut refusals = self.refusals();
                refusals.times = refusals.times.saturating_add(1);
                refusals.last = Some(Instant::now());
                Err(self.refusal())
            }
            Ok(answer) => {
                *self.refusals() = Refusals::default();
                Ok(answer)
            }
            other => other,
        }
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
