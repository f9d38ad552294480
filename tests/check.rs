//! `exdav check`: what a person reads when all is well, and what where it is not. Golden texts in `fixtures/check`.

use crate::support::domain::{Names, Stranger, certificate, name_server};
use crate::support::{PASSWORD, Stage, USER};
use exdav::simulator::{self, Scheme};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

async fn stage(schemes: &[Scheme], is_secure: bool) -> Stage {
    let pair =
        simulator::Tls { certificate: fixture("tls/localhost.crt"), key: fixture("tls/localhost.key") };
    let settings = simulator::Settings {
        sign_in: schemes.to_vec(),
        tls: is_secure.then_some(pair),
        events: Some(1),
        ..simulator::Settings::default()
    };
    Stage::of(settings).await
}

/// Runs the program with a configuration and compares what it prints with the golden text; the port is written PORT.
fn check(stage: &Stage, settings: &str, user: Option<&str>, password: &str, golden: &str) {
    check_at(stage.store.path(), stage.exchange.exchange.port(), settings, user, password, golden);
}

fn check_at(folder: &Path, port: u16, settings: &str, user: Option<&str>, password: &str, golden: &str) {
    let config = folder.join("exdav.toml");
    std::fs::write(&config, settings.replace("PORT", &port.to_string())).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_exdav"));
    command.args(["--log", "off", "check", "--config"]).arg(&config);
    if let Some(user) = user {
        command.args(["--user", user]);
    }
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = pipes.spawn().unwrap();
    // A walk that ends early does not read it.
    let _ = writeln!(running.stdin.take().unwrap(), "{password}");
    let done = running.wait_with_output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap().replace(&port.to_string(), "PORT");
    let expected = std::fs::read_to_string(fixture("check").join(golden)).unwrap();
    assert_eq!(text, expected, "{golden}");
    assert_eq!(done.status.code(), Some(i32::from(expected.contains("FAIL"))), "{golden}");
    let told = String::from_utf8(done.stderr).unwrap();
    let is_shown = text.contains(password) || told.contains(password);
    // The name of every user of the simulated Exchange has its password in it.
    assert!(password == PASSWORD || !is_shown, "{golden}: {text}{told}");
}

const PLAIN: &str = "[exchange]\nurl = \"http://127.0.0.1:PORT/EWS/Exchange.asmx\"\n";
const SECURE: &str = "[exchange]\nurl = \"https://127.0.0.1:PORT/EWS/Exchange.asmx\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_way_is_shown_step_by_step() {
    let stage = stage(&[Scheme::Negotiate, Scheme::Ntlm, Scheme::Basic], true).await;
    let settings = format!("{SECURE}ca = \"{}\"\n", fixture("tls/ca.crt").display());
    check(&stage, &settings, Some(USER), PASSWORD, "healthy.txt");
    check(&stage, &settings, None, PASSWORD, "without-a-user.txt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_shown_once_and_not_printed() {
    let stage = stage(&[Scheme::Ntlm], false).await;
    check(&stage, PLAIN, Some(USER), "Tr0ub4dor", "wrong-password.txt");
    assert_eq!(stage.door().await["refused"], serde_json::json!({USER: 1}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_trusted_is_told_with_what_to_do() {
    let stage = stage(&[Scheme::Ntlm], true).await;
    check(&stage, SECURE, Some(USER), PASSWORD, "wrong-certificate.txt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_answer_is_told_from_a_name_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    check_at(folder.path(), port, PLAIN, Some(USER), PASSWORD, "unreachable.txt");
    let unknown = PLAIN.replace("127.0.0.1", "exchange.invalid");
    check_at(folder.path(), port, &unknown, Some(USER), PASSWORD, "unknown-name.txt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_user_is_told_to_wait() {
    let stage = stage(&[Scheme::Basic], false).await;
    stage.faults("[{\"kind\":\"busy\",\"times\":99}]").await;
    check(&stage, PLAIN, Some(USER), PASSWORD, "throttled.txt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_takes_fewer_requests_at_once_is_shown_with_what_to_set() {
    let stage = stage(&[Scheme::Basic], false).await;
    // Long enough for all of them to be there at once.
    stage.latency(1_000).await;
    stage.throttle(r#"{"max_concurrency": 2}"#).await;
    check(&stage, PLAIN, Some(USER), PASSWORD, "crowded.txt");
}

#[tokio::test(flavor = "multi_thread")]
async fn ews_that_is_switched_off_is_told_from_a_wrong_password() {
    let stage = stage(&[Scheme::Basic], false).await;
    stage.faults("[{\"kind\":\"forbidden\",\"times\":99}]").await;
    check(&stage, PLAIN, Some(USER), PASSWORD, "ews-disabled.txt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_only_tokens_and_a_wrong_path_are_told() {
    let stage = stage(&[Scheme::Bearer], false).await;
    check(&stage, PLAIN, Some(USER), PASSWORD, "only-tokens.txt");
    check(&stage, &PLAIN.replace("/EWS/", "/owa/"), Some(USER), PASSWORD, "wrong-path.txt");
}

/// A company whose Exchange is found from the domain alone; its own host is a web site.
async fn company() -> (Stage, Names, String) {
    let settings = simulator::Settings {
        sign_in: vec![Scheme::Negotiate, Scheme::Ntlm],
        tls: Some(simulator::Tls { certificate: certificate("domain.crt"), key: certificate("domain.key") }),
        events: Some(1),
        ..simulator::Settings::default()
    };
    let (stage, names) = (Stage::of(settings).await, Names::new().await);
    let site = Stranger::new("domain", "404 Not Found").await;
    names.host("example.com", site.address);
    stage.plan_autodiscover(r#"{"ews_url": "https://mail.example.com/EWS/Exchange.asmx"}"#).await;
    let authority = certificate("domains-ca.crt");
    let settings = format!(
        "[exchange]\ndomain = \"example.com\"\nca = \"{}\"\nproxy = \"http://{}\"\nnameserver = \"{}\"\n",
        authority.display(),
        names.proxy,
        name_server(None).await
    );
    (stage, names, settings)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_steps_of_autodiscover_are_shown_with_what_each_place_said() {
    let (stage, names, settings) = company().await;
    for host in ["autodiscover.example.com", "mail.example.com"] {
        names.host(host, stage.exchange.exchange);
    }
    check(&stage, &settings, Some(USER), PASSWORD, "discovered.txt");
    check(&stage, &settings, None, PASSWORD, "domain-without-a-user.txt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_leads_nowhere_is_told_with_what_to_do() {
    let (stage, _names, settings) = company().await;
    check(&stage, &settings, Some(USER), PASSWORD, "undiscovered.txt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_that_nobody_proves_is_refused_and_told() {
    let (stage, names, settings) = company().await;
    names.redirect("autodiscover.example.com", "https://evil.test/autodiscover/autodiscover.xml");
    check(&stage, &settings, Some(USER), PASSWORD, "redirect-refused.txt");
    assert!(!names.asked().iter().any(|place| place.contains("evil")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_each_missing_ability_of_a_server_means_for_those_who_write_is_told() {
    let settings = simulator::Settings {
        events: Some(1),
        product: simulator::Product::Gromox,
        ..simulator::Settings::default()
    };
    let stage = Stage::of(settings).await;
    check(&stage, PLAIN, Some(USER), PASSWORD, "gromox.txt");
}
