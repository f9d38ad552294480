//! The writing operations. None of them is ever sent twice by itself.

use super::super::client::{Repeat, Session};
use super::super::error::Error;
use super::super::soap::{check, m, messages};
use super::super::types::table::{At, Shape};
use super::super::types::write::{Setting, elements, extended_uri};
use super::super::types::{class_name, item_id, name as t, time};
use super::{additional, dialect, folder_id, missing};
use crate::model::item::{Change, ItemClass, ItemRef, Notify};
use crate::upstream::{Answer, Disposal, FolderSelector, NewAttachment, Target};
use crate::xml::{Element, Writer};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

/// MS-OXWSMTGS 2.2.5.1, 2.2.5.3
const fn word(notify: Notify) -> &'static str {
    match notify {
        Notify::Nobody => "SendToNone",
        Notify::All => "SendToAllAndSaveCopy",
        Notify::Changed => "SendToChangedAndSaveCopy",
    }
}

fn item_id_element(w: &mut Writer, name: &'static str, id: &ItemRef) {
    w.open(&t(name)).attribute("Id", &id.id);
    if !id.version.is_empty() {
        w.attribute("ChangeKey", &id.version);
    }
    w.close();
}

fn target_element(w: &mut Writer, target: &Target) {
    match target {
        Target::Item(id) => item_id_element(w, "ItemId", id),
        Target::Occurrence(master, index) => {
            w.open(&t("OccurrenceItemId"));
            w.attribute("RecurringMasterId", &master.id);
            if !master.version.is_empty() {
                w.attribute("ChangeKey", &master.version);
            }
            w.attribute("InstanceIndex", &index.to_string()).close();
        }
    }
}

fn field_uri(w: &mut Writer, at: &At) {
    match at {
        At::Uri(uri) => {
            w.open(&t("FieldURI")).attribute("FieldURI", uri).close();
        }
        At::Indexed(uri, key) => {
            w.open(&t("IndexedFieldURI")).attribute("FieldURI", uri).attribute("FieldIndex", key).close();
        }
        At::Extended(property) => {
            w.element(&extended_uri(property));
        }
    }
}

fn updates(w: &mut Writer, class: ItemClass, settings: &[Setting]) {
    w.open(&t("Updates"));
    for Setting { at, element } in settings {
        if let Some(element) = element {
            w.open(&t("SetItemField"));
            field_uri(w, at);
            w.open(&class_name(class)).element(element).close().close();
        } else {
            w.open(&t("DeleteItemField"));
            field_uri(w, at);
            w.close();
        }
    }
    w.close();
}

/// The id in the first item of a response message.
fn written(message: &Element) -> Result<ItemRef, Error> {
    let item = check(message)?.find("Items").and_then(|items| items.children().next());
    item.and_then(|item| item_id(item.find("ItemId")?)).ok_or_else(|| missing("ItemId"))
}

fn first(answer: &Element) -> Result<&Element, Error> {
    messages(answer).next().ok_or_else(|| missing("response message"))
}

impl Session {
    /// CreateItem in a folder. MS-OXWSCORE 3.1.4.2
    pub async fn create_item(
        &self,
        folder: &str,
        class: ItemClass,
        changes: &[Change],
        notify: Notify,
    ) -> Result<ItemRef, Error> {
        let settings = dialect::of_creation(self.capabilities(), class, changes);
        let answer = self
            .call("CreateItem", Repeat::Never, |w| {
                w.open(&m("CreateItem"));
                if class == ItemClass::CalendarItem {
                    w.attribute("SendMeetingInvitations", word(notify));
                }
                w.open(&m("SavedItemFolderId"));
                folder_id(w, &FolderSelector::Id(folder.to_owned()));
                w.close().open(&m("Items")).open(&class_name(class));
                for element in elements(settings) {
                    w.element(&element);
                }
            })
            .await?;
        written(first(&answer)?)
    }

    /// UpdateItem of one or several items or occurrences, in order; one answer each. Refused when an item is no longer
    /// what its ChangeKey says. MS-OXWSCORE 3.1.4.9
    pub async fn update_items(
        &self,
        class: ItemClass,
        changes: &[(Target, Vec<Change>)],
        notify: Notify,
    ) -> Result<Vec<Result<ItemRef, Error>>, Error> {
        let capabilities = self.capabilities();
        let answer = self
            .call("UpdateItem", Repeat::Never, |w| {
                w.open(&m("UpdateItem")).attribute("ConflictResolution", "NeverOverwrite");
                w.attribute("MessageDisposition", "SaveOnly");
                if class == ItemClass::CalendarItem {
                    w.attribute("SendMeetingInvitationsOrCancellations", word(notify));
                }
                w.open(&m("ItemChanges"));
                for (target, changes) in changes {
                    w.open(&t("ItemChange"));
                    target_element(w, target);
                    updates(w, class, &dialect::of_update(capabilities, class, changes));
                    w.close();
                }
            })
            .await?;
        Ok(messages(&answer).map(written).collect())
    }

    /// DeleteItem; one answer each. MS-OXWSCORE 3.1.4.3
    pub async fn delete_items(
        &self,
        targets: &[Target],
        disposal: Disposal,
        notify: Notify,
    ) -> Result<Vec<Result<(), Error>>, Error> {
        let answer = self
            .call("DeleteItem", Repeat::Never, |w| {
                let kind = match disposal {
                    Disposal::Bin => "MoveToDeletedItems",
                    Disposal::Gone => "HardDelete",
                };
                let notify = if notify == Notify::Nobody { Notify::Nobody } else { Notify::All };
                w.open(&m("DeleteItem")).attribute("DeleteType", kind);
                w.attribute("SendMeetingCancellations", word(notify));
                w.attribute("AffectedTaskOccurrences", "AllOccurrences");
                w.open(&m("ItemIds"));
                for target in targets {
                    target_element(w, target);
                }
            })
            .await?;
        Ok(messages(&answer).map(|message| check(message).map(drop)).collect())
    }

    /// CreateAttachment; gives the item's new version and the ids of the attachments, in order. MS-OXWSATT 3.1.4.1
    pub async fn create_attachments(
        &self,
        item: &ItemRef,
        new: &[NewAttachment],
    ) -> Result<(ItemRef, Vec<String>), Error> {
        let answer = self
            .call("CreateAttachment", Repeat::Never, |w| {
                w.open(&m("CreateAttachment"));
                w.open(&m("ParentItemId")).attribute("Id", &item.id);
                if !item.version.is_empty() {
                    w.attribute("ChangeKey", &item.version);
                }
                w.close();
                w.open(&m("Attachments"));
                for attachment in new {
                    w.open(&t("FileAttachment")).leaf(&t("Name"), &attachment.name);
                    w.leaf(&t("ContentType"), &attachment.content_type);
                    if attachment.is_contact_photo {
                        w.leaf(&t("IsContactPhoto"), "true");
                    }
                    w.leaf(&t("Content"), &STANDARD.encode(&attachment.content)).close();
                }
            })
            .await?;
        let version = root_version(&answer, item, "AttachmentId")?;
        let ids =
            messages(&answer).filter_map(|message| find_below(message, "AttachmentId")?.attribute("Id"));
        Ok((version, ids.map(str::to_owned).collect()))
    }

    /// DeleteAttachment; gives the item's new version. MS-OXWSATT 3.1.4.2
    pub async fn delete_attachments(&self, item: &ItemRef, ids: &[String]) -> Result<ItemRef, Error> {
        let answer = self
            .call("DeleteAttachment", Repeat::Never, |w| {
                w.open(&m("DeleteAttachment")).open(&m("AttachmentIds"));
                for id in ids {
                    w.open(&t("AttachmentId")).attribute("Id", id).close();
                }
            })
            .await?;
        root_version(&answer, item, "RootItemId")
    }

    /// The ids and starts of occurrences, in the order asked: what a server means by their numbers.
    pub async fn occurrence_starts(
        &self,
        targets: &[Target],
    ) -> Result<Vec<Result<(ItemRef, Option<Timestamp>), Error>>, Error> {
        let answer = self
            .call("GetItem", Repeat::Freely, |w| {
                w.open(&m("GetItem")).open(&m("ItemShape")).leaf(&t("BaseShape"), "IdOnly");
                additional(w, &Shape { uris: vec!["calendar:Start"], ..Shape::default() });
                w.close().open(&m("ItemIds"));
                for target in targets {
                    target_element(w, target);
                }
            })
            .await?;
        let read = |message: &Element| {
            let item = check(message)?.find("Items").and_then(|items| items.children().next());
            let item = item.ok_or_else(|| missing("item"))?;
            let id = item.find("ItemId").and_then(item_id).ok_or_else(|| missing("ItemId"))?;
            Ok((id, item.find("Start").and_then(|start| time(start.text().trim()))))
        };
        Ok(messages(&answer).map(read).collect())
    }

    /// The ids of occurrences, in the order asked: an answer takes no other name of them.
    pub async fn occurrence_ids(&self, targets: &[Target]) -> Result<Vec<Result<ItemRef, Error>>, Error> {
        let answer = self
            .call("GetItem", Repeat::Freely, |w| {
                w.open(&m("GetItem")).open(&m("ItemShape")).leaf(&t("BaseShape"), "IdOnly").close();
                w.open(&m("ItemIds"));
                for target in targets {
                    target_element(w, target);
                }
            })
            .await?;
        Ok(messages(&answer).map(written).collect())
    }

    /// Answers an invitation; `tell` sends the answer to the organiser. MS-OXWSMTGS 3.1.4.2
    pub async fn answer(
        &self,
        item: &ItemRef,
        answer: Answer,
        comment: &str,
        tell: bool,
    ) -> Result<(), Error> {
        let name = match answer {
            Answer::Accept => "AcceptItem",
            Answer::Tentative => "TentativelyAcceptItem",
            Answer::Decline => "DeclineItem",
        };
        let answer = self
            .call("CreateItem", Repeat::Never, |w| {
                let disposition = if tell { "SendAndSaveCopy" } else { "SaveOnly" };
                w.open(&m("CreateItem")).attribute("MessageDisposition", disposition);
                w.open(&m("Items")).open(&t(name));
                if !comment.is_empty() {
                    w.open(&t("Body")).attribute("BodyType", "Text").text(comment).close();
                }
                item_id_element(w, "ReferenceItemId", item);
            })
            .await?;
        check(first(&answer)?).map(drop)
    }
}

/// The version of the item that attachments hang on, after the last of them.
fn root_version(answer: &Element, item: &ItemRef, name: &str) -> Result<ItemRef, Error> {
    let mut version = item.clone();
    for message in messages(answer) {
        let message = check(message)?;
        let found = find_below(message, name);
        if let Some(key) = found.and_then(|element| element.attribute("RootItemChangeKey")) {
            key.clone_into(&mut version.version);
        }
    }
    Ok(version)
}

fn find_below<'a>(element: &'a Element, local: &str) -> Option<&'a Element> {
    element.find(local).or_else(|| element.children().find_map(|child| find_below(child, local)))
}
