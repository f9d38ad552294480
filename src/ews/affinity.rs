//! Requests that belong together reach one mailbox server: that is where their subscriptions live.
//!
//! The first answer of such a group names the server in a cookie, which goes with all later requests of the group.
//! Source: docs/EXCHANGE.md, Notifications; Exchange 2010 used another cookie.

use reqwest::header::{COOKIE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) const ANCHOR_MAILBOX: HeaderName = HeaderName::from_static("x-anchormailbox");
const PREFER: HeaderName = HeaderName::from_static("x-preferserveraffinity");

/// Cookies that lead to a server.
const COOKIES: [&str; 2] = ["X-BackEndOverrideCookie", "exchangecookie"];

/// Octets of such a cookie's value that are believed.
const MAX_COOKIE: usize = 1024;

/// A group of requests.
#[derive(Debug)]
pub struct Affinity {
    anchor: Option<String>,
    cookies: Mutex<BTreeMap<&'static str, String>>,
}

impl Affinity {
    /// A new group around the mailbox of an SMTP address; `None`: around that of each request.
    pub fn new(anchor: Option<&str>) -> Self {
        Self { anchor: anchor.map(str::to_owned), cookies: Mutex::default() }
    }

    fn cookies(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes with a request of the group.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(PREFER, HeaderValue::from_static("true"));
        if let Some(anchor) = self.anchor.as_ref().and_then(|anchor| HeaderValue::from_str(anchor).ok()) {
            headers.insert(ANCHOR_MAILBOX, anchor);
        }
        let cookies: Vec<String> =
            self.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if let Some(cookies) = HeaderValue::from_str(&cookies.join("; ")).ok().filter(|c| !c.is_empty()) {
            headers.insert(COOKIE, cookies);
        }
    }

    /// Takes over what an answer says of the server.
    pub(super) fn read(&self, headers: &HeaderMap) {
        for cookie in headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let pair = cookie.split(';').next().and_then(|pair| pair.trim().split_once('='));
            let Some((name, value)) = pair.filter(|(_, value)| value.len() <= MAX_COOKIE) else { continue };
            if let Some(known) = COOKIES.into_iter().find(|known| known.eq_ignore_ascii_case(name)) {
                self.cookies().insert(known, value.to_owned());
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_group_goes_back_to_the_server_that_answered_first() {
        let affinity = Affinity::new(Some("alfred@example.com"));
        let mut request = HeaderMap::new();
        affinity.write(&mut request);
        assert!(!request.contains_key(COOKIE));
        let mut answer = HeaderMap::new();
        for cookie in
            ["X-BackEndOverrideCookie=mbx~19=4; path=/; secure; HttpOnly", "tracker=abc; path=/", "broken"]
        {
            answer.append(SET_COOKIE, HeaderValue::from_static(cookie));
        }
        affinity.read(&answer);
        affinity.write(&mut request);
        assert_eq!(request[COOKIE], "X-BackEndOverrideCookie=mbx~19=4");
        assert_eq!(request[ANCHOR_MAILBOX], "alfred@example.com");
        assert_eq!(request[PREFER], "true");
    }
}
