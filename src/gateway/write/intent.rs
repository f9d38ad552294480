//! What a kill or a lost connection left half done is finished or undone before anything else is written.

use super::Conditions;
use super::journal::audience_of;
use crate::convert::write::{self, ItemSnapshot};
use crate::gateway::{Error, Mailbox};
use crate::mirror::{Folder, Intent, Mirror, PendingMove};
use crate::model::id::{CollectionId, ResourceName};
use crate::model::item::{Field, ItemClass, ItemRef, Notify};
use crate::upstream::{Disposal, ErrorKind, Target};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// When to come back while a write is not settled.
pub(super) const SOON: Duration = Duration::from_secs(5);

impl Mailbox {
    /// Whether a write ended without a clear outcome.
    fn is_unsettled(&self) -> bool {
        self.unsettled().load(Ordering::Relaxed)
    }

    /// A mailbox that is opened may have writes that were begun before.
    pub(in crate::gateway) fn expect_unsettled(&self) {
        self.unsettled().store(true, Ordering::Relaxed);
    }

    /// Looks at all writes that were begun and not ended. A sign-in may be given up meanwhile: this goes on, and the
    /// program waits for it before it ends.
    pub(in crate::gateway) async fn settle_apart(&self) {
        if !self.is_unsettled() {
            return;
        }
        let mailbox = self.clone();
        let work = self.carry_on(async move { mailbox.settle().await });
        if let Err(error) = work.await {
            tracing::error!(%error, "writes that were begun are not ended now");
        }
    }

    /// Looks at all writes that were begun and not ended. What cannot be looked at now is looked at before the next
    /// write.
    async fn settle(&self) {
        let intents = match self.mirror().run(Mirror::intents).await {
            Ok(intents) => intents,
            Err(error) => {
                tracing::warn!(%error, "writes that were begun are not known");
                return self.unsettled().store(true, Ordering::Relaxed);
            }
        };
        let mut all = true;
        for intent in intents {
            let Ok(_lock) = self.lock_object(&intent.collection, &intent.name).await else {
                all = false;
                continue;
            };
            if let Err(error) = Box::pin(self.settle_one(&intent)).await {
                tracing::warn!(%error, name = %intent.name, "a write that was begun cannot be ended yet");
                all = false;
            }
        }
        for arrival in self.arrivals().await.unwrap_or_default() {
            let Ok(_lock) = self.lock_object(&arrival.collection, &arrival.name).await else {
                all = false;
                continue;
            };
            if let Err(error) = self.settle_arrival(&arrival).await {
                tracing::warn!(%error, name = %arrival.name, "a move that was begun cannot be ended yet");
                all = false;
            }
        }
        // What another write has left meanwhile stays to be looked at.
        let has_more = self.mirror().run(Mirror::intents).await.map_or(true, |left| !left.is_empty());
        self.unsettled().store(!all || has_more, Ordering::Relaxed);
    }

    /// Ends one move or copy. The caller holds its lock.
    async fn settle_arrival(&self, arrival: &PendingMove) -> Result<(), Error> {
        if self.arrivals().await?.contains(arrival) {
            self.arrive(arrival).await?;
        }
        Ok(())
    }

    /// Finishes or undoes one write. The caller holds its lock.
    async fn settle_one(&self, intent: &Intent) -> Result<(), Error> {
        let Intent { collection: id, name, before, since, can_be_undone, owed, body, trace } = intent;
        let known = self.mirror().run(Mirror::intents).await?;
        if !known.contains(intent) {
            return Ok(());
        }
        let folder = match self.known_folder(id).await {
            Err(Error::NotFound) => return self.end_intent(id, name).await,
            known => known?,
        };
        self.follower().invalidate(id);
        self.follower().refresh(std::slice::from_ref(id)).await?;
        // What the mirror shows is then what was found.
        let found = match self.find_written(&folder, name, body).await {
            // Somebody removed it all.
            Err(Error::Changed) => None,
            found => found?,
        };
        let Some((entry, found)) = found else {
            return self.end_intent(id, name).await;
        };
        let class = write::class_of(folder.collection.kind, &entry.body);
        let trace = ItemSnapshot::read(class, trace).unwrap_or_default();
        // The last call is done, by us or by another gateway.
        if entry.body == *body || !trace.keeps_its_text(&found.item) {
            if !trace.has_created(&found.item, name.as_str()) {
                self.remove_half_beside(&folder, intent, &trace, class).await?;
            }
            if before.is_none() && entry.body == *body {
                self.note_unanswered(id, name, body);
            }
            return self.end_intent(id, name).await;
        }
        // Nothing of it was done. What the item is tells, not when it was changed: clocks differ, and Exchange may be slow.
        let may_be_ours = match before {
            Some(before) => before.0 != found.item.id.version,
            None => trace.has_created(&found.item, name.as_str()),
        };
        if !may_be_ours {
            self.remove_half_beside(&folder, intent, &trace, class).await?;
            return self.end_intent(id, name).await;
        }
        let plan = match self.plan(&folder, name, body, Some(&found), audience_of(*owed)).await {
            Err(error) => return self.come_back_or_leave(intent, error).await,
            Ok(plan) => plan,
        };
        if before.is_some() && !trace.has_begun(&plan, &found.item, &found.related.exceptions) {
            return self.end_intent(id, name).await;
        }
        let foreign = trace.foreign(&plan, &found.item, &found.related.exceptions);
        tracing::info!(%name, begun = %since, undone = before.is_none() && *can_be_undone, ?foreign, "half of a write was found");
        if before.is_none() && *can_be_undone && foreign.is_empty() {
            let target = Target::Item(ItemRef { id: found.item.id.id, version: String::new() });
            let session = self.follower().session();
            for answer in session.delete_items(&[target], Disposal::Gone, Notify::Nobody).await? {
                answer
                    .or_else(|error| if error.is(&ErrorKind::ItemNotFound) { Ok(()) } else { Err(error) })?;
            }
            self.follower().invalidate(id);
            self.follower().refresh(std::slice::from_ref(id)).await?;
            return self.end_intent(id, name).await;
        }
        // What somebody else changed meanwhile stays as it is.
        let Some(body) = write::with_foreign(class, body, &entry.body, &foreign) else {
            return self.leave_half(intent, &Error::Changed).await;
        };
        // Upon what was found: who changes something now is in the way, and seen the next time.
        match self
            .put_upon(&folder, name, &Conditions::default(), &body, audience_of(*owed), Some(found))
            .await
        {
            Err(error) => self.come_back_or_leave(intent, error).await,
            Ok(_) => {
                if before.is_none() {
                    self.note_unanswered(id, name, &intent.body);
                }
                self.end_intent(id, name).await
            }
        }
    }

    /// Whether the object at the name of a write that creates was created by another gateway. Then what the write has created is
    /// removed, and the write is no longer noted.
    pub(super) async fn is_of_another_gateway(
        &self,
        folder: &Folder,
        intent: &Intent,
    ) -> Result<bool, Error> {
        let Intent { collection: id, name, body, trace, .. } = intent;
        let class = write::class_of(folder.collection.kind, body);
        let trace = ItemSnapshot::read(class, trace).unwrap_or_default();
        let found = self.find_upstream(id, name, folder.collection.kind, &Conditions::default()).await?;
        if found.is_none_or(|found| trace.has_created(&found.item, name.as_str())) {
            return Ok(false);
        }
        self.remove_half_beside(folder, intent, &trace, class).await?;
        self.end_intent(id, name).await?;
        Ok(true)
    }

    /// Removes what a write has created and not ended, where another gateway has meanwhile stored the whole object beside it:
    /// by its mark it is this write's own, and without a text nobody was told that it is there.
    async fn remove_half_beside(
        &self,
        folder: &Folder,
        intent: &Intent,
        trace: &ItemSnapshot,
        class: ItemClass,
    ) -> Result<(), Error> {
        let Some(mark) = trace.mark.clone().filter(|_| intent.before.is_none() && intent.can_be_undone)
        else {
            return Ok(());
        };
        let session = self.follower().session();
        let upstream = &folder.collection.upstream.0;
        let marked = match session.find_items(upstream, &[(Field::CreationMark, mark)]).await {
            // There are servers that cannot be asked for it.
            Err(error) if error.is_refusal() || error.is(&ErrorKind::Unsupported) => {
                tracing::warn!(%error, name = %intent.name, "whether half of a write stays cannot be looked up");
                return Ok(());
            }
            marked => marked?,
        };
        for (item, _) in marked {
            let Some((half, _)) = self.follower().fetch_one(class, &item.id).await? else { continue };
            if !trace.has_created(&half, intent.name.as_str()) || !trace.keeps_its_text(&half) {
                continue;
            }
            tracing::info!(name = %intent.name, "half of a write is removed: the object is there as a whole");
            // To Deleted Items: somebody with Outlook may have changed it meanwhile.
            self.throw_away(half.id).await?;
            self.follower().invalidate(&intent.collection);
        }
        Ok(())
    }

    /// What passes, such as a refused password, is waited for; what Exchange will never take is not tried again.
    async fn come_back_or_leave(&self, intent: &Intent, why: Error) -> Result<(), Error> {
        match why {
            Error::Refused(_)
            | Error::Denied(_)
            | Error::NotFound
            | Error::Unsupported(_)
            | Error::Internal(..) => self.leave_half(intent, &why).await,
            passing => Err(passing),
        }
    }

    async fn leave_half(&self, intent: &Intent, why: &Error) -> Result<(), Error> {
        tracing::error!(error = %why, name = %intent.name, "half of a write stays");
        self.end_intent(&intent.collection, &intent.name).await
    }

    /// What was begun for a member is settled before it is written again: else guests would hear of it twice.
    pub(super) async fn settle_before(&self, id: &CollectionId, name: &ResourceName) -> Result<(), Error> {
        if !self.is_unsettled() {
            return Ok(());
        }
        self.settle().await;
        let arrives =
            |arrivals: Vec<PendingMove>| arrivals.iter().any(|a| a.collection == *id && a.name == *name);
        if self.is_unsettled() && (self.intent(id, name).await?.is_some() || arrives(self.arrivals().await?))
        {
            let reason = "an earlier write of this object has not ended yet".to_owned();
            return Err(Error::Unavailable { retry_after: SOON, reason });
        }
        Ok(())
    }

    /// What was begun for a member and has not been ended.
    pub(super) async fn intent(
        &self,
        id: &CollectionId,
        name: &ResourceName,
    ) -> Result<Option<Intent>, Error> {
        let intents = self.mirror().run(Mirror::intents).await?;
        Ok(intents.into_iter().find(|intent| intent.collection == *id && intent.name == *name))
    }

    /// Nothing is left to be done.
    pub(super) async fn end_intent(&self, id: &CollectionId, name: &ResourceName) -> Result<(), Error> {
        let (id, name) = (id.clone(), name.clone());
        Ok(self.mirror().run(move |mirror| mirror.end_write_of(&id, &name)).await?)
    }
}
