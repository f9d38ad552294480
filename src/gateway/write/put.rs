//! Creating and replacing objects.

use super::calls::Progress;
use super::relocate::is_same_uid;
use super::{Conditions, ScheduleReply, Written};
use crate::convert::Related;
use crate::convert::write::{self, Current, Glance, ItemSnapshot, NotifyPolicy, Plan};
use crate::gateway::{Error, Mailbox};
use crate::mirror::{Folder, Intent, Outcome, PendingNotification};
use crate::model::collection::CollectionKind;
use crate::model::id::{CollectionId, ResourceName, UpstreamId, UpstreamVersion};
use crate::model::item::{Field, Item, ItemClass, ItemRef, Notify};
use crate::model::object::{Head, Object};
use crate::model::refusal::{Reason, Refusal};
use crate::sync::source;
use crate::upstream::{Disposal, ErrorKind, Target};
use bytes::Bytes;
use jiff::Timestamp;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// What a PUT found at its name.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) item: Item,
    pub(super) related: Related,
    /// As the mirror remembers it: Exchange has the last word when it is asked to change it.
    pub(super) is_remembered: bool,
}

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
            Some(_) if is_ours => {
                let begun = self.intent(id, name).await?.filter(|intent| intent.body == body);
                let Some(begun) = begun else {
                    // A write of one call leaves no half: somebody else was faster, whose object stays.
                    self.note_lost_answer();
                    return Err(error);
                };
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
            let note = match &replaced {
                None => self.begin(id, name, body, &mut plan, found.as_ref()).await?,
                Some(_) => Note::Unneeded,
            };
            let progress = Progress::default();
            let outcome = self.carry_out_or_less(folder, &plan, found.clone(), &progress).await;
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

    /// Whether this very request has already had an outcome that does not show in what is there. Whoever creates an object on
    /// purpose says so, or says it otherwise: that is stored.
    async fn had_outcome(
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
    async fn begin(
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
                && let Some(mark) = ItemSnapshot::read(&earlier.trace).and_then(|trace| trace.mark)
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

    /// What is there as far as the mirror knows, judged by the conditions. Where the mirror does not remember the item
    /// as a whole, Exchange is asked.
    async fn find(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        kind: CollectionKind,
        conditions: &Conditions,
    ) -> Result<Option<Found>, Error> {
        let object = self.get_known(id, name).await?;
        conditions.judge(object.as_ref().map(|object| &object.head))?;
        let Some(entry) = self.entry(id, name).await? else { return Ok(None) };
        // Where versions are not judged nobody else says that the mirror is behind.
        let session = self.follower().session();
        if !session.capabilities().judges_versions {
            return self.find_upstream(id, name, kind, conditions).await;
        }
        if let Some(item) = entry.source.as_deref().and_then(|packed| source::unpack(&session, packed)) {
            return Ok(Some(Found { item, related: Related::default(), is_remembered: true }));
        }
        self.find_upstream(id, name, kind, conditions).await
    }

    /// What is there now, judged by the conditions: Exchange's word counts, not the mirror's.
    pub(super) async fn find_upstream(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        kind: CollectionKind,
        conditions: &Conditions,
    ) -> Result<Option<Found>, Error> {
        let Some(entry) = self.entry(id, name).await? else { return Ok(None) };
        let class = write::class_of(kind, &entry.body);
        let Some((item, mut related)) = self.follower().fetch_one(class, &entry.upstream.0).await? else {
            self.follower().invalidate(id);
            return Err(Error::Changed);
        };
        std::iter::once(&item).chain(&related.exceptions).try_for_each(|item| self.refuse_private(item))?;
        if class == ItemClass::DistributionList {
            related.uids = self.follower().uids(id).await?;
        }
        let is_told = self.follower().session().capabilities().judges_versions;
        if item.id.version != entry.version.0 || !is_told {
            let head = self.follower().record(id, item.clone(), related.clone()).await?;
            conditions.judge(head.as_ref())?;
        }
        Ok(Some(Found { item, related, is_remembered: false }))
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

    pub(super) async fn get_known(
        &self,
        id: &CollectionId,
        name: &ResourceName,
    ) -> Result<Option<Object>, Error> {
        let (key, member) = (id.clone(), name.clone());
        Ok(self.mirror().run(move |mirror| mirror.get(&key, &member)).await?)
    }

    /// Another member must not have the UID, and the member that is there must not have another one. RFC 4791 5.3.2.1,
    /// RFC 6352 6.3.2.1
    async fn check_uid(&self, id: &CollectionId, name: &ResourceName, plan: &Plan) -> Result<(), Error> {
        let (key, uid) = (id.clone(), plan.uid.clone());
        let members = self.mirror().run(move |mirror| mirror.with_uid(&key, &uid)).await?;
        // What has had it before keeps it, even beside another that has it from elsewhere.
        let is_kept = members.contains(name);
        // Whoever has the UID is the one whom the client looks for.
        if let Some(other) = members.into_iter().find(|member| !is_kept && member != name) {
            let text = "another object of this collection has the UID";
            return Err(Refusal::new(Reason::UidConflict(other), text).into());
        }
        if let Some(there) = self.entry(id, name).await?
            && !is_same_uid(&there.uid, &plan.uid)
        {
            let text = "an object is not replaced by one with another UID";
            return Err(Refusal::new(Reason::UidConflict(name.clone()), text).into());
        }
        Ok(())
    }
}

/// How a write is written down before its first call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Note {
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

/// What is no longer there, or cannot be seen now: only another look tells.
fn gone(name: &ResourceName, created: bool) -> Written {
    Written { name: name.clone(), created, etag: None, schedule_tag: None }
}

/// Who hears of the rest of a write.
pub(super) fn audience_of(owed: PendingNotification) -> NotifyPolicy {
    match owed {
        PendingNotification::Nobody => NotifyPolicy::Nobody,
        PendingNotification::Concerned => NotifyPolicy::PendingNotification(Notify::Changed),
        PendingNotification::All => NotifyPolicy::PendingNotification(Notify::All),
    }
}
