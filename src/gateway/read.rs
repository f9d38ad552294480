//! Reading: everything is answered from the mirror, after making sure that it is fresh.

use super::error::Error;
use super::mailbox::Mailbox;
use super::{Attachment, Changes, Export, Selected};
use crate::mirror::{self, Change, Listed};
use crate::model::collection::{Collection, CollectionKind};
use crate::model::id::{CollectionId, ETag, ResourceName, SyncToken};
use crate::model::object::{Head, Object};
use crate::model::zone::Zone;
use crate::query;
use crate::query::filter::{Filter, TimeRange};
use crate::query::shape::{CardVersion, Shape};
use crate::text::{Component, Line};
use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use std::collections::HashSet;

/// Members that are read from the store at once.
const BATCH: usize = 200;
/// Octets that are read from the store at once.
pub(super) const MAX_OCTETS: usize = 64 * 1024;

impl Mailbox {
    /// All members without bodies.
    pub async fn list(&self, id: &CollectionId) -> Result<Vec<Head>, Error> {
        self.fresh_folder(id).await?;
        self.complete_groups_apart(id).await;
        let all = self.listed(id).await?;
        Ok(all.into_iter().map(|listed| listed.head).collect())
    }

    async fn listed(&self, id: &CollectionId) -> Result<Vec<Listed>, Error> {
        let id = id.clone();
        Ok(self.mirror().run(move |mirror| mirror.list(&id)).await?)
    }

    async fn objects(
        &self,
        id: &CollectionId,
        names: Vec<ResourceName>,
    ) -> Result<Vec<Option<Object>>, Error> {
        let id = id.clone();
        Ok(self.mirror().run(move |mirror| mirror.shown(&id, &names)).await?)
    }

    /// One member.
    pub async fn get(&self, id: &CollectionId, name: &ResourceName) -> Result<Option<Object>, Error> {
        if let Some(mut known) = self.visible(id, std::slice::from_ref(name)).await? {
            return Ok(known.pop());
        }
        self.fresh_folder(id).await?;
        Ok(self.objects(id, vec![name.clone()]).await?.pop().flatten())
    }

    /// These members of a collection that is not complete yet, if all of them are known: whoever has their names from a
    /// part of it need not wait for the others. `None` where the collection is complete, or has to be waited for.
    async fn visible(&self, id: &CollectionId, names: &[ResourceName]) -> Result<Option<Vec<Object>>, Error> {
        if self.is_filled(id).await? {
            return Ok(None);
        }
        self.follower().begin_fill(id);
        Ok(self.objects(id, names.to_vec()).await?.into_iter().collect())
    }

    /// How many of these members can be read at once without much memory, from the first on and at least one; with the
    /// octets that they take.
    pub async fn weigh(
        &self,
        id: &CollectionId,
        names: &[ResourceName],
        shape: &Shape,
    ) -> Result<(usize, usize), Error> {
        let (id, names) = (id.clone(), names.to_vec());
        let (number, octets) = self.mirror().run(move |mirror| mirror.weigh(&id, &names, MAX_OCTETS)).await?;
        Ok((number, octets.max(query::most(shape))))
    }

    /// Octets of all members together.
    pub async fn octets(&self, id: &CollectionId) -> Result<usize, Error> {
        let id = id.clone();
        let octets = self.mirror().run(move |mirror| {
            let names: Vec<ResourceName> = mirror.list(&id)?.into_iter().map(|l| l.head.name).collect();
            mirror.weigh(&id, &names, usize::MAX)
        });
        Ok(octets.await?.1)
    }

    /// Members by name, in the order asked for; `None` where there is no such member. Where their bodies grow large there
    /// are fewer than asked for, but at least one.
    pub async fn multiget(
        &self,
        id: &CollectionId,
        names: &[ResourceName],
        shape: &Shape,
        zone: Option<Zone>,
    ) -> Result<Vec<Option<Selected>>, Error> {
        let collection = self.collection(id).await?.ok_or(Error::NotFound)?;
        let zone = self.floating_zone(zone, &collection);
        if self.visible(id, names).await?.is_none() {
            self.fresh_folder(id).await?;
        }
        let (mut selected, mut grown) = (Vec::with_capacity(names.len()), 0);
        for chunk in names.chunks(BATCH) {
            let objects = self.objects(id, chunk.to_vec()).await?;
            for object in objects {
                let body = object.map(|object| select(object, shape, &zone)).transpose()?;
                grown += body.as_ref().and_then(|s| s.body.as_ref()).map_or(0, Bytes::len);
                selected.push(body);
                if grown > query::most(shape).max(MAX_OCTETS) {
                    return Ok(selected);
                }
            }
        }
        Ok(selected)
    }

    /// What changed since a token; `None` asks for everything. Fails with [`Error::ForgottenToken`].
    pub async fn changes(
        &self,
        id: &CollectionId,
        since: Option<SyncToken>,
        limit: Option<usize>,
    ) -> Result<Changes, Error> {
        self.fresh_folder(id).await?;
        self.complete_groups_apart(id).await;
        self.known_changes(id, since, limit).await
    }

    /// The same for a client that goes on where an answer ends before all is said: of a collection that is not complete
    /// yet it gets what is known, with a token that goes on. RFC 6578 3.6
    pub async fn changes_in_parts(
        &self,
        id: &CollectionId,
        since: Option<SyncToken>,
        limit: Option<usize>,
    ) -> Result<Changes, Error> {
        while self.collection(id).await?.is_some() && !self.is_filled(id).await? {
            let moved = self.follower().filling();
            let known = self.known_changes(id, since, limit).await?;
            if !known.changed.is_empty() || !known.removed.is_empty() {
                self.follower().begin_fill(id);
                return Ok(Changes { truncated: true, ..known });
            }
            if !self.wait_for_part(id, moved).await? {
                break;
            }
        }
        self.changes(id, since, limit).await
    }

    async fn known_changes(
        &self,
        id: &CollectionId,
        since: Option<SyncToken>,
        limit: Option<usize>,
    ) -> Result<Changes, Error> {
        let key = id.clone();
        let mirror::Changes { rows, token, truncated } =
            self.mirror().run(move |mirror| mirror.changes(&key, since, limit)).await?;
        let (mut changed, mut removed) = (Vec::new(), Vec::new());
        for row in rows {
            match row {
                Change::Written(head) => changed.push(head),
                Change::Gone(name) => removed.push(name),
            }
        }
        Ok(Changes { changed, removed, token, truncated })
    }

    /// Busy time of a calendar as one VFREEBUSY object. RFC 4791 7.10
    pub async fn free_busy(
        &self,
        id: &CollectionId,
        range: TimeRange,
        zone: Option<Zone>,
    ) -> Result<Bytes, Error> {
        let collection = self.fresh_folder(id).await?.collection;
        let zone = self.floating_zone(zone, &collection);
        let key = id.clone();
        let now = Timestamp::now();
        let text = self
            .mirror()
            .run(move |mirror| {
                let candidates = mirror.taking_place(&key, range.start, range.end, |_| true)?;
                let mut failed = None;
                // One at a time: all of them together may take more memory than there is.
                let trees = candidates.iter().map_while(|name| {
                    let object = mirror.get(&key, name).map_err(|error| failed = Some(error)).ok()?;
                    Some(object.and_then(|object| Component::parse(&object.body).ok()))
                });
                let text = query::free_busy(trees.flatten(), &range, &zone, now).write();
                failed.map_or(Ok(text), Err)
            })
            .await?;
        Ok(text.into())
    }

    /// The whole collection as one text.
    pub async fn export(&self, id: &CollectionId, version: CardVersion) -> Result<Export, Error> {
        let folder = self.fresh_folder(id).await?;
        let collection = folder.collection;
        let key = id.clone();
        self.mirror()
            .run(move |mirror| {
                let all = mirror.list(&key)?;
                let mut tag = Sha256::new();
                tag.update(format!("{version:?} {} {:?}", collection.display_name, collection.color));
                for listed in &all {
                    tag.update(listed.head.name.as_str());
                    tag.update(&listed.head.etag.0);
                }
                let etag: String =
                    tag.finalize().iter().take(16).map(|octet| format!("{octet:02x}")).collect();
                let last_modified = all.iter().map(|l| l.head.last_modified).max().unwrap_or_default();
                let names: Vec<ResourceName> = all.into_iter().map(|l| l.head.name).collect();
                let mut failed = None;
                // One at a time, so that the text alone is in memory as a whole.
                let objects = names
                    .iter()
                    .map_while(|name| mirror.get(&key, name).map_err(|error| failed = Some(error)).ok());
                let objects = objects.flatten();
                let body = match collection.kind {
                    CollectionKind::AddressBook => {
                        let mut text = Vec::new();
                        for object in objects {
                            let card =
                                object.vcard4.filter(|_| version == CardVersion::V4).unwrap_or(object.body);
                            text.extend_from_slice(&card);
                        }
                        Bytes::from(text)
                    }
                    CollectionKind::Calendar | CollectionKind::Tasks => {
                        one_calendar(&collection.display_name, collection.color.as_deref(), objects)
                    }
                };
                failed.map_or(Ok(Export { etag: ETag(etag), last_modified, body }), Err)
            })
            .await
            .map_err(Error::from)
    }

    /// An attachment of a member.
    pub async fn attachment(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        managed_id: &str,
    ) -> Result<Option<Attachment>, Error> {
        self.fresh_folder(id).await?;
        let (key, member, managed) = (id.clone(), name.clone(), managed_id.to_owned());
        let found = self.mirror().run(move |mirror| mirror.attachment(&key, &member, &managed)).await?;
        Ok(found.map(|found| Attachment {
            name: found.name,
            media_type: found.media_type,
            size: found.size,
            upstream: found.upstream,
        }))
    }

    /// The content of an attachment.
    pub async fn attached(&self, attachment: &Attachment) -> Result<Bytes, Error> {
        let session = self.follower().session();
        let content = self.in_time(session.attachments(&[&attachment.upstream])).await?.pop();
        Ok(content.ok_or(Error::NotFound)?.map_err(Error::from)?.into())
    }

    /// The zone of days and floating times: that of the request, of the calendar, of the mailbox. RFC 4791 9.8, 5.2.2
    pub(super) fn floating_zone(&self, asked: Option<Zone>, collection: &Collection) -> Zone {
        let own = || collection.timezone.as_deref().and_then(query::zone_of_text);
        asked.or_else(own).or_else(|| Zone::iana(self.zone())).unwrap_or(Zone::Utc)
    }
}

/// The body in the shape that was asked for.
pub(super) fn select(object: Object, wanted: &Shape, zone: &Zone) -> Result<Selected, Error> {
    let Object { head, body, vcard4 } = object;
    let source = match wanted {
        Shape::Nothing => return Ok(Selected { head, body: None, is_too_much: false }),
        Shape::Whole => return Ok(Selected { head, body: Some(body), is_too_much: false }),
        Shape::Card(data) => vcard4.filter(|_| data.version == CardVersion::V4).unwrap_or(body),
        Shape::Calendar(_) => body,
    };
    if let Shape::Card(data) = wanted
        && data.props.is_none()
    {
        return Ok(Selected { head, body: Some(source), is_too_much: false });
    }
    let tree = Component::parse(&source).map_err(|e| Error::Internal(e.to_string(), Some(Box::new(e))))?;
    Ok(match query::shape(wanted, &tree, zone) {
        Ok(body) => {
            let body = body.map(|shaped| shaped.write().into());
            Selected { head, body, is_too_much: false }
        }
        Err(query::TooMuch) => Selected { head, body: None, is_too_much: true },
    })
}

pub(super) fn evaluate(
    object: Object,
    filter: &Filter,
    wanted: &Shape,
    zone: &Zone,
) -> Option<Result<Selected, Error>> {
    let tree = query::read(filter, &object.body).ok()?;
    query::matches(filter, &tree, zone).then(|| select(object, wanted, zone))
}

/// All objects in one VCALENDAR, each zone once.
fn one_calendar(name: &str, color: Option<&str>, objects: impl Iterator<Item = Object>) -> Bytes {
    let mut text = String::from("BEGIN:VCALENDAR\r\n");
    let mut head = Component::new("VCALENDAR");
    head.push(Line::raw("VERSION", "2.0"));
    head.push(Line::raw("PRODID", concat!("-//exdav//exdav ", env!("CARGO_PKG_VERSION"), "//EN")));
    head.push(Line::text("X-WR-CALNAME", name));
    if let Some(color) = color {
        head.push(Line::raw("X-APPLE-CALENDAR-COLOR", color));
    }
    head.push(Line::raw("REFRESH-INTERVAL", "PT15M").with("VALUE", "DURATION"));
    head.push(Line::raw("X-PUBLISHED-TTL", "PT15M"));
    let lines = head.write();
    text.push_str(lines.trim_start_matches("BEGIN:VCALENDAR\r\n").trim_end_matches("END:VCALENDAR\r\n"));
    let mut zones: HashSet<String> = HashSet::new();
    let mut events = String::new();
    for object in objects {
        let Ok(tree) = Component::parse(&object.body) else { continue };
        for child in &tree.children {
            if child.name == "VTIMEZONE" {
                if zones.insert(child.value("TZID").unwrap_or_default().to_owned()) {
                    child.write_to(&mut text);
                }
            } else {
                child.write_to(&mut events);
            }
        }
    }
    text.push_str(&events);
    text.push_str("END:VCALENDAR\r\n");
    text.into()
}
