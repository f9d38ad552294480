//! DELETE of an object or a collection. RFC 4918 9.6

use crate::dav::error::Error;
use crate::dav::headers;
use crate::dav::path::ResourcePath;
use crate::dav::resource;
use crate::dav::session::Session;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

pub(in crate::dav) async fn delete(session: Session, place: &ResourcePath) -> Result<Response, Error> {
    match place {
        ResourcePath::Member(space, id, name) => {
            resource::collection(&session.mailbox, *space, id).await?;
            let others = headers::others(&session.headers);
            session.mailbox.delete(id, name, &session.conditions(place).await?, others).await?;
        }
        ResourcePath::Collection(space, id) => {
            resource::collection(&session.mailbox, *space, id).await?;
            session.conditions(place).await?.judge_untagged()?;
            session.mailbox.delete_collection(id).await?;
        }
        _ => return Err(Error::NotFound),
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
