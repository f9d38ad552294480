//! A PUT into a collection that is not complete: it does not wait for the first fill.

use super::Conditions;
use crate::convert;
use crate::gateway::{Error, Mailbox};
use crate::mirror::Folder;
use crate::model::id::{CollectionId, ResourceName};

impl Mailbox {
    /// The collection that an object is about to be put into, with all in the mirror that could be in the object's way:
    /// as recent as writers need it or, while it is not complete, what Exchange finds by this name and UID.
    pub(super) async fn folder_to_put(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        uid: Option<&str>,
        conditions: &Conditions,
    ) -> Result<Folder, Error> {
        if self.is_filled(id).await? {
            return self.recent_folder(id).await;
        }
        let folder = self.folder(id).await?;
        let Some(wanted) = convert::sought(folder.collection.kind, name.as_str(), uid) else {
            return self.recent_folder(id).await;
        };
        self.follower().begin_fill(id);
        match self.in_time(self.follower().seek(&folder, &wanted)).await {
            Ok(()) => {}
            Err(error @ (Error::Unavailable { .. } | Error::SignIn | Error::Barred(_))) => {
                return Err(self.note(error));
            }
            // There are servers that search for none of these: the first fill is waited for.
            Err(error) => {
                tracing::debug!(%error, "what is to be written cannot be searched for");
                return self.recent_folder(id).await;
            }
        }
        let asks_for_it = conditions.if_match.is_some() || conditions.if_schedule_tag_match.is_some();
        if asks_for_it && self.get_known(id, name).await?.is_none() {
            // The client knows it by a name that Exchange cannot be asked for.
            return self.recent_folder(id).await;
        }
        self.follower().writes(id);
        self.folder(id).await
    }

    /// Makes sure that the mirror shows what Exchange holds by this name and UID.
    pub(super) async fn look_again(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        uid: Option<&str>,
    ) -> Result<(), Error> {
        if self.is_filled(id).await? {
            return Ok(self.follower().refresh(std::slice::from_ref(id)).await?);
        }
        self.folder_to_put(id, name, uid, &Conditions::default()).await.map(drop)
    }
}
