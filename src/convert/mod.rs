//! Translation between Exchange's items and what clients read and write. Pure.
//!
//! [`render`] turns an item (a series with its exceptions) into the octets that clients get. Where a client's own
//! text is kept on the item and still says what the item says, these octets are the client's.
//!
//! **Invariant:** nothing here waits, logs or reads the clock: the same item gives the same octets everywhere.
//! **Invariant:** what a rendering shows depends on the item, its exceptions and [`Context`] alone, and two
//! gateways with the same settings give the same ETag.

mod alarm;
mod attachment;
mod body;
mod card;
mod companions;
mod contact;
mod event;
pub mod field_support_docs;
mod group;
mod identity;
mod kept;
mod person;
mod phonetic_name;
mod privacy;
mod recurrence;
mod sought;
mod task;
mod version;
mod vtimezone;
pub mod write;
mod zone;

pub use attachment::{AttachmentEdit, managed_id, with_attachments};
pub use event::{exception_named, single_occurrence};
pub use person::{address_of, render as person};
pub use privacy::Privacy;
pub use sought::sought;

use crate::model::capabilities::Capabilities;
use crate::model::id::{ETag, ResourceName, ScheduleTag};
use crate::model::item::{AttachmentKind, Change, Field, Item, ItemClass, Mailbox};
use crate::model::object::Span;
use crate::model::zone::Zone;
use crate::text::{Component, Line, address};
use bytes::Bytes;
use jiff::Timestamp;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Part of every ETag: raised whenever the same item would be rendered differently.
pub const RENDERING_VERSION: u32 = 3;
/// Raised whenever some items would be rendered differently: mirrors render all of them anew. The ETags of these alone
/// change, since they carry the latest revision that changed them.
pub const RENDERING_REVISION: u32 = 2;

/// Who made the text.
const PRODID: &str = concat!("-//exdav//exdav ", env!("CARGO_PKG_VERSION"), "//EN");

/// How items are rendered. Part of every ETag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Settings {
    /// How a body with mark-up is handed out beside its text.
    pub html: HtmlForm,
    /// Attachments of up to so many octets are part of the text; larger ones are links. 0: all are links.
    pub inline_attachments: u64,
}

/// The property that carries HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum HtmlForm {
    /// `X-ALT-DESC;FMTTYPE=text/html`: Outlook, Evolution and most others.
    #[default]
    XAltDesc,
    /// `ALTREP="data:text/html,…"` on DESCRIPTION: Thunderbird.
    Altrep,
    /// `STYLED-DESCRIPTION`. RFC 9073 6.5
    StyledDescription,
    /// Text only.
    None,
}

/// Makes the URL of an attachment from the resource's name and the attachment's MANAGED-ID.
pub type AttachmentUrl = Arc<dyn Fn(&ResourceName, &str) -> String + Send + Sync>;

/// Whose item it is, and what its mailbox knows. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// All SMTP addresses of the mailbox owner, the primary one first.
    pub addresses: Arc<[String]>,
    /// IANA name of the mailbox owner's zone.
    pub zone: Arc<str>,
    /// Where attachments are served; `None`: they are left out.
    pub attachment_url: Option<AttachmentUrl>,
    /// SMTP addresses by X.500 name or display name, as the directory resolved them. See [`names_to_resolve`].
    pub directory: Arc<HashMap<String, String>>,
    /// Members that a group names, by UID or `mailto:` URI in lower case: those whom the mailbox knows.
    pub people: Arc<HashMap<String, Mailbox>>,
    /// Contents of attachments that are part of the text, by Exchange's id of them.
    pub contents: Arc<HashMap<String, Bytes>>,
    /// Whether private items are shown with their details.
    pub privacy: Privacy,
    /// Attachments of other objects that a client's text names, by MANAGED-ID. See [`write::needed`].
    pub elsewhere: Arc<HashMap<String, write::Attached>>,
    /// When a write is planned: what is over by then is not judged. Reading does not look at it.
    pub now: Timestamp,
    /// What the server keeps of what Exchange does.
    pub capabilities: Capabilities,
    /// How to render.
    pub settings: Settings,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Context {
    /// The context of a mailbox owner in UTC, who knows nobody.
    pub fn of(address: &str) -> Self {
        Self {
            addresses: Arc::from([address.to_owned()]),
            zone: Arc::from("UTC"),
            attachment_url: None,
            directory: Arc::default(),
            people: Arc::default(),
            contents: Arc::default(),
            privacy: Privacy::Shown,
            elsewhere: Arc::default(),
            now: Timestamp::UNIX_EPOCH,
            capabilities: Capabilities::ALL,
            settings: Settings::default(),
        }
    }

    /// Whether this is one of the owner's addresses.
    pub fn is_owner(&self, address: &str) -> bool {
        self.addresses.iter().any(|own| address::same(own, address))
    }
}

/// What an item has become.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    /// `text/calendar`, or `text/vcard` in version 3.0.
    pub body: Bytes,
    /// The same contact in vCard 4.0; `None` for calendar objects.
    pub vcard4: Option<Bytes>,
    /// UID of the object.
    pub uid: String,
    /// The name that it should have in its collection; another item may have taken it.
    pub name: ResourceName,
    /// A name that only this item can have.
    pub fallback_name: ResourceName,
    /// Strong tag of the body; the same wherever the same item is rendered.
    pub etag: ETag,
    /// For meetings: changes only when what concerns the others does. RFC 6638 3.2.10
    pub schedule_tag: Option<ScheduleTag>,
    /// When it takes place; open on both sides for contacts.
    pub span: Span,
    /// When it was last changed; the epoch when Exchange does not tell.
    pub last_modified: Timestamp,
    /// What can be fetched by its MANAGED-ID.
    pub attachments: Vec<Attachment>,
    /// For a single occurrence to which the owner is invited without its series: when the series would have it.
    pub occurrence: Option<Timestamp>,
}

/// An attachment that a rendering links to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// MANAGED-ID: stable, URL-safe, short. RFC 8607 4.2
    pub managed_id: String,
    /// Exchange's own id of it.
    pub upstream: String,
    /// File name for people.
    pub name: String,
    /// Media type.
    pub media_type: String,
    /// Octets, about.
    pub size: u64,
}

/// Why an item cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It lacks what every object must have.
    #[error("the item has no {0}")]
    Missing(&'static str),
    /// It is private, and not the reader's.
    #[error("the item is private")]
    Private,
}

/// What belongs to an item, but is fetched by itself.
#[derive(Clone, Debug, Default)]
pub struct Related {
    /// The modified occurrences of a series, in any order.
    pub exceptions: Vec<Item>,
    /// The octets of a contact's photo. See [`photo`].
    pub photo: Option<Bytes>,
    /// UIDs of the contacts and lists that are members of a list, by their item id.
    pub uids: Arc<HashMap<String, String>>,
}

/// Exchange's id of the attachment that is a contact's photo.
pub fn photo(item: &Item) -> Option<String> {
    contact::photo(item)
}

/// The attachments that the settings want to be part of the text: Exchange's ids and about how many octets each has. See
/// [`Context::contents`].
pub fn inline_attachments(settings: &Settings, item: &Item) -> Vec<(String, u64)> {
    let limit = settings.inline_attachments;
    let wanted = item.attachments().into_iter().filter(|found| {
        attachment::is_shown(found) && found.kind == AttachmentKind::File && found.size <= limit && limit > 0
    });
    wanted.map(|found| (found.id, found.size)).collect()
}

/// A VCALENDAR with the rules of a zone; `None` for UTC and for unknown names. RFC 4791 5.2.2
pub fn zone_text(name: &str) -> Option<String> {
    let mut calendar = Component::new("VCALENDAR");
    calendar.push(Line::raw("VERSION", "2.0"));
    calendar.push(Line::raw("PRODID", concat!("-//exdav//exdav ", env!("CARGO_PKG_VERSION"), "//EN")));
    calendar.children.push(vtimezone::vtimezone(&Zone::iana(name)?, 2010)?);
    Some(calendar.write())
}

/// Renders an item.
///
/// Fails only when the item lacks what no object can be without: such an item is no member of its collection.
pub fn render(context: &Context, item: &Item, related: &Related) -> Result<Rendered, Error> {
    match privacy::seen(context, item) {
        privacy::Seen::Nothing => Err(Error::Private),
        privacy::Seen::Part(part) => {
            // The series is private, so each of its occurrences is.
            let exceptions: Vec<Item> = related.exceptions.iter().map(privacy::part).collect();
            event::render(context, &part, &exceptions)
        }
        privacy::Seen::Whole => render_whole(context, item, related),
    }
}

fn render_whole(context: &Context, item: &Item, related: &Related) -> Result<Rendered, Error> {
    match item.class {
        ItemClass::CalendarItem if related.exceptions.iter().any(|exception| context.hides(exception)) => {
            let part = |e: &Item| if context.hides(e) { privacy::part(e) } else { e.clone() };
            let exceptions: Vec<Item> = related.exceptions.iter().map(part).collect();
            event::render(context, item, &exceptions)
        }
        ItemClass::CalendarItem => event::render(context, item, &related.exceptions),
        ItemClass::Task => task::render(context, item),
        ItemClass::Contact => Ok(contact::render(context, item, related.photo.as_deref())),
        ItemClass::DistributionList => Ok(group::render(context, item, &related.uids)),
    }
}

/// Renders an item that is a copy of another one: it has a UID and a name of its own, whatever was copied with it.
pub fn render_copy(context: &Context, item: &Item, related: &Related) -> Result<Rendered, Error> {
    let names = [
        Field::ClientUid,
        Field::ClientName,
        Field::Kept,
        Field::IntegrationUid,
        Field::DavmailUid,
        Field::DavmailName,
    ];
    let mut without: Vec<Change> = names.into_iter().map(Change::remove).collect();
    // An event has a UID of Exchange's besides, which is copied, too.
    if let Some(uid) = item.filled(Field::Uid).filter(|_| item.class == ItemClass::CalendarItem) {
        without.push(Change::text(Field::Uid, format!("{uid}-{}", identity::hash(&item.id.id, 16))));
    }
    let bare = Item::predicted(item.class, Some(item), item.id.clone(), &without);
    let rendered = render(context, &bare, related)?;
    // The same version of the same item with another text.
    let etag = ETag(identity::hash(format!("copy {}", rendered.etag.0), 32));
    Ok(Rendered { etag, occurrence: None, ..rendered })
}

/// Names on an item that only the directory can turn into SMTP addresses: X.500 names of participants and
/// members, names of those who assigned a task.
pub fn names_to_resolve(item: &Item) -> Vec<String> {
    let lists = [Field::Required, Field::Optional, Field::Resources];
    let people = lists.into_iter().flat_map(|list| item.attendees(list)).map(|attendee| attendee.mailbox);
    let mut names: Vec<String> = people
        .chain(item.organizer())
        .chain(item.members())
        .filter(|mailbox| mailbox.routing == "EX" || mailbox.address.starts_with('/'))
        .map(|mailbox| mailbox.address)
        .collect();
    if matches!(item.filled(Field::DelegationState).as_deref(), Some("Owned" | "Accepted")) {
        names.extend([Field::Delegator, Field::Owner].into_iter().filter_map(|name| item.filled(name)));
    }
    names.extend(contact::x500_addresses(item));
    names.sort_unstable();
    names.dedup();
    names
}
