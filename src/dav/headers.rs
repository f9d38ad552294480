//! Request headers of the protocol, each parsed once.

use super::condition::parse_date;
use super::error::Error;
use crate::gateway;
use crate::gateway::write::{Conditions, ScheduleReply, TagTest, Tags};
use crate::model::id::{ETag, ScheduleTag};
use axum::http::{HeaderMap, HeaderName};

/// `Schedule-Reply`: whether the others of a meeting hear of what is done. RFC 6638 8.1
pub fn others(headers: &HeaderMap) -> ScheduleReply {
    match text(headers, "schedule-reply") {
        Some(reply) if reply.trim().eq_ignore_ascii_case("f") => ScheduleReply::Suppress,
        _ => ScheduleReply::Send,
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

/// The conditions of a writing request, where `If` speaks of nothing but its resource and no state token holds. Fails with
/// [`gateway::Error::Changed`] where one is not understood: it must not be taken for met.
pub fn conditions(headers: &HeaderMap) -> Result<Conditions, gateway::Error> {
    let plain = plain_conditions(headers);
    let Some(lists) = if_lists(headers)? else { return Ok(plain) };
    let judged = |list: List| {
        let judge = |(is_negated, state)| match state {
            State::Tag(Some(tag)) => Judged::Later(TagTest { tag, is_negated }),
            State::Tag(None) => Judged::Now(false),
            State::Token(_) => Judged::Now(is_negated),
        };
        list.states.into_iter().map(judge).collect()
    };
    Ok(with_lists(plain, lists.into_iter().map(judged)))
}

/// The conditions of a writing request but for `If`, which may speak of other resources, too. RFC 9110 13.1, RFC 6638 8.3
pub(super) fn plain_conditions(headers: &HeaderMap) -> Conditions {
    Conditions {
        if_match: whole(headers, "if-match").map(|list| tags(&list)),
        if_none_match: whole(headers, "if-none-match").map(|list| tags(&list)),
        unmodified_since: text(headers, "if-unmodified-since").and_then(parse_date),
        if_schedule_tag_match: whole(headers, "if-schedule-tag-match")
            .map(|tag| ScheduleTag(bare(&tag).to_owned())),
        lists: None,
    }
}

/// A list of an `If` header: all of its conditions have to hold. RFC 4918 10.4
#[derive(Clone, Debug, PartialEq)]
pub(super) struct List {
    /// The href of the resource that it is about; `None`: the requested one.
    pub(super) resource: Option<String>,
    /// What has to hold, or not to hold where the flag says so.
    pub(super) states: Vec<(bool, State)>,
}

/// What a resource may have.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    /// A state token: there are no locks, so only sync-tokens ever hold. RFC 6578 5
    Token(String),
    /// An entity tag; `None`: a weak one, which says nothing about octets.
    Tag(Option<ETag>),
}

/// The lists of `If`, any of which has to hold. Fails with [`gateway::Error::Changed`] where they are not understood:
/// they must not be taken for met.
pub(super) fn if_lists(headers: &HeaderMap) -> Result<Option<Vec<List>>, gateway::Error> {
    whole(headers, "if").map(|text| lists(&text).ok_or(gateway::Error::Changed)).transpose()
}

/// A condition of `If` that was looked at.
pub(super) enum Judged {
    /// Whether it holds.
    Now(bool),
    /// It is about the tag of what is written: that is looked at when it is written.
    Later(TagTest),
}

/// The conditions with the lists of `If`.
pub(super) fn with_lists(
    mut conditions: Conditions,
    lists: impl IntoIterator<Item = Vec<Judged>>,
) -> Conditions {
    let mut left = Vec::new();
    for list in lists {
        let mut tests = Vec::new();
        let holds = list.into_iter().all(|judged| match judged {
            Judged::Now(holds) => holds,
            Judged::Later(test) => {
                tests.push(test);
                true
            }
        });
        match (holds, tests.is_empty()) {
            (true, true) => return conditions,
            (true, false) => left.push(tests),
            (false, _) => {}
        }
    }
    let plain = |list: &Vec<TagTest>| match list.as_slice() {
        [TagTest { tag, is_negated: false }] => Some(tag.clone()),
        _ => None,
    };
    match left.iter().map(plain).collect() {
        Some(tags) if conditions.if_match.is_none() => conditions.if_match = Some(Tags::These(tags)),
        _ => conditions.lists = Some(left),
    }
    conditions
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

/// The lists of an `If` header; `None` where it does not follow the grammar. RFC 4918 10.4.2
fn lists(text: &str) -> Option<Vec<List>> {
    let mut lists = Vec::new();
    let mut resource = None;
    // A resource tag has lists after it.
    let mut is_complete = false;
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('<') {
            let (href, after) = after.split_once('>')?;
            resource = Some(href.to_owned());
            is_complete = false;
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
            // Literals of a grammar are the same in any case. RFC 5234 2.3
            let negated = ["Not", "NOT", "not"].iter().find_map(|not| rest.strip_prefix(not));
            let is_negated = negated.is_some();
            let state = negated.unwrap_or(rest).trim_start();
            let (state, after) = if let Some(token) = state.strip_prefix('<') {
                let (token, after) = token.split_once('>')?;
                (State::Token(token.to_owned()), after)
            } else {
                let (tag, after) = state.strip_prefix('[')?.split_once(']')?;
                let tag = (!tag.trim_start().starts_with("W/")).then(|| ETag(bare(tag).to_owned()));
                (State::Tag(tag), after)
            };
            states.push((is_negated, state));
            rest = after.trim_start();
        }
        if states.is_empty() {
            return None;
        }
        lists.push(List { resource: resource.clone(), states });
        is_complete = true;
    }
    is_complete.then_some(lists)
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
        assert_eq!(read("if", "(Not <DAV:no-lock>)").unwrap(), Conditions::default());
        assert_eq!(read("if", "([\"a\"]) (Not <DAV:no-lock>)").unwrap(), Conditions::default());
        let test = |tag: &str, is_negated| TagTest { tag: ETag(tag.to_owned()), is_negated };
        let lists = read("if", "(Not [\"a\"] Not <urn:x>) ([\"b\"]) (<urn:x> [\"c\"])").unwrap().lists;
        assert_eq!(lists, Some(vec![vec![test("a", true)], vec![test("b", false)]]));
        let both = conditions(&headers(&[("if", "([\"a\"])"), ("if-match", "\"b\"")])).unwrap();
        assert_eq!((both.if_match, both.lists), (these(&["b"]), Some(vec![vec![test("a", false)]])));
        assert_eq!(read("if-match", "\"ä\"").unwrap().if_match, these(&["ä"]), "no condition gets lost");
        let twice = headers(&[("if-none-match", "\"a\""), ("if-none-match", "*")]);
        assert_eq!(conditions(&twice).unwrap().if_none_match, Some(Tags::Any), "nor a line of it");
        for unknown in ["(<urn:lock> [\"a\"]", "(nonsense)"] {
            assert!(read("if", unknown).is_err(), "{unknown}");
        }
    }

    #[test]
    fn lists_of_conditions_are_read_as_rfc_4918_10_4_writes_them() {
        let read = |text: &str| if_lists(&headers(&[("if", text)])).map(Option::unwrap_or_default);
        let token = |token: &str| State::Token(token.to_owned());
        let tag = |tag: &str| State::Tag(Some(ETag(tag.to_owned())));
        let list = |resource: Option<&str>, states| List { resource: resource.map(str::to_owned), states };
        let text = "(<urn:a> [\"I am an ETag\"]) (Not <urn:b> NOT[W/\"x\"])";
        let both = [
            list(None, vec![(false, token("urn:a")), (false, tag("I am an ETag"))]),
            list(None, vec![(true, token("urn:b")), (true, State::Tag(None))]),
        ];
        assert_eq!(read(text).unwrap(), both);
        let text = "</one> (<urn:a>)(Not <urn:b>) <http://x/two> ([\"c\"])";
        let tagged = [
            list(Some("/one"), vec![(false, token("urn:a"))]),
            list(Some("/one"), vec![(true, token("urn:b"))]),
            list(Some("http://x/two"), vec![(false, tag("c"))]),
        ];
        assert_eq!(read(text).unwrap(), tagged);
        assert_eq!(if_lists(&headers(&[])).unwrap(), None);
        for wrong in ["(<urn:a> [\"a\"]", "(nonsense)", "()", "<urn:a>", "([\"a\"]", "(Not)", ""] {
            assert!(if_lists(&headers(&[("if", wrong)])).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_depth_that_is_none_is_refused() {
        assert_eq!(Depth::of(&headers(&[("depth", "Infinity")])).unwrap(), Depth::Infinity);
        assert_eq!(Depth::of(&headers(&[])).unwrap(), Depth::One);
        assert!(Depth::of(&headers(&[("depth", "2")])).is_err());
    }
}
