//! Groups that come before their members: once the members are there, Exchange's list gets them.
//!
//! Clients upload in any order. What a group names and nobody has stays in its text; this remembers whom it waits for,
//! and a look at the address book completes it. Lost at the end of the program: the text is not.

use super::Conditions;
use crate::convert::write::{NotifyPolicy, people_named};
use crate::gateway::{Error, Mailbox};
use crate::model::id::{CollectionId, ResourceName};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Groups of one address book that are waited with.
const MAX_GROUPS: usize = 200;

/// Groups that wait for members.
#[derive(Default)]
pub(in crate::gateway) struct IncompleteGroups(Mutex<HashMap<CollectionId, HashMap<ResourceName, Group>>>);

/// A group as it was PUT, and the UIDs that nobody has.
#[derive(Clone)]
struct Group {
    text: Bytes,
    missing: Vec<String>,
}

impl IncompleteGroups {
    fn put(&self, id: &CollectionId, name: &ResourceName, group: Option<Group>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(group) = group else {
            if let Some(groups) = waiting.get_mut(id) {
                groups.remove(name);
            }
            return;
        };
        let groups = waiting.entry(id.clone()).or_default();
        if groups.len() < MAX_GROUPS {
            groups.insert(name.clone(), group);
        }
    }

    fn of(&self, id: &CollectionId) -> Vec<(ResourceName, Group)> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let groups = waiting.get(id).into_iter().flatten();
        groups.map(|(name, group)| (name.clone(), group.clone())).collect()
    }
}

impl Mailbox {
    /// Remembers whom a card that was just stored names and nobody has.
    pub(super) async fn note_missing(&self, id: &CollectionId, name: &ResourceName, body: &Bytes) {
        let named: Vec<String> =
            people_named(body).into_iter().filter(|named| !named.starts_with("mailto:")).collect();
        if named.is_empty() {
            return self.waiting().put(id, name, None);
        }
        let Ok(known) = self.contacts_with(id, named.clone()).await else { return };
        let missing: Vec<String> =
            named.into_iter().filter(|uid| !known.contains_key(&uid.to_lowercase())).collect();
        let group = (!missing.is_empty()).then(|| Group { text: body.clone(), missing });
        self.waiting().put(id, name, group);
    }

    /// Gives their members to the groups of an address book that waited for them. A read may go away meanwhile: this goes
    /// on, and the program waits for it before it ends.
    pub(in crate::gateway) async fn complete_groups_apart(&self, id: &CollectionId) {
        if self.waiting().of(id).is_empty() {
            return;
        }
        let (mailbox, id) = (self.clone(), id.clone());
        let work = self.carry_on(async move { mailbox.complete_groups(&id).await });
        if let Err(error) = work.await {
            tracing::error!(%error, "groups are not completed now");
        }
    }

    async fn complete_groups(&self, id: &CollectionId) {
        for (name, Group { text, missing }) in self.waiting().of(id) {
            let outcome = self.complete_group(id, &name, text, missing).await;
            if let Err(error) = outcome {
                tracing::warn!(%error, "a group is not completed now");
            }
        }
    }

    async fn complete_group(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        text: Bytes,
        missing: Vec<String>,
    ) -> Result<(), Error> {
        if self.contacts_with(id, missing).await?.is_empty() {
            return Ok(());
        }
        let folder = self.folder(id).await?;
        let _lock = self.lock_object(id, name).await?;
        let object = self.get_known(id, name).await?;
        let is_same = object.is_some_and(|o| o.body == text || o.vcard4.as_ref() == Some(&text));
        if is_same {
            self.put_here(&folder, name, &Conditions::default(), &text, NotifyPolicy::Nobody).await?;
            self.note_missing(id, name, &text).await;
        } else {
            // Somebody has changed it since.
            self.waiting().put(id, name, None);
        }
        Ok(())
    }
}
