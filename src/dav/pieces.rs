//! Bodies of answers that go to the client in pieces, each with the memory that it takes.

use super::budget::Share;
use super::error::Error;
use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::mpsc;

/// Octets of a piece.
pub(super) const PIECE: usize = 64 * 1024;
/// Pieces that wait for a slow client.
pub(super) const AHEAD: usize = 2;
/// The longest that a client may read nothing of an answer that is on its way.
pub(super) const MAX_STALL: Duration = Duration::from_secs(60);

/// A part of an answer, with its memory if it takes much.
pub(super) struct Piece {
    pub(super) octets: Bytes,
    pub(super) share: Option<Share>,
    /// Nothing comes after it.
    pub(super) is_last: bool,
}

/// The pieces that are there, and then those that come.
pub(super) fn body(begun: Vec<Piece>, incoming: mpsc::Receiver<Result<Piece, Error>>) -> Body {
    let begun = begun.into_iter().map(Ok).collect::<VecDeque<_>>();
    let all = stream::unfold(Some((begun, incoming)), |rest| async {
        let (mut begun, mut incoming) = rest?;
        let next = match begun.pop_front() {
            Some(piece) => Some(piece),
            None => incoming.recv().await,
        };
        // Whoever wrote is gone without having come to the end: what is there must not look like all of it.
        let piece = next.unwrap_or(Err(Error::ClientGone));
        let goes_on = piece.as_ref().is_ok_and(|piece| !piece.is_last);
        Some((piece, goes_on.then_some((begun, incoming))))
    });
    // The memory of a piece is free when the next is asked for: then it has been written.
    let all = all.scan(None, |held: &mut Option<Share>, piece| {
        *held = None;
        let octets = piece.map(|piece| {
            *held = piece.share;
            piece.octets
        });
        std::future::ready(Some(octets))
    });
    // Compression asks once more after the end.
    Body::from_stream(all.fuse())
}

/// A text that is in memory as a whole, with its memory: both are held until the client has read it, or reads no more.
pub(super) fn whole(text: Bytes, share: Share) -> Body {
    let (pieces, incoming) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        let _share = share;
        let mut rest = text;
        loop {
            // A copy: a part of the text would keep all of it in memory.
            let octets = Bytes::copy_from_slice(&rest.split_to(PIECE.min(rest.len())));
            let is_last = rest.is_empty();
            let sent = pieces.send(Ok(Piece { octets, share: None, is_last }));
            let is_sent = matches!(tokio::time::timeout(MAX_STALL, sent).await, Ok(Ok(())));
            if is_last || !is_sent {
                break;
            }
        }
    });
    body(Vec::new(), incoming)
}
