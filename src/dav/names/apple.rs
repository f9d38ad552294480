//! What Apple's programs added.

use crate::xml::Name;

/// The namespace.
pub(in crate::dav) const NAMESPACE: &str = "http://apple.com/ns/ical/";

const fn name(local: &'static str) -> Name {
    Name::new(NAMESPACE, local)
}

// Seen: macOS, iOS, and all others since
pub(in crate::dav) static CALENDAR_COLOR: Name = name("calendar-color");
pub(in crate::dav) static CALENDAR_ORDER: Name = name("calendar-order");
