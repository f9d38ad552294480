//! Readers that are not ours understand what exdav writes: the crates icalendar and vcard4.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use exdav::text::{Component, unescape};
use icalendar::parser::{read_calendar, unfold};
use std::time::Duration;
use support::{Stage, calendar, contacts};

const LONG: Duration = Duration::from_secs(3600);

/// Names of components, and lines with their values, as we see them.
fn ours(component: &Component, out: &mut Vec<(String, String)>) {
    out.push(("BEGIN".to_owned(), component.name.clone()));
    out.extend(component.lines.iter().map(|line| (line.name.clone(), line.value.clone())));
    component.children.iter().for_each(|child| ours(child, out));
}

/// The same as the other reader sees them: it resolves the escapes of texts, and only of these.
fn theirs(component: &icalendar::parser::Component<'_>, out: &mut Vec<(String, String)>) {
    out.push(("BEGIN".to_owned(), component.name.as_str().to_owned()));
    let lines = component.properties.iter();
    out.extend(lines.map(|line| (line.name.as_str().to_owned(), line.val.as_str().to_owned())));
    component.components.iter().for_each(|child| theirs(child, out));
}

#[tokio::test(flavor = "multi_thread")]
async fn icalendar_reads_every_calendar_object_the_same() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(LONG).await;
    let mut read = 0;
    for id in [calendar(), "tasks".parse().unwrap()] {
        for head in mailbox.list(&id).await.unwrap() {
            let object = mailbox.get(&id, &head.name).await.unwrap().unwrap();
            let text = String::from_utf8(object.body.to_vec()).unwrap();
            let unfolded = unfold(&text);
            let other = read_calendar(&unfolded).unwrap_or_else(|error| panic!("{error}\n{text}"));
            let tree = Component::parse(&object.body).unwrap();
            let (mut a, mut b) = (Vec::new(), Vec::new());
            tree.children.iter().for_each(|child| ours(child, &mut a));
            other.components.iter().for_each(|child| theirs(child, &mut b));
            assert_eq!(a.len(), b.len(), "{text}");
            for ((name, value), (other_name, other_value)) in a.iter().zip(&b) {
                assert_eq!(name, other_name, "{text}");
                assert!(
                    value == other_value || unescape(value) == *other_value,
                    "{name}: {value} {other_value}"
                );
            }
            read += 1;
        }
    }
    assert!(read > 250, "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn vcard4_reads_every_card_the_same() {
    let stage = Stage::lively().await;
    let mailbox = stage.mailbox(LONG).await;
    let mut read = 0;
    for head in mailbox.list(&contacts()).await.unwrap() {
        let object = mailbox.get(&contacts(), &head.name).await.unwrap().unwrap();
        let text = String::from_utf8(object.vcard4.unwrap().to_vec()).unwrap();
        let cards = vcard4::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let tree = Component::parse(text.as_bytes()).unwrap();
        let [card] = cards.as_slice() else { panic!("{text}") };
        assert_eq!(card.formatted_name[0].value, tree.line("FN").unwrap().unescaped());
        assert_eq!(card.email.len(), tree.lines_named("EMAIL").count(), "{text}");
        assert_eq!(card.tel.len(), tree.lines_named("TEL").count(), "{text}");
        assert_eq!(card.member.len(), tree.lines_named("MEMBER").count(), "{text}");
        read += 1;
    }
    assert!(read > 150, "{read}");
}
