//! Filters and shapes of CalDAV and CardDAV reports over component trees.
//!
//! [`matches`] says whether an object is meant, [`shape`] cuts out what is to come back of it, [`free_busy`] adds up
//! busy time. Floating and all-day values are told in the zone that is passed in ([`zone`] finds the request's).
//!
//! **Invariant:** pure: no I/O, no clock, no XML, no URL.
//! **Invariant:** work is bounded: endless series are looked at only as far as a range asks.

mod busy;
mod cut;
pub mod filter;
mod instance;
mod matching;
pub mod shape;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
mod text_match;

pub use crate::text::moment::zone_of_text;
pub use busy::{BusyPeriod, busy_time, free_busy};

use crate::model::object::Span;
use crate::model::zone::Zone;
use crate::text::{self, Component};
use filter::{Filter, TimeRange};
use shape::{RecurrenceShape, Shape};

/// Whether a text is an iCalendar object that explains one zone and holds nothing else. RFC 4791 5.2.2
pub fn is_one_zone(text: &str) -> bool {
    Component::parse(text.as_bytes()).is_ok_and(|calendar| {
        let mut children = calendar.children.iter();
        let first = children.next();
        calendar.name == "VCALENDAR"
            && first.is_some_and(|zone| zone.name == "VTIMEZONE" && zone.line("TZID").is_some())
            && children.next().is_none()
    })
}

/// Reads as much of an object as [`matches`] looks at.
pub fn read(filter: &Filter, object: &[u8]) -> Result<Component, text::Error> {
    match filter {
        Filter::Calendar(filter) if filter.asks_for_times_alone() => Component::parse_only(object, |name| {
            matching::TIMES.iter().any(|known| known.eq_ignore_ascii_case(name))
        }),
        Filter::Calendar(_) | Filter::Card(_) => Component::parse(object),
    }
}

/// Whether an object is meant.
pub fn matches(filter: &Filter, object: &Component, zone: &Zone) -> bool {
    match filter {
        Filter::Calendar(filter) => matching::calendar(filter, object, zone),
        Filter::Card(filter) => matching::card(filter, object),
    }
}

/// What the index alone says of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Foreseen {
    /// It matches, whatever it holds.
    Matches,
    /// It has to be read.
    Unknown,
    /// It cannot match.
    Fails,
}

/// What is known of an object that holds components of one name (`VEVENT`, `VTODO`, `VCARD`) and takes place in a
/// span: only where the answer is [`Foreseen::Unknown`] need it be parsed.
pub fn foresee(filter: &Filter, component: &str, span: &Span) -> Foreseen {
    match filter {
        Filter::Calendar(filter) => matching::foresee(filter, component, span),
        Filter::Card(filter) if filter.props.is_empty() => Foreseen::Matches,
        Filter::Card(_) => Foreseen::Unknown,
    }
}

/// The range of time that an object has to touch to match, as far as its span tells.
pub fn range(filter: &Filter, component: &str) -> TimeRange {
    match filter {
        Filter::Calendar(filter) => matching::range(filter, component),
        Filter::Card(_) => TimeRange { start: None, end: None },
    }
}

/// The zone that a request asks floating values to be read in, if it names a known one. RFC 4791 9.8
pub fn zone(filter: &Filter) -> Option<Zone> {
    match filter {
        Filter::Calendar(filter) => zone_of_text(filter.timezone.as_deref()?),
        Filter::Card(_) => None,
    }
}

/// `expand` would give more than an answer may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMuch;

/// Octets that an object may grow to in this shape; 0 where it does not grow.
pub fn most(shape: &Shape) -> usize {
    match shape {
        Shape::Calendar(data) if matches!(data.recurrence, Some(RecurrenceShape::Expand(_))) => {
            cut::MAX_EXPANDED
        }
        _ => 0,
    }
}

/// What is to come back of an object; `None` when nothing of it is: no body was asked for, or `expand` left no
/// instance.
pub fn shape(shape: &Shape, object: &Component, zone: &Zone) -> Result<Option<Component>, TooMuch> {
    Ok(match shape {
        Shape::Nothing => None,
        Shape::Whole => Some(object.clone()),
        Shape::Calendar(data) => cut::calendar(data, object, zone)?,
        Shape::Card(data) => Some(cut::card(data, object)),
    })
}
