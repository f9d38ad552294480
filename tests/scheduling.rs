//! What a client is promised about scheduling, and what follows from it. RFC 6638

use crate::support::http::Client;
use crate::support::{PASSWORD, Stage, USER};
use exdav::dav;
use std::collections::BTreeSet;
use std::time::Duration;

async fn stage() -> (Stage, Client) {
    let stage = Stage::empty(3).await;
    let client = Client::of(stage.gateway(Duration::ZERO), USER, PASSWORD).await;
    (stage, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_says_that_the_server_sends_invitations() {
    let (_stage, client) = stage().await;
    let calendar = dav::path::default_calendar(USER);
    let home = dav::path::calendar_home(USER);
    let object = format!("{calendar}x.ics");
    let query = "<C:calendar-query xmlns:C='urn:ietf:params:xml:ns:caldav'><C:filter><C:comp-filter \
                 name='VCALENDAR'/></C:filter></C:calendar-query>";
    let none = "<D:propfind xmlns:D='DAV:'><D:prop><D:displayname/></D:prop></D:propfind>";
    for (method, path, body, status) in [
        ("OPTIONS", "/", "", 200),
        ("OPTIONS", calendar.as_str(), "", 200),
        ("PROPFIND", home.as_str(), none, 207),
        ("PROPFIND", calendar.as_str(), none, 207),
        ("PROPFIND", "/nowhere/", none, 404),
        ("REPORT", calendar.as_str(), query, 207),
        ("GET", object.as_str(), "", 404),
        ("PUT", object.as_str(), "nonsense", 403),
        ("DELETE", object.as_str(), "", 404),
        ("LOCK", object.as_str(), "", 405),
        ("GET", "/.well-known/caldav", "", 301),
    ] {
        let headers = [("Depth", "0"), ("Content-Type", "text/calendar")];
        let headers = if body.starts_with('<') { &headers[..1] } else { &headers[..] };
        let answer = client.ask(method, path, headers, body).await;
        let classes: BTreeSet<&str> = answer.header("dav").split(',').map(str::trim).collect();
        assert!(classes.contains("calendar-auto-schedule"), "{method} {path}: {classes:?}");
        assert!(classes.contains("calendar-access") && !classes.contains("2"), "{method} {path}");
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
    }
    let refused = client.ask("PROPFIND", &calendar, &[("Authorization", "")], none).await.expect(401);
    assert!(refused.header("dav").contains("calendar-auto-schedule"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_scheduling_client_looks_for_is_there() {
    let (_stage, client) = stage().await;
    let calendar = dav::path::default_calendar(USER);
    let principal = &client.propfind("/", "0", "<D:current-user-principal/>").await.responses()[0];
    let principal = principal.href_in("current-user-principal");
    let props = "<C:schedule-inbox-URL/><C:schedule-outbox-URL/><C:calendar-user-address-set/>\
                 <C:calendar-user-type/>";
    let person = &client.propfind(&principal, "0", props).await.responses()[0];
    assert_eq!(person.missing(), [""; 0]);
    let set = person.found("calendar-user-address-set").unwrap();
    let set: Vec<String> = set.children().map(|href| href.text().into_owned()).collect();
    assert!(set.contains(&format!("mailto:{USER}")) && set.contains(&principal), "{set:?}");
    let (inbox, outbox) = (person.href_in("schedule-inbox-URL"), person.href_in("schedule-outbox-URL"));
    let props = "<D:resourcetype/><D:current-user-privilege-set/><C:schedule-default-calendar-URL/>";
    let inbox = &client.propfind(&inbox, "0", props).await.responses()[0];
    assert!(inbox.found("resourcetype").unwrap().find("schedule-inbox").is_some());
    assert_eq!(inbox.href_in("schedule-default-calendar-URL"), calendar);
    let rights = |response: &crate::support::http::Response| -> BTreeSet<String> {
        let set = response.found("current-user-privilege-set").unwrap();
        set.children().flat_map(exdav::xml::Element::children).map(|p| p.name().local().to_owned()).collect()
    };
    assert!(rights(inbox).contains("schedule-deliver"));
    let outbox = &client.propfind(&outbox, "0", props).await.responses()[0];
    assert!(outbox.found("resourcetype").unwrap().find("schedule-outbox").is_some());
    for right in ["schedule-send", "schedule-send-invite", "schedule-send-reply", "schedule-send-freebusy"] {
        assert!(rights(outbox).contains(right), "{right}");
    }
    // Exchange makes people busy by their default calendar alone.
    client.ask("MKCALENDAR", &calendar.replace("/calendar/", "/second/"), &[], "").await.expect(201);
    let props = "<C:schedule-calendar-transp/><C:supported-calendar-component-set/>";
    let listed = client.propfind(&dav::path::calendar_home(USER), "1", props).await.responses();
    let is = |response: &crate::support::http::Response, word: &str| {
        response.found("schedule-calendar-transp").unwrap().find(word).is_some()
    };
    for response in &listed {
        if response.found("supported-calendar-component-set").is_none() {
            assert!(response.found("schedule-calendar-transp").is_none(), "{}", response.href);
        } else if response.href == calendar {
            assert!(is(response, "opaque"));
        } else {
            assert!(is(response, "transparent"), "{}", response.href);
        }
    }
}
