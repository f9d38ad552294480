//! Making, changing and removing folders, and moving items between them. None of these is ever sent twice by itself.

use super::super::client::{Repeat, Session};
use super::super::error::Error;
use super::super::field::ExtendedProperty;
use super::super::soap::{check, m, messages};
use super::super::types::write::{extended_element, extended_uri};
use super::super::types::{item_id, name as t};
use super::{FolderSelector, folder_id, missing};
use crate::model::item::ItemId;
use crate::xml::{Element, Name, Writer};

/// What a new folder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderChoice {
    /// `CalendarFolder`
    Calendar,
    /// `TasksFolder`
    Tasks,
    /// `ContactsFolder`
    Contacts,
}

impl FolderChoice {
    const fn element(self) -> Name {
        match self {
            Self::Calendar => t("CalendarFolder"),
            Self::Tasks => t("TasksFolder"),
            Self::Contacts => t("ContactsFolder"),
        }
    }
}

/// One property of a folder that is set, or removed where there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderEdit {
    /// `folder:DisplayName`, which cannot be removed.
    DisplayName(String),
    /// An extended property.
    Extended(ExtendedProperty, Option<String>),
}

/// Whether an item leaves its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relocate {
    /// MoveItem
    Move,
    /// CopyItem
    Copy,
}

fn extended(property: ExtendedProperty, value: &str) -> Element {
    extended_element(&property, value)
}

fn edit_element(w: &mut Writer, choice: FolderChoice, edit: &FolderEdit) {
    match edit {
        FolderEdit::DisplayName(name) => {
            w.open(&t("SetFolderField"));
            w.open(&t("FieldURI")).attribute("FieldURI", "folder:DisplayName").close();
            w.open(&choice.element()).leaf(&t("DisplayName"), name).close().close();
        }
        FolderEdit::Extended(property, Some(value)) => {
            w.open(&t("SetFolderField")).element(&extended_uri(property));
            w.open(&choice.element()).element(&extended(*property, value)).close().close();
        }
        FolderEdit::Extended(property, None) => {
            w.open(&t("DeleteFolderField")).element(&extended_uri(property)).close();
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
        parent: &FolderSelector,
        choice: FolderChoice,
        display_name: &str,
        properties: &[(ExtendedProperty, String)],
    ) -> Result<String, Error> {
        let answer = self
            .call("CreateFolder", Repeat::Never, |w| {
                w.open(&m("CreateFolder")).open(&m("ParentFolderId"));
                folder_id(w, parent);
                w.close().open(&m("Folders")).open(&choice.element());
                w.leaf(&t("DisplayName"), display_name);
                for (property, value) in properties {
                    w.element(&extended(*property, value));
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
        choice: FolderChoice,
        edits: &[FolderEdit],
    ) -> Result<(), Error> {
        let answer = self
            .call("UpdateFolder", Repeat::Never, |w| {
                w.open(&m("UpdateFolder")).open(&m("FolderChanges")).open(&t("FolderChange"));
                folder_id(w, &FolderSelector::Id(folder.to_owned()));
                w.open(&t("Updates"));
                for edit in edits {
                    edit_element(w, choice, edit);
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
        item: &ItemId,
        folder: &str,
    ) -> Result<Option<ItemId>, Error> {
        let operation = match how {
            Relocate::Move => "MoveItem",
            Relocate::Copy => "CopyItem",
        };
        let answer = self
            .call(operation, Repeat::Never, |w| {
                w.open(&m(operation)).open(&m("ToFolderId"));
                folder_id(w, &FolderSelector::Id(folder.to_owned()));
                w.close().open(&m("ItemIds")).open(&t("ItemId")).attribute("Id", &item.id);
                w.attribute("ChangeKey", &item.change_key).close().close();
                w.leaf(&m("ReturnNewItemIds"), "true");
            })
            .await?;
        let message = check(messages(&answer).next().ok_or_else(|| missing("response message"))?)?;
        let item = message.find("Items").and_then(|items| items.children().next());
        Ok(item.and_then(|item| item_id(item.find("ItemId")?)))
    }
}
