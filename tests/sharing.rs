//! Calendars, contacts and tasks of others are as open as Exchange says, to each who asks, and no more.

use crate::support::http::{Answer, Client, METHODS, basic};
use crate::support::{PASSWORD, Stage, USER};
use exdav::dav;
use exdav::simulator::Settings;
use std::time::Duration;

const GUEST: &str = "demo2@example.com";
const SECOND_GUEST: &str = "demo3@example.com";

/// An owner whose calendar has a meeting, a private appointment and a private series; guests ask through one gateway.
struct House {
    stage: Stage,
    guest: Client,
    calendar: String,
}

fn event(uid: &str, summary: &str, more: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\n\
         DTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\nSUMMARY:{summary}\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

impl House {
    async fn of(freshness: Duration) -> Self {
        let few = Settings {
            mailboxes: 3,
            events: Some(3),
            contacts: Some(3),
            tasks: Some(3),
            ..Settings::default()
        };
        let stage = Stage::of(few).await;
        let owner = Client::of(stage.gateway(freshness), USER, PASSWORD).await;
        let calendar = dav::path::default_calendar(USER);
        let private =
            "CLASS:PRIVATE\r\nLOCATION:a secret place\r\nDESCRIPTION:a secret text\r\nCATEGORIES:secret\r\n";
        for (name, text) in [
            ("open", event("open", "an open meeting", "LOCATION:room 7\r\n")),
            ("private", event("private", "a secret appointment", private)),
            ("series", event("series", "a secret series", &format!("{private}RRULE:FREQ=DAILY;COUNT=3\r\n"))),
        ] {
            let headers = [("Content-Type", "text/calendar")];
            owner.ask("PUT", &format!("{calendar}{name}.ics"), &headers, &text).await.expect(201);
        }
        // Nobody is granted anything, not even busy times.
        stage.share(USER, "calendar", "nobody@example.com", "None").await;
        let guest = Client { server: owner.server, authorization: Some(basic(GUEST, PASSWORD)) };
        Self { stage, guest, calendar }
    }

    async fn opened(level: &str) -> Self {
        let house = Self::of(Duration::ZERO).await;
        house.stage.share(USER, "calendar", GUEST, level).await;
        house
    }

    async fn as_owner(&self, method: &str, path: &str) -> Answer {
        let owner = basic(USER, PASSWORD);
        self.guest.ask(method, path, &[("Authorization", &owner), ("Depth", "1")], "").await
    }

    async fn privileges(&self, path: &str) -> Vec<String> {
        let answer = self.guest.propfind(path, "0", "<D:current-user-privilege-set/>").await;
        let responses = answer.responses();
        let set = responses[0].found("current-user-privilege-set").unwrap();
        set.children().map(|p| p.children().next().unwrap().name().local().to_owned()).collect()
    }
}

fn places(segment: &str) -> [String; 15] {
    let cal = format!("/dav/cal/{segment}/");
    [
        cal.clone(),
        format!("{cal}calendar/"),
        format!("{cal}calendar/open.ics"),
        format!("{cal}calendar/private.ics"),
        format!("{cal}calendar/new.ics"),
        format!("{cal}tasks/"),
        format!("{cal}new/"),
        format!("{cal}inbox/"),
        format!("{cal}outbox/"),
        format!("/dav/card/{segment}/"),
        format!("/dav/card/{segment}/contacts/"),
        format!("/dav/principals/{segment}/"),
        format!("/dav/directory/{segment}/"),
        format!("/dav/people/{segment}/demo3~40example.com/"),
        format!("/dav/att/{segment}/calendar/open.ics/x"),
    ]
}

async fn ask(client: &Client, method: &str, content: &str, path: &str) -> Answer {
    let object = event("intruder", "an intruder", "");
    let content = if content == "object" { &object } else { content };
    let target = format!("{}taken.ics", dav::path::default_calendar(GUEST));
    let kind = if content.starts_with('<') { "application/xml" } else { "text/calendar" };
    let headers = [("Depth", "1"), ("Content-Type", kind), ("Destination", target.as_str())];
    client.ask(method, path, &headers, content).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_may_read_nothing_gets_the_same_answer_as_of_a_mailbox_that_does_not_exist() {
    let house = House::of(Duration::ZERO).await;
    let segment = exdav::model::id::login_segment(USER);
    for level in ["None", "Contributor"] {
        house.stage.share(USER, "calendar", GUEST, level).await;
        for (there, nowhere) in places(&segment).iter().zip(places("nobody~40example.com")) {
            for (method, content) in METHODS {
                let there = ask(&house.guest, method, content, there).await;
                let nowhere = ask(&house.guest, method, content, &nowhere).await;
                assert_eq!(there.status, 404, "{level}: {method} {}", String::from_utf8_lossy(&there.body));
                assert_eq!((there.status, there.body), (nowhere.status, nowhere.body), "{level}: {method}");
            }
        }
    }
    let listed = house.as_owner("GET", &house.calendar).await.expect(200);
    assert!(!listed.text().contains("intruder"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_may_read_reads_and_changes_nothing() {
    let house = House::opened("Reviewer").await;
    let before = house.as_owner("GET", &house.calendar).await.expect(200);
    let segment = exdav::model::id::login_segment(USER);
    let shown = |path: &str| {
        path.matches('/').count() == 4 && (path.contains("/cal/") || path.contains("/card/"))
            || path.contains("/calendar/") && !path.contains("/att/")
    };
    for path in &places(&segment) {
        for (method, content) in METHODS {
            let answer = ask(&house.guest, method, content, path).await;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(!text.contains("secret"), "{method} {path}: {text}");
            let said = format!("{method} {path}: {} {text}", answer.status);
            match method {
                _ if !shown(path) => assert!((403..=405).contains(&answer.status), "{said}"),
                "GET" | "HEAD" | "PROPFIND" if path.ends_with("new.ics") => {
                    assert_eq!(answer.status, 404, "{said}");
                }
                "GET" | "HEAD" if path.ends_with(".ics") || path.ends_with("calendar/") => {
                    assert_eq!(answer.status, 200, "{said}");
                }
                "PROPFIND" => assert_eq!(answer.status, 207, "{said}"),
                "PROPPATCH" => assert!(answer.status >= 400 || !text.contains("200 OK"), "{said}"),
                "PUT" if path.ends_with(".ics") => {
                    assert_eq!(answer.status, 403, "{said}");
                    assert!(text.contains("need-privileges"), "{said}");
                }
                "GET" | "HEAD" | "REPORT" => assert!(answer.status < 500, "{said}"),
                _ => assert!((400..500).contains(&answer.status), "{said}"),
            }
        }
    }
    let after = house.as_owner("GET", &house.calendar).await.expect(200);
    assert_eq!(before.body, after.body);
    let privileges = house.privileges(&house.calendar).await;
    assert!(privileges.contains(&"read".to_owned()), "{privileges:?}");
    assert!(!privileges.iter().any(|p| p.starts_with("write") || p.ends_with("bind")), "{privileges:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_calendar_is_found_below_its_owner_and_belongs_to_its_owner() {
    let house = House::opened("Reviewer").await;
    let home = house.guest.propfind(&dav::path::calendar_home(USER), "1", "<D:displayname/><D:owner/>").await;
    let responses = home.responses();
    let hrefs: Vec<&str> = responses.iter().map(|r| r.href.as_str()).collect();
    assert_eq!(hrefs, [dav::path::calendar_home(USER), house.calendar.clone()], "tasks are not shared");
    assert_eq!(responses[1].text("displayname"), "Calendar (demo@example.com)");
    let props = "<D:owner/><D:current-user-principal/>";
    let calendar = house.guest.propfind(&house.calendar, "0", props).await.responses().remove(0);
    assert_eq!(calendar.href_in("owner"), "/dav/principals/demo~40example.com/");
    assert_eq!(calendar.href_in("current-user-principal"), "/dav/principals/demo2~40example.com/");
    // However the address is written.
    for who in ["demo@example.com", "Demo%40Example.com"] {
        let path = format!("/dav/cal/{who}/calendar/open.ics");
        let object = house.guest.ask("GET", &path, &[], "").await.expect(200);
        assert!(object.text().contains("SUMMARY:an open meeting"));
    }
    let own = house.guest.propfind(&dav::path::calendar_home(GUEST), "1", "<D:displayname/>").await;
    assert!(!own.text().contains("demo@example.com"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_editor_writes_into_the_owners_calendar_and_nowhere_else() {
    let house = House::opened("Editor").await;
    let theirs = dav::path::default_calendar(GUEST);
    let own_before = house.guest.ask("GET", &theirs, &[], "").await.expect(200);
    let (new, open) = (format!("{}new.ics", house.calendar), format!("{}open.ics", house.calendar));
    let text = [("Content-Type", "text/calendar")];
    house.guest.ask("PUT", &new, &text, &event("new", "by the editor", "")).await.expect(201);
    house.guest.ask("PUT", &open, &text, &event("open", "changed by the editor", "")).await.expect(204);
    let seen = house.as_owner("GET", &house.calendar).await.expect(200);
    assert!(seen.text().contains("by the editor") && seen.text().contains("changed by the editor"));
    house.guest.ask("DELETE", &new, &[], "").await.expect(204);
    let seen = house.as_owner("GET", &house.calendar).await.expect(200);
    assert!(!seen.text().contains("SUMMARY:by the editor"));
    let own_after = house.guest.ask("GET", &theirs, &[], "").await.expect(200);
    assert_eq!(own_before.body, own_after.body, "nothing strays into the guest's own calendar");
    // Folders stay the owner's.
    let home = dav::path::calendar_home(USER);
    let refused = house.guest.ask("MKCALENDAR", &format!("{home}mine/"), &[], "").await.expect(403);
    assert!(refused.text().contains("need-privileges"));
    house.guest.ask("DELETE", &house.calendar, &[], "").await.expect(403);
    // Nothing goes from one mailbox to another.
    for (from, to) in [(&open, format!("{theirs}stolen.ics")), (&format!("{theirs}x.ics"), open.clone())] {
        for method in ["MOVE", "COPY"] {
            let answer = house.guest.ask(method, from, &[("Destination", &to)], "").await;
            assert!((400..500).contains(&answer.status), "{method} {from}: {}", answer.status);
        }
    }
    assert!(house.privileges(&house.calendar).await.contains(&"write".to_owned()));
    assert_eq!(house.privileges(&home).await, ["read", "read-current-user-privilege-set"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_author_changes_only_what_the_author_made() {
    let house = House::opened("Author").await;
    let (new, open) = (format!("{}new.ics", house.calendar), format!("{}open.ics", house.calendar));
    let text = [("Content-Type", "text/calendar")];
    house.guest.ask("PUT", &new, &text, &event("new", "by the author", "")).await.expect(201);
    house.guest.ask("PUT", &new, &text, &event("new", "again by the author", "")).await.expect(204);
    for (method, body) in [("PUT", event("open", "not the author's", "")), ("DELETE", String::new())] {
        let refused = house.guest.ask(method, &open, &text, &body).await.expect(403);
        assert!(refused.text().contains("need-privileges"), "{method}");
    }
    let seen = house.as_owner("GET", &house.calendar).await.expect(200);
    assert!(seen.text().contains("again by the author") && seen.text().contains("an open meeting"));
    house.guest.ask("DELETE", &new, &[], "").await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_private_items_a_guest_sees_when_they_are_and_cannot_overwrite_what_is_hidden() {
    let house = House::opened("Editor").await;
    let export = house.guest.ask("GET", &house.calendar, &[], "").await.expect(200);
    assert!(!export.text().contains("secret"), "{}", export.text());
    assert_eq!(export.text().matches("SUMMARY:Private Appointment").count(), 2);
    assert!(export.text().contains("RRULE:FREQ=DAILY"), "a private series takes place on all its days");
    let query = "<C:free-busy-query><C:time-range start='20261202T000000Z' end='20261203T000000Z'/></C:free-busy-query>";
    let busy = house.guest.report(&house.calendar, query).await.expect(200);
    assert!(busy.text().contains("FREEBUSY"), "{}", busy.text());
    // Under which names they are listed says nothing of them either.
    let listed = house.guest.propfind(&house.calendar, "1", "<D:getetag/><D:displayname/>").await;
    assert!(!listed.text().contains("secret"));
    let before = house.as_owner("GET", &house.calendar).await.expect(200);
    let hidden: Vec<String> = listed.responses().into_iter().map(|r| r.href).collect();
    let mut refused = 0;
    for path in &hidden[1..] {
        let object = house.guest.ask("GET", path, &[], "").await.expect(200);
        if !object.text().contains("CLASS:PRIVATE") {
            continue;
        }
        let copy = format!("{path}2.ics");
        for (method, headers) in [
            ("PUT", [("Content-Type", "text/calendar")]),
            ("MOVE", [("Destination", copy.as_str())]),
            ("COPY", [("Destination", copy.as_str())]),
            ("DELETE", [("Depth", "0")]),
        ] {
            let body = if method == "PUT" { object.text() } else { "" };
            house.guest.ask(method, path, &headers, body).await.expect(403);
            refused += 1;
        }
    }
    assert_eq!(refused, 8);
    let after = house.as_owner("GET", &house.calendar).await.expect(200);
    assert_eq!(before.body, after.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_who_is_granted_private_items_sees_them_until_that_ends() {
    let house = House::opened("Editor").await;
    let secrets = async || {
        let answer = house.guest.ask("GET", &house.calendar, &[], "").await;
        if answer.status == 200 { answer } else { house.guest.ask("GET", &house.calendar, &[], "").await }
            .expect(200)
            .text()
            .matches("SUMMARY:a secret")
            .count()
    };
    assert_eq!(secrets().await, 0);
    house.stage.show_private(USER, GUEST, true).await;
    assert_eq!(secrets().await, 2);
    house.stage.show_private(USER, GUEST, false).await;
    assert_eq!(secrets().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_end_end_with_the_next_look_and_guests_do_not_share_a_mirror() {
    let house = House::opened("Reviewer").await;
    let second = [("Authorization", basic(SECOND_GUEST, PASSWORD))];
    let second = [(second[0].0, second[0].1.as_str())];
    house.guest.ask("GET", &house.calendar, &[], "").await.expect(200);
    let stranger = house.guest.ask("GET", &house.calendar, &second, "").await.expect(404);
    assert!(!stranger.text().contains("meeting"));
    let token = house.guest.propfind(&house.calendar, "0", "<D:sync-token/>").await;
    let token = token.responses()[0].text("sync-token");
    // The level goes to the other guest: the first has none left.
    house.stage.share(USER, "calendar", SECOND_GUEST, "Reviewer").await;
    house.guest.ask("GET", &house.calendar, &[], "").await.expect(404);
    house.guest.ask("GET", &format!("{}open.ics", house.calendar), &[], "").await.expect(404);
    let sync = format!(
        "<D:sync-collection><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>"
    );
    house.guest.report(&house.calendar, &sync).await.expect(404);
    let own = house.guest.ask("GET", &dav::path::default_calendar(GUEST), &[], "").await.expect(200);
    assert!(!own.text().contains("an open meeting"));
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_and_tasks_are_shared_one_by_one_and_private_ones_are_not_there() {
    let house = House::of(Duration::ZERO).await;
    house.stage.share(USER, "contacts", GUEST, "Reviewer").await;
    let book = dav::path::default_address_book(USER);
    let listed = house.guest.propfind(&book, "1", "<D:getetag/>").await.expect(207);
    assert_eq!(listed.responses().len(), 4, "{}", listed.text());
    house.guest.ask("GET", &house.calendar, &[], "").await.expect(404);
    house.guest.ask("PROPFIND", &dav::path::calendar_home(USER), &[("Depth", "1")], "").await.expect(207);
    let made = house
        .stage
        .colleague(
            USER,
            "<m:CreateItem><m:Items><t:Contact><t:Sensitivity>Private</t:Sensitivity><t:GivenName>Secret</t:GivenName>\
             <t:EmailAddresses><t:Entry Key='EmailAddress1'>secret@example.org</t:Entry></t:EmailAddresses>\
             </t:Contact></m:Items></m:CreateItem>",
        )
        .await;
    assert!(made.contains("NoError"), "{made}");
    let listed = house.guest.propfind(&book, "1", "<D:getetag/>").await.expect(207);
    assert_eq!(listed.responses().len(), 4, "{}", listed.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn guessed_mailboxes_are_asked_for_once_and_a_shared_one_costs_two_calls_a_poll() {
    let house = House::of(Duration::from_hours(1)).await;
    house.guest.propfind(&dav::path::default_calendar(GUEST), "0", "<D:getetag/>").await.expect(207);
    house.stage.reset().await;
    // What was found out holds for five seconds.
    let begun = std::time::Instant::now();
    let periods = || 1 + begun.elapsed().as_secs() / 5;
    for _ in 0..10 {
        house.guest.ask("GET", "/dav/cal/nobody~40example.com/calendar/", &[], "").await.expect(404);
        house.guest.ask("GET", "/dav/cal/no%20address/calendar/", &[], "").await.expect(404);
        house.guest.ask("GET", "/dav/cal/../calendar/", &[], "").await.expect(404);
    }
    let total = house.stage.total().await;
    assert!((2..=2 * periods()).contains(&total), "{:?}", house.stage.calls().await);
    house.stage.share(USER, "calendar", GUEST, "Reviewer").await;
    house.stage.reset().await;
    let begun = std::time::Instant::now();
    for _ in 0..10 {
        house.guest.ask("GET", &house.calendar, &[], "").await.expect(200);
    }
    let calls = house.stage.calls().await;
    let most = 2 + begun.elapsed().as_secs() / 5;
    assert!((2..=most).contains(&calls["GetFolder"]), "one for the rights, one for the folders: {calls:?}");
    assert_eq!(calls["SyncFolderItems"], 1, "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_share_busy_times_tells_none() {
    let house = House::opened("None").await;
    let ask = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:REQUEST\r\nBEGIN:VFREEBUSY\r\nUID:q\r\nDTSTAMP:20260101T000000Z\r\n\
               DTSTART:20261201T000000Z\r\nDTEND:20261203T000000Z\r\nORGANIZER:mailto:demo2@example.com\r\n\
               ATTENDEE:mailto:demo@example.com\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n";
    let outbox = format!("{}outbox/", dav::path::calendar_home(GUEST));
    let text = [("Content-Type", "text/calendar")];
    let told = house.guest.ask("POST", &outbox, &text, ask).await.expect(200);
    assert!(!told.text().contains("FREEBUSY;") && !told.text().contains("FREEBUSY:"), "{}", told.text());
    house.stage.share(USER, "calendar", GUEST, "FreeBusyTimeOnly").await;
    let told = house.guest.ask("POST", &outbox, &text, ask).await.expect(200);
    assert!(told.text().contains("20261201T090000Z"), "{}", told.text());
    assert!(!told.text().contains("secret") && !told.text().contains("meeting"), "{}", told.text());
}

/// An appointment of tomorrow: busy times are told for a while around the day.
async fn busy_tomorrow(stage: &Stage, sensitivity: &str) -> String {
    let day =
        (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24)).strftime("%Y-%m-%d").to_string();
    let request = format!(
        "<m:CreateItem SendMeetingInvitations='SendToNone'><m:Items><t:CalendarItem><t:Subject>a plan</t:Subject>\
         <t:Sensitivity>{sensitivity}</t:Sensitivity><t:Body BodyType='Text'>a hidden text</t:Body>\
         <t:Start>{day}T09:00:00Z</t:Start><t:End>{day}T10:00:00Z</t:End>\
         <t:LegacyFreeBusyStatus>OOF</t:LegacyFreeBusyStatus><t:Location>room 7</t:Location></t:CalendarItem></m:Items>\
         </m:CreateItem>"
    );
    let answer = stage.colleague(USER, &request).await;
    assert!(answer.contains("NoError"), "{answer}");
    day.replace('-', "")
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_calendar_that_is_shared_with_limited_details_these_are_shown_and_no_more() {
    let stage = Stage::empty(2).await;
    let day = busy_tomorrow(&stage, "Normal").await;
    busy_tomorrow(&stage, "Private").await;
    let guest = Client::of(stage.gateway(Duration::ZERO), GUEST, PASSWORD).await;
    let calendar = dav::path::default_calendar(USER);
    for (level, subjects) in [("FreeBusyTimeOnly", 0), ("FreeBusyTimeAndSubjectAndLocation", 1)] {
        stage.share(USER, "calendar", GUEST, level).await;
        let seen = guest.ask("GET", &calendar, &[], "").await.expect(200).text().to_owned();
        assert_eq!(seen.matches(&format!("DTSTART:{day}T090000Z")).count(), 2, "{level}: {seen}");
        assert_eq!(seen.matches("SUMMARY:a plan").count(), subjects, "{level}: {seen}");
        assert_eq!(seen.matches("LOCATION:room 7").count(), subjects, "{level}: {seen}");
        assert_eq!(seen.matches("BUSYSTATUS:OOF").count(), 2, "{level}: {seen}");
        assert!(!seen.contains("a hidden text"), "{level}: {seen}");
        let listed = guest.propfind(&calendar, "1", "<D:getetag/>").await.expect(207);
        assert_eq!(listed.responses().len(), 3, "{level}: {}", listed.text());
        // The same times have the same tags, and nothing of them can be changed.
        let again = guest.propfind(&calendar, "1", "<D:getetag/>").await.expect(207);
        assert_eq!(again.text(), listed.text());
        let new = event("intruder", "an intruder", "");
        let text = [("Content-Type", "text/calendar")];
        guest.ask("PUT", &format!("{calendar}new.ics"), &text, &new).await.expect(403);
        let member =
            listed.responses().iter().map(|r| r.href.clone()).find(|href| href.ends_with(".ics")).unwrap();
        guest.ask("DELETE", &member, &[], "").await.expect(403);
    }
    // More is granted: all of it shows, and goes again with the grant.
    stage.share(USER, "calendar", GUEST, "Reviewer").await;
    let seen = guest.ask("GET", &calendar, &[], "").await.expect(200).text().to_owned();
    assert!(seen.contains("a hidden text"), "{seen}");
    stage.share(USER, "calendar", GUEST, "FreeBusyTimeOnly").await;
    let seen = guest.ask("GET", &calendar, &[], "").await.expect(200).text().to_owned();
    assert!(
        seen.contains("DTSTART") && !seen.contains("a hidden text") && !seen.contains("a plan"),
        "{seen}"
    );
    stage.share(USER, "calendar", GUEST, "None").await;
    guest.ask("GET", &calendar, &[], "").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_that_is_granted_shows_within_ten_seconds_whatever_the_freshness() {
    let house = House::of(Duration::from_hours(1)).await;
    house.stage.share(USER, "calendar", GUEST, "FreeBusyTimeOnly").await;
    let seen = house.guest.ask("GET", &house.calendar, &[], "").await.expect(200);
    assert!(!seen.text().contains("an open meeting"), "{}", seen.text());
    house.stage.share(USER, "calendar", GUEST, "Reviewer").await;
    let begun = std::time::Instant::now();
    while !house.guest.ask("GET", &house.calendar, &[], "").await.text().contains("an open meeting") {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_that_was_asked_for_too_early_shows_within_ten_seconds() {
    let house = House::of(Duration::ZERO).await;
    house.guest.ask("GET", &house.calendar, &[], "").await.expect(404);
    house.stage.share(USER, "calendar", GUEST, "Reviewer").await;
    let begun = std::time::Instant::now();
    loop {
        let answer = house.guest.ask("GET", &house.calendar, &[], "").await;
        if answer.status == 200 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{}", answer.status);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
