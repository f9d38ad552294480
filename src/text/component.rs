//! The tree of components.

use super::line::Line;
use std::borrow::Cow;

/// Components within components that are read.
const MAX_DEPTH: usize = 16;
/// Content lines of one text.
const MAX_LINES: usize = 200_000;

/// `BEGIN:NAME` … `END:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Component {
    /// Upper case.
    pub name: String,
    /// Its content lines, in their order.
    pub lines: Vec<Line>,
    /// Components within, in their order.
    pub children: Vec<Component>,
}

/// Why a text is no component. Lines are counted from 1, folded ones by their first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not UTF-8 after unfolding.
    #[error("the text is not UTF-8")]
    Encoding,
    /// There is no `BEGIN` at all.
    #[error("the text has no BEGIN line")]
    Empty,
    /// A line that is no content line.
    #[error("line {0} is not NAME:value")]
    Line(usize),
    /// A line outside of all components.
    #[error("line {0} stands outside of any component")]
    Outside(usize),
    /// `END` without its `BEGIN`.
    #[error("line {line} ends {found}, but {open} is open")]
    Mismatch {
        /// Where.
        line: usize,
        /// What should end.
        open: String,
        /// What the line says.
        found: String,
    },
    /// `BEGIN` without its `END`.
    #[error("{0} has no END")]
    Unended(String),
    /// More than one component where one was expected.
    #[error("there is more than one {0}")]
    Several(String),
    /// Too deep or too long.
    #[error("the text has more than {MAX_DEPTH} levels or {MAX_LINES} lines")]
    TooBig,
}

impl Component {
    /// An empty component.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_ascii_uppercase(), lines: Vec::new(), children: Vec::new() }
    }

    /// The one component that a text consists of.
    pub fn parse(octets: &[u8]) -> Result<Self, Error> {
        only_one(parse_all(octets)?)
    }

    /// The same without those lines whose name, as it is written, is not wanted: nobody looks at what they hold.
    pub fn parse_only(octets: &[u8], is_wanted: impl Fn(&str) -> bool) -> Result<Self, Error> {
        only_one(read(octets, is_wanted)?)
    }

    /// The text: CRLF line ends, folded at 75 octets. The lines of cards have their names as they were written.
    pub fn write(&self) -> String {
        let mut out = String::new();
        self.write_to(&mut out);
        out
    }

    /// Appends the text.
    pub fn write_to(&self, out: &mut String) {
        out.push_str("BEGIN:");
        out.push_str(&self.name);
        out.push_str("\r\n");
        for line in &self.lines {
            line.write(out, self.name == "VCARD");
        }
        for child in &self.children {
            child.write_to(out);
        }
        out.push_str("END:");
        out.push_str(&self.name);
        out.push_str("\r\n");
    }

    /// Whether the name of a line was not written in upper case.
    pub fn has_spelled_names(&self) -> bool {
        self.lines.iter().any(|line| line.spelled().is_some())
    }

    /// Adds a line.
    pub fn push(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// The first line of a name, upper case.
    pub fn line(&self, name: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == name)
    }

    /// All lines of a name, upper case.
    pub fn lines_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Line> + 'a {
        self.lines.iter().filter(move |line| line.name == name)
    }

    /// The raw value of the first line of a name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.line(name).map(|line| line.value.as_str())
    }

    /// The children of a name, upper case.
    pub fn children_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Component> + 'a {
        self.children.iter().filter(move |child| child.name == name)
    }
}

fn only_one(all: Vec<Component>) -> Result<Component, Error> {
    let mut all = all.into_iter();
    match (all.next(), all.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Error::Empty),
        (Some(one), Some(_)) => Err(Error::Several(one.name)),
    }
}

/// All components that a text consists of, one after the other.
pub fn parse_all(octets: &[u8]) -> Result<Vec<Component>, Error> {
    read(octets, |_| true)
}

fn read(octets: &[u8], is_wanted: impl Fn(&str) -> bool) -> Result<Vec<Component>, Error> {
    let mut done = Vec::new();
    let mut open: Vec<Component> = Vec::new();
    for (count, (number, octets)) in Unfolded::new(octets).enumerate() {
        if count >= MAX_LINES {
            return Err(Error::TooBig);
        }
        let text = std::str::from_utf8(&octets).map_err(|_| Error::Encoding)?;
        let text = without_controls(text);
        if text.trim().is_empty() {
            continue;
        }
        let name = text.split([';', ':']).next().unwrap_or_default().trim();
        let is_frame = name.eq_ignore_ascii_case("BEGIN") || name.eq_ignore_ascii_case("END");
        if !is_frame && !open.is_empty() && !is_wanted(name) {
            continue;
        }
        let line = Line::parse(&text).ok_or(Error::Line(number))?;
        match line.name.as_str() {
            "BEGIN" => {
                if open.len() >= MAX_DEPTH {
                    return Err(Error::TooBig);
                }
                open.push(Component::new(line.value.trim()));
            }
            "END" => {
                let found = line.value.trim().to_ascii_uppercase();
                let ended = open.pop().ok_or(Error::Outside(number))?;
                if ended.name != found {
                    return Err(Error::Mismatch { line: number, open: ended.name, found });
                }
                match open.last_mut() {
                    Some(parent) => parent.children.push(ended),
                    None => done.push(ended),
                }
            }
            _ => open.last_mut().ok_or(Error::Outside(number))?.lines.push(line),
        }
    }
    match open.pop() {
        Some(unended) => Err(Error::Unended(unended.name)),
        None => Ok(done),
    }
}

/// RFC 5545 3.1: control characters but the tab are no part of a content line.
fn without_controls(text: &str) -> Cow<'_, str> {
    // Nearly no line has any; 0xC2 begins those beyond ASCII.
    let may_be_one = |octet: u8| (octet < b' ' && octet != b'\t') || octet == 0x7F || octet == 0xC2;
    if !text.bytes().fold(false, |found, octet| found | may_be_one(octet)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|c| *c == '\t' || !c.is_control()).collect())
}

/// Logical lines with the number of their first physical one. Octets, since a fold may part a character.
struct Unfolded<'a> {
    /// `None` after the last line.
    rest: Option<&'a [u8]>,
    /// Physical lines so far.
    number: usize,
}

impl<'a> Unfolded<'a> {
    fn new(octets: &'a [u8]) -> Self {
        Self { rest: Some(octets.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(octets)), number: 0 }
    }

    /// The next physical line.
    fn physical(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let end = rest.iter().position(|octet| *octet == b'\n');
        let (line, after) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
        self.rest = after.get(1..);
        self.number += 1;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

impl<'a> Iterator for Unfolded<'a> {
    type Item = (usize, Cow<'a, [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Cow::Borrowed(self.physical()?);
        let number = self.number;
        while let Some([b' ' | b'\t', ..]) = self.rest {
            let folded = self.physical()?;
            line.to_mut().extend_from_slice(folded.get(1..).unwrap_or_default());
        }
        Some((number, line))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_written_and_read_back_the_same() {
        let mut event = Component::new("VEVENT");
        event.push(Line::text("SUMMARY", &"long ü, and; more\nlines ".repeat(20)));
        event.push(
            Line::raw("ATTENDEE", "mailto:a@example.com").with("CN", "Doe, \"J\"\n^x").with("ROLE", "CHAIR"),
        );
        event.push(Line::text("X-ABLABEL", "work").in_group("item1"));
        let mut calendar = Component::new("VCALENDAR");
        calendar.push(Line::raw("VERSION", "2.0"));
        calendar.children.push(event);
        let text = calendar.write();
        assert!(text.lines().all(|line| line.len() <= 75));
        assert_eq!(Component::parse(text.as_bytes()).unwrap(), calendar);
    }

    #[test]
    fn bare_line_feeds_marks_and_parted_characters_are_read() {
        let text = b"\xEF\xBB\xBFbegin:vcard\nN:M\xC3\n \xBCller\n\nEND:VCARD\n";
        assert_eq!(Component::parse(text).unwrap().value("N"), Some("Müller"));
    }

    #[test]
    fn no_value_brings_a_line_of_its_own() {
        let mut card = Component::new("VCARD");
        card.push(Line { value: "x\r\nATTENDEE:evil".into(), ..Line::raw("NOTE", "") });
        card.push(Line::raw("X", "1").with("P", "a\r\nB:c"));
        assert_eq!(Component::parse(card.write().as_bytes()).unwrap().lines.len(), 2);
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let parse = |text: &str| Component::parse(text.as_bytes()).unwrap_err();
        assert_eq!(parse(""), Error::Empty);
        assert_eq!(parse("BEGIN:A\nrubbish\nEND:A\n"), Error::Line(2));
        assert_eq!(parse("X:1\n"), Error::Outside(1));
        assert_eq!(
            parse("BEGIN:A\nEND:B\n"),
            Error::Mismatch { line: 2, open: "A".into(), found: "B".into() }
        );
        assert_eq!(parse("BEGIN:A\n"), Error::Unended("A".into()));
        assert_eq!(parse(&"BEGIN:A\n".repeat(2000)), Error::TooBig);
    }

    #[test]
    fn any_octets_are_read_or_refused_without_panic() {
        let seed = b"BEGIN:VCALENDAR\r\nA;B=\"c\";D=e,f:g\\,h\r\n i\r\nEND:VCALENDAR\r\n".to_vec();
        for at in 0..seed.len() {
            for octet in [0, b'\n', b'"', b':', b';', 0xC3, 0xFF] {
                let mut mutant = seed.clone();
                mutant[at] = octet;
                if let Ok(tree) = Component::parse(&mutant) {
                    assert_eq!(Component::parse(tree.write().as_bytes()).unwrap(), tree);
                }
            }
        }
    }
}
