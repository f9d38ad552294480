//! sync-collection. RFC 6578 3

use super::data;
use super::multiget::{write, write_one};
use crate::dav::error::Error;
use crate::dav::multistatus;
use crate::dav::names::webdav;
use crate::dav::precondition::Precondition;
use crate::dav::property::Wanted;
use crate::dav::resource::Resource;
use crate::dav::session::Session;
use crate::gateway::{self, Selected};
use crate::model::collection::CollectionKind;
use crate::model::id::{ForeignToken, ResourceName, SyncToken};
use crate::query::shape::Shape;
use crate::xml::Element;
use axum::response::Response;

pub(super) async fn answer(session: Session, resource: Resource, asked: &Element) -> Result<Response, Error> {
    let Resource::Collection(collection, token) = resource else { return Err(Error::NotFound) };
    let Request { since, limit } = Request::parse(asked)?;
    let wanted = Wanted::parse(asked)?;
    let bodies = data::parse(asked)?;
    let forgotten = || {
        // The quirk has its reason in the table of preconditions.
        let is_contacts = collection.kind == CollectionKind::AddressBook;
        let precondition = if is_contacts && session.is_thunderbird() {
            Precondition::SyncTokenOfThunderbirdContacts
        } else {
            Precondition::SyncToken
        };
        Error::Refused(precondition, gateway::Error::ForgottenToken.to_string())
    };
    let since = since.map_err(|ForeignToken| forgotten())?;
    let (mailbox, id) = (&session.mailbox, &collection.id);
    let changes = if limit.is_some() || session.goes_on(collection.kind) {
        mailbox.changes_in_parts(id, since, limit).await
    } else {
        mailbox.changes(id, since, limit).await
    };
    let changes = changes.map_err(|error| match error {
        gateway::Error::ForgottenToken => forgotten(),
        other => other.into(),
    })?;
    multistatus::answer(session.preferences, |mut out| async move {
        for name in &changes.removed {
            out.missing(&session.hrefs.member(&collection, name)).await?;
        }
        if bodies.shape == Shape::Nothing {
            for head in changes.changed {
                let selected = Selected { head, body: None, is_too_much: false };
                write_one(&mut out, &session, &collection, selected, &wanted, &bodies).await?;
            }
        } else {
            let names: Vec<ResourceName> = changes.changed.into_iter().map(|head| head.name).collect();
            write(&mut out, &session, &collection, &names, &wanted, &bodies).await?;
        }
        if changes.truncated {
            out.truncated(&Resource::Collection(collection, token).href(&session.hrefs));
        }
        out.sync_token(changes.token);
        Ok(out)
    })
    .await
}

/// What is asked: since when, and at most how much.
#[derive(Debug, PartialEq)]
struct Request {
    since: Result<Option<SyncToken>, ForeignToken>,
    limit: Option<usize>,
}

impl Request {
    fn parse(asked: &Element) -> Result<Self, Error> {
        let token = asked.child(&webdav::SYNC_TOKEN);
        let token = token.ok_or_else(|| Error::Invalid("sync-collection needs a sync-token".to_owned()))?;
        let token = token.text();
        let since = match token.trim() {
            "" => Ok(None),
            text => text.parse().map(Some),
        };
        // A collection here has no collections in it, so both levels mean the same.
        let level = asked.child(&webdav::SYNC_LEVEL).map(|level| level.text().trim().to_owned());
        if !matches!(level.as_deref(), None | Some("1" | "infinite")) {
            return Err(Error::Invalid("sync-level is 1 or infinite".to_owned()));
        }
        let limit = match asked.child(&webdav::LIMIT).and_then(|limit| limit.child(&webdav::NRESULTS)) {
            None => None,
            Some(results) => match results.text().trim().parse() {
                Ok(number) if number > 0 => Some(number),
                _ => return Err(Error::Invalid("nresults is a number above 0".to_owned())),
            },
        };
        Ok(Self { since, limit })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn parsed(inner: &str) -> Result<Request, Error> {
        let text = format!("<sync-collection xmlns='DAV:'>{inner}</sync-collection>");
        Request::parse(&Element::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn an_empty_token_asks_for_everything() {
        let request = parsed("<sync-token/><sync-level>1</sync-level>").unwrap();
        assert_eq!(request, Request { since: Ok(None), limit: None });
    }

    #[test]
    fn a_token_of_another_server_is_told_apart() {
        let request = parsed("<sync-token>http://sabre.io/ns/sync/4</sync-token>").unwrap();
        assert_eq!(request.since, Err(ForeignToken));
        let ours = SyncToken { epoch: 7, revision: 9 };
        let request =
            parsed(&format!("<sync-token> {ours}\n</sync-token><limit><nresults>5</nresults></limit>"));
        assert_eq!(request.unwrap(), Request { since: Ok(Some(ours)), limit: Some(5) });
    }

    #[test]
    fn a_request_without_sense_is_refused() {
        for inner in [
            "",
            "<sync-token/><sync-level>2</sync-level>",
            "<sync-token/><limit><nresults>0</nresults></limit>",
            "<sync-token/><limit><nresults>many</nresults></limit>",
        ] {
            assert!(parsed(inner).is_err(), "{inner}");
        }
    }
}
