//! What clients get while Exchange is slow or busy, and how much is asked of it meanwhile.

use crate::support::http::{Answer, Client};
use crate::support::{PASSWORD, Stage, USER, calendar, numbered, put_number};
use exdav::dav;
use exdav::gateway::write::Conditions;
use exdav::gateway::{Error, Mailbox, Settings};
use exdav::{server, simulator};
use futures_util::{StreamExt as _, stream};
use std::time::Duration;

const LONG: Duration = Duration::from_hours(1);

#[tokio::test(flavor = "multi_thread")]
async fn as_many_requests_as_the_policy_allows_are_under_way_and_the_others_wait() {
    let stage = Stage::with_events(1_500).await;
    stage.latency(5).await;
    stage.throttle(r#"{"max_concurrency": 2}"#).await;
    let mailbox = stage.mailbox(LONG).await;
    assert_eq!(mailbox.list(&calendar()).await.unwrap().len(), 1_500);
    stream::iter(0..40).for_each_concurrent(20, |number| put_number(&mailbox, number)).await;
    let throttled = stage.throttled().await;
    assert_eq!(throttled["most_at_once"], 2);
    assert!(throttled["refused"].as_u64().unwrap() > 0, "{throttled}");
    assert_eq!(mailbox.list(&calendar()).await.unwrap().len(), 1_540);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_impersonates_has_a_budget_for_each_mailbox() {
    let stage = Stage::of(simulator::Settings { events: Some(3), ..simulator::Settings::default() }).await;
    stage.throttle(r#"{"load": {"every": 2, "back_off_ms": 60000}}"#).await;
    let get = "<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds>\
               <t:DistinguishedFolderId Id='calendar'/></m:FolderIds></m:GetFolder>";
    let answers = [
        stage.colleague(USER, get).await,
        stage.colleague("demo2@example.com", get).await,
        stage.colleague(USER, get).await,
    ];
    let refused = answers.map(|answer| answer.contains("BackOffMilliseconds\">60000"));
    assert_eq!(refused, [false, false, true]);
}

/// A client whose patience is short: Exchange, which takes `latency` ms for each answer, is slower than it can wait.
async fn hurried(stage: &Stage, freshness: Duration, latency: u64) -> Client {
    let dav = dav::Settings { answer_within: Duration::from_millis(300), ..dav::Settings::default() };
    let settings = server::Settings { dav, ..server::Settings::default() };
    let gateway = stage.gateway(freshness);
    // Signing in is not what this is about.
    gateway.sign_in(USER, PASSWORD).await.unwrap().collections().await.unwrap();
    stage.latency(latency).await;
    Client::with(settings, gateway, USER, PASSWORD).await
}

/// A gateway with an empty store: what it shows is what Exchange holds.
async fn another(stage: &Stage) -> (Mailbox, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let gateway = stage.gateway_with(LONG, folder.path(), Settings::default());
    (gateway.sign_in(USER, PASSWORD).await.unwrap(), folder)
}

fn home() -> String {
    dav::path::default_calendar(USER)
}

/// Comes back as long as it is told to.
async fn until_done(
    client: &Client,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (Answer, u32) {
    for late in 0..200 {
        let answer = client.ask(method, path, headers, body).await;
        if answer.status != 503 {
            return (answer, late);
        }
        assert!((1..=60).contains(&answer.header("retry-after").parse::<u64>().unwrap()), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{method} {path} is never done");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_is_read_from_the_mirror_when_exchange_is_too_slow() {
    let stage = Stage::with_events(5).await;
    let client = hurried(&stage, Duration::ZERO, 0).await;
    client.propfind(&home(), "1", "<D:getetag/>").await.expect(207);
    stage.latency(3_000).await;
    let answer = client.propfind(&home(), "1", "<D:getetag/>").await.expect(207);
    assert_eq!(answer.responses().len(), 6);
    assert!(answer.header("age").parse::<u64>().is_ok(), "{answer:?}");
    assert!(answer.header("warning").contains("111"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_takes_longer_than_its_client_waits_is_found_done_by_who_repeats_it() {
    let stage = Stage::with_events(5).await;
    let client = hurried(&stage, LONG, 0).await;
    client.propfind(&home(), "1", "<D:getetag/>").await.expect(207);
    stage.latency(2_000).await;
    stage.reset().await;
    let at = format!("{}put-1.ics", home());
    let only_new = [("If-None-Match", "*"), ("Content-Type", "text/calendar")];
    client.ask("PUT", &at, &only_new, &numbered(1)).await.expect(503);
    // What is under way stays slow.
    stage.latency(0).await;
    let (answer, late) = until_done(&client, "PUT", &at, &only_new, &numbered(1)).await;
    assert!(late > 0 && (200..300).contains(&answer.status), "{late} {answer:?}");
    assert_eq!(stage.calls().await["CreateItem"], 1);
    stage.latency(2_000).await;
    client.ask("DELETE", &at, &[], "").await.expect(503);
    stage.latency(0).await;
    let (answer, _) = until_done(&client, "DELETE", &at, &[], "").await;
    assert!(matches!(answer.status, 204 | 404), "{answer:?}");
    assert_eq!(stage.calls().await["DeleteItem"], 1);
    let (other, _store) = another(&stage).await;
    assert_eq!(other.list(&calendar()).await.unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_client_hangs_up_is_done_to_its_end() {
    let stage = Stage::with_events(5).await;
    let client = Client::of(stage.gateway(LONG), USER, PASSWORD).await;
    client.propfind(&home(), "1", "<D:getetag/>").await.expect(207);
    stage.latency(100).await;
    stage.reset().await;
    let series =
        numbered(2).replace("SUMMARY:", "RRULE:FREQ=WEEKLY;COUNT=6\r\nEXDATE:20261215T090000Z\r\nSUMMARY:");
    let at = format!("{}put-2.ics", home());
    let asked = client.ask("PUT", &at, &[("Content-Type", "text/calendar")], &series);
    let begun = async {
        while !stage.calls().await.contains_key("CreateItem") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        _ = asked => panic!("it was answered before it was begun"),
        () = begun => {}
    }
    while !stage.calls().await.contains_key("DeleteItem") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stage.latency(0).await;
    for _ in 0..100 {
        let (other, _store) = another(&stage).await;
        let object = other.get(&calendar(), &"put-2.ics".parse().unwrap()).await.unwrap();
        if object.is_some_and(|object| String::from_utf8_lossy(&object.body) == series) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("half of it stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_exchange_refuses_for_longer_than_a_client_waits_is_not_done_later() {
    let stage = Stage::with_events(5).await;
    let mailbox = stage.mailbox(LONG).await;
    mailbox.list(&calendar()).await.unwrap();
    stage.throttle(r#"{"load": {"every": 1, "back_off_ms": 60000}}"#).await;
    let name = "put-3.ics".parse().unwrap();
    let failed = mailbox.put(&calendar(), &name, &Conditions::default(), numbered(3).into()).await;
    let Err(Error::Unavailable { retry_after, .. }) = failed else { panic!("{failed:?}") };
    assert!(retry_after > Duration::from_secs(50), "{retry_after:?}");
    // Nobody asks before the time is over: a server that would answer is not asked.
    stage.throttle("{}").await;
    stage.reset().await;
    let failed = mailbox.put(&calendar(), &name, &Conditions::default(), numbered(3).into()).await;
    assert!(matches!(failed, Err(Error::Unavailable { .. })), "{failed:?}");
    assert_eq!(stage.total().await, 0);
}
