//! What is read of Exchange's items is asked for, what is asked for is read, and the simulated Exchange knows it.

use crate::support::{Stage, USER};
use exdav::model::item::ItemClass;
use exdav::upstream::ews::field::Schema;
use exdav::upstream::ews::types::table;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// A kind of item: the element that makes one, and its folder.
struct Kind {
    class: ItemClass,
    make: &'static str,
    folder: &'static str,
}

const KINDS: [Kind; 4] = [
    Kind {
        class: ItemClass::CalendarItem,
        make: "<t:CalendarItem><t:Subject>x</t:Subject><t:Start>2027-06-10T10:00:00Z</t:Start>\
               <t:End>2027-06-10T11:00:00Z</t:End></t:CalendarItem>",
        folder: "calendar",
    },
    Kind {
        class: ItemClass::Contact,
        make: "<t:Contact><t:DisplayName>x</t:DisplayName></t:Contact>",
        folder: "contacts",
    },
    Kind {
        class: ItemClass::DistributionList,
        make: "<t:DistributionList><t:DisplayName>x</t:DisplayName></t:DistributionList>",
        folder: "contacts",
    },
    Kind { class: ItemClass::Task, make: "<t:Task><t:Subject>x</t:Subject></t:Task>", folder: "tasks" },
];

/// The text of all sources below a folder, tests included.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &sources(&path);
        } else {
            text += &std::fs::read_to_string(path).unwrap();
        }
    }
    text
}

/// That what is read is asked for follows from the table: only what it lists for a class is in an item.
#[test]
fn every_field_that_is_asked_for_is_read() {
    let convert = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/convert"));
    let idle: BTreeSet<String> = KINDS
        .iter()
        .flat_map(|kind| table::fields(kind.class))
        .map(|field| format!("{field:?}").split('(').next().unwrap().to_owned())
        .filter(|name| !convert.contains(&format!("Field::{name}")))
        .collect();
    // These have accessors of their own.
    let by_name =
        ["Attachments", "Body", "DeletedOccurrences", "Kept", "Members", "ModifiedOccurrences", "Organizer"];
    let idle: Vec<&String> = idle.iter().filter(|name| !by_name.contains(&name.as_str())).collect();
    assert!(idle.is_empty(), "{idle:?}");
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
        for uri in table::shape(kind.class, Schema::V2016, true).uris {
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
