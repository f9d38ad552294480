//! The streaming writer.

use super::{Element, Name, Node, is_allowed};
use bytes::Bytes;

/// The namespace of `xml:lang` and `xml:space`, bound by definition.
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Writes a document into a buffer. Prefixes of the table given to [`Writer::new`] are declared once, on
/// the root; other namespaces get a prefix where they first appear.
pub struct Writer {
    out: String,
    table: &'static [(&'static str, &'static str)],
    /// Namespaces outside the table that are in scope, with the level that declared them.
    extra: Vec<(usize, String)>,
    /// Qualified names of the open elements, one after the other, and where each begins.
    names: String,
    open: Vec<usize>,
    /// The last start tag still takes attributes.
    in_tag: bool,
}

impl Writer {
    /// Begins a document; `table` gives each namespace its prefix: `("D", "DAV:")`.
    pub fn new(table: &'static [(&'static str, &'static str)]) -> Self {
        let out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
        Self { out, table, extra: Vec::new(), names: String::new(), open: Vec::new(), in_tag: false }
    }

    /// Begins an element.
    pub fn open(&mut self, name: &Name) -> &mut Self {
        self.end_tag();
        let level = self.open.len();
        let begins = self.names.len();
        let declaration = self.qualify(name, level);
        self.out.push('<');
        self.out.push_str(self.names.get(begins..).unwrap_or_default());
        if level == 0 {
            for (prefix, namespace) in self.table {
                self.out.push_str(" xmlns:");
                self.out.push_str(prefix);
                self.out.push_str("=\"");
                push_escaped(&mut self.out, namespace, true);
                self.out.push('"');
            }
        }
        self.out.push_str(&declaration);
        self.open.push(begins);
        self.in_tag = true;
        self
    }

    /// An attribute without namespace of the element just begun.
    pub fn attribute(&mut self, local: &'static str, value: &str) -> &mut Self {
        self.attribute_named(&Name::new("", local), value)
    }

    /// An attribute of the element just begun; without effect after its content began.
    pub fn attribute_named(&mut self, name: &Name, value: &str) -> &mut Self {
        if self.in_tag {
            let begins = self.names.len();
            let declaration = self.qualify(name, self.open.len().saturating_sub(1));
            self.out.push_str(&declaration);
            self.out.push(' ');
            self.out.push_str(self.names.get(begins..).unwrap_or_default());
            self.names.truncate(begins);
            self.out.push_str("=\"");
            push_escaped(&mut self.out, value, true);
            self.out.push('"');
        }
        self
    }

    /// Character data. What XML 1.0 forbids becomes U+FFFD.
    pub fn text(&mut self, text: &str) -> &mut Self {
        if !text.is_empty() && !self.open.is_empty() {
            self.end_tag();
            push_escaped(&mut self.out, text, false);
        }
        self
    }

    /// Ends the innermost open element.
    pub fn close(&mut self) -> &mut Self {
        if let Some(begins) = self.open.pop() {
            if std::mem::take(&mut self.in_tag) {
                self.out.push_str("/>");
            } else {
                self.out.push_str("</");
                self.out.push_str(self.names.get(begins..).unwrap_or_default());
                self.out.push('>');
            }
            self.names.truncate(begins);
            let level = self.open.len();
            self.extra.retain(|(declared, _)| *declared < level);
        }
        self
    }

    /// An element with text alone.
    pub fn leaf(&mut self, name: &Name, text: &str) -> &mut Self {
        self.open(name).text(text).close()
    }

    /// An element without content.
    pub fn empty(&mut self, name: &Name) -> &mut Self {
        self.open(name).close()
    }

    /// A whole tree.
    pub fn element(&mut self, element: &Element) -> &mut Self {
        self.open(element.name());
        for (name, value) in element.attributes() {
            self.attribute_named(name, value);
        }
        for node in element.nodes() {
            match node {
                Node::Element(child) => self.element(child),
                Node::Text(text) => self.text(text),
            };
        }
        self.close()
    }

    /// Octets written and not yet taken.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether everything written was taken.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// What was written since the last call, to be sent while the rest is still to come.
    pub fn take(&mut self) -> Bytes {
        self.end_tag();
        std::mem::take(&mut self.out).into()
    }

    /// Closes what is open and gives the rest of the document.
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.out
    }

    fn end_tag(&mut self) {
        if std::mem::take(&mut self.in_tag) {
            self.out.push('>');
        }
    }

    /// Puts the qualified name behind `names`; the declaration that must stand in the tag of `level` for it.
    fn qualify(&mut self, name: &Name, level: usize) -> String {
        let (namespace, local) = name.parts();
        let mut declaration = String::new();
        if namespace == XML {
            self.names.push_str("xml:");
        } else if let Some((prefix, _)) = self.table.iter().find(|(_, known)| *known == namespace) {
            self.names.push_str(prefix);
            self.names.push(':');
        } else if !namespace.is_empty() {
            let known = self.extra.iter().position(|(_, known)| known == namespace);
            let index = known.unwrap_or(self.extra.len());
            if known.is_none() {
                self.extra.push((level, namespace.to_owned()));
                declaration = format!(" xmlns:ns{index}=\"");
                push_escaped(&mut declaration, namespace, true);
                declaration.push('"');
            }
            self.names.push_str(&format!("ns{index}:"));
        }
        self.names.push_str(local);
        declaration
    }
}

/// Whether an octet may begin something that cannot be written as it is: U+FFFE and U+FFFF begin with 0xEF.
const fn is_special(octet: u8, in_attribute: bool) -> bool {
    match octet {
        b'&' | b'<' | b'>' | 0xEF => true,
        b'"' | b'\n' | b'\t' => in_attribute,
        control => control < b' ',
    }
}

/// [`is_special`] of each octet: a look-up for each is what long texts take.
#[allow(clippy::indexing_slicing, reason = "an octet is below 256, and it is reckoned when this is compiled")]
const fn specials(in_attribute: bool) -> [bool; 256] {
    let mut table = [false; 256];
    let mut octet = 0_u8;
    loop {
        table[octet as usize] = is_special(octet, in_attribute);
        if octet == u8::MAX {
            return table;
        }
        octet += 1;
    }
}

const IN_TEXT: [bool; 256] = specials(false);
const IN_ATTRIBUTE: [bool; 256] = specials(true);

fn push_escaped(out: &mut String, text: &str, in_attribute: bool) {
    let specials = if in_attribute { &IN_ATTRIBUTE } else { &IN_TEXT };
    let mut rest = text;
    // Most of a text is copied as it is, in as few pieces as can be.
    while let Some((plain, special)) = rest
        .bytes()
        .position(|octet| specials.get(usize::from(octet)).is_some_and(|is_special| *is_special))
        .and_then(|at| rest.split_at_checked(at))
    {
        out.push_str(plain);
        let mut characters = special.chars();
        match characters.next() {
            Some('&') => out.push_str("&amp;"),
            Some('<') => out.push_str("&lt;"),
            Some('>') => out.push_str("&gt;"),
            // A bare CR would be read as LF, white space in attributes as blanks. XML 1.0 2.11, 3.3.3
            Some('\r') => out.push_str("&#13;"),
            Some('"') => out.push_str("&quot;"),
            Some('\n') => out.push_str("&#10;"),
            Some('\t') => out.push_str("&#9;"),
            Some(c) if is_allowed(c) => out.push(c),
            Some(_) | None => out.push('\u{FFFD}'),
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    const TABLE: &[(&str, &str)] = &[("D", "DAV:")];

    #[test]
    fn prefixes_are_declared_once_and_text_is_escaped() {
        let mut writer = Writer::new(TABLE);
        writer.open(&Name::new("DAV:", "a")).attribute("k", "\"\n<");
        writer.leaf(&Name::new("DAV:", "b"), "x & y\r\n\u{1}").empty(&Name::new("", "c")).close();
        assert_eq!(
            writer.finish(),
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:a xmlns:D=\"DAV:\" k=\"&quot;&#10;&lt;\"><D:b>x &amp; y&#13;\n\u{FFFD}</D:b><c/></D:a>"
        );
    }

    #[test]
    fn what_is_escaped_depends_on_the_place_alone() {
        let all = "a\r\n\t\"&<>\u{0}\u{FEFF}\u{FFFE}\u{FFFF}\u{10FFFF}ä\u{EFFF}";
        let mut writer = Writer::new(TABLE);
        writer.open(&Name::new("", "a")).attribute("k", all).text(all).close();
        let text = writer.finish();
        let (attribute, content) = text.split_once("\">").unwrap();
        let same = "&amp;&lt;&gt;\u{FFFD}\u{FEFF}\u{FFFD}\u{FFFD}\u{10FFFF}ä\u{EFFF}";
        assert!(attribute.ends_with(&format!("a&#13;&#10;&#9;&quot;{same}")), "{attribute}");
        assert!(content.starts_with(&format!("a&#13;\n\t\"{same}")), "{content}");
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let (apple, other) = ("http://apple.com/ns/ical/", "urn:other");
        let tree = Element::new(Name::new("DAV:", "prop"))
            .with_child(
                Element::new(Name::new(apple, "calendar-color"))
                    .with_attribute(Name::new(other, "symbolic"), "a\tb")
                    .with_attribute(Name::new(XML, "lang"), "de")
                    .with_text("#FF0000\r\n"),
            )
            .with_child(
                Element::new(Name::new(other, "x"))
                    .with_child(Element::new(Name::new(apple, "y")))
                    .with_child(Element::new(Name::new("", "z"))),
            )
            .with_text("tail");
        let mut writer = Writer::new(TABLE);
        writer.element(&tree);
        assert_eq!(Element::parse(writer.finish().as_bytes()).unwrap(), tree);
    }

    #[test]
    fn a_document_can_be_taken_in_parts() {
        let mut writer = Writer::new(TABLE);
        writer.open(&Name::new("DAV:", "multistatus"));
        let mut whole = writer.take().to_vec();
        writer.leaf(&Name::new("DAV:", "sync-token"), "1");
        whole.extend_from_slice(&writer.take());
        whole.extend_from_slice(writer.finish().as_bytes());
        assert_eq!(Element::parse(&whole).unwrap().find("sync-token").unwrap().text(), "1");
    }
}
