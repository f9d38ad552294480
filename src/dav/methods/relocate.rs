//! MOVE and COPY of an object. RFC 4918 9.8, 9.9

use super::put;
use crate::dav::error::Error;
use crate::dav::headers;
use crate::dav::path::{ResourcePath, Target};
use crate::dav::resource;
use crate::dav::session::Session;
use crate::gateway::write::{Overwrite, Relocation};
use axum::response::Response;

pub(in crate::dav) async fn relocate(
    session: Session,
    place: &ResourcePath,
    how: Relocation,
) -> Result<Response, Error> {
    let ResourcePath::Member(space, id, name) = place else { return Err(Error::NotFound) };
    let ResourcePath::Member(to_space, to_id, to_name) =
        resource::resolved(&session.mailbox, destination(&session)?).await
    else {
        return Err(Error::Forbidden("an object can only go to a name in a collection".to_owned()));
    };
    if to_space != *space {
        return Err(Error::Forbidden("a contact cannot become an event, nor an event a contact".to_owned()));
    }
    if (&to_id, &to_name) == (id, name) {
        return Err(Error::Forbidden("source and destination are the same".to_owned()));
    }
    resource::collection(&session.mailbox, *space, id).await?;
    session.parent(to_space, &to_id).await?;
    let overwrite = match headers::text(&session.headers, "overwrite") {
        Some(flag) if flag.eq_ignore_ascii_case("f") => Overwrite::Forbidden,
        _ => Overwrite::Allowed,
    };
    let conditions = session.conditions(place).await?;
    let written = session.mailbox.relocate(how, (id, name), (&to_id, &to_name), overwrite, &conditions).await;
    let written = written.map_err(|error| put::unstorable(&session, to_space, &to_id, error))?;
    Ok(put::answer(&session, to_space, &to_id, &to_name, &written))
}

/// `Destination`: a URL or a path of this user. RFC 4918 10.3
fn destination(session: &Session) -> Result<ResourcePath, Error> {
    let href = headers::text(&session.headers, "destination");
    let href = href.ok_or_else(|| Error::Invalid("Destination is missing".to_owned()))?;
    let place = Target::of_href(href).of_user(session.mailbox.principal());
    place.ok_or_else(|| Error::Forbidden("the destination is not a place of yours".to_owned()))
}
