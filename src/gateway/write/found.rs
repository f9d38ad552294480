//! What is there before a write, judged by the client's conditions.

use super::Conditions;
use super::relocate::is_same_uid;
use crate::convert::Related;
use crate::convert::write::{self, Plan};
use crate::gateway::{Error, Mailbox};
use crate::mirror::Entry;
use crate::model::collection::CollectionKind;
use crate::model::id::{CollectionId, ResourceName};
use crate::model::item::{Item, ItemClass};
use crate::model::object::Object;
use crate::model::refusal::{Reason, Refusal};
use crate::sync::source;

/// What a PUT found at its name.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) item: Item,
    pub(super) related: Related,
    /// As the mirror remembers it: Exchange has the last word when it is asked to change it.
    pub(super) is_remembered: bool,
}

impl Mailbox {
    /// What is there as far as the mirror knows, judged by the conditions. Where the mirror does not remember the item
    /// as a whole, Exchange is asked.
    pub(super) async fn find(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        kind: CollectionKind,
        conditions: &Conditions,
    ) -> Result<Option<Found>, Error> {
        let Some(entry) = self.judged_entry(id, name, conditions).await? else { return Ok(None) };
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

    /// The entry of a name, judged by the conditions: one look, since others may change the mirror between two.
    async fn judged_entry(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        conditions: &Conditions,
    ) -> Result<Option<Entry>, Error> {
        let entry = self.entry(id, name).await?;
        conditions.judge(entry.as_ref().map(|entry| entry.head(name.clone())).as_ref())?;
        Ok(entry)
    }

    /// What is there now, judged by the conditions: Exchange's word counts, not the mirror's.
    pub(super) async fn find_upstream(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        kind: CollectionKind,
        conditions: &Conditions,
    ) -> Result<Option<Found>, Error> {
        let Some(entry) = self.entry(id, name).await? else {
            // A reader may have seen meanwhile that it is gone.
            conditions.judge(None)?;
            return Ok(None);
        };
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
    pub(super) async fn check_uid(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        plan: &Plan,
    ) -> Result<(), Error> {
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
