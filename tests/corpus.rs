//! Objects as people have them go in, come back, and come back from a mirror that starts empty: nothing of them is
//! lost, or a refusal named what stands in the way.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

#[path = "corpus/dice.rs"]
mod dice;
#[path = "corpus/events.rs"]
mod events;
#[path = "support/http.rs"]
mod http;
#[path = "corpus/judge.rs"]
mod judge;
#[path = "corpus/packages.rs"]
mod packages;
mod support;

use exdav::convert::{self, Settings};
use exdav::dav;
use http::{Answer, Client};
use std::collections::BTreeMap;
use std::time::Duration;
use support::{PASSWORD, Stage, USER};

/// What a client has.
pub struct Sample {
    /// Whose dialect or file it is.
    pub title: String,
    /// Its octets.
    pub text: Vec<u8>,
}

/// Text in physical lines the way different writers fold.
fn folded(lines: &str, style: usize) -> String {
    let (end, width) = match style {
        0 => ("\n", 75),
        1 => ("\r\n", 40),
        2 => ("\r\n", usize::MAX),
        _ => ("\r\n", 75),
    };
    let mark = if style == 3 { "\t" } else { " " };
    let mut out = String::new();
    for line in lines.lines() {
        let mut used = 0;
        for c in line.chars() {
            if used + c.len_utf8() > width {
                out.push_str(end);
                out.push_str(mark);
                used = 1;
            }
            out.push(c);
            used += c.len_utf8();
        }
        out.push_str(end);
    }
    out
}

const LONG: Duration = Duration::from_hours(2);

/// Attachments are part of the text, so that their octets can be compared.
fn inline() -> Settings {
    Settings { inline_attachments: 1 << 20, ..convert::Settings::default() }
}

async fn client(stage: &Stage, store: &std::path::Path) -> Client {
    let gateway = stage.gateway_rendering(LONG, store, exdav::gateway::Settings::default(), inline());
    Client::of(gateway, USER, PASSWORD).await
}

/// How the round of one sample ended.
#[derive(Default)]
struct Tally {
    /// How often, and the first sample that it was.
    outcomes: BTreeMap<String, (usize, String)>,
    problems: Vec<String>,
}

impl Tally {
    fn count(&mut self, sample: &Sample, outcome: impl Into<String>) {
        let entry = self.outcomes.entry(outcome.into()).or_insert_with(|| (0, sample.title.clone()));
        entry.0 += 1;
    }

    fn problem(&mut self, sample: &Sample, what: impl std::fmt::Display) {
        self.count(sample, "LOST OR BROKEN");
        self.problems.push(format!("{}: {what}\n{}", sample.title, String::from_utf8_lossy(&sample.text)));
    }

    fn finish(self, what: &str, tried: usize) {
        println!("{what}: {tried} objects");
        for (outcome, (count, first)) in &self.outcomes {
            println!("  {count:5}  {outcome} (such as {first})");
        }
        assert!(
            self.problems.is_empty(),
            "{} problems\n{}",
            self.problems.len(),
            self.problems.join("\n----\n")
        );
    }
}

/// The precondition that a refusal names; `None` when it names none.
fn precondition(answer: &Answer) -> Option<String> {
    if !(400..500).contains(&answer.status) || answer.body.is_empty() {
        return None;
    }
    let error = exdav::xml::Element::parse(&answer.body).ok()?;
    let name = error.children().next()?.name().local().to_owned();
    Some(format!(
        "{name} ({}): {}",
        answer.status,
        error.children().skip(1).map(|e| e.text().into_owned()).collect::<String>()
    ))
}

struct Round<'a> {
    stage: &'a Stage,
    tally: Tally,
}

impl Round<'_> {
    async fn put(&mut self, client: &Client, path: &str, media_type: &str, sample: &Sample) -> bool {
        let answer = client.ask("PUT", path, &[("Content-Type", media_type)], &sample.text).await;
        match answer.status {
            201 => return true,
            _ => match precondition(&answer) {
                Some(name) => self.tally.count(sample, format!("refused with {name}")),
                None => self
                    .tally
                    .problem(sample, format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body))),
            },
        }
        false
    }

    /// What comes back says all that was sent.
    fn compare(&mut self, sample: &Sample, got: &Answer, again: &Answer) {
        if got.status != 200 || again.status != 200 {
            return self.tally.problem(sample, format!("GET {} and {}", got.status, again.status));
        }
        if got.body != again.body || got.header("etag") != again.header("etag") {
            return self
                .tally
                .problem(sample, format!("differs without the cache:\n{}\n{}", got.text(), again.text()));
        }
        if got.body == sample.text {
            return self.tally.count(sample, "identical octets");
        }
        let sent = String::from_utf8_lossy(&sample.text).into_owned();
        let lost = judge::lost(&sent, got.text());
        if lost.is_empty() {
            self.tally.count(sample, "the same meaning");
        } else {
            self.tally.problem(sample, format!("lost {lost:#?} in\n{}", got.text()));
        }
    }
}

async fn calendar_round(what: &str, samples: Vec<Sample>) {
    let stage = Stage::lively().await;
    let mut round = Round { stage: &stage, tally: Tally::default() };
    let first = client(&stage, stage.store.path()).await;
    let mut stored = Vec::new();
    for (number, sample) in samples.iter().enumerate() {
        let is_task = String::from_utf8_lossy(&sample.text).contains("BEGIN:VTODO");
        let folder = if is_task {
            dav::path::default_calendar(USER).replace("/calendar/", "/tasks/")
        } else {
            dav::path::default_calendar(USER)
        };
        let path = format!("{folder}corpus-{number}.ics");
        if round.put(&first, &path, "text/calendar; charset=utf-8", sample).await {
            let got = first.ask("GET", &path, &[], "").await;
            stored.push((sample, path, got));
        }
    }
    let store = tempfile::tempdir().unwrap();
    let second = client(round.stage, store.path()).await;
    for (sample, path, got) in stored {
        let again = second.ask("GET", &path, &[], "").await;
        round.compare(sample, &got, &again);
    }
    round.tally.finish(what, samples.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn calendar_objects_of_many_clients_lose_nothing() {
    let samples = events::objects();
    assert!(samples.len() >= 500, "{}", samples.len());
    calendar_round("calendar objects as clients write them", samples).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calendar_objects_in_the_tests_of_packages_lose_nothing() {
    let files = packages::calendars();
    let samples = packages::with_own_uids(files.iter().flat_map(packages::objects).collect());
    calendar_round("calendar objects in the tests of packages", samples).await;
}
