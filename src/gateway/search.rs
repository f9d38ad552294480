//! Queries: what the index of times lets through is read once, a batch at a time, while what matched before is written.

use super::Selected;
use super::error::Error;
use super::mailbox::Mailbox;
use super::read::{MAX_OCTETS, evaluate, select};
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
    /// How many candidates are read next.
    batch: usize,
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
        let collection = self.fresh_folder(id).await?.collection;
        let component = collection.kind.component();
        let zone = self.floating_zone(query::zone(&filter), &collection);
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
        Ok(Search { mirror, id: id.clone(), question, candidates: candidates.into_iter(), batch: 0 })
    }
}

impl Search {
    /// The octets that the next candidates take, of which [`Search::next`] reads few enough.
    pub async fn weigh(&mut self) -> Result<usize, Error> {
        let names: Vec<ResourceName> = self.candidates.as_slice().iter().take(BATCH).cloned().collect();
        self.batch = names.len();
        let Question { shape, is_answered, .. } = &*self.question;
        if names.is_empty() || (*is_answered && *shape == Shape::Nothing) {
            return Ok(0);
        }
        let (id, most) = (self.id.clone(), query::most(shape));
        let (number, octets) = self.mirror.run(move |mirror| mirror.weigh(&id, &names, MAX_OCTETS)).await?;
        self.batch = number;
        Ok(octets.max(most))
    }

    /// The same search in nothing but this member.
    #[must_use]
    pub fn only(mut self, name: &ResourceName) -> Self {
        let left: Vec<ResourceName> = self.candidates.filter(|candidate| candidate == name).collect();
        self.candidates = left.into_iter();
        self
    }

    /// Those of the next candidates that match, in the order of their names; `None` when there are no more candidates.
    pub async fn next(&mut self) -> Result<Option<Vec<Selected>>, Error> {
        let names: Vec<ResourceName> = self.candidates.as_slice().iter().take(self.batch).cloned().collect();
        if names.is_empty() {
            return Ok(None);
        }
        let (id, question) = (self.id.clone(), Arc::clone(&self.question));
        // Parsing and matching are work for a thread that may block.
        let found = self.mirror.run(move |mirror| {
            let most = query::most(&question.shape).max(MAX_OCTETS);
            let Question { filter, shape, zone, is_answered } = &*question;
            if *is_answered && *shape == Shape::Nothing {
                let heads = mirror.heads(&id, &names)?.into_iter().flatten();
                let all = heads.map(|head| Ok(Selected { head, body: None, is_too_much: false })).collect();
                return Ok((names.len(), all));
            }
            let (mut read, mut grown, mut all) = (0, 0, Vec::new());
            for object in mirror.get_many(&id, &names)? {
                read += 1;
                let selected = match object {
                    None => None,
                    Some(object) if *is_answered => Some(select(object, shape, zone)),
                    Some(object) => evaluate(object, filter, shape, zone),
                };
                if let Some(Ok(Selected { body: Some(body), .. })) = &selected {
                    grown += body.len();
                }
                all.extend(selected);
                if grown > most {
                    break;
                }
            }
            Ok((read, all))
        });
        let (read, found): (usize, Vec<Result<Selected, Error>>) = found.await?;
        self.candidates.by_ref().take(read).for_each(drop);
        found.into_iter().collect::<Result<_, _>>().map(Some)
    }
}
