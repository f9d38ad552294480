//! Requests that belong together reach one mailbox server: that is where their subscriptions live.
//!
//! The first answer of such a group names the server in a cookie, which goes with all later requests of the group.
//! Source: docs/EXCHANGE.md, Notifications; Exchange 2010 used another cookie.

use crate::upstream::SubscriptionGroup;
use reqwest::header::{COOKIE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};

pub(super) const ANCHOR_MAILBOX: HeaderName = HeaderName::from_static("x-anchormailbox");
const PREFER: HeaderName = HeaderName::from_static("x-preferserveraffinity");

/// Cookies that lead to a server.
const COOKIES: [&str; 2] = ["X-BackEndOverrideCookie", "exchangecookie"];

/// Octets of such a cookie's value that are believed.
const MAX_COOKIE: usize = 1024;

/// What goes with a request of the group.
pub(super) fn write(group: &SubscriptionGroup, headers: &mut HeaderMap) {
    headers.insert(PREFER, HeaderValue::from_static("true"));
    if let Some(anchor) = group.anchor.as_ref().and_then(|anchor| HeaderValue::from_str(anchor).ok()) {
        headers.insert(ANCHOR_MAILBOX, anchor);
    }
    let cookies: Vec<String> = group.notes().iter().map(|(name, value)| format!("{name}={value}")).collect();
    if let Some(cookies) = HeaderValue::from_str(&cookies.join("; ")).ok().filter(|c| !c.is_empty()) {
        headers.insert(COOKIE, cookies);
    }
}

/// Takes over what an answer says of the server.
pub(super) fn read(group: &SubscriptionGroup, headers: &HeaderMap) {
    for cookie in headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
        let pair = cookie.split(';').next().and_then(|pair| pair.trim().split_once('='));
        let Some((name, value)) = pair.filter(|(_, value)| value.len() <= MAX_COOKIE) else { continue };
        if let Some(known) = COOKIES.into_iter().find(|known| known.eq_ignore_ascii_case(name)) {
            group.notes().insert(known, value.to_owned());
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_group_goes_back_to_the_server_that_answered_first() {
        let group = SubscriptionGroup::new(Some("alfred@example.com"));
        let mut request = HeaderMap::new();
        write(&group, &mut request);
        assert!(!request.contains_key(COOKIE));
        let mut answer = HeaderMap::new();
        for cookie in
            ["X-BackEndOverrideCookie=mbx~19=4; path=/; secure; HttpOnly", "tracker=abc; path=/", "broken"]
        {
            answer.append(SET_COOKIE, HeaderValue::from_static(cookie));
        }
        read(&group, &answer);
        write(&group, &mut request);
        assert_eq!(request[COOKIE], "X-BackEndOverrideCookie=mbx~19=4");
        assert_eq!(request[ANCHOR_MAILBOX], "alfred@example.com");
        assert_eq!(request[PREFER], "true");
    }
}
