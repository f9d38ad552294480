//! What clients write over HTTP: created, replaced, removed and moved objects, conditions, collections.

use crate::support::http::{self, Answer, Client};
use crate::support::{PASSWORD, Stage, USER};
use exdav::dav;
use std::time::Duration;

const LONG: Duration = Duration::from_hours(1);

async fn stage() -> (Stage, Client) {
    let stage = Stage::lively().await;
    let client = Client::of(stage.gateway(LONG), USER, PASSWORD).await;
    (stage, client)
}

fn calendar() -> String {
    dav::path::default_calendar(USER)
}

fn event(uid: &str, title: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\nSUMMARY:{title}\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

async fn put(client: &Client, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let typed: Vec<_> =
        headers.iter().copied().chain([("Content-Type", "text/calendar; charset=utf-8")]).collect();
    client.ask("PUT", path, &typed, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_created_read_replaced_and_removed_under_the_clients_name() {
    let (stage, client) = stage().await;
    client.propfind(&calendar(), "1", "<D:getetag/>").await.expect(207);
    let path = format!("{}Meine%20Datei%40x.ics", calendar());
    stage.reset().await;
    let created = put(&client, &path, &[("If-None-Match", "*")], &event("w1", "first")).await.expect(201);
    assert_eq!(created.header("location"), path);
    assert_eq!(stage.calls().await.get("CreateItem"), Some(&1));
    let read = client.ask("GET", &path, &[], "").await.expect(200);
    assert!(read.text().contains("SUMMARY:first"));
    let etag = read.header("etag").to_owned();
    if !created.header("etag").is_empty() {
        assert_eq!(created.header("etag"), etag);
        assert_eq!(read.text(), event("w1", "first"), "an ETag promises the same octets");
    }
    let listed = client.propfind(&calendar(), "1", "<D:getetag/>").await.responses();
    assert_eq!(listed.iter().find(|r| r.href == path).unwrap().text("getetag"), etag);
    put(&client, &path, &[("If-None-Match", "*")], &event("w1", "again")).await.expect(412);
    put(&client, &path, &[("If-Match", "\"other\"")], &event("w1", "again")).await.expect(412);
    put(&client, &path, &[("If-Match", &etag)], &event("w1", "second")).await.expect(204);
    let read = client.ask("GET", &path, &[], "").await.expect(200);
    assert!(read.text().contains("SUMMARY:second"));
    assert_ne!(read.header("etag"), etag);
    client.ask("DELETE", &path, &[("If-Match", &etag)], "").await.expect(412);
    client.ask("DELETE", &path, &[("If-Match", read.header("etag"))], "").await.expect(204);
    client.ask("GET", &path, &[], "").await.expect(404);
    client.ask("DELETE", &path, &[], "").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_at_once_is_what_is_stored() {
    let (_stage, client) = stage().await;
    let path = format!("{}r.ics", calendar());
    let answer =
        put(&client, &path, &[("Prefer", "return=representation")], &event("w2", "x")).await.expect(201);
    assert_eq!(answer.header("preference-applied"), "return=representation");
    let read = client.ask("GET", &path, &[], "").await.expect(200);
    assert_eq!((answer.text(), answer.header("etag")), (read.text(), read.header("etag")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_stored_is_refused_by_name() {
    let (stage, client) = stage().await;
    let path = format!("{}bad.ics", calendar());
    stage.reset().await;
    let todo = event("w3", "x").replace("VEVENT", "VTODO").replace("DTEND", "DUE");
    let two = event("w3", "x").replace("END:VEVENT\r\n", "END:VEVENT\r\nBEGIN:VEVENT\r\nUID:other\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20261201T090000Z\r\nEND:VEVENT\r\n");
    for (body, precondition) in [
        ("nonsense", "valid-calendar-data"),
        (todo.as_str(), "supported-calendar-component"),
        (two.as_str(), "valid-calendar-object-resource"),
    ] {
        let answer = put(&client, &path, &[], body).await.expect(403);
        assert!(answer.xml().find(precondition).is_some(), "{precondition}: {}", answer.text());
        assert!(!answer.xml().find("responsedescription").unwrap().text().is_empty());
    }
    let json =
        client.ask("PUT", &path, &[("Content-Type", "application/calendar+json")], "[]").await.expect(403);
    assert!(json.xml().find("supported-calendar-data").is_some());
    put(&client, &path, &[("Content-Range", "bytes 0-3/9")], "BEGI").await.expect(400);
    let nowhere = format!("{}nowhere/x.ics", dav::path::calendar_home(USER));
    put(&client, &nowhere, &[], &event("w4", "x")).await.expect(409);
    put(&client, &calendar(), &[], &event("w4", "x")).await.expect(405);
    let other = format!("{}x.ics", dav::path::default_calendar("demo2@example.com"));
    // Of a colleague's calendar only busy times are shown.
    put(&client, &other, &[], &event("w4", "x")).await.expect(403);
    assert_eq!(stage.calls().await.get("CreateItem"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uid_that_another_object_has_is_a_conflict_with_its_href() {
    let (_stage, client) = stage().await;
    let first = format!("{}first.ics", calendar());
    put(&client, &first, &[], &event("w5", "x")).await.expect(201);
    let answer = put(&client, &format!("{}second.ics", calendar()), &[], &event("w5", "y")).await.expect(403);
    let conflict = answer.xml().find("no-uid-conflict").cloned().unwrap();
    assert_eq!(conflict.find("href").unwrap().text(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_writers_at_once_exactly_one_wins() {
    let (_stage, client) = stage().await;
    let path = format!("{}race.ics", calendar());
    // Two clients never write the very same: one that does is taken for the other's second attempt.
    let (mine, theirs) = (event("w6", "mine"), event("w6", "theirs"));
    let conditions = [("If-None-Match", "*")];
    let (one, other) =
        tokio::join!(put(&client, &path, &conditions, &mine), put(&client, &path, &conditions, &theirs));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 412]);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_move_between_calendars_and_keep_what_they_are() {
    let (_stage, client) = stage().await;
    let other = format!("{}Second.one/", dav::path::calendar_home(USER));
    client.ask("MKCALENDAR", &other, &[], "").await.expect(201);
    let (from, to) = (format!("{}move.ics", calendar()), format!("{other}moved%20there.ics"));
    put(&client, &from, &[], &event("w7", "on the move")).await.expect(201);
    client.ask("MOVE", &from, &[], "").await.expect(400);
    let book = dav::path::default_address_book(USER);
    for destination in
        [book, format!("{}x.vcf", dav::path::default_address_book(USER)), from.clone(), "/nowhere".into()]
    {
        client.ask("MOVE", &from, &[("Destination", &destination)], "").await.expect(403);
    }
    let foreign = format!("{}x.ics", dav::path::default_calendar("demo2@example.com"));
    client.ask("MOVE", &from, &[("Destination", &foreign)], "").await.expect(403);
    let missing = format!("{}missing/x.ics", dav::path::calendar_home(USER));
    client.ask("MOVE", &from, &[("Destination", &missing)], "").await.expect(409);
    let url = format!("http://gw.example.test{to}");
    let moved = client.ask("MOVE", &from, &[("Destination", &url), ("Overwrite", "F")], "").await.expect(201);
    assert_eq!(moved.header("location"), to);
    client.ask("GET", &from, &[], "").await.expect(404);
    assert!(client.ask("GET", &to, &[], "").await.expect(200).text().contains("SUMMARY:on the move"));
    let copied = client.ask("COPY", &to, &[("Destination", &from)], "").await.expect(201);
    assert_eq!(copied.header("location"), from);
    client.ask("GET", &to, &[], "").await.expect(200);
    client.ask("COPY", &to, &[("Destination", &from), ("Overwrite", "F")], "").await.expect(412);
}

#[tokio::test(flavor = "multi_thread")]
async fn calendars_are_made_under_the_clients_name_changed_and_removed() {
    let (_stage, client) = stage().await;
    let home = dav::path::calendar_home(USER);
    let path = format!("{home}5B7F7E0C-2C0A-4C43/");
    let body = format!(
        "<C:mkcalendar {}><D:set><D:prop><D:displayname>Erinnerungen</D:displayname>\
         <C:calendar-free-busy-set><NO/></C:calendar-free-busy-set>\
         <A:calendar-color symbolic-color='blue'>#1BADF8FF</A:calendar-color><A:calendar-order>7</A:calendar-order>\
         <C:supported-calendar-component-set><C:comp name='VTODO'/></C:supported-calendar-component-set>\
         </D:prop></D:set></C:mkcalendar>",
        http::NAMESPACES
    );
    client.ask("MKCALENDAR", &path, &[], &body).await.expect(201);
    let again = client.ask("MKCALENDAR", &path, &[], &body).await.expect(403);
    assert!(again.xml().find("resource-must-be-null").is_some());
    let props = "<D:displayname/><A:calendar-color/><A:calendar-order/><C:supported-calendar-component-set/>";
    let read = async || client.propfind(&path, "0", props).await.responses().remove(0);
    let made = read().await;
    assert_eq!(made.href, path);
    assert_eq!(
        (made.text("displayname"), made.text("calendar-color"), made.text("calendar-order")),
        ("Erinnerungen".to_owned(), "#1BADF8FF".to_owned(), "7".to_owned())
    );
    let component = made.found("supported-calendar-component-set").unwrap().children().next().unwrap();
    assert_eq!(component.attribute("name"), Some("VTODO"));

    let patch = async |inner: &str, headers: &[(&str, &str)]| {
        let body = format!("<D:propertyupdate {}>{inner}</D:propertyupdate>", http::NAMESPACES);
        client.ask("PROPPATCH", &path, headers, &body).await
    };
    let set = "<D:set><D:prop><A:calendar-color>#ff8000</A:calendar-color><D:displayname>Neu</D:displayname></D:prop></D:set>";
    let done = patch(set, &[]).await.responses().remove(0);
    assert_eq!(done.propstats.iter().map(|(status, p)| (*status, p.len())).collect::<Vec<_>>(), [(200, 2)]);
    let changed = read().await;
    assert_eq!(
        (changed.text("displayname"), changed.text("calendar-color")),
        ("Neu".into(), "#FF8000FF".into())
    );
    let mixed = "<D:set><D:prop><D:displayname>Nie</D:displayname><D:getetag>x</D:getetag></D:prop></D:set>";
    let refused = patch(mixed, &[]).await.responses().remove(0);
    assert_eq!(refused.propstats.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [403, 424]);
    assert_eq!(read().await.text("displayname"), "Neu", "all or none");
    let wrong =
        patch("<D:set><D:prop><A:calendar-order>first</A:calendar-order></D:prop></D:set>", &[]).await;
    assert_eq!(wrong.responses()[0].propstats[0].0, 409);
    patch(set, &[("Prefer", "return=minimal")]).await.expect(204);

    client.ask("DELETE", &path, &[], "").await.expect(204);
    client.propfind(&path, "0", "<D:displayname/>").await.expect(404);
    let default = client.ask("DELETE", &calendar(), &[], "").await.expect(403);
    assert!(default.xml().find("need-privileges").is_some());
    client.ask("DELETE", &home, &[], "").await.expect(405);
}

#[tokio::test(flavor = "multi_thread")]
async fn mkcol_makes_what_its_resource_type_says() {
    let (_stage, client) = stage().await;
    let path = format!("{}5c9a0e12-0a63/", dav::path::address_book_home(USER));
    let mkcol = |kind: &str| {
        format!(
            "<D:mkcol {}><D:set><D:prop><D:resourcetype><D:collection/>{kind}</D:resourcetype>\
             <D:displayname>Privat</D:displayname></D:prop></D:set></D:mkcol>",
            http::NAMESPACES
        )
    };
    let refused = client.ask("MKCOL", &path, &[], &mkcol("")).await.expect(403);
    assert!(refused.xml().find("valid-resourcetype").is_some());
    client.ask("MKCOL", &path, &[], &mkcol("<C:calendar/>")).await.expect(403);
    client.ask("MKCOL", &path, &[], "").await.expect(403);
    client.ask("MKCOL", &path, &[], &mkcol("<CARD:addressbook/>")).await.expect(201);
    client.ask("MKCOL", &path, &[], &mkcol("<CARD:addressbook/>")).await.expect(405);
    let made = client.propfind(&path, "0", "<D:resourcetype/><D:displayname/>").await.responses().remove(0);
    assert!(made.found("resourcetype").unwrap().find("addressbook").is_some());
    assert_eq!(made.text("displayname"), "Privat");
}
