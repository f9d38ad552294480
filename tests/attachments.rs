//! Managed attachments over HTTP, judged by what hangs on the item in Exchange. RFC 8607

use crate::support::http::{Answer, Client, basic};
use crate::support::{PASSWORD, Stage, USER};
use exdav::dav;
use exdav::gateway::Settings;
use exdav::server;
use serde_json::Value;
use std::time::Duration;

const LONG: Duration = Duration::from_hours(1);

async fn small() -> Stage {
    let events = Some(5);
    Stage::of(exdav::simulator::Settings { events, mailboxes: 2, ..exdav::simulator::Settings::default() })
        .await
}

/// A server that links to itself, whatever name the client uses.
async fn serving(stage: &Stage, store: &std::path::Path, limit: u64) -> Client {
    let settings = Settings { public_url: "http://gw.example.test".to_owned(), ..Settings::default() };
    let gateway = stage.gateway_with(LONG, store, settings);
    let dav = dav::Settings { max_attachment_size: limit, ..dav::Settings::default() };
    let settings =
        server::Settings { listen: ([127, 0, 0, 1], 0).into(), dav, ..server::Settings::default() };
    let server = server::start(settings, gateway).await.unwrap();
    Client { server, authorization: Some(basic(USER, PASSWORD)) }
}

async fn stage() -> (Stage, Client) {
    let stage = small().await;
    let client = serving(&stage, stage.store.path(), 1000).await;
    // Calls are counted once the calendar is filled.
    let calendar = dav::path::default_calendar(USER);
    client.ask("PROPFIND", &calendar, &[("Depth", "1")], "").await.expect(207);
    (stage, client)
}

fn path(name: &str) -> String {
    format!("{}{name}.ics", dav::path::default_calendar(USER))
}

fn event(uid: &str, lines: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\nSUMMARY:x\r\n\
         X-OWN;X-P=1:kept\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn series(uid: &str) -> String {
    let event = event(uid, "RRULE:FREQ=WEEKLY;COUNT=6\r\n");
    let moved = format!(
        "BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20261208T090000Z\r\n\
         DTSTART:20261209T090000Z\r\nDTEND:20261209T100000Z\r\nSUMMARY:moved\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    event.replace("END:VCALENDAR\r\n", &moved)
}

async fn put(client: &Client, name: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let typed: Vec<_> = headers.iter().copied().chain([("Content-Type", "text/calendar")]).collect();
    client.ask("PUT", &path(name), &typed, body).await
}

/// The object without folds.
async fn read(client: &Client, name: &str) -> String {
    client.ask("GET", &path(name), &[], "").await.expect(200).text().replace("\r\n ", "")
}

fn attach_lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("ATTACH")).collect()
}

async fn post(client: &Client, name: &str, query: &str, file: &str, content: &str) -> Answer {
    let disposition = format!("attachment;filename=\"{file}\"");
    let headers = [("Content-Type", "text/plain"), ("Content-Disposition", disposition.as_str())];
    client.ask("POST", &format!("{}?{query}", path(name)), &headers, content).await
}

/// The item of this UID as Exchange holds it.
async fn item(stage: &Stage, uid: &str) -> Value {
    let dump = stage.dump(USER).await;
    let folders = dump["folders"].as_array().unwrap();
    let items = folders.iter().flat_map(|folder| folder["items"].as_array().unwrap());
    let found: Vec<&Value> = items.filter(|item| item["properties"]["calendar:UID"] == uid).collect();
    assert_eq!(found.len(), 1, "{uid}");
    found[0].clone()
}

fn names_and_contents(files: &Value) -> Vec<(String, String)> {
    let text = |file: &Value, name: &str| file[name].as_str().unwrap().to_owned();
    files.as_array().unwrap().iter().map(|file| (text(file, "name"), text(file, "content"))).collect()
}

/// What a colleague sees hanging on the event.
async fn hanging(stage: &Stage, uid: &str) -> Vec<(String, String)> {
    names_and_contents(&item(stage, uid).await["files"])
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, content)| ((*name).to_owned(), (*content).to_owned())).collect()
}

async fn calls(stage: &Stage) -> Vec<(String, u64)> {
    let mut calls: Vec<_> = stage.calls().await.into_iter().collect();
    calls.retain(|(name, _)| !name.starts_with("Sync") && name != "GetFolder");
    calls
}

fn counts(list: &[(&str, u64)]) -> Vec<(String, u64)> {
    list.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_says_what_can_be_attached() {
    let (stage, client) = stage().await;
    let options = client.ask("OPTIONS", &path("x"), &[], "").await.expect(200);
    assert!(options.header("dav").split(", ").any(|token| token == "calendar-managed-attachments"));
    assert!(options.header("allow").split(", ").any(|method| method == "POST"));
    let props =
        "<C:max-attachment-size/><C:max-attachments-per-resource/><C:managed-attachments-server-URL/>";
    let calendar = client.propfind(&dav::path::default_calendar(USER), "0", props).await.responses();
    assert_eq!(calendar[0].text("max-attachment-size"), "1000");
    assert_eq!(calendar[0].text("max-attachments-per-resource"), "100");
    let home = client.propfind(&dav::path::calendar_home(USER), "0", props).await.responses();
    assert_eq!(home[0].href_in("managed-attachments-server-URL"), "http://gw.example.test");
    // Without links nothing is promised.
    let store = tempfile::tempdir().unwrap();
    let silent =
        Client::of(stage.gateway_with(LONG, store.path(), Settings::default()), USER, PASSWORD).await;
    let options = silent.ask("OPTIONS", &path("x"), &[], "").await.expect(200);
    assert!(!options.header("dav").contains("managed"));
    put(&silent, "a", &[], &event("a", "")).await.expect(201);
    post(&silent, "a", "action=attachment-add", "a.txt", "x").await.expect(403);
    assert_eq!(hanging(&stage, "a").await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_added_replaced_and_removed_and_colleagues_see_it() {
    let (stage, client) = stage().await;
    let body = event("a", "");
    put(&client, "a", &[], &body).await.expect(201);
    stage.reset().await;
    let added =
        post(&client, "a", "action=attachment-add", "notes.txt", "Agenda: one, two").await.expect(201);
    assert_eq!(
        calls(&stage).await,
        counts(&[("CreateAttachment", 1), ("GetItem", 2), ("UpdateItem", 1)]),
        "a look before, the file, a look after, and the text that is kept"
    );
    assert_eq!(hanging(&stage, "a").await, pairs(&[("notes.txt", "Agenda: one, two")]));
    let managed = added.header("cal-managed-id").to_owned();
    let text = read(&client, "a").await;
    let url = added.header("location").to_owned();
    let line = format!("ATTACH;MANAGED-ID={managed};FMTTYPE=text/plain;FILENAME=notes.txt;SIZE=16:{url}");
    assert_eq!(attach_lines(&text), [line.as_str()]);
    assert_eq!(text.replace(&format!("{line}\r\n"), ""), body, "nothing else has changed");
    let get = client.ask("GET", &path("a"), &[], "").await;
    assert_eq!(get.header("etag"), added.header("etag"));

    let file = url.strip_prefix("http://gw.example.test").unwrap();
    let file_answer = client.ask("GET", file, &[], "").await.expect(200);
    assert_eq!(file_answer.text(), "Agenda: one, two");
    assert_eq!(file_answer.header("content-type"), "text/plain");
    assert_eq!(file_answer.header("x-content-type-options"), "nosniff");
    assert!(file_answer.header("content-disposition").starts_with("attachment;"));
    assert!(file_answer.header("content-security-policy").contains("sandbox"));
    client.ask("GET", file, &[("Authorization", "Basic eDp5")], "").await.expect(401);
    let other = basic("demo2@example.com", PASSWORD);
    client.ask("GET", file, &[("Authorization", &other)], "").await.expect(404);
    client.ask("DELETE", file, &[], "").await.expect(405);

    let query = format!("action=attachment-update&managed-id={managed}");
    let headers = [("If-Match", "\"other\"")];
    client.ask("POST", &format!("{}?{query}", path("a")), &headers, "x").await.expect(412);
    let etag = get.header("etag");
    let headers = [("If-Match", etag), ("Content-Type", "text/plain"), ("Prefer", "return=representation")];
    let replaced = client.ask("POST", &format!("{}?{query}", path("a")), &headers, "other").await.expect(200);
    assert_eq!(replaced.header("content-location"), path("a"));
    assert_eq!(replaced.header("content-type"), "text/calendar; charset=utf-8");
    let renamed = replaced.header("cal-managed-id");
    assert_ne!(renamed, managed);
    assert_eq!(attach_lines(&replaced.text().replace("\r\n ", "")).len(), 1);
    assert!(replaced.text().replace("\r\n ", "").contains(&format!("MANAGED-ID={renamed}")));
    assert_eq!(hanging(&stage, "a").await, pairs(&[("attachment", "other")]));

    stage.reset().await;
    let query = format!("action=attachment-remove&managed-id={renamed}");
    post(&client, "a", &query, "", "").await.expect(204);
    assert_eq!(calls(&stage).await, counts(&[("DeleteAttachment", 1), ("GetItem", 2), ("UpdateItem", 1)]));
    assert_eq!(hanging(&stage, "a").await, []);
    assert_eq!(read(&client, "a").await, body);
    // What another gateway makes of it is the same.
    let store = tempfile::tempdir().unwrap();
    assert_eq!(read(&serving(&stage, store.path(), 1000).await, "a").await, body);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_attached_is_refused_by_name() {
    let (stage, client) = stage().await;
    put(&client, "a", &[], &event("a", "")).await.expect(201);
    put(&client, "s", &[], &series("s")).await.expect(201);
    let large = "x".repeat(1001);
    for (name, query, content, precondition) in [
        ("a", "action=attachment-eat", "x", "valid-action"),
        ("a", "", "x", "valid-action"),
        ("a", "action=attachment-add&action=attachment-remove", "x", "valid-action"),
        ("a", "action=attachment-add&managed-id=x", "x", "valid-managed-id"),
        ("a", "action=attachment-update", "x", "valid-managed-id"),
        ("a", "action=attachment-remove&managed-id=nothing", "", "valid-managed-id"),
        ("a", "action=attachment-update&managed-id=nothing", "x", "valid-managed-id"),
        ("a", "action=attachment-update&managed-id=nothing&rid=M", "x", "valid-rid"),
        ("a", "action=attachment-add&rid=20261201T090000Z", "x", "valid-rid"),
        ("s", "action=attachment-add&rid=20261222T090000Z", "x", "valid-rid"),
        ("s", "action=attachment-add&rid=nonsense", "x", "valid-rid"),
        ("a", "action=attachment-add", &large, "max-attachment-size"),
    ] {
        let answer = post(&client, name, query, "f", content).await.expect(403);
        let error = answer.xml();
        let named = error.children().next().unwrap().name().local().to_owned();
        assert_eq!(named, precondition, "{query}: {}", answer.text());
    }
    post(&client, "missing", "action=attachment-add", "f", "x").await.expect(404);
    assert_eq!(hanging(&stage, "a").await, []);
    assert_eq!(hanging(&stage, "s").await, []);
    let unknown = event("a", "ATTACH;MANAGED-ID=nothing:http://elsewhere.example.test/x\r\n");
    let refused = put(&client, "a", &[], &unknown).await.expect(403);
    assert!(refused.text().contains("valid-managed-id-parameter"), "{}", refused.text());
}

/// What a browser sends for a form on another site, with the password that its user typed here once.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_attaches_nothing_in_its_visitors_name() {
    let (stage, client) = stage().await;
    put(&client, "a", &[], &event("a", "")).await.expect(201);
    let add = format!("{}?action=attachment-add", path("a"));
    for said in [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        client.ask("POST", &add, &[("Content-Type", "text/plain"), said], "x").await.expect(403);
    }
    assert_eq!(hanging(&stage, "a").await, []);
    let asks_first = [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "PUT")];
    let answer = client.ask("OPTIONS", &path("a"), &asks_first, "").await.expect(200);
    assert!(!answer.headers.keys().any(|name| name.starts_with("access-control-")), "{answer:?}");
    for said in [("Origin", "http://gw.example.test"), ("Sec-Fetch-Site", "none")] {
        client.ask("POST", &add, &[("Content-Type", "text/plain"), said], "x").await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_keeps_drops_and_copies_what_is_managed() {
    let (stage, client) = stage().await;
    put(&client, "a", &[], &event("a", "")).await.expect(201);
    for file in ["one.txt", "two.txt"] {
        post(&client, "a", "action=attachment-add", file, file).await.expect(201);
    }
    let text = read(&client, "a").await;
    assert_eq!(attach_lines(&text).len(), 2);
    stage.reset().await;
    // The client's own words stay with its link, and nothing is sent to Exchange anew.
    let edited = text.replace("SUMMARY:x", "SUMMARY:y").replace(";FMTTYPE", ";X-APPLE-FILENAME=o;FMTTYPE");
    put(&client, "a", &[], &edited).await.expect(204);
    assert_eq!(calls(&stage).await, counts(&[("UpdateItem", 1)]));
    assert_eq!(read(&client, "a").await, edited);
    let served = client.ask("GET", &path("a"), &[], "").await.expect(200).text().replace("X-P=1", "X-P=2");
    let same = put(&client, "a", &[], &served).await.expect(204);
    let get = client.ask("GET", &path("a"), &[], "").await.expect(200);
    assert_eq!((get.text(), get.header("etag")), (served.as_str(), same.header("etag")));
    let edited = edited.replace("X-P=1", "X-P=2");
    let one = attach_lines(&edited)[0].to_owned();
    put(&client, "a", &[], &edited.replace(&format!("{one}\r\n"), "")).await.expect(204);
    assert_eq!(hanging(&stage, "a").await, pairs(&[("two.txt", "two.txt")]));
    let text = read(&client, "a").await;
    assert_eq!(attach_lines(&text), [attach_lines(&edited)[1]]);
    // A link without its parameters is still the link.
    let bare = text.lines().map(|line| match line.split_once(":http") {
        Some((_, url)) if line.starts_with("ATTACH") => format!("ATTACH:http{url}\r\n"),
        _ => format!("{line}\r\n"),
    });
    put(&client, "a", &[], &bare.collect::<String>()).await.expect(204);
    assert_eq!(hanging(&stage, "a").await, pairs(&[("two.txt", "two.txt")]));
    // Another event takes the file over: it has a copy of its own.
    let link = attach_lines(&read(&client, "a").await)[0].to_owned();
    put(&client, "b", &[], &event("b", &format!("{link}\r\n"))).await.expect(201);
    client.ask("DELETE", &path("a"), &[], "").await.expect(204);
    assert_eq!(hanging(&stage, "b").await, pairs(&[("two.txt", "two.txt")]));
    let copied = read(&client, "b").await;
    let url = attach_lines(&copied)[0].rsplit_once(":http://gw.example.test").unwrap().1.to_owned();
    assert_eq!(client.ask("GET", &url, &[], "").await.expect(200).text(), "two.txt");
}

#[tokio::test(flavor = "multi_thread")]
async fn octets_in_a_put_are_attached_once_and_become_links() {
    let (stage, client) = stage().await;
    let inline = "ATTACH;X-FILENAME=a.txt;FMTTYPE=text/plain;X-APPLE-X=\"1:2\";ENCODING=BASE64;VALUE=BINARY:aGVsbG8=\r\n";
    let body = event("a", inline);
    put(&client, "a", &[], &body).await.expect(201);
    stage.reset().await;
    put(&client, "a", &[], &body).await.expect(204);
    let again = stage.calls().await;
    assert_eq!((again.get("CreateAttachment"), again.get("DeleteAttachment")), (None, None), "{again:?}");
    assert_eq!(hanging(&stage, "a").await, pairs(&[("a.txt", "hello")]));
    let text = read(&client, "a").await;
    let line = attach_lines(&text)[0];
    assert!(
        line.starts_with("ATTACH;X-FILENAME=a.txt;FMTTYPE=text/plain;X-APPLE-X=\"1:2\";MANAGED-ID="),
        "{line}"
    );
    assert!(line.contains(";SIZE=5:http://gw.example.test/dav/att/"), "{line}");
    // Other octets of the same name and length are another file.
    put(&client, "a", &[], &body.replace("aGVsbG8=", "SGVsbG8=")).await.expect(204);
    assert_eq!(hanging(&stage, "a").await, pairs(&[("a.txt", "Hello")]));
    // What a colleague attaches comes beside it, what they take off goes; the client's words stay.
    let id = item(&stage, "a").await["id"].as_str().unwrap().to_owned();
    let answer = stage
        .colleague(
            USER,
            &format!(
                "<m:CreateAttachment><m:ParentItemId Id='{id}'/><m:Attachments><t:FileAttachment><t:Name>b.txt</t:Name>\
                 <t:Content>Yg==</t:Content></t:FileAttachment></m:Attachments></m:CreateAttachment>"
            ),
        )
        .await;
    assert!(answer.contains("NoError"), "{answer}");
    let store = tempfile::tempdir().unwrap();
    let text = read(&serving(&stage, store.path(), 1000).await, "a").await;
    let lines = attach_lines(&text);
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("ATTACH;X-FILENAME=a.txt;FMTTYPE=text/plain;X-APPLE-X=\"1:2\";"), "{text}");
    assert!(lines[1].contains("FILENAME=b.txt"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_and_its_changed_occurrences_have_files_of_their_own() {
    let (stage, client) = stage().await;
    put(&client, "s", &[], &series("s")).await.expect(201);
    let all = post(&client, "s", "action=attachment-add", "all.txt", "all").await.expect(201);
    let text = read(&client, "s").await;
    assert_eq!(attach_lines(&text).len(), 2, "{text}");
    assert!(attach_lines(&text).iter().all(|line| line.contains(all.header("cal-managed-id"))));
    let query = "action=attachment-add&rid=20261208T090000Z";
    let own = post(&client, "s", query, "own.txt", "own").await.expect(201);
    let text = read(&client, "s").await;
    let (master, exception) = text.split_once("RECURRENCE-ID").unwrap();
    assert_eq!((attach_lines(master).len(), attach_lines(exception).len()), (1, 2), "{text}");
    let managed = own.header("cal-managed-id");
    assert!(attach_lines(exception)[1].contains(managed), "{text}");
    let url = own.header("location").strip_prefix("http://gw.example.test").unwrap();
    assert_eq!(client.ask("GET", url, &[], "").await.expect(200).text(), "own");
    let held = item(&stage, "s").await;
    assert_eq!(names_and_contents(&held["files"]), pairs(&[("all.txt", "all")]));
    let exceptions = names_and_contents(&held["files_of_exceptions"][0]);
    assert_eq!(exceptions, pairs(&[("all.txt", "all"), ("own.txt", "own")]));
    // A PUT of what was read changes nothing.
    put(&client, "s", &[], &text).await.expect(204);
    assert_eq!(item(&stage, "s").await["files_of_exceptions"], held["files_of_exceptions"]);
    let master_only = post(&client, "s", "action=attachment-add&rid=M", "m.txt", "m").await.expect(201);
    let text = read(&client, "s").await;
    assert_eq!(
        text.matches(master_only.header("cal-managed-id")).count(),
        2,
        "in MANAGED-ID and URL of one line"
    );
    let query = format!("action=attachment-remove&managed-id={managed}");
    post(&client, "s", &query, "", "").await.expect(204);
    post(
        &client,
        "s",
        &format!("action=attachment-remove&managed-id={}", all.header("cal-managed-id")),
        "",
        "",
    )
    .await
    .expect(204);
    let held = item(&stage, "s").await;
    assert_eq!(names_and_contents(&held["files"]), pairs(&[("m.txt", "m")]));
    assert_eq!(names_and_contents(&held["files_of_exceptions"][0]), []);
    assert_eq!(attach_lines(&read(&client, "s").await).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_of_a_meeting_get_the_file_once() {
    let (stage, client) = stage().await;
    let people =
        format!("ORGANIZER:mailto:{USER}\r\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:demo2@example.com\r\n");
    put(&client, "m", &[], &event("m", &people)).await.expect(201);
    let sent = async || stage.dump(USER).await["sent"].as_array().unwrap().len();
    assert_eq!(sent().await, 1);
    post(&client, "m", "action=attachment-add", "plan.txt", "plan").await.expect(201);
    assert_eq!(sent().await, 2);
    // The client did not get its answer.
    post(&client, "m", "action=attachment-add", "plan.txt", "plan").await.expect(201);
    assert_eq!(hanging(&stage, "m").await, pairs(&[("plan.txt", "plan")]));
    assert_eq!(sent().await, 2, "nobody is told twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_have_files_too() {
    let (stage, client) = stage().await;
    let at = format!("{}tasks/t.ics", dav::path::calendar_home(USER));
    let body = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VTODO\r\nUID:t\r\n\
                DTSTAMP:20260101T000000Z\r\nSUMMARY:x\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";
    client.ask("PUT", &at, &[("Content-Type", "text/calendar")], body).await.expect(201);
    let headers = [("Content-Type", "text/plain"), ("Content-Disposition", "attachment;filename=t.txt")];
    let added = client.ask("POST", &format!("{at}?action=attachment-add"), &headers, "t").await.expect(201);
    let text = client.ask("GET", &at, &[], "").await.expect(200).text().replace("\r\n ", "");
    assert!(text.contains(&format!("ATTACH;MANAGED-ID={}", added.header("cal-managed-id"))), "{text}");
    let dump = stage.dump(USER).await.to_string();
    assert!(dump.contains("t.txt"), "{dump}");
}
