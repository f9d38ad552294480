//! Extended properties, and the schemas of requests.

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
/// The post-office box of a postal address, by its kind.
pub const fn po_box(kind: &str) -> ExtendedProperty {
    match kind.as_bytes() {
        b"Home" => tag(0x3A5E, "String"),
        b"Business" => named("Address", 0x804A, "String"),
        _ => tag(0x3A64, "String"),
    }
}
/// Where free/busy data is.
pub const FREE_BUSY_URL: ExtendedProperty = named("Address", 0x80D8, "String");
/// The second spelling of the business home page.
pub const BUSINESS_HOME_PAGE: ExtendedProperty = tag(0x3A51, "String");
/// PidLidBirthdayLocal: a bare day at 00:00Z.
pub const BIRTHDAY_LOCAL: ExtendedProperty = named("Address", 0x80DE, "SystemTime");
/// PidLidWeddingAnniversaryLocal: a bare day at 00:00Z.
pub const WEDDING_ANNIVERSARY_LOCAL: ExtendedProperty = named("Address", 0x80DF, "SystemTime");
/// The SMTP address behind an X.500 one, by the slot that holds that.
pub const fn original_address(slot: &str) -> ExtendedProperty {
    // The slots differ in their last character alone.
    let number = match slot.as_bytes().last() {
        Some(b'2') => 0x8094,
        Some(b'3') => 0x80A4,
        _ => 0x8084,
    };
    named("Address", number, "String")
}
/// The UID that integration_ews gave.
pub const INTEGRATION_UID: ExtendedProperty = public("DAV:uid", "String");
/// Phonetic given name.
pub const YOMI_GIVEN: ExtendedProperty = named("Address", 0x802C, "String");
/// Phonetic surname.
pub const YOMI_SURNAME: ExtendedProperty = named("Address", 0x802D, "String");
/// Phonetic company.
pub const YOMI_COMPANY: ExtendedProperty = named("Address", 0x802E, "String");
/// One of Outlook's four custom fields, from 0.
pub const fn custom(number: usize) -> ExtendedProperty {
    let number = match number {
        0 => 0x804F,
        1 => 0x8050,
        2 => 0x8051,
        _ => 0x8052,
    };
    named("Address", number, "String")
}

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

    /// Whether it has a word of busy status, `calendar:LegacyFreeBusyStatus`. docs/EXCHANGE.md, Calendar items
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
