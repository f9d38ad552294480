//! A busy Exchange: what it refuses is done later, nothing is lost or there twice, and the log says so once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use exdav::gateway::write::{Conditions, Tags};
use exdav::gateway::{Mailbox, Settings};
use exdav::simulator;
use futures_util::{StreamExt as _, stream};
use std::collections::HashSet;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{PASSWORD, Stage, USER, calendar};
use tracing_subscriber::fmt::MakeWriter;

const LONG: Duration = Duration::from_hours(1);
/// Every third request is refused, in each of the ways that there are.
const THIRD: &str = r#"{"load": {"every": 3, "back_off_ms": 5,
    "shapes": ["fault", "inner", "halfway", "unavailable", "too-many-requests"]}}"#;

/// What the log would have got.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    /// From here on, on this thread.
    fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let filter = tracing_subscriber::EnvFilter::new("info,exdav::simulator=off");
        let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
        let guard = tracing::subscriber::set_default(subscriber.with_writer(log.clone()).finish());
        (log, guard)
    }

    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

async fn with_events(events: usize) -> Stage {
    let settings =
        simulator::Settings { events: Some(events), mailboxes: 1, ..simulator::Settings::default() };
    Stage::of(settings).await
}

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

#[tokio::test]
async fn a_first_sync_and_two_hundred_puts_get_through_an_exchange_that_refuses_a_third() {
    let (log, _guard) = Log::start();
    let stage = with_events(5_000).await;
    stage.throttle(THIRD).await;
    let mailbox = stage.mailbox(LONG).await;
    assert_eq!(mailbox.list(&calendar()).await.unwrap().len(), 5_000);
    stream::iter(0..200).for_each_concurrent(8, |number| put(&mailbox, number)).await;
    let throttled = stage.throttled().await;
    let count = |name: &str| throttled[name].as_u64().unwrap();
    assert!(count("refused") >= 100 && count("refused").abs_diff(count("served") / 2) <= 1, "{throttled}");

    // Another one, who asks Exchange alone, sees each once and whole.
    stage.throttle("{}").await;
    let folder = tempfile::tempdir().unwrap();
    let gateway = stage.gateway_with(LONG, folder.path(), Settings::default());
    let other = gateway.sign_in(USER, PASSWORD).await.unwrap();
    let members = other.list(&calendar()).await.unwrap();
    let names: HashSet<String> = members.iter().map(|head| head.name.to_string()).collect();
    assert_eq!((members.len(), names.len()), (5_200, 5_200));
    for number in 0..200 {
        let name = format!("put-{number}.ics").parse().unwrap();
        let object = other.get(&calendar(), &name).await.unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&object.body), event(number));
    }

    let lines: Vec<String> =
        log.lines().into_iter().filter(|line| !line.contains("fetching items")).collect();
    let busy = lines.iter().filter(|line| line.contains("Exchange is busy")).count();
    assert_eq!(busy, 1, "{lines:#?}");
    assert!(lines.len() <= 6, "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_requests_as_the_policy_allows_are_under_way_and_the_others_wait() {
    let stage = with_events(1_500).await;
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
