//! What calendars, contacts and tasks mean, with their arithmetic.
//!
//! **Invariant:** no text syntax, no XML, no I/O, no clock; nothing here is shaped by one upstream alone.

pub mod capabilities;
pub mod collection;
pub mod field_group;
pub mod id;
pub mod item;
pub mod object;
pub mod recurrence;
pub mod refusal;
pub mod windows_zones;
pub mod zone;
