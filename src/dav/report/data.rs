//! Which part of each member a report wants: `calendar-data` and `address-data`. RFC 4791 9.6, RFC 6352 10.4

use super::filter::{time_range, timezone};
use crate::dav::error::Error;
use crate::dav::names::{caldav, carddav, webdav};
use crate::dav::precondition::Precondition;
use crate::model::zone::Zone;
use crate::query::filter::TimeRange;
use crate::query::shape::{
    AddressData, CalendarData, CardVersion, CompSelection, PropSelection, RecurrenceShape, Shape,
};
use crate::query::zone_of_text;
use crate::xml::{Element, Name};

/// The shape of the bodies, with the name of the property that carries them.
#[derive(Clone)]
pub(super) struct Bodies {
    pub(super) shape: Shape,
    pub(super) name: Option<&'static Name>,
    /// In which days and floating times are told. RFC 4791 9.8
    pub(super) zone: Option<Zone>,
}

/// Reads what the `DAV:prop` of a report says of bodies.
pub(super) fn parse(report: &Element) -> Result<Bodies, Error> {
    let prop = report.child(&webdav::PROP);
    let zone = timezone(report)?.as_deref().and_then(zone_of_text);
    let find = |name| prop.and_then(|prop| prop.child(name));
    if let Some(data) = find(&caldav::CALENDAR_DATA) {
        return Ok(Bodies { shape: calendar(data)?, name: Some(&caldav::CALENDAR_DATA), zone });
    }
    if let Some(data) = find(&carddav::ADDRESS_DATA) {
        return Ok(Bodies { shape: card(data)?, name: Some(&carddav::ADDRESS_DATA), zone });
    }
    Ok(Bodies { shape: Shape::Nothing, name: None, zone })
}

fn calendar(data: &Element) -> Result<Shape, Error> {
    let media = data.attribute("content-type").unwrap_or("text/calendar");
    let version = data.attribute("version").unwrap_or("2.0");
    if !media.eq_ignore_ascii_case("text/calendar") || version != "2.0" {
        let text = format!("calendars are text/calendar version 2.0, not {media} version {version}");
        return Err(Error::Refused(Precondition::CalendarData, text));
    }
    let range = |name| data.child(name).map(closed_range).transpose();
    let recurrence = match (range(&caldav::EXPAND)?, range(&caldav::LIMIT_RECURRENCE_SET)?) {
        (Some(_), Some(_)) => {
            return Err(Error::Invalid("expand and limit-recurrence-set exclude each other".to_owned()));
        }
        (Some(range), None) => Some(RecurrenceShape::Expand(range)),
        (None, Some(range)) => Some(RecurrenceShape::Limit(range)),
        (None, None) => None,
    };
    let limit_freebusy = range(&caldav::LIMIT_FREEBUSY_SET)?;
    let comp = data.child(&caldav::COMP).map(comp).transpose()?;
    if comp.is_none() && recurrence.is_none() && limit_freebusy.is_none() {
        return Ok(Shape::Whole);
    }
    Ok(Shape::Calendar(CalendarData { comp, recurrence, limit_freebusy }))
}

/// Unlike that of a filter, a range to expand in has both ends. RFC 4791 9.6.5
fn closed_range(element: &Element) -> Result<TimeRange, Error> {
    let range = time_range(element)?;
    match range {
        TimeRange { start: Some(_), end: Some(_) } => Ok(range),
        _ => Err(Error::Invalid(format!("{} needs start and end", element.name().local()))),
    }
}

fn comp(element: &Element) -> Result<CompSelection, Error> {
    let name = named(element)?;
    let has = |name| element.child(name).is_some();
    // A component by its name alone is wanted whole (the example of RFC 4791 7.8.1), and one without a property has all
    // of them (9.6.1): an object without VERSION or UID would be none.
    let all_props = has(&caldav::ALLPROP) || !has(&caldav::PROP);
    let all_comps = has(&caldav::ALLCOMP) || element.children().next().is_none();
    let props = element.children().filter(|child| child.is(&caldav::PROP)).map(prop);
    let comps = element.children().filter(|child| child.is(&caldav::COMP)).map(comp);
    Ok(CompSelection {
        name,
        props: if all_props { None } else { Some(props.collect::<Result<_, _>>()?) },
        comps: if all_comps { None } else { Some(comps.collect::<Result<_, _>>()?) },
    })
}

fn prop(element: &Element) -> Result<PropSelection, Error> {
    Ok(PropSelection { name: named(element)?, novalue: element.attribute("novalue") == Some("yes") })
}

fn named(element: &Element) -> Result<String, Error> {
    let name = element.attribute("name").map(str::to_ascii_uppercase);
    name.ok_or_else(|| Error::Invalid(format!("{} needs a name", element.name().local())))
}

fn card(data: &Element) -> Result<Shape, Error> {
    let media = data.attribute("content-type").unwrap_or("text/vcard");
    let version = match data.attribute("version") {
        None | Some("3.0") => CardVersion::V3,
        Some("4.0") => CardVersion::V4,
        Some(other) => return Err(unsupported_card(media, other)),
    };
    if !media.eq_ignore_ascii_case("text/vcard") {
        return Err(unsupported_card(media, "3.0"));
    }
    let mut props = data.children().filter(|child| child.is(&carddav::PROP)).peekable();
    let all = data.child(&carddav::ALLPROP).is_some() || props.peek().is_none();
    let props = if all { None } else { Some(props.map(prop).collect::<Result<_, _>>()?) };
    if props.is_none() && version == CardVersion::V3 {
        return Ok(Shape::Whole);
    }
    Ok(Shape::Card(AddressData { props, version }))
}

fn unsupported_card(media: &str, version: &str) -> Error {
    let text = format!("contacts are text/vcard version 3.0 or 4.0, not {media} version {version}");
    Error::Refused(Precondition::AddressData, text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn shape(prop: &str) -> Result<Shape, Error> {
        let text = format!(
            "<x xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav' xmlns:A='urn:ietf:params:xml:ns:carddav'>\
             <D:prop><D:getetag/>{prop}</D:prop></x>"
        );
        parse(&Element::parse(text.as_bytes()).unwrap()).map(|bodies| bodies.shape)
    }

    #[test]
    fn a_plain_request_for_data_wants_the_stored_octets() {
        assert_eq!(shape("").unwrap(), Shape::Nothing);
        assert_eq!(shape("<C:calendar-data/>").unwrap(), Shape::Whole);
        assert_eq!(shape("<A:address-data content-type='text/vcard' version='3.0'/>").unwrap(), Shape::Whole);
    }

    #[test]
    fn parts_of_a_calendar_object_are_read_as_in_the_example_of_rfc_4791_9_6() {
        let shape = shape(
            "<C:calendar-data><C:comp name='VCALENDAR'><C:allprop/><C:comp name='vevent'>\
             <C:prop name='SUMMARY'/><C:prop name='UID' novalue='yes'/></C:comp></C:comp>\
             <C:expand start='20060103T000000Z' end='20060105T000000Z'/></C:calendar-data>",
        );
        let Shape::Calendar(data) = shape.unwrap() else { panic!() };
        let root = data.comp.unwrap();
        assert_eq!((root.name.as_str(), root.props.is_none()), ("VCALENDAR", true));
        let event = &root.comps.unwrap()[0];
        let props: Vec<_> = event.props.iter().flatten().map(|p| (p.name.as_str(), p.novalue)).collect();
        assert_eq!(props, [("SUMMARY", false), ("UID", true)]);
        assert!(matches!(data.recurrence, Some(RecurrenceShape::Expand(_))));
    }

    #[test]
    fn what_cannot_be_given_is_refused_by_name() {
        let refused = |prop| match shape(prop) {
            Err(Error::Refused(precondition, _)) => precondition,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused("<C:calendar-data version='3.0'/>"), Precondition::CalendarData);
        assert_eq!(
            refused("<C:calendar-data content-type='application/calendar+json'/>"),
            Precondition::CalendarData
        );
        assert_eq!(refused("<A:address-data version='2.1'/>"), Precondition::AddressData);
        assert!(shape("<C:calendar-data><C:expand start='20060103T000000Z'/></C:calendar-data>").is_err());
    }

    #[test]
    fn version_4_is_a_shape_of_its_own() {
        let shape = shape("<A:address-data content-type='text/vcard' version='4.0'/>").unwrap();
        assert_eq!(shape, Shape::Card(AddressData { props: None, version: CardVersion::V4 }));
    }
}
