//! Hostile and careless clients, and an upstream that sends bombs: bounded time and memory, clear answers, and
//! everybody else is served on.

use crate::support::http::{Client, NAMESPACES, basic};
use crate::support::{PASSWORD, Stage, USER};
use exdav::dav::path;
use exdav::query;
use exdav::query::filter::TimeRange;
use exdav::query::shape::{CalendarData, RecurrenceShape, Shape};
use exdav::text::Component;
use exdav::{gateway, server, simulator};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const LONG: Duration = Duration::from_secs(3600);

async fn small() -> (Stage, Client) {
    let settings = simulator::Settings { events: Some(20), mailboxes: 1, ..simulator::Settings::default() };
    let stage = Stage::of(settings).await;
    let client = Client::of(stage.gateway(LONG), USER, PASSWORD).await;
    (stage, client)
}

fn calendar() -> String {
    path::default_calendar(USER)
}

/// Sends octets as they are and reads until the server closes the connection.
async fn raw(client: &Client, octets: &[u8]) -> String {
    let mut stream = TcpStream::connect(client.server.address).await.unwrap();
    // A server that refuses early may close before all is sent.
    let _ = stream.write_all(octets).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(method: &str, path: &str, more: &str) -> String {
    let authorization = basic(USER, PASSWORD);
    format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {authorization}\r\n{more}\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_slowly_keeps_nobody_else_waiting() {
    let (_stage, client) = small().await;
    let mut slow = Vec::new();
    for number in 0..300 {
        let mut stream = TcpStream::connect(client.server.address).await.unwrap();
        let begun = if number % 2 == 0 {
            "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ".to_owned()
        } else {
            head("PUT", &format!("{}slow.ics", calendar()), "Content-Length: 1000\r\n") + "BEGIN"
        };
        stream.write_all(begun.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    for _ in 0..5 {
        client.propfind(&calendar(), "0", "<D:getetag/>").await.expect(207);
    }
    drop(slow);
    client.propfind(&calendar(), "0", "<D:getetag/>").await.expect(207);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_is_given_up() {
    let (stage, _) = small().await;
    let dav =
        exdav::dav::Settings { body_timeout: Duration::from_millis(100), ..exdav::dav::Settings::default() };
    let listen = ([127, 0, 0, 1], 0).into();
    let settings = server::Settings { listen, dav, ..server::Settings::default() };
    let server = server::start(settings, stage.gateway(LONG)).await.unwrap();
    let client = Client { server, authorization: Some(basic(USER, PASSWORD)) };
    let answer = raw(
        &client,
        (head("PUT", &format!("{}a.ics", calendar()), "Content-Length: 1000\r\n") + "x").as_bytes(),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    client.propfind(&calendar(), "0", "<D:getetag/>").await.expect(207);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_a_hundred_megabytes_are_refused_before_they_are_read() {
    let (stage, client) = small().await;
    stage.reset().await;
    let announced = format!("Content-Length: {}\r\n", 100 << 20);
    for (method, path, status) in [
        ("PUT", format!("{}big.ics", calendar()), "403"),
        ("PROPFIND", calendar(), "413"),
        ("REPORT", calendar(), "413"),
    ] {
        let answer = raw(&client, (head(method, &path, &announced) + "x").as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{method}: {answer}");
        // Without a length in the head, what is too much shows on the way.
        let mut chunked = head(method, &path, "Transfer-Encoding: chunked\r\n").into_bytes();
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..24 {
            chunked.extend_from_slice(b"100000\r\n");
            chunked.extend_from_slice(&piece);
            chunked.extend_from_slice(b"\r\n");
        }
        chunked.extend_from_slice(b"0\r\n\r\n");
        let answer = raw(&client, &chunked).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{method}: {}",
            &answer[..answer.len().min(300)]
        );
    }
    assert_eq!(stage.calls().await.get("CreateItem"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_hrefs_cost_exchange_nothing_and_get_each_an_answer() {
    let (stage, client) = small().await;
    let listed = client.propfind(&calendar(), "1", "<D:getetag/>").await.responses();
    let known: Vec<&str> =
        listed.iter().map(|r| r.href.as_str()).filter(|href| !href.ends_with('/')).collect();
    let mut body = String::from("<C:calendar-multiget><D:prop><D:getetag/><C:calendar-data/></D:prop>");
    for number in 0..10_000 {
        let _ = match known.get(number % 500) {
            Some(href) => write!(body, "<D:href>{href}</D:href>"),
            None => write!(body, "<D:href>{}missing-{number}.ics</D:href>", calendar()),
        };
    }
    body.push_str("</C:calendar-multiget>");
    stage.reset().await;
    let responses = client.report(&calendar(), &body).await.responses();
    assert_eq!(responses.len(), 10_000);
    let missing = responses.iter().filter(|response| response.status.is_some()).count();
    assert_eq!(missing, 10_000 - 20 * known.len());
    assert_eq!(stage.total().await, 0, "{:?}", stage.calls().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn xml_that_grows_is_refused() {
    let (_stage, client) = small().await;
    let laughs = "<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>\
                  <!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'>]><propfind xmlns='DAV:'><prop><x>&c;</x></prop></propfind>";
    let outside = "<!DOCTYPE p [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><propfind xmlns='DAV:'><prop>&x;</prop></propfind>";
    let deep =
        format!("<propfind xmlns='DAV:'>{}{}</propfind>", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let wide = format!("<propfind xmlns='DAV:'><prop>{}</prop></propfind>", "<a/>".repeat(500_000));
    let mut named = String::from("<propfind xmlns='DAV:'");
    for number in 0..50_000 {
        let _ = write!(named, " xmlns:n{number}='urn:{number}'");
    }
    named.push_str("><prop/></propfind>");
    for (name, body) in
        [("laughs", laughs), ("outside", outside), ("deep", &deep), ("wide", &wide), ("named", &named)]
    {
        let answer = client.ask("PROPFIND", &calendar(), &[("Depth", "0")], body).await;
        assert!(matches!(answer.status, 400 | 403 | 413), "{name}: {} {}", answer.status, answer.text());
        assert!(!answer.text().contains("root:") && answer.body.len() < 2_000, "{name}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_are_deep_and_wide_only_as_far_as_anybody_needs() {
    let (_stage, client) = small().await;
    let deep = |levels: usize| {
        let (open, close) =
            ("<C:comp-filter name='VEVENT'>".repeat(levels), "</C:comp-filter>".repeat(levels));
        format!(
            "<C:calendar-query><D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name='VCALENDAR'>{open}{close}</C:comp-filter></C:filter></C:calendar-query>"
        )
    };
    client.report(&calendar(), &deep(1)).await.expect(207);
    let answer = client.report(&calendar(), &deep(5_000)).await;
    assert!((400..500).contains(&answer.status), "{} {}", answer.status, answer.text());
    let filter =
        "<C:prop-filter name='SUMMARY'><C:text-match>zzz</C:text-match></C:prop-filter>".repeat(10_000);
    let wide = format!(
        "<C:calendar-query><D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter name='VEVENT'>{filter}</C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
    );
    let answer = client.report(&calendar(), &wide).await;
    assert!(answer.status == 207 || (400..500).contains(&answer.status), "{}", answer.status);
}

#[test]
fn an_event_of_every_second_for_ever_is_expanded_to_an_end() {
    let text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20200101T000000Z\r\n\
                DTSTART:20200101T000000Z\r\nDURATION:PT1S\r\nRRULE:FREQ=SECONDLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let tree = Component::parse(text.as_bytes()).unwrap();
    let at = |text: &str| Some(text.parse().unwrap());
    for (start, end) in
        [("2026-01-01T00:00:00Z", "2036-01-01T00:00:00Z"), ("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z")]
    {
        let range = TimeRange { start: at(start), end: at(end) };
        let recurrence = Some(RecurrenceShape::Expand(range));
        let shape = Shape::Calendar(CalendarData { recurrence, ..CalendarData::default() });
        let zone = exdav::model::zone::Zone::Utc;
        let expanded =
            query::shape(&shape, &tree, &zone).ok().flatten().map_or(0, |tree| tree.children.len());
        assert!(expanded <= 10_000, "{expanded}");
        let busy =
            query::free_busy(std::slice::from_ref(&tree), &range, &zone, jiff::Timestamp::UNIX_EPOCH).write();
        assert!(busy.len() < 2_000_000, "{}", busy.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_exchange_cannot_hold_is_refused_with_its_reason() {
    let (stage, client) = small().await;
    let text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20200101T000000Z\r\n\
                DTSTART:20261201T000000Z\r\nDURATION:PT1S\r\nRRULE:FREQ=SECONDLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    stage.reset().await;
    let answer = client
        .ask("PUT", &format!("{}1.ics", calendar()), &[("Content-Type", "text/calendar")], text)
        .await
        .expect(403);
    assert!(answer.text().contains("responsedescription"), "{}", answer.text());
    assert_eq!(stage.calls().await.get("CreateItem"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn free_busy_without_an_end_is_an_answer_of_bounded_size() {
    let (_stage, client) = small().await;
    for number in 0..3 {
        let text = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:daily-{number}\r\nDTSTAMP:20200101T000000Z\r\n\
             DTSTART:202612{number:02}T0{number}0000Z\r\nDURATION:PT30M\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
        .replace("20261200", "20261203");
        let name = format!("{}daily-{number}.ics", calendar());
        let answer = client.ask("PUT", &name, &[("Content-Type", "text/calendar")], &text).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    for range in [
        "start='20261201T000000Z'",
        "end='20261201T000000Z'",
        "start='00010101T000000Z' end='99991231T235959Z'",
    ] {
        let body = format!("<C:free-busy-query {NAMESPACES}><C:time-range {range}/></C:free-busy-query>");
        let answer = client.ask("REPORT", &calendar(), &[("Depth", "1")], &body).await;
        assert!(
            answer.status == 200 || answer.status == 400 || answer.status == 403,
            "{range}: {}",
            answer.text()
        );
        assert!(answer.body.len() < 100_000, "{range}: {} octets", answer.body.len());
    }
}

/// An upstream that answers every request with a little gzip that becomes a lot.
async fn bomb(members: usize) -> String {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b' '; 8 << 20]).unwrap();
    let member = encoder.finish().unwrap();
    upstream(member.repeat(members), "gzip").await
}

/// A server that answers every request with the same body.
async fn upstream(body: Vec<u8>, encoding: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let body = body.clone();
            tokio::spawn(async move {
                let mut request = vec![0; 64 << 10];
                let _ = stream.read(&mut request).await;
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Encoding: {encoding}\r\nContent-Length: {}\r\n\
                     Connection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(&body).await;
            });
        }
    });
    format!("http://{address}/EWS/Exchange.asmx")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_sends_a_bomb_is_an_upstream_that_fails() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = bomb(200).await;
    let store = tempfile::tempdir().unwrap();
    let settings = exdav::upstream::ews::Settings {
        url,
        patience: Duration::ZERO,
        ..exdav::upstream::ews::Settings::default()
    };
    let mirror =
        exdav::mirror::Settings { path: store.path().to_owned(), ..exdav::mirror::Settings::default() };
    let gateway = gateway::Gateway::new(
        gateway::Settings::default(),
        std::sync::Arc::new(exdav::upstream::ews::Exchange::new(settings).unwrap()),
        mirror,
        exdav::sync::Settings::default(),
        exdav::convert::Settings::default(),
        |_: &str, _: &_, _: &_, _: &str| String::new(),
    )
    .unwrap();
    let client = Client::of(gateway, USER, PASSWORD).await;
    let answer = client.ask("PROPFIND", "/", &[("Depth", "0")], "").await;
    assert!(matches!(answer.status, 500..=504), "{} {}", answer.status, answer.text());
    assert!(answer.body.len() < 2_000);
    client.ask("GET", "/healthz", &[], "").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_provider_that_sends_a_bomb_or_a_token_for_ever_harms_nobody() {
    use exdav::upstream::ews::auth::oauth::Settings as Application;
    use exdav::upstream::ews::{Credentials, Exchange};
    use std::sync::Arc;
    let asked = |url: String| async move {
        let authority = url.trim_end_matches("/EWS/Exchange.asmx").to_owned();
        let (client_id, client_secret) = ("app".to_owned(), "x".to_owned());
        let oauth = Application { authority, client_id, client_secret, ..Application::default() };
        let patience = Duration::ZERO;
        let settings = exdav::upstream::ews::Settings {
            url,
            oauth,
            patience,
            ..exdav::upstream::ews::Settings::default()
        };
        let exchange = Exchange::new(settings).unwrap();
        let application = Credentials::application(Arc::clone(exchange.provider().unwrap()));
        exchange.session(application.for_mailbox(USER)).subscribe().await.unwrap_err()
    };
    let error = asked(bomb(200).await).await;
    assert!(matches!(error, exdav::upstream::ews::Error::Settings(_)), "{error}");
    let for_ever =
        format!("{{\"access_token\": \"t\", \"token_type\": \"Bearer\", \"expires_in\": {}}}", u64::MAX);
    let error = asked(upstream(for_ever.into(), "identity").await).await;
    assert!(!matches!(error, exdav::upstream::ews::Error::Settings(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_and_paths_without_measure_are_refused_and_others_are_served_on() {
    let (stage, client) = small().await;
    client.propfind(&calendar(), "0", "<D:getetag/>").await.expect(207);
    stage.reset().await;
    let long = "x".repeat(2 << 20);
    let many: String = (0..5_000).map(|number| format!("X-{number}: y\r\n")).collect();
    for (name, head) in [
        ("one long header", head("GET", &calendar(), &format!("X-Long: {long}\r\n"))),
        ("many headers", head("GET", &calendar(), &many)),
        ("a long path", head("GET", &format!("{}{long}", calendar()), "")),
        (
            "a long destination",
            head("MOVE", &format!("{}a.ics", calendar()), &format!("Destination: /{long}\r\n")),
        ),
    ] {
        let answer = raw(&client, head.as_bytes()).await;
        // A server that closes while the client still sends may not be heard.
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{name}: {answer:.200}");
        client.propfind(&calendar(), "0", "<D:getetag/>").await.expect(207);
    }
    // What still fits into a head is as unknown as a short one.
    let path = format!("{}{}", calendar(), "y".repeat(50_000));
    let answer = client.ask("GET", &path, &[], "").await;
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    assert_eq!(stage.total().await, 0, "{:?}", stage.calls().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn hrefs_and_sync_tokens_without_measure_cost_exchange_nothing() {
    let (stage, client) = small().await;
    client.propfind(&calendar(), "1", "<D:getetag/>").await.expect(207);
    let known = client.propfind(&calendar(), "0", "<D:sync-token/>").await;
    let known = known.responses()[0].text("sync-token");
    stage.reset().await;
    let long = "z".repeat(1 << 20);
    let ask = |token: &str| {
        format!(
            "<D:sync-collection><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"
        )
    };
    for token in [long.as_str(), "18446744073709551616", "-1", "https://example.org/x"] {
        let answer = client.report(&calendar(), &ask(token)).await;
        assert!((400..500).contains(&answer.status), "{token:.50}: {}", answer.status);
        assert!(answer.body.len() < 4_000, "{token:.50}: {} octets", answer.body.len());
    }
    // Every number that could be a revision, as somebody who guesses would try them.
    let (instance, revision) = known.rsplit_once(|c: char| !c.is_ascii_digit()).unwrap();
    let separator = &known[instance.len()..=instance.len()];
    assert!(revision.parse::<u64>().is_ok(), "{known}");
    for number in 0..300_u64 {
        let token = format!("{instance}{separator}{}", number * 7_919);
        let answer = client.report(&calendar(), &ask(&token)).await;
        assert!(matches!(answer.status, 207 | 403 | 409), "{token}: {}", answer.status);
    }
    let body = format!(
        "<C:calendar-multiget><D:prop><D:getetag/></D:prop><D:href>{}{long}.ics</D:href><D:href>{long}</D:href>\
         <D:href>/{}</D:href></C:calendar-multiget>",
        calendar(),
        "a/".repeat(200_000)
    );
    let answer = client.report(&calendar(), &body).await;
    assert!(answer.status == 207 || (400..500).contains(&answer.status), "{}", answer.status);
    assert!(answer.body.len() < 4 << 20, "{} octets", answer.body.len());
    assert_eq!(stage.total().await, 0, "{:?}", stage.calls().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn packed_bodies_of_clients_are_not_unpacked() {
    let (stage, client) = small().await;
    stage.reset().await;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b' '; 64 << 20]).unwrap();
    let packed = encoder.finish().unwrap();
    for (method, path) in
        [("PUT", format!("{}a.ics", calendar())), ("PROPFIND", calendar()), ("REPORT", calendar())]
    {
        for encoding in ["gzip", "gzip, gzip", "br", "zstd"] {
            client.ask(method, &path, &[("Content-Encoding", encoding)], &packed).await.expect(415);
        }
    }
    assert_eq!(stage.calls().await.get("CreateItem"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_for_ever_are_expanded_over_http_to_an_answer_of_bounded_size() {
    let (_stage, client) = small().await;
    let text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:ever\r\nDTSTAMP:20200101T000000Z\r\n\
                DTSTART:20200101T000000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let name = format!("{}ever.ics", calendar());
    client.ask("PUT", &name, &[("Content-Type", "text/calendar")], text).await.expect(201);
    for (start, end) in [("20200101T000000Z", "99991231T235959Z"), ("00010101T000000Z", "99991231T235959Z")] {
        let body = format!(
            "<C:calendar-query><D:prop><C:calendar-data><C:expand start='{start}' end='{end}'/></C:calendar-data></D:prop>\
             <C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter name='VEVENT'><C:time-range start='{start}' end='{end}'/>\
             </C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"
        );
        let answer = client.report(&calendar(), &body).await;
        assert!(answer.status == 207 || (400..500).contains(&answer.status), "{}", answer.status);
        assert!(answer.body.len() < 8 << 20, "{start}: {} octets", answer.body.len());
    }
}
