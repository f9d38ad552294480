//! Items that Outlook copied: with them it copied what they are called by, and two objects of one UID must not be seen.
//!
//! Single occurrences of one series are no copies of each other: see `mirror/parts.rs`.

use super::fetch::entry;
use super::follower::{Error, Follower};
use crate::convert;
use crate::convert::write::class_of;
use crate::mirror::Folder;
use crate::model::id::UpstreamId;
use crate::model::item::{Field, Item, ItemClass};
use std::collections::HashSet;

/// UIDs of one refresh that are looked into.
const MAX_UIDS: usize = 50;

impl Follower {
    /// Of several items of one UID the oldest has it, on every gateway; the others are staged as objects of their own.
    ///
    /// Events that Outlook copies get a UID of their own from Exchange. Others do not: events that another program copied.
    /// A series has its UID whatever else does. Without it all its single occurrences have it, each once.
    pub(super) async fn resolve_duplicate_uids(
        &self,
        folder: &Folder,
        gone: &HashSet<UpstreamId>,
    ) -> Result<(), Error> {
        let kind = folder.collection.kind;
        let id = folder.collection.id.clone();
        let (key, lost) = (id.clone(), gone.clone());
        let twins = self.mirror().run(move |mirror| mirror.twins(&key, &lost)).await?;
        for twins in twins.into_iter().take(MAX_UIDS) {
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
            found.sort_by_key(|(item, _)| {
                (item.recurrence().is_none(), item.time(Field::Created), item.id.id.clone())
            });
            let context = self.context_for(&id, &found).await?;
            let (key, session) = (id.clone(), self.session());
            self.mirror()
                .run(move |mirror| {
                    let single = |item: &Item| convert::single_occurrence(&context, item);
                    let are_single = found.first().is_some_and(|(first, _)| single(first).is_some());
                    let (mut originals, mut entries) = (HashSet::new(), Vec::new());
                    for (at, (item, related)) in found.iter().enumerate() {
                        let original = single(item).filter(|_| are_single);
                        let is_copy = match original {
                            Some(original) => !originals.insert(original),
                            None => at > 0,
                        };
                        let render = if is_copy { convert::render_copy } else { convert::render };
                        if let Ok(rendered) = render(&context, item, related) {
                            entries.push(entry(&session, &context, item, related, rendered));
                        }
                    }
                    mirror.stage(&key, &entries)
                })
                .await?;
        }
        Ok(())
    }
}
