//! Calendar objects as clients write them: events and tasks of many dialects, made by dice with a seed.

use super::dice::Dice;
use super::{Sample, folded};

/// How a client spells things.
struct Dialect {
    name: &'static str,
    prodid: &'static str,
    uid: fn(usize) -> String,
    /// Lines of the calendar itself.
    head: &'static [&'static str],
    /// Lines that its events carry.
    event: &'static [&'static str],
    /// What its zone is called; the rules are those of Berlin.
    zone: &'static str,
}

fn upper(n: usize) -> String {
    format!("{n:08X}-4C2B-4F4D-9E3A-0B1C2D3E4F50")
}
fn google(n: usize) -> String {
    format!("{n:04x}k2v9s1q7p0o3m5n8b6c4d2@google.com")
}
fn outlook(n: usize) -> String {
    format!(
        "040000008200E00074C5B7101A82E00800000000{n:016X}000000000000000010000000A1B2C3D4E5F60718293A4B5C6D7E8F90"
    )
}
fn lower(n: usize) -> String {
    format!("{n:08x}-77aa-4bbb-8ccc-0123456789ab")
}
fn odd(n: usize) -> String {
    format!("événement n° {n}; \\\"x\\\"/..%2F<&>@host")
}

const DIALECTS: &[Dialect] = &[
    Dialect {
        name: "apple",
        prodid: "-//Apple Inc.//macOS 15.1//EN",
        uid: upper,
        head: &["CALSCALE:GREGORIAN", "X-WR-CALNAME:Heim"],
        event: &[
            "X-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC",
            "X-APPLE-TRAVEL-DURATION;VALUE=DURATION:PT30M",
            "X-APPLE-TRAVEL-START;ROUTING=CAR;VALUE=URI;X-ADDRESS=\"Hauptstraße 1\\n10115 Berlin\";X-TITLE=Zuhause:geo:52.531000,13.384900",
            "X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-ADDRESS=\"Unter den Linden 77, 10117 Berlin\";X-APPLE-RADIUS=70.58;X-TITLE=\"Hotel, Adlon\":geo:52.516000,13.380500",
            "X-APPLE-EWS-BUSYSTATUS:BUSY",
            "X-APPLE-CREATOR-IDENTITY:com.apple.mobilecal",
            "SEQUENCE:0",
            "URL;VALUE=URI:message:%3C20261101.AB12@mail.example.com%3E",
        ],
        zone: "Europe/Berlin",
    },
    Dialect {
        name: "google",
        prodid: "-//Google Inc//Google Calendar 70.9054//EN",
        uid: google,
        head: &["CALSCALE:GREGORIAN", "X-WR-TIMEZONE:Europe/Berlin"],
        event: &[
            "X-GOOGLE-CONFERENCE:https://meet.google.com/abc-defg-hij",
            "X-GOOGLE-CALENDAR-CONTENT-DISPLAY:chip",
            "ATTACH;FILENAME=Notes;FMTTYPE=application/vnd.google-apps.document:https://docs.google.com/document/d/1x/edit?usp=meet",
            "CREATED:20261001T080000Z",
            "LAST-MODIFIED:20261002T080000Z",
            "SEQUENCE:2",
            "STATUS:CONFIRMED",
            "TRANSP:OPAQUE",
        ],
        zone: "Europe/Berlin",
    },
    Dialect {
        name: "thunderbird",
        prodid: "-//Mozilla.org/NONSGML Mozilla Calendar V1.1//EN",
        uid: lower,
        head: &[],
        event: &[
            "X-MOZ-LASTACK:20261103T090100Z",
            "X-MOZ-SNOOZE-TIME:20261103T091500Z",
            "X-MOZ-GENERATION:4",
            "X-MOZ-SEND-INVITATIONS:FALSE",
            "X-MOZ-SEND-INVITATIONS-UNDISCLOSED:FALSE",
            "TRANSP:OPAQUE",
            "CREATED:20261001T080000Z",
        ],
        zone: "/mozilla.org/20050126_1/Europe/Berlin",
    },
    Dialect {
        name: "outlook",
        prodid: "-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN",
        uid: outlook,
        head: &["X-MS-OLK-FORCEINSPECTOROPEN:TRUE"],
        event: &[
            "X-MICROSOFT-CDO-BUSYSTATUS:BUSY",
            "X-MICROSOFT-CDO-IMPORTANCE:1",
            "X-MICROSOFT-DISALLOW-COUNTER:FALSE",
            "X-MS-OLK-AUTOFILLLOCATION:FALSE",
            "X-MS-OLK-CONFTYPE:0",
            "X-MICROSOFT-CDO-OWNERAPPTID:2117891234",
            "X-ALT-DESC;FMTTYPE=text/html:<html><body><p>Hallo&nbsp;<b>Welt</b>\\, &lt\\;ja&gt\\;</p></body></html>",
            "CLASS:PUBLIC",
            "PRIORITY:5",
            "TRANSP:OPAQUE",
        ],
        zone: "W. Europe Standard Time",
    },
    Dialect {
        name: "outlook-custom-zone",
        prodid: "Microsoft Exchange Server 2010",
        uid: outlook,
        head: &[],
        event: &[
            "X-MICROSOFT-CDO-APPT-SEQUENCE:0",
            "X-MICROSOFT-CDO-ALLDAYEVENT:FALSE",
            "X-MICROSOFT-CDO-INSTTYPE:0",
            "X-MICROSOFT-LOCATIONS:[{\"DisplayName\":\"Raum 5\"\\,\"LocationAnnotation\":\"\"}]",
            "SUMMARY;LANGUAGE=de-DE:Besprechung",
        ],
        zone: "Customized Time Zone",
    },
    Dialect {
        name: "evolution",
        prodid: "-//Ximian//NONSGML Evolution Calendar//EN",
        uid: lower,
        head: &[],
        event: &[
            "X-EVOLUTION-CALDAV-ETAG:1a2b",
            "X-EVOLUTION-CALDAV-HREF:http://old.example.com/x.ics",
            "X-LIC-ERROR;X-LIC-ERRORTYPE=VALUE-PARSE-ERROR:No value for LOCATION property. Removing entire property:",
            "CLASS:PUBLIC",
            "SEQUENCE:3",
        ],
        zone: "/freeassociation.sourceforge.net/Europe/Berlin",
    },
    Dialect {
        name: "davx5",
        prodid: "DAVx5/4.4-ose ical4j/3.2.19 (org.fossify.calendar)",
        uid: lower,
        head: &[],
        event: &["COLOR:tomato", "STATUS:TENTATIVE", "CLASS:PRIVATE", "LAST-MODIFIED:20261105T101010Z"],
        zone: "Europe/Berlin",
    },
    Dialect {
        name: "kde",
        prodid: "-//K Desktop Environment//NONSGML libkcal 4.3//EN",
        uid: lower,
        head: &["X-KDE-ICAL-IMPLEMENTATION-VERSION:1.0"],
        event: &[
            "X-KDE-KCALCORE-ENABLED:TRUE",
            "CREATED:20261001T080000Z",
            "LAST-MODIFIED:20261001T080000Z",
            "RELATED-TO;RELTYPE=SIBLING:kde-parent-1",
        ],
        zone: "Europe/Berlin",
    },
    Dialect {
        name: "teams",
        prodid: "Microsoft Exchange Server 2010",
        uid: outlook,
        head: &[],
        event: &[
            "X-MICROSOFT-SKYPETEAMSMEETINGURL:https://teams.microsoft.com/l/meetup-join/19%3ameeting_X%40thread.v2/0?context=%7b%22Tid%22%7d",
            "X-MICROSOFT-ONLINEMEETINGCONFLINK:conf:sip:a@example.com\\;gruu\\;opaque=app:conf:focus:id:X",
            "X-MICROSOFT-SCHEDULINGSERVICEUPDATEURL:https://scheduler.teams.microsoft.com/teams/x",
            "X-MICROSOFT-SKYPETEAMSPROPERTIES:{\"cid\":\"19:meeting_X@thread.v2\"\\,\"rid\":0}",
            "X-MICROSOFT-ISRESPONSEREQUESTED:TRUE",
        ],
        zone: "W. Europe Standard Time",
    },
    Dialect {
        name: "zoom",
        prodid: "-//zoom.us//iCalendar Event//EN",
        uid: |n| format!("ZOOM{n:011}"),
        head: &["CALSCALE:GREGORIAN"],
        event: &[
            "URL:https://zoom.us/j/123456789?pwd=abc",
            "DESCRIPTION:Join Zoom Meeting\\nhttps://zoom.us/j/123456789?pwd=abc\\n\\nOne tap mobile\\n+49695050\\,\\,123456789#\\,\\,\\,\\,*123# Germany\\n\\nMeeting ID: 123 456 789\\n",
            "CONFERENCE;FEATURE=AUDIO,VIDEO;LABEL=\"Zoom: join\";VALUE=URI:https://zoom.us/j/123456789",
            "CONFERENCE;FEATURE=PHONE;LABEL=Dial-in;VALUE=URI:tel:+49-69-5050,,,123456789#",
        ],
        zone: "Europe/Berlin",
    },
    Dialect {
        name: "airbnb",
        prodid: "-//Airbnb Inc//Hosting Calendar 1.0//EN",
        uid: |n| format!("1418fb94e984-{n:032x}@airbnb.com"),
        head: &["CALSCALE:GREGORIAN"],
        event: &[
            "DESCRIPTION:Reservation URL: https://www.airbnb.com/hosting/reservations/details/HMX\\nPhone Number (Last 4 Digits): 1234",
            "SUMMARY:Reserved",
        ],
        zone: "Europe/Berlin",
    },
    Dialect {
        name: "meetup",
        prodid: "-//Meetup//RemoteApi//EN",
        uid: |n| format!("event_{n}@meetup.com"),
        head: &["CALSCALE:GREGORIAN", "X-ORIGINAL-URL:https://www.meetup.com/rust/events/ical/"],
        event: &[
            "CLASS:PUBLIC",
            "GEO:52.52;13.40",
            "LOCATION:c-base (Rungestraße 20\\, Berlin\\, Germany)",
            "URL:https://www.meetup.com/rust/events/1/",
            "CREATED:20260901T120000Z",
        ],
        zone: "Europe/Berlin",
    },
    Dialect {
        name: "rfc7986-and-9073",
        prodid: "-//example//modern//EN",
        uid: odd,
        head: &[
            "NAME:Own name",
            "COLOR:navy",
            "REFRESH-INTERVAL;VALUE=DURATION:P1W",
            "SOURCE;VALUE=URI:https://example.com/a.ics",
        ],
        event: &[
            "IMAGE;VALUE=URI;DISPLAY=BADGE,THUMBNAIL;FMTTYPE=image/png:https://example.com/i/badge.png",
            "COLOR:turquoise",
            "STYLED-DESCRIPTION;VALUE=TEXT;FMTTYPE=text/html;DERIVED=TRUE:<p>Modern\\, <i>styled</i></p>",
            "STRUCTURED-DATA;FMTTYPE=application/ld+json;SCHEMA=\"https://schema.org/SportsEvent\";VALUE=TEXT:{\\n  \"@context\": \"https://schema.org\"\\,\\n  \"@type\": \"SportsEvent\"\\n}",
            "STRUCTURED-DATA;VALUE=URI;SCHEMA=\"https://schema.org/Event\":https://example.com/data.json",
            "CONCEPT:https://example.com/event-types/arts/music",
            "LINK;LINKREL=SOURCE;LABEL=Venue;VALUE=URI:https://example.com/venue",
            "REFID:itinerary-2026-11",
            "CONTACT;ALTREP=\"ldap://example.com/o=ABC,c=US\":Jim Dolittle\\, ABC Industries\\, +1-919-555-1234",
        ],
        zone: "Europe/Berlin",
    },
];

const TITLES: &[&str] = &[
    "Jour fixe",
    "Frühstück mit Zoë & Søren <3",
    "会議：四半期レビュー 📈",
    "اجتماع الفريق",
    "פגישה",
    "Семья — ужин",
    "a\\, b\\; c\\\\ d \\n e",
    "   spaces   inside   ",
    "👩‍👩‍👧‍👦 family 🇩🇪",
    "e\u{301}le\u{300}ve (combining)",
    "",
    "\"Quoted\" 'title' ^caret",
];

const PLACES: &[&str] = &[
    "LOCATION:Raum 4\\, EG",
    "LOCATION:",
    "LOCATION;ALTREP=\"http://xyz/room.html\":Conference Room - F123\\, Bldg. 002",
    "GEO:48.85299;2.36885",
];

const EXTRAS: &[&str] = &[
    "COMMENT:The meeting really needs to include both ourselves and the customer.",
    "COMMENT;LANGUAGE=fr:Deuxième commentaire\\, avec virgule",
    "CATEGORIES:Work,Project X,Café",
    "CATEGORIES;LANGUAGE=de:Grün\\, hell",
    "RESOURCES;LANGUAGE=de:Beamer,Flipchart",
    "RELATED-TO:jsmith.part7.19960817T083000.xyzMail@example.com",
    "RELATED-TO;RELTYPE=DEPENDS-ON;GAP=PT5M:parent-1",
    "REQUEST-STATUS:2.8;Success\\, repeating event ignored;RRULE:FREQ=WEEKLY",
    "X-EMPTY:",
    "X-SEMI;A=1;B=\"two, three\";C=four,five;D=\"a;b:c\":value:with;all\\,of\\;it",
    "X-CARET;P=\"say ^'hi^' and ^^ and ^n\":v",
    "X-LONG:0123456789abcdefghijklmnopqrstuvwxyzäöüß0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz日本語日本語日本語日本語日本語日本語日本語日本語日本語",
    "X-TABS:a\tb\tc",
    "X-BACKSLASH:C:\\\\Users\\\\x\\n",
    "X-BOOL;VALUE=BOOLEAN:TRUE",
    "IANA-TOKEN;NON-STANDARD=yes:registered later",
    "PRIORITY:1",
    "PRIORITY:9",
    "PRIORITY:0",
    "CLASS:CONFIDENTIAL",
    "CLASS:X-COMPANY-ONLY",
    "STATUS:TENTATIVE",
    "TRANSP:TRANSPARENT",
    "ACKNOWLEDGED:20261101T000000Z",
    "ATTACH:CID:jsmith.part3.960817T083000.xyzMail@example.com",
    "ATTACH;FMTTYPE=application/postscript:ftp://example.com/pub/reports/r-960812.ps",
    "ATTACH;VALUE=BINARY;ENCODING=BASE64;FMTTYPE=text/plain;X-FILENAME=note.txt:SGVsbG8sIFdvcmxkIQ==",
    "ATTACH;VALUE=BINARY;ENCODING=BASE64;FMTTYPE=image/png;FILENAME=\"pixel, red.png\":iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==",
];

const ALARMS: &[&str] = &[
    "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:Reminder\nTRIGGER:-PT15M\nEND:VALARM",
    "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER;RELATED=END:-PT5M\nDESCRIPTION:Gleich vorbei\\, bitte aufräumen\nREPEAT:4\nDURATION:PT5M\nEND:VALARM",
    "BEGIN:VALARM\nACTION:AUDIO\nTRIGGER;VALUE=DATE-TIME:20261101T060000Z\nATTACH;VALUE=URI:Basso\nX-WR-ALARMUID:7F2B\nUID:7F2B\nEND:VALARM",
    "BEGIN:VALARM\nACTION:EMAIL\nTRIGGER:-P2D\nSUMMARY:*** REMINDER\nDESCRIPTION:Draft agenda\nATTENDEE:mailto:john_doe@example.com\nATTACH;FMTTYPE=application/msword:http://example.com/a.doc\nEND:VALARM",
    "BEGIN:VALARM\nUID:a-1\nACTION:NONE\nTRIGGER;VALUE=DATE-TIME:19760401T005545Z\nX-APPLE-DEFAULT-ALARM:TRUE\nX-WR-ALARMUID:a-1\nEND:VALARM",
    "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:P0D\nACKNOWLEDGED:20261101T080000Z\nX-MOZ-LASTACK:20261101T080000Z\nDESCRIPTION:now\nRELATED-TO;RELTYPE=SNOOZE:a-1\nEND:VALARM",
    "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:PT1H\nDESCRIPTION:after the start\nEND:VALARM",
    "BEGIN:VALARM\nACTION:PROCEDURE\nTRIGGER:-PT1W\nATTACH:ftp://example.com/bin/felizNavidad\nEND:VALARM",
    "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER;VALUE=DURATION:-P0DT0H10M0S\nDESCRIPTION:Google says it so\nEND:VALARM",
    "BEGIN:VALARM\nACTION:DISPLAY\nPROXIMITY:DEPART\nTRIGGER;VALUE=DATE-TIME:19760401T005545Z\nDESCRIPTION:at the car\nBEGIN:VLOCATION\nUID:loc-1\nURL:geo:40.443,-79.945;u=10\nEND:VLOCATION\nEND:VALARM",
];

const CHILDREN: &[&str] = &[
    "BEGIN:PARTICIPANT\nUID:p-1\nPARTICIPANT-TYPE:PERFORMER\nSUMMARY:The Band\nSTRUCTURED-DATA;VALUE=URI:http://dir.example.com/vcard/band.vcf\nEND:PARTICIPANT",
    "BEGIN:VLOCATION\nUID:l-1\nNAME:The venue\nLOCATION-TYPE:arena\nBEGIN:VRESOURCE\nUID:r-1\nRESOURCE-TYPE:PROJECTOR\nEND:VRESOURCE\nEND:VLOCATION",
    "BEGIN:X-OWN\nX-IN:side\nEND:X-OWN",
];

const PEOPLE: &[&str] = &[
    "ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=Anna Schmidt;X-NUM-GUESTS=0:mailto:anna@example.com",
    "ATTENDEE;CN=\"Doe, John\";ROLE=OPT-PARTICIPANT;PARTSTAT=NEEDS-ACTION;MEMBER=\"mailto:all@example.com\";DELEGATED-FROM=\"mailto:boss@example.com\":mailto:john@example.com",
    "ATTENDEE;CUTYPE=ROOM;CN=Raum 5;PARTSTAT=NEEDS-ACTION;EMAIL=room5@example.com:mailto:room5@example.com",
    "ATTENDEE;SENT-BY=\"mailto:sec@example.com\";SCHEDULE-AGENT=NONE;DIR=\"ldap://h/cn=x\";LANGUAGE=fr:MAILTO:Rene@Example.com",
    "ATTENDEE;CN=No mail;CUTYPE=GROUP:urn:uuid:1234-abcd",
];

/// Rules with the first day that each begins on (in 2026), and those that Exchange cannot hold.
const RULES: &[(&str, &str)] = &[
    ("20260302", "FREQ=DAILY;COUNT=10"),
    ("20260302", "FREQ=DAILY;INTERVAL=3;UNTIL=20260630T215959Z"),
    ("20260302", "FREQ=WEEKLY;BYDAY=MO"),
    ("20260302", "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=MO,WE,FR;COUNT=20"),
    ("20260302", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;UNTIL=20261231T080000Z"),
    ("20260302", "RRULE-LOWER"),
    ("20260302", "FREQ=MONTHLY;BYMONTHDAY=2"),
    ("20260331", "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=8"),
    ("20260303", "FREQ=MONTHLY;BYDAY=1TU"),
    ("20260331", "FREQ=MONTHLY;BYDAY=-1TU;INTERVAL=2"),
    ("20260303", "FREQ=MONTHLY;BYDAY=TU;BYSETPOS=1;COUNT=5"),
    ("20260302", "FREQ=YEARLY"),
    ("20260329", "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU"),
    ("20260302", "FREQ=YEARLY;INTERVAL=2;BYMONTH=3;BYMONTHDAY=2"),
    ("20260302", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1"),
    ("20260302", "FREQ=HOURLY;COUNT=3"),
    ("20260302", "FREQ=YEARLY;BYWEEKNO=10;BYDAY=MO"),
    ("20260302", "FREQ=MONTHLY;BYMONTHDAY=2,15"),
];

const BERLIN: &str = "BEGIN:VTIMEZONE\nTZID:{ZONE}\nX-LIC-LOCATION:Europe/Berlin\nBEGIN:DAYLIGHT\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nTZNAME:CEST\nDTSTART:19700329T020000\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nEND:DAYLIGHT\nBEGIN:STANDARD\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nTZNAME:CET\nDTSTART:19701025T030000\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nEND:STANDARD\nEND:VTIMEZONE";

fn is_told(lines: &[String], line: &str) -> bool {
    const ONCE: [&str; 12] = [
        "CLASS",
        "PRIORITY",
        "STATUS",
        "TRANSP",
        "SUMMARY",
        "LOCATION",
        "GEO",
        "DESCRIPTION",
        "SEQUENCE",
        "CREATED",
        "URL",
        "COLOR",
    ];
    let name = |line: &str| line.split([':', ';']).next().unwrap_or_default().to_owned();
    ONCE.contains(&name(line).as_str()) && lines.iter().any(|other| name(other) == name(line))
}

/// Whether tasks have none of it, or other words.
fn is_of_events(line: &str) -> bool {
    line.starts_with("TRANSP") || line.starts_with("STATUS")
}

fn push(lines: &mut Vec<String>, line: &str) {
    if !is_told(lines, line) {
        lines.push(line.to_owned());
    }
}

/// Lines that say when, how often, and which occurrences differ; the date of the second occurrence with its form.
struct When {
    lines: Vec<String>,
    overrides: Vec<String>,
    has_zone: bool,
}

fn when(dice: &mut Dice, zone: &str, is_task: bool) -> When {
    let end = if is_task { "DUE" } else { "DTEND" };
    let zoned = |name: &str, at: &str| format!("{name};TZID={zone}:{at}");
    let (day, hour) = (format!("2026{:02}{:02}", 1 + dice.below(12), 1 + dice.below(27)), 7 + dice.below(10));
    let at = |day: &str, hour: usize| format!("{day}T{hour:02}3000");
    let single = |lines: Vec<String>, has_zone| When { lines, overrides: Vec::new(), has_zone };
    match dice.below(8) {
        0 => single(
            vec![format!("DTSTART;VALUE=DATE:{day}"), format!("{end};VALUE=DATE:{}", next(&day))],
            false,
        ),
        1 if !is_task => single(vec![format!("DTSTART;VALUE=DATE:{day}")], false),
        2 => single(
            vec![format!("DTSTART:{}Z", at(&day, hour)), format!("{end}:{}Z", at(&day, hour + 1))],
            false,
        ),
        3 => single(
            vec![format!("DTSTART:{}", at(&day, hour)), format!("{end}:{}", at(&day, hour + 1))],
            false,
        ),
        4 if !is_task => single(vec![zoned("DTSTART", &at(&day, hour)), "DURATION:PT1H30M".to_owned()], true),
        5 | 6 => {
            let (first, rule) = RULES[dice.below(RULES.len())];
            let rule = rule.replace("RRULE-LOWER", "freq=weekly;count=6");
            let mut lines =
                vec![zoned("DTSTART", &at(first, 9)), zoned(end, &at(first, 10)), format!("RRULE:{rule}")];
            let mut overrides = Vec::new();
            let is_simple = rule.starts_with("FREQ=WEEKLY;BYDAY=MO") && !rule.contains("TU");
            if !is_task && is_simple {
                if dice.once_in(2) {
                    lines.push(zoned("EXDATE", &at("20260316", 9)));
                }
                if dice.once_in(2) {
                    overrides.push(format!(
                        "{}\n{}\n{}\nSUMMARY:Verschoben\nX-OVERRIDE;Z=1:own\nCOMMENT:only here",
                        zoned("RECURRENCE-ID", &at("20260309", 9)),
                        zoned("DTSTART", &at("20260310", 14)),
                        zoned("DTEND", &at("20260310", 15))
                    ));
                }
                if dice.once_in(3) {
                    overrides.push(format!(
                        "{}\n{}\n{}\nSUMMARY:Anders\nLOCATION:Dach\nDESCRIPTION:Nur heute\\, ausnahmsweise",
                        zoned("RECURRENCE-ID", &at("20260323", 9)),
                        zoned("DTSTART", &at("20260323", 9)),
                        zoned("DTEND", &at("20260323", 10))
                    ));
                }
            }
            When { lines, overrides, has_zone: true }
        }
        _ => single(vec![zoned("DTSTART", &at(&day, hour)), zoned(end, &at(&day, hour + 1))], true),
    }
}

fn next(day: &str) -> String {
    let number: u32 = day.parse().unwrap();
    (number + 1).to_string()
}

fn calendar(dialect: &Dialect, component: &str, number: usize, dice: &mut Dice) -> String {
    let is_task = component == "VTODO";
    let uid = (dialect.uid)(number);
    let when = when(dice, dialect.zone, is_task);
    let mut lines = vec![format!("UID:{uid}"), "DTSTAMP:20261101T120000Z".to_owned()];
    lines.extend(when.lines.iter().cloned());
    for line in dice.some(dialect.event, dialect.event.len()) {
        if !is_of_events(line) || !is_task {
            push(&mut lines, line);
        }
    }
    push(&mut lines, &format!("SUMMARY:{}", dice.one(TITLES)));
    if dice.once_in(2) {
        push(&mut lines, dice.one(PLACES));
    }
    if dice.once_in(3) {
        let words =
            ["Lorem ipsum ", "Größe ", "日本語 ", "a\\, b\\; ", "Zeile\\n", "https://example.com/?a=b&c=d "];
        let text: String = (0..dice.below(120)).map(|_| dice.one(&words)).collect();
        push(&mut lines, &format!("DESCRIPTION:{text}"));
    }
    for line in dice.some(EXTRAS, 4) {
        if !is_of_events(line) || !is_task {
            push(&mut lines, line);
        }
    }
    if is_task {
        let state: &[&str] = match dice.below(5) {
            0 => &["STATUS:COMPLETED", "PERCENT-COMPLETE:100", "COMPLETED:20261101T100000Z"],
            1 => &["STATUS:IN-PROCESS", "PERCENT-COMPLETE:35"],
            2 => &["STATUS:NEEDS-ACTION"],
            3 => &["STATUS:CANCELLED"],
            _ => &["X-APPLE-SORT-ORDER:12345", "PERCENT-COMPLETE:0"],
        };
        let is_series = when.lines.iter().any(|line| line.starts_with("RRULE"));
        lines.extend(state.iter().filter(|_| !is_series).map(|line| (*line).to_owned()));
    } else if dice.once_in(4) {
        lines.push("ORGANIZER;CN=Demo User:mailto:demo@example.com".to_owned());
        lines.extend(dice.some(PEOPLE, 3).into_iter().map(str::to_owned));
    }
    let mut children: Vec<&str> = dice.some(ALARMS, 2);
    children.extend(dice.some(CHILDREN, 1).iter().filter(|_| dialect.name.starts_with("rfc")));
    let mut out =
        vec!["BEGIN:VCALENDAR".to_owned(), "VERSION:2.0".to_owned(), format!("PRODID:{}", dialect.prodid)];
    out.extend(dialect.head.iter().map(|line| (*line).to_owned()));
    if when.has_zone {
        out.push(BERLIN.replace("{ZONE}", dialect.zone));
    }
    out.push(format!("BEGIN:{component}"));
    out.extend(lines);
    out.extend(children.into_iter().map(str::to_owned));
    out.push(format!("END:{component}"));
    for own in &when.overrides {
        out.push(format!("BEGIN:{component}\nUID:{uid}\nDTSTAMP:20261101T120000Z\n{own}\nEND:{component}"));
    }
    out.push("END:VCALENDAR".to_owned());
    folded(&out.join("\n"), dice.below(6))
}

/// How many objects each dialect writes: of four one is a task.
const EACH: usize = 44;

/// All objects, the same in every run.
pub fn objects() -> Vec<Sample> {
    let mut samples = Vec::new();
    for (row, dialect) in DIALECTS.iter().enumerate() {
        for number in 0..EACH {
            let seed = row * 1000 + number;
            let component = if number % 4 == 3 { "VTODO" } else { "VEVENT" };
            let text = calendar(dialect, component, seed + 1, &mut Dice::new(seed as u64));
            samples.push(Sample { title: format!("{}-{number}", dialect.name), text: text.into_bytes() });
        }
    }
    samples
}
