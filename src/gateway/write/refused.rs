//! What a server says about a write, in the gateway's words: a client must not try again what can never be stored.

use crate::ews;
use crate::gateway::Error;
use crate::model::refusal::{Reason, Refusal};

/// Codes with which a server says that an item is no longer what is known of it.
const CONFLICTS: [&str; 7] = [
    "ErrorIrresolvableConflict",
    "ErrorStaleObject",
    "ErrorItemNotFound",
    "ErrorCalendarCannotUpdateDeletedItem",
    "ErrorCalendarMeetingRequestIsOutOfDate",
    "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange",
    "ErrorCalendarOccurrenceIsDeletedFromRecurrence",
];

/// Codes, what they are refused as, and what to change: MS-OXWSCDATA 2.2.5.24
const REFUSALS: [(&str, Reason, Option<&str>, &str); 24] = [
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
        "ErrorMessageSizeExceeded",
        Reason::TooLarge,
        None,
        "the server takes no object of this size: shorten it",
    ),
    (
        "ErrorDataSizeLimitExceeded",
        Reason::TooLarge,
        None,
        "the server takes no object of this size: shorten it",
    ),
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

/// The failure of a write.
pub(super) fn refused(error: ews::Error) -> Error {
    if CONFLICTS.iter().any(|code| error.is(code)) {
        return Error::Changed;
    }
    match REFUSALS.into_iter().find(|(code, ..)| error.is(code)) {
        Some((_, reason, Some(part), text)) => Refusal::of_part(reason, part, text).into(),
        Some((_, reason, None, text)) => Refusal::new(reason, text).into(),
        None => error.into(),
    }
}
