//! Moving and copying objects between collections.

use super::unguarded::{Attempts, Judged};
use super::{Conditions, Written};
use crate::convert::write::class_of;
use crate::gateway::{Error, Mailbox};
use crate::mirror::{Entry, PendingMove};
use crate::model::collection::{Collection, CollectionKind};
use crate::model::id::{CollectionId, ResourceName};
use crate::model::item::{Change, Field, ItemClass, ItemRef, Notify};
use crate::model::object::Head;
use crate::model::refusal::{Reason, Refusal};
use crate::upstream::{Disposal, ErrorKind, Relocate, Target};
use std::sync::atomic::Ordering;

/// Whether the object leaves its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relocation {
    /// MOVE
    Move,
    /// COPY
    Copy,
}

/// What happens to an object at the destination. RFC 4918 10.6
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// It is replaced.
    Allowed,
    /// The request fails with [`Error::Changed`].
    Forbidden,
}

impl Mailbox {
    /// Moves or copies an object to a name in this or another collection of the same kind.
    ///
    /// What was at the destination goes to Deleted Items, and only after the other is there.
    pub async fn relocate(
        &self,
        how: Relocation,
        from: (&CollectionId, &ResourceName),
        to: (&CollectionId, &ResourceName),
        overwrite: Overwrite,
        conditions: &Conditions,
    ) -> Result<Written, Error> {
        if from == to {
            return Err(Error::Denied("source and destination are the same".to_owned()));
        }
        self.settle_before(from.0, from.1).await?;
        self.settle_before(to.0, to.1).await?;
        self.known_folder(from.0).await?;
        if !self.known_folder(to.0).await?.collection.rights.create {
            return Err(Error::Denied("the folder belongs to somebody else".to_owned()));
        }
        let _names = self.lock_objects(from, to).await?;
        self.distrust_if_others_wrote(from.0);
        let source = match self.folder_of_sought(from.0, from.1).await? {
            Some(folder) => folder.collection,
            None => self.current_folder(from.0).await?.collection,
        };
        self.refuse_hidden(from.0, from.1).await?;
        let entry = self.known(from, conditions).await?;
        Self::refuse_several(&entry)?;
        self.refuse_mailing_entry(&entry)?;
        let is_rename = how == Relocation::Move && from.0 == to.0;
        if !is_rename && !self.follower().session().capabilities().moves_items {
            let text = "this server moves and copies nothing: store the object there, and delete it here";
            return Err(Error::Denied(text.to_owned()));
        }
        let _uid = self.lock_uid(to.0, &entry.uid).await?;
        // What lies at the destination is judged by what Exchange holds now.
        self.follower().invalidate(to.0);
        let target = match Box::pin(self.seek(to.0, to.1, Some(&entry.uid))).await? {
            Some(folder) => folder.collection,
            None => self.current_folder(to.0).await?.collection,
        };
        self.refuse_hidden(to.0, to.1).await?;
        let entry = match self.newest(from, &entry, source.kind, conditions).await? {
            Some(newest) => newest,
            None => entry,
        };
        if source.kind != target.kind {
            let text = "the destination holds another kind of objects";
            return Err(Refusal::new(Reason::UnsupportedComponent, text).into());
        }
        if !target.rights.create || (how == Relocation::Move && !source.rights.delete) {
            return Err(Error::Denied("the folder belongs to somebody else".to_owned()));
        }
        let there = self.entry(to.0, to.1).await?;
        if there.is_some() && overwrite == Overwrite::Forbidden {
            return Err(Error::Changed);
        }
        if let Some(there) = &there {
            Self::refuse_several(there)?;
            self.refuse_mailing_entry(there)?;
            self.refuse_private_now(class_of(target.kind, &there.body), &there.upstream).await?;
            if !is_same_uid(&there.uid, &entry.uid) {
                let text = "an object is not replaced by one with another UID";
                return Err(Refusal::new(Reason::UidConflict(to.1.clone()), text).into());
            }
        }
        self.refuse_twins(&entry.uid, to, is_rename.then_some(from.1)).await?;

        let arrival = PendingMove {
            collection: to.0.clone(),
            name: to.1.clone(),
            uid: entry.uid.clone(),
            replaces: there.as_ref().map(|old| (old.upstream.clone(), old.version.clone())),
        };
        let takes_steps = there.is_some() || (!is_rename && !keeps_name(&entry, to.1));
        if takes_steps {
            self.begin_move(&arrival).await?;
        }
        let head = match self.carry_over(how, &entry, from, (to, &target), there.as_ref(), conditions).await {
            Ok(head) => {
                if takes_steps {
                    self.end_arrival(&arrival).await.unwrap_or_else(|error| {
                        tracing::warn!(%error, "that a move has ended could not be noted");
                        self.unsettled().store(true, Ordering::Relaxed);
                    });
                }
                head
            }
            Err(error) if takes_steps => Some(self.go_on(&arrival, error).await?.head(to.1.clone())),
            Err(error) => return Err(error),
        };
        // Only who said what it was knows what it is now, unless somebody was faster.
        let is_known = conditions.if_match.is_some()
            && self.entry(to.0, to.1).await?.is_some_and(|moved| moved.body == entry.body);
        Ok(Written {
            name: head.as_ref().map_or_else(|| to.1.clone(), |head| head.name.clone()),
            created: there.is_none(),
            etag: head.as_ref().filter(|_| is_known).map(|head| head.etag.clone()),
            schedule_tag: head.and_then(|head| head.schedule_tag),
        })
    }

    /// All calls of a move or copy, one after the other; what lies at the destination goes last.
    async fn carry_over(
        &self,
        how: Relocation,
        entry: &Entry,
        from: (&CollectionId, &ResourceName),
        (to, target): ((&CollectionId, &ResourceName), &Collection),
        there: Option<&Entry>,
        conditions: &Conditions,
    ) -> Result<Option<Head>, Error> {
        let is_rename = how == Relocation::Move && from.0 == to.0;
        let class = class_of(target.kind, &entry.body);
        let item = if is_rename {
            self.refuse_private_now(class, &entry.upstream).await?;
            item_of(entry)
        } else {
            self.take_over(how, entry, from, target, conditions).await?
        };
        let has_moved = !is_rename || !conditions.is_of_state();
        let renamed = if has_moved {
            self.rename_as_it_is(entry, item.clone(), to.1, class).await
        } else {
            self.rename(entry, item.clone(), to.1, class).await
        };
        let replaced = match (&renamed, there) {
            (Ok(()), Some(old)) => self.replace_seen(class, old).await,
            _ => Ok(()),
        };
        let mut gone = Vec::new();
        if how == Relocation::Move && !is_rename {
            gone.push((from.0.clone(), entry.upstream.clone()));
        }
        if let (Ok(()), Ok(()), Some(old)) = (&replaced, &renamed, there) {
            gone.push((to.0.clone(), old.upstream.clone()));
        }
        let head = self.follower().record_relocated((to.0, &item.id, class), gone).await;
        renamed?;
        replaced?;
        Ok(head)
    }

    /// The object as it is known, where that meets the conditions: what fails by this needs no look at Exchange.
    pub(super) async fn known(
        &self,
        (id, name): (&CollectionId, &ResourceName),
        conditions: &Conditions,
    ) -> Result<Entry, Error> {
        let entry = self.entry(id, name).await?.ok_or(Error::NotFound)?;
        conditions.judge(Some(&entry.head(name.clone())))?;
        Ok(entry)
    }

    /// Two members of a collection never have one UID. RFC 4791 5.3.2.1
    async fn refuse_twins(
        &self,
        uid: &str,
        to: (&CollectionId, &ResourceName),
        itself: Option<&ResourceName>,
    ) -> Result<(), Error> {
        let (id, uid) = (to.0.clone(), uid.to_owned());
        let namesakes = self.mirror().run(move |mirror| mirror.with_uid(&id, &uid)).await?;
        match namesakes.into_iter().find(|name| name != to.1 && Some(name) != itself) {
            Some(twin) => {
                let text = "another object of the destination has the same UID";
                Err(Refusal::new(Reason::UidConflict(twin), text).into())
            }
            None => Ok(()),
        }
    }

    /// The object as Exchange holds it now, where a condition speaks of its state; `None`: as it was known.
    async fn newest(
        &self,
        (id, name): (&CollectionId, &ResourceName),
        entry: &Entry,
        kind: CollectionKind,
        conditions: &Conditions,
    ) -> Result<Option<Entry>, Error> {
        if !conditions.is_of_state() {
            return Ok(None);
        }
        let class = class_of(kind, &entry.body);
        let Some((item, related)) = self.follower().fetch_one(class, &entry.upstream.0).await? else {
            self.follower().record_gone(id, entry.upstream.clone()).await?;
            return Err(Error::NotFound);
        };
        let is_told = self.follower().session().capabilities().judges_versions;
        if item.id.version == entry.version.0 && is_told {
            return Ok(None);
        }
        let head = self.follower().record(id, item, related).await?;
        conditions.judge(head.as_ref())?;
        self.entry(id, name).await
    }

    /// Moves or copies the item; gives its new id.
    async fn take_over(
        &self,
        how: Relocation,
        entry: &Entry,
        from: (&CollectionId, &ResourceName),
        target: &Collection,
        conditions: &Conditions,
    ) -> Result<ItemRef, Error> {
        let relocate = match how {
            Relocation::Move => Relocate::Move,
            Relocation::Copy => Relocate::Copy,
        };
        let before = self.namesakes(&target.id, &entry.uid).await?;
        let item = item_of(entry);
        // As late as can be: Exchange does not judge the version of what is moved.
        let class = class_of(target.kind, &entry.body);
        self.refuse_private_now(class, &entry.upstream).await?;
        let judged = Judged { object: from, entry, class, conditions: Some(conditions) };
        let attempts = Attempts::of(self, Some(judged));
        let outcome = loop {
            let outcome = attempts.session().relocate_item(relocate, &item, &target.upstream.0).await;
            match &outcome {
                Err(error) if attempts.may_go_on(self, error).await? => {}
                _ => break outcome,
            }
        };
        if let Ok(Some(item)) = outcome {
            return Ok(item);
        }
        // Done or not: Exchange tells what has become of it.
        self.follower().invalidate(from.0);
        self.follower().invalidate(&target.id);
        let has_looked = match Box::pin(self.look_again(&target.id, &entry.name, Some(&entry.uid))).await {
            Ok(()) => Box::pin(self.look_again(from.0, from.1, None)).await,
            failed => failed,
        };
        if has_looked.is_ok() {
            let after = self.namesakes(&target.id, &entry.uid).await?;
            let new =
                after.into_iter().find(|found| !before.iter().any(|old| old.upstream == found.upstream));
            if let Some(new) = new {
                return Ok(ItemRef { id: new.upstream.0, version: new.version.0 });
            }
        }
        outcome?;
        Err(Error::Internal("Exchange does not tell the id of an item that it moved".to_owned(), None))
    }

    /// The members of a collection that have a UID.
    pub(super) async fn namesakes(&self, id: &CollectionId, uid: &str) -> Result<Vec<Entry>, Error> {
        let (id, uid) = (id.clone(), uid.to_owned());
        let found = self.mirror().run(move |mirror| {
            let names = mirror.with_uid(&id, &uid)?;
            names.iter().map(|name| mirror.entry(&id, name)).collect::<Result<Vec<_>, _>>()
        });
        Ok(found.await?.into_iter().flatten().collect())
    }

    /// Lets the item remember the name that the client chose, unless it has that name by itself.
    pub(super) async fn rename(
        &self,
        entry: &Entry,
        item: ItemRef,
        name: &ResourceName,
        class: ItemClass,
    ) -> Result<(), Error> {
        if keeps_name(entry, name) {
            return Ok(());
        }
        let changes = [
            Change::optional(Field::ClientName, Some(name.to_string())),
            Change::optional(Field::ClientUid, Some(entry.uid.clone())),
        ];
        let session = self.follower().session();
        session.update_item(class, &Target::Item(item), &changes, Notify::Nobody).await?;
        Ok(())
    }

    /// The same whatever version the item has by now: an object that has moved has done so, and who changes it meanwhile only
    /// makes another version of it.
    pub(super) async fn rename_as_it_is(
        &self,
        entry: &Entry,
        mut item: ItemRef,
        name: &ResourceName,
        class: ItemClass,
    ) -> Result<(), Error> {
        for _ in 0..TRIES {
            match self.rename(entry, item.clone(), name, class).await {
                Err(Error::Changed) => {}
                renamed => return renamed,
            }
            let (now, _) = self.follower().fetch_one(class, &item.id).await?.ok_or(Error::NotFound)?;
            self.refuse_private(&now)?;
            item = now.id;
        }
        // Not refused: it is ended later.
        Err(Error::busy("others keep changing the object"))
    }

    /// Throws away what was at the destination; what has become private meanwhile stays.
    async fn replace_seen(&self, class: ItemClass, old: &Entry) -> Result<(), Error> {
        match self.refuse_private_now(class, &old.upstream).await {
            Err(Error::NotFound) => Ok(()),
            Err(error) => Err(error),
            Ok(()) => self.throw_away(item_of(old)).await,
        }
    }

    pub(super) async fn throw_away(&self, item: ItemRef) -> Result<(), Error> {
        let session = self.follower().session();
        let outcome = session.delete_items(&[Target::Item(item)], Disposal::Bin, Notify::Nobody).await?;
        match outcome.into_iter().next() {
            Some(Err(error)) if !error.is(&ErrorKind::ItemNotFound) => Err(error.into()),
            _ => Ok(()),
        }
    }
}

fn item_of(entry: &Entry) -> ItemRef {
    ItemRef { id: entry.upstream.0.clone(), version: entry.version.0.clone() }
}

/// How often an item gets its name while others change it.
const TRIES: usize = 5;

/// A UID without what vCard 4.0 writes before a UUID and vCard 3.0 does not. RFC 6350 6.7.6
fn plain(uid: &str) -> &str {
    let prefix = uid.get(..9).filter(|prefix| prefix.eq_ignore_ascii_case("urn:uuid:"));
    uid.get(prefix.map_or(0, str::len)..).unwrap_or(uid)
}

/// Whether two objects are one. There are servers that write UIDs in other letters than they were given.
pub(super) fn is_same_uid(one: &str, other: &str) -> bool {
    plain(one).eq_ignore_ascii_case(plain(other))
}

/// Whether an item has a name by itself wherever it is: a fallback name is made of the item's id, which moving changes.
fn keeps_name(entry: &Entry, name: &ResourceName) -> bool {
    *name == entry.name && entry.name != entry.fallback_name
}
