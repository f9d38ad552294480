//! Answers that get lost, servers that fail, two who write at once: nothing is lost and nothing is there twice.

use crate::support::{PASSWORD, Stage, USER, calendar};
use exdav::gateway::write::{Conditions, NewCollection, Overwrite, Relocation, ScheduleReply, Tags, Written};
use exdav::gateway::{Error, Mailbox, Settings};
use exdav::model::collection::CollectionKind;
use exdav::model::id::{CollectionId, ResourceName};
use std::time::Duration;

const LONG: Duration = Duration::from_hours(1);

fn single(uid: &str, title: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\nSUMMARY:{title}\r\n\
         X-OWN:kept\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

/// A series with a moved and a deleted occurrence: several calls.
fn series(uid: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n\
         DTSTAMP:20260101T000000Z\r\nDTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\nSUMMARY:Series\r\n\
         RRULE:FREQ=WEEKLY;COUNT=6\r\nEXDATE:20261215T090000Z\r\nEND:VEVENT\r\n\
         BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20261208T090000Z\r\n\
         DTSTART:20261209T090000Z\r\nDTEND:20261209T100000Z\r\nSUMMARY:Moved\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn name(text: &str) -> ResourceName {
    text.parse().unwrap()
}

fn only_new() -> Conditions {
    Conditions { if_none_match: Some(Tags::Any), ..Conditions::default() }
}

async fn put(mailbox: &Mailbox, at: &str, conditions: &Conditions, body: &str) -> Result<Written, Error> {
    mailbox.put(&calendar(), &name(at), conditions, body.to_owned().into()).await
}

async fn text(mailbox: &Mailbox, at: &str) -> Option<String> {
    let object = mailbox.get(&calendar(), &name(at)).await.unwrap()?;
    Some(String::from_utf8(object.body.to_vec()).unwrap())
}

/// A gateway with an empty store: what it shows is what Exchange holds.
async fn another(stage: &Stage) -> (Mailbox, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let gateway = stage.gateway_with(LONG, folder.path(), Settings::default());
    (gateway.sign_in(USER, PASSWORD).await.unwrap(), folder)
}

async fn is_there_once(stage: &Stage, uid: &str, at: &str, body: &str) {
    let (mailbox, _store) = another(stage).await;
    let members = mailbox.list(&calendar()).await.unwrap();
    let mut found = Vec::new();
    for head in members {
        let text = text(&mailbox, head.name.as_str()).await.unwrap();
        if text.contains(&format!("UID:{uid}\r\n")) {
            found.push((head.name.to_string(), text));
        }
    }
    assert_eq!(found, [(at.to_owned(), body.to_owned())]);
}

async fn small() -> Stage {
    let events = Some(20);
    Stage::of(exdav::simulator::Settings { events, mailboxes: 1, ..exdav::simulator::Settings::default() })
        .await
}

fn fault(kind: &str, operation: &str) -> String {
    format!(r#"[{{"kind": "{kind}", "operation": "{operation}", "times": 1}}]"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_whose_answer_is_lost_is_done_once() {
    let stage = small().await;
    let mailbox = stage.mailbox(LONG).await;
    mailbox.list(&calendar()).await.unwrap();
    for (at, body) in [("one.ics", single("one", "x")), ("many.ics", series("many"))] {
        stage.faults(&fault("drop-after", "CreateItem")).await;
        let written = put(&mailbox, at, &only_new(), &body).await.unwrap();
        assert!(written.created);
        is_there_once(&stage, at.split('.').next().unwrap(), at, &body).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_never_arrived_can_be_tried_again() {
    let stage = small().await;
    let mailbox = stage.mailbox(LONG).await;
    stage.faults(&fault("drop-before", "CreateItem")).await;
    let body = single("one", "x");
    let failed = put(&mailbox, "one.ics", &only_new(), &body).await;
    assert!(matches!(failed, Err(Error::Unavailable { .. })), "{failed:?}");
    assert!(put(&mailbox, "one.ics", &only_new(), &body).await.unwrap().created);
    is_there_once(&stage, "one", "one.ics", &body).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_whose_exceptions_get_lost_on_the_way_is_whole_or_not_there() {
    for (kind, operation) in [
        ("drop-before", "UpdateItem"),
        ("drop-after", "UpdateItem"),
        ("drop-before", "DeleteItem"),
        ("drop-after", "DeleteItem"),
        ("drop-before", "GetItem"),
    ] {
        let stage = small().await;
        let mailbox = stage.mailbox(LONG).await;
        mailbox.list(&calendar()).await.unwrap();
        stage.faults(&fault(kind, operation)).await;
        let body = series("many");
        let first = put(&mailbox, "many.ics", &only_new(), &body).await;
        if let Err(error) = &first {
            assert!(matches!(error, Error::Unavailable { .. }), "{kind} {operation}: {error:?}");
            put(&mailbox, "many.ics", &only_new(), &body).await.unwrap();
        }
        is_there_once(&stage, "many", "many.ics", &body).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_did_not_get_its_answer_repeats_itself_without_harm() {
    let stage = small().await;
    let mailbox = stage.mailbox(LONG).await;
    let (first, second) = (single("one", "first"), single("one", "second"));
    let created = put(&mailbox, "one.ics", &only_new(), &first).await.unwrap();
    stage.reset().await;
    // Nothing was lost: it is there, whoever asks.
    let again = put(&mailbox, "one.ics", &only_new(), &first).await;
    assert!(matches!(again, Err(Error::Changed)), "{again:?}");
    // Killed after Exchange's answer and before the commit: the next one knows only what Exchange knows.
    let (after_crash, _store) = another(&stage).await;
    let again = put(&after_crash, "one.ics", &only_new(), &first).await;
    assert!(matches!(again, Err(Error::Changed)), "{again:?}");
    assert_eq!(stage.calls().await.get("CreateItem"), None);
    let based_on = |etag| Conditions { if_match: Some(Tags::These(vec![etag])), ..Conditions::default() };
    let update = based_on(created.etag.unwrap());
    stage.faults(&fault("drop-after", "UpdateItem")).await;
    put(&mailbox, "one.ics", &update, &second).await.unwrap();
    put(&after_crash, "one.ics", &update, &second).await.unwrap();
    // Should the second gateway's mirror be old, Exchange refuses its change: a look shows that the work is done.
    assert!(stage.calls().await["UpdateItem"] <= 2, "{:?}", stage.calls().await);
    let other = put(&mailbox, "one.ics", &only_new(), &single("one", "third")).await;
    assert!(matches!(other, Err(Error::Changed)), "{other:?}");
    is_there_once(&stage, "one", "one.ics", &second).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_whose_answer_is_lost_is_done() {
    let stage = small().await;
    let mailbox = stage.mailbox(LONG).await;
    put(&mailbox, "one.ics", &only_new(), &single("one", "x")).await.unwrap();
    stage.faults(&fault("drop-before", "DeleteItem")).await;
    let none = Conditions::default();
    let failed = mailbox.delete(&calendar(), &name("one.ics"), &none, ScheduleReply::Send).await;
    assert!(matches!(failed, Err(Error::Unavailable { .. })), "{failed:?}");
    assert!(text(&mailbox, "one.ics").await.is_some());
    stage.faults(&fault("drop-after", "DeleteItem")).await;
    mailbox.delete(&calendar(), &name("one.ics"), &none, ScheduleReply::Send).await.unwrap();
    assert_eq!(text(&mailbox, "one.ics").await, None);
    let (other, _store) = another(&stage).await;
    assert_eq!(text(&other, "one.ics").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_those_who_write_at_once_exactly_one_wins() {
    let stage = small().await;
    let one = stage.mailbox(LONG).await;
    let (two, _store) = another(&stage).await;
    two.list(&calendar()).await.unwrap();
    let made = put(&one, "one.ics", &only_new(), &single("one", "start")).await.unwrap();
    two.refresh(&[calendar()]).await.unwrap();
    stage.latency(20).await;
    let based = Conditions { if_match: Some(Tags::These(vec![made.etag.unwrap()])), ..Conditions::default() };
    let tasks: Vec<_> = (0..4)
        .map(|n| {
            let (mailbox, based) = (one.clone(), based.clone());
            let body = single("one", &format!("writer {n}"));
            tokio::spawn(async move { put(&mailbox, "one.ics", &based, &body).await.map(|_| body) })
        })
        .collect();
    let mut won = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            Ok(body) => won.push(body),
            Err(error) => assert!(matches!(error, Error::Changed), "{error:?}"),
        }
    }
    assert_eq!(won.len(), 1);
    stage.latency(0).await;
    // The other exdav has not looked at Exchange since: its conditions are judged by what Exchange holds all the same.
    let late = put(&two, "one.ics", &based, &single("one", "late")).await;
    assert!(matches!(late, Err(Error::Changed)), "{late:?}");
    is_there_once(&stage, "one", "one.ics", &won[0]).await;
    let creators: Vec<_> = (0..4)
        .map(|n| {
            let mailbox = one.clone();
            let body = single("new", &format!("creator {n}"));
            tokio::spawn(async move { put(&mailbox, "new.ics", &only_new(), &body).await })
        })
        .collect();
    let mut created = 0;
    for creator in creators {
        created += u32::from(creator.await.unwrap().is_ok());
    }
    assert_eq!(created, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_during_a_long_refresh_stay() {
    let events = Some(600);
    let settings =
        exdav::simulator::Settings { events, mailboxes: 1, ..exdav::simulator::Settings::default() };
    let stage = Stage::of(settings).await;
    let mailbox = stage.mailbox(Duration::ZERO).await;
    mailbox.collections().await.unwrap();
    put(&mailbox, "before.ics", &only_new(), &single("before", "x")).await.unwrap();
    stage.faults(r#"[{"kind": "invalid-sync-state", "operation": "SyncFolderItems", "times": 1}]"#).await;
    stage.latency(30).await;
    let refreshing = {
        let mailbox = mailbox.clone();
        tokio::spawn(async move { mailbox.list(&calendar()).await })
    };
    let body = single("during", "x");
    put(&mailbox, "during.ics", &only_new(), &body).await.unwrap();
    refreshing.await.unwrap().unwrap();
    stage.latency(0).await;
    assert_eq!(text(&mailbox, "during.ics").await, Some(body.clone()));
    mailbox.refresh(&[calendar()]).await.unwrap();
    assert_eq!(mailbox.list(&calendar()).await.unwrap().len(), 602);
    assert_eq!(text(&mailbox, "during.ics").await, Some(body));
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_that_a_client_cannot_see_stay() {
    let stage = small().await;
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { public_url: "https://gw.example.test".to_owned(), ..Settings::default() };
    let linking = stage.gateway_with(Duration::ZERO, folder.path(), settings);
    let linking = linking.sign_in(USER, PASSWORD).await.unwrap();
    let hidden = stage.mailbox(Duration::ZERO).await;
    let attach = "ATTACH;FMTTYPE=text/plain;FILENAME=a.txt;ENCODING=BASE64;VALUE=BINARY:aGVsbG8=\r\nX-OWN:";
    let body = single("one", "x").replace("X-OWN:", attach);
    put(&linking, "one.ics", &only_new(), &body).await.unwrap();
    assert!(text(&linking, "one.ics").await.unwrap().contains("MANAGED-ID="));
    let seen = text(&hidden, "one.ics").await.unwrap();
    assert!(!seen.contains("ATTACH"), "{seen}");
    let edited = seen.replace("SUMMARY:x", "SUMMARY:y");
    put(&hidden, "one.ics", &Conditions::default(), &edited).await.unwrap();
    let after = text(&linking, "one.ics").await.unwrap();
    assert!(after.contains("SUMMARY:y") && after.contains("MANAGED-ID="), "{after}");
    let unfolded = after.replace("\r\n ", "");
    let without: String =
        unfolded.split_inclusive("\r\n").filter(|line| !line.starts_with("ATTACH")).collect();
    put(&linking, "one.ics", &Conditions::default(), &without).await.unwrap();
    assert!(!text(&linking, "one.ics").await.unwrap().contains("MANAGED-ID="), "who sees it can remove it");
}

/// Somebody with Outlook gives the only event another subject.
async fn rename_in_outlook(stage: &Stage, folder: &str, subject: &str) {
    let find = format!(
        "<m:FindItem Traversal='Shallow'><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>\
         <m:ParentFolderIds>{folder}</m:ParentFolderIds></m:FindItem>"
    );
    let found = stage.colleague(USER, &find).await;
    let id = found.split("<t:ItemId ").nth(1).unwrap().split("/>").next().unwrap();
    let answer = stage
        .colleague(
            USER,
            &format!(
                "<m:UpdateItem ConflictResolution='AlwaysOverwrite' SendMeetingInvitationsOrCancellations='SendToNone'>\
                 <m:ItemChanges><t:ItemChange><t:ItemId {id}/><t:Updates><t:SetItemField>\
                 <t:FieldURI FieldURI='item:Subject'/><t:CalendarItem><t:Subject>{subject}</t:Subject></t:CalendarItem>\
                 </t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"
            ),
        )
        .await;
    assert!(answer.contains("NoError"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_changes_while_exchange_is_too_busy_for_a_delete_or_a_move_is_not_removed_unseen() {
    for operation in ["DeleteItem", "MoveItem"] {
        let stage = Stage::empty(1).await;
        let mailbox = stage.mailbox(LONG).await;
        let own: CollectionId = "own".parse().unwrap();
        let new = NewCollection { id: own.clone(), kind: CollectionKind::Calendar, properties: Vec::new() };
        mailbox.create_collection(new).await.unwrap();
        let written = put(&mailbox, "one.ics", &only_new(), &single("one", "Before")).await.unwrap();
        let seen =
            Conditions { if_match: Some(Tags::These(vec![written.etag.unwrap()])), ..Conditions::default() };
        stage.reset().await;
        stage
            .faults(&format!(r#"[{{"kind": "busy", "operation": "{operation}", "times": 1, "wait": 1.0}}]"#))
            .await;
        let work = {
            let mailbox = mailbox.clone();
            let at = name("one.ics");
            tokio::spawn(async move {
                match operation {
                    "DeleteItem" => mailbox.delete(&calendar(), &at, &seen, ScheduleReply::Send).await,
                    _ => {
                        let (from, to) = ((&calendar(), &at), (&own, &at));
                        mailbox
                            .relocate(Relocation::Move, from, to, Overwrite::Forbidden, &seen)
                            .await
                            .map(drop)
                    }
                }
            })
        };
        while !stage.calls().await.contains_key(operation) {
            tokio::task::yield_now().await;
        }
        rename_in_outlook(&stage, "<t:DistinguishedFolderId Id='calendar'/>", "Changed").await;
        let outcome = work.await.unwrap();
        assert!(matches!(outcome, Err(Error::Changed)), "{operation}: {outcome:?}");
        let (other, _store) = another(&stage).await;
        assert!(text(&other, "one.ics").await.unwrap().contains("SUMMARY:Changed"), "{operation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_removes_while_exchange_is_too_busy_for_its_change_does_not_come_back() {
    let stage = Stage::empty(1).await;
    let mailbox = stage.mailbox(Duration::ZERO).await;
    mailbox.list(&calendar()).await.unwrap();
    let written = put(&mailbox, "one.ics", &only_new(), &single("one", "Before")).await.unwrap();
    let seen =
        Conditions { if_match: Some(Tags::These(vec![written.etag.unwrap()])), ..Conditions::default() };
    let dump = stage.dump(USER).await;
    let folders = dump["folders"].as_array().unwrap();
    let folder = folders.iter().find(|folder| folder["name"] == "Calendar").unwrap();
    let id = folder["items"][0]["id"].as_str().unwrap().to_owned();
    stage.reset().await;
    stage.faults(r#"[{"kind": "busy", "operation": "UpdateItem", "times": 1, "wait": 1.0}]"#).await;
    let work = {
        let mailbox = mailbox.clone();
        tokio::spawn(async move { put(&mailbox, "one.ics", &seen, &single("one", "After")).await })
    };
    while !stage.calls().await.contains_key("UpdateItem") {
        tokio::task::yield_now().await;
    }
    stage.delete_event(USER, &id).await;
    // A reader of the same mailbox sees that it is gone, before the writer does.
    while !mailbox.list(&calendar()).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let outcome = work.await.unwrap();
    assert!(matches!(outcome, Err(Error::Changed)), "{outcome:?}");
    assert!(mailbox.list(&calendar()).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_somebody_with_outlook_changes_half_way_is_done_and_not_refused() {
    for (to, at) in [("own", "one.ics"), ("own", "two.ics"), ("calendar", "two.ics")] {
        let stage = Stage::empty(1).await;
        let mailbox = stage.mailbox(LONG).await;
        let own: CollectionId = "own".parse().unwrap();
        let new = NewCollection { id: own.clone(), kind: CollectionKind::Calendar, properties: Vec::new() };
        mailbox.create_collection(new).await.unwrap();
        let folder = if to == "own" {
            let collection = mailbox.collection(&own).await.unwrap().unwrap();
            format!("<t:FolderId Id='{}'/>", collection.upstream.0)
        } else {
            "<t:DistinguishedFolderId Id='calendar'/>".to_owned()
        };
        let target: CollectionId = to.parse().unwrap();
        // The name of the object is the client's; the move gives it to the item in a call of its own.
        put(&mailbox, "one.ics", &only_new(), &single("one", "Before")).await.unwrap();
        stage.reset().await;
        stage.faults(r#"[{"kind": "busy", "operation": "UpdateItem", "times": 1, "wait": 1.0}]"#).await;
        let work = {
            let (mailbox, from, to) = (mailbox.clone(), name("one.ics"), name(at));
            let target = target.clone();
            tokio::spawn(async move {
                let none = Conditions::default();
                let (from, to) = ((&calendar(), &from), (&target, &to));
                mailbox.relocate(Relocation::Move, from, to, Overwrite::Forbidden, &none).await
            })
        };
        let is_renamed = at != "one.ics";
        while is_renamed && !stage.calls().await.contains_key("UpdateItem") {
            tokio::task::yield_now().await;
        }
        if is_renamed {
            stage.faults("[]").await;
            rename_in_outlook(&stage, &folder, "Changed").await;
        }
        let outcome = work.await.unwrap();
        assert!(outcome.is_ok(), "{to}/{at}: {outcome:?}");
        let (other, _store) = another(&stage).await;
        let object = other.get(&target, &name(at)).await.unwrap();
        let text = String::from_utf8(object.expect("the object at its new place").body.to_vec()).unwrap();
        assert!(!is_renamed || text.contains("SUMMARY:Changed"), "{text}");
    }
}
