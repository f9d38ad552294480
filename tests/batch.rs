//! A first upload: many PUTs of one user in flight, one call to Exchange for each, none lost, none out of order.

use crate::support::{self, Stage, contacts};
use bytes::Bytes;
use exdav::gateway::Mailbox;
use exdav::gateway::write::Conditions;
use exdav::simulator;
use futures_util::{StreamExt as _, stream};
use std::collections::BTreeMap;
use std::time::Duration;

const FRESH: Duration = Duration::from_secs(3600);
const CONTACTS: usize = 300;
const IN_FLIGHT: usize = 16;

fn card(number: usize, phone: usize) -> Bytes {
    format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:upload-{number}\r\nFN:Person {number}\r\nN:{number};Person;;;\r\n\
         EMAIL;TYPE=WORK:p{number}@example.net\r\nTEL;TYPE=CELL:{phone}\r\nADR;TYPE=HOME:;;Street {number};Town;;1;Land\r\n\
         NOTE:Met\\nthere\r\nX-OWN:{number}\r\nEND:VCARD\r\n"
    )
    .into()
}

async fn stage() -> (Stage, Mailbox) {
    let settings =
        simulator::Settings { contacts: Some(0), events: Some(0), ..simulator::Settings::default() };
    let stage = Stage::of(settings).await;
    let mailbox = stage.mailbox(FRESH).await;
    mailbox.list(&contacts()).await.unwrap();
    stage.reset().await;
    (stage, mailbox)
}

async fn put(mailbox: &Mailbox, number: usize, body: Bytes) {
    let name = format!("upload-{number}.vcf").parse().unwrap();
    let written = mailbox.put(&contacts(), &name, &Conditions::default(), body).await.unwrap();
    assert!(written.etag.is_some(), "{number} is as it was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_upload_costs_one_call_for_each_contact_and_none_is_lost() {
    let (stage, mailbox) = stage().await;
    stream::iter(0..CONTACTS)
        .for_each_concurrent(IN_FLIGHT, |number| put(&mailbox, number, card(number, 1)))
        .await;
    let expected = BTreeMap::from([("CreateItem".to_owned(), CONTACTS as u64)]);
    assert_eq!(stage.calls().await, expected);
    assert_eq!(mailbox.list(&contacts()).await.unwrap().len(), CONTACTS);
    // Another gateway finds the same, to the octet.
    let store = tempfile::tempdir().unwrap();
    let other = stage.gateway_with(FRESH, store.path(), exdav::gateway::Settings::default());
    let other = other.sign_in(support::USER, support::PASSWORD).await.unwrap();
    assert_eq!(other.list(&contacts()).await.unwrap().len(), CONTACTS);
    for number in [0, CONTACTS / 2, CONTACTS - 1] {
        let name = format!("upload-{number}.vcf").parse().unwrap();
        assert_eq!(other.get(&contacts(), &name).await.unwrap().unwrap().body, card(number, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_one_contact_that_come_at_once_are_stored_one_after_the_other() {
    let (stage, mailbox) = stage().await;
    put(&mailbox, 0, card(0, 0)).await;
    stage.reset().await;
    // All wait for their turn; whoever comes last has the last word.
    let mut writes = Vec::new();
    for phone in 1..=20 {
        let mailbox = mailbox.clone();
        writes.push(tokio::spawn(async move { put(&mailbox, 0, card(0, phone)).await }));
    }
    for write in writes {
        write.await.unwrap();
    }
    let calls = stage.calls().await;
    assert_eq!(calls["UpdateItem"], 20);
    assert!(!calls.contains_key("CreateItem"), "{calls:?}");
    let name = "upload-0.vcf".parse().unwrap();
    let here = mailbox.get(&contacts(), &name).await.unwrap().unwrap();
    let dump = stage.dump(support::USER).await.to_string();
    let phone = String::from_utf8(here.body.to_vec()).unwrap();
    let phone = phone.split("CELL:").nth(1).unwrap().split('\r').next().unwrap().to_owned();
    let told = format!("text: \\\"{phone}\\\"");
    assert!(dump.contains(&told), "Exchange has another version than {phone}");
    assert_eq!(mailbox.list(&contacts()).await.unwrap().len(), 1);
}
