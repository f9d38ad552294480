//! Collections are made, changed and removed; members move between them. Judged by what another exdav sees.

use crate::support::{PASSWORD, Stage, USER, calendar};
use exdav::gateway::write::{
    CollectionChange, Conditions, Field, NewCollection, Overwrite, Relocation, Tags,
};
use exdav::gateway::{Error, Mailbox, Settings};
use exdav::model::collection::{Collection, CollectionKind};
use exdav::model::id::{CollectionId, ETag, ResourceName};
use exdav::model::refusal::Reason;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3600);

fn set(field: Field, value: &str) -> CollectionChange {
    CollectionChange { field, value: Some(value.to_owned()) }
}

fn id(text: &str) -> CollectionId {
    text.parse().unwrap()
}

async fn make(mailbox: &Mailbox, name: &str) -> Collection {
    let new = NewCollection { id: id(name), kind: CollectionKind::Calendar, properties: Vec::new() };
    mailbox.create_collection(new).await.unwrap()
}

/// Another exdav with an empty store: whatever it knows it has from Exchange.
async fn another(stage: &Stage) -> (Mailbox, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let gateway = stage.gateway_with(LONG, folder.path(), Settings::default());
    (gateway.sign_in(USER, PASSWORD).await.unwrap(), folder)
}

async fn any_member(mailbox: &Mailbox, place: usize) -> ResourceName {
    mailbox.list(&calendar()).await.unwrap()[place].name.clone()
}

/// Name and text of a collection's only member.
async fn only(mailbox: &Mailbox, id: &CollectionId) -> (ResourceName, String) {
    let members = mailbox.list(id).await.unwrap();
    assert_eq!(members.len(), 1, "{members:?}");
    let object = mailbox.get(id, &members[0].name).await.unwrap().unwrap();
    (members[0].name.clone(), String::from_utf8(object.body.to_vec()).unwrap())
}

fn uid(text: &str) -> &str {
    text.lines().find(|line| line.starts_with("UID:")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_and_its_properties_live_in_exchange() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(LONG).await;
    mailbox.collections().await.unwrap();
    let zone = "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:X\r\nEND:VTIMEZONE\r\nEND:VCALENDAR\r\n";
    let properties = vec![
        set(Field::DisplayName, "Choir & Band"),
        set(Field::Color, "#FF00FFFF"),
        set(Field::Order, "7"),
        set(Field::TimeZone, zone),
    ];
    let new = NewCollection { id: id("4F1C-choir"), kind: CollectionKind::Calendar, properties };
    stage.reset().await;
    let made = mailbox.create_collection(new.clone()).await.unwrap();
    assert_eq!(stage.calls().await["CreateFolder"], 1);
    assert_eq!(made.display_name, "Choir & Band");
    let (other, _store) = another(&stage).await;
    let seen = other.collection(&new.id).await.unwrap().unwrap();
    assert_eq!(seen, made);
    assert_eq!((seen.color.as_deref(), seen.order), (Some("#FF00FFFF"), Some(7)));
    assert_eq!(seen.timezone.as_deref(), Some(zone));
    assert!(matches!(mailbox.create_collection(new).await, Err(Error::Exists)));

    let changes = [
        set(Field::DisplayName, "Choir"),
        set(Field::Description, "Mondays"),
        CollectionChange { field: Field::Color, value: None },
    ];
    mailbox.change_collection(&id("4F1C-choir"), &changes).await.unwrap();
    let changed = mailbox.collection(&id("4F1C-choir")).await.unwrap().unwrap();
    assert_eq!((changed.display_name.as_str(), changed.description.as_deref()), ("Choir", Some("Mondays")));
    assert_ne!(changed.color.as_deref(), Some("#FF00FFFF"));
    let (other, _store) = another(&stage).await;
    assert_eq!(other.collection(&id("4F1C-choir")).await.unwrap().unwrap(), changed);

    mailbox.delete_collection(&id("4F1C-choir")).await.unwrap();
    assert_eq!(mailbox.collection(&id("4F1C-choir")).await.unwrap(), None);
    assert!(matches!(mailbox.delete_collection(&id("4F1C-choir")).await, Err(Error::NotFound)));
}

#[tokio::test(flavor = "multi_thread")]
async fn default_folders_keep_their_names_and_take_colours() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(LONG).await;
    assert!(matches!(mailbox.delete_collection(&calendar()).await, Err(Error::Denied(_))));
    let renamed = mailbox.change_collection(&calendar(), &[set(Field::DisplayName, "Mine")]).await;
    assert!(matches!(renamed, Err(Error::Denied(_))));
    mailbox.change_collection(&calendar(), &[set(Field::Color, "#102030FF")]).await.unwrap();
    let (other, _store) = another(&stage).await;
    let seen = other.collection(&calendar()).await.unwrap().unwrap();
    assert_eq!(seen.color.as_deref(), Some("#102030FF"));
}

#[tokio::test(flavor = "multi_thread")]
async fn namesakes_get_a_number_and_a_lost_answer_makes_no_second_folder() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(LONG).await;
    let named = |name: &str, display_name: &str| NewCollection {
        id: id(name),
        kind: CollectionKind::Tasks,
        properties: vec![set(Field::DisplayName, display_name)],
    };
    let make = |name, display_name| mailbox.create_collection(named(name, display_name));
    assert_eq!(make("a", "House").await.unwrap().display_name, "House");
    assert_eq!(make("b", "House").await.unwrap().display_name, "House (2)");
    stage.faults(r#"[{"kind": "drop-after", "operation": "CreateFolder", "times": 1}]"#).await;
    assert_eq!(make("c", "House of Cards").await.unwrap().id, id("c"));
    let (other, _store) = another(&stage).await;
    let houses = other.collections().await.unwrap();
    assert_eq!(houses.iter().filter(|c| c.display_name.starts_with("House")).count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_moves_with_its_name_and_text() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(LONG).await;
    let target = make(&mailbox, "target").await.id;
    let name = any_member(&mailbox, 3).await;
    let before = mailbox.get(&calendar(), &name).await.unwrap().unwrap();
    let text = String::from_utf8(before.body.to_vec()).unwrap();
    mailbox.list(&target).await.unwrap();
    stage.reset().await;
    let (from, to) = ((&calendar(), &name), (&target, &name));
    let stale = Conditions { if_match: Some(Tags::These(vec![ETag("old".into())])), ..Conditions::default() };
    let refused = mailbox.relocate(Relocation::Move, from, to, Overwrite::Allowed, &stale).await;
    assert!(matches!(refused, Err(Error::Changed)));
    assert_eq!(stage.total().await, 0);
    let none = Conditions::default();
    let moved = mailbox.relocate(Relocation::Move, from, to, Overwrite::Forbidden, &none).await.unwrap();
    assert!(moved.created && moved.name == name);
    let calls = stage.calls().await;
    assert_eq!(calls["MoveItem"], 1);
    assert_eq!(calls.get("UpdateItem"), None, "it has this name by itself");
    assert_eq!(mailbox.get(&calendar(), &name).await.unwrap(), None);
    let (found, moved_text) = only(&mailbox, &target).await;
    assert_eq!((&found, uid(&moved_text)), (&name, uid(&text)));
    let (other, _store) = another(&stage).await;
    assert_eq!(only(&other, &target).await, (found, moved_text));
    assert_eq!(other.get(&calendar(), &name).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_name_is_remembered_by_exchange() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(LONG).await;
    let target = make(&mailbox, "target").await.id;
    let (name, none) = (any_member(&mailbox, 5).await, Conditions::default());
    let (second, third): (ResourceName, ResourceName) =
        ("Zweiter Name.ics".parse().unwrap(), "3.ics".parse().unwrap());
    let rename = |from, to| mailbox.relocate(Relocation::Move, from, to, Overwrite::Allowed, &none);
    let here = calendar();
    rename((&here, &name), (&here, &second)).await.unwrap();
    assert!(mailbox.get(&here, &second).await.unwrap().is_some());
    assert!(mailbox.get(&here, &name).await.unwrap().is_none());
    let (other, _store) = another(&stage).await;
    assert!(other.get(&here, &second).await.unwrap().is_some());
    rename((&here, &second), (&target, &third)).await.unwrap();
    let (other, _store) = another(&stage).await;
    assert_eq!(only(&other, &target).await.0, third);
    assert_eq!(only(&mailbox, &target).await.0, third);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_another_object_and_twins_are_refused() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(LONG).await;
    let target = make(&mailbox, "target").await.id;
    let (name, none) = (any_member(&mailbox, 2).await, Conditions::default());
    let (here, twin) = (calendar(), "twin.ics".parse::<ResourceName>().unwrap());
    let copy = |from, to, overwrite| mailbox.relocate(Relocation::Copy, from, to, overwrite, &none);
    match copy((&here, &name), (&here, &twin), Overwrite::Allowed).await {
        Err(Error::Refused(refusal)) => assert_eq!(refusal.reason, Reason::UidConflict(name.clone())),
        other => panic!("{other:?}"),
    }
    assert!(copy((&here, &name), (&target, &twin), Overwrite::Forbidden).await.unwrap().created);
    assert!(mailbox.get(&here, &name).await.unwrap().is_some());
    assert_eq!(only(&mailbox, &target).await.0, twin);
    let again = copy((&here, &name), (&target, &twin), Overwrite::Forbidden).await;
    assert!(matches!(again, Err(Error::Changed)));
    assert!(!copy((&here, &name), (&target, &twin), Overwrite::Allowed).await.unwrap().created);
    assert_eq!(only(&mailbox, &target).await.0, twin);
    let (other, _store) = another(&stage).await;
    assert_eq!(only(&other, &target).await.0, twin);
    let into_itself = copy((&target, &twin), (&target, &twin), Overwrite::Allowed).await;
    assert!(matches!(into_itself, Err(Error::Denied(_))));
    let other_kind = copy((&here, &name), (&id("tasks"), &twin), Overwrite::Allowed).await;
    assert!(matches!(other_kind, Err(Error::Refused(_))));
}

const FIRST: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:first\r\n\
                     DTSTAMP:20270101T000000Z\r\nDTSTART:20270601T090000Z\r\nDTEND:20270601T100000Z\r\nSUMMARY:First\r\n\
                     END:VEVENT\r\nEND:VCALENDAR\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_first_write_after_a_restart_goes_into_a_calendar_that_was_made_meanwhile() {
    let stage = Stage::empty(1).await;
    let name: ResourceName = "first.ics".parse().unwrap();
    let before = stage.mailbox(LONG).await;
    before.collections().await.unwrap();
    drop(before);
    let (other, _store) = another(&stage).await;
    make(&other, "made-meanwhile").await;
    // The same store, opened by the next process: it knows the folders of before.
    let mailbox = stage.mailbox(LONG).await;
    let put = mailbox.put(&id("made-meanwhile"), &name, &Conditions::default(), FIRST.into()).await;
    assert!(put.unwrap().created);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_can_be_put_into_a_calendar_that_was_just_made_over_another_gateway() {
    let stage = Stage::empty(1).await;
    let mailbox = stage.mailbox(LONG).await;
    mailbox.collections().await.unwrap();
    let (other, _store) = another(&stage).await;
    make(&other, "made-elsewhere").await;
    let name: ResourceName = "first.ics".parse().unwrap();
    let put = |into: &'static str| {
        let (mailbox, name) = (mailbox.clone(), name.clone());
        async move { mailbox.put(&id(into), &name, &Conditions::default(), FIRST.into()).await }
    };
    // Where Exchange cannot be asked, nobody says that there is no such calendar.
    stage.faults(r#"[{"kind": "unavailable", "operation": "SyncFolderHierarchy", "times": 100000}]"#).await;
    let failed = put("made-elsewhere").await;
    assert!(matches!(failed, Err(Error::Unavailable { .. })), "{failed:?}");
    stage.faults("[]").await;
    assert!(put("made-elsewhere").await.unwrap().created);
    assert!(matches!(put("made-nowhere").await, Err(Error::NotFound)));
}
