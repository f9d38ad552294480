//! One XML element of Exchange's messages, as a small tree.
//!
//! Exchange's documents have no mixed content: an element holds text or children. Names are borrowed from the
//! schema's name table, so that ten thousand stored items share them.

use std::fmt;

/// The namespaces of an EWS envelope. Source: services.wsdl; MS-OXWSCDATA 2.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Space {
    /// `http://schemas.microsoft.com/exchange/services/2006/types`, prefix `t`; all parts of items.
    #[default]
    Types,
    /// `http://schemas.microsoft.com/exchange/services/2006/messages`, prefix `m`.
    Messages,
    /// `http://schemas.xmlsoap.org/soap/envelope/`, prefix `s`.
    Soap,
    /// `http://schemas.microsoft.com/exchange/services/2006/errors`, prefix `e`; only in faults.
    Errors,
    /// No namespace: children of a SOAP fault.
    None,
}

impl Space {
    /// The prefix under which answers write it, with its colon.
    pub fn prefix(self) -> &'static str {
        match self {
            Space::Types => "t:",
            Space::Messages => "m:",
            Space::Soap => "s:",
            Space::Errors => "e:",
            Space::None => "",
        }
    }

    /// The namespace name.
    pub fn uri(self) -> &'static str {
        match self {
            Space::Types => "http://schemas.microsoft.com/exchange/services/2006/types",
            Space::Messages => "http://schemas.microsoft.com/exchange/services/2006/messages",
            Space::Soap => "http://schemas.xmlsoap.org/soap/envelope/",
            Space::Errors => "http://schemas.microsoft.com/exchange/services/2006/errors",
            Space::None => "",
        }
    }
}

/// An element: name, attributes, and either text or children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Namespace of the name.
    pub space: Space,
    /// Local name.
    pub name: &'static str,
    /// Attributes in document order, without namespace declarations.
    pub attributes: Vec<(&'static str, String)>,
    /// Character data, unescaped.
    pub text: String,
    /// Child elements in document order.
    pub children: Vec<Element>,
}

impl Element {
    /// An empty element of the types namespace.
    pub fn new(name: &'static str) -> Self {
        Element { name, ..Element::default() }
    }

    /// An empty element of the messages namespace.
    pub fn message(name: &'static str) -> Self {
        Element { space: Space::Messages, name, ..Element::default() }
    }

    /// An element of the types namespace that holds `text`.
    pub fn of(name: &'static str, text: impl Into<String>) -> Self {
        Element { name, text: text.into(), ..Element::default() }
    }

    /// An element of the types namespace that holds a number, a flag or another thing with a plain form.
    pub fn value(name: &'static str, value: impl fmt::Display) -> Self {
        Element::of(name, value.to_string())
    }

    /// The same with one more attribute.
    #[must_use]
    pub fn with(mut self, attribute: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((attribute, value.into()));
        self
    }

    /// The same with one more child.
    #[must_use]
    pub fn push(mut self, child: Element) -> Self {
        self.children.push(child);
        self
    }

    /// The same with one more child, if there is one.
    #[must_use]
    pub fn push_some(mut self, child: Option<Element>) -> Self {
        self.children.extend(child);
        self
    }

    /// The same with more children.
    #[must_use]
    pub fn push_all(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children);
        self
    }

    /// The first child of that local name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|c| c.name == name)
    }

    /// The first child of that local name, to be changed.
    pub fn child_mut(&mut self, name: &str) -> Option<&mut Element> {
        self.children.iter_mut().find(|c| c.name == name)
    }

    /// The descendant at the end of a path of first children.
    pub fn at(&self, path: &[&str]) -> Option<&Element> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }

    /// The text of the first child of that name, trimmed.
    pub fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|c| c.text.trim())
    }

    /// Whether the first child of that name says yes. `xs:boolean` of XML Schema 2, 3.2.2: `true` or `1`.
    pub fn child_flag(&self, name: &str) -> bool {
        matches!(self.child_text(name), Some("true" | "1"))
    }

    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
    }
}
