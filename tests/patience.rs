//! What clients get while Exchange is slow or busy, and how much is asked of it meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use exdav::gateway::Mailbox;
use exdav::gateway::write::{Conditions, Tags};
use exdav::simulator;
use futures_util::{StreamExt as _, stream};
use std::time::Duration;
use support::{Stage, USER, calendar};

const LONG: Duration = Duration::from_hours(1);

fn event(number: usize) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:put-{number}\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\n\
         SUMMARY:Number {number}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

async fn put(mailbox: &Mailbox, number: usize) {
    let conditions = Conditions { if_none_match: Some(Tags::Any), ..Conditions::default() };
    let name = format!("put-{number}.ics").parse().unwrap();
    let written = mailbox.put(&calendar(), &name, &conditions, event(number).into()).await.unwrap();
    assert!(written.created, "{number}");
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_requests_as_the_policy_allows_are_under_way_and_the_others_wait() {
    let stage = Stage::with_events(1_500).await;
    stage.latency(5).await;
    stage.throttle(r#"{"max_concurrency": 2}"#).await;
    let mailbox = stage.mailbox(LONG).await;
    assert_eq!(mailbox.list(&calendar()).await.unwrap().len(), 1_500);
    stream::iter(0..40).for_each_concurrent(20, |number| put(&mailbox, number)).await;
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
