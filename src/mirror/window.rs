//! How far back a collection is shown: members that ended before its horizon are in the mirror, but not for readers.
//!
//! Writers see them: a write to a member that is not shown reaches its item, and its UID stays taken. What is written
//! here is shown until the horizon moves, so that a client gets what it has just stored.
//!
//! **Invariant:** whether a member is shown changes in the transaction that notes it in the change log.

use super::members::{Members, folder_of, store_folder};
use super::store::{Error, Mirror};
use super::tables::{FOLDERS, Folder, SHOWN, damaged};
use crate::model::id::CollectionId;
use crate::model::object::Span;
use jiff::Timestamp;
use redb::ReadTransaction;
use std::collections::HashSet;

/// Whether something was over before the horizon. What has no known end never is.
pub(super) fn has_ended(horizon: Option<i64>, span: &Span) -> bool {
    horizon.zip(span.last).is_some_and(|(horizon, last)| last.as_second() < horizon)
}

/// What readers see of a collection; the default is all.
#[derive(Default)]
pub(super) struct Window {
    horizon: Option<i64>,
    /// Names that are shown all the same.
    shown: HashSet<String>,
}

impl Window {
    pub(super) fn of(read: &ReadTransaction, id: &CollectionId) -> Result<Self, Error> {
        let folder = read.open_table(FOLDERS)?.get(id.as_str())?;
        let folder = folder.map(|row| Folder::unpack(row.value()).ok_or_else(damaged)).transpose()?;
        let horizon = folder.and_then(|folder| folder.horizon);
        let mut shown = HashSet::new();
        if horizon.is_some() {
            for row in read.open_table(SHOWN)?.range((id.as_str(), "")..)? {
                let (key, _) = row?;
                let (collection, name) = key.value();
                if collection != id.as_str() {
                    break;
                }
                shown.insert(name.to_owned());
            }
        }
        Ok(Self { horizon, shown })
    }

    pub(super) fn shows(&self, name: &str, span: &Span) -> bool {
        !has_ended(self.horizon, span) || self.shown.contains(name)
    }
}

impl Mirror {
    /// Shows from now on what ended at or after this time, to the second; `None`: all. What is no longer shown is gone
    /// for clients that synchronise by token, and what is shown again is new to them.
    pub fn move_horizon(&self, id: &CollectionId, horizon: Option<Timestamp>) -> Result<(), Error> {
        let write = self.begin()?;
        let Some(mut folder) = folder_of(&write, id)? else { return Ok(()) };
        Members::open(&write, id)?.move_horizon(&mut folder, horizon.map(Timestamp::as_second))?;
        store_folder(&write, &folder)?;
        self.commit_folders(write)
    }
}
