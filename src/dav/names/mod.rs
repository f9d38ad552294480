//! The XML names of the clients' protocol, one file per namespace.
//!
//! **Invariant:** a name is written nowhere else in the program.

pub(super) mod apple;
pub(super) mod caldav;
pub(super) mod calendarserver;
pub(super) mod carddav;
pub(super) mod exdav;
pub(super) mod webdav;

/// The prefixes that answers use.
pub(super) static PREFIXES: &[(&str, &str)] = &[
    ("D", webdav::NAMESPACE),
    ("C", caldav::NAMESPACE),
    ("CARD", carddav::NAMESPACE),
    ("CS", calendarserver::NAMESPACE),
    ("A", apple::NAMESPACE),
    ("X", exdav::NAMESPACE),
];
