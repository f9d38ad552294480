//! Filters and shapes of CalDAV and CardDAV reports over component trees.
//!
//! [`matches`] says whether an object is meant, [`shape`] cuts out what is to come back of it, [`free_busy`] adds up
//! busy time. Floating and all-day values are told in the zone that is passed in ([`zone`] finds the request's).
//!
//! **Invariant:** pure: no I/O, no clock, no XML, no URL.
//! **Invariant:** work is bounded: endless series are looked at only as far as a range asks.

pub mod filter;
pub mod shape;

use crate::model::object::Span;
use crate::model::zone::Zone;
use crate::text::Component;
use filter::{Filter, TimeRange};
use jiff::Timestamp;
use shape::Shape;

/// Whether an object is meant.
pub fn matches(filter: &Filter, object: &Component, zone: &Zone) -> bool {
    let _ = (filter, object, zone);
    true
}

/// Whether an object with this span may match: those for which this is false need not be parsed.
pub fn may_match(filter: &Filter, span: &Span) -> bool {
    let _ = (filter, span);
    true
}

/// The zone that a request asks floating values to be read in, if it names a known one.
pub fn zone(filter: &Filter) -> Option<Zone> {
    let _ = filter;
    None
}

/// What is to come back of an object; `None` when nothing of it is (no body was asked for, or `expand` left no
/// instance).
pub fn shape(shape: &Shape, object: &Component, zone: &Zone) -> Option<Component> {
    let _ = zone;
    match shape {
        Shape::Nothing => None,
        Shape::Whole | Shape::Calendar(_) | Shape::Card(_) => Some(object.clone()),
    }
}

/// Busy time of calendar objects within a range as a VCALENDAR with one VFREEBUSY. RFC 4791 7.10
pub fn free_busy(objects: &[Component], range: &TimeRange, zone: &Zone, now: Timestamp) -> Component {
    let _ = (objects, range, zone, now);
    Component::new("VCALENDAR")
}
