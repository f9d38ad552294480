//! What holds the mailboxes, in words that are the same for all of them.
//!
//! [`Upstream`] is one of them, [`Session`] one user there. Whatever is above knows items ([`crate::model::item`]), folders,
//! changes since a cursor, and [`Error`]; what an upstream calls these, and how it is asked, is its own. What is true of an
//! upstream as a whole is in [`Capabilities`](crate::model::capabilities::Capabilities).
//!
//! **Invariant:** a call that may have changed something is never repeated blindly.
//! **Invariant:** ids, versions, cursors and packed items are read by the upstream that made them, and by nobody else.
//! **Invariant:** a password is never part of an error, a log line or a `Debug` text.

mod access;
mod error;
pub mod ews;
mod folder;
mod item;
mod listening;
mod people;
mod session;

pub use access::{Access, KeepToken, Unreachable, Upstream};
pub use error::{Error, ErrorKind};
pub use folder::{
    Folder, FolderChange, FolderEdit, FolderProperties, FolderProperty, FolderSelector, WellKnownFolder,
};
pub use item::{Answer, Disposal, Fetched, ItemChange, NewAttachment, Page, Relocate, Target};
pub use listening::{
    Ended, Event, EventStream, MAX_SUBSCRIPTIONS, Notification, SharedAccount, SubscriptionGroup, with_jitter,
};
pub use people::{BusyTime, MAX_DAYS, MAX_PEOPLE, Resolved, Scope, SharedTime};
pub use session::{Session, UserSession};
