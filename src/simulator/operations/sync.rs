//! Synchronisation. MS-OXWSSYNC

use super::{Call, Messages, folders, text};
use crate::simulator::element::Element;
use crate::simulator::ids::{self, Named, SyncState};
use crate::simulator::item::{Change, FolderKey};
use crate::simulator::mailbox::{FolderEvent, ItemEvent, Mailbox};
use crate::simulator::permissions;
use crate::simulator::shape::Shape;
use crate::simulator::soap::Fault;
use crate::simulator::view::View;
use crate::simulator::world::{self, Refusal};
use std::ops::Bound;

fn state(
    mailbox: &Mailbox,
    request: &Element,
    folder: FolderKey,
    is_hierarchy: bool,
    refuse: bool,
) -> Result<Change, Refusal> {
    let Some(text) = request.child_text("SyncState").filter(|t| !t.is_empty()) else { return Ok(Change(0)) };
    let known = ids::decode_sync_state(&mailbox.guid, text)
        .filter(|s| !refuse && s.is_hierarchy == is_hierarchy && s.folder == folder);
    if known.is_none() && !mailbox.product.traits().refuses_sync_states {
        return Ok(Change(0));
    }
    known.map(|s| s.seen).ok_or_else(|| {
        Refusal::new(
            "ErrorInvalidSyncStateData",
            "Synchronization state data is corrupted or otherwise invalid.",
        )
    })
}

/// MS-OXWSSYNC 3.1.4.1
pub fn hierarchy(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let Some(mailbox) = call.world.mailboxes.get(call.caller) else { return Ok(Vec::new()) };
    Ok(vec![sync_hierarchy(mailbox, call.request, call.refuses_sync_states)])
}

fn sync_hierarchy(mailbox: &Mailbox, request: &Element, refuse: bool) -> Result<Vec<Element>, Refusal> {
    let root = match request.child("SyncFolderId").and_then(|f| f.children.first()) {
        Some(id) => world::folder(mailbox, id)?,
        None => mailbox.distinguished("msgfolderroot").ok_or_else(Refusal::no_folder)?,
    };
    let seen = state(mailbox, request, root, true, refuse)?;
    let shape = Shape::read(request.child("FolderShape").ok_or_else(Refusal::no_folder)?)?;
    let mut changes = Element::message("Changes");
    for event in mailbox.folder_journal.range((Bound::Excluded(seen), Bound::Unbounded)).map(|(_, e)| e) {
        match event {
            FolderEvent::Written(key) => {
                let Some(folder) = mailbox.folders.get(key).filter(|f| mailbox.lies_below(f.key, root))
                else {
                    continue;
                };
                let change = if folder.created > seen { "Create" } else { "Update" };
                changes = changes.push(Element::new(change).push(folders::write(mailbox, folder, &shape)));
            }
            FolderEvent::Gone(key, created, _) if *created <= seen => {
                let id = Element::new("FolderId").with("Id", ids::encode(mailbox, Named::Folder(*key)));
                changes = changes.push(Element::new("Delete").push(id));
            }
            FolderEvent::Gone(..) => {}
        }
    }
    let next = SyncState { is_hierarchy: true, folder: root, seen: mailbox.last_change() };
    Ok(vec![
        text("SyncState", &ids::encode_sync_state(&mailbox.guid, next)),
        text("IncludesLastFolderInRange", "true"),
        changes,
    ])
}

/// MS-OXWSSYNC 3.1.4.2
pub fn items(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let Some(mailbox) = call.world.mailboxes.get(call.caller) else { return Ok(Vec::new()) };
    Ok(vec![sync_items(mailbox, call.request, call.refuses_sync_states)])
}

fn sync_items(mailbox: &Mailbox, request: &Element, refuse: bool) -> Result<Vec<Element>, Refusal> {
    let id = request.child("SyncFolderId").and_then(|f| f.children.first()).ok_or_else(Refusal::no_folder)?;
    let key = world::folder(mailbox, id)?;
    permissions::readable(mailbox, key)?;
    let folder = mailbox.folders.get(&key).ok_or_else(Refusal::no_folder)?;
    let seen = state(mailbox, request, key, false, refuse)?;
    let shape = Shape::read(request.child("ItemShape").ok_or_else(Refusal::no_folder)?)?;
    if shape.wants_mime() {
        return Err(Refusal::new(
            "ErrorInvalidPropertyForOperation",
            "The property is not valid for this operation.",
        ));
    }
    let most: usize = request.child_text("MaxChangesReturned").and_then(|t| t.parse().ok()).unwrap_or(512);
    let ignored: Vec<&str> =
        super::listed(request, "Ignore").iter().filter_map(|id| id.attribute("Id")).collect();
    let mut told = Vec::new();
    let mut last = seen;
    let mut is_last = true;
    for (change, event) in folder.journal.range((Bound::Excluded(seen), Bound::Unbounded)) {
        if told.len() == most {
            is_last = false;
            break;
        }
        last = *change;
        match event {
            ItemEvent::Written(key) => {
                let Some(view) = View::of(mailbox, world::Target { key: *key, occurrence: None }) else {
                    continue;
                };
                if view.id().attribute("Id").is_some_and(|id| ignored.contains(&id)) {
                    continue;
                }
                if view.item.arrived <= seen && view.item.content_change <= seen {
                    let read = view.text(crate::simulator::field::IS_READ) == Some("true");
                    let flag =
                        Element::new("ReadFlagChange").push(view.id()).push(Element::value("IsRead", read));
                    told.push(flag);
                    continue;
                }
                let change = if view.item.arrived > seen { "Create" } else { "Update" };
                told.push(Element::new(change).push(shape.write(&view, None, true)?));
            }
            ItemEvent::Gone(key, arrived) if *arrived <= seen => {
                let id = Element::new("ItemId")
                    .with("Id", ids::encode(mailbox, Named::Item(*key)))
                    .with("ChangeKey", ids::change_key(*change));
                told.push(Element::new("Delete").push(id));
            }
            ItemEvent::Gone(..) => {}
        }
    }
    // Within an answer the newest come first. docs/EXCHANGE.md, Synchronisation
    told.reverse();
    let next = SyncState { is_hierarchy: false, folder: key, seen: last };
    Ok(vec![
        text("SyncState", &ids::encode_sync_state(&mailbox.guid, next)),
        text("IncludesLastItemInRange", if is_last { "true" } else { "false" }),
        Element::message("Changes").push_all(told),
    ])
}
