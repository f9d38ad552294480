//! A write into a collection that is not complete: it does not wait for the first fill where Exchange finds by name and UID
//! what the write is about.

use super::Conditions;
use crate::convert;
use crate::gateway::{Error, Mailbox};
use crate::mirror::{Entry, Folder};
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
        let Some(folder) = Box::pin(self.seek(id, name, uid)).await? else {
            return self.recent_folder(id).await;
        };
        let asks_for_it = conditions.if_match.is_some() || conditions.if_schedule_tag_match.is_some();
        if asks_for_it && self.get_known(id, name).await?.is_none() {
            // The client knows it by a name that Exchange cannot be asked for.
            return self.recent_folder(id).await;
        }
        Ok(folder)
    }

    /// While a collection is not complete: the collection with the object of this name in the mirror, as Exchange holds it
    /// now. `None` where it is complete or has to be waited for.
    pub(super) async fn folder_of_sought(
        &self,
        id: &CollectionId,
        name: &ResourceName,
    ) -> Result<Option<Folder>, Error> {
        let folder = Box::pin(self.seek(id, name, None)).await?;
        // Who says that there is none has looked at all of it.
        let is_there = self.entry(id, name).await?.is_some();
        Ok(folder.filter(|_| is_there))
    }

    /// Enters what Exchange finds by a name and a UID into a collection that is not complete. `None` where it is complete,
    /// or where Exchange cannot be asked for the name.
    pub(super) async fn seek(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        uid: Option<&str>,
    ) -> Result<Option<Folder>, Error> {
        if self.is_filled(id).await? {
            return Ok(None);
        }
        let folder = self.folder(id).await?;
        self.follower().begin_fill(id);
        let work = async {
            match convert::sought(folder.collection.kind, name.as_str(), uid) {
                Some(wanted) => Ok(self.follower().seek(&folder, &wanted).await.map(|()| true)?),
                None => self.seek_by_id(&folder, name).await,
            }
        };
        match self.in_time(work).await {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error @ (Error::Unavailable { .. } | Error::SignIn | Error::Barred(_))) => {
                return Err(self.note(error));
            }
            // There are servers that search for none of these: the first fill is waited for.
            Err(error) => {
                tracing::debug!(%error, "what is to be written cannot be searched for");
                return Ok(None);
            }
        }
        self.follower().writes(id);
        self.folder(id).await.map(Some)
    }

    /// The same for a name that is made of Exchange's id: the part of the collection that is there tells the id.
    async fn seek_by_id(&self, folder: &Folder, name: &ResourceName) -> Result<bool, Error> {
        let id = &folder.collection.id;
        let Some(Entry { upstream, body, .. }) = self.entry(id, name).await? else { return Ok(false) };
        let class = convert::write::class_of(folder.collection.kind, &body);
        match self.follower().fetch_one(class, &upstream.0).await? {
            Some((item, mut related)) => {
                related.uids = self.follower().uids(id).await?;
                self.follower().record(id, item, related).await?;
            }
            None => self.follower().record_gone(id, upstream).await?,
        }
        Ok(true)
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
