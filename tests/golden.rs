//! Cases of translation: each folder that holds an `ews.xml` is an item, what clients must get, and why.
//!
//! Walks `fixtures/cases`.

pub mod back;
pub mod calls;
pub mod case;
pub mod item;

use back::{Served, body, compare, judge, judge_zones};
use case::{OWNER, ZONE, cases};
use exdav::convert::write::{self, Plan};
use exdav::convert::{self, Related};
use exdav::model::collection::CollectionKind;
use exdav::model::item::{Item, ItemClass, ItemRef};
use exdav::model::refusal::{Reason, Refusal};
use exdav::text::Component;
use exdav::upstream::ews::types::{document, parse_item};
use item::Source;
use std::sync::Arc;

#[test]
fn items_of_exchange_are_rendered_as_the_cases_say() {
    let mut failed = Vec::new();
    let mut passed = 0;
    for case in cases().iter().filter(|case| case.dir.join("ews.xml").exists()) {
        let item = case.item("ews.xml");
        let rendered = match convert::render(&case.context(), &item, &case.related()) {
            Ok(rendered) => rendered,
            Err(error) => {
                println!("FAIL {}: {error}", case.name);
                failed.push(case.name.clone());
                continue;
            }
        };
        let served = Served::from(&rendered);
        let root = body(case, &served);
        let mut wrong: Vec<String> =
            case.assertions("back").iter().filter_map(|a| judge(case, &served, &root, a)).collect();
        for file in ["expect.ics", "expect.vcf"] {
            if let Some(text) = case.read(file) {
                compare(&Component::parse(text.as_bytes()).unwrap(), &root, &root.name, &mut wrong);
            }
        }
        let is_kept = case.assertions("back").iter().any(|a| a.starts_with("octets"));
        if matches!(item.class, ItemClass::CalendarItem | ItemClass::Task) && !is_kept {
            judge_zones(&root, &mut wrong);
        }
        if wrong.is_empty() {
            passed += 1;
            println!("pass {}", case.name);
        } else {
            println!("FAIL {}", case.name);
            for line in &wrong {
                println!("    {line}");
            }
            failed.push(case.name.clone());
        }
    }
    println!("{passed} cases passed");
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn an_item_that_the_mirror_packs_comes_back_as_it_was() {
    let mut count = 0;
    for case in cases().iter().filter(|case| case.dir.join("ews.xml").exists()) {
        for item in case.exceptions().into_iter().chain([case.item("ews.xml")]) {
            let back = parse_item(&document(&item)).unwrap();
            let of = |item: &Item| item.fields().map(|(f, v)| (f, v.clone())).collect::<Vec<_>>();
            for (field, value) in of(&item) {
                assert_eq!(back.value(field), Some(&value), "{}: {field:?}", case.name);
            }
            assert_eq!(of(&item).len(), of(&back).len(), "{}", case.name);
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

/// Cases that begin with something in Exchange: told to the whole gateway, not to the translation alone.
const WITH_HISTORY: [&str; 6] = [
    "c12-group-v4",
    "c13-group-apple",
    "e35-attendee-accepts",
    "e55-html-untouched",
    "e80-snooze-only",
    "e63-uid-300",
];

/// The name of the precondition that a refusal is.
fn precondition(refusal: &Refusal) -> &'static str {
    match refusal.reason {
        Reason::InvalidData => "valid-calendar-data",
        Reason::InvalidObject => "valid-calendar-object-resource",
        Reason::UnsupportedData => "supported-calendar-data",
        Reason::UnsupportedComponent => "supported-calendar-component",
        Reason::UidConflict(_) => "no-uid-conflict",
        Reason::TooEarly => "min-date-time",
        Reason::TooLate => "max-date-time",
        Reason::TooLarge => "max-resource-size",
        Reason::AttachmentTooLarge => "max-attachment-size",
        Reason::TooManyAttachments => "max-attachments-per-resource",
        Reason::UnknownAttachment => "valid-managed-id-parameter",
        Reason::NoSuchAttachment => "valid-managed-id",
        Reason::NoSuchInstance => "valid-rid",
        Reason::UnsupportedRecurrence => "unsupported-recurrence",
        Reason::OccurrenceCrossesNeighbour => "occurrence-crosses-neighbour",
        Reason::UnsupportedTimeZone => "unsupported-timezone",
        Reason::AttendeeChange => "allowed-attendee-scheduling-object-change",
        Reason::ForeignOrganizer => "valid-organizer",
        Reason::NoMessage => "valid-scheduling-message",
        Reason::OrganizerChange => "allowed-organizer-scheduling-object-change",
    }
}

/// The item that a plan makes.
fn made(plan: &Plan) -> Item {
    let id = || ItemRef { id: "NEW".into(), version: "CK1".into() };
    let bare = Item::predicted(plan.class, None, id(), &plan.outcome);
    let mut changes = plan.outcome.clone();
    changes.extend(plan.keep(&bare, &[]));
    Item::predicted(plan.class, None, id(), &changes)
}

#[test]
fn what_clients_write_becomes_what_the_cases_say() {
    let mut failed = Vec::new();
    let mut passed = 0;
    for case in cases().iter().filter(|case| !WITH_HISTORY.contains(&case.name.as_str())) {
        let Some((file, octets)) = case.input() else { continue };
        let kind = match case.name.chars().next() {
            _ if file.ends_with(".vcf") => CollectionKind::AddressBook,
            Some('t') => CollectionKind::Tasks,
            _ => CollectionKind::Calendar,
        };
        let mut context = case.context();
        context.addresses = Arc::from([OWNER.to_owned(), "anna.berg@example.org".to_owned()]);
        let mut wrong = Vec::new();
        let http = case.assertions("http");
        let status = http.iter().find_map(|line| line.strip_prefix("status ")).unwrap_or("201");
        let error = http.iter().find_map(|line| line.strip_prefix("error ")?.split('}').nth(1));
        match write::plan(&context, kind, &file, &octets, None, write::NotifyPolicy::Concerned) {
            Err(refusal) => {
                if !status.starts_with("403") || error.is_some_and(|error| error != precondition(&refusal)) {
                    wrong.push(format!("refused: {} {refusal}", precondition(&refusal)));
                }
            }
            Ok(_) if status.starts_with("403") => wrong.push(format!("not refused: {error:?}")),
            Ok(plan) => {
                let item = made(&plan);
                let ews = case.assertions("ews");
                wrong.extend(ews.iter().filter_map(|line| item::judge(&item, Source::Predicted(ZONE), line)));
                wrong.extend(ews.iter().filter_map(|line| item::judge_type(plan.class, &plan.changes, line)));
                let photo = plan.attach.iter().find(|a| a.is_photo).map(|a| a.content.clone().into());
                match convert::render(&context, &item, &Related { photo, ..Related::default() }) {
                    Err(error) => wrong.push(error.to_string()),
                    Ok(rendered) => {
                        let served = Served::from(&rendered);
                        let root = body(case, &served);
                        for assertion in case.assertions("back") {
                            if assertion == "same-octets" {
                                if rendered.body != octets && rendered.vcard4.as_ref() != Some(&octets) {
                                    wrong.push(format!(
                                        "other octets: {}",
                                        String::from_utf8_lossy(&rendered.body)
                                    ));
                                }
                            } else {
                                wrong.extend(judge(case, &served, &root, assertion));
                            }
                        }
                    }
                }
            }
        }
        if wrong.is_empty() {
            passed += 1;
            println!("pass {}", case.name);
        } else {
            println!("FAIL {}", case.name);
            for line in &wrong {
                println!("    {line}");
            }
            failed.push(case.name.clone());
        }
    }
    println!("{passed} cases passed");
    assert!(failed.is_empty(), "{failed:?}");
}
