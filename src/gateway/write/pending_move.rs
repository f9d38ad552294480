//! What a MOVE or COPY of several calls has left half done gets the name that the client chose.

use crate::convert::write::class_of;
use crate::gateway::{Error, Mailbox};
use crate::mirror::{Entry, Mirror, PendingMove};
use crate::model::item::ItemRef;
use std::sync::atomic::Ordering;

impl Mailbox {
    /// Writes down what is to be there in the end.
    pub(super) async fn begin_move(&self, arrival: &PendingMove) -> Result<(), Error> {
        let arrival = arrival.clone();
        Ok(self.mirror().run(move |mirror| mirror.begin_move(&arrival)).await?)
    }

    /// Goes on after a failure of unclear outcome; what cannot be ended now goes on being known.
    pub(super) async fn go_on(&self, arrival: &PendingMove, error: Error) -> Result<Entry, Error> {
        if !matches!(error, Error::Unavailable { .. }) {
            self.end_arrival(arrival).await?;
            return Err(error);
        }
        match self.arrive(arrival).await {
            Ok(Some(entry)) => Ok(entry),
            Ok(None) => Err(error),
            Err(_) => {
                self.unsettled().store(true, Ordering::Relaxed);
                Err(error)
            }
        }
    }

    /// Ends one move or copy, if it was begun in Exchange; gives the object under its name. The caller holds its lock.
    pub(super) async fn arrive(&self, arrival: &PendingMove) -> Result<Option<Entry>, Error> {
        match Box::pin(self.arrive_at(arrival)).await {
            Err(error @ (Error::Unavailable { .. } | Error::Store { .. })) => Err(error),
            Err(error) => {
                tracing::error!(%error, name = %arrival.name, "half of a move stays");
                self.end_arrival(arrival).await?;
                Ok(None)
            }
            Ok(found) => {
                self.end_arrival(arrival).await?;
                Ok(found)
            }
        }
    }

    async fn arrive_at(&self, arrival: &PendingMove) -> Result<Option<Entry>, Error> {
        let PendingMove { collection: id, name, uid, replaces } = arrival;
        let collection = match self.known_folder(id).await {
            Ok(folder) => folder.collection,
            Err(Error::NotFound) => return Ok(None),
            // Where the folders cannot be looked at nothing is known to be over.
            Err(error) => return Err(error),
        };
        self.follower().invalidate(id);
        self.follower().refresh(std::slice::from_ref(id)).await?;
        let namesakes = self.namesakes(id, uid).await?;
        let is_old = |entry: &Entry| replaces.as_ref().is_some_and(|(old, _)| *old == entry.upstream);
        let Some(arrived) = namesakes.into_iter().find(|entry| !is_old(entry)) else { return Ok(None) };
        let class = class_of(collection.kind, &arrived.body);
        let mut gone = Vec::new();
        // Taken out and put in again: until now the name may have been somebody else's.
        if self.entry(id, name).await?.is_none_or(|there| there.upstream != arrived.upstream) {
            gone.push((id.clone(), arrived.upstream.clone()));
        }
        if arrived.name != *name {
            tracing::info!(%name, "half of a move was found");
            let item = ItemRef { id: arrived.upstream.0.clone(), version: arrived.version.0.clone() };
            self.rename_as_it_is(&arrived, item, name, class).await?;
        }
        if let Some((old, version)) = replaces {
            let there = self.follower().fetch_one(class, &old.0).await?.map(|(item, _)| item.id);
            if let Some(item) = there.filter(|item| item.version == version.0) {
                self.throw_away(item).await?;
                gone.push((id.clone(), old.clone()));
            }
        }
        if !gone.is_empty() {
            self.follower().record_relocated((id, &arrived.upstream.0, class), gone).await;
        }
        self.entry(id, name).await
    }

    pub(super) async fn arrivals(&self) -> Result<Vec<PendingMove>, Error> {
        Ok(self.mirror().run(Mirror::arrivals).await?)
    }

    /// Nothing is left to be done.
    pub(super) async fn end_arrival(&self, arrival: &PendingMove) -> Result<(), Error> {
        let (id, name) = (arrival.collection.clone(), arrival.name.clone());
        Ok(self.mirror().run(move |mirror| mirror.end_arrival(&id, &name)).await?)
    }
}
