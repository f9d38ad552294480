//! Room `simulator`: a simulated Exchange server that speaks Exchange Web Services over mailboxes in memory.
//!
//! It serves the demo, the tests and the benchmarks, and is an independent reading of Microsoft's documents: it has its
//! own XML, its own store and its own rules, so that a misunderstanding in the gateway is not repeated here.
//! A request goes `http` → `soap` (envelope, schema) → `operations` → `mailbox`; a second address has the `control`
//! interface that counts requests and injects faults.
//!
//! **Invariant:** names no other room of the crate.
//! **Invariant:** every write gives the item a ChangeKey it never had; an ItemId is never used twice.
//! **Invariant:** stored times are UTC; zones are applied when an answer is written.

pub mod element;
pub mod field;
pub mod item;
pub mod mailbox;
