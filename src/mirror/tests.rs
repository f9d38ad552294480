use super::tables::STAGE;
use super::{AcknowledgedWrite, Change, Commit, Entry, Error, Key, Mirror, Part, Settings, Store};
use crate::model::collection::{Collection, CollectionKind, Rights};
use crate::model::id::{CollectionId, ETag, SyncToken, UpstreamId, UpstreamVersion};
use crate::model::object::{Head, Span};
use redb::ReadableTable as _;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

mod times;

struct Shelf {
    folder: tempfile::TempDir,
    most_gone: u64,
}

impl Shelf {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), most_gone: 20_000 }
    }

    fn open(&self, rendering: &str) -> Arc<Mirror> {
        let path = self.folder.path().join("store");
        let settings = Settings { path, most_gone: self.most_gone, ..Settings::default() };
        let mirror = Store::new(settings).unwrap().open(&key("demo"), rendering).unwrap();
        if mirror.folders().unwrap().is_empty() {
            mirror.set_collections(&[collection("cal")], Some("tree")).unwrap();
        }
        mirror
    }
}

fn key(accessor: &str) -> Key {
    Key { upstream: "https://x/".into(), mailbox: "demo".into(), accessor: accessor.into() }
}

fn cal() -> CollectionId {
    "cal".parse().unwrap()
}

fn collection(id: &str) -> Collection {
    Collection {
        id: id.parse().unwrap(),
        upstream: UpstreamId(format!("folder-{id}")),
        kind: CollectionKind::Calendar,
        display_name: id.to_owned(),
        description: None,
        color: None,
        order: None,
        timezone: None,
        rights: Rights { read: true, create: true, modify: true, delete: true, administer: true },
        is_default: false,
    }
}

fn item(id: impl ToString) -> UpstreamId {
    UpstreamId(id.to_string())
}

fn entry(id: impl ToString, version: &str) -> Entry {
    let id = id.to_string();
    Entry {
        upstream: UpstreamId(id.clone()),
        version: UpstreamVersion(version.to_owned()),
        name: format!("{id}.ics").parse().unwrap(),
        fallback_name: format!("ews-{id}.ics").parse().unwrap(),
        uid: id.clone(),
        etag: ETag(format!("{id}-{version}")),
        schedule_tag: None,
        span: Span::default(),
        last_modified: jiff::Timestamp::UNIX_EPOCH,
        attachments: Vec::new(),
        body: format!("{id} {version}").into_bytes().into(),
        vcard4: None,
        source: Some(b"told".as_slice().into()),
        parts: Vec::new(),
    }
}

fn refresh(mirror: &Mirror, entries: &[Entry], gone: &[UpstreamId], state: &str) {
    mirror.begin_refresh(&cal());
    mirror.stage(&cal(), entries).unwrap();
    commit(mirror, gone, None, state);
}

fn commit(mirror: &Mirror, gone: &[UpstreamId], only: Option<&[&str]>, state: &str) {
    let read = mirror.begin_read().unwrap();
    let staged = read.open_table(STAGE).unwrap();
    let all = staged.iter().unwrap().map(|row| UpstreamId(row.unwrap().0.value().1.to_owned())).collect();
    drop((staged, read));
    commit_of(mirror, gone, all, only, state);
}

fn commit_of(
    mirror: &Mirror,
    gone: &[UpstreamId],
    current: HashSet<UpstreamId>,
    only: Option<&[&str]>,
    state: &str,
) {
    let only = only.map(|ids| ids.iter().map(item).collect());
    let cursor = Some(state.to_owned());
    let commit = Commit { gone: gone.to_vec(), current, only, cursor, ..Commit::default() };
    mirror.commit(&cal(), &commit).unwrap();
}

fn members(mirror: &Mirror) -> Vec<String> {
    let all = mirror.list(&cal()).unwrap();
    all.into_iter().map(|l| format!("{} {}", l.head.name, l.head.etag.0)).collect()
}

fn state(mirror: &Mirror) -> Option<String> {
    mirror.folder(&cal()).unwrap().unwrap().cursor
}

fn token(mirror: &Mirror) -> SyncToken {
    mirror.token(&mirror.folder(&cal()).unwrap().unwrap())
}

fn told(mirror: &Mirror, since: SyncToken) -> Vec<String> {
    let changes = mirror.changes(&cal(), Some(since), None).unwrap();
    let tell = |change: Change| match change {
        Change::Written(head) => format!("+{}", head.name),
        Change::Gone(name) => format!("-{name}"),
    };
    changes.rows.into_iter().map(tell).collect()
}

#[test]
fn what_is_staged_is_invisible_survives_and_need_not_be_fetched_again() {
    let shelf = Shelf::new();
    let mirror = shelf.open("r1");
    mirror.stage(&cal(), &[entry("a", "1"), entry("b", "1")]).unwrap();
    assert_eq!(members(&mirror), [""; 0]);
    assert_eq!((state(&mirror), token(&mirror).revision), (None, 0));
    drop(mirror);
    let mirror = shelf.open("r1");
    assert_eq!(members(&mirror), [""; 0]);
    let known = mirror.versions(&cal(), &[item("a"), item("c")]).unwrap();
    assert_eq!(known.get(&item("c")), None);
    assert_eq!(known.get(&item("a")), Some(&UpstreamVersion("1".into())));
    commit(&mirror, &[], Some(&["a", "c"]), "s1");
    assert_eq!(members(&mirror), ["a.ics a-1"], "what has gone in the meantime stays away");
    assert_eq!(state(&mirror).as_deref(), Some("s1"));
}

#[tokio::test]
async fn collections_at_hand_are_those_of_the_last_write() {
    let shelf = Shelf::new();
    let mirror = shelf.open("r1");
    let revision = async || mirror.known_folders().await.unwrap()[0].revision;
    assert_eq!(revision().await, 0);
    refresh(&mirror, &[entry("a", "1")], &[], "s1");
    assert_eq!(revision().await, token(&mirror).revision, "after a refresh");
    mirror.record(&AcknowledgedWrite { written: vec![(cal(), entry("b", "1"))], gone: vec![] }).unwrap();
    assert_eq!(revision().await, token(&mirror).revision, "after a write");
    assert_eq!(revision().await, 2);
    let renamed = Collection { display_name: "Renamed".to_owned(), ..collection("cal") };
    mirror.set_collections(&[renamed], None).unwrap();
    assert_eq!(mirror.known_folders().await.unwrap()[0].collection.display_name, "Renamed");
}

#[test]
fn a_resync_from_nothing_tells_only_what_changed() {
    let shelf = Shelf::new();
    let mirror = shelf.open("r1");
    refresh(&mirror, &[entry("a", "1"), entry("b", "1"), entry("c", "1")], &[], "s1");
    let before = token(&mirror);
    mirror.stage(&cal(), &[entry("b", "2")]).unwrap();
    commit(&mirror, &[], Some(&["a", "b"]), "s2");
    let mut changes = told(&mirror, before);
    changes.sort();
    assert_eq!(changes, ["+b.ics", "-c.ics"]);
}

#[test]
fn a_token_of_another_mirror_or_of_the_future_is_forgotten() {
    let shelf = Shelf::new();
    let mirror = shelf.open("r1");
    refresh(&mirror, &[entry("a", "1")], &[], "s1");
    let SyncToken { epoch, revision } = token(&mirror);
    for token in [
        SyncToken { epoch: epoch ^ 1, revision },
        SyncToken { epoch, revision: revision + 1 },
        SyncToken { epoch, revision: u64::MAX },
    ] {
        assert!(matches!(mirror.changes(&cal(), Some(token), None), Err(Error::Forgotten)));
    }
}

#[test]
fn a_pruned_log_forgets_old_tokens_and_is_still_read_in_parts() {
    let shelf = Shelf { most_gone: 10, ..Shelf::new() };
    let mirror = shelf.open("r1");
    let all: Vec<Entry> = (0..60).map(|n| entry(format!("{n:02}"), "1")).collect();
    refresh(&mirror, &all, &[], "s1");
    let old = token(&mirror);
    let gone: Vec<UpstreamId> = (10..60).map(item).collect();
    refresh(&mirror, &[], &gone, "s2");
    assert!(matches!(mirror.changes(&cal(), Some(old), None), Err(Error::Forgotten)));
    let (mut names, mut at) = (Vec::new(), None);
    loop {
        let part = mirror.changes(&cal(), at, Some(3)).unwrap();
        names.extend(part.rows.into_iter().filter_map(|row| match row {
            Change::Written(head) => Some(head.name.to_string()),
            Change::Gone(_) => None,
        }));
        at = Some(part.token);
        if !part.truncated {
            break;
        }
    }
    names.sort();
    assert_eq!(names, (0..10).map(|n| format!("{n:02}.ics")).collect::<Vec<_>>());
    let now = token(&mirror);
    refresh(&mirror, &[], &[item("03")], "s3");
    assert_eq!(told(&mirror, now), ["-03.ics"]);
}

#[test]
fn a_collection_that_comes_back_does_not_honour_its_former_tokens() {
    let shelf = Shelf::new();
    let mirror = shelf.open("r1");
    refresh(&mirror, &[entry("a", "1"), entry("b", "1")], &[], "s1");
    let old = token(&mirror);
    mirror.set_collections(&[collection("other")], None).unwrap();
    assert!(matches!(mirror.changes(&cal(), Some(old), None), Err(Error::Forgotten)));
    mirror.set_collections(&[collection("cal")], None).unwrap();
    assert_eq!(members(&mirror), [""; 0]);
    refresh(&mirror, &[entry("c", "1"), entry("d", "1"), entry("e", "1")], &[], "s1");
    assert!(matches!(mirror.changes(&cal(), Some(old), None), Err(Error::Forgotten)));
}

#[test]
fn a_new_rendering_fetches_everything_anew_and_serves_the_old_until_then() {
    let shelf = Shelf::new();
    refresh(&shelf.open("r1"), &[entry("a", "1")], &[], "s1");
    let mirror = shelf.open("r2");
    assert_eq!(members(&mirror), ["a.ics a-1"]);
    assert_eq!(state(&mirror), None);
    assert_ne!(
        mirror.versions(&cal(), &[item("a")]).unwrap().get(&item("a")),
        Some(&UpstreamVersion("1".into()))
    );
    drop(mirror);
    assert_eq!(state(&shelf.open("r2")), None);
}

#[test]
fn an_item_whose_name_was_taken_gets_it_when_it_is_free_again() {
    let shelf = Shelf::new();
    let mirror = shelf.open("r1");
    let twin = |version| Entry { name: "a.ics".parse().unwrap(), ..entry("b", version) };
    refresh(&mirror, &[entry("a", "1"), twin("1")], &[], "s1");
    assert_eq!(members(&mirror), ["a.ics a-1", "ews-b.ics b-1"]);
    let before = token(&mirror);
    refresh(&mirror, &[], &[item("a")], "s2");
    assert_eq!(members(&mirror), ["a.ics b-1"], "without another version of it");
    assert_eq!(told(&mirror, before), ["-ews-b.ics", "+a.ics"]);
    refresh(&mirror, &[entry("b", "2")], &[], "s2");
    let other = Entry { fallback_name: "ews-b.ics".parse().unwrap(), ..entry("b", "2") };
    refresh(&mirror, &[Entry { name: "ews-b.ics".parse().unwrap(), ..other }], &[], "s2");
    let thief = Entry { name: "ews-b.ics".parse().unwrap(), ..entry("c", "1") };
    let thief = Entry { fallback_name: "ews-b.ics".parse().unwrap(), ..thief };
    refresh(&mirror, &[thief], &[], "s3");
    assert_eq!(members(&mirror), ["1-ews-b.ics c-1", "ews-b.ics b-2"]);
}

#[test]
fn a_recorded_write_is_visible_at_once_and_told_once() {
    let shelf = Shelf::new();
    let mirror = shelf.open("r1");
    refresh(&mirror, &[entry("a", "1")], &[], "s1");
    let before = token(&mirror);
    let deed = AcknowledgedWrite { written: vec![(cal(), entry("b", "1"))], gone: vec![(cal(), item("a"))] };
    let heads = mirror.record(&deed).unwrap();
    assert_eq!((heads[0].name.as_str(), heads[0].size), ("b.ics", 3));
    assert_eq!(told(&mirror, before), ["-a.ics", "+b.ics"]);
    let after = token(&mirror);
    // SyncFolderItems tells of our own write; nothing has to be fetched for it and nobody is told again.
    assert_eq!(
        mirror.versions(&cal(), &[item("b")]).unwrap().get(&item("b")),
        Some(&UpstreamVersion("1".into()))
    );
    refresh(&mirror, &[], &[item("a")], "s2");
    assert_eq!(token(&mirror), after);
    assert_eq!(state(&mirror).as_deref(), Some("s2"));
    assert_eq!(mirror.with_uid(&cal(), "b").unwrap(), ["b.ics".parse().unwrap()]);
}

/// Records these at the same time: outcomes in order, and the transactions that it took.
fn at_once(mirror: &Mirror, deeds: &[AcknowledgedWrite]) -> (Vec<Result<Vec<Head>, Error>>, u64) {
    let before = mirror.queue.transactions();
    let outcomes = std::thread::scope(|scope| {
        let busy = mirror.queue.hold();
        let threads: Vec<_> = deeds.iter().map(|deed| scope.spawn(|| mirror.record(deed))).collect();
        while mirror.queue.len() < deeds.len() {
            std::thread::yield_now();
        }
        drop(busy);
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    (outcomes, mirror.queue.transactions() - before)
}

#[test]
fn writes_that_come_at_once_share_a_transaction_and_one_that_fails_fails_alone() {
    let shelf = Shelf::new();
    let mirror = shelf.open("r1");
    refresh(&mirror, &[], &[], "s1");
    let deed = |id: CollectionId, name: u32| AcknowledgedWrite {
        written: vec![(id, entry(name, "1"))],
        gone: vec![],
    };
    let many: Vec<AcknowledgedWrite> = (0..40).map(|number| deed(cal(), number)).collect();
    let (outcomes, transactions) = at_once(&mirror, &many);
    for (number, outcome) in outcomes.into_iter().enumerate() {
        assert_eq!(outcome.unwrap()[0].name.as_str(), format!("{number}.ics"));
    }
    assert_eq!((transactions, members(&mirror).len()), (1, 40));
    let some = [deed(cal(), 50), deed("elsewhere".parse().unwrap(), 51), deed(cal(), 52)];
    let (outcomes, _) = at_once(&mirror, &some);
    assert!(matches!(outcomes[1], Err(Error::NoCollection(_))));
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
    for (uid, count) in [("0", 1), ("39", 1), ("50", 1), ("51", 0), ("52", 1)] {
        assert_eq!(mirror.with_uid(&cal(), uid).unwrap().len(), count, "{uid}");
    }
}

#[test]
fn what_an_interrupted_refresh_staged_is_not_shown_when_it_has_come_and_gone_since() {
    let shelf = Shelf::new();
    let mirror = shelf.open("r1");
    refresh(&mirror, &[entry("a", "1")], &[], "s1");
    mirror.stage(&cal(), &[entry("b", "1"), entry("a", "2")]).unwrap();
    drop(mirror);
    let mirror = shelf.open("r1");
    commit_of(&mirror, &[], HashSet::from([item("a")]), None, "s2");
    assert_eq!(members(&mirror), ["a.ics a-2"]);
}

#[test]
fn what_is_newer_than_the_sync_state_is_looked_for_by_the_next_refresh() {
    let shelf = Shelf::new();
    let mirror = shelf.open("r1");
    refresh(&mirror, &[entry("a", "1")], &[], "s1");
    mirror.begin_refresh(&cal());
    mirror.stage(&cal(), &[entry("a", "1"), entry("b", "1")]).unwrap();
    mirror.record(&AcknowledgedWrite { written: vec![(cal(), entry("a", "2"))], gone: vec![] }).unwrap();
    mirror.stage(&cal(), &[entry("a", "1")]).unwrap();
    commit(&mirror, &[], None, "s2");
    assert_eq!(members(&mirror), ["a.ics a-2", "b.ics b-1"]);
    assert_eq!(state(&mirror).as_deref(), Some("s1"));
    let looked_for: Vec<String> =
        mirror.written(&cal()).unwrap().into_iter().map(|(item, _)| item.0).collect();
    assert_eq!(looked_for, ["a", "b"], "it may go before the next refresh, which is told nothing of it then");
}

#[test]
fn a_refresh_that_asked_before_a_write_does_not_undo_it() {
    let shelf = Shelf::new();
    let mirror = shelf.open("r1");
    refresh(&mirror, &[entry("a", "1"), entry("b", "1")], &[], "s1");
    mirror.begin_refresh(&cal());
    mirror.stage(&cal(), &[entry("a", "1"), entry("b", "1")]).unwrap();
    let created = AcknowledgedWrite {
        written: vec![(cal(), entry("a", "2")), (cal(), entry("new", "1"))],
        gone: vec![(cal(), item("b"))],
    };
    mirror.record(&created).unwrap();
    // Fetched before the write, staged after it.
    mirror.stage(&cal(), &[entry("a", "1"), entry("b", "1")]).unwrap();
    commit(&mirror, &[], None, "s2");
    assert_eq!(members(&mirror), ["a.ics a-2", "new.ics new-1"]);
    assert_eq!(state(&mirror).as_deref(), Some("s1"), "the same changes are looked at again");
    // After a look from nothing the cursor advances: what was recorded is looked for by the next refresh.
    mirror.stage(&cal(), &[entry("a", "1"), entry("b", "1")]).unwrap();
    commit(&mirror, &[], Some(&["a", "b"]), "s2");
    assert_eq!(members(&mirror), ["a.ics a-2", "new.ics new-1"]);
    assert_eq!(state(&mirror).as_deref(), Some("s2"));
    let looked_for: Vec<String> =
        mirror.written(&cal()).unwrap().into_iter().map(|(item, _)| item.0).collect();
    assert_eq!(looked_for, ["a", "new"]);
    mirror.begin_refresh(&cal());
    mirror.stage(&cal(), &[entry("a", "3")]).unwrap();
    commit(&mirror, &[item("b")], None, "s3");
    assert_eq!(members(&mirror), ["a.ics a-3", "new.ics new-1"]);
    assert_eq!(state(&mirror).as_deref(), Some("s3"));
}

#[test]
fn a_file_that_is_no_mirror_is_filled_anew() {
    let shelf = Shelf::new();
    refresh(&shelf.open("r1"), &[entry("a", "1")], &[], "s1");
    let store = shelf.folder.path().join("store");
    let path = std::fs::read_dir(&store).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&path, b"something else entirely".repeat(1000)).unwrap();
    assert_eq!(members(&shelf.open("r1")), [""; 0]);
}

#[cfg(unix)]
#[test]
fn nobody_else_reads_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let shelf = Shelf::new();
    let _mirror = shelf.open("r1");
    let store = shelf.folder.path().join("store");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&store), 0o700);
    let files: Vec<_> = std::fs::read_dir(&store).unwrap().map(|file| mode(&file.unwrap().path())).collect();
    assert_eq!(files, [0o600]);
}

#[test]
fn two_users_of_one_mailbox_have_two_mirrors() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(Settings { path: folder.path().into(), ..Settings::default() }).unwrap();
    let (one, two) = (store.open(&key("one"), "r").unwrap(), store.open(&key("two"), "r").unwrap());
    one.set_collections(&[collection("cal")], None).unwrap();
    refresh(&one, &[entry("a", "1")], &[], "s");
    assert!(two.folders().unwrap().is_empty());
    assert!(Arc::ptr_eq(&one, &store.open(&key("ONE"), "r").unwrap()));
}

#[test]
fn what_was_written_here_is_watched_until_a_refresh_has_seen_it() {
    let shelf = Shelf::new();
    let mirror = shelf.open("r1");
    let written = || mirror.written(&cal()).unwrap().into_iter().map(|(item, _)| item).collect::<Vec<_>>();
    let seen = |items: &[UpstreamId]| Commit { seen: items.to_vec(), ..Commit::default() };
    let deed = |id: &str| AcknowledgedWrite { written: vec![(cal(), entry(id, "1"))], gone: vec![] };
    mirror.record(&deed("x")).unwrap();
    assert_eq!(written(), [item("x")]);
    mirror.begin_refresh(&cal());
    // Younger than the refresh: the next one has to look for it.
    mirror.record(&deed("y")).unwrap();
    mirror.commit(&cal(), &seen(&[item("x"), item("y")])).unwrap();
    assert_eq!(written(), [item("y")]);
    mirror.record(&AcknowledgedWrite { written: vec![], gone: vec![(cal(), item("y"))] }).unwrap();
    assert_eq!(written(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_with_a_record_that_cannot_be_read_is_set_aside_while_it_is_used() {
    let shelf = Shelf::new();
    let path = shelf.folder.path().join("store");
    let store = Store::new(Settings { path: path.clone(), ..Settings::default() }).unwrap();
    let mirror = store.open(&key("demo"), "r").unwrap();
    mirror.set_collections(&[collection("cal")], Some("tree")).unwrap();
    mirror.stage(&cal(), &[entry(1, "a")]).unwrap();
    commit(&mirror, &[], None, "s");
    let list = |mirror: &Mirror| mirror.list(&cal());
    assert_eq!(mirror.run(list).await.unwrap().len(), 1);
    let write = mirror.begin().unwrap();
    write.open_table(super::tables::HEADS).unwrap().insert(("cal", "1.ics"), b"?".as_slice()).unwrap();
    write.commit().unwrap();
    assert!(matches!(mirror.run(list).await, Err(Error::Damaged(_))));
    // Whoever still has it is told, and does not see an empty calendar.
    assert!(matches!(mirror.run(list).await, Err(Error::Replaced)));
    let other = store.open(&key("demo"), "r").unwrap();
    assert!(other.run(Mirror::folders).await.unwrap().is_empty());
    assert_ne!(other.epoch, mirror.epoch);
    let names = std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path());
    assert_eq!(names.filter(|path| path.extension().is_some_and(|e| e == "damaged")).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_in_which_something_broke_off_goes_on_when_it_is_whole() {
    let shelf = Shelf::new();
    let mirror = shelf.open("r");
    let broken: Result<(), Error> = mirror.run(|_| panic!("on purpose")).await;
    assert!(matches!(broken, Err(Error::Interrupted(_))), "{broken:?}");
    assert_eq!(mirror.run(Mirror::folders).await.unwrap().len(), 1);
    assert!(!mirror.is_dead());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_nobody_needs_is_closed_and_opened_again_by_who_needs_it() {
    let shelf = Shelf::new();
    let settings = |idle| Settings { path: shelf.folder.path().join("store"), idle, ..Settings::default() };
    let (eager, patient) = (settings(Duration::ZERO), settings(Duration::from_hours(1)));
    let store = Store::new(patient).unwrap();
    let mirror = store.open(&key("demo"), "r").unwrap();
    mirror.run(|mirror| mirror.set_collections(&[collection("cal")], Some("tree"))).await.unwrap();
    mirror
        .run(|mirror| {
            mirror.record(&AcknowledgedWrite { written: vec![(cal(), entry(1, "a"))], gone: vec![] })
        })
        .await
        .unwrap();
    let known = mirror.known_folders().await.unwrap();
    store.rest();
    assert!(!mirror.is_closed(), "it was needed just now");
    let store = Store { settings: eager, ..store };
    let worker = Arc::clone(&mirror);
    let (begun, has_begun) = std::sync::mpsc::channel();
    let (end, may_end) = std::sync::mpsc::channel();
    let work = tokio::spawn(async move {
        worker
            .run(move |mirror| {
                begun.send(()).unwrap();
                may_end.recv().unwrap();
                mirror.list(&cal())
            })
            .await
    });
    has_begun.recv().unwrap();
    store.rest();
    assert!(!mirror.is_closed(), "somebody works on it");
    end.send(()).unwrap();
    assert_eq!(work.await.unwrap().unwrap().len(), 1);
    store.rest();
    assert!(mirror.is_closed());
    assert!(mirror.begin_read().is_err(), "the file is closed");
    // What is at hand is there without the file.
    assert_eq!(mirror.known_folders().await.unwrap(), known);
    assert!(mirror.is_closed());
    assert!(Arc::ptr_eq(&mirror, &store.open(&key("demo"), "r").unwrap()));
    // Many come at once.
    let many =
        (0..8).map(|_| mirror.run(|mirror| Ok((mirror.list(&cal())?.len(), mirror.written(&cal())?.len()))));
    for found in futures_util::future::join_all(many).await {
        assert_eq!(found.unwrap(), (1, 1));
    }
    assert!(!mirror.is_closed());
    assert_eq!(mirror.opened.load(Ordering::Relaxed), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_goes_well_while_the_file_is_closed_again_and_again() {
    let shelf = Shelf::new();
    let settings =
        Settings { path: shelf.folder.path().join("store"), idle: Duration::ZERO, ..Settings::default() };
    let store = Arc::new(Store::new(settings).unwrap());
    let mirror = store.open(&key("demo"), "r").unwrap();
    mirror.run(|mirror| mirror.set_collections(&[collection("cal")], Some("tree"))).await.unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let rester = tokio::task::spawn_blocking({
        let (over, store) = (Arc::clone(&over), Arc::clone(&store));
        move || {
            while !over.load(Ordering::Relaxed) {
                store.rest();
            }
        }
    });
    let writes = (0..4).map(|worker| {
        let mirror = &mirror;
        async move {
            for n in 0..25 {
                let entry = entry(format!("{worker}-{n}"), "a");
                let deed = AcknowledgedWrite { written: vec![(cal(), entry)], gone: vec![] };
                mirror.run(move |mirror| mirror.record(&deed)).await.unwrap();
            }
        }
    });
    futures_util::future::join_all(writes).await;
    over.store(true, Ordering::Relaxed);
    rester.await.unwrap();
    assert_eq!(mirror.run(|mirror| mirror.list(&cal())).await.unwrap().len(), 100);
    assert!(mirror.opened.load(Ordering::Relaxed) > 1, "it was closed in between");
}

fn names(mirror: &Mirror) -> Vec<String> {
    mirror.list(&cal()).unwrap().into_iter().map(|listed| listed.head.name.to_string()).collect()
}

/// A single occurrence of the series `s`, at this second.
fn single(id: &str, version: &str, second: i64) -> Entry {
    let original = jiff::Timestamp::from_second(second).unwrap();
    let body = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTIMEZONE\r\nTZID:Z\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\n\
         UID:s\r\nSUMMARY:{id}{version}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    Entry {
        uid: "s".to_owned(),
        name: "s.ics".parse().unwrap(),
        body: body.into(),
        parts: vec![Part { item: item(id), original }],
        ..entry(id, version)
    }
}

#[test]
fn single_occurrences_are_one_member_whatever_comes_and_goes() {
    let shelf = Shelf::new();
    let mirror = shelf.open("1");
    let name = "s.ics".parse().unwrap();
    let text = |mirror: &Mirror| {
        let body = mirror.get(&cal(), &name).unwrap().unwrap().body;
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert_eq!(text.matches("BEGIN:VTIMEZONE").count(), 1, "{text}");
        text.lines().filter_map(|line| line.strip_prefix("SUMMARY:").map(str::to_owned)).collect::<Vec<_>>()
    };
    let tag = |mirror: &Mirror| mirror.list(&cal()).unwrap()[0].head.etag.clone();
    // Alone it is what it always was.
    refresh(&mirror, &[single("b", "1", 200)], &[], "1");
    assert_eq!((names(&mirror), tag(&mirror)), (vec!["s.ics".to_owned()], ETag("b-1".to_owned())));
    refresh(&mirror, &[single("a", "1", 100), single("c", "1", 300)], &[], "2");
    assert_eq!(
        (names(&mirror), text(&mirror)),
        (vec!["s.ics".to_owned()], vec!["a1".into(), "b1".into(), "c1".into()])
    );
    let versions = mirror.versions(&cal(), &[item("a"), item("b"), item("c")]).unwrap();
    assert_eq!(versions.len(), 3);
    assert!(versions.values().all(|version| version.0 == "1"));
    // Another gateway, which heard of them in another order, sees the same.
    let other = Shelf::new();
    let elsewhere = other.open("1");
    refresh(&elsewhere, &[single("a", "1", 100), single("b", "1", 200), single("c", "1", 300)], &[], "1");
    assert_eq!((tag(&mirror), text(&mirror)), (tag(&elsewhere), text(&elsewhere)));
    // A write to one of them is seen at once, and survives the refresh that began before it.
    mirror.begin_refresh(&cal());
    let before = tag(&mirror);
    let heads = mirror
        .record(&AcknowledgedWrite { written: vec![(cal(), single("b", "2", 200))], gone: vec![] })
        .unwrap();
    assert_eq!((heads[0].name.as_str(), &heads[0].etag), ("s.ics", &tag(&mirror)));
    assert_ne!(before, tag(&mirror));
    mirror.stage(&cal(), &[single("b", "1", 200)]).unwrap();
    commit(&mirror, &[], None, "3");
    assert_eq!(text(&mirror), ["a1", "b2", "c1"]);
    // The one that came first goes, then all but one, then the last.
    refresh(&mirror, &[], &[item("b")], "4");
    assert_eq!((names(&mirror), text(&mirror)), (vec!["s.ics".to_owned()], vec!["a1".into(), "c1".into()]));
    mirror.begin_refresh(&cal());
    commit(&mirror, &[], Some(&["c"]), "5");
    assert_eq!((names(&mirror), tag(&mirror)), (vec!["s.ics".to_owned()], ETag("c-1".to_owned())));
    refresh(&mirror, &[], &[item("c")], "6");
    assert_eq!(names(&mirror), [""; 0]);
}

#[test]
fn a_series_takes_uid_and_name_from_its_single_occurrences() {
    let shelf = Shelf::new();
    let mirror = shelf.open("1");
    refresh(&mirror, &[single("a", "1", 100), single("b", "1", 200)], &[], "1");
    let series = Entry { uid: "s".to_owned(), name: "s.ics".parse().unwrap(), ..entry("z", "1") };
    let copy = |id: &str| Entry { uid: format!("s-{id}"), ..entry(id, "1") };
    refresh(&mirror, &[copy("a"), copy("b"), series], &[], "2");
    assert_eq!(names(&mirror), ["a.ics", "b.ics", "s.ics"]);
    assert_eq!(mirror.entry(&cal(), &"s.ics".parse().unwrap()).unwrap().unwrap().upstream, item("z"));
    assert!(mirror.parts(&cal(), &"s.ics".parse().unwrap()).unwrap().is_empty());
    refresh(&mirror, &[], &[item("z")], "3");
    refresh(&mirror, &[single("b", "2", 200), single("a", "2", 100)], &[], "4");
    assert_eq!(names(&mirror), ["s.ics"]);
}
