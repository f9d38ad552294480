//! calendar-query and addressbook-query. RFC 4791 7.8, RFC 6352 8.6

use super::data;
use super::filter;
use super::multiget::write_one;
use crate::dav::error::Error;
use crate::dav::multistatus;
use crate::dav::names::carddav;
use crate::dav::property::Wanted;
use crate::dav::resource::Resource;
use crate::dav::session::Session;
use crate::model::collection::CollectionKind;
use crate::query::filter::Filter;
use crate::xml::Element;
use axum::response::Response;

pub(super) async fn answer(session: Session, resource: Resource, asked: &Element) -> Result<Response, Error> {
    let (collection, token, only) = match resource {
        Resource::Collection(collection, token) => (collection, token, None),
        // RFC 4791 7, RFC 6352 8: object resources have these reports, too.
        Resource::Member(collection, head) => (collection, None, Some(head.name)),
        _ => return Err(Error::NotFound),
    };
    let filter = match collection.kind {
        CollectionKind::Calendar | CollectionKind::Tasks => Filter::Calendar(filter::calendar(asked)?),
        CollectionKind::AddressBook => Filter::Card(filter::card(asked)?),
    };
    let wanted = Wanted::parse(asked)?;
    let bodies = data::parse(asked)?;
    let limit = limit(asked)?;
    let mut search = session.mailbox.search(&collection.id, filter, bodies.shape.clone()).await?;
    if let Some(name) = &only {
        search = search.only(name);
    }
    multistatus::answer(session.preferences, |mut out| async move {
        let mut rest = limit.unwrap_or(usize::MAX);
        loop {
            let octets = search.weigh().await?;
            out.make_room(&session.budget, octets).await?;
            let Some(found) = search.next().await? else { break };
            for selected in found {
                if rest == 0 {
                    out.truncated(&Resource::Collection(collection, token).href(&session.hrefs));
                    return Ok(out);
                }
                rest -= 1;
                write_one(&mut out, &session, &collection, selected, &wanted, &bodies).await?;
            }
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
