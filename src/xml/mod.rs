//! XML for both protocols: names, one bounded reader, one streaming writer.
//!
//! Reading yields small [`Element`] trees with resolved namespaces, either the whole document or one
//! item of interest at a time. [`Reader::strict`] is for clients, [`Reader::lenient`] for Exchange, which
//! sends characters that XML 1.0 forbids. Writing goes straight into a buffer, never through a tree.
//!
//! **Invariant:** no DTD and no entity but the five predefined ones is ever expanded.
//! **Invariant:** depth, number of elements and namespace declarations are bounded on every input.
//! **Invariant:** what the writer gives out is well formed, whatever text it is given.

mod element;
mod error;
mod name;
mod reader;
mod writer;

pub use element::{Element, Node};
pub use error::Error;
pub use name::{Name, Word};
pub use reader::{Reader, decode_lossy, decode_strict};
pub use writer::Writer;

/// Whether XML 1.0 allows the character. XML 1.0 2.2
pub fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{1_0000}'..)
}
