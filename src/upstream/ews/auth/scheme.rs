//! Which scheme is used: the order of preference.

use super::challenge::challenges;
use reqwest::header::HeaderMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// A way of signing in over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// NTLMv2 for a connection. MS-NTHT
    Ntlm,
    /// SPNEGO for a connection; what it carries here is NTLMv2. RFC 4559
    Negotiate,
    /// The password with every request. RFC 7617
    Basic,
    /// A token with every request. RFC 6750
    Bearer,
}

/// What an administrator chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The safest that the server offers.
    #[default]
    Auto,
    /// This and nothing else.
    Only(Scheme),
}

/// For a password, the safest first: a stolen NTLM answer is worth less than a stolen password.
const PREFERENCE: [Scheme; 3] = [Scheme::Ntlm, Scheme::Negotiate, Scheme::Basic];

impl Scheme {
    /// The word in `Authorization` and `WWW-Authenticate`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ntlm => "NTLM",
            Self::Negotiate => "Negotiate",
            Self::Basic => "Basic",
            Self::Bearer => "Bearer",
        }
    }

    /// Whether an answer's challenges offer it.
    pub(in crate::upstream::ews) fn is_offered(self, headers: &HeaderMap) -> bool {
        challenges(headers).iter().any(|challenge| challenge.scheme.eq_ignore_ascii_case(self.word()))
    }

    /// All that exdav knows among an answer's challenges, in the server's order.
    pub(in crate::upstream::ews) fn all_offered(headers: &HeaderMap) -> Vec<Self> {
        let known = [Self::Ntlm, Self::Negotiate, Self::Basic, Self::Bearer];
        let named = |word: &str| known.into_iter().find(|scheme| scheme.word().eq_ignore_ascii_case(word));
        challenges(headers).iter().filter_map(|challenge| named(challenge.scheme)).collect()
    }

    /// The best for a password among an answer's challenges.
    pub(in crate::upstream::ews) fn best(headers: &HeaderMap) -> Option<Self> {
        Self::preferred(&Self::all_offered(headers))
    }

    /// The best for a password among these.
    pub fn preferred(offered: &[Self]) -> Option<Self> {
        PREFERENCE.into_iter().find(|scheme| offered.contains(scheme))
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What is known of one upstream's schemes.
#[derive(Debug, Default)]
pub(in crate::upstream::ews) struct Schemes {
    learned: Mutex<Option<Scheme>>,
}

impl Schemes {
    /// What was learned, if anything was.
    pub(in crate::upstream::ews) fn learned(&self) -> Option<Scheme> {
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a server's choice, or forgets it.
    pub(in crate::upstream::ews) fn learn(&self, scheme: Option<Scheme>) {
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = scheme;
    }
}
