//! Time zones: as clients name them, as Exchange holds them, and on which instants both happen.

use crate::support::{PASSWORD, Stage, USER, calendar};
use bytes::Bytes;
use exdav::gateway::write::{Conditions, Written};
use exdav::gateway::{Error, Mailbox, Settings};
use exdav::model::refusal::Reason;
use std::time::Duration;

const FRESH: Duration = Duration::from_secs(3600);

async fn put(mailbox: &Mailbox, file: &str, body: &Bytes) -> Result<Written, Error> {
    mailbox.put(&calendar(), &file.parse().unwrap(), &Conditions::default(), body.clone()).await
}

async fn text_of(mailbox: &Mailbox, file: &str) -> String {
    let object = mailbox.get(&calendar(), &file.parse().unwrap()).await.unwrap();
    String::from_utf8(object.unwrap_or_else(|| panic!("{file} is not there")).body.to_vec()).unwrap()
}

/// A gateway whose mirror knows nothing.
async fn elsewhere(stage: &Stage) -> (Mailbox, tempfile::TempDir) {
    let store = tempfile::tempdir().unwrap();
    let gateway = stage.gateway_with(FRESH, store.path(), Settings::default());
    (gateway.sign_in(USER, PASSWORD).await.unwrap(), store)
}

/// Clocks half an hour off Berlin's, which change a week before Berlin's.
const OWN: &str = "BEGIN:VTIMEZONE\nTZID:Own/Clock\nBEGIN:STANDARD\nDTSTART:19701018T030000\nTZOFFSETFROM:+0230\n\
                   TZOFFSETTO:+0130\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=3SU\nEND:STANDARD\nBEGIN:DAYLIGHT\n\
                   DTSTART:19700315T020000\nTZOFFSETFROM:+0130\nTZOFFSETTO:+0230\n\
                   RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=3SU\nEND:DAYLIGHT\nEND:VTIMEZONE\n";

/// Berlin's clocks, as old servers tell them.
fn outlook(id: &str, more: &str) -> String {
    format!(
        "BEGIN:VTIMEZONE\nTZID:{id}\n{more}BEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\n\
         TZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nEND:STANDARD\nBEGIN:DAYLIGHT\n\
         DTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\n\
         END:DAYLIGHT\nEND:VTIMEZONE\n"
    )
}

fn object(uid: &str, zones: &str, lines: &str) -> Bytes {
    let text = format!(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n{zones}BEGIN:VEVENT\nUID:{uid}\n\
         DTSTAMP:20260101T000000Z\nSUMMARY:{uid}\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n"
    );
    text.replace('\n', "\r\n").into()
}

/// When what is called so happens, as Outlook shows it.
async fn seen(stage: &Stage, subject: &str, from: &str, to: &str) -> Vec<String> {
    let view = format!(
        "<m:FindItem Traversal='Shallow'><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape>\
         <m:CalendarView StartDate='{from}T00:00:00Z' EndDate='{to}T00:00:00Z'/>\
         <m:ParentFolderIds><t:DistinguishedFolderId Id='calendar'/></m:ParentFolderIds></m:FindItem>"
    );
    let answer = stage.colleague(USER, &view).await;
    let items = answer.split("<t:CalendarItem>").skip(1);
    let own = items.filter(|item| item.contains(&format!("<t:Subject>{subject}<")));
    own.map(|item| item.split("<t:Start>").nth(1).unwrap().split('<').next().unwrap().to_owned()).collect()
}

/// What Exchange holds of the item that is called so.
async fn held(stage: &Stage, subject: &str) -> String {
    let find = format!(
        "<m:FindItem Traversal='Shallow'><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>\
         <m:Restriction><t:IsEqualTo><t:FieldURI FieldURI='item:Subject'/><t:FieldURIOrConstant>\
         <t:Constant Value='{subject}'/></t:FieldURIOrConstant></t:IsEqualTo></m:Restriction>\
         <m:ParentFolderIds><t:DistinguishedFolderId Id='calendar'/></m:ParentFolderIds></m:FindItem>"
    );
    let found = stage.colleague(USER, &find).await;
    let id =
        found.split("ItemId Id=\"").nth(1).unwrap_or_else(|| panic!("{found}")).split('"').next().unwrap();
    let read = format!(
        "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>\
         <t:FieldURI FieldURI='calendar:Start'/><t:FieldURI FieldURI='calendar:End'/>\
         <t:FieldURI FieldURI='calendar:IsAllDayEvent'/><t:FieldURI FieldURI='calendar:StartTimeZone'/>\
         <t:FieldURI FieldURI='calendar:Recurrence'/></t:AdditionalProperties></m:ItemShape>\
         <m:ItemIds><t:ItemId Id='{id}'/></m:ItemIds></m:GetItem>"
    );
    stage.colleague(USER, &read).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_in_a_zone_of_the_clients_own_happens_at_its_own_hours() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(FRESH).await;
    let lines = "DTSTART;TZID=Own/Clock:20260308T090000\nDTEND;TZID=Own/Clock:20260308T100000\n\
                 RRULE:FREQ=WEEKLY;COUNT=4\nEXDATE;TZID=Own/Clock:20260322T090000";
    let sent = object("own", OWN, lines);
    put(&mailbox, "own.ics", &sent).await.unwrap();
    let instants = ["2026-03-08T07:30:00Z", "2026-03-15T06:30:00Z", "2026-03-29T06:30:00Z"];
    assert_eq!(seen(&stage, "own", "2026-03-01", "2026-05-01").await, instants);
    let (other, _store) = elsewhere(&stage).await;
    assert_eq!(text_of(&other, "own.ics").await.as_bytes(), sent);
    let zone = held(&stage, "own").await;
    assert!(zone.contains("tzone://Microsoft/Custom") && zone.contains("Bias=\"-PT90M\""), "{zone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_no_rule_tells_takes_single_events_alone() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(FRESH).await;
    // Its clocks stop changing after two years.
    let odd = OWN.replace("BYDAY=3SU", "BYDAY=3SU;UNTIL=20280101T000000Z");
    let times = "DTSTART;TZID=Own/Clock:20260608T090000\nDTEND;TZID=Own/Clock:20260608T100000";
    let single = object("single", &odd, times);
    put(&mailbox, "single.ics", &single).await.unwrap();
    assert_eq!(seen(&stage, "single", "2026-06-01", "2026-07-01").await, ["2026-06-08T06:30:00Z"]);
    assert_eq!(text_of(&mailbox, "single.ics").await.as_bytes(), single);
    let series = object("series", &odd, &format!("{times}\nRRULE:FREQ=WEEKLY;COUNT=4"));
    match put(&mailbox, "series.ics", &series).await {
        Err(Error::Refused(refusal)) => assert_eq!(refusal.reason, Reason::UnsupportedTimeZone),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn zones_are_known_by_all_the_names_that_clients_give_them() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(FRESH).await;
    let shown = "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna";
    let escaped = shown.replace(',', "\\,");
    let samples = [
        ("plain", "Europe/Berlin".to_owned(), String::new()),
        ("link", "Europe/Kiev".to_owned(), String::new()),
        ("windows", "W. Europe Standard Time".to_owned(), String::new()),
        ("prefixed", "/mozilla.org/20050126_1/Europe/Berlin".to_owned(), String::new()),
        ("shown", format!("\"{shown}\""), String::new()),
        ("explained", format!("\"{shown}\""), outlook(&escaped, "")),
        ("located", "Mine".to_owned(), outlook("Mine", "X-LIC-LOCATION:Europe/Vienna\n")),
        ("numbered", "Zone 4".to_owned(), outlook("Zone 4", "X-MICROSOFT-CDO-TZID:4\n")),
        ("ruled", "Customized Time Zone".to_owned(), outlook("Customized Time Zone", "")),
    ];
    for (uid, id, zones) in samples {
        let lines = format!(
            "DTSTART;TZID={id}:20260316T090000\nDTEND;TZID={id}:20260316T100000\nRRULE:FREQ=WEEKLY;COUNT=4\n\
             EXDATE;TZID={id}:20260323T090000"
        );
        let sent = object(uid, &zones, &lines);
        put(&mailbox, &format!("{uid}.ics"), &sent).await.unwrap_or_else(|e| panic!("{uid}: {e}"));
        let hours = if uid == "link" { ("07", "06") } else { ("08", "07") };
        let instants =
            [("16", hours.0), ("30", hours.1)].map(|(day, hour)| format!("2026-03-{day}T{hour}:00:00Z"));
        let mut known = seen(&stage, uid, "2026-03-01", "2026-05-01").await;
        assert_eq!(known.pop(), Some(format!("2026-04-06T{}:00:00Z", hours.1)), "{uid}");
        assert_eq!(known, instants, "{uid}");
        assert_eq!(text_of(&mailbox, &format!("{uid}.ics")).await.as_bytes(), sent, "{uid}");
        let zone = held(&stage, uid).await;
        let windows = if uid == "link" { "FLE Standard Time" } else { "Europe Standard Time" };
        assert!(zone.contains(windows), "{uid}: {zone}");
    }
    let unknown = object("x", "", "DTSTART;TZID=Nowhere:20260316T090000");
    match put(&mailbox, "x.ics", &unknown).await {
        Err(Error::Refused(refusal)) => assert_eq!(refusal.reason, Reason::InvalidData),
        other => panic!("{other:?}"),
    }
}

/// A gateway whose owner's days are those of a place, and its mailbox.
async fn living_in(stage: &Stage, zone: &str) -> (Mailbox, tempfile::TempDir) {
    let store = tempfile::tempdir().unwrap();
    let settings = Settings { zone: zone.to_owned(), ..Settings::default() };
    let gateway = stage.gateway_with(FRESH, store.path(), settings);
    (gateway.sign_in(USER, PASSWORD).await.unwrap(), store)
}

#[tokio::test(flavor = "multi_thread")]
async fn days_that_are_told_as_instants_are_the_days_that_were_meant() {
    let stage = Stage::lively().await;
    let places = [
        ("America/New_York", ("20260330T040000Z", "20260316T040000Z")),
        ("Europe/Berlin", ("20260329T220000Z", "20260315T230000Z")),
        ("Asia/Tokyo", ("20260329T150000Z", "20260315T150000Z")),
    ];
    for (zone, midnights) in places {
        let (mailbox, _store) = living_in(&stage, zone).await;
        let spelled = [
            midnights,
            ("20260330T000000Z", "20260316T000000Z"),
            ("20260330T235959Z", "20260316T235959Z"),
            ("20260330", "20260316"),
        ];
        for (number, (until, excluded)) in spelled.into_iter().enumerate() {
            let uid = format!("{} {number}", zone.replace('/', " "));
            let excluded =
                if excluded.len() == 8 { format!(";VALUE=DATE:{excluded}") } else { format!(":{excluded}") };
            let lines = format!(
                "DTSTART;VALUE=DATE:20260302\nDTEND;VALUE=DATE:20260303\nRRULE:FREQ=WEEKLY;UNTIL={until}\n\
                 EXDATE{excluded}"
            );
            let sent = object(&uid, "", &lines);
            let file = format!("{number}-{}.ics", zone.replace('/', "-"));
            put(&mailbox, &file, &sent).await.unwrap_or_else(|e| panic!("{uid}: {e}"));
            let starts = seen(&stage, &uid, "2026-02-20", "2026-05-01").await;
            // The midnights of the place.
            let days = ["2026-03-02", "2026-03-09", "2026-03-23", "2026-03-30"].map(|day| {
                let place = jiff::tz::TimeZone::get(zone).unwrap();
                let midnight = day.parse::<jiff::civil::Date>().unwrap().to_zoned(place).unwrap();
                midnight.timestamp().to_string()
            });
            assert_eq!(starts, days, "{uid}: {until}");
            assert_eq!(text_of(&mailbox, &file).await.as_bytes(), sent, "{uid}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn occurrences_in_hours_that_clocks_skip_or_show_twice_are_found_by_every_name() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(FRESH).await;
    // Berlin's clocks skip 2:30 on 29 March 2026, and show it twice on 25 October.
    let spring = "DTSTART;TZID=Europe/Berlin:20260328T023000\nDTEND;TZID=Europe/Berlin:20260328T024500\n\
                  RRULE:FREQ=DAILY;COUNT=4";
    let autumn = spring.replace("20260328", "20261024");
    for (number, (lines, excluded, left)) in [
        (
            spring,
            "EXDATE;TZID=Europe/Berlin:20260329T023000",
            ["2026-03-28T01", "2026-03-30T00", "2026-03-31T00"],
        ),
        (
            spring,
            "EXDATE;TZID=Europe/Berlin:20260329T033000",
            ["2026-03-28T01", "2026-03-30T00", "2026-03-31T00"],
        ),
        (spring, "EXDATE:20260329T013000Z", ["2026-03-28T01", "2026-03-30T00", "2026-03-31T00"]),
        (
            &autumn,
            "EXDATE;TZID=Europe/Berlin:20261025T023000",
            ["2026-10-24T00", "2026-10-26T01", "2026-10-27T01"],
        ),
        (&autumn, "EXDATE:20261025T003000Z", ["2026-10-24T00", "2026-10-26T01", "2026-10-27T01"]),
    ]
    .into_iter()
    .enumerate()
    {
        let uid = format!("edge {number}");
        let sent = object(&uid, "", &format!("{lines}\n{excluded}"));
        put(&mailbox, &format!("edge-{number}.ics"), &sent).await.unwrap();
        let starts = seen(&stage, &uid, "2026-03-01", "2026-12-01").await;
        assert_eq!(starts, left.map(|hour| format!("{hour}:30:00Z")), "{lines} {excluded}");
    }
}

async fn refused(mailbox: &Mailbox, file: &str, body: &Bytes) -> (Reason, String) {
    match put(mailbox, file, body).await {
        Err(Error::Refused(refusal)) => (refusal.reason, refusal.part.unwrap_or_default()),
        other => panic!("{other:?}"),
    }
}

const MONDAYS: &str = "DTSTART:20260302T090000Z\nDTEND:20260302T100000Z\nRRULE:FREQ=WEEKLY;COUNT=5";

#[tokio::test(flavor = "multi_thread")]
async fn dates_that_are_added_keep_their_length_or_are_refused_by_name() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(FRESH).await;
    let moved = "RDATE;VALUE=PERIOD:20260311T120000Z/20260311T150000Z\nEXDATE:20260309T090000Z";
    let moved_for = "RDATE;VALUE=PERIOD:20260311T120000Z/PT3H\nEXDATE:20260309T090000Z";
    for (uid, more, end) in [
        ("until", moved, "2026-03-11T15:00:00Z"),
        ("for", moved_for, "2026-03-11T15:00:00Z"),
        ("same", "RDATE:20260311T120000Z\nEXDATE:20260309T090000Z", "2026-03-11T13:00:00Z"),
    ] {
        let sent = object(uid, "", &format!("{MONDAYS}\n{more}"));
        put(&mailbox, &format!("{uid}.ics"), &sent).await.unwrap_or_else(|e| panic!("{uid}: {e}"));
        let starts = seen(&stage, uid, "2026-03-01", "2026-03-18").await;
        assert_eq!(starts, ["2026-03-02T09:00:00Z", "2026-03-11T12:00:00Z", "2026-03-16T09:00:00Z"], "{uid}");
        assert_eq!(text_of(&mailbox, &format!("{uid}.ics")).await.as_bytes(), sent);
        let view = stage
            .colleague(
                USER,
                "<m:FindItem Traversal='Shallow'><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape>\
                 <m:CalendarView StartDate='2026-03-11T11:00:00Z' EndDate='2026-03-11T16:00:00Z'/>\
                 <m:ParentFolderIds><t:DistinguishedFolderId Id='calendar'/></m:ParentFolderIds></m:FindItem>",
            )
            .await;
        assert!(view.contains(&format!("<t:End>{end}")), "{uid}: {view}");
    }
    // What the rule has anyway is no date more.
    let known = object("known", "", &format!("{MONDAYS}\nRDATE:20260302T090000Z,20260316T090000Z"));
    put(&mailbox, "known.ics", &known).await.unwrap();
    assert_eq!(seen(&stage, "known", "2026-03-01", "2026-05-01").await.len(), 5);
    for more in ["RDATE:20260311T090000Z", "RDATE;VALUE=PERIOD:20260311T090000Z/PT1H"] {
        let sent = object("more", "", &format!("{MONDAYS}\n{more}"));
        let named = (Reason::UnsupportedRecurrence, "RDATE".to_owned());
        assert_eq!(refused(&mailbox, "more.ics", &sent).await, named, "{more}");
        let alone = object("alone", "", &format!("DTSTART:20260302T090000Z\n{more}"));
        assert_eq!(refused(&mailbox, "alone.ics", &alone).await, named, "{more}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_excludes_takes_its_dates_out_when_it_ends() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(FRESH).await;
    let sent = object("every other", "", &format!("{MONDAYS}\nEXRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=2"));
    put(&mailbox, "x.ics", &sent).await.unwrap();
    let starts = seen(&stage, "every other", "2026-03-01", "2026-05-01").await;
    assert_eq!(starts, ["09", "23", "30"].map(|day| format!("2026-03-{day}T09:00:00Z")));
    assert_eq!(text_of(&mailbox, "x.ics").await.as_bytes(), sent);
    let endless = object("y", "", &format!("{MONDAYS}\nEXRULE:FREQ=WEEKLY;INTERVAL=2"));
    assert_eq!(
        refused(&mailbox, "y.ics", &endless).await,
        (Reason::UnsupportedRecurrence, "EXRULE".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_rule_in_other_words_leaves_changed_occurrences_alone() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(FRESH).await;
    put(&mailbox, "w.ics", &object("words", "", MONDAYS)).await.unwrap();
    stage.reset().await;
    let other = MONDAYS.replace("COUNT=5", "COUNT=5;INTERVAL=1;BYDAY=MO;WKST=MO");
    put(&mailbox, "w.ics", &object("words", "", &format!("{other}\nLOCATION:there"))).await.unwrap();
    assert_eq!(stage.calls().await.get("DeleteItem"), None);
    // What becomes a series says in which zone.
    let single = "DTSTART;TZID=Europe/Berlin:20260302T090000\nDTEND;TZID=Europe/Berlin:20260302T100000";
    put(&mailbox, "s.ics", &object("one", "", single)).await.unwrap();
    put(&mailbox, "s.ics", &object("one", "", &format!("{single}\nRRULE:FREQ=WEEKLY;COUNT=5")))
        .await
        .unwrap();
    let starts = seen(&stage, "one", "2026-03-01", "2026-05-01").await;
    assert_eq!(starts.last().unwrap(), "2026-03-30T07:00:00Z");
}
