//! What clients see of a mailbox that is being mirrored for the first time.

use crate::support::http::{Answer, Client, NAMESPACES, Response};
use crate::support::{PASSWORD, Stage, USER, calendar, numbered, put_number};
use exdav::gateway::Settings;
use exdav::gateway::write::Conditions;
use exdav::model::id::CollectionId;
use exdav::{convert, dav, server, simulator, sync};
use futures_util::{StreamExt as _, stream};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_hours(1);
/// Milliseconds that each call to Exchange takes.
const SLOW: u64 = 300;

/// Its own store, collections are filled from the sign-in on, and clients are answered within so long.
async fn gateway(stage: &Stage, store: &Path, answer_within: Duration) -> Client {
    let live = sync::live::Settings { enabled: false, ..sync::live::Settings::default() };
    let sync = sync::Settings { freshness: LONG, live, fill_at_sign_in: true, ..sync::Settings::default() };
    let gateway = stage.gateway_following(sync, store, Settings::default(), convert::Settings::default());
    let dav = dav::Settings { answer_within, ..dav::Settings::default() };
    let settings = server::Settings { dav, ..server::Settings::default() };
    Client::with(settings, gateway, USER, PASSWORD).await
}

fn at() -> String {
    dav::path::default_calendar(USER)
}

fn home() -> String {
    at().trim_end_matches("calendar/").to_owned()
}

const ETAGS: &str = "<D:getetag/>";

/// Name and ETag of each member that an answer lists.
fn listed(answer: &Answer) -> BTreeMap<String, String> {
    let member = |response: &Response| {
        let etag = response.text("getetag");
        (!etag.is_empty()).then(|| (response.href.clone(), etag))
    };
    answer.responses().iter().filter_map(member).collect()
}

struct Part {
    members: BTreeMap<String, String>,
    gone: Vec<String>,
    token: String,
    goes_on: bool,
}

async fn part(client: &Client, agent: &str, token: &str) -> Answer {
    let body = format!(
        "<D:sync-collection {NAMESPACES}><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>\
         <D:prop>{ETAGS}</D:prop></D:sync-collection>"
    );
    client.ask("REPORT", &at(), &[("User-Agent", agent)], &body).await
}

fn read(answer: &Answer) -> Part {
    let (mut members, mut gone, mut goes_on) = (BTreeMap::new(), Vec::new(), false);
    for response in answer.responses() {
        let etag = response.text("getetag");
        if response.href == at() {
            goes_on = answer.text().contains("507 Insufficient Storage");
        } else if etag.is_empty() {
            gone.push(response.href.clone());
        } else {
            members.insert(response.href.clone(), etag);
        }
    }
    let token =
        answer.xml().children().find(|e| e.name().local() == "sync-token").unwrap().text().into_owned();
    Part { members, gone, token, goes_on }
}

const THUNDERBIRD: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Thunderbird/153.7.0";

/// As a client does that goes on: all parts, how many there were, and when the first came.
async fn synced(client: &Client, token: &str) -> (BTreeMap<String, String>, Vec<String>, u32, Duration) {
    let began = Instant::now();
    let (mut all, mut gone, mut token, mut parts) = (BTreeMap::new(), Vec::new(), token.to_owned(), 0);
    let mut first = None;
    loop {
        let got = read(&part(client, THUNDERBIRD, &token).await.expect(207));
        first = first.or_else(|| (!got.members.is_empty()).then(|| began.elapsed()));
        all.extend(got.members);
        gone.extend(got.gone);
        token = got.token;
        parts += 1;
        if !got.goes_on {
            return (all, gone, parts, first.unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_home_and_a_small_calendar_do_not_wait_for_the_first_fill_of_a_large_one() {
    let stage = Stage::with_events(500).await;
    let store = tempfile::tempdir().unwrap();
    let client = gateway(&stage, store.path(), Duration::from_secs(40)).await;
    stage.latency(SLOW).await;
    let props = "<D:displayname/><D:sync-token/><CS:getctag/>";
    let answer = client.propfind(&home(), "1", props).await.expect(207);
    let large = answer.responses().into_iter().find(|response| response.href == at()).unwrap();
    assert_eq!(large.text("displayname"), "Calendar");
    assert_eq!(large.text("sync-token"), "", "what is not complete has no token");
    assert_eq!(large.text("getctag"), "");
    let small = client.propfind(&format!("{}tasks/", home()), "1", ETAGS).await.expect(207);
    assert!(listed(&small).len() > 10);
    let depth_0 = client.propfind(&at(), "0", props).await.expect(207);
    assert_eq!(depth_0.responses()[0].text("getctag"), "", "the large one is not complete yet");
    let all = client.propfind(&at(), "1", ETAGS).await.expect(207);
    assert!(listed(&all).len() >= 500);
    let depth_0 = client.propfind(&at(), "0", props).await.expect(207);
    assert_ne!(depth_0.responses()[0].text("getctag"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_on_gets_the_first_events_at_once_and_in_the_end_all_of_them() {
    let stage = Stage::with_events(500).await;
    let store = tempfile::tempdir().unwrap();
    let client = gateway(&stage, store.path(), Duration::from_secs(40)).await;
    stage.latency(SLOW).await;
    let began = Instant::now();
    let (all, gone, parts, first) = synced(&client, "").await;
    assert!(first < began.elapsed(), "the first events came last");
    assert!(parts > 2, "{parts} parts");
    assert_eq!(gone, Vec::<String>::new());
    let listing = client.propfind(&at(), "1", ETAGS).await.expect(207);
    assert_eq!(all, listed(&listing));
    // Somebody who is not known to go on gets all at once.
    let other = tempfile::tempdir().unwrap();
    let client = gateway(&stage, other.path(), Duration::from_secs(40)).await;
    let whole = read(&part(&client, "vdirsyncer/0.21.0", "").await.expect(207));
    assert!(!whole.goes_on);
    assert_eq!(whole.members, all, "a mirror that was deleted comes back with the same names and ETags");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_come_back_after_503_gets_no_503_and_no_half_of_a_calendar() {
    let stage = Stage::with_events(400).await;
    let store = tempfile::tempdir().unwrap();
    let client = gateway(&stage, store.path(), Duration::from_millis(300)).await;
    client.propfind("/dav/", "0", "<D:displayname/>").await.expect(207);
    stage.latency(400).await;
    let query = format!(
        "<C:calendar-query {NAMESPACES}><D:prop>{ETAGS}</D:prop><C:filter><C:comp-filter name='VCALENDAR'>\
         <C:comp-filter name='VEVENT'/></C:comp-filter></C:filter></C:calendar-query>"
    );
    let path = at();
    let headers = [("Depth", "1"), ("Accept-Encoding", "gzip")];
    let (listing, queried, exported, initial) = tokio::join!(
        client.propfind(&path, "1", ETAGS),
        client.ask("REPORT", &path, &headers, &query),
        client.ask("GET", &path, &[], ""),
        part(&client, "iOS/18.1.1 (22B91) dataaccessd/1.0", "")
    );
    let listing = listed(&listing.expect(207));
    assert!(listing.len() >= 400);
    let queried = queried.expect(207);
    assert_eq!(queried.header("content-encoding"), "", "what waits is not compressed");
    assert_eq!(listed(&queried), listing);
    assert_eq!(exported.expect(200).text().matches("\nBEGIN:VCALENDAR").count(), 0);
    let initial = read(&initial.expect(207));
    assert!(!initial.goes_on);
    assert_eq!(initial.members, listing);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_fill_that_breaks_off_ends_no_answer_and_goes_on_later() {
    let stage = Stage::with_events(600).await;
    let store = tempfile::tempdir().unwrap();
    let client = gateway(&stage, store.path(), Duration::from_secs(40)).await;
    client.propfind("/dav/", "0", "<D:displayname/>").await.expect(207);
    let mut first = read(&part(&client, THUNDERBIRD, "").await.expect(207));
    if first.goes_on {
        stage.throttle(r#"{"load": {"every": 1, "back_off_ms": 60000}}"#).await;
        // What is under way is there yet; then nobody is told that this is all.
        loop {
            let answer = part(&client, THUNDERBIRD, &first.token).await;
            if answer.status == 503 {
                break;
            }
            let next = read(&answer.expect(207));
            first.members.extend(next.members);
            first.token = next.token;
            if !next.goes_on {
                break;
            }
        }
    }
    stage.throttle("{}").await;
    client.server.shutdown().await;
    let client = gateway(&stage, store.path(), Duration::from_secs(40)).await;
    // The gateway of before may just be closing its mirror.
    while part(&client, THUNDERBIRD, &first.token).await.status == 503 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (more, gone, ..) = synced(&client, &first.token).await;
    first.members.extend(more);
    assert_eq!(gone, Vec::<String>::new());
    let listing = client.propfind(&at(), "1", ETAGS).await.expect(207);
    assert_eq!(first.members, listed(&listing));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_server_lost_its_mirror_is_never_shown_less_than_there_is() {
    let stage = Stage::with_events(500).await;
    let first = tempfile::tempdir().unwrap();
    let client = gateway(&stage, first.path(), Duration::from_secs(40)).await;
    let (before, ..) = synced(&client, "").await;
    let token = read(&part(&client, THUNDERBIRD, "").await.expect(207)).token;
    drop(client);
    let second = tempfile::tempdir().unwrap();
    let client = gateway(&stage, second.path(), Duration::from_secs(40)).await;
    stage.latency(SLOW).await;
    part(&client, THUNDERBIRD, &token).await.expect(403);
    // Listings while it is filled anew: none lacks anything.
    let lists = stream::iter(0..4)
        .map(async |_| client.propfind(&at(), "1", ETAGS).await)
        .buffer_unordered(4)
        .collect::<Vec<Answer>>();
    let (lists, (after, gone, ..)) = tokio::join!(lists, synced(&client, ""));
    for list in lists {
        assert_eq!(listed(&list.expect(207)), before);
    }
    assert_eq!(gone, Vec::<String>::new());
    assert_eq!(after, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_and_lists_come_in_parts_too_and_copies_of_a_contact_stay_two() {
    let contacts = Some(400);
    let settings =
        simulator::Settings { contacts, events: Some(0), mailboxes: 1, ..simulator::Settings::default() };
    let stage = Stage::of(settings).await;
    let mailbox = stage.mailbox(LONG).await;
    let id: CollectionId = "contacts".parse().unwrap();
    let known = mailbox.list(&id).await.unwrap();
    let other = tempfile::tempdir().unwrap();
    let again = stage.gateway_with(LONG, other.path(), Settings::default());
    let again = again.sign_in(USER, PASSWORD).await.unwrap();
    let (mut all, mut token) = (Vec::new(), None);
    loop {
        let part = again.changes_in_parts(&id, token, None).await.unwrap();
        all.extend(part.changed);
        token = Some(part.token);
        if !part.truncated {
            break;
        }
    }
    let sorted = |heads: Vec<exdav::model::object::Head>| {
        heads.into_iter().map(|head| (head.name.to_string(), head.etag.0)).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(sorted(all), sorted(known));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_to_come_back_reads_how_far_the_first_fill_is() {
    let stage = Stage::with_events(600).await;
    let store = tempfile::tempdir().unwrap();
    let client = gateway(&stage, store.path(), Duration::from_secs(40)).await;
    client.propfind("/dav/", "0", "<D:displayname/>").await.expect(207);
    stage.latency(SLOW).await;
    let _ = read(&part(&client, THUNDERBIRD, "").await.expect(207));
    let mailbox = stage.mailbox(LONG).await;
    mailbox.collections().await.unwrap();
    let soon = tokio::time::Instant::now() + Duration::from_millis(500);
    let error = mailbox.until(soon).list(&calendar()).await.unwrap_err().to_string();
    let (start, end) = error.split_once("(first fill of Calendar: ").expect(&error);
    assert_eq!(start, "this collection is not complete yet ");
    let (done, rest) = end.split_once(" of ").expect(&error);
    let number = |text: &str| text.replace(',', "").parse::<usize>().unwrap();
    let total = rest.split_once(')').unwrap().0;
    assert!(number(done) < number(total) && number(total) >= 600, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_does_not_wait_for_the_first_fill_and_meets_what_exchange_holds() {
    let stage = Stage::with_events(60).await;
    let mailbox = stage.mailbox(LONG).await;
    for number in 1..=2 {
        put_number(&mailbox, number).await;
    }
    let before = mailbox.list(&calendar()).await.unwrap();
    let etag = |name: &str| before.iter().find(|head| head.name.as_str() == name).unwrap().etag.to_string();
    let foreign = before.iter().find(|head| !head.name.as_str().starts_with("put-")).unwrap().clone();
    let foreign_text = mailbox.get(&calendar(), &foreign.name).await.unwrap().unwrap().body;
    let store = tempfile::tempdir().unwrap();
    let client = gateway(&stage, store.path(), Duration::from_secs(40)).await;
    // The fill does not come further.
    stage.faults(r#"[{"kind": "server-error", "operation": "SyncFolderItems", "times": 100000}]"#).await;
    client.propfind(&home(), "1", "<D:displayname/>").await.expect(207);
    let text = [("Content-Type", "text/calendar")];
    let put = async |name: &str, condition: (&'static str, &str), body: &[u8]| {
        let headers = [text[0], condition];
        client.ask("PUT", &format!("{}{name}", at()), &headers, body).await
    };
    let new = ("If-None-Match", "*");
    put("put-3.ics", new, numbered(3).as_bytes()).await.expect(201);
    // What is there is met under its name and by its UID, whoever made it.
    put("other.ics", new, numbered(1).as_bytes()).await.expect(403);
    put("foreign.ics", new, &foreign_text).await.expect(403);
    let other = numbered(1).replace("SUMMARY:", "SUMMARY:Other ");
    put("put-1.ics", new, other.as_bytes()).await.expect(412);
    put("put-1.ics", ("If-Match", "\"wrong\""), other.as_bytes()).await.expect(412);
    let changed = numbered(2).replace("SUMMARY:", "SUMMARY:Changed ");
    put("put-2.ics", ("If-Match", &etag("put-2.ics")), changed.as_bytes()).await.expect(204);
    let depth_0 = client.propfind(&at(), "0", "<CS:getctag/>").await.expect(207);
    assert_eq!(depth_0.responses()[0].text("getctag"), "", "the fill is over");
    stage.faults("[]").await;
    let after = listed(&client.propfind(&at(), "1", ETAGS).await.expect(207));
    assert_eq!(after.len(), before.len() + 1);
    for head in &before {
        let path = after.keys().find(|path| path.ends_with(&format!("/{}", head.name)));
        let same = path.is_some_and(|path| after[path] == head.etag.to_string());
        assert!(same || head.name.as_str() == "put-2.ics", "{}", head.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_comes_straight_to_its_calendar_does_not_get_503_after_40_seconds() {
    let stage = Stage::with_events(5).await;
    let mailbox = stage.mailbox(LONG).await;
    // Before the first look at the folders no collection is known: that does not mean that all of it is.
    assert!(!mailbox.is_filled(&calendar()).await.unwrap());
    mailbox.list(&calendar()).await.unwrap();
    assert!(mailbox.is_filled(&calendar()).await.unwrap());
}

/// A calendar whose fill does not come further, and what it holds: events 1 to 5, and one of somebody else's.
async fn stuck(stage: &Stage, store: &Path) -> (Client, BTreeMap<String, String>) {
    let mailbox = stage.mailbox(LONG).await;
    for number in 1..=5 {
        put_number(&mailbox, number).await;
    }
    let before = mailbox.list(&calendar()).await.unwrap();
    stage.faults(r#"[{"kind": "server-error", "operation": "SyncFolderItems", "times": 100000}]"#).await;
    let client = gateway(stage, store, Duration::from_secs(40)).await;
    client.propfind(&home(), "1", "<D:displayname/>").await.expect(207);
    (client, before.iter().map(|head| (format!("{}{}", at(), head.name), head.etag.to_string())).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn delete_move_and_copy_do_not_wait_for_the_first_fill() {
    let stage = Stage::with_events(0).await;
    let store = tempfile::tempdir().unwrap();
    let (client, before) = stuck(&stage, store.path()).await;
    let href = |name: &str| format!("{}{name}", at());
    let relocate = async |method: &str, from: &str, to: &str, overwrite: &str| {
        let headers = [("Destination", to), ("Overwrite", overwrite)];
        client.ask(method, &href(from), &headers, "").await
    };
    let with = |etag: &str| [("If-Match", etag.to_owned())];
    let delete = async |name: &str, headers: &[(&str, String)]| {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
        client.ask("DELETE", &href(name), &headers, "").await
    };
    delete("put-1.ics", &with("\"wrong\"")).await.expect(412);
    delete("put-1.ics", &with(&before[&href("put-1.ics")])).await.expect(204);
    delete("put-2.ics", &[]).await.expect(204);
    relocate("MOVE", "put-3.ics", &href("moved.ics"), "F").await.expect(201);
    // What lies at the destination is met, and so is what has the UID.
    relocate("COPY", "put-4.ics", &href("put-5.ics"), "F").await.expect(412);
    relocate("COPY", "put-4.ics", &href("copy.ics"), "F").await.expect(403);
    relocate("MOVE", "put-4.ics", &href("put-5.ics"), "T").await.expect(403);
    let depth_0 = client.propfind(&at(), "0", "<CS:getctag/>").await.expect(207);
    assert_eq!(depth_0.responses()[0].text("getctag"), "", "the fill is over");
    stage.faults("[]").await;
    let after = listed(&client.propfind(&at(), "1", ETAGS).await.expect(207));
    let names: Vec<&str> = after.keys().filter_map(|path| path.strip_prefix(&at())).collect();
    assert_eq!(names, ["moved.ics", "put-4.ics", "put-5.ics"]);
}

/// Objects of each kind with what a client changes in them.
fn edits() -> Vec<(&'static str, &'static str, &'static str, Vec<(&'static str, &'static str)>)> {
    let event = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nBEGIN:VEVENT\nUID:%\nDTSTAMP:20260101T000000Z\n\
                 DTSTART:20270105T090000Z\nDTEND:20270105T100000Z\nSUMMARY:one\nX-MINE;P=1:kept\n@END:VEVENT\n\
                 END:VCALENDAR\n";
    let task = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nBEGIN:VTODO\nUID:%\nDTSTAMP:20260101T000000Z\n\
                SUMMARY:one\nX-MINE;P=1:kept\n@END:VTODO\nEND:VCALENDAR\n";
    let card = "BEGIN:VCARD\nVERSION:3.0\nUID:%\nFN:One Two\nN:Two;One;;;\nX-MINE;P=1:kept\n@END:VCARD\n";
    let days = "DTSTART;VALUE=DATE:20261201\nDUE;VALUE=DATE:20261203\n";
    let weekly = "DTSTART;VALUE=DATE:20261201\nDUE;VALUE=DATE:20261203\nRRULE:FREQ=WEEKLY;COUNT=5\n";
    let fewer = "DTSTART;VALUE=DATE:20261201\nDUE;VALUE=DATE:20261203\nRRULE:FREQ=WEEKLY;COUNT=5\n\
                 EXDATE;VALUE=DATE:20261201\nEXDATE;VALUE=DATE:20261208\n";
    let alarm = "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-PT10M\nX-A:1\nEND:VALARM\n";
    vec![
        (
            "calendar",
            "ics",
            event,
            vec![
                ("LOCATION:Here\n", "LOCATION:There\n"),
                ("", "DESCRIPTION:Text\n"),
                ("LOCATION:Here\nGEO:52.5;13.4\n", "LOCATION:There\nGEO:50.5;7.5\n"),
                ("GEO:52.5;13.4\n", ""),
                ("TRANSP:TRANSPARENT\n", "TRANSP:OPAQUE\nPRIORITY:2\n"),
                ("CLASS:PRIVATE\nCATEGORIES:a\n", "CATEGORIES:b,c\n"),
                ("", alarm),
                (alarm, ""),
                ("RRULE:FREQ=DAILY;COUNT=9\n", "RRULE:FREQ=DAILY;COUNT=12;INTERVAL=2\n"),
                ("RRULE:FREQ=DAILY;COUNT=9\n", "RRULE:FREQ=DAILY;COUNT=9\nEXDATE:20270107T090000Z\n"),
                ("STATUS:TENTATIVE\n", "STATUS:CONFIRMED\n"),
            ],
        ),
        (
            "tasks",
            "ics",
            task,
            vec![
                (days, "DTSTART;VALUE=DATE:20261202\nDUE;VALUE=DATE:20261209\n"),
                ("DUE:20261203T120000Z\n", "DUE:20261204T130000Z\n"),
                (days, ""),
                ("", days),
                (weekly, fewer),
                (fewer, weekly),
                ("PRIORITY:1\n", "PRIORITY:9\nCLASS:PRIVATE\n"),
                ("", "DESCRIPTION:Text\nCATEGORIES:b\n"),
                ("STATUS:IN-PROCESS\nPERCENT-COMPLETE:10\n", "STATUS:IN-PROCESS\nPERCENT-COMPLETE:40\n"),
            ],
        ),
        (
            "contacts",
            "vcf",
            card,
            vec![
                ("EMAIL:one@example.org\n", "EMAIL:two@example.org\nEMAIL;TYPE=WORK:three@example.org\n"),
                ("TEL;TYPE=CELL:+49 1\n", "TEL;TYPE=CELL:+49 2\nTEL;TYPE=HOME:+49 3\n"),
                (
                    "URL;TYPE=WORK:http://one.example\n",
                    "URL;TYPE=WORK:http://two.example\nURL:http://three.example\n",
                ),
                ("BDAY:19700102\n", "BDAY:19700103\n"),
                ("BDAY:19700102\nX-ANNIVERSARY:20000102\n", ""),
                ("TITLE:x\nORG:a;b\n", "TITLE:y\nORG:c\nNOTE:text\n"),
                ("ADR;TYPE=HOME:;;s;c;r;p;x\n", "ADR;TYPE=HOME:9;;t;c;r;q;x\nCATEGORIES:k\n"),
                ("NICKNAME:n\n", "NICKNAME:m\n"),
            ],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_changes_just_after_the_mirror_was_lost_stays_in_its_own_words() {
    let stage = Stage::with_events(0).await;
    let (first, second, third) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let open = async |store: &Path| {
        let gateway = stage.gateway_with(LONG, store, Settings::default());
        gateway.sign_in(USER, PASSWORD).await.unwrap()
    };
    let text = |frame: &str, uid: &str, more: &str| {
        bytes::Bytes::from(frame.replace('%', uid).replace('@', more).replace('\n', "\r\n"))
    };
    let all = || {
        edits().into_iter().flat_map(move |(id, suffix, frame, edits)| {
            edits.into_iter().enumerate().map(move |(number, (before, after))| {
                let uid = format!("{id}-{number}");
                let name = format!("{uid}.{suffix}").parse::<exdav::model::id::ResourceName>().unwrap();
                (
                    id.parse::<CollectionId>().unwrap(),
                    name,
                    text(frame, &uid, before),
                    text(frame, &uid, after),
                )
            })
        })
    };
    let none = Conditions::default();
    let mailbox = open(first.path()).await;
    for (id, name, before, _) in all() {
        mailbox.put(&id, &name, &none, before).await.unwrap();
    }
    // Its mirror knows nothing: each item is what GetItem tells.
    let mailbox = open(second.path()).await;
    for (id, name, _, after) in all() {
        mailbox.put(&id, &name, &none, after).await.unwrap();
    }
    let other = open(third.path()).await;
    let mut wrong = Vec::new();
    for (id, name, _, after) in all() {
        for (which, mailbox) in [("own", &mailbox), ("other", &other)] {
            let served = mailbox.get(&id, &name).await.unwrap().unwrap().body;
            if served != after {
                wrong.push(format!("{which} {name}: {}", String::from_utf8_lossy(&served)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_of_six_events_does_not_wait_for_five_calls_in_a_row() {
    let stage = Stage::with_events(300).await;
    let (first, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let client = gateway(&stage, first.path(), Duration::from_secs(40)).await;
    let all = client.propfind(&home(), "1", "<D:displayname/>").await.expect(207).responses();
    let small = all.into_iter().find(|response| response.text("displayname") == "Project X").unwrap().href;
    drop(client);
    let client = gateway(&stage, store.path(), Duration::from_secs(40)).await;
    stage.latency(1_200).await;
    stage.reset().await;
    let began = Instant::now();
    assert_eq!(listed(&client.propfind(&small, "1", ETAGS).await.expect(207)).len(), 6);
    let took = began.elapsed();
    // Three, and a machine that is busy with others.
    assert!(took < Duration::from_millis(5 * 1_200), "{took:?}: {:?}", stage.calls().await);
    stage.latency(0).await;
    client.propfind(&at(), "1", ETAGS).await.expect(207);
    let calls = stage.calls().await;
    let of = |operation: &str| calls.get(operation).copied().unwrap_or_default();
    assert_eq!((of("GetFolder"), of("SyncFolderHierarchy"), of("ResolveNames")), (1, 1, 1), "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_tried_once_at_a_first_sign_in() {
    let stage = Stage::with_events(1).await;
    let store = tempfile::tempdir().unwrap();
    let mut client = gateway(&stage, store.path(), Duration::from_secs(40)).await;
    client.authorization = Some(crate::support::http::basic(USER, "wrong"));
    stage.reset().await;
    client.propfind("/dav/", "0", "<D:displayname/>").await.expect(401);
    assert_eq!(stage.door().await["refused"][USER].as_u64(), Some(1), "{}", stage.door().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_stored_just_after_a_first_sign_in_does_not_vanish() {
    let stage = Stage::with_events(3).await;
    let store = tempfile::tempdir().unwrap();
    let client = gateway(&stage, store.path(), Duration::from_secs(40)).await;
    // The ids of the calendar are read at the sign-in; they become visible after the PUT.
    stage.latency(1_100).await;
    client.propfind("/dav/", "0", "<D:displayname/>").await.expect(207);
    stage.latency(0).await;
    let text = [("Content-Type", "text/calendar")];
    client.ask("PUT", &format!("{}put-1.ics", at()), &text, numbered(1)).await.expect(201);
    for _ in 0..3 {
        let listed = listed(&client.propfind(&at(), "1", ETAGS).await.expect(207));
        assert!(listed.contains_key(&format!("{}put-1.ics", at())), "{listed:?}");
    }
}
