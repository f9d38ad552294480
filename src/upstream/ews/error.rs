//! What can go wrong on the way to Exchange, told apart by what can be done about it.

use super::auth::Scheme;
use std::fmt;
use std::time::Duration;

/// A failed call.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// HTTP 401.
    #[error("Exchange refused the user name or password")]
    SignIn,
    /// HTTP 401 to a password that exdav keeps.
    #[error(
        "Exchange refuses the password of {0} that exdav keeps; mend it in the settings or by `exdav user`"
    )]
    Kept(String),
    /// HTTP 401, but not to the secret: the server does not take the scheme.
    #[error("Exchange does not take {0} sign-ins; see exchange.sign_in")]
    Scheme(Scheme),
    /// HTTP 401 with nothing that a password could answer.
    #[error("Exchange offers no way to sign in with a password; OAuth needs [oauth] in the settings")]
    NoScheme,
    /// The identity provider wants to see the person again.
    #[error("the identity provider asks for a new sign-in ({0}); run `exdav login`")]
    Consent(String),
    /// The settings cannot be used.
    #[error("the settings of Exchange: {0}")]
    Settings(String),
    /// Autodiscover leads nowhere.
    #[error("Autodiscover finds no Exchange for {0}")]
    Undiscovered(String),
    /// HTTP 403: EWS is switched off for the user, or a proxy forbids it.
    #[error("Exchange forbids EWS to this user (HTTP 403)")]
    Forbidden,
    /// The server asks for patience. docs/EXCHANGE.md, Errors
    #[error("Exchange is busy")]
    Busy {
        /// How long it asks to be left alone.
        back_off: Option<Duration>,
    },
    /// The server's certificate is not trusted: nothing was sent.
    #[error("Exchange's certificate is not trusted: {0}; see exchange.ca and exchange.pin")]
    Certificate(String),
    /// No connection: nothing was sent.
    #[error("Exchange cannot be reached: {0}")]
    Unreachable(String),
    /// The connection broke or the answer did not come in time: the work may have been done.
    #[error("Exchange did not answer: {0}")]
    Lost(String),
    /// Any other HTTP status.
    #[error("Exchange answered HTTP {status}: {text}")]
    Http {
        /// Status code.
        status: u16,
        /// The beginning of the body.
        text: String,
    },
    /// The server understood and says no.
    #[error("{code}: {text}")]
    Response {
        /// Its code.
        code: ResponseCode,
        /// Its words; localised on some servers.
        text: String,
    },
    /// A SOAP fault: the request as a whole was refused. The client makes [`Error::Response`] or
    /// [`Error::Unsupported`] of it.
    #[error("{code}: {text}")]
    Fault {
        /// Its code, or the word of SOAP where the server has none.
        code: ResponseCode,
        /// Its words.
        text: String,
    },
    /// A server of another kind does not do what was asked.
    #[error("{product} does not carry out {operation}: {text}")]
    Unsupported {
        /// What was asked for.
        operation: &'static str,
        /// The kind of server.
        product: &'static str,
        /// Its words.
        text: String,
    },
    /// An answer that nobody can make sense of.
    #[error("Exchange's answer is not understood: {0}")]
    Answer(String),
}

impl Error {
    /// The same with the address that could not be reached.
    pub(super) fn at(self, endpoint: &impl std::fmt::Display) -> Self {
        match self {
            Self::Unreachable(cause) => Self::Unreachable(format!("{endpoint}: {cause}")),
            other => other,
        }
    }

    /// Whether the server answered with this code.
    pub fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Response { code, .. } | Self::Fault { code, .. } if code.as_str() == wanted)
    }

    /// How long to wait before the same is sent again, where nothing has been begun.
    pub fn pause(&self) -> Option<Duration> {
        const USUAL: Duration = Duration::from_secs(1);
        match self {
            Self::Busy { back_off } => Some(back_off.unwrap_or(USUAL)),
            Self::Unreachable(_) => Some(USUAL),
            error if error.is(super::client::CROWDED) => Some(USUAL),
            _ => None,
        }
    }

    /// Whether trying again later may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Unreachable(_) | Self::Lost(_) | Self::Undiscovered(_) => true,
            Self::Http { status, .. } => *status >= 500,
            Self::Response { code, .. } | Self::Fault { code, .. } => code.is_transient(),
            Self::SignIn
            | Self::Kept(_)
            | Self::Scheme(_)
            | Self::NoScheme
            | Self::Consent(_)
            | Self::Settings(_)
            | Self::Certificate(_)
            | Self::Forbidden
            | Self::Unsupported { .. }
            | Self::Answer(_) => false,
        }
    }
}

/// `ResponseCode` of an answer. MS-OXWSCDATA 2.2.5.24
#[derive(Clone, PartialEq, Eq)]
pub struct ResponseCode(String);

/// Codes after which the same request may succeed later. docs/EXCHANGE.md, Errors
const TRANSIENT: [&str; 8] = [
    "ErrorServerBusy",
    "ErrorMailboxMoveInProgress",
    "ErrorMailboxStoreUnavailable",
    "ErrorMailboxFailover",
    "ErrorConnectionFailed",
    "ErrorInternalServerTransientError",
    "ErrorTimeoutExpired",
    "ErrorExceededConnectionCount",
];

impl ResponseCode {
    /// Reads the code; blanks around it are left out.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether trying again later may help.
    pub fn is_transient(&self) -> bool {
        TRANSIENT.contains(&self.as_str())
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
