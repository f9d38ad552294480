//! Where Exchange holds each field of an item, how it is read and written, and since which schema it can be asked for.
//!
//! What an item of a class is asked for follows from this table: no field can be read that is not asked for.

use super::super::field::{self, ExtendedProperty, Schema};
use crate::model::item::{AddressPart, EMAILS, Field, ItemClass, MESSENGERS, PHONES, POSTAL};

/// Where a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// A FieldURI.
    Uri(&'static str),
    /// An IndexedFieldURI: an entry of a dictionary.
    Indexed(&'static str, &'static str),
    /// An extended property.
    Extended(ExtendedProperty),
}

/// How it is read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number,
    /// An instant.
    Time,
    /// A day that is midnight somewhere; exact in the extended property, where there is one.
    Day(Option<ExtendedProperty>),
    /// A day at 00:00Z.
    BareDay,
    /// `item:Body`, with the text that `item:TextBody` gives.
    Body,
    /// An array of strings.
    Strings,
    /// A time zone.
    Zone,
    /// Attendees.
    People,
    /// A single recipient.
    Person,
    /// A pattern and a range.
    Recurrence,
    /// The list of changed occurrences.
    Modified,
    /// The list of deleted occurrences.
    Deleted,
    /// `calendar:EnhancedLocation`
    Place,
    /// Members of a distribution list.
    Members,
    /// Attachments.
    Attachments,
    /// An entry of a dictionary.
    Entry,
    /// A text in several extended properties.
    Pieces,
    /// `calendar:IsCancelled`, or the flag of `calendar:AppointmentState`. MS-OXOCAL 2.2.1.10
    Cancelled,
    /// The title of `contacts:CompleteName`.
    CompleteTitle,
    /// An extended property, or the field of newer schemas that a server may give unasked: older ones refuse to be asked for it.
    FlagOr(&'static str),
    /// A URI, or any text in the property behind the field.
    Link(ExtendedProperty),
    /// The first of two extended properties that is there.
    Either(ExtendedProperty),
}

/// What Exchange holds of a field.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Where.
    pub at: At,
    /// How.
    pub form: Form,
}

/// The row of a field, for items of a class.
pub fn row(class: ItemClass, field: Field) -> Row {
    use Form::{
        Attachments, BareDay, Body, Cancelled, CompleteTitle, Deleted, Flag, Members, Modified, Number,
        People, Person, Pieces, Place, Recurrence, Strings, Text, Time, Zone,
    };
    let uri = |uri, form| Row { at: At::Uri(uri), form };
    let extended = |property, form| Row { at: At::Extended(property), form };
    let entry = |uri, key| Row { at: At::Indexed(uri, key), form: Form::Entry };
    match field {
        Field::ClientUid => extended(field::DAV_UID, Text),
        Field::ClientName => extended(field::DAV_NAME, Text),
        Field::CreationMark => extended(field::DAV_CREATION, Text),
        Field::Kept => extended(field::DAV_BODY, Pieces),
        Field::IntegrationUid => extended(field::INTEGRATION_UID, Text),
        Field::DavmailUid => extended(field::DAVMAIL_UID, Text),
        Field::DavmailName => extended(field::URL_COMP_NAME, Text),

        Field::Subject => uri("item:Subject", Text),
        Field::Sensitivity => uri("item:Sensitivity", Text),
        Field::Importance => uri("item:Importance", Text),
        Field::Categories => uri("item:Categories", Strings),
        Field::Body => uri("item:Body", Body),
        Field::Attachments => uri("item:Attachments", Attachments),
        Field::Created => uri("item:DateTimeCreated", Time),
        Field::Modified => uri("item:LastModifiedTime", Time),
        Field::ReminderSet => uri("item:ReminderIsSet", Flag),
        Field::ReminderMinutes => uri("item:ReminderMinutesBeforeStart", Number),
        Field::ReminderTime => uri("item:ReminderDueBy", Time),

        Field::Uid => uri("calendar:UID", Text),
        Field::Start => uri("calendar:Start", Time),
        Field::End => uri("calendar:End", Time),
        Field::OriginalStart => uri("calendar:OriginalStart", Time),
        Field::RecurrenceId => uri("calendar:RecurrenceId", Time),
        Field::AllDay => uri("calendar:IsAllDayEvent", Flag),
        Field::BusyStatus => uri("calendar:LegacyFreeBusyStatus", Text),
        Field::IntendedBusyStatus => extended(field::INTENDED_BUSY_STATUS, Text),
        Field::Location => uri("calendar:Location", Text),
        Field::Place => uri("calendar:EnhancedLocation", Place),
        Field::Cancelled => uri("calendar:IsCancelled", Cancelled),
        Field::AsksForAnswers => uri("calendar:IsResponseRequested", Flag),
        Field::OwnResponse => uri("calendar:MyResponseType", Text),
        Field::Organizer => uri("calendar:Organizer", Person),
        Field::Required => uri("calendar:RequiredAttendees", People),
        Field::Optional => uri("calendar:OptionalAttendees", People),
        Field::Resources => uri("calendar:Resources", People),
        Field::Sequence => uri("calendar:AppointmentSequenceNumber", Number),
        Field::Recurrence if class == ItemClass::Task => uri("task:Recurrence", Recurrence),
        Field::Recurrence => uri("calendar:Recurrence", Recurrence),
        Field::ModifiedOccurrences => uri("calendar:ModifiedOccurrences", Modified),
        Field::DeletedOccurrences => uri("calendar:DeletedOccurrences", Deleted),
        Field::StartZone => uri("calendar:StartTimeZone", Zone),
        Field::EndZone => uri("calendar:EndTimeZone", Zone),
        Field::AllowsNewTimes => uri("calendar:AllowNewTimeProposal", Flag),
        Field::DoNotForward => extended(field::DO_NOT_FORWARD, Form::FlagOr("DoNotForwardMeeting")),
        Field::MeetingUrl => uri("calendar:JoinOnlineMeetingUrl", Text),
        Field::AddInMeetingUrl => {
            extended(field::TEAMS_URL, Form::Either(field::ONLINE_MEETING_EXTERNAL_LINK))
        }

        Field::StartDay => uri("task:StartDate", Form::Day(Some(field::TASK_START))),
        Field::DueDay => uri("task:DueDate", Form::Day(Some(field::TASK_DUE))),
        Field::CompletedDay => uri("task:CompleteDate", Form::Day(None)),
        Field::Status => uri("task:Status", Text),
        Field::Complete => uri("task:IsComplete", Flag),
        Field::Percent => uri("task:PercentComplete", Text),
        Field::DelegationState => uri("task:DelegationState", Text),
        Field::Delegator => uri("task:Delegator", Text),
        Field::Owner => uri("task:Owner", Text),

        Field::DisplayName => uri("contacts:DisplayName", Text),
        Field::FileAs => uri("contacts:FileAs", Text),
        Field::FileAsMapping => uri("contacts:FileAsMapping", Text),
        Field::GivenName => uri("contacts:GivenName", Text),
        Field::MiddleName => uri("contacts:MiddleName", Text),
        Field::Surname => uri("contacts:Surname", Text),
        Field::Generation => uri("contacts:Generation", Text),
        Field::Nickname => uri("contacts:Nickname", Text),
        Field::Title => extended(field::TITLE, Text),
        Field::CompleteTitle => uri("contacts:CompleteName", CompleteTitle),
        Field::PhoneticGiven => extended(field::YOMI_GIVEN, Text),
        Field::PhoneticSurname => extended(field::YOMI_SURNAME, Text),
        Field::PhoneticCompany => extended(field::YOMI_COMPANY, Text),
        Field::Custom(number) => extended(field::custom(number), Text),
        Field::Company => uri("contacts:CompanyName", Text),
        Field::Department => uri("contacts:Department", Text),
        Field::JobTitle => uri("contacts:JobTitle", Text),
        Field::Profession => uri("contacts:Profession", Text),
        Field::Email(slot) => entry("contacts:EmailAddress", slot),
        Field::OriginalEmail(slot) => extended(field::original_address(slot), Text),
        Field::Phone(kind) => entry("contacts:PhoneNumber", kind),
        Field::Messenger(slot) => entry("contacts:ImAddress", slot),
        Field::Address(kind, part) => {
            let uri = match part {
                AddressPart::Street => "contacts:PhysicalAddress:Street",
                AddressPart::City => "contacts:PhysicalAddress:City",
                AddressPart::State => "contacts:PhysicalAddress:State",
                AddressPart::Country => "contacts:PhysicalAddress:CountryOrRegion",
                AddressPart::PostalCode => "contacts:PhysicalAddress:PostalCode",
            };
            entry(uri, kind)
        }
        Field::PostOfficeBox(kind) => extended(field::po_box(kind), Text),
        Field::MailingAddress => uri("contacts:PostalAddressIndex", Text),
        Field::Office => uri("contacts:OfficeLocation", Text),
        Field::WorkPage => uri("contacts:BusinessHomePage", Form::Link(field::BUSINESS_HOME_PAGE)),
        Field::HomePage => extended(field::PERSONAL_HOME_PAGE, Text),
        Field::Gender => extended(field::GENDER, Text),
        Field::Spouse => uri("contacts:SpouseName", Text),
        Field::Manager => uri("contacts:Manager", Text),
        Field::Assistant => uri("contacts:AssistantName", Text),
        Field::Children => uri("contacts:Children", Strings),
        Field::Birthday => uri("contacts:Birthday", Time),
        Field::BirthdayDay => extended(field::BIRTHDAY_LOCAL, BareDay),
        Field::Anniversary => uri("contacts:WeddingAnniversary", Time),
        Field::AnniversaryDay => extended(field::WEDDING_ANNIVERSARY_LOCAL, BareDay),
        Field::Hobbies => extended(field::HOBBIES, Text),
        Field::FreeBusyUrl => extended(field::FREE_BUSY_URL, Text),

        Field::Members => uri("distributionlist:Members", Members),
    }
}

/// Fields that items of all classes have.
const COMMON: [Field; 11] = [
    Field::Subject,
    Field::Sensitivity,
    Field::Body,
    Field::Categories,
    Field::Created,
    Field::Modified,
    Field::ClientUid,
    Field::ClientName,
    Field::CreationMark,
    Field::Kept,
    Field::DavmailName,
];

const CALENDAR_ITEM: [Field; 31] = [
    Field::Attachments,
    Field::Importance,
    Field::ReminderSet,
    Field::ReminderMinutes,
    Field::Uid,
    Field::Start,
    Field::End,
    Field::OriginalStart,
    Field::AllDay,
    Field::BusyStatus,
    Field::Location,
    Field::Cancelled,
    Field::AsksForAnswers,
    Field::OwnResponse,
    Field::Organizer,
    Field::Required,
    Field::Optional,
    Field::Resources,
    Field::Sequence,
    Field::RecurrenceId,
    Field::Recurrence,
    Field::ModifiedOccurrences,
    Field::DeletedOccurrences,
    Field::StartZone,
    Field::EndZone,
    Field::AllowsNewTimes,
    Field::Place,
    Field::MeetingUrl,
    Field::IntendedBusyStatus,
    Field::AddInMeetingUrl,
    Field::DoNotForward,
];

const TASK: [Field; 15] = [
    Field::Attachments,
    Field::Importance,
    Field::ReminderTime,
    Field::ReminderSet,
    Field::CompletedDay,
    Field::DelegationState,
    Field::Delegator,
    Field::DueDay,
    Field::Complete,
    Field::Owner,
    Field::Percent,
    Field::Recurrence,
    Field::StartDay,
    Field::Status,
    Field::DavmailUid,
];

const CONTACT: [Field; 44] = [
    Field::Attachments,
    Field::FileAs,
    Field::FileAsMapping,
    Field::DisplayName,
    Field::GivenName,
    Field::MiddleName,
    Field::Nickname,
    Field::CompleteTitle,
    Field::Company,
    Field::Assistant,
    Field::Birthday,
    Field::WorkPage,
    Field::Children,
    Field::Department,
    Field::Generation,
    Field::JobTitle,
    Field::Manager,
    Field::Office,
    Field::MailingAddress,
    Field::Profession,
    Field::Spouse,
    Field::Surname,
    Field::Anniversary,
    Field::Title,
    Field::Gender,
    Field::HomePage,
    Field::Hobbies,
    Field::PostOfficeBox(POSTAL[0]),
    Field::PostOfficeBox(POSTAL[1]),
    Field::PostOfficeBox(POSTAL[2]),
    Field::FreeBusyUrl,
    Field::PhoneticGiven,
    Field::PhoneticSurname,
    Field::PhoneticCompany,
    Field::Custom(0),
    Field::Custom(1),
    Field::Custom(2),
    Field::Custom(3),
    Field::BirthdayDay,
    Field::AnniversaryDay,
    Field::OriginalEmail("EmailAddress1"),
    Field::OriginalEmail("EmailAddress2"),
    Field::OriginalEmail("EmailAddress3"),
    Field::IntegrationUid,
];

const DISTRIBUTION_LIST: [Field; 4] =
    [Field::DisplayName, Field::FileAs, Field::Members, Field::IntegrationUid];

/// Dictionaries of contacts: the field that gives one as a whole, its element, and the IndexedFieldURIs of its entries.
pub(in crate::upstream::ews) const DICTIONARIES: [(&str, &str, &[&str]); 4] = [
    ("contacts:EmailAddresses", "EmailAddresses", &["contacts:EmailAddress"]),
    (
        "contacts:PhysicalAddresses",
        "PhysicalAddresses",
        &[
            "contacts:PhysicalAddress:Street",
            "contacts:PhysicalAddress:City",
            "contacts:PhysicalAddress:State",
            "contacts:PhysicalAddress:CountryOrRegion",
            "contacts:PhysicalAddress:PostalCode",
        ],
    ),
    ("contacts:PhoneNumbers", "PhoneNumbers", &["contacts:PhoneNumber"]),
    ("contacts:ImAddresses", "ImAddresses", &["contacts:ImAddress"]),
];

/// The fields that are read of items of a class, dictionaries of contacts aside.
pub fn fields(class: ItemClass) -> impl Iterator<Item = Field> {
    let own: &[Field] = match class {
        ItemClass::CalendarItem => &CALENDAR_ITEM,
        ItemClass::Contact => &CONTACT,
        ItemClass::DistributionList => &DISTRIBUTION_LIST,
        ItemClass::Task => &TASK,
    };
    COMMON.iter().chain(own).copied()
}

/// What GetItem is asked for beside `IdOnly`.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// FieldURIs.
    pub uris: Vec<&'static str>,
    /// IndexedFieldURIs: entries of dictionaries.
    pub entries: Vec<(&'static str, &'static str)>,
    /// Extended properties.
    pub extended: Vec<ExtendedProperty>,
}

/// All that items of a class are asked for, as far as a schema has it. `gives_dictionaries`: else each entry is asked for by
/// itself.
pub fn shape(class: ItemClass, schema: Schema, gives_dictionaries: bool) -> Shape {
    let mut shape = Shape::default();
    for field in fields(class) {
        let Row { at, form } = row(class, field);
        match at {
            At::Uri(uri) => shape.uris.push(uri),
            At::Extended(property) => shape.extended.push(property),
            At::Indexed(..) => {}
        }
        match form {
            Form::Body => shape.uris.push("item:TextBody"),
            Form::Cancelled => shape.uris.push("calendar:AppointmentState"),
            Form::Day(Some(property)) | Form::Either(property) | Form::Link(property) => {
                shape.extended.push(property);
            }
            Form::Pieces => shape.extended.extend(field::DAV_BODY_GOES_ON),
            _ => {}
        }
    }
    if class == ItemClass::Contact {
        if gives_dictionaries {
            shape.uris.extend(DICTIONARIES.iter().map(|(uri, ..)| *uri));
        } else {
            let uris = DICTIONARIES.iter().flat_map(|(.., uris)| *uris);
            shape.entries = uris.flat_map(|uri| keys(uri).map(|key| (*uri, key))).collect();
        }
    }
    shape.uris.retain(|uri| schema.has(uri));
    shape
}

/// Kinds of phones that the first schema does not have.
const YOUNGER_PHONES: [&str; 4] = ["BusinessMobile", "IPPhone", "Mms", "Msn"];

/// The keys of a dictionary's entries. MS-OXWSCONT 2.2.5
fn keys(uri: &str) -> impl Iterator<Item = &'static str> {
    let keys: &[&str] = match uri {
        "contacts:EmailAddress" => &EMAILS,
        "contacts:PhoneNumber" => &PHONES,
        "contacts:ImAddress" => &MESSENGERS,
        _ => &POSTAL,
    };
    keys.iter().copied().filter(|key| !YOUNGER_PHONES.contains(key))
}
