//! Filters and shapes over the calendar of RFC 4791 appendix B, and the corners of its tables.

use super::filter::*;
use super::shape::*;
use super::*;
use jiff::Timestamp;

const APPENDIX_B: &str = "\
BEGIN:VCALENDAR
VERSION:2.0
BEGIN:VTIMEZONE
TZID:US/Eastern
BEGIN:STANDARD
DTSTART:20001026T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZNAME:EST
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
DTSTAMP:20060206T001121Z
DTSTART;TZID=US/Eastern:20060102T120000
DURATION:PT1H
RRULE:FREQ=DAILY;COUNT=5
SUMMARY:Event #2
UID:00959BC664CA650E933C892C@example.com
END:VEVENT
BEGIN:VEVENT
DTSTAMP:20060206T001121Z
DTSTART;TZID=US/Eastern:20060104T140000
DURATION:PT1H
RECURRENCE-ID;TZID=US/Eastern:20060104T120000
SUMMARY:Event #2 bis
UID:00959BC664CA650E933C892C@example.com
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER;RELATED=START:-PT15M
END:VALARM
END:VEVENT
END:VCALENDAR
";

fn shape(shape: &Shape, object: &Component, zone: &Zone) -> Option<Component> {
    super::shape(shape, object, zone).unwrap()
}

fn object(text: &str) -> Component {
    Component::parse(text.as_bytes()).unwrap()
}

fn calendar(inner: &str) -> Component {
    object(&format!("BEGIN:VCALENDAR\n{inner}\nEND:VCALENDAR\n"))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn range(start: &str, end: &str) -> TimeRange {
    let end_of = |text: &str| (!text.is_empty()).then(|| at(text));
    TimeRange { start: end_of(start), end: end_of(end) }
}

fn comp(
    name: &str,
    time_range: Option<TimeRange>,
    props: Vec<PropFilter>,
    comps: Vec<CompFilter>,
) -> CompFilter {
    CompFilter { name: name.into(), test: CompTest::Present { time_range, props, comps } }
}

fn asks(inner: CompFilter) -> Filter {
    Filter::Calendar(CalendarFilter { root: comp("VCALENDAR", None, vec![], vec![inner]), timezone: None })
}

fn in_range(name: &str, object: &Component, start: &str, end: &str) -> bool {
    is_meant(&asks(comp(name, Some(range(start, end)), vec![], vec![])), object)
}

/// The same whether all of the object is read or only what the filter looks at.
fn is_meant(filter: &Filter, object: &Component) -> bool {
    let whole = matches(filter, object, &Zone::Utc);
    let part = super::read(filter, object.write().as_bytes()).unwrap();
    assert_eq!(matches(filter, &part, &Zone::Utc), whole, "{filter:?}");
    whole
}

fn text(text: &str, negate: bool) -> TextMatch {
    TextMatch { text: text.into(), kind: MatchKind::Contains, collation: Collation::AsciiCasemap, negate }
}

fn prop(name: &str, test: Option<TextMatch>) -> PropFilter {
    PropFilter { name: name.into(), test: PropTest::Present { time_range: None, text: test, params: vec![] } }
}

#[test]
fn a_series_is_in_the_ranges_of_its_instances_only() {
    let series = object(APPENDIX_B);
    assert!(in_range("VEVENT", &series, "2006-01-06T17:30:00Z", "2006-01-07T00:00:00Z"));
    assert!(!in_range("VEVENT", &series, "2006-01-07T00:00:00Z", ""));
    // The moved one is not where the rule had it, but where it is.
    assert!(!in_range("VEVENT", &series, "2006-01-04T17:00:00Z", "2006-01-04T18:00:00Z"));
    assert!(in_range("VEVENT", &series, "2006-01-04T19:30:00Z", "2006-01-04T19:31:00Z"));
    // Half-open: touching is not overlapping.
    assert!(!in_range("VEVENT", &series, "2006-01-02T18:00:00Z", "2006-01-02T19:00:00Z"));
    assert!(!in_range("VEVENT", &series, "2006-01-02T16:00:00Z", "2006-01-02T17:00:00Z"));
}

#[test]
fn all_conditions_hold_for_one_and_the_same_component() {
    let series = object(APPENDIX_B);
    let moved = range("2006-01-04T19:00:00Z", "2006-01-04T20:00:00Z");
    let with = |words: &str| {
        asks(comp("VEVENT", Some(moved), vec![prop("SUMMARY", Some(text(words, false)))], vec![]))
    };
    assert!(is_meant(&with("BIS"), &series));
    let first = range("2006-01-02T17:00:00Z", "2006-01-02T18:00:00Z");
    let bis = asks(comp("VEVENT", Some(first), vec![prop("SUMMARY", Some(text("bis", false)))], vec![]));
    assert!(!is_meant(&bis, &series));
}

#[test]
fn an_alarm_is_found_when_it_rings() {
    let series = object(APPENDIX_B);
    let rings = |start: &str, end: &str| {
        let alarm = comp("VALARM", Some(range(start, end)), vec![], vec![]);
        is_meant(&asks(comp("VEVENT", None, vec![], vec![alarm])), &series)
    };
    assert!(rings("2006-01-04T18:45:00Z", "2006-01-04T18:46:00Z"));
    assert!(!rings("2006-01-04T18:46:00Z", "2006-01-04T19:46:00Z"));
    let none = CompFilter { name: "VALARM".into(), test: CompTest::Absent };
    assert!(is_meant(&asks(comp("VEVENT", None, vec![], vec![none])), &series));
}

#[test]
fn days_are_told_in_the_zone_of_the_request() {
    let holiday = calendar("BEGIN:VEVENT\nDTSTART;VALUE=DATE:20260501\nEND:VEVENT");
    let asked =
        asks(comp("VEVENT", Some(range("2026-04-30T22:30:00Z", "2026-04-30T22:31:00Z")), vec![], vec![]));
    assert!(matches(&asked, &holiday, &Zone::iana("Europe/Berlin").unwrap()));
    assert!(!matches(&asked, &holiday, &Zone::Utc));
}

#[test]
fn events_without_length_are_in_the_range_that_begins_with_them() {
    let zero = calendar("BEGIN:VEVENT\nDTSTART:20260501T100000Z\nEND:VEVENT");
    assert!(in_range("VEVENT", &zero, "2026-05-01T10:00:00Z", "2026-05-01T11:00:00Z"));
    assert!(!in_range("VEVENT", &zero, "2026-05-01T09:00:00Z", "2026-05-01T10:00:00Z"));
}

/// RFC 4791 9.9, table of VTODO.
#[test]
fn tasks_follow_their_table() {
    let task = |lines: &str| calendar(&format!("BEGIN:VTODO\n{lines}\nEND:VTODO"));
    let (from, to) = ("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z");
    for (lines, expected) in [
        ("DTSTART:20260430T000000Z\nDURATION:P1D", true),
        ("DTSTART:20260430T000000Z\nDURATION:PT23H", false),
        ("DTSTART:20260430T000000Z\nDUE:20260501T000000Z", false),
        ("DTSTART:20260501T000000Z\nDUE:20260501T000000Z", true),
        ("DTSTART:20260501T235959Z", true),
        ("DTSTART:20260502T000000Z", false),
        ("DUE:20260502T000000Z", true),
        ("DUE:20260501T000000Z", false),
        ("COMPLETED:20260502T000000Z\nCREATED:20250101T000000Z", true),
        ("COMPLETED:20260502T000000Z", true),
        ("COMPLETED:20260503T000000Z", false),
        ("CREATED:20260501T235959Z", true),
        ("CREATED:20260502T000000Z", false),
        ("SUMMARY:timeless", true),
    ] {
        assert_eq!(in_range("VTODO", &task(lines), from, to), expected, "{lines}");
    }
}

#[test]
fn excluded_and_added_dates_count_in_every_spelling() {
    let series = calendar(
        "BEGIN:VEVENT\nDTSTART;TZID=Europe/Berlin:20260302T090000\nDTEND;TZID=Europe/Berlin:20260302T100000\n\
         RRULE:FREQ=DAILY;COUNT=3\nEXDATE;VALUE=DATE:20260303\nRDATE:20260310T080000Z\nEND:VEVENT",
    );
    assert!(!in_range("VEVENT", &series, "2026-03-03T00:00:00Z", "2026-03-04T00:00:00Z"));
    assert!(in_range("VEVENT", &series, "2026-03-04T00:00:00Z", "2026-03-05T00:00:00Z"));
    assert!(in_range("VEVENT", &series, "2026-03-10T08:30:00Z", "2026-03-10T08:31:00Z"));
}

#[test]
fn properties_are_asked_for_their_absence_values_and_parameters() {
    let event = calendar(
        "BEGIN:VEVENT\nDTSTART:20260501T100000Z\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:a@example.com\nEND:VEVENT",
    );
    let has = |filter: PropFilter| is_meant(&asks(comp("VEVENT", None, vec![filter], vec![])), &event);
    assert!(has(PropFilter { name: "SUMMARY".into(), test: PropTest::Absent }));
    assert!(!has(PropFilter { name: "ATTENDEE".into(), test: PropTest::Absent }));
    assert!(has(prop("ATTENDEE", Some(text("A@EXAMPLE", false)))));
    assert!(!has(prop("ATTENDEE", Some(text("a@example", true)))));
    let with = |params: Vec<ParamFilter>| {
        has(PropFilter {
            name: "ATTENDEE".into(),
            test: PropTest::Present { time_range: None, text: None, params },
        })
    };
    assert!(with(vec![ParamFilter {
        name: "PARTSTAT".into(),
        test: ParamTest::Matches(text("needs", false))
    }]));
    assert!(with(vec![ParamFilter { name: "ROLE".into(), test: ParamTest::Absent }]));
    let when = PropTest::Present {
        time_range: Some(range("2026-05-01T10:00:00Z", "2026-05-01T10:00:01Z")),
        text: None,
        params: vec![],
    };
    assert!(has(PropFilter { name: "DTSTART".into(), test: when }));
}

#[test]
fn cards_match_any_or_all_of_their_conditions() {
    let card = object(
        "BEGIN:VCARD\nVERSION:3.0\nFN:Jürgen\nEMAIL;TYPE=HOME:j@example.com\nNICKNAME:me\nEND:VCARD\n",
    );
    let texts = |name: &str, texts: Vec<TextMatch>, test| CardPropFilter {
        name: name.into(),
        test,
        absent: false,
        texts,
        params: vec![],
    };
    let ask = |test, props| matches(&Filter::Card(CardFilter { test, props }), &card, &Zone::Utc);
    let unicode =
        TextMatch { collation: Collation::UnicodeCasemap, kind: MatchKind::Equals, ..text("JÜRGEN", false) };
    assert!(ask(AnyAll::All, vec![texts("FN", vec![unicode], AnyAll::All)]));
    assert!(ask(
        AnyAll::Any,
        vec![texts("FN", vec![text("nobody", false)], AnyAll::Any), texts("NICKNAME", vec![], AnyAll::Any)]
    ));
    assert!(!ask(
        AnyAll::All,
        vec![texts("FN", vec![text("nobody", false)], AnyAll::Any), texts("NICKNAME", vec![], AnyAll::Any)]
    ));
    assert!(!ask(
        AnyAll::Any,
        vec![texts("EMAIL", vec![text("j@", false), text("@example", true)], AnyAll::All)]
    ));
    assert!(ask(AnyAll::Any, vec![]));
}

fn starts(component: &Component) -> Vec<&str> {
    component.children.iter().filter_map(|event| event.value("DTSTART")).collect()
}

/// RFC 4791 7.8.3
#[test]
fn expansion_gives_one_component_an_instance_in_utc() {
    let data = CalendarData {
        recurrence: Some(RecurrenceShape::Expand(range("2006-01-04T00:00:00Z", "2006-01-06T00:00:00Z"))),
        ..CalendarData::default()
    };
    let expanded = shape(&Shape::Calendar(data), &object(APPENDIX_B), &Zone::Utc).unwrap();
    assert_eq!(starts(&expanded), ["20060104T190000Z", "20060105T170000Z"]);
    let ids: Vec<_> = expanded.children.iter().filter_map(|event| event.value("RECURRENCE-ID")).collect();
    assert_eq!(ids, ["20060104T170000Z", "20060105T170000Z"]);
    assert!(expanded.children.iter().all(|event| event.line("RRULE").is_none() && event.name == "VEVENT"));
}

/// RFC 4791 7.8.2
#[test]
fn limiting_keeps_the_master_and_what_touches_the_range() {
    let limited = |start: &str, end: &str| {
        let recurrence = Some(RecurrenceShape::Limit(range(start, end)));
        let data = CalendarData { recurrence, ..CalendarData::default() };
        shape(&Shape::Calendar(data), &object(APPENDIX_B), &Zone::Utc)
            .unwrap()
            .children_named("VEVENT")
            .count()
    };
    assert_eq!(limited("2006-01-03T00:00:00Z", "2006-01-05T00:00:00Z"), 2);
    assert_eq!(limited("2006-01-05T00:00:00Z", "2006-01-06T00:00:00Z"), 1);
}

#[test]
fn parts_of_an_object_are_cut_out_by_name() {
    let event = CompSelection {
        name: "VEVENT".into(),
        props: Some(vec![
            PropSelection { name: "UID".into(), novalue: false },
            PropSelection { name: "SUMMARY".into(), novalue: true },
        ]),
        comps: Some(vec![]),
    };
    let comp = CompSelection { name: "VCALENDAR".into(), props: Some(vec![]), comps: Some(vec![event]) };
    let data = CalendarData { comp: Some(comp), ..CalendarData::default() };
    let cut = shape(&Shape::Calendar(data), &object(APPENDIX_B), &Zone::Utc).unwrap();
    assert_eq!(cut.children.len(), 2);
    assert_eq!(
        cut.children[1].write(),
        "BEGIN:VEVENT\r\nSUMMARY:\r\nUID:00959BC664CA650E933C892C@example.com\r\nEND:VEVENT\r\n"
    );
}

#[test]
fn busy_time_is_merged_by_kind_and_cut_to_the_range() {
    let events = [
        calendar("BEGIN:VEVENT\nDTSTART:20260501T080000Z\nDTEND:20260501T100000Z\nEND:VEVENT"),
        calendar("BEGIN:VEVENT\nDTSTART:20260501T093000Z\nDTEND:20260501T110000Z\nEND:VEVENT"),
        calendar(
            "BEGIN:VEVENT\nDTSTART:20260501T120000Z\nDTEND:20260501T130000Z\nTRANSP:TRANSPARENT\nEND:VEVENT",
        ),
        calendar(
            "BEGIN:VEVENT\nDTSTART:20260501T140000Z\nDTEND:20260501T150000Z\nSTATUS:TENTATIVE\nEND:VEVENT",
        ),
    ];
    let busy = free_busy(
        &events,
        &range("2026-05-01T09:00:00Z", "2026-05-02T00:00:00Z"),
        &Zone::Utc,
        Timestamp::UNIX_EPOCH,
    );
    let lines: Vec<_> = busy.children[0]
        .lines_named("FREEBUSY")
        .map(|l| (l.param("FBTYPE").unwrap(), l.value.as_str()))
        .collect();
    assert_eq!(
        lines,
        [
            ("BUSY", "20260501T090000Z/20260501T110000Z"),
            ("BUSY-TENTATIVE", "20260501T140000Z/20260501T150000Z")
        ]
    );
}

#[test]
fn a_zone_of_unknown_name_is_known_by_its_rules() {
    let odd = calendar(
        "BEGIN:VTIMEZONE\nTZID:Own clock\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0020\nTZOFFSETTO:+0020\nEND:STANDARD\nEND:VTIMEZONE\n\
         BEGIN:VEVENT\nDTSTART;TZID=Own clock:20260302T090000\nDTEND;TZID=Own clock:20260302T100000\nEND:VEVENT",
    );
    assert!(in_range("VEVENT", &odd, "2026-03-02T08:40:00Z", "2026-03-02T08:41:00Z"));
    assert!(!in_range("VEVENT", &odd, "2026-03-02T09:40:00Z", "2026-03-02T09:41:00Z"));
}

#[test]
fn endless_series_far_from_their_start_are_answered_at_once() {
    let series = calendar(
        "BEGIN:VEVENT\nDTSTART:19700101T000000Z\nDTEND:19700101T000001Z\nRRULE:FREQ=SECONDLY;INTERVAL=7\nEND:VEVENT",
    );
    let begun = std::time::Instant::now();
    assert!(in_range("VEVENT", &series, "2026-03-02T08:40:00Z", "2026-03-02T08:41:00Z"));
    assert!(begun.elapsed().as_secs() < 5);
}

#[test]
fn the_index_answers_what_needs_no_reading() {
    let span = Span { first: Some(at("2026-05-01T10:00:00Z")), last: Some(at("2026-05-01T11:00:00Z")) };
    let of = |inner: CompFilter| foresee(&asks(inner), "VEVENT", &span);
    let with = |start: &str, end: &str| of(comp("VEVENT", Some(range(start, end)), vec![], vec![]));
    assert_eq!(of(comp("VEVENT", None, vec![], vec![])), Foreseen::Matches);
    assert_eq!(of(comp("VTODO", None, vec![], vec![])), Foreseen::Fails);
    assert_eq!(of(CompFilter { name: "VEVENT".into(), test: CompTest::Absent }), Foreseen::Fails);
    assert_eq!(of(CompFilter { name: "VTODO".into(), test: CompTest::Absent }), Foreseen::Matches);
    assert_eq!(of(comp("VEVENT", None, vec![prop("SUMMARY", None)], vec![])), Foreseen::Unknown);
    assert_eq!(of(comp("VTIMEZONE", None, vec![], vec![])), Foreseen::Unknown);
    assert_eq!(with("2026-05-01T10:30:00Z", ""), Foreseen::Unknown);
    assert_eq!(with("2026-05-02T00:00:00Z", ""), Foreseen::Fails);
    assert_eq!(with("", "2026-05-01T09:00:00Z"), Foreseen::Fails);
    // Alarms ring away from their events.
    let alarm = comp("VALARM", Some(range("2026-04-01T00:00:00Z", "2026-04-02T00:00:00Z")), vec![], vec![]);
    assert_eq!(of(comp("VEVENT", None, vec![], vec![alarm])), Foreseen::Unknown);
}

#[test]
fn letters_compare_in_every_script() {
    let equal = |a: &str, b: &str| {
        TextMatch { collation: Collation::UnicodeCasemap, kind: MatchKind::Equals, ..text(a, false) }
            .matches(b)
    };
    assert!(equal("STRASSE", "straße") && equal("ΟΔΟΣ", "οδος") && equal("жУК", "Жук"));
    assert!(!equal("u", "ü"));
    assert!(!text("ÄPFEL", false).matches("äpfel"), "i;ascii-casemap folds only ASCII");
}

#[test]
fn the_range_of_a_query_is_that_of_the_components_it_asks_for() {
    let range = TimeRange { start: Some(at("2026-05-01T00:00:00Z")), end: None };
    let open = TimeRange { start: None, end: None };
    let of = |comps| {
        let root = comp("VCALENDAR", None, vec![], comps);
        super::range(&Filter::Calendar(CalendarFilter { root, timezone: None }), "VEVENT")
    };
    let events = |range| comp("VEVENT", range, vec![], vec![]);
    assert_eq!(of(vec![events(Some(range))]), range);
    assert_eq!(of(vec![comp("VTODO", Some(range), vec![], vec![]), events(None)]), open, "of others");
    assert_eq!(of(vec![events(None), events(Some(range))]), range, "all of them must hold");
    let alarm = comp("VALARM", Some(range), vec![], vec![]);
    assert_eq!(of(vec![comp("VEVENT", None, vec![], vec![alarm])]), open, "alarms ring elsewhere");
}
