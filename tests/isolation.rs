//! Nobody sees what is not theirs, nor whether it exists.

use crate::support::http::{self, Client, METHODS, basic};
use crate::support::{PASSWORD, Stage, USER};
use exdav::dav;
use std::time::Duration;

const LONG: Duration = Duration::from_hours(1);
const OTHER: &str = "demo2@example.com";

async fn stage() -> (Stage, Client) {
    let stage = Stage::lively().await;
    // Nobody is granted anything, not even busy times.
    for owner in [USER, OTHER] {
        stage.share(owner, "calendar", "nobody@example.com", "None").await;
    }
    let client = Client::of(stage.gateway(LONG), USER, PASSWORD).await;
    (stage, client)
}

fn calendar() -> String {
    dav::path::default_calendar(USER)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_what_is_not_theirs() {
    let (_stage, client) = stage().await;
    let wrong = basic(USER, "wrong");
    let unknown = basic("nobody@example.com", PASSWORD);
    for authorization in ["", &wrong, &unknown, "Bearer x", "Basic %%"] {
        let answer =
            client.ask("PROPFIND", &calendar(), &[("Authorization", authorization)], "").await.expect(401);
        assert!(answer.header("www-authenticate").starts_with("Basic realm="));
        assert!(answer.header("dav").contains("calendar-access"));
    }
    let paths = |user: &str| {
        [
            dav::path::calendar_home(user),
            dav::path::default_calendar(user),
            format!("{}x.ics", dav::path::default_calendar(user)),
            dav::path::default_address_book(user),
            format!("/dav/principals/{}/", exdav::model::id::login_segment(user)),
        ]
    };
    for method in ["PROPFIND", "GET", "REPORT"] {
        for (there, not_there) in paths("demo2@example.com").iter().zip(paths("nobody@example.com")) {
            let there = client.ask(method, there, &[("Depth", "0")], "").await.expect(404);
            let not_there = client.ask(method, &not_there, &[("Depth", "0")], "").await.expect(404);
            assert_eq!(
                there.body, not_there.body,
                "{method}: the answer must not tell whether there is a mailbox"
            );
        }
    }
    let body = format!(
        "<C:calendar-multiget><D:prop><D:getetag/></D:prop><D:href>{}x.ics</D:href></C:calendar-multiget>",
        dav::path::default_calendar("demo2@example.com")
    );
    let responses = client.report(&calendar(), &body).await.responses();
    assert_eq!(responses[0].status.as_deref(), Some("HTTP/1.1 404 Not Found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_of_one_gateway_get_each_their_own() {
    let (stage, client) = stage().await;
    stage.make_event(USER, "a secret of the first").await;
    stage.make_event(OTHER, "a secret of the second").await;
    let other = basic(OTHER, PASSWORD);
    let own = client.ask("GET", &calendar(), &[], "").await.expect(200);
    let theirs = dav::path::default_calendar(OTHER);
    let theirs = client.ask("GET", &theirs, &[("Authorization", &other)], "").await.expect(200);
    for (answer, there, not_there) in [(own, "first", "second"), (theirs, "second", "first")] {
        assert!(answer.text().contains(&format!("SUMMARY:a secret of the {there}")));
        assert!(!answer.text().contains(&format!("a secret of the {not_there}")));
    }
    for path in ["/", "/dav/principals/", "/principals/"] {
        let answer = client.ask("PROPFIND", path, &[("Depth", "1")], "").await;
        assert!(!answer.text().contains("demo2"), "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_mirror_does_not_open_for_a_wrong_password() {
    let (stage, client) = stage().await;
    client.propfind(&calendar(), "1", "<D:getetag/>").await.expect(207);
    stage.reset().await;
    let wrong = basic(USER, "demo ");
    client.ask("PROPFIND", &calendar(), &[("Authorization", &wrong)], "").await.expect(401);
    client.propfind(&calendar(), "0", "<D:getetag/>").await.expect(207);
    // A client with an old password asks again and again; Exchange must not lock the account for it.
    for _ in 0..20 {
        client.ask("GET", &calendar(), &[("Authorization", &wrong)], "").await.expect(401);
    }
    assert!(stage.total().await <= 1, "{:?}", stage.calls().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_exchange_is_away_only_those_who_were_let_in_read_on() {
    let stage = Stage::lively().await;
    let client = Client::of(stage.gateway(Duration::ZERO), USER, PASSWORD).await;
    let listed = client.propfind(&calendar(), "1", "<D:getetag/>").await;
    assert!(!listed.headers.contains_key("warning") && !listed.headers.contains_key("age"), "{listed:?}");
    stage.faults(r#"[{"kind": "unavailable", "times": 100000}]"#).await;
    let still = client.propfind(&calendar(), "1", "<D:getetag/>").await;
    assert_eq!(still.responses().len(), listed.responses().len(), "the mirror answers on its own");
    let warning = still.header("warning");
    assert!(warning.contains("110 ") && warning.contains("111 "), "and says so: {warning}");
    assert!(still.header("age").parse::<u64>().is_ok(), "{still:?}");
    let other = client
        .ask("GET", &dav::path::default_calendar(OTHER), &[("Authorization", &basic(OTHER, PASSWORD))], "")
        .await;
    let other = other.expect(503);
    assert!(other.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert!(!other.text().contains("demo"), "{}", other.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_exchange_no_longer_takes_is_not_shown_to_it_again_and_again() {
    let stage = Stage::lively().await;
    let client = Client::of(stage.gateway(Duration::ZERO), USER, PASSWORD).await;
    client.propfind(&calendar(), "0", "<D:getetag/>").await.expect(207);
    stage.reset().await;
    stage.faults(r#"[{"kind": "unauthorized", "times": 100000}]"#).await;
    for _ in 0..20 {
        client.propfind(&calendar(), "1", "<D:getetag/>").await.expect(401);
    }
    assert!(stage.total().await <= 2, "{:?}", stage.calls().await);
}

/// Every method at every kind of place, asked by everybody but its owner.
#[tokio::test(flavor = "multi_thread")]
async fn no_method_at_no_place_answers_anybody_but_its_owner() {
    let (stage, client) = stage().await;
    stage.make_event(USER, "a secret of the first").await;
    let calendar = calendar();
    let text = |uid: &str| {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\n\
             DTSTART:20261201T090000Z\r\nDTEND:20261201T100000Z\r\nSUMMARY:theirs\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    };
    let own = format!("{calendar}own.ics");
    client.ask("PUT", &own, &[("Content-Type", "text/calendar")], &text("own")).await.expect(201);
    let before = client.ask("GET", &own, &[], "").await.expect(200);
    let tags = |answer: &http::Answer| {
        let mut tags: Vec<_> =
            answer.responses().iter().map(|r| (r.href.clone(), r.text("getetag"))).collect();
        tags.sort();
        tags
    };
    let listed = tags(&client.propfind(&calendar, "1", "<D:getetag/>").await);
    let segment = exdav::model::id::login_segment(USER);
    let places = [
        dav::path::calendar_home(USER),
        dav::path::address_book_home(USER),
        calendar.clone(),
        dav::path::default_address_book(USER),
        format!("{}tasks/", dav::path::calendar_home(USER)),
        format!("{}inbox/", dav::path::calendar_home(USER)),
        format!("{}outbox/", dav::path::calendar_home(USER)),
        own.clone(),
        format!("{calendar}new.ics"),
        format!("{}new/", dav::path::calendar_home(USER)),
        format!("/dav/principals/{segment}/"),
        format!("/dav/directory/{segment}/"),
        format!("/dav/people/{segment}/demo2~40example.com/"),
        format!("/dav/att/{segment}/calendar/own.ics/x"),
    ];
    let body = text("intruder");
    let target = format!("{}taken.ics", dav::path::default_calendar(OTHER));
    let strangers = [
        ("nobody", String::new(), 401),
        ("a wrong password", basic(USER, "wrong"), 401),
        ("an unknown user", basic("nobody@example.com", PASSWORD), 401),
        ("another user", basic(OTHER, PASSWORD), 404),
    ];
    let mut asked = 0;
    for (who, authorization, status) in &strangers {
        for place in &places {
            for (method, content) in METHODS {
                let content = if content == "object" { &body } else { content };
                let headers = [
                    ("Authorization", authorization.as_str()),
                    ("Depth", "1"),
                    (
                        "Content-Type",
                        if content.starts_with('<') { "application/xml" } else { "text/calendar" },
                    ),
                    ("Destination", target.as_str()),
                ];
                // To a place that is nobody's the same is said, so that nobody learns which places there are.
                let nowhere = place.replace(&segment, "nowhere~40example.com");
                let answer = client.ask(method, place, &headers, content).await;
                let other = client.ask(method, &nowhere, &headers, content).await;
                assert_eq!(
                    answer.status,
                    *status,
                    "{who}: {method} {place}: {}",
                    String::from_utf8_lossy(&answer.body)
                );
                assert_eq!(
                    (answer.status, &answer.body),
                    (other.status, &other.body),
                    "{who}: {method} {place}"
                );
                assert!(!String::from_utf8_lossy(&answer.body).contains("secret"), "{who}: {method} {place}");
                asked += 1;
            }
        }
    }
    assert_eq!(asked, strangers.len() * places.len() * METHODS.len());
    // One's own object cannot be sent into another's calendar, nor another's taken out of it.
    for method in ["MOVE", "COPY"] {
        let there = client.ask(method, &own, &[("Destination", &target)], "").await;
        assert!((400..500).contains(&there.status), "{method}: {}", there.status);
    }
    let after = client.ask("GET", &own, &[], "").await.expect(200);
    assert_eq!((before.header("etag"), &before.body), (after.header("etag"), &after.body));
    assert_eq!(
        listed,
        tags(&client.propfind(&calendar, "1", "<D:getetag/>").await),
        "nothing has been changed"
    );
    let theirs = [("Authorization", basic(OTHER, PASSWORD))];
    let theirs = [(theirs[0].0, theirs[0].1.as_str())];
    let export = client.ask("GET", &dav::path::default_calendar(OTHER), &theirs, "").await.expect(200);
    assert!(!export.text().contains("UID:own") && !export.text().contains("UID:intruder"));
}
