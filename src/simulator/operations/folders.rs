//! Folders: reading, finding, making, changing, deleting.

use super::{Call, Messages, listed};
use crate::simulator::element::Element;
use crate::simulator::ids::{self, Named};
use crate::simulator::item::{ExtendedName, ExtendedValue, FolderKey, utc};
use crate::simulator::mailbox::{Folder, FolderKind, Mailbox};
use crate::simulator::permissions::{self, Deed};
use crate::simulator::shape::{Shape, extended_element, extended_name};
use crate::simulator::soap::Fault;
use crate::simulator::world::{self, Refusal};

/// A folder's element.
pub fn write(mailbox: &Mailbox, folder: &Folder, shape: &Shape<'_>) -> Element {
    let shown =
        |uri: &str, is_default: bool, element: Element| shape.shows(uri, is_default).then_some(element);
    let children = mailbox.subfolders(folder.key).count();
    let mut element = Element::new(folder.kind.element()).push(id(mailbox, folder));
    let parent =
        mailbox.folders.get(&folder.parent).map(|p| Element { name: "ParentFolderId", ..id(mailbox, p) });
    element = element
        .push_some(parent.and_then(|p| shown("folder:ParentFolderId", false, p)))
        .push_some(shown("folder:FolderClass", false, Element::of("FolderClass", folder.class.clone())))
        .push_some(shown("folder:DisplayName", true, Element::of("DisplayName", folder.display_name.clone())))
        .push_some(shown("folder:TotalCount", true, Element::value("TotalCount", folder.item_count)))
        .push_some(shown("folder:ChildFolderCount", true, Element::value("ChildFolderCount", children)));
    for (uri, name) in shape.extended() {
        let computed = match name {
            ExtendedName::Tag(0x670A) => Some(("SystemTime", utc(folder.committed))),
            ExtendedName::Tag(0x670B) => Some(("Integer", folder.deleted_count.to_string())),
            ExtendedName::Tag(0x3001) => Some(("String", folder.display_name.clone())),
            ExtendedName::Tag(0x3602) => Some(("Integer", folder.item_count.to_string())),
            ExtendedName::Tag(0x3603) => Some(("Integer", "0".to_owned())),
            ExtendedName::Tag(0x360A) => Some(("Boolean", (children > 0).to_string())),
            ExtendedName::Tag(0x3613) => Some(("String", folder.class.clone())),
            _ => None,
        };
        let value = computed.map(|(kind, text)| ExtendedValue { kind, texts: vec![text] });
        if let Some(value) = folder.extended.get(name).or(value.as_ref()) {
            element = element.push(extended_element(uri, value));
        }
    }
    let rights = permissions::of_folder(mailbox, folder);
    element = element.push_some(shown("folder:EffectiveRights", false, rights));
    if let Some(name) = folder.distinguished {
        element = element.push_some(shown(
            "folder:DistinguishedFolderId",
            false,
            Element::of("DistinguishedFolderId", name),
        ));
    }
    // Only who may change it is told who else may what.
    if permissions::allowed(mailbox, folder.key, Deed::Folder).is_ok() {
        element = element.push_some(shown("folder:PermissionSet", false, permissions::write(folder)));
    }
    if matches!(folder.kind, FolderKind::Folder | FolderKind::Tasks) {
        element = element.push_some(shown("folder:UnreadCount", true, Element::value("UnreadCount", 0)));
    }
    element
}

/// `FolderId`
pub fn id(mailbox: &Mailbox, folder: &Folder) -> Element {
    Element::new("FolderId")
        .with("Id", ids::encode(mailbox, Named::Folder(folder.key)))
        .with("ChangeKey", ids::change_key(folder.change))
}

fn read(mailbox: &Mailbox, key: FolderKey) -> Result<&Folder, Refusal> {
    mailbox.folders.get(&key).ok_or_else(Refusal::no_folder)
}

fn in_list(folder: Element) -> Vec<Element> {
    vec![Element::message("Folders").push(folder)]
}

/// MS-OXWSFOLD 3.1.4.6
pub fn get(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let Some(mailbox) = call.world.mailboxes.get(call.caller) else { return Ok(Vec::new()) };
    let shape = call.request.child("FolderShape");
    let one = |wanted: &Element| {
        let shape = Shape::read(shape.ok_or_else(Refusal::no_folder)?)?;
        let key = world::folder(mailbox, wanted)?;
        Ok(in_list(write(mailbox, read(mailbox, key)?, &shape)))
    };
    Ok(listed(call.request, "FolderIds").iter().map(one).collect())
}

/// MS-OXWSSRCH 3.1.4.1
pub fn find(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let Some(mailbox) = call.world.mailboxes.get(call.caller) else { return Ok(Vec::new()) };
    let request = call.request;
    let one = |parent: &Element| {
        let shape = Shape::read(request.child("FolderShape").ok_or_else(Refusal::no_folder)?)?;
        let key = world::folder(mailbox, parent)?;
        let deep = request.attribute("Traversal") == Some("Deep");
        let mut found: Vec<&Folder> = mailbox
            .folders
            .values()
            .filter(|f| f.key != key && if deep { mailbox.lies_below(f.key, key) } else { f.parent == key })
            .collect();
        if let Some(restriction) = request.child("Restriction").and_then(|r| r.children.first()) {
            found.retain(|folder| super::find::folder_fits(folder, restriction));
        }
        let total = found.len();
        let (first, most) = super::find::page(request.child("IndexedPageFolderView"));
        let shown: Vec<Element> =
            found.into_iter().skip(first).take(most).map(|f| write(mailbox, f, &shape)).collect();
        let next = first + shown.len();
        let mut root = Element::message("RootFolder");
        if request.child("IndexedPageFolderView").is_some() {
            root = root.with("IndexedPagingOffset", next.to_string());
        }
        root = root
            .with("TotalItemsInView", total.to_string())
            .with("IncludesLastItemInRange", (next >= total).to_string());
        Ok(vec![root.push(Element::new("Folders").push_all(shown))])
    };
    Ok(listed(request, "ParentFolderIds").iter().map(one).collect())
}

/// MS-OXWSFOLD 3.1.4.2
pub fn create(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let now = call.now;
    let Some(mailbox) = call.world.mailboxes.get_mut(call.caller) else { return Ok(Vec::new()) };
    let parent = call.request.child("ParentFolderId").and_then(|p| p.children.first());
    let mut messages = Messages::new();
    for new in listed(call.request, "Folders") {
        messages.push(create_one(mailbox, parent, new, now));
    }
    Ok(messages)
}

fn create_one(
    mailbox: &mut Mailbox,
    parent: Option<&Element>,
    new: &Element,
    now: jiff::Timestamp,
) -> Result<Vec<Element>, Refusal> {
    let parent = world::folder(mailbox, parent.ok_or_else(Refusal::no_folder)?)?;
    permissions::allowed(mailbox, parent, Deed::Subfolder)?;
    let display_name = new.child_text("DisplayName").unwrap_or_default().to_owned();
    if display_name.is_empty() {
        return Err(Refusal::new("ErrorFolderSavePropertyError", "The display name is empty."));
    }
    if mailbox.subfolders(parent).any(|f| f.display_name.eq_ignore_ascii_case(&display_name)) {
        return Err(Refusal::new("ErrorFolderExists", "A folder with the specified name already exists."));
    }
    let by_element = match new.name {
        "CalendarFolder" => FolderKind::Calendar,
        "ContactsFolder" => FolderKind::Contacts,
        "TasksFolder" => FolderKind::Tasks,
        _ => FolderKind::Folder,
    };
    let class = new.child_text("FolderClass").unwrap_or(by_element.class()).to_owned();
    let kind = if by_element == FolderKind::Folder { FolderKind::of_class(&class) } else { by_element };
    let key = mailbox.add_folder(parent, kind, &class, &display_name, now);
    for property in new.children.iter().filter(|c| c.name == "ExtendedProperty") {
        set_extended(mailbox, key, property)?;
    }
    Ok(in_list(plain(mailbox, key)?))
}

fn plain(mailbox: &Mailbox, key: FolderKey) -> Result<Element, Refusal> {
    let shape = Element::message("FolderShape").push(Element::of("BaseShape", "IdOnly"));
    Ok(write(mailbox, read(mailbox, key)?, &Shape::read(&shape)?))
}

fn set_extended(mailbox: &mut Mailbox, key: FolderKey, property: &Element) -> Result<(), Refusal> {
    let missing = || Refusal::new("ErrorInvalidExtendedProperty", "The extended property is incomplete.");
    let uri = property.child("ExtendedFieldURI").ok_or_else(missing)?;
    let name = extended_name(uri)?;
    let kind = uri.attribute("PropertyType").unwrap_or_default();
    let kind = crate::simulator::shape::KINDS.iter().find(|k| **k == kind).ok_or_else(missing)?;
    let value = property.child("Value").ok_or_else(missing)?.text.clone();
    if let Some(folder) = mailbox.folders.get_mut(&key) {
        folder.extended.insert(name, ExtendedValue { kind, texts: vec![value] });
    }
    Ok(())
}

/// MS-OXWSFOLD 3.1.4.9
pub fn update(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let now = call.now;
    let Some(mailbox) = call.world.mailboxes.get_mut(call.caller) else { return Ok(Vec::new()) };
    let mut messages = Messages::new();
    for change in listed(call.request, "FolderChanges") {
        messages.push(update_one(mailbox, change, now));
    }
    Ok(messages)
}

fn update_one(
    mailbox: &mut Mailbox,
    change: &Element,
    now: jiff::Timestamp,
) -> Result<Vec<Element>, Refusal> {
    let key = world::folder(mailbox, change.children.first().ok_or_else(Refusal::no_folder)?)?;
    permissions::allowed(mailbox, key, Deed::Folder)?;
    for update in listed(change, "Updates") {
        let path = update.children.first().ok_or_else(Refusal::no_folder)?;
        let value = update.children.get(1).and_then(|f| f.children.first());
        match (update.name, path.name, value) {
            ("SetFolderField", "FieldURI", Some(value))
                if path.attribute("FieldURI") == Some("folder:DisplayName")
                    && value.name == "DisplayName" =>
            {
                let taken = read(mailbox, key).map(|f| f.parent)?;
                let name = value.text.trim().to_owned();
                if mailbox
                    .subfolders(taken)
                    .any(|f| f.key != key && f.display_name.eq_ignore_ascii_case(&name))
                {
                    return Err(Refusal::new(
                        "ErrorFolderExists",
                        "A folder with the specified name already exists.",
                    ));
                }
                if let Some(folder) = mailbox.folders.get_mut(&key) {
                    folder.display_name = name;
                }
            }
            ("SetFolderField", "FieldURI", Some(value))
                if path.attribute("FieldURI") == Some("folder:PermissionSet")
                    && value.name == "PermissionSet" =>
            {
                let permissions = permissions::read(value)?;
                if let Some(folder) = mailbox.folders.get_mut(&key) {
                    folder.permissions = permissions;
                }
            }
            ("SetFolderField", "ExtendedFieldURI", Some(value)) => set_extended(mailbox, key, value)?,
            ("DeleteFolderField", "ExtendedFieldURI", _) => {
                let name = extended_name(path)?;
                if let Some(folder) = mailbox.folders.get_mut(&key) {
                    folder.extended.remove(&name);
                }
            }
            _ => return Err(Refusal::new("ErrorInvalidPropertySet", "Set action is invalid for property.")),
        }
    }
    mailbox.folder_written(key, now);
    Ok(in_list(plain(mailbox, key)?))
}

/// MS-OXWSFOLD 3.1.4.4
pub fn delete(call: &mut Call<'_>) -> Result<Messages, Fault> {
    let Some(mailbox) = call.world.mailboxes.get_mut(call.caller) else { return Ok(Vec::new()) };
    let mut messages = Messages::new();
    for wanted in listed(call.request, "FolderIds") {
        messages.push(delete_one(mailbox, wanted));
    }
    Ok(messages)
}

fn delete_one(mailbox: &mut Mailbox, wanted: &Element) -> Result<Vec<Element>, Refusal> {
    let key = world::folder(mailbox, wanted)?;
    if read(mailbox, key)?.distinguished.is_some() {
        return Err(Refusal::new(
            "ErrorDeleteDistinguishedFolder",
            "Distinguished folders cannot be deleted.",
        ));
    }
    permissions::allowed(mailbox, key, Deed::Folder)?;
    mailbox.remove_folder(key);
    Ok(Vec::new())
}
