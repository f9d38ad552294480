//! Making, changing and removing folders, and moving items between them. None of these is ever sent twice by itself.

use super::super::client::{Repeat, Session};
use super::super::error::Error;
use super::super::soap::{check, m, messages};
use super::super::types::folder::property;
use super::super::types::write::{extended_element, extended_uri};
use super::super::types::{item_id, name as t};
use super::{folder_id, missing};
use crate::model::collection::CollectionKind;
use crate::model::item::ItemRef;
use crate::upstream::{FolderEdit, FolderProperty, FolderSelector, Relocate, WellKnownFolder};
use crate::xml::{Element, Name, Writer};

/// The element of a folder of a kind.
const fn element(kind: CollectionKind) -> Name {
    match kind {
        CollectionKind::Calendar => t("CalendarFolder"),
        CollectionKind::Tasks => t("TasksFolder"),
        CollectionKind::AddressBook => t("ContactsFolder"),
    }
}

fn extended(which: FolderProperty, value: &str) -> Element {
    extended_element(&property(which), value)
}

fn edit_element(w: &mut Writer, kind: CollectionKind, edit: &FolderEdit) {
    match edit {
        FolderEdit::DisplayName(name) => {
            w.open(&t("SetFolderField"));
            w.open(&t("FieldURI")).attribute("FieldURI", "folder:DisplayName").close();
            w.open(&element(kind)).leaf(&t("DisplayName"), name).close().close();
        }
        FolderEdit::Property(which, Some(value)) => {
            w.open(&t("SetFolderField")).element(&extended_uri(&property(*which)));
            w.open(&element(kind)).element(&extended(*which, value)).close().close();
        }
        FolderEdit::Property(which, None) => {
            w.open(&t("DeleteFolderField")).element(&extended_uri(&property(*which))).close();
        }
    }
}

fn done(answer: &Element) -> Result<(), Error> {
    check(messages(answer).next().ok_or_else(|| missing("response message"))?).map(drop)
}

impl Session {
    /// CreateFolder below another; gives its FolderId. MS-OXWSFOLD 3.1.4.2
    pub async fn create_folder(
        &self,
        parent: WellKnownFolder,
        kind: CollectionKind,
        display_name: &str,
        properties: &[(FolderProperty, String)],
    ) -> Result<String, Error> {
        let answer = self
            .call("CreateFolder", Repeat::Never, |w| {
                w.open(&m("CreateFolder")).open(&m("ParentFolderId"));
                folder_id(w, &FolderSelector::WellKnown(parent));
                w.close().open(&m("Folders")).open(&element(kind));
                w.leaf(&t("DisplayName"), display_name);
                for (which, value) in properties {
                    w.element(&extended(*which, value));
                }
            })
            .await?;
        let message = check(messages(&answer).next().ok_or_else(|| missing("response message"))?)?;
        let folder = message.find("Folders").and_then(|folders| folders.children().next());
        let id = folder.and_then(|folder| Some(folder.find("FolderId")?.attribute("Id")?.to_owned()));
        id.ok_or_else(|| missing("FolderId"))
    }

    /// UpdateFolder: all edits or none. MS-OXWSFOLD 3.1.4.9
    pub async fn update_folder(
        &self,
        folder: &str,
        kind: CollectionKind,
        edits: &[FolderEdit],
    ) -> Result<(), Error> {
        let answer = self
            .call("UpdateFolder", Repeat::Never, |w| {
                w.open(&m("UpdateFolder")).open(&m("FolderChanges")).open(&t("FolderChange"));
                folder_id(w, &FolderSelector::Id(folder.to_owned()));
                w.open(&t("Updates"));
                for edit in edits {
                    edit_element(w, kind, edit);
                }
            })
            .await?;
        done(&answer)
    }

    /// DeleteFolder with everything in it; it can be found in Deleted Items. MS-OXWSFOLD 3.1.4.4
    pub async fn delete_folder(&self, folder: &str) -> Result<(), Error> {
        let answer = self
            .call("DeleteFolder", Repeat::Never, |w| {
                w.open(&m("DeleteFolder"))
                    .attribute("DeleteType", "MoveToDeletedItems")
                    .open(&m("FolderIds"));
                folder_id(w, &FolderSelector::Id(folder.to_owned()));
            })
            .await?;
        done(&answer)
    }

    /// MoveItem or CopyItem of one item; gives its new id where the server tells. MS-OXWSCORE 3.1.4.7, 3.1.4.1
    pub async fn relocate_item(
        &self,
        how: Relocate,
        item: &ItemRef,
        folder: &str,
    ) -> Result<Option<ItemRef>, Error> {
        let operation = match how {
            Relocate::Move => "MoveItem",
            Relocate::Copy => "CopyItem",
        };
        let answer = self
            .call(operation, Repeat::Never, |w| {
                w.open(&m(operation)).open(&m("ToFolderId"));
                folder_id(w, &FolderSelector::Id(folder.to_owned()));
                w.close().open(&m("ItemIds")).open(&t("ItemId")).attribute("Id", &item.id);
                w.attribute("ChangeKey", &item.version).close().close();
                w.leaf(&m("ReturnNewItemIds"), "true");
            })
            .await?;
        let message = check(messages(&answer).next().ok_or_else(|| missing("response message"))?)?;
        let item = message.find("Items").and_then(|items| items.children().next());
        Ok(item.and_then(|item| item_id(item.find("ItemId")?)))
    }
}
