//! What can be wrong with a document.

/// Why a text is not a document that we read. Carries nothing of the document but names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not the encoding that it should be.
    #[error("the document is neither valid UTF-8 nor UTF-16")]
    Encoding,
    /// Not well formed.
    #[error("the document is not well-formed XML at octet {position}: {reason}")]
    Malformed {
        /// Octets from the start.
        position: u64,
        /// What the parser says.
        reason: String,
    },
    /// Ends before its root element does.
    #[error("the document ends before its root element does")]
    Truncated,
    /// There is no element at all.
    #[error("the document has no root element")]
    Empty,
    /// A document type declaration: nothing that we read may have one.
    #[error("a document type declaration is not allowed")]
    DocType,
    /// A reference to an entity that is none of the five predefined ones, or to a forbidden character.
    #[error("the reference `&{0};` is not allowed")]
    Reference(String),
    /// A character that XML 1.0 forbids.
    #[error("the character U+{0:04X} is not allowed in XML")]
    Character(u32),
    /// A prefix without declaration.
    #[error("the namespace prefix `{0}` is not declared")]
    Prefix(String),
    /// Not a name.
    #[error("`{0}` is not an XML name")]
    Name(String),
    /// Nested deeper than the limit.
    #[error("elements are nested deeper than {0} levels")]
    TooDeep(usize),
    /// More elements and attributes than the limit.
    #[error("the document has more than {0} elements and attributes")]
    TooMany(usize),
}
