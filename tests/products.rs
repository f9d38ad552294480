//! Servers that are not today's Exchange: old ones, and grommunio's gromox. What clients see there, and what is left alone.

use crate::support::{PASSWORD, Stage, USER, calendar, contacts};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use exdav::gateway::write::{Conditions, ScheduleReply, Tags, Written};
use exdav::gateway::{Error, Gateway, Mailbox, Settings};
use exdav::model::id::{CollectionId, ETag, ResourceName};
use exdav::model::refusal::Reason;
use exdav::simulator::{self, Product};
use exdav::upstream::ews;
use exdav::{convert, mirror, sync};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const FRESH: Duration = Duration::from_secs(3600);
const GUEST: &str = "demo2@example.com";

async fn stage_of(product: Product) -> Stage {
    let none = Some(0);
    let settings = simulator::Settings {
        events: none,
        contacts: none,
        tasks: none,
        product,
        ..simulator::Settings::default()
    };
    Stage::of(settings).await
}

async fn gromox() -> (Stage, Mailbox) {
    let stage = stage_of(Product::Gromox).await;
    let mailbox = stage.mailbox(FRESH).await;
    (stage, mailbox)
}

/// A gateway that asks by an older schema.
fn gateway(stage: &Stage, store: &Path, version: &str) -> Gateway {
    let ews = ews::Settings {
        url: format!("http://{}/EWS/Exchange.asmx", stage.exchange.exchange),
        version: version.to_owned(),
        patience: Duration::from_secs(2),
        ..ews::Settings::default()
    };
    let mirror = mirror::Settings { path: store.to_owned(), ..mirror::Settings::default() };
    let live = sync::live::Settings { enabled: false, ..sync::live::Settings::default() };
    let sync = sync::Settings { freshness: FRESH, live, ..sync::Settings::default() };
    let convert = convert::Settings::default();
    let upstream = std::sync::Arc::new(ews::Exchange::new(ews).unwrap());
    Gateway::new(Settings::default(), upstream, mirror, sync, convert, exdav::dav::path::attachment).unwrap()
}

fn tasks() -> CollectionId {
    "tasks".parse().unwrap()
}

fn name(text: &str) -> ResourceName {
    text.parse().unwrap()
}

fn wrapped(kind: &str, lines: &str) -> String {
    format!("BEGIN:{kind}\n{}\nEND:{kind}\n", lines.trim())
}

fn calendar_of(components: &str) -> Bytes {
    format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n{components}END:VCALENDAR\n")
        .replace('\n', "\r\n")
        .into()
}

fn event(lines: &str) -> Bytes {
    calendar_of(&wrapped("VEVENT", &format!("UID:one\nDTSTAMP:20260101T000000Z\n{}", lines.trim())))
}

fn card(lines: &str) -> Bytes {
    let head = "VERSION:3.0\nUID:one\nFN:Ann Example\nN:Example;Ann;;;";
    wrapped("VCARD", &format!("{head}\n{}", lines.trim())).replace('\n', "\r\n").into()
}

async fn put(mailbox: &Mailbox, id: &CollectionId, file: &str, body: &Bytes) -> Result<Written, Error> {
    mailbox.put(id, &name(file), &Conditions::default(), body.clone()).await
}

async fn served(mailbox: &Mailbox, id: &CollectionId, file: &str) -> (String, ETag) {
    let object = mailbox.get(id, &name(file)).await.unwrap().unwrap_or_else(|| panic!("{file} is not there"));
    (String::from_utf8(object.body.to_vec()).unwrap().replace("\r\n ", ""), object.head.etag)
}

/// What a mailbox that is looked at for the first time shows.
async fn anew(stage: &Stage, id: &CollectionId, file: &str) -> String {
    let store = tempfile::tempdir().unwrap();
    let gateway = stage.gateway_with(FRESH, store.path(), Settings::default());
    served(&gateway.sign_in(USER, PASSWORD).await.unwrap(), id, file).await.0
}

fn values<'a>(text: &'a str, property: &str) -> Vec<&'a str> {
    let is_it = |line: &&str| line.split([':', ';']).next() == Some(property);
    text.lines().filter(is_it).map(|line| line.rsplit(':').next().unwrap()).collect()
}

/// The id of the one item of a folder, as a colleague's program finds it.
async fn the_item(stage: &Stage, folder: &str) -> String {
    let answer = stage
        .colleague(
            USER,
            &format!(
                "<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId>\
                 <t:DistinguishedFolderId Id='{folder}'/></m:SyncFolderId><m:MaxChangesReturned>10\
                 </m:MaxChangesReturned></m:SyncFolderItems>"
            ),
        )
        .await;
    answer
        .split("ItemId Id=\"")
        .nth(1)
        .unwrap_or_else(|| panic!("{answer}"))
        .split('"')
        .next()
        .unwrap()
        .to_owned()
}

async fn change(stage: &Stage, target: &str, class: &str, updates: &str) {
    let answer = stage
        .colleague(
            USER,
            &format!(
                "<m:UpdateItem ConflictResolution='AlwaysOverwrite' MessageDisposition='SaveOnly' \
                 SendMeetingInvitationsOrCancellations='SendToNone'><m:ItemChanges><t:ItemChange>{target}<t:Updates>\
                 {}</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>",
                updates.replace("CLASS", class)
            ),
        )
        .await;
    assert!(answer.contains("NoError"), "{answer}");
}

fn set(uri: &str, element: &str) -> String {
    format!("<t:SetItemField><t:FieldURI FieldURI='{uri}'/><t:CLASS>{element}</t:CLASS></t:SetItemField>")
}

const PERSON: &str = "<t:Contact><t:FileAs>Example, Ann</t:FileAs><t:DisplayName>Ann Example</t:DisplayName>\
    <t:GivenName>Ann</t:GivenName><t:EmailAddresses><t:Entry Key='EmailAddress1'>ann@example.com</t:Entry>\
    <t:Entry Key='EmailAddress2'>ann@example.org</t:Entry></t:EmailAddresses><t:PhysicalAddresses>\
    <t:Entry Key='Home'><t:Street>Ring 1</t:Street><t:City>Bonn</t:City></t:Entry></t:PhysicalAddresses>\
    <t:PhoneNumbers><t:Entry Key='MobilePhone'>+49 151 1</t:Entry><t:Entry Key='Pager'>+49 30 2</t:Entry>\
    </t:PhoneNumbers><t:Surname>Example</t:Surname></t:Contact>";

async fn person(stage: &Stage, mailbox: &Mailbox) -> ResourceName {
    let answer =
        stage.colleague(USER, &format!("<m:CreateItem><m:Items>{PERSON}</m:Items></m:CreateItem>")).await;
    assert!(answer.contains("NoError"), "{answer}");
    let messenger = "<t:SetItemField><t:IndexedFieldURI FieldURI='contacts:ImAddress' FieldIndex='ImAddress1'/>\
        <t:Contact><t:ImAddresses><t:Entry Key='ImAddress1'>xmpp:ann@example.com</t:Entry></t:ImAddresses>\
        </t:Contact></t:SetItemField>";
    let id = the_item(stage, "contacts").await;
    change(stage, &format!("<t:ItemId Id='{id}'/>"), "Contact", messenger).await;
    mailbox.list(&contacts()).await.unwrap().pop().unwrap().name
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_and_phones_of_a_contact_on_gromox_are_shown_and_survive_an_edit_of_the_note() {
    let (stage, mailbox) = gromox().await;
    let file = person(&stage, &mailbox).await;
    let before = served(&mailbox, &contacts(), file.as_str()).await.0;
    let whole = ["ann@example.com", "ann@example.org", "Ring 1", "Bonn", "+49 151 1", "+49 30 2", "xmpp:ann"];
    for part in whole {
        assert!(before.contains(part), "{part}: {before}");
    }
    let edited = before.replace("END:VCARD", "NOTE:new\r\nEND:VCARD");
    put(&mailbox, &contacts(), file.as_str(), &Bytes::from(edited)).await.unwrap();
    let stored = stage.dump(USER).await.to_string();
    let shown = anew(&stage, &contacts(), file.as_str()).await;
    for part in whole {
        assert!(stored.contains(part), "{part} is no longer stored");
        assert!(shown.contains(part), "{part}: {shown}");
    }
    // What the client takes out is taken out, and nothing else.
    let without: String =
        shown.lines().filter(|line| !line.contains("+49 30 2")).map(|l| format!("{l}\r\n")).collect();
    put(&mailbox, &contacts(), file.as_str(), &Bytes::from(without)).await.unwrap();
    let shown = anew(&stage, &contacts(), file.as_str()).await;
    assert!(
        !shown.contains("+49 30 2") && shown.contains("+49 151 1") && shown.contains("ann@example.org"),
        "{shown}"
    );
}

const DAILY: &str = "DTSTART;TZID=Europe/Berlin:20260302T090000\nDTEND;TZID=Europe/Berlin:20260302T100000\n\
    RRULE:FREQ=DAILY;COUNT=40\nSUMMARY:Daily";

fn excluding(days: &[u32]) -> String {
    let dates = days.iter().map(|day| format!("EXDATE;TZID=Europe/Berlin:202603{day:02}T090000\n"));
    format!("{DAILY}\n{}", dates.collect::<String>())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_excluded_days_of_a_series_are_those_that_are_deleted_on_gromox() {
    let (stage, mailbox) = gromox().await;
    let gone = async || {
        let id = the_item(&stage, "calendar").await;
        let ask = format!(
            "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI \
             FieldURI='calendar:DeletedOccurrences'/><t:FieldURI FieldURI='calendar:ModifiedOccurrences'/>\
             <t:FieldURI FieldURI='calendar:Start'/><t:FieldURI FieldURI='calendar:End'/>\
             </t:AdditionalProperties></m:ItemShape><m:ItemIds><t:ItemId Id='{id}'/></m:ItemIds></m:GetItem>"
        );
        let answer = stage.colleague(USER, &ask).await;
        let part = answer.split("DeletedOccurrences").nth(1).unwrap_or_default().to_owned();
        let days: Vec<String> = part.split("<t:Start>").skip(1).map(|s| s[5..10].to_owned()).collect();
        (days, answer)
    };
    put(&mailbox, &calendar(), "one.ics", &event(&excluding(&[6, 8]))).await.unwrap();
    assert_eq!(gone().await.0, ["03-06", "03-08"]);
    // One more before them, and an override after them, in one write; then the override once more.
    let change = |summary: &str| {
        let rid = "RECURRENCE-ID;TZID=Europe/Berlin:20260312T090000";
        let own = "DTSTART;TZID=Europe/Berlin:20260312T110000\nDTEND;TZID=Europe/Berlin:20260312T120000";
        let head = "UID:one\nDTSTAMP:20260101T000000Z";
        calendar_of(&format!(
            "{}{}",
            wrapped("VEVENT", &format!("{head}\n{}", excluding(&[4, 6, 8]))),
            wrapped("VEVENT", &format!("{head}\n{rid}\n{own}\nSUMMARY:{summary}"))
        ))
    };
    for summary in ["Later", "Much later"] {
        put(&mailbox, &calendar(), "one.ics", &change(summary)).await.unwrap();
        let (days, answer) = gone().await;
        assert_eq!(days, ["03-04", "03-06", "03-08"], "{summary}");
        assert!(answer.contains("<t:Start>2026-03-12T10:00:00Z</t:Start>"), "{summary}: {answer}");
        let text = anew(&stage, &calendar(), "one.ics").await;
        assert_eq!(values(&text, "RECURRENCE-ID"), ["20260312T090000"], "{summary}: {text}");
        assert!(text.contains(&format!("SUMMARY:{summary}")), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_occurrence_that_outlook_moved_on_gromox_is_that_of_its_day() {
    let (stage, mailbox) = gromox().await;
    put(&mailbox, &calendar(), "one.ics", &event(DAILY)).await.unwrap();
    let id = the_item(&stage, "calendar").await;
    // The thirtieth of March is after the change of clocks.
    for (number, subject) in [(3, "Moved"), (29, "Summer")] {
        let target = format!("<t:OccurrenceItemId RecurringMasterId='{id}' InstanceIndex='{number}'/>");
        let updates = set("item:Subject", &format!("<t:Subject>{subject}</t:Subject>"));
        change(&stage, &target, "CalendarItem", &updates).await;
    }
    let text = anew(&stage, &calendar(), "one.ics").await;
    assert_eq!(values(&text, "RECURRENCE-ID"), ["20260304T090000", "20260330T090000"], "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_becomes_a_series_on_gromox_keeps_its_length() {
    let (stage, mailbox) = gromox().await;
    let single = DAILY.replace("RRULE:FREQ=DAILY;COUNT=40\n", "");
    put(&mailbox, &calendar(), "one.ics", &event(&single)).await.unwrap();
    put(&mailbox, &calendar(), "one.ics", &event(DAILY)).await.unwrap();
    let text = anew(&stage, &calendar(), "one.ics").await;
    assert_eq!(values(&text, "DTEND"), ["20260302T100000"], "{text}");
    assert_eq!(values(&text, "RRULE"), ["FREQ=DAILY;COUNT=40"], "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gromox_does_not_store_is_refused_by_name_or_shown_as_it_is() {
    let (stage, mailbox) = gromox().await;
    // Refused: a rule that ends with the first turn is worse than none.
    let task = calendar_of(&wrapped(
        "VTODO",
        "UID:one\nDTSTAMP:20260101T000000Z\nDUE;VALUE=DATE:20260302\nRRULE:FREQ=WEEKLY\nSUMMARY:Bins",
    ));
    let error = put(&mailbox, &tasks(), "one.ics", &task).await.unwrap_err();
    let Error::Refused(refusal) = error else { panic!("{error:?}") };
    assert_eq!((refusal.reason, refusal.part.as_deref()), (Reason::UnsupportedRecurrence, Some("RRULE")));
    // Shown as it is, and no ETag speaks for what is not there.
    let spoken = card("X-PHONETIC-LAST-NAME:egzampl\nIMPP:xmpp:ann@example.com\nNOTE:kept");
    let written = put(&mailbox, &contacts(), "one.vcf", &spoken).await.unwrap();
    let (text, etag) = served(&mailbox, &contacts(), "one.vcf").await;
    let fresh = anew(&stage, &contacts(), "one.vcf").await;
    assert!(!fresh.contains("egzampl") && fresh.contains("NOTE:kept"), "{fresh}");
    assert_eq!(text, fresh);
    assert!(written.etag.is_none_or(|told| told == etag && text.as_bytes() == spoken), "{text}");
    // What is stored has its ETag at once.
    let plain = card("NOTE:plain");
    let written = put(&mailbox, &contacts(), "one.vcf", &plain).await.unwrap();
    let (text, etag) = served(&mailbox, &contacts(), "one.vcf").await;
    assert_eq!((written.etag, text.as_bytes()), (Some(etag), plain.as_ref()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_is_emptied_and_an_alarm_that_is_taken_out_are_gone_on_gromox() {
    let (stage, mailbox) = gromox().await;
    let alarm = "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:x\nTRIGGER:-PT15M\nEND:VALARM";
    let base = DAILY.replace("RRULE:FREQ=DAILY;COUNT=40\n", "");
    put(&mailbox, &calendar(), "one.ics", &event(&format!("{base}\nDESCRIPTION:Old\n{alarm}")))
        .await
        .unwrap();
    put(&mailbox, &calendar(), "one.ics", &event(&base)).await.unwrap();
    let text = anew(&stage, &calendar(), "one.ics").await;
    assert!(!text.contains("DESCRIPTION") && !text.contains("VALARM"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_version_is_refused_on_a_server_that_judges_no_change_keys() {
    let (stage, mailbox) = gromox().await;
    put(&mailbox, &calendar(), "one.ics", &event(DAILY)).await.unwrap();
    let id = the_item(&stage, "calendar").await;
    let series = format!("<t:ItemId Id='{id}'/>");
    let occurrence = format!("<t:OccurrenceItemId RecurringMasterId='{id}' InstanceIndex='3'/>");
    for (target, uri, element) in [
        (&series, "calendar:Location", "<t:Location>Room 1</t:Location>"),
        // Neither SyncFolderItems nor the ChangeKey tells of it.
        (&occurrence, "item:Subject", "<t:Subject>Theirs</t:Subject>"),
    ] {
        let known = served(&mailbox, &calendar(), "one.ics").await.1;
        change(&stage, target, "CalendarItem", &set(uri, element)).await;
        let stale = Conditions { if_match: Some(Tags::These(vec![known.clone()])), ..Conditions::default() };
        let body = event(&DAILY.replace("Daily", "Mine"));
        let error = mailbox.put(&calendar(), &name("one.ics"), &stale, body).await.unwrap_err();
        assert!(matches!(error, Error::Changed), "{uri}: {error:?}");
        let error =
            mailbox.delete(&calendar(), &name("one.ics"), &stale, ScheduleReply::Send).await.unwrap_err();
        assert!(matches!(error, Error::Changed), "{uri}: {error:?}");
        assert_ne!(served(&mailbox, &calendar(), "one.ics").await.1, known, "{uri}");
    }
    let text = served(&mailbox, &calendar(), "one.ics").await.0;
    assert!(text.contains("Room 1") && text.contains("Theirs"), "{text}");
}

fn meeting(organizer: &str, status: &str) -> Bytes {
    event(&format!(
        "DTSTART:20261201T090000Z\nDTEND:20261201T100000Z\nSUMMARY:Meeting\nORGANIZER:mailto:{organizer}\n\
         ATTENDEE;PARTSTAT={status}:mailto:{GUEST}"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organiser_who_deletes_a_meeting_on_gromox_cancels_it_and_a_guest_who_deletes_it_declines() {
    let (stage, mailbox) = gromox().await;
    let sends = async |who: &str, what: &str| {
        let dump = stage.dump(who).await;
        dump["sent"].as_array().unwrap().iter().filter(|send| send["what"] == what).count()
    };
    put(&mailbox, &calendar(), "one.ics", &meeting(USER, "NEEDS-ACTION")).await.unwrap();
    let text = served(&mailbox, &calendar(), "one.ics").await.0;
    assert!(text.contains(&format!("ORGANIZER:mailto:{USER}")) || text.contains("ORGANIZER;CN"), "{text}");
    mailbox.delete(&calendar(), &name("one.ics"), &Conditions::default(), ScheduleReply::Send).await.unwrap();
    assert_eq!(sends(USER, "cancellation").await, 1);
    // The other way round.
    let store = tempfile::tempdir().unwrap();
    let gateway = stage.gateway_with(FRESH, store.path(), Settings::default());
    let host = gateway.sign_in(GUEST, PASSWORD).await.unwrap();
    let invitation = meeting(GUEST, "NEEDS-ACTION").to_vec();
    let invitation = String::from_utf8(invitation).unwrap().replace("UID:one", "UID:two");
    let invitation = invitation
        .replace(&format!("PARTSTAT=NEEDS-ACTION:mailto:{GUEST}"), &format!("RSVP=TRUE:mailto:{USER}"));
    put(&host, &calendar(), "two.ics", &invitation.into()).await.unwrap();
    let store = tempfile::tempdir().unwrap();
    let gateway = stage.gateway_with(Duration::ZERO, store.path(), Settings::default());
    let mailbox = gateway.sign_in(USER, PASSWORD).await.unwrap();
    let there = mailbox.list(&calendar()).await.unwrap();
    let [invited] = there.as_slice() else { panic!("{there:?}") };
    mailbox.delete(&calendar(), &invited.name, &Conditions::default(), ScheduleReply::Send).await.unwrap();
    assert_eq!(sends(USER, "response").await, 1);
    assert!(mailbox.list(&calendar()).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_every_two_years_is_refused_before_gromox_chokes_on_it() {
    let (_stage, mailbox) = gromox().await;
    for (rule, day) in [
        ("FREQ=YEARLY;INTERVAL=2", "20260302"),
        ("FREQ=MONTHLY;INTERVAL=24", "20260302"),
        ("FREQ=MONTHLY;INTERVAL=13;BYDAY=1MO", "20260302"),
        // A rule that Exchange knows as one of 48 months.
        ("FREQ=YEARLY", "20280229"),
    ] {
        let text = DAILY.replace("FREQ=DAILY;COUNT=40", rule).replace("20260302", day);
        let error = put(&mailbox, &calendar(), "one.ics", &event(&text)).await.unwrap_err();
        let Error::Refused(refusal) = error else { panic!("{rule}: {error:?}") };
        assert_eq!(
            (refusal.reason, refusal.part.as_deref()),
            (Reason::UnsupportedRecurrence, Some("INTERVAL")),
            "{rule}"
        );
    }
    let yearly = DAILY.replace("FREQ=DAILY;COUNT=40", "FREQ=MONTHLY;INTERVAL=12");
    put(&mailbox, &calendar(), "one.ics", &event(&yearly)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_gromox_cannot_store_is_refused_with_the_operation_that_is_missing() {
    let (_stage, mailbox) = gromox().await;
    let group = card("X-ADDRESSBOOKSERVER-KIND:group\nX-ADDRESSBOOKSERVER-MEMBER:mailto:a@example.org");
    let error = put(&mailbox, &contacts(), "one.vcf", &group).await.unwrap_err();
    let Error::Unsupported(text) = &error else { panic!("{error:?}") };
    assert!(text.contains("grommunio") && text.contains("CreateItem"), "{text}");
    assert!(mailbox.list(&contacts()).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_2010_is_asked_for_nothing_that_it_does_not_know() {
    for (product, version) in [
        (Product::Exchange2010, "Exchange2010_SP2"),
        (Product::Exchange2016, "Exchange2010_SP2"),
        (Product::Exchange2013, "Exchange2013_SP1"),
        (Product::Online, "Exchange2013_SP1"),
    ] {
        let stage = stage_of(product).await;
        let mailbox = gateway(&stage, stage.store.path(), version).sign_in(USER, PASSWORD).await.unwrap();
        let base = DAILY.replace("RRULE:FREQ=DAILY;COUNT=40\n", "");
        let place =
            "LOCATION:Lab\nGEO:52.5;13.4\nX-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE\nDESCRIPTION:Text";
        let wanted = event(&format!("{base}\n{place}"));
        put(&mailbox, &calendar(), "one.ics", &wanted).await.unwrap_or_else(|e| panic!("{product:?}: {e}"));
        let wanted = event(&format!("{DAILY}\n{place}"));
        put(&mailbox, &calendar(), "one.ics", &wanted).await.unwrap_or_else(|e| panic!("{product:?}: {e}"));
        put(&mailbox, &contacts(), "one.vcf", &card("EMAIL:a@example.org\nNOTE:Text")).await.unwrap();
        let task = calendar_of(&wrapped(
            "VTODO",
            "UID:one\nDTSTAMP:20260101T000000Z\nSUMMARY:Bins\nDESCRIPTION:Text",
        ));
        put(&mailbox, &tasks(), "one.ics", &task).await.unwrap();
        for (id, file) in [(calendar(), "one.ics"), (contacts(), "one.vcf"), (tasks(), "one.ics")] {
            // Fetched, not remembered.
            let store = tempfile::tempdir().unwrap();
            let fresh = gateway(&stage, store.path(), version).sign_in(USER, PASSWORD).await.unwrap();
            let (text, _) = served(&fresh, &id, file).await;
            assert!(text.contains("Text"), "{product:?} {file}: {text}");
        }
        let (text, _) = served(&mailbox, &calendar(), "one.ics").await;
        assert!(text.contains("GEO:52.5;13.4") && text.contains("LOCATION:Lab"), "{product:?}: {text}");
    }
}

/// One GetItem of one field, by a schema.
async fn asked_for(stage: &Stage, version: &str, id: &str, uri: &str) -> String {
    let ask = format!(
        "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI='{uri}'/>\
         </t:AdditionalProperties></m:ItemShape><m:ItemIds><t:ItemId Id='{id}'/></m:ItemIds></m:GetItem>"
    );
    by_schema(stage, version, &ask).await
}

async fn by_schema(stage: &Stage, version: &str, body: &str) -> String {
    let envelope = format!(
        "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/' \
         xmlns:t='http://schemas.microsoft.com/exchange/services/2006/types' \
         xmlns:m='http://schemas.microsoft.com/exchange/services/2006/messages'><s:Header>\
         <t:RequestServerVersion Version='{version}'/></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    );
    let request = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = request.post(format!("http://{}/EWS/Exchange.asmx", stage.exchange.exchange));
    let request = request.basic_auth(USER, Some(PASSWORD)).header("content-type", "text/xml");
    let answer = request.body(envelope).send().await.unwrap();
    String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_newer_than_the_schema_that_is_asked_by_is_refused_by_every_exchange_but_not_by_gromox() {
    let fields = [
        ("calendar:Start", 2007),
        ("calendar:StartTimeZone", 2010),
        ("item:TextBody", 2013),
        ("item:Flag", 2013),
        ("calendar:EnhancedLocation", 2013),
        ("calendar:IsOrganizer", 2013),
        ("calendar:JoinOnlineMeetingUrl", 2013),
    ];
    let versions = [("Exchange2007_SP1", 2007), ("Exchange2010_SP2", 2010), ("Exchange2013_SP1", 2013)];
    for (product, newest) in [
        (Product::Exchange2010, 2010),
        (Product::Exchange2013, 2013),
        (Product::Exchange2016, 2016),
        (Product::Online, 2016),
        (Product::Gromox, 2016),
    ] {
        let stage = stage_of(product).await;
        let make = "<m:CreateItem SendMeetingInvitations='SendToNone'><m:Items><t:CalendarItem><t:Subject>one\
            </t:Subject></t:CalendarItem></m:Items></m:CreateItem>";
        let made = by_schema(&stage, "Exchange2007_SP1", make).await;
        let id = made.split("ItemId Id=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        for (version, year) in versions {
            for (uri, since) in fields {
                let answer = asked_for(&stage, version, id, uri).await;
                let expected = if year > newest {
                    "ErrorInvalidServerVersion"
                } else if since > year && product != Product::Gromox {
                    "ErrorSchemaValidation"
                } else {
                    "NoError"
                };
                assert!(answer.contains(expected), "{product:?} {version} {uri}: {answer}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_2010_is_asked_by_its_own_schema_where_the_settings_name_a_newer_one() {
    let stage = stage_of(Product::Exchange2010).await;
    let mailbox = stage.mailbox(FRESH).await;
    let object = event(&format!("{DAILY}\nLOCATION:Lab\nGEO:52.5;13.4\nDESCRIPTION:Text"));
    put(&mailbox, &calendar(), "one.ics", &object).await.unwrap();
    put(&mailbox, &contacts(), "one.vcf", &card("EMAIL:a@example.org\nNOTE:Text")).await.unwrap();
    for (id, file) in [(calendar(), "one.ics"), (contacts(), "one.vcf")] {
        let text = anew(&stage, &id, file).await;
        assert!(text.contains("Text"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_as_far_for_a_colleague_on_gromox_as_its_owner_says() {
    let (stage, mailbox) = gromox().await;
    let task = |lines: &str| {
        calendar_of(&wrapped("VTODO", &format!("UID:one\nDTSTAMP:20260101T000000Z\nSUMMARY:Tax\n{lines}")))
    };
    for (lines, expected) in [
        ("PERCENT-COMPLETE:40\nSTATUS:IN-PROCESS", ["40", "InProgress"]),
        ("PERCENT-COMPLETE:7\nSTATUS:IN-PROCESS", ["7", "InProgress"]),
        ("STATUS:COMPLETED\nCOMPLETED:20260301T120000Z\nPERCENT-COMPLETE:100", ["100", "Completed"]),
        ("STATUS:NEEDS-ACTION", ["0", "NotStarted"]),
    ] {
        stage.reset().await;
        put(&mailbox, &tasks(), "one.ics", &task(lines)).await.unwrap();
        let writes = stage.calls().await.get("UpdateItem").copied().unwrap_or_default();
        assert!(writes <= 2, "{lines}: {writes} updates");
        let id = the_item(&stage, "tasks").await;
        let percent = asked_for(&stage, "Exchange2013_SP1", &id, "task:PercentComplete").await;
        let percent = percent.split("<t:PercentComplete>").nth(1).and_then(|t| t.split('<').next());
        let percent: f64 = percent.unwrap_or("0").parse().unwrap();
        assert_eq!(format!("{percent:.0}"), expected[0], "{lines}");
        let status = asked_for(&stage, "Exchange2013_SP1", &id, "task:Status").await;
        assert!(status.contains(&format!("<t:Status>{}</t:Status>", expected[1])), "{lines}: {status}");
        let text = anew(&stage, &tasks(), "one.ics").await;
        let shown = values(&text, "PERCENT-COMPLETE").first().copied().unwrap_or("0").to_owned();
        assert_eq!(shown, expected[0], "{text}");
    }
}

fn with_override(rid: &str, lines: &str) -> Bytes {
    let head = "UID:one\nDTSTAMP:20260101T000000Z";
    calendar_of(&format!(
        "{}{}",
        wrapped("VEVENT", &format!("{head}\n{DAILY}\nLOCATION:Lab")),
        wrapped(
            "VEVENT",
            &format!(
                "{head}\nRECURRENCE-ID;TZID=Europe/Berlin:{rid}\nDTSTART;TZID=Europe/Berlin:{rid}\nDURATION:PT1H\n{lines}"
            )
        )
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_occurrence_that_is_only_renamed_after_a_change_of_clocks_keeps_its_hour_on_gromox() {
    let (stage, mailbox) = gromox().await;
    // The clocks change on 29 March.
    for summary in ["Renamed", "Renamed again"] {
        let object = with_override("20260401T090000", &format!("SUMMARY:{summary}\nLOCATION:Lab"));
        put(&mailbox, &calendar(), "one.ics", &object).await.unwrap();
        let id = the_item(&stage, "calendar").await;
        let answer = asked_for(&stage, "Exchange2013_SP1", &id, "calendar:ModifiedOccurrences").await;
        assert!(answer.contains("<t:Start>2026-04-01T07:00:00Z</t:Start>"), "{summary}: {answer}");
        let text = anew(&stage, &calendar(), "one.ics").await;
        assert_eq!(values(&text, "RECURRENCE-ID"), ["20260401T090000"], "{text}");
        assert!(text.contains(&format!("SUMMARY:{summary}")), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gromox_keeps_of_a_series_though_its_client_took_it_back_is_still_shown() {
    let (stage, mailbox) = gromox().await;
    let object = with_override("20260312T090000", "SUMMARY:Elsewhere\nLOCATION:Lab");
    put(&mailbox, &calendar(), "one.ics", &object).await.unwrap();
    put(&mailbox, &calendar(), "one.ics", &event(&format!("{DAILY}\nLOCATION:Lab"))).await.unwrap();
    let (text, _) = served(&mailbox, &calendar(), "one.ics").await;
    let fresh = anew(&stage, &calendar(), "one.ics").await;
    let is_stored = stage.dump(USER).await.to_string().contains("Elsewhere");
    for text in [text, fresh] {
        assert_eq!(text.contains("SUMMARY:Elsewhere"), is_stored, "{text}");
    }
    // The same of a day that comes back.
    let (stage, mailbox) = gromox().await;
    put(&mailbox, &calendar(), "one.ics", &event(&excluding(&[6, 8]))).await.unwrap();
    for days in [&[6][..], &[]] {
        put(&mailbox, &calendar(), "one.ics", &event(&excluding(days))).await.unwrap();
        let (text, _) = served(&mailbox, &calendar(), "one.ics").await;
        let fresh = anew(&stage, &calendar(), "one.ics").await;
        assert_eq!(values(&text, "EXDATE"), values(&fresh, "EXDATE"), "{days:?}: {text}");
        let id = the_item(&stage, "calendar").await;
        let stored = asked_for(&stage, "Exchange2013_SP1", &id, "calendar:DeletedOccurrences").await;
        let listed = stored.matches("<t:DeletedOccurrence>").count();
        assert_eq!(values(&text, "EXDATE").len(), listed, "{days:?}: {text} {stored}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gromox_does_not_store_of_one_occurrence_is_not_covered_by_the_clients_text() {
    let (stage, mailbox) = gromox().await;
    let object = with_override("20260312T090000", "SUMMARY:Elsewhere\nLOCATION:Lab\nGEO:52.5;13.4");
    let written = put(&mailbox, &calendar(), "one.ics", &object).await.unwrap();
    let (text, etag) = served(&mailbox, &calendar(), "one.ics").await;
    let fresh = anew(&stage, &calendar(), "one.ics").await;
    for text in [&text, &fresh] {
        assert!(text.contains("SUMMARY:Elsewhere") && !text.contains("GEO"), "{text}");
    }
    assert!(written.etag.is_none_or(|told| told == etag && text.as_bytes() == object), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_birthday_without_a_year_is_no_birthday_of_2188_on_gromox() {
    let (stage, mailbox) = gromox().await;
    for day in ["BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29", "BDAY:1650-05-01"] {
        put(&mailbox, &contacts(), "one.vcf", &card(day)).await.unwrap();
        let dump = stage.dump(USER).await.to_string();
        assert!(!dump.contains("2188") && !dump.contains("2234"), "{day}: {dump}");
        let text = anew(&stage, &contacts(), "one.vcf").await;
        assert!(text.contains(day), "{text}");
    }
    put(&mailbox, &contacts(), "one.vcf", &card("BDAY:1980-02-29")).await.unwrap();
    assert!(stage.dump(USER).await.to_string().contains("1980-02-29T11:59:00Z"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_ends_in_another_zone_is_shown_as_gromox_stores_it() {
    let (stage, mailbox) = gromox().await;
    let flight = event(
        "DTSTART;TZID=Europe/Berlin:20260302T090000\nDTEND;TZID=Asia/Tokyo:20260303T060000\nSUMMARY:Flight",
    );
    let written = put(&mailbox, &calendar(), "one.ics", &flight).await.unwrap();
    let (text, etag) = served(&mailbox, &calendar(), "one.ics").await;
    let fresh = anew(&stage, &calendar(), "one.ics").await;
    for text in [&text, &fresh] {
        // 06:00 in Tokyo.
        assert!(text.contains("DTEND;TZID=Europe/Berlin:20260302T220000"), "{text}");
    }
    assert!(written.etag.is_none_or(|told| told == etag && text.as_bytes() == flight), "{text}");
}

/// A server that answers the requests of each connection as `answer` says: number of the connection, of the request on it.
async fn odd_server(answer: fn(usize, usize) -> String) -> (ews::Session, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/EWS/Exchange.asmx", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    tokio::spawn(async move {
        for connection in 1.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let mut octets = Vec::new();
                for number in 1.. {
                    while !octets.windows(14).any(|window| window == b"</soap:Envelop") {
                        if stream.read_buf(&mut octets).await.unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    octets.clear();
                    counted.fetch_add(1, Ordering::Relaxed);
                    if stream.write_all(answer(connection, number).as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let sign_in = ews::auth::Choice::Only(ews::auth::Scheme::Basic);
    let settings =
        ews::Settings { url, sign_in, patience: Duration::from_secs(2), ..ews::Settings::default() };
    let session = ews::Exchange::new(settings).unwrap().session(ews::Credentials::password(USER, PASSWORD));
    (session, requests)
}

fn http(head: &str, body: &str) -> String {
    let envelope = format!(
        "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body>{body}</s:Body></s:Envelope>"
    );
    format!(
        "HTTP/1.1 {head}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{envelope}",
        envelope.len()
    )
}

fn folder(operation: &str, shown: &str) -> String {
    http(
        "200 OK",
        &format!(
            "<{operation}Response><ResponseMessages><{operation}ResponseMessage ResponseClass='Success'><ResponseCode>\
             NoError</ResponseCode><Folders><CalendarFolder><FolderId Id='a' ChangeKey='b'/><DisplayName>{shown}\
             </DisplayName></CalendarFolder></Folders></{operation}ResponseMessage></ResponseMessages>\
             </{operation}Response>"
        ),
    )
}

const FAULT: &str = "<s:Fault><faultcode>SOAP:Server</faultcode><faultstring>Unknown request 'GetFolder'.\
    </faultstring></s:Fault>";

async fn shown(session: &ews::Session) -> Result<String, ews::Error> {
    let asked = [exdav::upstream::FolderSelector::WellKnown(exdav::upstream::WellKnownFolder::Calendar)];
    Ok(session.get_folders(&asked).await?.pop().unwrap()?.display_name)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_a_fault_is_the_answer_to_no_request() {
    let answer = |connection: usize, number: usize| match (connection, number) {
        (1, 1) => http("200 OK", FAULT),
        (1, _) => folder("GetFolder", "Theirs"),
        _ => folder("GetFolder", "Mine"),
    };
    let (session, _) = odd_server(answer).await;
    let error = shown(&session).await.unwrap_err();
    assert!(error.to_string().contains("GetFolder"), "{error}");
    assert_eq!(shown(&session).await.unwrap(), "Mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_beside_one_that_fails_does_not_get_its_second_answer() {
    // Each second answer of a connection is a fault; what comes over it then was meant for others.
    let answer = |_: usize, number: usize| match number {
        1 => folder("GetFolder", "Mine"),
        2 => http("500 Internal Server Error", FAULT),
        _ => folder("GetFolder", "Theirs"),
    };
    let (session, _) = odd_server(answer).await;
    let asking = (0..8).map(|_| {
        let session = session.clone();
        tokio::spawn(async move {
            for _ in 0..40 {
                if let Ok(name) = shown(&session).await {
                    assert_eq!(name, "Mine");
                }
            }
        })
    });
    for asked in asking.collect::<Vec<_>>() {
        asked.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_fault_of_gromox_each_request_still_gets_its_own_answer() {
    let (stage, mailbox) = gromox().await;
    put(&mailbox, &contacts(), "one.vcf", &card("NOTE:mine")).await.unwrap();
    let group = card("X-ADDRESSBOOKSERVER-KIND:group\nX-ADDRESSBOOKSERVER-MEMBER:mailto:a@example.org");
    let group = Bytes::from(String::from_utf8(group.to_vec()).unwrap().replace("UID:one", "UID:two"));
    for round in 0..5 {
        let (book, note) = (contacts(), card(&format!("NOTE:round {round}")));
        let failing = put(&mailbox, &book, "two.vcf", &group);
        let working = async {
            put(&mailbox, &contacts(), "one.vcf", &note).await.unwrap();
            served(&mailbox, &contacts(), "one.vcf").await.0
        };
        let (failed, text) = tokio::join!(failing, working);
        assert!(matches!(failed, Err(Error::Unsupported(_))), "{failed:?}");
        assert!(text.contains(&format!("NOTE:round {round}")), "{text}");
    }
    assert!(stage.dump(USER).await.to_string().contains("round 4"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_never_share_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/EWS/Exchange.asmx", listener.local_addr().unwrap());
    let heads: Arc<Mutex<BTreeSet<(usize, String)>>> = Arc::default();
    let seen = Arc::clone(&heads);
    tokio::spawn(async move {
        for connection in 1.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let seen = Arc::clone(&seen);
            tokio::spawn(async move {
                let mut octets = Vec::new();
                loop {
                    while !octets.windows(14).any(|window| window == b"</soap:Envelop") {
                        if stream.read_buf(&mut octets).await.unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    let text = String::from_utf8(octets.clone()).unwrap().to_ascii_lowercase();
                    let line = text.lines().find(|line| line.starts_with("authorization:")).unwrap();
                    seen.lock().unwrap().insert((connection, line.to_owned()));
                    octets.clear();
                    let _ = stream.write_all(folder("GetFolder", "Mine").as_bytes()).await;
                }
            });
        }
    });
    let sign_in = ews::auth::Choice::Only(ews::auth::Scheme::Basic);
    let exchange = ews::Exchange::new(ews::Settings { url, sign_in, ..ews::Settings::default() }).unwrap();
    let sessions = [USER, GUEST, "demo3@example.com"]
        .map(|user| exchange.session(ews::Credentials::password(user, PASSWORD)));
    for _ in 0..3 {
        for session in &sessions {
            assert_eq!(shown(session).await.unwrap(), "Mine");
        }
    }
    let heads = heads.lock().unwrap();
    let connections: BTreeSet<usize> = heads.iter().map(|(connection, _)| *connection).collect();
    let users: BTreeSet<&String> = heads.iter().map(|(_, line)| line).collect();
    assert_eq!((heads.len(), users.len()), (connections.len(), sessions.len()), "{heads:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_another_operation_is_not_taken_and_ends_its_connection() {
    let answer = |_: usize, number: usize| match number {
        1 => folder("GetFolder", "Mine"),
        _ => folder("SyncFolderItems", "Theirs"),
    };
    let (session, requests) = odd_server(answer).await;
    for _ in 0..10 {
        assert_eq!(shown(&session).await.unwrap(), "Mine");
    }
    assert!(requests.load(Ordering::Relaxed) > 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_a_used_connection_spoilt_is_sent_once_more_over_a_new_one() {
    const REFUSED: &str = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let (session, requests) = odd_server(|_, number| match number {
        2 => REFUSED.to_owned(),
        _ => folder("GetFolder", "Mine"),
    })
    .await;
    for _ in 0..10 {
        assert_eq!(shown(&session).await.unwrap(), "Mine");
    }
    assert!(requests.load(Ordering::Relaxed) > 10);
    // A new connection is not to blame.
    let (session, requests) = odd_server(|_, _| REFUSED.to_owned()).await;
    assert!(matches!(shown(&session).await, Err(ews::Error::Http { status: 400, .. })));
    assert_eq!(requests.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_of_a_hundred_kilobytes_is_stored_on_gromox_and_the_next_request_is_answered() {
    let (stage, mailbox) = gromox().await;
    put(&mailbox, &contacts(), "one.vcf", &card("NOTE:small")).await.unwrap();
    let photo = STANDARD.encode(vec![7; 100_000]);
    put(&mailbox, &contacts(), "one.vcf", &card(&format!("PHOTO;ENCODING=b;TYPE=JPEG:{photo}")))
        .await
        .unwrap();
    assert!(anew(&stage, &contacts(), "one.vcf").await.contains("PHOTO"));
}
