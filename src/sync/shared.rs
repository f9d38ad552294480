//! Which folders somebody shares with somebody else.

use super::{Error, hierarchy, limited};
use crate::convert::Privacy;
use crate::model::collection::Collection;
use crate::upstream::Folder as UpstreamFolder;
use crate::upstream::{FolderSelector, Session};
use std::time::Duration;

/// Whose folders are followed by whom.
#[derive(Clone, Debug)]
pub struct Shared {
    /// SMTP address of the owner.
    pub owner: String,
    /// What was granted when the mirror was opened.
    pub grant: Grant,
}

/// For this long Exchange is not asked again what somebody grants: whatever the settings say of freshness, more that is granted
/// shows within ten seconds, and what is taken back is gone.
pub const MAX_RIGHTS_AGE: Duration = Duration::from_secs(5);

/// How much of what somebody shares is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What is granted of private items.
    pub privacy: Privacy,
    /// Of the calendar only busy times are granted, perhaps with subjects and places.
    pub is_limited: bool,
}

impl Shared {
    /// What Exchange grants the session's user; `None` when that is nothing.
    pub async fn ask(session: &Session, owner: &str) -> Result<Option<Grant>, Error> {
        let folders = folders(session, owner).await?;
        let readable = folders.iter().flatten().collect::<Vec<_>>();
        Ok((!readable.is_empty()).then(|| grant(&readable)))
    }

    /// The collections that the session's user may read now; none when they are granted otherwise than before.
    pub(super) async fn collections(&self, session: &Session) -> Result<Vec<Collection>, Error> {
        let folders = folders(session, &self.owner).await?;
        let ids: Vec<Option<String>> = folders.iter().map(|f| f.as_ref().map(|f| f.id.clone())).collect();
        let readable: Vec<UpstreamFolder> = folders.into_iter().flatten().collect();
        if grant(&readable.iter().collect::<Vec<_>>()) != self.grant {
            return Ok(Vec::new());
        }
        let mut collections = hierarchy::collections(&readable, &ids);
        for collection in &mut collections {
            collection.display_name = format!("{} ({})", collection.display_name, self.owner);
            // Rights of a folder are about the folder itself; for single items Exchange decides, and says so.
            let rights = &mut collection.rights;
            rights.modify |= rights.create;
            rights.delete |= rights.create;
        }
        Ok(collections)
    }
}

/// The owner's calendar, contacts and tasks, where they may be read.
async fn folders(session: &Session, owner: &str) -> Result<Vec<Option<UpstreamFolder>>, Error> {
    let names = hierarchy::WELL_KNOWN.iter().filter(|(_, segment)| segment.is_some());
    let wanted: Vec<FolderSelector> =
        names.map(|(which, _)| FolderSelector::Shared(*which, owner.to_owned())).collect();
    let mut found = Vec::new();
    for folder in session.folders(&wanted).await? {
        match folder {
            Ok(folder) => found.push(Some(folder).filter(|folder| folder.rights[3])),
            Err(error) if error.is_transient() => return Err(error.into()),
            // Not shared, or nobody's.
            Err(_) => found.push(None),
        }
    }
    // The calendar is the first of them.
    if let Some(calendar @ None) = found.first_mut() {
        *calendar = limited::folder(session, owner).await?;
    }
    Ok(found)
}

fn grant(folders: &[&UpstreamFolder]) -> Grant {
    let sees_private = folders.iter().all(|folder| folder.may_view_private);
    Grant {
        privacy: if sees_private { Privacy::Shown } else { Privacy::Hidden },
        is_limited: folders.iter().any(|folder| folder.id == limited::UPSTREAM),
    }
}
