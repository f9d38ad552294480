//! How far back events are shown: `calendar.past`.

use crate::support::http::{Answer, Client};
use crate::support::{PASSWORD, Stage, USER};
use exdav::gateway::Settings;
use exdav::{convert, dav, server, sync};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const DAY: i64 = 86_400;
/// 2024-06-15T12:00:00Z
const NOON: i64 = 1_718_452_800;

/// A gateway that shows 30 days, by this clock.
async fn gateway(stage: &Stage, store: &Path, past: Option<u64>, clock: fn() -> Timestamp) -> Client {
    let live = sync::live::Settings { enabled: false, ..sync::live::Settings::default() };
    let past = past.map(|days| Duration::from_hours(24 * days));
    let sync = sync::Settings { freshness: Duration::ZERO, live, past, clock, ..sync::Settings::default() };
    let gateway = stage.gateway_following(sync, store, Settings::default(), convert::Settings::default());
    let client = Client::with(server::Settings::default(), gateway, USER, PASSWORD).await;
    // A gateway of before may just be closing its mirror.
    while client.propfind(&at(), "0", "<D:displayname/>").await.status == 503 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    client
}

fn noon() -> Timestamp {
    Timestamp::from_second(NOON).unwrap()
}

fn at() -> String {
    dav::path::default_calendar(USER)
}

/// An event of an hour that begins on this day, at 9, with more lines.
fn event(uid: &str, day: &str, more: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n\
         DTSTAMP:20240101T000000Z\r\nDTSTART:{day}T090000Z\r\nDTEND:{day}T100000Z\r\n{more}SUMMARY:{uid}\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

async fn put(client: &Client, name: &str, text: &str) -> Answer {
    client.ask("PUT", &format!("{}{name}", at()), &[("Content-Type", "text/calendar")], text).await
}

/// Names and ETags in the listing, without those that the mailbox has by itself.
async fn listed(client: &Client) -> BTreeMap<String, String> {
    let answer = client.propfind(&at(), "1", "<D:getetag/>").await.expect(207);
    let name = |href: &str| href.strip_prefix(&at()).filter(|name| !name.is_empty()).map(str::to_owned);
    answer.responses().iter().filter_map(|r| Some((name(&r.href)?, r.text("getetag")))).collect()
}

fn names(listed: &BTreeMap<String, String>) -> Vec<&str> {
    listed.keys().map(String::as_str).collect()
}

/// What a client hears that synchronises: new or changed, gone, and the next token.
async fn changes(client: &Client, token: &str) -> (Vec<String>, Vec<String>, String) {
    let body = format!(
        "<D:sync-collection><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>\
         <D:prop><D:getetag/></D:prop></D:sync-collection>"
    );
    let answer = client.report(&at(), &body).await.expect(207);
    let (mut changed, mut gone) = (Vec::new(), Vec::new());
    for response in answer.responses() {
        let name = response.href.trim_start_matches(&at()).to_owned();
        let list = if response.text("getetag").is_empty() { &mut gone } else { &mut changed };
        list.push(name);
    }
    changed.sort();
    gone.sort();
    let token =
        answer.xml().children().find(|e| e.name().local() == "sync-token").unwrap().text().into_owned();
    (changed, gone, token)
}

async fn ctag(client: &Client) -> String {
    client.propfind(&at(), "0", "<CS:getctag/>").await.expect(207).responses()[0].text("getctag")
}

/// Events of many ages, made by somebody who sees all of them.
async fn many(stage: &Stage) -> tempfile::TempDir {
    let store = tempfile::tempdir().unwrap();
    let client = gateway(stage, store.path(), None, noon).await;
    let series = "RRULE:FREQ=WEEKLY;UNTIL=20240521T090000Z\r\n";
    let moved = "RRULE:FREQ=WEEKLY;COUNT=3\r\nSUMMARY:moved\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:moved\r\n\
                 DTSTAMP:20240101T000000Z\r\nRECURRENCE-ID:20240115T090000Z\r\nDTSTART:20240610T090000Z\r\n\
                 DTEND:20240610T100000Z\r\nX-MINE:1\r\n";
    for (name, text) in [
        ("today.ics", event("today", "20240615", "")),
        ("edge.ics", event("edge", "20240517", "")),
        ("old.ics", event("old", "20240514", "")),
        ("ancient.ics", event("ancient", "20190201", "X-MINE:1\r\n")),
        ("endless.ics", event("endless", "20190201", "RRULE:FREQ=YEARLY\r\n")),
        ("running.ics", event("running", "20240101", "RRULE:FREQ=DAILY;UNTIL=20240601T090000Z\r\n")),
        ("ended.ics", event("ended", "20190201", "RRULE:FREQ=DAILY;COUNT=5\r\nX-MINE:1\r\n")),
        ("lately.ics", event("lately", "20240507", series)),
        ("moved.ics", event("moved", "20240101", moved)),
        (
            "day.ics",
            event("day", "20190201", "").replace("T090000Z", "").replace("T100000Z", "").replace(
                "DTSTART:20190201\r\nDTEND:20190201",
                "DTSTART;VALUE=DATE:20190201\r\nDTEND;VALUE=DATE:20190202",
            ),
        ),
    ] {
        put(&client, name, &text).await.expect(201);
    }
    client.server.shutdown().await;
    store
}

const INSIDE: [&str; 6] = ["edge.ics", "endless.ics", "lately.ics", "moved.ics", "running.ics", "today.ics"];

#[tokio::test(flavor = "multi_thread")]
async fn events_of_long_ago_are_not_shown_and_series_that_go_on_are() {
    let stage = Stage::with_events(0).await;
    drop(many(&stage).await);
    let store = tempfile::tempdir().unwrap();
    let client = gateway(&stage, store.path(), Some(30), noon).await;
    let all = listed(&client).await;
    assert_eq!(names(&all), INSIDE);
    let (changed, gone, _) = changes(&client, "").await;
    assert_eq!((changed, gone), (names(&all).into_iter().map(str::to_owned).collect(), Vec::new()));
    client.ask("GET", &format!("{}today.ics", at()), &[], "").await.expect(200);
    client.ask("GET", &format!("{}ancient.ics", at()), &[], "").await.expect(404);
    client.propfind(&format!("{}old.ics", at()), "0", "<D:getetag/>").await.expect(404);
    let multiget = format!(
        "<C:calendar-multiget><D:prop><D:getetag/></D:prop><D:href>{0}old.ics</D:href>\
         <D:href>{0}edge.ics</D:href></C:calendar-multiget>",
        at()
    );
    let answer = client.report(&at(), &multiget).await.expect(207);
    assert_eq!(answer.responses().iter().filter(|r| r.text("getetag").is_empty()).count(), 1);
    let query = "<C:calendar-query><D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name='VCALENDAR'>\
                 <C:comp-filter name='VEVENT'/></C:comp-filter></C:filter></C:calendar-query>";
    let answer = client.report(&at(), query).await.expect(207);
    assert_eq!(answer.responses().len(), INSIDE.len());
    let exported = client.ask("GET", &at(), &[], "").await.expect(200);
    assert!(exported.text().contains("SUMMARY:today") && !exported.text().contains("SUMMARY:old"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_the_window_is_reported_as_removed_and_stays_in_exchange() {
    static NOW: AtomicI64 = AtomicI64::new(NOON);
    fn clock() -> Timestamp {
        Timestamp::from_second(NOW.load(Ordering::SeqCst)).unwrap()
    }
    let stage = Stage::with_events(0).await;
    drop(many(&stage).await);
    let store = tempfile::tempdir().unwrap();
    let client = gateway(&stage, store.path(), Some(30), clock).await;
    let before = listed(&client).await;
    let (first_tag, (_, _, first)) = (ctag(&client).await, changes(&client, "").await);
    stage.reset().await;
    NOW.store(NOON + DAY / 3, Ordering::SeqCst);
    assert_eq!(ctag(&client).await, first_tag, "the day is not over");
    // On the 18th the window begins on the 19th of May.
    NOW.store(NOON + 3 * DAY, Ordering::SeqCst);
    assert_ne!(ctag(&client).await, first_tag);
    let (changed, gone, second) = changes(&client, &first).await;
    assert_eq!((changed, gone), (vec![], vec!["edge.ics".to_owned()]));
    assert_eq!(changes(&client, &second).await, (vec![], vec![], second.clone()));
    client.ask("GET", &format!("{}edge.ics", at()), &[], "").await.expect(404);
    // A year later only what goes on for ever is left; a token of before still tells all that left.
    NOW.store(NOON + 365 * DAY, Ordering::SeqCst);
    let (changed, gone, third) = changes(&client, &first).await;
    assert_eq!(
        (changed, gone),
        (vec![], ["edge", "lately", "moved", "running", "today"].map(|n| format!("{n}.ics")).to_vec())
    );
    assert_eq!(names(&listed(&client).await), ["endless.ics"]);
    // The clock goes back: all are there again, under the same names and ETags.
    NOW.store(NOON, Ordering::SeqCst);
    let (changed, gone, _) = changes(&client, &third).await;
    assert_eq!((changed.len(), gone), (5, vec![]));
    assert_eq!(listed(&client).await, before);
    assert!(
        stage.calls().await.keys().all(|call| !call.starts_with("Delete") && !call.starts_with("Update"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_is_set_or_removed_later_reports_what_changes() {
    let stage = Stage::with_events(0).await;
    let store = many(&stage).await;
    let open = async |past| gateway(&stage, store.path(), past, noon).await;
    let client = open(None).await;
    let all = listed(&client).await;
    let (_, _, token) = changes(&client, "").await;
    client.server.shutdown().await;
    let client = open(Some(30)).await;
    let (changed, gone, token) = changes(&client, &token).await;
    assert_eq!(
        (changed, gone),
        (vec![], ["ancient", "day", "ended", "old"].map(|n| format!("{n}.ics")).to_vec())
    );
    client.server.shutdown().await;
    let client = open(None).await;
    let (changed, gone, _) = changes(&client, &token).await;
    assert_eq!((changed.len(), gone), (4, vec![]));
    assert_eq!(listed(&client).await, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_event_that_a_client_stores_is_shown_until_the_next_day_and_then_reported_as_removed() {
    static NOW: AtomicI64 = AtomicI64::new(NOON);
    fn clock() -> Timestamp {
        Timestamp::from_second(NOW.load(Ordering::SeqCst)).unwrap()
    }
    let stage = Stage::with_events(0).await;
    let store = tempfile::tempdir().unwrap();
    let client = gateway(&stage, store.path(), Some(30), clock).await;
    let (_, _, empty) = changes(&client, "").await;
    put(&client, "new.ics", &event("new", "20190201", "")).await.expect(201);
    client.ask("GET", &format!("{}new.ics", at()), &[], "").await.expect(200);
    let (changed, gone, token) = changes(&client, &empty).await;
    assert_eq!((changed, gone), (vec!["new.ics".to_owned()], vec![]));
    // Its UID is taken, and it can be changed.
    put(&client, "other.ics", &event("new", "20190201", "")).await.expect(403);
    put(&client, "new.ics", &event("new", "20190202", "")).await.expect(204);
    NOW.store(NOON + DAY, Ordering::SeqCst);
    let (changed, gone, token) = changes(&client, &token).await;
    assert_eq!((changed, gone), (vec![], vec!["new.ics".to_owned()]));
    // A client that was away changes what left meanwhile: nothing is lost or doubled.
    put(&client, "other.ics", &event("new", "20190201", "")).await.expect(403);
    put(&client, "new.ics", &event("new", "20190203", "LOCATION:Here\r\n")).await.expect(204);
    assert_eq!(names(&listed(&client).await), ["new.ics"]);
    let (changed, gone, token) = changes(&client, &token).await;
    assert_eq!((changed, gone), (vec!["new.ics".to_owned()], vec![]));
    NOW.store(NOON + 2 * DAY, Ordering::SeqCst);
    assert_eq!(changes(&client, &token).await.1, ["new.ics"]);
    let all = tempfile::tempdir().unwrap();
    let other = gateway(&stage, all.path(), None, clock).await;
    let text = other.ask("GET", &format!("{}new.ics", at()), &[], "").await.expect(200);
    assert!(text.text().contains("LOCATION:Here") && text.text().contains("20190203"), "{}", text.text());
    assert_eq!(names(&listed(&other).await), ["new.ics"]);
    // Whoever deletes it by name deletes it.
    client.ask("DELETE", &format!("{}new.ics", at()), &[], "").await.expect(204);
    assert!(listed(&other).await.is_empty());
}
