//! How an account of exdav's own reaches its mailbox: by the service account, by a password, by tokens.

use super::error::Error;
use crate::accounts::{Account, Accounts, Upstream};
use crate::upstream::{self, Access, Session};
use std::sync::Arc;

/// How the account's mailbox is opened. New refresh tokens are kept with the account.
pub fn access<'a>(accounts: &Accounts, account: &'a Account) -> Access<'a> {
    let Account { name, mailbox, upstream } = account;
    match upstream {
        Upstream::Service => Access::Service { mailbox },
        Upstream::Password { login, password } => Access::KeptPassword { login, password, mailbox },
        Upstream::Tokens(token) => {
            let (accounts, account) = (accounts.clone(), name.clone());
            let keep = move |token: &str| {
                let token = Upstream::Tokens(Some(token.to_owned()));
                if let Err(error) = accounts.set_upstream(&account, &token) {
                    tracing::error!(%error, "a new refresh token could not be kept");
                }
            };
            Access::Token { account: name, mailbox, token: token.as_deref(), keep: Arc::new(keep) }
        }
    }
}

/// The session of an account; nothing is asked yet.
pub(super) fn session(
    upstream: &dyn upstream::Upstream,
    accounts: &Accounts,
    account: &Account,
) -> Result<Session, Error> {
    upstream.session(&access(accounts, account)).map_err(|missing| {
        let reason = format!("the account {} cannot reach its mailbox: {missing}", account.name);
        tracing::error!("{reason}");
        Error::Barred(reason)
    })
}
