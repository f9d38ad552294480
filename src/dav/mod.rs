//! The clients' protocol: WebDAV, CalDAV and CardDAV over HTTP.
//!
//! [`router`] answers every request. A path is read once ([`path`]), the method is looked up in the table of
//! [`methods`], the user is signed in, and the answer is written from what the gateway says. Properties, reports,
//! preconditions and errors are tables in files of these names.
//!
//! **Invariant:** nothing here knows a word of Exchange.
//! **Invariant:** a path of another user is answered like a path that does not exist.
//! **Invariant:** only `path` writes and reads URLs.

mod budget;
mod change;
mod condition;
mod error;
mod headers;
mod kinds;
mod methods;
mod multistatus;
mod names;
mod negotiation;
pub mod path;
mod pieces;
mod precondition;
mod privilege;
mod property;
mod report;
mod request;
mod resource;
mod session;
mod sign_in;
mod site;
mod waiting;

pub use headers::conditions;
pub use methods::attachment::file_name;
pub use precondition::refusals;
pub use request::{Settings, router};
pub use sign_in::Origin;
pub(crate) use waiting::Unfinished;

use axum::http::HeaderValue;

/// The `DAV` header: what is built, and nothing else. RFC 4918 10.1
///
/// `calendar-auto-schedule`: Exchange sends the messages of meetings that are stored. Clients that do not read it send
/// their own mails as well. RFC 6638 2
const COMPLIANCE: &str = "1, 3, extended-mkcol, access-control, calendar-access, \
    calendar-auto-schedule, addressbook, \
    calendarserver-principal-property-search, calendarserver-principal-search";
/// The same where attachments are served. RFC 8607 3.1
const COMPLIANCE_WITH_ATTACHMENTS: &str = "1, 3, extended-mkcol, access-control, calendar-access, \
    calendar-auto-schedule, addressbook, \
    calendarserver-principal-property-search, calendarserver-principal-search, calendar-managed-attachments";

fn compliance(has_attachments: bool) -> HeaderValue {
    HeaderValue::from_static(if has_attachments { COMPLIANCE_WITH_ATTACHMENTS } else { COMPLIANCE })
}
