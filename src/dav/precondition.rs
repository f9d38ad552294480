//! The table of preconditions: what a client may have to know beyond a status.

use super::names::{caldav, carddav, webdav};
use crate::xml::Name;
use axum::http::StatusCode;

/// A condition that a request did not meet. RFC 4918 16
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precondition {
    FiniteDepth,
    SupportedReport,
    SyncToken,
    SyncTokenOfThunderbirdContacts,
    CalendarFilter,
    CardFilter,
    CalendarCollation,
    CardCollation,
    CalendarData,
    AddressData,
    NumberOfMatches,
    NeedPrivileges,
}

impl Precondition {
    /// Its element, and the status that goes with it: 403 where repeating is useless.
    /// RFC 4918 16, RFC 4791 1.3
    pub(super) fn row(self) -> (&'static Name, StatusCode) {
        match self {
            Self::FiniteDepth => (&webdav::PROPFIND_FINITE_DEPTH, StatusCode::FORBIDDEN), // RFC 4918 9.1
            Self::SupportedReport => (&webdav::SUPPORTED_REPORT, StatusCode::FORBIDDEN),  // RFC 3253 3.6
            Self::SyncToken => (&webdav::VALID_SYNC_TOKEN, StatusCode::FORBIDDEN),        // RFC 6578 3.2
            // Seen: Thunderbird 153 never synchronises an address book again after 403 or 409, after 400 it does.
            Self::SyncTokenOfThunderbirdContacts => (&webdav::VALID_SYNC_TOKEN, StatusCode::BAD_REQUEST),
            Self::CalendarFilter => (&caldav::VALID_FILTER, StatusCode::FORBIDDEN), // RFC 4791 7.8
            Self::CardFilter => (&carddav::SUPPORTED_FILTER, StatusCode::FORBIDDEN), // RFC 6352 8.6
            Self::CalendarCollation => (&caldav::SUPPORTED_COLLATION, StatusCode::FORBIDDEN), // RFC 4791 7.8
            Self::CardCollation => (&carddav::SUPPORTED_COLLATION, StatusCode::FORBIDDEN), // RFC 6352 8.6
            Self::CalendarData => (&caldav::SUPPORTED_CALENDAR_DATA, StatusCode::FORBIDDEN), // RFC 4791 7.8
            Self::AddressData => (&carddav::SUPPORTED_ADDRESS_DATA, StatusCode::FORBIDDEN), // RFC 6352 8.7
            Self::NumberOfMatches => {
                (&webdav::NUMBER_OF_MATCHES_WITHIN_LIMITS, StatusCode::INSUFFICIENT_STORAGE) // RFC 6578 3.6
            }
            Self::NeedPrivileges => (&webdav::NEED_PRIVILEGES, StatusCode::FORBIDDEN), // RFC 3744 7.1.1
        }
    }
}
