//! Content lines of iCalendar and vCard: folding, parameters, escaping, and the tree of components.
//!
//! Both formats share one syntax (RFC 5545 3.1, RFC 6350 3.3); what the lines mean is nobody's business here.
//! Reading is lenient where real data is (bare LF, a byte order mark, folds within a character) and keeps
//! every line with its group, its parameters and their order.
//!
//! **Invariant:** what [`Component::write`] gives out, [`Component::parse`] reads back to the same tree.
//! **Invariant:** no value can smuggle in a line of its own: control characters never reach the output.
//! **Invariant:** depth and number of lines are bounded on every input.

pub mod address;
mod component;
mod escape;
mod line;
pub mod moment;

pub use component::{Component, Error, parse_all};
pub use escape::{escape, split_list, split_structured, unescape};
pub use line::{Line, Parameter};
