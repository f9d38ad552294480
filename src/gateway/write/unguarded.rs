//! Calls that Exchange carries out whatever the item has become since it was looked at: deleting and moving do not judge
//! the version. MS-OXWSCORE 3.1.4.3, 3.1.4.7

use super::Conditions;
use crate::gateway::{Error, Mailbox};
use crate::mirror::Entry;
use crate::model::id::{CollectionId, ResourceName};
use crate::model::item::ItemClass;
use crate::upstream::{self, Session};
use std::time::Instant;

/// What such a call is about, and what must hold of it when the call is made.
#[derive(Clone, Copy)]
pub(super) struct Judged<'a> {
    pub(super) object: (&'a CollectionId, &'a ResourceName),
    pub(super) entry: &'a Entry,
    pub(super) class: ItemClass,
    /// `None`: they have been judged for all items of the object together.
    pub(super) conditions: Option<&'a Conditions>,
}

/// Attempts to make such a call: none is repeated by the session itself.
pub(super) struct Attempts<'a> {
    session: Session,
    began: Instant,
    judged: Option<Judged<'a>>,
}

impl<'a> Attempts<'a> {
    pub(super) fn of(mailbox: &Mailbox, judged: Option<Judged<'a>>) -> Self {
        let session = mailbox.follower().session().asking_once();
        Self { session, began: Instant::now(), judged }
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// Whether the call may be made again after this failure. There was a pause then, and after it a look: what was seen
    /// before may no longer be so. Fails with what the look says.
    pub(super) async fn may_go_on(&self, mailbox: &Mailbox, error: &upstream::Error) -> Result<bool, Error> {
        let patience = self.session.patience();
        let Some(pause) = error.pause().filter(|pause| self.began.elapsed() + *pause < patience) else {
            return Ok(false);
        };
        tracing::debug!(wait_ms = pause.as_millis(), %error, "looking again before the next attempt");
        tokio::time::sleep(pause).await;
        let Some(Judged { object: (id, name), entry, class, conditions }) = self.judged else {
            return Ok(true);
        };
        let is_there = mailbox.look_at(id, entry, class).await?.is_some();
        if let Some(conditions) = conditions.filter(|_| is_there) {
            let now = mailbox.get_known(id, name).await?;
            conditions.judge(now.as_ref().map(|object| &object.head))?;
        }
        Ok(true)
    }
}
