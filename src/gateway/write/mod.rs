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
mod groups;
mod intent;
mod members;
mod parts;
mod pending_move;
mod put;
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
pub(super) use groups::Waiting;
pub use relocate::{Overwrite, Relocation};
pub(super) use unanswered::{Answer, Unanswered};
pub(super) use write_lock::WriteLocks;

use crate::model::id::{ETag, ResourceName, ScheduleTag};

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
