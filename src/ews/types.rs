//! Items as GetItem hands them out, read by name. MS-OXWSCORE, MS-OXWSMTGS, MS-OXWSCONT, MS-OXWSTASK

mod person;
pub mod write;

pub use person::Person;

use super::field::{ExtendedProperty, Key, Set};
use super::soap::T;
use crate::xml::{Element, Name, Reader, Writer};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

/// Identity and version of an item. Opaque and case-sensitive. MS-OXWSCORE 2.2.4.25
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ItemId {
    /// Changes when the item moves.
    pub id: String,
    /// Changes with every write.
    pub change_key: String,
}

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
    element: Element,
}

impl Item {
    /// An item out of an answer; `None` if it is of another class or has no id.
    pub(super) fn read(element: &Element) -> Option<Self> {
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
        let properties = self.element.children().filter(|child| child.name().local() == "ExtendedProperty");
        properties
            .filter(|property| property.find("ExtendedFieldURI").is_some_and(|uri| is(uri, wanted)))
            .find_map(|property| Some(property.find("Value")?.text().into_owned()))
            .filter(|text| !text.is_empty())
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
    fn read(element: &Element) -> Option<Self> {
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
    fn read(element: &Element) -> Option<Self> {
        let mailbox = Mailbox::read(element.find("Mailbox")?)?;
        let response = element.find("ResponseType").map(|e| e.text().trim().to_owned()).unwrap_or_default();
        Some(Self { mailbox, response })
    }
}

/// An entry of PhysicalAddresses. MS-OXWSCONT 3.1.4.1.2
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// May hold several lines.
    pub street: String,
    /// Town.
    pub city: String,
    /// State or province.
    pub state: String,
    /// `CountryOrRegion`
    pub country: String,
    /// Postal code.
    pub postal_code: String,
}

impl Address {
    fn read(entry: &Element) -> Self {
        let text = |local| entry.find(local).map(|e| e.text().trim().to_owned()).unwrap_or_default();
        Self {
            street: text("Street"),
            city: text("City"),
            state: text("State"),
            country: text("CountryOrRegion"),
            postal_code: text("PostalCode"),
        }
    }
}

/// What hangs on an item. MS-OXWSATT 2.2.4
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// AttachmentId.
    pub id: String,
    /// File name.
    pub name: String,
    /// Media type, if Exchange knows it.
    pub content_type: Option<String>,
    /// Octets, about.
    pub size: u64,
    /// Part of the body.
    pub is_inline: bool,
    /// The picture of a contact.
    pub is_contact_photo: bool,
    /// What kind it is.
    pub kind: AttachmentKind,
}

/// Kinds of attachments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttachmentKind {
    /// Octets.
    File,
    /// Another item.
    Item,
    /// A link.
    Reference(String),
}

impl Attachment {
    fn read(element: &Element) -> Option<Self> {
        let text = |local| element.find(local).map(|e| e.text().trim().to_owned());
        let flag = |local| text(local).is_some_and(|t| t == "true" || t == "1");
        let kind = match element.name().local() {
            "FileAttachment" => AttachmentKind::File,
            "ItemAttachment" => AttachmentKind::Item,
            "ReferenceAttachment" => {
                AttachmentKind::Reference(text("AttachLongPathName").unwrap_or_default())
            }
            _ => return None,
        };
        Some(Self {
            id: element.find("AttachmentId")?.attribute("Id")?.to_owned(),
            name: text("Name").unwrap_or_default(),
            content_type: text("ContentType").filter(|t| !t.is_empty()),
            size: text("Size").and_then(|size| size.parse().ok()).unwrap_or_default(),
            is_inline: flag("IsInline"),
            is_contact_photo: flag("IsContactPhoto"),
            kind,
        })
    }
}

/// A time zone property. MS-OXWSCDATA 2.2.4.73
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeZone {
    /// Windows id, `tzone://Microsoft/…`, or empty.
    pub id: String,
    /// For people.
    pub name: String,
    /// Rules, when the server sends them.
    pub periods: Vec<Period>,
    /// Groups of transitions by their id.
    pub groups: Vec<(String, Vec<Transition>)>,
    /// From when each group holds: `None` from the beginning.
    pub eras: Vec<(Option<DateTime>, String)>,
}

/// An offset with a name. MS-OXWSCDATA 2.2.4.50
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// Referred to by transitions.
    pub id: String,
    /// `Standard`, `Daylight` or other words.
    pub name: String,
    /// UTC minus local, in seconds.
    pub bias_seconds: i32,
}

/// When a period begins each year. MS-OXWSCDATA 2.2.4.57
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The period's id.
    pub to: String,
    /// When; `None`: at the beginning.
    pub when: Option<YearlyMoment>,
}

/// A day of the year and a time on it, before the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YearlyMoment {
    /// 1 to 12.
    pub month: i8,
    /// Seconds after midnight.
    pub seconds: i32,
    /// Which day.
    pub day: YearlyDay,
}

/// The day of a [`YearlyMoment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YearlyDay {
    /// The n-th such weekday; −1 the last.
    Weekday(jiff::civil::Weekday, i8),
    /// That day of the month.
    Day(i8),
}

impl TimeZone {
    fn read(element: &Element) -> Self {
        let attribute = |name| element.attribute(name).unwrap_or_default().to_owned();
        let list = |name| element.find(name).into_iter().flat_map(Element::children);
        let period = |p: &Element| {
            Some(Period {
                id: p.attribute("Id")?.to_owned(),
                name: p.attribute("Name").unwrap_or_default().to_owned(),
                bias_seconds: duration_seconds(p.attribute("Bias")?)?,
            })
        };
        let to = |t: &Element| t.find("To").map(|to| to.text().trim().to_owned());
        Self {
            id: attribute("Id"),
            name: attribute("Name"),
            periods: list("Periods").filter_map(period).collect(),
            groups: list("TransitionsGroups")
                .filter_map(|group| {
                    let transitions =
                        group.children().filter_map(|t| Some(Transition { to: to(t)?, when: yearly(t) }));
                    Some((group.attribute("Id")?.to_owned(), transitions.collect()))
                })
                .collect(),
            eras: list("Transitions")
                .filter_map(|t| {
                    let from = t.find("DateTime").and_then(|at| civil(&at.text()));
                    Some((from, to(t)?))
                })
                .collect(),
        }
    }
}

fn yearly(element: &Element) -> Option<YearlyMoment> {
    let text = |local| element.find(local).map(|e| e.text().trim().to_owned());
    let day = match (text("DayOfWeek"), text("Day")) {
        (Some(day), _) => YearlyDay::Weekday(weekday(&day)?, text("Occurrence")?.parse().ok()?),
        (None, Some(day)) => YearlyDay::Day(day.parse().ok()?),
        (None, None) => return None,
    };
    Some(YearlyMoment {
        month: text("Month")?.parse().ok()?,
        seconds: duration_seconds(&text("TimeOffset")?)?,
        day,
    })
}

/// `xs:duration` without years and months, in seconds; fractions are rounded.
fn duration_seconds(text: &str) -> Option<i32> {
    let duration: jiff::Span = text.trim().parse().ok()?;
    let total = duration.total((jiff::Unit::Second, jiff::SpanRelativeTo::days_are_24_hours())).ok()?;
    #[allow(clippy::cast_possible_truncation, reason = "checked against the range of a week")]
    (total.abs() < 1_000_000.0).then(|| total.round() as i32)
}

/// A weekday by its English name.
pub fn weekday(text: &str) -> Option<jiff::civil::Weekday> {
    use jiff::civil::Weekday;
    Some(match text {
        "Monday" => Weekday::Monday,
        "Tuesday" => Weekday::Tuesday,
        "Wednesday" => Weekday::Wednesday,
        "Thursday" => Weekday::Thursday,
        "Friday" => Weekday::Friday,
        "Saturday" => Weekday::Saturday,
        "Sunday" => Weekday::Sunday,
        _ => return None,
    })
}

/// The English name of a weekday.
pub fn weekday_name(day: jiff::civil::Weekday) -> &'static str {
    use jiff::civil::Weekday;
    match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

/// Pattern and range of a series. MS-OXWSCDATA 2.2.4.62
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrence {
    /// On which days.
    pub pattern: Pattern,
    /// The first day, local.
    pub start: Date,
    /// How long.
    pub end: RangeEnd,
}

/// The pattern of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// `DailyRecurrence`
    Daily {
        /// Days.
        interval: u32,
    },
    /// `WeeklyRecurrence`
    Weekly {
        /// Weeks.
        interval: u32,
        /// English names.
        days: Vec<String>,
        /// English name.
        first_day: Option<String>,
    },
    /// `AbsoluteMonthlyRecurrence`
    AbsoluteMonthly {
        /// Months.
        interval: u32,
        /// 1 to 31; beyond the end of a month means its last day.
        day: i8,
    },
    /// `RelativeMonthlyRecurrence`
    RelativeMonthly {
        /// Months.
        interval: u32,
        /// A weekday, `Day`, `Weekday`, `WeekendDay`.
        days: String,
        /// `First` to `Fourth`, `Last`.
        index: String,
    },
    /// `AbsoluteYearlyRecurrence`
    AbsoluteYearly {
        /// 1 to 31.
        day: i8,
        /// 1 to 12.
        month: i8,
    },
    /// `RelativeYearlyRecurrence`
    RelativeYearly {
        /// As in the monthly one.
        days: String,
        /// As in the monthly one.
        index: String,
        /// 1 to 12.
        month: i8,
    },
    /// A task that comes anew some time after it was completed.
    Regeneration {
        /// How many.
        interval: u32,
        /// `Daily`, `Weekly`, `Monthly`, `Yearly`.
        unit: String,
    },
}

/// The end of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeEnd {
    /// `NoEndRecurrence`
    Never,
    /// `EndDateRecurrence`: inclusive, local.
    On(Date),
    /// `NumberedRecurrence`
    After(u32),
}

impl Recurrence {
    fn read(element: &Element) -> Option<Self> {
        let mut pattern = None;
        let mut range = None;
        for child in element.children() {
            let local = child.name().local();
            match (Self::pattern(child, local), Self::range(child, local)) {
                (Some(found), _) => pattern = Some(found),
                (None, Some(found)) => range = Some(found),
                (None, None) => {}
            }
        }
        let (start, end) = range?;
        Some(Self { pattern: pattern?, start, end })
    }

    fn pattern(child: &Element, local: &str) -> Option<Pattern> {
        let text = |name| child.find(name).map(|e| e.text().trim().to_owned());
        let interval = text("Interval").and_then(|n| n.parse().ok()).unwrap_or(1);
        let day = || text("DayOfMonth").and_then(|n| n.parse().ok());
        Some(match local {
            "DailyRecurrence" => Pattern::Daily { interval },
            "WeeklyRecurrence" => Pattern::Weekly {
                interval,
                days: text("DaysOfWeek")?.split_whitespace().map(str::to_owned).collect(),
                first_day: text("FirstDayOfWeek").filter(|day| !day.is_empty()),
            },
            "AbsoluteMonthlyRecurrence" => Pattern::AbsoluteMonthly { interval, day: day()? },
            "RelativeMonthlyRecurrence" => Pattern::RelativeMonthly {
                interval,
                days: text("DaysOfWeek")?,
                index: text("DayOfWeekIndex")?,
            },
            "AbsoluteYearlyRecurrence" => {
                Pattern::AbsoluteYearly { day: day()?, month: month(&text("Month")?)? }
            }
            "RelativeYearlyRecurrence" => Pattern::RelativeYearly {
                days: text("DaysOfWeek")?,
                index: text("DayOfWeekIndex")?,
                month: month(&text("Month")?)?,
            },
            _ => {
                let unit = local.strip_suffix("Regeneration")?.to_owned();
                Pattern::Regeneration { interval, unit }
            }
        })
    }

    fn range(child: &Element, local: &str) -> Option<(Date, RangeEnd)> {
        let start = date(&child.find("StartDate")?.text())?;
        let end = match local {
            "NoEndRecurrence" => RangeEnd::Never,
            "EndDateRecurrence" => RangeEnd::On(date(&child.find("EndDate")?.text())?),
            "NumberedRecurrence" => {
                RangeEnd::After(child.find("NumberOfOccurrences")?.text().trim().parse().ok()?)
            }
            _ => return None,
        };
        Some((start, end))
    }
}

/// Months of the year.
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A month by its English name.
fn month(text: &str) -> Option<i8> {
    MONTHS.iter().position(|month| *month == text).and_then(|at| i8::try_from(at + 1).ok())
}

/// The date of an `xs:date`; a zone suffix is noise. FACTS 11
fn date(text: &str) -> Option<Date> {
    text.trim().get(..10)?.parse().ok()
}

/// An instant; a value without zone is read as UTC. FACTS 9
pub fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        civil(text).and_then(|at| at.to_zoned(jiff::tz::TimeZone::UTC).ok()).map(|z| z.timestamp())
    })
}

fn civil(text: &str) -> Option<DateTime> {
    text.trim().trim_end_matches('Z').parse().ok()
}

fn is(uri: &Element, wanted: &ExtendedProperty) -> bool {
    let number = |text: &str| match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    let set = match wanted.set {
        Set::Tag => true,
        Set::Distinguished(name) => uri.attribute("DistinguishedPropertySetId") == Some(name),
        Set::Guid(guid) => uri.attribute("PropertySetId").is_some_and(|id| id.eq_ignore_ascii_case(guid)),
    };
    let key = match wanted.key {
        Key::Name(name) => uri.attribute("PropertyName") == Some(name),
        Key::Number(n) => {
            let attribute = if wanted.set == Set::Tag { "PropertyTag" } else { "PropertyId" };
            uri.attribute(attribute).and_then(number) == Some(n)
        }
    };
    set && key
}

/// `ItemId`, or any element with `Id` and perhaps `ChangeKey`.
pub(super) fn item_id(element: &Element) -> Option<ItemId> {
    Some(ItemId {
        id: element.attribute("Id")?.to_owned(),
        change_key: element.attribute("ChangeKey").unwrap_or_default().to_owned(),
    })
}

/// A folder. MS-OXWSFOLD 2.2.4.13
#[derive(Clone, Debug, PartialEq)]
pub struct Folder {
    /// FolderId.
    pub id: String,
    /// ParentFolderId.
    pub parent: String,
    /// `IPF.…`
    pub class: String,
    /// Name for people.
    pub display_name: String,
    /// EffectiveRights: create, modify, delete contents, read.
    pub rights: [bool; 4],
    /// Whether the folder itself may be changed.
    pub may_modify_folder: bool,
    /// Whether private items are shown with their details.
    pub may_view_private: bool,
    /// Anything that changes when a member does; `None` when the server does not tell.
    pub stamp: Option<String>,
    /// When anything in it was last committed.
    pub committed: Option<Timestamp>,
    /// What clients set on it.
    pub kept: FolderKept,
}

/// What clients set on a folder and exdav keeps there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderKept {
    /// The path segment that a client chose.
    pub name: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Colour.
    pub color: Option<String>,
    /// Place among the others.
    pub order: Option<String>,
    /// Time zone, as iCalendar text.
    pub timezone: Option<String>,
}

impl Folder {
    pub(super) fn read(element: &Element) -> Option<Self> {
        let text = |local| element.find(local).map(|e| e.text().trim().to_owned());
        let rights = element.find("EffectiveRights");
        // A server that sends no rights gets the benefit of the doubt: it refuses by itself.
        let right = |local| match rights {
            Some(rights) => rights.find(local).is_some_and(|e| e.text().trim() == "true"),
            None => true,
        };
        let extended = |wanted: &ExtendedProperty| {
            let properties = element.children().filter(|child| child.name().local() == "ExtendedProperty");
            properties
                .filter(|p| p.find("ExtendedFieldURI").is_some_and(|uri| is(uri, wanted)))
                .find_map(|p| Some(p.find("Value")?.text().into_owned()))
        };
        let committed = extended(&super::field::LOCAL_COMMIT_TIME_MAX);
        let deleted = extended(&super::field::DELETED_COUNT_TOTAL);
        let count = text("TotalCount").unwrap_or_default();
        Some(Self {
            id: element.find("FolderId")?.attribute("Id")?.to_owned(),
            parent: element
                .find("ParentFolderId")
                .and_then(|id| Some(id.attribute("Id")?.to_owned()))
                .unwrap_or_default(),
            class: text("FolderClass").unwrap_or_default(),
            display_name: text("DisplayName").unwrap_or_default(),
            rights: [right("CreateContents"), right("Modify"), right("Delete"), right("Read")],
            may_modify_folder: right("Modify"),
            may_view_private: right("ViewPrivateItems"),
            stamp: committed
                .as_ref()
                .map(|at| format!("{at} {} {count}", deleted.as_deref().unwrap_or_default())),
            committed: committed.as_deref().and_then(time),
            kept: FolderKept {
                name: extended(&super::field::DAV_NAME),
                description: extended(&super::field::DAV_DESCRIPTION),
                color: extended(&super::field::DAV_COLOR),
                order: extended(&super::field::DAV_ORDER),
                timezone: extended(&super::field::DAV_TIMEZONE),
            },
        })
    }
}

/// A constant name in the namespace of types.
pub(super) const fn name(local: &'static str) -> Name {
    Name::new(T, local)
}
