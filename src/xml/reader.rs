//! The bounded reader.

use super::{Element, Error, Name, Word, is_allowed};
use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

/// U+FFFD stands where a character could not be had.
const REPLACEMENT: char = '\u{FFFD}';

/// Namespace declarations in scope at once: resolution is linear in them.
const MAX_BINDINGS: usize = 64;

/// How much a document may hold and what is forgiven.
#[derive(Clone, Copy, Debug)]
struct Policy {
    /// Levels of elements.
    depth: usize,
    /// Elements and attributes together, over the whole document.
    nodes: usize,
    /// Replace what XML forbids instead of refusing it.
    repair: bool,
}

/// What a client sends: the deepest request of RFC 4791 has some 12 levels.
const STRICT: Policy = Policy { depth: 32, nodes: 250_000, repair: false };

/// What Exchange answers: one answer may carry 100 items of some 300 elements.
const LENIENT: Policy = Policy { depth: 64, nodes: 5_000_000, repair: true };

/// Reads one document, as a whole or one element of interest at a time.
pub struct Reader<'a> {
    xml: NsReader<&'a [u8]>,
    policy: Policy,
    depth: usize,
    nodes: usize,
    seen_root: bool,
    words: HashSet<Arc<str>>,
}

/// The next thing of interest in a document.
enum Step {
    /// An element begins; `true` when it also ends.
    Start(Element, bool),
    Text(String),
    End,
    Eof,
}

impl<'a> Reader<'a> {
    /// For clients: refuses document types, unknown entities, forbidden characters, undeclared prefixes.
    pub fn strict(text: &'a str) -> Self {
        Self::new(text, STRICT)
    }

    /// For Exchange: what XML 1.0 forbids becomes U+FFFD, an undeclared prefix no namespace.
    ///
    /// Seen: character references such as `&#x0;` and `&#x1F;` in subjects of Exchange 2010 to 2019.
    pub fn lenient(text: &'a str) -> Self {
        Self::new(text, LENIENT)
    }

    fn new(text: &'a str, policy: Policy) -> Self {
        let mut xml = NsReader::from_str(text.trim_start_matches('\u{FEFF}'));
        xml.config_mut().allow_dangling_amp = policy.repair;
        xml.resolver_mut().set_max_namespace_bindings(MAX_BINDINGS);
        Self { xml, policy, depth: 0, nodes: 0, seen_root: false, words: HashSet::new() }
    }

    /// The whole document as one tree; its end is checked.
    pub fn document(mut self) -> Result<Element, Error> {
        let root = self.next(|_| true)?.ok_or(Error::Empty)?;
        match self.next(|_| true)? {
            None => Ok(root),
            Some(_) => Err(self.malformed("a second root element")),
        }
    }

    /// The next element that `wanted` likes, in document order, as a tree. Elements that it does not
    /// like are gone into; `None` at the end of a complete document.
    ///
    /// Fails with [`Error::Truncated`] when the text ends inside the root element.
    pub fn next(&mut self, wanted: impl Fn(&Name) -> bool) -> Result<Option<Element>, Error> {
        loop {
            match self.step()? {
                Step::Start(element, ended) if wanted(element.name()) => {
                    return if ended { Ok(Some(element)) } else { self.rest_of(element).map(Some) };
                }
                Step::Start(..) | Step::Text(_) | Step::End => {}
                Step::Eof => return Ok(None),
            }
        }
    }

    fn rest_of(&mut self, root: Element) -> Result<Element, Error> {
        let mut open = vec![root];
        loop {
            let step = self.step()?;
            let Some(current) = open.last_mut() else { return Err(Error::Truncated) };
            match step {
                Step::Start(element, true) => current.push_child(element),
                Step::Start(element, false) => open.push(element),
                Step::Text(text) => current.push_text(&text),
                Step::End => {
                    let Some(done) = open.pop() else { return Err(Error::Truncated) };
                    match open.last_mut() {
                        Some(parent) => parent.push_child(done),
                        None => return Ok(done),
                    }
                }
                Step::Eof => return Err(Error::Truncated),
            }
        }
    }

    fn step(&mut self) -> Result<Step, Error> {
        loop {
            let event = match self.xml.read_event() {
                Ok(event) => event,
                Err(error) => return Err(self.syntax(&error)),
            };
            match event {
                Event::Start(tag) => {
                    let element = self.element(&tag)?;
                    self.depth += 1;
                    return Ok(Step::Start(element, false));
                }
                Event::Empty(tag) => return Ok(Step::Start(self.element(&tag)?, true)),
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Step::End);
                }
                Event::Text(text) => {
                    let text = self.permitted(text.xml10_content())?;
                    if let Some(text) = self.inside(text)? {
                        return Ok(Step::Text(text));
                    }
                }
                Event::CData(text) => {
                    let text = self.permitted(text.xml10_content())?;
                    if let Some(text) = self.inside(text)? {
                        return Ok(Step::Text(text));
                    }
                }
                Event::GeneralRef(reference) => {
                    let c = self.resolve(&reference)?;
                    if let Some(text) = self.inside(c.to_string().into())? {
                        return Ok(Step::Text(text));
                    }
                }
                Event::DocType(_) => return Err(Error::DocType),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof if self.depth > 0 => return Err(Error::Truncated),
                Event::Eof => return Ok(Step::Eof),
            }
        }
    }

    /// Text counts only inside the root; outside there may be white space alone.
    fn inside(&self, text: Cow<'_, str>) -> Result<Option<String>, Error> {
        if self.depth > 0 {
            Ok(Some(text.into_owned()))
        } else if text.trim().is_empty() {
            Ok(None)
        } else if self.policy.repair && self.seen_root {
            // Exchange Online ends a body with `=== Truncated Data ===` in failovers.
            Err(Error::Truncated)
        } else {
            Err(self.malformed("text outside the root element"))
        }
    }

    fn element(&mut self, tag: &BytesStart<'_>) -> Result<Element, Error> {
        if self.depth >= self.policy.depth {
            return Err(Error::TooDeep(self.policy.depth));
        }
        if self.depth == 0 && std::mem::replace(&mut self.seen_root, true) {
            return Err(self.malformed("a second root element"));
        }
        self.count()?;
        let (namespace, local) = self.xml.resolver().resolve_element(tag.name());
        let namespace = owned(&namespace);
        let name = self.name(namespace, local.as_ref())?;
        let mut element = Element::new(name);
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|error| self.malformed(&error.to_string()))?;
            self.count()?;
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let (namespace, local) = self.xml.resolver().resolve_attribute(attribute.key);
            let namespace = owned(&namespace);
            let name = self.name(namespace, local.as_ref())?;
            let value = self.attribute_value(&attribute.value)?;
            element.push_attribute(name, value);
        }
        Ok(element)
    }

    fn count(&mut self) -> Result<(), Error> {
        self.nodes += 1;
        if self.nodes > self.policy.nodes { Err(Error::TooMany(self.policy.nodes)) } else { Ok(()) }
    }

    fn name(&mut self, namespace: Result<Option<String>, String>, local: &str) -> Result<Name, Error> {
        let namespace = match namespace {
            Ok(namespace) => namespace.unwrap_or_default(),
            Err(_) if self.policy.repair => String::new(),
            Err(prefix) => return Err(Error::Prefix(prefix)),
        };
        // The resolver gives the octets of the declaration, which is an attribute like others. Namespaces in XML 1.0 2.2
        let namespace = match namespace.find(|c: char| !c.is_ascii_graphic() || matches!(c, '&' | '<')) {
            Some(_) => self.attribute_value(&namespace)?,
            None => namespace,
        };
        if !is_ncname(local) {
            return Err(Error::Name(local.chars().take(40).collect()));
        }
        Ok(Name::of(self.word(&namespace), self.word(local)))
    }

    /// One allocation for each distinct word of a document, not one for each element.
    fn word(&mut self, text: &str) -> Word {
        if let Some(known) = self.words.get(text) {
            return Word::Shared(Arc::clone(known));
        }
        let word: Arc<str> = text.into();
        self.words.insert(Arc::clone(&word));
        Word::Shared(word)
    }

    /// XML 1.0 3.3.3: literal white space becomes blanks, referenced characters stay.
    fn attribute_value(&self, raw: &str) -> Result<String, Error> {
        if raw.contains('<') && !self.policy.repair {
            return Err(self.malformed("`<` in an attribute value"));
        }
        let mut value = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some((before, after)) = rest.split_once('&') {
            self.push_attribute_text(&mut value, before)?;
            rest = match after.split_once(';') {
                Some((reference, tail)) if reference.len() <= 12 => {
                    value.push(self.resolve(reference)?);
                    tail
                }
                _ if self.policy.repair => {
                    value.push('&');
                    after
                }
                _ => return Err(self.malformed("`&` without a reference")),
            };
        }
        self.push_attribute_text(&mut value, rest)?;
        Ok(value)
    }

    fn push_attribute_text(&self, value: &mut String, text: &str) -> Result<(), Error> {
        let text = self.permitted(Cow::Borrowed(text))?;
        let text = text.replace("\r\n", " ");
        value.extend(text.chars().map(|c| if matches!(c, '\t' | '\n' | '\r') { ' ' } else { c }));
        Ok(())
    }

    fn permitted<'t>(&self, text: Cow<'t, str>) -> Result<Cow<'t, str>, Error> {
        match text.chars().find(|&c| !is_allowed(c)) {
            None => Ok(text),
            Some(_) if self.policy.repair => {
                Ok(text.chars().map(|c| if is_allowed(c) { c } else { REPLACEMENT }).collect())
            }
            Some(c) => Err(Error::Character(c.into())),
        }
    }

    fn resolve(&self, reference: &str) -> Result<char, Error> {
        let found = match reference {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "apos" => Some('\''),
            "quot" => Some('"'),
            _ => {
                let number = reference.strip_prefix('#').unwrap_or_default();
                let code = match number.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16),
                    None => number.parse(),
                };
                code.ok().and_then(char::from_u32).filter(|&c| is_allowed(c))
            }
        };
        match found {
            Some(c) => Ok(c),
            None if self.policy.repair => Ok(REPLACEMENT),
            None => Err(Error::Reference(reference.chars().take(40).collect())),
        }
    }

    fn syntax(&self, error: &quick_xml::Error) -> Error {
        match error {
            // Inside the root an unfinished tag is a document that was cut off.
            quick_xml::Error::Syntax(_) if self.depth > 0 => Error::Truncated,
            _ => self.malformed(&error.to_string()),
        }
    }

    fn malformed(&self, reason: &str) -> Error {
        Error::Malformed { position: self.xml.buffer_position(), reason: reason.to_owned() }
    }
}

/// The namespace, none, or the prefix that nobody declared.
fn owned(namespace: &ResolveResult<'_>) -> Result<Option<String>, String> {
    match namespace {
        ResolveResult::Bound(namespace) => Ok(Some(namespace.0.to_owned())),
        ResolveResult::Unbound => Ok(None),
        ResolveResult::Unknown(prefix) => Err(prefix.clone()),
    }
}

/// Close to NCName of Namespaces in XML 1.0 3: exact in ASCII, generous beyond it.
fn is_ncname(text: &str) -> bool {
    let letter = |c: char| c == '_' || c.is_ascii_alphabetic() || (!c.is_ascii() && !c.is_control());
    text.starts_with(letter)
        && text.chars().all(|c| letter(c) || c.is_ascii_digit() || matches!(c, '-' | '.'))
}

/// The text of a client's document: UTF-8, or UTF-16 with a byte order mark. RFC 4918 8.2
pub fn decode_strict(octets: &[u8]) -> Result<Cow<'_, str>, Error> {
    let wide = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, odd) = rest.as_chunks::<2>();
        let text = char::decode_utf16(pairs.iter().copied().map(unit)).collect::<Result<String, _>>();
        if odd.is_empty() { text.map(Cow::Owned).map_err(|_| Error::Encoding) } else { Err(Error::Encoding) }
    };
    match octets {
        [0xFF, 0xFE, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => std::str::from_utf8(octets).map(Cow::Borrowed).map_err(|_| Error::Encoding),
    }
}

/// The text of an answer of Exchange: UTF-8 in which a broken octet costs one character, not the answer.
pub fn decode_lossy(octets: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(octets)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn names_are_resolved_and_attributes_normalised() {
        let root = Element::parse(b"<?xml version='1.0'?>\n<D:a xmlns:D='DAV:' xmlns='urn:x' k='1&#10;\n&lt;'><b/>t&amp;<![CDATA[<u>]]></D:a>").unwrap();
        assert_eq!(root.name(), &Name::new("DAV:", "a"));
        assert_eq!(root.attribute("k"), Some("1\n <"));
        assert_eq!(root.children().next().unwrap().name().parts(), ("urn:x", "b"));
        assert_eq!(root.text(), "t&<u>");
    }

    #[test]
    fn clients_are_refused_what_is_dangerous_or_wrong() {
        let refused = |text: &str| Element::parse(text.as_bytes()).unwrap_err();
        assert_eq!(refused("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"), Error::DocType);
        assert_eq!(refused("<a>&x;</a>"), Error::Reference("x".into()));
        assert_eq!(refused("<a>&#0;</a>"), Error::Reference("#0".into()));
        assert_eq!(refused("<a>\u{1}</a>"), Error::Character(1));
        assert_eq!(refused("<x:a/>"), Error::Prefix("x".into()));
        assert_eq!(refused(""), Error::Empty);
        assert_eq!(refused("<a><b></b>"), Error::Truncated);
        assert_eq!(refused("<a><b></"), Error::Truncated);
        assert!(matches!(refused("<a/><b/>"), Error::Malformed { .. }));
        assert!(matches!(refused("<a></b>"), Error::Malformed { .. }));
        assert!(matches!(refused("<a/>x"), Error::Malformed { .. }));
        assert!(matches!(refused("<a b='1' b='2'/>"), Error::Malformed { .. }));
        assert!(matches!(refused("<a b='<'/>"), Error::Malformed { .. }));
        assert_eq!(refused("<1/>"), Error::Name("1".into()));
        assert_eq!(Element::parse(b"<a>\xFF</a>").unwrap_err(), Error::Encoding);
        let deep = format!("{}{}", "<a>".repeat(33), "</a>".repeat(33));
        assert_eq!(refused(&deep), Error::TooDeep(32));
        let many = format!("<a>{}</a>", "<b/>".repeat(250_000));
        assert_eq!(refused(&many), Error::TooMany(250_000));
    }

    #[test]
    fn utf_16_with_a_mark_is_read() {
        let octets: Vec<u8> = "\u{FEFF}<a>ü</a>".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(Element::parse(&octets).unwrap().text(), "ü");
    }

    #[test]
    fn exchange_is_forgiven_forbidden_characters() {
        let text = "<t:a b='&#x0;x'>one&#x1F;two&#xD800;\u{B}&nbsp;</t:a>";
        let root = Reader::lenient(text).document().unwrap();
        assert_eq!(root.text(), "one\u{FFFD}two\u{FFFD}\u{FFFD}\u{FFFD}");
        assert_eq!(root.attribute("b"), Some("\u{FFFD}x"));
        assert_eq!(root.name().parts(), ("", "a"));
    }

    #[test]
    fn a_cut_off_answer_is_not_an_answer() {
        assert_eq!(Reader::lenient("<a><b/>").document().unwrap_err(), Error::Truncated);
        let online = "<a/>\r\n=== Truncated Data ===";
        assert_eq!(Reader::lenient(online).document().unwrap_err(), Error::Truncated);
    }

    #[test]
    fn elements_of_interest_come_one_at_a_time() {
        let mut reader = Reader::lenient("<a><list><m n='1'><m/></m><x/><m n='2'/></list></a>");
        let wanted = |name: &Name| name.local() == "m";
        assert_eq!(reader.next(wanted).unwrap().unwrap().attribute("n"), Some("1"));
        assert_eq!(reader.next(wanted).unwrap().unwrap().attribute("n"), Some("2"));
        assert_eq!(reader.next(wanted).unwrap(), None);
    }

    #[test]
    fn references_in_a_namespace_are_resolved() {
        let text = "<p:a xmlns:p='urn:a&amp;b'/>";
        let element = Reader::strict(text).document().unwrap();
        assert!(element.is(&Name::new("urn:a&b", "a")));
        assert!(Reader::strict("<a xmlns='urn:<b'/>").document().is_err());
    }
}
