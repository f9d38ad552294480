//! Text-match and param-filter: what CalDAV and CardDAV share.

use super::filter::{Collation, MatchKind, ParamFilter, ParamTest, TextMatch};
use crate::text::Line;

impl Collation {
    /// The text in the form that compares. RFC 4790 9.2, RFC 5051
    fn fold(self, text: &str) -> String {
        match self {
            Self::AsciiCasemap => text.to_ascii_lowercase(),
            // Both ways, so that ß is ss and every sigma is one.
            Self::UnicodeCasemap => {
                text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
            }
            Self::Octet => text.to_owned(),
        }
    }
}

impl TextMatch {
    /// Whether a value is meant.
    pub fn matches(&self, value: &str) -> bool {
        let Self { text, kind, collation, negate } = self;
        let (value, text) = (collation.fold(value), collation.fold(text));
        let found = match kind {
            MatchKind::Contains => value.contains(&text),
            MatchKind::Equals => value == text,
            MatchKind::StartsWith => value.starts_with(&text),
            MatchKind::EndsWith => value.ends_with(&text),
        };
        found != *negate
    }
}

impl ParamFilter {
    /// Whether a line is meant.
    pub fn matches(&self, line: &Line) -> bool {
        let Self { name, test } = self;
        let mut values = line.param_values(name);
        match test {
            ParamTest::Absent => values.next().is_none(),
            ParamTest::Present => values.next().is_some(),
            ParamTest::Matches(text) => values.any(|value| text.matches(value)),
        }
    }
}
