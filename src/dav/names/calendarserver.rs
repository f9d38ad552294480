//! What the Calendar and Contacts Server added and clients ask for.

use crate::xml::Name;

/// The namespace.
pub(in crate::dav) const NAMESPACE: &str = "http://calendarserver.org/ns/";

const fn name(local: &'static str) -> Name {
    Name::new(NAMESPACE, local)
}

// caldav-ctag 4.1
pub(in crate::dav) static GETCTAG: Name = name("getctag");

// Seen: macOS, iOS
pub(in crate::dav) static CALENDARSERVER_PRINCIPAL_SEARCH: Name = name("calendarserver-principal-search");
pub(in crate::dav) static EMAIL_ADDRESS_SET: Name = name("email-address-set");
pub(in crate::dav) static EMAIL_ADDRESS: Name = name("email-address");
pub(in crate::dav) static LIMIT: Name = name("limit");
pub(in crate::dav) static NRESULTS: Name = name("nresults");
pub(in crate::dav) static SEARCH_TOKEN: Name = name("search-token");
