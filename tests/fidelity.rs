//! What clients write is what Exchange holds and what they get back: here, and from a mirror that starts empty.

use crate::golden::case;
use crate::support::{PASSWORD, Stage, USER, calendar, contacts};
use bytes::Bytes;
use exdav::gateway::write::{Conditions, ScheduleReply, Tags, Written};
use exdav::gateway::{Error, Mailbox};
use exdav::model::id::{CollectionId, ETag, ResourceName};
use exdav::model::refusal::Reason;
use std::path::{Path, PathBuf};
use std::time::Duration;

const FRESH: Duration = Duration::from_secs(3600);

fn tasks() -> CollectionId {
    "tasks".parse().unwrap()
}

fn name(text: &str) -> ResourceName {
    text.parse().unwrap()
}

fn event(uid: &str, lines: &str) -> Bytes {
    let text = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\n\
         {}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        lines.trim().replace('\n', "\r\n")
    );
    text.into()
}

const TIMED: &str = "DTSTART;TZID=Europe/Berlin:20260302T090000\nDTEND;TZID=Europe/Berlin:20260302T100000";

async fn put(mailbox: &Mailbox, id: &CollectionId, file: &str, body: &Bytes) -> Result<Written, Error> {
    mailbox.put(id, &name(file), &Conditions::default(), body.clone()).await
}

async fn body(mailbox: &Mailbox, id: &CollectionId, file: &str) -> (Bytes, ETag) {
    let object = mailbox.get(id, &name(file)).await.unwrap().unwrap_or_else(|| panic!("{file} is not there"));
    (object.body, object.head.etag)
}

/// The same contact in vCard 4.0.
async fn card4(mailbox: &Mailbox, id: &CollectionId, file: &str) -> Bytes {
    mailbox.get(id, &name(file)).await.unwrap().unwrap().vcard4.unwrap_or_default()
}

async fn text_of(mailbox: &Mailbox, file: &str) -> String {
    String::from_utf8(body(mailbox, &calendar(), file).await.0.to_vec()).unwrap()
}

/// A gateway whose mirror knows nothing.
async fn elsewhere(stage: &Stage) -> (Mailbox, tempfile::TempDir) {
    let store = tempfile::tempdir().unwrap();
    let gateway = stage.gateway_with(FRESH, store.path(), exdav::gateway::Settings::default());
    (gateway.sign_in(USER, PASSWORD).await.unwrap(), store)
}

/// What a case's client sends.
fn input(case: &Path) -> Option<Bytes> {
    let read = |file: &str| std::fs::read(case.join(file)).ok().map(Bytes::from);
    read("input.ics").or_else(|| read("input.vcf"))
}

fn mapping_cases() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(case::mapping()).unwrap();
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    cases.retain(|case| input(case).is_some() && !case.join("before.xml").exists());
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_taken_comes_back_to_the_octet_from_any_gateway() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(FRESH).await;
    let mut stored = Vec::new();
    for case in mapping_cases() {
        let title = case.file_name().unwrap().to_string_lossy().into_owned();
        let (id, file) = match title.chars().next() {
            Some('t') => (tasks(), format!("{title}.ics")),
            Some('c') => (contacts(), format!("{title}.vcf")),
            _ => (calendar(), format!("{title}.ics")),
        };
        let sent = input(&case).unwrap();
        let expected = std::fs::read_to_string(case.join("expect.md")).unwrap();
        let expected = expected.split("## With the setting").next().unwrap();
        match put(&mailbox, &id, &file, &sent).await {
            Ok(written) => {
                assert!(!expected.contains("status 403"), "{title} was taken");
                let (got, etag) = body(&mailbox, &id, &file).await;
                if let Some(promised) = written.etag {
                    let same = got == sent || card4(&mailbox, &id, &file).await == sent;
                    assert!(same && etag == promised, "{title}: {}", String::from_utf8_lossy(&got));
                }
                stored.push((title, id, file, got, etag));
            }
            Err(Error::Refused(_)) => assert!(expected.contains("status 403"), "{title} was refused"),
            Err(error) => panic!("{title}: {error}"),
        }
    }
    let (other, _store) = elsewhere(&stage).await;
    for (title, id, file, got, etag) in stored {
        assert_eq!(body(&other, &id, &file).await, (got, etag), "{title} from another gateway");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_create_an_update_and_a_delete_cost_one_call_each() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(FRESH).await;
    mailbox.list(&calendar()).await.unwrap();
    stage.reset().await;
    put(&mailbox, &calendar(), "one.ics", &event("one", TIMED)).await.unwrap();
    assert_eq!(stage.calls().await, [("CreateItem".to_owned(), 1)].into());
    for more in ["SUMMARY:a", "SUMMARY:b\nLOCATION:there\nDESCRIPTION:text", "X-OWN:kept"] {
        stage.reset().await;
        let text = event("one", &format!("{TIMED}\n{more}"));
        let written = put(&mailbox, &calendar(), "one.ics", &text).await.unwrap();
        assert_eq!(stage.calls().await, [("UpdateItem".to_owned(), 1)].into(), "{more}");
        let (other, _store) = elsewhere(&stage).await;
        let (got, etag) = body(&other, &calendar(), "one.ics").await;
        assert_eq!((got, Some(etag)), (text, written.etag), "{more}");
    }
    stage.reset().await;
    mailbox.delete(&calendar(), &name("one.ics"), &Conditions::default(), ScheduleReply::Send).await.unwrap();
    assert_eq!(stage.calls().await, [("DeleteItem".to_owned(), 1)].into());
    assert!(mailbox.get(&calendar(), &name("one.ics")).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_exchange_is_changed_in_one_call_after_it_was_read() {
    let stage = Stage::lively().await;
    let id = stage.make_event(USER, "Theirs").await;
    assert!(!id.is_empty());
    let mailbox = stage.mailbox(FRESH).await;
    let all = mailbox.list(&calendar()).await.unwrap();
    let mut found = None;
    for listed in all {
        let object = mailbox.get(&calendar(), &listed.name).await.unwrap().unwrap();
        if String::from_utf8_lossy(&object.body).contains("SUMMARY:Theirs") {
            found = Some(object);
        }
    }
    let object = found.expect("the event");
    let text = String::from_utf8(object.body.to_vec()).unwrap().replace("Theirs", "Ours");
    stage.reset().await;
    put(&mailbox, &calendar(), object.head.name.as_str(), &text.into()).await.unwrap();
    assert_eq!(stage.calls().await, [("UpdateItem".to_owned(), 1)].into());
    assert!(text_of(&mailbox, object.head.name.as_str()).await.contains("SUMMARY:Ours"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unconditional_change_of_what_a_colleague_changed_meanwhile_is_made_upon_their_version() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(FRESH).await;
    put(&mailbox, &calendar(), "y.ics", &event("y", &format!("{TIMED}\nSUMMARY:first"))).await.unwrap();
    let (other, _store) = elsewhere(&stage).await;
    put(&other, &calendar(), "y.ics", &event("y", &format!("{TIMED}\nSUMMARY:theirs"))).await.unwrap();
    let mine = event("y", &format!("{TIMED}\nSUMMARY:mine"));
    put(&mailbox, &calendar(), "y.ics", &mine).await.unwrap();
    let (third, _store) = elsewhere(&stage).await;
    assert_eq!(body(&third, &calendar(), "y.ics").await.0, mine);
    // Removed by somebody else: it is made anew.
    other.delete(&calendar(), &name("y.ics"), &Conditions::default(), ScheduleReply::Send).await.unwrap();
    let again = event("y", &format!("{TIMED}\nSUMMARY:again"));
    put(&mailbox, &calendar(), "y.ics", &again).await.unwrap();
    let (fourth, _store) = elsewhere(&stage).await;
    assert_eq!(body(&fourth, &calendar(), "y.ics").await.0, again);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_knows_an_old_version_is_stopped_even_when_the_mirror_is_old_too() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(FRESH).await;
    let first = put(&mailbox, &calendar(), "x.ics", &event("x", TIMED)).await.unwrap().etag.unwrap();
    // Another gateway changes it; this one's mirror does not know.
    let (other, _store) = elsewhere(&stage).await;
    put(&other, &calendar(), "x.ics", &event("x", &format!("{TIMED}\nSUMMARY:theirs"))).await.unwrap();
    let conditions = Conditions { if_match: Some(Tags::These(vec![first])), ..Conditions::default() };
    let mine = event("x", &format!("{TIMED}\nSUMMARY:mine"));
    let outcome = mailbox.put(&calendar(), &name("x.ics"), &conditions, mine).await;
    assert!(matches!(outcome, Err(Error::Changed)), "{outcome:?}");
    assert!(text_of(&mailbox, "x.ics").await.contains("SUMMARY:theirs"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uid_that_another_object_has_is_refused_with_its_name() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(FRESH).await;
    put(&mailbox, &calendar(), "a.ics", &event("same", TIMED)).await.unwrap();
    match put(&mailbox, &calendar(), "b.ics", &event("same", TIMED)).await {
        Err(Error::Refused(refusal)) => assert_eq!(refusal.reason, Reason::UidConflict(name("a.ics"))),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_in_outlook_and_what_outlook_cannot_see_both_survive() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(Duration::ZERO).await;
    mailbox.list(&calendar()).await.unwrap();
    let sent = event("both", &format!("{TIMED}\nSUMMARY:Before\nURL:https://example.com/1\nX-OWN;A=b:kept"));
    put(&mailbox, &calendar(), "both.ics", &sent).await.unwrap();
    let dump = stage.dump(USER).await.to_string();
    assert!(dump.contains("Before"));
    let found = stage
        .colleague(
            USER,
            "<m:FindItem Traversal='Shallow'><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>\
             <m:Restriction><t:IsEqualTo><t:FieldURI FieldURI='item:Subject'/><t:FieldURIOrConstant>\
             <t:Constant Value='Before'/></t:FieldURIOrConstant></t:IsEqualTo></m:Restriction>\
             <m:ParentFolderIds><t:DistinguishedFolderId Id='calendar'/></m:ParentFolderIds></m:FindItem>",
        )
        .await;
    let id = found.split("<t:ItemId ").nth(1).unwrap_or_else(|| panic!("{found}"));
    let id = id.split("/>").next().unwrap();
    let changed = stage
        .colleague(
            USER,
            &format!(
                "<m:UpdateItem ConflictResolution='AlwaysOverwrite' MessageDisposition='SaveOnly' \
                 SendMeetingInvitationsOrCancellations='SendToNone'><m:ItemChanges><t:ItemChange><t:ItemId {id}/>\
                 <t:Updates><t:SetItemField><t:FieldURI FieldURI='item:Subject'/><t:CalendarItem>\
                 <t:Subject>After</t:Subject></t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange>\
                 </m:ItemChanges></m:UpdateItem>"
            ),
        )
        .await;
    assert!(changed.contains("NoError"), "{id}: {changed}");
    let text = text_of(&mailbox, "both.ics").await;
    for line in ["SUMMARY:After", "URL:https://example.com/1", "X-OWN;A=b:kept", "DTSTAMP:"] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(!text.contains("Before"));
}

const SERIES: &str = "DTSTART;TZID=Europe/Berlin:20260302T090000\nDTEND;TZID=Europe/Berlin:20260302T100000\n\
                      RRULE:FREQ=WEEKLY;COUNT=6\nSUMMARY:Weekly";

fn series(master: &str, overrides: &str) -> Bytes {
    let one = event("series", &format!("{SERIES}{master}"));
    let text = String::from_utf8(one.to_vec()).unwrap();
    let more = overrides.trim().replace('\n', "\r\n");
    let more = if more.is_empty() { more } else { format!("{more}\r\n") };
    text.replace("END:VCALENDAR", &format!("{more}END:VCALENDAR")).into()
}

const MOVED: &str = "BEGIN:VEVENT\nUID:series\nDTSTAMP:20260101T000000Z\nRECURRENCE-ID;TZID=Europe/Berlin:20260309T090000\n\
                     DTSTART;TZID=Europe/Berlin:20260310T140000\nDTEND;TZID=Europe/Berlin:20260310T150000\nSUMMARY:Moved\nEND:VEVENT";

#[tokio::test(flavor = "multi_thread")]
async fn a_series_is_changed_step_by_step_and_stays_what_the_client_wrote() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(FRESH).await;
    let steps = [
        series("", ""),
        series("", MOVED),
        series("\nEXDATE;TZID=Europe/Berlin:20260316T090000", MOVED),
        // Coming back takes the series anew.
        series("", MOVED),
        series("\nLOCATION:Hall", ""),
    ];
    for (step, text) in steps.iter().enumerate() {
        put(&mailbox, &calendar(), "series.ics", text).await.unwrap_or_else(|e| panic!("step {step}: {e}"));
        let (other, _store) = elsewhere(&stage).await;
        let (got, _) = body(&other, &calendar(), "series.ics").await;
        assert_eq!(&got, text, "step {step}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_more_excluded_date_costs_four_calls_wherever_in_the_series_it_is() {
    // Of an empty mailbox: what others have in it on those days is not counted.
    let stage = Stage::empty(1).await;
    let mailbox = stage.mailbox(FRESH).await;
    let weekly = format!("{TIMED}\nRRULE:FREQ=WEEKLY;BYDAY=MO");
    put(&mailbox, &calendar(), "long.ics", &event("long", &weekly)).await.unwrap();
    stage.reset().await;
    // 104 weeks after the start.
    let fewer = event("long", &format!("{weekly}\nEXDATE;TZID=Europe/Berlin:20280228T090000"));
    put(&mailbox, &calendar(), "long.ics", &fewer).await.unwrap();
    let calls = stage.calls().await;
    assert!(calls.values().sum::<u64>() <= 4, "{calls:?}");
    let (other, _store) = elsewhere(&stage).await;
    assert_eq!(body(&other, &calendar(), "long.ics").await.0, fewer);
    let view = "<m:FindItem Traversal='Shallow'><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape>\
                <m:CalendarView StartDate='2028-02-20T00:00:00Z' EndDate='2028-03-10T00:00:00Z'/>\
                <m:ParentFolderIds><t:DistinguishedFolderId Id='calendar'/></m:ParentFolderIds></m:FindItem>";
    let seen = stage.colleague(USER, view).await;
    let starts = |at: &str| seen.matches(&format!("<t:Start>{at}")).count();
    assert_eq!((starts("2028-02-21"), starts("2028-02-28"), starts("2028-03-06")), (1, 0, 1), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_excluded_date_leaves_what_outlook_wrote_into_another_occurrence() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(Duration::ZERO).await;
    mailbox.list(&calendar()).await.unwrap();
    put(&mailbox, &calendar(), "series.ics", &series("", "")).await.unwrap();
    let find = "<m:FindItem Traversal='Shallow'><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>\
                <m:Restriction><t:IsEqualTo><t:FieldURI FieldURI='item:Subject'/><t:FieldURIOrConstant>\
                <t:Constant Value='Weekly'/></t:FieldURIOrConstant></t:IsEqualTo></m:Restriction>\
                <m:ParentFolderIds><t:DistinguishedFolderId Id='calendar'/></m:ParentFolderIds></m:FindItem>";
    let found = stage.colleague(USER, find).await;
    let id = found.split("ItemId Id=\"").nth(1).unwrap().split('"').next().unwrap();
    let second = format!("<t:OccurrenceItemId RecurringMasterId='{id}' InstanceIndex='2'/>");
    let change = format!(
        "<m:UpdateItem MessageDisposition='SaveOnly' ConflictResolution='AlwaysOverwrite' \
         SendMeetingInvitationsOrCancellations='SendToNone'><m:ItemChanges><t:ItemChange>{second}<t:Updates>\
         <t:SetItemField><t:FieldURI FieldURI='item:Body'/><t:CalendarItem><t:Body BodyType='HTML'>\
         &lt;p&gt;bring &lt;b&gt;cake&lt;/b&gt;&lt;/p&gt;</t:Body></t:CalendarItem></t:SetItemField></t:Updates>\
         </t:ItemChange></m:ItemChanges></m:UpdateItem>"
    );
    let answer = stage.colleague(USER, &change).await;
    assert!(answer.contains("NoError"), "{answer}");
    let seen = text_of(&mailbox, "series.ics").await;
    assert!(seen.contains("cake"), "{seen}");
    let fewer = seen.replacen("SUMMARY:", "EXDATE;TZID=Europe/Berlin:20260316T090000\r\nSUMMARY:", 1);
    put(&mailbox, &calendar(), "series.ics", &Bytes::from(fewer)).await.unwrap();
    let shape =
        "<m:ItemShape><t:BaseShape>AllProperties</t:BaseShape><t:BodyType>HTML</t:BodyType></m:ItemShape>";
    let read = format!("<m:GetItem>{shape}<m:ItemIds>{second}</m:ItemIds></m:GetItem>");
    let held = stage.colleague(USER, &read).await;
    assert!(held.contains("&lt;b&gt;cake"), "{held}");
    assert!(text_of(&mailbox, "series.ics").await.contains("cake"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_open_turn_is_excluded_is_due_at_the_next_one() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(FRESH).await;
    mailbox.list(&tasks()).await.unwrap();
    let task = |more: &str| {
        let text = format!(
            "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nBEGIN:VTODO\nUID:turns\nDTSTAMP:20260101T000000Z\n\
             SUMMARY:turns\nDTSTART;VALUE=DATE:20261201\nDUE;VALUE=DATE:20261203\nRRULE:FREQ=WEEKLY;COUNT=5\n{more}\
             END:VTODO\nEND:VCALENDAR\n"
        );
        Bytes::from(text.replace('\n', "\r\n"))
    };
    let whole = task("");
    put(&mailbox, &tasks(), "turns.ics", &whole).await.unwrap();
    let fewer = task("EXDATE;VALUE=DATE:20261201\nEXDATE;VALUE=DATE:20261208\n");
    put(&mailbox, &tasks(), "turns.ics", &fewer).await.unwrap();
    let find = "<m:FindItem Traversal='Shallow'><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape>\
                <m:Restriction><t:IsEqualTo><t:FieldURI FieldURI='item:Subject'/><t:FieldURIOrConstant>\
                <t:Constant Value='turns'/></t:FieldURIOrConstant></t:IsEqualTo></m:Restriction>\
                <m:ParentFolderIds><t:DistinguishedFolderId Id='tasks'/></m:ParentFolderIds></m:FindItem>";
    let held = stage.colleague(USER, find).await;
    assert!(held.contains("<t:StartDate>2026-12-15") && held.contains("<t:DueDate>2026-12-17"), "{held}");
    let (other, _store) = elsewhere(&stage).await;
    assert_eq!(body(&other, &tasks(), "turns.ics").await.0, fewer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_as_it_is_spoken_is_what_outlook_sorts_by_and_no_second_name() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(FRESH).await;
    let card = |spoken: &str| {
        let text = format!(
            "BEGIN:VCARD\nVERSION:4.0\nUID:spoken\nFN:山田太郎\n{spoken}N;ALTID=1;LANGUAGE=jp:山田;太郎;;;\nEND:VCARD\n"
        );
        Bytes::from(text.replace('\n', "\r\n"))
    };
    let first = card("N;ALTID=1;PHONETIC=script;SCRIPT=Kana:やまだ;たろう;;;\n");
    put(&mailbox, &contacts(), "spoken.vcf", &first).await.unwrap();
    let held = stage.dump(USER).await.to_string();
    assert!(held.contains("やまだ") && held.contains("たろう"), "{held}");
    let (other, _store) = elsewhere(&stage).await;
    assert_eq!(card4(&other, &contacts(), "spoken.vcf").await, first);
    let second = card("N;ALTID=1;PHONETIC=script;SCRIPT=Kana:やまた;たろう;;;\n");
    put(&mailbox, &contacts(), "spoken.vcf", &second).await.unwrap();
    assert!(stage.dump(USER).await.to_string().contains("やまた"));
}

/// So many lines of 60 characters that cannot be packed.
fn noise(lines: usize) -> String {
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    let mut letter = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        char::from(
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-/"
                [usize::try_from(seed >> 58).unwrap()],
        )
    };
    let mut line = |number| format!("X-NOISE-{number}:{}", (0..60).map(|_| letter()).collect::<String>());
    (0..lines).map(&mut line).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_text_is_kept_in_several_properties_and_shrinks_without_a_trace() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(FRESH).await;
    let long = |lines: usize| event("long", &format!("{TIMED}\nSUMMARY:Long\n{}", noise(lines)));
    let kept = async || {
        let dump = stage.dump(USER).await.to_string();
        (2..=9).filter(|number| dump.contains(&format!("dav-body-{number}"))).count()
    };
    for (lines, more) in [(2_000, 4), (3_000, 6), (800, 1), (10, 0), (2_000, 4)] {
        let body_of = long(lines);
        let written = put(&mailbox, &calendar(), "long.ics", &body_of).await.unwrap();
        assert!(written.etag.is_some(), "{lines}");
        assert_eq!(kept().await, more, "{lines}");
        assert!(body(&mailbox, &calendar(), "long.ics").await.0 == body_of, "{lines}");
        let (other, _store) = elsewhere(&stage).await;
        assert!(body(&other, &calendar(), "long.ics").await.0 == body_of, "{lines}");
    }
    // A change by an Outlook that knows nothing of these properties leaves them alone.
    let find = "<m:FindItem Traversal='Shallow'><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:Restriction>\
         <t:IsEqualTo><t:FieldURI FieldURI='item:Subject'/><t:FieldURIOrConstant><t:Constant Value='Long'/>\
         </t:FieldURIOrConstant></t:IsEqualTo></m:Restriction><m:ParentFolderIds><t:DistinguishedFolderId Id='calendar'/>\
         </m:ParentFolderIds></m:FindItem>";
    let found = stage.colleague(USER, find).await;
    let id = found.split("<t:ItemId ").nth(1).unwrap().split("/>").next().unwrap();
    let change = format!(
        "<m:UpdateItem MessageDisposition='SaveOnly' ConflictResolution='AlwaysOverwrite' \
         SendMeetingInvitationsOrCancellations='SendToNone'><m:ItemChanges><t:ItemChange><t:ItemId {id}/><t:Updates>\
         <t:SetItemField><t:FieldURI FieldURI='item:Subject'/><t:CalendarItem><t:Subject>Renamed</t:Subject>\
         </t:CalendarItem></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"
    );
    assert!(stage.colleague(USER, &change).await.contains("NoError"));
    let (other, _store) = elsewhere(&stage).await;
    let seen = text_of(&other, "long.ics").await;
    assert!(seen.contains("SUMMARY:Renamed") && noise(2_000).lines().all(|line| seen.contains(line)));
    // What would need more is refused, and what is there stays.
    let refused = put(&mailbox, &calendar(), "long.ics", &long(4_000)).await;
    assert!(
        matches!(&refused, Err(Error::Refused(refusal)) if refusal.reason == Reason::TooLarge),
        "{refused:?}"
    );
    let (other, _store) = elsewhere(&stage).await;
    assert!(text_of(&other, "long.ics").await == seen);
    let card = format!(
        "BEGIN:VCARD\nVERSION:4.0\nUID:long-card\nFN:Long\nN:Long;;;;\n{}\nEND:VCARD\n",
        noise(2_000)
    );
    let card = Bytes::from(card.replace('\n', "\r\n"));
    put(&mailbox, &contacts(), "long.vcf", &card).await.unwrap();
    let (other, _store) = elsewhere(&stage).await;
    assert!(card4(&other, &contacts(), "long.vcf").await == card);
}
