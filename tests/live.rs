//! Changes are heard of: what that saves, that none is missed whatever happens to the connection, and who hears what.

use crate::support::{PASSWORD, Stage, USER, calendar, contacts};
use exdav::accounts::{self, Accounts, Upstream};
use exdav::gateway::write::Conditions;
use exdav::gateway::{Error, Gateway, Mailbox, Settings};
use exdav::model::id::SyncToken;
use exdav::upstream::ews;
use exdav::{convert, mirror, simulator, sync};
use std::path::Path;
use std::time::Duration;

const NEVER: Duration = Duration::ZERO;
const OTHER: &str = "demo2@example.com";

/// A listener that loses no time.
fn brisk() -> sync::live::Settings {
    sync::live::Settings {
        gather: Duration::from_millis(50),
        retry: Duration::from_millis(2),
        ..sync::live::Settings::default()
    }
}

fn gateway(stage: &Stage, freshness: Duration, live: sync::live::Settings) -> Gateway {
    let sync = sync::Settings { freshness, hierarchy: freshness, live, ..sync::Settings::default() };
    stage.gateway_following(sync, stage.store.path(), Settings::default(), convert::Settings::default())
}

/// Waits until it is so; the limit is far beyond what it takes.
async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    for _ in 0..2_000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

async fn token(mailbox: &Mailbox) -> SyncToken {
    mailbox.changes(&calendar(), None, None).await.unwrap().token
}

/// How many members a poll brings.
async fn poll(mailbox: &Mailbox, since: &mut SyncToken) -> usize {
    let changes = mailbox.changes(&calendar(), Some(*since), None).await.unwrap();
    *since = changes.token;
    changes.changed.len() + changes.removed.len()
}

/// Two polls make a mailbox worth listening to.
async fn listened_to(gateway: &Gateway, user: &str) -> Mailbox {
    let mailbox = gateway.sign_in(user, PASSWORD).await.unwrap();
    for _ in 0..2 {
        mailbox.list(&calendar()).await.unwrap();
    }
    until("the mailbox is listened to", async || mailbox.is_live()).await;
    mailbox
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_unchanged_polls_cost_nothing_and_a_colleagues_change_is_in_the_next_one() {
    let stage = Stage::lively().await;
    let gateway = gateway(&stage, NEVER, brisk());
    let mailbox = listened_to(&gateway, USER).await;
    let mut since = token(&mailbox).await;
    mailbox.collections().await.unwrap();
    stage.reset().await;
    for _ in 0..1_000 {
        assert_eq!(poll(&mailbox, &mut since).await, 0);
    }
    assert_eq!(stage.total().await, 0, "{:?}", stage.calls().await);

    let id = stage.make_event(USER, "A colleague's").await;
    let began = since;
    until("the change is in a poll", async || poll(&mailbox, &mut began.clone()).await == 1).await;
    let calls = stage.calls().await;
    let asked = calls.get("SyncFolderItems").copied().unwrap_or_default();
    assert!(asked == 1 && calls["GetItem"] == 1, "only what was heard of is asked for: {calls:?}");
    poll(&mailbox, &mut since).await;
    stage.delete_event(USER, &id).await;
    let began = since;
    until("the deletion is in a poll", async || poll(&mailbox, &mut began.clone()).await == 1).await;
    gateway.shutdown().await;
    assert_eq!(stage.streaming("subscriptions").await, 0, "who goes takes leave");
}

/// Until the mirror is closed: nobody else can open a file that is.
async fn closed(store: &Path) {
    let all = std::fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path());
    let file = all.into_iter().find(|path| path.extension().is_some_and(|found| found == "redb")).unwrap();
    until("the mirror is closed", async || redb::Database::open(&file).is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_whose_mirror_is_closed_is_still_listened_to_and_nothing_of_it_is_lost() {
    let stage = Stage::lively().await;
    let path = stage.store.path();
    let store = mirror::Settings { path: path.to_owned(), idle: NEVER, ..mirror::Settings::default() };
    let sync =
        sync::Settings { freshness: NEVER, hierarchy: NEVER, live: brisk(), ..sync::Settings::default() };
    let gateway = stage.gateway_keeping(sync, store, Settings::default(), convert::Settings::default());
    gateway.take_store().unwrap();
    let mailbox = listened_to(&gateway, USER).await;
    let mut since = token(&mailbox).await;
    let (before, collections) =
        (mailbox.list(&calendar()).await.unwrap(), mailbox.collections().await.unwrap());
    closed(path).await;
    stage.reset().await;
    // Signed in still, with all that is at hand.
    let again = gateway.sign_in(USER, PASSWORD).await.unwrap();
    assert_eq!(again.collections().await.unwrap(), collections);
    assert_eq!(again.list(&calendar()).await.unwrap(), before);
    assert_eq!(poll(&mailbox, &mut since).await, 0);
    assert_eq!(stage.total().await, 0, "{:?}", stage.calls().await);
    closed(path).await;
    stage.make_event(USER, "A colleague's").await;
    let began = since;
    until("the change is in a poll", async || poll(&mailbox, &mut began.clone()).await == 1).await;
    poll(&mailbox, &mut since).await;
    closed(path).await;
    let body = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:closed\r\n\
                DTSTAMP:20260101T000000Z\r\nDTSTART:20261201T090000Z\r\nSUMMARY:Mine\r\nEND:VEVENT\r\n\
                END:VCALENDAR\r\n";
    let name = "closed.ics".parse().unwrap();
    mailbox.put(&calendar(), &name, &Conditions::default(), body.into()).await.unwrap();
    assert_eq!(poll(&mailbox, &mut since).await, 1);
    assert_eq!(mailbox.list(&calendar()).await.unwrap().len(), before.len() + 2);
    gateway.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_in_a_row_cost_one_call_each_though_exchange_tells_of_them() {
    let stage = Stage::lively().await;
    let gateway = gateway(&stage, Duration::from_secs(3), brisk());
    let mailbox = gateway.sign_in(USER, PASSWORD).await.unwrap();
    until("the mailbox is listened to", async || {
        mailbox.list(&calendar()).await.unwrap();
        mailbox.is_live()
    })
    .await;
    mailbox.list(&calendar()).await.unwrap();
    stage.reset().await;
    for round in 0..5 {
        let body = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:row\r\n\
             DTSTAMP:20260101T000000Z\r\nDTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\n\
             SUMMARY:Round {round}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        let name = "row.ics".parse().unwrap();
        mailbox.put(&calendar(), &name, &Conditions::default(), body.into()).await.unwrap();
    }
    let calls = stage.calls().await;
    assert_eq!((calls["CreateItem"], calls["UpdateItem"]), (1, 4));
    assert_eq!(stage.total().await, 5, "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_cuts_in_a_row_lose_no_change() {
    let stage = Stage::lively().await;
    let gateway = gateway(&stage, NEVER, brisk());
    let mailbox = listened_to(&gateway, USER).await;
    let mut since = token(&mailbox).await;
    for round in 0..50 {
        let opened = stage.streaming("opened").await;
        let before = format!("before {round}");
        stage.make_event(USER, &before).await;
        stage.change_streaming(r#"{"cut": true}"#).await;
        stage.make_event(USER, &format!("between {round}")).await;
        until("there is a new connection", async || stage.streaming("opened").await > opened).await;
        until("the mailbox is listened to again", async || mailbox.is_live()).await;
        assert_eq!(poll(&mailbox, &mut since).await, 2, "round {round}");
    }
    stage.reset().await;
    for _ in 0..100 {
        assert_eq!(poll(&mailbox, &mut since).await, 0);
    }
    assert_eq!(stage.total().await, 0, "{:?}", stage.calls().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_time_is_up_and_a_server_that_forgot_lose_no_change() {
    let stage = Stage::lively().await;
    let gateway = gateway(&stage, NEVER, brisk());
    let mailbox = listened_to(&gateway, USER).await;
    let mut since = token(&mailbox).await;
    for event in [r#"{"close": true}"#, r#"{"forget": true}"#, r#"{"forget": true, "cut": true}"#] {
        let opened = stage.streaming("opened").await;
        stage.change_streaming(event).await;
        stage.make_event(USER, event).await;
        until("there is a new connection", async || stage.streaming("opened").await > opened).await;
        until("the mailbox is listened to again", async || mailbox.is_live()).await;
        assert_eq!(poll(&mailbox, &mut since).await, 1, "{event}");
        assert_eq!(stage.streaming("subscriptions").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_falls_silent_is_dead() {
    let stage = Stage::lively().await;
    stage.change_streaming(r#"{"rules": {"heartbeat_ms": 0}}"#).await;
    let live = sync::live::Settings { silence: Duration::from_millis(200), ..brisk() };
    let gateway = gateway(&stage, NEVER, live);
    let mailbox = gateway.sign_in(USER, PASSWORD).await.unwrap();
    for _ in 0..2 {
        mailbox.list(&calendar()).await.unwrap();
    }
    until("silent connections are replaced", async || stage.streaming("opened").await > 3).await;
    stage.change_streaming(r#"{"rules": {"heartbeat_ms": 20}, "cut": true}"#).await;
    until("the mailbox is listened to", async || mailbox.is_live()).await;
    let mut since = token(&mailbox).await;
    // On a slow machine a sign of life may come too late once; without any it would be replaced three times meanwhile.
    let is_kept = async || {
        let opened = stage.streaming("opened").await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        stage.streaming("opened").await == opened && mailbox.is_live()
    };
    until("signs of life keep it", is_kept).await;
    assert_eq!(poll(&mailbox, &mut since).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_streams_are_refused_the_window_holds() {
    let stage = Stage::lively().await;
    stage.change_streaming(r#"{"rules": {"offered": false}}"#).await;
    let gateway = gateway(&stage, Duration::from_millis(100), brisk());
    let mailbox = gateway.sign_in(USER, PASSWORD).await.unwrap();
    let mut since = token(&mailbox).await;
    for round in 0..5 {
        stage.make_event(USER, &format!("round {round}")).await;
        let began = since;
        until("the change is in a poll", async || poll(&mailbox, &mut began.clone()).await == 1).await;
        poll(&mailbox, &mut since).await;
    }
    assert!(!mailbox.is_live());
    assert_eq!(stage.calls().await["Subscribe"], 1, "a server that said no is not asked again and again");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_asked_for_falls_asleep_and_wakes_up_like_exchange() {
    let stage = Stage::lively().await;
    stage.change_streaming(r#"{"rules": {"heartbeat_ms": 20}}"#).await;
    let live = sync::live::Settings { sleep: Duration::from_millis(500), ..brisk() };
    let gateway = gateway(&stage, NEVER, live);
    let mailbox = listened_to(&gateway, USER).await;
    let mut since = token(&mailbox).await;
    for _ in 0..3 {
        until("nobody listens", async || stage.streaming("connections").await == 0).await;
        until("the subscription is given back", async || stage.streaming("subscriptions").await == 0).await;
        assert!(!mailbox.is_live());
        stage.make_event(USER, "While all slept").await;
        assert_eq!(poll(&mailbox, &mut since).await, 1);
        assert_eq!(poll(&mailbox, &mut since).await, 0);
        // On a slow machine it may be asleep before anybody listens: whoever waits for it comes again.
        let listens = async || poll(&mailbox, &mut since.clone()).await == 0 && mailbox.is_live();
        until("the mailbox is listened to again", listens).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_others_wakes_nobody() {
    let stage = Stage::lively().await;
    let gateway = gateway(&stage, NEVER, brisk());
    let mailbox = listened_to(&gateway, USER).await;
    let other = listened_to(&gateway, OTHER).await;
    let (mut since, mut others) = (token(&mailbox).await, token(&other).await);
    mailbox.collections().await.unwrap();
    stage.make_event(OTHER, "Nobody else's business").await;
    let began = others;
    until("the change is in a poll", async || poll(&other, &mut began.clone()).await == 1).await;
    poll(&other, &mut others).await;
    stage.reset().await;
    assert_eq!(poll(&mailbox, &mut since).await, 0);
    assert_eq!(stage.total().await, 0, "{:?}", stage.calls().await);

    // Nor does mail, nor what happens in another folder than those that are looked at.
    mailbox.list(&contacts()).await.unwrap();
    stage.reset().await;
    let made = stage
        .colleague(
            USER,
            "<m:CreateItem><m:SavedItemFolderId><t:DistinguishedFolderId Id='contacts'/></m:SavedItemFolderId>\
             <m:Items><t:Contact><t:Subject>New</t:Subject></t:Contact></m:Items></m:CreateItem>",
        )
        .await;
    assert!(made.contains("NoError"), "{made}");
    until("the contact is there", async || {
        stage.calls().await.contains_key("SyncFolderItems") || mailbox.list(&contacts()).await.is_err()
    })
    .await;
    assert_eq!(poll(&mailbox, &mut since).await, 0);
    assert_eq!(stage.calls().await["SyncFolderItems"], 1, "{:?}", stage.calls().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_calendar_is_there_at_once_and_is_listened_to() {
    let stage = Stage::lively().await;
    let sync = sync::Settings {
        freshness: NEVER,
        hierarchy: Duration::from_hours(1),
        live: brisk(),
        ..sync::Settings::default()
    };
    let store = stage.store.path();
    let gateway = stage.gateway_following(sync, store, Settings::default(), convert::Settings::default());
    let mailbox = listened_to(&gateway, USER).await;
    let before = mailbox.collections().await.unwrap().len();
    let made = stage
        .colleague(
            USER,
            "<m:CreateFolder><m:ParentFolderId><t:DistinguishedFolderId Id='calendar'/></m:ParentFolderId><m:Folders>\
             <t:CalendarFolder><t:DisplayName>Brand new</t:DisplayName></t:CalendarFolder></m:Folders></m:CreateFolder>",
        )
        .await;
    assert!(made.contains("NoError"), "{made}");
    until("it is there", async || mailbox.collections().await.unwrap().len() == before + 1).await;
    let new =
        mailbox.collections().await.unwrap().into_iter().find(|c| c.display_name == "Brand new").unwrap();
    assert!(mailbox.list(&new.id).await.unwrap().is_empty());
    let made = stage
        .colleague(
            USER,
            &format!(
                "<m:CreateItem SendMeetingInvitations='SendToNone'><m:SavedItemFolderId><t:FolderId Id='{}'/>\
                 </m:SavedItemFolderId><m:Items><t:CalendarItem><t:Subject>First</t:Subject>\
                 <t:Start>2026-12-01T09:00:00Z</t:Start><t:End>2026-12-01T10:00:00Z</t:End></t:CalendarItem></m:Items>\
                 </m:CreateItem>",
                new.upstream.0
            ),
        )
        .await;
    assert!(made.contains("NoError"), "{made}");
    until("its first event is there", async || mailbox.list(&new.id).await.unwrap().len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_wrong_afterwards_opens_nothing_and_ends_the_connection() {
    let stage = Stage::lively().await;
    let gateway = gateway(&stage, NEVER, brisk());
    let mailbox = listened_to(&gateway, USER).await;
    let wrong = gateway.sign_in(USER, "not this one").await;
    assert!(matches!(wrong, Err(Error::SignIn)));
    assert!(mailbox.is_live(), "somebody's guess ends nothing");
    // The password is no longer what it was: Exchange says so when the connection is made anew.
    stage.faults(r#"[{"kind": "unauthorized", "times": 100000}]"#).await;
    stage.change_streaming(r#"{"close": true}"#).await;
    until("nobody listens", async || stage.streaming("connections").await == 0 && !mailbox.is_live()).await;
    let shown = stage.door().await["refused"].clone();
    let poll = mailbox.list(&calendar()).await;
    assert!(matches!(poll, Err(Error::SignIn)), "{:?}", poll.map(|all| all.len()));
    assert!(matches!(gateway.sign_in(USER, PASSWORD).await, Err(Error::SignIn)));
    assert_eq!(stage.door().await["refused"], shown, "a refused password is not shown again");
    stage.faults("[]").await;
}

fn service() -> ews::ServiceAccount {
    ews::ServiceAccount { login: simulator::SERVICE.to_owned(), password: PASSWORD.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_listens_to_many_mailboxes_over_one_connection_and_one_server() {
    let people = 5;
    let settings =
        simulator::Settings { mailboxes: people, events: Some(3), ..simulator::Settings::default() };
    let mut stage = Stage::of(settings).await;
    stage.change_streaming(r#"{"rules": {"servers": 3, "connections": 1}}"#).await;
    let file = accounts::Settings { path: stage.store.path().join("accounts.json"), ..Default::default() };
    let book = Accounts::open(&file).unwrap().unwrap();
    let names: Vec<String> = (1..=people).map(|n| format!("reader{n}")).collect();
    let mut passwords = Vec::new();
    for (number, name) in (1..).zip(&names) {
        let address = if number == 1 { USER.to_owned() } else { format!("demo{number}@example.com") };
        book.add(name, &address, &Upstream::Service).unwrap();
        passwords.push(book.add_password(name, "phone").unwrap());
    }
    let settings = Settings { accounts: file, ..Settings::default() };
    let sync =
        sync::Settings { freshness: NEVER, hierarchy: NEVER, live: brisk(), ..sync::Settings::default() };
    stage.service = service();
    let gateway = stage.gateway_following(sync, stage.store.path(), settings, convert::Settings::default());
    let mut mailboxes = Vec::new();
    for (name, password) in names.iter().zip(&passwords) {
        let mailbox = gateway.sign_in(name, password).await.unwrap();
        for _ in 0..2 {
            mailbox.list(&calendar()).await.unwrap();
        }
        mailboxes.push(mailbox);
    }
    until("all are listened to", async || mailboxes.iter().all(Mailbox::is_live)).await;
    assert_eq!(stage.streaming("subscriptions").await, people as u64);
    assert_eq!(stage.streaming("connections").await, 1);
    let mut tokens = Vec::new();
    for mailbox in &mailboxes {
        mailbox.collections().await.unwrap();
        tokens.push(token(mailbox).await);
    }
    stage.make_event("demo3@example.com", "For one of them").await;
    let began = tokens[2];
    until("the change is in a poll", async || poll(&mailboxes[2], &mut began.clone()).await == 1).await;
    stage.reset().await;
    for (number, mailbox) in mailboxes.iter().enumerate().filter(|(number, _)| *number != 2) {
        assert_eq!(poll(mailbox, &mut tokens[number]).await, 0, "mailbox {number}");
    }
    assert_eq!(stage.total().await, 0, "{:?}", stage.calls().await);
    gateway.shutdown().await;
    assert_eq!(stage.streaming("subscriptions").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_stream_has_a_connection_of_its_own_so_that_none_waits_for_another() {
    let fixture =
        |name: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tls").join(name);
    let tls = simulator::Tls { certificate: fixture("localhost.crt"), key: fixture("localhost.key") };
    let stage = Stage::of(simulator::Settings { tls: Some(tls), ..simulator::Settings::default() }).await;
    let network = ews::network::Settings { authorities: vec![fixture("ca.crt")], ..Default::default() };
    let url = format!("https://localhost:{}/EWS/Exchange.asmx", stage.exchange.exchange.port());
    let exchange = ews::Exchange::new(ews::Settings { url, network, ..ews::Settings::default() }).unwrap();
    let session = exchange.session(ews::Credentials::password(USER, PASSWORD));
    let id = session.subscribe().await.unwrap();
    let before = stage.door().await["connections"].as_u64().unwrap();
    let mut stream = session.listen(&[id]).await.unwrap();
    let soon = tokio::time::Instant::now() + Duration::from_mins(1);
    assert!(stream.next(soon).await.unwrap().events.is_empty());
    assert_eq!(
        stage.door().await["connections"].as_u64().unwrap(),
        before + 1,
        "although the server takes HTTP/2"
    );
    session.count_time_zones().await.unwrap();
    assert_eq!(stage.door().await["connections"].as_u64().unwrap(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn mailboxes_of_a_service_account_behind_different_endpoints_are_all_listened_to() {
    let certificate =
        |name: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tls").join(name);
    let tls = || simulator::Tls { certificate: certificate("domain.crt"), key: certificate("domain.key") };
    let settings = || simulator::Settings {
        mailboxes: 3,
        events: Some(1),
        tls: Some(tls()),
        ..simulator::Settings::default()
    };
    // The second mailbox lives at one endpoint, the first and the third at another.
    let stages = [Stage::of(settings()).await, Stage::of(settings()).await];
    let names = crate::support::domain::Names::new().await;
    let (mut book, mut accounts_of) = (serde_json::Map::new(), Vec::new());
    let found = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    for (address, at) in [(USER, 0), (OTHER, 1), ("demo3@example.com", 0)] {
        let host = format!("mail{at}.example.com");
        names.host(&host, stages[at].exchange.exchange);
        let line = serde_json::json!({"url": format!("https://{host}/EWS/Exchange.asmx"), "found": found});
        book.insert(address.to_owned(), line);
        accounts_of.push((address, at));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book.json");
    std::fs::write(&path, serde_json::to_vec(&book).unwrap()).unwrap();
    let ews = ews::Settings {
        service: service(),
        autodiscover: ews::autodiscover::Settings {
            domains: vec!["example.com".to_owned()],
            book: Some(path),
            ..Default::default()
        },
        network: ews::network::Settings {
            authorities: vec![certificate("domains-ca.crt")],
            proxy: format!("http://{}", names.proxy),
            ..Default::default()
        },
        ..ews::Settings::default()
    };
    let file = accounts::Settings { path: folder.path().join("accounts.json"), ..Default::default() };
    let accounts = Accounts::open(&file).unwrap().unwrap();
    let mut people = Vec::new();
    for (address, _) in &accounts_of {
        accounts.add(address, address, &Upstream::Service).unwrap();
        people.push((*address, accounts.add_password(address, "phone").unwrap()));
    }
    let gateway = |store: &str, live: sync::live::Settings| {
        let settings = Settings { accounts: file.clone(), ..Settings::default() };
        let mirror =
            exdav::mirror::Settings { path: folder.path().join(store), ..exdav::mirror::Settings::default() };
        let sync = sync::Settings { freshness: NEVER, hierarchy: NEVER, live, ..sync::Settings::default() };
        let convert = convert::Settings::default();
        let upstream = std::sync::Arc::new(ews::Exchange::new(ews.clone()).unwrap());
        Gateway::new(settings, upstream, mirror, sync, convert, exdav::dav::path::attachment).unwrap()
    };
    let listening = gateway("listening", brisk());
    let colleague = gateway("colleague", sync::live::Settings { enabled: false, ..brisk() });
    let mut mailboxes = Vec::new();
    for (address, password) in &people {
        let mailbox = listening.sign_in(address, password).await.unwrap();
        for _ in 0..2 {
            mailbox.list(&calendar()).await.unwrap();
        }
        mailboxes.push(mailbox);
    }
    until("all are listened to", async || mailboxes.iter().all(Mailbox::is_live)).await;
    assert_eq!(stages[0].streaming("subscriptions").await, 2);
    assert_eq!(stages[0].streaming("connections").await, 1, "those of one endpoint share a connection");
    assert_eq!(stages[1].streaming("subscriptions").await, 1);
    for ((address, password), mailbox) in people.iter().zip(&mailboxes) {
        let began = token(mailbox).await;
        crate::support::put_number(&colleague.sign_in(address, password).await.unwrap(), 1).await;
        until("the change is in a poll", async || poll(mailbox, &mut began.clone()).await == 1).await;
    }
    listening.shutdown().await;
    assert_eq!(stages[0].streaming("subscriptions").await + stages[1].streaming("subscriptions").await, 0);
}
