//! What happened in a mailbox lately, for those who subscribed to it.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::simulator::item::{Change, FolderKey, ItemKey};

/// Events that are remembered; a subscription that falls behind has missed some.
const MAX_EVENTS: usize = 4096;

/// What happened. MS-OXWSNTIF 2.2.5
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It is new.
    Created,
    /// It was changed.
    Modified,
    /// It is gone for good.
    Deleted,
    /// It lies elsewhere, under another id.
    Moved,
    /// It is a copy of another.
    Copied,
}

impl What {
    /// The element and the word in EventTypes.
    pub fn element(self) -> &'static str {
        match self {
            Self::Created => "CreatedEvent",
            Self::Modified => "ModifiedEvent",
            Self::Deleted => "DeletedEvent",
            Self::Moved => "MovedEvent",
            Self::Copied => "CopiedEvent",
        }
    }
}

/// To what it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// An item.
    Item(ItemKey),
    /// A folder.
    Folder(FolderKey),
}

/// One event.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
    /// To what.
    pub thing: Thing,
    /// The write that did it.
    pub change: Change,
    /// Where it lies now, or lay.
    pub parent: FolderKey,
    /// What it was called and where it lay before it was moved or copied.
    pub old: Option<(Thing, FolderKey)>,
}

/// The last events of a mailbox, numbered.
#[derive(Debug, Default)]
pub struct Log {
    first: u64,
    events: VecDeque<Event>,
}

impl Log {
    /// Notes an event.
    pub fn push(&mut self, event: Event) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
            self.first += 1;
        }
        self.events.push_back(event);
    }

    /// The number that the next event will have.
    pub fn next(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    /// The events from a number on; `None` when some of them are forgotten.
    pub fn since(&self, number: u64) -> Option<impl Iterator<Item = &Event>> {
        let skip = usize::try_from(number.checked_sub(self.first)?).ok()?;
        Some(self.events.iter().skip(skip))
    }
}
