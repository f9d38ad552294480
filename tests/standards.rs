//! What the standards ask for beyond the common case: names, filters, conditions, places of collections.

use crate::support::http::{Answer, Client};
use crate::support::{PASSWORD, Stage, USER};
use exdav::dav;
use std::time::Duration;

const LONG: Duration = Duration::from_hours(1);
const XML: &[(&str, &str)] = &[("Content-Type", "application/xml")];
const BOOK: &str = "<mkcol xmlns='DAV:'><set><prop><resourcetype><collection/>\
    <C:addressbook xmlns:C='urn:ietf:params:xml:ns:carddav'/></resourcetype></prop></set></mkcol>";

async fn stage() -> (Stage, Client) {
    let stage = Stage::empty(1).await;
    let client = Client::of(stage.gateway(LONG), USER, PASSWORD).await;
    (stage, client)
}

fn calendar() -> String {
    dav::path::default_calendar(USER)
}

fn event(uid: &str, times: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n\
         DTSTAMP:20260101T000000Z\r\n{times}\r\nSUMMARY:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn at(hour: u32) -> String {
    format!("DTSTART:20261201T{hour:02}0000Z\r\nDTEND:20261201T{hour:02}3000Z")
}

async fn put(client: &Client, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let typed: Vec<_> = headers.iter().copied().chain([("Content-Type", "text/calendar")]).collect();
    client.ask("PUT", path, &typed, body).await
}

fn query(inner: &str) -> String {
    format!(
        "<C:calendar-query xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><D:prop><D:getetag/></D:prop>\
         <C:filter><C:comp-filter name='VCALENDAR'>{inner}</C:comp-filter></C:filter></C:calendar-query>"
    )
}

async fn asked(client: &Client, path: &str, body: &str) -> Answer {
    client.ask("REPORT", path, &[("Content-Type", "application/xml"), ("Depth", "1")], body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_may_have_any_name_and_is_found_by_the_spelling_that_is_served() {
    let (_stage, client) = stage().await;
    let home = dav::path::calendar_home(USER);
    for (sent, served) in [
        ("My%20Calendar", "My%20Calendar"),
        ("t%C3%A4st", "t%C3%A4st"),
        ("a@b", "a%40b"),
        ("a+b", "a%2Bb"),
        ("x'y", "x%27y"),
        ("a~b", "a~b"),
    ] {
        let made = client.ask("MKCALENDAR", &format!("{home}{sent}/"), &[], "").await.expect(201);
        let path = format!("{home}{served}/");
        assert_eq!(made.header("location"), path);
        let member = format!("{path}a%20%C3%A4+%40.ics");
        let created = put(&client, &member, &[], &event(sent, &at(9))).await.expect(201);
        assert_eq!(created.header("location"), member.replace('+', "%2B"));
        let listed = client.propfind(&home, "1", "<D:resourcetype/>").await.responses();
        assert!(listed.iter().any(|response| response.href == path), "{path}");
        let there = client.propfind(&path, "1", "<D:getetag/>").await.responses();
        let hrefs: Vec<_> = there.iter().map(|response| response.href.as_str()).collect();
        assert_eq!(hrefs, [path.as_str(), created.header("location")]);
        let multiget = format!(
            "<C:calendar-multiget xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><D:prop><D:getetag/></D:prop>\
             <D:href>{member}</D:href></C:calendar-multiget>"
        );
        let found = asked(&client, &path, &multiget).await.responses();
        assert!(found[0].found("getetag").is_some(), "{}", found[0].href);
        let destination = format!("{path}moved%21.ics");
        client.ask("MOVE", &member, &[("Destination", &destination)], "").await.expect(201);
        client.ask("GET", &destination, &[], "").await.expect(200);
        client.ask("DELETE", &path, &[], "").await.expect(204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_and_an_address_book_may_have_the_same_name() {
    let (stage, client) = stage().await;
    let calendar = format!("{}work/", dav::path::calendar_home(USER));
    let book = format!("{}work/", dav::path::address_book_home(USER));
    client.ask("MKCALENDAR", &calendar, &[], "").await.expect(201);
    let made = client.ask("MKCOL", &book, XML, BOOK).await.expect(201);
    assert_eq!(made.header("location"), book);
    client.ask("MKCOL", &book, XML, BOOK).await.expect(405);
    client.propfind(&book, "0", "<D:resourcetype/>").await.expect(207);
    put(&client, &format!("{calendar}a.ics"), &[], &event("a", &at(9))).await.expect(201);
    let card = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c\r\nFN:Ada\r\nN:;Ada;;;\r\nEND:VCARD\r\n";
    let member = format!("{book}a.vcf");
    client.ask("PUT", &member, &[("Content-Type", "text/vcard")], card).await.expect(201);
    let multiget = format!(
        "<C:addressbook-multiget xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:carddav'><D:prop><D:getetag/></D:prop>\
         <D:href>{member}</D:href></C:addressbook-multiget>"
    );
    assert!(asked(&client, &book, &multiget).await.responses()[0].found("getetag").is_some());
    // Another gateway with an empty store sees both under the same paths.
    let empty = tempfile::tempdir().unwrap();
    let gateway = stage.gateway_with(LONG, empty.path(), exdav::gateway::Settings::default());
    let other = Client::of(gateway, USER, PASSWORD).await;
    other.ask("GET", &member, &[], "").await.expect(200);
    other.ask("GET", &format!("{calendar}a.ics"), &[], "").await.expect(200);
    client.ask("DELETE", &book, &[], "").await.expect(204);
    client.ask("GET", &format!("{calendar}a.ics"), &[], "").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_asked_for_by_its_name_alone_comes_whole() {
    let (_stage, client) = stage().await;
    let member = format!("{}c.ics", calendar());
    put(&client, &member, &[], &event("c", &at(9))).await.expect(201);
    for comp in ["<C:comp name='VCALENDAR'/>", "<C:comp name='VCALENDAR'><C:comp name='VEVENT'/></C:comp>"] {
        let body = format!(
            "<C:calendar-multiget xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><D:prop><C:calendar-data>\
             {comp}</C:calendar-data></D:prop><D:href>{member}</D:href></C:calendar-multiget>"
        );
        let text = asked(&client, &calendar(), &body).await.responses()[0].text("calendar-data");
        for line in ["VERSION:2.0", "UID:c", "SUMMARY:x"] {
            assert!(text.contains(line), "{comp} {line}: {text}");
        }
    }
}

/// A zone of an offset of its own that never changes.
fn zone(offset: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VTIMEZONE\r\nTZID:Own\r\nBEGIN:STANDARD\r\n\
         DTSTART:16010101T000000\r\nTZOFFSETFROM:{offset}\r\nTZOFFSETTO:{offset}\r\nEND:STANDARD\r\n\
         END:VTIMEZONE\r\nEND:VCALENDAR\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_day_is_a_day_in_the_zone_of_the_calendar_or_of_the_query() {
    let (_stage, client) = stage().await;
    let path = format!("{}far/", dav::path::calendar_home(USER));
    let make = |text: &str| {
        format!(
            "<C:mkcalendar xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><D:set><D:prop>\
             <C:calendar-timezone>{text}</C:calendar-timezone></D:prop></D:set></C:mkcalendar>"
        )
    };
    let with_event =
        zone("+1000").replace("END:VCALENDAR", "BEGIN:VEVENT\r\nUID:e\r\nEND:VEVENT\r\nEND:VCALENDAR");
    client.ask("MKCALENDAR", &path, XML, &make(&with_event)).await.expect(400);
    client.ask("MKCALENDAR", &path, XML, &make(&zone("+1000"))).await.expect(201);
    let day = "DTSTART;VALUE=DATE:20261210\r\nDTEND;VALUE=DATE:20261211";
    put(&client, &format!("{path}d.ics"), &[], &event("d", day)).await.expect(201);
    // In the zone of the calendar the day begins at 14:00 UTC of the day before.
    let range = "<C:comp-filter name='VEVENT'><C:time-range start='20261209T150000Z' end='20261209T160000Z'/>\
        </C:comp-filter>";
    assert_eq!(asked(&client, &path, &query(range)).await.responses().len(), 1);
    let in_zone = |text: &str| {
        query(range).replace("</C:filter>", &format!("</C:filter><C:timezone>{text}</C:timezone>"))
    };
    assert_eq!(asked(&client, &path, &in_zone(&zone("+0000"))).await.responses().len(), 0);
    asked(&client, &path, &in_zone(&with_event)).await.expect(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn floating_times_and_days_are_those_of_the_calendars_zone_in_queries_expansions_alarms_and_free_busy()
{
    let (_stage, client) = stage().await;
    let path = format!("{}far/", dav::path::calendar_home(USER));
    let make = format!(
        "<C:mkcalendar xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><D:set><D:prop>\
         <C:calendar-timezone>{}</C:calendar-timezone></D:prop></D:set></C:mkcalendar>",
        zone("+1000")
    );
    client.ask("MKCALENDAR", &path, XML, &make).await.expect(201);
    let floating = "DTSTART:20261210T090000\r\nDTEND:20261210T100000\r\nRRULE:FREQ=DAILY;COUNT=3\r\n\
        BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT15M\r\nEND:VALARM";
    put(&client, &format!("{path}f.ics"), &[], &event("f", floating)).await.expect(201);
    let day = "DTSTART;VALUE=DATE:20261220\r\nDTEND;VALUE=DATE:20261221\r\nTRANSP:OPAQUE";
    put(&client, &format!("{path}d.ics"), &[], &event("d", day)).await.expect(201);
    let range = |start: &str, end: &str| format!("<C:time-range start='{start}' end='{end}'/>");
    let events = |range: &str| query(&format!("<C:comp-filter name='VEVENT'>{range}</C:comp-filter>"));
    let alarms = |range: &str| {
        query(&format!(
            "<C:comp-filter name='VEVENT'><C:comp-filter name='VALARM'>{range}</C:comp-filter></C:comp-filter>"
        ))
    };
    let in_utc = |body: &str| {
        body.replace("</C:filter>", &format!("</C:filter><C:timezone>{}</C:timezone>", zone("+0000")))
    };
    let found = async |body: &str| asked(&client, &path, body).await.expect(207).responses().len();
    // Nine o'clock in that zone is 23:00 UTC of the day before.
    let (here, there) =
        (range("20261209T230000Z", "20261210T000000Z"), range("20261212T090000Z", "20261212T100000Z"));
    assert_eq!(found(&events(&here)).await, 1);
    assert_eq!(found(&events(&there)).await, 0);
    assert_eq!(found(&in_utc(&events(&there))).await, 1);
    let (here, there) =
        (range("20261209T224000Z", "20261209T225000Z"), range("20261212T084000Z", "20261212T085000Z"));
    assert_eq!(found(&alarms(&here)).await, 1);
    assert_eq!(found(&alarms(&there)).await, 0);
    assert_eq!(found(&in_utc(&alarms(&there))).await, 1);
    let expanded = async |body: &str| {
        let expand =
            "<C:calendar-data><C:expand start='20261209T000000Z' end='20261222T000000Z'/></C:calendar-data>";
        let body = body.replace("<D:getetag/>", expand);
        asked(&client, &path, &body)
            .await
            .expect(207)
            .responses()
            .iter()
            .map(|r| r.text("calendar-data"))
            .collect::<String>()
    };
    let all = events(&range("20261209T000000Z", "20261222T000000Z"));
    let text = expanded(&all).await;
    assert!(text.contains("DTSTART:20261209T230000Z") && text.contains("DTSTART:20261211T230000Z"), "{text}");
    assert!(text.contains("DTSTART;VALUE=DATE:20261220"), "{text}");
    let text = expanded(&in_utc(&all)).await;
    assert!(text.contains("DTSTART:20261210T090000Z"), "{text}");
    let busy = format!(
        "<C:free-busy-query xmlns:C='urn:ietf:params:xml:ns:caldav'>{}</C:free-busy-query>",
        range("20261209T000000Z", "20261222T000000Z")
    );
    let text = asked(&client, &path, &busy).await.expect(200).text().replace("\r\n ", "");
    assert!(text.contains("20261209T230000Z/"), "{text}");
    assert!(text.contains("20261219T140000Z/"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_can_match_nothing_is_refused_as_invalid() {
    let (_stage, client) = stage().await;
    let range = "<C:time-range start='20060102T000000Z'/>";
    for inner in [
        "<C:comp-filter name='VTODO'><C:comp-filter name='VEVENT'/></C:comp-filter>".to_owned(),
        "<C:comp-filter name='VALARM'/>".to_owned(),
        "<C:comp-filter name='VCALENDAR'/>".to_owned(),
        format!("<C:comp-filter name='VTIMEZONE'>{range}</C:comp-filter>"),
        format!("<C:comp-filter name='VEVENT'><C:prop-filter name='SUMMARY'>{range}</C:prop-filter></C:comp-filter>"),
        format!("<C:comp-filter name='VEVENT'>{range}{range}</C:comp-filter>"),
        format!(
            "<C:comp-filter name='VEVENT'><C:prop-filter name='DTSTART'>{range}<C:text-match>x</C:text-match>\
             </C:prop-filter></C:comp-filter>"
        ),
        "<C:comp-filter name='VEVENT'><C:prop-filter name='ATTENDEE'><C:param-filter name='CN'>\
         <C:text-match>a</C:text-match><C:text-match>b</C:text-match></C:param-filter></C:prop-filter></C:comp-filter>"
            .to_owned(),
    ] {
        let answer = asked(&client, &calendar(), &query(&inner)).await.expect(403);
        assert!(answer.text().contains("valid-filter"), "{inner}: {}", answer.text());
    }
    asked(&client, &calendar(), &query("<C:comp-filter name='X-OWN'/>")).await.expect(207);
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_answered_on_the_object_itself() {
    let (_stage, client) = stage().await;
    let (one, two) = (format!("{}1.ics", calendar()), format!("{}2.ics", calendar()));
    put(&client, &one, &[], &event("1", &at(9))).await.expect(201);
    put(&client, &two, &[], &event("2", &at(11))).await.expect(201);
    let hrefs = |answer: Answer| answer.responses().into_iter().map(|r| r.href).collect::<Vec<_>>();
    let events = query("<C:comp-filter name='VEVENT'/>");
    assert_eq!(hrefs(asked(&client, &one, &events).await), [one.as_str()]);
    let none = query("<C:comp-filter name='VTODO'/>");
    assert!(hrefs(asked(&client, &one, &none).await).is_empty());
    let multiget = format!(
        "<C:calendar-multiget xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><D:prop><D:getetag/></D:prop>\
         <D:href>{one}</D:href><D:href>{two}</D:href></C:calendar-multiget>"
    );
    let found = asked(&client, &one, &multiget).await.responses();
    assert_eq!(found.iter().filter(|r| r.found("getetag").is_some()).count(), 1);
    let set = client.propfind(&one, "0", "<D:supported-report-set/>").await.text().to_owned();
    assert!(set.contains("calendar-query") && set.contains("calendar-multiget"), "{set}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_goes_on_only_while_the_collection_has_the_sync_token_of_if() {
    let (_stage, client) = stage().await;
    let token =
        async || client.propfind(&calendar(), "0", "<D:sync-token/>").await.responses()[0].text("sync-token");
    // A collection has a sync-token when its first fill is complete.
    client.propfind(&calendar(), "1", "<D:getetag/>").await.expect(207);
    let (member, first) = (format!("{}t.ics", calendar()), token().await);
    let fits = format!("<{}> (<{first}>)", calendar());
    put(&client, &member, &[("If", &fits)], &event("t", &at(9))).await.expect(201);
    put(&client, &member, &[("If", &fits)], &event("t", &at(10))).await.expect(412);
    put(&client, &member, &[("If", &format!("(<{}>)", token().await))], &event("t", &at(10)))
        .await
        .expect(412);
    let etag = client.ask("GET", &member, &[], "").await.header("etag").to_owned();
    let both = |tag: &str, token: &str| format!("<{}> (<{token}> [{tag}])", calendar());
    let now = token().await;
    client.ask("DELETE", &member, &[("If", &both("\"other\"", &now))], "").await.expect(412);
    client.ask("DELETE", &member, &[("If", &both(&etag, &now))], "").await.expect(204);
    client.ask("DELETE", &calendar(), &[("If", &fits)], "").await.expect(412);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_if_hold_when_one_of_them_does_and_negated_states_when_they_are_not_so() {
    let (_stage, client) = stage().await;
    let other = format!("{}other/", dav::path::calendar_home(USER));
    client.ask("MKCALENDAR", &other, &[("If", "(<DAV:no-lock>)")], "").await.expect(412);
    client.ask("MKCALENDAR", &other, &[("If", "(Not <DAV:no-lock>)")], "").await.expect(201);
    let token = async |path: &str| {
        client.propfind(path, "1", "<D:getetag/>").await.expect(207);
        client.propfind(path, "0", "<D:sync-token/>").await.responses()[0].text("sync-token")
    };
    let (here, there) = (token(&calendar()).await, token(&other).await);
    let (one, two) = (format!("{}1.ics", calendar()), format!("{}2.ics", calendar()));
    put(&client, &two, &[], &event("2", &at(9))).await.expect(201);
    let second = client.ask("GET", &two, &[], "").await.header("etag").to_owned();
    let coll = calendar();
    let created = event("1", &at(9));
    for (holds, lists) in [
        (false, format!("<{coll}> (<{here}>)")),
        (false, format!("<{coll}> (<NOW> <{here}>)")),
        (false, format!("<{coll}> (<NOW> Not <NOW>)")),
        (false, format!("<{coll}> (Not <NOW>) (<{here}>)")),
        (false, format!("<{other}> (<NOW>) <{coll}> (<{there}>)")),
        (false, format!("<{two}> ([\"another\"])")),
        (false, format!("<{two}> (Not [{second}])")),
        (false, format!("<{coll}> (<NOW> [{second}])")),
        (false, "(<opaquelocktoken:x>)".to_owned()),
        (false, format!("<{coll}> (<NOW>")),
        (true, format!("<{coll}> (<NOW>)")),
        (true, format!("<{coll}> (Not <{here}> <NOW>)")),
        (true, format!("<{coll}> (<{here}>) (<NOW>)")),
        (true, format!("<{other}> (<{there}>) <{coll}> (<urn:x>)")),
        (true, format!("<{two}> ([{second}])")),
        (true, format!("<{two}> (Not [\"another\"])")),
        (true, format!("<{two}> (Not [\"another\"] [{second}] Not <NOW>)")),
        (true, "(Not <DAV:no-lock>)".to_owned()),
        (true, format!("(Not [{second}])")),
    ] {
        let name = if holds { format!("{}{}.ics", coll, lists.len()) } else { one.clone() };
        let now = token(&coll).await;
        let lists = lists.replace("NOW", &now);
        let answer = put(&client, &name, &[("If", &lists)], &created).await;
        assert_eq!(answer.status, if holds { 201 } else { 412 }, "{lists}: {}", answer.text());
        if holds {
            client.ask("DELETE", &name, &[], "").await.expect(204);
        } else {
            assert_eq!(token(&coll).await, now);
        }
    }
    // Of what is written itself.
    put(&client, &two, &[("If", &format!("(Not [{second}])"))], &event("2", &at(10))).await.expect(412);
    let either = format!("([\"another\"]) ([{second}])");
    put(&client, &two, &[("If", &either), ("If-Match", "\"another\"")], &event("2", &at(10)))
        .await
        .expect(412);
    put(&client, &two, &[("If", &either)], &event("2", &at(10))).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_over_what_changed_since_the_date_that_the_client_names() {
    let (_stage, client) = stage().await;
    let member = format!("{}u.ics", calendar());
    let (old, late) = ("Sat, 01 Jan 2000 00:00:00 GMT", "Tue, 01 Jan 2199 00:00:00 GMT");
    put(&client, &member, &[("If-Unmodified-Since", old)], &event("u", &at(9))).await.expect(201);
    let changed = event("u", &at(10));
    put(&client, &member, &[("If-Unmodified-Since", old)], &changed).await.expect(412);
    let to = format!("{}v.ics", calendar());
    let update =
        "<propertyupdate xmlns='DAV:'><set><prop><displayname>x</displayname></prop></set></propertyupdate>";
    for (method, body) in [("MOVE", ""), ("COPY", ""), ("DELETE", ""), ("PROPPATCH", update), ("GET", "")] {
        let headers = [("If-Unmodified-Since", old), ("Destination", to.as_str())];
        client.ask(method, &member, &headers, body).await.expect(412);
    }
    let attach = format!("{member}?action=attachment-add");
    client.ask("POST", &attach, &[("If-Unmodified-Since", old)], "content").await.expect(412);
    // An entity tag says more than a date. RFC 9110 13.2.2
    let etag = client.ask("GET", &member, &[], "").await.header("etag").to_owned();
    put(&client, &member, &[("If-Unmodified-Since", old), ("If-Match", &etag)], &changed).await.expect(204);
    client.ask("DELETE", &member, &[("If-Unmodified-Since", late)], "").await.expect(204);
    let path = format!("{}conditional/", dav::path::calendar_home(USER));
    client.ask("MKCALENDAR", &path, &[("If-Match", "*")], "").await.expect(412);
    client.ask("MKCALENDAR", &path, &[("If-None-Match", "*")], "").await.expect(201);
    let rename =
        "<propertyupdate xmlns='DAV:'><set><prop><displayname>x</displayname></prop></set></propertyupdate>";
    client.ask("PROPPATCH", &path, &[("If-Match", "\"x\"")], rename).await.expect(412);
    client.ask("DELETE", &path, &[("If-Match", "\"x\"")], "").await.expect(412);
    client.ask("DELETE", &path, &[("If-Match", "*")], "").await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_in_a_wrong_place_or_of_a_wrong_body_is_refused_with_the_reason() {
    let (_stage, client) = stage().await;
    let (cards, home) = (dav::path::address_book_home(USER), dav::path::calendar_home(USER));
    for path in [format!("{}inner/", calendar()), format!("{cards}cal/")] {
        let answer = client.ask("MKCALENDAR", &path, &[], "").await.expect(403);
        assert!(answer.text().contains("calendar-collection-location-ok"), "{}", answer.text());
    }
    for method in ["MKCALENDAR", "MKCOL"] {
        client.ask(method, &format!("{home}nowhere/inner/"), &[], "").await.expect(409);
        client.ask(method, &format!("{home}nowhere/inner/deeper/"), &[], "").await.expect(409);
        let text = [("Content-Type", "text/calendar")];
        client.ask(method, &format!("{home}typed/"), &text, "BEGIN:VCALENDAR\r\n").await.expect(415);
    }
    put(&client, &format!("{home}nowhere/inner/a.ics"), &[], &event("a", &at(9))).await.expect(409);
    put(&client, &format!("{home}nowhere/a.ics"), &[], &event("a", &at(9))).await.expect(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expanded_event_keeps_its_duration() {
    let (_stage, client) = stage().await;
    let member = format!("{}e.ics", calendar());
    let times = "DTSTART:20261201T090000Z\r\nDURATION:PT45M\r\nRRULE:FREQ=DAILY;COUNT=2";
    put(&client, &member, &[], &event("e", times)).await.expect(201);
    let body = format!(
        "<C:calendar-multiget xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><D:prop><C:calendar-data>\
         <C:expand start='20261201T000000Z' end='20261203T000000Z'/></C:calendar-data></D:prop>\
         <D:href>{member}</D:href></C:calendar-multiget>"
    );
    let text = asked(&client, &calendar(), &body).await.responses()[0].text("calendar-data");
    assert_eq!((text.matches("DURATION:PT45M").count(), text.matches("DTEND").count()), (2, 0), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_that_an_endless_rule_does_not_produce_is_refused_for_that_reason() {
    let (_stage, client) = stage().await;
    let series = event("w", "DTSTART:20270102T100000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY");
    let stray = "BEGIN:VEVENT\r\nUID:w\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20990104T100000Z\r\n\
        DTSTART:20990104T120000Z\r\nDURATION:PT1H\r\nSUMMARY:y\r\nEND:VEVENT\r\nEND:VCALENDAR";
    let body = series.replace("END:VCALENDAR", stray);
    let answer = put(&client, &format!("{}w.ics", calendar()), &[], &body).await.expect(403);
    assert!(answer.text().contains("the rule has no occurrence at this time"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_file_is_stored_without_its_method() {
    let (_stage, client) = stage().await;
    let (member, plain) = (format!("{}p.ics", calendar()), event("p", &at(9)));
    let published = plain.replace("PRODID", "METHOD:PUBLISH\r\nPRODID");
    let created = put(&client, &member, &[], &published).await.expect(201);
    assert_eq!(created.header("etag"), "", "the octets are not the client's");
    let text = client.ask("GET", &member, &[], "").await.expect(200).text().to_owned();
    assert!(!text.contains("METHOD"), "{text}");
    let request = plain.replace("PRODID", "METHOD:REQUEST\r\nPRODID");
    put(&client, &format!("{}q.ics", calendar()), &[], &request).await.expect(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn davmails_path_of_a_calendar_within_the_calendar_leads_to_it() {
    let (_stage, client) = stage().await;
    let path = format!("{}choir/", dav::path::calendar_home(USER));
    let named = "<mkcalendar xmlns='urn:ietf:params:xml:ns:caldav' xmlns:D='DAV:'><D:set><D:prop>\
        <D:displayname>Choir</D:displayname></D:prop></D:set></mkcalendar>";
    client.ask("MKCALENDAR", &path, XML, named).await.expect(201);
    let answer = client.ask("PROPFIND", &format!("/users/{USER}/calendar/Choir/"), &[], "").await.expect(301);
    assert_eq!(answer.header("location"), path);
    let member = client.ask("GET", &format!("/users/{USER}/calendar/Choir/a.ics"), &[], "").await.expect(301);
    assert_eq!(member.header("location"), format!("{path}a.ics"));
    client.ask("PROPFIND", &format!("/users/{USER}/calendar/Other/"), &[], "").await.expect(404);
    // Names as people give them, in a folder of folders, too.
    for (folder, name) in [("buero", "Müller &amp; Söhne: Büro+1"), ("year", "100% @home")] {
        let path = format!("{}{folder}/", dav::path::calendar_home(USER));
        client.ask("MKCALENDAR", &path, XML, &named.replace("Choir", name)).await.expect(201);
        let name = name.replace("&amp;", "&");
        let encoded = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
        for at in [format!("calendar/{encoded}"), format!("calendar/Sub%20folder/{encoded}/")] {
            let answer = client.ask("PROPFIND", &format!("/users/{USER}/{at}"), &[], "").await.expect(301);
            assert_eq!(answer.header("location"), path, "{at}");
        }
        let found = client.propfind(&path, "0", "<D:displayname/>").await.expect(207);
        assert_eq!(found.responses()[0].text("displayname"), name);
        let member = format!("/users/{USER}/calendar/{encoded}/%C3%A4.ics");
        let answer = client.ask("GET", &member, &[], "").await.expect(301);
        assert_eq!(answer.header("location"), format!("{path}%C3%A4.ics"));
    }
}
