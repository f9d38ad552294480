//! addressbook-query and addressbook-multiget of the directory. RFC 6352 8.6, 8.7

use super::data::{self, Bodies};
use super::filter;
use super::query::limit;
use crate::dav::error::Error;
use crate::dav::multistatus::{self, Multistatus};
use crate::dav::names::webdav;
use crate::dav::path::{ResourcePath, Target};
use crate::dav::property::Wanted;
use crate::dav::resource::Resource;
use crate::dav::session::Session;
use crate::gateway::Selected;
use crate::model::id::ResourceName;
use crate::query::shape::Shape;
use crate::xml::Element;
use axum::response::Response;

pub(super) async fn query(session: Session, asked: &Element) -> Result<Response, Error> {
    let filter = filter::card(asked)?;
    let wanted = Wanted::parse(asked)?;
    let bodies = data::parse(asked)?;
    let found = session.mailbox.search_directory(&filter, &bodies.shape, limit(asked)?).await?;
    multistatus::answer(session.preferences, |mut out| async move {
        for member in found.members {
            write(&mut out, &session, member, &wanted, &bodies).await?;
        }
        if found.truncated {
            out.truncated(&session.hrefs.directory());
        }
        Ok(out)
    })
    .await
}

pub(super) async fn multiget(session: Session, asked: &Element) -> Result<Response, Error> {
    let wanted = Wanted::parse(asked)?;
    let bodies = data::parse(asked)?;
    let hrefs: Vec<String> = asked
        .children()
        .filter(|child| child.is(&webdav::HREF))
        .map(|href| href.text().trim().to_owned())
        .collect();
    let names: Vec<Option<ResourceName>> = hrefs
        .iter()
        .map(|href| match Target::of_href(href).of_user(session.mailbox.principal()) {
            Some(ResourcePath::Entry(name)) => Some(name),
            _ => None,
        })
        .collect();
    let known: Vec<ResourceName> = names.iter().flatten().cloned().collect();
    if known.len() > MAX_HREFS {
        return Err(Error::Invalid(format!("at most {MAX_HREFS} people of the directory are told at once")));
    }
    let mut found = session.mailbox.directory_multiget(&known, &bodies.shape).await?.into_iter();
    multistatus::answer(session.preferences, |mut out| async move {
        for (href, name) in hrefs.iter().zip(names) {
            match name.and_then(|_| found.next().flatten()) {
                Some(member) => write(&mut out, &session, member, &wanted, &bodies).await?,
                None => out.missing(href).await?,
            }
        }
        Ok(out)
    })
    .await
}

/// Each of them may cost a look-up.
const MAX_HREFS: usize = 200;

async fn write(
    out: &mut Multistatus,
    session: &Session,
    member: Selected,
    wanted: &Wanted,
    bodies: &Bodies,
) -> Result<(), Error> {
    let Selected { head, body, .. } = member;
    let body = bodies.name.zip(body.as_deref()).filter(|_| bodies.shape != Shape::Nothing);
    out.resource(&session.scene(&Resource::Entry(head)), wanted, body).await
}
