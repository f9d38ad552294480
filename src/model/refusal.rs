//! Why an object cannot be stored, in words that a client can act on.

use super::id::ResourceName;
use std::fmt;

/// What stands in the way. Each is one precondition of CalDAV or CardDAV. RFC 4791 5.3.2.1, RFC 6352 6.3.2.1
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Not parseable, or against the rules of its format.
    InvalidData,
    /// Well formed, but not one object of one kind with one UID.
    InvalidObject,
    /// Another format or version.
    UnsupportedData,
    /// A kind of component that the collection does not hold.
    UnsupportedComponent,
    /// Another member of the collection has the UID: this one.
    UidConflict(ResourceName),
    /// Earlier than can be stored.
    TooEarly,
    /// Later than can be stored.
    TooLate,
    /// More octets than may be stored.
    TooLarge,
    /// An attachment of more octets than may be stored. RFC 8607 3.11
    AttachmentTooLarge,
    /// More attachments than an object may have. RFC 8607 3.11
    TooManyAttachments,
    /// The text names an attachment that there is not. RFC 8607 3.11
    UnknownAttachment,
    /// The request names an attachment that the object does not have. RFC 8607 3.11
    NoSuchAttachment,
    /// The request names an instance that cannot have attachments of its own. RFC 8607 3.11
    NoSuchInstance,
    /// A rule that the upstream cannot hold.
    UnsupportedRecurrence,
    /// A moved occurrence would pass its neighbour.
    OccurrenceCrossesNeighbour,
    /// A time zone that can neither be named nor described to the upstream.
    UnsupportedTimeZone,
    /// An attendee changes what is the organiser's. RFC 6638 3.2.2.1
    AttendeeChange,
    /// An organiser changes what is not allowed. RFC 6638 3.2.1.1
    OrganizerChange,
    /// A message in somebody else's name. RFC 6638 5.1
    ForeignOrganizer,
    /// A scheduling message of another kind than is taken. RFC 6638 5.1
    NoMessage,
}

/// A refused object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What stands in the way.
    pub reason: Reason,
    /// The property, component or part of a rule that it is about, as the client wrote it.
    pub part: Option<String>,
    /// One English sentence that says what to change.
    pub text: String,
}

impl Refusal {
    /// A refusal of the object as a whole.
    pub fn new(reason: Reason, text: impl Into<String>) -> Self {
        Self { reason, part: None, text: text.into() }
    }

    /// A refusal because of a part.
    pub fn of_part(reason: Reason, part: impl Into<String>, text: impl Into<String>) -> Self {
        Self { reason, part: Some(part.into()), text: text.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.part {
            Some(part) => write!(f, "{part}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

impl std::error::Error for Refusal {}
