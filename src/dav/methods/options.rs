//! OPTIONS: what can be done, told to everybody. RFC 4918 10.1

use super::allow;
use crate::dav::kinds::Kinds;
use axum::http::header::ALLOW;
use axum::response::{IntoResponse, Response};

/// Needs no sign-in and looks nothing up: it tells nothing about what is there.
pub(in crate::dav) fn options(kinds: Kinds) -> Response {
    let mut response = ().into_response();
    response.headers_mut().insert(ALLOW, allow(kinds));
    response
}
