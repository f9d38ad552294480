//! Creating and replacing objects.

use super::journal::audience_of;
use super::put_upon::gone;
use super::{Conditions, ScheduleReply, Written};
use crate::convert::write::{self, Glance, NotifyPolicy};
use crate::gateway::{Error, Mailbox};
use crate::mirror::{Folder, Outcome};
use crate::model::collection::CollectionKind;
use crate::model::id::{CollectionId, ResourceName};
use crate::model::item::Field;
use crate::model::object::{Head, Object};
use crate::model::refusal::{Reason, Refusal};
use bytes::Bytes;
use std::time::Instant;

impl Mailbox {
    /// Stores an object under a name: iCalendar or vCard, as the collection has it; whom it concerns is told.
    ///
    /// Fails with [`Error::Changed`] when a condition is not met and with [`Error::Refused`] when the object cannot
    /// be stored. RFC 4791 5.3.2, RFC 6352 6.3.2
    pub async fn put(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        conditions: &Conditions,
        body: Bytes,
    ) -> Result<Written, Error> {
        self.put_with_schedule_reply(ScheduleReply::Send, id, name, conditions, body).await
    }

    /// The same, where the client says who hears of it. RFC 6638 8.1
    pub async fn put_with_schedule_reply(
        &self,
        others: ScheduleReply,
        id: &CollectionId,
        name: &ResourceName,
        conditions: &Conditions,
        body: Bytes,
    ) -> Result<Written, Error> {
        let audience = match others {
            ScheduleReply::Send => NotifyPolicy::Concerned,
            ScheduleReply::Suppress => NotifyPolicy::Nobody,
        };
        self.settle_before(id, name).await?;
        let rights = self.known_folder(id).await?.collection.rights;
        if !rights.create && !rights.modify {
            return Err(Error::Denied("the folder is read-only for you".to_owned()));
        }
        let shown = write::glance(&self.follower().rendering(), &body);
        let name_lock = self.lock_object(id, name).await?;
        let uid_lock = match &shown.uid {
            Some(uid) => Some(self.lock_uid(id, uid).await?),
            None => None,
        };
        let locked = Instant::now();
        self.distrust_if_others_wrote(id);
        let folder = self.folder_to_put(id, name, shown.uid.as_deref(), conditions).await?;
        let mut was_there = self.get_known(id, name).await?.is_some();
        if !was_there && shown.has_participants {
            // Somebody may get mail about it: Exchange is asked what it holds now.
            // What is not complete has just been looked through for it.
            if self.is_filled(id).await? {
                self.follower().distrust_before(id, locked);
                self.current_folder(id).await?;
            }
            was_there = self.get_known(id, name).await?.is_some();
            if !was_there && self.had_outcome((id, name), conditions, &body, Outcome::Ended).await? {
                return Ok(gone(name, false));
            }
            // It came in after the client's last look: the client could not know of it, and adds what it got by mail.
            if let Some((invitation, served)) = self.invitation(&folder, &shown).await? {
                drop((uid_lock, name_lock));
                let Some(answer) = write::with_answer(&self.follower().rendering(), &served, &body) else {
                    let text = "the invitation has come in already, and this copy has no answer to it";
                    return Err(Refusal::new(Reason::UidConflict(invitation), text).into());
                };
                if shown.ends {
                    self.note_outcome((id, name), &body, Outcome::Ended).await?;
                }
                let none = Conditions::default();
                let written =
                    Box::pin(self.put_with_schedule_reply(others, id, &invitation, &none, answer)).await?;
                // It is not the client's text.
                return Ok(Written { etag: None, ..written });
            }
        }
        let done = |head: Head| Written {
            name: head.name,
            created: !was_there,
            etag: Some(head.etag),
            schedule_tag: head.schedule_tag,
        };
        // Whoever creates the same a second time, and got an answer the first time, is refused. RFC 9110 13.1.2
        let is_repeated = conditions.if_none_match.is_none() || self.take_unanswered(id, name, &body);
        if conditions.if_none_match.is_some() {
            self.note_creation(id, name, &body);
        }
        let error = match self.put_here(&folder, name, conditions, &body, audience).await {
            Err(error @ (Error::Changed | Error::Unavailable { .. } | Error::Unsupported(_))) => error,
            Err(Error::Refused(refusal)) if was_there && *conditions == Conditions::default() => {
                let Some(answer) = self.answer_of_copy(id, name, &refusal, &body).await? else {
                    if self.had_outcome((id, name), conditions, &body, Outcome::Answered).await? {
                        return Ok(gone(name, false));
                    }
                    return Err(refusal.into());
                };
                self.note_outcome((id, name), &body, Outcome::Answered).await?;
                if shown.ends {
                    self.note_outcome((id, name), &body, Outcome::Ended).await?;
                }
                let written = self.put_here(&folder, name, conditions, &answer, audience).await?;
                return Ok(Written { etag: None, ..written });
            }
            Ok(written) => {
                if folder.collection.kind == CollectionKind::AddressBook {
                    self.note_missing(id, &written.name, &body).await;
                }
                return Ok(written);
            }
            Err(error) => return Err(error),
        };
        // An answer that was lost, here or on the way to the client, whose second attempt this may be: what Exchange
        // holds now tells whether the work is done. RFC 9110 13.1.1
        self.follower().invalidate(id);
        if self.look_again(id, name, shown.uid.as_deref()).await.is_err() {
            self.note_lost_answer();
            return Err(error);
        }
        let is_ours = !was_there && matches!(error, Error::Unavailable { .. });
        match self.get_known(id, name).await? {
            Some(object) if object.body == body && (is_repeated || is_ours) => Ok(done(object.head)),
            // Made by this very request, and not yet complete.
            Some(object) if is_ours => {
                let begun = self.intent(id, name).await?.filter(|intent| intent.body == body);
                let Some(begun) = begun else {
                    // A write of one call leaves no half: somebody else was faster, whose object stays.
                    self.note_lost_answer();
                    return Err(error);
                };
                if self.is_of_another_gateway(&folder, &begun).await? {
                    conditions.judge(Some(&object.head))?;
                    return self.put_here(&folder, name, conditions, &body, audience).await;
                }
                let audience = audience_of(begun.owed);
                let written = self.put_here(&folder, name, &Conditions::default(), &body, audience).await?;
                Ok(Written { created: true, ..written })
            }
            // The mirror had not heard yet of what the client knows, by another gateway.
            Some(object)
                if matches!(error, Error::Changed) && conditions.judge(Some(&object.head)).is_ok() =>
            {
                self.put_here(&folder, name, conditions, &body, audience).await
            }
            // Somebody removed it meanwhile, and the client did not ask for it to be there.
            None if was_there && matches!(error, Error::Changed) && conditions.if_match.is_none() => {
                self.put_here(&folder, name, conditions, &body, audience).await
            }
            _ => {
                if matches!(error, Error::Unavailable { .. }) {
                    self.note_lost_answer();
                }
                Err(error)
            }
        }
    }

    pub(super) async fn put_here(
        &self,
        folder: &Folder,
        name: &ResourceName,
        conditions: &Conditions,
        body: &Bytes,
        audience: NotifyPolicy,
    ) -> Result<Written, Error> {
        let id = &folder.collection.id;
        self.refuse_hidden(id, name).await?;
        if folder.collection.kind == CollectionKind::Calendar {
            let parts = self.parts(id, name).await?;
            if parts.len() > 1 || !parts.is_empty() && write::overrides_alone(body) > 1 {
                return self.put_parts(folder, name, conditions, body, audience, parts).await;
            }
        }
        let found = self.find(id, name, folder.collection.kind, conditions).await?;
        self.put_upon(folder, name, conditions, body, audience, found).await
    }

    /// An invitation with the UID of what is to be created, by name, as it is served: it is answered, not copied.
    async fn invitation(
        &self,
        folder: &Folder,
        shown: &Glance,
    ) -> Result<Option<(ResourceName, Bytes)>, Error> {
        let (id, Some(uid)) = (&folder.collection.id, shown.uid.clone()) else { return Ok(None) };
        if shown.organizer.is_empty() || self.follower().rendering().is_owner(&shown.organizer) {
            return Ok(None);
        }
        let key = id.clone();
        let names = self.mirror().run(move |mirror| mirror.with_uid(&key, &uid)).await?;
        for name in names {
            let found = self.find_upstream(id, &name, folder.collection.kind, &Conditions::default()).await?;
            let response = found.and_then(|found| found.item.filled(Field::OwnResponse));
            if response.is_some_and(|word| word != "Organizer") {
                let object = self.get_known(id, &name).await?.ok_or(Error::Changed)?;
                return Ok(Some((name, object.body)));
            }
        }
        Ok(None)
    }

    /// What was served of an invitation, with the answer that a client gave in a text that was refused for its other words.
    /// Clients store answers in the words of the mail by which the invitation came. Who names a version has seen what is
    /// served, and is refused.
    async fn answer_of_copy(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        refusal: &Refusal,
        body: &Bytes,
    ) -> Result<Option<Bytes>, Error> {
        if refusal.reason != Reason::AttendeeChange {
            return Ok(None);
        }
        let Some(Object { body: served, .. }) = self.get_known(id, name).await? else { return Ok(None) };
        let context = self.follower().rendering();
        let answer = write::with_answer(&context, &served, body);
        let known = write::own_answers(&context, &served);
        Ok(answer.filter(|answer| write::own_answers(&context, answer) != known))
    }
}
