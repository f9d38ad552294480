//! A small tree.

use super::{Error, Name, Reader, reader};
use std::borrow::Cow;

/// An element with everything in it, in document order. Comments and processing instructions are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    name: Name,
    attributes: Vec<(Name, String)>,
    nodes: Vec<Node>,
}

/// What stands between a start tag and its end tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A child element.
    Element(Element),
    /// Character data, references resolved; neighbours are one node.
    Text(String),
}

impl Element {
    /// An empty element.
    pub fn new(name: Name) -> Self {
        Self { name, attributes: Vec::new(), nodes: Vec::new() }
    }

    /// The root of a whole document, read strictly: what clients send. UTF-8, or UTF-16 with a mark.
    pub fn parse(octets: &[u8]) -> Result<Self, Error> {
        Reader::strict(&reader::decode_strict(octets)?).document()
    }

    /// The same element with one attribute more.
    #[must_use]
    pub fn with_attribute(mut self, name: Name, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    /// The same element with one child more.
    #[must_use]
    pub fn with_child(mut self, child: Element) -> Self {
        self.nodes.push(Node::Element(child));
        self
    }

    /// The same element with text added.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        self.push_text(text);
        self
    }

    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Whether it has this name.
    pub fn is(&self, name: &Name) -> bool {
        self.name == *name
    }

    /// All attributes in document order, namespace declarations left out.
    pub fn attributes(&self) -> impl Iterator<Item = (&Name, &str)> {
        self.attributes.iter().map(|(name, value)| (name, value.as_str()))
    }

    /// The value of an attribute without namespace.
    pub fn attribute(&self, local: &str) -> Option<&str> {
        self.attribute_named("", local)
    }

    /// The value of an attribute.
    pub fn attribute_named(&self, namespace: &str, local: &str) -> Option<&str> {
        self.attributes().find(|(name, _)| name.parts() == (namespace, local)).map(|(_, value)| value)
    }

    /// Children and text.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Child elements in document order.
    pub fn children(&self) -> impl DoubleEndedIterator<Item = &Element> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Element(child) => Some(child),
            Node::Text(_) => None,
        })
    }

    /// The first child of this name.
    pub fn child(&self, name: &Name) -> Option<&Element> {
        self.children().find(|child| child.is(name))
    }

    /// The first child with this local name, whatever its namespace: Exchange mixes them up.
    pub fn find(&self, local: &str) -> Option<&Element> {
        self.children().find(|child| child.name.local() == local)
    }

    /// The child elements in document order, without what is around them: nothing is copied.
    pub fn into_children(self) -> impl Iterator<Item = Element> {
        self.nodes.into_iter().filter_map(|node| match node {
            Node::Element(child) => Some(child),
            Node::Text(_) => None,
        })
    }

    /// The character data directly in it, not that of its children.
    pub fn text(&self) -> Cow<'_, str> {
        let mut texts = self.nodes.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        let first = texts.next().unwrap_or_default();
        match texts.next() {
            None => Cow::Borrowed(first),
            Some(second) => Cow::Owned([first, second].into_iter().chain(texts).collect()),
        }
    }

    /// Whether there is neither a child nor text other than white space.
    pub fn is_empty(&self) -> bool {
        self.nodes.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
    }

    pub(super) fn push_attribute(&mut self, name: Name, value: String) {
        self.attributes.push((name, value));
    }

    pub(super) fn push_child(&mut self, child: Element) {
        self.nodes.push(Node::Element(child));
    }

    pub(super) fn push_text(&mut self, text: &str) {
        match self.nodes.last_mut() {
            _ if text.is_empty() => {}
            Some(Node::Text(last)) => last.push_str(text),
            _ => self.nodes.push(Node::Text(text.to_owned())),
        }
    }
}
