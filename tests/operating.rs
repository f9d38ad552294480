//! What people who run exdav are told when they start it, and when Exchange is not there.

use crate::support::http::Client;
use crate::support::{PASSWORD, Stage, USER};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The program in a folder of its own, without the variables of whoever runs the tests.
fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_exdav"));
    command.current_dir(folder).args(arguments).env("EXDAV_STORE_PATH", folder.join("store"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("EXDAV_")) {
        command.env_remove(name);
    }
    command.env("EXDAV_STORE_PATH", folder.join("store"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn url(stage: &Stage) -> String {
    format!("http://{}/EWS/Exchange.asmx", stage.exchange.exchange)
}

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What it prints until it is ready.
fn until_ready(command: &mut Command) -> (Running, String) {
    let mut child = command.spawn().unwrap();
    let output = child.stdout.take().unwrap();
    let running = Running(child);
    let mut text = String::new();
    for line in BufReader::new(output).lines() {
        let line = line.unwrap();
        text.push_str(&line);
        text.push('\n');
        if line.starts_with("ready") {
            return (running, text);
        }
    }
    panic!("it is not ready: {text}");
}

fn done(command: &mut Command, input: &str) -> (Output, String) {
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    (output, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_starts_from_the_environment_alone_and_says_whether_exchange_answers() {
    let stage = Stage::empty(1).await;
    let folder = tempfile::tempdir().unwrap();
    let mut serve = program(folder.path(), &["serve"]);
    serve.env("EXDAV_EXCHANGE_URL", url(&stage)).env("EXDAV_SERVER_LISTEN", "127.0.0.1:0");
    serve.env("EXDAV_EXCHNAGE_URL", "x");
    let (mut running, text) = until_ready(&mut serve);
    assert!(text.contains("http://127.0.0.1:"), "{text}");
    let mut log = BufReader::new(running.0.stderr.take().unwrap());
    let mut told = String::new();
    while !told.contains("Exchange answers at") {
        assert_ne!(log.read_line(&mut told).unwrap(), 0, "{told}");
    }
    assert!(told.contains(&url(&stage)), "{told}");
    assert!(told.contains("EXDAV_EXCHNAGE_URL is no setting (did you mean `EXDAV_EXCHANGE_URL`?)"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_finds_the_settings_in_its_folder() {
    let stage = Stage::empty(1).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = format!("[exchange]\nurl = \"{}\"\n[server]\nlisten = \"127.0.0.1:0\"\n", url(&stage));
    std::fs::write(folder.path().join("exdav.toml"), settings).unwrap();
    let (_running, text) = until_ready(&mut program(folder.path(), &["serve"]));
    assert!(text.contains("ready"), "{text}");
}

#[test]
fn a_taken_address_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let mut serve = program(folder.path(), &["serve"]);
    serve.env("EXDAV_EXCHANGE_URL", "http://127.0.0.1:9/").env("EXDAV_SERVER_LISTEN", &address);
    let (_, told) = done(&mut serve, "");
    assert!(told.contains(&format!("cannot listen on {address}")), "{told}");
    let arguments = ["simulate", "--exchange-listen", &address, "--control-listen", "127.0.0.1:0"];
    let (_, told) = done(&mut program(folder.path(), &arguments), "");
    assert!(told.contains(&format!("cannot listen on {address}")), "{told}");
}

#[test]
fn a_store_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "no folder").unwrap();
    let mut serve = program(folder.path(), &["serve"]);
    let path = folder.path().join("file").join("store");
    serve.env("EXDAV_EXCHANGE_URL", "http://127.0.0.1:9/").env("EXDAV_STORE_PATH", &path);
    let (output, told) = done(&mut serve, "");
    assert!(!output.status.success() && told.contains(path.to_str().unwrap()), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_exchange_is_answered_with_its_address_and_the_cause_within_seconds() {
    let stage = Stage::empty(1).await;
    // Nobody listens there any more.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ews = exdav::upstream::ews::Settings {
        url: format!("http://{closed}/EWS/Exchange.asmx"),
        ..exdav::upstream::ews::Settings::default()
    };
    let mirror = exdav::mirror::Settings { path: stage.store.path().to_owned(), ..Default::default() };
    let gateway = exdav::gateway::Gateway::new(
        exdav::gateway::Settings::default(),
        std::sync::Arc::new(exdav::upstream::ews::Exchange::new(ews).unwrap()),
        mirror,
        exdav::sync::Settings::default(),
        exdav::convert::Settings::default(),
        exdav::dav::path::attachment,
    );
    let client = Client::of(gateway.unwrap(), USER, PASSWORD).await;
    let began = Instant::now();
    let answer = client.propfind("/", "0", "<D:displayname/>").await.expect(503);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(answer.text().contains(&closed.to_string()), "{}", answer.text());
    assert!(answer.text().to_lowercase().contains("refused"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_reaches_no_mailbox_is_not_made() {
    let stage = Stage::empty(1).await;
    let folder = tempfile::tempdir().unwrap();
    let add = |arguments: &[&str], input: &str| {
        let mut command = program(folder.path(), &["user", "add"]);
        command
            .args(arguments)
            .env("EXDAV_EXCHANGE_URL", url(&stage))
            .env("EXDAV_ACCOUNTS_PATH", "accounts.json");
        done(&mut command, input)
    };
    let own = ["alice", "--mailbox", USER, "--exchange-user", USER];
    let (output, told) = add(&own, "wrong\n");
    assert!(!output.status.success() && told.contains("nothing was made"), "{told}");
    assert!(!told.contains("wrong"), "{told}");
    let (output, told) = add(&["bob@example.com"], "");
    assert!(!output.status.success() && told.contains("no service account"), "{told}");
    let (output, told) = add(&own, &format!("{PASSWORD}\n"));
    assert!(output.status.success(), "{told}");
    let (output, told) = add(&["carol@example.com", "--unchecked"], "");
    assert!(output.status.success(), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_interface_takes_json_without_a_header() {
    let stage = Stage::empty(1).await;
    let send = async |body: &'static str| {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{}/latency", stage.exchange.control);
        client.post(url).body(body).send().await.unwrap().status().as_u16()
    };
    assert_eq!((send("{\"ms\": 1}").await, send("{\"ms\": ").await), (200, 400));
}

#[test]
fn help_fits_eighty_columns() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["", "serve", "demo", "simulate", "check", "user", "login", "health"] {
        let arguments: Vec<&str> = [command, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let mut help = program(folder.path(), &arguments);
        let mut child = help.env("COLUMNS", "80").spawn().unwrap();
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        child.wait().unwrap();
        let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(text.contains("Usage") && wide.is_empty(), "{command}: {wide:#?}");
    }
}
