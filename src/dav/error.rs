//! The place where errors become HTTP.

use super::kinds::Kinds;
use super::methods;
use super::names::{PREFIXES, exdav, webdav};
use super::path::Space;
use super::precondition::{self, Precondition};
use crate::gateway;
use crate::gateway::error::SOON;
use crate::model::refusal::Refusal;
use crate::xml::{self, Element, Name, Writer};
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use std::time::Duration;

/// Why a request is not answered as asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Gateway(#[from] gateway::Error),
    /// A precondition with a name, and what a person should know.
    #[error("{1}")]
    Refused(Precondition, String),
    #[error("the request is not valid: {0}")]
    Invalid(String),
    #[error("the body is not readable: {0}")]
    Xml(#[from] xml::Error),
    #[error("there is no such resource")]
    NotFound,
    #[error("{0}")]
    Forbidden(String),
    #[error("there is no such collection to put it into: make it first")]
    NoParent,
    #[error("this method is not for this resource")]
    NotAllowed(Kinds),
    #[error("the resource has changed: its entity tag is not the one that the request asks for")]
    Changed,
    /// An object that cannot be stored, where, and what it is in conflict with.
    #[error("{0}")]
    Unstorable(Refusal, Space, Option<String>),
    #[error("the body is larger than {0} octets")]
    TooLarge(usize),
    #[error("the body did not arrive in time or was cut off")]
    Incomplete,
    #[error("the body is sent in an encoding that is not understood here: send it plain")]
    Encoding,
    /// Others of this user's large requests have all the memory that there is for them.
    #[error("too many large requests are under way at once: try again later")]
    Busy,
    /// The answer would be larger than an answer may be. RFC 4791 7.8
    #[error("the answer would be too large: ask for a shorter time or for less of each member")]
    TooMuch,
    #[error("the body is announced as {0}, but XML is read here: send application/xml")]
    MediaType(String),
    /// Nobody reads the answer any more.
    #[error("the client is gone")]
    ClientGone,
}

/// When to come back if an administrator must act first, in seconds.
const BARRED: u64 = 300;

/// When to come back if memory is short, in seconds.
const BUSY: u64 = 5;

impl Error {
    fn status(&self) -> StatusCode {
        match self {
            Self::Gateway(error) => match error {
                gateway::Error::SignIn => StatusCode::UNAUTHORIZED,
                gateway::Error::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
                gateway::Error::Denied(_) => Precondition::NeedPrivileges.row().1,
                gateway::Error::NotFound => StatusCode::NOT_FOUND,
                gateway::Error::ForgottenToken => Precondition::SyncToken.row().1,
                gateway::Error::Changed => StatusCode::PRECONDITION_FAILED,
                gateway::Error::Refused(_) => StatusCode::FORBIDDEN,
                gateway::Error::Exists => Precondition::MustBeNew.row().1,
                gateway::Error::Full => Precondition::Quota.row().1,
                gateway::Error::Unavailable { .. }
                | gateway::Error::Filling(_)
                | gateway::Error::Store { .. }
                | gateway::Error::Barred(_) => StatusCode::SERVICE_UNAVAILABLE,
                // RFC 9110 15.6.2
                gateway::Error::Unsupported(_) => StatusCode::NOT_IMPLEMENTED,
                gateway::Error::Internal(..) => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Refused(precondition, _) => precondition.row().1,
            Self::Invalid(_) | Self::Xml(_) => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NoParent => StatusCode::CONFLICT,
            Self::NotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unstorable(..) => StatusCode::FORBIDDEN,
            Self::Changed => StatusCode::PRECONDITION_FAILED,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooMuch => Precondition::NumberOfMatches.row().1,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Incomplete | Self::ClientGone => StatusCode::REQUEST_TIMEOUT,
            Self::Encoding | Self::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    /// What stands in `DAV:error`.
    fn element(&self) -> Option<Element> {
        let precondition = match self {
            Self::Refused(precondition, _) => *precondition,
            Self::TooMuch => Precondition::NumberOfMatches,
            Self::Unstorable(refusal, space, href) => {
                return Some(unstorable(refusal, *space, href.as_deref()));
            }
            Self::Gateway(error) => match error {
                gateway::Error::Refused(refusal) => return Some(unstorable(refusal, Space::Calendars, None)),
                gateway::Error::Denied(_) => Precondition::NeedPrivileges,
                gateway::Error::ForgottenToken => Precondition::SyncToken,
                gateway::Error::Exists => Precondition::MustBeNew,
                gateway::Error::Full => Precondition::Quota,
                _ => return None,
            },
            _ => return None,
        };
        Some(Element::new(precondition.row().0.clone()))
    }

    /// A fault of ours goes to the log with its causes; the client learns only that there was one.
    fn text(&self) -> String {
        match self {
            Self::Gateway(error @ gateway::Error::Internal(..)) => {
                let mut causes = error.to_string();
                let mut next = std::error::Error::source(error);
                while let Some(cause) = next {
                    causes = format!("{causes}: {cause}");
                    next = cause.source();
                }
                tracing::error!("{causes}");
                "exdav failed; its log says why".to_owned()
            }
            Self::Gateway(error @ (gateway::Error::Unavailable { .. } | gateway::Error::Store { .. })) => {
                tracing::warn!("{error}");
                error.to_string()
            }
            other => other.to_string(),
        }
    }
}

/// With the part that it is about, and the resource that is in the way. RFC 4791 5.3.2.1
fn unstorable(refusal: &Refusal, space: Space, href: Option<&str>) -> Element {
    let name = precondition::unstorable(&refusal.reason, space);
    let leaf = |name: &Name, text: &str| Element::new(name.clone()).with_text(text);
    let mut element = Element::new(name.clone());
    if let Some(href) = href {
        element = element.with_child(leaf(&webdav::HREF, href));
    }
    // The elements of the standards are defined as empty, ours are not.
    if name.namespace() == exdav::NAMESPACE {
        if let Some(part) = &refusal.part {
            element = element.with_child(leaf(&exdav::PART, part));
        }
        element = element.with_child(leaf(&exdav::REASON, &refusal.text));
    }
    element
}

/// Seconds, at least one. RFC 9110 10.2.3
fn seconds(duration: Duration) -> u64 {
    duration.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX)
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let text = self.text();
        let mut response = match self.element() {
            Some(element) => {
                let mut writer = Writer::new(PREFIXES);
                writer.open(&webdav::ERROR).element(&element);
                writer.leaf(&webdav::RESPONSEDESCRIPTION, &text).close();
                (self.status(), xml_type(), writer.finish()).into_response()
            }
            None => {
                let plain = [(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))];
                (self.status(), plain, format!("{text}\n")).into_response()
            }
        };
        let mut set = |name: HeaderName, value: HeaderValue| {
            response.headers_mut().insert(name, value);
        };
        match &self {
            Self::Gateway(gateway::Error::SignIn) => {
                let challenge = HeaderValue::from_static("Basic realm=\"exdav\", charset=\"UTF-8\"");
                set(WWW_AUTHENTICATE, challenge);
            }
            // RFC 6585 4
            Self::Gateway(
                gateway::Error::Unavailable { retry_after, .. }
                | gateway::Error::Store { retry_after, .. }
                | gateway::Error::TooMany { retry_after },
            ) => {
                set(RETRY_AFTER, HeaderValue::from(seconds(*retry_after)));
            }
            Self::Gateway(gateway::Error::Filling(_)) => set(RETRY_AFTER, HeaderValue::from(SOON.as_secs())),
            Self::Busy => set(RETRY_AFTER, HeaderValue::from(BUSY)),
            Self::Gateway(gateway::Error::Barred(_)) => set(RETRY_AFTER, HeaderValue::from(BARRED)),
            Self::NotAllowed(kinds) => set(ALLOW, methods::allow(*kinds)),
            _ => {}
        }
        response
    }
}

/// The media type of all XML answers.
pub(super) fn xml_type() -> [(HeaderName, HeaderValue); 1] {
    [(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"))]
}
