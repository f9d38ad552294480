//! The program is killed in the middle of its work and started again with the same store.

use crate::support::{PASSWORD, Stage, USER, calendar};
use exdav::{dav, simulator};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// `exdav serve` as a process of its own.
struct Process {
    child: Child,
    url: String,
}

impl Process {
    fn start(stage: &Stage, folder: &Path) -> Self {
        let config = folder.join("exdav.toml");
        let text = format!(
            "[exchange]\nurl = \"http://{}/EWS/Exchange.asmx\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
             [store]\npath = \"{}\"\n[sync]\nfreshness = \"0s\"\n",
            stage.exchange.exchange,
            folder.join("store").display()
        );
        std::fs::write(&config, text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_exdav"))
            .arg("serve")
            .arg("--config")
            .arg(&config)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some((_, address)) = line.split_once("http://") {
                url = format!("http://{address}");
            }
            if line.starts_with("ready") {
                break;
            }
        }
        assert!(!url.is_empty(), "the program said where it listens");
        Self { child, url }
    }

    /// Name and ETag of every member, as a client that knows nothing gets them.
    async fn members(&self) -> reqwest::Result<BTreeSet<String>> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let report = reqwest::Method::from_bytes(b"REPORT").unwrap();
        let url = format!("{}{}", self.url.trim_end_matches('/'), dav::path::default_calendar(USER));
        let body = "<D:sync-collection xmlns:D='DAV:'><D:sync-token/><D:sync-level>1</D:sync-level>\
                    <D:prop><D:getetag/></D:prop></D:sync-collection>";
        let answer = client.request(report, url).basic_auth(USER, Some(PASSWORD)).body(body).send().await?;
        let text = answer.error_for_status()?.text().await?;
        let between = |text: &str, start: &str, end: &str| {
            let rest = text.split(start).nth(1)?;
            Some(rest.split(end).next()?.to_owned())
        };
        let members = text.split("response>").filter_map(|response| {
            let href = between(response, "href>", "<")?;
            let etag = between(response, "getetag>", "<")?;
            Some(format!("{} {}", href.rsplit('/').next()?, etag.replace("&quot;", "\"")))
        });
        Ok(members.collect())
    }

    /// Waits until the first fill of every collection is complete, which goes on in the background: only then does it have
    /// a sync-token.
    async fn filled(&self) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let propfind = reqwest::Method::from_bytes(b"PROPFIND").unwrap();
        let body =
            "<D:propfind xmlns:D='DAV:'><D:prop><D:resourcetype/><D:sync-token/></D:prop></D:propfind>";
        for home in [dav::path::calendar_home(USER), dav::path::address_book_home(USER)] {
            let url = format!("{}{home}", self.url.trim_end_matches('/'));
            let is_complete = async || {
                let request = client.request(propfind.clone(), &url).basic_auth(USER, Some(PASSWORD));
                let answer = request.header("Depth", "1").body(body).send().await.unwrap();
                let text = answer.error_for_status().unwrap().text().await.unwrap();
                let is_filled = |response: &str| response.contains("<D:sync-token>");
                let is_collection = |response: &str| {
                    response.contains("<C:calendar/>") || response.contains("<CARD:addressbook/>")
                };
                let collections: Vec<&str> =
                    text.split("<D:response>").filter(|response| is_collection(response)).collect();
                !collections.is_empty() && collections.into_iter().all(is_filled)
            };
            let waited = async {
                while !is_complete().await {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(60), waited).await.expect("the first fills end");
        }
    }

    /// Whether it ended well when it was asked to.
    fn end(mut self) -> bool {
        let asked = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap();
        assert!(asked.success());
        self.child.wait().unwrap().success()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn truth(stage: &Stage) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    let settings = exdav::gateway::Settings::default();
    let gateway = stage.gateway_with(Duration::ZERO, folder.path(), settings);
    let mailbox = gateway.sign_in(USER, PASSWORD).await.unwrap();
    let members = mailbox.list(&calendar()).await.unwrap();
    members.into_iter().map(|head| format!("{} {}", head.name, head.etag)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_do_not_share_a_store_and_one_after_a_kill_has_it_at_once() {
    let stage = Stage::with_events(1).await;
    let folder = tempfile::tempdir().unwrap();
    let first = Process::start(&stage, folder.path());
    let config = folder.path().join("exdav.toml");
    let second = Command::new(env!("CARGO_BIN_EXE_exdav")).arg("serve").arg("--config").arg(config).output();
    let second = second.unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success());
    let store = folder.path().join("store").display().to_string();
    assert!(said.contains(&store) && said.contains("is used by another exdav"), "{said}");
    let before = first.members().await.unwrap();
    first.kill();
    let third = Process::start(&stage, folder.path());
    assert_eq!(third.members().await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_that_is_killed_again_and_again_ends_with_exactly_the_mailbox() {
    const EVENTS: usize = 1_500;
    let settings =
        simulator::Settings { events: Some(EVENTS), mailboxes: 1, ..simulator::Settings::default() };
    let stage = Stage::of(settings).await;
    let doomed = stage.make_event(USER, "Deleted while exdav is down").await;
    let folder = tempfile::tempdir().unwrap();
    stage.latency(40).await;
    let mut fetched = 0;
    for batches in [1, 4, 12] {
        let process = Process::start(&stage, folder.path());
        stage.reset().await;
        let seen = tokio::select! {
            members = process.members() => panic!("the sync was not interrupted: {}", members.unwrap().len()),
            seen = async {
                loop {
                    let seen = stage.calls().await.get("GetItem").copied().unwrap_or_default();
                    if seen >= batches {
                        break seen;
                    }
                    tokio::task::yield_now().await;
                }
            } => seen,
        };
        process.kill();
        fetched += seen;
    }
    stage.delete_event(USER, &doomed).await;
    stage.make_event(USER, "Made while exdav is down").await;
    stage.latency(0).await;
    stage.reset().await;
    let process = Process::start(&stage, folder.path());
    let members = process.members().await.unwrap();
    let calls = stage.calls().await;
    assert_eq!(members.len(), EVENTS + 1);
    // What was under way at a kill is fetched again, what had been stored is not.
    let all = (EVENTS as u64).div_ceil(100) + 1;
    assert!(calls["GetItem"] < all, "{calls:?} after {fetched} of {all}");
    assert_eq!(members, truth(&stage).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_after_the_first_sync_loses_nothing() {
    let stage = Stage::lively().await;
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&stage, folder.path());
    let before = process.members().await.unwrap();
    assert_eq!(before, truth(&stage).await);
    // A fill that the kill cuts short goes on after it, which is another test's matter.
    process.filled().await;
    process.kill();
    let process = Process::start(&stage, folder.path());
    stage.reset().await;
    assert_eq!(process.members().await.unwrap(), before);
    let calls = stage.calls().await;
    assert_eq!(calls.get("GetItem"), None, "{calls:?}");
    // The sign-in, the addresses, one look at all collections that were filled before the kill, and one at this.
    assert!(calls.values().sum::<u64>() <= 4, "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_of_several_calls_is_done_before_the_program_ends_though_its_client_has_gone() {
    let stage = Stage::empty(1).await;
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(&stage, folder.path());
    process.members().await.unwrap();
    stage.reset().await;
    stage.latency(250).await;
    let url = format!("{}{}whole.ics", process.url.trim_end_matches('/'), dav::path::default_calendar(USER));
    let body = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:whole\r\n\
                DTSTAMP:20260101T000000Z\r\nDTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\nSUMMARY:Whole\r\n\
                ATTACH;VALUE=BINARY;ENCODING=BASE64;FMTTYPE=text/plain;FILENAME=whole.txt:aGFsZg==\r\n\
                END:VEVENT\r\nEND:VCALENDAR\r\n";
    let putting = tokio::spawn(async move {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.put(url).basic_auth(USER, Some(PASSWORD)).body(body).send().await.map(drop)
    });
    while !stage.calls().await.contains_key("CreateItem") {
        tokio::task::yield_now().await;
    }
    putting.abort();
    assert!(putting.await.unwrap_err().is_cancelled());
    assert!(tokio::task::spawn_blocking(move || process.end()).await.unwrap());
    stage.latency(0).await;
    let dump = stage.dump(USER).await;
    let folders = dump["folders"].as_array().unwrap();
    let calendar = folders.iter().find(|folder| folder["name"] == "Calendar").unwrap();
    let items = calendar["items"].as_array().unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!(items[0]["attachments"], serde_json::json!(["whole.txt"]));
    // The last call of a write keeps its text on the item.
    assert!(items[0]["extended"].to_string().contains("dav-body"), "{}", items[0]["extended"]);
}
