//! What a browser says of the page that started a request.
//!
//! Whoever opened a link to an attachment gave a browser their password, and it adds that to whatever any page sends
//! here. Of all methods that change something, POST is the one that it sends for a page of another site unasked: for
//! the others it asks by OPTIONS first, and is never told yes.

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a page of another site started it. Programs that are no browsers say nothing, and are believed: nobody gave
/// them a password for another site. W3C Fetch Metadata 2.2; RFC 6454 7
pub(super) fn is_of_another(uri: &Uri, headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get(FETCH_SITE) {
        return site != "same-origin" && site != "none";
    }
    // Without TLS, browsers say no more than this; `null` is a page that hides where it is from.
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let own = uri.authority().map(Authority::as_str).or_else(|| text(headers.get(HOST)));
    let named = text(Some(origin)).and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    !named.zip(own).is_some_and(|(named, own)| named.eq_ignore_ascii_case(own))
}

fn text(value: Option<&HeaderValue>) -> Option<&str> {
    value?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::super::headers::tests::headers;
    use super::*;

    fn is_of_another_site(lines: &[(&'static str, &str)]) -> bool {
        is_of_another(&Uri::from_static("/dav/"), &headers(lines))
    }

    #[test]
    fn browsers_tell_pages_of_another_site_and_programs_say_nothing() {
        assert!(!is_of_another_site(&[]));
        let host = ("host", "dav.example.com:8443");
        for (origin, is_another) in [
            ("https://dav.example.com:8443", false),
            ("https://DAV.example.com:8443", false),
            ("https://dav.example.com", true),
            ("https://evil.test", true),
            ("https://dav.example.com:8443.evil.test", true),
            ("null", true),
            ("", true),
        ] {
            assert_eq!(is_of_another_site(&[host, ("origin", origin)]), is_another, "{origin}");
        }
        let origin = ("origin", "https://behind-a-proxy.test");
        for (site, is_another) in
            [("same-origin", false), ("none", false), ("same-site", true), ("cross-site", true), ("x", true)]
        {
            assert_eq!(is_of_another_site(&[host, origin, ("sec-fetch-site", site)]), is_another, "{site}");
        }
    }
}
