//! One write upon what was found: planned, written down, carried out, recorded.

use super::calls::Progress;
use super::found::Found;
use super::journal::Note;
use super::{Conditions, Written};
use crate::convert::Related;
use crate::convert::write::{self, Current, NotifyPolicy, Plan};
use crate::gateway::{Error, Mailbox};
use crate::mirror::{Folder, Outcome};
use crate::model::id::{CollectionId, ResourceName, UpstreamId};
use crate::model::item::{Item, ItemClass, ItemRef, Notify};
use crate::upstream::{Disposal, ErrorKind, Target};
use bytes::Bytes;
use jiff::Timestamp;
use std::sync::atomic::Ordering;

impl Mailbox {
    /// The same upon what was found there.
    pub(super) async fn put_upon(
        &self,
        folder: &Folder,
        name: &ResourceName,
        conditions: &Conditions,
        body: &Bytes,
        audience: NotifyPolicy,
        mut found: Option<Found>,
    ) -> Result<Written, Error> {
        let (id, rights) = (&folder.collection.id, folder.collection.rights);
        if !(if found.is_some() { rights.modify } else { rights.create }) {
            return Err(Error::Denied("the folder is read-only for you".to_owned()));
        }
        let class = write::class_of(folder.collection.kind, body);
        if found.as_ref().is_some_and(|found| found.is_remembered && found.item.class != class) {
            found = self.find_upstream(id, name, folder.collection.kind, conditions).await?;
        }
        // A person who becomes a group is another item, and the other way round.
        let replaced = found.take_if(|found| found.item.class != class).map(|found| found.item.id);
        let created = found.is_none() && replaced.is_none();
        let mut has_answered = false;
        let outcome = loop {
            let mut plan = self.plan(folder, name, body, found.as_ref(), audience).await?;
            let is_remembered = found.as_ref().is_some_and(|found| found.is_remembered);
            if is_remembered && !plan.is_plain() {
                // What takes several steps begins with what is there now.
                found = self.find_upstream(id, name, folder.collection.kind, conditions).await?;
                continue;
            }
            if found.is_some() && (plan.calls_off || plan.declines()) {
                self.note_outcome((id, name), body, Outcome::Ended).await?;
            }
            if let Some(called_off) = found.take_if(|_| plan.calls_off) {
                self.remove((id, name), UpstreamId(called_off.item.id.id), Notify::All, None).await?;
                return Ok(gone(name, created));
            }
            if let Some((reply, invitation)) = plan.reply.take().zip(found.as_ref()).filter(|_| !has_answered)
            {
                // The answer makes another version of the item, upon which the rest is planned.
                has_answered = true;
                self.follower().invalidate(id);
                match self.answer(plan.class, &invitation.item.id, &reply).await? {
                    Some(invitation) => found = Some(invitation),
                    // A declined meeting is gone from the calendar.
                    None => return Ok(gone(name, created)),
                }
                continue;
            }
            let outcome = self
                .carry_out_journalled(folder, name, body, &mut plan, found.as_ref(), replaced.is_some())
                .await;
            if is_remembered && matches!(outcome, Err(Error::Changed)) {
                // Somebody was faster than the mirror.
                found = self.find_upstream(id, name, folder.collection.kind, conditions).await?;
                continue;
            }
            break outcome;
        };
        let (item, mut related) = match outcome {
            Ok(done) => done,
            Err(error) => {
                // Whatever was done, the next look at Exchange must show it.
                self.follower().invalidate(id);
                return Err(error);
            }
        };
        if class == ItemClass::DistributionList {
            related.uids = self.follower().uids(id).await?;
        }
        if let Some(old) = replaced {
            return self.replace((id, name), &item, old).await;
        }
        self.recorded(id, name, body, created, (item, related)).await
    }

    /// Writes the plan down where it takes several calls, carries it out, and strikes it out where nothing of it is left to do.
    async fn carry_out_journalled(
        &self,
        folder: &Folder,
        name: &ResourceName,
        body: &Bytes,
        plan: &mut Plan,
        found: Option<&Found>,
        replaces: bool,
    ) -> Result<(Item, Related), Error> {
        let id = &folder.collection.id;
        let note = if replaces { Note::Unneeded } else { self.begin(id, name, body, plan, found).await? };
        let progress = Progress::default();
        let outcome = self.carry_out_or_less(folder, plan, found.cloned(), &progress).await;
        if note != Note::Unneeded {
            // Half of it may be there, and goes on being known: without a clear outcome, or when what is in the
            // way is none of the write's own.
            let is_half = match &outcome {
                Ok(_) | Err(Error::Refused(_)) => false,
                // Of an earlier attempt, too, half may be there: nothing says that it is over.
                Err(Error::Unavailable { .. } | Error::SignIn | Error::Barred(_)) => true,
                Err(_) => note == Note::Known || progress.has_begun(),
            };
            if is_half {
                self.unsettled().store(true, Ordering::Relaxed);
            } else if let Err(error) = self.end_intent(id, name).await {
                tracing::warn!(%error, "that a write has ended could not be noted");
                self.unsettled().store(true, Ordering::Relaxed);
            }
        }
        outcome
    }

    /// Enters what was acknowledged. The ETag is that of the client's own text, or none.
    async fn recorded(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        body: &Bytes,
        created: bool,
        (item, related): (Item, Related),
    ) -> Result<Written, Error> {
        // Exchange has it: that the mirror cannot take it now is no failure of the write.
        let head = self.follower().record(id, item, related).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a write could not be noted in the mirror");
            self.follower().invalidate(id);
            None
        });
        let Some(head) = head else { return Ok(gone(name, created)) };
        let stored = self.get_known(id, &head.name).await?.filter(|object| object.head.etag == head.etag);
        let is_same = stored.is_some_and(|o| o.body == *body || o.vcard4.is_some_and(|card| card == *body));
        Ok(Written {
            name: head.name,
            created,
            etag: is_same.then_some(head.etag),
            schedule_tag: head.schedule_tag,
        })
    }

    /// What a client wants, as work for Exchange.
    pub(super) async fn plan(
        &self,
        folder: &Folder,
        name: &ResourceName,
        body: &Bytes,
        found: Option<&Found>,
        audience: NotifyPolicy,
    ) -> Result<Plan, Error> {
        let id = &folder.collection.id;
        let known: Vec<(Item, Related)> =
            found.iter().map(|found| (found.item.clone(), found.related.clone())).collect();
        let mut context = self.follower().translation(id, &known).await?;
        context.now = Timestamp::now();
        if write::class_of(folder.collection.kind, body) == ItemClass::DistributionList {
            context.people = self.people_of(id, body).await?;
        }
        let current = found.map(|found| Current { item: &found.item, related: &found.related });
        self.with_attachments(&mut context, body, current).await?;
        let plan = write::plan(&context, folder.collection.kind, name.as_str(), body, current, audience)?;
        self.check_uid(id, name, &plan).await?;
        Ok(plan)
    }

    /// The new item is there: the old one goes to Deleted Items, and both are entered at once.
    async fn replace(
        &self,
        (id, name): (&CollectionId, &ResourceName),
        item: &Item,
        old: ItemRef,
    ) -> Result<Written, Error> {
        let session = self.follower().session();
        let gone = vec![(id.clone(), UpstreamId(old.id.clone()))];
        let target = Target::Item(ItemRef { id: old.id, version: String::new() });
        let answers = session.delete_items(&[target], Disposal::Bin, Notify::Nobody).await;
        let outcome = answers.and_then(|answers| answers.into_iter().next().unwrap_or(Ok(())));
        match outcome {
            Ok(()) => {}
            Err(error) if error.is(&ErrorKind::ItemNotFound) => {}
            Err(error) => {
                // Two of one name must not stay.
                let undo = [Target::Item(item.id.clone())];
                if let Err(undone) = session.delete_items(&undo, Disposal::Gone, Notify::Nobody).await {
                    tracing::error!(error = %undone, "what was to replace a contact stays beside it");
                }
                self.follower().invalidate(id);
                return Err(error.into());
            }
        }
        let head = self.follower().record_relocated((id, &item.id.id, item.class), gone).await;
        let (name, schedule_tag) = head.map_or((name.clone(), None), |head| (head.name, head.schedule_tag));
        Ok(Written { name, created: false, etag: None, schedule_tag })
    }
}

/// What is no longer there, or cannot be seen now: only another look tells.
pub(super) fn gone(name: &ResourceName, created: bool) -> Written {
    Written { name: name.clone(), created, etag: None, schedule_tag: None }
}
