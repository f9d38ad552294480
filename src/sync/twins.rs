//! Items that Outlook copied: with them it copied what they are called by, and two objects of one UID must not be seen.

use super::fetch::entry;
use super::follower::{Error, Follower};
use crate::convert;
use crate::convert::write::class_of;
use crate::ews::types::{Item, ItemClass};
use crate::mirror::Folder;
use crate::model::id::UpstreamId;
use std::collections::HashSet;

/// UIDs of one refresh that are looked into.
const MOST: usize = 50;

impl Follower {
    /// Of several items of one UID the oldest has it, on every gateway; the others are staged as objects of their own.
    ///
    /// Events that Outlook copies get a UID of their own from Exchange. Others do not: invitations to several single
    /// occurrences of one series, and events that another program copied.
    pub(super) async fn part_twins(&self, folder: &Folder, gone: &HashSet<UpstreamId>) -> Result<(), Error> {
        let kind = folder.collection.kind;
        let id = folder.collection.id.clone();
        let (key, lost) = (id.clone(), gone.clone());
        let twins = self.mirror().run(move |mirror| mirror.twins(&key, &lost)).await?;
        for twins in twins.into_iter().take(MOST) {
            let mut found = Vec::new();
            for entry in twins {
                let class = class_of(kind, &entry.body);
                if let Some((item, mut related)) = self.fetch_one(class, &entry.upstream.0).await? {
                    if class == ItemClass::DistributionList {
                        related.uids = self.uids(&id).await?;
                    }
                    found.push((item, related));
                }
            }
            found.sort_by_key(|(item, _)| (item.time("DateTimeCreated"), item.id.id.clone()));
            let copies: Vec<(Item, convert::Related)> = found.into_iter().skip(1).collect();
            let context = self.context_for(&id, &copies).await?;
            let key = id.clone();
            self.mirror()
                .run(move |mirror| {
                    let entries: Vec<_> = copies
                        .iter()
                        .filter_map(|(item, related)| {
                            let rendered = convert::render_copy(&context, item, related).ok()?;
                            Some(entry(&context, item, related, rendered))
                        })
                        .collect();
                    mirror.stage(&key, &entries)
                })
                .await?;
        }
        Ok(())
    }
}
