//! One upstream, and how its mailboxes are opened.

use super::session::Session;
use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;

/// Gets each new refresh token of a person.
pub type KeepToken = Arc<dyn Fn(&str) + Send + Sync>;

/// Who opens a mailbox, and by what. `Debug` shows no secret.
#[derive(Clone)]
pub enum Access<'a> {
    /// A person with the password that was just typed.
    Password {
        /// `user@domain`, `DOMAIN\user` or a bare name.
        login: &'a str,
        /// What was typed.
        password: &'a str,
    },
    /// A person whose password is kept: that it is refused is not the fault of whoever asks.
    KeptPassword {
        /// The name at the upstream.
        login: &'a str,
        /// Its password.
        password: &'a str,
        /// SMTP address of the mailbox.
        mailbox: &'a str,
    },
    /// The account or application of the settings, which may act in the mailboxes of others.
    Service {
        /// SMTP address of the mailbox.
        mailbox: &'a str,
    },
    /// A person who signed in at the identity provider.
    Token {
        /// The account of exdav.
        account: &'a str,
        /// SMTP address of the mailbox.
        mailbox: &'a str,
        /// The refresh token; `None`: nobody has signed in yet.
        token: Option<&'a str>,
        /// Who keeps the next one.
        keep: KeepToken,
    },
}

impl fmt::Debug for Access<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { login, .. } => write!(f, "Password({login})"),
            Self::KeptPassword { login, mailbox, .. } => write!(f, "KeptPassword({login} for {mailbox})"),
            Self::Service { mailbox } => write!(f, "Service(for {mailbox})"),
            Self::Token { account, mailbox, .. } => write!(f, "Token({account} for {mailbox})"),
        }
    }
}

/// The settings, or what is kept of an account, do not suffice for such an access: what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub &'static str);

/// One upstream. Users share neither connections nor credentials.
#[async_trait]
pub trait Upstream: fmt::Debug + Send + Sync {
    /// What tells it from others: mirrors of two upstreams are never one.
    fn name(&self) -> &str;

    /// A user's session; nothing is asked yet.
    ///
    /// # Errors
    ///
    /// [`Unreachable`] where something is missing that only an administrator or a sign-in can add.
    fn session(&self, access: &Access<'_>) -> Result<Session, Unreachable>;

    /// Tries to reach it once, without signing in, and logs what was found.
    async fn look(&self);
}
