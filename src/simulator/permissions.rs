//! Who may do what in whose folders: permission levels, and what they come to for a visitor.
//!
//! While a request to somebody else's mailbox is carried out, [`Mailbox::visitor`] says who asks. Whether a private
//! item is shown is left to programs, as Microsoft says of Outlook's mark: a visitor is told everything, and that
//! `ViewPrivateItems` is false.

use super::element::Element;
use super::item::{FolderKey, Item};
use super::mailbox::{Access, Folder, FolderKind, Mailbox};
use super::world::Refusal;
use std::collections::BTreeMap;

/// On which items something may be done. `PermissionActionType`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// On none.
    None,
    /// On those that the visitor made.
    Owned,
    /// On all.
    All,
}

/// How much of an item is seen. `CalendarPermissionReadAccessType`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Nothing.
    None,
    /// Busy times, by GetUserAvailability.
    TimeOnly,
    /// Subject and location as well, there.
    TimeAndSubjectAndLocation,
    /// The items.
    FullDetails,
}

/// What somebody may do in a folder. MS-OXWSCDATA, `BasePermissionType`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is an element of its own")]
pub struct Permission {
    create: bool,
    subfolders: bool,
    owner: bool,
    visible: bool,
    edit: Reach,
    delete: Reach,
    read: Reading,
}

/// By whom: an address in lower case, [`DEFAULT`] or [`ANONYMOUS`].
pub type Permissions = BTreeMap<String, Permission>;

const DEFAULT: &str = "Default";
const ANONYMOUS: &str = "Anonymous";

const fn level(create: bool, subfolders: bool, edit: Reach, delete: Reach, read: Reading) -> Permission {
    Permission { create, subfolders, owner: false, visible: true, edit, delete, read }
}

const NOTHING: Permission =
    Permission { visible: false, ..level(false, false, Reach::None, Reach::None, Reading::None) };
const OWNER: Permission =
    Permission { owner: true, ..level(true, true, Reach::All, Reach::All, Reading::FullDetails) };
const REVIEWER: Permission = level(false, false, Reach::None, Reach::None, Reading::FullDetails);
const TIME_ONLY: Permission = Permission { read: Reading::TimeOnly, ..NOTHING };

/// What each level grants. `CalendarPermissionLevelType`
const LEVELS: [(&str, Permission); 11] = [
    ("None", NOTHING),
    ("Owner", OWNER),
    ("PublishingEditor", Permission { owner: false, ..OWNER }),
    ("Editor", Permission { owner: false, subfolders: false, ..OWNER }),
    ("PublishingAuthor", level(true, true, Reach::Owned, Reach::Owned, Reading::FullDetails)),
    ("Author", level(true, false, Reach::Owned, Reach::Owned, Reading::FullDetails)),
    ("NoneditingAuthor", level(true, false, Reach::None, Reach::Owned, Reading::FullDetails)),
    ("Reviewer", REVIEWER),
    ("Contributor", level(true, false, Reach::None, Reach::None, Reading::None)),
    ("FreeBusyTimeOnly", TIME_ONLY),
    ("FreeBusyTimeAndSubjectAndLocation", Permission { read: Reading::TimeAndSubjectAndLocation, ..NOTHING }),
];

const REACHES: [(&str, Reach); 3] = [("None", Reach::None), ("Owned", Reach::Owned), ("All", Reach::All)];
const READINGS: [(&str, Reading); 4] = [
    ("None", Reading::None),
    ("TimeOnly", Reading::TimeOnly),
    ("TimeAndSubjectAndLocation", Reading::TimeAndSubjectAndLocation),
    ("FullDetails", Reading::FullDetails),
];

fn named<T: Copy>(table: &[(&'static str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

fn name_of<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    table.iter().find(|(_, known)| known == value).map_or("Custom", |(name, _)| name)
}

/// What a request wants to do in a folder.
#[derive(Clone, Copy)]
pub enum Deed<'a> {
    /// Put something into it.
    Create,
    /// Change an item in it.
    Change(&'a Item),
    /// Take an item out of it.
    Remove(&'a Item),
    /// Change the folder itself.
    Folder,
    /// Make a folder in it.
    Subfolder,
}

/// What who asks may do in a folder.
pub fn granted(mailbox: &Mailbox, folder: &Folder) -> Permission {
    match &mailbox.visitor {
        Some(visitor) => granted_to(folder, visitor),
        None if folder.access == Access::Full => OWNER,
        None => REVIEWER,
    }
}

fn granted_to(folder: &Folder, visitor: &str) -> Permission {
    let permissions = &folder.permissions;
    permissions.get(visitor).or_else(|| permissions.get(DEFAULT)).copied().unwrap_or_else(|| unsaid(folder))
}

/// Everybody sees when somebody is busy, unless the owner says otherwise.
fn unsaid(folder: &Folder) -> Permission {
    if folder.distinguished == Some("calendar") { TIME_ONLY } else { NOTHING }
}

/// How much of the owner's calendar somebody is told as free/busy times.
pub fn busy_times(mailbox: &Mailbox, visitor: &str) -> Reading {
    let calendar = mailbox.distinguished("calendar").and_then(|key| mailbox.folders.get(&key));
    match calendar {
        Some(calendar) if mailbox.address != visitor => granted_to(calendar, visitor).read,
        _ => Reading::FullDetails,
    }
}

/// Refuses folders that who asks does not see.
pub fn visible(mailbox: &Mailbox, folder: FolderKey) -> Result<(), Refusal> {
    let folder = mailbox.folders.get(&folder).ok_or_else(Refusal::no_folder)?;
    if granted(mailbox, folder).visible { Ok(()) } else { Err(Refusal::not_found()) }
}

/// Refuses items that who asks may not read. docs/EXCHANGE.md, Errors
pub fn readable(mailbox: &Mailbox, folder: FolderKey) -> Result<(), Refusal> {
    let folder = mailbox.folders.get(&folder).ok_or_else(Refusal::not_found)?;
    if granted(mailbox, folder).read == Reading::FullDetails { Ok(()) } else { Err(Refusal::not_found()) }
}

/// Refuses deeds that who asks may not do.
pub fn allowed(mailbox: &Mailbox, folder: FolderKey, deed: Deed<'_>) -> Result<(), Refusal> {
    let folder = mailbox.folders.get(&folder).ok_or_else(Refusal::no_folder)?;
    let granted = granted(mailbox, folder);
    let reaches = |reach: Reach, item: &Item| match reach {
        Reach::None => false,
        Reach::Owned => item.creator == mailbox.visitor,
        Reach::All => true,
    };
    let may = match deed {
        Deed::Create => granted.create,
        Deed::Change(item) => reaches(granted.edit, item),
        Deed::Remove(item) => reaches(granted.delete, item),
        Deed::Folder => granted.owner,
        Deed::Subfolder => granted.subfolders,
    };
    if may {
        return Ok(());
    }
    let what = "Access is denied. Check credentials and try again.";
    let code = match deed {
        Deed::Create if mailbox.visitor.is_some() => "ErrorCreateItemAccessDenied",
        _ => "ErrorAccessDenied",
    };
    Err(Refusal::new(code, what))
}

/// `EffectiveRights` of a folder. That of changing and deleting is about the folder itself.
pub fn of_folder(mailbox: &Mailbox, folder: &Folder) -> Element {
    let granted = granted(mailbox, folder);
    let own = granted.owner;
    effective(mailbox, [own, granted.create, granted.subfolders, own, own], granted)
}

/// `EffectiveRights` of an item.
pub fn of_item(mailbox: &Mailbox, item: &Item) -> Option<Element> {
    let folder = mailbox.folders.get(&item.folder)?;
    let may = |deed| allowed(mailbox, item.folder, deed).is_ok();
    let rights = [false, false, false, may(Deed::Remove(item)), may(Deed::Change(item))];
    Some(effective(mailbox, rights, granted(mailbox, folder)))
}

fn effective(mailbox: &Mailbox, rights: [bool; 5], granted: Permission) -> Element {
    let [associated, contents, hierarchy, delete, modify] = rights;
    let private = mailbox.visitor.as_ref().is_none_or(|visitor| mailbox.see_private.contains(visitor));
    Element::new("EffectiveRights")
        .push(Element::value("CreateAssociated", associated))
        .push(Element::value("CreateContents", contents))
        .push(Element::value("CreateHierarchy", hierarchy))
        .push(Element::value("Delete", delete))
        .push(Element::value("Modify", modify))
        .push(Element::value("Read", granted.read == Reading::FullDetails))
        .push(Element::value("ViewPrivateItems", private))
}

/// `PermissionSet` of a folder.
pub fn write(folder: &Folder) -> Element {
    let calendar = folder.kind == FolderKind::Calendar;
    let (list, one, level) = if calendar {
        ("CalendarPermissions", "CalendarPermission", "CalendarPermissionLevel")
    } else {
        ("Permissions", "Permission", "PermissionLevel")
    };
    let unsaid = [(DEFAULT.to_owned(), unsaid(folder)), (ANONYMOUS.to_owned(), NOTHING)];
    let mut all: Permissions = unsaid.into();
    all.extend(folder.permissions.clone());
    let written = all.into_iter().map(|(who, permission)| {
        let Permission { create, subfolders, owner, visible, edit, delete, read } = permission;
        let user = if who == DEFAULT || who == ANONYMOUS {
            Element::of("DistinguishedUser", who)
        } else {
            Element::of("PrimarySmtpAddress", who)
        };
        Element::new(one)
            .push(Element::new("UserId").push(user))
            .push(Element::value("CanCreateItems", create))
            .push(Element::value("CanCreateSubFolders", subfolders))
            .push(Element::value("IsFolderOwner", owner))
            .push(Element::value("IsFolderVisible", visible))
            .push(Element::value("IsFolderContact", owner))
            .push(Element::of("EditItems", name_of(&REACHES, &edit)))
            .push(Element::of("DeleteItems", name_of(&REACHES, &delete)))
            .push(Element::of("ReadItems", name_of(&READINGS, &read)))
            .push(Element::of(level, name_of(&LEVELS, &permission)))
    });
    Element::new("PermissionSet").push(Element::new(list).push_all(written))
}

/// `PermissionSet` of a request. MS-OXWSFOLD 3.1.4.9
pub fn read(set: &Element) -> Result<Permissions, Refusal> {
    let wrong = |text: &str| Refusal::new("ErrorInvalidPermissionSettings", text);
    let mut permissions = Permissions::new();
    for one in set.children.first().map(|list| list.children.as_slice()).unwrap_or_default() {
        let user = one.child("UserId").and_then(|user| {
            user.child_text("DistinguishedUser")
                .map(str::to_owned)
                .or_else(|| user.child_text("PrimarySmtpAddress").map(|a| a.trim().to_ascii_lowercase()))
        });
        let user = user.ok_or_else(|| Refusal::new("ErrorInvalidUserInfo", "A user is not named."))?;
        let name = one.child_text("CalendarPermissionLevel").or_else(|| one.child_text("PermissionLevel"));
        let name = name.unwrap_or_default().trim();
        let permission = if name == "Custom" {
            let flag = |name| one.child_flag(name);
            let reach = |name| named(&REACHES, one.child_text(name).unwrap_or("None")).unwrap_or(Reach::None);
            let reading = one.child_text("ReadItems").and_then(|text| named(&READINGS, text));
            Permission {
                create: flag("CanCreateItems"),
                subfolders: flag("CanCreateSubFolders"),
                owner: flag("IsFolderOwner"),
                visible: flag("IsFolderVisible"),
                edit: reach("EditItems"),
                delete: reach("DeleteItems"),
                read: reading.unwrap_or(Reading::None),
            }
        } else {
            named(&LEVELS, name).ok_or_else(|| wrong("The permission level is not known."))?
        };
        if permissions.insert(user, permission).is_some() {
            return Err(Refusal::new(
                "ErrorDuplicateUserIdsSpecified",
                "A user is named twice in the permission set.",
            ));
        }
    }
    Ok(permissions)
}
