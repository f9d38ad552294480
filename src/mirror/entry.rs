//! One member as it lies in the store.

use crate::model::id::{ETag, ResourceName, ScheduleTag, UpstreamId, UpstreamVersion};
use crate::model::object::{Head, Span};
use bytes::Bytes;
use jiff::Timestamp;

/// A rendered item with all that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The item behind it.
    pub upstream: UpstreamId,
    /// Its version.
    pub version: UpstreamVersion,
    /// The name that it should have.
    pub name: ResourceName,
    /// The name that it gets when the other one is taken.
    pub fallback_name: ResourceName,
    /// UID of the object.
    pub uid: String,
    /// Strong tag.
    pub etag: ETag,
    /// For scheduling objects.
    pub schedule_tag: Option<ScheduleTag>,
    /// When it takes place.
    pub span: Span,
    /// When the upstream last changed it.
    pub last_modified: Timestamp,
    /// What hangs on it.
    pub attachments: Vec<Attachment>,
    /// The text.
    pub body: Bytes,
    /// The same contact as vCard 4.0.
    pub vcard4: Option<Bytes>,
    /// What the upstream told of it, in a form that is the owner's; `None` where that is not worth keeping.
    pub source: Option<Bytes>,
    /// The items of an object that single occurrences of one series make; empty for all other objects.
    pub parts: Vec<Part>,
}

/// A single occurrence of a series that is an item by itself: its owner is invited to it and not to the series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The item.
    pub item: UpstreamId,
    /// When the series would have the occurrence.
    pub original: Timestamp,
}

/// An attachment of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// As it stands in URLs.
    pub managed_id: String,
    /// The upstream's id.
    pub upstream: String,
    /// File name.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// Octets, about.
    pub size: u64,
}

/// Fields one after the other, each with its length before it.
#[derive(Default)]
pub(super) struct Packer(pub(super) Vec<u8>);

impl Packer {
    pub(super) fn bytes(&mut self, octets: &[u8]) -> &mut Self {
        let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(octets.get(..length as usize).unwrap_or(octets));
        self
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    pub(super) fn optional(&mut self, text: Option<&str>) -> &mut Self {
        self.0.push(u8::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
        self
    }

    pub(super) fn number(&mut self, number: i64) -> &mut Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    pub(super) fn instant(&mut self, at: Option<Timestamp>) -> &mut Self {
        self.0.push(u8::from(at.is_some()));
        self.number(at.map_or(0, Timestamp::as_second))
    }
}

/// The way back. `None` for what no [`Packer`] wrote.
pub(super) struct Unpacker<'a>(pub(super) &'a [u8]);

impl<'a> Unpacker<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_le_bytes(self.take(4)?.try_into().ok()?);
        self.take(usize::try_from(length).ok()?)
    }

    fn copy(&mut self) -> Option<Bytes> {
        self.bytes().map(Bytes::copy_from_slice)
    }

    fn optional_copy(&mut self) -> Option<Option<Bytes>> {
        if self.flag()? { self.copy().map(Some) } else { Some(None) }
    }

    pub(super) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        Some(self.take(1)? == [1])
    }

    pub(super) fn optional(&mut self) -> Option<Option<String>> {
        if self.flag()? { Some(Some(self.text()?)) } else { Some(None) }
    }

    pub(super) fn number(&mut self) -> Option<i64> {
        Some(i64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    pub(super) fn instant(&mut self) -> Option<Option<Timestamp>> {
        let known = self.flag()?;
        let at = Timestamp::from_second(self.number()?).ok()?;
        Some(known.then_some(at))
    }
}

impl Entry {
    /// Everything but the bodies.
    pub(super) fn pack_head(&self) -> Vec<u8> {
        let mut packer = Packer::default();
        packer
            .text(&self.etag.0)
            .optional(self.schedule_tag.as_ref().map(|tag| tag.0.as_str()))
            .instant(Some(self.last_modified))
            .number(i64::try_from(self.body.len()).unwrap_or(i64::MAX))
            .instant(self.span.first)
            .instant(self.span.last)
            .text(&self.uid)
            .text(&self.upstream.0)
            .text(&self.version.0)
            .text(self.name.as_str())
            .text(self.fallback_name.as_str())
            .number(i64::try_from(self.attachments.len()).unwrap_or(0));
        for attachment in &self.attachments {
            packer
                .text(&attachment.managed_id)
                .text(&attachment.upstream)
                .text(&attachment.name)
                .text(&attachment.media_type)
                .number(i64::try_from(attachment.size).unwrap_or(i64::MAX));
        }
        // Rows of other objects end before, as those of earlier versions do.
        if !self.parts.is_empty() {
            packer.number(i64::try_from(self.parts.len()).unwrap_or(0));
        }
        for part in &self.parts {
            packer.text(&part.item.0).instant(Some(part.original));
        }
        packer.0
    }

    /// The bodies.
    pub(super) fn pack_body(&self) -> Vec<u8> {
        let mut packer = Packer::default();
        packer.bytes(&self.body);
        for more in [&self.vcard4, &self.source] {
            packer.0.push(u8::from(more.is_some()));
            if let Some(more) = more {
                packer.bytes(more);
            }
        }
        packer.0
    }

    /// Whether it is one item that may be an object together with others.
    pub fn is_part(&self) -> bool {
        matches!(self.parts.as_slice(), [only] if only.item == self.upstream)
    }

    /// As clients see it, under the name that it got.
    pub fn head(&self, name: ResourceName) -> Head {
        Head {
            name,
            etag: self.etag.clone(),
            schedule_tag: self.schedule_tag.clone(),
            last_modified: self.last_modified,
            size: self.body.len() as u64,
        }
    }

    /// The way back, without the bodies.
    pub(super) fn unpack_head(head: &[u8]) -> Option<Self> {
        const NO_BODY: [u8; 6] = [0; 6];
        Self::unpack(head, &NO_BODY)
    }

    /// The way back.
    pub(super) fn unpack(head: &[u8], body: &[u8]) -> Option<Self> {
        let mut h = Unpacker(head);
        let etag = ETag(h.text()?);
        let schedule_tag = h.optional()?.map(ScheduleTag);
        let last_modified = h.instant()?.unwrap_or_default();
        h.number()?;
        let span = Span { first: h.instant()?, last: h.instant()? };
        let uid = h.text()?;
        let upstream = UpstreamId(h.text()?);
        let version = UpstreamVersion(h.text()?);
        let name = h.text()?.parse().ok()?;
        let fallback_name = h.text()?.parse().ok()?;
        let count = h.number()?;
        let mut attachments = Vec::new();
        for _ in 0..count {
            attachments.push(Attachment {
                managed_id: h.text()?,
                upstream: h.text()?,
                name: h.text()?,
                media_type: h.text()?,
                size: u64::try_from(h.number()?).ok()?,
            });
        }
        let count = if h.0.is_empty() { 0 } else { h.number()? };
        let mut parts = Vec::new();
        for _ in 0..count {
            parts.push(Part { item: UpstreamId(h.text()?), original: h.instant()?? });
        }
        let (body, vcard4, source) = unpack_bodies(body)?;
        Some(Self {
            upstream,
            version,
            name,
            fallback_name,
            uid,
            etag,
            schedule_tag,
            span,
            last_modified,
            attachments,
            body,
            vcard4,
            source,
            parts,
        })
    }
}

/// What clients read.
pub(super) fn unpack_body(packed: &[u8]) -> Option<(Bytes, Option<Bytes>)> {
    let mut b = Unpacker(packed);
    Some((b.copy()?, b.optional_copy()?))
}

fn unpack_bodies(packed: &[u8]) -> Option<(Bytes, Option<Bytes>, Option<Bytes>)> {
    let mut b = Unpacker(packed);
    Some((b.copy()?, b.optional_copy()?, b.optional_copy()?))
}
