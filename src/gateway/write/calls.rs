//! What a write takes in Exchange, call by call.

use super::found::Found;
use super::refused::refused;
use crate::convert::Related;
use crate::convert::write::{NotifyStep, Plan, Reply};
use crate::gateway::{Error, Mailbox};
use crate::mirror::Folder;
use crate::model::item::{Change, Field, Item, ItemClass, ItemRef, Notify, Value};
use crate::model::refusal::Reason;
use crate::upstream::{Answer, Disposal, ErrorKind, NewAttachment, Session, Target};
use jiff::Timestamp;
use std::sync::atomic::{AtomicBool, Ordering};

impl Mailbox {
    /// Does what is planned, without what this server does not take: refused as a whole, nothing has been done before.
    pub(super) async fn carry_out_or_less(
        &self,
        folder: &Folder,
        plan: &Plan,
        found: Option<Found>,
        progress: &Progress,
    ) -> Result<(Item, Related), Error> {
        let plan = &plan.clone().as_far_as(&self.follower().session().capabilities());
        let outcome = self.carry_out(folder, plan, found.clone(), progress).await;
        let less = match &outcome {
            Err(Error::Internal(..) | Error::Unsupported(_)) => plan.without_coordinates(),
            Err(Error::Refused(refusal)) if refusal.reason == Reason::TooLate => plan.without_complete_date(),
            Err(Error::Refused(refusal)) if refusal.reason == Reason::UnsupportedTimeZone => {
                plan.without_own_zone()
            }
            _ => None,
        };
        match less {
            Some(less) => self.carry_out(folder, &less, found, progress).await,
            None => outcome,
        }
    }

    /// Does in Exchange what is planned; gives the item as it is afterwards.
    async fn carry_out(
        &self,
        folder: &Folder,
        plan: &Plan,
        found: Option<Found>,
        progress: &Progress,
    ) -> Result<(Item, Related), Error> {
        let session = self.follower().session();
        match found {
            None => self.create(&session, folder, plan, progress).await,
            Some(found) => self.update(&session, folder, plan, found, progress).await,
        }
    }

    async fn create(
        &self,
        session: &Session,
        folder: &Folder,
        plan: &Plan,
        progress: &Progress,
    ) -> Result<(Item, Related), Error> {
        let upstream = &folder.collection.upstream.0;
        if plan.is_plain() {
            let nobody = ItemRef { id: String::new(), version: String::new() };
            let keep = plan.keep(&Item::predicted(plan.class, None, nobody, &plan.outcome), &[]);
            let mut changes = plan.changes.clone();
            changes.extend_from_slice(&keep);
            let notify = plan.telling.first();
            let id = session.create_item(upstream, plan.class, &changes, notify).await.map_err(refused)?;
            return self.as_stored(session, plan, None, predicted(plan, None, id, keep), None).await;
        }
        let notify = plan.telling.first();
        let (first, last) = if session.capabilities().writes_silently {
            (plan.changes.clone(), Vec::new())
        } else {
            split_notifying_changes(plan)
        };
        let id = session.create_item(upstream, plan.class, &first, notify).await.map_err(refused)?;
        progress.note();
        let outcome = self.complete(session, plan, id.clone(), last, None, progress).await;
        // Who was told, or may have been, is not told again: then what is there is looked at, and ended.
        let is_silent = match &outcome {
            Err(Error::Unavailable { .. }) => plan.telling == NotifyStep::Never,
            _ => notify == Notify::Nobody,
        };
        if outcome.is_err() && is_silent {
            // Nothing half-made stays.
            let undo = session.delete_items(&[Target::Item(id)], Disposal::Gone, Notify::Nobody).await;
            if let Err(undone) = undo {
                tracing::error!(error = %undone, "an incomplete series stays in Exchange");
            }
        }
        outcome
    }

    async fn update(
        &self,
        session: &Session,
        folder: &Folder,
        plan: &Plan,
        found: Found,
        progress: &Progress,
    ) -> Result<(Item, Related), Error> {
        let mut id = found.item.id.clone();
        // Some servers keep deleted occurrences that should come back: what they have then is looked at.
        let is_exact =
            session.capabilities().stores_what_it_takes || found.item.deleted_occurrences().is_empty();
        let is_plain = plan.is_plain() && found.item.modified_occurrences().is_empty() && is_exact;
        if is_plain {
            let after = Item::predicted(plan.class, Some(&found.item), id.clone(), &plan.outcome);
            let keep = plan.keep(&after, &[]);
            let mut changes = plan.changes.clone();
            changes.extend_from_slice(&keep);
            // Where only the text is new there is nothing to be told.
            let notify = if plan.changes.is_empty() { Notify::Nobody } else { plan.telling.first() };
            let id = change(session, plan.class, Target::Item(id), &changes, notify).await?;
            if !plan.is_certain {
                return self.follower().fetch_one(plan.class, &id.id).await?.ok_or(Error::Changed);
            }
            let item = predicted(plan, Some(&found.item), id, keep);
            return self.as_stored(session, plan, Some(&found.item), item, Some(found.related)).await;
        }
        let (first, last) = split_notifying_changes(plan);
        if !first.is_empty() {
            id = change(session, plan.class, Target::Item(id), &first, plan.telling.first()).await?;
            progress.note();
        }
        let (item, related) = self.complete(session, plan, id, last, Some(&found.item), progress).await?;
        if plan.completes_occurrence(&found.item, &item) {
            // The finished turn is an object of its own.
            self.follower().invalidate(&folder.collection.id);
        }
        Ok((item, related))
    }

    /// Answers an invitation; gives the item as it is then, `None` when it is gone.
    pub(super) async fn answer(
        &self,
        class: ItemClass,
        id: &ItemRef,
        reply: &Reply,
    ) -> Result<Option<Found>, Error> {
        let answer = answer_of(reply);
        let outcome = self.follower().session().answer(id, answer, &reply.comment, reply.tell).await;
        if let Err(error) = outcome {
            // What Exchange holds now tells whether a lost answer was given: never a second time.
            if !error.is(&ErrorKind::Lost) {
                return Err(refused(error));
            }
            let given = match (self.follower().fetch_one(class, &id.id).await?, answer) {
                (None, answer) => answer == Answer::Decline,
                (Some((item, _)), answer) => {
                    let word = item.filled(Field::OwnResponse);
                    word.as_deref()
                        == Some(match answer {
                            Answer::Accept => "Accept",
                            Answer::Tentative => "Tentative",
                            Answer::Decline => "Decline",
                        })
                }
            };
            if !given {
                return Err(refused(error));
            }
        }
        if answer == Answer::Decline {
            if self.follower().session().capabilities().removes_declined {
                return Ok(None);
            }
            // It may still be there: then it is shown as it is.
            let left = self.follower().fetch_one(class, &id.id).await?;
            return Ok(left.map(|(item, related)| Found { item, related, is_remembered: false }));
        }
        let found = self.follower().fetch_one(class, &id.id).await?.ok_or(Error::Changed)?;
        Ok(Some(Found { item: found.0, related: found.1, is_remembered: false }))
    }

    /// Everything after the item itself: attachments, occurrences, and last the client's text, with what is told only
    /// then.
    async fn complete(
        &self,
        session: &Session,
        plan: &Plan,
        mut id: ItemRef,
        last: Vec<Change>,
        before: Option<&Item>,
        progress: &Progress,
    ) -> Result<(Item, Related), Error> {
        if !plan.detach.is_empty() {
            id = session.delete_attachments(&id, &plan.detach).await?;
            progress.note();
        }
        if !plan.attach.is_empty() {
            let new: Vec<NewAttachment> = plan
                .attach
                .iter()
                .map(|a| NewAttachment {
                    name: a.name.clone(),
                    content_type: a.media_type.clone(),
                    is_contact_photo: a.is_photo,
                    content: a.content.clone(),
                })
                .collect();
            (id, _) = session.create_attachments(&id, &new).await?;
            progress.note();
        }
        // Each change of an occurrence makes a new version of its series: none is named.
        let series = ItemRef { id: id.id.clone(), version: String::new() };
        let occurrence = |number: u32| Target::Occurrence(series.clone(), number);
        if !plan.replies.is_empty() {
            let numbers = plan.replies.iter().map(|(number, _)| *number);
            let numbers = self.meant(session, plan, &series, numbers.collect()).await?;
            let meant = |number: &u32| occurrence(numbers.get(number).copied().unwrap_or(*number));
            let targets: Vec<Target> = plan.replies.iter().map(|(number, _)| meant(number)).collect();
            let ids = session.occurrence_ids(&targets).await?;
            for (id, (_, reply)) in ids.into_iter().zip(&plan.replies) {
                match id {
                    Ok(id) => {
                        let answer = answer_of(reply);
                        session.answer(&id, answer, &reply.comment, reply.tell).await.map_err(refused)?;
                        progress.note();
                    }
                    // It was declined before.
                    Err(error) if error.is(&ErrorKind::OccurrenceNotFound) => {}
                    Err(error) => return Err(refused(error)),
                }
            }
        }
        if !session.capabilities().counts_deleted_occurrences && !plan.places.is_empty() {
            self.change_occurrences_by_place(session, plan, &series, progress).await?;
            return self.conclude(session, plan, &id, last, before, progress).await;
        }
        if !plan.delete.is_empty() {
            let targets: Vec<Target> = plan.delete.iter().map(|number| occurrence(*number)).collect();
            for answer in session.delete_items(&targets, Disposal::Gone, plan.telling.of_occurrence()).await?
            {
                match answer {
                    Err(error) if !error.is(&ErrorKind::OccurrenceNotFound) => {
                        return Err(error.into());
                    }
                    _ => progress.note(),
                }
            }
        }
        let changed: Vec<_> = plan.moves.iter().chain(&plan.edits).collect();
        let guests: Vec<_> = plan.guests.iter().collect();
        for (changed, notify) in [(changed, plan.telling.of_occurrence()), (guests, Notify::Changed)] {
            if changed.is_empty() {
                continue;
            }
            // Exchange takes them one after the other.
            let edits: Vec<(Target, Vec<Change>)> =
                changed.into_iter().map(|(number, changes)| (occurrence(*number), changes.clone())).collect();
            for answer in session.update_items(plan.class, &edits, notify).await? {
                answer.map_err(refused)?;
                progress.note();
            }
        }
        self.conclude(session, plan, &id, last, before, progress).await
    }

    /// The last call of a write: the client's text, and what is told only then. Who was faster than that after the write
    /// had begun is not in its way.
    async fn conclude(
        &self,
        session: &Session,
        plan: &Plan,
        id: &ItemRef,
        last: Vec<Change>,
        before: Option<&Item>,
        progress: &Progress,
    ) -> Result<(Item, Related), Error> {
        for _ in 1..TRIES {
            match self.try_conclude(session, plan, id, last.clone(), before).await {
                Err(Error::Changed) if progress.has_begun() => {}
                outcome => return outcome,
            }
        }
        self.try_conclude(session, plan, id, last, before).await
    }

    async fn try_conclude(
        &self,
        session: &Session,
        plan: &Plan,
        id: &ItemRef,
        mut last: Vec<Change>,
        before: Option<&Item>,
    ) -> Result<(Item, Related), Error> {
        let gone = || Error::Changed;
        let (item, related) = self.follower().fetch_one(plan.class, &id.id).await?.ok_or_else(gone)?;
        let (item, related) = self.mended(session, plan, before, item, related).await?;
        let mut is_all_ours = session.capabilities().stores_what_it_takes;
        let keep = match before.filter(|before| plan.completes_occurrence(before, &item)) {
            // The text is that of the turn that has ended: against its fields the next one shows as changed.
            Some(before) => {
                let ended = Item::predicted(plan.class, Some(before), item.id.clone(), &plan.outcome);
                plan.keep(&ended, &[])
            }
            None => {
                let then = Item::predicted(plan.class, Some(&item), item.id.clone(), &last);
                let lost = self.lost(session, plan, before, &item, &related);
                let keep = plan.keep_after(before, &then, &related.exceptions, &lost);
                is_all_ours &= keep == plan.keep(&then, &related.exceptions);
                keep
            }
        };
        // Who hears of it and that it is done is one call: a kill cannot come between the two.
        let is_more = !last.is_empty();
        last.extend(keep);
        let target = Target::Item(item.id.clone());
        let id = change(session, plan.class, target, &last, plan.telling.last()).await?;
        if is_more || !is_all_ours {
            // Exchange says of people what only it knows; beside the words of others stands when that was.
            return self.follower().fetch_one(plan.class, &id.id).await?.ok_or_else(gone);
        }
        let item = Item::predicted(plan.class, Some(&item), id, &last);
        Ok((item, related))
    }
}

/// How often the last call of a write is tried while others change the same item.
const TRIES: usize = 4;

/// Whether anything of a write is in Exchange.
#[derive(Default)]
pub(super) struct Progress(AtomicBool);

impl Progress {
    pub(super) fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

fn answer_of(reply: &Reply) -> Answer {
    match reply.status {
        "ACCEPTED" => Answer::Accept,
        "TENTATIVE" => Answer::Tentative,
        _ => Answer::Decline,
    }
}

/// Fields that change first, and those that change with the call that tells: who comes and who goes is told by the
/// very call that changes the lists.
fn split_notifying_changes(plan: &Plan) -> (Vec<Change>, Vec<Change>) {
    let waits = |change: &&Change| plan.telling.last() != Notify::Nobody && change.is_list_of_guests();
    let changes = plan.changes.iter();
    let (last, first): (Vec<&Change>, Vec<&Change>) = changes.partition(waits);
    (first.into_iter().cloned().collect(), last.into_iter().cloned().collect())
}

/// The item after a write whose outcome is known.
fn predicted(plan: &Plan, base: Option<&Item>, id: ItemRef, keep: Vec<Change>) -> Item {
    let mut outcome = plan.outcome.clone();
    outcome.extend(keep);
    let now = Timestamp::now();
    // As exact as Exchange tells it.
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    outcome.push(Change::set(Field::Modified, Value::Time(now)));
    Item::predicted(plan.class, base, id, &outcome)
}

/// One change of an item, where there is any.
async fn change(
    session: &Session,
    class: ItemClass,
    target: Target,
    changes: &[Change],
    notify: Notify,
) -> Result<ItemRef, Error> {
    match target {
        Target::Item(id) if changes.is_empty() => Ok(id),
        target => session.update_item(class, &target, changes, notify).await.map_err(refused),
    }
}
