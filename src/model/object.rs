//! Object resources: what a collection's members are to those who serve them.

use super::id::{ETag, ResourceName, ScheduleTag};
use bytes::Bytes;
use jiff::Timestamp;

/// The largest photo of a contact, in octets: it is fetched whole with every look at its contact.
pub const MAX_PHOTO: usize = 5 << 20;

/// How many attachments an object may have: each is asked for with every look at its item.
pub const MAX_ATTACHMENTS: usize = 100;

/// When an object takes place: the prefilter of time-range queries.
///
/// `None` at an end means open: no lower or upper bound is known, so the object is always a candidate there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Span {
    /// Start of the first instance.
    pub first: Option<Timestamp>,
    /// End of the last instance.
    pub last: Option<Timestamp>,
}

impl Span {
    /// Whether the half-open range `[from, to)` may touch it.
    pub fn may_overlap(&self, from: Option<Timestamp>, to: Option<Timestamp>) -> bool {
        // Touching ends count: a zero-length event at the very start of a range is in it (RFC 4791 9.9).
        let starts_before_end = self.first.zip(to).is_none_or(|(first, to)| first <= to);
        let ends_after_start = self.last.zip(from).is_none_or(|(last, from)| last >= from);
        starts_before_end && ends_after_start
    }
}

/// An object without its body.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Last path segment.
    pub name: ResourceName,
    /// Strong ETag of the body.
    pub etag: ETag,
    /// Only for scheduling object resources.
    pub schedule_tag: Option<ScheduleTag>,
    /// When the upstream last changed it.
    pub last_modified: Timestamp,
    /// Octets of the body.
    pub size: u64,
}

/// An object as it is served: octets that nobody needs to parse.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Name and tags.
    pub head: Head,
    /// `text/calendar` or `text/vcard` (3.0), complete.
    pub body: Bytes,
    /// The same contact as vCard 4.0; `None` for calendar objects.
    pub vcard4: Option<Bytes>,
}
