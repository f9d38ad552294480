//! Folders, and where Exchange keeps what clients set on them.

use super::{extended, time};
use crate::model::collection::CollectionKind;
use crate::upstream::ews::field::{
    DAV_COLOR, DAV_DESCRIPTION, DAV_NAME, DAV_ORDER, DAV_TIMEZONE, DELETED_COUNT_TOTAL, ExtendedProperty,
    LOCAL_COMMIT_TIME_MAX,
};
use crate::upstream::{Folder, FolderProperties, FolderProperty, WellKnownFolder};
use crate::xml::Element;

/// Reads a folder. MS-OXWSFOLD 2.2.4.13
pub(in crate::upstream::ews) fn read(element: &Element) -> Option<Folder> {
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
    Some(Folder {
        id: element.find("FolderId")?.attribute("Id")?.to_owned(),
        parent: element
            .find("ParentFolderId")
            .and_then(|id| Some(id.attribute("Id")?.to_owned()))
            .unwrap_or_default(),
        kind: kind(&text("FolderClass").unwrap_or_default()),
        display_name: text("DisplayName").unwrap_or_default(),
        rights: [right("CreateContents"), right("Modify"), right("Delete"), right("Read")],
        may_modify_folder: right("Modify"),
        may_view_private: right("ViewPrivateItems"),
        stamp: committed
            .as_ref()
            .map(|at| format!("{at} {} {count}", deleted.as_deref().unwrap_or_default())),
        count: count.parse().ok(),
        committed: committed.as_deref().and_then(time),
        properties: FolderProperties {
            name: extended(element, &DAV_NAME),
            description: extended(element, &DAV_DESCRIPTION),
            color: extended(element, &DAV_COLOR),
            order: extended(element, &DAV_ORDER),
            timezone: extended(element, &DAV_TIMEZONE),
        },
    })
}

/// Classes of folders that programs keep for themselves. docs/EXCHANGE.md, Folders
const HIDDEN: [&str; 7] = [
    "IPF.Contact.MOC.QuickContacts",
    "IPF.Contact.MOC.ImContactList",
    "IPF.Contact.RecipientCache",
    "IPF.Contact.GalContacts",
    "IPF.Contact.Company",
    "IPF.Contact.OrganizationalContacts",
    "IPF.Contact.PeopleCentricConversationBuddies",
];

/// What a folder of a class holds. MS-OXOSFLD 2.2.5
fn kind(class: &str) -> Option<CollectionKind> {
    // Sub-classes are holiday and birthday calendars and the like: compared by prefix. docs/EXCHANGE.md, Folders
    let is = |base: &str| class == base || class.strip_prefix(base).is_some_and(|rest| rest.starts_with('.'));
    if HIDDEN.contains(&class) {
        None
    } else if is("IPF.Appointment") {
        Some(CollectionKind::Calendar)
    } else if is("IPF.Task") {
        Some(CollectionKind::Tasks)
    } else if is("IPF.Contact") {
        Some(CollectionKind::AddressBook)
    } else {
        None
    }
}

/// `DistinguishedFolderId`. MS-OXWSFOLD 2.2.5.1
pub(in crate::upstream::ews) const fn well_known(folder: WellKnownFolder) -> &'static str {
    match folder {
        WellKnownFolder::Calendar => "calendar",
        WellKnownFolder::Contacts => "contacts",
        WellKnownFolder::Tasks => "tasks",
        WellKnownFolder::DeletedItems => "deleteditems",
    }
}

/// Where Exchange keeps what a client set on a folder.
pub(in crate::upstream::ews) const fn property(which: FolderProperty) -> ExtendedProperty {
    match which {
        FolderProperty::Name => DAV_NAME,
        FolderProperty::Description => DAV_DESCRIPTION,
        FolderProperty::Color => DAV_COLOR,
        FolderProperty::Order => DAV_ORDER,
        FolderProperty::TimeZone => DAV_TIMEZONE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_programs_keep_for_themselves_hold_nothing_that_is_served() {
        let kinds =
            ["IPF.Appointment", "IPF.Appointment.Birthday", "IPF.AppointmentX", "IPF.Task", "IPF.Note"];
        let (calendar, tasks) = (Some(CollectionKind::Calendar), Some(CollectionKind::Tasks));
        assert_eq!(kinds.map(kind), [calendar, calendar, None, tasks, None]);
        let cards = ["IPF.Contact", "IPF.Contact.Suppliers", "IPF.Contact.RecipientCache"];
        assert_eq!(
            cards.map(kind),
            [Some(CollectionKind::AddressBook), Some(CollectionKind::AddressBook), None]
        );
    }
}
