//! A mailbox that may be opened: its mirror, how it is translated, and who follows it.

use super::error::Error;
use super::{Gateway, Mailbox, Principal};
use crate::convert::{self, Privacy};
use crate::mirror::Key;
use crate::model::id::{CollectionId, ResourceName, login_segment};
use crate::sync::Grant;
use crate::sync::{self, Follower};
use crate::upstream;
use jiff::Timestamp;
use std::sync::Arc;

/// With whose rights a mailbox is opened.
pub(super) enum AccessMode {
    /// Its owner's, who has these addresses.
    Own { addresses: Vec<String> },
    /// Those of a guest, who is granted that.
    Visit { guest: Mailbox, grant: Grant },
}

impl Gateway {
    /// Whether nothing is known yet of somebody's own mailbox.
    pub(super) fn is_new(&self, login: &str, address: &str) -> bool {
        !self.0.store.has(&self.key(login, address))
    }

    /// Of somebody's own mailbox.
    fn key(&self, login: &str, address: &str) -> Key {
        Key {
            upstream: self.0.upstream.name().to_owned(),
            mailbox: address.to_owned(),
            accessor: login.to_owned(),
        }
    }

    /// Puts it together. Exchange has accepted the session.
    pub(super) async fn open(
        &self,
        login: &str,
        address: &str,
        session: upstream::Session,
        way: AccessMode,
    ) -> Result<Mailbox, Error> {
        let inner = &self.0;
        let addresses = match &way {
            AccessMode::Own { addresses } => addresses.clone(),
            AccessMode::Visit { .. } => vec![address.to_owned()],
        };
        // What is rendered depends on them. Where the login is the only one, the text is that of before.
        let others = if addresses == [address] { String::new() } else { format!(" {}", addresses.join(" ")) };
        let principal = principal(login, addresses);
        let (accessor, privacy) = match &way {
            AccessMode::Own { .. } => (login.to_owned(), Privacy::Shown),
            // No login has a zero octet in it.
            AccessMode::Visit { guest, grant: Grant { privacy, is_limited } } => {
                let limit = if *is_limited { "\0Limited" } else { "" };
                (format!("{}\0{privacy:?}{limit}", guest.principal().segment), *privacy)
            }
        };
        let key = self.key(&accessor, address);
        let capabilities = session.capabilities();
        let rendering = format!(
            "{}.{} {:?} {} {}{}{others}",
            convert::RENDERING_VERSION,
            convert::RENDERING_REVISION,
            inner.convert,
            inner.zone,
            inner.settings.public_url,
            // What was fetched before in shapes for Exchange lacks what such a server shows only when asked otherwise.
            if capabilities.gives_dictionaries { "" } else { " by entries" },
        );
        let store = Arc::clone(&inner.store);
        let mirror = tokio::task::spawn_blocking(move || store.open(&key, &rendering))
            .await
            .map_err(|error| Error::Internal(error.to_string(), None))??;
        let context = convert::Context {
            people: Arc::default(),
            addresses: principal.addresses.clone().into(),
            zone: Arc::clone(&inner.zone),
            attachment_url: None,
            directory: Arc::default(),
            contents: Arc::default(),
            privacy,
            elsewhere: Arc::default(),
            now: Timestamp::UNIX_EPOCH,
            capabilities,
            settings: inner.convert,
        };
        let links = (!inner.settings.public_url.is_empty()).then(|| {
            let (base, segment) =
                (inner.settings.public_url.trim_end_matches('/').to_owned(), principal.segment.clone());
            let path = inner.links;
            let make = move |id: &CollectionId, name: &ResourceName, managed: &str| {
                format!("{base}{}", path(&segment, id, name, managed))
            };
            Arc::new(make) as sync::Links
        });
        let shared = match &way {
            AccessMode::Own { .. } => None,
            AccessMode::Visit { grant, .. } => {
                Some(sync::Shared { owner: address.to_owned(), grant: *grant })
            }
        };
        let follower =
            Follower::new(session, mirror, context, links, shared, inner.sync.clone(), inner.live.clone());
        let attachments = inner.settings.public_url.as_str();
        let mailbox = Mailbox::new(
            principal,
            follower,
            attachments,
            Arc::clone(&inner.zone),
            inner.work.clone(),
            &way,
            Arc::clone(&inner.write_locks),
        );
        mailbox.expect_unsettled();
        Ok(mailbox)
    }
}

fn principal(login: &str, addresses: Vec<String>) -> Principal {
    let login = login.to_ascii_lowercase();
    // DOMAIN\user has no address that could be guessed.
    let address = addresses.first().unwrap_or(&login).clone();
    let display_name = login.split('@').next().unwrap_or(&login).to_owned();
    Principal { segment: login_segment(&login), addresses, address, display_name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_one_to_one_with_logins() {
        assert_eq!(login_segment("demo@example.com"), "demo~40example.com");
        assert_eq!(login_segment("corp\\jörg~x"), "corp~5Cj~C3~B6rg~7Ex");
    }
}
