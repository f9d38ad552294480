//! CalDAV and its scheduling.

use crate::xml::Name;

/// The namespace.
pub(in crate::dav) const NAMESPACE: &str = "urn:ietf:params:xml:ns:caldav";

const fn name(local: &'static str) -> Name {
    Name::new(NAMESPACE, local)
}

// RFC 4791 4.2, 5.2
pub(in crate::dav) static CALENDAR: Name = name("calendar");
pub(in crate::dav) static CALENDAR_DESCRIPTION: Name = name("calendar-description");
pub(in crate::dav) static CALENDAR_TIMEZONE: Name = name("calendar-timezone");
pub(in crate::dav) static MAX_INSTANCES: Name = name("max-instances");
pub(in crate::dav) static MAX_RESOURCE_SIZE: Name = name("max-resource-size");
pub(in crate::dav) static SUPPORTED_CALENDAR_COMPONENT_SET: Name = name("supported-calendar-component-set");
pub(in crate::dav) static SUPPORTED_CALENDAR_DATA: Name = name("supported-calendar-data");
pub(in crate::dav) static SUPPORTED_COLLATION: Name = name("supported-collation");
pub(in crate::dav) static SUPPORTED_COLLATION_SET: Name = name("supported-collation-set");

// RFC 4791 6.1, 6.2
pub(in crate::dav) static CALENDAR_HOME_SET: Name = name("calendar-home-set");
pub(in crate::dav) static READ_FREE_BUSY: Name = name("read-free-busy");

// RFC 4791 9
pub(in crate::dav) static ALLCOMP: Name = name("allcomp");
pub(in crate::dav) static ALLPROP: Name = name("allprop");
pub(in crate::dav) static CALENDAR_DATA: Name = name("calendar-data");
pub(in crate::dav) static CALENDAR_MULTIGET: Name = name("calendar-multiget");
pub(in crate::dav) static CALENDAR_QUERY: Name = name("calendar-query");
pub(in crate::dav) static COMP: Name = name("comp");
pub(in crate::dav) static COMP_FILTER: Name = name("comp-filter");
pub(in crate::dav) static EXPAND: Name = name("expand");
pub(in crate::dav) static FILTER: Name = name("filter");
pub(in crate::dav) static FREE_BUSY_QUERY: Name = name("free-busy-query");
pub(in crate::dav) static IS_NOT_DEFINED: Name = name("is-not-defined");
pub(in crate::dav) static LIMIT_FREEBUSY_SET: Name = name("limit-freebusy-set");
pub(in crate::dav) static LIMIT_RECURRENCE_SET: Name = name("limit-recurrence-set");
pub(in crate::dav) static PARAM_FILTER: Name = name("param-filter");
pub(in crate::dav) static PROP: Name = name("prop");
pub(in crate::dav) static PROP_FILTER: Name = name("prop-filter");
pub(in crate::dav) static TEXT_MATCH: Name = name("text-match");
pub(in crate::dav) static TIME_RANGE: Name = name("time-range");
pub(in crate::dav) static TIMEZONE: Name = name("timezone");

// RFC 7809 5
pub(in crate::dav) static TIMEZONE_ID: Name = name("timezone-id");

// RFC 6638 2, 9
pub(in crate::dav) static CALENDAR_USER_ADDRESS_SET: Name = name("calendar-user-address-set");
pub(in crate::dav) static CALENDAR_USER_TYPE: Name = name("calendar-user-type");
pub(in crate::dav) static OPAQUE: Name = name("opaque");
pub(in crate::dav) static TRANSPARENT: Name = name("transparent");
pub(in crate::dav) static SCHEDULE_CALENDAR_TRANSP: Name = name("schedule-calendar-transp");
pub(in crate::dav) static SCHEDULE_DEFAULT_CALENDAR_URL: Name = name("schedule-default-calendar-URL");
pub(in crate::dav) static SCHEDULE_INBOX: Name = name("schedule-inbox");
pub(in crate::dav) static SCHEDULE_INBOX_URL: Name = name("schedule-inbox-URL");
pub(in crate::dav) static SCHEDULE_OUTBOX: Name = name("schedule-outbox");
pub(in crate::dav) static SCHEDULE_OUTBOX_URL: Name = name("schedule-outbox-URL");
pub(in crate::dav) static SCHEDULE_SEND: Name = name("schedule-send");
pub(in crate::dav) static SCHEDULE_SEND_INVITE: Name = name("schedule-send-invite");
pub(in crate::dav) static SCHEDULE_SEND_REPLY: Name = name("schedule-send-reply");
pub(in crate::dav) static SCHEDULE_SEND_FREEBUSY: Name = name("schedule-send-freebusy");
pub(in crate::dav) static SCHEDULE_DELIVER: Name = name("schedule-deliver");
pub(in crate::dav) static SCHEDULE_DELIVER_INVITE: Name = name("schedule-deliver-invite");
pub(in crate::dav) static SCHEDULE_DELIVER_REPLY: Name = name("schedule-deliver-reply");
pub(in crate::dav) static SCHEDULE_QUERY_FREEBUSY: Name = name("schedule-query-freebusy");
pub(in crate::dav) static SCHEDULE_TAG: Name = name("schedule-tag");

// RFC 6638 5, 10
pub(in crate::dav) static SCHEDULE_RESPONSE: Name = name("schedule-response");
pub(in crate::dav) static RESPONSE: Name = name("response");
pub(in crate::dav) static RECIPIENT: Name = name("recipient");
pub(in crate::dav) static REQUEST_STATUS: Name = name("request-status");
pub(in crate::dav) static VALID_ORGANIZER: Name = name("valid-organizer");
pub(in crate::dav) static VALID_SCHEDULING_MESSAGE: Name = name("valid-scheduling-message");

// Preconditions: RFC 4791 1.3
pub(in crate::dav) static CALENDAR_COLLECTION_LOCATION_OK: Name = name("calendar-collection-location-ok");
pub(in crate::dav) static VALID_FILTER: Name = name("valid-filter");

// Preconditions of writing: RFC 4791 5.3, RFC 6638 3.2, 10
pub(in crate::dav) static ALLOWED_ATTENDEE_SCHEDULING_OBJECT_CHANGE: Name =
    name("allowed-attendee-scheduling-object-change");
pub(in crate::dav) static ALLOWED_ORGANIZER_SCHEDULING_OBJECT_CHANGE: Name =
    name("allowed-organizer-scheduling-object-change");
pub(in crate::dav) static MAX_DATE_TIME: Name = name("max-date-time");
pub(in crate::dav) static MIN_DATE_TIME: Name = name("min-date-time");
pub(in crate::dav) static NO_UID_CONFLICT: Name = name("no-uid-conflict");
pub(in crate::dav) static SUPPORTED_CALENDAR_COMPONENT: Name = name("supported-calendar-component");
pub(in crate::dav) static VALID_CALENDAR_DATA: Name = name("valid-calendar-data");
pub(in crate::dav) static VALID_CALENDAR_OBJECT_RESOURCE: Name = name("valid-calendar-object-resource");

// RFC 4791 5.3.1
pub(in crate::dav) static MKCALENDAR: Name = name("mkcalendar");

// RFC 8607 3.11, 6
pub(in crate::dav) static MANAGED_ATTACHMENTS_SERVER_URL: Name = name("managed-attachments-server-URL");
pub(in crate::dav) static MAX_ATTACHMENT_SIZE: Name = name("max-attachment-size");
pub(in crate::dav) static MAX_ATTACHMENTS_PER_RESOURCE: Name = name("max-attachments-per-resource");
pub(in crate::dav) static VALID_ACTION: Name = name("valid-action");
pub(in crate::dav) static VALID_MANAGED_ID: Name = name("valid-managed-id");
pub(in crate::dav) static VALID_MANAGED_ID_PARAMETER: Name = name("valid-managed-id-parameter");
pub(in crate::dav) static VALID_RID: Name = name("valid-rid");
