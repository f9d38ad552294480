//! calendar-query and addressbook-query. RFC 4791 7.8, RFC 6352 8.6

use super::data;
use super::filter;
use super::multiget::{write, write_one};
use crate::dav::error::Error;
use crate::dav::multistatus;
use crate::dav::names::carddav;
use crate::dav::precondition::Precondition;
use crate::dav::property::Wanted;
use crate::dav::resource::Resource;
use crate::dav::session::Session;
use crate::gateway::{self, Selected};
use crate::model::collection::CollectionKind;
use crate::model::id::ResourceName;
use crate::query::filter::Filter;
use crate::query::shape::Shape;
use crate::xml::Element;
use axum::response::Response;

pub(super) async fn answer(session: Session, resource: Resource, asked: &Element) -> Result<Response, Error> {
    let Resource::Collection(collection, token) = resource else { return Err(Error::NotFound) };
    let filter = match collection.kind {
        CollectionKind::Calendar | CollectionKind::Tasks => Filter::Calendar(filter::calendar(asked)?),
        CollectionKind::AddressBook => Filter::Card(filter::card(asked)?),
    };
    let wanted = Wanted::parse(asked)?;
    let bodies = data::parse(asked)?;
    let limit = limit(asked)?;
    // Names first, bodies in batches after them: the memory of an answer does not grow with its length.
    let matches = session.mailbox.query(&collection.id, &filter, &Shape::Nothing, limit).await;
    let matches = matches.map_err(|error| match (error, &filter) {
        (gateway::Error::InvalidFilter(text), Filter::Card(_)) => {
            Error::Refused(Precondition::CardFilter, text)
        }
        (other, _) => other.into(),
    })?;
    multistatus::answer(session.preferences, |mut out| async move {
        if bodies.shape == Shape::Nothing {
            for head in matches.members.into_iter().map(|selected| selected.head) {
                let selected = Selected { head, body: None };
                write_one(&mut out, &session, &collection, selected, &wanted, &bodies).await?;
            }
        } else {
            let names: Vec<ResourceName> = matches.members.into_iter().map(|s| s.head.name).collect();
            write(&mut out, &session, &collection, &names, &wanted, &bodies).await?;
        }
        if matches.truncated {
            let href = Resource::Collection(collection, token).href(&session.hrefs);
            out.truncated(&href);
        }
        Ok(out)
    })
    .await
}

/// `CARDDAV:limit`. RFC 6352 10.6
pub(super) fn limit(asked: &Element) -> Result<Option<usize>, Error> {
    let Some(results) = asked.child(&carddav::LIMIT).and_then(|limit| limit.child(&carddav::NRESULTS)) else {
        return Ok(None);
    };
    let number = results.text().trim().parse();
    number.map(Some).map_err(|_| Error::Invalid("nresults is a number".to_owned()))
}
