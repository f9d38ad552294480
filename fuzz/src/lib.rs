//! What must hold for any input, as functions of octets.
//!
//! The fuzz targets call them with what libFuzzer finds, `tests/properties.rs` with what a seeded generator makes of
//! real objects. A function that returns has held; it asserts where a property is broken.

use axum::http::header::{HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use exdav::convert::{self, Context, Related, write};
use exdav::dav::path::canonical;
use exdav::dav::{conditions, file_name};
use exdav::model::collection::CollectionKind;
use exdav::model::id::{ETag, login_of_segment, login_segment};
use exdav::model::object::Head;
use exdav::model::recurrence::{Rule, Until};
use exdav::model::zone::Zone;
use exdav::query;
use exdav::query::filter::{CalendarFilter, CompFilter, CompTest, Filter, TimeRange};
use exdav::query::shape::{CalendarData, RecurrenceShape, Shape};
use exdav::server::Proxies;
use exdav::text::{Component, moment, parse_all};
use exdav::upstream::ews::Documents;
use exdav::upstream::ews::auth::challenge::{challenges, token};
use exdav::upstream::ews::auth::ntlm;
use exdav::upstream::ews::autodiscover::answer::{Answer, Service};
use exdav::upstream::ews::autodiscover::trust::{self, Trust};
use exdav::upstream::ews::network::srv;
use exdav::upstream::ews::types::parse_item;
use exdav::xml::{Element, Reader, Writer};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const OWNER: &str = "owner@example.com";

/// What is written reads back to the same tree, and is then written to the same octets.
fn round_trip(tree: &Component) {
    let text = tree.write();
    let again = Component::parse(text.as_bytes())
        .unwrap_or_else(|error| panic!("{error} in what was written:\n{text}"));
    assert_eq!(*tree, again, "{text}");
    assert_eq!(text, again.write());
    let bare = text.replace("\r\n", "");
    assert!(!bare.contains(['\n', '\0']), "a line break or a zero octet got out: {bare:?}");
    let longest = text.split("\r\n").map(str::len).max().unwrap_or_default();
    assert!(longest <= 75, "a line of {longest} octets is not folded. RFC 5545 3.1");
}

fn december() -> TimeRange {
    let at = |seconds| Timestamp::from_second(seconds).ok();
    TimeRange { start: at(1_796_083_200), end: at(1_798_761_600) }
}

/// A client's calendar object: read, written, planned for Exchange, matched and expanded.
pub fn calendar(octets: &[u8]) {
    let body = octets.to_vec().into();
    for kind in [CollectionKind::Calendar, CollectionKind::Tasks] {
        if let Ok(plan) =
            write::plan(&Context::of(OWNER), kind, "x.ics", &body, None, write::NotifyPolicy::Concerned)
        {
            assert!(!plan.uid.is_empty(), "an object without UID is not stored. RFC 4791 4.1");
        }
    }
    let Ok(tree) = Component::parse(octets) else { return };
    round_trip(&tree);
    let zone = exdav::model::zone::Zone::Utc;
    let range = december();
    let part = |name: &str, time_range, comps| CompFilter {
        name: name.to_owned(),
        test: CompTest::Present { time_range, props: Vec::new(), comps },
    };
    for name in ["VEVENT", "VTODO"] {
        let root = part("VCALENDAR", None, vec![part(name, Some(range), Vec::new())]);
        let matches =
            query::matches(&Filter::Calendar(CalendarFilter { root, timezone: None }), &tree, &zone);
        let recurrence = Some(RecurrenceShape::Expand(range));
        let shape = Shape::Calendar(CalendarData { recurrence, ..CalendarData::default() });
        // What would be too much is refused before anything is written.
        if let Ok(Some(expanded)) = query::shape(&shape, &tree, &zone) {
            round_trip(&expanded);
            let instances = expanded.children_named(name).count();
            assert!(
                matches || instances == 0 || name == "VTODO",
                "{instances} instances of what does not match"
            );
        }
    }
}

/// A client's card, or several.
pub fn card(octets: &[u8]) {
    let body = octets.to_vec().into();
    if let Ok(plan) = write::plan(
        &Context::of(OWNER),
        CollectionKind::AddressBook,
        "x.vcf",
        &body,
        None,
        write::NotifyPolicy::Concerned,
    ) {
        assert!(!plan.uid.is_empty());
    }
    for tree in parse_all(octets).unwrap_or_default() {
        round_trip(&tree);
    }
}

/// XML of a client: refused, or written again to the same tree.
pub fn dav_xml(octets: &[u8]) {
    let Ok(element) = Element::parse(octets) else { return };
    same_again(&element, |text| Element::parse(text.as_bytes()).ok());
}

fn same_again(element: &Element, read: impl Fn(&str) -> Option<Element>) {
    let mut writer = Writer::new(&[("D", "DAV:")]);
    writer.element(element);
    let text = writer.finish();
    let again = read(&text).unwrap_or_else(|| panic!("what was written is not well formed: {text}"));
    assert_eq!(plain(element), plain(&again), "{text}");
}

/// Names, attributes and texts, with texts that stand side by side as one.
fn plain(element: &Element) -> String {
    let attributes: Vec<String> =
        element.attributes().map(|(name, value)| format!("{name:?}={value:?}")).collect();
    let children: Vec<String> = element.children().map(plain).collect();
    format!("<{:?} {attributes:?} {:?} {children:?}>", element.name(), element.text())
}

/// An answer of Exchange: whatever item is in it, what is rendered of it is well formed and reads back.
pub fn ews_xml(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    if let Ok(element) = Reader::lenient(&text).document() {
        same_again(&element, |text| Reader::lenient(text).document().ok());
    }
    let Some(item) = parse_item(&text) else { return };
    let related = Related { exceptions: vec![item.clone()], ..Related::default() };
    for related in [related, Related::default()] {
        let Ok(rendered) = convert::render(&Context::of(OWNER), &item, &related) else { continue };
        for body in [Some(&rendered.body), rendered.vcard4.as_ref()].into_iter().flatten() {
            let trees = parse_all(body).unwrap_or_else(|error| {
                panic!("{error} in what was rendered: {}", String::from_utf8_lossy(body))
            });
            assert_eq!(trees.len(), 1);
        }
        assert!(!rendered.etag.0.is_empty() && !rendered.uid.is_empty());
        let again =
            convert::render(&Context::of(OWNER), &item, &related).map(|again| (again.body, again.etag));
        assert_eq!(Ok((rendered.body, rendered.etag)), again, "the same item is the same text");
    }
}

/// Text of a time zone: what a zone says of an instant and of the local time there belongs together.
pub fn zone(octets: &[u8]) {
    let Some(zone) = moment::zone_of_text(&String::from_utf8_lossy(octets)) else { return };
    for seconds in [-2_000_000_000, 0, 951_782_400, 1_772_323_200, 1_796_083_200, 4_102_444_800] {
        let Ok(at) = Timestamp::from_second(seconds) else { continue };
        let local: DateTime = zone.to_local(at);
        assert_eq!(local, TimeZone::fixed(zone.offset(at)).to_datetime(at));
        let back = zone.to_instant(local);
        assert_eq!(zone.to_local(back), local, "the local time of an instant exists");
    }
    let transitions =
        zone.transitions(Timestamp::UNIX_EPOCH, Timestamp::from_second(1_900_000_000).unwrap_or_default());
    assert!(transitions.windows(2).all(|pair| pair[0].at < pair[1].at), "transitions have an order");
}

/// The path of a request: what can be anything has one spelling, and that spelling means the same.
pub fn path(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let segment = login_segment(&text);
    assert!(
        segment.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"._-~".contains(&octet)),
        "{segment}"
    );
    assert_eq!(login_of_segment(&segment), Some(text.to_ascii_lowercase()), "a segment means one login");
    let Some(path) = canonical(&text) else { return };
    assert_eq!(canonical(&path), Some(path.clone()), "{path} is no fixed spelling");
    assert!(path.starts_with('/') && path.bytes().all(|octet| octet.is_ascii_graphic()), "{path:?}");
    let up = path.split('/').any(|segment| segment == ".." || segment == ".");
    assert!(!up && !path.contains("//"), "{path} leads elsewhere");
}

const DOMAIN: &str = "example.com";
const NAMED: &str = "hoster.test";

fn trust() -> Trust {
    let mut trust = Trust::new(&[NAMED.to_owned()]);
    trust.add_domain(DOMAIN);
    trust
}

/// Whoever sent this text, without proof, gets no password for another host. The URL is read here with other eyes.
fn leads_home(text: &str) {
    let Ok(trusted) = trust().hinted(text) else { return };
    let url = trusted.url().as_str();
    let authority = url.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next());
    let authority = authority.unwrap_or_else(|| panic!("{url} is without TLS"));
    let host = authority.split(':').next().unwrap_or_default().trim_end_matches('.');
    let is_below =
        |domain: &str| host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    let is_online = ["autodiscover-s.outlook.com", "autodiscover.outlook.com", "outlook.office365.com"];
    assert!(is_below(DOMAIN) || is_below(NAMED) || is_online.contains(&host), "{text:?} leads to {url}");
    assert!(!authority.contains('@'), "{url} names a user");
}

/// An answer of Autodiscover, of either service: little is taken from it, and nothing of that leads out of TLS.
pub fn autodiscover(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    leads_home(text.trim());
    let by = trust().own("autodiscover.example.com").unwrap_or_else(|| panic!("the domain's own host"));
    for service in [Service::Soap, Service::Pox] {
        let leads = match service.read(octets) {
            Ok(Answer::Settings(endpoints)) => {
                assert!(endpoints.len() <= 6, "{} endpoints are looked at", endpoints.len());
                endpoints
            }
            Ok(Answer::RedirectUrl(url)) => vec![url],
            Ok(Answer::RedirectAddress(address)) => {
                if let Some(domain) = trust::domain(&address) {
                    assert!(address.ends_with(domain) && domain.contains('.'), "{address}");
                    assert!(!domain.contains(['/', ':', '?', '#', '@', '%', '\\', ' ']), "{address}");
                    let question = String::from_utf8(service.ask("https://x/", &address).to_vec());
                    let question = question.unwrap_or_else(|_| panic!("a question in UTF-8"));
                    assert!(Element::parse(question.as_bytes()).is_ok(), "{question}");
                }
                Vec::new()
            }
            Ok(Answer::Refused(words)) => {
                assert!(words.chars().count() <= 200 && !words.contains(char::is_control), "{words:?}");
                Vec::new()
            }
            Err(_) => Vec::new(),
        };
        for lead in leads {
            leads_home(&lead);
            if let Ok(told) = Trust::told(&by, &lead) {
                let url = told.url();
                assert_eq!(url.scheme(), "https", "{lead:?}");
                assert!(url.has_host() && url.username().is_empty() && url.password().is_none(), "{url}");
            }
        }
    }
}

/// An answer to the question for a DNS record: what it says is short and leads home, and what was put in comes out.
pub fn dns(octets: &[u8]) {
    if let Some((host, port)) = srv::first(octets) {
        assert!(!host.is_empty() && host.len() <= 253, "{} octets of a name", host.len());
        leads_home(&format!("https://{host}:{port}/"));
    }
    let Some((&[priority, weight, low, high], labels)) = octets.split_first_chunk::<4>() else { return };
    let letter = |octet: &u8| char::from(b'a' + octet % 26);
    let labels: Vec<String> =
        labels.chunks(9).take(20).map(|label| label.iter().map(letter).collect()).collect();
    let wire = |labels: &[String]| {
        let mut wire: Vec<u8> = labels
            .iter()
            .flat_map(|label| [&[u8::try_from(label.len()).unwrap_or_default()], label.as_bytes()].concat())
            .collect();
        wire.push(0);
        wire
    };
    let record = |priority: u8, port: [u8; 2], target: &[u8]| {
        let size = u16::try_from(6 + target.len()).unwrap_or_default().to_be_bytes();
        [&[0xc0, 12, 0, 33, 0, 1, 0, 0, 0, 9][..], &size, &[0, priority, 0, weight], &port, target].concat()
    };
    let head = [0, 0, 0x81, 0x80, 0, 1, 0, 2, 0, 0, 0, 0];
    let question = [wire(&["x".to_owned()]), vec![0, 33, 0, 1]].concat();
    let wanted = record(priority, [high, low], &wire(&labels));
    let other = record(255, [1, 187], &wire(&["later".to_owned()]));
    if labels.is_empty() || priority == 255 {
        return;
    }
    for records in [[&wanted, &other], [&other, &wanted]] {
        let answer = [&head[..], &question, records[0], records[1]].concat();
        assert_eq!(srv::first(&answer), Some((labels.join("."), u16::from_be_bytes([high, low]))));
    }
}

/// What a stream says, up to its first error.
fn told(documents: &mut Documents) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(next) = documents.next() {
        all.push(format!("{next:?}"));
        if next.is_err() {
            break;
        }
    }
    all
}

/// A stream of events: what is told is the same in whatever pieces it comes and whatever came before.
pub fn stream(octets: &[u8]) {
    let in_pieces = |octets: &[u8], size: usize| {
        let (mut documents, mut all) = (Documents::default(), Vec::new());
        for piece in octets.chunks(size) {
            documents.add(piece);
            all.extend(told(&mut documents));
            if all.last().is_some_and(|last| last.starts_with("Err")) {
                break;
            }
        }
        all
    };
    let whole = in_pieces(octets, octets.len().max(1));
    assert!(whole.len() <= 1 + octets.len() / 9, "{} documents", whole.len());
    for size in [1, 10, 1000] {
        assert_eq!(in_pieces(octets, size), whole, "in pieces of {size}");
    }
    let sign_of_life = b"<e:Envelope xmlns:e='x'><e:Body><r/></e:Body></e:Envelope>";
    let after = in_pieces(&[sign_of_life, octets].concat(), 100);
    assert_eq!(after.get(1..), Some(whole.as_slice()), "what came before has an end");
}

fn at<const N: usize>(octets: &[u8], at: usize) -> [u8; N] {
    let found = octets.get(at..at + N).and_then(|found| found.try_into().ok());
    found.unwrap_or_else(|| panic!("{} octets end before {at}", octets.len()))
}

/// What a server asks when one signs in: schemes in a header, and the message of NTLM. Whatever it says, the answer is
/// bound to our channel and to our idea of who the server is, and the password is not in it.
pub fn challenge(octets: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in octets.split(|octet| *octet == b'\n') {
        headers.extend(HeaderValue::from_bytes(line).map(|value| (WWW_AUTHENTICATE, value)));
    }
    for found in challenges(&headers) {
        assert!(
            found.scheme.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-'),
            "{found:?}"
        );
    }
    assert!(token(&headers, "NTLM").is_none_or(|token| !token.is_empty()));

    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let (login, password, target) = ("alice@example.com", "correct horse", "HTTP/mail.example.com");
    let binding = Some([0xb1; 16]);
    let answer = ntlm::Answer { login, password, target, binding, nonce: [0xc2; 8], now: 1 };
    let Ok(message) = ntlm::authenticate(&ntlm::negotiate(), octets, &answer) else { return };
    assert_eq!(at::<12>(&message, 0), *b"NTLMSSP\0\x03\0\0\0");
    // MS-NLMP 2.2.1.3: the fields stand one after the other, and nothing comes after them.
    let mut next = 88;
    let fields: [&[u8]; 6] = std::array::from_fn(|field| {
        let place = 12 + 8 * field;
        let length = usize::from(u16::from_le_bytes(at(&message, place)));
        assert_eq!(u32::from_le_bytes(at(&message, place + 4)) as usize, next);
        next += length;
        message.get(next - length..next).unwrap_or_else(|| panic!("field {field} is not in the message"))
    });
    assert_eq!(next, message.len());
    assert_eq!((fields[2], fields[3]), (&[][..], &utf16(login)[..]), "who signs in is said by us");
    // MS-NLMP 2.2.2.7: the proof, the head, the pairs.
    let mut pairs = fields[1].get(16 + 28..).unwrap_or_default();
    let mut found: Vec<(u16, &[u8])> = Vec::new();
    loop {
        let (id, length) = (u16::from_le_bytes(at(pairs, 0)), usize::from(u16::from_le_bytes(at(pairs, 2))));
        found.push((id, pairs.get(4..4 + length).unwrap_or_else(|| panic!("a pair is cut off"))));
        pairs = pairs.get(4 + length..).unwrap_or_default();
        if id == 0 {
            break;
        }
    }
    assert_eq!(pairs, [0; 4], "the pairs end the response");
    let all =
        |id: u16| found.iter().filter(|pair| pair.0 == id).map(|pair| pair.1.to_vec()).collect::<Vec<_>>();
    assert_eq!(all(10), [vec![0xb1; 16]], "the channel is ours, whatever the server says");
    assert_eq!(all(9), [utf16(target)]);
    assert!(all(6).len() == 1 && all(6)[0][0] & 2 == 2, "the message says that it has a MIC");
    // A server that guesses it gets its own words back.
    let shows = |text: &[u8], secret: &[u8]| text.windows(secret.len()).any(|window| window == secret);
    for secret in [password.as_bytes(), &utf16(password)] {
        assert!(!shows(&message, secret) || shows(octets, secret), "the password is in the message");
    }
}

/// The headers of a request, a line each: a condition is never taken for met because it is odd, a file's name leads into
/// no folder, and who is not trusted says nothing of who asks.
pub fn headers(octets: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in octets.split(|octet| *octet == b'\n').take(100) {
        let Some(colon) = line.iter().position(|octet| *octet == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let name = HeaderName::from_bytes(name);
        let value = HeaderValue::from_bytes(value.get(1..).unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    const TAG: &str = "0123456789abcdef";
    let head = |tag: &str| Head {
        name: "x.ics".parse().unwrap_or_else(|_| panic!("a name")),
        etag: ETag(tag.to_owned()),
        schedule_tag: None,
        last_modified: Timestamp::UNIX_EPOCH,
        size: 1,
    };
    let lines =
        |name: &str| -> Vec<&[u8]> { headers.get_all(name).iter().map(HeaderValue::as_bytes).collect() };
    let says = |name: &str, word: &str| {
        lines(name).iter().any(|line| line.windows(word.len()).any(|window| window == word.as_bytes()))
    };
    if let Ok(conditions) = conditions(&headers) {
        for current in [Some(head(TAG)), None] {
            if conditions.judge(current.as_ref()).is_err() {
                continue;
            }
            for name in ["if-match", "if"] {
                let is_met = current.is_some() && (says(name, TAG) || name == "if-match" && says(name, "*"));
                let is_always = name == "if" && ["Not", "NOT", "not"].iter().any(|not| says(name, not));
                assert!(
                    lines(name).is_empty() || is_met || is_always,
                    "{name} is taken for met: {headers:?}"
                );
            }
            assert!(lines("if-schedule-tag-match").is_empty(), "there is no such tag");
            let is_any =
                |line: &&[u8]| line.split(|octet| *octet == b',').any(|tag| tag.trim_ascii() == b"*");
            let is_new = current.is_none() || !lines("if-none-match").iter().any(is_any);
            assert!(is_new, "`If-None-Match: *` is taken for met: {headers:?}");
        }
    }
    for value in headers.values() {
        if let Some(name) = file_name(&String::from_utf8_lossy(value.as_bytes())) {
            assert!(!name.is_empty() && name.chars().count() <= 255, "{name:?}");
            assert!(
                !name.contains(['/', '\\']) && !name.contains(char::is_control),
                "{name:?} leads elsewhere"
            );
            assert!(name != "." && name != "..", "{name:?} is a folder");
        }
    }
    let trusted = ["192.0.2.1", "10.0.0.0/8"].map(|text| text.parse().unwrap_or_else(|()| panic!("{text}")));
    let user_header = Some(HeaderName::from_static("x-client-user"));
    let proxies = Proxies { trusted: trusted.to_vec(), user_header };
    let stranger = std::net::IpAddr::from([198, 51, 100, 7]);
    let origin = proxies.origin(stranger, &headers);
    assert_eq!((origin.address, origin.vouched), (stranger, None), "{headers:?}");
    let vouched = proxies.origin([192, 0, 2, 1].into(), &headers).vouched;
    assert!(vouched.is_none() || lines("x-client-user").len() == 1, "two names: {headers:?}");
}

/// A recurrence rule, on further lines the start and a length: it is written as it was read, and its occurrences have
/// an order and an end.
pub fn rule(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let mut lines = text.lines();
    let Ok(rule) = lines.next().unwrap_or_default().trim_start_matches("RRULE:").parse::<Rule>() else {
        return;
    };
    let written = rule.to_string();
    let again: Rule = written.parse().unwrap_or_else(|_| panic!("{written} was written and is no rule"));
    assert_eq!(rule, again, "{written}");
    let start = lines.next().and_then(|line| DateTime::strptime("%Y%m%dT%H%M%S", line.trim()).ok());
    let start = start.unwrap_or_else(|| jiff::civil::datetime(2026, 1, 5, 9, 0, 0, 0));
    let length = lines.next().and_then(moment::length);
    let zone = Zone::iana("Europe/Berlin").unwrap_or(Zone::Utc);
    let occurrences: Vec<DateTime> = rule.occurrences(start, &zone).take(60).collect();
    assert!(occurrences.windows(2).all(|pair| pair[0] < pair[1]), "{written}: {occurrences:?}");
    assert_eq!(occurrences.first(), Some(&start), "the start is the first. RFC 5545 3.8.5.3");
    assert!(rule.count.is_none_or(|count| occurrences.len() as u64 <= u64::from(count)), "{written}");
    for at in occurrences.iter().skip(1) {
        let is_within = match rule.until {
            None => true,
            Some(Until::Date(day)) => at.date() <= day,
            Some(Until::Local(last)) => *at <= last,
            Some(Until::Utc(last)) => zone.to_instant(*at) <= last,
        };
        assert!(is_within, "{written}: {at} is too late");
        if let Some(length) = length {
            let _ = moment::Moment::Zoned(*at, zone.clone()).after(length);
            let _ = moment::Moment::Day(at.date()).after(length);
        }
    }
}
