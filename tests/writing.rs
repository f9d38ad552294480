//! What clients write over HTTP: created, replaced, removed and moved objects, conditions, collections.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/http.rs"]
mod http;
mod support;

use exdav::dav;
use http::{Answer, Client};
use std::time::Duration;
use support::{PASSWORD, Stage, USER};

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
    put(&client, &other, &[], &event("w4", "x")).await.expect(404);
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
