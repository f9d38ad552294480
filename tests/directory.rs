//! The organisation's directory: searched with one question to Exchange, never copied, each user's answers apart.

use crate::support::http::{Answer, Client, Response};
use crate::support::{PASSWORD, Stage, USER};
use std::time::Duration;

const FRESH: Duration = Duration::from_secs(3600);
const PRINCIPAL: &str = "/dav/principals/demo~40example.com/";

async fn client(stage: &Stage) -> Client {
    let client = Client::of(stage.gateway(FRESH), USER, PASSWORD).await;
    // The sign-in asks Exchange by itself.
    client.propfind(PRINCIPAL, "0", "<D:displayname/>").await.expect(207);
    stage.reset().await;
    client
}

async fn directory(client: &Client) -> String {
    let answer = client.propfind(PRINCIPAL, "0", "<CARD:directory-gateway/>").await;
    answer.responses()[0].href_in("directory-gateway")
}

/// addressbook-query for a text in one of these properties.
async fn search(client: &Client, text: &str, limit: Option<usize>) -> Answer {
    let filters: String = ["FN", "EMAIL", "NICKNAME"]
        .iter()
        .map(|name| {
            format!(
                "<CARD:prop-filter name='{name}'><CARD:text-match collation='i;unicode-casemap' \
                 match-type='contains'>{text}</CARD:text-match></CARD:prop-filter>"
            )
        })
        .collect();
    let limit = limit
        .map_or(String::new(), |n| format!("<CARD:limit><CARD:nresults>{n}</CARD:nresults></CARD:limit>"));
    let body = format!(
        "<CARD:addressbook-query><D:prop><D:getetag/><CARD:address-data/></D:prop>\
         <CARD:filter test='anyof'>{filters}</CARD:filter>{limit}</CARD:addressbook-query>"
    );
    client.report(&directory(client).await, &body).await
}

/// People, and whether the answer says that there are more.
fn people(answer: &Answer) -> (Vec<Response>, bool) {
    let (marks, people): (Vec<_>, Vec<_>) = answer.responses().into_iter().partition(|r| r.status.is_some());
    let truncated = marks.iter().any(|mark| mark.status.as_deref().is_some_and(|s| s.contains(" 507 ")));
    assert_eq!(truncated, answer.text().contains("number-of-matches-within-limits"));
    (people, truncated)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_for_smi_costs_one_call_and_gives_at_most_the_limit_marked_as_truncated() {
    let stage = Stage::lively().await;
    let client = client(&stage).await;
    for (limit, most) in [(Some(10), 10), (None, 100), (Some(5000), 100)] {
        stage.reset().await;
        let answer = search(&client, "smi", limit).await;
        assert_eq!(stage.calls().await, [("ResolveNames".to_owned(), 1)].into());
        let (people, truncated) = people(&answer);
        assert_eq!((people.len(), truncated), (most, true), "limit {limit:?}");
        for person in people {
            let card = person.text("address-data").to_lowercase();
            assert!(card.contains("fn:") && card.contains("smi"), "{card}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_that_finds_everybody_it_means_is_not_marked_and_its_cards_can_be_read_without_asking_again()
{
    let stage = Stage::lively().await;
    let client = client(&stage).await;
    let (found, truncated) = people(&search(&client, "colleague41@", None).await);
    assert_eq!((found.len(), truncated), (1, false));
    stage.reset().await;
    let card = client.ask("GET", &found[0].href, &[], "").await.expect(200);
    assert_eq!(card.header("etag"), found[0].text("getetag"));
    assert_eq!(card.text(), found[0].text("address-data").replace('\n', "\r\n").replace("\r\r", "\r"));
    assert!(card.text().contains("VERSION:3.0") && card.text().contains("EMAIL"), "{}", card.text());
    let four =
        client.ask("GET", &found[0].href, &[("Accept", "text/vcard; version=4.0")], "").await.expect(200);
    assert!(four.text().contains("VERSION:4.0"), "{}", four.text());
    let body = format!(
        "<CARD:addressbook-multiget><D:prop><D:getetag/><CARD:address-data/></D:prop><D:href>{}</D:href>\
         <D:href>/dav/directory/demo~40example.com/nobody%40example.com.vcf</D:href></CARD:addressbook-multiget>",
        found[0].href
    );
    let both = client.report(&directory(&client).await, &body).await.responses();
    assert_eq!(both[0].text("getetag"), found[0].text("getetag"));
    assert!(both[1].status.as_deref().unwrap().contains(" 404 "));
    assert_eq!(
        stage.calls().await,
        [("ResolveNames".to_owned(), 1)].into(),
        "nobody is asked for, the other known"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_is_never_listed_and_a_filter_without_a_name_looks_nobody_up() {
    let stage = Stage::lively().await;
    let client = client(&stage).await;
    let path = directory(&client).await;
    let properties = "<D:resourcetype/><D:current-user-privilege-set/><CARD:supported-address-data/>\
                      <D:supported-report-set/><D:sync-token/>";
    let listed = client.propfind(&path, "1", properties).await;
    let responses = listed.responses();
    assert_eq!(responses.len(), 1, "{}", listed.text());
    assert!(listed.text().contains("directory/>") && listed.text().contains("addressbook/>"));
    let text = listed.text();
    assert!(!text.contains("write") && !text.contains("<D:bind/>"), "read-only: {text}");
    assert_eq!(responses[0].missing(), ["sync-token"]);
    for filter in [
        "<CARD:filter/>",
        "<CARD:filter><CARD:prop-filter name='EMAIL'/></CARD:filter>",
        "<CARD:filter><CARD:prop-filter name='FN'><CARD:text-match negate-condition='yes'>x</CARD:text-match>\
         </CARD:prop-filter></CARD:filter>",
    ] {
        let body =
            format!("<CARD:addressbook-query><D:prop><D:getetag/></D:prop>{filter}</CARD:addressbook-query>");
        let answer = client.report(&path, &body).await;
        let (found, truncated) = people(&answer);
        assert_eq!((found.len(), truncated), (0, true), "{filter}");
    }
    client.ask("GET", &path, &[], "").await.expect(403);
    for method in ["PUT", "DELETE"] {
        client.ask(method, &format!("{path}x%40example.com.vcf"), &[], "").await.expect(405);
    }
    assert_eq!(stage.total().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn colleagues_are_found_as_principals_by_name_and_by_address() {
    let stage = Stage::lively().await;
    let client = client(&stage).await;
    let search = |property: &str, text: &str| {
        format!(
            "<D:principal-property-search><D:property-search><D:prop><{property}/></D:prop><D:match>{text}</D:match>\
             </D:property-search><D:prop><D:displayname/><C:calendar-user-address-set/><D:resourcetype/></D:prop>\
             </D:principal-property-search>"
        )
    };
    for (property, text) in [
        ("C:calendar-user-address-set", "mailto:colleague7@example.com"),
        ("CS:email-address-set", "colleague7@"),
    ] {
        stage.reset().await;
        let answer = client.report("/dav/principals/", &search(property, text)).await;
        assert_eq!(stage.calls().await, [("ResolveNames".to_owned(), 1)].into());
        let found = answer.responses();
        assert_eq!(found.len(), 1, "{}", answer.text());
        assert!(answer.text().contains("mailto:colleague7@example.com"));
        let again = client.propfind(&found[0].href, "0", "<D:displayname/>").await;
        assert_eq!(again.responses()[0].text("displayname"), found[0].text("displayname"));
    }
    let (many, truncated) = people(&client.report("/dav/principals/", &search("D:displayname", "smi")).await);
    assert_eq!((many.len(), truncated), (100, true));
    let own = client.report("/dav/principals/", &search("CS:email-address-set", USER)).await.responses();
    assert_eq!(
        own.iter().filter(|r| r.href == PRINCIPAL).count(),
        1,
        "the user is found once, as the own principal"
    );
    let body = "<CS:calendarserver-principal-search context='attendee'><CS:search-token>smit</CS:search-token>\
                <CS:search-token>anna</CS:search-token><CS:limit><CS:nresults>3</CS:nresults></CS:limit>\
                <D:prop><D:displayname/></D:prop></CS:calendarserver-principal-search>";
    let (tokens, _) = people(&client.report("/dav/principals/", body).await);
    assert!(!tokens.is_empty() && tokens.len() <= 3);
    assert!(tokens.iter().all(|r| r.text("displayname").contains("Anna Smit")), "{tokens:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_user_was_told_is_not_told_to_another() {
    let stage = Stage::lively().await;
    let gateway = stage.gateway(FRESH);
    let first = Client::of(gateway.clone(), USER, PASSWORD).await;
    let second = Client::of(gateway, "demo2@example.com", PASSWORD).await;
    let (found, _) = people(&search(&first, "colleague41@", None).await);
    second.propfind("/dav/principals/demo2~40example.com/", "0", "<D:displayname/>").await.expect(207);
    second.ask("GET", &found[0].href, &[], "").await.expect(404);
    stage.reset().await;
    let own = found[0].href.replace("demo~40", "demo2~40");
    second.ask("GET", &own, &[], "").await.expect(200);
    assert_eq!(
        stage.calls().await,
        [("ResolveNames".to_owned(), 1)].into(),
        "Exchange is asked as the other user"
    );
}
