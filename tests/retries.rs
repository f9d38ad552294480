//! Each writing call of Exchange, with its connection cut before and after the work and with a busy server: a client
//! that tries again as real ones do finds its work done once, and nobody is told twice.

use crate::support::http::{Answer, Client};
use crate::support::{PASSWORD, Stage, USER};
use exdav::dav;
use exdav::gateway::Settings;
use serde_json::Value;
use std::time::Duration;

const GUEST: &str = "demo2@example.com";
/// What goes wrong, once.
const FAULTS: [&str; 3] = ["drop-before", "drop-after", "busy"];

/// The operation that is struck, and what a client asks for meanwhile: THE table.
const ROWS: [(&str, &str); 17] = [
    ("CreateItem", "create"),
    ("CreateItem", "invite"),
    ("UpdateItem", "update"),
    ("UpdateItem", "update a meeting"),
    ("DeleteItem", "delete"),
    ("DeleteItem", "cancel a meeting"),
    ("DeleteItem", "call a meeting off"),
    ("CreateItem", "ACCEPTED"),
    ("CreateItem", "TENTATIVE"),
    ("CreateItem", "DECLINED"),
    ("MoveItem", "move"),
    ("CopyItem", "copy"),
    ("CreateAttachment", "attach"),
    ("DeleteAttachment", "detach"),
    ("CreateFolder", "make a calendar"),
    ("UpdateFolder", "rename a calendar"),
    ("DeleteFolder", "remove a calendar"),
];

/// A request that is sent until it is answered.
struct Request {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

fn request(method: &'static str, path: String, headers: &[(&'static str, &str)], body: &str) -> Request {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Request { method, path, headers, body: body.to_owned() }
}

impl Request {
    async fn send(&self, client: &Client) -> Answer {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        client.ask(self.method, &self.path, &headers, &self.body).await
    }

    /// As clients do: again when the server says so.
    async fn insist(&self, client: &Client) -> Answer {
        for _ in 0..5 {
            let answer = self.send(client).await;
            if answer.status != 503 {
                return answer;
            }
            assert!(!answer.header("retry-after").is_empty(), "{}", answer.text());
        }
        panic!("{} {} is never answered", self.method, self.path);
    }
}

fn event(title: &str, lines: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:u\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\nSUMMARY:{title}\r\n\
         X-OWN:kept\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn people() -> String {
    format!("ORGANIZER:mailto:{USER}\r\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{GUEST}\r\n")
}

fn calendar(rest: &str) -> String {
    format!("{}{rest}", dav::path::default_calendar(USER))
}

fn other(rest: &str) -> String {
    format!("{}other/{rest}", dav::path::calendar_home(USER))
}

const TYPE: (&str, &str) = ("Content-Type", "text/calendar");

/// What is there before, and what the client asks for then.
async fn prepare(what: &str, stage: &Stage, client: &Client) -> Request {
    let at = calendar("u.ics");
    let create = |body: &str| request("PUT", at.clone(), &[TYPE, ("If-None-Match", "*")], body);
    match what {
        "create" => return create(&event("new", "")),
        "invite" => return create(&event("new", &people())),
        "make a calendar" => return request("MKCALENDAR", other(""), &[], ""),
        "remove a calendar" => {
            request("MKCALENDAR", other(""), &[], "").send(client).await.expect(201);
            return request("DELETE", other(""), &[], "");
        }
        "rename a calendar" => {
            request("MKCALENDAR", other(""), &[], "").send(client).await.expect(201);
            let body = "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><D:displayname>renamed</D:displayname>\
                        </D:prop></D:set></D:propertyupdate>";
            return request("PROPPATCH", other(""), &[("Content-Type", "application/xml")], body);
        }
        "ACCEPTED" | "TENTATIVE" | "DECLINED" => {
            let invitation = format!(
                "<m:CreateItem SendMeetingInvitations='SendToAllAndSaveCopy'><m:Items><t:CalendarItem>\
                 <t:Subject>new</t:Subject><t:UID>u</t:UID><t:Start>2026-12-01T09:00:00Z</t:Start>\
                 <t:End>2026-12-01T10:00:00Z</t:End><t:RequiredAttendees><t:Attendee><t:Mailbox>\
                 <t:EmailAddress>{USER}</t:EmailAddress></t:Mailbox></t:Attendee></t:RequiredAttendees>\
                 </t:CalendarItem></m:Items></m:CreateItem>"
            );
            let answer = stage.colleague(GUEST, &invitation).await;
            assert!(answer.contains("NoError"), "{answer}");
            let read = client.ask("GET", &at, &[], "").await.expect(200);
            let text = read.text().replace("\r\n ", "");
            let answered: String = text
                .lines()
                .map(|line| match line.strip_prefix("ATTENDEE") {
                    Some(rest) if rest.to_lowercase().contains(USER) => {
                        format!("ATTENDEE;PARTSTAT={what}:mailto:{USER}\r\n")
                    }
                    _ => format!("{line}\r\n"),
                })
                .collect();
            assert!(answered.contains(what), "{text}");
            return request("PUT", at, &[TYPE, ("If-Match", read.header("etag"))], &answered);
        }
        _ => {}
    }
    let guests = if what.contains("meeting") { people() } else { String::new() };
    create(&event("old", &guests)).send(client).await.expect(201);
    let read = client.ask("GET", &at, &[], "").await.expect(200);
    let etag = read.header("etag").to_owned();
    match what {
        "update" | "update a meeting" => {
            let body = read.text().replace("SUMMARY:old", "SUMMARY:new");
            request("PUT", at, &[TYPE, ("If-Match", &etag)], &body)
        }
        "call a meeting off" => {
            let body = read.text().replace("X-OWN:kept", "X-OWN:kept\r\nSTATUS:CANCELLED");
            request("PUT", at, &[TYPE, ("If-Match", &etag)], &body)
        }
        "delete" | "cancel a meeting" => request("DELETE", at, &[("If-Match", &etag)], ""),
        "move" | "copy" => {
            request("MKCALENDAR", other(""), &[], "").send(client).await.expect(201);
            let method = if what == "move" { "MOVE" } else { "COPY" };
            request(method, at, &[("Destination", &other("there.ics")), ("Overwrite", "F")], "")
        }
        "attach" | "detach" => {
            let headers =
                [("Content-Type", "text/plain"), ("Content-Disposition", "attachment;filename=\"a.txt\"")];
            let add = request("POST", format!("{at}?action=attachment-add"), &headers, "hello");
            if what == "attach" {
                return add;
            }
            let added = add.send(client).await.expect(201);
            let id = added.header("cal-managed-id");
            request("POST", format!("{at}?action=attachment-remove&managed-id={id}"), &[], "")
        }
        other => panic!("{other}"),
    }
}

/// Where the event is, by folder: title and number of files.
fn found(dump: &Value) -> Vec<(String, String, usize)> {
    found_of(dump, "u")
}

fn found_of(dump: &Value, uid: &str) -> Vec<(String, String, usize)> {
    let mut found = Vec::new();
    for folder in dump["folders"].as_array().unwrap() {
        for item in folder["items"].as_array().unwrap() {
            if item["properties"]["calendar:UID"] == uid && item["kind"] == "CalendarItem" {
                let title = item["properties"]["item:Subject"].as_str().unwrap().to_owned();
                let folder = folder["name"].as_str().unwrap().to_owned();
                found.push((folder, title, item["files"].as_array().unwrap().len()));
            }
        }
    }
    found.sort();
    found
}

fn mails(dump: &Value, what: &str) -> usize {
    dump["sent"].as_array().unwrap().iter().filter(|mail| mail["what"] == what && mail["uid"] == "u").count()
}

/// What Exchange must hold in the end.
async fn judge(what: &str, stage: &Stage, client: &Client) {
    let dump = stage.dump(USER).await;
    let at = |folder: &str, title: &str, files| (folder.to_owned(), title.to_owned(), files);
    let once = |title: &str, files| vec![at("Calendar", title, files)];
    let deleted = || vec![at("Deleted Items", "old", 0)];
    let expected = match what {
        "create" | "invite" | "update" | "update a meeting" | "ACCEPTED" | "TENTATIVE" => once("new", 0),
        "delete" | "cancel a meeting" | "call a meeting off" => deleted(),
        "DECLINED" => vec![at("Deleted Items", "new", 0)],
        "move" => vec![at("other", "old", 0)],
        "copy" => vec![at("Calendar", "old", 0), at("other", "old", 0)],
        "attach" => once("old", 1),
        "detach" => once("old", 0),
        _ => Vec::new(),
    };
    assert_eq!(found(&dump), expected);
    let folders = |name: &str| {
        dump["folders"].as_array().unwrap().iter().filter(|folder| folder["name"] == name).count()
    };
    assert_eq!(folders("other"), usize::from(["make a calendar", "move", "copy"].contains(&what)));
    assert_eq!(folders("renamed"), usize::from(what == "rename a calendar"));
    let (requests, updates, cancellations, responses) = match what {
        "invite" => (1, 0, 0, 0),
        "update a meeting" => (1, 1, 0, 0),
        "cancel a meeting" | "call a meeting off" => (1, 0, 1, 0),
        "ACCEPTED" | "TENTATIVE" | "DECLINED" => (0, 0, 0, 1),
        _ => (0, 0, 0, 0),
    };
    for (kind, most) in
        [("request", requests), ("update", updates), ("cancellation", cancellations), ("response", responses)]
    {
        assert_eq!(mails(&dump, kind), most, "{kind}");
    }
    if ["move", "copy"].contains(&what) {
        client.ask("GET", &other("there.ics"), &[], "").await.expect(200);
        client.ask("GET", &calendar("u.ics"), &[], "").await.expect(if what == "move" { 404 } else { 200 });
    }
}

async fn one(operation: &str, what: &str, fault: &str) {
    let settings =
        exdav::simulator::Settings { events: Some(0), mailboxes: 2, ..exdav::simulator::Settings::default() };
    let stage = Stage::of(settings).await;
    let settings = Settings { public_url: "http://gw.example.test".to_owned(), ..Settings::default() };
    let gateway = stage.gateway_with(Duration::from_millis(1), stage.store.path(), settings);
    let client = Client::of(gateway, USER, PASSWORD).await;
    client.propfind(&calendar(""), "1", "<D:getetag/>").await.expect(207);
    let request = prepare(what, &stage, &client).await;
    let strike = format!(r#"[{{"kind": "{fault}", "operation": "{operation}", "times": 1, "wait": 0.05}}]"#);
    stage.faults(&strike).await;
    let answer = request.insist(&client).await;
    // What was asked for twice may be found done.
    let is_done = (200..300).contains(&answer.status) || (request.method == "DELETE" && answer.status == 404);
    assert!(is_done, "{what} {fault}: {} {}", answer.status, answer.text());
    judge(what, &stage, &client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_call_gets_lost_or_refused_the_work_is_done_once() {
    let mut failed = Vec::new();
    for (operation, what) in ROWS {
        let attempts = FAULTS.map(|fault| (fault, tokio::spawn(one(operation, what, fault))));
        for (fault, attempt) in attempts {
            if attempt.await.is_err() {
                failed.push(format!("{operation} {fault}: {what}"));
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_is_judged_by_what_exchange_holds_and_loses_nothing() {
    let stage = Stage::of(exdav::simulator::Settings {
        events: Some(0),
        mailboxes: 2,
        ..exdav::simulator::Settings::default()
    })
    .await;
    let hour = Duration::from_hours(1);
    let store = tempfile::tempdir().unwrap();
    let client =
        Client::of(stage.gateway_with(hour, stage.store.path(), Settings::default()), USER, PASSWORD).await;
    let colleague =
        Client::of(stage.gateway_with(hour, store.path(), Settings::default()), USER, PASSWORD).await;
    request("MKCALENDAR", other(""), &[], "").send(&client).await.expect(201);
    let put = async |client: &Client, path: String, uid: &str, title: &str| {
        let body = event(title, "").replace("UID:u", &format!("UID:{uid}"));
        request("PUT", path, &[TYPE], &body).send(client).await
    };
    let made = put(&client, calendar("u.ics"), "u", "old").await.expect(201);
    let etag = made.header("etag").to_owned();
    let to = other("there.ics");
    client.propfind(&other(""), "1", "<D:getetag/>").await.expect(207);
    put(&colleague, calendar("u.ics"), "u", "newer").await.expect(204);
    let stale = request("MOVE", calendar("u.ics"), &[("Destination", &to), ("If-Match", &etag)], "");
    stale.send(&client).await.expect(412);
    put(&colleague, to.clone(), "u", "in the way").await.expect(201);
    let careful = request("MOVE", calendar("u.ics"), &[("Destination", &to), ("Overwrite", "F")], "");
    careful.send(&client).await.expect(412);
    let twin = put(&colleague, other("twin.ics"), "w", "twin").await.expect(201);
    assert_eq!(twin.header("location"), other("twin.ics"));
    put(&client, calendar("w.ics"), "w", "first").await.expect(201);
    let conflict = request("MOVE", calendar("w.ics"), &[("Destination", &other("x.ics"))], "");
    let refused = conflict.send(&client).await.expect(403);
    assert!(
        refused.text().contains("no-uid-conflict") && refused.text().contains("twin.ics"),
        "{}",
        refused.text()
    );
    // The old one is thrown away last: when that fails, both are there, and the next write ends it.
    stage.faults(r#"[{"kind": "drop-before", "operation": "DeleteItem", "times": 9}]"#).await;
    let replacing = request("MOVE", calendar("u.ics"), &[("Destination", &to)], "");
    replacing.send(&client).await.expect(503);
    let shelves = async || {
        let all = found(&stage.dump(USER).await).into_iter();
        let mut all: Vec<String> = all.map(|(folder, title, _)| format!("{folder}: {title}")).collect();
        all.sort();
        all
    };
    assert_eq!(shelves().await, ["other: in the way", "other: newer"]);
    stage.faults("[]").await;
    // Without a cache the name is the one that the client chose.
    put(&client, calendar("z.ics"), "z", "zebra").await.expect(201);
    assert_eq!(shelves().await, ["Deleted Items: in the way", "other: newer"]);
    assert!(client.ask("GET", &to, &[], "").await.expect(200).text().contains("SUMMARY:newer"));
    let away = request("MOVE", calendar("z.ics"), &[("Destination", &other("Anderer%20Name.ics"))], "");
    away.send(&client).await.expect(201);
    let store = tempfile::tempdir().unwrap();
    let fresh = Client::of(stage.gateway_with(hour, store.path(), Settings::default()), USER, PASSWORD).await;
    let read = fresh.ask("GET", &other("Anderer%20Name.ics"), &[], "").await.expect(200);
    assert!(read.text().contains("SUMMARY:zebra"), "{}", read.text());
    let foreign = format!("{}x.ics", dav::path::default_calendar(GUEST));
    request("MOVE", other("twin.ics"), &[("Destination", &foreign)], "").send(&client).await.expect(403);
}

/// Moves or copies to another name while Exchange takes no UpdateItem; the next write or the next start goes on.
async fn renamed_later(method: &'static str, fault: &str, restarts: bool) {
    let stage = Stage::of(exdav::simulator::Settings {
        events: Some(0),
        mailboxes: 2,
        ..exdav::simulator::Settings::default()
    })
    .await;
    let (moment, store) = (Duration::from_millis(1), stage.store.path());
    let (to, at) = (other("there.ics"), calendar("u.ics"));
    {
        let gateway = stage.gateway_with(moment, store, Settings::default());
        let client = Client::of(gateway, USER, PASSWORD).await;
        request("MKCALENDAR", other(""), &[], "").send(&client).await.expect(201);
        request("PUT", at.clone(), &[TYPE], &event("old", "")).send(&client).await.expect(201);
        let strike = format!(r#"[{{"kind": "{fault}", "operation": "UpdateItem", "times": 9}}]"#);
        stage.faults(&strike).await;
        let moved = request(method, at.clone(), &[("Destination", &to)], "").send(&client).await;
        // Where only answers are lost, Exchange shows that the work is done.
        assert_eq!(moved.status, if fault == "drop-after" { 201 } else { 503 }, "{}", moved.text());
        stage.faults("[]").await;
        if !restarts {
            let next = event("next", "").replace("UID:u", "UID:next");
            request("PUT", calendar("next.ics"), &[TYPE], &next).send(&client).await.expect(201);
            judge_renamed(method, &client, &to, &at).await;
        }
        client.server.shutdown().await;
    }
    if restarts {
        let client = Client::of(stage.gateway_with(moment, store, Settings::default()), USER, PASSWORD).await;
        judge_renamed(method, &client, &to, &at).await;
    }
    // Another gateway sees the same name.
    let store = tempfile::tempdir().unwrap();
    let gateway = stage.gateway_with(moment, store.path(), Settings::default());
    judge_renamed(method, &Client::of(gateway, USER, PASSWORD).await, &to, &at).await;
}

async fn judge_renamed(method: &str, client: &Client, to: &str, at: &str) {
    let read = client.ask("GET", to, &[], "").await.expect(200);
    assert!(read.text().contains("SUMMARY:old"), "{}", read.text());
    client.ask("GET", at, &[], "").await.expect(if method == "MOVE" { 404 } else { 200 });
    client.ask("GET", &other("u.ics"), &[], "").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_fails_before_the_new_name_is_told_is_ended_later() {
    let mut failed = Vec::new();
    for method in ["MOVE", "COPY"] {
        for fault in ["drop-before", "drop-after"] {
            for restarts in [false, true] {
                if tokio::spawn(renamed_later(method, fault, restarts)).await.is_err() {
                    failed.push(format!("{method} {fault} {restarts}"));
                }
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
