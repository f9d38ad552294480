//! Writes to servers that are not Exchange: what they store is read back, and occurrences are looked at before they are
//! changed. See [`crate::model::capabilities::Capabilities`].

use super::calls::Progress;
use super::refused::refused;
use crate::convert::Related;
use crate::convert::write::{Plan, differing};
use crate::gateway::{Error, Mailbox};
use crate::model::field_group::FieldGroup;
use crate::model::item::{Change, Item, ItemClass, ItemRef, Notify};
use crate::upstream::{Disposal, Session, Target};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Starts beyond a change of clocks may be wrong by this much. Seen: gromox 3.10
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// How often occurrences are deleted again that came back with another change of the series.
const ROUNDS: usize = 3;

impl Mailbox {
    /// The item after a write of one call: as Exchange's rules predict it, or as the server has it.
    pub(super) async fn as_stored(
        &self,
        session: &Session,
        plan: &Plan,
        before: Option<&Item>,
        predicted: Item,
        related: Option<Related>,
    ) -> Result<(Item, Related), Error> {
        if session.capabilities().stores_what_it_takes {
            return Ok((predicted, related.unwrap_or_default()));
        }
        let found = self.follower().fetch_one(plan.class, &predicted.id.id).await?;
        let (item, related) = found.ok_or(Error::Changed)?;
        self.mended(session, plan, before, item, related).await
    }

    /// Compares an item with what was written. What the server has lost is written once more, since some lose one field
    /// beside another; what is still lost then is shown as the server has it.
    pub(super) async fn mended(
        &self,
        session: &Session,
        plan: &Plan,
        before: Option<&Item>,
        item: Item,
        related: Related,
    ) -> Result<(Item, Related), Error> {
        let again = plan.changes_again();
        if session.capabilities().stores_what_it_takes
            || again.is_empty()
            || plan.lost(before, &item).is_empty()
        {
            return Ok((item, related));
        }
        let target = Target::Item(item.id.clone());
        if let Err(error) = session.update_item(plan.class, &target, &again, Notify::Nobody).await {
            tracing::warn!(%error, "what the server lost of a write cannot be written again");
            return Ok((item, related));
        }
        let (item, related) =
            self.follower().fetch_one(plan.class, &item.id.id).await?.ok_or(Error::Changed)?;
        let lost = plan.lost(before, &item);
        if !lost.is_empty() {
            tracing::warn!(groups = ?lost, "the server does not store all of an object: it is shown as stored");
        }
        Ok((item, related))
    }

    /// The groups of an item that a server which does not store what it takes has otherwise than they were written, single
    /// occurrences among them.
    pub(super) fn lost(
        &self,
        session: &Session,
        plan: &Plan,
        before: Option<&Item>,
        item: &Item,
        related: &Related,
    ) -> BTreeSet<FieldGroup> {
        if session.capabilities().stores_what_it_takes {
            return BTreeSet::new();
        }
        let mut lost = plan.lost(before, item);
        let (gone, modified) = differing(&self.follower().rendering(), item);
        let at = |number: &u32| plan.places.get(number);
        let excluded: BTreeSet<Timestamp> = plan.gone.iter().filter_map(at).copied().collect();
        let is_gone = excluded.iter().eq(&gone);
        let is_changed = plan.moves.iter().chain(&plan.edits).all(|(number, changes)| {
            let id = at(number).and_then(|at| modified.get(at));
            let exception =
                id.and_then(|id| related.exceptions.iter().find(|exception| exception.id.id == id.id));
            exception.is_some_and(|exception| plan.is_stored(exception, changes))
        });
        // An override that the client took back may still be there.
        let is_known = modified.keys().all(|at| plan.places.values().any(|known| known == at));
        if !(is_gone && is_changed && is_known) {
            tracing::warn!("the server does not store all of a series: its occurrences are shown as stored");
            lost.insert(FieldGroup::Rule);
        }
        lost
    }

    /// Changes and deletes occurrences of a series on a server whose numbers may mean others: changes first, then what is
    /// to be gone from the last to the first, each after a look at what the number means. Some servers forget deleted
    /// occurrences when another one is changed: these are deleted again.
    pub(super) async fn change_occurrences_by_place(
        &self,
        session: &Session,
        plan: &Plan,
        series: &ItemRef,
        progress: &Progress,
    ) -> Result<(), Error> {
        let changed: Vec<_> = plan.moves.iter().chain(&plan.edits).collect();
        let guests: Vec<_> = plan.guests.iter().collect();
        for (changed, notify) in [(changed, plan.telling.of_occurrence()), (guests, Notify::Changed)] {
            if changed.is_empty() {
                continue;
            }
            let numbers = changed.iter().map(|(number, _)| *number).collect();
            let numbers = self.meant(session, plan, series, numbers).await?;
            let mut edits: Vec<(Target, Vec<Change>)> = Vec::new();
            for (number, changes) in changed {
                let number = *numbers.get(number).ok_or(Error::Changed)?;
                edits.push((Target::Occurrence(series.clone(), number), changes.clone()));
            }
            for answer in session.update_items(plan.class, &edits, notify).await? {
                answer.map_err(refused)?;
                progress.note();
            }
        }
        for round in 0..ROUNDS {
            let master = self.master(session, series).await?;
            let (gone, _) = differing(&self.follower().rendering(), &master);
            let is_left = |number: &&u32| plan.places.get(*number).is_some_and(|at| !gone.contains(at));
            let left: Vec<u32> = plan.gone.iter().rev().filter(is_left).copied().collect();
            if left.is_empty() {
                return Ok(());
            }
            let meant = self.meant(session, plan, series, left.clone()).await?;
            // What is not found has gone in another way.
            let targets = left.iter().filter_map(|number| meant.get(number));
            let targets: Vec<Target> =
                targets.map(|number| Target::Occurrence(series.clone(), *number)).collect();
            if targets.is_empty() {
                return Ok(());
            }
            let notify = if round == 0 { plan.telling.of_occurrence() } else { Notify::Nobody };
            for answer in session.delete_items(&targets, Disposal::Gone, notify).await? {
                answer?;
                progress.note();
            }
        }
        Ok(())
    }

    /// What this server calls the occurrences that have these numbers at Exchange; those that it does not have are left
    /// out.
    pub(super) async fn meant(
        &self,
        session: &Session,
        plan: &Plan,
        series: &ItemRef,
        numbers: Vec<u32>,
    ) -> Result<BTreeMap<u32, u32>, Error> {
        if session.capabilities().counts_deleted_occurrences || numbers.is_empty() {
            return Ok(numbers.into_iter().map(|number| (number, number)).collect());
        }
        let master = self.master(session, series).await?;
        let (gone, modified) = differing(&self.follower().rendering(), &master);
        let mut asked: Vec<(u32, Timestamp, u32)> = Vec::new();
        for number in numbers {
            let Some(at) = plan.places.get(&number).copied().filter(|at| !gone.contains(at)) else {
                continue;
            };
            let before = u32::try_from(gone.iter().filter(|other| **other < at).count()).unwrap_or(u32::MAX);
            let mut candidates = vec![number.saturating_sub(before), number];
            candidates.dedup();
            asked.extend(candidates.into_iter().filter(|own| *own > 0).map(|own| (number, at, own)));
        }
        let targets: Vec<Target> =
            asked.iter().map(|(.., own)| Target::Occurrence(series.clone(), *own)).collect();
        if targets.is_empty() {
            return Ok(BTreeMap::new());
        }
        let found = session.occurrence_starts(&targets).await?;
        let mut meant = BTreeMap::new();
        for ((number, at, own), found) in asked.into_iter().zip(found) {
            let Ok((id, start)) = found else { continue };
            let is_meant = match modified.get(&at) {
                Some(known) => known.id == id.id,
                None => {
                    !modified.values().any(|known| known.id == id.id)
                        && start.is_some_and(|start| start.duration_since(at).abs() <= HOUR)
                }
            };
            if is_meant {
                meant.entry(number).or_insert(own);
            }
        }
        Ok(meant)
    }

    async fn master(&self, session: &Session, series: &ItemRef) -> Result<Item, Error> {
        let found = session.items(ItemClass::CalendarItem, &[&series.id]).await?.pop();
        found.ok_or(Error::Changed)?.map_err(refused)
    }
}
