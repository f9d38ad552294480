//! What clients write, through the whole gateway: each case with an input is sent to a server before a simulated
//! Exchange and judged by all blocks of its expectation, then read again through a gateway that starts empty.
//!
//! The cases' people become people of the simulated Exchange: anna is `demo@example.com`, bob `demo2@example.com`.

use crate::golden::back::{self, Served};
use crate::golden::calls::{self, Call};
use crate::golden::case::{Case, ZONE, cases};
use crate::golden::item::{self, Source};
use crate::support::http::{Client, basic};
use crate::support::{PASSWORD, Stage, USER};
use bytes::Bytes;
use exdav::convert;
use exdav::gateway;
use exdav::model::item::{Attendee, Field, Item, ItemClass};
use exdav::simulator;
use exdav::text::Component;
use exdav::upstream::ews::{self, Credentials, Session};
use exdav::upstream::{FolderSelector, WellKnownFolder};
use exdav::xml::Element;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

const BOB: &str = "demo2@example.com";
const PEOPLE: [(&str, &str); 4] = [
    ("anna@example.org", USER),
    ("bob@example.org", BOB),
    ("ATTENDEE anna ", "ATTENDEE demo "),
    ("ATTENDEE bob ", "ATTENDEE demo2 "),
];

/// Cases that several writes tell are told step by step in tests of their own.
const ELSEWHERE: [(&str, &str); 5] = [
    ("c05-photo-v4-and-removed", "tests/cards.rs"),
    ("c12-group-v4", "tests/cards.rs"),
    ("c13-group-apple", "tests/cards.rs"),
    ("t09-recurring-completed-status", "tests/cards.rs"),
    ("c04-photo-v3", "tests/cards.rs"),
];

fn local(text: &str) -> String {
    // Addresses may be folded.
    let unfolded = text.replace("\r\n ", "");
    let count = |text: &str| PEOPLE.iter().map(|(theirs, _)| text.matches(theirs).count()).sum::<usize>();
    let text = if count(&unfolded) > count(text) { &unfolded } else { text };
    PEOPLE.iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
}

/// A case on its own stage.
struct Run<'a> {
    case: &'a Case,
    stage: Stage,
    record: PathBuf,
    _folder: tempfile::TempDir,
    server: Client,
    folder: &'static str,
    well_known: WellKnownFolder,
    input: Bytes,
    accept: &'static str,
}

/// An answer of the gateway.
struct Answer {
    status: u16,
    etag: Option<String>,
    body: Bytes,
}

impl<'a> Run<'a> {
    async fn of(case: &'a Case, file: &str, input: Bytes) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = simulator::Settings {
            events: Some(0),
            contacts: Some(0),
            tasks: Some(0),
            record: Some(folder.path().to_owned()),
            ..simulator::Settings::default()
        };
        let stage = Stage::of(settings).await;
        let record = stage.record.clone().unwrap();
        let server = server(case, &stage, stage.store.path()).await;
        let (kind, well_known) = match case.name.chars().next() {
            _ if file.ends_with(".vcf") => ("card/demo~40example.com/contacts", WellKnownFolder::Contacts),
            Some('t') => ("cal/demo~40example.com/tasks", WellKnownFolder::Tasks),
            _ => ("cal/demo~40example.com/calendar", WellKnownFolder::Calendar),
        };
        let accept = match std::str::from_utf8(&input) {
            Ok(text) if text.contains("VERSION:4.0") => "text/vcard; version=4.0",
            Ok(text) if text.contains("BEGIN:VCARD") => "text/vcard; version=3.0",
            _ => "text/calendar",
        };
        let input = match std::str::from_utf8(&input) {
            Ok(text) => local(text).into(),
            Err(_) => input,
        };
        Self { case, stage, record, _folder: folder, server, folder: kind, well_known, input, accept }
    }

    async fn ask(
        &self,
        server: &Client,
        method: &str,
        name: &str,
        body: Option<Bytes>,
        etag: &str,
    ) -> Answer {
        let url = format!("http://{}/dav/{}/{name}", server.server.address, self.folder);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let media = if self.accept.starts_with("text/vcard") { "text/vcard" } else { "text/calendar" };
        let mut request = http
            .request(method.parse().unwrap(), url)
            .header("authorization", basic(USER, PASSWORD))
            .header("accept", self.accept);
        if !etag.is_empty() {
            request = request.header("if-match", etag);
        }
        if let Some(body) = body {
            request = request.header("content-type", media).body(body);
        }
        let answer = request.send().await.unwrap();
        let etag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        Answer { status: answer.status().as_u16(), etag, body: answer.bytes().await.unwrap() }
    }

    async fn get(&self, name: &str) -> Answer {
        self.ask(&self.server, "GET", name, None, "").await
    }

    async fn put(&self, name: &str, body: Bytes, etag: &str) -> Answer {
        self.ask(&self.server, "PUT", name, Some(body), etag).await
    }

    fn session(&self, user: &str) -> Session {
        let url = format!("http://{}/EWS/Exchange.asmx", self.stage.exchange.exchange);
        let exchange = ews::Exchange::new(ews::Settings { url, ..ews::Settings::default() }).unwrap();
        exchange.session(Credentials::password(user, PASSWORD))
    }

    /// All items of the folder, as a colleague with all rights would see them.
    async fn items(&self) -> Vec<Item> {
        let session = self.session(USER);
        let folders = session.get_folders(&[FolderSelector::WellKnown(self.well_known)]).await.unwrap();
        let folder = folders.into_iter().next().unwrap().unwrap();
        let page = session.sync_items(&folder.id, None).await.unwrap();
        let mut items = Vec::new();
        for change in page.changes {
            if let exdav::upstream::ItemChange::Written(id, Some(class)) = change {
                items.push(session.get_items(class, &[&id.id]).await.unwrap().remove(0).unwrap());
            }
        }
        items
    }

    /// The case's own item.
    async fn item(&self, uid: &str) -> Option<Item> {
        let items = self.items().await;
        items.into_iter().find(|item| {
            item.text(Field::ClientUid).as_deref() == Some(uid)
                || item.text(Field::Uid).as_deref() == Some(uid)
        })
    }

    /// What is in Exchange before the client writes; the name under which the client knows it, and its tag.
    async fn prepare(&self, name: &str) -> (String, String) {
        let before = match self.case.name.as_str() {
            "e35-attendee-accepts" => Some((BOB, invitation(&self.case.read("before.xml").unwrap()))),
            "e55-html-untouched" => Some((USER, TEAMS.to_owned())),
            _ => None,
        };
        if let Some((user, request)) = before {
            let answer = self.stage.colleague(user, &request).await;
            assert!(answer.contains("NoError"), "{answer}");
            let uid = self.uid();
            let item = self.item(&uid).await.expect("what is there before");
            let name = convert::render(&convert::Context::of(USER), &item, &convert::Related::default())
                .unwrap()
                .name;
            let got = self.get(name.as_str()).await;
            assert_eq!(got.status, 200, "{}", self.case.name);
            return (name.to_string(), got.etag.unwrap());
        }
        if self.case.name == "e80-snooze-only" {
            let text = String::from_utf8(self.input.to_vec()).unwrap();
            let calm: String =
                text.split_inclusive("\r\n").filter(|line| !line.starts_with("X-MOZ-")).collect();
            let first = self.put(name, calm.into(), "").await;
            assert_eq!(first.status, 201);
            self.accept_as_bob().await;
            let got = self.get(name).await;
            return (name.to_owned(), got.etag.unwrap());
        }
        (name.to_owned(), String::new())
    }

    fn uid(&self) -> String {
        let root = Component::parse(&self.input).unwrap();
        let value = |c: &Component| c.line("UID").map(|line| line.value.clone());
        value(&root).or_else(|| root.children.iter().find_map(value)).unwrap_or_default()
    }

    /// Bob accepts what he was invited to.
    async fn accept_as_bob(&self) {
        let session = self.session(BOB);
        let folders =
            session.get_folders(&[FolderSelector::WellKnown(WellKnownFolder::Calendar)]).await.unwrap();
        let page = session.sync_items(&folders[0].as_ref().unwrap().id, None).await.unwrap();
        let id = page.changes.into_iter().find_map(|change| match change {
            exdav::upstream::ItemChange::Written(id, _) => Some(id),
            exdav::upstream::ItemChange::Gone(_) => None,
        });
        session.answer(&id.expect("an invitation"), exdav::upstream::Answer::Accept, "", true).await.unwrap();
    }

    async fn sent(&self, user: &str) -> usize {
        self.stage.dump(user).await["sent"].as_array().unwrap().len()
    }
}

/// What is told of octets in the text needs the setting that puts them there: by default attachments are links, since
/// nobody waits for octets that nobody asked for.
const INLINE: [&str; 1] = ["e60-attach-inline"];

async fn server(case: &Case, stage: &Stage, store: &std::path::Path) -> Client {
    let settings = gateway::Settings { zone: ZONE.to_owned(), ..gateway::Settings::default() };
    let limit = if INLINE.contains(&case.name.as_str()) { 64 << 10 } else { 0 };
    let convert = convert::Settings { inline_attachments: limit, ..convert::Settings::default() };
    let gateway = stage.gateway_rendering(Duration::ZERO, store, settings, convert);
    Client::of(gateway, USER, PASSWORD).await
}

/// Bob invites anna to what the file holds.
fn invitation(before: &str) -> String {
    let item = Element::parse(before.as_bytes()).unwrap();
    let text = |local: &str| item.find(local).unwrap().text().into_owned();
    format!(
        "<m:CreateItem SendMeetingInvitations='SendToAllAndSaveCopy'><m:Items><t:CalendarItem>\
         <t:Subject>{}</t:Subject><t:UID>{}</t:UID><t:Start>{}</t:Start><t:End>{}</t:End>\
         <t:RequiredAttendees><t:Attendee><t:Mailbox><t:EmailAddress>{USER}</t:EmailAddress></t:Mailbox>\
         </t:Attendee></t:RequiredAttendees><t:StartTimeZone Id='W. Europe Standard Time'/>\
         <t:EndTimeZone Id='W. Europe Standard Time'/></t:CalendarItem></m:Items></m:CreateItem>",
        text("Subject"),
        text("UID"),
        text("Start"),
        text("End")
    )
}

const TEAMS: &str = "<m:CreateItem SendMeetingInvitations='SendToNone'><m:Items><t:CalendarItem>\
    <t:Subject>Sync</t:Subject><t:Body BodyType='HTML'>&lt;a href=\"https://teams.example/l/meetup-join/1\"&gt;Join \
    the meeting now&lt;/a&gt;&lt;br&gt;Meeting ID: 123 456 789</t:Body><t:ReminderIsSet>false</t:ReminderIsSet><t:UID>case-e55@pack.test</t:UID>\
    <t:Start>2026-03-02T08:00:00Z</t:Start><t:End>2026-03-02T09:00:00Z</t:End></t:CalendarItem></m:Items>\
    </m:CreateItem>";

/// `http` blocks.
fn judge_http(lines: &[&str], answer: &Answer) -> Vec<String> {
    let mut wrong = Vec::new();
    for line in lines {
        let holds = match line.split_once(' ').unwrap() {
            ("status", status) => answer.status.to_string() == status,
            ("header", "ETag present") => answer.etag.is_some(),
            ("header", "ETag absent") => answer.etag.is_none(),
            ("error", name) => Element::parse(&answer.body).is_ok_and(|error| {
                error.children().any(|e| format!("{{{}}}{}", e.name().namespace(), e.name().local()) == name)
            }),
            _ => panic!("not understood: {line}"),
        };
        if !holds {
            let body = String::from_utf8_lossy(&answer.body);
            wrong.push(format!("{line}\n      seen: {} {:?} {body}", answer.status, answer.etag));
        }
    }
    wrong
}

/// `ADDRESS (Name NAME), …`
fn people(attendees: &[Attendee]) -> Vec<String> {
    let spell = |a: &Attendee| format!("{} (Name {})", a.mailbox.address.to_lowercase(), a.mailbox.name);
    attendees.iter().map(spell).collect()
}

fn judge_people(item: &Item, path: &str, rest: &str) -> Option<String> {
    let local = path.rsplit(':').next().unwrap();
    let list = match local {
        "RequiredAttendees" => Field::Required,
        "OptionalAttendees" => Field::Optional,
        _ => Field::Resources,
    };
    let wrong = |seen: String| Some(format!("{path} {rest}\n      seen: {seen}"));
    match (local, rest.strip_prefix("= ")) {
        ("Organizer", Some(value)) => {
            let seen = item.organizer()?.address;
            if value.starts_with(&seen) { None } else { wrong(seen) }
        }
        (_, None) => {
            let seen = people(&item.attendees(list));
            if rest == "absent" && seen.is_empty() { None } else { wrong(seen.join(", ")) }
        }
        (_, Some(value)) => {
            let seen = people(&item.attendees(list)).join(", ");
            if seen == value { None } else { wrong(seen) }
        }
    }
}

/// Deleted and changed occurrences of a series.
async fn judge_occurrences(run: &Run<'_>, item: &Item, path: &str, rest: &str) -> Option<String> {
    let wrong = |seen: String| Some(format!("{path} {rest}\n      seen: {seen}"));
    let utc = |at: &jiff::Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let deleted: Vec<String> = item.deleted_occurrences().iter().map(utc).collect();
    if rest == "absent" {
        return if deleted.is_empty() { None } else { wrong(deleted.join(", ")) };
    }
    let value = rest.strip_prefix("= ").unwrap();
    if path.starts_with("calendar:DeletedOccurrences") {
        let seen = if path.contains("[*]") { deleted.join(", ") } else { deleted.first()?.clone() };
        return if seen == value { None } else { wrong(seen) };
    }
    let number: usize = path.split(['[', ']']).nth(1).unwrap().parse().unwrap();
    let modified = item.modified_occurrences();
    let Some(occurrence) = modified.get(number - 1) else { return wrong("no such occurrence".to_owned()) };
    let fetched = run.session(USER).get_items(ItemClass::CalendarItem, &[&occurrence.id.id]).await.unwrap();
    let exception = fetched.into_iter().next().unwrap().unwrap();
    for part in value.split(", ") {
        let (name, wanted) = part.split_once(' ').unwrap();
        let seen = match name {
            "OriginalStart" => utc(&occurrence.original_start),
            _ => item::text(&exception, name).unwrap_or_default(),
        };
        if seen != wanted {
            return wrong(format!("{name} {seen}"));
        }
    }
    None
}

/// What cases tell of Exchange and exdav does not read.
const NOT_ASKED_FOR: [&str; 2] = ["calendar:IsMeeting", "item:HasAttachments"];

async fn judge_ews(run: &Run<'_>, item: &Item, before: Option<&Item>, line: &str) -> Option<String> {
    let (path, rest) = line.split_once(' ').unwrap_or((line, ""));
    if NOT_ASKED_FOR.contains(&path) {
        let (local, value) = (path.rsplit(':').next().unwrap(), rest.strip_prefix("= ").unwrap());
        let request = format!(
            "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI \
             FieldURI='{path}'/></t:AdditionalProperties></m:ItemShape><m:ItemIds><t:ItemId Id='{}'/></m:ItemIds>\
             </m:GetItem>",
            item.id.id
        );
        let answer = run.stage.colleague(USER, &request).await;
        let holds = answer.contains(&format!("<t:{local}>{value}</t:{local}>"));
        return (!holds).then(|| format!("{line}\n      seen: {answer}"));
    }
    if path.ends_with("Attendees") || ["calendar:Resources", "calendar:Organizer"].contains(&path) {
        return judge_people(item, path, rest.split(" (set by").next().unwrap());
    }
    if path.contains("Occurrences") && !path.contains("NumberOf") {
        return judge_occurrences(run, item, path, rest).await;
    }
    if rest == "unchanged" {
        let local = path.rsplit(':').next().unwrap();
        let local = if local.starts_with("Body") { "Body" } else { local };
        let seen = |item: &Item| item::text(item, local);
        let (then, now) = (seen(before.expect("something was there")), seen(item));
        return (then != now).then(|| format!("{line}\n      before: {then:?}\n      after: {now:?}"));
    }
    if let Some((value, other)) = rest.strip_prefix("= ").and_then(|rest| rest.split_once(" or ")) {
        let judged = |value: &str| item::judge(item, Source::Exchange(ZONE), &format!("{path} = {value}"));
        // A second form that is told in prose is no form.
        return judged(value).and_then(|wrong| judged(other).map(|_| wrong));
    }
    item::judge(item, Source::Exchange(ZONE), line)
}

/// What "Must not happen" names and no other block can see.
async fn judge_never(run: &Run<'_>, name: &str, calls: &[Call], item: Option<&Item>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |holds: bool, what: &str| {
        if !holds {
            wrong.push(format!("must not happen: {what}"));
        }
    };
    let sent = run.sent(USER).await;
    match run.case.name.as_str() {
        "e34-attendees-organizer-self" => check(sent == 1, "an invitation is sent twice"),
        "e35-attendee-accepts" => check(sent == 1, "two replies"),
        // The invitation itself was sent when the meeting was made.
        "e80-snooze-only" => check(sent == 1, "an update to those who are invited"),
        _ => check(sent == 0 && !calls.iter().any(Call::notifies), "mail to anybody"),
    }
    let read_only = ["calendar:DeletedOccurrences", "calendar:ModifiedOccurrences", "contacts:Notes"];
    check(
        !calls
            .iter()
            .filter(|c| !c.is_read())
            .any(|call| call.fields().iter().any(|field| read_only.contains(&field.as_str()))),
        "what cannot be written is written",
    );
    if run.case.name == "e60-attach-inline" {
        let item = item.expect("an item");
        let kept = item.kept().concat();
        check(!kept.contains("aGVsbG8sIHdvcmxk"), "the octets kept twice");
        let served = run.get(name).await;
        let renamed = String::from_utf8(served.body.to_vec()).unwrap().replace("SUMMARY:", "SUMMARY:Again ");
        check(run.put(name, renamed.into(), "").await.status == 204, "a later change is refused");
        let item = run.item(&run.uid()).await.unwrap();
        check(item.attachments().len() == 1, "a second copy of the attachment");
    }
    wrong
}

fn served(name: &str, answer: &Answer) -> Served {
    Served { name: name.to_owned(), body: answer.body.clone(), vcard4: Some(answer.body.clone()) }
}

async fn judge_back(run: &Run<'_>, name: &str, answer: &Answer) -> Vec<String> {
    let mut wrong = Vec::new();
    let lines: Vec<String> = run.case.assertions("back").into_iter().map(local).collect();
    let root = Component::parse(&answer.body).ok();
    for line in &lines {
        let fault = match line.as_str() {
            "same-octets" => (answer.body != run.input)
                .then(|| format!("other octets: {}", String::from_utf8_lossy(&answer.body))),
            line if line.starts_with("status ") => (line != format!("status {}", answer.status))
                .then(|| format!("{line}\n      seen: {}", answer.status)),
            line => root.as_ref().and_then(|root| back::judge(run.case, &served(name, answer), root, line)),
        };
        wrong.extend(fault);
    }
    if lines
        .iter()
        .any(|line| line.starts_with("a second PUT of the same UID under another name answers 403"))
    {
        let answer = run.put("another.ics", run.input.clone(), "").await;
        wrong.extend(judge_http(
            &["status 403", "error {urn:ietf:params:xml:ns:caldav}no-uid-conflict"],
            &answer,
        ));
    }
    if lines.iter().any(|line| line.starts_with("one ATTACH with the 13 octets")) {
        let root = root.as_ref().expect("an object");
        let attached: Vec<_> = root.children.iter().flat_map(|c| c.lines_named("ATTACH")).collect();
        let inline = |value: &str| value == "aGVsbG8sIHdvcmxkCg==";
        if attached.len() != 1 || !(inline(&attached[0].value) || attached[0].param("MANAGED-ID").is_some()) {
            wrong.push(format!("one ATTACH\n      seen: {attached:?}"));
        }
    }
    wrong
}

async fn judge(case: &Case, file: &str, input: Bytes) -> Vec<String> {
    let run = Run::of(case, file, input).await;
    let encoded = percent_encoding::utf8_percent_encode(file, percent_encoding::NON_ALPHANUMERIC).to_string();
    let (name, etag) = run.prepare(&encoded).await;
    let uid = run.uid();
    let before = run.item(&uid).await;
    // Whoever comes first has the folder followed; this is no part of the write.
    run.ask(&run.server, "GET", "nothing.ics", None, "").await;
    let (_, from) = calls::recorded(&run.record, 0);
    let answer = run.put(&name, run.input.clone(), &etag).await;
    let (calls, _) = calls::recorded(&run.record, from);
    let http = case.assertions("http");
    let mut wrong = judge_http(&http, &answer);
    let is_refused = http.iter().any(|line| line.starts_with("status 4"));
    let lines = case.assertions("calls");
    if is_refused {
        wrong.extend(
            calls.iter().filter(|call| !call.is_read()).map(|call| format!("called {}", call.operation)),
        );
    } else if !lines.is_empty() {
        wrong.extend(calls::judge(&lines, &calls, &case.dir));
    }
    let got = run.get(&name).await;
    let item = run.item(&uid).await;
    wrong.extend(judge_back(&run, &name, &got).await);
    if is_refused {
        if got.status != 404 || item.is_some() {
            wrong.push(format!("refused, and there: {} {item:?}", got.status));
        }
        return wrong;
    }
    match &item {
        None => wrong.push("the item is not in Exchange".to_owned()),
        Some(item) => {
            for line in case.assertions("ews").into_iter().map(local) {
                wrong.extend(judge_ews(&run, item, before.as_ref(), &line).await);
            }
        }
    }
    let store = tempfile::tempdir().unwrap();
    let elsewhere = server(case, &run.stage, store.path()).await;
    let other = run.ask(&elsewhere, "GET", &name, None, "").await;
    if (other.status, &other.body, &other.etag) != (got.status, &got.body, &got.etag) {
        let text = String::from_utf8_lossy(&other.body);
        wrong.push(format!("another gateway serves {} {:?} {text}", other.status, other.etag));
    }
    wrong.extend(judge_never(&run, &name, &calls, item.as_ref()).await);
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_write_goes_through_the_whole_gateway_as_the_cases_say() {
    let mut outcomes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for case in cases() {
        let Some((file, octets)) = case.input() else { continue };
        if let Some((_, place)) = ELSEWHERE.iter().find(|(name, _)| *name == case.name) {
            println!("{}: step by step in {place}", case.name);
            continue;
        }
        if INLINE.contains(&case.name.as_str()) {
            println!("{}: with calendar.inline_attachments = \"64 KB\"", case.name);
        }
        let wrong = judge(&case, &file, octets).await;
        outcomes.insert(case.name.clone(), wrong);
    }
    for (name, wrong) in &outcomes {
        println!("{} {name}", if wrong.is_empty() { "pass" } else { "FAIL" });
        for line in wrong {
            println!("    {line}");
        }
    }
    let failed: Vec<&String> =
        outcomes.iter().filter(|(_, wrong)| !wrong.is_empty()).map(|(n, _)| n).collect();
    println!("{} cases passed", outcomes.len() - failed.len());
    assert!(failed.is_empty(), "{failed:?}");
}
