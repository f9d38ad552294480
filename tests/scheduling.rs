//! What a client is promised about scheduling, and what follows from it. RFC 6638

use crate::support::http::Client;
use crate::support::{PASSWORD, Stage, USER};
use exdav::dav;
use exdav::gateway::Settings;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

async fn stage() -> (Stage, Client) {
    let stage = Stage::empty(3).await;
    let client = Client::of(stage.gateway(Duration::ZERO), USER, PASSWORD).await;
    (stage, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_that_the_server_sends_invitations() {
    let (_stage, client) = stage().await;
    let calendar = dav::path::default_calendar(USER);
    let home = dav::path::calendar_home(USER);
    let object = format!("{calendar}x.ics");
    let query = "<C:calendar-query xmlns:C='urn:ietf:params:xml:ns:caldav'><C:filter><C:comp-filter \
                 name='VCALENDAR'/></C:filter></C:calendar-query>";
    let none = "<D:propfind xmlns:D='DAV:'><D:prop><D:displayname/></D:prop></D:propfind>";
    for (method, path, body, status) in [
        ("OPTIONS", "/", "", 200),
        ("OPTIONS", calendar.as_str(), "", 200),
        ("PROPFIND", home.as_str(), none, 207),
        ("PROPFIND", calendar.as_str(), none, 207),
        ("PROPFIND", "/nowhere/", none, 404),
        ("REPORT", calendar.as_str(), query, 207),
        ("GET", object.as_str(), "", 404),
        ("PUT", object.as_str(), "nonsense", 403),
        ("DELETE", object.as_str(), "", 404),
        ("LOCK", object.as_str(), "", 405),
        ("GET", "/.well-known/caldav", "", 301),
    ] {
        let headers = [("Depth", "0"), ("Content-Type", "text/calendar")];
        let headers = if body.starts_with('<') { &headers[..1] } else { &headers[..] };
        let answer = client.ask(method, path, headers, body).await;
        let classes: BTreeSet<&str> = answer.header("dav").split(',').map(str::trim).collect();
        assert!(classes.contains("calendar-auto-schedule"), "{method} {path}: {classes:?}");
        assert!(classes.contains("calendar-access") && !classes.contains("2"), "{method} {path}");
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    }
    let refused = client.ask("PROPFIND", &calendar, &[("Authorization", "")], none).await.expect(401);
    assert!(refused.header("dav").contains("calendar-auto-schedule"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_scheduling_client_looks_for_is_there() {
    let (_stage, client) = stage().await;
    let calendar = dav::path::default_calendar(USER);
    let principal = &client.propfind("/", "0", "<D:current-user-principal/>").await.responses()[0];
    let principal = principal.href_in("current-user-principal");
    let props = "<C:schedule-inbox-URL/><C:schedule-outbox-URL/><C:calendar-user-address-set/>\
                 <C:calendar-user-type/>";
    let person = &client.propfind(&principal, "0", props).await.responses()[0];
    assert_eq!(person.missing(), [""; 0]);
    let set = person.found("calendar-user-address-set").unwrap();
    let set: Vec<String> = set.children().map(|href| href.text().into_owned()).collect();
    assert!(set.contains(&format!("mailto:{USER}")) && set.contains(&principal), "{set:?}");
    let (inbox, outbox) = (person.href_in("schedule-inbox-URL"), person.href_in("schedule-outbox-URL"));
    let props = "<D:resourcetype/><D:current-user-privilege-set/><C:schedule-default-calendar-URL/>";
    let inbox = &client.propfind(&inbox, "0", props).await.responses()[0];
    assert!(inbox.found("resourcetype").unwrap().find("schedule-inbox").is_some());
    assert_eq!(inbox.href_in("schedule-default-calendar-URL"), calendar);
    let rights = |response: &crate::support::http::Response| -> BTreeSet<String> {
        let set = response.found("current-user-privilege-set").unwrap();
        set.children().flat_map(exdav::xml::Element::children).map(|p| p.name().local().to_owned()).collect()
    };
    assert!(rights(inbox).contains("schedule-deliver"));
    let outbox = &client.propfind(&outbox, "0", props).await.responses()[0];
    assert!(outbox.found("resourcetype").unwrap().find("schedule-outbox").is_some());
    for right in ["schedule-send", "schedule-send-invite", "schedule-send-reply", "schedule-send-freebusy"] {
        assert!(rights(outbox).contains(right), "{right}");
    }
    // Exchange makes people busy by their default calendar alone.
    client.ask("MKCALENDAR", &calendar.replace("/calendar/", "/second/"), &[], "").await.expect(201);
    let props = "<C:schedule-calendar-transp/><C:supported-calendar-component-set/>";
    let listed = client.propfind(&dav::path::calendar_home(USER), "1", props).await.responses();
    let is = |response: &crate::support::http::Response, word: &str| {
        response.found("schedule-calendar-transp").unwrap().find(word).is_some()
    };
    for response in &listed {
        if response.found("supported-calendar-component-set").is_none() {
            assert!(response.found("schedule-calendar-transp").is_none(), "{}", response.href);
        } else if response.href == calendar {
            assert!(is(response, "opaque"));
        } else {
            assert!(is(response, "transparent"), "{}", response.href);
        }
    }
}

const COLLEAGUE: &str = "demo2@example.com";
const LOGINS: [&str; 3] = ["EXAMPLE\\demo", "demo", "demo@login.example.net"];

fn event(uid: &str, lines: &[&str]) -> String {
    let head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", "BEGIN:VEVENT"];
    let body = [format!("UID:{uid}"), "DTSTAMP:20270101T000000Z".into(), format!("SUMMARY:{uid}")];
    let body = body.iter().map(String::as_str);
    let times = ["DTSTART:20270610T100000Z", "DTEND:20270610T110000Z"];
    let all = head.into_iter().chain(body).chain(times).chain(lines.iter().copied());
    all.chain(["END:VEVENT", "END:VCALENDAR", ""]).collect::<Vec<_>>().join("\r\n")
}

async fn put(client: &Client, path: &str, body: &str) -> crate::support::http::Answer {
    client.ask("PUT", path, &[("Content-Type", "text/calendar")], body).await
}

async fn put_if(client: &Client, path: &str, etag: &str, body: &str) -> crate::support::http::Answer {
    client.ask("PUT", path, &[("Content-Type", "text/calendar"), ("If-Match", etag)], body).await
}

/// Whom Exchange sent something for somebody, mail by mail.
async fn sent(stage: &Stage, who: &str) -> Vec<Vec<String>> {
    let dump = stage.dump(who).await;
    let to = |mail: &serde_json::Value| {
        mail["to"].as_array().unwrap().iter().map(|who| who.as_str().unwrap().to_owned()).collect()
    };
    dump["sent"].as_array().unwrap().iter().map(to).collect()
}

async fn client_of(stage: &Stage, login: &str, folder: &str) -> Client {
    let gateway = stage.gateway_with(Duration::ZERO, &stage.store.path().join(folder), Settings::default());
    Client::of(gateway, login, PASSWORD).await
}

/// The object of this title, its path and its text.
async fn titled(client: &Client, calendar: &str, title: &str) -> Option<(String, String)> {
    for response in client.propfind(calendar, "1", "<D:getetag/>").await.responses() {
        let text = client.ask("GET", &response.href, &[], "").await.text().replace("\r\n ", "");
        if !response.href.ends_with('/') && text.contains(&format!("SUMMARY:{title}\r\n")) {
            return Some((response.href, text));
        }
    }
    None
}

fn lines_of<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    text.split("\r\n").filter(|line| line.starts_with(name)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_without_an_address_organises_and_answers_by_the_addresses_of_the_mailbox() {
    let stage = Stage::empty(3).await;
    let host = client_of(&stage, COLLEAGUE, "colleague").await;
    let theirs = dav::path::default_calendar(COLLEAGUE);
    for (number, login) in LOGINS.into_iter().enumerate() {
        let client = client_of(&stage, login, &number.to_string()).await;
        let principal = &client.propfind("/", "0", "<D:current-user-principal/>").await.responses()[0];
        let principal = principal.href_in("current-user-principal");
        let person = &client.propfind(&principal, "0", "<C:calendar-user-address-set/>").await.responses()[0];
        let set = person.found("calendar-user-address-set").unwrap();
        let set: Vec<String> = set.children().map(|href| href.text().into_owned()).collect();
        assert_eq!(set, ["mailto:demo@example.com", "mailto:alias-demo@example.com", &principal], "{login}");
        let calendar = dav::path::default_calendar(login);
        let before = sent(&stage, USER).await.len();
        let uid = format!("own-{number}");
        let guest = format!("ATTENDEE;RSVP=TRUE:mailto:{COLLEAGUE}");
        let own = event(&uid, &["ORGANIZER:mailto:demo@example.com", &guest]);
        put(&client, &format!("{calendar}{uid}.ics"), &own).await.expect(201);
        assert_eq!(sent(&stage, USER).await[before..], [[COLLEAGUE]], "{login}");
        let uid = format!("asked-{number}");
        let organizer = format!("ORGANIZER:mailto:{COLLEAGUE}");
        let asked = event(&uid, &[&organizer, "ATTENDEE;RSVP=TRUE:mailto:demo@example.com"]);
        put(&host, &format!("{theirs}{uid}.ics"), &asked).await.expect(201);
        let (href, text) = titled(&client, &calendar, &uid).await.unwrap();
        let before = sent(&stage, USER).await.len();
        put(&client, &href, &text.replace("NEEDS-ACTION", "ACCEPTED")).await.expect(204);
        assert_eq!(sent(&stage, USER).await[before..], [[COLLEAGUE]], "{login}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_invited_by_an_alias_or_a_list_can_answer() {
    let stage = Stage::empty(3).await;
    let host = client_of(&stage, COLLEAGUE, "colleague").await;
    let client = client_of(&stage, USER, "own").await;
    let (calendar, theirs) = (dav::path::default_calendar(USER), dav::path::default_calendar(COLLEAGUE));
    for (name, invited) in [("alias", "alias-demo@example.com"), ("list", "everyone@example.com")] {
        let (organizer, guest) =
            (format!("ORGANIZER:mailto:{COLLEAGUE}"), format!("ATTENDEE;RSVP=TRUE:mailto:{invited}"));
        let asked = event(name, &[&organizer, &guest]);
        put(&host, &format!("{theirs}{name}.ics"), &asked).await.expect(201);
        let (href, text) = titled(&client, &calendar, name).await.unwrap();
        let own: Vec<_> = lines_of(&text, "ATTENDEE").into_iter().filter(|l| l.contains("demo@")).collect();
        assert_eq!(own.len(), 1, "{name}: {text}");
        assert!(own[0].contains("PARTSTAT=NEEDS-ACTION"), "{text}");
        let answered = text.replace(own[0], &own[0].replace("NEEDS-ACTION", "ACCEPTED"));
        let before = sent(&stage, USER).await.len();
        put(&client, &href, &answered).await.expect(204);
        assert_eq!(sent(&stage, USER).await[before..], [[COLLEAGUE]], "{name}");
        let (_, seen) = titled(&client, &calendar, name).await.unwrap();
        assert!(lines_of(&seen, "ATTENDEE").iter().any(|l| l.contains("demo@") && l.contains("ACCEPTED")));
        put(&client, &href, &seen).await.expect(204);
        assert_eq!(sent(&stage, USER).await.len(), before + 1, "the same again tells nobody");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_address_can_be_learned_invitations_and_answers_are_refused_with_a_sentence() {
    let stage = Stage::empty(3).await;
    let host = client_of(&stage, COLLEAGUE, "colleague").await;
    let asked =
        event("asked", &[&format!("ORGANIZER:mailto:{COLLEAGUE}"), "ATTENDEE:mailto:demo@example.com"]);
    put(&host, &format!("{}asked.ics", dav::path::default_calendar(COLLEAGUE)), &asked).await.expect(201);
    stage.faults(r#"[{"operation": "ResolveNames", "times": 9, "kind": "access-denied"}]"#).await;
    let client = client_of(&stage, "demo", "own").await;
    let calendar = dav::path::default_calendar("demo");
    let (href, text) = titled(&client, &calendar, "asked").await.unwrap();
    let own = event("own", &["ORGANIZER:mailto:demo@example.com", &format!("ATTENDEE:mailto:{COLLEAGUE}")]);
    for (path, body, precondition) in [
        (
            href.as_str(),
            text.replace("NEEDS-ACTION", "ACCEPTED"),
            "allowed-attendee-scheduling-object-change",
        ),
        (&format!("{calendar}own.ics"), own, "allowed-organizer-scheduling-object-change"),
    ] {
        let refused = put(&client, path, &body).await.expect(403);
        assert!(refused.xml().find(precondition).is_some(), "{}", refused.text());
        assert!(refused.text().contains("could not be learned from Exchange"), "{}", refused.text());
    }
    assert!(sent(&stage, USER).await.is_empty());
    // What concerns nobody else is stored.
    put(&client, &format!("{calendar}alone.ics"), &event("alone", &[])).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_guest_is_invited_once_whatever_their_address_is_written_like() {
    let (stage, client) = stage().await;
    let calendar = dav::path::default_calendar(USER);
    let lines = [
        "ORGANIZER:MAILTO:Demo%40Example.com",
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:<demo@example.com>",
        "ATTENDEE:mailto:demo2@example.com",
        "ATTENDEE:MAILTO:Demo2%40Example.com",
        "ATTENDEE;ROLE=OPT-PARTICIPANT:mailto:demo2@example.com",
        "ATTENDEE;ROLE=OPT-PARTICIPANT:mailto:demo3@example.com",
        "ATTENDEE:mailto:%3Cdemo3@example.com%3E",
        "ATTENDEE;CN=M:mailto:Max%20M%20%3Cm@e.example%3E",
        "ATTENDEE;CN=S:sip:s@e.example",
        "ATTENDEE;CN=T:tel:+491",
        "ATTENDEE;CN=E;EMAIL=e@e.example:urn:uuid:1234",
        "ATTENDEE;CN=J:mailto:j@m\u{fc}nchen.example",
        "ATTENDEE;CN=J:mailto:J@xn--mnchen-3ya.example",
        "ATTENDEE:mailto:",
    ];
    put(&client, &format!("{calendar}odd.ics"), &event("odd", &lines)).await.expect(201);
    let guests =
        ["demo2@example.com", "demo3@example.com", "e@e.example", "j@xn--mnchen-3ya.example", "m@e.example"];
    let mut mails = sent(&stage, USER).await;
    for to in &mut mails {
        to.sort();
    }
    assert_eq!(mails, [guests]);
    let dump = stage.dump(USER).await;
    let items = dump["folders"].as_array().unwrap().iter().flat_map(|f| f["items"].as_array().unwrap());
    let [item] =
        items.filter(|i| i["properties"]["item:Subject"].to_string().contains("odd")).collect::<Vec<_>>()[..]
    else {
        panic!("one item")
    };
    let required = item["properties"]["calendar:RequiredAttendees"].to_string();
    assert_eq!(required.matches("EmailAddress").count(), guests.len(), "{required}");
    assert!(item["properties"].get("calendar:OptionalAttendees").is_none());
}

/// `UID` of every object of a calendar, by path.
async fn uids(client: &Client, calendar: &str) -> BTreeMap<String, String> {
    let mut uids = BTreeMap::new();
    for response in client.propfind(calendar, "1", "<D:getetag/>").await.responses() {
        if !response.href.ends_with('/') {
            let text = client.ask("GET", &response.href, &[], "").await.text().replace("\r\n ", "");
            uids.insert(response.href, lines_of(&text, "UID:")[0].to_owned());
        }
    }
    uids
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_an_event_with_one_uid_are_two_objects_that_can_both_be_changed() {
    let (stage, client) = stage().await;
    let calendar = dav::path::default_calendar(USER);
    for title in ["first", "second"] {
        let made = format!(
            "<m:CreateItem SendMeetingInvitations='SendToNone'><m:SavedItemFolderId><t:DistinguishedFolderId \
             Id='calendar'/></m:SavedItemFolderId><m:Items><t:CalendarItem><t:Subject>{title}</t:Subject>\
             <t:UID>same-uid</t:UID><t:Start>2027-06-01T10:00:00Z</t:Start><t:End>2027-06-01T11:00:00Z</t:End>\
             </t:CalendarItem></m:Items></m:CreateItem>"
        );
        assert!(stage.colleague(USER, &made).await.contains("NoError"));
    }
    let before = uids(&client, &calendar).await;
    assert_eq!(before.values().collect::<BTreeSet<_>>().len(), 2, "{before:?}");
    assert!(before.values().any(|uid| uid == "UID:same-uid"), "the oldest keeps it: {before:?}");
    for href in before.keys() {
        let text = client.ask("GET", href, &[], "").await.text().to_owned();
        put(&client, href, &text.replace("SUMMARY:", "SUMMARY:changed ")).await.expect(204);
        put(&client, href, &text.replace("SUMMARY:", "SUMMARY:twice ")).await.expect(204);
    }
    assert_eq!(uids(&client, &calendar).await, before, "neither takes another UID or name");
    let other = client_of(&stage, USER, "elsewhere").await;
    assert_eq!(uids(&other, &calendar).await, before, "nor on another gateway");
}

/// A colleague's series of six Mondays, to single occurrences of which others are invited.
struct Series {
    stage: Stage,
    id: String,
}

impl Series {
    async fn new() -> Self {
        let stage = Stage::empty(3).await;
        let made = stage
            .colleague(
                COLLEAGUE,
                "<m:CreateItem SendMeetingInvitations='SendToNone'><m:Items><t:CalendarItem><t:Subject>single</t:Subject>\
                 <t:Start>2027-03-01T10:00:00Z</t:Start><t:End>2027-03-01T11:00:00Z</t:End><t:Recurrence>\
                 <t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Monday</t:DaysOfWeek></t:WeeklyRecurrence>\
                 <t:NumberedRecurrence><t:StartDate>2027-03-01</t:StartDate><t:NumberOfOccurrences>6</t:NumberOfOccurrences>\
                 </t:NumberedRecurrence></t:Recurrence></t:CalendarItem></m:Items></m:CreateItem>",
            )
            .await;
        let id = made.split("ItemId Id=\"").nth(1).unwrap_or_else(|| panic!("{made}"));
        let id = id.split('"').next().unwrap().to_owned();
        Self { stage, id }
    }

    async fn update(&self, item: &str) {
        let invited = format!(
            "<m:UpdateItem ConflictResolution='AlwaysOverwrite' MessageDisposition='SendAndSaveCopy' \
             SendMeetingInvitationsOrCancellations='SendToAllAndSaveCopy'><m:ItemChanges><t:ItemChange>{item}\
             <t:Updates><t:SetItemField><t:FieldURI FieldURI='calendar:RequiredAttendees'/><t:CalendarItem>\
             <t:RequiredAttendees><t:Attendee><t:Mailbox><t:EmailAddress>{USER}</t:EmailAddress></t:Mailbox>\
             </t:Attendee></t:RequiredAttendees></t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange>\
             </m:ItemChanges></m:UpdateItem>"
        );
        let answer = self.stage.colleague(COLLEAGUE, &invited).await;
        assert!(answer.contains("NoError"), "{answer}");
    }

    /// Invites to single occurrences, by their numbers from 1.
    async fn invite(&self, numbers: &[u32]) {
        for number in numbers {
            let (id, number) = (&self.id, number);
            self.update(&format!("<t:OccurrenceItemId RecurringMasterId='{id}' InstanceIndex='{number}'/>"))
                .await;
        }
    }

    /// Invites to all of it.
    async fn invite_to_all(&self) {
        let get = format!(
            "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:ItemIds><t:ItemId Id='{}'/>\
             </m:ItemIds></m:GetItem>",
            self.id
        );
        let got = self.stage.colleague(COLLEAGUE, &get).await;
        let key = got.split("ChangeKey=\"").nth(1).unwrap().split('"').next().unwrap();
        self.update(&format!("<t:ItemId Id='{}' ChangeKey='{key}'/>", self.id)).await;
    }

    /// The user's items in Exchange: when the occurrence is, answer and minutes of the reminder.
    async fn items(&self) -> Vec<(String, String, String)> {
        let dump = self.stage.dump(USER).await;
        let folders = dump["folders"].as_array().unwrap();
        let items = folders.iter().find(|f| f["name"] == "Calendar").unwrap()["items"].as_array().unwrap();
        let text = |item: &serde_json::Value, field: &str| {
            item["properties"][field].as_str().unwrap_or_default().to_owned()
        };
        let mut items: Vec<_> = items
            .iter()
            .map(|item| {
                let remind = text(item, "item:ReminderMinutesBeforeStart");
                (text(item, "calendar:Start"), text(item, "calendar:MyResponseType"), remind)
            })
            .collect();
        items.sort();
        items
    }
}

/// The only object of a calendar: path, tag and text.
async fn only(client: &Client, calendar: &str) -> (String, String, String) {
    let listed = client.propfind(calendar, "1", "<D:getetag/>").await;
    let objects: Vec<_> = listed.responses().into_iter().filter(|r| !r.href.ends_with('/')).collect();
    let [object] = &objects[..] else { panic!("{}", listed.text()) };
    let got = client.ask("GET", &object.href, &[], "").await.expect(200);
    assert_eq!(got.header("etag"), object.text("getetag"));
    (object.href.clone(), object.text("getetag"), got.text().replace("\r\n ", ""))
}

/// The text with its `at`th VEVENT changed, or without it.
fn edited(text: &str, at: usize, edit: impl Fn(&str) -> String) -> String {
    let (head, rest) = text.split_once("BEGIN:VEVENT").unwrap();
    let mut events: Vec<String> =
        rest.split("BEGIN:VEVENT").map(|event| format!("BEGIN:VEVENT{event}")).collect();
    let last = events.pop().unwrap();
    events.push(last.replace("END:VCALENDAR\r\n", ""));
    events[at] = edit(&events[at]);
    format!("{head}{}END:VCALENDAR\r\n", events.concat())
}

fn accepted(event: &str) -> String {
    event.replace("NEEDS-ACTION", "ACCEPTED")
}

#[tokio::test(flavor = "multi_thread")]
async fn invitations_to_single_occurrences_of_one_series_are_one_object_and_each_is_answered() {
    let series = Series::new().await;
    let client = client_of(&series.stage, USER, "own").await;
    let calendar = dav::path::default_calendar(USER);
    series.invite(&[4, 2]).await;
    let (href, etag, text) = only(&client, &calendar).await;
    assert_eq!(lines_of(&text, "UID:").iter().collect::<BTreeSet<_>>().len(), 1, "{text}");
    assert_eq!(
        lines_of(&text, "RECURRENCE-ID"),
        ["RECURRENCE-ID:20270308T100000Z", "RECURRENCE-ID:20270322T100000Z"]
    );
    assert_eq!(text.matches("BEGIN:VEVENT").count(), 2);
    assert!(!text.contains("RRULE"));
    let elsewhere = client_of(&series.stage, USER, "elsewhere").await;
    assert_eq!(
        only(&elsewhere, &calendar).await,
        (href.clone(), etag.clone(), text.clone()),
        "on every gateway"
    );
    put(&client, &href, &text).await.expect(204);
    assert_eq!(sent(&series.stage, USER).await, [[""; 0]; 0], "what is unchanged tells nobody");

    // One is answered.
    let stale = etag.clone();
    let answered = edited(&text, 1, accepted);
    put_if(&client, &href, &etag, &answered).await.expect(204);
    assert_eq!(sent(&series.stage, USER).await, [[COLLEAGUE]]);
    let states: Vec<_> = series.items().await.into_iter().map(|(start, answer, _)| (start, answer)).collect();
    let state = |start: &str, answer: &str| (start.to_owned(), answer.to_owned());
    let unanswered = state("2027-03-08T10:00:00Z", "NoResponseReceived");
    assert_eq!(states, [unanswered, state("2027-03-22T10:00:00Z", "Accept")]);
    let (_, etag, text) = only(&client, &calendar).await;
    assert_ne!(etag, stale);
    put_if(&client, &href, &stale, &edited(&text, 0, accepted)).await.expect(412);

    // The other gets an alarm, and stays unanswered.
    let alarm =
        "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT42M\r\nEND:VALARM\r\nEND:VEVENT";
    let reminded = edited(&text, 0, |event| {
        let (before, rest) = event.split_once("BEGIN:VALARM").unwrap_or((event, ""));
        let after = rest.split_once("END:VALARM\r\n").map_or(rest, |(_, after)| after);
        format!("{before}{after}").replace("END:VEVENT", alarm)
    });
    put_if(&client, &href, &etag, &reminded).await.expect(204);
    let reminders: Vec<_> = series.items().await.into_iter().map(|(_, _, minutes)| minutes).collect();
    assert_eq!((reminders[0].as_str(), reminders[1] == "42"), ("42", false), "{reminders:?}");
    assert_eq!(sent(&series.stage, USER).await.len(), 1);

    // Both at once.
    let (_, etag, text) = only(&client, &calendar).await;
    assert!(text.contains("TRIGGER:-PT42M"), "{text}");
    let both = text.replace("NEEDS-ACTION", "TENTATIVE").replace("PARTSTAT=ACCEPTED", "PARTSTAT=TENTATIVE");
    put_if(&client, &href, &etag, &both).await.expect(204);
    assert_eq!(sent(&series.stage, USER).await.len(), 3);

    // One is left out, and the other removed.
    let (_, etag, text) = only(&client, &calendar).await;
    put_if(&client, &href, &etag, &edited(&text, 0, |_| String::new())).await.expect(204);
    assert_eq!(sent(&series.stage, USER).await.len(), 4, "it is declined");
    let left: Vec<_> = series.items().await.into_iter().map(|(start, ..)| start).collect();
    assert_eq!(left, ["2027-03-22T10:00:00Z"]);
    let (same, _, text) = only(&client, &calendar).await;
    assert_eq!((same.as_str(), lines_of(&text, "RECURRENCE-ID").len()), (href.as_str(), 1));
    client.ask("DELETE", &href, &[], "").await.expect(204);
    assert_eq!(sent(&series.stage, USER).await.len(), 5);
    assert!(series.items().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_single_occurrences_of_an_object_are_declined_with_it_or_with_their_answers() {
    let series = Series::new().await;
    let client = client_of(&series.stage, USER, "own").await;
    let calendar = dav::path::default_calendar(USER);
    series.invite(&[1, 2, 3]).await;
    let (href, etag, text) = only(&client, &calendar).await;
    let declined = edited(&text, 2, |event| event.replace("NEEDS-ACTION", "DECLINED"));
    put_if(&client, &href, &etag, &declined).await.expect(204);
    assert_eq!((sent(&series.stage, USER).await.len(), series.items().await.len()), (1, 2));
    put(&client, &href, &declined).await.expect(204);
    assert_eq!((sent(&series.stage, USER).await.len(), series.items().await.len()), (1, 2), "the same again");
    client.ask("DELETE", &href, &[("If-Match", &etag)], "").await.expect(412);
    client.ask("DELETE", &href, &[("Schedule-Reply", "F")], "").await.expect(204);
    assert_eq!((sent(&series.stage, USER).await.len(), series.items().await.len()), (1, 0));
    assert!(uids(&client, &calendar).await.is_empty());

    series.invite(&[5, 6]).await;
    let (href, ..) = only(&client, &calendar).await;
    client.ask("DELETE", &href, &[], "").await.expect(204);
    assert_eq!((sent(&series.stage, USER).await.len(), series.items().await.len()), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_single_occurrences_is_refused_what_only_the_organiser_may_do() {
    let series = Series::new().await;
    let client = client_of(&series.stage, USER, "own").await;
    let calendar = dav::path::default_calendar(USER);
    series.invite(&[2, 4]).await;
    let (href, _, text) = only(&client, &calendar).await;
    let id = "RECURRENCE-ID:20270308T100000Z";
    for (wrong, part) in [
        (text.replace(&format!("{id}\r\n"), ""), "RECURRENCE-ID"),
        (text.replace(id, "RECURRENCE-ID:20270315T100000Z"), "20270315T100000Z"),
        (text.replace("DTSTART:20270308T100000Z", "DTSTART:20270308T090000Z"), "organiser"),
        (text.replace(id, "RECURRENCE-ID:20270322T100000Z"), "twice"),
    ] {
        // What could be done of it is not done either.
        let wrong = wrong.replace("SUMMARY:single", "SUMMARY:mine");
        let refused = put(&client, &href, &wrong).await.expect(403);
        assert!(refused.text().contains(part), "{}", refused.text());
    }
    let elsewhere = calendar.replace("/calendar/", "/team/");
    client.ask("MKCALENDAR", &elsewhere, &[], "").await.expect(201);
    for method in ["MOVE", "COPY"] {
        let to = format!("{elsewhere}x.ics");
        let refused = client.ask(method, &href, &[("Destination", &to)], "").await.expect(403);
        assert!(refused.text().contains("single occurrences"), "{}", refused.text());
    }
    assert_eq!(only(&client, &calendar).await.2, text);
    assert!(sent(&series.stage, USER).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_invitation_that_comes_or_goes_is_one_change_of_the_same_object() {
    let series = Series::new().await;
    let client = client_of(&series.stage, USER, "own").await;
    let calendar = dav::path::default_calendar(USER);
    let token = std::cell::RefCell::new(String::new());
    let changes = async || {
        let wanted = format!(
            "<D:sync-collection><D:sync-token>{}</D:sync-token><D:sync-level>1</D:sync-level><D:prop>\
             <D:getetag/></D:prop></D:sync-collection>",
            token.borrow()
        );
        let answer = client.report(&calendar, &wanted).await.expect(207);
        *token.borrow_mut() = answer.xml().find("sync-token").unwrap().text().into_owned();
        let tag = |r: &crate::support::http::Response| r.found("getetag").map(|_| r.text("getetag"));
        answer.responses().iter().map(|r| (r.href.clone(), tag(r))).collect::<Vec<_>>()
    };
    client.propfind(&calendar, "1", "<D:getetag/>").await;
    changes().await;
    let (mut tags, mut hrefs) = (BTreeSet::new(), BTreeSet::new());
    for number in [3, 1, 5] {
        series.invite(&[number]).await;
        let seen = changes().await;
        let [(href, Some(etag))] = &seen[..] else { panic!("{seen:?}") };
        assert!(tags.insert(etag.clone()), "a new tag");
        hrefs.insert(href.clone());
    }
    assert_eq!(hrefs.len(), 1);
    assert_eq!(lines_of(&only(&client, &calendar).await.2, "RECURRENCE-ID").len(), 3);
    // The first of them, which the others joined, is answered in Outlook and taken back there.
    let dump = series.stage.dump(USER).await;
    let items =
        dump["folders"].as_array().unwrap().iter().find(|f| f["name"] == "Calendar").unwrap()["items"]
            .clone();
    let of = |start: &str| {
        let found =
            items.as_array().unwrap().iter().find(|i| i["properties"]["calendar:Start"] == start).unwrap();
        found["id"].as_str().unwrap().to_owned()
    };
    series.stage.delete_event(USER, &of("2027-03-15T10:00:00Z")).await;
    let seen = changes().await;
    let [(href, Some(etag))] = &seen[..] else { panic!("{seen:?}") };
    assert!(tags.insert(etag.clone()) && hrefs.contains(href));
    for start in ["2027-03-01T10:00:00Z", "2027-03-29T10:00:00Z"] {
        series.stage.delete_event(USER, &of(start)).await;
    }
    assert_eq!(changes().await, [(href.clone(), None)], "it is gone with the last");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_invited_to_the_whole_series_later_sees_the_series_under_its_uid() {
    let series = Series::new().await;
    let client = client_of(&series.stage, USER, "own").await;
    let calendar = dav::path::default_calendar(USER);
    series.invite(&[2, 4]).await;
    let (href, _, text) = only(&client, &calendar).await;
    let uid = lines_of(&text, "UID:")[0].to_owned();
    let dump = series.stage.dump(USER).await;
    let folders = dump["folders"].as_array().unwrap();
    let items = folders.iter().find(|f| f["name"] == "Calendar").unwrap()["items"].as_array().unwrap();
    let singles: Vec<String> = items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    series.invite_to_all().await;
    // While Exchange holds both, no UID is there twice.
    let both = uids(&client, &calendar).await;
    assert_eq!(both.values().collect::<BTreeSet<_>>().len(), 3, "{both:?}");
    assert_eq!(both.get(&href), Some(&uid), "the series has it");
    assert!(client.ask("GET", &href, &[], "").await.text().contains("RRULE"));
    for id in singles {
        series.stage.delete_event(USER, &id).await;
    }
    assert_eq!(uids(&client, &calendar).await, BTreeMap::from([(href, uid)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_the_words_of_the_mail_is_given_and_not_refused() {
    let stage = Stage::empty(3).await;
    let host = client_of(&stage, COLLEAGUE, "colleague").await;
    let client = client_of(&stage, USER, "own").await;
    let (calendar, theirs) = (dav::path::default_calendar(USER), dav::path::default_calendar(COLLEAGUE));
    let organizer = format!("ORGANIZER:mailto:{COLLEAGUE}");
    let guests = ["ATTENDEE:mailto:demo@example.com", "ATTENDEE:mailto:demo3@example.com"];
    let asked = event("asked", &[&organizer, guests[0], guests[1]]);
    put(&host, &format!("{theirs}asked.ics"), &asked).await.expect(201);
    let (href, served) = titled(&client, &calendar, "asked").await.unwrap();
    let etag = client.ask("GET", &href, &[], "").await.header("etag").to_owned();
    let mail = |answer: &str| {
        let own = format!("ATTENDEE;PARTSTAT={answer};CN=Demo;RSVP=TRUE:MAILTO:demo@example.com");
        event("asked", &[&organizer, &own]).replace("SUMMARY:asked", "SUMMARY:Invitation: asked")
    };
    for refused in [
        put_if(&client, &href, &etag, &mail("ACCEPTED")).await,
        put(&client, &href, &mail("ACCEPTED").replace("DTSTART:20270610T10", "DTSTART:20270610T09")).await,
        put(&client, &href, &mail("NEEDS-ACTION")).await,
    ] {
        assert_eq!(refused.status, 403, "{}", refused.text());
    }
    assert!(sent(&stage, USER).await.is_empty());
    let answered = put(&client, &href, &mail("ACCEPTED")).await.expect(204);
    assert_eq!(answered.header("etag"), "", "what is stored is not what was sent");
    assert_eq!(sent(&stage, USER).await, [[COLLEAGUE]]);
    let (_, now) = titled(&client, &calendar, "asked").await.unwrap();
    let people = |text: &str| lines_of(text, "ATTENDEE").len();
    assert!(now.contains("PARTSTAT=ACCEPTED") && people(&now) == people(&served), "{now}");
    for _ in 0..2 {
        put(&client, &href, &mail("DECLINED")).await.expect(204);
        assert_eq!(sent(&stage, USER).await, [[COLLEAGUE], [COLLEAGUE]]);
        assert!(titled(&client, &calendar, "asked").await.is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mail_of_one_occurrence_says_nothing_of_the_others() {
    let series = Series::new().await;
    let client = client_of(&series.stage, USER, "own").await;
    let calendar = dav::path::default_calendar(USER);
    series.invite(&[2, 4]).await;
    let (href, _, text) = only(&client, &calendar).await;
    let own = format!("ATTENDEE;PARTSTAT=ACCEPTED;CN=Me:mailto:{USER}");
    let uid = lines_of(&text, "UID:")[0].trim_start_matches("UID:").to_owned();
    let mail =
        event(&uid, &["RECURRENCE-ID:20270322T100000Z", &format!("ORGANIZER:mailto:{COLLEAGUE}"), &own]);
    let mail = mail.replace("20270610T", "20270322T").replace("SUMMARY:", "SUMMARY:Invitation ");
    for _ in 0..2 {
        put(&client, &href, &mail).await.expect(204);
        let answers: Vec<_> = series.items().await.into_iter().map(|(_, answer, _)| answer).collect();
        assert_eq!(answers, ["NoResponseReceived", "Accept"]);
        assert_eq!(sent(&series.stage, USER).await, [[COLLEAGUE]]);
    }
    // One that came in after the client's last look.
    let other = client_of(&series.stage, USER, "other").await;
    other.propfind(&calendar, "1", "<D:getetag/>").await;
    let mail = mail.replace("20270322T", "20270308T");
    let answered = put(&other, &format!("{calendar}by-mail.ics"), &mail).await;
    assert!(answered.status < 300 && answered.header("etag").is_empty(), "{}", answered.text());
    let answers: Vec<_> = series.items().await.into_iter().map(|(_, answer, _)| answer).collect();
    assert_eq!(answers, ["Accept", "Accept"]);
    assert_eq!(sent(&series.stage, USER).await.len(), 2);
}
