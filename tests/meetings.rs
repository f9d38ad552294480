//! Who hears of what an organiser writes, and how often: each guest of each write once, and of nothing that is not
//! there yet.

use crate::support::{PASSWORD, Stage, USER, calendar};
use exdav::gateway::write::{Conditions, ScheduleReply, Tags, Written};
use exdav::gateway::{Error, Mailbox, Settings};
use exdav::model::id::ResourceName;
use exdav::model::refusal::Reason;
use serde_json::Value;
use std::time::Duration;

const GUEST: &str = "demo2@example.com";
const OTHER: &str = "demo3@example.com";

fn name() -> ResourceName {
    "m.ics".parse().unwrap()
}

/// A weekly series of six from the first of December on, with a guest.
struct Series {
    head: String,
    guests: String,
    overrides: Vec<String>,
}

fn guest(who: &str) -> String {
    format!("ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{who}\r\n")
}

fn series() -> Series {
    Series {
        head: "DTSTART:20271201T090000Z\r\nDTEND:20271201T100000Z\r\nRRULE:FREQ=WEEKLY;COUNT=6\r\nSUMMARY:Weekly\r\n".to_owned(),
        guests: guest(GUEST),
        overrides: Vec::new(),
    }
}

impl Series {
    fn with(mut self, day: &str, lines: &str) -> Self {
        let people = if lines.contains("ATTENDEE") { String::new() } else { self.guests.clone() };
        self.overrides.push(format!("RECURRENCE-ID:{day}T090000Z\r\n{lines}{people}"));
        self
    }

    fn and(mut self, lines: &str) -> Self {
        self.head.push_str(lines);
        self
    }

    fn text(&self) -> String {
        let one = |lines: &str| {
            format!(
                "BEGIN:VEVENT\r\nUID:meeting\r\nDTSTAMP:20260101T000000Z\r\nORGANIZER:mailto:{USER}\r\n{lines}\
                 END:VEVENT\r\n"
            )
        };
        let master = one(&format!("{}{}", self.head, self.guests));
        let overrides: String = self.overrides.iter().map(|lines| one(lines)).collect();
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n{master}{overrides}END:VCALENDAR\r\n"
        )
    }
}

const PLAIN: &str = "DTSTART:20271208T090000Z\r\nDTEND:20271208T100000Z\r\nSUMMARY:Weekly\r\n";
const MOVED: &str = "DTSTART:20271209T110000Z\r\nDTEND:20271209T120000Z\r\nSUMMARY:Weekly\r\n";

async fn put(mailbox: &Mailbox, body: &str) -> Result<Written, Error> {
    mailbox.put(&calendar(), &name(), &Conditions::default(), body.to_owned().into()).await
}

async fn text(mailbox: &Mailbox) -> String {
    let object = mailbox.get(&calendar(), &name()).await.unwrap().unwrap();
    String::from_utf8(object.body.to_vec()).unwrap()
}

/// Mails since the last look: what, to whom, about which occurrence, with how many deleted and changed ones.
struct Post {
    seen: usize,
}

#[derive(Debug, PartialEq)]
struct Mail {
    what: String,
    to: Vec<String>,
    occurrence: Option<String>,
    deleted: u64,
    modified: u64,
}

fn mail(what: &str, to: &[&str], occurrence: Option<&str>, deleted: u64, modified: u64) -> Mail {
    let to = to.iter().map(|who| (*who).to_owned()).collect();
    Mail { what: what.to_owned(), to, occurrence: occurrence.map(str::to_owned), deleted, modified }
}

impl Post {
    async fn of(&mut self, stage: &Stage) -> Vec<Mail> {
        let dump = stage.dump(USER).await;
        let sent = dump["sent"].as_array().unwrap();
        let new = sent[self.seen..].iter().map(|sent: &Value| Mail {
            what: sent["what"].as_str().unwrap().to_owned(),
            to: sent["to"].as_array().unwrap().iter().map(|who| who.as_str().unwrap().to_owned()).collect(),
            occurrence: sent["occurrence"].as_str().map(str::to_owned),
            deleted: sent["deleted"].as_u64().unwrap_or_default(),
            modified: sent["modified"].as_u64().unwrap_or_default(),
        });
        self.seen = sent.len();
        new.collect()
    }
}

/// Writes the first, then the second text; the mails of the second write.
async fn mails_of_change(first: &Series, second: &Series) -> Vec<Mail> {
    let stage = Stage::empty(3).await;
    let mailbox = stage.mailbox(Duration::ZERO).await;
    let mut post = Post { seen: 0 };
    put(&mailbox, &first.text()).await.unwrap();
    assert_eq!(post.of(&stage).await.len(), 1, "the invitation");
    put(&mailbox, &second.text()).await.unwrap();
    let mails = post.of(&stage).await;
    assert_eq!(text(&mailbox).await, second.text());
    put(&mailbox, &second.text()).await.unwrap();
    assert_eq!(post.of(&stage).await, [], "the same again tells nobody");
    mails
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_series_is_told_once_with_its_exceptions() {
    let stage = Stage::empty(3).await;
    let mailbox = stage.mailbox(Duration::ZERO).await;
    let body = series().and("EXDATE:20271215T090000Z\r\n").with("20271208", MOVED).text();
    put(&mailbox, &body).await.unwrap();
    let sent = Post { seen: 0 }.of(&stage).await;
    assert_eq!(sent, [mail("update", &[GUEST], None, 1, 1)]);
    let guests = stage.gateway_with(Duration::ZERO, &stage.store.path().join("guest"), Settings::default());
    let guest = guests.sign_in(GUEST, PASSWORD).await.unwrap();
    let heads = guest.list(&calendar()).await.unwrap();
    let seen = guest.get(&calendar(), &heads[0].name).await.unwrap().unwrap();
    let seen = String::from_utf8(seen.body.to_vec()).unwrap();
    assert!(seen.contains("EXDATE") && seen.contains("RECURRENCE-ID"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_one_occurrence_is_told_as_such() {
    let day = Some("2027-12-08T09:00:00Z");
    let moved = mails_of_change(&series(), &series().with("20271208", MOVED)).await;
    assert_eq!(moved, [mail("update", &[GUEST], day, 0, 1)]);
    let titled = series().with("20271208", &PLAIN.replace("Weekly", "Special"));
    assert_eq!(mails_of_change(&series(), &titled).await, [mail("update", &[GUEST], day, 0, 1)]);
    let back = mails_of_change(&series().with("20271208", MOVED), &series().with("20271208", PLAIN)).await;
    assert_eq!(back, [mail("update", &[GUEST], day, 0, 1)], "what goes back to its place has moved, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_occurrence_that_is_called_off_is_told_as_such() {
    let cancelled = [mail("cancellation", &[GUEST], Some("2027-12-08T09:00:00Z"), 0, 0)];
    let excluded = series().and("EXDATE:20271208T090000Z\r\n");
    assert_eq!(mails_of_change(&series(), &excluded).await, cancelled);
    let status = series().with("20271208", &format!("{PLAIN}STATUS:CANCELLED\r\n"));
    assert_eq!(mails_of_change(&series(), &status).await, cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_concerns_the_owner_alone_is_told_nobody() {
    let reminder = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\n";
    let alarmed = series().with("20271208", &format!("{PLAIN}CATEGORIES:mine\r\nTRANSP:TRANSPARENT\r\n"));
    assert_eq!(mails_of_change(&series(), &alarmed).await, []);
    let mut own = series();
    own.guests.push_str(reminder);
    assert_eq!(mails_of_change(&series(), &own).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_changes_of_one_write_are_told_in_one_mail_when_all_are_there() {
    let two = series()
        .with("20271208", MOVED)
        .with("20271222", "DTSTART:20271222T090000Z\r\nDTEND:20271222T110000Z\r\nSUMMARY:Weekly\r\n");
    assert_eq!(mails_of_change(&series(), &two).await, [mail("update", &[GUEST], None, 0, 2)]);
    let dated = series().and("EXDATE:20271208T090000Z\r\nEXDATE:20271215T090000Z\r\n");
    assert_eq!(mails_of_change(&series(), &dated).await, [mail("update", &[GUEST], None, 2, 0)]);
    let mut renamed = series().with("20271208", MOVED);
    renamed.head = renamed.head.replace("Weekly", "Renamed");
    assert_eq!(mails_of_change(&series(), &renamed).await, [mail("update", &[GUEST], None, 0, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_rule_is_told_with_its_exceptions() {
    let with = |rule: &str| {
        let mut series = series().and("EXDATE:20271215T090000Z\r\n").with("20271208", MOVED);
        series.head = series.head.replace("COUNT=6", rule);
        series
    };
    let mails = mails_of_change(&with("COUNT=6"), &with("COUNT=9")).await;
    assert_eq!(mails, [mail("update", &[GUEST], None, 1, 1)]);
    let returned = mails_of_change(&series().and("EXDATE:20271208T090000Z\r\n"), &series()).await;
    assert_eq!(returned, [mail("update", &[GUEST], None, 0, 0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_guest_alone_hears_of_a_series_a_lost_one_of_its_end() {
    let mut more = series();
    more.guests.push_str(&guest(OTHER));
    assert_eq!(mails_of_change(&series(), &more).await, [mail("update", &[OTHER], None, 0, 0)]);
    let fewer = mails_of_change(&more, &series()).await;
    assert_eq!(fewer, [mail("cancellation", &[OTHER], None, 0, 0)]);
    // With an occurrence that changes for all, each hears of it once.
    let mut both = series().and("EXDATE:20271208T090000Z\r\n");
    both.guests.push_str(&guest(OTHER));
    assert_eq!(mails_of_change(&series(), &both).await, [mail("update", &[GUEST, OTHER], None, 1, 0)]);
    let quiet = "CATEGORIES:mine\r\n";
    let mut later = series().with("20271208", &format!("{PLAIN}{quiet}"));
    later.guests.push_str(&guest(OTHER));
    let later_mails = mails_of_change(&series(), &later).await;
    assert_eq!(later_mails, [mail("update", &[OTHER], None, 0, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_to_one_occurrence_hears_of_that_one() {
    let stage = Stage::empty(3).await;
    let mailbox = stage.mailbox(Duration::ZERO).await;
    let mut post = Post { seen: 0 };
    put(&mailbox, &series().text()).await.unwrap();
    post.of(&stage).await;
    let with = series().with("20271208", &format!("{PLAIN}{}{}", guest(GUEST), guest(OTHER)));
    put(&mailbox, &with.text()).await.unwrap();
    let day = Some("2027-12-08T09:00:00Z");
    assert_eq!(post.of(&stage).await, [mail("update", &[OTHER], day, 0, 1)]);
    assert_eq!(text(&mailbox).await, with.text());
    let gateway = stage.gateway_with(Duration::ZERO, &stage.store.path().join("other"), Settings::default());
    let other = gateway.sign_in(OTHER, PASSWORD).await.unwrap();
    let heads = other.list(&calendar()).await.unwrap();
    let seen = other.get(&calendar(), &heads[0].name).await.unwrap().unwrap();
    let seen = String::from_utf8(seen.body.to_vec()).unwrap();
    assert!(seen.contains("RECURRENCE-ID") && !seen.contains("RRULE"), "{seen}");
    put(&mailbox, &series().with("20271208", PLAIN).text()).await.unwrap();
    assert_eq!(post.of(&stage).await, [mail("cancellation", &[OTHER], day, 0, 1)]);
}

/// Writes until it is done, as a client does that gets no answer.
async fn put_until_done(mailbox: &Mailbox, body: &str) {
    for _ in 0..6 {
        match put(mailbox, body).await {
            Ok(_) => return assert_eq!(text(mailbox).await, body),
            Err(error) => assert!(matches!(error, Error::Unavailable { .. }), "{error:?}"),
        }
    }
    panic!("never done");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_hears_twice_or_never_of_a_write_whose_calls_get_lost() {
    let mut single = series();
    single.head = single.head.replace("RRULE:FREQ=WEEKLY;COUNT=6\r\n", "");
    let excepted = series().and("EXDATE:20271215T090000Z\r\n").with("20271208", MOVED);
    let mut renamed = series().and("EXDATE:20271215T090000Z\r\n").with("20271208", MOVED);
    renamed.head = renamed.head.replace("COUNT=6", "COUNT=8");
    renamed.guests.push_str(&guest(OTHER));
    let moved = series().with("20271208", MOVED);
    let writes = [(None, &single), (None, &excepted), (Some(series()), &moved), (Some(series()), &renamed)];
    let mut trials = tokio::task::JoinSet::new();
    for (before, after) in writes {
        let once = if after.guests.contains(OTHER) { vec![GUEST, OTHER] } else { vec![GUEST] };
        for operation in ["CreateItem", "UpdateItem", "DeleteItem", "GetItem", "SyncFolderItems"] {
            for (kind, skipped, times) in
                [("drop-before", 0, 1), ("drop-after", 0, 1), ("drop-after", 1, 1), ("drop-after", 0, 3)]
            {
                let (before, after, once) = (before.as_ref().map(Series::text), after.text(), once.clone());
                trials.spawn(async move {
                    let fault = format!(
                        r#"[{{"kind": "{kind}", "operation": "{operation}", "after": {skipped}, "times": {times}}}]"#
                    );
                    assert_eq!(told_despite(&fault, before, &after).await, once, "{fault}");
                });
            }
        }
    }
    while let Some(trial) = trials.join_next().await {
        trial.unwrap();
    }
}

/// Who is told of a write during which a fault strikes, sorted.
async fn told_despite(fault: &str, before: Option<String>, after: &str) -> Vec<String> {
    let stage = Stage::empty(3).await;
    let mailbox = stage.mailbox(Duration::ZERO).await;
    let mut post = Post { seen: 0 };
    if let Some(before) = before {
        put(&mailbox, &before).await.unwrap();
    }
    mailbox.list(&calendar()).await.unwrap();
    post.of(&stage).await;
    stage.faults(fault).await;
    put_until_done(&mailbox, after).await;
    stage.faults("[]").await;
    assert_eq!(mailbox.list(&calendar()).await.unwrap().len(), 1, "{fault}");
    let mut told: Vec<String> = post.of(&stage).await.into_iter().flat_map(|mail| mail.to).collect();
    told.sort_unstable();
    told
}

async fn refusal(body: &str) -> exdav::model::refusal::Refusal {
    let stage = Stage::empty(3).await;
    let mailbox = stage.mailbox(Duration::ZERO).await;
    let answer = put(&mailbox, body).await;
    assert_eq!(Post { seen: 0 }.of(&stage).await, [], "nothing refused is told");
    assert!(mailbox.list(&calendar()).await.unwrap().is_empty());
    match answer {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_of_what_the_rule_does_not_produce_is_refused_by_name() {
    // What is over is kept: it must not be over on any day on which this runs.
    let far = |series: &Series| series.text().replace("2051", "2151").replace("2027", "2127");
    let refused = refusal(&far(&series().with("20271207", MOVED))).await;
    assert_eq!(refused.reason, Reason::UnsupportedRecurrence);
    assert_eq!(refused.part.as_deref(), Some("RECURRENCE-ID:21271207T090000Z"));
    assert!(refused.text.contains("make it an event of its own"), "{refused}");
    let mut daily = series().with("20511201", &MOVED.replace("2027", "2051"));
    daily.head = daily.head.replace("WEEKLY;COUNT=6", "DAILY");
    assert!(refusal(&far(&daily)).await.text.contains("5000"));
    let mut excluded = series().and("EXDATE:20511201T090000Z\r\n");
    excluded.head = excluded.head.replace("WEEKLY;COUNT=6", "DAILY");
    assert_eq!(refusal(&far(&excluded)).await.part.as_deref(), Some("EXDATE"));
    // What is called off and was never there is kept as it is.
    let stage = Stage::empty(3).await;
    let mailbox = stage.mailbox(Duration::ZERO).await;
    let harmless = series().with("20271207", &format!("{MOVED}STATUS:CANCELLED\r\n")).text();
    put(&mailbox, &harmless).await.unwrap();
    assert_eq!(text(&mailbox).await, harmless);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_exchange_cannot_hold_is_refused_for_good() {
    let mut long = series();
    long.head = "DTSTART:20271201T090000Z\r\nDTEND:20371201T100000Z\r\nSUMMARY:Long\r\n".to_owned();
    let refused = refusal(&long.text()).await;
    assert_eq!((refused.reason, refused.part.as_deref()), (Reason::InvalidData, Some("DTEND")));
    let mut wide = series();
    wide.head = wide.head.replace("DTEND:20271201", "DTEND:20271220");
    assert_eq!(refusal(&wide.text()).await.reason, Reason::UnsupportedRecurrence);
}

/// What the guest's own gateway shows, and the gateway.
async fn seen_by_guest(stage: &Stage) -> (Mailbox, ResourceName, String) {
    let gateway = stage.gateway_with(Duration::ZERO, &stage.store.path().join("guest"), Settings::default());
    let guest = gateway.sign_in(GUEST, PASSWORD).await.unwrap();
    let heads = guest.list(&calendar()).await.unwrap();
    let object = guest.get(&calendar(), &heads[0].name).await.unwrap().unwrap();
    (guest, heads[0].name.clone(), String::from_utf8(object.body.to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_occurrence_that_takes_the_whole_day_does_so_for_its_guests() {
    let stage = Stage::empty(3).await;
    let mailbox = stage.mailbox(Duration::ZERO).await;
    put(&mailbox, &series().text()).await.unwrap();
    let day = "DTSTART;VALUE=DATE:20271208\r\nDTEND;VALUE=DATE:20271209\r\nSUMMARY:Weekly\r\n";
    let whole = series().with("20271208", day).text();
    put(&mailbox, &whole).await.unwrap();
    assert_eq!(text(&mailbox).await, whole);
    let (_, _, seen) = seen_by_guest(&stage).await;
    assert!(seen.contains("DTSTART;VALUE=DATE:20271208"), "{seen}");
    put(&mailbox, &series().with("20271208", PLAIN).text()).await.unwrap();
    let (_, _, seen) = seen_by_guest(&stage).await;
    assert!(!seen.contains("VALUE=DATE"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_silence_gets_it() {
    let stage = Stage::empty(3).await;
    let mailbox = stage.mailbox(Duration::ZERO).await;
    let (at, conditions) = (name(), Conditions::default());
    let id = calendar();
    mailbox
        .put_with_schedule_reply(ScheduleReply::Suppress, &id, &at, &conditions, series().text().into())
        .await
        .unwrap();
    let moved = series().with("20271208", MOVED).text();
    mailbox
        .put_with_schedule_reply(ScheduleReply::Suppress, &id, &at, &conditions, moved.into())
        .await
        .unwrap();
    mailbox.delete(&id, &at, &conditions, ScheduleReply::Suppress).await.unwrap();
    let mut own = series();
    own.guests = own.guests.replace("RSVP", "SCHEDULE-AGENT=CLIENT;RSVP");
    put(&mailbox, &own.text()).await.unwrap();
    put(&mailbox, &own.with("20271208", MOVED).text()).await.unwrap();
    mailbox.delete(&id, &at, &conditions, ScheduleReply::Send).await.unwrap();
    assert_eq!(Post { seen: 0 }.of(&stage).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_whom_the_client_tells_itself_is_not_mailed_because_others_are() {
    let stage = Stage::empty(3).await;
    let mailbox = stage.mailbox(Duration::ZERO).await;
    let told = guest(GUEST);
    let kept = guest(OTHER).replace("RSVP", "SCHEDULE-AGENT=CLIENT;RSVP");
    let with = |guests: String, more: &str| Series { guests, ..series() }.and(more).text();
    let is_refused = |outcome: Result<Written, Error>| match outcome {
        Err(Error::Refused(refusal)) => {
            assert_eq!(refusal.reason, Reason::OrganizerChange);
            assert!(refusal.to_string().contains(OTHER), "{refusal}");
        }
        other => panic!("{other:?}"),
    };
    is_refused(put(&mailbox, &with(format!("{told}{kept}"), "")).await);
    let mut post = Post { seen: 0 };
    assert_eq!(post.of(&stage).await, []);
    put(&mailbox, &with(told.clone(), "")).await.unwrap();
    assert_eq!(post.of(&stage).await.len(), 1);
    is_refused(put(&mailbox, &with(format!("{told}{kept}"), "")).await);
    // What tells nobody, or those who were there before, is nobody's loss.
    put(&mailbox, &with(told.clone(), "CATEGORIES:Own\r\n")).await.unwrap();
    assert_eq!(post.of(&stage).await, []);
    // Whoever came in silence is not told in mails that it is over, either.
    let (at, none, both) = (name(), Conditions::default(), with(format!("{told}{kept}"), ""));
    mailbox
        .put_with_schedule_reply(ScheduleReply::Suppress, &calendar(), &at, &none, both.clone().into())
        .await
        .unwrap();
    is_refused(put(&mailbox, &with(told, "")).await);
    is_refused(put(&mailbox, &both.replace("SUMMARY", "STATUS:CANCELLED\r\nSUMMARY")).await);
    assert_eq!(post.of(&stage).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_answers_for_one_occurrence_and_moves_none() {
    let stage = Stage::empty(3).await;
    let mailbox = stage.mailbox(Duration::ZERO).await;
    put(&mailbox, &series().text()).await.unwrap();
    let (guest, at, seen) = seen_by_guest(&stage).await;
    let write = async |body: String| {
        guest.put(&calendar(), &at, &Conditions::default(), body.into()).await.map(|_| ())
    };
    let people = format!("ORGANIZER:mailto:{USER}\r\nATTENDEE;PARTSTAT=DECLINED:mailto:{GUEST}\r\n");
    let uid = "BEGIN:VEVENT\r\nUID:meeting\r\nDTSTAMP:20260101T000000Z\r\nRECURRENCE-ID:20271208T090000Z\r\n";
    let with = |times: &str| {
        seen.replace("END:VCALENDAR", &format!("{uid}{times}{people}END:VEVENT\r\nEND:VCALENDAR"))
    };
    let moved = write(with(MOVED)).await;
    assert!(matches!(&moved, Err(Error::Refused(r)) if r.reason == Reason::AttendeeChange), "{moved:?}");
    write(with(PLAIN)).await.unwrap();
    write(seen.replace("RRULE:", "EXDATE:20271208T090000Z,20271215T090000Z\r\nRRULE:")).await.unwrap();
    let sent = stage.dump(GUEST).await["sent"].as_array().unwrap().clone();
    let answers: Vec<&str> = sent.iter().map(|mail| mail["answer"].as_str().unwrap()).collect();
    assert_eq!(answers, ["Decline", "Decline"], "each occurrence once");
    let shown = guest.get(&calendar(), &at).await.unwrap().unwrap();
    let shown = String::from_utf8(shown.body.to_vec()).unwrap();
    assert!(shown.contains("20271208T090000Z") && shown.contains("20271215T090000Z"), "{shown}");
}

/// The same, called off as a whole.
fn called_off(series: Series) -> String {
    series.and("STATUS:CANCELLED\r\n").text()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_whose_status_is_cancelled_is_called_off_once() {
    let mut single = series();
    single.head = single.head.replace("RRULE:FREQ=WEEKLY;COUNT=6\r\n", "");
    let excepted = || series().and("EXDATE:20271215T090000Z\r\n").with("20271208", MOVED);
    let titled = single.text().replace("SUMMARY:", "STATUS:CANCELLED\r\nSUMMARY:Cancelled: ");
    for (before, after, exceptions) in [
        (single.text(), titled, 0),
        (series().text(), called_off(series()), 0),
        (excepted().text(), called_off(excepted()), 1),
    ] {
        let stage = Stage::empty(3).await;
        let mailbox = stage.mailbox(Duration::ZERO).await;
        let mut post = Post { seen: 0 };
        put(&mailbox, &before).await.unwrap();
        post.of(&stage).await;
        let written = put(&mailbox, &after).await.unwrap();
        assert_eq!((written.created, written.etag), (false, None));
        let told = mail("cancellation", &[GUEST], None, exceptions, exceptions);
        assert_eq!(post.of(&stage).await, [told]);
        // As Outlook does it: the organiser's is in Deleted Items, the guest's is marked.
        assert!(mailbox.get(&calendar(), &name()).await.unwrap().is_none());
        let removed = mailbox.delete(&calendar(), &name(), &Conditions::default(), ScheduleReply::Send).await;
        assert!(matches!(removed, Err(Error::NotFound)), "{removed:?}");
        assert_eq!(post.of(&stage).await, [], "a DELETE that follows tells nobody");
        let dump = stage.dump(USER).await;
        let folders = dump["folders"].as_array().unwrap();
        let bin = folders.iter().find(|folder| folder["name"] == "Deleted Items").unwrap();
        assert_eq!(bin["items"].as_array().unwrap().len(), 1);
        let (_, _, seen) = seen_by_guest(&stage).await;
        assert!(seen.contains("STATUS:CANCELLED"), "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_called_off_in_silence_or_without_guests_is_kept() {
    let stage = Stage::empty(3).await;
    let mailbox = stage.mailbox(Duration::ZERO).await;
    let mut post = Post { seen: 0 };
    let mut own = series();
    own.guests = own.guests.replace("RSVP", "SCHEDULE-AGENT=CLIENT;RSVP");
    put(&mailbox, &own.text()).await.unwrap();
    let body = called_off(own);
    put(&mailbox, &body).await.unwrap();
    assert_eq!(text(&mailbox).await, body);
    mailbox.delete(&calendar(), &name(), &Conditions::default(), ScheduleReply::Send).await.unwrap();

    let alone = |text: String| {
        text.lines().filter(|l| !l.contains("mailto:")).collect::<Vec<_>>().join("\r\n") + "\r\n"
    };
    put(&mailbox, &alone(series().text())).await.unwrap();
    let body = alone(series().with("20271208", &format!("{PLAIN}STATUS:CANCELLED\r\n")).text());
    put(&mailbox, &body).await.unwrap();
    assert_eq!(text(&mailbox).await, body);
    let body = alone(called_off(series()));
    put(&mailbox, &body).await.unwrap();
    assert_eq!(text(&mailbox).await, body);
    mailbox.delete(&calendar(), &name(), &Conditions::default(), ScheduleReply::Send).await.unwrap();
    assert_eq!(post.of(&stage).await, []);

    // Who knows of it already is not asked twice; the header asks for silence, too.
    put(&mailbox, &series().text()).await.unwrap();
    post.of(&stage).await;
    let body = called_off(series());
    let (id, at, conditions) = (calendar(), name(), Conditions::default());
    mailbox
        .put_with_schedule_reply(ScheduleReply::Suppress, &id, &at, &conditions, body.clone().into())
        .await
        .unwrap();
    assert_eq!(text(&mailbox).await, body);
    assert_eq!(post.of(&stage).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_invited_to_what_is_called_off_before_it_is_held_after_all() {
    let stage = Stage::empty(3).await;
    let mailbox = stage.mailbox(Duration::ZERO).await;
    let mut post = Post { seen: 0 };
    let body = called_off(series());
    put(&mailbox, &body).await.unwrap();
    assert_eq!(text(&mailbox).await, body);
    put(&mailbox, &body.replace("Weekly", "Renamed")).await.unwrap();
    assert_eq!(post.of(&stage).await, []);
    put(&mailbox, &series().text()).await.unwrap();
    assert_eq!(post.of(&stage).await, [mail("update", &[GUEST], None, 0, 0)]);
    let (_, _, seen) = seen_by_guest(&stage).await;
    assert!(!seen.contains("STATUS:CANCELLED"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_colleague_changed_meanwhile_is_not_called_off_unseen() {
    let stage = Stage::empty(3).await;
    let mailbox = stage.mailbox(Duration::from_hours(1)).await;
    put(&mailbox, &series().text()).await.unwrap();
    let etag = mailbox.get(&calendar(), &name()).await.unwrap().unwrap().head.etag;
    let other = stage.gateway_with(Duration::ZERO, &stage.store.path().join("second"), Settings::default());
    let other = other.sign_in(USER, PASSWORD).await.unwrap();
    put(&other, &series().text().replace("Weekly", "Renamed")).await.unwrap();
    let conditions = Conditions { if_match: Some(Tags::These(vec![etag])), ..Conditions::default() };
    let mut post = Post { seen: 0 };
    post.of(&stage).await;
    let stale = mailbox.put(&calendar(), &name(), &conditions, called_off(series()).into()).await;
    assert!(matches!(stale, Err(Error::Changed)), "{stale:?}");
    assert_eq!(post.of(&stage).await, []);
}
