//! What is asked of each class of items: THE table of extended properties and the shapes of GetItem.

/// An extended property. MS-OXWSXPROP 2.1.5
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtendedProperty {
    /// Where it is defined.
    pub set: Set,
    /// Its name or number there.
    pub key: Key,
    /// `PropertyType`.
    pub kind: &'static str,
}

/// Where an extended property is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// A MAPI property tag.
    Tag,
    /// `DistinguishedPropertySetId`.
    Distinguished(&'static str),
    /// `PropertySetId`, lower case.
    Guid(&'static str),
}

/// What names an extended property within its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `PropertyTag` or `PropertyId`.
    Number(u32),
    /// `PropertyName`.
    Name(&'static str),
}

/// exdav's own property set: what Exchange has no field for.
const OWN: Set = Set::Guid("87bdb2a2-c3a7-4bef-8e4a-784b93ac106a");

const fn own(name: &'static str) -> ExtendedProperty {
    ExtendedProperty { set: OWN, key: Key::Name(name), kind: "String" }
}

const fn tag(number: u32, kind: &'static str) -> ExtendedProperty {
    ExtendedProperty { set: Set::Tag, key: Key::Number(number), kind }
}

const fn named(set: &'static str, number: u32, kind: &'static str) -> ExtendedProperty {
    ExtendedProperty { set: Set::Distinguished(set), key: Key::Number(number), kind }
}

const fn public(name: &'static str, kind: &'static str) -> ExtendedProperty {
    ExtendedProperty { set: Set::Distinguished("PublicStrings"), key: Key::Name(name), kind }
}

/// The client's UID, exactly.
pub const DAV_UID: ExtendedProperty = own("dav-uid");
/// The client's resource name.
pub const DAV_NAME: ExtendedProperty = own("dav-name");
/// The client's text, with fingerprints.
pub const DAV_BODY: ExtendedProperty = own("dav-body");
/// What a write of several calls marks the item with that it creates.
pub const DAV_CREATION: ExtendedProperty = own("dav-creation");
/// Where a long one goes on; items are always asked for it.
pub const DAV_BODY_GOES_ON: [ExtendedProperty; 7] = [
    own("dav-body-2"),
    own("dav-body-3"),
    own("dav-body-4"),
    own("dav-body-5"),
    own("dav-body-6"),
    own("dav-body-7"),
    own("dav-body-8"),
];
/// What clients set on a collection and Exchange has no field for.
pub const DAV_DESCRIPTION: ExtendedProperty = own("dav-description");
/// The collection's colour, `#RRGGBBAA`.
pub const DAV_COLOR: ExtendedProperty = own("dav-color");
/// The collection's place among the others.
pub const DAV_ORDER: ExtendedProperty = own("dav-order");
/// The collection's time zone, as iCalendar text.
pub const DAV_TIMEZONE: ExtendedProperty = own("dav-timezone");
/// When anything in a folder was last committed.
pub const LOCAL_COMMIT_TIME_MAX: ExtendedProperty = tag(0x670A, "SystemTime");
/// How many items were deleted from a folder.
pub const DELETED_COUNT_TOTAL: ExtendedProperty = tag(0x670B, "Integer");
/// PidLidIntendedBusyStatus.
pub const INTENDED_BUSY_STATUS: ExtendedProperty = named("Appointment", 0x8224, "Integer");
/// The meeting link that Teams leaves.
pub const TEAMS_URL: ExtendedProperty = public("SkypeTeamsMeetingUrl", "String");
/// The meeting link that other add-ins leave.
pub const ONLINE_MEETING_EXTERNAL_LINK: ExtendedProperty = public("OnlineMeetingExternalLink", "String");
/// Whether guests may not pass a meeting on. Schemas of 2017 have a field for it, `calendar:DoNotForwardMeeting`, which
/// older servers refuse.
pub const DO_NOT_FORWARD: ExtendedProperty = public("DoNotForward", "Boolean");
/// The resource name that DavMail gave.
pub const URL_COMP_NAME: ExtendedProperty = tag(0x10F3, "String");
/// The UID that DavMail gave to a task.
pub const DAVMAIL_UID: ExtendedProperty = public("urn:schemas:calendar:uid", "String");
/// PidLidCleanGlobalObjectId: the UID in Exchange's form, the same for all occurrences. docs/EXCHANGE.md, UIDs
pub const CLEAN_GLOBAL_OBJECT_ID: ExtendedProperty = named("Meeting", 0x23, "Binary");
/// PidLidPercentComplete: the share that is done, from 0 to 1. Only written. MS-OXOTASK 2.2.2.2.3
pub const TASK_SHARE: ExtendedProperty = named("Task", 0x8102, "Double");
/// PidLidTaskStartDate: a bare day at 00:00Z.
pub const TASK_START: ExtendedProperty = named("Task", 0x8104, "SystemTime");
/// PidLidTaskDueDate: a bare day at 00:00Z.
pub const TASK_DUE: ExtendedProperty = named("Task", 0x8105, "SystemTime");
/// Honorific prefix.
pub const TITLE: ExtendedProperty = tag(0x3A45, "String");
/// 0 unspecified, 1 female, 2 male.
pub const GENDER: ExtendedProperty = tag(0x3A4D, "Short");
/// Personal home page.
pub const PERSONAL_HOME_PAGE: ExtendedProperty = tag(0x3A50, "String");
/// Hobbies.
pub const HOBBIES: ExtendedProperty = tag(0x3A43, "String");
/// Post-office box of the home address.
pub const HOME_PO_BOX: ExtendedProperty = tag(0x3A5E, "String");
/// Post-office box of the other address.
pub const OTHER_PO_BOX: ExtendedProperty = tag(0x3A64, "String");
/// Post-office box of the work address.
pub const WORK_PO_BOX: ExtendedProperty = named("Address", 0x804A, "String");
/// Where free/busy data is.
pub const FREE_BUSY_URL: ExtendedProperty = named("Address", 0x80D8, "String");
/// The second spelling of the business home page.
pub const BUSINESS_HOME_PAGE: ExtendedProperty = tag(0x3A51, "String");
/// PidLidBirthdayLocal: a bare day at 00:00Z.
pub const BIRTHDAY_LOCAL: ExtendedProperty = named("Address", 0x80DE, "SystemTime");
/// PidLidWeddingAnniversaryLocal: a bare day at 00:00Z.
pub const WEDDING_ANNIVERSARY_LOCAL: ExtendedProperty = named("Address", 0x80DF, "SystemTime");
/// The SMTP addresses behind X.500 ones, slot by slot.
pub const ORIGINAL_ADDRESSES: [ExtendedProperty; 3] = [
    named("Address", 0x8084, "String"),
    named("Address", 0x8094, "String"),
    named("Address", 0x80A4, "String"),
];
/// The UID that integration_ews gave.
pub const INTEGRATION_UID: ExtendedProperty = public("DAV:uid", "String");
/// Phonetic given name.
pub const YOMI_GIVEN: ExtendedProperty = named("Address", 0x802C, "String");
/// Phonetic surname.
pub const YOMI_SURNAME: ExtendedProperty = named("Address", 0x802D, "String");
/// Phonetic company.
pub const YOMI_COMPANY: ExtendedProperty = named("Address", 0x802E, "String");
/// Outlook's custom fields 1 to 4.
pub const CUSTOM: [ExtendedProperty; 4] = [
    named("Address", 0x804F, "String"),
    named("Address", 0x8050, "String"),
    named("Address", 0x8051, "String"),
    named("Address", 0x8052, "String"),
];

/// Schemas of requests, by the servers that came with them. Source: Microsoft, "EWS schema versions in Exchange"
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Schema {
    /// `Exchange2007`, `Exchange2007_SP1`
    V2007,
    /// `Exchange2010` and its service packs.
    V2010,
    /// `Exchange2013`, `Exchange2013_SP1`
    V2013,
    /// `Exchange2015`, `Exchange2016` and what came later.
    V2016,
}

impl Schema {
    /// That of a `RequestServerVersion`.
    pub fn of(version: &str) -> Self {
        let year = version.strip_prefix("Exchange").and_then(|rest| rest.get(..4)?.parse::<u32>().ok());
        match year {
            Some(..=2009) => Self::V2007,
            Some(2010..=2012) => Self::V2010,
            Some(2013..=2014) => Self::V2013,
            _ => Self::V2016,
        }
    }

    /// Whether it has a field: a request for one that it does not have is refused as a whole.
    pub fn has(self, uri: &str) -> bool {
        YOUNGER.iter().all(|(known, since)| *known != uri || self >= *since)
    }

    /// Whether it has a value of `calendar:LegacyFreeBusyStatus`. docs/EXCHANGE.md, Calendar items
    pub fn has_busy_status(self, word: &str) -> bool {
        word != "WorkingElsewhere" || self >= Self::V2013
    }
}

/// Fields that came after the first schema: Source: fields.tsv; MS-OXWSMTGS 8, MS-OXWSCONT 8
const YOUNGER: [(&str, Schema); 8] = [
    ("calendar:StartTimeZone", Schema::V2010),
    ("calendar:EndTimeZone", Schema::V2010),
    ("contacts:HasPicture", Schema::V2010),
    ("distributionlist:Members", Schema::V2010),
    ("item:TextBody", Schema::V2013),
    ("calendar:EnhancedLocation", Schema::V2013),
    ("calendar:JoinOnlineMeetingUrl", Schema::V2013),
    ("calendar:IsOrganizer", Schema::V2013),
];

/// Entries of the dictionaries of contacts, for servers that do not give the dictionaries as a whole.
/// MS-OXWSCONT 2.2.5
pub const ENTRIES: &[(&str, &[&str])] = &[
    ("contacts:EmailAddress", &["EmailAddress1", "EmailAddress2", "EmailAddress3"]),
    ("contacts:PhysicalAddress:Street", POSTAL),
    ("contacts:PhysicalAddress:City", POSTAL),
    ("contacts:PhysicalAddress:State", POSTAL),
    ("contacts:PhysicalAddress:CountryOrRegion", POSTAL),
    ("contacts:PhysicalAddress:PostalCode", POSTAL),
    (
        "contacts:PhoneNumber",
        &[
            "AssistantPhone",
            "BusinessFax",
            "BusinessPhone",
            "BusinessPhone2",
            "Callback",
            "CarPhone",
            "CompanyMainPhone",
            "HomeFax",
            "HomePhone",
            "HomePhone2",
            "Isdn",
            "MobilePhone",
            "OtherFax",
            "OtherTelephone",
            "Pager",
            "PrimaryPhone",
            "RadioPhone",
            "Telex",
            "TtyTddPhone",
        ],
    ),
    ("contacts:ImAddress", &["ImAddress1", "ImAddress2", "ImAddress3"]),
];
const POSTAL: &[&str] = &["Business", "Home", "Other"];

/// What GetItem is asked for beside `IdOnly`.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// FieldURIs.
    pub fields: &'static [&'static str],
    /// Extended properties.
    pub extended: &'static [ExtendedProperty],
}

/// Calendar items.
pub const CALENDAR_ITEM: Shape = Shape {
    fields: &[
        "item:Subject",
        "item:Sensitivity",
        "item:Body",
        "item:TextBody",
        "item:Attachments",
        "item:Categories",
        "item:Importance",
        "item:DateTimeCreated",
        "item:ReminderIsSet",
        "item:ReminderMinutesBeforeStart",
        "item:LastModifiedTime",
        "calendar:UID",
        "calendar:Start",
        "calendar:End",
        "calendar:OriginalStart",
        "calendar:IsAllDayEvent",
        "calendar:LegacyFreeBusyStatus",
        "calendar:Location",
        "calendar:IsCancelled",
        "calendar:IsResponseRequested",
        "calendar:CalendarItemType",
        "calendar:MyResponseType",
        "calendar:Organizer",
        "calendar:RequiredAttendees",
        "calendar:OptionalAttendees",
        "calendar:Resources",
        "calendar:AppointmentSequenceNumber",
        "calendar:AppointmentState",
        "calendar:RecurrenceId",
        "calendar:Recurrence",
        "calendar:ModifiedOccurrences",
        "calendar:DeletedOccurrences",
        "calendar:StartTimeZone",
        "calendar:EndTimeZone",
        "calendar:AllowNewTimeProposal",
        "calendar:EnhancedLocation",
        "calendar:JoinOnlineMeetingUrl",
    ],
    extended: &[
        DAV_UID,
        DAV_NAME,
        DAV_CREATION,
        DAV_BODY,
        INTENDED_BUSY_STATUS,
        TEAMS_URL,
        ONLINE_MEETING_EXTERNAL_LINK,
        DO_NOT_FORWARD,
        URL_COMP_NAME,
    ],
};

/// Contacts.
pub const CONTACT: Shape = Shape {
    fields: &[
        "item:Subject",
        "item:Sensitivity",
        "item:Body",
        "item:TextBody",
        "item:Attachments",
        "item:Categories",
        "item:DateTimeCreated",
        "item:LastModifiedTime",
        "contacts:FileAs",
        "contacts:FileAsMapping",
        "contacts:DisplayName",
        "contacts:GivenName",
        "contacts:MiddleName",
        "contacts:Nickname",
        "contacts:CompleteName",
        "contacts:CompanyName",
        "contacts:EmailAddresses",
        "contacts:PhysicalAddresses",
        "contacts:PhoneNumbers",
        "contacts:AssistantName",
        "contacts:Birthday",
        "contacts:BusinessHomePage",
        "contacts:Children",
        "contacts:Department",
        "contacts:Generation",
        "contacts:ImAddresses",
        "contacts:JobTitle",
        "contacts:Manager",
        "contacts:OfficeLocation",
        "contacts:PostalAddressIndex",
        "contacts:Profession",
        "contacts:SpouseName",
        "contacts:Surname",
        "contacts:WeddingAnniversary",
    ],
    extended: &[
        DAV_UID,
        DAV_NAME,
        DAV_CREATION,
        DAV_BODY,
        URL_COMP_NAME,
        TITLE,
        GENDER,
        PERSONAL_HOME_PAGE,
        HOBBIES,
        HOME_PO_BOX,
        OTHER_PO_BOX,
        WORK_PO_BOX,
        FREE_BUSY_URL,
        YOMI_GIVEN,
        YOMI_SURNAME,
        YOMI_COMPANY,
        CUSTOM[0],
        CUSTOM[1],
        CUSTOM[2],
        CUSTOM[3],
        BUSINESS_HOME_PAGE,
        BIRTHDAY_LOCAL,
        WEDDING_ANNIVERSARY_LOCAL,
        ORIGINAL_ADDRESSES[0],
        ORIGINAL_ADDRESSES[1],
        ORIGINAL_ADDRESSES[2],
        INTEGRATION_UID,
    ],
};

/// Distribution lists.
pub const DISTRIBUTION_LIST: Shape = Shape {
    fields: &[
        "item:Subject",
        "item:Sensitivity",
        "item:Body",
        "item:TextBody",
        "item:Categories",
        "item:DateTimeCreated",
        "item:LastModifiedTime",
        "contacts:DisplayName",
        "contacts:FileAs",
        "distributionlist:Members",
    ],
    extended: &[DAV_UID, DAV_NAME, DAV_CREATION, DAV_BODY, URL_COMP_NAME, INTEGRATION_UID],
};

/// Tasks.
pub const TASK: Shape = Shape {
    fields: &[
        "item:Subject",
        "item:Sensitivity",
        "item:Body",
        "item:TextBody",
        "item:Attachments",
        "item:Categories",
        "item:Importance",
        "item:DateTimeCreated",
        "item:ReminderDueBy",
        "item:ReminderIsSet",
        "item:LastModifiedTime",
        "task:CompleteDate",
        "task:DelegationState",
        "task:Delegator",
        "task:DueDate",
        "task:IsComplete",
        "task:Owner",
        "task:PercentComplete",
        "task:Recurrence",
        "task:StartDate",
        "task:Status",
    ],
    extended: &[DAV_UID, DAV_NAME, DAV_CREATION, DAV_BODY, URL_COMP_NAME, DAVMAIL_UID, TASK_START, TASK_DUE],
};
