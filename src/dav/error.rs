//! The place where errors become HTTP.

use super::kinds::Kinds;
use super::names::{PREFIXES, webdav};
use super::precondition::Precondition;
use super::{COMPLIANCE, methods};
use crate::gateway;
use crate::xml::{self, Writer};
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
    #[error("this method is not for this resource")]
    NotAllowed(Kinds),
    #[error("the resource has changed: its entity tag is not the one that the request asks for")]
    Changed,
    #[error("the body is larger than {0} octets")]
    TooLarge(usize),
    #[error("the body did not arrive in time or was cut off")]
    Incomplete,
    #[error("the body is sent in an encoding that is not understood here: send it plain")]
    Encoding,
    /// Nobody reads the answer any more.
    #[error("the client is gone")]
    ClientGone,
}

impl Error {
    fn status(&self) -> StatusCode {
        match self {
            Self::Gateway(error) => match error {
                gateway::Error::SignIn => StatusCode::UNAUTHORIZED,
                gateway::Error::Denied(_) => Precondition::NeedPrivileges.row().1,
                gateway::Error::NotFound => StatusCode::NOT_FOUND,
                gateway::Error::ForgottenToken => Precondition::SyncToken.row().1,
                gateway::Error::InvalidFilter(_) => Precondition::CalendarFilter.row().1,
                gateway::Error::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
                gateway::Error::Internal(..) => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Refused(precondition, _) => precondition.row().1,
            Self::Invalid(_) | Self::Xml(_) => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::NotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Changed => StatusCode::PRECONDITION_FAILED,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Incomplete | Self::ClientGone => StatusCode::REQUEST_TIMEOUT,
            Self::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }

    fn precondition(&self) -> Option<Precondition> {
        match self {
            Self::Refused(precondition, _) => Some(*precondition),
            Self::Gateway(gateway::Error::Denied(_)) => Some(Precondition::NeedPrivileges),
            Self::Gateway(gateway::Error::ForgottenToken) => Some(Precondition::SyncToken),
            Self::Gateway(gateway::Error::InvalidFilter(_)) => Some(Precondition::CalendarFilter),
            _ => None,
        }
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
            Self::Gateway(error @ gateway::Error::Unavailable { .. }) => {
                tracing::warn!("{error}");
                error.to_string()
            }
            other => other.to_string(),
        }
    }
}

/// Seconds, at least one. RFC 9110 10.2.3
fn seconds(duration: Duration) -> u64 {
    duration.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX)
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let text = self.text();
        let mut response = match self.precondition() {
            Some(precondition) => {
                let mut writer = Writer::new(PREFIXES);
                writer.open(&webdav::ERROR).empty(precondition.row().0);
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
                set(HeaderName::from_static("dav"), HeaderValue::from_static(COMPLIANCE));
            }
            Self::Gateway(gateway::Error::Unavailable { retry_after, .. }) => {
                set(RETRY_AFTER, HeaderValue::from(seconds(*retry_after)));
            }
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
