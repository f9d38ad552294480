//! What Exchange's failures are called above: its codes are known here and in the client, and nowhere else.

use super::client::CROWDED;
use super::error::Error;
use crate::model::refusal::{Reason, Refusal};
use crate::upstream::{self, ErrorKind};

impl From<Error> for upstream::Error {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let kind = match &error {
            Error::SignIn => ErrorKind::SignIn,
            Error::Kept(_) | Error::Consent(_) => ErrorKind::KeptSecret,
            Error::NoScheme => ErrorKind::NoPasswordSignIn,
            Error::Scheme(_) | Error::Settings(_) => ErrorKind::Settings,
            Error::Forbidden => ErrorKind::Forbidden,
            Error::Busy { back_off } => ErrorKind::Busy { back_off: *back_off },
            Error::Certificate(_) => ErrorKind::Certificate,
            Error::Unreachable(_) => ErrorKind::Unreachable,
            Error::Lost(_) => ErrorKind::Lost,
            Error::Undiscovered(_) => ErrorKind::Unavailable,
            Error::Unsupported { .. } => ErrorKind::Unsupported,
            Error::Response { code, .. } | Error::Fault { code, .. } => match of_code(code.as_str()) {
                ErrorKind::Refused if error.is_transient() => ErrorKind::Unavailable,
                kind => kind,
            },
            // IIS stands before Exchange and counts the whole request.
            Error::Http { status: 413, .. } => {
                let text = "the request is larger than Exchange takes";
                ErrorKind::Invalid(Refusal::new(Reason::AttachmentTooLarge, text))
            }
            Error::Http { .. } if error.is_transient() => ErrorKind::Unavailable,
            Error::Http { .. } | Error::Answer(_) => ErrorKind::Unintelligible,
        };
        Self::new(kind, text)
    }
}

impl From<upstream::Ended<Error>> for upstream::Ended {
    fn from(ended: upstream::Ended<Error>) -> Self {
        Self { error: ended.error.into(), subscriptions: ended.subscriptions }
    }
}

/// What a code means. MS-OXWSCDATA 2.2.5.24; docs/EXCHANGE.md, Errors and Notifications
fn of_code(code: &str) -> ErrorKind {
    match code {
        CROWDED => ErrorKind::Busy { back_off: None },
        "ErrorItemNotFound" => ErrorKind::ItemNotFound,
        "ErrorFolderNotFound" | "ErrorSyncFolderNotFound" => ErrorKind::FolderNotFound,
        "ErrorInvalidAttachmentId" | "ErrorAttachmentNotFound" => ErrorKind::AttachmentNotFound,
        "ErrorCalendarOccurrenceIsDeletedFromRecurrence" => ErrorKind::OccurrenceNotFound,
        "ErrorNonExistentMailbox" => ErrorKind::MailboxNotFound,
        "ErrorFolderExists" => ErrorKind::FolderExists,
        "ErrorIrresolvableConflict"
        | "ErrorStaleObject"
        | "ErrorCalendarCannotUpdateDeletedItem"
        | "ErrorCalendarMeetingRequestIsOutOfDate"
        | "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange" => ErrorKind::Conflict,
        "ErrorAccessDenied" | "ErrorDeleteDistinguishedFolder" | "ErrorCreateItemAccessDenied" => {
            ErrorKind::Denied
        }
        "ErrorQuotaExceeded" => ErrorKind::Full,
        "ErrorMessageSizeExceeded" | "ErrorDataSizeLimitExceeded" => ErrorKind::TooLarge,
        "ErrorInvalidSyncStateData" => ErrorKind::CursorLost,
        "ErrorSubscriptionNotFound"
        | "ErrorSubscriptionUnsubscribed"
        | "ErrorSubscriptionAccessDenied"
        | "ErrorInvalidSubscription"
        | "ErrorMissedNotificationEvents"
        | "ErrorReadEventsFailed"
        | "ErrorNewEventStreamConnectionOpened"
        | "ErrorProxyRequestNotAllowed"
        | "ErrorExpiredSubscription" => ErrorKind::SubscriptionLost,
        "ErrorNoFreeBusyAccess" => ErrorKind::BusyTimesNotGranted,
        "ErrorFreeBusyGenerationFailed" | "ErrorMailboxLogonFailed" => ErrorKind::NoBusyTimes,
        _ => match INVALID.into_iter().find(|(known, ..)| *known == code) {
            Some((_, reason, Some(part), text)) => ErrorKind::Invalid(Refusal::of_part(reason, part, text)),
            Some((_, reason, None, text)) => ErrorKind::Invalid(Refusal::new(reason, text)),
            None => ErrorKind::Refused,
        },
    }
}

/// Codes of what can never be stored like this, what they are refused as, and what to change. MS-OXWSCDATA 2.2.5.24
const INVALID: [(&str, Reason, Option<&str>, &str); 23] = [
    (
        "ErrorAttachmentSizeLimitExceeded",
        Reason::AttachmentTooLarge,
        None,
        "the attachment is larger than Exchange takes",
    ),
    (
        "ErrorCalendarDurationIsTooLong",
        Reason::InvalidData,
        Some("DTEND"),
        "Exchange's events last five years at most: end it earlier",
    ),
    (
        "ErrorCalendarEndDateIsEarlierThanStartDate",
        Reason::InvalidData,
        Some("DTEND"),
        "the event ends before it starts",
    ),
    ("ErrorCalendarOutOfRange", Reason::TooLate, None, "Exchange's calendars end in August 4500"),
    (
        "ErrorRecurrenceEndDateTooBig",
        Reason::TooLate,
        Some("RRULE"),
        "Exchange's series end in August 4500: let it end earlier",
    ),
    (
        "ErrorRecurrenceHasNoOccurrence",
        Reason::UnsupportedRecurrence,
        Some("RRULE"),
        "the rule has no occurrence: let it end later",
    ),
    (
        "ErrorOccurrenceTimeSpanTooBig",
        Reason::UnsupportedRecurrence,
        Some("DTEND"),
        "an occurrence lasts until the next one begins: make it shorter, or the rule wider",
    ),
    (
        "ErrorOccurrenceCrossingBoundary",
        Reason::OccurrenceCrossesNeighbour,
        None,
        "Exchange does not let an occurrence reach the day of its neighbour",
    ),
    (
        "ErrorUnsupportedRecurrence",
        Reason::UnsupportedRecurrence,
        None,
        "Exchange does not hold this rule here",
    ),
    (
        "ErrorCalendarInvalidRecurrence",
        Reason::UnsupportedRecurrence,
        Some("RRULE"),
        "Exchange does not hold this rule",
    ),
    (
        "ErrorCalendarInvalidDayForWeeklyRecurrence",
        Reason::UnsupportedRecurrence,
        Some("RRULE"),
        "Exchange does not hold these days of the week",
    ),
    (
        "ErrorCalendarInvalidDayForTimeChangePattern",
        Reason::UnsupportedTimeZone,
        Some("TZID"),
        "Exchange does not hold the day on which this time zone changes: use one of the IANA database",
    ),
    (
        "ErrorCalendarInvalidTimeZone",
        Reason::UnsupportedTimeZone,
        Some("TZID"),
        "Exchange does not hold this time zone: use one of the IANA database",
    ),
    (
        "ErrorTimeZone",
        Reason::UnsupportedTimeZone,
        None,
        "this server does not take a time zone of one's own: use one of the IANA database",
    ),
    ("ErrorInvalidCompleteDate", Reason::TooLate, Some("COMPLETED"), "nothing is completed in the future"),
    (
        "ErrorExceededMaxRecipientLimit",
        Reason::TooLarge,
        Some("ATTENDEE"),
        "the server does not take so many people: invite a group",
    ),
    ("ErrorInvalidRecipients", Reason::InvalidData, Some("ATTENDEE"), "an address is not valid: correct it"),
    ("ErrorCalendarIsNotOrganizer", Reason::AttendeeChange, None, "only the organiser can do this"),
    (
        "ErrorCalendarIsCancelledForAccept",
        Reason::AttendeeChange,
        Some("PARTSTAT"),
        "the meeting was cancelled: remove it",
    ),
    (
        "ErrorCalendarIsCancelledForTentative",
        Reason::AttendeeChange,
        Some("PARTSTAT"),
        "the meeting was cancelled: remove it",
    ),
    (
        "ErrorCalendarIsCancelledForDecline",
        Reason::AttendeeChange,
        Some("PARTSTAT"),
        "the meeting was cancelled: remove it",
    ),
    (
        "ErrorCalendarIsDelegatedForAccept",
        Reason::AttendeeChange,
        Some("PARTSTAT"),
        "somebody else was asked to come instead: the answer is theirs",
    ),
    (
        "ErrorCalendarIsDelegatedForTentative",
        Reason::AttendeeChange,
        Some("PARTSTAT"),
        "somebody else was asked to come instead: the answer is theirs",
    ),
];
