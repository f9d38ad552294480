//! What must hold for any input, as functions of octets.
//!
//! The fuzz targets call them with what libFuzzer finds, `tests/properties.rs` with what a seeded generator makes of
//! real objects. A function that returns has held; it asserts where a property is broken.

use exdav::convert::{self, Context, Related, write};
use exdav::dav::path::canonical;
use exdav::ews::types::Item;
use exdav::model::collection::CollectionKind;
use exdav::model::id::{login_of_segment, login_segment};
use exdav::query;
use exdav::query::filter::{CalendarFilter, CompFilter, CompTest, Filter, TimeRange};
use exdav::query::shape::{CalendarData, RecurrenceShape, Shape};
use exdav::text::{Component, moment, parse_all};
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
            write::plan(&Context::of(OWNER), kind, "x.ics", &body, None, write::Audience::Concerned)
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
        if let Some(expanded) = query::shape(&shape, &tree, &zone) {
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
        write::Audience::Concerned,
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
    let Some(item) = Item::parse(&text) else { return };
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
