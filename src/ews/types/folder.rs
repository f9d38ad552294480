//! Folders, with what clients set on them.

use super::{extended, time};
use crate::ews::field::{
    DAV_COLOR, DAV_DESCRIPTION, DAV_NAME, DAV_ORDER, DAV_TIMEZONE, DELETED_COUNT_TOTAL, LOCAL_COMMIT_TIME_MAX,
};
use crate::xml::Element;
use jiff::Timestamp;

/// A folder. MS-OXWSFOLD 2.2.4.13
#[derive(Clone, Debug, PartialEq)]
pub struct Folder {
    /// FolderId.
    pub id: String,
    /// ParentFolderId.
    pub parent: String,
    /// `IPF.…`
    pub class: String,
    /// Name for people.
    pub display_name: String,
    /// EffectiveRights: create, modify, delete contents, read.
    pub rights: [bool; 4],
    /// Whether the folder itself may be changed.
    pub may_modify_folder: bool,
    /// Whether private items are shown with their details.
    pub may_view_private: bool,
    /// Anything that changes when a member does; `None` when the server does not tell.
    pub stamp: Option<String>,
    /// TotalCount: how many items are in it; `None` when the server does not tell.
    pub count: Option<u64>,
    /// When anything in it was last committed.
    pub committed: Option<Timestamp>,
    /// What clients set on it.
    pub kept: FolderKept,
}

/// What clients set on a folder and exdav keeps there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderKept {
    /// The path segment that a client chose.
    pub name: Option<String>,
    /// Description.
    pub description: Option<String>,
    /// Colour.
    pub color: Option<String>,
    /// Place among the others.
    pub order: Option<String>,
    /// Time zone, as iCalendar text.
    pub timezone: Option<String>,
}

impl Folder {
    pub(in crate::ews) fn read(element: &Element) -> Option<Self> {
        let text = |local| element.find(local).map(|e| e.text().trim().to_owned());
        let rights = element.find("EffectiveRights");
        // A server that sends no rights gets the benefit of the doubt: it refuses by itself.
        let right = |local| match rights {
            Some(rights) => rights.find(local).is_some_and(|e| e.text().trim() == "true"),
            None => true,
        };
        let committed = extended(element, &LOCAL_COMMIT_TIME_MAX);
        let deleted = extended(element, &DELETED_COUNT_TOTAL);
        let count = text("TotalCount").unwrap_or_default();
        Some(Self {
            id: element.find("FolderId")?.attribute("Id")?.to_owned(),
            parent: element
                .find("ParentFolderId")
                .and_then(|id| Some(id.attribute("Id")?.to_owned()))
                .unwrap_or_default(),
            class: text("FolderClass").unwrap_or_default(),
            display_name: text("DisplayName").unwrap_or_default(),
            rights: [right("CreateContents"), right("Modify"), right("Delete"), right("Read")],
            may_modify_folder: right("Modify"),
            may_view_private: right("ViewPrivateItems"),
            stamp: committed
                .as_ref()
                .map(|at| format!("{at} {} {count}", deleted.as_deref().unwrap_or_default())),
            count: count.parse().ok(),
            committed: committed.as_deref().and_then(time),
            kept: FolderKept {
                name: extended(element, &DAV_NAME),
                description: extended(element, &DAV_DESCRIPTION),
                color: extended(element, &DAV_COLOR),
                order: extended(element, &DAV_ORDER),
                timezone: extended(element, &DAV_TIMEZONE),
            },
        })
    }
}
