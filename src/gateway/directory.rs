//! The organisation's directory: searched, never copied.
//!
//! **Invariant:** what one user was told is kept for this user alone, for a while, and bounded.

use super::error::Error;
use super::mailbox::Mailbox;
use super::{Matches, Person, Selected, read};
use crate::convert;
use crate::model::id::ResourceName;
use crate::model::object::{Head, Object};
use crate::model::zone::Zone;
use crate::query::filter::{AnyAll, CardFilter, CardPropFilter, Filter};
use crate::query::shape::Shape;
use crate::upstream::Scope;
use futures_util::{StreamExt as _, stream};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// People of one answer: Exchange gives no more for a name.
const MAX_PEOPLE: usize = 100;
/// Names that one search looks up.
const MAX_WORDS: usize = 4;
/// How long it is remembered what the directory told.
const MEMORY: Duration = Duration::from_mins(10);
/// People who are remembered.
const MAX_REMEMBERED: usize = 1000;

/// What the directory told this user.
#[derive(Default)]
pub(super) struct DirectoryCache(Mutex<HashMap<ResourceName, (Instant, CachedPerson)>>);

/// Somebody, and the card.
#[derive(Clone)]
struct CachedPerson {
    person: Person,
    object: Object,
}

impl DirectoryCache {
    fn get(&self, name: &ResourceName) -> Option<CachedPerson> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, known) = known.get(name)?;
        (at.elapsed() < MEMORY).then(|| known.clone())
    }

    fn remember(&self, people: &[CachedPerson]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() + people.len() > MAX_REMEMBERED {
            known.retain(|_, (at, _)| at.elapsed() < MEMORY);
        }
        if known.len() + people.len() > MAX_REMEMBERED {
            known.clear();
        }
        let now = Instant::now();
        known.extend(people.iter().map(|one| (one.object.head.name.clone(), (now, one.clone()))));
    }
}

impl Mailbox {
    /// Members of the directory that match: one look-up for each name that the filter speaks of.
    ///
    /// Without a name nothing is looked up; the answer is marked as truncated whenever there may be more. RFC 6352 8.6.1
    pub async fn search_directory(
        &self,
        filter: &CardFilter,
        shape: &Shape,
        limit: Option<usize>,
    ) -> Result<Matches, Error> {
        let Words { mut words, mut all } = words(filter);
        all &= words.len() <= MAX_WORDS;
        words.truncate(MAX_WORDS);
        let limit = limit.unwrap_or(MAX_PEOPLE).min(MAX_PEOPLE);
        let filter = Filter::Card(filter.clone());
        let mut members = Vec::new();
        let mut seen = Vec::new();
        for word in words {
            let (found, is_complete) = self.look_up(&word).await?;
            all &= is_complete;
            for CachedPerson { object, .. } in found {
                if seen.contains(&object.head.name) {
                    continue;
                }
                seen.push(object.head.name.clone());
                members.extend(read::evaluate(object, &filter, shape, &Zone::Utc).transpose()?);
            }
        }
        let truncated = !all || members.len() > limit;
        members.truncate(limit);
        Ok(Matches { members, truncated })
    }

    /// Members of the directory by name, in the order asked for.
    pub async fn directory_entries(&self, names: &[ResourceName]) -> Result<Vec<Option<Object>>, Error> {
        let found = stream::iter(names.to_vec())
            .map(|name| async move { self.entry_named(&name).await })
            .buffered(self.follower().session().concurrency());
        let found: Vec<Result<Option<CachedPerson>, Error>> = found.collect().await;
        found.into_iter().map(|known| Ok(known?.map(|known| known.object))).collect()
    }

    /// The same with as much of them as is asked for.
    pub async fn directory_multiget(
        &self,
        names: &[ResourceName],
        shape: &Shape,
    ) -> Result<Vec<Option<Selected>>, Error> {
        let found = self.directory_entries(names).await?.into_iter();
        found.map(|object| object.map(|object| read::select(object, shape, &Zone::Utc)).transpose()).collect()
    }

    /// Colleagues whose name or address begins with a text, and whether these are all.
    pub async fn find_people(&self, text: &str) -> Result<(Vec<Person>, bool), Error> {
        let (found, is_complete) = self.look_up(text).await?;
        Ok((found.into_iter().map(|known| known.person).collect(), is_complete))
    }

    /// A colleague by address.
    pub async fn person(&self, address: &str) -> Result<Option<Person>, Error> {
        let Ok(name) = format!("{}.vcf", address.to_lowercase()).parse() else { return Ok(None) };
        Ok(self.entry_named(&name).await?.map(|known| known.person))
    }

    async fn entry_named(&self, name: &ResourceName) -> Result<Option<CachedPerson>, Error> {
        if let Some(known) = self.told().get(name) {
            return Ok(Some(known));
        }
        let Some(address) = convert::address_of(name) else { return Ok(None) };
        let (found, _) = self.look_up(&address).await?;
        Ok(found.into_iter().find(|known| known.object.head.name == *name))
    }

    async fn look_up(&self, text: &str) -> Result<(Vec<CachedPerson>, bool), Error> {
        let text = text.trim();
        if text.is_empty() {
            return Ok((Vec::new(), false));
        }
        let session = self.follower().session();
        let found = self.in_time(session.resolve_names(text, Scope::Directory)).await;
        let found = found.map_err(|error| self.note(error))?;
        let context = self.follower().rendering();
        let people: Vec<CachedPerson> = found.people.iter().map(|person| known(&context, person)).collect();
        self.told().remember(&people);
        Ok((people, found.is_complete && found.people.len() < MAX_PEOPLE))
    }
}

fn known(context: &convert::Context, person: &crate::model::item::Person) -> CachedPerson {
    let convert::Rendered { body, vcard4, name, etag, last_modified, .. } = convert::person(context, person);
    let head = Head { name, etag, schedule_tag: None, last_modified, size: body.len() as u64 };
    let person = Person {
        address: person.mailbox.address.clone(),
        display_name: if person.mailbox.name.is_empty() {
            person.mailbox.address.clone()
        } else {
            person.mailbox.name.clone()
        },
        is_group: person.mailbox.kind.ends_with("DL"),
    };
    CachedPerson { person, object: Object { head, body, vcard4 } }
}

/// The names that have to be looked up so that whatever matches is among what is found.
struct Words {
    words: Vec<String>,
    /// False when something else than names is asked for, too.
    all: bool,
}

fn words(filter: &CardFilter) -> Words {
    let CardFilter { test, props } = filter;
    let mut of_each: Vec<Option<Vec<String>>> = props.iter().map(words_of).collect();
    if props.is_empty() {
        return Words { words: Vec::new(), all: false };
    }
    let (words, all) = match test {
        AnyAll::Any => {
            let all = of_each.iter().all(Option::is_some);
            (of_each.into_iter().flatten().flatten().collect(), all)
        }
        // All must hold: the one with the fewest and longest words is the most telling.
        AnyAll::All => {
            of_each.retain(Option::is_some);
            let telling = |words: &Vec<String>| {
                (words.len(), usize::MAX - words.iter().map(String::len).min().unwrap_or(0))
            };
            let best = of_each.into_iter().flatten().min_by_key(telling);
            let all = best.is_some();
            (best.unwrap_or_default(), all)
        }
    };
    let mut distinct: Vec<String> = Vec::new();
    for word in words {
        if !distinct.iter().any(|known| known.eq_ignore_ascii_case(&word)) {
            distinct.push(word);
        }
    }
    Words { words: distinct, all }
}

/// Words of which one is in whatever matches; `None` when no word need be.
fn words_of(prop: &CardPropFilter) -> Option<Vec<String>> {
    let CardPropFilter { name: _, test, absent, texts, params } = prop;
    let mut words: Vec<String> = texts
        .iter()
        .filter(|text| !text.negate && !text.text.trim().is_empty())
        .map(|text| text.text.trim().to_owned())
        .collect();
    if *absent || words.is_empty() {
        return None;
    }
    match test {
        AnyAll::Any if words.len() < texts.len() || !params.is_empty() => None,
        AnyAll::Any => Some(words),
        AnyAll::All => {
            words.sort_by_key(|word| std::cmp::Reverse(word.len()));
            words.truncate(1);
            Some(words)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::query::filter::{Collation, MatchKind, TextMatch};

    fn prop(name: &str, words: &[&str], negate: bool) -> CardPropFilter {
        let text = |text: &&str| TextMatch {
            text: (*text).to_owned(),
            kind: MatchKind::Contains,
            collation: Collation::UnicodeCasemap,
            negate,
        };
        CardPropFilter {
            name: name.to_owned(),
            test: AnyAll::Any,
            absent: false,
            texts: words.iter().map(text).collect(),
            params: Vec::new(),
        }
    }

    fn found(test: AnyAll, props: Vec<CardPropFilter>) -> (Vec<String>, bool) {
        let Words { words, all } = words(&CardFilter { test, props });
        (words, all)
    }

    #[test]
    fn one_word_in_several_properties_is_looked_up_once() {
        let props = ["FN", "EMAIL", "NICKNAME"].map(|name| prop(name, &["Smi"], false)).to_vec();
        assert_eq!(found(AnyAll::Any, props), (vec!["Smi".to_owned()], true));
    }

    #[test]
    fn where_all_must_hold_the_most_telling_word_is_enough() {
        let props = vec![prop("FN", &["jo"], false), prop("FN", &["smith"], false), prop("TEL", &[], false)];
        assert_eq!(found(AnyAll::All, props), (vec!["smith".to_owned()], true));
    }

    #[test]
    fn a_filter_that_names_nobody_looks_nothing_up_and_does_not_claim_to_be_complete() {
        assert_eq!(found(AnyAll::Any, vec![]), (vec![], false));
        assert_eq!(found(AnyAll::Any, vec![prop("EMAIL", &[], false)]), (vec![], false));
        assert_eq!(found(AnyAll::Any, vec![prop("FN", &["smi"], true)]), (vec![], false));
        let some = vec![prop("FN", &["smi"], false), prop("EMAIL", &[], false)];
        assert_eq!(found(AnyAll::Any, some), (vec!["smi".to_owned()], false));
    }
}
