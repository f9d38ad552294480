//! The store while exdav runs: files that are damaged, and a disk that is full.

use crate::support::{PASSWORD, Stage, USER, calendar};
use exdav::gateway::{Error, Gateway, Settings};
use exdav::model::id::{ETag, ResourceName, SyncToken};
use exdav::query::shape::Shape;
use exdav::{convert, dav, mirror, sync};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const LONG: Duration = Duration::from_hours(1);

type Members = BTreeMap<String, (ETag, Vec<u8>)>;

/// Everything in the calendar, and the token.
async fn read(gateway: &Gateway) -> Result<(Members, SyncToken), Error> {
    let mailbox = gateway.sign_in(USER, PASSWORD).await?;
    let names: Vec<ResourceName> =
        mailbox.list(&calendar()).await?.into_iter().map(|head| head.name).collect();
    let mut all = Vec::new();
    while all.len() < names.len() {
        // As many at once as take little memory.
        all.extend(mailbox.multiget(&calendar(), &names[all.len()..], &Shape::Whole, None).await?);
    }
    let members = all.into_iter().map(|member| {
        // Who was listed is there.
        let member = member.unwrap();
        (member.head.name.to_string(), (member.head.etag, member.body.unwrap().to_vec()))
    });
    Ok((members.collect(), mailbox.refresh(&[calendar()]).await?[0].token))
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

async fn is_rebuilt_after(harm: impl Fn(&mut File)) {
    let stage = Stage::with_events(300).await;
    let path = stage.store.path().to_owned();
    // What is in memory would hide what is on the disk.
    let store = mirror::Settings { path: path.clone(), cache: 0, ..mirror::Settings::default() };
    let sync = sync::Settings { freshness: LONG, ..sync::Settings::default() };
    let gateway = stage.gateway_keeping(sync, store, Settings::default(), convert::Settings::default());
    let (before, token) = read(&gateway).await.unwrap();
    assert_eq!(before.len(), 300);
    let [file] = files(&path, "redb").try_into().unwrap();
    harm(&mut OpenOptions::new().read(true).write(true).open(file).unwrap());
    for _ in 0..400 {
        match read(&gateway).await {
            // Whatever it answers is the whole truth.
            Ok((after, now)) => {
                assert!(after == before, "{} members", after.len());
                if now.epoch != token.epoch {
                    assert_eq!(files(&path, "damaged").len(), 1);
                    let mailbox = gateway.sign_in(USER, PASSWORD).await.unwrap();
                    let since = mailbox.changes(&calendar(), Some(token), None).await;
                    assert!(matches!(since, Err(Error::ForgottenToken)), "{since:?}");
                    return;
                }
            }
            Err(Error::Store { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it is not rebuilt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_is_cut_off_while_it_is_used_is_rebuilt() {
    is_rebuilt_after(|file| file.set_len(8_192).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_whose_pages_are_overwritten_while_it_is_used_is_rebuilt() {
    for octet in [0_u8, 0xa5] {
        is_rebuilt_after(|file| {
            let length = file.metadata().unwrap().len();
            file.seek(SeekFrom::Start(4_096)).unwrap();
            file.write_all(&vec![octet; usize::try_from(length - 4_096).unwrap()]).unwrap();
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_is_damaged_while_nobody_has_it_open_answers_who_comes() {
    const PLACES: usize = 32;
    let stage = Stage::with_events(60).await;
    let healthy = tempfile::tempdir().unwrap();
    let gateway = stage.gateway_with(LONG, healthy.path(), Settings::default());
    let (before, _) = read(&gateway).await.unwrap();
    drop(gateway);
    let [file] = files(healthy.path(), "redb").try_into().unwrap();
    let octets = std::fs::read(&file).unwrap();
    for place in 0..PLACES {
        let folder = tempfile::tempdir().unwrap();
        let mut octets = octets.clone();
        let at = (octets.len() - 4_096) / PLACES * place;
        for (number, octet) in octets[at..at + 4_096].iter_mut().enumerate() {
            *octet = u8::try_from((number * 197 + place * 31) % 251).unwrap();
        }
        std::fs::write(folder.path().join(file.file_name().unwrap()), octets).unwrap();
        let gateway = stage.gateway_with(LONG, folder.path(), Settings::default());
        let mut found = read(&gateway).await;
        for _ in 0..5 {
            if found.is_ok() {
                break;
            }
            found = read(&gateway).await;
        }
        let (after, _) = found.unwrap_or_else(|error| panic!("damaged at {at}: {error:?}"));
        assert_eq!(after.len(), before.len(), "damaged at {at}");
    }
}

/// The largest file that a running process may write.
fn limit(pid: u32, octets: &str) {
    let mut set = Command::new("prlimit");
    set.args(["--pid", &pid.to_string(), &format!("--fsize={octets}:")]);
    let mut set = set.stdout(Stdio::null()).spawn().expect("prlimit of util-linux is needed");
    assert!(set.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_when_there_is_room_again_nothing_is_missing() {
    let stage = Stage::with_events(20).await;
    let folder = stage.store.path();
    let config = folder.join("exdav.toml");
    let text = format!(
        "[exchange]\nurl = \"http://{}/EWS/Exchange.asmx\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [store]\npath = \"{}\"\n[sync]\nfreshness = \"0s\"\n",
        stage.exchange.exchange,
        folder.join("store").display(),
    );
    std::fs::write(&config, text).unwrap();
    // A write beyond the limit is to fail like one to a full disk, not to end the process.
    let mut child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_exdav"), "serve", "--config"])
        .arg(&config)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.find_map(|line| Some(line.split_once("http://")?.1.trim_end_matches('/').to_owned()));
    let url = format!("http://{}{}", address.unwrap(), dav::path::default_calendar(USER));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let list = async || {
        let request = client.request("PROPFIND".parse().unwrap(), &url).header("Depth", "1");
        let answer = request.basic_auth(USER, Some(PASSWORD)).send().await.unwrap();
        let (status, retry) = (answer.status().as_u16(), answer.headers().contains_key("retry-after"));
        (status, retry, answer.text().await.unwrap().matches("<D:response>").count())
    };
    assert_eq!(list().await, (207, false, 21));

    let [file] = files(&folder.join("store"), "redb").try_into().unwrap();
    limit(child.id(), &std::fs::metadata(file).unwrap().len().to_string());
    let mut made = 0;
    let told = loop {
        for _ in 0..100 {
            stage.make_event(USER, &"A long subject. ".repeat(15)).await;
        }
        made += 100;
        match list().await {
            (207, ..) if made < 5_000 => {}
            other => break other,
        }
    };
    assert!(matches!(told, (503, true, _)), "{told:?}");
    assert!(matches!(list().await, (503, true, _)));

    limit(child.id(), "unlimited");
    let mut after = list().await;
    for _ in 0..200 {
        if after.0 == 207 {
            break;
        }
        assert!(matches!(after, (503, true, _)), "{after:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
        after = list().await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(after, (207, false, 21 + made));
}
