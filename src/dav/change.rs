//! The table of properties that clients may set, and the requests that set them.

use super::error::Error;
use super::kinds::Kinds;
use super::names::{apple, caldav, carddav, webdav};
use crate::gateway::write::{CollectionChange, Field};
use crate::query;
use crate::xml::{Element, Name};

/// Property, where, and which field of the collection it is.
static SETTABLE: &[(&Name, Kinds, Field)] = &[
    (&webdav::DISPLAYNAME, Kinds::COLLECTIONS, Field::DisplayName),
    (&caldav::CALENDAR_DESCRIPTION, Kinds::CALENDARS, Field::Description),
    (&carddav::ADDRESSBOOK_DESCRIPTION, Kinds::BOOK, Field::Description),
    (&caldav::CALENDAR_TIMEZONE, Kinds::CALENDARS, Field::TimeZone),
    (&apple::CALENDAR_COLOR, Kinds::CALENDARS, Field::Color),
    (&apple::CALENDAR_ORDER, Kinds::CALENDARS, Field::Order),
];

/// One property of a request to set or remove properties.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) name: Name,
    /// `None` to remove it.
    pub(super) value: Option<Element>,
}

/// All properties of a propertyupdate, mkcol or mkcalendar, in their order. RFC 4918 9.2
pub(super) fn parse(request: &Element) -> Vec<Asked> {
    let mut asked = Vec::new();
    for action in request.children() {
        let is_set = action.is(&webdav::SET);
        if !is_set && !action.is(&webdav::REMOVE) {
            continue;
        }
        let props = action.children().filter(|child| child.is(&webdav::PROP)).flat_map(Element::children);
        asked.extend(props.map(|property| Asked {
            name: property.name().clone(),
            value: is_set.then(|| property.clone()),
        }));
    }
    asked
}

impl Asked {
    /// The change of a collection that it means; `None` for a property that cannot be set there.
    pub(super) fn change(&self, kinds: Kinds) -> Option<Result<CollectionChange, Error>> {
        let (_, _, field) = SETTABLE.iter().find(|(name, on, _)| **name == self.name && on.meets(kinds))?;
        let value = self.value.as_ref().map(|element| checked(*field, &element.text())).transpose();
        Some(value.map(|value| CollectionChange { field: *field, value }))
    }
}

/// A value that can be kept, in the form in which it is kept.
fn checked(field: Field, text: &str) -> Result<String, Error> {
    let trimmed = text.trim();
    let wrong = |text: &str| Err(Error::Invalid(text.to_owned()));
    match field {
        Field::DisplayName if trimmed.is_empty() => wrong("a display name is not empty"),
        Field::DisplayName => Ok(trimmed.to_owned()),
        Field::Description => Ok(text.to_owned()),
        Field::Color => color(trimmed).map_or_else(|| wrong("a colour is #RRGGBB or #RRGGBBAA"), Ok),
        Field::Order => match trimmed.parse::<u32>() {
            Ok(number) => Ok(number.to_string()),
            Err(_) => wrong("an order is a number"),
        },
        Field::TimeZone => {
            if query::is_one_zone(text) {
                Ok(text.to_owned())
            } else {
                wrong("a time zone is an iCalendar text with one VTIMEZONE and nothing else")
            }
        }
    }
}

/// Apple's form has transparency.
fn color(text: &str) -> Option<String> {
    let digits = text.strip_prefix('#')?;
    let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    match (hex, digits.len()) {
        (true, 6) => Some(format!("#{}FF", digits.to_ascii_uppercase())),
        (true, 8) => Some(format!("#{}", digits.to_ascii_uppercase())),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn asked(inner: &str) -> Vec<Asked> {
        let text = format!(
            "<D:propertyupdate xmlns:D='DAV:' xmlns:A='http://apple.com/ns/ical/'>{inner}</D:propertyupdate>"
        );
        parse(&Element::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn properties_are_set_and_removed_in_their_order() {
        let asked = asked(
            "<D:set><D:prop><A:calendar-color symbolic-color='red'> #ff8000 </A:calendar-color></D:prop></D:set>\
             <D:remove><D:prop><D:displayname/><D:getetag/></D:prop></D:remove>",
        );
        let changes: Vec<_> = asked.iter().map(|a| a.change(Kinds::CALENDAR)).collect();
        let color = CollectionChange { field: Field::Color, value: Some("#FF8000FF".to_owned()) };
        assert_eq!(changes[0].as_ref().unwrap().as_ref().unwrap(), &color);
        let name = CollectionChange { field: Field::DisplayName, value: None };
        assert_eq!(changes[1].as_ref().unwrap().as_ref().unwrap(), &name);
        assert!(changes[2].is_none(), "an entity tag is not for clients to set");
    }

    #[test]
    fn values_that_cannot_be_kept_are_refused() {
        for inner in [
            "<A:calendar-color>red</A:calendar-color>",
            "<A:calendar-color>#12345</A:calendar-color>",
            "<A:calendar-order>first</A:calendar-order>",
            "<D:displayname> </D:displayname>",
        ] {
            let asked = asked(&format!("<D:set><D:prop>{inner}</D:prop></D:set>"));
            assert!(asked[0].change(Kinds::CALENDAR).unwrap().is_err(), "{inner}");
        }
    }

    #[test]
    fn an_address_book_has_no_colour() {
        let asked = asked("<D:set><D:prop><A:calendar-color>#FF0000</A:calendar-color></D:prop></D:set>");
        assert!(asked[0].change(Kinds::BOOK).is_none());
    }
}
