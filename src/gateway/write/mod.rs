//! Writing: to Exchange first, and into the mirror only what Exchange acknowledged.
//!
//! **Invariant:** conditions are judged against what Exchange holds now, not against the mirror alone.
//! **Invariant:** a write, move or copy of several calls is written down before the first; what a kill leaves of it is
//! ended or undone.
//! **Invariant:** a failure whose outcome is unclear is looked into before anything is tried again.

mod attachment;
mod by_place;
mod calls;
mod collection;
mod condition;
mod delete;
mod found;
mod groups;
mod intent;
mod journal;
mod members;
mod parts;
mod pending_move;
mod put;
mod put_upon;
mod refused;
mod relocate;
mod seek;
mod unanswered;
mod unguarded;
mod write_lock;

pub use attachment::{AttachmentChange, File, Instances, ManagedAttachment};
pub use collection::{CollectionChange, Field, NewCollection};
pub use condition::{Conditions, TagTest, Tags};
pub use delete::ScheduleReply;
pub(super) use groups::IncompleteGroups;
pub use relocate::{Overwrite, Relocation};
pub(super) use unanswered::{Answer, Unanswered};
pub(super) use write_lock::WriteLocks;

use super::{Error, Mailbox};
use crate::convert::write::limits::has_guests;
use crate::mirror::Entry;
use crate::model::id::{ETag, ResourceName, ScheduleTag};
use crate::model::item::Item;

/// What became of a written object.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// Its name; another than asked for when the object was there already under that name.
    pub name: ResourceName,
    /// Whether it is new.
    pub created: bool,
    /// Only if a GET gives back the octets that were sent. RFC 4791 5.3.4
    pub etag: Option<ETag>,
    /// Only for scheduling object resources. RFC 6638 3.2.10
    pub schedule_tag: Option<ScheduleTag>,
}

impl Mailbox {
    /// Refuses what an upstream would mail guests about who are not to hear of it.
    fn refuse_mailing(&self, item: &Item) -> Result<(), Error> {
        self.refuse_mails_if(has_guests(item))
    }

    /// The same of an entry whose item is not at hand: only meetings have a schedule tag. RFC 6638 3.2.10
    fn refuse_mailing_entry(&self, entry: &Entry) -> Result<(), Error> {
        self.refuse_mails_if(entry.schedule_tag.is_some())
    }

    fn refuse_mails_if(&self, is_meeting: bool) -> Result<(), Error> {
        if self.follower().session().capabilities().writes_silently || !is_meeting {
            return Ok(());
        }
        let text = "this server would mail the guests of the meeting: it cannot be done in silence";
        Err(Error::Denied(text.to_owned()))
    }
}
