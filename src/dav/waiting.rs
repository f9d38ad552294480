//! Answers about a collection whose first fill is not complete.
//!
//! Clients take what is missing in a listing for deleted, so that such an answer is complete or waits. Not all clients come
//! back after 503: some show an empty calendar until somebody restarts them. After a while the answer therefore begins,
//! 207 and the XML declaration, and goes on with a line break every few seconds, which XML allows there, until the
//! collection is complete. If that fails the connection is cut off, and no client takes half a document for an answer.

use super::error::{Error, xml_type};
use super::methods::Verb;
use super::path::ResourcePath;
use super::request::carry_out;
use super::session::Session;
use crate::gateway;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt as _;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tracing::Instrument as _;

/// So long an answer has a status of its own and a length, when all is there by then.
const QUIET: Duration = Duration::from_secs(15);
/// Between two signs of life: proxies and clients give up after 30 to 60 seconds without any.
const BETWEEN_SIGNS: Duration = Duration::from_secs(5);
/// One attempt; then it is looked again whether all is there.
const ATTEMPT: Duration = Duration::from_mins(1);
/// After so long nobody is kept waiting any more.
const MAX_WAIT: Duration = Duration::from_mins(30);
/// Between two attempts while Exchange cannot be asked.
const PAUSE: Duration = Duration::from_secs(5);
/// What every answer of ours in XML begins with.
const DECLARATION: &[u8] = b"<?xml version=\"1.0\" encoding=\"utf-8\"?>";

/// An answer whose length and end are not known yet. It is not compressed: a compressor would hold the signs of life
/// back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unfinished;

/// Answers a reading request, however long the fill takes. Fails when Exchange cannot be asked.
pub(super) async fn answer(
    session: Session,
    verb: Verb,
    place: ResourcePath,
    octets: Vec<u8>,
    answer_within: Duration,
) -> Result<Response, Error> {
    let quiet = QUIET.min(answer_within);
    match attempt(&session, verb, &place, &octets, quiet).await {
        Err(Error::Gateway(gateway::Error::Filling(_))) => {}
        outcome => return outcome,
    }
    if verb == Verb::Get {
        // Nothing can be sent ahead of an object.
        return when_filled(&session, verb, &place, &octets).await;
    }
    let (pieces, incoming) = mpsc::channel::<Result<Bytes, Error>>(2);
    let work = async move {
        // An error cuts the connection off; a client that went away needs nothing.
        if let Err(error) = write(&pieces, &session, verb, &place, &octets).await {
            tracing::warn!(%error, "an answer that waited for a first fill is cut off");
            let _ = pieces.send(Err(error)).await;
        }
    };
    tokio::spawn(work.in_current_span());
    let body = futures_util::stream::unfold(incoming, |mut incoming| async {
        incoming.recv().await.map(|piece| (piece, incoming))
    });
    let mut response = (StatusCode::MULTI_STATUS, xml_type(), Body::from_stream(body.fuse())).into_response();
    response.extensions_mut().insert(Unfinished);
    response.headers_mut().insert("vary", axum::http::HeaderValue::from_static("Brief, Prefer"));
    Ok(response)
}

async fn attempt(
    session: &Session,
    verb: Verb,
    place: &ResourcePath,
    octets: &[u8],
    most: Duration,
) -> Result<Response, Error> {
    carry_out(session.until(Instant::now() + most), verb, place, "", octets.to_vec()).await
}

/// The answer once all is there.
async fn when_filled(
    session: &Session,
    verb: Verb,
    place: &ResourcePath,
    octets: &[u8],
) -> Result<Response, Error> {
    let began = Instant::now();
    loop {
        match attempt(session, verb, place, octets, ATTEMPT).await {
            Err(Error::Gateway(gateway::Error::Filling(_))) if began.elapsed() < MAX_WAIT => {}
            Err(Error::Gateway(gateway::Error::Unavailable { .. })) if began.elapsed() < MAX_WAIT => {
                tokio::time::sleep(PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// Writes signs of life, and then the answer.
async fn write(
    pieces: &mpsc::Sender<Result<Bytes, Error>>,
    session: &Session,
    verb: Verb,
    place: &ResourcePath,
    octets: &[u8],
) -> Result<(), Error> {
    let send = async |piece: Bytes| pieces.send(Ok(piece)).await.map_err(|_| Error::ClientGone);
    send(Bytes::from_static(DECLARATION)).await?;
    let mut signs = tokio::time::interval(BETWEEN_SIGNS);
    signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut answering = Box::pin(when_filled(session, verb, place, octets));
    let answer = loop {
        tokio::select! {
            answer = &mut answering => break answer?,
            _ = signs.tick() => send(Bytes::from_static(b"\n")).await?,
        }
    };
    if answer.status() != StatusCode::MULTI_STATUS {
        let text = format!("the answer turned out to be {}", answer.status());
        return Err(gateway::Error::Internal(text, None).into());
    }
    let mut body = answer.into_body().into_data_stream();
    let mut is_first = true;
    while let Some(piece) = body.next().await {
        let mut piece = piece.map_err(|error| gateway::Error::Internal(error.to_string(), None))?;
        if std::mem::take(&mut is_first) && piece.starts_with(DECLARATION) {
            piece = piece.slice(DECLARATION.len()..);
        }
        send(piece).await?;
    }
    Ok(())
}
