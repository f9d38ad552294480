//! What following Exchange costs, and that nothing is lost on the way. Costs are counts of EWS requests.

use crate::support::{self, Stage, USER, calendar, contacts};
use exdav::gateway::Error;
use exdav::simulator;
use std::collections::BTreeSet;
use std::time::Duration;

const NEVER: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_hours(1);

async fn names(mailbox: &exdav::gateway::Mailbox) -> BTreeSet<String> {
    mailbox.list(&calendar()).await.unwrap().into_iter().map(|h| format!("{} {}", h.name, h.etag)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_costs_its_pages_and_batches() {
    let settings =
        simulator::Settings { events: Some(2_000), mailboxes: 1, ..simulator::Settings::default() };
    let stage = Stage::of(settings).await;
    let mailbox = stage.mailbox(LONG).await;
    // One for the folders, one for the addresses of the mailbox.
    assert!(stage.total().await <= 2, "sign-in: {:?}", stage.calls().await);
    let members = names(&mailbox).await;
    assert_eq!(members.len(), 2_000);
    let limit = 2_000_u64.div_ceil(512) + 2_000_u64.div_ceil(100) + 6;
    assert!(stage.total().await <= limit, "{:?} > {limit}", stage.calls().await);

    stage.reset().await;
    names(&mailbox).await;
    mailbox.changes(&calendar(), None, None).await.unwrap();
    assert_eq!(stage.total().await, 0, "inside the window nobody is asked");

    drop(mailbox);
    let again = stage.mailbox(LONG).await;
    assert_eq!(names(&again).await, members, "a restart gives the same ETags");
    assert!(stage.total().await <= 4, "{:?}", stage.calls().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_poll_of_all_collections_costs_one_call() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(NEVER).await;
    let ids: Vec<_> = mailbox.collections().await.unwrap().into_iter().map(|c| c.id).collect();
    assert!(ids.len() >= 6);
    mailbox.refresh(&ids).await.unwrap();
    // Stamps of the very second of the demo's birth prove nothing yet.
    let mut calls = u64::MAX;
    for _ in 0..100 {
        stage.reset().await;
        mailbox.refresh(&ids).await.unwrap();
        calls = stage.total().await;
        if calls == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(calls, 1, "{:?}", stage.calls().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_costs_one_item_and_no_more() {
    let settings = simulator::Settings { events: Some(700), ..simulator::Settings::default() };
    let stage = Stage::of(settings).await;
    let mailbox = stage.mailbox(NEVER).await;
    names(&mailbox).await;
    let before = mailbox.changes(&calendar(), None, None).await.unwrap();
    let id = stage.make_event(USER, "New one").await;
    stage.reset().await;
    let changes = mailbox.changes(&calendar(), Some(before.token), None).await.unwrap();
    assert_eq!((changes.changed.len(), changes.removed.len()), (1, 0));
    let calls = stage.calls().await;
    assert!(calls["GetItem"] == 1 && calls["SyncFolderItems"] == 1, "{calls:?}");
    stage.delete_event(USER, &id).await;
    let gone = mailbox.changes(&calendar(), Some(changes.token), None).await.unwrap();
    assert_eq!((gone.changed.len(), gone.removed.len()), (0, 1));
    assert_eq!(gone.removed[0], changes.changed[0].name);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_the_same_time_share_one_refresh() {
    let stage = Stage::lively().await;
    stage.latency(50).await;
    let gateway = stage.gateway(LONG);
    let all = (0..8).map(|_| {
        let gateway = gateway.clone();
        tokio::spawn(async move {
            let mailbox = gateway.sign_in(USER, support::PASSWORD).await.unwrap();
            names(&mailbox).await.len()
        })
    });
    let mut sizes = BTreeSet::new();
    for one in all.collect::<Vec<_>>() {
        sizes.insert(one.await.unwrap());
    }
    assert_eq!(sizes.len(), 1);
    let calls = stage.calls().await;
    assert_eq!(calls["SyncFolderItems"], 1, "{calls:?}");
    assert_eq!(calls["SyncFolderHierarchy"], 1, "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_sync_state_keeps_etags_and_tokens() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(NEVER).await;
    let members = names(&mailbox).await;
    let token = mailbox.changes(&calendar(), None, None).await.unwrap().token;
    stage.make_event(USER, "Meanwhile").await;
    stage.faults(r#"[{"kind": "invalid-sync-state", "operation": "SyncFolderItems"}]"#).await;
    stage.reset().await;
    let changes = mailbox.changes(&calendar(), Some(token), None).await.unwrap();
    assert_eq!((changes.changed.len(), changes.removed.len()), (1, 0), "only what changed is told");
    assert!(stage.calls().await["GetItem"] == 1, "what is known is not fetched again");
    assert!(names(&mailbox).await.is_superset(&members));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_answer_comes_in_parts_that_add_up() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(LONG).await;
    let whole = names(&mailbox).await;
    let (mut told, mut token) = (BTreeSet::new(), None);
    loop {
        let part = mailbox.changes(&calendar(), token, Some(37)).await.unwrap();
        assert!(part.changed.len() <= 37);
        told.extend(part.changed.iter().map(|h| format!("{} {}", h.name, h.etag)));
        token = Some(part.token);
        if !part.truncated {
            break;
        }
    }
    assert_eq!(told, whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_first_sync_is_invisible_and_resumes() {
    let settings =
        simulator::Settings { events: Some(1_500), mailboxes: 1, ..simulator::Settings::default() };
    let stage = Stage::of(settings).await;
    stage.faults(r#"[{"kind": "server-error", "operation": "GetItem", "after": 7, "times": 1000}]"#).await;
    let mailbox = stage.mailbox(NEVER).await;
    assert!(matches!(mailbox.list(&calendar()).await, Err(Error::Unavailable { .. })));
    stage.faults("[]").await;
    stage.reset().await;
    drop(mailbox);
    let again = stage.mailbox(NEVER).await;
    assert_eq!(names(&again).await.len(), 1_500);
    let calls = stage.calls().await;
    // Series whose occurrences were not there yet are fetched again.
    assert!(calls["GetItem"] <= 12, "what was fetched before is not fetched again: {calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_go_on_while_exchange_is_away() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(NEVER).await;
    let members = names(&mailbox).await;
    stage.faults(r#"[{"kind": "unavailable", "times": 100000, "wait": 1}]"#).await;
    assert_eq!(names(&mailbox).await, members);
    let freshness = mailbox.refresh(&[calendar()]).await.unwrap();
    assert!(freshness[0].stale_for.is_some());
    let never_seen = mailbox.list(&contacts()).await;
    assert!(matches!(never_seen, Err(Error::Unavailable { .. })), "{never_seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_are_links_or_up_to_a_size_part_of_the_text() {
    let stage = Stage::lively().await;
    let attached = async |inline_attachments: u64| {
        let convert = exdav::convert::Settings { inline_attachments, ..exdav::convert::Settings::default() };
        let public_url = "https://dav.example.test".to_owned();
        let settings = exdav::gateway::Settings { public_url, ..exdav::gateway::Settings::default() };
        let gateway = stage.gateway_rendering(LONG, stage.store.path(), settings, convert);
        let mailbox = gateway.sign_in(USER, support::PASSWORD).await.unwrap();
        let mut found = BTreeSet::new();
        for head in mailbox.list(&calendar()).await.unwrap() {
            let object = mailbox.get(&calendar(), &head.name).await.unwrap().unwrap();
            let tree = exdav::text::Component::parse(&object.body).unwrap();
            let lines = tree.children.iter().flat_map(|event| event.lines_named("ATTACH"));
            found.extend(lines.map(|line| (line.param("ENCODING").map(str::to_owned), line.value.clone())));
        }
        found
    };
    let links = attached(0).await;
    assert!(links.len() > 3, "{links:?}");
    assert!(
        links
            .iter()
            .all(|(encoding, url)| encoding.is_none() && url.starts_with("https://dav.example.test/"))
    );
    let inline = attached(1 << 20).await;
    let agenda = "MS4gTnVtYmVycwoyLiBPdGhlcgo=".to_owned();
    assert_eq!(inline, BTreeSet::from([(Some("BASE64".to_owned()), agenda)]));
    assert_eq!(attached(5).await, links, "what is larger stays a link");
}
