//! People, lists and rooms: whom an item names.

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
