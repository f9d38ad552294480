//! Objects that several items make: single occurrences of one series, to each of which its owner is invited by itself.
//!
//! They have one UID, so clients need them as one object with several overrides and no master. RFC 4791 4.1, RFC 6638 3.2.
//! Each item lies in a table of its own as it would be served alone; the member that clients see is made of these
//! whenever one of them changes, and all their items have its name.

use super::entry::{Entry, Part};
use super::members::Members;
use super::store::{Error, Mirror};
use super::tables::{Folder, HEADS, PARTS, damaged};
use crate::model::id::{CollectionId, ETag, ResourceName, ScheduleTag, UpstreamId, UpstreamVersion};
use crate::model::object::Span;
use crate::text::{Component, Line};
use jiff::Timestamp;
use redb::ReadableTable as _;
use sha2::{Digest as _, Sha256};

impl Members<'_> {
    /// The part that an item is, as it would be alone.
    pub(super) fn part(&self, item: &UpstreamId) -> Result<Option<Entry>, Error> {
        let row = self.parts.get((self.id(), item.0.as_str()))?;
        row.map(|row| {
            let (head, body) = row.value();
            Entry::unpack(head, body).ok_or_else(damaged)
        })
        .transpose()
    }

    /// Enters a part, or its new version; gives the name of its object.
    pub(super) fn put_part(&mut self, folder: &mut Folder, part: &Entry) -> Result<ResourceName, Error> {
        let (head, body) = (part.pack_head(), part.pack_body());
        let key = (self.id().to_owned(), part.upstream.0.as_str());
        self.parts.insert((key.0.as_str(), key.1), (head.as_slice(), body.as_slice()))?;
        let mut items = match self.made_of_parts(&part.uid)? {
            Some((_, object)) => object.parts.into_iter().map(|part| part.item).collect(),
            None => Vec::new(),
        };
        if !items.contains(&part.upstream) {
            items.push(part.upstream.clone());
        }
        self.combine(folder, &part.uid, items)?.ok_or_else(damaged)
    }

    /// Takes a part out of its object, which goes with its last one.
    pub(super) fn remove_part(&mut self, folder: &mut Folder, part: &Entry) -> Result<(), Error> {
        let key = (self.id().to_owned(), part.upstream.0.as_str());
        self.parts.remove((key.0.as_str(), key.1))?;
        self.forget_name(&part.upstream)?;
        self.combine_again(folder, &part.uid)
    }

    /// Makes an object anew of those of its parts that are there.
    pub(super) fn combine_again(&mut self, folder: &mut Folder, uid: &str) -> Result<(), Error> {
        if let Some((_, object)) = self.made_of_parts(uid)? {
            let items = object.parts.into_iter().map(|part| part.item).collect();
            self.combine(folder, uid, items)?;
        }
        Ok(())
    }

    fn combine(
        &mut self,
        folder: &mut Folder,
        uid: &str,
        items: Vec<UpstreamId>,
    ) -> Result<Option<ResourceName>, Error> {
        let mut parts = Vec::new();
        for item in items {
            parts.extend(self.part(&item)?);
        }
        let before = self.made_of_parts(uid)?;
        let leads = before.as_ref().map(|(_, object)| &object.upstream);
        let Some(object) = combined(parts, leads) else {
            if let Some((name, _)) = before {
                self.remove_name(folder, &name)?;
                self.give_back(folder, &name)?;
            }
            return Ok(None);
        };
        let name = self.put_member(folder, &object)?;
        for part in &object.parts {
            self.set_name(&part.item, name.as_str())?;
        }
        Ok(Some(name))
    }
}

/// The object that parts make; `None` where there are none. The part that has given the object its names, `leads`, goes on
/// giving them. What clients see of it does not depend on that one.
fn combined(mut parts: Vec<Entry>, leads: Option<&UpstreamId>) -> Option<Entry> {
    let original = |part: &Entry| part.parts.first().map(|part| part.original).unwrap_or_default();
    parts.sort_by_cached_key(|part| (original(part), part.upstream.0.clone()));
    if parts.len() < 2 {
        return parts.pop();
    }
    let first = parts.iter().find(|part| Some(&part.upstream) == leads).or(parts.first())?.clone();
    let hash = |texts: &mut dyn Iterator<Item = &str>| {
        let mut hash = Sha256::new();
        for text in texts {
            hash.update(text);
            hash.update([0x1f]);
        }
        hash.finalize().iter().take(16).map(|octet| format!("{octet:02x}")).collect::<String>()
    };
    let tags = || parts.iter().filter_map(|part| part.schedule_tag.as_ref()).map(|tag| tag.0.as_str());
    let open = |at: fn(&Span) -> Option<Timestamp>| {
        parts.iter().map(|part| at(&part.span)).collect::<Option<Vec<Timestamp>>>()
    };
    let span = Span {
        first: open(|span| span.first).and_then(|all| all.into_iter().min()),
        last: open(|span| span.last).and_then(|all| all.into_iter().max()),
    };
    Some(Entry {
        version: UpstreamVersion(hash(&mut parts.iter().map(|part| part.version.0.as_str()))),
        etag: ETag(hash(&mut parts.iter().map(|part| part.etag.0.as_str()))),
        schedule_tag: tags().next().is_some().then(|| ScheduleTag(hash(&mut tags()))),
        span,
        last_modified: parts.iter().map(|part| part.last_modified).max().unwrap_or_default(),
        attachments: parts.iter().flat_map(|part| part.attachments.clone()).collect(),
        body: body(&parts).into(),
        parts: parts.iter().flat_map(|part| part.parts.clone()).collect(),
        vcard4: None,
        source: None,
        ..first
    })
}

/// One calendar with the events of all, and each of their zones once.
fn body(parts: &[Entry]) -> String {
    let mut calendar = Component::new("VCALENDAR");
    let (mut zones, mut events): (Vec<Component>, Vec<Component>) = (Vec::new(), Vec::new());
    for part in parts {
        let Ok(mut own) = Component::parse(&part.body) else { continue };
        if calendar.lines.is_empty() {
            calendar.lines.append(&mut own.lines);
        }
        for child in own.children {
            if child.name != "VTIMEZONE" {
                events.push(child);
            } else if zones.iter().all(|zone| tzid(zone) != tzid(&child)) {
                zones.push(child);
            }
        }
    }
    calendar.children = zones;
    calendar.children.append(&mut events);
    calendar.write()
}

fn tzid(zone: &Component) -> Option<String> {
    zone.line("TZID").map(Line::unescaped)
}

impl Mirror {
    /// What is behind a member that single occurrences make, item by item in the order of their times; empty for all others.
    pub fn parts(&self, id: &CollectionId, name: &ResourceName) -> Result<Vec<Entry>, Error> {
        let read = self.begin_read()?;
        let heads = read.open_table(HEADS)?;
        let Some(head) = heads.get((id.as_str(), name.as_str()))? else { return Ok(Vec::new()) };
        let object = Entry::unpack_head(head.value()).ok_or_else(damaged)?;
        let table = read.open_table(PARTS)?;
        let mut parts = Vec::new();
        for Part { item, .. } in object.parts {
            if let Some(row) = table.get((id.as_str(), item.0.as_str()))? {
                let (head, body) = row.value();
                parts.push(Entry::unpack(head, body).ok_or_else(damaged)?);
            }
        }
        Ok(parts)
    }
}
