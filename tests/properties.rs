//! What must hold for any input, with inputs that a seeded generator makes of real ones. The same properties are the
//! targets of `cargo fuzz`; this is the form that every toolchain runs.
//!
//! `EXDAV_PROPERTY_SECONDS` says how long each may take, `EXDAV_PROPERTY_SEED` which inputs it gets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, reason = "what was tried is told")]

#[path = "../fuzz/src/lib.rs"]
mod properties;
#[allow(dead_code, reason = "a part of the stage is enough here")]
mod support;

use axum::body::Body;
use axum::http::Request;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};
use support::{PASSWORD, Stage, USER};
use tower::ServiceExt as _;

/// xorshift64*: small, and the same everywhere.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit.max(1)
    }

    fn one_of<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn word(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len())]
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What hostile and careless programs write.
const TOKENS: &[&str] = &[
    "",
    ":",
    ";",
    ",",
    "\r\n",
    "\n",
    "\r",
    "\r\n ",
    "\\",
    "\\n",
    "\"",
    "^n",
    "\0",
    "\u{feff}",
    "ä",
    "😀",
    "=",
    "<",
    ">",
    "&",
    "]]>",
    "<!--",
    "<?x?>",
    "&#0;",
    "&#x10FFFF;",
    "&amp;",
    "BEGIN:VEVENT\r\n",
    "END:VEVENT\r\n",
    "BEGIN:VALARM\r\n",
    "RRULE:FREQ=SECONDLY\r\n",
    "RRULE:FREQ=YEARLY;BYDAY=-53SU;COUNT=4294967296\r\n",
    "RRULE:FREQ=DAILY;INTERVAL=0\r\n",
    "RDATE:20261201T090000Z\r\n",
    "EXDATE;VALUE=DATE:20261201\r\n",
    "DTSTART:00010101T000000Z\r\n",
    "DTSTART;TZID=Nowhere/Land:20261301T256199\r\n",
    "DURATION:-P99999999W\r\n",
    "DURATION:PT1S\r\n",
    "RECURRENCE-ID:20261202T090000Z\r\n",
    "UID:\r\n",
    "99999999999999999999",
    "-1",
    "+2400",
    "-0000",
    "99991231T235959Z",
    "TZID=\"",
    "VALUE=DATE",
    "FN:\r\n",
    "N:;;;;;;;;;;\r\n",
    "PHOTO;ENCODING=b:AAAA\r\n",
    "MEMBER:mailto:x@y\r\n",
];

/// A changed copy of one of the seeds.
fn changed(draw: &mut Draw, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut octets = draw.one_of(seeds).clone();
    for _ in 0..=draw.below(6) {
        let at = draw.below(octets.len() + 1);
        match draw.below(7) {
            0 => drop(octets.splice(at..at, draw.word(TOKENS).bytes())),
            1 => octets.truncate(at),
            2 if at < octets.len() => octets[at] ^= 1 << draw.below(8),
            3 => {
                let end = (at + draw.below(40)).min(octets.len());
                octets.drain(at..end);
            }
            4 => {
                let other = draw.one_of(seeds);
                let from = draw.below(other.len());
                let piece = other[from..(from + draw.below(200)).min(other.len())].to_vec();
                octets.splice(at..at, piece);
            }
            5 => {
                // A line twice, or in another place.
                octets.push(b'\n');
                let lines: Vec<&[u8]> = octets.split_inclusive(|octet| *octet == b'\n').collect();
                let line = draw.one_of(&lines).to_vec();
                let place: usize = lines[..draw.below(lines.len())].iter().map(|line| line.len()).sum();
                octets.splice(place..place, line);
            }
            _ => {
                let line = octets[at..].iter().position(|octet| *octet == b':').map(|found| at + found + 1);
                if let Some(start) = line {
                    let end = octets[start..]
                        .iter()
                        .position(|octet| *octet == b'\r')
                        .map_or(octets.len(), |n| start + n);
                    octets.splice(start..end, draw.word(TOKENS).bytes());
                }
            }
        }
        octets.truncate(40_000);
    }
    octets
}

/// The files of the cases with these endings.
fn seeds(endings: &[&str]) -> Vec<Vec<u8>> {
    fn walk(folder: &Path, endings: &[&str], found: &mut Vec<(String, Vec<u8>)>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.display().to_string();
            if path.is_dir() {
                walk(&path, endings, found);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push((name, std::fs::read(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    walk(&root.join("fixtures"), endings, &mut found);
    walk(&root.join("fuzz/seeds"), endings, &mut found);
    found.sort();
    assert!(!found.is_empty(), "there are seeds that end with {endings:?}");
    found.into_iter().map(|(_, octets)| octets).collect()
}

/// Each seed as it is, then changed ones until the time is up.
fn hold(name: &str, property: fn(&[u8]), seeds: &[Vec<u8>]) {
    let first = number("EXDAV_PROPERTY_SEED", 1);
    let time = Duration::from_secs(number("EXDAV_PROPERTY_SECONDS", 4));
    let began = Instant::now();
    let (mut tried, mut longest) = (0_u64, Duration::ZERO);
    for seed in first.. {
        let input = match seeds.get(usize::try_from(seed - first).unwrap()) {
            Some(seed) => seed.clone(),
            None if began.elapsed() > time => break,
            None => changed(&mut Draw(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1), seeds),
        };
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| property(&input)));
        assert!(
            outcome.is_ok(),
            "{name} does not hold for input {seed}:\n{}",
            String::from_utf8_lossy(&input)
        );
        longest = longest.max(start.elapsed());
        tried += 1;
    }
    println!("{name}: {tried} inputs, the slowest took {longest:?}");
}

#[test]
fn calendar_objects_round_trip_and_never_panic() {
    hold("calendar", properties::calendar, &seeds(&[".ics"]));
}

#[test]
fn cards_round_trip_and_never_panic() {
    hold("card", properties::card, &seeds(&[".vcf"]));
}

#[test]
fn xml_of_clients_round_trips_and_never_panics() {
    let mut inputs = seeds(&[".xml"]);
    inputs.extend(REPORTS.iter().map(|text| text.as_bytes().to_vec()));
    hold("dav_xml", properties::dav_xml, &inputs);
}

#[test]
fn items_of_exchange_are_rendered_well_formed_and_never_panic() {
    hold("ews_xml", properties::ews_xml, &seeds(&["ews.xml", "before.xml"]));
}

#[test]
fn zones_agree_with_themselves() {
    let mut inputs = seeds(&[".ics"]);
    for zone in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"] {
        inputs.push(exdav::convert::zone_text(zone).unwrap().into_bytes());
    }
    inputs.extend(["W. Europe Standard Time", "UTC", "Europe/Dublin"].map(|name| name.as_bytes().to_vec()));
    hold("zone", properties::zone, &inputs);
}

#[test]
fn paths_have_one_spelling_and_lead_nowhere_else() {
    let mut inputs: Vec<Vec<u8>> =
        PIECES.iter().map(|piece| format!("/dav/cal/{piece}/x").into_bytes()).collect();
    for path in [
        "/dav/cal/demo~40example.com/calendar/x.ics",
        "/dav/card/a.b~40example.com/contacts/%E2%82%AC.vcf",
        "/dav/att/demo~40example.com/calendar/x.ics/1",
        "/dav/people/demo~40example.com/a%40b.example/",
        "/users/demo@example.com/calendar/a%20b.ics",
        "/dav/directory/CORP~5Cdemo/x.vcf",
    ] {
        inputs.push(path.as_bytes().to_vec());
    }
    hold("path", properties::path, &inputs);
}

#[test]
fn autodiscover_leads_to_no_strange_host() {
    let mut inputs = seeds(&["discover.xml"]);
    inputs.extend(LEADS.iter().map(|text| text.as_bytes().to_vec()));
    hold("autodiscover", properties::autodiscover, &inputs);
}

#[test]
fn answers_of_name_servers_are_read_as_they_were_written() {
    hold("dns", properties::dns, &seeds(&[".dns"]));
}

#[test]
fn a_stream_says_the_same_in_whatever_pieces_it_comes() {
    hold("stream", properties::stream, &seeds(&["stream.xml"]));
}

#[test]
fn challenges_are_answered_for_our_own_channel_and_name() {
    hold("challenge", properties::challenge, &seeds(&["challenge.ntlm", "challenge.txt"]));
}

#[test]
fn conditions_are_never_weakened_and_strangers_vouch_for_nobody() {
    hold("headers", properties::headers, &seeds(&[".headers"]));
}

#[test]
fn rules_are_written_as_they_were_read_and_come_in_order() {
    hold("rule", properties::rule, &seeds(&[".rrule"]));
}

const LEADS: &[&str] = &[
    "https://mail.example.com/EWS/Exchange.asmx",
    "https://EXAMPLE.com.:443/",
    "https://example.com@evil.test/",
    "https://evil.test\\.example.com/",
    "https://evil.test#.example.com",
    "https:evil.test/example.com",
    "https://x.hoster.test:8443/a?b#c",
    "https://autodiscover-s.outlook.com/autodiscover/autodiscover.xml",
    "https://[::ffff:127.0.0.1]/",
    "https://ex%61mple.com/",
    "https://ｅxample.com/",
];

const REPORTS: &[&str] = &[
    "<D:propfind xmlns:D='DAV:'><D:prop><D:getetag/><D:displayname/></D:prop></D:propfind>",
    "<C:calendar-query xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><D:prop><C:calendar-data><C:expand \
     start='20261201T000000Z' end='20270101T000000Z'/></C:calendar-data></D:prop><C:filter><C:comp-filter name='VCALENDAR'>\
     <C:comp-filter name='VEVENT'><C:time-range start='20261201T000000Z' end='20270101T000000Z'/><C:prop-filter name='SUMMARY'>\
     <C:text-match collation='i;unicode-casemap'>a</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter></C:filter>\
     </C:calendar-query>",
    "<D:sync-collection xmlns:D='DAV:'><D:sync-token/><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>",
    "<C:calendar-multiget xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><D:prop><D:getetag/></D:prop>\
     <D:href>/dav/cal/x/calendar/y.ics</D:href></C:calendar-multiget>",
    "<C:free-busy-query xmlns:C='urn:ietf:params:xml:ns:caldav'><C:time-range start='20261201T000000Z' end='20270101T000000Z'/></C:free-busy-query>",
    "<C:mkcalendar xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set></C:mkcalendar>",
];

const PIECES: &[&str] = &[
    "/",
    "dav",
    "cal",
    "card",
    "principals",
    "att",
    "directory",
    "people",
    "demo~40example.com",
    "demo2~40example.com",
    "demo%40example.com",
    "calendar",
    "contacts",
    "tasks",
    "inbox",
    "outbox",
    ".",
    "..",
    "%2e%2e",
    "%2F",
    "%00",
    "%zz",
    "%",
    "~",
    "x.ics",
    "%C3%A4",
    "%F0%9F%98%80",
    "%ff",
    ";",
    "?a=b",
    "users",
    "a b",
    "\\",
    "://",
    "@",
    ".well-known",
    "caldav",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_request_of_a_reader_breaks_the_server_or_shows_another_mailbox() {
    let events = Some(30);
    let settings =
        exdav::simulator::Settings { events, mailboxes: 2, ..exdav::simulator::Settings::default() };
    let stage = Stage::of(settings).await;
    stage.make_event("demo2@example.com", "a secret of the second").await;
    let router =
        exdav::dav::router(stage.gateway(Duration::from_secs(3600)), exdav::dav::Settings::default());
    let authorization = {
        use base64::Engine as _;
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}")))
    };
    let reports: Vec<Vec<u8>> = REPORTS.iter().map(|text| text.as_bytes().to_vec()).collect();
    let (first, began) = (number("EXDAV_PROPERTY_SEED", 1), Instant::now());
    let time = Duration::from_secs(number("EXDAV_PROPERTY_SECONDS", 4));
    let mut statuses = std::collections::BTreeMap::<u16, u64>::new();
    for seed in first.. {
        if began.elapsed() > time {
            break;
        }
        let mut draw = Draw(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut path = String::from("/");
        let is_sound = draw.below(2) == 0;
        if is_sound {
            path = exdav::dav::path::default_calendar(USER);
        }
        for _ in 0..draw.below(if is_sound { 2 } else { 6 }) {
            path.push_str(draw.word(PIECES));
            if draw.below(3) > 0 {
                path.push('/');
            }
        }
        let method = draw.word(&["GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT", "POST", "LOCK", "X-ODD"]);
        let body =
            if draw.below(2) == 0 { draw.one_of(&reports).clone() } else { changed(&mut draw, &reports) };
        let request = Request::builder()
            .method(method)
            .uri(&path)
            .header("authorization", &authorization)
            .header("depth", draw.word(&["0", "1", "infinity", "2"]))
            .header("content-type", "application/xml");
        // What no URI can be does not come as far as the program.
        let Ok(request) = request.body(Body::from(body.clone())) else { continue };
        let answer = router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let text = axum::body::to_bytes(answer.into_body(), 50_000_000).await.unwrap();
        let text = String::from_utf8_lossy(&text);
        let said =
            || format!("seed {seed}: {method} {path} {}: {status} {text}", String::from_utf8_lossy(&body));
        assert!(status < 500 || status == 501 || status == 507, "{}", said());
        assert!(!text.contains("a secret of the second"), "{}", said());
        if text.starts_with("<?xml") {
            assert!(exdav::xml::Element::parse(text.as_bytes()).is_ok(), "{}", said());
        }
        *statuses.entry(status).or_default() += 1;
    }
    println!("{statuses:?}");
    assert!(statuses.contains_key(&207) && statuses.contains_key(&404), "{statuses:?}");
}
