//! All mailboxes of the server, and how a caller's ids lead to what is in them.

use jiff::Timestamp;

use super::calendar::series;
use super::directory::Person;
use super::element::Element;
use super::field::Field;
use super::ids::{self, Named};
use super::item::{FolderKey, Item, ItemKey};
use super::mailbox::Mailbox;
use super::permissions;
use super::subscriptions::Subscriptions;

/// Why one part of a request is refused; the others go on.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// ResponseCode.
    pub code: &'static str,
    /// MessageText.
    pub text: String,
    /// The property that it is about.
    pub field: Option<&'static str>,
    /// `Name` and text of `t:Value` elements in MessageXml.
    pub values: Vec<(&'static str, String)>,
}

impl Refusal {
    /// A refusal in Exchange's words.
    pub fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), field: None, values: Vec::new() }
    }

    /// A refusal that names a property.
    pub fn property(code: &'static str, field: Field) -> Self {
        let text = match code {
            "ErrorInvalidPropertySet" => "Set action is invalid for property.",
            "ErrorInvalidPropertyDelete" => "Delete action is not supported for this property.",
            "ErrorInvalidValueForProperty" => "The specified value is invalid for property.",
            _ => "The request is not valid for this property.",
        };
        Self { field: Some(field.row().uri), ..Self::new(code, text) }
    }

    /// The item is not there, or nobody may know.
    pub fn not_found() -> Self {
        Self::new("ErrorItemNotFound", "The specified object was not found in the store.")
    }

    /// The folder is not there.
    pub fn no_folder() -> Self {
        Self::new("ErrorFolderNotFound", "The specified folder could not be found in the store.")
    }

    fn malformed() -> Self {
        Self::new("ErrorInvalidIdMalformed", "Id is malformed.")
    }
}

/// The server's mailboxes.
#[derive(Debug, Default)]
pub struct World {
    /// In the order in which they were made.
    pub mailboxes: Vec<Mailbox>,
    /// Colleagues who are in the directory only.
    pub colleagues: Vec<Person>,
    /// Who is told what happens.
    pub subscriptions: Subscriptions,
}

/// An item or one occurrence of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The item, or the series.
    pub key: ItemKey,
    /// Original start of the occurrence.
    pub occurrence: Option<Timestamp>,
}

impl World {
    /// Everybody in the directory: owners of mailboxes first.
    pub fn people(&self) -> impl Iterator<Item = Person> {
        let owners = self.mailboxes.iter().map(|mailbox| {
            let (given, surname) =
                mailbox.display_name.split_once(' ').unwrap_or((&mailbox.display_name, ""));
            Person {
                address: mailbox.address.clone(),
                display_name: mailbox.display_name.clone(),
                given: given.to_owned(),
                surname: surname.to_owned(),
                ..Person::default()
            }
        });
        owners.chain(self.colleagues.iter().cloned())
    }

    /// Somebody by the address.
    pub fn person(&self, address: &str) -> Option<Person> {
        self.people().find(|person| person.address.eq_ignore_ascii_case(address.trim()))
    }

    /// The mailbox of an address.
    pub fn mailbox(&self, address: &str) -> Option<&Mailbox> {
        self.mailboxes.iter().find(|m| m.is_at(address))
    }

    /// The mailbox of an address, to be changed.
    pub fn mailbox_mut(&mut self, address: &str) -> Option<&mut Mailbox> {
        self.mailboxes.iter_mut().find(|m| m.is_at(address))
    }
}

/// The mailbox that a request is about: that of the first id or address in it, else the caller's own.
pub fn whose(world: &World, caller: usize, request: &Element) -> usize {
    const IDS: [&str; 5] = ["Id", "RecurringMasterId", "OccurrenceId", "AttachmentId", "RootItemId"];
    let address = request.child("Mailbox").filter(|_| request.name == "DistinguishedFolderId");
    let named = address
        .and_then(|mailbox| mailbox.child_text("EmailAddress"))
        .and_then(|address| world.mailboxes.iter().position(|m| m.is_at(address)));
    let meant = named.or_else(|| {
        let mut ids = IDS.iter().filter_map(|name| ids::decode(request.attribute(name)?));
        ids.find_map(|(guid, _)| world.mailboxes.iter().position(|m| m.guid == guid))
    });
    let below = || {
        let each = request.children.iter().map(|child| whose(world, caller, child));
        each.into_iter().find(|at| *at != caller)
    };
    meant.or_else(below).unwrap_or(caller)
}

/// The folder that a `FolderId` or `DistinguishedFolderId` means, to its owner or to a visitor.
pub fn folder(mailbox: &Mailbox, id: &Element) -> Result<FolderKey, Refusal> {
    if id.name == "DistinguishedFolderId" {
        if let Some(other) = id.at(&["Mailbox", "EmailAddress"])
            && !mailbox.is_at(&other.text)
        {
            let text = "The SMTP address has no mailbox associated with it.";
            return Err(Refusal::new("ErrorNonExistentMailbox", text));
        }
        let name = id.attribute("Id").unwrap_or_default();
        let key = mailbox.distinguished(name).ok_or_else(Refusal::no_folder)?;
        return permissions::visible(mailbox, key).map(|()| key);
    }
    match ids::decode(id.attribute("Id").unwrap_or_default()) {
        Some((guid, Named::Folder(key))) if guid == mailbox.guid && mailbox.folders.contains_key(&key) => {
            permissions::visible(mailbox, key).map(|()| key)
        }
        Some((_, Named::Folder(_))) => Err(Refusal::no_folder()),
        _ => Err(Refusal::malformed()),
    }
}

/// What an `ItemId`, `OccurrenceItemId` or `RecurringMasterItemId` means, to its owner or to a visitor.
pub fn target(mailbox: &Mailbox, id: &Element) -> Result<Target, Refusal> {
    let attribute = match id.name {
        "OccurrenceItemId" => "RecurringMasterId",
        "RecurringMasterItemId" => "OccurrenceId",
        _ => "Id",
    };
    let (guid, named) =
        ids::decode(id.attribute(attribute).unwrap_or_default()).ok_or_else(Refusal::malformed)?;
    if guid != mailbox.guid {
        return Err(Refusal::not_found());
    }
    let (key, occurrence) = match named {
        Named::Item(key) => (key, None),
        Named::Occurrence(key, start) => (key, Some(start)),
        Named::Folder(_) | Named::Attachment(..) => return Err(Refusal::malformed()),
    };
    let item = mailbox.item(key).ok_or_else(Refusal::not_found)?;
    permissions::readable(mailbox, item.folder)?;
    match id.name {
        "RecurringMasterItemId" => Ok(Target { key, occurrence: None }),
        "OccurrenceItemId" => Ok(Target { key, occurrence: Some(indexed(mailbox, item, id)?) }),
        _ => {
            if let Some(start) = occurrence {
                existing(item, start)?;
            }
            Ok(Target { key, occurrence })
        }
    }
}

fn indexed(mailbox: &Mailbox, item: &Item, id: &Element) -> Result<Timestamp, Refusal> {
    let index: usize = id.attribute("InstanceIndex").and_then(|t| t.parse().ok()).unwrap_or_default();
    if item.properties.get(super::field::RECURRENCE).is_none() {
        return Err(Refusal::new(
            "ErrorCalendarCannotUseIdForOccurrenceId",
            "The Id is not that of a recurring master.",
        ));
    }
    let traits = mailbox.product.traits();
    let found = index.checked_sub(1).and_then(|at| {
        if traits.counts_deleted {
            return series::nth(item, at);
        }
        series::each(item).filter(|occurrence| !occurrence.deleted).nth(at)
    });
    let found = found.ok_or_else(|| {
        if !traits.counts_deleted {
            return Refusal::new("ErrorItemCorrupt", "E-3303: failed to load item");
        }
        Refusal::new(
            "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange",
            "Occurrence with this index was not found in the recurrence.",
        )
    })?;
    if found.deleted { Err(deleted()) } else { Ok(found.original) }
}

fn existing(item: &Item, start: Timestamp) -> Result<(), Refusal> {
    match series::at(item, start) {
        Some(occurrence) if occurrence.deleted => Err(deleted()),
        Some(_) => Ok(()),
        None => Err(Refusal::not_found()),
    }
}

fn deleted() -> Refusal {
    Refusal::new(
        "ErrorCalendarOccurrenceIsDeletedFromRecurrence",
        "The occurrence was deleted from the recurrence.",
    )
}

/// Refuses a ChangeKey that is not the item's last. MS-OXWSCORE 3.1.4.9.4.1
pub fn current(item: &Item, id: &Element) -> Result<(), Refusal> {
    let key = id.attribute("ChangeKey").filter(|key| !key.is_empty()).ok_or_else(|| {
        Refusal::new(
            "ErrorChangeKeyRequiredForWriteOperations",
            "The change key is required for this operation.",
        )
    })?;
    match ids::read_change_key(key) {
        Some(change) if change == item.change => Ok(()),
        Some(_) => Err(Refusal::new(
            "ErrorIrresolvableConflict",
            "The send or update operation could not be performed because the change key passed in the request does \
             not match the current change key for the item.",
        )),
        None => Err(Refusal::new("ErrorInvalidChangeKey", "The change key is invalid.")),
    }
}
