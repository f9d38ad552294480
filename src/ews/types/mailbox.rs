//! People, lists and rooms: whom an item names.

use crate::xml::Element;

/// A person, list or room. MS-OXWSCDATA 2.2.4.31
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// For people.
    pub name: String,
    /// SMTP address, or an X.500 name when `routing` is `EX`.
    pub address: String,
    /// `SMTP`, `EX` …
    pub routing: String,
    /// `Mailbox`, `PublicDL`, `PrivateDL`, `GroupMailbox`, `Contact`, `OneOff` …
    pub kind: String,
    /// The contact that is meant, if one is.
    pub item: Option<String>,
}

impl Mailbox {
    pub(super) fn read(element: &Element) -> Option<Self> {
        let text = |local| element.find(local).map(|e| e.text().trim().to_owned()).unwrap_or_default();
        let mailbox = Self {
            name: text("Name"),
            address: text("EmailAddress"),
            routing: text("RoutingType"),
            kind: text("MailboxType"),
            item: element.find("ItemId").and_then(|id| Some(id.attribute("Id")?.to_owned())),
        };
        (!mailbox.name.is_empty() || !mailbox.address.is_empty() || mailbox.item.is_some()).then_some(mailbox)
    }
}

/// A member of a distribution list. MS-OXWSDLIST 2.2.4.2
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Exchange's own name of the member; `None` for a new one.
    pub key: Option<String>,
    /// Who.
    pub mailbox: Mailbox,
}

/// An invited person. MS-OXWSMTGS 2.2.4.6
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attendee {
    /// Who.
    pub mailbox: Mailbox,
    /// `Accept`, `Tentative`, `Decline`, `NoResponseReceived`, `Unknown`, `Organizer`.
    pub response: String,
}

impl Attendee {
    pub(super) fn read(element: &Element) -> Option<Self> {
        let mailbox = Mailbox::read(element.find("Mailbox")?)?;
        let response = element.find("ResponseType").map(|e| e.text().trim().to_owned()).unwrap_or_default();
        Some(Self { mailbox, response })
    }
}
