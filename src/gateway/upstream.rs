//! How an account of exdav's own reaches its mailbox: by the service account, by a password, by tokens.

use super::error::Error;
use crate::accounts::{Account, Accounts, Upstream};
use crate::ews::{Credentials, Exchange};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The account that may impersonate others. `Debug` shows no secret.
#[derive(Clone, Default)]
pub struct Service {
    /// Its sign-in name at Exchange; empty: there is none.
    pub login: String,
    /// Its password.
    pub password: String,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Service({})", self.login)
    }
}

/// What is shared among accounts: the service account's connections, the application's token, people's tokens.
pub(super) struct Upstreams {
    service: Option<Credentials>,
    people: Mutex<HashMap<String, Person>>,
}

struct Person {
    /// The refresh token that is on the disk.
    kept: Arc<Mutex<String>>,
    credentials: Credentials,
}

/// What Exchange is shown for an account, outside of a running gateway.
pub fn credentials(
    exchange: &Exchange,
    service: &Service,
    accounts: &Accounts,
    account: &Account,
) -> Result<Credentials, Error> {
    Upstreams::new(exchange, service).credentials(exchange, accounts, account)
}

impl Upstreams {
    /// The service account if there is one, else the application if it has a secret.
    pub(super) fn new(exchange: &Exchange, service: &Service) -> Self {
        let application = || exchange.application().map(Credentials::application);
        let service = if service.login.is_empty() {
            application()
        } else {
            Some(Credentials::kept_password(&service.login, &service.password))
        };
        Self { service, people: Mutex::default() }
    }

    /// What Exchange is shown for an account.
    pub(super) fn credentials(
        &self,
        exchange: &Exchange,
        accounts: &Accounts,
        account: &Account,
    ) -> Result<Credentials, Error> {
        let Account { name, mailbox, upstream } = account;
        let missing = |what: &str| {
            let reason = format!("the account {name} cannot reach its mailbox: {what}");
            tracing::error!("{reason}");
            Error::Barred(reason)
        };
        match upstream {
            Upstream::Service => {
                let service = self.service.as_ref();
                let service =
                    service.ok_or_else(|| missing("there is no service account in the settings"))?;
                Ok(service.for_mailbox(mailbox))
            }
            Upstream::Password { login, password } => {
                Ok(Credentials::kept_password(login, password).with_address(mailbox))
            }
            Upstream::Tokens(None) => Err(missing("nobody has signed in; run `exdav login`")),
            Upstream::Tokens(Some(token)) => {
                let provider = exchange.provider().ok_or_else(|| missing("[oauth] is not set"))?;
                let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
                let is_current =
                    |person: &&Person| *person.kept.lock().unwrap_or_else(PoisonError::into_inner) == *token;
                if let Some(person) = people.get(name).filter(is_current) {
                    return Ok(person.credentials.clone());
                }
                let kept = Arc::new(Mutex::new(token.clone()));
                let (accounts, account, last) = (accounts.clone(), name.clone(), Arc::clone(&kept));
                let keep = move |token: &str| {
                    token.clone_into(&mut last.lock().unwrap_or_else(PoisonError::into_inner));
                    if let Err(error) =
                        accounts.set_upstream(&account, &Upstream::Tokens(Some(token.to_owned())))
                    {
                        tracing::error!(%error, "a new refresh token could not be kept");
                    }
                };
                let credentials =
                    Credentials::person(mailbox, Arc::clone(provider), token.clone(), Box::new(keep));
                people.insert(name.clone(), Person { kept, credentials: credentials.clone() });
                Ok(credentials)
            }
        }
    }
}
