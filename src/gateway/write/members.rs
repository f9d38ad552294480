//! Whom a group names: contacts of the folder by their UID, colleagues by their address.

use crate::convert::write;
use crate::gateway::{Error, Mailbox};
use crate::model::id::CollectionId;
use crate::model::item::Mailbox as Someone;
use crate::text::Component;
use futures_util::{StreamExt as _, stream};
use std::collections::HashMap;
use std::sync::Arc;

/// Addresses of one group that the directory is asked for.
const MAX_LOOKED_UP: usize = 50;

impl Mailbox {
    /// What is known of those whom a card names, by UID or `mailto:` URI in lower case.
    pub(super) async fn people_of(
        &self,
        id: &CollectionId,
        card: &[u8],
    ) -> Result<Arc<HashMap<String, Someone>>, Error> {
        let named = write::people_named(card);
        if named.is_empty() {
            return Ok(Arc::default());
        }
        let (addresses, uids): (Vec<String>, Vec<String>) =
            named.into_iter().partition(|name| name.starts_with("mailto:"));
        let mut people = self.contacts_with(id, uids).await?;
        // Whoever is of another organisation is not in the directory.
        let own: Vec<&str> =
            self.principal().addresses.iter().filter_map(|a| Some(a.rsplit_once('@')?.1)).collect();
        let is_colleague = |uri: &String| {
            uri.rsplit_once('@')
                .is_some_and(|(_, domain)| own.iter().any(|own| own.eq_ignore_ascii_case(domain)))
        };
        let wanted = addresses.into_iter().filter(|uri| is_colleague(uri));
        let found: Vec<(String, Result<_, Error>)> = stream::iter(wanted.take(MAX_LOOKED_UP))
            .map(|uri| async move {
                let person = self.person(uri.trim_start_matches("mailto:")).await;
                (uri, person)
            })
            .buffer_unordered(self.follower().session().concurrency())
            .collect()
            .await;
        for (uri, person) in found {
            let Some(person) = person? else { continue };
            let kind = if person.is_group { "PublicDL" } else { "Mailbox" };
            let someone = Someone {
                name: person.display_name,
                address: person.address,
                routing: "SMTP".to_owned(),
                kind: kind.to_owned(),
                item: None,
            };
            people.insert(uri, someone);
        }
        Ok(Arc::new(people))
    }

    /// The contacts of a folder that have these UIDs, in whatever spelling.
    pub(super) async fn contacts_with(
        &self,
        id: &CollectionId,
        uids: Vec<String>,
    ) -> Result<HashMap<String, Someone>, Error> {
        let key = id.clone();
        let found = self.mirror().run(move |mirror| {
            let mut found = HashMap::new();
            for uid in uids {
                let spellings = [uid.clone(), uid.to_lowercase(), uid.to_uppercase()];
                let spellings = spellings.iter().flat_map(|uid| [uid.clone(), format!("urn:uuid:{uid}")]);
                for spelling in spellings {
                    let Some(name) = mirror.with_uid(&key, &spelling)?.into_iter().next() else { continue };
                    let Some(entry) = mirror.entry(&key, &name)? else { continue };
                    found.insert(uid.to_lowercase(), someone(&entry.body, entry.upstream.0));
                    break;
                }
            }
            Ok(found)
        });
        Ok(found.await?)
    }
}

/// A contact or list as it stands in a list.
fn someone(card: &[u8], item: String) -> Someone {
    let card = Component::parse(card).unwrap_or_else(|_| Component::new("VCARD"));
    let name = card.line("FN").map(crate::text::Line::unescaped).unwrap_or_default();
    if write::is_group(&card) {
        return Someone {
            name,
            address: String::new(),
            routing: String::new(),
            kind: "PrivateDL".to_owned(),
            item: Some(item),
        };
    }
    let address = write::emails_of(&card).into_iter().next().unwrap_or_default();
    let routing = if address.is_empty() { String::new() } else { "SMTP".to_owned() };
    Someone { name, address, routing, kind: "Contact".to_owned(), item: Some(item) }
}
