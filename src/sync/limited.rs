//! A calendar of which only busy times, or these with subjects and places, are granted: Exchange does not open its folder,
//! but answers GetUserAvailability. MS-OXWSAVAIL 3.1.4.1
//!
//! **Invariant:** what is shown is what that answer says, and nothing of it can be changed.

use super::follower::{Error, Follower, lock};
use crate::convert::Related;
use crate::mirror::{Commit, Folder};
use crate::model::collection::CollectionKind;
use crate::model::id::UpstreamId;
use crate::model::item::{Change, Field, Item, ItemClass, ItemRef, Value};
use crate::upstream::{Folder as UpstreamFolder, FolderProperties};
use crate::upstream::{MAX_DAYS, Session, SharedTime};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::time::Instant;

/// Stands for the id of a folder that Exchange does not tell.
pub(super) const UPSTREAM: &str = "availability";
/// What is said of a time whose subject is not granted.
const SUBJECT: &str = "Busy";
/// Days of the past that are shown.
const DAYS_BEFORE: i64 = 28;
/// Stretches of time that are asked for, each as long as Exchange answers at once.
const STRETCHES: i64 = 3;

/// The calendar, where its owner's busy times are granted.
pub(super) async fn folder(session: &Session, owner: &str) -> Result<Option<UpstreamFolder>, Error> {
    let now = Timestamp::now();
    let next = now.checked_add(SignedDuration::from_hours(1)).unwrap_or(now);
    match session.shared_times(owner, now, next).await {
        Ok(_) => Ok(Some(UpstreamFolder {
            id: UPSTREAM.to_owned(),
            parent: String::new(),
            kind: Some(CollectionKind::Calendar),
            display_name: "Calendar".to_owned(),
            rights: [false, false, false, true],
            may_modify_folder: false,
            may_view_private: true,
            stamp: None,
            committed: None,
            count: None,
            properties: FolderProperties::default(),
        })),
        Err(error) if error.is_transient() => Err(error.into()),
        // Nobody there, or nothing granted.
        Err(_) => Ok(None),
    }
}

impl Follower {
    /// Makes the mirror of such a calendar what Exchange says now. The caller has its turn.
    pub(super) async fn follow_limited(&self, folder: &Folder, seen: Instant) -> Result<(), Error> {
        let Some(shared) = &self.0.shared else { return Ok(()) };
        let id = folder.collection.id.clone();
        let (session, owner) = (self.session(), shared.owner.clone());
        let day = SignedDuration::from_hours(24);
        let length = day * i32::try_from(MAX_DAYS).unwrap_or(1);
        // Whole days: the same times are told the same all day.
        let today = Timestamp::from_second(Timestamp::now().as_second().div_euclid(86_400) * 86_400);
        let mut from = today.unwrap_or_default() - day * i32::try_from(DAYS_BEFORE).unwrap_or(0);
        let mut times: Vec<SharedTime> = Vec::new();
        for _ in 0..STRETCHES {
            let to = from + length;
            match session.shared_times(&owner, from, to).await {
                // What goes on over the end of a stretch is told in both.
                Ok(more) => {
                    times.extend(more.into_iter().filter(|time| !times.contains(time)).collect::<Vec<_>>());
                }
                Err(error) if error.is_transient() => return Err(error.into()),
                Err(_) => {
                    self.expect_tree_change();
                    return Ok(());
                }
            }
            from = to;
        }
        let items = items(&owner, &times);
        self.0.mirror.begin_refresh(&id);
        let key = id.clone();
        let written = self.0.mirror.run(move |mirror| mirror.written(&key)).await?;
        let (key, ids): (_, Vec<UpstreamId>) =
            (id.clone(), items.iter().map(|item| UpstreamId(item.id.id.clone())).collect());
        let asked = ids.clone();
        let (have, members) = self
            .0
            .mirror
            .run(move |mirror| Ok((mirror.versions(&key, &asked)?, mirror.uids(&key)?.len())))
            .await?;
        let is_known = |item: &Item| {
            have.get(&UpstreamId(item.id.id.clone())).is_some_and(|known| known.0 == item.id.version)
        };
        let new: Vec<(Item, Related)> =
            items.into_iter().filter(|item| !is_known(item)).map(|item| (item, Related::default())).collect();
        if !new.is_empty() || members != ids.len() || folder.cursor.is_none() {
            self.stage(&id, new).await?;
            let commit = Commit {
                gone: Vec::new(),
                seen: written.into_iter().map(|(item, _)| item).collect(),
                current: HashSet::new(),
                only: Some(ids.into_iter().collect()),
                cursor: Some(UPSTREAM.to_owned()),
                stamp: None,
            };
            let key = id.clone();
            self.0.mirror.run(move |mirror| mirror.commit(&key, &commit)).await?;
        }
        lock(&self.0.state).coverage.saw(id, seen);
        Ok(())
    }
}

/// Items that stand for busy times: the same times have the same ids, and other versions when more is told of them.
fn items(owner: &str, times: &[SharedTime]) -> Vec<Item> {
    let mut known: HashMap<(Timestamp, Timestamp), usize> = HashMap::new();
    let item = |time: &SharedTime| {
        let number = known.entry((time.start, time.end)).and_modify(|number| *number += 1).or_default();
        let hash = hash(&format!("{owner}\u{1f}{}\u{1f}{}\u{1f}{number}", time.start, time.end));
        let version = self::hash(&format!("{time:?}"));
        let zone = |field| Change::set(field, Value::zone("UTC"));
        let mut changes = vec![
            Change::text(Field::Subject, time.subject.as_deref().unwrap_or(SUBJECT)),
            Change::text(Field::Sensitivity, if time.is_private { "Private" } else { "Normal" }),
            Change::text(Field::Uid, format!("busy-{hash}")),
            Change::set(Field::Start, Value::Time(time.start)),
            Change::set(Field::End, Value::Time(time.end)),
            Change::text(Field::BusyStatus, time.status.clone()),
            zone(Field::StartZone),
            zone(Field::EndZone),
        ];
        changes.extend(time.location.as_deref().map(|place| Change::text(Field::Location, place)));
        let id = ItemRef { id: format!("{UPSTREAM}-{hash}"), version };
        Item::predicted(ItemClass::CalendarItem, None, id, &changes)
    };
    times.iter().map(item).collect()
}

fn hash(text: &str) -> String {
    Sha256::digest(text).iter().take(16).fold(String::new(), |mut hex, octet| {
        let _ = write!(hex, "{octet:02x}");
        hex
    })
}
