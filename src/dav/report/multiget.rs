//! calendar-multiget and addressbook-multiget. RFC 4791 7.9, RFC 6352 8.7

use super::data::{self, Bodies};
use crate::dav::error::Error;
use crate::dav::multistatus::{self, Multistatus};
use crate::dav::names::webdav;
use crate::dav::path::{ResourcePath, Space, Target};
use crate::dav::precondition::Precondition;
use crate::dav::property::Wanted;
use crate::dav::resource::Resource;
use crate::dav::session::Session;
use crate::gateway::Selected;
use crate::model::collection::Collection;
use crate::model::id::ResourceName;
use crate::query::shape::Shape;
use crate::xml::Element;
use axum::response::Response;
use std::sync::Arc;

/// Members whose bodies are in memory at the same time.
const BATCH: usize = 64;

pub(super) async fn answer(session: Session, resource: Resource, asked: &Element) -> Result<Response, Error> {
    let (collection, only) = match resource {
        Resource::Collection(collection, _) => (collection, None),
        // Of a member nothing but itself can be asked. RFC 4791 7.9
        Resource::Member(collection, head) => (collection, Some(head.name)),
        _ => return Err(Error::NotFound),
    };
    let wanted = Wanted::parse(asked)?;
    let bodies = data::parse(asked)?;
    let hrefs: Vec<String> = asked
        .children()
        .filter(|child| child.is(&webdav::HREF))
        .map(|href| href.text().into_owned())
        .collect();
    multistatus::answer(session.preferences, |mut out| async move {
        for batch in hrefs.chunks(BATCH) {
            let mut names = Vec::new();
            for href in batch {
                match member(&session, &collection, href)
                    .filter(|name| only.as_ref().is_none_or(|own| own == name))
                {
                    Some(name) => names.push(name),
                    // Of an href elsewhere nothing is said but that it is not a member of this collection.
                    None => out.missing(href.trim()).await?,
                }
            }
            write(&mut out, &session, &collection, &names, &wanted, &bodies).await?;
        }
        Ok(out)
    })
    .await
}

/// The name by which an href means a member of this collection.
fn member(session: &Session, collection: &Collection, href: &str) -> Option<ResourceName> {
    match Target::of_href(href).of_user(session.mailbox.principal())? {
        ResourcePath::Member(space, id, name)
            if id.segment() == collection.id.segment() && space == Space::of(collection.kind) =>
        {
            Some(name)
        }
        _ => None,
    }
}

/// Writes members by name with what is wanted of them; those that are not there as 404.
pub(super) async fn write(
    out: &mut Multistatus,
    session: &Session,
    collection: &Arc<Collection>,
    names: &[ResourceName],
    wanted: &Wanted,
    bodies: &Bodies,
) -> Result<(), Error> {
    let mut rest = names;
    while !rest.is_empty() {
        let next = rest.get(..BATCH).unwrap_or(rest);
        let (number, octets) = session.mailbox.weigh(&collection.id, next, &bodies.shape).await?;
        out.make_room(&session.budget, octets).await?;
        let batch = rest.get(..number).unwrap_or(rest);
        let found =
            session.mailbox.multiget(&collection.id, batch, &bodies.shape, bodies.zone.clone()).await?;
        rest = rest.get(found.len()..).unwrap_or_default();
        for (name, selected) in batch.iter().zip(found) {
            match selected {
                Some(selected) => write_one(out, session, collection, selected, wanted, bodies).await?,
                None => out.missing(&session.hrefs.member(collection, name)).await?,
            }
        }
    }
    Ok(())
}

pub(super) async fn write_one(
    out: &mut Multistatus,
    session: &Session,
    collection: &Arc<Collection>,
    selected: Selected,
    wanted: &Wanted,
    bodies: &Bodies,
) -> Result<(), Error> {
    let Selected { head, body, is_too_much } = selected;
    if is_too_much {
        return out.refused(&session.hrefs.member(collection, &head.name), Precondition::MaxInstances).await;
    }
    let member = Resource::Member(Arc::clone(collection), head);
    let body = bodies.name.zip(body.as_deref()).filter(|_| bodies.shape != Shape::Nothing);
    out.resource(&session.scene(&member), wanted, body).await
}
