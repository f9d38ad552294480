//! From ids to rendered entries: batched GetItem, exceptions of series, names that the directory knows.

use super::follower::{Error, Follower};
use super::source;
use crate::convert::{self, Related};
use crate::mirror::{Attachment, Entry, Folder, Part};
use crate::model::id::{CollectionId, UpstreamId, UpstreamVersion};
use crate::model::item::{Item, ItemClass};
use crate::upstream::{ErrorKind, Session};
use futures_util::StreamExt as _;
use futures_util::stream::{self, FuturesUnordered};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Ids of one GetItem. docs/EXCHANGE.md, Limits
const BATCH: usize = 100;
/// Photos and other attachments of one GetAttachment: some hundred kilobytes each.
const PICTURES: usize = 25;
/// Octets of attachments that are inside of texts which are rendered together: one item may have more.
const MAX_INLINE: u64 = 8 << 20;
/// Names that one refresh looks up in the directory.
const MAX_NAMES: usize = 50;

/// Whether what is fetched is seen before all of it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// Once all is committed.
    Later,
    /// Part by part: a first fill.
    Parts,
}

/// What one future does.
enum Work {
    Items(ItemClass, Vec<String>),
    Series(Vec<Item>),
    Pictured(Vec<(Item, String)>),
}

/// What came of it.
#[derive(Default)]
struct Done {
    gone: Vec<UpstreamId>,
    later: Later,
}

/// What needs further calls waits, so that these can be shared.
#[derive(Default)]
struct Later {
    series: Vec<Item>,
    pictured: Vec<(Item, String)>,
    lists: Vec<Item>,
}

impl Later {
    fn add(&mut self, more: Self) {
        self.series.extend(more.series);
        self.pictured.extend(more.pictured);
        self.lists.extend(more.lists);
    }

    /// What fills a call, or anything at all when no more is to come.
    fn work(&mut self, is_last: bool) -> Option<Work> {
        let occurrences: usize = self.series.iter().map(|item| item.modified_occurrences().len()).sum();
        if occurrences >= BATCH || is_last && occurrences > 0 {
            return Some(Work::Series(std::mem::take(&mut self.series)));
        }
        let pictures = self.pictured.len().min(PICTURES);
        let is_due = pictures == PICTURES || is_last && pictures > 0;
        is_due.then(|| Work::Pictured(self.pictured.drain(..pictures).collect()))
    }
}

/// Ids that wait to be fetched, by class.
#[derive(Default)]
struct FetchQueue(HashMap<ItemClass, VecDeque<String>>);

impl FetchQueue {
    fn add(&mut self, items: Vec<(String, ItemClass)>) {
        for (item, class) in items {
            self.0.entry(class).or_default().push_back(item);
        }
    }

    /// A batch; one that is not full only when nothing else is to do.
    fn batch(&mut self, takes_less: bool) -> Option<Work> {
        let (class, ids) =
            self.0.iter_mut().find(|(_, ids)| ids.len() >= BATCH || takes_less && !ids.is_empty())?;
        let most = ids.len().min(BATCH);
        Some(Work::Items(*class, ids.drain(..most).collect()))
    }
}

impl Follower {
    /// Fetches items and lays them aside as rendered entries; gives those that turned out to be gone.
    pub(super) async fn fetch(
        &self,
        folder: &Folder,
        wanted: Vec<(String, ItemClass)>,
    ) -> Result<Vec<UpstreamId>, Error> {
        let (sender, pages) = mpsc::channel(1);
        // There is room for one.
        let _ = sender.try_send(wanted);
        drop(sender);
        self.fetch_pages(folder, pages, Show::Later).await
    }

    /// The same for ids that become known page by page.
    pub(super) async fn fetch_pages(
        &self,
        folder: &Folder,
        mut pages: mpsc::Receiver<Vec<(String, ItemClass)>>,
        show: Show,
    ) -> Result<Vec<UpstreamId>, Error> {
        let at_once = self.session().concurrency();
        let (mut waiting, mut later, mut gone) = (FetchQueue::default(), Later::default(), Vec::new());
        let mut running = FuturesUnordered::new();
        let mut is_open = true;
        let mut failure = None;
        loop {
            while failure.is_none() && running.len() < at_once {
                let is_idle = running.is_empty();
                let next = later
                    .work(false)
                    .or_else(|| waiting.batch(!is_open || is_idle))
                    .or_else(|| later.work(!is_open && is_idle));
                let Some(work) = next else { break };
                running.push(self.work(folder, work, show));
            }
            if running.is_empty() {
                // What was under way with it is laid aside, and need not be fetched again.
                match failure {
                    Some(error) => return Err(error),
                    None if !is_open => break,
                    None => {}
                }
            }
            tokio::select! {
                page = pages.recv(), if is_open && failure.is_none() => match page {
                    Some(items) => waiting.add(items),
                    None => is_open = false,
                },
                Some(done) = running.next() => match done {
                    Ok(Done { gone: lost, later: more }) => {
                        gone.extend(lost);
                        later.add(more);
                    }
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
        }
        if !later.lists.is_empty() {
            let related = self.with_uids(&folder.collection.id).await?;
            let lists = later.lists.into_iter().map(|list| (list, related.clone())).collect();
            self.show(folder, lists, show).await?;
        }
        Ok(gone)
    }

    async fn work(&self, folder: &Folder, work: Work, show: Show) -> Result<Done, Error> {
        let lane = if show == Show::Parts { self.lane(folder).await } else { None };
        let mut done = Done::default();
        let items = match work {
            Work::Items(class, ids) => {
                let asked: Vec<&str> = ids.iter().map(String::as_str).collect();
                let items = self.session().items(class, &asked).await?;
                let mut plain = Vec::new();
                for (id, item) in ids.into_iter().zip(items) {
                    match item {
                        Ok(item) if item.class == ItemClass::DistributionList => done.later.lists.push(item),
                        Ok(item) if !item.modified_occurrences().is_empty() => done.later.series.push(item),
                        Ok(item) => match convert::photo(&item) {
                            Some(photo) => done.later.pictured.push((item, photo)),
                            None => plain.push((item, Related::default())),
                        },
                        Err(error) if error.is(&ErrorKind::ItemNotFound) => done.gone.push(UpstreamId(id)),
                        Err(error) if error.is_transient() => return Err(error.into()),
                        // One odd item must not keep the others away.
                        Err(error) => tracing::warn!(%error, "an item cannot be fetched and is left out"),
                    }
                }
                plain
            }
            Work::Series(masters) => self.with_exceptions(masters).await?,
            Work::Pictured(contacts) => self.with_photos(&contacts).await?,
        };
        drop(lane);
        self.show(folder, items, show).await?;
        Ok(done)
    }

    /// Lays items aside, and makes them visible where that is due.
    async fn show(&self, folder: &Folder, items: Vec<(Item, Related)>, show: Show) -> Result<(), Error> {
        let (id, count) = (&folder.collection.id, items.len());
        if show == Show::Later || count == 0 {
            return self.stage(id, items).await;
        }
        // What others lay aside becomes visible, too: it has to be looked through before, not beside.
        let _showing = self.0.showing.lock().await;
        self.stage(id, items).await?;
        self.resolve_duplicate_uids(folder, &HashSet::new()).await?;
        let key = id.clone();
        self.mirror().run(move |mirror| mirror.commit_part(&key)).await?;
        self.fill_moves(id, 0, count);
        Ok(())
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
            let items = self.session().items(ItemClass::CalendarItem, &ids).await?;
            for ((at, _), item) in chunk.iter().zip(items) {
                match (item, exceptions.get_mut(*at)) {
                    (Ok(item), Some(list)) => list.push(item),
                    // Deleted in the meantime: the next SyncFolderItems tells about its series.
                    (Err(error), _) if error.is(&ErrorKind::ItemNotFound) => {}
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
        for ((item, _), photo) in contacts.iter().zip(self.session().attachments(&ids).await?) {
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

    /// Renders items and lets the mirror hold them for the next commit.
    pub(super) async fn stage(&self, id: &CollectionId, items: Vec<(Item, Related)>) -> Result<(), Error> {
        let settings = self.context(id).settings;
        let mut part: Vec<(Item, Related)> = Vec::new();
        let mut octets = 0;
        for (item, related) in items {
            let all = std::iter::once(&item).chain(&related.exceptions);
            let more: u64 =
                all.flat_map(|item| convert::inline_attachments(&settings, item)).map(|(_, size)| size).sum();
            if octets > 0 && octets + more > MAX_INLINE {
                self.stage_part(id, std::mem::take(&mut part)).await?;
                octets = 0;
            }
            octets += more;
            part.push((item, related));
        }
        self.stage_part(id, part).await
    }

    /// The same of so many items as have few enough octets inside of their texts.
    async fn stage_part(&self, id: &CollectionId, items: Vec<(Item, Related)>) -> Result<(), Error> {
        if items.is_empty() {
            return Ok(());
        }
        let context = self.context_for(id, &items).await?;
        let (id, session) = (id.clone(), self.session());
        self.mirror()
            .run(move |mirror| {
                let entries: Vec<Entry> = items
                    .iter()
                    .filter_map(|(item, related)| match convert::render(&context, item, related) {
                        Ok(rendered) => Some(entry(&session, &context, item, related, rendered)),
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
        let session = self.session();
        let mut resolved = stream::iter(unknown.into_iter().take(MAX_NAMES))
            .map(|name| async {
                let address = session.resolve_name(&name).await;
                (name, address)
            })
            .buffer_unordered(session.concurrency());
        while let Some((name, address)) = resolved.next().await {
            self.learn(name, address?.unwrap_or_default());
        }
        let mut context = self.context(id);
        let all = items.iter().flat_map(|(item, related)| std::iter::once(item).chain(&related.exceptions));
        let wanted: Vec<String> = all
            .flat_map(|item| convert::inline_attachments(&context.settings, item))
            .map(|(id, _)| id)
            .collect();
        let mut contents = HashMap::new();
        for chunk in wanted.chunks(PICTURES) {
            let ids: Vec<&str> = chunk.iter().map(String::as_str).collect();
            for (id, content) in chunk.iter().zip(self.session().attachments(&ids).await?) {
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
    session: &Session,
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
        occurrence,
    } = rendered;
    let part = occurrence.map(|original| Part { item: UpstreamId(item.id.id.clone()), original });
    Entry {
        upstream: UpstreamId(item.id.id.clone()),
        version: UpstreamVersion(item.id.version.clone()),
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
        source: source::pack(session, item, related).filter(|_| !context.hides(item)),
        parts: part.into_iter().collect(),
    }
}
