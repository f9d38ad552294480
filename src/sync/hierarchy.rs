//! Which folders are collections.

use crate::model::collection::{Collection, CollectionKind, Rights};
use crate::model::id::{CollectionId, UpstreamId};
use crate::upstream::{Folder, WellKnownFolder};
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};

/// The folders that exdav asks for at sign-in, with the path segment of the collection.
pub const WELL_KNOWN: [(WellKnownFolder, Option<&str>); 4] = [
    (WellKnownFolder::Calendar, Some("calendar")),
    (WellKnownFolder::Contacts, Some("contacts")),
    (WellKnownFolder::Tasks, Some("tasks")),
    (WellKnownFolder::DeletedItems, None),
];

/// Colours that are told apart.
const COLORS: [&str; 8] =
    ["#0B6FBFFF", "#2E8B57FF", "#B8860BFF", "#8B3A9EFF", "#C0392BFF", "#00838FFF", "#6D4C41FF", "#546E7AFF"];

/// The collections among all folders. `distinguished` holds the ids of [`WELL_KNOWN`], in its order.
pub fn collections(folders: &[Folder], distinguished: &[Option<String>]) -> Vec<Collection> {
    let parents: HashMap<&str, &str> = folders.iter().map(|f| (f.id.as_str(), f.parent.as_str())).collect();
    let bin = distinguished.get(3).and_then(Option::as_deref);
    let is_binned = |id: &str| {
        let mut seen = HashSet::new();
        let mut at = id;
        while let Some(parent) = parents.get(at).filter(|_| seen.insert(at)) {
            if Some(*parent) == bin {
                return true;
            }
            at = parent;
        }
        false
    };
    let mut found = Vec::new();
    let mut taken: HashSet<CollectionId> =
        WELL_KNOWN.iter().filter_map(|(_, segment)| segment.as_ref()?.parse().ok()).collect();
    for folder in folders {
        let Some(kind) = folder.kind.filter(|_| !is_binned(&folder.id)) else { continue };
        let own_name = WELL_KNOWN
            .iter()
            .zip(distinguished)
            .find_map(|((_, segment), id)| segment.filter(|_| id.as_deref() == Some(folder.id.as_str())));
        let hash = Sha256::digest(&folder.id);
        let hex: String = hash.iter().take(8).map(|octet| format!("{octet:02x}")).collect();
        let kept = &folder.properties;
        // What a client called it, unless a copied folder says the same.
        let chosen = kept.name.as_deref().and_then(|name| CollectionId::of_kept(name).ok());
        let chosen = chosen.filter(|_| own_name.is_none()).filter(|id| taken.insert(id.clone()));
        let Some(id) = chosen.or_else(|| own_name.map_or(hex, str::to_owned).parse().ok()) else { continue };
        let [create, modify, delete, read] = folder.rights;
        let first = usize::from(hash.first().copied().unwrap_or_default());
        let color =
            if own_name.is_some() { COLORS.first() } else { COLORS.get(1 + first % (COLORS.len() - 1)) };
        let is_calendar = kind != CollectionKind::AddressBook;
        found.push(Collection {
            id,
            upstream: UpstreamId(folder.id.clone()),
            kind,
            display_name: folder.display_name.clone(),
            description: kept.description.clone(),
            color: kept.color.clone().or_else(|| color.filter(|_| is_calendar).map(|c| (*c).to_owned())),
            order: kept.order.as_ref().and_then(|order| order.parse().ok()),
            timezone: kept.timezone.clone(),
            rights: Rights { read, create, modify, delete, administer: folder.may_modify_folder },
            is_default: own_name.is_some(),
        });
    }
    found.sort_by(|a, b| {
        let key = |c: &Collection| (c.kind as u8, !c.is_default, c.display_name.to_lowercase(), c.id.clone());
        key(a).cmp(&key(b))
    });
    for (order, collection) in (1..).zip(&mut found) {
        if collection.kind != CollectionKind::AddressBook {
            collection.order.get_or_insert(order);
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use crate::upstream::FolderProperties;
    use CollectionKind::{AddressBook, Calendar, Tasks};

    fn folder(id: &str, parent: &str, kind: impl Into<Option<CollectionKind>>) -> Folder {
        Folder {
            id: id.to_owned(),
            parent: parent.to_owned(),
            kind: kind.into(),
            display_name: id.to_uppercase(),
            rights: [true; 4],
            may_modify_folder: true,
            may_view_private: true,
            stamp: None,
            count: None,
            committed: None,
            properties: FolderProperties::default(),
        }
    }

    #[test]
    fn only_folders_that_people_look_at_are_collections() {
        let folders = [
            folder("cal", "top", Calendar),
            folder("sub", "cal", Calendar),
            folder("mail", "top", None),
            folder("bin", "top", None),
            folder("thrown", "bin", Calendar),
            folder("deeper", "thrown", AddressBook),
            folder("looped", "looped", Tasks),
        ];
        let ids = [Some("cal".to_owned()), None, None, Some("bin".to_owned())];
        let names: Vec<String> = collections(&folders, &ids).into_iter().map(|c| c.display_name).collect();
        assert_eq!(names, ["CAL", "SUB", "LOOPED"]);
    }
}
