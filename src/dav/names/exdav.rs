//! Refusals for which no standard has a name.

use crate::xml::Name;

/// The namespace.
pub(in crate::dav) const NAMESPACE: &str = "urn:ews-dav";

const fn name(local: &'static str) -> Name {
    Name::new(NAMESPACE, local)
}

// What Exchange cannot hold.
pub(in crate::dav) static OCCURRENCE_CROSSES_NEIGHBOUR: Name = name("occurrence-crosses-neighbour");
pub(in crate::dav) static UNSUPPORTED_RECURRENCE: Name = name("unsupported-recurrence");
pub(in crate::dav) static UNSUPPORTED_TIMEZONE: Name = name("unsupported-timezone");

// What each of them says.
pub(in crate::dav) static PART: Name = name("part");
pub(in crate::dav) static REASON: Name = name("reason");
