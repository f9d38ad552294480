//! Removing objects.

use super::Conditions;
use super::unguarded::{Attempts, Judged};
use crate::convert::write::{class_of, tells_of_end};
use crate::gateway::{Error, Mailbox};
use crate::mirror::Entry;
use crate::model::id::{CollectionId, ResourceName, UpstreamId};
use crate::model::item::{Field, Item, ItemClass, ItemRef, Notify};
use crate::upstream::{Answer, Disposal, ErrorKind, Target};

/// Whether the others of a meeting hear of its end. RFC 6638 8.1
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleReply {
    /// The organiser cancels, the attendee declines.
    Send,
    /// `Schedule-Reply: F`
    Suppress,
}

impl Mailbox {
    /// Removes an object. Fails with [`Error::NotFound`] and [`Error::Changed`].
    ///
    /// An organiser's meeting is cancelled, an attendee's declined; everything else goes to Deleted Items.
    pub async fn delete(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        conditions: &Conditions,
        others: ScheduleReply,
    ) -> Result<(), Error> {
        self.settle_before(id, name).await?;
        if !self.known_folder(id).await?.collection.rights.delete {
            return Err(Error::Denied("the folder is read-only for you".to_owned()));
        }
        let _lock = self.lock_object(id, name).await?;
        self.distrust_if_others_wrote(id);
        let sought = self.folder_of_sought(id, name).await?;
        let is_sought = sought.is_some();
        let folder = match sought {
            Some(folder) => folder,
            None => self.recent_folder(id).await?,
        };
        if !folder.collection.rights.delete {
            return Err(Error::Denied("the folder is read-only for you".to_owned()));
        }
        self.refuse_hidden(id, name).await?;
        let entry = match self.known((id, name), conditions).await {
            // By another gateway a client may know of more than the mirror has heard of.
            Err(Error::NotFound | Error::Changed) if !is_sought => {
                self.follower().invalidate(id);
                self.current_folder(id).await?;
                self.known((id, name), conditions).await?
            }
            known => known?,
        };
        let class = class_of(folder.collection.kind, &entry.body);
        let parts = self.parts(id, name).await?;
        let is_one = parts.len() < 2;
        let entries = if is_one { vec![entry] } else { parts };
        let judge = async || {
            let now = self.get_known(id, name).await?;
            conditions.judge(now.as_ref().map(|object| &object.head))
        };
        if !is_one && conditions.is_of_state() {
            for entry in &entries {
                self.look_at(id, entry, class).await?;
            }
            judge().await?;
        }
        for entry in entries {
            // Nothing comes between the last look and the write. Only meetings have a schedule tag, and only guests may not
            // touch what has become private: everything else goes without a look.
            let is_seen = entry.schedule_tag.is_some() || conditions.is_of_state() || self.hides_private();
            let item = if is_seen { self.look_at(id, &entry, class).await? } else { None };
            match item {
                None if is_seen && is_one => return Err(Error::NotFound),
                None if is_seen => continue,
                _ => {}
            }
            if is_one && is_seen {
                judge().await?;
            }
            let conditions = Some(conditions).filter(|_| is_one);
            let judged = Judged { object: (id, name), entry: &entry, class, conditions };
            self.end(judged, is_seen, item.as_ref(), others).await?;
        }
        Ok(())
    }

    /// The item behind an entry as Exchange holds it now, which is entered where it is another version; `None` when it is
    /// gone.
    pub(super) async fn look_at(
        &self,
        id: &CollectionId,
        entry: &Entry,
        class: ItemClass,
    ) -> Result<Option<Item>, Error> {
        let Some((item, related)) = self.follower().fetch_one(class, &entry.upstream.0).await? else {
            self.follower().record_gone(id, entry.upstream.clone()).await?;
            return Ok(None);
        };
        self.refuse_private(&item)?;
        let judges_versions = self.follower().session().capabilities().judges_versions;
        if item.id.version != entry.version.0 || !judges_versions {
            self.follower().record(id, item.clone(), related).await?;
        }
        Ok(Some(item))
    }

    /// Ends what is behind an entry: an organiser's meeting is cancelled, an attendee's declined. `item` is the meeting as
    /// it is now; `is_seen`: it has been looked at, and is looked at again where Exchange has to be asked again.
    pub(super) async fn end(
        &self,
        judged: Judged<'_>,
        is_seen: bool,
        item: Option<&Item>,
        others: ScheduleReply,
    ) -> Result<(), Error> {
        let Judged { object: (id, name), entry, .. } = judged;
        let session = self.follower().session();
        let mut notify = Notify::Nobody;
        if let Some(item) = item.filter(|_| entry.schedule_tag.is_some() && others == ScheduleReply::Send) {
            let is_own = item.filled(Field::OwnResponse).is_none_or(|own| own == "Organizer");
            let tells = tells_of_end(&entry.body, is_own);
            if is_own {
                notify = if tells { Notify::All } else { Notify::Nobody };
            } else if !item.flag(Field::Cancelled) {
                // The answer takes the meeting out of the calendar by itself.
                match session.answer(&item.id, Answer::Decline, "", tells).await {
                    Ok(()) if session.capabilities().removes_declined => {
                        return Ok(self.follower().record_gone(id, entry.upstream.clone()).await?);
                    }
                    // It may still be there.
                    Ok(()) => {}
                    Err(error) => {
                        tracing::warn!(%error, "a meeting cannot be declined and is only removed");
                    }
                }
            }
        }
        if notify == Notify::Nobody {
            item.map_or(Ok(()), |item| self.refuse_mailing(item))?;
        }
        let judged = Some(judged).filter(|_| is_seen);
        self.remove((id, name), entry.upstream.clone(), notify, judged).await
    }

    /// Takes a member's item to Deleted Items; an organiser's guests hear that it will not be held.
    pub(super) async fn remove(
        &self,
        (id, name): (&CollectionId, &ResourceName),
        upstream: UpstreamId,
        notify: Notify,
        judged: Option<Judged<'_>>,
    ) -> Result<(), Error> {
        let target = [Target::Item(ItemRef { id: upstream.0.clone(), version: String::new() })];
        let attempts = Attempts::of(self, judged);
        let answers = loop {
            let answers = attempts.session().delete_items(&target, Disposal::Bin, notify).await;
            match &answers {
                Err(error) if attempts.may_go_on(self, error).await? => {}
                _ => break answers,
            }
        };
        let outcome = match answers {
            Ok(answers) => answers.into_iter().next().unwrap_or(Ok(())),
            Err(error) if error.pause().is_some() => return Err(error.into()),
            Err(error) => {
                // The answer may have been lost after the work was done.
                self.follower().invalidate(id);
                let has_looked = self.follower().refresh(std::slice::from_ref(id)).await.is_ok();
                let is_it = |item: &UpstreamId| *item == upstream;
                let there = self.entry(id, name).await?;
                let is_gone = has_looked
                    && there.is_none_or(|there| {
                        !is_it(&there.upstream) && !there.parts.iter().any(|part| is_it(&part.item))
                    });
                return if is_gone { Ok(()) } else { Err(error.into()) };
            }
        };
        match outcome {
            Ok(()) => {}
            Err(error) if error.is(&ErrorKind::ItemNotFound) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.follower().record_gone(id, upstream).await?)
    }
}
