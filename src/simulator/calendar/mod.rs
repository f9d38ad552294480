//! What Exchange knows of calendars: patterns, occurrences, zones, and the rules for writing calendar items.

pub mod meetings;
pub mod occurrence;
pub mod pattern;
pub mod series;
pub mod write;
pub mod zone;
