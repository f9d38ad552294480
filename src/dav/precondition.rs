//! The table of preconditions: what a client may have to know beyond a status.

use super::names::{caldav, carddav, exdav, webdav};
use super::path::Space;
use crate::model::refusal::Reason;
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
    MaxInstances,
    NeedPrivileges,
    CalendarComponent,
    MustBeNew,
    CalendarLocation,
    BookLocation,
    ResourceType,
    Quota,
    AttachmentAction,
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
            Self::MaxInstances => (&caldav::MAX_INSTANCES, StatusCode::FORBIDDEN), // RFC 4791 5.2.8, 5.3.2.1
            Self::NeedPrivileges => (&webdav::NEED_PRIVILEGES, StatusCode::FORBIDDEN), // RFC 3744 7.1.1
            Self::CalendarComponent => (&caldav::SUPPORTED_CALENDAR_COMPONENT, StatusCode::FORBIDDEN), // RFC 4791 5.2.3
            Self::MustBeNew => (&webdav::RESOURCE_MUST_BE_NULL, StatusCode::FORBIDDEN), // RFC 4791 5.3.1.1
            // RFC 4791 5.3.1.1, RFC 6352 6.3.2.1
            Self::CalendarLocation => (&caldav::CALENDAR_COLLECTION_LOCATION_OK, StatusCode::FORBIDDEN),
            Self::BookLocation => (&carddav::ADDRESSBOOK_COLLECTION_LOCATION_OK, StatusCode::FORBIDDEN),
            Self::ResourceType => (&webdav::VALID_RESOURCETYPE, StatusCode::FORBIDDEN), // RFC 5689 3.3
            Self::Quota => (&webdav::QUOTA_NOT_EXCEEDED, StatusCode::INSUFFICIENT_STORAGE), // RFC 4331 6
            Self::AttachmentAction => (&caldav::VALID_ACTION, StatusCode::FORBIDDEN),   // RFC 8607 3.11
        }
    }
}

/// The element for an object that cannot be stored; the status is always 403, so that the client gives the edit up.
/// RFC 4791 5.3.2.1, RFC 6352 6.3.2.1, RFC 6638 3.2
pub(super) fn unstorable(reason: &Reason, space: Space) -> &'static Name {
    let is_card = space == Space::Cards;
    match reason {
        Reason::InvalidData | Reason::InvalidObject if is_card => &carddav::VALID_ADDRESS_DATA,
        Reason::InvalidData => &caldav::VALID_CALENDAR_DATA,
        Reason::InvalidObject => &caldav::VALID_CALENDAR_OBJECT_RESOURCE,
        Reason::UnsupportedData | Reason::UnsupportedComponent if is_card => &carddav::SUPPORTED_ADDRESS_DATA,
        Reason::UnsupportedData => &caldav::SUPPORTED_CALENDAR_DATA,
        Reason::UnsupportedComponent => &caldav::SUPPORTED_CALENDAR_COMPONENT,
        Reason::UidConflict(_) if is_card => &carddav::NO_UID_CONFLICT,
        Reason::UidConflict(_) => &caldav::NO_UID_CONFLICT,
        Reason::TooLarge | Reason::AttachmentTooLarge if is_card => &carddav::MAX_RESOURCE_SIZE,
        Reason::TooLarge => &caldav::MAX_RESOURCE_SIZE,
        Reason::AttachmentTooLarge => &caldav::MAX_ATTACHMENT_SIZE,
        Reason::TooManyAttachments => &caldav::MAX_ATTACHMENTS_PER_RESOURCE,
        Reason::UnknownAttachment => &caldav::VALID_MANAGED_ID_PARAMETER,
        Reason::NoSuchAttachment => &caldav::VALID_MANAGED_ID,
        Reason::NoSuchInstance => &caldav::VALID_RID,
        Reason::TooEarly => &caldav::MIN_DATE_TIME,
        Reason::TooLate => &caldav::MAX_DATE_TIME,
        Reason::UnsupportedRecurrence => &exdav::UNSUPPORTED_RECURRENCE,
        Reason::OccurrenceCrossesNeighbour => &exdav::OCCURRENCE_CROSSES_NEIGHBOUR,
        Reason::UnsupportedTimeZone => &exdav::UNSUPPORTED_TIMEZONE,
        Reason::AttendeeChange => &caldav::ALLOWED_ATTENDEE_SCHEDULING_OBJECT_CHANGE,
        Reason::ForeignOrganizer => &caldav::VALID_ORGANIZER,
        Reason::NoMessage => &caldav::VALID_SCHEDULING_MESSAGE,
        Reason::OrganizerChange => &caldav::ALLOWED_ORGANIZER_SCHEDULING_OBJECT_CHANGE,
    }
}

/// When an object is refused for it, for people.
fn when(reason: &Reason) -> &'static str {
    match reason {
        Reason::InvalidData => {
            "it is not readable, or breaks the rules of its format: an end before the start, no UID, a zone that is not explained"
        }
        Reason::InvalidObject => {
            "it is not one object: METHOD, several UIDs or masters, occurrences without their series"
        }
        Reason::UnsupportedData => {
            "it is neither iCalendar 2.0 nor vCard 3.0 or 4.0, or follows another calendar than the Gregorian"
        }
        Reason::UnsupportedComponent => "the collection holds another kind of components",
        Reason::UidConflict(_) => "another object of the collection has its UID",
        Reason::TooEarly => "it takes place before 1601, where Exchange's calendars begin",
        Reason::TooLate => "it takes place after August 4500, or is completed in the future",
        Reason::TooLarge => {
            "its text, attachments taken out and packed, is longer than can be kept on an item, or a picture is too large"
        }
        Reason::AttachmentTooLarge => {
            "an attachment is larger than `server.max_attachment_size`, or than Exchange takes"
        }
        Reason::TooManyAttachments => "it would have more than 100 attachments",
        Reason::UnknownAttachment => "an `ATTACH` has a `MANAGED-ID` that no attachment of the mailbox has",
        Reason::NoSuchAttachment => {
            "the object does not have the attachment that is to be replaced or removed"
        }
        Reason::NoSuchInstance => {
            "attachments are for the whole object, its master (`M`) or occurrences that were changed already"
        }
        Reason::UnsupportedRecurrence => {
            "Exchange has no such rule: several rules, EXRULE without end, most RDATEs, RANGE=THISANDFUTURE, times within the day, weeks of the year, several days of the month, a day 29 to 31 without an end in months that lack it; an occurrence that the rule does not produce, or after its 5,000th, is changed singly"
        }
        Reason::OccurrenceCrossesNeighbour => "a moved occurrence would reach the day of its neighbour",
        Reason::UnsupportedTimeZone => {
            "a series is in a zone of the client's own that is like none that Exchange knows, and its clocks do not change alike every year"
        }
        Reason::AttendeeChange => "somebody invited changes time or participants",
        Reason::OrganizerChange => "an organiser changes what Exchange does not let them change",
        Reason::ForeignOrganizer => "a message to the outbox is in somebody else's name",
        Reason::NoMessage => "a message to the outbox does not ask for free and busy times",
    }
}

/// What is refused with which precondition: a table in Markdown.
pub fn refusals() -> String {
    let other = "other.ics".parse().map(Reason::UidConflict).ok();
    let reasons = [
        Reason::InvalidData,
        Reason::InvalidObject,
        Reason::UnsupportedData,
        Reason::UnsupportedComponent,
        Reason::TooEarly,
        Reason::TooLate,
        Reason::TooLarge,
        Reason::AttachmentTooLarge,
        Reason::TooManyAttachments,
        Reason::UnknownAttachment,
        Reason::NoSuchAttachment,
        Reason::NoSuchInstance,
        Reason::UnsupportedRecurrence,
        Reason::OccurrenceCrossesNeighbour,
        Reason::UnsupportedTimeZone,
        Reason::AttendeeChange,
        Reason::OrganizerChange,
        Reason::ForeignOrganizer,
        Reason::NoMessage,
    ];
    let mut text = "| precondition | refused because |\n| --- | --- |\n".to_owned();
    for reason in reasons.into_iter().chain(other) {
        let (calendar, card) = (unstorable(&reason, Space::Calendars), unstorable(&reason, Space::Cards));
        let names = if calendar.local() == card.local() {
            format!("`{}`", calendar.local())
        } else {
            format!("`{}`, `{}`", calendar.local(), card.local())
        };
        text.push_str(&format!("| {names} | {} |\n", when(&reason)));
    }
    text
}
