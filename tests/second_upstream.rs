//! The gateway before an upstream that is not Exchange: reading, writing, synchronisation and conflicts through the same
//! boundary. What it cannot do is refused in words, and nobody hears anything twice.

use crate::support::memory::{Memory, OWNER};
use crate::support::{calendar, contacts};
use exdav::gateway::write::{
    CollectionChange, Conditions, NewCollection, Overwrite, Relocation, ScheduleReply, Tags,
};
use exdav::gateway::{Error, Gateway, Mailbox, Settings};
use exdav::model::collection::CollectionKind;
use exdav::model::id::{CollectionId, ETag, ResourceName};
use exdav::model::item::{Change, Field, Value};
use exdav::{convert, mirror, sync};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

struct Stage {
    memory: Memory,
    store: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        Self { memory: Memory::new(), store: tempfile::tempdir().unwrap() }
    }

    fn gateway(&self, store: &Path) -> Gateway {
        let mirror = mirror::Settings { path: store.to_owned(), ..mirror::Settings::default() };
        let sync = sync::Settings {
            freshness: Duration::ZERO,
            hierarchy: Duration::ZERO,
            ..sync::Settings::default()
        };
        let settings = Settings { zone: "Europe/Berlin".to_owned(), ..Settings::default() };
        let upstream = Arc::new(self.memory.clone());
        let convert = convert::Settings::default();
        Gateway::new(settings, upstream, mirror, sync, convert, exdav::dav::path::attachment).unwrap()
    }

    async fn mailbox(&self) -> Mailbox {
        self.gateway(self.store.path()).sign_in(OWNER, "secret").await.unwrap()
    }
}

fn event(uid: &str, more: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20270101T000000Z\r\n\
         DTSTART:20270601T090000Z\r\nDTEND:20270601T100000Z\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

const GUESTS: &str = "ORGANIZER:mailto:me@example.com\r\nATTENDEE:mailto:bob@example.com\r\n";

fn tasks() -> CollectionId {
    "tasks".parse().unwrap()
}

fn name(text: &str) -> ResourceName {
    text.parse().unwrap()
}

async fn put(mailbox: &Mailbox, id: &CollectionId, at: &str, text: &str) -> Result<Option<ETag>, Error> {
    let put = mailbox.put(id, &name(at), &Conditions::default(), text.to_owned().into()).await;
    put.map(|written| written.etag)
}

async fn text(mailbox: &Mailbox, id: &CollectionId, at: &str) -> String {
    String::from_utf8(mailbox.get(id, &name(at)).await.unwrap().unwrap().body.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_own_passwords_open_it() {
    let stage = Stage::new();
    let gateway = stage.gateway(stage.store.path());
    assert!(matches!(gateway.sign_in(OWNER, "guess").await, Err(Error::SignIn)));
    let mailbox = gateway.sign_in(OWNER, "secret").await.unwrap();
    let kinds: Vec<CollectionKind> = mailbox.collections().await.unwrap().iter().map(|c| c.kind).collect();
    assert_eq!(kinds.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_comes_back_octet_for_octet_though_the_uid_is_another() {
    let stage = Stage::new();
    let mailbox = stage.mailbox().await;
    let written = event("mine", "SUMMARY:Lunch\r\nX-MENU:soup\r\n");
    let etag = put(&mailbox, &calendar(), "lunch.ics", &written).await.unwrap();
    assert_eq!(text(&mailbox, &calendar(), "lunch.ics").await, written);
    assert!(stage.memory.items()[0].text(Field::Uid).unwrap().starts_with("uid of"));
    // Another gateway, which knows nothing but what the upstream keeps.
    let store = tempfile::tempdir().unwrap();
    let other = stage.gateway(store.path()).sign_in(OWNER, "secret").await.unwrap();
    assert_eq!(text(&other, &calendar(), "lunch.ics").await, written);
    let heads = other.list(&calendar()).await.unwrap();
    assert_eq!(etag.as_ref(), Some(&heads[0].etag));
    // A change of one line is one call, and as true.
    let before = stage.memory.world().calls.get("update_item").copied().unwrap_or_default();
    let changed = written.replace("soup", "bread");
    put(&mailbox, &calendar(), "lunch.ics", &changed).await.unwrap();
    assert_eq!(stage.memory.world().calls["update_item"], before + 1);
    assert_eq!(text(&other, &calendar(), "lunch.ics").await, changed);
    // The same UID at another name is refused as ever.
    let twice = put(&mailbox, &calendar(), "again.ics", &written).await;
    assert!(
        matches!(&twice, Err(Error::Refused(refusal)) if refusal.to_string().contains("UID")),
        "{twice:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_and_tasks_are_stored_and_what_a_task_cannot_keep_is_not_pretended() {
    let stage = Stage::new();
    let mailbox = stage.mailbox().await;
    let card = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:jo\r\nFN:Jo One\r\nN:One;Jo;;;\r\nEMAIL:jo@example.com\r\nX-SHOE:42\r\nEND:VCARD\r\n";
    assert!(put(&mailbox, &contacts(), "jo.vcf", card).await.unwrap().is_some());
    assert_eq!(text(&mailbox, &contacts(), "jo.vcf").await, card);
    let task = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VTODO\r\nUID:t\r\nDTSTAMP:20270101T000000Z\r\n\
                SUMMARY:Shop\r\nDUE;VALUE=DATE:20270306\r\nX-SHELF:3\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";
    // No ETag: what is there is not what was sent.
    assert_eq!(put(&mailbox, &tasks(), "t.ics", task).await.unwrap(), None);
    let served = text(&mailbox, &tasks(), "t.ics").await;
    assert!(
        served.contains("SUMMARY:Shop") && served.contains("UID:t\r\n") && served.contains("20270306"),
        "{served}"
    );
    assert!(!served.contains("X-SHELF"), "{served}");
    // What only such lines would change is no call at all.
    let calls = stage.memory.world().calls.get("update_item").copied();
    put(&mailbox, &tasks(), "t.ics", &served.replace("SUMMARY", "X-SHELF:4\r\nSUMMARY")).await.unwrap();
    assert_eq!(stage.memory.world().calls.get("update_item").copied(), calls);
    let group = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:g\r\nFN:Crew\r\nN:Crew;;;;\r\nX-ADDRESSBOOKSERVER-KIND:group\r\n\
                 X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:jo\r\nEND:VCARD\r\n";
    let refused = put(&mailbox, &contacts(), "g.vcf", group).await;
    assert!(matches!(refused, Err(Error::Unsupported(_))), "{refused:?}");
    assert_eq!(mailbox.list(&contacts()).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_are_mailed_once_and_never_against_the_clients_will() {
    let stage = Stage::new();
    let mailbox = stage.mailbox().await;
    let meeting = event("m", &format!("SUMMARY:Plan\r\n{GUESTS}"));
    put(&mailbox, &calendar(), "m.ics", &meeting).await.unwrap();
    assert_eq!(stage.memory.world().mails, [("change", 1)], "the guests come with the last call");
    let moved = meeting.replace("T090000Z", "T080000Z");
    put(&mailbox, &calendar(), "m.ics", &moved).await.unwrap();
    assert_eq!(stage.memory.world().mails.len(), 2);
    // In silence nothing can be written, deleted or renamed.
    let put_silently = |at: &'static str, text: String| {
        let mailbox = mailbox.clone();
        async move {
            let none = Conditions::default();
            mailbox
                .put_with_schedule_reply(ScheduleReply::Suppress, &calendar(), &name(at), &none, text.into())
                .await
        }
    };
    let silent = put_silently("m.ics", moved.replace("Plan", "Other plan")).await;
    assert!(matches!(&silent, Err(Error::Refused(_))), "{silent:?}");
    let silent = put_silently("new.ics", event("n", GUESTS)).await;
    assert!(matches!(&silent, Err(Error::Refused(_))), "{silent:?}");
    let none = Conditions::default();
    let silent = mailbox.delete(&calendar(), &name("m.ics"), &none, ScheduleReply::Suppress).await;
    assert!(matches!(&silent, Err(Error::Denied(text)) if text.contains("mail")), "{silent:?}");
    let (from, to) = ((&calendar(), &name("m.ics")), (&calendar(), &name("o.ics")));
    let renamed = mailbox.relocate(Relocation::Move, from, to, Overwrite::Allowed, &none).await;
    assert!(matches!(&renamed, Err(Error::Denied(_))), "{renamed:?}");
    assert_eq!(stage.memory.world().mails.len(), 2);
    mailbox.delete(&calendar(), &name("m.ics"), &none, ScheduleReply::Send).await.unwrap();
    assert_eq!(stage.memory.world().mails.last(), Some(&("delete", 1)));
    assert_eq!(stage.memory.world().mails.len(), 3);
    assert!(stage.memory.items().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_makes_neither_a_second_event_nor_a_second_mail() {
    let stage = Stage::new();
    let mailbox = stage.mailbox().await;
    for (at, text) in [("m.ics", event("m", GUESTS)), ("p.ics", event("p", "SUMMARY:plain\r\n"))] {
        stage.memory.world().lost = 1;
        let mut attempts = 0;
        while put(&mailbox, &calendar(), at, &text).await.is_err() {
            attempts += 1;
            assert!(attempts < 5);
        }
        assert_eq!(self::text(&mailbox, &calendar(), at).await, text);
    }
    assert_eq!(stage.memory.items().len(), 2);
    assert_eq!(stage.memory.world().mails.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_change_is_seen_and_never_overwritten() {
    let stage = Stage::new();
    let mailbox = stage.mailbox().await;
    let written = event("c", "SUMMARY:Mine\r\n");
    let etag = put(&mailbox, &calendar(), "c.ics", &written).await.unwrap().unwrap();
    let token = mailbox.changes(&calendar(), None, None).await.unwrap().token;
    let id = stage.memory.items()[0].id.id.clone();
    stage.memory.change(&id, Change::text(Field::Subject, "Theirs"));
    // It judges no versions: the gateway looks before it writes.
    let stale = Conditions { if_match: Some(Tags::These(vec![etag.clone()])), ..Conditions::default() };
    let refused =
        mailbox.put(&calendar(), &name("c.ics"), &stale, written.replace("Mine", "Again").into()).await;
    assert!(matches!(refused, Err(Error::Changed)), "{refused:?}");
    assert_eq!(stage.memory.items()[0].text(Field::Subject).as_deref(), Some("Theirs"));
    let changes = mailbox.changes(&calendar(), Some(token), None).await.unwrap();
    assert_eq!(changes.changed.len(), 1);
    assert!(text(&mailbox, &calendar(), "c.ics").await.contains("SUMMARY:Theirs"));
    let untouched = mailbox.changes(&calendar(), Some(changes.token), None).await.unwrap();
    assert!(untouched.changed.is_empty() && untouched.removed.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn single_occurrences_are_moved_and_removed_one_call_each() {
    let stage = Stage::new();
    let mailbox = stage.mailbox().await;
    let series = event("s", "SUMMARY:Daily\r\nRRULE:FREQ=DAILY;COUNT=5\r\n");
    put(&mailbox, &calendar(), "s.ics", &series).await.unwrap();
    let changed = series
        .replace("RRULE", "EXDATE:20270603T090000Z\r\nRRULE")
        .replace(
            "END:VCALENDAR",
            "BEGIN:VEVENT\r\nUID:s\r\nRECURRENCE-ID:20270604T090000Z\r\nDTSTAMP:20270101T000000Z\r\n\
             DTSTART:20270604T110000Z\r\nDTEND:20270604T120000Z\r\nSUMMARY:Later\r\nEND:VEVENT\r\nEND:VCALENDAR",
        );
    put(&mailbox, &calendar(), "s.ics", &changed).await.unwrap();
    assert_eq!(text(&mailbox, &calendar(), "s.ics").await, changed);
    let stored = stage.memory.items().remove(0);
    assert_eq!(stored.deleted_occurrences().len(), 1);
    assert_eq!(stored.modified_occurrences().len(), 1);
    // Rendered from the fields alone, as another gateway would after somebody else's change, it says the same.
    stage.memory.change(&stored.id.id, Change::text(Field::Location, "Room 1"));
    let served = text(&mailbox, &calendar(), "s.ics").await;
    assert!(served.contains("LOCATION:Room 1") && served.contains("SUMMARY:Later"), "{served}");
    assert!(served.contains("EXDATE") && served.contains("20270604T110000Z"), "{served}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_moves_between_folders_and_that_is_said() {
    let stage = Stage::new();
    let mailbox = stage.mailbox().await;
    let new = NewCollection {
        id: "other".parse().unwrap(),
        kind: CollectionKind::Calendar,
        properties: Vec::<CollectionChange>::new(),
    };
    let other = mailbox.create_collection(new).await.unwrap().id;
    put(&mailbox, &calendar(), "a.ics", &event("a", "")).await.unwrap();
    let none = Conditions::default();
    for how in [Relocation::Move, Relocation::Copy] {
        let (from, to) = ((&calendar(), &name("a.ics")), (&other, &name("a.ics")));
        let moved = mailbox.relocate(how, from, to, Overwrite::Allowed, &none).await;
        assert!(matches!(&moved, Err(Error::Denied(text)) if text.contains("moves")), "{moved:?}");
    }
    let (from, to) = ((&calendar(), &name("a.ics")), (&calendar(), &name("b.ics")));
    mailbox.relocate(Relocation::Move, from, to, Overwrite::Allowed, &none).await.unwrap();
    assert_eq!(mailbox.list(&calendar()).await.unwrap()[0].name, name("b.ics"));
    assert!(mailbox.list(&other).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_somebody_else_made_is_served_and_can_be_changed() {
    let stage = Stage::new();
    let mailbox = stage.mailbox().await;
    put(&mailbox, &calendar(), "x.ics", &event("x", "SUMMARY:First\r\n")).await.unwrap();
    let id = stage.memory.items()[0].id.id.clone();
    // Without what exdav keeps on it.
    for field in [Field::Kept, Field::ClientUid, Field::ClientName] {
        stage.memory.change(&id, Change::remove(field));
    }
    stage.memory.change(&id, Change::set(Field::Categories, Value::Strings(vec!["Blue".to_owned()])));
    let heads = mailbox.list(&calendar()).await.unwrap();
    let at = heads[0].name.to_string();
    let served = text(&mailbox, &calendar(), &at).await;
    assert!(served.contains("CATEGORIES:Blue") && served.contains("UID:uid of"), "{served}");
    let changed = served.replace("SUMMARY:First", "SUMMARY:Second");
    put(&mailbox, &calendar(), &at, &changed).await.unwrap();
    assert_eq!(stage.memory.items()[0].text(Field::Subject).as_deref(), Some("Second"));
    assert_eq!(stage.memory.items()[0].strings(Field::Categories), ["Blue"]);
}
