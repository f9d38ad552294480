//! Nothing is stored twice, and nothing is written over that its writer has not seen.

use crate::support::http::{Answer, Client, basic};
use crate::support::{PASSWORD, Stage, USER};
use exdav::dav;
use exdav::gateway::Settings;
use exdav::model::item::{Change, Field, ItemClass, Notify, Value};
use exdav::upstream::{FolderSelector, WellKnownFolder, ews};
use std::collections::BTreeMap;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const GUEST: &str = "demo2@example.com";
const OTHER: &str = "demo3@example.com";

fn event(uid: &str, more: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\n\
         DTSTART:20281205T090000Z\r\nDTEND:20281205T100000Z\r\nSUMMARY:{uid}\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn meeting(uid: &str) -> String {
    event(uid, &format!("ORGANIZER:mailto:{USER}\r\nATTENDEE:mailto:{OTHER}\r\n"))
}

fn card(uid: &str) -> String {
    format!("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{uid}\r\nN:{uid};;;;\r\nEND:VCARD\r\n")
}

/// A gateway before an empty Exchange; mirrors are fresh for an hour.
struct Scene {
    stage: Stage,
    owner: Client,
    calendar: String,
}

impl Scene {
    async fn new() -> Self {
        let stage = Stage::empty(3).await;
        let owner = Client::of(stage.gateway(HOUR), USER, PASSWORD).await;
        let scene = Self { stage, owner, calendar: dav::path::default_calendar(USER) };
        scene.list(USER).await;
        scene
    }

    /// The collection as this user sees it; from then on the user's mirror is fresh.
    async fn list(&self, user: &str) -> Vec<String> {
        let headers = [("Authorization", basic(user, PASSWORD)), ("Depth", "1".to_owned())];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let listed = self.owner.ask("PROPFIND", &self.calendar, &headers, "").await.expect(207);
        listed.responses().into_iter().map(|response| response.href).skip(1).collect()
    }

    async fn put_as(&self, user: &str, path: &str, body: &str, condition: &str) -> Answer {
        let authorization = basic(user, PASSWORD);
        let kind = if body.contains("VCARD") { "text/vcard" } else { "text/calendar" };
        let headers =
            [("Content-Type", kind), ("If-None-Match", condition), ("Authorization", authorization.as_str())];
        self.owner.ask("PUT", path, &headers, body).await
    }

    async fn create(&self, name: &str, body: &str) -> Answer {
        self.put_as(USER, &format!("{}{name}", self.calendar), body, "*").await
    }

    /// How many items with this UID are in a folder of Exchange.
    async fn items(&self, folder: &str, uid: &str) -> usize {
        let dump = self.stage.dump(USER).await;
        let folders = dump["folders"].as_array().unwrap();
        let items = folders.iter().find(|f| f["name"] == folder).unwrap()["items"].as_array().unwrap();
        items.iter().filter(|item| item.to_string().contains(&format!("\"{uid}\""))).count()
    }

    /// How many mails there were about this UID.
    async fn mails(&self, uid: &str) -> usize {
        let dump = self.stage.dump(USER).await;
        let sent: &Vec<serde_json::Value> = dump["sent"].as_array().unwrap();
        sent.iter().filter(|mail| mail["uid"] == uid).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_uid_put_at_two_names_at_once_is_one_item_and_one_invitation() {
    let scene = Scene::new().await;
    scene.stage.latency(20).await;
    let body = meeting("twice");
    let (one, other) = tokio::join!(scene.create("a.ics", &body), scene.create("b.ics", &body));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 403]);
    assert_eq!((scene.items("Calendar", "twice").await, scene.mails("twice").await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_beside_a_put_of_the_same_uid_makes_one_item() {
    let scene = Scene::new().await;
    let team = scene.calendar.replace("/calendar/", "/team/");
    scene.owner.ask("MKCALENDAR", &team, &[], "").await.expect(201);
    scene.put_as(USER, &format!("{team}m.ics"), &event("beside", ""), "*").await.expect(201);
    scene.stage.latency(20).await;
    let to = format!("{}moved.ics", scene.calendar);
    let from = format!("{team}m.ics");
    let headers = [("Destination", to.as_str())];
    let body = event("beside", "");
    let (moved, put) =
        tokio::join!(scene.owner.ask("MOVE", &from, &headers, ""), scene.create("put.ics", &body));
    let mut statuses = [moved.status, put.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 403]);
    assert_eq!(scene.items("Calendar", "beside").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_login_or_a_delegate_created_within_the_window_is_not_created_again() {
    let scene = Scene::new().await;
    scene.stage.share(USER, "calendar", GUEST, "Editor").await;
    let domain_login = "EXAMPLE\\demo";
    for (who, uid) in [(domain_login, "login"), (GUEST, "delegate")] {
        let path = if who == GUEST {
            scene.calendar.clone()
        } else {
            // Another login has paths of its own.
            dav::path::default_calendar(who)
        };
        let headers = [("Authorization", basic(who, PASSWORD)), ("Depth", "1".to_owned())];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        scene.owner.ask("PROPFIND", &path, &headers, "").await.expect(207);
        scene.create(&format!("{uid}.ics"), &meeting(uid)).await.expect(201);
        let silent = format!("{uid}-silent");
        scene.create(&format!("{silent}.ics"), &event(&silent, "")).await.expect(201);
        for (name, body) in [(uid, meeting(uid)), (silent.as_str(), event(&silent, ""))] {
            let again = scene.put_as(who, &format!("{path}{name}.ics"), &body, "*").await;
            assert_eq!(again.status, 412, "{who} {name}");
            let elsewhere = scene.put_as(who, &format!("{path}other-{name}.ics"), &body, "*").await;
            assert_eq!(elsewhere.status, 403, "{who} {name}: {}", elsewhere.text());
            assert!(elsewhere.text().contains("no-uid-conflict"));
            assert_eq!(scene.items("Calendar", name).await, 1, "{who}");
        }
        assert_eq!(scene.mails(uid).await, 1, "{who}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_came_in_after_the_last_look_is_answered_and_not_copied() {
    for name in ["inv.ics", "another.ics"] {
        let scene = Scene::new().await;
        let invited = scene
            .stage
            .colleague(
                GUEST,
                &format!(
                    "<m:CreateItem SendMeetingInvitations='SendToAllAndSaveCopy'><m:Items><t:CalendarItem>\
                     <t:Subject>inv</t:Subject><t:UID>inv</t:UID><t:Start>2028-12-05T09:00:00Z</t:Start>\
                     <t:End>2028-12-05T10:00:00Z</t:End><t:RequiredAttendees><t:Attendee><t:Mailbox>\
                     <t:EmailAddress>{USER}</t:EmailAddress></t:Mailbox></t:Attendee></t:RequiredAttendees>\
                     </t:CalendarItem></m:Items></m:CreateItem>"
                ),
            )
            .await;
        assert!(invited.contains("NoError"), "{invited}");
        let copy =
            format!("ORGANIZER:mailto:{GUEST}\r\nATTENDEE;PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:{USER}\r\n");
        let answer = scene.create(name, &event("inv", &copy)).await;
        assert!(answer.status == 201 || answer.status == 204, "{} {}", answer.status, answer.text());
        assert_eq!((scene.items("Calendar", "inv").await, scene.mails("inv").await), (1, 1), "{name}");
        let href = format!("{}inv.ics", scene.calendar);
        let shown = scene.owner.ask("GET", &href, &[], "").await.expect(200);
        assert!(shown.text().contains("PARTSTAT=ACCEPTED"), "{}", shown.text());
        // Whoever has seen it and creates it all the same is told that it is there.
        scene.create("inv.ics", &event("inv", &copy)).await.expect(412);
        assert_eq!(scene.items("Calendar", "inv").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_whose_answer_was_lost_is_not_made_again_after_a_reader_was_answered_from_the_mirror() {
    let scene = Scene::new().await;
    let book = dav::path::default_address_book(USER);
    let tasks = scene.calendar.replace("/calendar/", "/tasks/");
    let task = event("lost-task", "").replace("VEVENT", "VTODO").replace("DTEND", "DUE");
    for (folder, path, uid, body) in [
        ("Calendar", &scene.calendar, "lost-event", event("lost-event", "")),
        ("Tasks", &tasks, "lost-task", task),
        ("Contacts", &book, "lost-card", card("lost-card")),
    ] {
        scene.owner.ask("PROPFIND", path, &[("Depth", "1")], "").await.expect(207);
        let lost = r#"[{"kind": "drop-after", "operation": "CreateItem"}, {"kind": "drop-before", "times": 60, "after": 1}]"#;
        scene.stage.faults(lost).await;
        let member = format!("{path}{uid}");
        scene.put_as(USER, &member, &body, "*").await.expect(503);
        scene.owner.ask("PROPFIND", path, &[("Depth", "1")], "").await.expect(207);
        scene.stage.faults("[]").await;
        let again = scene.put_as(USER, &member, &body, "*").await;
        assert!(matches!(again.status, 201 | 204), "{uid}: {} {}", again.status, again.text());
        assert_eq!(scene.items(folder, uid).await, 1, "{uid}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_just_made_private_is_safe_from_a_guest_whose_mirror_does_not_show_it() {
    for method in ["PUT", "DELETE", "MOVE"] {
        let scene = Scene::new().await;
        scene.stage.share(USER, "calendar", GUEST, "Editor").await;
        scene.create("p.ics", &event("p", "")).await.expect(201);
        scene.list(GUEST).await;
        let private = event("p", "CLASS:PRIVATE\r\nLOCATION:clinic\r\n");
        scene.put_as(USER, &format!("{}p.ics", scene.calendar), &private, "").await.expect(204);
        let (authorization, to) = (basic(GUEST, PASSWORD), format!("{}q.ics", scene.calendar));
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Content-Type", "text/calendar"),
            ("Destination", if method == "MOVE" { &to } else { "" }),
        ];
        let body = if method == "PUT" { event("p", "LOCATION:overwritten\r\n") } else { String::new() };
        let path = format!("{}p.ics", scene.calendar);
        let answer = scene.owner.ask(method, &path, &headers, &body).await;
        assert_eq!(answer.status, 403, "{method}: {}", answer.text());
        let shown = scene.owner.ask("GET", &path, &[], "").await.expect(200);
        assert!(shown.text().contains("LOCATION:clinic"), "{method}: {}", shown.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_not_replaced_by_one_of_another_uid() {
    let scene = Scene::new().await;
    let book = dav::path::default_address_book(USER);
    let tasks = scene.calendar.replace("/calendar/", "/tasks/");
    let task = |uid: &str| event(uid, "").replace("VEVENT", "VTODO").replace("DTEND", "DUE");
    for (path, first, second) in [
        (&scene.calendar, event("first", ""), event("second", "")),
        (&tasks, task("first"), task("second")),
        (&book, card("first"), card("second")),
    ] {
        let (one, other) = (format!("{path}one"), format!("{path}other"));
        scene.put_as(USER, &one, &first, "*").await.expect(201);
        let replaced = scene.put_as(USER, &one, &second, "").await;
        assert_eq!(replaced.status, 403, "{}", replaced.text());
        assert!(
            replaced.text().contains("no-uid-conflict") && replaced.text().contains(&one),
            "{}",
            replaced.text()
        );
        scene.put_as(USER, &other, &second, "*").await.expect(201);
        for method in ["MOVE", "COPY"] {
            let headers = [("Destination", one.as_str()), ("Overwrite", "T")];
            let moved = scene.owner.ask(method, &other, &headers, "").await;
            assert_eq!(moved.status, 403, "{method}: {}", moved.text());
            assert!(moved.text().contains("no-uid-conflict"), "{}", moved.text());
        }
        let shown = scene.owner.ask("GET", &one, &[], "").await.expect(200);
        assert!(shown.text().contains("UID:first"), "{}", shown.text());
    }
    // A card without a UID goes on being who it is.
    let bare = card("first").replace("UID:first\r\n", "").replace("FN:first", "FN:renamed");
    let renamed = scene.put_as(USER, &format!("{book}one"), &bare, "").await;
    assert_eq!(renamed.status, 204, "{}", renamed.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decline_or_cancellation_that_is_repeated_creates_nothing() {
    let scene = Scene::new().await;
    scene.create("m.ics", &meeting("off")).await.expect(201);
    let cancelled = meeting("off").replace("SUMMARY", "STATUS:CANCELLED\r\nSUMMARY");
    let path = format!("{}m.ics", scene.calendar);
    for _ in 0..3 {
        scene.put_as(USER, &path, &cancelled, "").await.expect(204);
        assert_eq!((scene.items("Calendar", "off").await, scene.mails("off").await), (0, 2));
    }
    let invitation = meeting("declined");
    scene.create("d.ics", &invitation).await.expect(201);
    let guests = dav::path::default_calendar(OTHER);
    let authorization = basic(OTHER, PASSWORD);
    let headers = [("Authorization", authorization.as_str()), ("Depth", "1")];
    let listed = scene.owner.ask("PROPFIND", &guests, &headers, "").await.expect(207);
    let href = listed.responses().into_iter().map(|r| r.href).find(|href| href.contains("declined")).unwrap();
    let shown = scene.owner.ask("GET", &href, &headers[..1], "").await.expect(200);
    let declined = shown.text().replace("\r\n ", "").replace("PARTSTAT=NEEDS-ACTION", "PARTSTAT=DECLINED");
    assert!(declined.contains("DECLINED"), "{declined}");
    for _ in 0..3 {
        let answer = scene.put_as(OTHER, &href, &declined, "").await;
        assert_eq!(answer.status, 204, "{}", answer.text());
        let listed = scene.owner.ask("PROPFIND", &guests, &headers, "").await.expect(207);
        assert!(!listed.text().contains("declined"), "{}", listed.text());
    }
    assert_eq!(scene.stage.dump(OTHER).await["sent"].as_array().unwrap().len(), 1, "one answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_cancelled_or_declined_meeting_that_is_imported_later_is_stored() {
    let scene = Scene::new().await;
    let cancelled = |uid: &str| meeting(uid).replace("SUMMARY", "STATUS:CANCELLED\r\nSUMMARY");
    let stored = async |name: &str, uid: &str, body: &str, condition: &str, status: u16| {
        let path = format!("{}{name}", scene.calendar);
        let answer = scene.put_as(USER, &path, body, condition).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        assert_eq!(scene.items("Calendar", uid).await, usize::from(status == 201), "{name}");
        let shown = scene.owner.ask("GET", &path, &[], "").await;
        assert_eq!(shown.status, if status == 201 { 200 } else { 404 }, "{name}");
    };
    for (uid, name, condition, edit) in [
        ("on-purpose", "on-purpose.ics", "*", ""),
        ("elsewhere", "imported.ics", "", ""),
        ("other-words", "other-words.ics", "", "LOCATION:archive\r\nSUMMARY"),
    ] {
        let body = cancelled(uid);
        scene.create(&format!("{uid}.ics"), &meeting(uid)).await.expect(201);
        stored(&format!("{uid}.ics"), uid, &body, "", 204).await;
        stored(&format!("{uid}.ics"), uid, &body, "", 204).await;
        let body = if edit.is_empty() { body } else { body.replace("SUMMARY", edit) };
        stored(name, uid, &body, condition, 201).await;
        assert_eq!(scene.mails(uid).await, 2, "{uid}: the guests were told once of each");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_octets_created_again_are_refused_unless_their_answer_was_lost() {
    let scene = Scene::new().await;
    let body = event("again", "");
    scene.create("again.ics", &body).await.expect(201);
    scene.create("again.ics", &body).await.expect(412);
    scene.stage.faults(r#"[{"kind": "drop-after", "operation": "CreateItem"}, {"kind": "drop-before", "times": 60, "after": 1}]"#).await;
    let lost = event("lost", "");
    scene.create("lost.ics", &lost).await.expect(503);
    scene.stage.faults("[]").await;
    scene.create("lost.ics", &lost).await.expect(204);
    scene.create("lost.ics", &lost).await.expect(412);
    assert_eq!(scene.items("Calendar", "lost").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_created_at_the_same_name_is_not_overwritten_when_exchange_does_not_answer() {
    let scene = Scene::new().await;
    let store = tempfile::tempdir().unwrap();
    let gateway = scene.stage.gateway_with(HOUR, store.path(), Settings::default());
    let colleague = Client::of(gateway, USER, PASSWORD).await;
    let at = format!("{}x.ics", scene.calendar);
    let kind = [("Content-Type", "text/calendar")];
    colleague.ask("PUT", &at, &kind, event("x", "LOCATION:theirs\r\n")).await.expect(201);
    let mine = event("x", "LOCATION:mine\r\n");
    scene.stage.faults(r#"[{"kind": "drop-before", "operation": "CreateItem", "times": 9}]"#).await;
    scene.create("x.ics", &mine).await.expect(503);
    scene.stage.faults("[]").await;
    scene.create("x.ics", &mine).await.expect(412);
    let read = scene.owner.ask("GET", &at, &[], "").await.expect(200);
    assert!(read.text().contains("LOCATION:theirs"), "{}", read.text());
    assert_eq!(scene.items("Calendar", "x").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uid_conflict_names_the_object_that_has_the_uid() {
    let scene = Scene::new().await;
    scene.create("a.ics", &event("a", "")).await.expect(201);
    scene.create("b.ics", &event("b", "")).await.expect(201);
    let at = |name: &str| format!("{}{name}", scene.calendar);
    for (uid, href) in [("b", at("b.ics")), ("c", at("a.ics"))] {
        let kind = [("Content-Type", "text/calendar")];
        let answer = scene.owner.ask("PUT", &at("a.ics"), &kind, event(uid, "")).await.expect(403);
        let conflict = answer.xml().find("no-uid-conflict").cloned().unwrap();
        assert_eq!(conflict.find("href").unwrap().text(), href);
    }
    // A vCard need not say its UID again. RFC 2426 3.6.7
    let book = format!("{}c.vcf", dav::path::default_address_book(USER));
    let kind = [("Content-Type", "text/vcard")];
    scene.owner.ask("PUT", &book, &kind, card("other")).await.expect(201);
    scene.owner.ask("PUT", &book, &kind, card("other").replace("UID:other\r\n", "")).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_stay_what_clients_chose_when_moves_with_overwrite_meet_other_writers_and_readers() {
    let stage = Stage::empty(3).await;
    let owner = Client::of(stage.gateway(Duration::ZERO), USER, PASSWORD).await;
    let scene = Scene { stage, owner, calendar: dav::path::default_calendar(USER) };
    let (client, calendar) = (&scene.owner, &scene.calendar);
    let team = calendar.replace("/calendar/", "/team/");
    client.ask("MKCALENDAR", &team, &[], "").await.expect(201);
    for round in 0..6 {
        let uid = format!("round-{round}");
        let (from, to) = (format!("{team}{uid}.ics"), format!("{calendar}{uid}.ics"));
        let text = |place: &str| event(&uid, &format!("LOCATION:{place}\r\n"));
        scene.stage.latency(0).await;
        scene.put_as(USER, &from, &text("moved"), "*").await.expect(201);
        scene.put_as(USER, &to, &text("old"), "*").await.expect(201);
        scene.stage.latency(10).await;
        let headers = [("Destination", to.as_str()), ("Overwrite", "T")];
        let depth = [("Depth", "1")];
        let removes = round % 2 == 1;
        let last = if removes { "DELETE" } else { "GET" };
        let (text_put, none) = (text("put"), String::new());
        let (moved, put, removed, _, _) = tokio::join!(
            client.ask("MOVE", &from, &headers, ""),
            scene.put_as(USER, &to, &text_put, ""),
            client.ask(last, &to, &[], &none),
            client.ask("PROPFIND", calendar, &depth, ""),
            client.ask("PROPFIND", &team, &depth, ""),
        );
        scene.stage.latency(0).await;
        let is_done = |answer: &Answer| answer.status < 300;
        for answer in [&moved, &put, &removed] {
            assert!(answer.status < 500, "{round}: {} {}", answer.status, answer.text());
            assert!(!answer.header("location").contains("/ews-"), "{round}: {}", answer.header("location"));
        }
        for path in [calendar, &team] {
            let listed = client.ask("PROPFIND", path, &depth, "").await.expect(207);
            assert!(!listed.text().contains("/ews-"), "{round}: {}", listed.text());
        }
        let shown = client.ask("GET", &to, &[], "").await;
        let source = client.ask("GET", &from, &[], "").await;
        assert_eq!(source.status, if is_done(&moved) { 404 } else { 200 }, "{round}");
        assert_eq!(scene.items("Calendar", &uid).await, usize::from(shown.status == 200), "{round}");
        if shown.status == 404 {
            assert!(removes && is_done(&removed), "{round}: nobody removed it");
            continue;
        }
        let place = shown.text().split("LOCATION:").nth(1).unwrap().split("\r\n").next().unwrap();
        let may_be = [(is_done(&moved), "moved"), (is_done(&put), "put"), (false, "old")];
        assert!(
            may_be.iter().any(|(is_done, wanted)| *is_done && *wanted == place),
            "{round}: {place}, MOVE {}, PUT {}",
            moved.status,
            put.status
        );
    }
}

/// An event with what exdav marks it with, as the first calls of a write leave it that was never ended.
async fn leave_half(stage: &Stage, uid: &str, name: &str) {
    let settings = ews::Settings {
        url: format!("http://{}/EWS/Exchange.asmx", stage.exchange.exchange),
        ..ews::Settings::default()
    };
    let session = ews::Exchange::new(settings).unwrap().session(ews::Credentials::password(USER, PASSWORD));
    let calendar = [FolderSelector::WellKnown(WellKnownFolder::Calendar)];
    let folder = session.get_folders(&calendar).await.unwrap().remove(0).unwrap();
    let at = |text: &str| Value::Time(text.parse().unwrap());
    let changes = [
        Change::text(Field::ClientUid, uid),
        Change::text(Field::ClientName, name),
        Change::text(Field::CreationMark, "a mark"),
        Change::text(Field::Uid, uid),
        Change::text(Field::Subject, "half"),
        Change::set(Field::Start, at("2028-12-05T09:00:00Z")),
        Change::set(Field::End, at("2028-12-05T10:00:00Z")),
    ];
    let made = session.create_item(&folder.id, ItemClass::CalendarItem, &changes, Notify::Nobody).await;
    made.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_write_beside_the_whole_object_is_shown_alike_by_every_gateway() {
    // A series with an exception comes in other answers than single events.
    let exception = "END:VEVENT\r\nBEGIN:VEVENT\r\nUID:twin\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20281206T090000Z\r\n\
                     DTSTART:20281206T110000Z\r\nDTEND:20281206T120000Z\r\nSUMMARY:later\r\n";
    let whole = event("twin", &format!("RRULE:FREQ=DAILY;COUNT=5\r\nX-OWN:1\r\n{exception}"));
    for is_first in [true, false] {
        let scene = Scene::new().await;
        if is_first {
            leave_half(&scene.stage, "twin", "twin.ics").await;
        }
        let store = tempfile::tempdir().unwrap();
        let other = scene.stage.gateway_with(Duration::ZERO, store.path(), Settings::default());
        let other = Client::of(other, USER, PASSWORD).await;
        let list = async |client: &Client| {
            let listed = client.propfind(&scene.calendar, "1", "<D:getetag/>").await.expect(207);
            let members: BTreeMap<String, String> =
                listed.responses().into_iter().skip(1).map(|r| (r.href.clone(), format!("{r:?}"))).collect();
            members
        };
        list(&other).await;
        if is_first {
            // Another gateway that had not heard of it created the object once more.
            scene.create("twin.ics", &whole).await.expect(201);
        } else {
            scene.create("twin.ics", &whole).await.expect(201);
            list(&other).await;
            leave_half(&scene.stage, "twin", "twin.ics").await;
        }
        let running = list(&other).await;
        for _ in 0..10 {
            let empty = tempfile::tempdir().unwrap();
            let fresh = scene.stage.gateway_with(Duration::ZERO, empty.path(), Settings::default());
            let fresh = Client::of(fresh, USER, PASSWORD).await;
            assert_eq!(running, list(&fresh).await, "the half came first: {is_first}");
        }
    }
}
