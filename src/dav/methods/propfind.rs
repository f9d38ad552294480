//! PROPFIND. RFC 4918 9.1

use crate::dav::error::Error;
use crate::dav::headers::Depth;
use crate::dav::multistatus;
use crate::dav::names::webdav;
use crate::dav::path::ResourcePath;
use crate::dav::precondition::Precondition;
use crate::dav::property::Wanted;
use crate::dav::resource::Resource;
use crate::dav::session::Session;
use crate::xml::Element;
use axum::response::Response;

pub(in crate::dav) async fn propfind(
    session: Session,
    place: &ResourcePath,
    body: &[u8],
) -> Result<Response, Error> {
    let depth = Depth::of(&session.headers)?;
    if depth == Depth::Infinity {
        let text = "ask with Depth 0 or 1: whole trees are not listed".to_owned();
        return Err(Error::Refused(Precondition::FiniteDepth, text));
    }
    let wanted = parse(body)?;
    let tokens = wanted.tokens();
    let root = Resource::find(&session.mailbox, place, tokens).await?;
    let children = match depth {
        Depth::One => root.children(&session.mailbox, tokens).await?,
        Depth::Zero | Depth::Infinity => Vec::new(),
    };
    multistatus::answer(session.preferences, |mut out| async move {
        if !(session.preferences.no_root && depth == Depth::One) {
            out.resource(&session.scene(&root), &wanted, None).await?;
        }
        for child in &children {
            out.resource(&session.scene(child), &wanted, None).await?;
        }
        Ok(out)
    })
    .await
}

/// No body at all means `allprop`.
fn parse(body: &[u8]) -> Result<Wanted, Error> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Wanted::All(Vec::new()));
    }
    let propfind = Element::parse(body)?;
    if !propfind.is(&webdav::PROPFIND) {
        return Err(Error::Invalid(format!("the body is {}, not a propfind", propfind.name())));
    }
    let kinds = [&webdav::PROP, &webdav::ALLPROP, &webdav::PROPNAME];
    if kinds.iter().filter(|kind| propfind.child(kind).is_some()).count() != 1 {
        return Err(Error::Invalid("a propfind has one of prop, allprop and propname".to_owned()));
    }
    Wanted::parse(&propfind)
}
