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

/// What a body goes on with.
struct Rest {
    begun: VecDeque<Piece>,
    incoming: mpsc::Receiver<Result<Piece, Error>>,
    /// The memory of the piece that was given last.
    held: Option<Share>,
    is_over: bool,
}

/// The pieces that are there, and then those that come.
///
/// The memory of a piece is free when the next is asked for: then it has been written. It must not be held until the next
/// has come, since whoever makes that one may wait for this very memory.
pub(super) fn body(begun: Vec<Piece>, incoming: mpsc::Receiver<Result<Piece, Error>>) -> Body {
    let rest = Rest { begun: begun.into(), incoming, held: None, is_over: false };
    let all = stream::unfold(rest, |mut rest| async {
        rest.held = None;
        if rest.is_over {
            return None;
        }
        let next = match rest.begun.pop_front() {
            Some(piece) => Some(Ok(piece)),
            None => rest.incoming.recv().await,
        };
        // Whoever wrote is gone without having come to the end: what is there must not look like all of it.
        let octets = next.unwrap_or(Err(Error::ClientGone)).map(|piece| {
            rest.held = piece.share;
            rest.is_over = piece.is_last;
            piece.octets
        });
        rest.is_over |= octets.is_err();
        Some((octets, rest))
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::super::budget::{Budgets, Use};
    use super::*;
    use crate::gateway::Principal;

    const ALL: usize = 48 << 20;

    fn principal() -> Principal {
        Principal {
            segment: "a".to_owned(),
            address: "a@example.com".to_owned(),
            addresses: vec!["a@example.com".to_owned()],
            display_name: "a".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_member_as_large_as_the_budget_does_not_wait_for_the_one_before_that_was_read() {
        let budget = Budgets::new().of(&principal());
        let (pieces, incoming) = mpsc::channel(AHEAD);
        let producer = tokio::spawn(async move {
            for number in 0..3 {
                let share = budget.take(Use::Answer, ALL).await.ok();
                assert!(share.is_some(), "{number}");
                let piece = Piece { octets: Bytes::from_static(b"x"), share, is_last: number == 2 };
                pieces.send(Ok(piece)).await.unwrap();
            }
        });
        let read = axum::body::to_bytes(body(Vec::new(), incoming), 10);
        let read =
            tokio::time::timeout(Duration::from_secs(10), read).await.expect("nobody waits in a circle");
        assert_eq!(read.unwrap().as_ref(), b"xxx");
        producer.await.unwrap();
    }

    #[tokio::test]
    async fn what_was_needed_to_make_a_text_is_free_while_it_is_read() {
        let budget = Budgets::new().of(&principal());
        let share = budget.take(Use::Answer, ALL).await.ok().map(|share| share.shrunk_to(1 << 20));
        let rest = budget.take(Use::Answer, ALL - (1 << 20));
        assert!(tokio::time::timeout(Duration::from_secs(5), rest).await.is_ok_and(|rest| rest.is_ok()));
        drop(share);
        budget.take(Use::Answer, ALL).await.map(drop).unwrap();
    }
}
