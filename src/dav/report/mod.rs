//! REPORT: the table of reports and where each may be asked. RFC 3253 3.6
//!
//! **Invariant:** `DAV:supported-report-set` lists exactly what is answered.

mod data;
mod directory;
mod expand_property;
mod filter;
mod free_busy_query;
mod multiget;
mod principal_search;
mod query;
mod sync_collection;

use super::error::Error;
use super::kinds::{Kinds, either};
use super::names::{caldav, calendarserver, carddav, webdav};
use super::precondition::Precondition;
use super::resource::Resource;
use super::session::Session;
use crate::xml::{Element, Name};
use axum::response::Response;

#[derive(Clone, Copy)]
enum Report {
    Multiget,
    CalendarQuery,
    AddressbookQuery,
    DirectoryMultiget,
    DirectoryQuery,
    FreeBusyQuery,
    SyncCollection,
    ExpandProperty,
    PrincipalPropertySearch,
    PrincipalSearch,
    PrincipalSearchPropertySet,
    PrincipalMatch,
    AclPrincipalPropSet,
}

use Kinds as K;
use Report as R;

const ABOVE_PRINCIPAL: Kinds = either(either(K::ROOT, K::PRINCIPALS), either(K::PRINCIPAL, K::HOMES));

/// Collections and the objects in them. RFC 4791 7, RFC 6352 8
const CALENDAR_DATA: Kinds = either(K::CALENDARS, K::CALENDAR_OBJECTS);
const CARD_DATA: Kinds = either(K::BOOK, K::CARD);

static REPORTS: &[(&Name, Kinds, Report)] = &[
    (&caldav::CALENDAR_MULTIGET, CALENDAR_DATA, R::Multiget), // RFC 4791 7.9
    (&caldav::CALENDAR_QUERY, CALENDAR_DATA, R::CalendarQuery), // RFC 4791 7.8
    (&caldav::FREE_BUSY_QUERY, K::CALENDAR, R::FreeBusyQuery), // RFC 4791 7.10
    (&carddav::ADDRESSBOOK_MULTIGET, CARD_DATA, R::Multiget), // RFC 6352 8.7
    (&carddav::ADDRESSBOOK_QUERY, CARD_DATA, R::AddressbookQuery), // RFC 6352 8.6
    (&carddav::ADDRESSBOOK_MULTIGET, K::DIRECTORY, R::DirectoryMultiget), // RFC 6352 8.7
    (&carddav::ADDRESSBOOK_QUERY, K::DIRECTORY, R::DirectoryQuery), // RFC 6352 8.6
    (&webdav::SYNC_COLLECTION, K::COLLECTIONS, R::SyncCollection), // RFC 6578 3.2
    (&webdav::EXPAND_PROPERTY, K::ALL, R::ExpandProperty),    // RFC 3253 3.8
    (&webdav::PRINCIPAL_PROPERTY_SEARCH, K::ALL, R::PrincipalPropertySearch), // RFC 3744 9.4
    (&calendarserver::CALENDARSERVER_PRINCIPAL_SEARCH, ABOVE_PRINCIPAL, R::PrincipalSearch), // Seen: macOS
    (&webdav::PRINCIPAL_SEARCH_PROPERTY_SET, K::ALL, R::PrincipalSearchPropertySet), // RFC 3744 9.5
    (&webdav::PRINCIPAL_MATCH, ABOVE_PRINCIPAL, R::PrincipalMatch), // RFC 3744 9.3
    (&webdav::ACL_PRINCIPAL_PROP_SET, K::ALL, R::AclPrincipalPropSet), // RFC 3744 9.2
];

/// `DAV:supported-report-set`. RFC 3253 3.1.5
pub(super) fn supported(resource: &Resource) -> Vec<Element> {
    let kind = Kinds::of(resource);
    let element = |name: &Name| {
        let report = Element::new(webdav::REPORT.clone()).with_child(Element::new(name.clone()));
        Element::new(webdav::SUPPORTED_REPORT.clone()).with_child(report)
    };
    REPORTS.iter().filter(|(_, on, _)| on.meets(kind)).map(|(name, ..)| element(name)).collect()
}

/// Answers a REPORT. `Depth` is not looked at: clients send every value for the same question.
pub(super) async fn report(session: Session, resource: Resource, body: &[u8]) -> Result<Response, Error> {
    let asked = Element::parse(body)?;
    let kind = Kinds::of(&resource);
    let known = REPORTS.iter().find(|(name, on, _)| asked.is(name) && on.meets(kind));
    let Some((_, _, report)) = known else {
        let text = format!("this resource has no report {}", asked.name().local());
        return Err(Error::Refused(Precondition::SupportedReport, text));
    };
    match report {
        R::Multiget => multiget::answer(session, resource, &asked).await,
        R::CalendarQuery | R::AddressbookQuery => query::answer(session, resource, &asked).await,
        R::DirectoryMultiget => directory::multiget(session, &asked).await,
        R::DirectoryQuery => directory::query(session, &asked).await,
        R::FreeBusyQuery => free_busy_query::answer(&session, &resource, &asked).await,
        R::SyncCollection => sync_collection::answer(session, resource, &asked).await,
        R::ExpandProperty => expand_property::answer(session, resource, &asked).await,
        R::PrincipalPropertySearch => principal_search::by_property(session, resource, &asked).await,
        R::PrincipalSearch => principal_search::by_token(session, &asked).await,
        R::PrincipalSearchPropertySet => Ok(principal_search::properties()),
        R::PrincipalMatch => principal_search::matching(session, resource, &asked).await,
        R::AclPrincipalPropSet => principal_search::all(session, &asked).await,
    }
}
