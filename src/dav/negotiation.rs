//! Which version of vCard an `Accept` header asks for.

use super::headers::text;
use crate::query::shape::CardVersion;
use axum::http::HeaderMap;

/// Version 4.0 only for those who name it and like it at least as much as 3.0. RFC 6352 5.1.1
pub(super) fn card_version(headers: &HeaderMap) -> CardVersion {
    let accept = text(headers, "accept").unwrap_or_default();
    let (mut third, mut fourth) = (0.0, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
        let media = parts.next().unwrap_or_default();
        let (mut quality, mut version) = (1.0, None);
        for parameter in parts {
            match parameter.split_once('=') {
                Some(("q", value)) => quality = value.trim().parse::<f32>().unwrap_or(0.0),
                Some(("version", value)) => version = Some(value.trim_matches('"').to_owned()),
                _ => {}
            }
        }
        match (media.as_str(), version.as_deref()) {
            ("text/vcard", Some("4.0")) => fourth = quality.max(fourth),
            ("text/vcard" | "text/x-vcard" | "text/directory", _) => third = quality.max(third),
            _ => {}
        }
    }
    if fourth > 0.0 && fourth >= third { CardVersion::V4 } else { CardVersion::V3 }
}

/// The media type of a body that is served.
pub(super) fn card_type(version: CardVersion) -> &'static str {
    match version {
        CardVersion::V3 => "text/vcard; charset=utf-8",
        CardVersion::V4 => "text/vcard; version=4.0; charset=utf-8",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::super::headers::tests::headers;
    use super::*;

    #[test]
    fn version_4_is_for_those_who_name_it() {
        let version = |accept| card_version(&headers(&[("accept", accept)]));
        assert_eq!(version("*/*"), CardVersion::V3);
        assert_eq!(version("text/vcard"), CardVersion::V3);
        assert_eq!(version("text/vcard;version=4.0"), CardVersion::V4);
        assert_eq!(
            version("text/vcard; version=\"4.0\"; q=0.5, text/vcard; version=3.0; q=0.9"),
            CardVersion::V3
        );
        assert_eq!(version("text/vcard;version=4.0, text/vcard;q=0.8, */*;q=0.1"), CardVersion::V4);
        assert_eq!(version("text/vcard;version=4.0;q=0"), CardVersion::V3);
    }
}
