//! Keeps the mirror like Exchange: the tree of folders, and the contents of those that somebody looks at.
//!
//! [`Follower`] is one mailbox. Whoever needs a fresh mirror calls [`Follower::refresh`]; within the freshness window
//! that asks nothing, beyond it one GetFolder tells for all collections whether anything changed. What changed is
//! followed with SyncFolderItems (ids only) and batched GetItem, several batches under way. How collections come into
//! the mirror for the first time is told in the head of `filling.rs`.
//!
//! **Invariant:** a cursor is stored in the transaction that made its changes visible, never before.
//! **Invariant:** requests that come at the same time share one refresh, and it goes on when they leave.

mod coverage;
mod duplicate_uids;
mod early;
mod fetch;
mod filling;
mod follower;
mod hierarchy;
mod horizon;
mod limited;
mod listener_handle;
pub mod live;
mod record;
mod refresh;
mod shared;
pub mod source;
mod tree;

pub use early::Early;
pub use filling::Progress;
pub use follower::{Error, Follower, Links, Settings};
pub use live::Live;
pub use shared::{Grant, MAX_RIGHTS_AGE, Shared};
