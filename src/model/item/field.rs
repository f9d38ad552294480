//! The fields of items: one name for each thing that an item says.

/// A field of an item. Which upstream holds it how is that upstream's own table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// The client's UID, exactly.
    ClientUid,
    /// The client's resource name.
    ClientName,
    /// What a write of several calls marks the item with that it creates.
    CreationMark,
    /// The client's text, with fingerprints, in pieces.
    Kept,
    /// The UID that integration_ews gave.
    IntegrationUid,
    /// The UID that DavMail gave to a task.
    DavmailUid,
    /// The resource name that DavMail gave.
    DavmailName,

    /// What it is called.
    Subject,
    /// `Normal`, `Personal`, `Private`, `Confidential`.
    Sensitivity,
    /// `Low`, `Normal`, `High`.
    Importance,
    /// Names of categories.
    Categories,
    /// Its body.
    Body,
    /// What hangs on it.
    Attachments,
    /// When it was made.
    Created,
    /// When it was changed last.
    Modified,
    /// Whether there is a reminder.
    ReminderSet,
    /// Minutes before the start, of events.
    ReminderMinutes,
    /// When a task reminds.
    ReminderTime,

    /// The upstream's own UID of an event.
    Uid,
    /// The first instant.
    Start,
    /// The instant after the last one.
    End,
    /// Where the rule had put an exception.
    OriginalStart,
    /// The occurrence that an invitation without its series is for.
    RecurrenceId,
    /// It takes whole days.
    AllDay,
    /// `Free`, `Tentative`, `Busy`, `OOF`, `WorkingElsewhere`.
    BusyStatus,
    /// What the organiser had in mind, as a number.
    IntendedBusyStatus,
    /// Where it takes place.
    Location,
    /// The place with coordinates and a postal address.
    Place,
    /// The meeting was called off.
    Cancelled,
    /// Those who are invited are asked for answers.
    AsksForAnswers,
    /// The owner's own answer: `Organizer`, `Accept`, `Tentative`, `Decline`, `NoResponseReceived`, `Unknown`.
    OwnResponse,
    /// Who invites.
    Organizer,
    /// Who has to come.
    Required,
    /// Who may come.
    Optional,
    /// Rooms and things.
    Resources,
    /// SEQUENCE
    Sequence,
    /// The rule of a series, or of a task.
    Recurrence,
    /// Occurrences that differ from the rule.
    ModifiedOccurrences,
    /// Occurrences that are gone.
    DeletedOccurrences,
    /// The zone of the start.
    StartZone,
    /// The zone of the end.
    EndZone,
    /// Guests may propose another time.
    AllowsNewTimes,
    /// Guests may not pass it on.
    DoNotForward,
    /// Where it takes place online.
    MeetingUrl,
    /// The same, as add-ins leave it.
    AddInMeetingUrl,

    /// The day on which a task begins.
    StartDay,
    /// The day on which it is due.
    DueDay,
    /// The day on which it was done.
    CompletedDay,
    /// `NotStarted`, `InProgress`, `Completed`, `WaitingOnOthers`, `Deferred`.
    Status,
    /// It is done.
    Complete,
    /// Percent that are done, as a decimal number.
    Percent,
    /// `NoMatch`, `OwnNew`, `Owned`, `Accepted`, `Declined`, `Max`.
    DelegationState,
    /// Who gave it to the owner.
    Delegator,
    /// Whose it is.
    Owner,

    /// The name that people see.
    DisplayName,
    /// The name under which it is filed.
    FileAs,
    /// How that is made of the others.
    FileAsMapping,
    /// Given name.
    GivenName,
    /// Further given names.
    MiddleName,
    /// Family name.
    Surname,
    /// `Jr.`
    Generation,
    /// Nicknames, with commas between them.
    Nickname,
    /// Honorific prefix.
    Title,
    /// The same, as part of the complete name.
    CompleteTitle,
    /// Phonetic given name.
    PhoneticGiven,
    /// Phonetic family name.
    PhoneticSurname,
    /// Phonetic company.
    PhoneticCompany,
    /// One of the four custom fields, from 0.
    Custom(usize),
    /// Company.
    Company,
    /// Department.
    Department,
    /// Title of the job.
    JobTitle,
    /// Profession.
    Profession,
    /// An address of mail: one of [`EMAILS`].
    Email(&'static str),
    /// The SMTP address behind it where it is none: one of [`EMAILS`].
    OriginalEmail(&'static str),
    /// A phone: one of [`PHONES`].
    Phone(&'static str),
    /// An address of instant messaging: one of [`MESSENGERS`].
    Messenger(&'static str),
    /// A part of a postal address: one of [`POSTAL`].
    Address(&'static str, AddressPart),
    /// The post-office box of a postal address: one of [`POSTAL`].
    PostOfficeBox(&'static str),
    /// Which postal address is meant for letters: one of [`POSTAL`].
    MailingAddress,
    /// The room at work.
    Office,
    /// The page of the work.
    WorkPage,
    /// The page at home.
    HomePage,
    /// 0 unspecified, 1 female, 2 male.
    Gender,
    /// Husband or wife.
    Spouse,
    /// Manager.
    Manager,
    /// Assistant.
    Assistant,
    /// Names of children.
    Children,
    /// The birthday as an instant.
    Birthday,
    /// The birthday as a day.
    BirthdayDay,
    /// The anniversary as an instant.
    Anniversary,
    /// The anniversary as a day.
    AnniversaryDay,
    /// Hobbies.
    Hobbies,
    /// Where free/busy data is.
    FreeBusyUrl,

    /// The members of a group.
    Members,
}

/// A part of a postal address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddressPart {
    /// May hold several lines.
    Street,
    /// Town.
    City,
    /// State or province.
    State,
    /// Country.
    Country,
    /// Postal code.
    PostalCode,
}

/// Slots of mail addresses.
pub const EMAILS: [&str; 3] = ["EmailAddress1", "EmailAddress2", "EmailAddress3"];
/// Slots of addresses of instant messaging.
pub const MESSENGERS: [&str; 3] = ["ImAddress1", "ImAddress2", "ImAddress3"];
/// Kinds of postal addresses.
pub const POSTAL: [&str; 3] = ["Business", "Home", "Other"];
/// Kinds of phones.
pub const PHONES: [&str; 23] = [
    "AssistantPhone",
    "BusinessFax",
    "BusinessMobile",
    "BusinessPhone",
    "BusinessPhone2",
    "Callback",
    "CarPhone",
    "CompanyMainPhone",
    "HomeFax",
    "HomePhone",
    "HomePhone2",
    "IPPhone",
    "Isdn",
    "Mms",
    "MobilePhone",
    "Msn",
    "OtherFax",
    "OtherTelephone",
    "Pager",
    "PrimaryPhone",
    "RadioPhone",
    "Telex",
    "TtyTddPhone",
];
