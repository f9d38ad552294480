//! Writes of several calls are written down before the first; outcomes that do not show in what is there are remembered.

use super::Conditions;
use super::found::Found;
use crate::convert::write::{ItemSnapshot, NotifyPolicy, Plan};
use crate::gateway::{Error, Mailbox};
use crate::mirror::{Intent, Outcome, PendingNotification};
use crate::model::id::{CollectionId, ResourceName, UpstreamVersion};
use crate::model::item::Notify;
use bytes::Bytes;
use jiff::Timestamp;

impl Mailbox {
    /// Whether this very request has already had an outcome that does not show in what is there. Whoever creates an object on
    /// purpose says so, or says it otherwise: that is stored.
    pub(super) async fn had_outcome(
        &self,
        (id, name): (&CollectionId, &ResourceName),
        conditions: &Conditions,
        body: &Bytes,
        outcome: Outcome,
    ) -> Result<bool, Error> {
        if conditions.if_none_match.is_some() {
            return Ok(false);
        }
        let (id, name, body) = (id.clone(), name.clone(), body.clone());
        Ok(self.mirror().run(move |mirror| mirror.had_outcome(&id, &name, &body, outcome)).await?)
    }

    /// Remembers the outcome of a request, before its first call: a client whose answer is lost repeats itself.
    pub(super) async fn note_outcome(
        &self,
        (id, name): (&CollectionId, &ResourceName),
        body: &Bytes,
        outcome: Outcome,
    ) -> Result<(), Error> {
        let (id, name, body) = (id.clone(), name.clone(), body.clone());
        Ok(self.mirror().run(move |mirror| mirror.note_outcome(&id, &name, &body, outcome)).await?)
    }

    /// Writes down a plan that takes several calls.
    pub(super) async fn begin(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        body: &Bytes,
        plan: &mut Plan,
        found: Option<&Found>,
    ) -> Result<Note, Error> {
        if plan.is_plain() && found.is_none_or(|found| found.item.modified_occurrences().is_empty()) {
            return Ok(Note::Unneeded);
        }
        // What took the place of an item that somebody removed meanwhile is no half of anything.
        let is_same = |earlier: &Intent| found.is_some() || earlier.before.is_none();
        if let Some(earlier) = self.intent(id, name).await?.filter(is_same) {
            if found.is_none()
                && let Some(mark) =
                    ItemSnapshot::read(plan.class, &earlier.trace).and_then(|trace| trace.mark)
            {
                plan.mark(&mark);
            }
            let again = Intent { since: Timestamp::now(), ..earlier };
            self.mirror().run(move |mirror| mirror.begin_write_of(&again)).await?;
            return Ok(Note::Known);
        }
        let trace = match found {
            Some(found) => ItemSnapshot::of(plan.class, &found.item, &found.related.exceptions),
            None => {
                let mark = mark()?;
                plan.mark(&mark);
                ItemSnapshot::of_nothing(mark)
            }
        };
        let intent = Intent {
            collection: id.clone(),
            name: name.clone(),
            before: found.map(|found| UpstreamVersion(found.item.id.version.clone())),
            since: Timestamp::now(),
            can_be_undone: plan.telling.first() == Notify::Nobody,
            owed: match plan.telling.last() {
                Notify::Nobody => PendingNotification::Nobody,
                Notify::Changed => PendingNotification::Concerned,
                Notify::All => PendingNotification::All,
            },
            body: body.clone(),
            trace: trace.write(),
        };
        self.mirror().run(move |mirror| mirror.begin_write_of(&intent)).await?;
        Ok(Note::New)
    }
}

/// How a write is written down before its first call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    /// It is one call.
    Unneeded,
    /// For the first time.
    New,
    /// Since an earlier attempt, of which half may be there: what it found goes on being what was there before.
    Known,
}

/// What no other write marks the item with that it creates.
fn mark() -> Result<String, Error> {
    let mut octets = [0; 12];
    let source = rustls::crypto::ring::default_provider().secure_random;
    let failed = || Error::Internal("the system has no random numbers".to_owned(), None);
    source.fill(&mut octets).map_err(|_| failed())?;
    Ok(octets.iter().map(|octet| format!("{octet:02x}")).collect())
}

/// Who hears of the rest of a write.
pub(super) fn audience_of(owed: PendingNotification) -> NotifyPolicy {
    match owed {
        PendingNotification::Nobody => NotifyPolicy::Nobody,
        PendingNotification::Concerned => NotifyPolicy::PendingNotification(Notify::Changed),
        PendingNotification::All => NotifyPolicy::PendingNotification(Notify::All),
    }
}
