//! Which product the simulated server is, and how products differ. Where nothing is said, all are alike.
//!
//! Exchange: docs/EXCHANGE.md, Versions; the versions of each field in the reference, Microsoft's build numbers. gromox:
//! what was seen of gromox 3.10, recorded answers and notes of what it does to writes. Not simulated of gromox: its MIME,
//! its views of calendars, its public events, its mails to guests (a guest's calendar is filled as Exchange fills it),
//! attachments that vanish.

use super::element::Element;
use super::field::{self, Field};
use super::item::{ExtendedName, ItemKind};
use super::soap::{Envelope, Fault};
use jiff::{SignedDuration, Timestamp};

/// Products that the server can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Product {
    /// Exchange 2010 SP3.
    #[value(name = "exchange2010")]
    Exchange2010,
    /// Exchange 2013 CU23.
    #[value(name = "exchange2013")]
    Exchange2013,
    /// Exchange 2016.
    #[default]
    #[value(name = "exchange2016")]
    Exchange2016,
    /// Exchange Online.
    #[value(name = "online")]
    Online,
    /// grommunio gromox 3.10.
    #[value(name = "gromox")]
    Gromox,
}

/// What tells a product from others.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is one fact about a product, looked up by name")]
pub struct Traits {
    /// Major and minor version, major and minor build, newest schema.
    version: (u32, u32, u32, u32, &'static str),
    /// The year of the newest `RequestServerVersion` that it takes; `None`: it takes any.
    newest: Option<u32>,
    /// Whether fields are checked against the version that the request names.
    pub checks_versions: bool,
    /// Operations that it does not know.
    missing: &'static [&'static str],
    /// Fields that it does not know or never gives; asking for them is no error.
    unknown: &'static [Field],
    /// Whether faults are those of Exchange: HTTP 500, with a ResponseCode.
    pub has_codes_in_faults: bool,
    /// Whether a stale ChangeKey is refused.
    pub judges_versions: bool,
    /// Whether the change of an occurrence is one of its series.
    pub occurrences_change_series: bool,
    /// Whether InstanceIndex counts deleted occurrences.
    pub counts_deleted: bool,
    /// Whether OriginalStart tells the occurrence; else the midnight that begins its day.
    pub tells_original_start: bool,
    /// Whether attendees are given without IsMeeting.
    pub gives_attendees_alone: bool,
    /// Whether an organiser's MyResponseType is `Organizer`.
    pub knows_organizer: bool,
    /// Whether a new rule takes exceptions with it and leaves the length of the event alone.
    pub rewrites_rules: bool,
    /// Whether an exception can be changed a second time without loss of the deleted occurrences.
    pub keeps_deleted: bool,
    /// Whether what was declined leaves the calendar.
    pub removes_declined: bool,
    /// Whether a SyncState that cannot be read is refused; else all is told anew.
    pub refuses_sync_states: bool,
    /// Whether lists can be created.
    pub takes_lists: bool,
    /// Months of the longest interval that does no harm.
    pub longest_months: Option<u32>,
    /// Properties that are not stored, at creation or at all.
    dropped: &'static [Field],
    dropped_at_creation: &'static [Field],
    /// Properties that cannot be deleted, though nothing says so.
    undeletable: &'static [Field],
    /// Whether the percentage of a task is stored as it is sent by an update.
    pub keeps_percentage: bool,
    /// A request body that is larger than this spoils the next request on its connection.
    pub spoils_after: Option<usize>,
    /// Whether ReminderIsSet can be set to false.
    pub unsets_reminders: bool,
    /// Whether a second answer follows that to a request which was refused as a whole.
    pub answers_faults_twice: bool,
    /// Whether answers are compressed for those who take that.
    pub compresses: bool,
    /// Whether occurrences keep their time of day beyond a change of clocks; else all have the offset of the first.
    pub keeps_wall_clock: bool,
    /// Whether an item may end in another zone than it begins in.
    pub has_end_zones: bool,
    /// Whether times are counted in nanoseconds of 64 bits: days before 1678 are then those of 584 years later.
    pub counts_nanoseconds: bool,
    /// Whether items can be looked for by octets, such as global object ids.
    pub finds_octets: bool,
}

const EXCHANGE: Traits = Traits {
    version: (15, 1, 2507, 39, "V2017_07_11"),
    newest: None,
    checks_versions: true,
    missing: &[],
    unknown: &[],
    has_codes_in_faults: true,
    judges_versions: true,
    occurrences_change_series: true,
    counts_deleted: true,
    tells_original_start: true,
    gives_attendees_alone: true,
    knows_organizer: true,
    rewrites_rules: true,
    keeps_deleted: true,
    removes_declined: true,
    refuses_sync_states: true,
    takes_lists: true,
    longest_months: None,
    dropped: &[],
    dropped_at_creation: &[],
    undeletable: &[],
    keeps_percentage: true,
    spoils_after: None,
    unsets_reminders: true,
    answers_faults_twice: false,
    compresses: true,
    keeps_wall_clock: true,
    has_end_zones: true,
    counts_nanoseconds: false,
    finds_octets: true,
};

static EXCHANGE_2010: Traits =
    Traits { version: (14, 3, 513, 0, "Exchange2010_SP2"), newest: Some(2010), ..EXCHANGE };
static EXCHANGE_2013: Traits =
    Traits { version: (15, 0, 1497, 48, "Exchange2013_SP1"), newest: Some(2013), ..EXCHANGE };
static EXCHANGE_2016: Traits = EXCHANGE;
static ONLINE: Traits = Traits { version: (15, 20, 8769, 25, "V2018_01_08"), ..EXCHANGE };
static GROMOX: Traits = Traits {
    version: (15, 0, 847, 4040, "V2017_07_11"),
    newest: None,
    checks_versions: false,
    missing: &["GetServerTimeZones"],
    unknown: &[
        field::TEXT_BODY,
        field::EMAIL_ADDRESSES,
        field::PHONE_NUMBERS,
        field::PHYSICAL_ADDRESSES,
        field::IM_ADDRESSES,
        field::HAS_PICTURE,
        field::ORIGINAL_START,
        field::RECURRENCE_ID,
        field::DATE_TIME_STAMP,
        field::FIRST_OCCURRENCE,
        field::LAST_OCCURRENCE,
        field::MEETING_REQUEST_WAS_SENT,
    ],
    has_codes_in_faults: false,
    judges_versions: false,
    occurrences_change_series: false,
    counts_deleted: false,
    tells_original_start: false,
    gives_attendees_alone: false,
    knows_organizer: false,
    rewrites_rules: false,
    keeps_deleted: false,
    removes_declined: false,
    refuses_sync_states: false,
    takes_lists: false,
    longest_months: Some(12),
    dropped: &[field::TASK_RECURRENCE, field::ENHANCED_LOCATION],
    dropped_at_creation: &[field::IM_ADDRESSES],
    undeletable: &[field::BODY],
    keeps_percentage: false,
    spoils_after: Some(64 << 10),
    unsets_reminders: false,
    answers_faults_twice: true,
    compresses: false,
    keeps_wall_clock: false,
    has_end_zones: false,
    counts_nanoseconds: true,
    finds_octets: false,
};

/// Fields by the year of the schema that they came with. Source: fields.tsv; MS-OXWSMTGS 8
const SINCE: &[(&str, u32)] = &[
    ("calendar:StartTimeZone", 2010),
    ("calendar:EndTimeZone", 2010),
    ("contacts:Alias", 2010),
    ("contacts:DirectReports", 2010),
    ("contacts:DirectoryId", 2010),
    ("contacts:ManagerMailbox", 2010),
    ("contacts:MSExchangeCertificate", 2010),
    ("contacts:Notes", 2010),
    ("contacts:PhoneticFirstName", 2010),
    ("contacts:PhoneticFullName", 2010),
    ("contacts:PhoneticLastName", 2010),
    ("contacts:Photo", 2010),
    ("contacts:UserSMIMECertificate", 2010),
    ("item:StoreEntryId", 2010),
    ("item:WebClientEditFormQueryString", 2010),
    ("item:WebClientReadFormQueryString", 2010),
    ("item:ArchiveTag", 2013),
    ("item:EntityExtractionResult", 2013),
    ("item:MimeContentUTF8", 2013),
    ("item:PolicyTag", 2013),
    ("item:RetentionDate", 2013),
    ("item:Hashtags", 2015),
    ("item:MentionedMe", 2015),
    ("item:Mentions", 2015),
    ("contacts:HasPicture", 2010),
    ("distributionlist:Members", 2010),
    ("item:IsAssociated", 2010),
    ("item:ConversationId", 2010),
    ("item:UniqueBody", 2010),
    ("item:InstanceKey", 2013),
    ("item:NormalizedBody", 2013),
    ("item:Flag", 2013),
    ("item:Preview", 2013),
    ("item:TextBody", 2013),
    ("item:IconIndex", 2013),
    ("calendar:EnhancedLocation", 2013),
    ("calendar:JoinOnlineMeetingUrl", 2013),
    ("calendar:OnlineMeetingSettings", 2013),
    ("calendar:IsOrganizer", 2013),
    ("calendar:StartWallClock", 2013),
    ("calendar:EndWallClock", 2013),
    ("calendar:StartTimeZoneId", 2013),
    ("calendar:EndTimeZoneId", 2013),
];

/// The year of a `RequestServerVersion`; without one behaviour is the oldest. docs/EXCHANGE.md, Versions
fn year(version: Option<&str>) -> u32 {
    let Some(version) = version else { return 2007 };
    version.trim_start_matches("Exchange").get(..4).and_then(|year| year.parse().ok()).unwrap_or(2016)
}

impl Product {
    /// What tells it from others.
    pub fn traits(self) -> &'static Traits {
        match self {
            Self::Exchange2010 => &EXCHANGE_2010,
            Self::Exchange2013 => &EXCHANGE_2013,
            Self::Exchange2016 => &EXCHANGE_2016,
            Self::Online => &ONLINE,
            Self::Gromox => &GROMOX,
        }
    }
}

impl Traits {
    /// The attributes of `ServerVersionInfo`.
    pub fn version(&self) -> String {
        let (major, minor, build, revision, schema) = self.version;
        format!(
            "MajorVersion=\"{major}\" MinorVersion=\"{minor}\" MajorBuildNumber=\"{build}\" \
             MinorBuildNumber=\"{revision}\" Version=\"{schema}\""
        )
    }

    /// Refuses a request as a whole that this product does not know, or that names what its version does not have.
    pub fn check(&self, envelope: &Envelope) -> Result<(), Fault> {
        let name = envelope.body.name;
        if self.missing.contains(&name) {
            return Err(Fault::new("Server", format!("Unknown request '{name}'.")));
        }
        let asked = envelope.header("RequestServerVersion").and_then(|header| header.attribute("Version"));
        let year = year(asked);
        if self.newest.is_some_and(|newest| year > newest) {
            return Err(Fault::new("ErrorInvalidServerVersion", "The specified server version is invalid."));
        }
        if self.checks_versions {
            check_fields(&envelope.body, year)
        } else {
            self.check_writes(&envelope.body)
        }
    }

    /// Whether asking for it gives nothing.
    pub fn is_unknown(&self, field: Field) -> bool {
        self.unknown.contains(&field)
    }

    /// Whether what is written there is not stored.
    pub fn drops(&self, kind: ItemKind, field: Field, is_creation: bool) -> bool {
        let task_reminder = [field::REMINDER_DUE_BY, field::REMINDER_IS_SET];
        self.dropped.contains(&field)
            || is_creation && self.dropped_at_creation.contains(&field)
            || !self.dropped.is_empty() && kind == ItemKind::Task && task_reminder.contains(&field)
    }

    /// Whether an extended property is not stored: Yomi names. MS-OXPROPS 2.363
    pub fn drops_extended(&self, name: &ExtendedName) -> bool {
        !self.dropped.is_empty() && matches!(name, ExtendedName::Id(_, 0x802C..=0x802E))
    }

    /// A time as it is stored. Seen: gromox 3.10 makes 2188 of 1604
    pub fn stored(&self, at: Timestamp) -> Timestamp {
        let turn = SignedDuration::from_nanos_i128(1 << 64);
        if self.counts_nanoseconds && i64::try_from(at.as_nanosecond()).is_err() {
            return at.checked_add(turn).unwrap_or(at);
        }
        at
    }

    /// Whether deleting it does nothing.
    pub fn is_undeletable(&self, field: Field) -> bool {
        self.undeletable.contains(&field)
    }

    fn check_writes(&self, body: &Element) -> Result<(), Fault> {
        if !self.takes_lists && body.name == "CreateItem" && holds(body, &|e| e.name == "DistributionList") {
            let text = "E-3045: failed to find proper type for node 'DistributionList'";
            return Err(Fault::new("Client", text));
        }
        let monthly = ["AbsoluteMonthlyRecurrence", "RelativeMonthlyRecurrence"];
        let is_long = |element: &Element| {
            let interval = element.child_text("Interval").and_then(|text| text.trim().parse::<u32>().ok());
            monthly.contains(&element.name)
                && self.longest_months.zip(interval).is_some_and(|(longest, months)| months > longest)
        };
        if holds(body, &is_long) {
            return Err(Fault::new("Server", "E-3300: internal error"));
        }
        Ok(())
    }
}

fn holds(element: &Element, is: &impl Fn(&Element) -> bool) -> bool {
    is(element) || element.children.iter().any(|child| holds(child, is))
}

/// A field that came with a later version is no value of the schema's enumeration of paths.
fn check_fields(element: &Element, year: u32) -> Result<(), Fault> {
    let uri = element.attribute("FieldURI");
    let is_path = ["FieldURI", "IndexedFieldURI"].contains(&element.name);
    let wanted = SINCE.iter().find(|(known, since)| {
        let local = known.rsplit(':').next();
        let is_value = known.starts_with("calendar:") && local == Some(element.name);
        *since > year && (is_path && uri == Some(*known) || is_value)
    });
    let is_status = element.name == "LegacyFreeBusyStatus" && element.text.trim() == "WorkingElsewhere";
    if let Some((name, _)) = wanted.or(Some(&("WorkingElsewhere", 2013)).filter(|_| is_status && year < 2013))
    {
        let text = format!(
            "The request failed schema validation: The 'FieldURI' attribute is invalid - The value '{name}' is \
             invalid according to its datatype - The Enumeration constraint failed."
        );
        return Err(Fault::new("ErrorSchemaValidation", text));
    }
    element.children.iter().try_for_each(|child| check_fields(child, year))
}
