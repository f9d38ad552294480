//! Who asks: Basic, NTLM, Negotiate with NTLM in it, and Bearer tokens, as IIS and Exchange check them.
//!
//! Every mailbox is an account with the password `demo`; `service@example.com` has no mailbox and may impersonate all.

pub mod ntlm;
pub mod oauth;
mod spnego;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::listen::Connection;
use super::soap::{Envelope, Fault};
use super::world::World;

/// The password of every account.
pub const PASSWORD: &str = "demo";
/// The account without a mailbox that may impersonate.
pub const SERVICE: &str = "service@example.com";
/// The domain of user principal names that are no addresses.
const UPN_SUFFIX: &str = "@login.example.net";
/// The domain's old name.
const DOMAIN: &str = "EXAMPLE";

/// A scheme that the server offers.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// RFC 7617
    Basic,
    /// NTLMv2 over the connection. MS-NTHT
    Ntlm,
    /// SPNEGO over the connection, with NTLMv2 in it. RFC 4559
    Negotiate,
    /// OAuth 2.0 tokens. RFC 6750
    Bearer,
}

/// Somebody whom the server knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// A person with a mailbox.
    Person(String),
    /// [`SERVICE`].
    Service,
    /// An application with a token of its own.
    App,
}

/// The door: what is offered and what happened at it.
#[derive(Debug)]
pub struct Door {
    offered: Mutex<Vec<Scheme>>,
    lockout: u64,
    refused: Mutex<HashMap<String, u64>>,
    tokens: Mutex<oauth::Tokens>,
    /// Connections since the last reset.
    pub connections: Arc<AtomicU64>,
    requests: AtomicU64,
    unauthorized: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Door {
    /// Offers these schemes; an account is locked after so many wrong passwords, 0 for never.
    pub fn new(offered: Vec<Scheme>, lockout: u64) -> Self {
        Self {
            offered: Mutex::new(offered),
            lockout,
            refused: Mutex::default(),
            tokens: Mutex::default(),
            connections: Arc::default(),
            requests: AtomicU64::new(0),
            unauthorized: AtomicU64::new(0),
        }
    }

    /// Offers other schemes from now on.
    pub fn offer(&self, schemes: Vec<Scheme>) {
        *lock(&self.offered) = schemes;
    }

    /// Issues tokens otherwise, or takes them back.
    pub fn change_tokens(&self, change: impl FnOnce(&mut oauth::Tokens)) {
        change(&mut lock(&self.tokens));
    }

    /// Counts from zero; locked accounts are open again.
    pub fn reset(&self) {
        lock(&self.refused).clear();
        for count in [&*self.connections, &self.requests, &self.unauthorized] {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// What happened since the last reset.
    pub fn stats(&self) -> Value {
        let refused: BTreeMap<String, u64> = lock(&self.refused).clone().into_iter().collect();
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        json!({
            "requests": count(&self.requests),
            "unauthorized": count(&self.unauthorized),
            "connections": count(&self.connections),
            "refused": refused,
            "tokens": lock(&self.tokens).issued(),
        })
    }

    /// Who asks, or the answer for somebody who has not signed in.
    pub fn enter(
        &self,
        world: &World,
        connection: &Connection,
        headers: &HeaderMap,
    ) -> Result<Account, Box<Response>> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.known(world, connection, headers).map_err(|challenge| {
            self.unauthorized.fetch_add(1, Ordering::Relaxed);
            Box::new(self.challenge(challenge))
        })
    }

    /// The server has forgotten who a connection belongs to.
    pub fn forget(&self, connection: &Connection) -> Response {
        *lock(&connection.ntlm) = ntlm::State::New;
        self.challenge(None)
    }

    /// Answers a request to the identity provider; `None` for paths that it does not have.
    pub fn identity_provider(
        &self,
        world: &World,
        path: &str,
        query: &str,
        body: &str,
        host: &str,
    ) -> Option<Response> {
        lock(&self.tokens).answer(world, path, query, body, host)
    }

    fn known(
        &self,
        world: &World,
        connection: &Connection,
        headers: &HeaderMap,
    ) -> Result<Account, Option<String>> {
        let Some(value) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
            return lock(&connection.ntlm).signed_in().ok_or(None);
        };
        let (word, token) = value.split_once(' ').ok_or(None)?;
        let offered = lock(&self.offered).clone();
        let scheme = [Scheme::Basic, Scheme::Ntlm, Scheme::Negotiate, Scheme::Bearer]
            .into_iter()
            .find(|scheme| scheme.word().eq_ignore_ascii_case(word))
            .filter(|scheme| offered.contains(scheme))
            .ok_or(None)?;
        match scheme {
            Scheme::Basic => {
                let decoded =
                    STANDARD.decode(token.trim()).ok().and_then(|octets| String::from_utf8(octets).ok());
                let decoded = decoded.ok_or(None)?;
                let (login, password) = decoded.split_once(':').ok_or(None)?;
                let (domain, user) = login.split_once('\\').unwrap_or(("", login));
                let account = account(world, user, domain).ok_or(None)?;
                self.judge(account, password == PASSWORD).ok_or(None)
            }
            Scheme::Bearer => lock(&self.tokens).account(token.trim()).ok_or(None),
            Scheme::Ntlm | Scheme::Negotiate => {
                let octets = STANDARD.decode(token.trim()).map_err(|_| None)?;
                let message = spnego::inner(&octets).ok_or(None)?;
                let is_wrapped = message.len() != octets.len();
                let mut state = lock(&connection.ntlm);
                match state.step(message, connection.certificate.as_deref()) {
                    ntlm::Step::Challenge(challenge) => {
                        let answer = if is_wrapped { spnego::challenge(&challenge) } else { challenge };
                        Err(Some(format!("{} {}", scheme.word(), STANDARD.encode(answer))))
                    }
                    ntlm::Step::Claim(claim) => {
                        let found = account(world, &claim.user, &claim.domain).ok_or(None)?;
                        let is_right = claim.proves(PASSWORD);
                        let entered = self.judge(found, is_right).ok_or(None)?;
                        state.sign_in(entered.clone());
                        Ok(entered)
                    }
                    ntlm::Step::Refused => Err(None),
                }
            }
        }
    }

    /// Counts wrong passwords, and refuses right ones to locked accounts.
    fn judge(&self, account: Account, is_right: bool) -> Option<Account> {
        let mut refused = lock(&self.refused);
        let name = match &account {
            Account::Person(address) => address.clone(),
            Account::Service | Account::App => SERVICE.to_owned(),
        };
        let is_locked = self.lockout > 0 && refused.get(&name).is_some_and(|times| *times >= self.lockout);
        if !is_right {
            *refused.entry(name).or_default() += 1;
        }
        Some(account).filter(|_| is_right && !is_locked)
    }

    fn challenge(&self, continued: Option<String>) -> Response {
        let mut response = StatusCode::UNAUTHORIZED.into_response();
        let challenges = match continued {
            Some(challenge) => vec![challenge],
            None => lock(&self.offered).iter().map(|scheme| scheme.challenge()).collect(),
        };
        for challenge in challenges.iter().filter_map(|text| HeaderValue::from_str(text).ok()) {
            response.headers_mut().append(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl Scheme {
    fn word(self) -> &'static str {
        match self {
            Self::Basic => "Basic",
            Self::Ntlm => "NTLM",
            Self::Negotiate => "Negotiate",
            Self::Bearer => "Bearer",
        }
    }

    fn challenge(self) -> String {
        match self {
            Self::Basic => "Basic realm=\"exchange\"".to_owned(),
            Self::Ntlm | Self::Negotiate => self.word().to_owned(),
            Self::Bearer => format!(
                "Bearer client_id=\"00000002-0000-0ff1-ce00-000000000000\", trusted_issuers=\"{}\", \
                 token_types=\"app_asserted_user_v1 service_asserted_app_v1\", error=\"invalid_token\"",
                oauth::ISSUER
            ),
        }
    }
}

/// The account of a name: `user@domain`, or a bare one in a domain that is ours.
pub fn account(world: &World, user: &str, domain: &str) -> Option<Account> {
    let is_ours = domain.is_empty()
        || domain.eq_ignore_ascii_case(DOMAIN)
        || domain.eq_ignore_ascii_case("example.com");
    if !is_ours {
        return None;
    }
    // The user principal name has a domain of its own; it is no address of the mailbox.
    let name = user.strip_suffix(UPN_SUFFIX).unwrap_or(user);
    let is = |address: &str| {
        let local = address.split('@').next().unwrap_or(address);
        address.eq_ignore_ascii_case(user) || local.eq_ignore_ascii_case(name)
    };
    if is(SERVICE) {
        return Some(Account::Service);
    }
    world.mailboxes.iter().find(|m| is(&m.address)).map(|m| Account::Person(m.address.clone()))
}

/// The mailbox that a request is about. MS-OXWSCDATA 2.2.3.3
pub fn mailbox(
    world: &World,
    account: &Account,
    envelope: &Envelope,
    headers: &HeaderMap,
) -> Result<usize, Fault> {
    let at =
        |address: &str| world.mailboxes.iter().position(|m| m.address.eq_ignore_ascii_case(address.trim()));
    let Some(sid) = envelope.header("ExchangeImpersonation").and_then(|h| h.child("ConnectingSID")) else {
        let own = match account {
            Account::Person(address) => at(address),
            Account::Service => None,
            Account::App => {
                return Err(Fault::new(
                    "ErrorImpersonationFailed",
                    "ExchangeImpersonation SOAP header must be present for this type of OAuth token.",
                ));
            }
        };
        return own.ok_or_else(|| {
            Fault::new(
                "ErrorMissingEmailAddress",
                "When making a request as an account that does not have a mailbox, you must specify the mailbox \
                 primary SMTP address for any distinguished folder Ids.",
            )
        });
    };
    if let Account::Person(_) = account {
        return Err(Fault::new(
            "ErrorImpersonateUserDenied",
            "The account does not have permission to impersonate the requested user.",
        ));
    }
    let named = sid.children.first().filter(|child| child.name != "SID").and_then(|child| at(&child.text));
    let named = named.ok_or_else(|| {
        Fault::new("ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it.")
    })?;
    if *account == Account::App && !headers.contains_key("x-anchormailbox") {
        return Err(Fault::new(
            "ErrorMailboxStoreUnavailable",
            "The request was routed to no mailbox server: X-AnchorMailbox is missing.",
        ));
    }
    Ok(named)
}
