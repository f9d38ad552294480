//! Filters as clients write them. RFC 4791 9.7, RFC 6352 10.5

use crate::dav::error::Error;
use crate::dav::names::{caldav, carddav};
use crate::dav::precondition::Precondition;
use crate::query::filter::{
    AnyAll, CalendarFilter, CardFilter, CardPropFilter, Collation, CompFilter, CompTest, MatchKind,
    ParamFilter, ParamTest, PropFilter, PropTest, TextMatch, TimeRange,
};
use crate::xml::{Element, Name};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The dialect: CalDAV and CardDAV write the same things in two namespaces with different defaults.
struct Dialect {
    is_not_defined: &'static Name,
    text_match: &'static Name,
    param_filter: &'static Name,
    collation: Collation,
    filter: Precondition,
    unknown_collation: Precondition,
}

static CALENDAR: Dialect = Dialect {
    is_not_defined: &caldav::IS_NOT_DEFINED,
    text_match: &caldav::TEXT_MATCH,
    param_filter: &caldav::PARAM_FILTER,
    collation: Collation::AsciiCasemap, // RFC 4791 9.7.5
    filter: Precondition::CalendarFilter,
    unknown_collation: Precondition::CalendarCollation,
};

static CARD: Dialect = Dialect {
    is_not_defined: &carddav::IS_NOT_DEFINED,
    text_match: &carddav::TEXT_MATCH,
    param_filter: &carddav::PARAM_FILTER,
    collation: Collation::UnicodeCasemap, // RFC 6352 10.5.4
    filter: Precondition::CardFilter,
    unknown_collation: Precondition::CardCollation,
};

/// Elements of one filter.
const MAX_CONDITIONS: usize = 2_000;
/// Time-ranges of one filter: each may have to walk through every series.
const MAX_RANGES: usize = 16;
/// Octets that are looked for.
const MAX_TEXT: usize = 4096;

/// The filter of a calendar-query, with its time zone.
pub(super) fn calendar(report: &Element) -> Result<CalendarFilter, Error> {
    let filter = report.child(&caldav::FILTER).ok_or_else(|| CALENDAR.invalid("there is no filter"))?;
    CALENDAR.check_size(filter)?;
    let mut comps = filter.children();
    let root = match (comps.next(), comps.next()) {
        (Some(root), None) if root.is(&caldav::COMP_FILTER) => comp(root, "")?,
        _ => return Err(CALENDAR.invalid("a filter has one comp-filter")),
    };
    Ok(CalendarFilter { root, timezone: timezone(report)? })
}

/// `CALDAV:timezone`, an iCalendar object with one VTIMEZONE alone, or `CALDAV:timezone-id`. RFC 4791 9.8, RFC 7809 5.2
pub(super) fn timezone(report: &Element) -> Result<Option<String>, Error> {
    let (object, id) = (report.child(&caldav::TIMEZONE), report.child(&caldav::TIMEZONE_ID));
    let Some(text) = object.or(id).map(|zone| zone.text().trim().to_owned()).filter(|text| !text.is_empty())
    else {
        return Ok(None);
    };
    if object.is_some() && text.contains("BEGIN:") && !crate::query::is_one_zone(&text) {
        let text = "timezone is an iCalendar object with one VTIMEZONE and nothing else".to_owned();
        return Err(Error::Refused(Precondition::CalendarData, text));
    }
    Ok(Some(text))
}

/// The components of RFC 5545 (and 7953) that are known, with those that they are in. RFC 4791 7.8 valid-filter
const NESTING: [(&str, &[&str]); 11] = [
    ("VCALENDAR", &[""]),
    ("VEVENT", &["VCALENDAR"]),
    ("VTODO", &["VCALENDAR"]),
    ("VJOURNAL", &["VCALENDAR"]),
    ("VFREEBUSY", &["VCALENDAR"]),
    ("VTIMEZONE", &["VCALENDAR"]),
    ("VAVAILABILITY", &["VCALENDAR"]),
    ("AVAILABLE", &["VAVAILABILITY"]),
    ("VALARM", &["VEVENT", "VTODO"]),
    ("STANDARD", &["VTIMEZONE"]),
    ("DAYLIGHT", &["VTIMEZONE"]),
];
/// Components that take place. RFC 4791 9.9
const TIMED: [&str; 8] =
    ["VCALENDAR", "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VALARM", "VAVAILABILITY", "AVAILABLE"];
/// Properties whose values are dates or times. RFC 5545 8.3.2
const MOMENTS: [&str; 13] = [
    "ACKNOWLEDGED",
    "COMPLETED",
    "CREATED",
    "DTEND",
    "DTSTAMP",
    "DTSTART",
    "DUE",
    "EXDATE",
    "FREEBUSY",
    "LAST-MODIFIED",
    "RDATE",
    "RECURRENCE-ID",
    "TRIGGER",
];

fn comp(element: &Element, outer: &str) -> Result<CompFilter, Error> {
    let name = CALENDAR.named(element)?;
    let known = NESTING.iter().find(|(known, _)| *known == name);
    if known.map_or(outer.is_empty(), |(_, within)| !within.contains(&outer)) {
        let text = match outer {
            "" => "the outermost comp-filter is for VCALENDAR".to_owned(),
            outer => format!("there is no {name} in a {outer}"),
        };
        return Err(CALENDAR.invalid(&text));
    }
    if CALENDAR.is_absent(element)? {
        return Ok(CompFilter { name, test: CompTest::Absent });
    }
    let (mut range, mut props, mut comps) = (None, Vec::new(), Vec::new());
    for child in element.children() {
        if child.is(&caldav::TIME_RANGE) && (range.is_some() || !TIMED.contains(&name.as_str())) {
            return Err(CALENDAR.invalid(&format!("a comp-filter for {name} has no such time-range")));
        } else if child.is(&caldav::TIME_RANGE) {
            range = Some(time_range(child)?);
        } else if child.is(&caldav::PROP_FILTER) {
            props.push(prop(child)?);
        } else if child.is(&caldav::COMP_FILTER) {
            comps.push(comp(child, &name)?);
        } else {
            return Err(CALENDAR.stranger(child));
        }
    }
    Ok(CompFilter { name, test: CompTest::Present { time_range: range, props, comps } })
}

fn prop(element: &Element) -> Result<PropFilter, Error> {
    let name = CALENDAR.named(element)?;
    if CALENDAR.is_absent(element)? {
        return Ok(PropFilter { name, test: PropTest::Absent });
    }
    let (mut range, mut text, mut params) = (None, None, Vec::new());
    for child in element.children() {
        let is_condition = child.is(&caldav::TIME_RANGE) || child.is(&caldav::TEXT_MATCH);
        if is_condition && (range.is_some() || text.is_some()) {
            return Err(CALENDAR.invalid("a prop-filter has one time-range or one text-match"));
        } else if child.is(&caldav::TIME_RANGE) {
            if !MOMENTS.contains(&name.as_str()) && !name.starts_with("X-") {
                return Err(CALENDAR.invalid(&format!("{name} is no time: it has no time-range")));
            }
            range = Some(time_range(child)?);
        } else if child.is(&caldav::TEXT_MATCH) {
            text = Some(CALENDAR.text_match(child)?);
        } else if child.is(&caldav::PARAM_FILTER) {
            params.push(CALENDAR.param(child)?);
        } else {
            return Err(CALENDAR.stranger(child));
        }
    }
    Ok(PropFilter { name, test: PropTest::Present { time_range: range, text, params } })
}

/// The filter of an addressbook-query.
pub(super) fn card(report: &Element) -> Result<CardFilter, Error> {
    let filter = report.child(&carddav::FILTER).ok_or_else(|| CARD.invalid("there is no filter"))?;
    CARD.check_size(filter)?;
    let mut props = Vec::new();
    for child in filter.children() {
        if !child.is(&carddav::PROP_FILTER) {
            return Err(CARD.stranger(child));
        }
        props.push(card_prop(child)?);
    }
    Ok(CardFilter { test: any_all(filter)?, props })
}

fn card_prop(element: &Element) -> Result<CardPropFilter, Error> {
    let (mut texts, mut params) = (Vec::new(), Vec::new());
    let absent = CARD.is_absent(element)?;
    for child in element.children().filter(|_| !absent) {
        if child.is(&carddav::TEXT_MATCH) {
            texts.push(CARD.text_match(child)?);
        } else if child.is(&carddav::PARAM_FILTER) {
            params.push(CARD.param(child)?);
        } else {
            return Err(CARD.stranger(child));
        }
    }
    Ok(CardPropFilter { name: CARD.named(element)?, test: any_all(element)?, absent, texts, params })
}

fn any_all(element: &Element) -> Result<AnyAll, Error> {
    match element.attribute("test") {
        None | Some("anyof") => Ok(AnyAll::Any),
        Some("allof") => Ok(AnyAll::All),
        Some(other) => Err(CARD.invalid(&format!("`test` is anyof or allof, not `{other}`"))),
    }
}

impl Dialect {
    fn invalid(&self, text: &str) -> Error {
        Error::Refused(self.filter, text.to_owned())
    }

    fn stranger(&self, element: &Element) -> Error {
        self.invalid(&format!("`{}` has no meaning here", element.name()))
    }

    fn named(&self, element: &Element) -> Result<String, Error> {
        let name = element.attribute("name").filter(|name| !name.is_empty()).map(str::to_ascii_uppercase);
        name.ok_or_else(|| self.invalid(&format!("{} needs a name", element.name().local())))
    }

    /// `is-not-defined` stands alone. RFC 4791 9.7.4
    fn is_absent(&self, element: &Element) -> Result<bool, Error> {
        match (element.child(self.is_not_defined), element.children().count()) {
            (None, _) => Ok(false),
            (Some(_), 1) => Ok(true),
            (Some(_), _) => Err(self.invalid("is-not-defined excludes every other condition")),
        }
    }

    fn param(&self, element: &Element) -> Result<ParamFilter, Error> {
        let name = self.named(element)?;
        let test = if self.is_absent(element)? {
            ParamTest::Absent
        } else {
            match element.children().next() {
                None => ParamTest::Present,
                Some(_) if element.children().count() > 1 => {
                    return Err(self.invalid("a param-filter has one condition"));
                }
                Some(child) if child.is(self.text_match) => ParamTest::Matches(self.text_match(child)?),
                Some(child) if child.is(self.param_filter) => return Err(self.stranger(child)),
                Some(child) => return Err(self.stranger(child)),
            }
        };
        Ok(ParamFilter { name, test })
    }

    /// The work of a query grows with each condition.
    fn check_size(&self, filter: &Element) -> Result<(), Error> {
        let (mut conditions, mut ranges) = (0, 0);
        let mut open = vec![filter];
        while let Some(element) = open.pop() {
            conditions += 1;
            ranges += usize::from(element.is(&caldav::TIME_RANGE));
            if conditions > MAX_CONDITIONS || ranges > MAX_RANGES {
                let text = format!("at most {MAX_CONDITIONS} conditions and {MAX_RANGES} time-ranges");
                return Err(self.invalid(&format!("the filter is too large: {text}")));
            }
            open.extend(element.children());
        }
        Ok(())
    }

    fn text_match(&self, element: &Element) -> Result<TextMatch, Error> {
        if element.text().len() > MAX_TEXT {
            return Err(self.invalid(&format!("a text-match has at most {MAX_TEXT} octets")));
        }
        if let Some(child) = element.children().next() {
            return Err(self.stranger(child));
        }
        let collation = match element.attribute("collation") {
            None | Some("default") => self.collation,
            Some("i;ascii-casemap") => Collation::AsciiCasemap,
            Some("i;unicode-casemap") => Collation::UnicodeCasemap,
            Some("i;octet") => Collation::Octet,
            Some(other) => {
                let text = format!("`{other}` is no collation of this server");
                return Err(Error::Refused(self.unknown_collation, text));
            }
        };
        let kind = match element.attribute("match-type") {
            None | Some("contains") => MatchKind::Contains,
            Some("equals") => MatchKind::Equals,
            Some("starts-with") => MatchKind::StartsWith,
            Some("ends-with") => MatchKind::EndsWith,
            Some(other) => return Err(self.invalid(&format!("`{other}` is no match-type"))),
        };
        let negate = match element.attribute("negate-condition") {
            None | Some("no") => false,
            Some("yes") => true,
            Some(other) => {
                return Err(self.invalid(&format!("negate-condition is yes or no, not `{other}`")));
            }
        };
        Ok(TextMatch { text: element.text().into_owned(), kind, collation, negate })
    }
}

/// `time-range` and its relatives: dates with time in UTC, one end may be missing. RFC 4791 9.9
pub(super) fn time_range(element: &Element) -> Result<TimeRange, Error> {
    let end_of = |name| element.attribute(name).map(utc).transpose();
    let range = TimeRange { start: end_of("start")?, end: end_of("end")? };
    match (range.start, range.end) {
        (None, None) => Err(CALENDAR.invalid("a time-range needs start or end")),
        (Some(start), Some(end)) if start >= end => {
            Err(CALENDAR.invalid("a time-range ends after its start"))
        }
        _ => Ok(range),
    }
}

fn utc(text: &str) -> Result<Timestamp, Error> {
    let parsed = text.strip_suffix('Z').and_then(|local| DateTime::strptime("%Y%m%dT%H%M%S", local).ok());
    parsed
        .and_then(|local| local.to_zoned(TimeZone::UTC).ok())
        .map(|zoned| zoned.timestamp())
        .ok_or_else(|| CALENDAR.invalid(&format!("`{text}` is no UTC time such as 20260101T000000Z")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn parsed(filter: &str) -> Result<CalendarFilter, Error> {
        let text = format!(
            "<calendar-query xmlns='urn:ietf:params:xml:ns:caldav'><filter>{filter}</filter></calendar-query>"
        );
        calendar(&Element::parse(text.as_bytes()).unwrap())
    }

    fn cards(filter: &str) -> Result<CardFilter, Error> {
        let text =
            format!("<addressbook-query xmlns='urn:ietf:params:xml:ns:carddav'>{filter}</addressbook-query>");
        card(&Element::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn nested_filters_are_read() {
        let filter = parsed(
            "<comp-filter name='VCALENDAR'><comp-filter name='vevent'>\
             <time-range start='20060104T000000Z' end='20060105T000000Z'/>\
             <prop-filter name='ATTENDEE'><text-match collation='i;octet' negate-condition='yes'>a</text-match>\
             <param-filter name='PARTSTAT'><text-match>NEEDS-ACTION</text-match></param-filter></prop-filter>\
             <comp-filter name='VALARM'><is-not-defined/></comp-filter></comp-filter></comp-filter>",
        )
        .unwrap();
        let CompTest::Present { comps, .. } = filter.root.test else { panic!() };
        let CompTest::Present { time_range, props, comps } = &comps[0].test else { panic!() };
        assert_eq!(time_range.unwrap().start.unwrap().to_string(), "2006-01-04T00:00:00Z");
        assert_eq!(comps[0].test, CompTest::Absent);
        let PropTest::Present { text: Some(text), params, .. } = &props[0].test else { panic!() };
        assert!(text.negate && text.collation == Collation::Octet);
        assert!(
            matches!(&params[0].test, ParamTest::Matches(text) if text.collation == Collation::AsciiCasemap)
        );
    }

    #[test]
    fn filters_without_sense_are_refused_with_their_precondition() {
        let reason = |filter: &str| match parsed(filter) {
            Err(Error::Refused(precondition, _)) => precondition,
            other => panic!("{filter}: {other:?}"),
        };
        for filter in [
            "",
            "<comp-filter name='VEVENT'/>",
            "<comp-filter/>",
            "<comp-filter name='VCALENDAR'><time-range/></comp-filter>",
            "<comp-filter name='VCALENDAR'><time-range start='20060105T000000'/></comp-filter>",
            "<comp-filter name='VCALENDAR'><time-range start='20060105T000000Z' end='20060104T000000Z'/></comp-filter>",
            "<comp-filter name='VCALENDAR'><is-not-defined/><comp-filter name='VEVENT'/></comp-filter>",
            "<comp-filter name='VCALENDAR'><nonsense/></comp-filter>",
        ] {
            assert_eq!(reason(filter), Precondition::CalendarFilter, "{filter}");
        }
        let unknown = "<comp-filter name='VCALENDAR'><prop-filter name='X'>\
                       <text-match collation='i;basque'>x</text-match></prop-filter></comp-filter>";
        assert_eq!(reason(unknown), Precondition::CalendarCollation);
    }

    #[test]
    fn contacts_compare_by_unicode_and_any_condition_is_enough() {
        let filter = cards(
            "<filter><prop-filter name='fn' test='allof'>\
             <text-match match-type='starts-with'>Ä</text-match><text-match>b</text-match></prop-filter></filter>",
        )
        .unwrap();
        assert_eq!(filter.test, AnyAll::Any);
        assert_eq!((filter.props[0].name.as_str(), filter.props[0].test), ("FN", AnyAll::All));
        assert_eq!(filter.props[0].texts[0].collation, Collation::UnicodeCasemap);
        assert_eq!(filter.props[0].texts[0].kind, MatchKind::StartsWith);
        assert!(cards("").is_err());
        assert!(cards("<filter test='some'/>").is_err());
        assert_eq!(cards("<filter/>").unwrap().props, []);
    }
}
