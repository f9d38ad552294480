//! Who asks: HTTP Basic authentication (RFC 7617), or the word of a proxy that is trusted.
//!
//! **Invariant:** neither password nor header is logged, kept or put into an error.

use super::error::Error;
use crate::gateway::{self, Gateway, Mailbox};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use std::net::IpAddr;

/// Characters of a refused name that are logged.
const MAX_LOGGED_LOGIN: usize = 254;

/// Where a request comes from: an extension of the request, made by whoever holds the sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The client's address, as far as it is known.
    pub address: IpAddr,
    /// The user whom a trusted proxy vouches for.
    pub vouched: Option<String>,
}

/// Opens the mailbox of the user whom a proxy vouches for, or of the one in the `Authorization` header.
pub(super) async fn sign_in(
    gateway: &Gateway,
    headers: &HeaderMap,
    origin: Option<&Origin>,
) -> Result<Mailbox, Error> {
    if let Some(login) = origin.and_then(|origin| origin.vouched.as_deref()) {
        return Ok(gateway.sign_in_vouched(login).await?);
    }
    let Credentials { login, password } = Credentials::of(headers).ok_or(gateway::Error::SignIn)?;
    let Some(Origin { address, .. }) = origin else { return Ok(gateway.sign_in(&login, &password).await?) };
    let outcome = gateway.sign_in_from(*address, &login, &password).await;
    if matches!(outcome, Err(gateway::Error::SignIn | gateway::Error::TooMany { .. })) {
        // For those who watch the log and shut addresses out. What was typed may be anything.
        let account: String = login.chars().filter(|c| !c.is_control()).take(MAX_LOGGED_LOGIN).collect();
        tracing::warn!(%address, account, "a sign-in was refused");
    }
    Ok(outcome?)
}

struct Credentials {
    login: String,
    password: String,
}

impl Credentials {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let token = token.trim();
        let octets = STANDARD.decode(token).or_else(|_| STANDARD_NO_PAD.decode(token)).ok()?;
        // Old clients write Latin-1 where others write UTF-8.
        let text = String::from_utf8(octets)
            .unwrap_or_else(|error| error.into_bytes().into_iter().map(char::from).collect());
        let (login, password) = text.split_once(':')?;
        let bad = login.is_empty() || login.chars().chain(password.chars()).any(|c| c.is_ascii_control());
        // Seen: iOS 18.4 percent-encodes the `@`.
        let login = login.trim().replace("%40", "@");
        (!bad).then(|| Self { login, password: password.to_owned() })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::super::headers::tests::headers;
    use super::*;

    fn credentials(octets: &[u8]) -> Option<(String, String)> {
        let value = format!("Basic {}", STANDARD.encode(octets));
        Credentials::of(&headers(&[("authorization", &value)])).map(|c| (c.login, c.password))
    }

    #[test]
    fn logins_are_read_in_all_spellings() {
        let alice = Some(("alice@example.test".to_owned(), "p:ä".to_owned()));
        assert_eq!(credentials("alice@example.test:p:ä".as_bytes()), alice);
        assert_eq!(credentials("alice%40example.test:p:ä".as_bytes()), alice);
        assert_eq!(credentials(b"alice@example.test:p:\xE4"), alice);
    }

    #[test]
    fn what_is_no_login_signs_nobody_in() {
        assert_eq!(credentials(b"nobody"), None);
        assert_eq!(credentials(b":x"), None);
        assert_eq!(credentials(b"a\nb:x"), None);
        assert!(Credentials::of(&headers(&[("authorization", "Bearer abc")])).is_none());
        assert!(Credentials::of(&headers(&[("authorization", "Basic %%%")])).is_none());
        assert!(Credentials::of(&headers(&[])).is_none());
    }
}
