//! What stands around every request.

use super::origin::{self, Proxies};
use crate::dav::Unfinished;
use axum::Router;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{Request, Response};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use std::sync::Arc;
use std::time::Duration;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::predicate::{And, NotForContentType, Predicate, SizeAbove};
use tower_http::compression::{CompressionLayer, CompressionLevel};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::trace::TraceLayer;
use tracing::{Level, Span};

/// Smaller answers are not worth compressing: they fit into one packet as they are.
const WORTH_IT: u64 = 860;

type Worth = And<And<SizeAbove, NotForContentType>, Finished>;

/// Answers that wait with signs of life are not compressed: a compressor would hold these back.
#[derive(Clone, Copy, Debug)]
struct Finished;

impl Predicate for Finished {
    fn should_compress<B: axum::body::HttpBody>(&self, response: &Response<B>) -> bool {
        response.extensions().get::<Unfinished>().is_none()
    }
}

fn worth() -> Worth {
    SizeAbove::new(WORTH_IT).and(NotForContentType::const_new("image/")).and(Finished)
}

/// The health check beside the protocol, and around both: the log, compression, and a net for panics.
pub(super) fn around(protocol: Router, proxies: Proxies) -> Router {
    let compression = CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(worth());
    let log = TraceLayer::new_for_http().make_span_with(span).on_request(()).on_response(log).on_failure(());
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .merge(protocol.layer(from_fn_with_state(Arc::new(proxies), origin::mark)))
        .layer(compression)
        .layer(CatchPanicLayer::new())
        .layer(log)
        .layer(SetSensitiveRequestHeadersLayer::new([AUTHORIZATION, WWW_AUTHENTICATE]))
}

/// Method and path; neither query nor headers, where secrets may stand.
fn span<B>(request: &Request<B>) -> Span {
    tracing::span!(Level::INFO, "request", method = %request.method(), path = request.uri().path())
}

fn log<B>(response: &Response<B>, latency: Duration, _: &Span) {
    tracing::info!(
        status = response.status().as_u16(),
        ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX)
    );
}
