//! What is read of Exchange's items is asked for, what is asked for is read, and the simulated Exchange knows it.

use crate::support::{Stage, USER};
use exdav::ews::field::{self, Shape};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// A kind of item: its shape, the sources that read it, the element that makes one, and its folder.
struct Kind {
    shape: Shape,
    sources: &'static [&'static str],
    make: &'static str,
    folder: &'static str,
}

/// Sources that read items of all kinds.
const COMMON: [&str; 4] = ["body.rs", "privacy.rs", "identity.rs", "mod.rs"];

const KINDS: [Kind; 4] = [
    Kind {
        shape: field::CALENDAR_ITEM,
        sources: &["event/mod.rs", "event/group.rs", "event/people.rs", "event/time.rs", "write/event.rs"],
        make: "<t:CalendarItem><t:Subject>x</t:Subject><t:Start>2027-06-10T10:00:00Z</t:Start>\
               <t:End>2027-06-10T11:00:00Z</t:End></t:CalendarItem>",
        folder: "calendar",
    },
    Kind {
        shape: field::CONTACT,
        sources: &["contact.rs", "card.rs", "write/contact/mod.rs"],
        make: "<t:Contact><t:DisplayName>x</t:DisplayName></t:Contact>",
        folder: "contacts",
    },
    Kind {
        shape: field::DISTRIBUTION_LIST,
        sources: &["group.rs", "card.rs", "write/contact/list.rs"],
        make: "<t:DistributionList><t:DisplayName>x</t:DisplayName></t:DistributionList>",
        folder: "contacts",
    },
    Kind {
        shape: field::TASK,
        sources: &["task.rs", "write/task.rs"],
        make: "<t:Task><t:Subject>x</t:Subject></t:Task>",
        folder: "tasks",
    },
];

/// Fields that are read and not asked for, and why.
const GIVEN_UNASKED: [(&str, &str); 1] =
    [("DoNotForwardMeeting", "servers before 2017 refuse it: the MAPI property behind it is asked for")];

/// What the functions shared by all kinds read of some.
const SHARED: [(&str, &[&str]); 3] =
    [("class_text(", &["Sensitivity"]), ("categories(", &["Categories"]), ("priority(", &["Importance"])];

fn source(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path)).unwrap()
}

/// The names of elements between quotation marks.
fn literals(text: &str) -> BTreeSet<String> {
    let is_name = |text: &&str| {
        text.starts_with(|c: char| c.is_ascii_uppercase())
            && text.chars().all(|c| c.is_ascii_alphabetic())
            && (*text == "UID" || text.chars().any(|c| c.is_ascii_lowercase()))
    };
    text.split('"').skip(1).step_by(2).filter(is_name).map(str::to_owned).collect()
}

/// What the accessors of items read: the name of each and the elements in its body.
fn accessors() -> Vec<(String, BTreeSet<String>)> {
    let text = source("ews/types/item.rs");
    let functions = text.split("pub fn ").skip(1);
    functions.map(|body| (format!(".{}(", body.split('(').next().unwrap()), literals(body))).collect()
}

/// Fields that a text reads by name.
fn read(text: &str) -> BTreeSet<String> {
    let calls = [
        "filled(",
        "flag(",
        "number(",
        "time(",
        "strings(",
        "entries(",
        "attendees(",
        "zone(",
        ".text(",
        "field(",
    ];
    let mut found = BTreeSet::new();
    for call in calls {
        for (at, _) in text.match_indices(call) {
            let argument = text[at + call.len()..].trim_start();
            if let Some(name) = argument.strip_prefix('"').and_then(|rest| rest.split('"').next()) {
                found.extend(literals(&format!("\"{name}\"")));
            }
        }
    }
    found
}

impl Kind {
    fn text(&self) -> String {
        self.sources.iter().chain(&COMMON).map(|path| source(&format!("convert/{path}"))).collect()
    }

    fn asked(&self) -> BTreeSet<String> {
        self.shape.fields.iter().map(|uri| uri.rsplit(':').next().unwrap().to_owned()).collect()
    }
}

#[test]
fn every_field_that_is_read_is_asked_for() {
    for kind in KINDS {
        let own: String = kind.sources.iter().map(|path| source(&format!("convert/{path}"))).collect();
        let asked = kind.asked();
        let shared =
            SHARED.iter().filter(|(function, _)| own.contains(function)).flat_map(|(_, names)| *names);
        let wanted = read(&own).into_iter().chain(shared.map(|name| (*name).to_owned()));
        let missing: Vec<String> = wanted
            .filter(|name| !asked.contains(name) && !GIVEN_UNASKED.iter().any(|(given, _)| given == name))
            .collect();
        assert!(missing.is_empty(), "{}: {missing:?}", kind.folder);
    }
}

#[test]
fn every_field_that_is_asked_for_is_read() {
    let accessors = accessors();
    for kind in KINDS {
        let text = kind.text();
        let mut known = literals(&text);
        known.extend(
            accessors
                .iter()
                .filter(|(name, _)| text.contains(name.as_str()))
                .flat_map(|(_, names)| names.clone()),
        );
        known.extend(
            SHARED
                .iter()
                .filter(|(f, _)| text.contains(f))
                .flat_map(|(_, names)| names.iter().map(|n| (*n).to_owned())),
        );
        let idle: Vec<String> = kind.asked().into_iter().filter(|name| !known.contains(name)).collect();
        assert!(idle.is_empty(), "{}: {idle:?}", kind.folder);
        let constants = source("ews/field.rs");
        let everything: String = text
            + &source("convert/kept.rs")
            + &source("convert/attachment.rs")
            + &source("convert/write/interrupted_write.rs");
        for property in kind.shape.extended {
            let name = constants.match_indices("pub const ").find_map(|(at, _)| {
                let rest = &constants[at + 10..];
                let name = rest.split(':').next()?;
                let key = match property.key {
                    field::Key::Number(number) => format!("0x{number:04X}"),
                    field::Key::Name(name) => format!("\"{name}\""),
                };
                rest.split("pub const ").next()?.contains(&key).then(|| name.to_owned())
            });
            let name = name.unwrap_or_else(|| panic!("{property:?}"));
            assert!(everything.contains(&format!("field::{name}")), "{}: {name}", kind.folder);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_exchange_knows_every_field_that_is_asked_for() {
    for kind in KINDS {
        let stage = Stage::empty(1).await;
        let sends = if kind.folder == "calendar" { "SendMeetingInvitations='SendToNone'" } else { "" };
        let (make, folder) = (kind.make, kind.folder);
        let answer = stage
            .colleague(
                USER,
                &format!(
                    "<m:CreateItem {sends}><m:SavedItemFolderId><t:DistinguishedFolderId Id='{folder}'/>\
                     </m:SavedItemFolderId><m:Items>{make}</m:Items></m:CreateItem>"
                ),
            )
            .await;
        let id = answer
            .split("<t:ItemId ")
            .nth(1)
            .unwrap_or_else(|| panic!("{answer}"))
            .split("/>")
            .next()
            .unwrap();
        for uri in kind.shape.fields {
            let mut request = format!(
                "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>\
                 <t:FieldURI FieldURI='{uri}'/></t:AdditionalProperties></m:ItemShape>"
            );
            let _ = write!(request, "<m:ItemIds><t:ItemId {id}/></m:ItemIds></m:GetItem>");
            let answer = stage.colleague(USER, &request).await;
            assert!(answer.contains("NoError"), "{uri}: {answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_that_may_not_be_forwarded_says_so() {
    let stage = Stage::empty(1).await;
    let request = "<m:CreateItem SendMeetingInvitations='SendToNone'><m:Items><t:CalendarItem><t:Subject>x</t:Subject>\
                   <t:ExtendedProperty><t:ExtendedFieldURI DistinguishedPropertySetId='PublicStrings' \
                   PropertyName='DoNotForward' PropertyType='Boolean'/><t:Value>true</t:Value></t:ExtendedProperty>\
                   <t:Start>2027-06-10T10:00:00Z</t:Start><t:End>2027-06-10T11:00:00Z</t:End><t:RequiredAttendees>\
                   <t:Attendee><t:Mailbox><t:EmailAddress>guest@example.com</t:EmailAddress></t:Mailbox></t:Attendee>\
                   </t:RequiredAttendees></t:CalendarItem></m:Items></m:CreateItem>";
    let answer = stage.colleague(USER, request).await;
    assert!(answer.contains("NoError"), "{answer}");
    let mailbox = stage.mailbox(std::time::Duration::ZERO).await;
    let id = "calendar".parse().unwrap();
    let listed = mailbox.list(&id).await.unwrap();
    let object = mailbox.get(&id, &listed[0].name).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&object.body).into_owned();
    assert!(text.contains("X-MICROSOFT-DONOTFORWARDMEETING:TRUE"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_private_in_exchange_says_so() {
    let stage = Stage::empty(1).await;
    let request = "<m:CreateItem><m:SavedItemFolderId><t:DistinguishedFolderId Id='contacts'/></m:SavedItemFolderId>\
                   <m:Items><t:DistributionList><t:Sensitivity>Private</t:Sensitivity>\
                   <t:DisplayName>Secret</t:DisplayName></t:DistributionList></m:Items></m:CreateItem>";
    let answer = stage.colleague(USER, request).await;
    assert!(answer.contains("NoError"), "{answer}");
    let mailbox = stage.mailbox(std::time::Duration::ZERO).await;
    let id = "contacts".parse().unwrap();
    let listed = mailbox.list(&id).await.unwrap();
    let object = mailbox.get(&id, &listed[0].name).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&object.body).into_owned();
    assert!(text.contains("CLASS:PRIVATE"), "{text}");
}
