//! Kinds of resources, and sets of them: the column "where" of every table.

use super::resource::Resource;
use crate::dav::path::{ResourcePath, Space};
use crate::model::collection::CollectionKind;
use std::ops::BitOr;

/// A set of kinds of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kinds(u32);

impl Kinds {
    pub(super) const ROOT: Self = Self(1);
    pub(super) const PRINCIPALS: Self = Self(1 << 1);
    pub(super) const PRINCIPAL: Self = Self(1 << 2);
    pub(super) const CALENDAR_HOME: Self = Self(1 << 3);
    pub(super) const CARD_HOME: Self = Self(1 << 4);
    pub(super) const CALENDAR: Self = Self(1 << 5);
    pub(super) const TASKS: Self = Self(1 << 6);
    pub(super) const BOOK: Self = Self(1 << 7);
    pub(super) const INBOX: Self = Self(1 << 8);
    pub(super) const OUTBOX: Self = Self(1 << 9);
    pub(super) const EVENT: Self = Self(1 << 10);
    pub(super) const TASK: Self = Self(1 << 11);
    pub(super) const CARD: Self = Self(1 << 12);
    pub(super) const ATTACHMENT: Self = Self(1 << 13);
    pub(super) const DIRECTORY: Self = Self(1 << 14);
    pub(super) const ENTRY: Self = Self(1 << 15);
    pub(super) const PERSON: Self = Self(1 << 16);

    pub(super) const HOMES: Self = Self(Self::CALENDAR_HOME.0 | Self::CARD_HOME.0);
    /// Calendars and task lists.
    pub(super) const CALENDARS: Self = Self(Self::CALENDAR.0 | Self::TASKS.0);
    /// What holds members.
    pub(super) const COLLECTIONS: Self = Self(Self::CALENDARS.0 | Self::BOOK.0);
    pub(super) const CALENDAR_OBJECTS: Self = Self(Self::EVENT.0 | Self::TASK.0);
    pub(super) const MEMBERS: Self = Self(Self::CALENDAR_OBJECTS.0 | Self::CARD.0);
    /// Everything with properties.
    pub(super) const ALL: Self = Self(((1 << 17) - 1) & !Self::ATTACHMENT.0);
    /// Address books of all kinds, and what is in them.
    pub(super) const BOOKS: Self = Self(Self::BOOK.0 | Self::DIRECTORY.0);
    pub(super) const OBJECTS: Self = Self(Self::MEMBERS.0 | Self::ENTRY.0);
    /// The user and others.
    pub(super) const PEOPLE: Self = Self(Self::PRINCIPAL.0 | Self::PERSON.0);

    /// Whether the two have a kind in common.
    pub(super) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The kinds that a path may lead to, before anything was looked up.
    pub(super) fn of_place(place: &ResourcePath) -> Self {
        match place {
            ResourcePath::Root(_) => Self::ROOT,
            ResourcePath::Principals(_) => Self::PRINCIPALS,
            ResourcePath::Principal => Self::PRINCIPAL,
            ResourcePath::Home(Space::Calendars) => Self::CALENDAR_HOME,
            ResourcePath::Home(Space::Cards) => Self::CARD_HOME,
            ResourcePath::Inbox => Self::INBOX,
            ResourcePath::Outbox => Self::OUTBOX,
            ResourcePath::Collection(Space::Calendars, _) => Self::CALENDARS,
            ResourcePath::Collection(Space::Cards, _) => Self::BOOK,
            ResourcePath::Member(Space::Calendars, ..) => Self::CALENDAR_OBJECTS,
            ResourcePath::Member(Space::Cards, ..) => Self::CARD,
            ResourcePath::Directory => Self::DIRECTORY,
            ResourcePath::Entry(_) => Self::ENTRY,
            ResourcePath::Person(_) => Self::PERSON,
            ResourcePath::Attachment(..) => Self::ATTACHMENT,
        }
    }

    /// The kind of a resource.
    pub(super) fn of(resource: &Resource) -> Self {
        match resource {
            Resource::Root(_) => Self::ROOT,
            Resource::Principals(_) => Self::PRINCIPALS,
            Resource::Principal => Self::PRINCIPAL,
            Resource::Home(Space::Calendars) => Self::CALENDAR_HOME,
            Resource::Home(Space::Cards) => Self::CARD_HOME,
            Resource::Inbox => Self::INBOX,
            Resource::Outbox => Self::OUTBOX,
            Resource::Collection(collection, _) => match collection.kind {
                CollectionKind::Calendar => Self::CALENDAR,
                CollectionKind::Tasks => Self::TASKS,
                CollectionKind::AddressBook => Self::BOOK,
            },
            Resource::Member(collection, _) => match collection.kind {
                CollectionKind::Calendar => Self::EVENT,
                CollectionKind::Tasks => Self::TASK,
                CollectionKind::AddressBook => Self::CARD,
            },
            Resource::Directory => Self::DIRECTORY,
            Resource::Entry(_) => Self::ENTRY,
            Resource::Person(_) => Self::PERSON,
        }
    }
}

impl BitOr for Kinds {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// `|` for constants.
pub(super) const fn either(one: Kinds, other: Kinds) -> Kinds {
    Kinds(one.0 | other.0)
}
