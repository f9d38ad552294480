//! Request headers of the protocol, each parsed once.

use super::condition::parse_date;
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
    conditions_with(headers, &[])
}

/// The same, where some state tokens of `If` hold. RFC 6578 5
pub(super) fn conditions_with(
    headers: &HeaderMap,
    holding: &[StateToken],
) -> Result<Conditions, gateway::Error> {
    let mut conditions = Conditions {
        if_match: whole(headers, "if-match").map(|list| tags(&list)),
        if_none_match: whole(headers, "if-none-match").map(|list| tags(&list)),
        unmodified_since: text(headers, "if-unmodified-since").and_then(parse_date),
        if_schedule_tag_match: whole(headers, "if-schedule-tag-match")
            .map(|tag| ScheduleTag(bare(&tag).to_owned())),
    };
    if let Some(list) = whole(headers, "if") {
        match (condition_list(&list, holding), &conditions.if_match) {
            (Lists::Always, _) => {}
            (Lists::Tags(tags), None) => conditions.if_match = Some(tags),
            _ => return Err(gateway::Error::Changed),
        }
    }
    Ok(conditions)
}

/// A state token of an `If` header, with the href of the resource that it is about; `None`: the requested one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StateToken {
    pub(super) resource: Option<String>,
    pub(super) token: String,
}

/// The state tokens that an `If` header speaks of.
pub(super) fn state_tokens(headers: &HeaderMap) -> Vec<StateToken> {
    let lists = whole(headers, "if").and_then(|text| lists(&text)).unwrap_or_default();
    let mut tokens = Vec::new();
    for list in lists {
        for (_, state) in list.states {
            if let State::Token(token) = state {
                tokens.push(StateToken { resource: list.resource.clone(), token });
            }
        }
    }
    tokens
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

/// `If`: lists, any of which may hold. There are no locks, so the only tokens that hold are sync-tokens. RFC 4918 10.4
fn condition_list(text: &str, holding: &[StateToken]) -> Lists {
    let Some(lists) = lists(text) else { return Lists::Unknown };
    let mut tags = Vec::new();
    let mut is_unknown = false;
    for List { resource, states } in lists {
        let mut left = Vec::new();
        let holds = states.into_iter().all(|(negated, state)| match state {
            State::Token(token) => {
                let token = StateToken { resource: resource.clone(), token };
                holding.contains(&token) != negated
            }
            State::Tag(tag) => {
                left.push((negated, tag));
                true
            }
        });
        match (holds, left.as_slice()) {
            (false, _) => {}
            (true, []) => return Lists::Always,
            (true, [(false, tag)]) => tags.push(ETag(bare(tag).to_owned())),
            (true, _) => is_unknown = true,
        }
    }
    if is_unknown { Lists::Unknown } else { Lists::Tags(Tags::These(tags)) }
}

/// A list of an `If` header: all of its conditions have to hold, or not to hold where the flag says so.
struct List {
    resource: Option<String>,
    states: Vec<(bool, State)>,
}

enum State {
    Token(String),
    Tag(String),
}

/// The lists of an `If` header; `None` where it does not follow the grammar. RFC 4918 10.4.2
fn lists(text: &str) -> Option<Vec<List>> {
    let mut lists = Vec::new();
    let mut resource = None;
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('<') {
            let (href, after) = after.split_once('>')?;
            resource = Some(href.to_owned());
            rest = after.trim_start();
            continue;
        }
        rest = rest.strip_prefix('(')?.trim_start();
        let mut states = Vec::new();
        loop {
            if let Some(after) = rest.strip_prefix(')') {
                rest = after.trim_start_matches([',', ' ', '\t']);
                break;
            }
            let negated = rest.strip_prefix("Not").map(str::trim_start);
            let is_negated = negated.is_some();
            let state = negated.unwrap_or(rest);
            let (state, after) = if let Some(token) = state.strip_prefix('<') {
                let (token, after) = token.split_once('>')?;
                (State::Token(token.to_owned()), after)
            } else {
                let (tag, after) = state.strip_prefix('[')?.split_once(']')?;
                (State::Tag(tag.to_owned()), after)
            };
            states.push((is_negated, state));
            rest = after.trim_start();
        }
        if states.is_empty() {
            return None;
        }
        lists.push(List { resource: resource.clone(), states });
    }
    Some(lists)
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
