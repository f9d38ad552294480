//! What clients read over HTTP: discovery, listing, reports, whole collections; and what is refused.

use crate::support::http::{self, Client};
use crate::support::{PASSWORD, Stage, USER};
use exdav::{dav, simulator};
use std::collections::BTreeSet;
use std::time::Duration;

const LONG: Duration = Duration::from_hours(1);

async fn stage() -> (Stage, Client) {
    let stage = Stage::lively().await;
    let client = Client::of(stage.gateway(LONG), USER, PASSWORD).await;
    (stage, client)
}

/// Waits for the first fill of all collections: until then they have no ctag and no sync-token.
async fn fill(client: &Client) {
    for home in [dav::path::calendar_home(USER), dav::path::address_book_home(USER)] {
        let listed = client.propfind(&home, "1", "<D:resourcetype/>").await.responses();
        for response in &listed[1..] {
            client.propfind(&response.href, "1", "<D:getetag/>").await.expect(207);
        }
    }
}

fn calendar() -> String {
    dav::path::default_calendar(USER)
}

fn book() -> String {
    dav::path::default_address_book(USER)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_knows_only_the_host_finds_everything() {
    let (_stage, client) = stage().await;
    for service in ["caldav", "carddav"] {
        let answer =
            client.ask("PROPFIND", &format!("/.well-known/{service}"), &[("Authorization", "")], "").await;
        let answer = answer.expect(301);
        assert_eq!((answer.header("location"), answer.body.len()), ("/dav/", 0));
    }
    for start in ["/", "/dav/", "/principals/", "/dav/principals/", "/dav/cal/"] {
        let responses =
            client.propfind(start, "0", "<D:current-user-principal/><D:resourcetype/>").await.responses();
        assert_eq!(responses[0].href, start);
        let principal = responses[0].href_in("current-user-principal");
        let homes = "<C:calendar-home-set/><CARD:addressbook-home-set/><C:calendar-user-address-set/>";
        let responses = client.propfind(&principal, "0", homes).await.responses();
        assert_eq!(responses[0].href, principal);
        assert_eq!(responses[0].href_in("calendar-home-set"), dav::path::calendar_home(USER));
        assert_eq!(responses[0].href_in("addressbook-home-set"), dav::path::address_book_home(USER));
        assert_eq!(responses[0].href_in("calendar-user-address-set"), format!("mailto:{USER}"));
    }
    // The path of an account that was set up for DavMail.
    let answer =
        client.ask("PROPFIND", "/users/demo@example.com/calendar/", &[("Depth", "0")], "").await.expect(301);
    assert_eq!(answer.header("location"), calendar());
}

#[tokio::test(flavor = "multi_thread")]
async fn options_tells_everybody_what_can_be_done() {
    let (_stage, client) = stage().await;
    for path in ["/", "/.well-known/caldav", "/nowhere/", &calendar(), &format!("{}x.ics", calendar())] {
        let answer = client.ask("OPTIONS", path, &[("Authorization", "")], "").await.expect(200);
        assert_eq!(answer.header("content-length"), "0", "{path}");
        let classes: Vec<&str> = answer.header("dav").split(", ").collect();
        assert_eq!(classes[0], "1");
        assert!(classes.contains(&"calendar-access") && classes.contains(&"addressbook"));
        assert!(!classes.contains(&"2"), "there are no locks");
        assert!(answer.header("allow").contains("PROPFIND"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_lists_its_collections_with_true_rights_and_default_ones_first() {
    let (_stage, client) = stage().await;
    fill(&client).await;
    let props = "<D:resourcetype/><D:displayname/><D:current-user-privilege-set/><D:sync-token/><CS:getctag/>\
                 <C:supported-calendar-component-set/><D:supported-report-set/><D:owner/>";
    let home = dav::path::calendar_home(USER);
    let responses = client.propfind(&home, "1", props).await.responses();
    assert_eq!(responses[0].href, home);
    assert_eq!(responses[1].href, calendar());
    let privileges = |response: &http::Response| -> BTreeSet<String> {
        let set = response.found("current-user-privilege-set").unwrap();
        set.children().flat_map(exdav::xml::Element::children).map(|p| p.name().local().to_owned()).collect()
    };
    assert!(privileges(&responses[1]).contains("write"));
    let mut read_only = 0;
    let mut kinds = BTreeSet::new();
    for response in &responses[1..] {
        if response.found("resourcetype").unwrap().find("calendar").is_none() {
            assert!(
                response.href.ends_with("/inbox/") || response.href.ends_with("/outbox/"),
                "{}",
                response.href
            );
            continue;
        }
        assert_eq!(response.text("getctag"), response.text("sync-token"));
        assert!(response.text("sync-token").starts_with("urn:exdav:sync:"));
        let components: Vec<_> =
            response.found("supported-calendar-component-set").unwrap().children().collect();
        assert_eq!(components.len(), 1, "one component a collection");
        kinds.insert(components[0].attribute("name").unwrap().to_owned());
        let rights = privileges(response);
        if !rights.contains("write") {
            read_only += 1;
            let writing = ["write-content", "bind", "unbind", "write-properties"];
            assert!(writing.iter().any(|name| !rights.contains(*name)), "{rights:?}");
        }
    }
    assert_eq!(kinds, BTreeSet::from(["VEVENT".to_owned(), "VTODO".to_owned()]));
    assert!(read_only >= 1, "the birthday calendar cannot be written");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_comes_as_404_after_what_is_or_not_at_all() {
    let (_stage, client) = stage().await;
    let props = "<D:nonsense/><D:displayname/><X:y xmlns:X='urn:x'/>";
    let responses = client.propfind(&calendar(), "0", props).await.responses();
    assert_eq!(responses[0].propstats.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [200, 404]);
    assert_eq!(responses[0].missing(), ["nonsense", "y"]);
    let body = format!("<D:propfind {}><D:prop>{props}</D:prop></D:propfind>", http::NAMESPACES);
    for preference in [("Prefer", "return=minimal"), ("Brief", "t")] {
        let answer = client.ask("PROPFIND", &calendar(), &[("Depth", "0"), preference], &body).await;
        assert_eq!(answer.responses()[0].missing(), [""; 0]);
        assert_eq!(answer.header("preference-applied"), "return=minimal");
    }
    let nothing = "<D:propfind xmlns:D='DAV:'><D:prop><D:nonsense/></D:prop></D:propfind>";
    let minimal = [("Depth", "0"), ("Prefer", "return=minimal")];
    let answer = client.ask("PROPFIND", &calendar(), &minimal, nothing).await;
    assert_eq!(answer.responses()[0].propstats[0].0, 200, "an empty 200 says that all is well");
}

#[tokio::test(flavor = "multi_thread")]
async fn allprop_propname_and_include_do_what_they_say() {
    let (_stage, client) = stage().await;
    fill(&client).await;
    let ask = async |body: &str| {
        let body = format!("<D:propfind {}>{body}</D:propfind>", http::NAMESPACES);
        client.ask("PROPFIND", &calendar(), &[("Depth", "0")], &body).await.responses().remove(0)
    };
    let all = ask("<D:allprop/>").await;
    assert!(all.found("displayname").is_some() && all.found("sync-token").is_none());
    let included = ask("<D:allprop/><D:include><D:sync-token/><D:displayname/></D:include>").await;
    assert!(included.text("sync-token").starts_with("urn:"));
    let names = ask("<D:propname/>").await;
    assert!(names.found("sync-token").unwrap().is_empty() && names.found("displayname").unwrap().is_empty());
    let empty = client.ask("PROPFIND", &calendar(), &[("Depth", "0")], "").await.responses().remove(0);
    assert!(empty.found("resourcetype").is_some(), "no body means allprop");
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_trees_and_bodies_that_are_none_are_refused() {
    let (_stage, client) = stage().await;
    let answer = client.propfind("/dav/", "infinity", "<D:displayname/>").await.expect(403);
    assert!(answer.xml().find("propfind-finite-depth").is_some());
    assert!(!answer.xml().find("responsedescription").unwrap().text().is_empty());
    let lol = "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><D:propfind xmlns:D='DAV:'><D:prop><D:x>&a;</D:x></D:prop></D:propfind>";
    let deep = format!("<D:propfind xmlns:D='DAV:'>{}", "<D:a>".repeat(100_000));
    for body in [lol, deep.as_str(), "<D:propfind", "<x/>", "<D:propfind xmlns:D='DAV:'/>", "\u{0}"] {
        client.ask("PROPFIND", &calendar(), &[("Depth", "0")], body).await.expect(400);
    }
    let many = (0..400).map(|n| format!("<D:p{n}/>")).collect::<Vec<_>>().concat();
    client.propfind(&calendar(), "1", &many).await.expect(400);
    client.ask("REPORT", &calendar(), &[], &" ".repeat(5 << 20)).await.expect(413);
    client.ask("REPORT", &calendar(), &[("Content-Encoding", "gzip")], "x").await.expect(415);
    client.ask("PROPFIND", &calendar(), &[("Depth", "7")], "").await.expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_read_with_tags_conditions_and_compression() {
    let (_stage, client) = stage().await;
    let props = "<D:getetag/><D:getcontenttype/><D:getcontentlength/><D:getlastmodified/>";
    let responses = client.propfind(&calendar(), "1", props).await.responses();
    assert!(responses.len() > 50);
    let member = &responses[1];
    let (href, etag) = (member.href.as_str(), member.text("getetag"));
    let answer = client.ask("GET", href, &[], "").await.expect(200);
    assert!(answer.text().starts_with("BEGIN:VCALENDAR\r\n") && answer.text().ends_with("END:VCALENDAR\r\n"));
    assert_eq!(answer.header("etag"), etag);
    assert_eq!(answer.header("last-modified"), member.text("getlastmodified"));
    assert_eq!(answer.body.len().to_string(), member.text("getcontentlength"));
    assert!(answer.header("content-type").starts_with("text/calendar"));
    let head = client.ask("HEAD", href, &[], "").await.expect(200);
    assert_eq!((head.header("etag"), head.body.len()), (etag.as_str(), 0));
    let unchanged = client.ask("GET", href, &[("If-None-Match", &etag)], "").await.expect(304);
    assert_eq!((unchanged.header("etag"), unchanged.body.len()), (etag.as_str(), 0));
    let since = member.text("getlastmodified");
    client.ask("GET", href, &[("If-Modified-Since", &since)], "").await.expect(304);
    client.ask("GET", href, &[("If-Match", "\"other\"")], "").await.expect(412);
    client.ask("GET", href, &[("If-Match", &etag)], "").await.expect(200);
    let gzip = client.ask("GET", &calendar(), &[("Accept-Encoding", "gzip")], "").await.expect(200);
    assert_eq!(gzip.header("content-encoding"), "gzip");
    client.ask("GET", &format!("{}none.ics", calendar()), &[], "").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_collection_is_one_stream_with_a_tag() {
    let (_stage, client) = stage().await;
    let answer = client.ask("GET", &calendar(), &[], "").await.expect(200);
    assert_eq!(answer.text().matches("BEGIN:VCALENDAR").count(), 1);
    let etag = answer.header("etag").to_owned();
    client.ask("GET", &calendar(), &[("If-None-Match", &etag)], "").await.expect(304);
    let third = client.ask("GET", &book(), &[], "").await.expect(200);
    assert!(third.text().contains("VERSION:3.0") && !third.text().contains("VERSION:4.0"));
    let fourth = client.ask("GET", &book(), &[("Accept", "text/vcard;version=4.0")], "").await.expect(200);
    assert!(fourth.text().contains("VERSION:4.0") && !fourth.text().contains("VERSION:3.0"));
    assert!(fourth.header("content-type").contains("version=4.0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn multiget_gives_members_and_tells_of_those_that_are_not_there() {
    let (_stage, client) = stage().await;
    let hrefs: Vec<String> = client.propfind(&calendar(), "1", "<D:getetag/>").await.responses()[1..4]
        .iter()
        .map(|r| r.href.clone())
        .collect();
    let body = format!(
        "<C:calendar-multiget><D:prop><D:getetag/><C:calendar-data/></D:prop><D:href>{}</D:href>\
         <D:href>http://gw.example.test{}</D:href><D:href>{}none.ics</D:href><D:href>/etc/passwd</D:href>\
         </C:calendar-multiget>",
        hrefs[0],
        hrefs[1],
        calendar()
    );
    let responses = client.report(&calendar(), &body).await.responses();
    assert_eq!(responses.len(), 4);
    let by_href = |href: &str| responses.iter().find(|r| r.href == href).unwrap();
    for href in &hrefs[..2] {
        assert!(by_href(href).text("calendar-data").starts_with("BEGIN:VCALENDAR\r\n"));
        let body = client.ask("GET", href, &[], "").await;
        assert_eq!(by_href(href).text("calendar-data"), body.text(), "the same octets as by GET");
    }
    for href in [&format!("{}none.ics", calendar()), "/etc/passwd"] {
        assert_eq!(by_href(href).status.as_deref(), Some("HTTP/1.1 404 Not Found"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_come_in_the_version_asked_for() {
    let (_stage, client) = stage().await;
    let responses = client.propfind(&book(), "1", "<D:getetag/>").await.responses();
    let href = &responses[1].href;
    let get = async |data: &str| {
        let body = format!(
            "<CARD:addressbook-multiget><D:prop>{data}</D:prop><D:href>{href}</D:href></CARD:addressbook-multiget>"
        );
        client.report(&book(), &body).await
    };
    let third = get("<CARD:address-data/>").await.responses().remove(0);
    assert!(third.text("address-data").contains("VERSION:3.0"));
    let fourth =
        get("<CARD:address-data content-type='text/vcard' version='4.0'/>").await.responses().remove(0);
    assert!(fourth.text("address-data").contains("VERSION:4.0"));
    let refused = get("<CARD:address-data content-type='text/vcard' version='2.1'/>").await.expect(403);
    assert!(refused.xml().find("supported-address-data").is_some());
    let names =
        get("<CARD:address-data><CARD:prop name='FN'/></CARD:address-data>").await.responses().remove(0);
    assert!(names.text("address-data").contains("FN:") && !names.text("address-data").contains("EMAIL"));
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_filter_and_limit() {
    let (_stage, client) = stage().await;
    let events = "<C:calendar-query><D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name='VCALENDAR'>\
                  <C:comp-filter name='VEVENT'/></C:comp-filter></C:filter></C:calendar-query>";
    let all = client.report(&calendar(), events).await.responses();
    let listed = client.propfind(&calendar(), "1", "<D:getetag/>").await.responses();
    assert_eq!(all.len() + 1, listed.len());
    let todos = client.report(&calendar(), &events.replace("VEVENT", "VTODO")).await.responses();
    assert_eq!(todos.len(), 0);
    let invalid = client.report(&calendar(), &events.replace("VCALENDAR", "VEVENT")).await.expect(403);
    assert!(invalid.xml().find("valid-filter").is_some());
    let contacts = "<CARD:addressbook-query><D:prop><D:getetag/></D:prop><CARD:filter><CARD:prop-filter name='FN'/>\
                    </CARD:filter><CARD:limit><CARD:nresults>3</CARD:nresults></CARD:limit></CARD:addressbook-query>";
    let limited = client.report(&book(), contacts).await.responses();
    assert_eq!(limited.len(), 4);
    assert_eq!(limited[3].href, book());
    assert_eq!(limited[3].status.as_deref(), Some("HTTP/1.1 507 Insufficient Storage"));
    let busy = "<C:free-busy-query><C:time-range start='20260101T000000Z' end='20270101T000000Z'/></C:free-busy-query>";
    let busy = client.report(&calendar(), busy).await.expect(200);
    assert!(busy.text().contains("BEGIN:VFREEBUSY"));
    let unknown = client.report(&book(), events).await.expect(403);
    assert!(unknown.xml().find("supported-report").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_collection_goes_on_from_a_token_page_by_page() {
    let (stage, client) = stage().await;
    let ask = async |token: &str, more: &str| {
        let body = format!(
            "<D:sync-collection><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>{more}\
             <D:prop><D:getetag/></D:prop></D:sync-collection>"
        );
        client.report(&calendar(), &body).await
    };
    let token_of = |answer: &http::Answer| answer.xml().find("sync-token").unwrap().text().into_owned();
    let listed: BTreeSet<String> = client.propfind(&calendar(), "1", "<D:getetag/>").await.responses()[1..]
        .iter()
        .map(|r| r.href.clone())
        .collect();
    stage.reset().await;
    let (mut token, mut seen, mut pages) = (String::new(), BTreeSet::new(), 0);
    loop {
        let answer = ask(&token, "<D:limit><D:nresults>20</D:nresults></D:limit>").await;
        token = token_of(&answer);
        let responses = answer.responses();
        let (more, members): (Vec<_>, Vec<_>) = responses.into_iter().partition(|r| r.href == calendar());
        seen.extend(members.into_iter().map(|r| r.href));
        pages += 1;
        assert!(pages < 100);
        if more.is_empty() {
            break;
        }
        assert_eq!(more[0].status.as_deref(), Some("HTTP/1.1 507 Insufficient Storage"));
    }
    assert_eq!(seen, listed);
    assert!(pages >= listed.len() / 20);
    let unchanged = ask(&token, "").await;
    assert_eq!(unchanged.responses().len(), 0);
    assert_eq!(stage.total().await, 0, "inside the freshness window nobody is asked");
    for forgotten in ["http://sabre.io/ns/sync/4", "urn:exdav:sync:0000000000000000:1"] {
        let answer = ask(forgotten, "").await.expect(403);
        assert!(answer.xml().find("valid-sync-token").is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thunderbirds_contacts_get_the_status_that_they_recover_from() {
    let (_stage, client) = stage().await;
    let body = format!(
        "<D:sync-collection {}><D:sync-token>urn:exdav:sync:0000000000000000:1</D:sync-token><D:prop/></D:sync-collection>",
        http::NAMESPACES
    );
    let thunderbird = [("User-Agent", "Mozilla/5.0 Gecko/20100101 Thunderbird/153.7.0")];
    let answer = client.ask("REPORT", &book(), &thunderbird, &body).await.expect(400);
    assert!(answer.xml().find("valid-sync-token").is_some());
    client.ask("REPORT", &calendar(), &thunderbird, &body).await.expect(403);
    client.ask("REPORT", &book(), &[], &body).await.expect(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn principals_are_searched_matched_and_expanded() {
    let (_stage, client) = stage().await;
    let principal = format!("/dav/principals/{}/", exdav::model::id::login_segment(USER));
    let search = |name: &str, term: &str| {
        format!(
            "<D:principal-property-search><D:property-search><D:prop>{name}</D:prop><D:match>{term}</D:match>\
             </D:property-search><D:prop><D:displayname/></D:prop></D:principal-property-search>"
        )
    };
    let hits = async |body: String| client.report("/dav/principals/", &body).await.responses().len();
    assert_eq!(hits(search("<C:calendar-user-address-set/>", "DEMO@example")).await, 1);
    assert_eq!(hits(search("<C:calendar-user-address-set/>", "demo2@example")).await, 1, "a colleague");
    assert_eq!(hits(search("<C:calendar-user-address-set/>", "nobody@example")).await, 0);
    assert_eq!(hits(search("<D:owner/>", "demo")).await, 0, "what cannot be searched for matches nothing");
    let set = client.report("/dav/principals/", "<D:principal-search-property-set/>").await.expect(200);
    assert!(set.xml().children().count() >= 3);
    let matched = client.report("/dav/principals/", "<D:principal-match><D:self/></D:principal-match>").await;
    assert_eq!(matched.responses()[0].href, principal);
    let tokens = "<CS:calendarserver-principal-search context='attendee'><CS:search-token>demo</CS:search-token>\
                  <D:prop><D:displayname/></D:prop></CS:calendarserver-principal-search>";
    assert_eq!(hits(tokens.to_owned()).await, 2, "the user and the namesake");
    let expand = "<D:expand-property><D:property name='current-user-principal'><D:property name='displayname'/>\
                  <D:property name='calendar-home-set' namespace='urn:ietf:params:xml:ns:caldav'/></D:property>\
                  <D:property name='nonsense'/></D:expand-property>";
    let responses = client.report("/dav/", expand).await.responses();
    let inner = responses[0].found("current-user-principal").unwrap().find("response").unwrap();
    assert_eq!(inner.find("href").unwrap().text(), principal);
    assert_eq!(responses[0].missing(), ["nonsense"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_built_is_405_with_what_is() {
    let (_stage, client) = stage().await;
    for (method, path) in
        [("LOCK", calendar()), ("PUT", "/".to_owned()), ("PATCH", format!("{}x.ics", calendar()))]
    {
        let answer = client.ask(method, &path, &[("If-Match", "nothing")], "").await.expect(405);
        assert!(answer.header("allow").contains("PROPFIND"));
    }
    let health = client.ask("GET", "/healthz", &[("Authorization", "")], "").await.expect(200);
    assert_eq!(health.text(), "ok\n");
    assert!(
        client.ask("GET", "/", &[], "").await.expect(200).header("content-type").starts_with("text/plain")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_members_come_in_one_answer() {
    let settings =
        simulator::Settings { events: Some(3_000), mailboxes: 1, ..simulator::Settings::default() };
    let stage = Stage::of(settings).await;
    let client = Client::of(stage.gateway(LONG), USER, PASSWORD).await;
    let listed = client.propfind(&calendar(), "1", "<D:getetag/><D:nonsense/>").await.responses();
    assert_eq!(listed.len(), 3_001);
    let query = "<C:calendar-query><D:prop><D:getetag/><C:calendar-data/></D:prop><C:filter>\
                 <C:comp-filter name='VCALENDAR'/></C:filter></C:calendar-query>";
    let whole = client.report(&calendar(), query).await.responses();
    assert_eq!(whole.len(), 3_000);
    assert!(whole.iter().all(|r| r.text("calendar-data").starts_with("BEGIN:VCALENDAR")));
}
