//! What Exchange is shown for each way to open a mailbox, and what these ways share: the service account's connections, the
//! application's token, people's tokens.

use super::auth::Credentials;
use super::auth::oauth::Provider;
use super::client::{Exchange, Settings};
use crate::upstream::{Access, Unreachable};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The account that may impersonate others. `Debug` shows no secret.
#[derive(Clone, Default)]
pub struct ServiceAccount {
    /// Its sign-in name at Exchange; empty: there is none.
    pub login: String,
    /// Its password.
    pub password: String,
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceAccount({})", self.login)
    }
}

/// What accounts share.
#[derive(Debug)]
pub(super) struct AccessCache {
    service: Option<Credentials>,
    people: Mutex<HashMap<String, Person>>,
}

/// Somebody who signed in at the identity provider.
#[derive(Debug)]
struct Person {
    token: Arc<RefreshToken>,
    credentials: Credentials,
}

/// The refresh token that was kept last. `Debug` does not show it.
struct RefreshToken(Mutex<String>);

impl RefreshToken {
    fn last(&self) -> MutexGuard<'_, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken")
    }
}

impl AccessCache {
    /// The service account if there is one, else the application if it has a secret.
    pub(super) fn new(provider: Option<&Arc<Provider>>, settings: &Settings) -> Self {
        let application = || {
            let provider = provider.filter(|_| !settings.oauth.client_secret.is_empty());
            provider.cloned().map(Credentials::application)
        };
        let ServiceAccount { login, password } = &settings.service;
        let service =
            if login.is_empty() { application() } else { Some(Credentials::kept_password(login, password)) };
        Self { service, people: Mutex::default() }
    }
}

impl Exchange {
    /// What Exchange is shown.
    ///
    /// # Errors
    ///
    /// [`Unreachable`] where the settings or a sign-in are missing.
    pub fn credentials(&self, access: &Access<'_>) -> Result<Credentials, Unreachable> {
        match access {
            Access::Password { login, password } => Ok(Credentials::password(*login, *password)),
            Access::KeptPassword { login, password, mailbox } => {
                Ok(Credentials::kept_password(*login, *password).with_address(mailbox))
            }
            Access::Service { mailbox } => {
                let service = self.access().service.as_ref();
                let service = service.ok_or(Unreachable("there is no service account in the settings"))?;
                Ok(service.for_mailbox(mailbox))
            }
            Access::Token { token: None, .. } => Err(Unreachable("nobody has signed in; run `exdav login`")),
            Access::Token { account, mailbox, token: Some(token), keep } => {
                let provider = self.provider().ok_or(Unreachable("[oauth] is not set"))?;
                let mut people = self.access().people.lock().unwrap_or_else(PoisonError::into_inner);
                let known = people.get(*account).filter(|person| *person.token.last() == *token);
                if let Some(person) = known {
                    return Ok(person.credentials.clone());
                }
                let kept = Arc::new(RefreshToken(Mutex::new((*token).to_owned())));
                let (last, keep) = (Arc::clone(&kept), Arc::clone(keep));
                let keep = move |token: &str| {
                    token.clone_into(&mut last.last());
                    keep(token);
                };
                let credentials =
                    Credentials::person(mailbox, Arc::clone(provider), (*token).to_owned(), Box::new(keep));
                people
                    .insert((*account).to_owned(), Person { token: kept, credentials: credentials.clone() });
                Ok(credentials)
            }
        }
    }
}
