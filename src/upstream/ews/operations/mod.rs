//! Operations: what is asked and what comes back.

mod about;
mod dialect;
mod find;
mod folders;
mod notifications;
mod people;
mod write;

pub use about::ConcurrencyProbe;

use super::client::{Repeat, Session};
use super::error::Error;
use super::field;
use super::soap::{check, m, messages};
use super::types::folder::{self, well_known};
use super::types::table::{Shape, shape};
use super::types::write::extended_uri;
use super::types::{class_of, in_words_of_exchange, item_id, name as t, read_item, read_whole_item};
use crate::model::item::{Item, ItemClass};
use crate::upstream::{Folder, FolderChange, FolderSelector, ItemChange, Page};
use crate::xml::{Element, Writer};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The answer for one id of a batch.
pub type Fetched = Result<Item, Error>;

impl Session {
    /// GetFolder: one answer for each folder, in the order asked. MS-OXWSFOLD 3.1.4.6
    pub async fn get_folders(&self, folders: &[FolderSelector]) -> Result<Vec<Result<Folder, Error>>, Error> {
        let answer = self
            .call("GetFolder", Repeat::Freely, |w| {
                w.open(&m("GetFolder"));
                folder_shape(w);
                w.open(&m("FolderIds"));
                for folder in folders {
                    folder_id(w, folder);
                }
            })
            .await?;
        let read = |message: &Element| {
            let folder = check(message)?.find("Folders").and_then(|folders| folders.children().next());
            folder.and_then(folder::read).ok_or_else(|| missing("Folder"))
        };
        Ok(messages(&answer).map(read).collect())
    }

    /// SyncFolderHierarchy over the whole mailbox. MS-OXWSSYNC 3.1.4.1
    pub async fn sync_hierarchy(&self, cursor: Option<&str>) -> Result<Page<FolderChange>, Error> {
        let answer = self
            .call("SyncFolderHierarchy", Repeat::Freely, |w| {
                w.open(&m("SyncFolderHierarchy"));
                folder_shape(w);
                state(w, cursor);
            })
            .await?;
        let message = check(messages(&answer).next().ok_or_else(|| missing("response message"))?)?;
        let read = |change: &Element| match change.name().local() {
            "Create" | "Update" => change
                .children()
                .next()
                .and_then(folder::read)
                .map(|folder| FolderChange::Written(Box::new(folder))),
            "Delete" => Some(FolderChange::Gone(change.find("FolderId")?.attribute("Id")?.to_owned())),
            _ => None,
        };
        page(message, "IncludesLastFolderInRange", read)
    }

    /// SyncFolderItems, ids only, at most 512 changes. MS-OXWSSYNC 3.1.4.2
    pub async fn sync_items(&self, folder: &str, cursor: Option<&str>) -> Result<Page<ItemChange>, Error> {
        let answer = self
            .call("SyncFolderItems", Repeat::Freely, |w| {
                w.open(&m("SyncFolderItems"));
                w.open(&m("ItemShape")).leaf(&t("BaseShape"), "IdOnly").close();
                w.open(&m("SyncFolderId"));
                folder_id(w, &FolderSelector::Id(folder.to_owned()));
                w.close();
                state(w, cursor);
                w.leaf(&m("MaxChangesReturned"), "512");
            })
            .await?;
        let message = check(messages(&answer).next().ok_or_else(|| missing("response message"))?)?;
        let read = |change: &Element| match change.name().local() {
            "Create" | "Update" => {
                let item = change.children().next()?;
                let class = class_of(item.name().local());
                Some(ItemChange::Written(item_id(item.find("ItemId")?)?, class))
            }
            "Delete" => Some(ItemChange::Gone(change.find("ItemId")?.attribute("Id")?.to_owned())),
            // A read flag is nothing that calendars and contacts show.
            _ => None,
        };
        page(message, "IncludesLastItemInRange", read)
    }

    /// GetItem with all that exdav reads of a class; one answer for each id, in the order asked. MS-OXWSCORE 3.1.4.4
    pub async fn get_items(&self, class: ItemClass, ids: &[&str]) -> Result<Vec<Fetched>, Error> {
        let capabilities = self.capabilities();
        let mut shape = shape(class, self.schema(), capabilities.gives_dictionaries);
        if class == ItemClass::CalendarItem && !capabilities.stores_what_it_takes {
            // Some give no attendees without it. Seen: gromox 3.10
            shape.uris.push("calendar:IsMeeting");
        }
        let write = |w: &mut Writer, ids: &[&str]| {
            w.open(&m("GetItem")).open(&m("ItemShape")).leaf(&t("BaseShape"), "IdOnly");
            additional(w, &shape);
            w.close().open(&m("ItemIds"));
            for id in ids {
                w.open(&t("ItemId")).attribute("Id", id).close();
            }
        };
        let read = |message: &Element| {
            let item = check(message)?.find("Items").and_then(|items| items.children().next());
            let item = item.ok_or_else(|| missing("item"))?;
            let item = if capabilities.stores_what_it_takes {
                read_item(item)
            } else if capabilities.judges_versions {
                read_item(&in_words_of_exchange(item))
            } else {
                read_whole_item(&in_words_of_exchange(item))
            };
            item.ok_or_else(|| missing("item"))
        };
        self.call_for_each("GetItem", ids, write, read).await
    }

    /// GetAttachment: contents in the order asked. An attached item comes as its MIME text. MS-OXWSATT 3.1.4.3
    pub async fn get_attachments(&self, ids: &[&str]) -> Result<Vec<Result<Vec<u8>, Error>>, Error> {
        let write = |w: &mut Writer, ids: &[&str]| {
            w.open(&m("GetAttachment"));
            w.open(&m("AttachmentShape")).leaf(&t("IncludeMimeContent"), "true").close();
            w.open(&m("AttachmentIds"));
            for id in ids {
                w.open(&t("AttachmentId")).attribute("Id", id).close();
            }
        };
        let read = |message: &Element| {
            let attachment = check(message)?.find("Attachments").and_then(|list| list.children().next());
            let content = attachment.and_then(|attachment| {
                let item = || attachment.children().find_map(|child| child.find("MimeContent"));
                attachment.find("Content").or_else(item)
            });
            let Some(content) = content else { return Ok(Vec::new()) };
            // It may be as large as a mailbox allows: it is copied only where lines have to be joined.
            let text = content.text();
            let is_one_line = !text.bytes().any(|octet| octet.is_ascii_whitespace());
            let decoded = if is_one_line {
                STANDARD.decode(text.as_bytes())
            } else {
                STANDARD.decode(text.split_ascii_whitespace().collect::<String>())
            };
            decoded.map_err(|error| Error::Answer(error.to_string()))
        };
        self.call_for_each("GetAttachment", ids, write, read).await
    }
}

fn missing(what: &str) -> Error {
    Error::Answer(format!("a {what} is missing"))
}

fn page<T>(message: &Element, last: &str, read: impl Fn(&Element) -> Option<T>) -> Result<Page<T>, Error> {
    let cursor = message.find("SyncState").ok_or_else(|| missing("SyncState"))?.text().trim().to_owned();
    let is_last = message.find(last).is_none_or(|flag| flag.text().trim() != "false");
    let changes = message.find("Changes").into_iter().flat_map(Element::children).filter_map(read).collect();
    Ok(Page { changes, cursor, is_last })
}

fn state(w: &mut Writer, cursor: Option<&str>) {
    if let Some(state) = cursor {
        w.leaf(&m("SyncState"), state);
    }
}

fn folder_shape(w: &mut Writer) {
    let shape = Shape {
        uris: vec![
            "folder:ParentFolderId",
            "folder:DisplayName",
            "folder:FolderClass",
            "folder:TotalCount",
            "folder:EffectiveRights",
        ],
        extended: vec![
            field::LOCAL_COMMIT_TIME_MAX,
            field::DELETED_COUNT_TOTAL,
            field::DAV_NAME,
            field::DAV_DESCRIPTION,
            field::DAV_COLOR,
            field::DAV_ORDER,
            field::DAV_TIMEZONE,
        ],
        entries: Vec::new(),
    };
    w.open(&m("FolderShape")).leaf(&t("BaseShape"), "IdOnly");
    additional(w, &shape);
    w.close();
}

fn folder_id(w: &mut Writer, folder: &FolderSelector) {
    match folder {
        FolderSelector::WellKnown(which) => {
            w.open(&t("DistinguishedFolderId")).attribute("Id", well_known(*which)).close();
        }
        FolderSelector::Shared(which, owner) => {
            w.open(&t("DistinguishedFolderId")).attribute("Id", well_known(*which));
            w.open(&t("Mailbox")).leaf(&t("EmailAddress"), owner).close().close();
        }
        FolderSelector::Id(id) => {
            w.open(&t("FolderId")).attribute("Id", id).close();
        }
    }
}

fn additional(w: &mut Writer, shape: &Shape) {
    w.open(&t("AdditionalProperties"));
    for uri in &shape.uris {
        w.open(&t("FieldURI")).attribute("FieldURI", uri).close();
    }
    for (uri, key) in &shape.entries {
        w.open(&t("IndexedFieldURI")).attribute("FieldURI", uri).attribute("FieldIndex", key).close();
    }
    for property in &shape.extended {
        w.element(&extended_uri(property));
    }
    w.close();
}
