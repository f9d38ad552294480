//! Request headers of the protocol, each parsed once.

use super::error::Error;
use axum::http::{HeaderMap, HeaderName};

/// `Depth`. RFC 4918 10.2
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    Zero,
    One,
    Infinity,
}

impl Depth {
    /// A missing header means infinity to the standard, but to no client: it means one level here.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Error> {
        match text(headers, "depth") {
            None => Ok(Self::One),
            Some("0") => Ok(Self::Zero),
            Some("1") => Ok(Self::One),
            Some(other) if other.eq_ignore_ascii_case("infinity") => Ok(Self::Infinity),
            Some(other) => Err(Error::Invalid(format!("Depth is 0, 1 or infinity, not `{other}`"))),
        }
    }
}

/// What the client would rather have. RFC 7240, RFC 8144
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Preferences {
    /// `return=minimal`, or Microsoft's `Brief: t`: properties that are not there are not listed.
    pub(super) minimal: bool,
    /// `depth-noroot`: the requested collection itself is left out.
    pub(super) no_root: bool,
}

impl Preferences {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut preferences = Self {
            minimal: text(headers, "brief").is_some_and(|b| b.eq_ignore_ascii_case("t")),
            no_root: false,
        };
        let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        for token in values.flat_map(|value| value.split([',', ';'])) {
            let token: String = token.chars().filter(|c| !c.is_whitespace() && *c != '"').collect();
            preferences.minimal |= token.eq_ignore_ascii_case("return=minimal");
            preferences.no_root |= token.eq_ignore_ascii_case("depth-noroot");
        }
        preferences
    }

    /// What the answer says was heeded. RFC 7240 3
    pub(super) fn applied(self) -> Option<&'static str> {
        match (self.minimal, self.no_root) {
            (true, true) => Some("return=minimal, depth-noroot"),
            (true, false) => Some("return=minimal"),
            (false, true) => Some("depth-noroot"),
            (false, false) => None,
        }
    }
}

/// A header's text without blanks around it.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
pub(super) mod tests {
    use super::*;

    pub(in crate::dav) fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn preferences_are_found_in_all_their_spellings() {
        let minimal = |pairs| Preferences::of(&headers(pairs)).minimal;
        assert!(minimal(&[("brief", "t")]));
        assert!(minimal(&[("prefer", "depth-noroot, return=minimal")]));
        assert!(minimal(&[("prefer", "return = \"minimal\"; x=y")]));
        assert!(!minimal(&[("brief", "f"), ("prefer", "return=representation")]));
        let both = Preferences::of(&headers(&[("prefer", "return=minimal,depth-noroot")]));
        assert_eq!(both.applied(), Some("return=minimal, depth-noroot"));
    }

    #[test]
    fn a_depth_that_is_none_is_refused() {
        assert_eq!(Depth::of(&headers(&[("depth", "Infinity")])).unwrap(), Depth::Infinity);
        assert_eq!(Depth::of(&headers(&[])).unwrap(), Depth::One);
        assert!(Depth::of(&headers(&[("depth", "2")])).is_err());
    }
}
