//! Who asks Exchange.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// How a session proves who it is. `Debug` never shows the secret.
#[derive(Clone)]
pub enum Credentials {
    /// HTTP Basic. RFC 7617
    Basic {
        /// The sign-in name, as the user typed it.
        login: String,
        /// The password.
        password: String,
    },
}

impl Credentials {
    /// The sign-in name.
    pub fn login(&self) -> &str {
        match self {
            Self::Basic { login, .. } => login,
        }
    }

    /// The `Authorization` header.
    pub(super) fn authorization(&self) -> String {
        match self {
            Self::Basic { login, password } => {
                format!("Basic {}", STANDARD.encode(format!("{login}:{password}")))
            }
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.login())
    }
}
