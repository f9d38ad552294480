//! Writes of several calls that others come between: somebody with Outlook, another gateway, a refusal in the middle.

use crate::support::{PASSWORD, Stage, USER, calendar};
use exdav::gateway::write::{Conditions, Tags, Written};
use exdav::gateway::{Error, Mailbox, Settings};
use exdav::model::id::ResourceName;
use exdav::simulator;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

const LONG: Duration = Duration::from_hours(1);

/// An event with a file: what writes it takes several calls.
fn event(title: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:half\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\nSUMMARY:{title}\r\n\
         X-OWN:{title}\r\nATTACH;VALUE=BINARY;ENCODING=BASE64;FMTTYPE=text/plain;FILENAME={title}.txt:aGFsZg==\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn other() -> String {
    event("another").replace("UID:half", "UID:another")
}

fn name(text: &str) -> ResourceName {
    text.parse().unwrap()
}

async fn put(mailbox: &Mailbox, at: &str, body: &str) -> Result<Written, Error> {
    put_if(mailbox, at, &Conditions::default(), body).await
}

async fn put_if(mailbox: &Mailbox, at: &str, conditions: &Conditions, body: &str) -> Result<Written, Error> {
    mailbox.put(&calendar(), &name(at), conditions, body.to_owned().into()).await
}

/// A gateway with a store of its own.
async fn another(stage: &Stage) -> (Mailbox, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (opened(stage, folder.path()).await, folder)
}

async fn opened(stage: &Stage, folder: &Path) -> Mailbox {
    let settings = Settings { public_url: "http://gateway.example.test".to_owned(), ..Settings::default() };
    let gateway = stage.gateway_with(LONG, folder, settings);
    gateway.sign_in(USER, PASSWORD).await.unwrap()
}

/// What Exchange holds, as a gateway with an empty store shows it.
async fn shown(stage: &Stage, at: &str) -> Option<String> {
    let (mailbox, _store) = another(stage).await;
    mailbox.list(&calendar()).await.unwrap();
    let object = mailbox.get(&calendar(), &name(at)).await.unwrap()?;
    Some(String::from_utf8(object.body.to_vec()).unwrap())
}

/// The item itself.
async fn item(stage: &Stage) -> Value {
    let dump = stage.dump(USER).await;
    let folders = dump["folders"].as_array().unwrap();
    let calendar = folders.iter().find(|folder| folder["name"] == "Calendar").unwrap();
    let items = calendar["items"].as_array().unwrap();
    items.iter().find(|item| item["properties"]["calendar:UID"] == "half").unwrap().clone()
}

async fn files(stage: &Stage) -> Value {
    item(stage).await["attachments"].clone()
}

/// Somebody with Outlook says where it takes place.
async fn place(stage: &Stage, place: &str) {
    let id = item(stage).await["id"].as_str().unwrap().to_owned();
    let seen = stage
        .colleague(
            USER,
            &format!(
                "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:ItemIds>\
                 <t:ItemId Id='{id}'/></m:ItemIds></m:GetItem>"
            ),
        )
        .await;
    let key = seen.split("ChangeKey=\"").nth(1).unwrap().split('"').next().unwrap();
    let answer = stage
        .colleague(
            USER,
            &format!(
                "<m:UpdateItem ConflictResolution='AlwaysOverwrite' \
                 SendMeetingInvitationsOrCancellations='SendToNone'><m:ItemChanges><t:ItemChange>\
                 <t:ItemId Id='{id}' ChangeKey='{key}'/><t:Updates><t:SetItemField>\
                 <t:FieldURI FieldURI='calendar:Location'/><t:CalendarItem><t:Location>{place}</t:Location>\
                 </t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"
            ),
        )
        .await;
    assert!(answer.contains("NoError"), "{answer}");
}

/// The event `half.ics`, and a second version of which only the fields are there: its file never arrived.
async fn half(stage: &Stage) -> (Mailbox, tempfile::TempDir) {
    let (mailbox, store) = another(stage).await;
    put(&mailbox, "half.ics", &event("first")).await.unwrap();
    stage.faults(r#"[{"kind": "drop-before", "operation": "CreateAttachment", "times": 99}]"#).await;
    let failed = put(&mailbox, "half.ics", &event("second")).await;
    assert!(matches!(failed, Err(Error::Unavailable { .. })), "{failed:?}");
    stage.faults("[]").await;
    assert_eq!(item(stage).await["properties"]["item:Subject"], "second");
    assert_eq!(files(stage).await, serde_json::json!([]), "half of it is there");
    (mailbox, store)
}

/// Whether the second version is whole, beside the room that somebody else named.
async fn assert_finished_in(stage: &Stage, room: &str, when: &str) {
    assert_eq!(item(stage).await["properties"]["calendar:Location"], room, "{when}");
    assert_eq!(files(stage).await, serde_json::json!(["second.txt"]), "{when}");
    let text = shown(stage, "half.ics").await.unwrap();
    for line in ["SUMMARY:second\r\n", "X-OWN:second\r\n", &format!("LOCATION:{room}\r\n")] {
        assert!(text.contains(line), "{when}: {line}{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_a_write_is_finished_beside_what_somebody_else_changed_in_it() {
    let stage = Stage::empty(1).await;
    let (mailbox, _store) = half(&stage).await;
    place(&stage, "Room 5").await;
    put(&mailbox, "another.ics", &other()).await.unwrap();
    assert_finished_in(&stage, "Room 5", "with the next write").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_a_new_object_that_somebody_else_changed_is_finished_and_not_removed() {
    let stage = Stage::empty(1).await;
    let (mailbox, _store) = another(&stage).await;
    mailbox.list(&calendar()).await.unwrap();
    stage
        .faults(
            r#"[{"kind": "drop-before", "operation": "CreateAttachment", "times": 99},
                     {"kind": "drop-before", "operation": "DeleteItem", "times": 99}]"#,
        )
        .await;
    let failed = put(&mailbox, "half.ics", &event("new")).await;
    assert!(matches!(failed, Err(Error::Unavailable { .. })), "{failed:?}");
    stage.faults("[]").await;
    place(&stage, "Room 5").await;
    put(&mailbox, "another.ics", &other()).await.unwrap();
    let text = shown(&stage, "half.ics").await.unwrap();
    for line in ["SUMMARY:new\r\n", "X-OWN:new\r\n", "LOCATION:Room 5\r\n"] {
        assert!(text.contains(line), "{line}{text}");
    }
    assert_eq!(files(&stage).await, serde_json::json!(["new.txt"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_by_another_gateway_since_is_not_written_over_by_half_of_an_older_write() {
    let stage = Stage::empty(1).await;
    let (mailbox, _store) = half(&stage).await;
    let (second, _second_store) = another(&stage).await;
    second.list(&calendar()).await.unwrap();
    put(&second, "half.ics", &event("third")).await.unwrap();
    put(&mailbox, "another.ics", &other()).await.unwrap();
    assert_eq!(files(&stage).await, serde_json::json!(["third.txt"]));
    let text = shown(&stage, "half.ics").await.unwrap();
    assert!(text.contains("SUMMARY:third\r\n") && text.contains("X-OWN:third\r\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_and_changed_by_somebody_else_is_left_alone() {
    let stage = Stage::empty(1).await;
    let (mailbox, _store) = another(&stage).await;
    put(&mailbox, "half.ics", &event("first")).await.unwrap();
    // The answer of the very last call is lost, and those of the looks that ask what became of it.
    stage
        .faults(
            r#"[{"kind": "drop-after", "operation": "UpdateItem", "times": 1, "after": 1},
                {"kind": "drop-before", "operation": "SyncFolderItems", "times": 99},
                {"kind": "drop-before", "operation": "GetFolder", "times": 99}]"#,
        )
        .await;
    let failed = put(&mailbox, "half.ics", &event("second")).await;
    assert!(matches!(failed, Err(Error::Unavailable { .. })), "{failed:?}");
    stage.faults("[]").await;
    place(&stage, "Room 5").await;
    put(&mailbox, "another.ics", &other()).await.unwrap();
    assert_eq!(item(&stage).await["properties"]["calendar:Location"], "Room 5");
    assert_eq!(files(&stage).await, serde_json::json!(["second.txt"]));
}

/// The second version of `half.ics` is written as far as these calls, slowly; somebody else names a room; then it goes on.
async fn interrupted(operation: &str, calls: u64) -> (Stage, Result<Written, Error>) {
    let stage = Stage::empty(1).await;
    let (mailbox, _store) = another(&stage).await;
    put(&mailbox, "half.ics", &event("first")).await.unwrap();
    let seen = mailbox.get(&calendar(), &name("half.ics")).await.unwrap().unwrap().head.etag;
    stage.reset().await;
    stage.latency(150).await;
    let conditions = Conditions { if_match: Some(Tags::These(vec![seen])), ..Conditions::default() };
    let writing =
        tokio::spawn(async move { put_if(&mailbox, "half.ics", &conditions, &event("second")).await });
    while stage.calls().await.get(operation).copied().unwrap_or_default() < calls {
        tokio::task::yield_now().await;
    }
    place(&stage, "Room 5").await;
    let written = writing.await.unwrap();
    stage.latency(0).await;
    (stage, written)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_changes_something_between_the_calls_of_a_write_is_heard_and_the_write_is_done() {
    for (operation, calls) in [("UpdateItem", 1), ("DeleteAttachment", 1)] {
        let (stage, written) = interrupted(operation, calls).await;
        written.unwrap();
        assert_finished_in(&stage, "Room 5", operation).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_changes_something_while_half_of_a_write_is_being_finished_is_heard() {
    for (operation, calls) in [("SyncFolderItems", 1), ("GetItem", 1), ("GetItem", 2), ("GetItem", 3)] {
        let stage = Stage::empty(1).await;
        let (mailbox, _store) = half(&stage).await;
        place(&stage, "Room 5").await;
        stage.reset().await;
        stage.latency(100).await;
        let ending =
            tokio::spawn(async move { put(&mailbox, "another.ics", &other()).await.map(|_| mailbox) });
        while stage.calls().await.get(operation).copied().unwrap_or_default() < calls {
            tokio::task::yield_now().await;
        }
        place(&stage, "Room 6").await;
        let mailbox = ending.await.unwrap().unwrap();
        stage.latency(0).await;
        // What could not be ended, since somebody was faster, is ended before the next write.
        put(&mailbox, "another.ics", &other().replace("SUMMARY:another", "SUMMARY:later")).await.unwrap();
        assert_finished_in(&stage, "Room 6", &format!("{operation} {calls}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_refused_in_the_middle_leaves_nothing_half_done() {
    let stage = Stage::empty(1).await;
    let (mailbox, store) = another(&stage).await;
    put(&mailbox, "half.ics", &event("first")).await.unwrap();
    stage.faults(r#"[{"kind": "unauthorized", "operation": "CreateAttachment", "times": 3}]"#).await;
    let failed = put(&mailbox, "half.ics", &event("second")).await;
    assert!(matches!(failed, Err(Error::SignIn)), "{failed:?}");
    stage.faults("[]").await;
    drop(mailbox);
    let mailbox = opened(&stage, store.path()).await;
    put(&mailbox, "another.ics", &other()).await.unwrap();
    assert_eq!(files(&stage).await, serde_json::json!(["second.txt"]));
    assert!(shown(&stage, "half.ics").await.unwrap().contains("X-OWN:second\r\n"));
}

/// A server whose clock is this far before or behind that of the gateway.
async fn with_clock(ahead: jiff::SignedDuration) -> Stage {
    let settings = simulator::Settings {
        events: Some(0),
        contacts: Some(0),
        tasks: Some(0),
        mailboxes: 1,
        now: Some(jiff::Timestamp::now().saturating_add(ahead).unwrap()),
        ..simulator::Settings::default()
    };
    Stage::of(settings).await
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_an_event_does_not_stay_where_the_clocks_of_gateway_and_server_differ() {
    for ahead in [jiff::SignedDuration::from_mins(3), jiff::SignedDuration::from_hours(-30)] {
        let stage = with_clock(ahead).await;
        let (mailbox, store) = half(&stage).await;
        drop(mailbox);
        let mailbox = opened(&stage, store.path()).await;
        assert_eq!(files(&stage).await, serde_json::json!(["second.txt"]), "{ahead:?}");
        let object = mailbox.get(&calendar(), &name("half.ics")).await.unwrap().unwrap();
        assert!(String::from_utf8_lossy(&object.body).contains("X-OWN:second\r\n"), "{ahead:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_a_new_event_does_not_stay_where_the_server_has_another_clock() {
    for ahead in [jiff::SignedDuration::from_mins(3), jiff::SignedDuration::from_hours(-30)] {
        let stage = with_clock(ahead).await;
        let (mailbox, store) = another(&stage).await;
        mailbox.list(&calendar()).await.unwrap();
        let faults = r#"[{"kind": "drop-before", "operation": "CreateAttachment", "times": 99},
                         {"kind": "drop-before", "operation": "DeleteItem", "times": 99}]"#;
        stage.faults(faults).await;
        let failed = put(&mailbox, "half.ics", &event("new")).await;
        assert!(matches!(failed, Err(Error::Unavailable { .. })), "{failed:?}");
        stage.faults("[]").await;
        drop(mailbox);
        let mailbox = opened(&stage, store.path()).await;
        let there = mailbox.get(&calendar(), &name("half.ics")).await.unwrap();
        assert_eq!(there.map(|object| object.head.name), None, "half of it is there: {ahead:?}");
        put(&mailbox, "half.ics", &event("new")).await.unwrap();
        assert_eq!(files(&stage).await, serde_json::json!(["new.txt"]), "{ahead:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_with_outlook_made_is_not_taken_for_half_of_a_write_that_never_began() {
    let stage = Stage::empty(1).await;
    let (mailbox, _store) = another(&stage).await;
    mailbox.list(&calendar()).await.unwrap();
    stage.faults(r#"[{"kind": "drop-before", "operation": "CreateItem", "times": 99}]"#).await;
    let failed = put(&mailbox, "half.ics", &event("ours")).await;
    assert!(matches!(failed, Err(Error::Unavailable { .. })), "{failed:?}");
    stage.faults("[]").await;
    let answer = stage
        .colleague(
            USER,
            "<m:CreateItem SendMeetingInvitations='SendToNone'><m:Items><t:CalendarItem><t:Subject>theirs</t:Subject>\
             <t:UID>half</t:UID><t:Start>2026-12-01T09:00:00Z</t:Start><t:End>2026-12-01T10:00:00Z</t:End>\
             </t:CalendarItem></m:Items></m:CreateItem>",
        )
        .await;
    assert!(answer.contains("NoError"), "{answer}");
    put(&mailbox, "another.ics", &other()).await.unwrap();
    assert_eq!(item(&stage).await["properties"]["item:Subject"], "theirs");
    assert_eq!(files(&stage).await, serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_gives_up_signing_in_leaves_no_half_of_what_was_being_finished() {
    let stage = Stage::empty(1).await;
    let (mailbox, store) = half(&stage).await;
    drop(mailbox);
    let settings = Settings { public_url: "http://gateway.example.test".to_owned(), ..Settings::default() };
    let gateway = stage.gateway_with(LONG, store.path(), settings);
    stage.reset().await;
    stage.latency(200).await;
    let signing = {
        let gateway = gateway.clone();
        tokio::spawn(async move { gateway.sign_in(USER, PASSWORD).await.map(drop) })
    };
    while !stage.calls().await.contains_key("CreateAttachment") {
        tokio::task::yield_now().await;
    }
    signing.abort();
    assert!(signing.await.unwrap_err().is_cancelled());
    stage.latency(0).await;
    gateway.finish_writes(tokio::time::Instant::now() + Duration::from_secs(10)).await;
    assert_finished(&stage).await;
}

async fn assert_finished(stage: &Stage) {
    assert_eq!(files(stage).await, serde_json::json!(["second.txt"]));
    assert!(shown(stage, "half.ics").await.unwrap().contains("X-OWN:second\r\n"));
}

/// How many items the calendar has.
async fn count(stage: &Stage) -> usize {
    let dump = stage.dump(USER).await;
    let folders = dump["folders"].as_array().unwrap();
    let calendar = folders.iter().find(|folder| folder["name"] == "Calendar").unwrap();
    calendar["items"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn half_of_a_new_object_goes_where_another_gateway_has_stored_the_whole_one() {
    for ends_later in [false, true] {
        let stage = Stage::empty(1).await;
        let (first, _store) = another(&stage).await;
        first.list(&calendar()).await.unwrap();
        let (second, _other_store) = another(&stage).await;
        put(&second, "half.ics", &event("half")).await.unwrap();
        // The first gateway has not heard of it. The file cannot be attached, nor can what was made be removed at once.
        let removals = if ends_later { 100_000 } else { 1 };
        stage
            .faults(&format!(
                r#"[{{"kind": "unavailable", "operation": "CreateAttachment", "times": 100000}},
                    {{"kind": "drop-before", "operation": "DeleteItem", "times": {removals}}}]"#
            ))
            .await;
        let new = Conditions { if_none_match: Some(Tags::Any), ..Conditions::default() };
        let refused = put_if(&first, "half.ics", &new, &event("half")).await;
        if ends_later {
            assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
            assert_eq!(count(&stage).await, 2);
            stage.faults("[]").await;
            put(&first, "another.ics", &other()).await.unwrap();
            assert_eq!(count(&stage).await, 2, "the whole object and the other one");
        } else {
            assert!(matches!(refused, Err(Error::Changed)), "{refused:?}");
            assert_eq!(count(&stage).await, 1);
        }
        assert!(shown(&stage, "half.ics").await.unwrap().contains("X-OWN:half"));
    }
}
