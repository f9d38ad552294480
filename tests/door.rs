//! The door of exdav itself: guessing passwords, proxies in front, and where secrets must not be.

use crate::support::http::{Answer, Client, basic};
use crate::support::{PASSWORD, Stage, USER};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exdav::accounts::{self, Accounts, Upstream};
use exdav::dav;
use exdav::gateway::{Gateway, Settings};
use exdav::server::Proxies;
use futures_util::future::join_all;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3600);

fn calendar() -> String {
    dav::path::default_calendar(USER)
}

fn trusted() -> Proxies {
    let user_header = Some("X-Client-User".parse().unwrap());
    Proxies { trusted: vec!["127.0.0.1".parse().unwrap()], user_header }
}

async fn guess(client: &Client, name: &str, password: &str, forwarded: &str) -> Answer {
    let authorization = basic(name, password);
    let headers = [("Authorization", authorization.as_str()), ("X-Forwarded-For", forwarded), ("Depth", "0")];
    client.ask("PROPFIND", &calendar(), &headers, "").await
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn five_guesses_at_a_name_are_answered_and_exchange_sees_no_more() {
    let stage = Stage::lively().await;
    let client = Client::of(stage.gateway(LONG), USER, PASSWORD).await;
    client.propfind(&calendar(), "0", "<D:getetag/>").await.expect(207);
    stage.reset().await;
    let passwords: Vec<String> = (0..15).map(|n| format!("guess {n}")).collect();
    let answers = join_all(passwords.iter().map(|password| guess(&client, USER, password, ""))).await;
    assert_eq!((count(&answers, 401), count(&answers, 429)), (5, 10));
    let late = answers.iter().find(|answer| answer.status == 429).unwrap();
    assert!((1..=180).contains(&late.header("retry-after").parse::<u64>().unwrap()), "{late:?}");
    assert_eq!(stage.door().await["refused"][USER], 5);
    // What was refused once is no new guess, and whoever was let in before is not kept out by others.
    for _ in 0..30 {
        guess(&client, USER, "guess 0", "").await;
    }
    client.propfind(&calendar(), "0", "<D:getetag/>").await.expect(207);
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_from_the_users_own_address_lock_nobody_out_after_a_restart() {
    let stage = Stage::lively().await;
    let folder = tempfile::tempdir().unwrap();
    let before = stage.gateway_with(LONG, folder.path(), Settings::default());
    Client::of(before, USER, PASSWORD).await.propfind(&calendar(), "0", "<D:getetag/>").await.expect(207);
    let file = std::fs::read_to_string(folder.path().join("visitors.json")).unwrap();
    assert!(!file.contains(&format!("\"{PASSWORD}\"")), "{file}");
    // The store of a process that ended: this one begins with what it left.
    let store = tempfile::tempdir().unwrap();
    std::fs::write(store.path().join("visitors.json"), file).unwrap();
    stage.reset().await;
    let client = Client::of(stage.gateway_with(LONG, store.path(), Settings::default()), USER, "").await;
    let guesses: Vec<String> = (0..30).map(|n| format!("guess {n}")).collect();
    let answers = join_all(guesses.iter().map(|password| guess(&client, USER, password, ""))).await;
    assert_eq!((count(&answers, 401), count(&answers, 429)), (5, 25));
    assert_eq!(guess(&client, USER, PASSWORD, "").await.status, 207);
    assert_eq!(guess(&client, USER, "another guess", "").await.status, 429);
    assert_eq!(stage.door().await["refused"][USER], 5);
}

/// Nobody but accounts is let in, and there are none: what a guess costs is only the guess.
fn closed(stage: &Stage) -> Gateway {
    let settings = Settings { pass_through: false, ..Settings::default() };
    stage.gateway_with(LONG, stage.store.path(), settings)
}

async fn spray(client: &Client, password: &str, forwarded: impl Fn(usize) -> String) -> Vec<Answer> {
    let names = (0..110).map(|n| (format!("user{n}@example.com"), forwarded(n)));
    join_all(names.map(|(name, from)| async move { guess(client, &name, password, &from).await })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_may_not_try_a_password_with_everybody_whatever_it_says_where_it_comes_from() {
    let stage = Stage::lively().await;
    let client = Client::of(closed(&stage), USER, PASSWORD).await;
    let answers = spray(&client, "Summer2026!", |n| format!("192.0.2.{n}")).await;
    assert!(count(&answers, 401) >= 100 && count(&answers, 429) > 0, "{}", count(&answers, 401));
    assert_eq!(stage.total().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_a_trusted_proxy_are_told_apart() {
    let stage = Stage::lively().await;
    let client = Client::behind(trusted(), closed(&stage), USER, PASSWORD).await;
    let answers = spray(&client, "Summer2026!", |n| format!("192.0.2.{n}")).await;
    assert_eq!(count(&answers, 401), answers.len());
    let one = spray(&client, "Winter2026!", |n| format!("192.0.2.{n}, 198.51.100.7")).await;
    assert!(count(&one, 429) > 0, "the address that the proxy saw is the last");
}

fn with_account(stage: &Stage, password: &str) -> (Settings, String) {
    let file = accounts::Settings { path: stage.store.path().join("accounts.json"), key: PathBuf::new() };
    let book = Accounts::open(&file).unwrap().unwrap();
    let own = Upstream::Password { login: USER.to_owned(), password: password.to_owned() };
    book.add(USER, USER, &own).unwrap();
    let app_password = book.add_password(USER, "first").unwrap();
    (Settings { accounts: file, ..Settings::default() }, app_password)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_may_vouch_for_an_account_and_nobody_else_may() {
    let stage = Stage::lively().await;
    let (settings, _) = with_account(&stage, PASSWORD);
    let gateway = stage.gateway_with(LONG, stage.store.path(), settings);
    let mut inside = Client::behind(trusted(), gateway.clone(), USER, "").await;
    let mut outside = Client::of(gateway, USER, "").await;
    (inside.authorization, outside.authorization) = (None, None);
    let ask = async |client: &Client, name: &str| {
        client.ask("PROPFIND", &calendar(), &[("X-Client-User", name), ("Depth", "0")], "").await.status
    };
    assert_eq!(ask(&inside, USER).await, 207);
    assert_eq!(ask(&outside, USER).await, 401);
    assert_eq!(ask(&inside, "").await, 401);
    // A mailbox that is no account: nobody has a password for it that Exchange would take.
    assert_eq!(ask(&inside, "demo2@example.com").await, 401);
    let twice = [("X-Client-User", USER), ("X-Client-User", "demo2@example.com"), ("Depth", "0")];
    inside.ask("PROPFIND", &calendar(), &twice, "").await.expect(401);
}

fn texts(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts(&path, found);
        } else {
            found.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_a_log_or_a_file() {
    let stage = Stage::lively().await;
    let kept = "Kept-of-Exchange-5f1c";
    let (_, app_password) = with_account(&stage, kept);
    let folder = stage.store.path();
    let config = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "[exchange]\nurl = \"http://{}/EWS/Exchange.asmx\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [store]\npath = \"{}\"\n[accounts]\npath = \"{}\"\n",
        stage.exchange.exchange,
        folder.join("store").display(),
        folder.join("accounts.json").display()
    );
    std::fs::write(config.path(), text).unwrap();
    let log = folder.join("log");
    let mut child = Command::new(env!("CARGO_BIN_EXE_exdav"))
        .args(["--log", "trace", "serve", "--config"])
        .arg(config.path())
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.find_map(|line| Some(line.split_once("http://")?.1.trim_end_matches('/').to_owned()));
    let url = format!("http://{}{}", address.unwrap(), calendar());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let guessed = "Guessed-by-a-client-77ab";
    let mut statuses = Vec::new();
    for (name, password) in [(USER, app_password.as_str()), (USER, guessed), ("demo2@example.com", guessed)] {
        let answer = client.get(&url).basic_auth(name, Some(password)).send().await.unwrap();
        statuses.push(answer.status().as_u16());
        let text = String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap();
        assert!(!text.contains(password) && !text.contains(kept), "{text}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // The first is stopped at Exchange, which does not take what is kept; the others at the door.
    assert_eq!(statuses, [503, 401, 401]);
    let mut found = Vec::new();
    texts(folder, &mut found);
    assert!(found.iter().any(|(path, octets)| *path == log && !octets.is_empty()));
    assert!(found.iter().any(|(path, _)| path.ends_with("accounts.json")));
    for (name, password) in [(USER, app_password.as_str()), (USER, kept), (USER, guessed)] {
        let encoded = STANDARD.encode(format!("{name}:{password}"));
        for secret in [password, encoded.as_str()] {
            for (path, octets) in &found {
                let is_there = octets.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!is_there, "{} holds {secret}", path.display());
            }
        }
    }
}
