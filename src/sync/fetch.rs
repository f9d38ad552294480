//! From ids to rendered entries: batched GetItem, exceptions of series, names that the directory knows.

use super::follower::{Error, Follower};
use super::source;
use crate::convert::{self, Related};
use crate::ews::types::{Item, ItemClass};
use crate::mirror::{Attachment, Entry};
use crate::model::id::{CollectionId, UpstreamId, UpstreamVersion};
use futures_util::StreamExt as _;
use futures_util::stream;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Ids of one GetItem. FACTS 3
const BATCH: usize = 100;
/// Photos and other attachments of one GetAttachment: some hundred kilobytes each.
const PICTURES: usize = 25;
/// Names that one refresh looks up in the directory.
const MOST_NAMES: usize = 50;

impl Follower {
    /// Fetches items and lays them aside as rendered entries; gives those that turned out to be gone.
    pub(super) async fn fetch(
        &self,
        id: &CollectionId,
        wanted: Vec<(String, ItemClass)>,
    ) -> Result<Vec<UpstreamId>, Error> {
        let total = wanted.len();
        let mut classes: HashMap<ItemClass, Vec<String>> = HashMap::new();
        for (item, class) in wanted {
            classes.entry(class).or_default().push(item);
        }
        let batches: Vec<(ItemClass, Vec<String>)> = classes
            .iter()
            .flat_map(|(class, ids)| ids.chunks(BATCH).map(|chunk| (*class, chunk.to_vec())))
            .collect();
        let progress = Progress::new(id, total);
        let mut gone = Vec::new();
        // What needs further calls waits, so that these can be shared.
        let (mut series, mut pictured, mut lists) = (Vec::new(), Vec::new(), Vec::new());
        let mut answers = stream::iter(batches)
            .map(|(class, ids)| async move {
                let asked: Vec<&str> = ids.iter().map(String::as_str).collect();
                let items = self.session().get_items(class, &asked).await;
                (ids, items)
            })
            .buffer_unordered(self.session().concurrency());
        while let Some((ids, items)) = answers.next().await {
            let mut plain = Vec::new();
            for (id, item) in ids.into_iter().zip(items?) {
                match item {
                    Ok(item) if item.class == ItemClass::DistributionList => lists.push(item),
                    Ok(item) if !item.modified_occurrences().is_empty() => series.push(item),
                    Ok(item) => match convert::photo(&item) {
                        Some(photo) => pictured.push((item, photo)),
                        None => plain.push((item, Related::default())),
                    },
                    Err(error) if error.is("ErrorItemNotFound") => gone.push(UpstreamId(id)),
                    Err(error) if error.is_transient() => return Err(error.into()),
                    // One odd item must not keep the others away.
                    Err(error) => tracing::warn!(%error, "an item cannot be fetched and is left out"),
                }
            }
            progress.add(plain.len());
            self.stage(id, plain).await?;
        }
        drop(answers);
        progress.add(series.len() + pictured.len() + lists.len());
        let series = self.with_exceptions(series).await?;
        self.stage(id, series).await?;
        for chunk in pictured.chunks(PICTURES) {
            let chunk = self.with_photos(chunk).await?;
            self.stage(id, chunk).await?;
        }
        if !lists.is_empty() {
            let related = self.with_uids(id).await?;
            self.stage(id, lists.into_iter().map(|list| (list, related.clone())).collect()).await?;
        }
        Ok(gone)
    }

    /// The UIDs of all members of an address book, by Exchange's ids: a list names them.
    pub async fn uids(&self, id: &CollectionId) -> Result<Arc<HashMap<String, String>>, Error> {
        let key = id.clone();
        let known = self.mirror().run(move |mirror| mirror.uids(&key)).await?;
        Ok(Arc::new(known.into_iter().map(|(id, uid)| (id.0, uid)).collect()))
    }

    /// What a list needs.
    pub(super) async fn with_uids(&self, id: &CollectionId) -> Result<Related, Error> {
        Ok(Related { uids: self.uids(id).await?, ..Related::default() })
    }

    /// The full items of all modified occurrences, in as few calls as possible.
    pub(super) async fn with_exceptions(&self, masters: Vec<Item>) -> Result<Vec<(Item, Related)>, Error> {
        let mut owners = Vec::new();
        for (at, master) in masters.iter().enumerate() {
            owners.extend(master.modified_occurrences().into_iter().map(|o| (at, o.id.id)));
        }
        let mut exceptions: Vec<Vec<Item>> = masters.iter().map(|_| Vec::new()).collect();
        for chunk in owners.chunks(BATCH) {
            let ids: Vec<&str> = chunk.iter().map(|(_, id)| id.as_str()).collect();
            let items = self.session().get_items(ItemClass::CalendarItem, &ids).await?;
            for ((at, _), item) in chunk.iter().zip(items) {
                match (item, exceptions.get_mut(*at)) {
                    (Ok(item), Some(list)) => list.push(item),
                    // Deleted in the meantime: the next SyncFolderItems tells about its series.
                    (Err(error), _) if error.is("ErrorItemNotFound") => {}
                    (Err(error), _) if error.is_transient() => return Err(error.into()),
                    (Err(error), _) => tracing::warn!(%error, "an occurrence cannot be fetched"),
                    (Ok(_), None) => {}
                }
            }
        }
        let related = exceptions.into_iter().map(|exceptions| Related { exceptions, ..Related::default() });
        Ok(masters.into_iter().zip(related).collect())
    }

    /// The contacts of one batch with their photos.
    pub(super) async fn with_photos(
        &self,
        contacts: &[(Item, String)],
    ) -> Result<Vec<(Item, Related)>, Error> {
        let ids: Vec<&str> = contacts.iter().map(|(_, photo)| photo.as_str()).collect();
        let mut done = Vec::new();
        for ((item, _), photo) in contacts.iter().zip(self.session().get_attachments(&ids).await?) {
            let photo = match photo {
                Ok(octets) => Some(octets.into()),
                Err(error) if error.is_transient() => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(%error, "a photo cannot be fetched");
                    None
                }
            };
            done.push((item.clone(), Related { photo, ..Related::default() }));
        }
        Ok(done)
    }

    async fn stage(&self, id: &CollectionId, items: Vec<(Item, Related)>) -> Result<(), Error> {
        if items.is_empty() {
            return Ok(());
        }
        let context = self.context_for(id, &items).await?;
        let id = id.clone();
        self.mirror()
            .run(move |mirror| {
                let entries: Vec<Entry> = items
                    .iter()
                    .filter_map(|(item, related)| match convert::render(&context, item, related) {
                        Ok(rendered) => Some(entry(&context, item, related, rendered)),
                        Err(error) => {
                            tracing::warn!(%error, "an item cannot be shown and is left out");
                            None
                        }
                    })
                    .collect();
                mirror.stage(&id, &entries)
            })
            .await?;
        Ok(())
    }

    /// The context with all names in it that the items need and the directory knows.
    pub(super) async fn context_for(
        &self,
        id: &CollectionId,
        items: &[(Item, Related)],
    ) -> Result<convert::Context, Error> {
        let mut unknown: Vec<String> = Vec::new();
        {
            let known = self.directory();
            let all =
                items.iter().flat_map(|(item, related)| std::iter::once(item).chain(&related.exceptions));
            for name in all.flat_map(convert::names_to_resolve) {
                if !known.contains_key(&name) && !unknown.contains(&name) {
                    unknown.push(name);
                }
            }
        }
        for name in unknown.into_iter().take(MOST_NAMES) {
            let address = self.session().resolve_name(&name).await?;
            self.learn(name, address.unwrap_or_default());
        }
        let mut context = self.context(id);
        let all = items.iter().flat_map(|(item, related)| std::iter::once(item).chain(&related.exceptions));
        let wanted: Vec<String> =
            all.flat_map(|item| convert::inline_attachments(&context.settings, item)).collect();
        let mut contents = HashMap::new();
        for chunk in wanted.chunks(PICTURES) {
            let ids: Vec<&str> = chunk.iter().map(String::as_str).collect();
            for (id, content) in chunk.iter().zip(self.session().get_attachments(&ids).await?) {
                match content {
                    Ok(octets) => drop(contents.insert(id.clone(), octets.into())),
                    Err(error) if error.is_transient() => return Err(error.into()),
                    // It stays a link.
                    Err(error) => tracing::warn!(%error, "an attachment cannot be fetched"),
                }
            }
        }
        context.contents = Arc::new(contents);
        Ok(context)
    }
}

pub(super) fn entry(
    context: &convert::Context,
    item: &Item,
    related: &Related,
    rendered: convert::Rendered,
) -> Entry {
    let convert::Rendered {
        body,
        vcard4,
        uid,
        name,
        fallback_name,
        etag,
        schedule_tag,
        span,
        last_modified,
        attachments,
    } = rendered;
    Entry {
        upstream: UpstreamId(item.id.id.clone()),
        version: UpstreamVersion(item.id.change_key.clone()),
        name,
        fallback_name,
        uid,
        etag,
        schedule_tag,
        span,
        last_modified,
        attachments: attachments
            .into_iter()
            .map(|a| Attachment {
                managed_id: a.managed_id,
                upstream: a.upstream,
                name: a.name,
                media_type: a.media_type,
                size: a.size,
            })
            .collect(),
        body,
        vcard4,
        source: source::pack(item, related).filter(|_| !context.hides(item)),
    }
}

/// Tells people about long refreshes, now and then.
struct Progress {
    collection: String,
    total: usize,
    done: AtomicUsize,
    told: std::sync::Mutex<Instant>,
}

impl Progress {
    fn new(id: &CollectionId, total: usize) -> Arc<Self> {
        let told = std::sync::Mutex::new(Instant::now());
        Arc::new(Self { collection: id.to_string(), total, done: AtomicUsize::new(0), told })
    }

    fn add(&self, count: usize) {
        let done = self.done.fetch_add(count, Ordering::Relaxed) + count;
        if let Ok(mut told) = self.told.lock()
            && told.elapsed() > Duration::from_secs(2)
        {
            *told = Instant::now();
            tracing::info!(collection = self.collection, done, total = self.total, "fetching items");
        }
    }
}
