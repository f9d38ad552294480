//! PROPPATCH: all changes or none. RFC 4918 9.2

use crate::dav::change::{self, Asked};
use crate::dav::error::Error;
use crate::dav::kinds::Kinds;
use crate::dav::multistatus;
use crate::dav::names::webdav;
use crate::dav::path::ResourcePath;
use crate::dav::resource::{Resource, Tokens};
use crate::dav::session::Session;
use crate::gateway;
use crate::gateway::write::CollectionChange;
use crate::xml::{Element, Name};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

const DONE: &str = "HTTP/1.1 200 OK";
const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden";
const WRONG: &str = "HTTP/1.1 409 Conflict";
const BECAUSE_OF_OTHERS: &str = "HTTP/1.1 424 Failed Dependency";

pub(in crate::dav) async fn proppatch(
    session: Session,
    place: &ResourcePath,
    body: &[u8],
) -> Result<Response, Error> {
    let request = Element::parse(body)?;
    if !request.is(&webdav::PROPERTYUPDATE) {
        return Err(Error::Invalid(format!("the body is {}, not a propertyupdate", request.name())));
    }
    let asked = change::parse(&request);
    let resource = Resource::find(&session.mailbox, place, Tokens::Unwanted).await?;
    let conditions = session.conditions(place).await?;
    match &resource {
        Resource::Member(_, head) => conditions.judge(Some(head))?,
        _ => conditions.judge_untagged()?,
    }
    let outcomes = outcomes(&session, &resource, &asked).await?;
    let done = outcomes.iter().all(|status| *status == DONE);
    // RFC 8144 2.2
    if done && session.preferences.minimal {
        let applied = [("preference-applied", HeaderValue::from_static("return=minimal"))];
        return Ok((StatusCode::NO_CONTENT, applied).into_response());
    }
    let response = response(&resource.href(&session.hrefs), &asked, &outcomes);
    multistatus::answer(session.preferences, |mut out| async move {
        out.element(&response);
        Ok(out)
    })
    .await
}

/// One status for each property, in order.
async fn outcomes(
    session: &Session,
    resource: &Resource,
    asked: &[Asked],
) -> Result<Vec<&'static str>, Error> {
    let kinds = Kinds::of(resource);
    let mut changes: Vec<CollectionChange> = Vec::new();
    let mut outcomes = Vec::new();
    for property in asked {
        outcomes.push(match property.change(kinds) {
            None => FORBIDDEN,
            Some(Err(_)) => WRONG,
            Some(Ok(change)) => {
                changes.push(change);
                DONE
            }
        });
    }
    let refused = match resource {
        Resource::Collection(collection, _) if outcomes.iter().all(|status| *status == DONE) => {
            match session.mailbox.change_collection(&collection.id, &changes).await {
                Ok(()) => return Ok(outcomes),
                Err(gateway::Error::Denied(_)) => FORBIDDEN,
                Err(other) => return Err(other.into()),
            }
        }
        _ => BECAUSE_OF_OTHERS,
    };
    Ok(outcomes.into_iter().map(|status| if status == DONE { refused } else { status }).collect())
}

fn response(href: &str, asked: &[Asked], outcomes: &[&str]) -> Element {
    let leaf = |name: &Name, text: &str| Element::new(name.clone()).with_text(text);
    let mut response = Element::new(webdav::RESPONSE.clone()).with_child(leaf(&webdav::HREF, href));
    for status in [DONE, FORBIDDEN, WRONG, BECAUSE_OF_OTHERS] {
        let these: Vec<&Asked> = asked
            .iter()
            .zip(outcomes)
            .filter(|(_, outcome)| **outcome == status)
            .map(|(asked, _)| asked)
            .collect();
        if these.is_empty() {
            continue;
        }
        let empty = |prop: Element, asked: &&Asked| prop.with_child(Element::new(asked.name.clone()));
        let prop = these.iter().fold(Element::new(webdav::PROP.clone()), empty);
        let mut propstat =
            Element::new(webdav::PROPSTAT.clone()).with_child(prop).with_child(leaf(&webdav::STATUS, status));
        if status == FORBIDDEN {
            let protected = Element::new(webdav::CANNOT_MODIFY_PROTECTED_PROPERTY.clone());
            propstat = propstat.with_child(Element::new(webdav::ERROR.clone()).with_child(protected));
        }
        response = response.with_child(propstat);
    }
    response
}
