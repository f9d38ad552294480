//! The directory, and when people are busy.

use crate::model::item::Person;
use jiff::Timestamp;

/// Candidates for a name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resolved {
    /// At most a hundred.
    pub people: Vec<Person>,
    /// There are no others.
    pub is_complete: bool,
}

/// Whose names are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those of the directory.
    Directory,
    /// Those of the directory, then those of the user's own contacts.
    DirectoryAndContacts,
}

/// Somebody is not free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusyTime {
    /// From.
    pub start: Timestamp,
    /// To, exclusive.
    pub end: Timestamp,
    /// `Busy`, `Tentative`, `OOF`, `WorkingElsewhere`, `NoData`; never `Free`.
    pub status: String,
}

/// A time of somebody's calendar, as far as it is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedTime {
    /// From.
    pub start: Timestamp,
    /// To, exclusive.
    pub end: Timestamp,
    /// `Free`, `Busy`, `Tentative`, `OOF`, `WorkingElsewhere`.
    pub status: String,
    /// What it is about, where that is granted.
    pub subject: Option<String>,
    /// Where it is, where that is granted.
    pub location: Option<String>,
    /// Whether its owner keeps the rest back.
    pub is_private: bool,
}

/// People who are asked about at once. docs/EXCHANGE.md, Limits
pub const MAX_PEOPLE: usize = 100;
/// Days that are asked about at once. docs/EXCHANGE.md, Limits
pub const MAX_DAYS: i64 = 42;
