//! Filters and shapes of CalDAV and CardDAV reports over component trees.
//!
//! **Invariant:** pure: no I/O, no clock, no XML, no URL.

pub mod filter;
pub mod shape;
