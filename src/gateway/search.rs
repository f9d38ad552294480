//! Queries: what the index of times lets through is read once, a batch at a time, while what matched before is written.

use super::Selected;
use super::error::Error;
use super::mailbox::Mailbox;
use super::read::{evaluate, select};
use crate::mirror::Mirror;
use crate::model::id::{CollectionId, ResourceName};
use crate::model::object::Span;
use crate::model::zone::Zone;
use crate::query::filter::Filter;
use crate::query::shape::Shape;
use crate::query::{self, Foreseen};
use std::sync::Arc;

/// Members that are read from the store at once.
const BATCH: usize = 64;

/// A query under way. RFC 4791 7.8, RFC 6352 8.6
#[derive(Debug)]
pub struct Search {
    mirror: Arc<Mirror>,
    id: CollectionId,
    question: Arc<Question>,
    candidates: std::vec::IntoIter<ResourceName>,
}

#[derive(Debug)]
struct Question {
    filter: Filter,
    shape: Shape,
    zone: Zone,
    /// Every candidate matches, whatever it holds.
    is_answered: bool,
}

impl Mailbox {
    /// Members that match, with as much of each as `shape` says.
    pub async fn search(&self, id: &CollectionId, filter: Filter, shape: Shape) -> Result<Search, Error> {
        let component = self.fresh_folder(id).await?.collection.kind.component();
        let zone = self.floating_zone(query::zone(&filter));
        // Times can only take candidates away: of all others one thing is foreseen.
        let foreseen = query::foresee(&filter, component, &Span::default());
        let is_answered = foreseen == Foreseen::Matches;
        let question = Arc::new(Question { filter, shape, zone, is_answered });
        let mut candidates = Vec::new();
        if foreseen != Foreseen::Fails {
            let (key, asked) = (id.clone(), Arc::clone(&question));
            let found = self.mirror().run(move |mirror| {
                let range = query::range(&asked.filter, component);
                let is_wanted =
                    |span: &Span| query::foresee(&asked.filter, component, span) != Foreseen::Fails;
                mirror.taking_place(&key, range.start, range.end, is_wanted)
            });
            candidates = found.await?;
        }
        let mirror = Arc::clone(self.mirror());
        Ok(Search { mirror, id: id.clone(), question, candidates: candidates.into_iter() })
    }
}

impl Search {
    /// Those of the next candidates that match, in the order of their names; `None` when there are no more candidates.
    pub async fn next(&mut self) -> Result<Option<Vec<Selected>>, Error> {
        let names: Vec<ResourceName> = self.candidates.by_ref().take(BATCH).collect();
        if names.is_empty() {
            return Ok(None);
        }
        let (id, question) = (self.id.clone(), Arc::clone(&self.question));
        // Parsing and matching are work for a thread that may block.
        let found = self.mirror.run(move |mirror| {
            let Question { filter, shape, zone, is_answered } = &*question;
            if *is_answered && *shape == Shape::Nothing {
                let heads = mirror.heads(&id, &names)?.into_iter().flatten();
                return Ok(heads.map(|head| Ok(Selected { head, body: None })).collect());
            }
            let objects = mirror.get_many(&id, &names)?.into_iter().flatten();
            Ok(if *is_answered {
                objects.map(|object| select(object, shape, zone)).collect()
            } else {
                objects.filter_map(|object| evaluate(object, filter, shape, zone).map(Ok)).collect()
            })
        });
        let found: Vec<Result<Selected, Error>> = found.await?;
        found.into_iter().collect::<Result<_, _>>().map(Some)
    }
}
