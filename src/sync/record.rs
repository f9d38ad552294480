//! The way of one acknowledged write into the mirror.

use super::Error;
use super::fetch::entry;
use super::follower::Follower;
use crate::convert::{self, Context, Related};
use crate::mirror::AcknowledgedWrite;
use crate::model::id::{CollectionId, UpstreamId};
use crate::model::item::{Item, ItemClass};
use crate::model::object::Head;
use crate::upstream::ErrorKind;

impl Follower {
    /// The context in which this collection's items are translated, with the names of these items in it.
    pub async fn translation(&self, id: &CollectionId, items: &[(Item, Related)]) -> Result<Context, Error> {
        self.context_for(id, items).await
    }

    /// An item as Exchange has it now, with all that belongs to it; `None` when it is gone.
    pub async fn fetch_one(&self, class: ItemClass, id: &str) -> Result<Option<(Item, Related)>, Error> {
        let item = match self.session().items(class, &[id]).await?.pop() {
            Some(Ok(item)) => item,
            Some(Err(error)) if error.is(&ErrorKind::ItemNotFound) => return Ok(None),
            Some(Err(error)) => return Err(error.into()),
            None => return Ok(None),
        };
        if !item.modified_occurrences().is_empty() {
            return Ok(self.with_exceptions(vec![item]).await?.pop());
        }
        match convert::photo(&item) {
            Some(photo) => Ok(self.with_photos(&[(item, photo)]).await?.pop()),
            None => Ok(Some((item, Related::default()))),
        }
    }

    /// Enters an item that Exchange acknowledged; `None` when it is no member of its collection.
    pub async fn record(
        &self,
        id: &CollectionId,
        item: Item,
        related: Related,
    ) -> Result<Option<Head>, Error> {
        let items = [(item, related)];
        let context = self.context_for(id, &items).await?;
        let [(item, related)] = items;
        let (key, session) = (id.clone(), self.session());
        let heads = self
            .mirror()
            .run(move |mirror| match convert::render(&context, &item, &related) {
                Ok(rendered) => mirror.record(&AcknowledgedWrite {
                    written: vec![(key, entry(&session, &context, &item, &related, rendered))],
                    gone: vec![],
                }),
                Err(_) => Ok(Vec::new()),
            })
            .await?;
        Ok(heads.into_iter().next())
    }

    /// Enters that an item is now in another place, or is there under another name, with what is gone for it: one
    /// transaction. The collection is looked at with the next request where that cannot be done now: Exchange has done
    /// its part, so this does not fail.
    pub async fn record_relocated(
        &self,
        (id, item, class): (&CollectionId, &str, ItemClass),
        gone: Vec<(CollectionId, UpstreamId)>,
    ) -> Option<Head> {
        let touched: Vec<CollectionId> = gone.iter().map(|(id, _)| id.clone()).collect();
        let outcome = self.try_record_relocated((id, item, class), gone).await;
        if !matches!(outcome, Ok(Some(_))) {
            touched.iter().chain([id]).for_each(|id| self.invalidate(id));
        }
        outcome.unwrap_or_else(|error| {
            tracing::warn!(%error, "what was moved cannot be read back now");
            None
        })
    }

    async fn try_record_relocated(
        &self,
        (id, item, class): (&CollectionId, &str, ItemClass),
        gone: Vec<(CollectionId, UpstreamId)>,
    ) -> Result<Option<Head>, Error> {
        let Some((item, mut related)) = self.fetch_one(class, item).await? else { return Ok(None) };
        if class == ItemClass::DistributionList {
            related = self.with_uids(id).await?;
        }
        let items = [(item, related)];
        let context = self.context_for(id, &items).await?;
        let [(item, related)] = items;
        let (key, session) = (id.clone(), self.session());
        let heads = self
            .mirror()
            .run(move |mirror| {
                let rendered = convert::render(&context, &item, &related).ok();
                let written = rendered
                    .map(|rendered| (key, entry(&session, &context, &item, &related, rendered)))
                    .into_iter()
                    .collect();
                mirror.record(&AcknowledgedWrite { written, gone })
            })
            .await?;
        Ok(heads.into_iter().next())
    }

    /// Enters that an item is gone.
    pub async fn record_gone(&self, id: &CollectionId, item: UpstreamId) -> Result<(), Error> {
        let deed = AcknowledgedWrite { written: vec![], gone: vec![(id.clone(), item)] };
        self.mirror().run(move |mirror| mirror.record(&deed)).await?;
        Ok(())
    }
}
