//! One client cannot take the gateway down: memory, work and connections are bounded.

use crate::support::http::{Client, NAMESPACES};
use crate::support::{PASSWORD, Stage, USER};
use exdav::{dav, server};
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const LONG: Duration = Duration::from_hours(1);

fn calendar() -> String {
    dav::path::default_calendar(USER)
}

fn event(uid: &str, lines: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20200101T000000Z\r\n\
         DTSTART:20200101T090000Z\r\nDTEND:20200101T100000Z\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

async fn put(client: &Client, name: &str, text: &str) {
    let at = format!("{}{name}", calendar());
    client.ask("PUT", &at, &[("Content-Type", "text/calendar")], text).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn expanding_a_series_with_a_long_description_is_refused_instead_of_filling_memory() {
    let stage = Stage::with_events(2).await;
    let client = Client::of(stage.gateway(LONG), USER, PASSWORD).await;
    let text = event("long", &format!("RRULE:FREQ=DAILY\r\nDESCRIPTION:{}\r\n", "x".repeat(30_000)));
    put(&client, "long.ics", &text).await;
    let query = |end: &str| {
        format!(
            "<C:calendar-query><D:prop><C:calendar-data><C:expand start='20200101T000000Z' end='{end}'/></C:calendar-data></D:prop>\
             <C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter name='VEVENT'>\
             <C:time-range start='20200101T000000Z' end='{end}'/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
        )
    };
    let answer = client.report(&calendar(), &query("21500101T000000Z")).await.expect(403);
    assert!(answer.text().contains("max-instances"), "{}", answer.text());
    let answer = client.report(&calendar(), &query("20200201T000000Z")).await.expect(207);
    assert_eq!(answer.text().matches("BEGIN:VEVENT").count(), 31);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_that_is_too_long_to_expand_does_not_break_off_the_answer_about_others() {
    let stage = Stage::empty(1).await;
    let client = Client::of(stage.gateway(LONG), USER, PASSWORD).await;
    let daily = |days: &str| format!("RRULE:FREQ=DAILY{days}\r\nDESCRIPTION:{}\r\n", "x".repeat(30_000));
    // Several pieces of the answer are with the client before the last one is refused.
    for number in 0..6 {
        put(&client, &format!("a{number}.ics"), &event(&format!("a{number}"), &daily(";COUNT=30"))).await;
    }
    put(&client, "z.ics", &event("z", &daily(""))).await;
    let query = "<C:calendar-query><D:prop><C:calendar-data><C:expand start='20200101T000000Z' end='21500101T000000Z'/>\
                 </C:calendar-data></D:prop><C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter name='VEVENT'/>\
                 </C:comp-filter></C:filter></C:calendar-query>";
    let answer = client.report(&calendar(), query).await.expect(207);
    assert_eq!(answer.text().matches("BEGIN:VEVENT").count(), 6 * 30);
    let last = answer.text().rsplit("<D:response>").next().unwrap().to_owned();
    assert!(last.contains("z.ics") && last.contains("403") && last.contains("max-instances"), "{last}");
    assert!(answer.text().trim_end().ends_with("</D:multistatus>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_never_end_hold_no_more_than_their_users_share_and_the_user_goes_on() {
    let stage = Stage::with_events(2).await;
    let client = Client::of(stage.gateway(LONG), USER, PASSWORD).await;
    client.propfind(&calendar(), "0", "<D:getetag/>").await.expect(207);
    let (mut open, mut taken) = (Vec::new(), 0_usize);
    let piece = vec![b'x'; 1 << 20];
    for number in 0..6 {
        let mut stream = TcpStream::connect(client.server.address).await.unwrap();
        let head = format!(
            "PUT {}slow-{number}.ics HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Length: 20000000\r\n\r\n",
            calendar(),
            client.authorization.as_deref().unwrap()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..15 {
            let written = tokio::time::timeout(Duration::from_millis(300), stream.write_all(&piece)).await;
            if !matches!(written, Ok(Ok(()))) {
                break;
            }
            taken += piece.len();
        }
        open.push(stream);
    }
    // The system's own buffers take some megabytes of each.
    assert!(taken < 60 << 20, "{taken} octets of six unfinished bodies were taken");
    client.propfind(&calendar(), "1", "<D:getetag/>").await.expect(207);
    put(&client, "small.ics", &event("small", "SUMMARY:x\r\n")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_thousand_conditions_are_refused_at_once_with_their_reason() {
    let stage = Stage::with_events(300).await;
    let client = Client::of(stage.gateway(LONG), USER, PASSWORD).await;
    client.propfind(&calendar(), "0", "<D:getetag/>").await.expect(207);
    let conditions = [
        "<C:comp-filter name='VALARM'/>".repeat(30_000),
        "<C:time-range start='20200101T000000Z'/>".repeat(30_000),
        "<C:prop-filter name='SUMMARY'><C:text-match>x</C:text-match></C:prop-filter>".repeat(30_000),
        format!(
            "<C:prop-filter name='SUMMARY'><C:text-match>{}</C:text-match></C:prop-filter>",
            "x".repeat(1 << 20)
        ),
    ];
    let began = Instant::now();
    for condition in conditions {
        let body = format!(
            "<C:calendar-query><D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter name='VEVENT'>\
             {condition}</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
        );
        let answer = client.report(&calendar(), &body).await.expect(403);
        assert!(answer.text().contains("valid-filter"), "{}", answer.text());
    }
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn a_series_of_three_thousand_overrides_is_judged_in_one_walk() {
    use exdav::query::filter::{CalendarFilter, CompFilter, CompTest, Filter, TimeRange};
    let mut events = String::new();
    let start: jiff::civil::DateTime = "2020-01-01T09:00:00".parse().unwrap();
    for day in 1..=3_000_i64 {
        let at =
            start.checked_add(jiff::Span::new().days(day)).unwrap().strftime("%Y%m%dT%H%M%SZ").to_string();
        let _ = write!(
            events,
            "BEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID:{at}\r\nDTSTART:{at}\r\nDURATION:PT1H\r\nEND:VEVENT\r\n"
        );
    }
    let master = event("1", "RRULE:FREQ=DAILY\r\n");
    let text = master.replace("END:VCALENDAR", &format!("{events}END:VCALENDAR"));
    let tree = exdav::text::Component::parse(text.as_bytes()).unwrap();
    let at = |text: &str| Some(text.parse().unwrap());
    let nested = |time_range, comps| CompTest::Present { time_range, props: Vec::new(), comps };
    let alarm = CompFilter { name: "VALARM".to_owned(), test: nested(None, Vec::new()) };
    let range = TimeRange { start: at("2020-01-01T00:00:00Z"), end: at("2030-01-01T00:00:00Z") };
    let event = CompFilter { name: "VEVENT".to_owned(), test: nested(Some(range), vec![alarm]) };
    let root = CompFilter { name: "VCALENDAR".to_owned(), test: nested(None, vec![event]) };
    let filter = Filter::Calendar(CalendarFilter { root, timezone: None });
    let began = Instant::now();
    assert!(!exdav::query::matches(&filter, &tree, &exdav::model::zone::Zone::Utc));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_closes_the_longest_silent_one_and_is_served() {
    let stage = Stage::with_events(2).await;
    let settings = server::Settings { max_connections: 4, ..server::Settings::default() };
    let client = Client::with(settings, stage.gateway(LONG), USER, PASSWORD).await;
    let mut silent = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(client.server.address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut answer = [0; 1024];
        assert!(stream.read(&mut answer).await.unwrap() > 0);
        silent.push(stream);
    }
    client.propfind(&calendar(), "0", "<D:getetag/>").await.expect(207);
    let mut rest = Vec::new();
    // It is closed, however that is told.
    let _ = tokio::time::timeout(Duration::from_secs(10), silent[0].read_to_end(&mut rest)).await.unwrap();
    silent[3].write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 1024];
    assert!(silent[3].read(&mut answer).await.unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_large_members_come_one_after_the_other_and_all_of_them() {
    let stage = Stage::with_events(2).await;
    let client = Client::of(stage.gateway(LONG), USER, PASSWORD).await;
    for number in 0..3 {
        let lines = format!("DESCRIPTION:{}\r\n", "y".repeat(200_000));
        put(&client, &format!("large-{number}.ics"), &event(&format!("large-{number}"), &lines)).await;
    }
    let hrefs: String =
        (0..30).map(|n| format!("<D:href>{}large-{}.ics</D:href>", calendar(), n % 3)).collect();
    let body = format!(
        "<C:calendar-multiget {NAMESPACES}><D:prop><C:calendar-data/></D:prop>{hrefs}</C:calendar-multiget>"
    );
    let answer = client.ask("REPORT", &calendar(), &[("Depth", "1")], &body).await.expect(207);
    assert_eq!(answer.responses().len(), 30);
    assert_eq!(answer.text().matches("END:VCALENDAR").count(), 30);
}
