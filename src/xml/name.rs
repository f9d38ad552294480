//! Expanded names: namespace and local part.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A short text that is either a constant of ours or shared by all elements of one document.
#[derive(Clone)]
pub enum Word {
    /// A constant.
    Static(&'static str),
    /// Read from a document.
    Shared(Arc<str>),
}

impl Deref for Word {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Static(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl From<&str> for Word {
    fn from(text: &str) -> Self {
        Self::Shared(text.into())
    }
}

impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Word {}

impl PartialOrd for Word {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Word {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (**self).cmp(&**other)
    }
}

impl Hash for Word {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// An expanded name. Cheap to clone; compares by text, wherever it came from.
///
/// Namespaces in XML 1.0 2.1
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    namespace: Word,
    local: Word,
}

impl Name {
    /// A constant name; an empty namespace means none.
    pub const fn new(namespace: &'static str, local: &'static str) -> Self {
        Self { namespace: Word::Static(namespace), local: Word::Static(local) }
    }

    /// A name made of words that were read or computed.
    pub fn of(namespace: impl Into<Word>, local: impl Into<Word>) -> Self {
        Self { namespace: namespace.into(), local: local.into() }
    }

    /// The namespace, empty for none.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The local part.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// Both parts, to match on.
    pub fn parts(&self) -> (&str, &str) {
        (&self.namespace, &self.local)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Clark notation: `{DAV:}prop`.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}{}", &*self.namespace, &*self.local)
    }
}
