//! What is seen of an item: its own properties, those of one occurrence, and those that follow from others.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::calendar::series::{self, Occurrence};
use super::calendar::zone;
use super::element::Element;
use super::field::{self, Field, ValueKind};
use super::ids::{self, Named};
use super::item::{Attachment, Content, ExtendedName, ExtendedValue, Item, ItemKind, utc};
use super::mailbox::Mailbox;
use super::permissions;
use super::product::Traits;
use super::world::Target;

/// An item, or one occurrence of a series, as a client sees it.
pub struct View<'a> {
    mailbox: &'a Mailbox,
    /// The item, or the series.
    pub item: &'a Item,
    /// The occurrence that is looked at.
    pub occurrence: Option<Occurrence<'a>>,
}

/// How values are written.
pub struct Style<'a> {
    /// `TimeZoneContext` of the request.
    pub zone: Option<&'a TimeZone>,
    /// `HTML`, `Text` or `Best`.
    pub body: &'a str,
}

impl<'a> View<'a> {
    /// Looks at an item or an occurrence.
    pub fn of(mailbox: &'a Mailbox, target: Target) -> Option<Self> {
        let item = mailbox.item(target.key)?;
        let occurrence = match target.occurrence {
            Some(start) => Some(series::at(item, start)?),
            None => None,
        };
        Some(Self { mailbox, item, occurrence })
    }

    /// Looks at an occurrence that is already known.
    pub fn of_occurrence(mailbox: &'a Mailbox, item: &'a Item, occurrence: Occurrence<'a>) -> Self {
        Self { mailbox, item, occurrence: Some(occurrence) }
    }

    /// `ItemId`
    pub fn id(&self) -> Element {
        let named = match self.occurrence {
            Some(occurrence) => Named::Occurrence(self.item.key, occurrence.original),
            None => Named::Item(self.item.key),
        };
        item_id(self.mailbox, named, self.item)
    }

    /// What tells this product from others.
    pub fn traits(&self) -> &'static Traits {
        self.mailbox.product.traits()
    }

    /// A stored property: the occurrence's own, else the series'.
    pub fn stored(&self, field: Field) -> Option<&Element> {
        if let Some(exception) = self.occurrence.and_then(|o| o.exception) {
            if let Some(own) = exception.properties.get(field) {
                return Some(own);
            }
            if exception.removed.contains(&field) {
                return None;
            }
        }
        self.item.properties.get(field)
    }

    /// A stored property's text.
    pub fn text(&self, field: Field) -> Option<&str> {
        self.stored(field).map(|e| e.text.as_str())
    }

    fn flag(&self, field: Field) -> bool {
        self.text(field).is_some_and(|t| t == "true" || t == "1")
    }

    fn time(&self, field: Field) -> Option<Timestamp> {
        let own = |occurrence: Occurrence<'_>, at| match occurrence.exception {
            None if !self.traits().keeps_wall_clock => series::by_first_offset(self.item, at),
            _ => at,
        };
        match self.occurrence {
            Some(occurrence) if field == field::START => Some(own(occurrence, occurrence.start)),
            Some(occurrence) if field == field::END => Some(own(occurrence, occurrence.end)),
            _ => self.text(field)?.parse().ok(),
        }
    }

    /// The attachments of an occurrence are its own once there are any.
    pub fn attachments(&self) -> &'a [Attachment] {
        match self.occurrence.and_then(|o| o.exception).and_then(|e| e.attachments.as_ref()) {
            Some(own) => own,
            None => &self.item.attachments,
        }
    }

    /// An extended property's value.
    pub fn extended(&self, name: &ExtendedName) -> Option<&'a ExtendedValue> {
        let own = self.occurrence.and_then(|o| o.exception).and_then(|e| e.extended.get(name));
        own.or_else(|| self.item.extended.get(name))
    }

    /// A property as it is written; `None` when the item does not have it.
    pub fn property(&self, field: Field, style: &Style<'_>) -> Option<Element> {
        let name = field.element();
        let item = self.item;
        let text = |text: &str| Some(Element::of(name, text));
        let flag = |flag: bool| Some(Element::value(name, flag));
        let time = |at: Timestamp| Some(Element::of(name, written(at, style.zone)));
        let calendar = item.kind == ItemKind::CalendarItem;
        let stored_zone = |field| self.stored(field).and_then(zone::of_element).unwrap_or(TimeZone::UTC);
        match field {
            field::ITEM_ID => Some(self.id()),
            field::PARENT_FOLDER_ID => {
                let folder = self.mailbox.folders.get(&item.folder)?;
                Some(
                    Element::new(name)
                        .with("Id", ids::encode(self.mailbox, Named::Folder(item.folder)))
                        .with("ChangeKey", ids::change_key(folder.change)),
                )
            }
            field::ITEM_CLASS => match self.text(field) {
                Some(class) => text(class),
                None if self.occurrence.is_some() => text("IPM.Appointment.Occurrence"),
                None => text(item.kind.item_class()),
            },
            field::SENSITIVITY | field::IMPORTANCE => text(self.text(field).unwrap_or("Normal")),
            field::BODY => Some(self.body(style.body)),
            field::TEXT_BODY => {
                let body = self.stored(field::BODY)?;
                Some(Element::of(name, plain(body)).with("BodyType", "Text"))
            }
            field::ATTACHMENTS => {
                let all = self.attachments();
                (!all.is_empty()).then(|| {
                    let occurrence = self.occurrence.map(|o| o.original);
                    Element::new(name)
                        .push_all(all.iter().map(|a| attachment(self.mailbox, item, occurrence, a, None)))
                })
            }
            field::DATE_TIME_RECEIVED | field::DATE_TIME_SENT | field::DATE_TIME_CREATED => {
                time(item.created)
            }
            field::DATE_TIME_STAMP if calendar => time(item.modified),
            field::LAST_MODIFIED_TIME => time(item.modified),
            field::LAST_MODIFIED_NAME => text(&self.mailbox.display_name),
            field::SIZE => Some(Element::value(name, self.size())),
            field::IS_SUBMITTED
            | field::IS_DRAFT
            | field::IS_FROM_ME
            | field::IS_RESEND
            | field::IS_UNMODIFIED => flag(false),
            field::IS_ASSOCIATED | field::IS_TEAM_TASK => flag(false),
            field::HAS_ATTACHMENTS => flag(self.attachments().iter().any(|a| !a.inline)),
            field::CULTURE => text(self.text(field).unwrap_or("en-US")),
            field::EFFECTIVE_RIGHTS => permissions::of_item(self.mailbox, item),
            field::REMINDER_IS_SET => flag(self.flag(field)),
            field::REMINDER_MINUTES_BEFORE_START => text(self.text(field).unwrap_or("0")),
            field::REMINDER_DUE_BY if calendar => time(self.time(field::START)?),
            field::REMINDER_NEXT_TIME => {
                let minutes = self.text(field::REMINDER_MINUTES_BEFORE_START)?.parse::<i64>().ok()?;
                let start = self.time(field::START).filter(|_| self.flag(field::REMINDER_IS_SET))?;
                time(start.checked_sub(jiff::SignedDuration::from_mins(minutes)).ok()?)
            }
            field::DISPLAY_TO => {
                let people = self.stored(field::REQUIRED_ATTENDEES).map(|list| list.children.as_slice());
                let names = people.unwrap_or_default().iter().filter_map(|a| a.at(&["Mailbox", "Name"]));
                text(&names.map(|n| n.text.as_str()).collect::<Vec<_>>().join("; "))
            }
            field::DISPLAY_CC | field::DISPLAY_BCC => text(""),
            field::START | field::END => time(self.time(field)?),
            field::ORIGINAL_START => self.occurrence.and_then(|o| time(o.original)),
            // An occurrence to which alone somebody is invited is an item with one of its own.
            field::RECURRENCE_ID => match self.occurrence {
                Some(occurrence) => occurrence.exception.and_then(|_| time(occurrence.original)),
                None => time(item.properties.time(field)?),
            },
            field::IS_RECURRING => {
                flag(self.occurrence.is_some() || self.stored(field::RECURRENCE).is_some())
            }
            field::CALENDAR_ITEM_TYPE => text(match self.occurrence {
                Some(occurrence) if occurrence.exception.is_some() => "Exception",
                Some(_) => "Occurrence",
                None if item.properties.get(field::RECURRENCE).is_some() => "RecurringMaster",
                None => "Single",
            }),
            field::IS_MEETING => flag(self.is_meeting()),
            field::IS_CANCELLED | field::MEETING_REQUEST_WAS_SENT | field::IS_ONLINE_MEETING => {
                flag(self.flag(field))
            }
            field::MY_RESPONSE_TYPE => {
                let own = if self.traits().knows_organizer { "Organizer" } else { "NoResponseReceived" };
                text(self.text(field).unwrap_or(if self.is_meeting() { own } else { "Unknown" }))
            }
            field::IS_ORGANIZER => flag(self.stored(field::ORGANIZER).is_none()),
            field::ORGANIZER => Some(self.stored(field).cloned().unwrap_or_else(|| {
                Element::new(name).push(mailbox_element(&self.mailbox.display_name, &self.mailbox.address))
            })),
            field::DURATION => {
                let length = self.time(field::END)?.duration_since(self.time(field::START)?);
                text(&jiff::Span::try_from(length).ok()?.to_string())
            }
            field::APPOINTMENT_STATE => {
                let received = self.stored(field::ORGANIZER).is_some();
                let state = i32::from(self.is_meeting())
                    + 2 * i32::from(received)
                    + 4 * i32::from(self.flag(field::IS_CANCELLED));
                Some(Element::value(name, state))
            }
            field::FIRST_OCCURRENCE
            | field::LAST_OCCURRENCE
            | field::MODIFIED_OCCURRENCES
            | field::DELETED_OCCURRENCES
                if calendar =>
            {
                self.occurrences(field, style)
            }
            field::RECURRENCE if self.occurrence.is_some() => None,
            field::CONFLICTING_MEETING_COUNT | field::ADJACENT_MEETING_COUNT => Some(Element::value(name, 0)),
            field::TIME_ZONE => {
                let id = self.stored(field::START_TIME_ZONE)?.attribute("Id")?.to_owned();
                text(&id)
            }
            field::MEETING_TIME_ZONE => None,
            field::START_TIME_ZONE | field::END_TIME_ZONE => {
                let stored = self.stored(field)?;
                match stored.attribute("Id").and_then(zone::of_windows) {
                    Some(zone) => {
                        let id = stored.attribute("Id").unwrap_or_default();
                        Some(zone::named(name, id, &zone, self.time(field::START)?))
                    }
                    None => {
                        let mut custom = stored.clone();
                        custom.name = name;
                        custom.attributes = vec![("Id", "tzone://Microsoft/Custom".to_owned())];
                        Some(custom)
                    }
                }
            }
            field::START_TIME_ZONE_ID => text(self.stored(field::START_TIME_ZONE)?.attribute("Id")?),
            field::END_TIME_ZONE_ID => text(self.stored(field::END_TIME_ZONE)?.attribute("Id")?),
            field::START_WALL_CLOCK => {
                let zone = stored_zone(field::START_TIME_ZONE);
                text(&written(self.time(field::START)?, Some(&zone)))
            }
            field::END_WALL_CLOCK => {
                let zone = stored_zone(field::END_TIME_ZONE);
                text(&written(self.time(field::END)?, Some(&zone)))
            }
            field::HAS_PICTURE => flag(item.attachments.iter().any(|a| a.contact_photo)),
            field::COMPLETE_NAME => self.complete_name(),
            field::CONTACT_SOURCE | field::LIST_CONTACT_SOURCE => text("Store"),
            field::IS_COMPLETE => flag(self.text(field::STATUS) == Some("Completed")),
            field::TASK_IS_RECURRING => flag(self.stored(field::TASK_RECURRENCE).is_some()),
            field::CHANGE_COUNT => Some(Element::value(name, 1)),
            field::STATUS => text(self.text(field).unwrap_or("NotStarted")),
            field::PERCENT_COMPLETE => text(self.text(field).unwrap_or("0")),
            field::OWNER => text(self.text(field).unwrap_or(&self.mailbox.display_name)),
            field::IS_READ => flag(self.flag(field)),
            field::MIME_CONTENT => super::mime::write(self),
            _ => {
                let stored = self.stored(field)?;
                if field.row().kind == ValueKind::Time
                    && let Ok(at) = stored.text.parse()
                {
                    return time(at);
                }
                Some(stored.clone())
            }
        }
    }

    /// Whether others are invited, or somebody else invited the owner.
    pub fn is_meeting(&self) -> bool {
        let people = [field::REQUIRED_ATTENDEES, field::OPTIONAL_ATTENDEES, field::RESOURCES];
        self.stored(field::ORGANIZER).is_some()
            || people.iter().any(|list| self.stored(*list).is_some_and(|l| !l.children.is_empty()))
    }

    fn body(&self, wanted: &str) -> Element {
        let Some(stored) = self.stored(field::BODY) else {
            let kind = if wanted == "HTML" { "HTML" } else { "Text" };
            return Element::new("Body").with("BodyType", kind);
        };
        let kind = stored.attribute("BodyType").unwrap_or("Text");
        match (wanted, kind) {
            ("Text", "HTML") => Element::of("Body", plain(stored)).with("BodyType", "Text"),
            ("HTML", "Text") => {
                let escaped = quick_xml::escape::escape(stored.text.as_str()).replace('\n', "<br>\n");
                Element::of("Body", format!("<html><body>{escaped}</body></html>")).with("BodyType", "HTML")
            }
            _ => stored.clone(),
        }
    }

    fn size(&self) -> usize {
        let body = self.stored(field::BODY).map_or(0, |b| b.text.len());
        let files = self.attachments().iter().map(|a| match &a.content {
            Content::File(octets) => octets.len(),
            Content::Item(_) | Content::Reference(_) => 1024,
        });
        1024 + body + files.sum::<usize>()
    }

    fn complete_name(&self) -> Option<Element> {
        let parts = [
            ("FirstName", field::GIVEN_NAME),
            ("MiddleName", field::MIDDLE_NAME),
            ("LastName", field::SURNAME),
            ("Suffix", field::GENERATION),
            ("Initials", field::INITIALS),
            ("FullName", field::DISPLAY_NAME),
            ("Nickname", field::NICKNAME),
        ];
        let title = self.extended(&ExtendedName::Tag(0x3A45)).and_then(|v| v.texts.first());
        let title = title.map(|text| Element::of("Title", text.clone()));
        let rest = parts.iter().filter_map(|(name, field)| Some(Element::of(name, self.text(*field)?)));
        let all: Vec<Element> = title.into_iter().chain(rest).collect();
        (!all.is_empty()).then(|| Element::new("CompleteName").push_all(all))
    }

    /// Where the rule had put an occurrence, as this product tells it.
    fn told_original(&self, original: Timestamp) -> Timestamp {
        if self.traits().tells_original_start {
            return original;
        }
        let zone = series::zone_of(self.item);
        let day = zone::local(original, &zone).date();
        zone::instant(day.to_datetime(jiff::civil::Time::midnight()), &zone)
    }

    /// Lists of occurrences, only on the master.
    fn occurrences(&self, wanted: Field, style: &Style<'_>) -> Option<Element> {
        if self.occurrence.is_some() {
            return None;
        }
        let rule = series::rule_of(self.item)?;
        let time = |name, at| Element::of(name, written(at, style.zone));
        let listed = |name: &'static str, o: &Occurrence<'_>| {
            Element::new(name)
                .push(item_id(self.mailbox, Named::Occurrence(self.item.key, o.original), self.item))
                .push(time("Start", o.start))
                .push(time("End", o.end))
                .push(time("OriginalStart", self.told_original(o.original)))
        };
        let exceptions = &self.item.exceptions;
        match wanted {
            field::DELETED_OCCURRENCES => (!exceptions.deleted.is_empty()).then(|| {
                let gone = exceptions
                    .deleted
                    .iter()
                    .map(|at| Element::new("DeletedOccurrence").push(time("Start", *at)));
                Element::new("DeletedOccurrences").push_all(gone)
            }),
            field::MODIFIED_OCCURRENCES => (!exceptions.modified.is_empty()).then(|| {
                let last = exceptions.modified.keys().next_back().copied().unwrap_or_default();
                let all = series::each(self.item).take_while(|o| o.original <= last);
                let own = all.filter(|o| o.exception.is_some() && !o.deleted);
                Element::new("ModifiedOccurrences").push_all(own.map(|o| listed("Occurrence", &o)))
            }),
            field::FIRST_OCCURRENCE => {
                series::each(self.item).find(|o| !o.deleted).map(|o| listed("FirstOccurrence", &o))
            }
            _ if rule.ends() => {
                series::each(self.item).filter(|o| !o.deleted).last().map(|o| listed("LastOccurrence", &o))
            }
            _ => None,
        }
    }
}

/// `ItemId` of an item or of one of its occurrences: they share the ChangeKey.
pub fn item_id(mailbox: &Mailbox, named: Named, item: &Item) -> Element {
    Element::new("ItemId")
        .with("Id", ids::encode(mailbox, named))
        .with("ChangeKey", ids::change_key(item.change))
}

/// `t:Mailbox`
pub fn mailbox_element(name: &str, address: &str) -> Element {
    Element::new("Mailbox")
        .push(Element::of("Name", name))
        .push(Element::of("EmailAddress", address))
        .push(Element::of("RoutingType", "SMTP"))
        .push(Element::of("MailboxType", "Mailbox"))
}

/// An attachment's element; with its content where it is asked for.
pub fn attachment(
    mailbox: &Mailbox,
    item: &Item,
    occurrence: Option<Timestamp>,
    attachment: &Attachment,
    content: Option<()>,
) -> Element {
    let id = ids::encode(mailbox, Named::Attachment(item.key, occurrence, attachment.number));
    let (name, size) = match &attachment.content {
        Content::File(octets) => ("FileAttachment", octets.len()),
        Content::Item(_) => ("ItemAttachment", 1024),
        Content::Reference(_) => ("ReferenceAttachment", 0),
    };
    let text = |name, value: &Option<String>| value.as_ref().map(|v| Element::of(name, v.clone()));
    let mut element = Element::new(name)
        .push(Element::new("AttachmentId").with("Id", id))
        .push(Element::of("Name", attachment.name.clone()))
        .push_some(text("ContentType", &attachment.content_type))
        .push_some(text("ContentId", &attachment.content_id))
        .push_some(text("ContentLocation", &attachment.content_location))
        .push(Element::value("Size", size))
        .push(Element::of("LastModifiedTime", utc(attachment.modified)))
        .push(Element::value("IsInline", attachment.inline));
    match &attachment.content {
        Content::File(octets) => {
            element = element.push(Element::value("IsContactPhoto", attachment.contact_photo));
            if content.is_some() {
                element = element.push(Element::of("Content", STANDARD.encode(octets)));
            }
        }
        Content::Item(attached) => {
            if content.is_some() {
                element = element.push((**attached).clone());
            }
        }
        Content::Reference(link) => element = element.push_all(link.children.iter().cloned()),
    }
    element
}

/// An instant: in UTC, or with the offset of the request's zone.
pub fn written(at: Timestamp, zone: Option<&TimeZone>) -> String {
    match zone.map(|zone| at.to_zoned(zone.clone())) {
        Some(zoned) if zoned.offset().seconds() != 0 => zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        _ => utc(at),
    }
}

/// A body as plain text.
fn plain(body: &Element) -> String {
    if body.attribute("BodyType") != Some("HTML") {
        return body.text.clone();
    }
    let mut text = String::new();
    let mut rest: &str = &body.text;
    let lower = body.text.to_ascii_lowercase();
    for hidden in ["head", "style", "script"] {
        // Only what a reader would see.
        if let (Some(from), Some(to)) =
            (lower.find(&format!("<{hidden}")), lower.find(&format!("</{hidden}>")))
            && from < to
            && text.is_empty()
        {
            text.push_str(rest.get(..from).unwrap_or_default());
            rest = rest.get(to + hidden.len() + 3..).unwrap_or_default();
            break;
        }
    }
    let source: Cow<'_, str> = Cow::Owned(format!("{text}{rest}"));
    let mut plain = String::new();
    let mut tag: Option<String> = None;
    for c in source.chars() {
        match (&mut tag, c) {
            (None, '<') => tag = Some(String::new()),
            (None, '\r' | '\n') => {}
            (None, c) => plain.push(c),
            (Some(name), '>') => {
                let name = name.to_ascii_lowercase();
                let word = name.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
                let ends_line =
                    word == "br" || (name.starts_with('/') && matches!(word, "p" | "div" | "li" | "tr"));
                if ends_line {
                    plain.push_str("\r\n");
                }
                tag = None;
            }
            (Some(name), c) => name.push(c),
        }
    }
    match quick_xml::escape::unescape(&plain.replace("&nbsp;", " ")) {
        Ok(text) => text.into_owned(),
        Err(_) => plain,
    }
}
