//! Objects as people have them go in, come back, and come back from a mirror that starts empty: nothing of them is
//! lost, or a refusal named what stands in the way.

mod dice;
mod events;
mod judge;
mod packages;

use crate::support::http::{Answer, Client};
use crate::support::{PASSWORD, Stage, USER};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exdav::convert::{self, Settings};
use exdav::dav;
use std::collections::BTreeMap;
use std::time::Duration;

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

/// Where attachments are, for clients.
const PUBLIC: &str = "http://gateway.example.test";

/// A client of a gateway as it is by default: attachments are links.
async fn linked(stage: &Stage) -> (Client, tempfile::TempDir) {
    let store = tempfile::tempdir().unwrap();
    let settings =
        exdav::gateway::Settings { public_url: PUBLIC.to_owned(), ..exdav::gateway::Settings::default() };
    let gateway = stage.gateway_with(LONG, store.path(), settings);
    (Client::of(gateway, USER, PASSWORD).await, store)
}

/// A text with the octets of its links in their places.
async fn with_octets(client: &Client, text: &str) -> String {
    let mut lines = Vec::new();
    for line in judge::unfolded(text) {
        let link = line.starts_with("ATTACH;").then(|| line.split_once(&format!(":{PUBLIC}"))).flatten();
        let Some((head, path)) = link else {
            lines.push(line);
            continue;
        };
        let octets = client.ask("GET", path, &[], "").await;
        assert_eq!(octets.status, 200, "{line}");
        let content = STANDARD.encode(&octets.body);
        lines.push(format!("{head};ENCODING=BASE64;VALUE=BINARY:{content}"));
    }
    lines.join("\r\n")
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

/// Where a sample goes.
fn path_of(sample: &Sample, number: usize) -> String {
    let calendar = dav::path::default_calendar(USER);
    let folder = if is_task(sample) { calendar.replace("/calendar/", "/tasks/") } else { calendar };
    format!("{folder}corpus-{number}.ics")
}

fn is_task(sample: &Sample) -> bool {
    String::from_utf8_lossy(&sample.text).contains("BEGIN:VTODO")
}

/// What a client makes of an object whose title it changes, with a property of its own.
fn edited(text: &str, title: &str) -> String {
    let lines = judge::unfolded(text);
    let begins: Vec<usize> = (0..lines.len()).filter(|at| is_begin(&lines[*at])).collect();
    let block = |at: usize| {
        let kind = lines[at].trim()[6..].to_ascii_uppercase();
        let end =
            (at..lines.len()).find(|end| lines[*end].trim().eq_ignore_ascii_case(&format!("END:{kind}")));
        at..end.unwrap()
    };
    let is_override = |at: &usize| lines[block(*at)].iter().any(|line| line.starts_with("RECURRENCE-ID"));
    let master = begins.iter().copied().find(|at| !is_override(at)).unwrap_or(begins[0]);
    let own = block(master);
    let (mut depth, mut out) = (0, Vec::new());
    for (at, line) in lines.iter().enumerate() {
        let upper = line.to_ascii_uppercase();
        if own.contains(&at) && at > master {
            depth += i32::from(upper.starts_with("BEGIN:")) - i32::from(upper.starts_with("END:"));
            if depth == 0 && (upper.starts_with("SUMMARY:") || upper.starts_with("SUMMARY;")) {
                continue;
            }
        }
        out.push(line.clone());
        if at == master {
            out.push(format!("SUMMARY:{title}"));
            out.push(format!("X-EDITED;BY=\"somebody, else\":{title}"));
        }
    }
    out.join("\r\n") + "\r\n"
}

fn is_begin(line: &str) -> bool {
    ["BEGIN:VEVENT", "BEGIN:VTODO"].iter().any(|begin| line.trim().eq_ignore_ascii_case(begin))
}

/// What Exchange's change of the importance may replace.
const REPLACED: [&str; 5] =
    ["PRIORITY", "X-MICROSOFT-CDO-IMPORTANCE", "DTSTAMP", "LAST-MODIFIED", "SEQUENCE"];

/// A colleague in Outlook finds something important; whether there is one item of that title.
async fn find_important(stage: &Stage, title: &str, is_task: bool) -> bool {
    let (folder, element) = if is_task { ("tasks", "Task") } else { ("calendar", "CalendarItem") };
    let find = format!(
        "<m:FindItem Traversal='Shallow'><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>\
         <m:Restriction><t:IsEqualTo><t:FieldURI FieldURI='item:Subject'/><t:FieldURIOrConstant>\
         <t:Constant Value='{title}'/></t:FieldURIOrConstant></t:IsEqualTo></m:Restriction>\
         <m:ParentFolderIds><t:DistinguishedFolderId Id='{folder}'/></m:ParentFolderIds></m:FindItem>"
    );
    let found = stage.colleague(USER, &find).await;
    let ids: Vec<&str> =
        found.split("<t:ItemId ").skip(1).map(|rest| rest.split("/>").next().unwrap()).collect();
    let [id] = ids.as_slice() else { return false };
    let change = format!(
        "<m:UpdateItem MessageDisposition='SaveOnly' ConflictResolution='AlwaysOverwrite' \
         SendMeetingInvitationsOrCancellations='SendToNone'><m:ItemChanges><t:ItemChange><t:ItemId {id}/>\
         <t:Updates><t:SetItemField><t:FieldURI FieldURI='item:Importance'/><t:{element}>\
         <t:Importance>High</t:Importance></t:{element}></t:SetItemField></t:Updates></t:ItemChange>\
         </m:ItemChanges></m:UpdateItem>"
    );
    let answer = stage.colleague(USER, &change).await;
    assert!(answer.contains("NoError"), "{answer}");
    true
}

/// Objects go in, are read, edited by another client and in Outlook, and read from mirrors that start empty.
async fn update_round(what: &str, samples: Vec<Sample>) {
    let stage = Stage::lively().await;
    let mut round = Round { stage: &stage, tally: Tally::default() };
    let (first, _store) = linked(&stage).await;
    let mut stored = Vec::new();
    for (number, sample) in samples.iter().enumerate() {
        let path = path_of(sample, number);
        if !round.put(&first, &path, "text/calendar; charset=utf-8", sample).await {
            continue;
        }
        let got = first.ask("GET", &path, &[], "").await;
        assert_eq!(got.status, 200, "{}", sample.title);
        let whole = with_octets(&first, got.text()).await;
        let lost = judge::lost(&String::from_utf8_lossy(&sample.text), &whole);
        if !lost.is_empty() {
            round.tally.problem(sample, format!("lost {lost:#?} in\n{whole}"));
            continue;
        }
        let text = edited(got.text(), &format!("Edited {number}"));
        let typed = [("Content-Type", "text/calendar; charset=utf-8"), ("If-Match", got.header("etag"))];
        let answer = first.ask("PUT", &path, &typed, &text).await;
        match (answer.status, precondition(&answer)) {
            (204, _) => stored.push((number, sample, path, text)),
            (_, Some(name)) => round.tally.count(sample, format!("the edit is refused with {name}")),
            (status, None) => round.tally.problem(sample, format!("{status} for\n{text}")),
        }
    }
    let (second, _store) = linked(&stage).await;
    for (number, sample, path, text) in &stored {
        let got = second.ask("GET", path, &[], "").await;
        let lost = judge::lost(text, got.text());
        if !lost.is_empty() {
            round.tally.problem(sample, format!("lost {lost:#?} after the edit\n{text}\nin\n{}", got.text()));
        }
        find_important(&stage, &format!("Edited {number}"), is_task(sample)).await;
    }
    let (third, _store) = linked(&stage).await;
    for (number, sample, path, text) in &stored {
        let got = third.ask("GET", path, &[], "").await;
        let mut lost = judge::lost(text, got.text());
        lost.retain(|fact| !REPLACED.contains(&fact.name.as_str()));
        let is_seen =
            got.text().contains("PRIORITY:1") || !got.text().contains(&format!("SUMMARY:Edited {number}"));
        if lost.is_empty() && is_seen {
            round.tally.count(sample, "edited twice, and nothing is lost");
        } else {
            let (found, text) = (got.text(), format!("{text}\nin\n{}", got.text()));
            assert_eq!(got.status, 200, "{found}");
            round.tally.problem(sample, format!("lost {lost:#?} after Outlook's change of\n{text}"));
        }
    }
    round.tally.finish(what, samples.len());
}

async fn calendar_round(what: &str, samples: Vec<Sample>) {
    let stage = Stage::lively().await;
    let mut round = Round { stage: &stage, tally: Tally::default() };
    let first = client(&stage, stage.store.path()).await;
    let mut stored = Vec::new();
    for (number, sample) in samples.iter().enumerate() {
        let path = path_of(sample, number);
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

#[tokio::test(flavor = "multi_thread")]
async fn calendar_objects_of_many_clients_lose_nothing_when_they_are_edited_here_and_in_outlook() {
    update_round("calendar objects, edited by another client and in Outlook", events::objects()).await;
}
