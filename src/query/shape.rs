//! Which part of an object a report returns.

use super::filter::TimeRange;

/// What is to come back of each object.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// No body was asked for.
    Nothing,
    /// The stored octets.
    Whole,
    /// `CALDAV:calendar-data` with children. RFC 4791 9.6
    Calendar(CalendarData),
    /// `CARDDAV:address-data` with children or a version. RFC 6352 10.4
    Card(AddressData),
}

/// `CALDAV:calendar-data`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CalendarData {
    /// `comp` tree; `None`: all components and properties.
    pub comp: Option<CompSelection>,
    /// `expand` or `limit-recurrence-set`
    pub recurrence: Option<RecurrenceShape>,
    /// `limit-freebusy-set`
    pub limit_freebusy: Option<TimeRange>,
}

/// How a recurring object is returned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RecurrenceShape {
    /// One component per instance in the range, times in UTC. RFC 4791 9.6.5
    Expand(TimeRange),
    /// The master and the overrides that touch the range. RFC 4791 9.6.6
    Limit(TimeRange),
}

/// `CALDAV:comp`. RFC 4791 9.6.1
#[derive(Clone, Debug, PartialEq)]
pub struct CompSelection {
    /// Component name, upper case.
    pub name: String,
    /// `None`: `allprop`
    pub props: Option<Vec<PropSelection>>,
    /// `None`: `allcomp`
    pub comps: Option<Vec<CompSelection>>,
}

/// `prop` inside calendar-data or address-data. RFC 4791 9.6.4
#[derive(Clone, Debug, PartialEq)]
pub struct PropSelection {
    /// Property name, upper case.
    pub name: String,
    /// `novalue="yes"`: name and parameters only.
    pub novalue: bool,
}

/// `CARDDAV:address-data`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AddressData {
    /// `None`: all properties.
    pub props: Option<Vec<PropSelection>>,
    /// Version asked for.
    pub version: CardVersion,
}

/// Versions of vCard that are served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CardVersion {
    /// RFC 2426
    #[default]
    V3,
    /// RFC 6350
    V4,
}
