//! Objects that several items make: each of them is answered, changed and removed by itself.

use super::found::Found;
use super::unguarded::Judged;
use super::{Conditions, ScheduleReply, Written};
use crate::convert::Related;
use crate::convert::write::{self, Divided, NotifyPolicy};
use crate::gateway::{Error, Mailbox};
use crate::mirror::{Entry, Folder, Outcome};
use crate::model::id::{CollectionId, ResourceName};
use crate::model::item::ItemClass;
use crate::model::object::Object;
use bytes::Bytes;

impl Mailbox {
    /// The items of a member that single occurrences make; empty for every other member.
    pub(super) async fn parts(&self, id: &CollectionId, name: &ResourceName) -> Result<Vec<Entry>, Error> {
        let (id, name) = (id.clone(), name.clone());
        Ok(self.mirror().run(move |mirror| mirror.parts(&id, &name)).await?)
    }

    /// Refuses to touch as a whole what can only be touched item by item.
    pub(super) fn refuse_several(entry: &Entry) -> Result<(), Error> {
        if entry.parts.len() < 2 {
            return Ok(());
        }
        let text = "these are several invitations to single occurrences, which stay where they are: answer or remove them there";
        Err(Error::Denied(text.to_owned()))
    }

    /// Stores what a client changed of single items. Nothing is begun before all of it can be planned. Items that the text
    /// leaves out are declined, if the client shows that it has seen the object: a copy of one invitation that came by mail
    /// says nothing of the others.
    pub(super) async fn put_parts(
        &self,
        folder: &Folder,
        name: &ResourceName,
        conditions: &Conditions,
        body: &Bytes,
        audience: NotifyPolicy,
        parts: Vec<Entry>,
    ) -> Result<Written, Error> {
        let id = &folder.collection.id;
        let object = self.get_known(id, name).await?;
        conditions.judge(object.as_ref().map(|object| &object.head))?;
        let served: Vec<Bytes> = parts.iter().map(|part| part.body.clone()).collect();
        let Divided { changed, left_out, has_seen } =
            write::divide(&self.follower().rendering(), body, &served)?;
        let has_seen = has_seen || conditions.is_of_state();
        let left_out: Vec<&Entry> =
            left_out.into_iter().filter(|_| has_seen).filter_map(|at| parts.get(at)).collect();
        let (mut work, mut ends) = (Vec::new(), !left_out.is_empty());
        for (at, text) in changed {
            let Some(part) = parts.get(at) else { continue };
            let found = self.find_part(id, part).await?;
            let plan = self.plan(folder, name, &text, Some(&found), audience).await?;
            ends |= plan.declines();
            work.push((text, found));
        }
        if !left_out.is_empty() && !folder.collection.rights.delete {
            return Err(Error::Denied("you may not remove anything from this folder".to_owned()));
        }
        if ends {
            self.note_outcome((id, name), body, Outcome::Ended).await?;
        }
        for (text, found) in work {
            self.put_upon(folder, name, &Conditions::default(), &text, audience, Some(found)).await?;
        }
        let others =
            if audience == NotifyPolicy::Nobody { ScheduleReply::Suppress } else { ScheduleReply::Send };
        for part in left_out {
            if let Some(item) = self.look_at(id, part, ItemClass::CalendarItem).await? {
                let class = ItemClass::CalendarItem;
                let judged = Judged { object: (id, name), entry: part, class, conditions: None };
                self.end(judged, true, Some(&item), others).await?;
            }
        }
        let stored = self.get_known(id, name).await?;
        let is_same = stored.as_ref().is_some_and(|object| object.body == *body);
        let head = stored.map(|Object { head, .. }| head);
        Ok(Written {
            name: name.clone(),
            created: false,
            etag: head.as_ref().filter(|_| is_same).map(|head| head.etag.clone()),
            schedule_tag: head.and_then(|head| head.schedule_tag),
        })
    }

    /// One of the items as Exchange holds it now.
    async fn find_part(&self, id: &CollectionId, part: &Entry) -> Result<Found, Error> {
        let item = self.look_at(id, part, ItemClass::CalendarItem).await?.ok_or(Error::Changed)?;
        Ok(Found { item, related: Related::default(), is_remembered: false })
    }

    /// What is behind a member, and how it is served: the item that a text of one event is about, where several items make
    /// the member.
    pub(super) async fn find_written(
        &self,
        folder: &Folder,
        name: &ResourceName,
        text: &Bytes,
    ) -> Result<Option<(Entry, Found)>, Error> {
        let id = &folder.collection.id;
        let parts = self.parts(id, name).await?;
        let served: Vec<Bytes> = parts.iter().map(|part| part.body.clone()).collect();
        let named = write::part_named(&self.follower().rendering(), text, &served);
        if let Some(part) = named.and_then(|at| parts.get(at)).filter(|_| parts.len() > 1) {
            return Ok(Some((part.clone(), self.find_part(id, part).await?)));
        }
        let found = self.find_upstream(id, name, folder.collection.kind, &Conditions::default()).await?;
        Ok(self.entry(id, name).await?.zip(found))
    }
}
