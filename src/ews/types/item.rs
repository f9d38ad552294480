//! Items as GetItem hands them out, read by name. MS-OXWSCORE, MS-OXWSMTGS, MS-OXWSCONT, MS-OXWSTASK

use super::{
    Address, Attachment, Attendee, ItemId, Mailbox, Member, Recurrence, TimeZone, extended, item_id, name,
    time,
};
use crate::ews::field::ExtendedProperty;
use crate::ews::soap::T;
use crate::xml::{Element, Reader, Writer};
use jiff::Timestamp;

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemClass {
    /// `t:CalendarItem`
    CalendarItem,
    /// `t:Contact`
    Contact,
    /// `t:DistributionList`
    DistributionList,
    /// `t:Task`
    Task,
}

impl ItemClass {
    /// The class that is written as this element; `None` for classes that exdav does not serve.
    pub fn of_element(local: &str) -> Option<Self> {
        match local {
            "CalendarItem" => Some(Self::CalendarItem),
            "Contact" => Some(Self::Contact),
            "DistributionList" => Some(Self::DistributionList),
            "Task" => Some(Self::Task),
            _ => None,
        }
    }
}

/// An item with the properties that were asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What it is.
    pub class: ItemClass,
    /// Identity and version.
    pub id: ItemId,
    pub(super) element: Element,
}

impl Item {
    /// An item out of an answer; `None` if it is of another class or has no id.
    pub(in crate::ews) fn read(element: &Element) -> Option<Self> {
        let class = ItemClass::of_element(element.name().local())?;
        Some(Self { class, id: item_id(element.find("ItemId")?)?, element: element.clone() })
    }

    /// The item as a document: [`Item::parse`] gives it back.
    pub fn write(&self) -> String {
        let mut writer = Writer::new(&[("t", T)]);
        writer.element(&self.element);
        writer.finish()
    }

    /// An item from a document whose root it is.
    pub fn parse(text: &str) -> Option<Self> {
        Self::read(&Reader::lenient(text).document().ok()?)
    }

    /// The same item as Exchange would show it, out of an answer of another server. Seen: gromox 3.10 calls an organiser's
    /// own meeting one that nobody answered, and shares of tasks are a hundred times too large after an update.
    pub(in crate::ews) fn in_words_of_exchange(mut self) -> Self {
        /// The meeting came from somebody else. MS-OXOCAL 2.2.1.10
        const RECEIVED: i64 = 2;
        let is_own = self.flag("IsMeeting")
            && self.number("AppointmentState").is_some_and(|state| state & RECEIVED == 0);
        if is_own {
            self.set("MyResponseType", "Organizer");
        }
        // A share of 0.07 comes as 7.000000000000001.
        if let Some(share) = self.filled("PercentComplete").and_then(|text| text.parse::<f64>().ok()) {
            let share = if share > 100.0 { share / 100.0 } else { share };
            self.set("PercentComplete", &format!("{:.0}", share.clamp(0.0, 100.0)));
        }
        self
    }

    fn set(&mut self, local: &'static str, text: &str) {
        let new = Element::new(name(local)).with_text(text);
        let bare = Element::new(self.element.name().clone());
        let others = self.element.children().filter(|child| child.name().local() != local);
        self.element = others.cloned().fold(bare, Element::with_child).with_child(new);
    }

    /// The same item with these properties only, and with another subject.
    #[must_use]
    pub fn without_details(&self, kept: &[&str], subject: &str) -> Self {
        let bare = Element::new(self.element.name().clone());
        let children = self.element.children().filter(|child| kept.contains(&child.name().local()));
        let bare = children.cloned().fold(bare, Element::with_child);
        let element = bare.with_child(Element::new(name("Subject")).with_text(subject));
        Self { class: self.class, id: self.id.clone(), element }
    }

    /// A property's text; `None` when it is absent.
    pub fn text(&self, local: &str) -> Option<String> {
        self.element.find(local).map(|element| element.text().into_owned())
    }

    /// A property's text without blanks around it; `None` when it is absent or empty.
    pub fn filled(&self, local: &str) -> Option<String> {
        self.text(local).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// A flag; false when it is absent.
    pub fn flag(&self, local: &str) -> bool {
        self.filled(local).is_some_and(|text| text == "true" || text == "1")
    }

    /// A number.
    pub fn number(&self, local: &str) -> Option<i64> {
        self.filled(local)?.parse().ok()
    }

    /// An instant.
    pub fn time(&self, local: &str) -> Option<Timestamp> {
        time(&self.filled(local)?)
    }

    /// The values of an array of strings, such as Categories.
    pub fn strings(&self, local: &str) -> Vec<String> {
        let children = self.element.find(local).into_iter().flat_map(Element::children);
        children.map(|child| child.text().into_owned()).filter(|text| !text.is_empty()).collect()
    }

    /// `(Key, text)` of a dictionary's entries, such as PhoneNumbers.
    pub fn entries(&self, local: &str) -> Vec<(String, String)> {
        let entries = self.element.find(local).into_iter().flat_map(Element::children);
        entries
            .filter_map(|entry| Some((entry.attribute("Key")?.to_owned(), entry.text().trim().to_owned())))
            .filter(|(_, text)| !text.is_empty())
            .collect()
    }

    /// A child of a property, such as `("EnhancedLocation", "PostalAddress", "Latitude")`; empty path parts are not
    /// allowed.
    pub fn nested(&self, path: &[&str]) -> Option<String> {
        let found = path.iter().try_fold(&self.element, |at, local| at.find(local))?;
        Some(found.text().trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// The body: its type (`HTML`, `Text`) and content.
    pub fn body(&self) -> Option<(String, String)> {
        let body = self.element.find("Body")?;
        Some((body.attribute("BodyType").unwrap_or("Text").to_owned(), body.text().into_owned()))
    }

    /// An extended property.
    pub fn extended(&self, wanted: &ExtendedProperty) -> Option<String> {
        extended(&self.element, wanted).filter(|text| !text.is_empty())
    }

    /// The people of a list: `RequiredAttendees`, `OptionalAttendees`, `Resources`.
    pub fn attendees(&self, local: &str) -> Vec<Attendee> {
        let attendees = self.element.find(local).into_iter().flat_map(Element::children);
        attendees.filter_map(Attendee::read).collect()
    }

    /// The organiser.
    pub fn organizer(&self) -> Option<Mailbox> {
        Mailbox::read(self.element.find("Organizer")?.find("Mailbox")?)
    }

    /// The members of a distribution list.
    pub fn members(&self) -> Vec<Mailbox> {
        let members = self.element.find("Members").into_iter().flat_map(Element::children);
        members.filter_map(|member| Mailbox::read(member.find("Mailbox")?)).collect()
    }

    /// The members of a distribution list, with what tells them apart.
    pub fn list_members(&self) -> Vec<Member> {
        let members = self.element.find("Members").into_iter().flat_map(Element::children);
        let read = |member: &Element| {
            let key = member.attribute("Key").map(str::to_owned);
            Some(Member { key, mailbox: Mailbox::read(member.find("Mailbox")?)? })
        };
        members.filter_map(read).collect()
    }

    /// A time zone property: `StartTimeZone`, `EndTimeZone`.
    pub fn zone(&self, local: &str) -> Option<TimeZone> {
        self.element.find(local).map(TimeZone::read)
    }

    /// The rule of a series.
    pub fn recurrence(&self) -> Option<Recurrence> {
        Recurrence::read(self.element.find("Recurrence")?)
    }

    /// Occurrences that differ from the rule.
    pub fn modified_occurrences(&self) -> Vec<Occurrence> {
        let found = self.element.find("ModifiedOccurrences").into_iter().flat_map(Element::children);
        found.filter_map(Occurrence::read).collect()
    }

    /// Original starts of the occurrences that are gone.
    pub fn deleted_occurrences(&self) -> Vec<Timestamp> {
        let found = self.element.find("DeletedOccurrences").into_iter().flat_map(Element::children);
        found.filter_map(|gone| time(&gone.find("Start")?.text())).collect()
    }

    /// What hangs on it; contents are not part of GetItem.
    pub fn attachments(&self) -> Vec<Attachment> {
        let found = self.element.find("Attachments").into_iter().flat_map(Element::children);
        found.filter_map(Attachment::read).collect()
    }

    /// Phone and postal addresses: `(Key, children)`.
    pub fn addresses(&self) -> Vec<(String, Address)> {
        let entries = self.element.find("PhysicalAddresses").into_iter().flat_map(Element::children);
        entries.filter_map(|entry| Some((entry.attribute("Key")?.to_owned(), Address::read(entry)))).collect()
    }
}

/// One occurrence in a master's list. MS-OXWSMTGS 2.2.4.32
#[derive(Clone, Debug, PartialEq)]
pub struct Occurrence {
    /// Its own id.
    pub id: ItemId,
    /// Where the rule had put it.
    pub original_start: Timestamp,
}

impl Occurrence {
    fn read(element: &Element) -> Option<Self> {
        Some(Self {
            id: item_id(element.find("ItemId")?)?,
            original_start: time(&element.find("OriginalStart")?.text())?,
        })
    }
}
