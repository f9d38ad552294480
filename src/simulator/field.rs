//! Properties of items: field URI, element, class, kind of value and what a client may do with it.
//!
//! The rows stand in the order of the schema's sequences (first those of `ItemType`, then those of each class), so
//! that walking the table writes elements in a valid order. Source: MS-OXWSCORE 2.2.4.24, MS-OXWSMTGS 2.2.4.9,
//! MS-OXWSCONT 2.2.4.2, MS-OXWSDLIST 2.2.4.1, MS-OXWSTASK 2.2.4.6, MS-OXWSMSG 2.2.4.1.

use super::item::ItemKind;

/// A property that has a field URI: its row in [`TABLE`]. Orders by the schema's sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field(u16);

/// Which items have the property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Every item.
    Item,
    /// E-mail messages.
    Message,
    /// Mails about meetings.
    Meeting,
    /// Invitations.
    Request,
    /// Calendar items.
    Calendar,
    /// Contacts.
    Contact,
    /// Private distribution lists.
    List,
    /// Tasks.
    Task,
}

/// The form of a property's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// A string.
    Text,
    /// An `xs:dateTime`; stored in UTC with `Z`.
    Time,
    /// `true` or `false`.
    Flag,
    /// A number.
    Number,
    /// One of a fixed list of words.
    Choice,
    /// Elements or attributes below.
    Tree,
}

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    /// The `FieldURI` of requests.
    pub uri: &'static str,
    /// The element's local name.
    pub element: &'static str,
    /// Which items have it.
    pub class: Class,
    /// The form of its value.
    pub kind: ValueKind,
    /// `S`et on creation, `U`pdated, `D`eleted, `F`ound or sorted by.
    access: &'static str,
}

macro_rules! fields {
    ($($name:ident = $uri:literal, $element:literal, $class:ident, $kind:ident, $access:literal;)+) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[derive(Clone, Copy)]
        enum Position { $($name),+ }
        $(
            #[doc = concat!("`", $uri, "`")]
            pub const $name: Field = Field(Position::$name as u16);
        )+
        /// All properties in schema order.
        pub static TABLE: &[Row] = &[
            $(Row { uri: $uri, element: $element, class: Class::$class, kind: ValueKind::$kind, access: $access }),+
        ];
    };
}

fields! {
    MIME_CONTENT = "item:MimeContent", "MimeContent", Item, Tree, "SU--";
    ITEM_ID = "item:ItemId", "ItemId", Item, Tree, "---F";
    PARENT_FOLDER_ID = "item:ParentFolderId", "ParentFolderId", Item, Tree, "---F";
    ITEM_CLASS = "item:ItemClass", "ItemClass", Item, Text, "SU-F";
    SUBJECT = "item:Subject", "Subject", Item, Text, "SUDF";
    SENSITIVITY = "item:Sensitivity", "Sensitivity", Item, Choice, "SU-F";
    BODY = "item:Body", "Body", Item, Tree, "SUD-";
    ATTACHMENTS = "item:Attachments", "Attachments", Item, Tree, "----";
    DATE_TIME_RECEIVED = "item:DateTimeReceived", "DateTimeReceived", Item, Time, "---F";
    SIZE = "item:Size", "Size", Item, Number, "---F";
    CATEGORIES = "item:Categories", "Categories", Item, Tree, "SUDF";
    IMPORTANCE = "item:Importance", "Importance", Item, Choice, "SU-F";
    IN_REPLY_TO = "item:InReplyTo", "InReplyTo", Item, Text, "SUDF";
    IS_SUBMITTED = "item:IsSubmitted", "IsSubmitted", Item, Flag, "---F";
    IS_DRAFT = "item:IsDraft", "IsDraft", Item, Flag, "---F";
    IS_FROM_ME = "item:IsFromMe", "IsFromMe", Item, Flag, "---F";
    IS_RESEND = "item:IsResend", "IsResend", Item, Flag, "---F";
    IS_UNMODIFIED = "item:IsUnmodified", "IsUnmodified", Item, Flag, "---F";
    INTERNET_MESSAGE_HEADERS = "item:InternetMessageHeaders", "InternetMessageHeaders", Item, Tree, "----";
    DATE_TIME_SENT = "item:DateTimeSent", "DateTimeSent", Item, Time, "---F";
    DATE_TIME_CREATED = "item:DateTimeCreated", "DateTimeCreated", Item, Time, "---F";
    RESPONSE_OBJECTS = "item:ResponseObjects", "ResponseObjects", Item, Tree, "----";
    REMINDER_DUE_BY = "item:ReminderDueBy", "ReminderDueBy", Item, Time, "SU-F";
    REMINDER_IS_SET = "item:ReminderIsSet", "ReminderIsSet", Item, Flag, "SU-F";
    REMINDER_NEXT_TIME = "item:ReminderNextTime", "ReminderNextTime", Item, Time, "---F";
    REMINDER_MINUTES_BEFORE_START = "item:ReminderMinutesBeforeStart", "ReminderMinutesBeforeStart", Item, Number, "SU-F";
    DISPLAY_CC = "item:DisplayCc", "DisplayCc", Item, Text, "---F";
    DISPLAY_TO = "item:DisplayTo", "DisplayTo", Item, Text, "---F";
    DISPLAY_BCC = "item:DisplayBcc", "DisplayBcc", Item, Text, "---F";
    HAS_ATTACHMENTS = "item:HasAttachments", "HasAttachments", Item, Flag, "---F";
    EXTENDED_PROPERTIES = "item:ExtendedProperty", "ExtendedProperty", Item, Tree, "----";
    CULTURE = "item:Culture", "Culture", Item, Text, "SUDF";
    EFFECTIVE_RIGHTS = "item:EffectiveRights", "EffectiveRights", Item, Tree, "---F";
    LAST_MODIFIED_NAME = "item:LastModifiedName", "LastModifiedName", Item, Text, "---F";
    LAST_MODIFIED_TIME = "item:LastModifiedTime", "LastModifiedTime", Item, Time, "---F";
    IS_ASSOCIATED = "item:IsAssociated", "IsAssociated", Item, Flag, "S--F";
    WEB_CLIENT_READ_FORM_QUERY_STRING = "item:WebClientReadFormQueryString", "WebClientReadFormQueryString", Item, Text, "---F";
    WEB_CLIENT_EDIT_FORM_QUERY_STRING = "item:WebClientEditFormQueryString", "WebClientEditFormQueryString", Item, Text, "---F";
    CONVERSATION_ID = "item:ConversationId", "ConversationId", Item, Tree, "---F";
    UNIQUE_BODY = "item:UniqueBody", "UniqueBody", Item, Tree, "----";
    FLAG = "item:Flag", "Flag", Item, Tree, "SU-F";
    STORE_ENTRY_ID = "item:StoreEntryId", "StoreEntryId", Item, Text, "---F";
    INSTANCE_KEY = "item:InstanceKey", "InstanceKey", Item, Text, "---F";
    TEXT_BODY = "item:TextBody", "TextBody", Item, Tree, "----";
    SENDER = "message:Sender", "Sender", Message, Tree, "S--F";
    TO_RECIPIENTS = "message:ToRecipients", "ToRecipients", Message, Tree, "SUD-";
    CC_RECIPIENTS = "message:CcRecipients", "CcRecipients", Message, Tree, "SUD-";
    BCC_RECIPIENTS = "message:BccRecipients", "BccRecipients", Message, Tree, "SUD-";
    IS_READ_RECEIPT_REQUESTED = "message:IsReadReceiptRequested", "IsReadReceiptRequested", Message, Flag, "SUDF";
    IS_DELIVERY_RECEIPT_REQUESTED = "message:IsDeliveryReceiptRequested", "IsDeliveryReceiptRequested", Message, Flag, "SUDF";
    CONVERSATION_INDEX = "message:ConversationIndex", "ConversationIndex", Message, Text, "---F";
    CONVERSATION_TOPIC = "message:ConversationTopic", "ConversationTopic", Message, Text, "---F";
    FROM = "message:From", "From", Message, Tree, "SUDF";
    INTERNET_MESSAGE_ID = "message:InternetMessageId", "InternetMessageId", Message, Text, "SU-F";
    IS_READ = "message:IsRead", "IsRead", Message, Flag, "SU-F";
    IS_RESPONSE_REQUESTED = "message:IsResponseRequested", "IsResponseRequested", Message, Flag, "SUDF";
    REFERENCES = "message:References", "References", Message, Text, "SUDF";
    REPLY_TO = "message:ReplyTo", "ReplyTo", Message, Tree, "SUD-";
    RECEIVED_BY = "message:ReceivedBy", "ReceivedBy", Message, Tree, "---F";
    RECEIVED_REPRESENTING = "message:ReceivedRepresenting", "ReceivedRepresenting", Message, Tree, "---F";
    ASSOCIATED_CALENDAR_ITEM_ID = "meeting:AssociatedCalendarItemId", "AssociatedCalendarItemId", Meeting, Tree, "---F";
    HAS_BEEN_PROCESSED = "meeting:HasBeenProcessed", "HasBeenProcessed", Meeting, Flag, "---F";
    RESPONSE_TYPE = "meeting:ResponseType", "ResponseType", Meeting, Choice, "---F";
    MEETING_UID = "calendar:UID", "UID", Meeting, Text, "---F";
    MEETING_RECURRENCE_ID = "calendar:RecurrenceId", "RecurrenceId", Meeting, Time, "---F";
    MEETING_REQUEST_TYPE = "meetingRequest:MeetingRequestType", "MeetingRequestType", Request, Choice, "---F";
    MEETING_START = "calendar:Start", "Start", Meeting, Time, "---F";
    MEETING_END = "calendar:End", "End", Meeting, Time, "---F";
    MEETING_LOCATION = "calendar:Location", "Location", Meeting, Text, "---F";
    UID = "calendar:UID", "UID", Calendar, Text, "SU-F";
    RECURRENCE_ID = "calendar:RecurrenceId", "RecurrenceId", Calendar, Time, "SUDF";
    DATE_TIME_STAMP = "calendar:DateTimeStamp", "DateTimeStamp", Calendar, Time, "SU-F";
    START = "calendar:Start", "Start", Calendar, Time, "SU-F";
    END = "calendar:End", "End", Calendar, Time, "SU-F";
    ORIGINAL_START = "calendar:OriginalStart", "OriginalStart", Calendar, Time, "----";
    IS_ALL_DAY_EVENT = "calendar:IsAllDayEvent", "IsAllDayEvent", Calendar, Flag, "SU-F";
    LEGACY_FREE_BUSY_STATUS = "calendar:LegacyFreeBusyStatus", "LegacyFreeBusyStatus", Calendar, Choice, "SU-F";
    LOCATION = "calendar:Location", "Location", Calendar, Text, "SUDF";
    WHEN = "calendar:When", "When", Calendar, Text, "SUDF";
    IS_MEETING = "calendar:IsMeeting", "IsMeeting", Calendar, Flag, "---F";
    IS_CANCELLED = "calendar:IsCancelled", "IsCancelled", Calendar, Flag, "---F";
    IS_RECURRING = "calendar:IsRecurring", "IsRecurring", Calendar, Flag, "---F";
    MEETING_REQUEST_WAS_SENT = "calendar:MeetingRequestWasSent", "MeetingRequestWasSent", Calendar, Flag, "---F";
    CALENDAR_IS_RESPONSE_REQUESTED = "calendar:IsResponseRequested", "IsResponseRequested", Calendar, Flag, "SU-F";
    CALENDAR_ITEM_TYPE = "calendar:CalendarItemType", "CalendarItemType", Calendar, Choice, "---F";
    MY_RESPONSE_TYPE = "calendar:MyResponseType", "MyResponseType", Calendar, Choice, "SU-F";
    ORGANIZER = "calendar:Organizer", "Organizer", Calendar, Tree, "---F";
    REQUIRED_ATTENDEES = "calendar:RequiredAttendees", "RequiredAttendees", Calendar, Tree, "SUD-";
    OPTIONAL_ATTENDEES = "calendar:OptionalAttendees", "OptionalAttendees", Calendar, Tree, "SUD-";
    RESOURCES = "calendar:Resources", "Resources", Calendar, Tree, "SUD-";
    CONFLICTING_MEETING_COUNT = "calendar:ConflictingMeetingCount", "ConflictingMeetingCount", Calendar, Number, "----";
    ADJACENT_MEETING_COUNT = "calendar:AdjacentMeetingCount", "AdjacentMeetingCount", Calendar, Number, "----";
    CONFLICTING_MEETINGS = "calendar:ConflictingMeetings", "ConflictingMeetings", Calendar, Tree, "----";
    ADJACENT_MEETINGS = "calendar:AdjacentMeetings", "AdjacentMeetings", Calendar, Tree, "----";
    DURATION = "calendar:Duration", "Duration", Calendar, Text, "---F";
    TIME_ZONE = "calendar:TimeZone", "TimeZone", Calendar, Text, "---F";
    APPOINTMENT_REPLY_TIME = "calendar:AppointmentReplyTime", "AppointmentReplyTime", Calendar, Time, "---F";
    APPOINTMENT_SEQUENCE_NUMBER = "calendar:AppointmentSequenceNumber", "AppointmentSequenceNumber", Calendar, Number, "----";
    APPOINTMENT_STATE = "calendar:AppointmentState", "AppointmentState", Calendar, Number, "---F";
    RECURRENCE = "calendar:Recurrence", "Recurrence", Calendar, Tree, "SUD-";
    FIRST_OCCURRENCE = "calendar:FirstOccurrence", "FirstOccurrence", Calendar, Tree, "----";
    LAST_OCCURRENCE = "calendar:LastOccurrence", "LastOccurrence", Calendar, Tree, "----";
    MODIFIED_OCCURRENCES = "calendar:ModifiedOccurrences", "ModifiedOccurrences", Calendar, Tree, "----";
    DELETED_OCCURRENCES = "calendar:DeletedOccurrences", "DeletedOccurrences", Calendar, Tree, "----";
    MEETING_TIME_ZONE = "calendar:MeetingTimeZone", "MeetingTimeZone", Calendar, Tree, "SUD-";
    START_TIME_ZONE = "calendar:StartTimeZone", "StartTimeZone", Calendar, Tree, "SU-F";
    END_TIME_ZONE = "calendar:EndTimeZone", "EndTimeZone", Calendar, Tree, "SU-F";
    CONFERENCE_TYPE = "calendar:ConferenceType", "ConferenceType", Calendar, Number, "SU-F";
    ALLOW_NEW_TIME_PROPOSAL = "calendar:AllowNewTimeProposal", "AllowNewTimeProposal", Calendar, Flag, "SU-F";
    IS_ONLINE_MEETING = "calendar:IsOnlineMeeting", "IsOnlineMeeting", Calendar, Flag, "SU-F";
    MEETING_WORKSPACE_URL = "calendar:MeetingWorkspaceUrl", "MeetingWorkspaceUrl", Calendar, Text, "SUDF";
    NET_SHOW_URL = "calendar:NetShowUrl", "NetShowUrl", Calendar, Text, "SUDF";
    ENHANCED_LOCATION = "calendar:EnhancedLocation", "EnhancedLocation", Calendar, Tree, "SUD-";
    START_WALL_CLOCK = "calendar:StartWallClock", "StartWallClock", Calendar, Time, "---F";
    END_WALL_CLOCK = "calendar:EndWallClock", "EndWallClock", Calendar, Time, "---F";
    START_TIME_ZONE_ID = "calendar:StartTimeZoneId", "StartTimeZoneId", Calendar, Text, "---F";
    END_TIME_ZONE_ID = "calendar:EndTimeZoneId", "EndTimeZoneId", Calendar, Text, "---F";
    INTENDED_FREE_BUSY_STATUS = "calendar:IntendedFreeBusyStatus", "IntendedFreeBusyStatus", Calendar, Choice, "SU-F";
    JOIN_ONLINE_MEETING_URL = "calendar:JoinOnlineMeetingUrl", "JoinOnlineMeetingUrl", Calendar, Text, "---F";
    ONLINE_MEETING_SETTINGS = "calendar:OnlineMeetingSettings", "OnlineMeetingSettings", Calendar, Tree, "---F";
    IS_ORGANIZER = "calendar:IsOrganizer", "IsOrganizer", Calendar, Flag, "---F";
    FILE_AS = "contacts:FileAs", "FileAs", Contact, Text, "SUDF";
    FILE_AS_MAPPING = "contacts:FileAsMapping", "FileAsMapping", Contact, Choice, "SUDF";
    DISPLAY_NAME = "contacts:DisplayName", "DisplayName", Contact, Text, "SUDF";
    GIVEN_NAME = "contacts:GivenName", "GivenName", Contact, Text, "SUDF";
    INITIALS = "contacts:Initials", "Initials", Contact, Text, "SUDF";
    MIDDLE_NAME = "contacts:MiddleName", "MiddleName", Contact, Text, "SUDF";
    NICKNAME = "contacts:Nickname", "Nickname", Contact, Text, "SUDF";
    COMPLETE_NAME = "contacts:CompleteName", "CompleteName", Contact, Tree, "---F";
    COMPANY_NAME = "contacts:CompanyName", "CompanyName", Contact, Text, "SUDF";
    EMAIL_ADDRESSES = "contacts:EmailAddresses", "EmailAddresses", Contact, Tree, "SU--";
    PHYSICAL_ADDRESSES = "contacts:PhysicalAddresses", "PhysicalAddresses", Contact, Tree, "SU--";
    PHONE_NUMBERS = "contacts:PhoneNumbers", "PhoneNumbers", Contact, Tree, "SU--";
    ASSISTANT_NAME = "contacts:AssistantName", "AssistantName", Contact, Text, "SUDF";
    BIRTHDAY = "contacts:Birthday", "Birthday", Contact, Time, "SUDF";
    BUSINESS_HOME_PAGE = "contacts:BusinessHomePage", "BusinessHomePage", Contact, Text, "SUDF";
    CHILDREN = "contacts:Children", "Children", Contact, Tree, "SUDF";
    COMPANIES = "contacts:Companies", "Companies", Contact, Tree, "SUDF";
    CONTACT_SOURCE = "contacts:ContactSource", "ContactSource", Contact, Choice, "---F";
    DEPARTMENT = "contacts:Department", "Department", Contact, Text, "SUDF";
    GENERATION = "contacts:Generation", "Generation", Contact, Text, "SUDF";
    IM_ADDRESSES = "contacts:ImAddresses", "ImAddresses", Contact, Tree, "SU--";
    JOB_TITLE = "contacts:JobTitle", "JobTitle", Contact, Text, "SUDF";
    MANAGER = "contacts:Manager", "Manager", Contact, Text, "SUDF";
    MILEAGE = "contacts:Mileage", "Mileage", Contact, Text, "SUDF";
    OFFICE_LOCATION = "contacts:OfficeLocation", "OfficeLocation", Contact, Text, "SUDF";
    POSTAL_ADDRESS_INDEX = "contacts:PostalAddressIndex", "PostalAddressIndex", Contact, Choice, "SUDF";
    PROFESSION = "contacts:Profession", "Profession", Contact, Text, "SUDF";
    SPOUSE_NAME = "contacts:SpouseName", "SpouseName", Contact, Text, "SUDF";
    SURNAME = "contacts:Surname", "Surname", Contact, Text, "SUDF";
    WEDDING_ANNIVERSARY = "contacts:WeddingAnniversary", "WeddingAnniversary", Contact, Time, "SUDF";
    HAS_PICTURE = "contacts:HasPicture", "HasPicture", Contact, Flag, "---F";
    PHONETIC_FULL_NAME = "contacts:PhoneticFullName", "PhoneticFullName", Contact, Text, "---F";
    PHONETIC_FIRST_NAME = "contacts:PhoneticFirstName", "PhoneticFirstName", Contact, Text, "---F";
    PHONETIC_LAST_NAME = "contacts:PhoneticLastName", "PhoneticLastName", Contact, Text, "---F";
    ALIAS = "contacts:Alias", "Alias", Contact, Text, "---F";
    NOTES = "contacts:Notes", "Notes", Contact, Text, "---F";
    PHOTO = "contacts:Photo", "Photo", Contact, Text, "---F";
    USER_SMIME_CERTIFICATE = "contacts:UserSMIMECertificate", "UserSMIMECertificate", Contact, Tree, "---F";
    MS_EXCHANGE_CERTIFICATE = "contacts:MSExchangeCertificate", "MSExchangeCertificate", Contact, Tree, "---F";
    DIRECTORY_ID = "contacts:DirectoryId", "DirectoryId", Contact, Text, "---F";
    MANAGER_MAILBOX = "contacts:ManagerMailbox", "ManagerMailbox", Contact, Tree, "---F";
    DIRECT_REPORTS = "contacts:DirectReports", "DirectReports", Contact, Tree, "---F";
    LIST_DISPLAY_NAME = "contacts:DisplayName", "DisplayName", List, Text, "SUDF";
    LIST_FILE_AS = "contacts:FileAs", "FileAs", List, Text, "SUDF";
    LIST_CONTACT_SOURCE = "contacts:ContactSource", "ContactSource", List, Choice, "---F";
    MEMBERS = "distributionlist:Members", "Members", List, Tree, "SU--";
    ACTUAL_WORK = "task:ActualWork", "ActualWork", Task, Number, "SUDF";
    ASSIGNED_TIME = "task:AssignedTime", "AssignedTime", Task, Time, "---F";
    BILLING_INFORMATION = "task:BillingInformation", "BillingInformation", Task, Text, "SUDF";
    CHANGE_COUNT = "task:ChangeCount", "ChangeCount", Task, Number, "---F";
    TASK_COMPANIES = "task:Companies", "Companies", Task, Tree, "SUDF";
    COMPLETE_DATE = "task:CompleteDate", "CompleteDate", Task, Time, "SUDF";
    CONTACTS = "task:Contacts", "Contacts", Task, Tree, "SUDF";
    DELEGATION_STATE = "task:DelegationState", "DelegationState", Task, Choice, "---F";
    DELEGATOR = "task:Delegator", "Delegator", Task, Text, "---F";
    DUE_DATE = "task:DueDate", "DueDate", Task, Time, "SUDF";
    IS_ASSIGNMENT_EDITABLE = "task:IsAssignmentEditable", "IsAssignmentEditable", Task, Number, "---F";
    IS_COMPLETE = "task:IsComplete", "IsComplete", Task, Flag, "---F";
    TASK_IS_RECURRING = "task:IsRecurring", "IsRecurring", Task, Flag, "---F";
    IS_TEAM_TASK = "task:IsTeamTask", "IsTeamTask", Task, Flag, "---F";
    TASK_MILEAGE = "task:Mileage", "Mileage", Task, Text, "SUDF";
    OWNER = "task:Owner", "Owner", Task, Text, "---F";
    PERCENT_COMPLETE = "task:PercentComplete", "PercentComplete", Task, Number, "SU-F";
    TASK_RECURRENCE = "task:Recurrence", "Recurrence", Task, Tree, "SUD-";
    START_DATE = "task:StartDate", "StartDate", Task, Time, "SUDF";
    STATUS = "task:Status", "Status", Task, Choice, "SU-F";
    STATUS_DESCRIPTION = "task:StatusDescription", "StatusDescription", Task, Text, "---F";
    TOTAL_WORK = "task:TotalWork", "TotalWork", Task, Number, "SUDF";
}

impl Field {
    /// The field of an item of that kind which carries the URI.
    pub fn of_uri(kind: ItemKind, uri: &str) -> Option<Field> {
        Field::find(|row| row.uri == uri && kind.has(row.class)).or_else(|| Field::find(|row| row.uri == uri))
    }

    /// The field of an item of that kind which is written as that element.
    pub fn of_element(kind: ItemKind, element: &str) -> Option<Field> {
        Field::find(|row| row.element == element && kind.has(row.class))
    }

    /// All fields of items of that kind, in schema order.
    pub fn all(kind: ItemKind) -> impl Iterator<Item = Field> {
        (0u16..).zip(TABLE).filter(move |(_, row)| kind.has(row.class)).map(|(position, _)| Field(position))
    }

    fn find(wanted: impl Fn(&Row) -> bool) -> Option<Field> {
        (0u16..).zip(TABLE).find(|(_, row)| wanted(row)).map(|(position, _)| Field(position))
    }

    /// Its row.
    pub fn row(self) -> &'static Row {
        static NONE: Row =
            Row { uri: "", element: "", class: Class::Item, kind: ValueKind::Text, access: "----" };
        TABLE.get(usize::from(self.0)).unwrap_or(&NONE)
    }

    /// The element's local name.
    pub fn element(self) -> &'static str {
        self.row().element
    }
}

impl Row {
    /// Whether CreateItem may give it.
    pub fn settable(&self) -> bool {
        self.access.contains('S')
    }

    /// Whether UpdateItem may set it.
    pub fn updatable(&self) -> bool {
        self.access.contains('U')
    }

    /// Whether UpdateItem may delete it.
    pub fn deletable(&self) -> bool {
        self.access.contains('D')
    }

    /// Whether FindItem may restrict or sort by it.
    pub fn searchable(&self) -> bool {
        self.access.contains('F')
    }
}
