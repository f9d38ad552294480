//! When are they busy? POST to the outbox becomes one question to Exchange for all attendees.

use crate::support::http::{Answer, Client};
use crate::support::{PASSWORD, Stage, USER};
use exdav::simulator;
use exdav::text::Component;
use std::time::Duration;

const OUTBOX: &str = "/dav/cal/demo~40example.com/outbox/";
const COLLEAGUE: &str = "demo2@example.com";

async fn stage() -> (Stage, Client) {
    let settings = simulator::Settings { events: Some(0), ..simulator::Settings::default() };
    let stage = Stage::of(settings).await;
    let client = Client::of(stage.gateway(Duration::from_secs(3600)), USER, PASSWORD).await;
    client.propfind(OUTBOX, "0", "<D:displayname/>").await.expect(207);
    stage.reset().await;
    (stage, client)
}

/// As macOS asks.
fn request(organizer: &str, attendees: &[&str], from: &str, to: &str) -> String {
    let attendees: String = attendees.iter().map(|who| format!("ATTENDEE:{who}\r\n")).collect();
    format!(
        "BEGIN:VCALENDAR\r\nCALSCALE:GREGORIAN\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nPRODID:-//test//EN\r\n\
         BEGIN:VFREEBUSY\r\nUID:46A3C5B0\r\nDTEND:{to}\r\n{attendees}DTSTART:{from}\r\nDTSTAMP:20261120T092000Z\r\n\
         ORGANIZER:mailto:{organizer}\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n"
    )
}

async fn ask(client: &Client, message: &str) -> Answer {
    client.ask("POST", OUTBOX, &[("Content-Type", "text/calendar")], message).await
}

/// Recipient, status, and the busy times that follow.
fn answers(answer: &Answer) -> Vec<(String, String, Vec<String>)> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let read = |response: &exdav::xml::Element| {
        let text = |local| response.find(local).map(|e| e.text().into_owned());
        let recipient = response.find("recipient").unwrap().find("href").unwrap().text().into_owned();
        let busy = text("calendar-data").map(|data| {
            let calendar = Component::parse(data.as_bytes()).unwrap();
            assert_eq!(calendar.value("METHOD"), Some("REPLY"));
            let busy = &calendar.children[0];
            assert_eq!(busy.value("UID"), Some("46A3C5B0"));
            assert_eq!(busy.value("ATTENDEE"), Some(recipient.as_str()));
            busy.lines_named("FREEBUSY")
                .map(|l| format!("{} {}", l.param("FBTYPE").unwrap(), l.value))
                .collect()
        });
        (recipient, text("request-status").unwrap(), busy.unwrap_or_default())
    };
    answer.xml().children().map(read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn several_attendees_are_one_question_and_each_has_an_answer() {
    let (stage, client) = stage().await;
    stage.make_event(COLLEAGUE, "secret negotiations").await;
    let series = "<m:CreateItem SendMeetingInvitations='SendToNone'><m:Items><t:CalendarItem><t:Subject>x</t:Subject>\
         <t:Start>2026-12-01T12:00:00Z</t:Start><t:End>2026-12-01T12:30:00Z</t:End>\
         <t:LegacyFreeBusyStatus>Tentative</t:LegacyFreeBusyStatus><t:Recurrence><t:DailyRecurrence>\
         <t:Interval>1</t:Interval></t:DailyRecurrence><t:NoEndRecurrence><t:StartDate>2026-12-01</t:StartDate>\
         </t:NoEndRecurrence></t:Recurrence></t:CalendarItem></m:Items></m:CreateItem>";
    assert!(stage.colleague(COLLEAGUE, series).await.contains("NoError"));
    stage.reset().await;
    let attendees =
        ["mailto:demo2@example.com", "MAILTO:Demo@Example.com", "mailto:nobody@example.org", "urn:x:y"];
    let message = request(USER, &attendees, "20261201T000000Z", "20261203T000000Z");
    let answer = ask(&client, &message).await;
    assert!(!answer.text().contains("secret"));
    let answers = answers(&answer);
    let recipients: Vec<&str> = answers.iter().map(|(who, ..)| who.as_str()).collect();
    assert_eq!(recipients, attendees);
    assert_eq!(answers[0].1, "2.0;Success");
    assert_eq!(
        answers[0].2,
        [
            "BUSY 20261201T090000Z/20261201T100000Z",
            "BUSY-TENTATIVE 20261201T120000Z/20261201T123000Z",
            "BUSY-TENTATIVE 20261202T120000Z/20261202T123000Z"
        ]
    );
    assert_eq!((answers[1].1.as_str(), answers[1].2.len()), ("2.0;Success", 0));
    assert_eq!(answers[2].1, "3.7;Invalid calendar user");
    assert_eq!(answers[3].1, "3.7;Invalid calendar user");
    assert_eq!(stage.calls().await, [("GetUserAvailabilityRequest".to_owned(), 1)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_time_is_asked_for_in_parts_that_exchange_takes_and_comes_back_as_one() {
    let (stage, client) = stage().await;
    stage.make_event(COLLEAGUE, "x").await;
    stage.reset().await;
    let message = request(USER, &["mailto:demo2@example.com"], "20261001T000000Z", "20270101T000000Z");
    assert_eq!(answers(&ask(&client, &message).await)[0].2, ["BUSY 20261201T090000Z/20261201T100000Z"]);
    assert_eq!(stage.calls().await, [("GetUserAvailabilityRequest".to_owned(), 3)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_free_busy_request_of_the_user_is_refused_by_name() {
    let (stage, client) = stage().await;
    let good = request(USER, &["mailto:demo2@example.com"], "20261201T000000Z", "20261202T000000Z");
    for (message, precondition) in [
        (good.replace(USER, COLLEAGUE), "valid-organizer"),
        (good.replace("METHOD:REQUEST", "METHOD:REPLY"), "valid-scheduling-message"),
        (good.replace("VFREEBUSY", "VEVENT"), "valid-scheduling-message"),
        (good.replace("DTEND:20261202", "DTEND:20291202"), "valid-scheduling-message"),
        (good.replace("DTEND:20261202", "DTEND:20251202"), "valid-calendar-data"),
        (good.replace("END:VFREEBUSY", ""), "valid-calendar-data"),
    ] {
        let answer = ask(&client, &message).await.expect(403);
        assert!(answer.xml().find(precondition).is_some(), "{precondition}: {}", answer.text());
    }
    let other = [("Content-Type", "application/json")];
    let answer = client.ask("POST", OUTBOX, &other, &good).await.expect(403);
    assert!(answer.xml().find("supported-calendar-data").is_some());
    assert_eq!(stage.total().await, 0);
    let privileges = client.propfind(OUTBOX, "0", "<D:current-user-privilege-set/>").await;
    assert!(privileges.text().contains("schedule-send-freebusy"));
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_time_of_a_calendar_is_told_between_two_ends_only() {
    let (_stage, client) = stage().await;
    let calendar = OUTBOX.replace("outbox", "calendar");
    let ask = async |range: &str| {
        let body = format!("<C:free-busy-query><C:time-range {range}/></C:free-busy-query>");
        client.report(&calendar, &body).await.status
    };
    assert_eq!(ask("start='20261201T000000Z' end='20261202T000000Z'").await, 200);
    assert_eq!(ask("start='20261201T000000Z'").await, 403);
    assert_eq!(ask("end='20261201T000000Z'").await, 403);
    assert_eq!(ask("start='19000101T000000Z' end='20991231T000000Z'").await, 403);
}
