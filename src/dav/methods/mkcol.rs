//! MKCALENDAR and extended MKCOL. RFC 4791 5.3.1, RFC 5689 3
//!
//! Properties that are not kept here are passed over: clients send all that they know, and would otherwise get no
//! collection at all.

use crate::dav::change;
use crate::dav::error::Error;
use crate::dav::kinds::Kinds;
use crate::dav::methods::Verb;
use crate::dav::names::{caldav, carddav, webdav};
use crate::dav::path::{ResourcePath, Space};
use crate::dav::precondition::Precondition;
use crate::dav::resource;
use crate::dav::session::Session;
use crate::gateway::Mailbox;
use crate::gateway::write::{CollectionChange, NewCollection};
use crate::gateway::{self};
use crate::model::collection::CollectionKind;
use crate::xml::{Element, Name};
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

pub(in crate::dav) async fn make(
    session: Session,
    place: &ResourcePath,
    verb: Verb,
    body: &[u8],
) -> Result<Response, Error> {
    let ResourcePath::Collection(space, id) = place else { return Err(Error::NotFound) };
    let request = parse(body)?;
    let kind = kind(verb, *space, request.as_ref())?;
    let properties =
        request.as_ref().map(|request| properties(request, kind)).transpose()?.unwrap_or_default();
    if matches!(resource::collection(&session.mailbox, *space, id).await, Err(Error::NotFound)) {
        session.conditions(place).await?.judge(None)?;
    }
    let new = NewCollection { id: id.clone(), kind, properties };
    let collection = session.mailbox.create_collection(new).await.map_err(|error| match (error, verb) {
        // RFC 4918 9.3.1
        (gateway::Error::Exists, Verb::Mkcol) => Error::NotAllowed(Kinds::of_place(place)),
        (other, _) => other.into(),
    })?;
    let mut response = StatusCode::CREATED.into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(location) = HeaderValue::from_str(&session.hrefs.collection(&collection)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// Why a collection cannot be made at a place where there is no such method: only a home has collections in it.
pub(in crate::dav) async fn misplaced(
    mailbox: &Mailbox,
    method: &Method,
    place: &ResourcePath,
) -> Option<Error> {
    let is_calendar = match method.as_str() {
        "MKCALENDAR" => true,
        "MKCOL" => false,
        _ => return None,
    };
    let (at, text) = match place {
        ResourcePath::Member(space, id, _) => {
            if let Err(Error::NotFound) = resource::collection(mailbox, *space, id).await {
                return Some(Error::NoParent);
            }
            (*space, "a collection has no collections in it: make it beside this one")
        }
        ResourcePath::Collection(Space::Cards, _) if is_calendar => {
            (Space::Calendars, "calendars are made in the home of calendars")
        }
        _ => return None,
    };
    let precondition = match at {
        Space::Calendars => Precondition::CalendarLocation,
        Space::Cards => Precondition::BookLocation,
    };
    Some(Error::Refused(precondition, text.to_owned()))
}

fn parse(body: &[u8]) -> Result<Option<Element>, Error> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let request = Element::parse(body)?;
    if !request.is(&webdav::MKCOL) && !request.is(&caldav::MKCALENDAR) {
        return Err(Error::Invalid(format!("the body is {}, not a mkcol or mkcalendar", request.name())));
    }
    Ok(Some(request))
}

/// What is to be made: MKCALENDAR says it by its name, MKCOL by the resource type.
fn kind(verb: Verb, space: Space, request: Option<&Element>) -> Result<CollectionKind, Error> {
    let asked = |name: &Name| {
        let properties = request.map(change::parse).unwrap_or_default();
        properties.into_iter().find(|asked| asked.name == *name).and_then(|asked| asked.value)
    };
    if verb == Verb::Mkcol {
        let types = asked(&webdav::RESOURCETYPE);
        let has = |name| types.as_ref().is_some_and(|types| types.child(name).is_some());
        let fits = match space {
            Space::Calendars => has(&caldav::CALENDAR),
            Space::Cards => has(&carddav::ADDRESSBOOK),
        };
        if !fits {
            let text = match space {
                Space::Calendars => "only calendars can be made here: give the resourcetype",
                Space::Cards => "only address books can be made here: give the resourcetype",
            };
            return Err(Error::Refused(Precondition::ResourceType, text.to_owned()));
        }
    }
    if space == Space::Cards {
        return Ok(CollectionKind::AddressBook);
    }
    let components: Vec<String> = asked(&caldav::SUPPORTED_CALENDAR_COMPONENT_SET)
        .iter()
        .flat_map(Element::children)
        .filter_map(|comp| comp.attribute("name").map(str::to_ascii_uppercase))
        .collect();
    // A folder of Exchange holds events or tasks; those who ask for both get events.
    let events = components.is_empty() || components.iter().any(|name| name == "VEVENT");
    let tasks = components.iter().any(|name| name == "VTODO");
    match (events, tasks) {
        (true, _) => Ok(CollectionKind::Calendar),
        (false, true) => Ok(CollectionKind::Tasks),
        (false, false) => {
            let text = format!("a calendar can hold VEVENT or VTODO, not {}", components.join(", "));
            Err(Error::Refused(Precondition::CalendarComponent, text))
        }
    }
}

fn properties(request: &Element, kind: CollectionKind) -> Result<Vec<CollectionChange>, Error> {
    let kinds = match kind {
        CollectionKind::Calendar => Kinds::CALENDAR,
        CollectionKind::Tasks => Kinds::TASKS,
        CollectionKind::AddressBook => Kinds::BOOK,
    };
    let mut changes = Vec::new();
    for change in change::parse(request).iter().filter_map(|asked| asked.change(kinds)) {
        changes.push(change?);
    }
    Ok(changes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    const REMINDERS: &str = "<B:mkcalendar xmlns:B='urn:ietf:params:xml:ns:caldav'><A:set xmlns:A='DAV:'><A:prop>\
        <B:calendar-free-busy-set><NO/></B:calendar-free-busy-set><B:supported-calendar-component-set>\
        <B:comp name='VTODO'/></B:supported-calendar-component-set><A:displayname>Reminders</A:displayname>\
        </A:prop></A:set></B:mkcalendar>";

    #[test]
    fn reminders_as_ios_makes_them_are_a_task_list() {
        let request = parse(REMINDERS.as_bytes()).unwrap().unwrap();
        let kind = kind(Verb::Mkcalendar, Space::Calendars, Some(&request)).unwrap();
        assert_eq!(kind, CollectionKind::Tasks);
        let properties = properties(&request, kind).unwrap();
        assert_eq!(properties.len(), 1, "what is not kept here is passed over");
        assert_eq!(properties[0].value.as_deref(), Some("Reminders"));
    }

    #[test]
    fn mkcol_says_what_it_makes() {
        let mkcol = |types: &str| {
            let text = format!(
                "<mkcol xmlns='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav' xmlns:CARD='urn:ietf:params:xml:ns:carddav'>\
                 <set><prop><resourcetype><collection/>{types}</resourcetype></prop></set></mkcol>"
            );
            parse(text.as_bytes()).unwrap()
        };
        let book = mkcol("<CARD:addressbook/>");
        assert_eq!(kind(Verb::Mkcol, Space::Cards, book.as_ref()).unwrap(), CollectionKind::AddressBook);
        assert!(kind(Verb::Mkcol, Space::Calendars, book.as_ref()).is_err());
        assert!(kind(Verb::Mkcol, Space::Calendars, None).is_err());
        let calendar = mkcol("<C:calendar/>");
        assert_eq!(kind(Verb::Mkcol, Space::Calendars, calendar.as_ref()).unwrap(), CollectionKind::Calendar);
        assert_eq!(kind(Verb::Mkcalendar, Space::Calendars, None).unwrap(), CollectionKind::Calendar);
    }

    #[test]
    fn a_journal_has_no_folder() {
        let request = parse(REMINDERS.replace("VTODO", "VJOURNAL").as_bytes()).unwrap();
        assert!(kind(Verb::Mkcalendar, Space::Calendars, request.as_ref()).is_err());
    }
}
