//! Request headers of the protocol, each parsed once.

use super::error::Error;
use crate::gateway;
use crate::gateway::write::{Conditions, Others, Tags};
use crate::model::id::{ETag, ScheduleTag};
use axum::http::{HeaderMap, HeaderName};

/// `Schedule-Reply`: whether the others of a meeting hear of what is done. RFC 6638 8.1
pub fn others(headers: &HeaderMap) -> Others {
    match text(headers, "schedule-reply") {
        Some(reply) if reply.trim().eq_ignore_ascii_case("f") => Others::NotTold,
        _ => Others::Told,
    }
}

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
    /// `return=representation`: what was stored comes back.
    pub(super) representation: bool,
}

impl Preferences {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut preferences = Self {
            representation: false,
            minimal: text(headers, "brief").is_some_and(|b| b.eq_ignore_ascii_case("t")),
            no_root: false,
        };
        let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        for token in values.flat_map(|value| value.split([',', ';'])) {
            let token: String = token.chars().filter(|c| !c.is_whitespace() && *c != '"').collect();
            preferences.minimal |= token.eq_ignore_ascii_case("return=minimal");
            preferences.representation |= token.eq_ignore_ascii_case("return=representation");
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

/// The conditions of a writing request. Fails with [`gateway::Error::Changed`] where one is not understood: it must not
/// be taken for met. RFC 9110 13.1, RFC 4918 10.4, RFC 6638 8.3
pub fn conditions(headers: &HeaderMap) -> Result<Conditions, gateway::Error> {
    let mut conditions = Conditions {
        if_match: whole(headers, "if-match").map(|list| tags(&list)),
        if_none_match: whole(headers, "if-none-match").map(|list| tags(&list)),
        if_schedule_tag_match: whole(headers, "if-schedule-tag-match")
            .map(|tag| ScheduleTag(bare(&tag).to_owned())),
    };
    if let Some(list) = whole(headers, "if") {
        match (condition_list(&list), &conditions.if_match) {
            (Lists::Always, _) => {}
            (Lists::Tags(tags), None) => conditions.if_match = Some(tags),
            _ => return Err(gateway::Error::Changed),
        }
    }
    Ok(conditions)
}

/// A header's lines as one list, whatever octets are in them. RFC 9110 5.3
pub(super) fn whole(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    let lines: Vec<_> = lines.collect();
    (!lines.is_empty()).then(|| lines.join(", ").trim().to_owned())
}

/// A list of entity tags. Weak ones say nothing about octets, so they never match where something is written.
fn tags(list: &str) -> Tags {
    if list.split(',').any(|tag| bare(tag) == "*") {
        return Tags::Any;
    }
    let strong = list.split(',').map(str::trim).filter(|tag| !tag.starts_with("W/"));
    Tags::These(strong.map(|tag| ETag(bare(tag).to_owned())).collect())
}

/// Seen: old Evolution sends the quotes escaped, some clients none.
pub(super) fn bare(tag: &str) -> &str {
    tag.trim().trim_matches(['"', '\\'])
}

/// What the lists of an `If` header come to.
enum Lists {
    /// They hold for every resource.
    Always,
    /// They hold for a resource with one of these tags.
    Tags(Tags),
    /// They ask for more than is known here.
    Unknown,
}

/// `If`, as far as it is about entity tags: lists of one tag each, any of which may hold. There are no locks, so
/// `Not <…>` always holds and a lock's token never does.
fn condition_list(text: &str) -> Lists {
    let mut tags = Vec::new();
    for list in text.split('(').skip(1) {
        let Some((inner, _)) = list.split_once(')') else { return Lists::Unknown };
        let inner = inner.trim();
        if let Some(negated) = inner.strip_prefix("Not").map(str::trim) {
            let always =
                negated.starts_with('<') && negated.ends_with('>') && negated.matches('<').count() == 1;
            return if always { Lists::Always } else { Lists::Unknown };
        }
        match inner.strip_prefix('[').and_then(|tag| tag.strip_suffix(']')) {
            Some(tag) if !tag.contains([']', '<']) => tags.push(ETag(bare(tag).to_owned())),
            Some(_) => return Lists::Unknown,
            // A token of a lock: this list cannot hold, another may.
            None if inner.starts_with('<') => {}
            None => return Lists::Unknown,
        }
    }
    Lists::Tags(Tags::These(tags))
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
    fn conditions_of_writing_are_read_and_never_weakened() {
        let read = |name, value| conditions(&headers(&[(name, value)]));
        let these = |tags: &[&str]| Some(Tags::These(tags.iter().map(|t| ETag((*t).into())).collect()));
        assert_eq!(read("if-match", "\"a\", \"b\"").unwrap().if_match, these(&["a", "b"]));
        assert_eq!(read("if-match", "\\\"a\\\"").unwrap().if_match, these(&["a"]));
        assert_eq!(read("if-match", "W/\"a\"").unwrap().if_match, these(&[]), "a weak tag never matches");
        assert_eq!(read("if-none-match", "*").unwrap().if_none_match, Some(Tags::Any));
        let tag = read("if-schedule-tag-match", "\"s\"").unwrap().if_schedule_tag_match;
        assert_eq!(tag, Some(ScheduleTag("s".into())));
        assert_eq!(read("if", "([\"a\"]) ([\"b\"])").unwrap().if_match, these(&["a", "b"]));
        assert_eq!(
            read("if", "<http://h/x> (<urn:lock>)").unwrap().if_match,
            these(&[]),
            "there are no locks"
        );
        assert_eq!(read("if", "(Not <DAV:no-lock>)").unwrap().if_match, None);
        assert_eq!(read("if-match", "\"ä\"").unwrap().if_match, these(&["ä"]), "no condition gets lost");
        let twice = headers(&[("if-none-match", "\"a\""), ("if-none-match", "*")]);
        assert_eq!(conditions(&twice).unwrap().if_none_match, Some(Tags::Any), "nor a line of it");
        for unknown in ["(<urn:lock> [\"a\"]", "(Not [\"a\"])", "(nonsense)"] {
            assert!(read("if", unknown).is_err(), "{unknown}");
        }
    }

    #[test]
    fn a_depth_that_is_none_is_refused() {
        assert_eq!(Depth::of(&headers(&[("depth", "Infinity")])).unwrap(), Depth::Infinity);
        assert_eq!(Depth::of(&headers(&[])).unwrap(), Depth::One);
        assert!(Depth::of(&headers(&[("depth", "2")])).is_err());
    }
}
