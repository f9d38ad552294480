//! A busy Exchange: what it refuses is done later, nothing is lost or there twice, and the log says so once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code, reason = "a part of the stage is enough here")]
mod support;

use exdav::gateway::Settings;
use futures_util::{StreamExt as _, stream};
use std::collections::HashSet;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{PASSWORD, Stage, USER, calendar, numbered, put_number};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

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
    /// From here on, of this whole process: no other test may be in it.
    fn start() -> Self {
        let log = Self::default();
        let filter: Targets = "info,exdav::simulator=off".parse().unwrap();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(log.clone());
        tracing_subscriber::registry().with(filter).with(lines).init();
        log
    }

    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_and_two_hundred_puts_get_through_an_exchange_that_refuses_a_third() {
    let log = Log::start();
    let stage = Stage::with_events(5_000).await;
    stage.throttle(THIRD).await;
    let mailbox = stage.mailbox(LONG).await;
    assert_eq!(mailbox.list(&calendar()).await.unwrap().len(), 5_000);
    stream::iter(0..200).for_each_concurrent(8, |number| put_number(&mailbox, number)).await;
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
        assert_eq!(String::from_utf8_lossy(&object.body), numbered(number));
    }

    let lines: Vec<String> = log.lines().into_iter().filter(|line| !line.contains("first fill")).collect();
    let busy = lines.iter().filter(|line| line.contains("Exchange is busy")).count();
    assert_eq!(busy, 1, "{lines:#?}");
    assert!(lines.len() <= 6, "{lines:#?}");
}
