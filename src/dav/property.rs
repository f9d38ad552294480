//! The table of live properties.

use super::kinds::{Kinds, either};
use super::names::{apple, caldav, calendarserver, carddav, webdav};
use super::path::{Hrefs, Space};
use super::resource::{Resource, Tokens};
use super::session::Limits;
use super::{condition, error::Error, privilege, report};
use crate::gateway::Principal;
use crate::model::collection::{Collection, CollectionKind};
use crate::model::object::{Head, MAX_ATTACHMENTS, MAX_PHOTO};
use crate::text::address;
use crate::xml::{Element, Name};
use std::borrow::Cow;

/// A property that the server keeps. RFC 4918 15
pub(super) struct LiveProperty {
    name: &'static Name,
    /// Where it is; elsewhere it is answered with 404.
    on: Kinds,
    in_allprop: InAllprop,
    value: fn(&PropertyContext<'_>) -> Option<Value>,
}

/// Whether `DAV:allprop` brings it. Only what RFC 4918 defines does; the rest asks for `include`.
#[derive(Clone, Copy, PartialEq)]
enum InAllprop {
    Yes,
    No,
}

/// The content of a property.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(Cow<'static, str>),
    Hrefs(Vec<String>),
    Elements(Vec<Element>),
}

/// What a property is computed from.
#[derive(Clone, Copy)]
pub(super) struct PropertyContext<'a> {
    pub(super) principal: &'a Principal,
    pub(super) hrefs: &'a Hrefs,
    /// Those of who is signed in.
    pub(super) user: &'a Hrefs,
    /// The resource is somebody else's.
    pub(super) is_visit: bool,
    pub(super) limits: Limits,
    /// The server of attachments; `None` where none are served.
    pub(super) attachments: Option<&'a str>,
    pub(super) resource: &'a Resource,
}

impl PropertyContext<'_> {
    pub(super) fn href(&self) -> String {
        self.resource.href(self.hrefs)
    }

    fn collection(&self) -> Option<&Collection> {
        match self.resource {
            Resource::Collection(collection, _) | Resource::Member(collection, _) => Some(collection),
            _ => None,
        }
    }

    fn head(&self) -> Option<&Head> {
        match self.resource {
            Resource::Member(_, head) | Resource::Entry(head) => Some(head),
            _ => None,
        }
    }

    fn is_on(&self, kinds: Kinds) -> bool {
        Kinds::of(self.resource).meets(kinds)
    }
}

use InAllprop::{No, Yes};
use Kinds as K;

const PRINCIPAL_AND_HOMES: Kinds = either(K::PRINCIPAL, K::HOMES);
const OWNED: Kinds = either(
    either(either(K::PRINCIPAL, K::HOMES), either(K::INBOX, K::OUTBOX)),
    either(K::COLLECTIONS, K::MEMBERS),
);

const fn row(
    name: &'static Name,
    on: Kinds,
    in_allprop: InAllprop,
    value: fn(&PropertyContext<'_>) -> Option<Value>,
) -> LiveProperty {
    LiveProperty { name, on, in_allprop, value }
}

#[rustfmt::skip]
static PROPERTIES: &[LiveProperty] = &[
    // RFC 4918 15
    row(&webdav::RESOURCETYPE, K::ALL, Yes, |s| Some(Value::Elements(resource_type(s)))),
    row(&webdav::DISPLAYNAME, K::ALL, Yes, |s| Some(Value::Text(display_name(s).into()))),
    row(&webdav::GETETAG, K::OBJECTS, Yes, |s| Some(Value::Text(s.head()?.etag.to_string().into()))),
    row(&webdav::GETCONTENTTYPE, K::OBJECTS, Yes, |s| content_type(s).map(|text| Value::Text(text.into()))),
    row(&webdav::GETCONTENTLENGTH, K::OBJECTS, Yes, |s| Some(Value::Text(s.head()?.size.to_string().into()))),
    row(&webdav::GETLASTMODIFIED, K::OBJECTS, Yes, |s| Some(Value::Text(condition::format_date(s.head()?.last_modified).into()))),
    // RFC 5397 3
    row(&webdav::CURRENT_USER_PRINCIPAL, K::ALL, No, |s| href(s.user.principal())),
    // RFC 3744 4, 5
    row(&webdav::PRINCIPAL_URL, K::PEOPLE, No, |s| href(s.href())),
    row(&webdav::ALTERNATE_URI_SET, K::PEOPLE, No, |s| Some(Value::Hrefs(addresses(s)))),
    row(&webdav::GROUP_MEMBERSHIP, K::PRINCIPAL, No, |_| Some(Value::Hrefs(Vec::new()))),
    row(&webdav::OWNER, OWNED, No, |s| href(s.hrefs.principal())),
    row(&webdav::PRINCIPAL_COLLECTION_SET, K::ALL, No, |_| href("/dav/principals/".to_owned())),
    row(&webdav::CURRENT_USER_PRIVILEGE_SET, K::ALL, No, |s| Some(Value::Elements(privilege::granted(s.resource, s.is_visit)))),
    row(&webdav::SUPPORTED_PRIVILEGE_SET, K::ALL, No, |_| Some(Value::Elements(vec![privilege::supported()]))),
    row(&webdav::ACL, K::ALL, No, |s| Some(Value::Elements(vec![privilege::entry(s.resource, s.is_visit, &s.user.principal())]))),
    row(&webdav::ACL_RESTRICTIONS, K::ALL, No, |_| Some(Value::Elements(privilege::restrictions()))),
    row(&webdav::INHERITED_ACL_SET, K::ALL, No, |_| Some(Value::Hrefs(Vec::new()))),
    // RFC 3253 3.1.5
    row(&webdav::SUPPORTED_REPORT_SET, K::ALL, No, |s| Some(Value::Elements(report::supported(s.resource)))),
    // RFC 6578 4, caldav-ctag 4.1
    row(&webdav::SYNC_TOKEN, K::COLLECTIONS, No, token),
    row(&calendarserver::GETCTAG, K::COLLECTIONS, No, token),
    // RFC 4791 5.2, 6.2
    row(&caldav::CALENDAR_HOME_SET, PRINCIPAL_AND_HOMES, No, |s| href(s.hrefs.home(Space::Calendars))),
    row(&caldav::CALENDAR_DESCRIPTION, K::CALENDARS, No, |s| text(s.collection()?.description.as_ref())),
    row(&caldav::CALENDAR_TIMEZONE, K::CALENDARS, No, |s| text(s.collection()?.timezone.as_ref())),
    row(&caldav::SUPPORTED_CALENDAR_COMPONENT_SET, K::CALENDARS, No, |s| Some(Value::Elements(vec![component(s.collection()?)]))),
    row(&caldav::SUPPORTED_CALENDAR_DATA, K::CALENDARS, No, |_| Some(Value::Elements(vec![media(&caldav::CALENDAR_DATA, "text/calendar", "2.0")]))),
    row(&caldav::SUPPORTED_COLLATION_SET, K::CALENDARS, No, |_| Some(collations(&caldav::SUPPORTED_COLLATION))),
    row(&caldav::MAX_RESOURCE_SIZE, K::CALENDARS, No, |s| Some(Value::Text(s.limits.resource.to_string().into()))),
    // RFC 8607 6
    row(&caldav::MANAGED_ATTACHMENTS_SERVER_URL, K::CALENDAR_HOME, No, |s| href(s.attachments?.to_owned())),
    row(&caldav::MAX_ATTACHMENT_SIZE, K::CALENDARS, No, |s| s.attachments.map(|_| Value::Text(s.limits.attachment.to_string().into()))),
    row(&caldav::MAX_ATTACHMENTS_PER_RESOURCE, K::CALENDARS, No, |s| s.attachments.map(|_| Value::Text(MAX_ATTACHMENTS.to_string().into()))),
    // RFC 6638 2.1, 2.2, 2.4, 9
    row(&caldav::CALENDAR_USER_ADDRESS_SET, K::PEOPLE, No, |s| Some(Value::Hrefs(addresses(s)))),
    row(&caldav::CALENDAR_USER_TYPE, K::PEOPLE, No, |s| Some(Value::Text(user_type(s).into()))),
    row(&caldav::SCHEDULE_INBOX_URL, K::PRINCIPAL, No, |s| href(s.hrefs.inbox())),
    row(&caldav::SCHEDULE_OUTBOX_URL, K::PRINCIPAL, No, |s| href(s.hrefs.outbox())),
    row(&caldav::SCHEDULE_DEFAULT_CALENDAR_URL, K::INBOX, No, |s| href(s.hrefs.default_calendar())),
    row(&caldav::SCHEDULE_CALENDAR_TRANSP, K::CALENDARS, No, |s| Some(Value::Elements(vec![transparency(s)]))),
    row(&caldav::SCHEDULE_TAG, K::EVENT, No, |s| Some(Value::Text(s.head()?.schedule_tag.as_ref()?.to_string().into()))),
    // RFC 6352 6.2, 7.1
    row(&carddav::ADDRESSBOOK_HOME_SET, PRINCIPAL_AND_HOMES, No, |s| href(s.hrefs.home(Space::Cards))),
    // draft-daboo-carddav-directory-gateway-02 4
    row(&carddav::DIRECTORY_GATEWAY, PRINCIPAL_AND_HOMES, No, |s| href(s.hrefs.directory())),
    row(&carddav::ADDRESSBOOK_DESCRIPTION, K::BOOK, No, |s| text(s.collection()?.description.as_ref())),
    row(&carddav::SUPPORTED_ADDRESS_DATA, K::BOOKS, No, |_| Some(Value::Elements(vec![
        media(&carddav::ADDRESS_DATA_TYPE, "text/vcard", "3.0"), media(&carddav::ADDRESS_DATA_TYPE, "text/vcard", "4.0")]))),
    row(&carddav::SUPPORTED_COLLATION_SET, K::BOOKS, No, |_| Some(collations(&carddav::SUPPORTED_COLLATION))),
    row(&carddav::MAX_RESOURCE_SIZE, K::BOOK, No, |s| Some(Value::Text(s.limits.resource.to_string().into()))),
    row(&carddav::MAX_IMAGE_SIZE, K::BOOK, No, |_| Some(Value::Text(MAX_PHOTO.to_string().into()))),
    // Seen: Apple's programs, and all others since
    row(&calendarserver::EMAIL_ADDRESS_SET, K::PEOPLE, No, |s| Some(Value::Elements(emails(s)))),
    row(&apple::CALENDAR_COLOR, K::CALENDARS, No, |s| text(s.collection()?.color.as_ref())),
    row(&apple::CALENDAR_ORDER, K::CALENDARS, No, |s| Some(Value::Text(s.collection()?.order?.to_string().into()))),
];

fn href(path: String) -> Option<Value> {
    Some(Value::Hrefs(vec![path]))
}

fn text(text: Option<&String>) -> Option<Value> {
    text.map(|text| Value::Text(text.clone().into()))
}

fn display_name(scene: &PropertyContext<'_>) -> String {
    match scene.resource {
        Resource::Root(_) => "exdav".to_owned(),
        Resource::Principals(_) => "Users".to_owned(),
        Resource::Principal => scene.principal.display_name.clone(),
        Resource::Home(Space::Calendars) => "Calendars".to_owned(),
        Resource::Home(Space::Cards) => "Contacts".to_owned(),
        Resource::Inbox => "Inbox".to_owned(),
        Resource::Outbox => "Outbox".to_owned(),
        Resource::Collection(collection, _) => collection.display_name.clone(),
        Resource::Member(_, head) | Resource::Entry(head) => head.name.as_str().to_owned(),
        Resource::Directory => "Directory".to_owned(),
        Resource::Person(person) => person.display_name.clone(),
    }
}

fn resource_type(scene: &PropertyContext<'_>) -> Vec<Element> {
    let own = match scene.resource {
        Resource::Principal | Resource::Person(_) => return vec![Element::new(webdav::PRINCIPAL.clone())],
        Resource::Member(..) | Resource::Entry(_) => return Vec::new(),
        Resource::Directory => {
            let types = [&webdav::COLLECTION, &carddav::ADDRESSBOOK, &carddav::DIRECTORY];
            return types.into_iter().cloned().map(Element::new).collect();
        }
        Resource::Root(_) | Resource::Principals(_) | Resource::Home(_) => None,
        Resource::Inbox => Some(&caldav::SCHEDULE_INBOX),
        Resource::Outbox => Some(&caldav::SCHEDULE_OUTBOX),
        Resource::Collection(collection, _) => match collection.kind {
            CollectionKind::Calendar | CollectionKind::Tasks => Some(&caldav::CALENDAR),
            CollectionKind::AddressBook => Some(&carddav::ADDRESSBOOK),
        },
    };
    std::iter::once(&webdav::COLLECTION).chain(own).cloned().map(Element::new).collect()
}

fn content_type(scene: &PropertyContext<'_>) -> Option<&'static str> {
    if let Resource::Entry(_) = scene.resource {
        return Some("text/vcard; charset=utf-8");
    }
    Some(match scene.collection()?.kind {
        CollectionKind::Calendar => "text/calendar; charset=utf-8; component=VEVENT",
        CollectionKind::Tasks => "text/calendar; charset=utf-8; component=VTODO",
        CollectionKind::AddressBook => "text/vcard; charset=utf-8",
    })
}

/// `getctag` and `sync-token` change together, so they are one.
fn token(scene: &PropertyContext<'_>) -> Option<Value> {
    match scene.resource {
        Resource::Collection(_, token) => Some(Value::Text((*token)?.to_string().into())),
        _ => None,
    }
}

fn addresses(scene: &PropertyContext<'_>) -> Vec<String> {
    let mut uris: Vec<String> = mails(scene).into_iter().map(|a| address::uri(a)).collect();
    // RFC 6638 2.4.1: the principal's own URL is one, too.
    uris.push(scene.href());
    uris
}

fn mails<'a>(scene: &PropertyContext<'a>) -> Vec<&'a String> {
    match scene.resource {
        Resource::Person(person) => vec![&person.address],
        _ => scene.principal.addresses.iter().collect(),
    }
}

fn emails(scene: &PropertyContext<'_>) -> Vec<Element> {
    let email = |address: &String| Element::new(calendarserver::EMAIL_ADDRESS.clone()).with_text(address);
    mails(scene).into_iter().map(email).collect()
}

/// Whether the events of a calendar make their owner busy to others. Exchange computes that from the default calendar
/// alone. RFC 6638 9.1
fn transparency(scene: &PropertyContext<'_>) -> Element {
    let is_default = scene.href() == scene.hrefs.default_calendar();
    Element::new(if is_default { &caldav::OPAQUE } else { &caldav::TRANSPARENT }.clone())
}

/// CUTYPE. RFC 5545 3.2.3
fn user_type(scene: &PropertyContext<'_>) -> &'static str {
    match scene.resource {
        Resource::Person(person) if person.is_group => "GROUP",
        _ => "INDIVIDUAL",
    }
}

fn component(collection: &Collection) -> Element {
    let name = match collection.kind {
        CollectionKind::Tasks => "VTODO",
        CollectionKind::Calendar | CollectionKind::AddressBook => "VEVENT",
    };
    Element::new(caldav::COMP.clone()).with_attribute(Name::new("", "name"), name)
}

fn media(name: &Name, media_type: &str, version: &str) -> Element {
    Element::new(name.clone())
        .with_attribute(Name::new("", "content-type"), media_type)
        .with_attribute(Name::new("", "version"), version)
}

fn collations(name: &Name) -> Value {
    let element = |collation| Element::new(name.clone()).with_text(collation);
    Value::Elements(["i;ascii-casemap", "i;octet", "i;unicode-casemap"].map(element).into())
}

/// Which properties a request wants.
#[derive(Clone)]
pub(super) enum Wanted {
    /// `allprop`, with what `include` adds.
    All(Vec<Asked>),
    /// `propname`
    Names,
    /// `prop`
    These(Vec<Asked>),
}

/// A property by name, looked up once.
#[derive(Clone)]
pub(super) struct Asked {
    name: Name,
    property: Option<&'static LiveProperty>,
}

/// More properties than any client asks for; each may be repeated for each of thousands of members.
const MAX_PROPERTIES: usize = 300;

impl Asked {
    pub(super) fn of(name: &Name) -> Self {
        Self { name: name.clone(), property: PROPERTIES.iter().find(|property| property.name == name) }
    }
}

impl Wanted {
    /// Reads a propfind, or the beginning of a report: `prop`, `allprop` with `include`, or `propname`.
    /// Nothing of all that means `allprop`. RFC 4918 9.1, 14.20
    pub(super) fn parse(parent: &Element) -> Result<Self, Error> {
        if parent.child(&webdav::PROPNAME).is_some() {
            return Ok(Self::Names);
        }
        let asked = |element: Option<&Element>| {
            let mut asked: Vec<Asked> = Vec::new();
            for child in element.into_iter().flat_map(Element::children) {
                if asked.iter().any(|known| known.name == *child.name()) {
                    continue;
                }
                if asked.len() == MAX_PROPERTIES {
                    return Err(Error::Invalid(format!(
                        "more than {MAX_PROPERTIES} properties are asked for"
                    )));
                }
                asked.push(Asked::of(child.name()));
            }
            Ok(asked)
        };
        match parent.child(&webdav::PROP) {
            Some(prop) => Ok(Self::These(asked(Some(prop))?)),
            None => Ok(Self::All(asked(parent.child(&webdav::INCLUDE))?)),
        }
    }

    /// Whether the collection's token is among them.
    pub(super) fn tokens(&self) -> Tokens {
        let asked: &[Asked] = match self {
            Self::All(asked) | Self::These(asked) => asked,
            Self::Names => &[],
        };
        let wanted = asked.iter().any(|a| a.name == webdav::SYNC_TOKEN || a.name == calendarserver::GETCTAG);
        if wanted { Tokens::Wanted } else { Tokens::Unwanted }
    }
}

/// What became of the wanted properties of one resource. Names alone have no value.
pub(super) struct Outcome<'a> {
    pub(super) found: Vec<(&'a Name, Option<Value>)>,
    pub(super) missing: Vec<&'a Name>,
}

/// Looks up what is wanted; `elsewhere` is a name that the caller answers itself.
pub(super) fn select<'a>(
    scene: &PropertyContext<'_>,
    wanted: &'a Wanted,
    elsewhere: Option<&Name>,
) -> Outcome<'a> {
    let mut outcome = Outcome { found: Vec::new(), missing: Vec::new() };
    let here = |property: &&LiveProperty| scene.is_on(property.on);
    let asked: &[Asked] = match wanted {
        Wanted::Names => {
            let found = PROPERTIES.iter().filter(here).filter(|property| (property.value)(scene).is_some());
            outcome.found.extend(found.map(|property| (property.name, None)));
            // These need a look at the upstream to have a value, but they do exist.
            if scene.is_on(Kinds::COLLECTIONS) {
                outcome.found.extend([(&webdav::SYNC_TOKEN, None), (&calendarserver::GETCTAG, None)]);
            }
            return outcome;
        }
        Wanted::All(included) => {
            for property in PROPERTIES.iter().filter(here).filter(|p| p.in_allprop == Yes) {
                if let Some(value) = (property.value)(scene) {
                    outcome.found.push((property.name, Some(value)));
                }
            }
            included
        }
        Wanted::These(asked) => asked,
    };
    for Asked { name, property } in asked {
        let value = property.filter(here_value(scene)).and_then(|property| (property.value)(scene));
        match value {
            Some(_) if outcome.found.iter().any(|(known, _)| *known == name) => {}
            Some(value) => outcome.found.push((name, Some(value))),
            None if elsewhere == Some(name) => {}
            None => outcome.missing.push(name),
        }
    }
    outcome
}

fn here_value<'a>(scene: &'a PropertyContext<'_>) -> impl Fn(&&'static LiveProperty) -> bool + 'a {
    |property| scene.is_on(property.on)
}

/// The value of one property, for reports that look into it.
pub(super) fn value(scene: &PropertyContext<'_>, name: &Name) -> Option<Value> {
    let property = Asked::of(name).property.filter(here_value(scene))?;
    (property.value)(scene)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn each_property_has_one_row() {
        for (at, property) in PROPERTIES.iter().enumerate() {
            let again = PROPERTIES.iter().skip(at + 1).any(|other| other.name == property.name);
            assert!(!again, "{} is there twice", property.name);
        }
    }
}
