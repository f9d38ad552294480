//! The streaming answer of PROPFIND and REPORT. RFC 4918 13
//!
//! What is written goes to the client in pieces while the rest is still being fetched, so that an answer of any
//! length takes the memory of a few pieces. Until a few are written nothing has been promised: a failure before that
//! is an answer with its own status, and an answer that ends before that has a length.

use super::budget::{Budget, SMALL, Share};
use super::error::{Error, xml_type};
use super::headers::Preferences;
use super::names::{PREFIXES, webdav};
use super::pieces::{AHEAD, MAX_STALL, PIECE, Piece, body};
use super::precondition::Precondition;
use super::property::{self, PropertyContext, Value, Wanted};
use crate::model::id::SyncToken;
use crate::xml::{Element, Name, Writer};
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use std::future::Future;
use tokio::sync::mpsc;
use tracing::Instrument;

/// How often a member is in memory while it is written: as it is stored (cards in two versions), shaped, and as XML.
const COPIES: usize = 4;

const OK: &str = "HTTP/1.1 200 OK";
const MISSING: &str = "HTTP/1.1 404 Not Found";
const TRUNCATED: &str = "HTTP/1.1 507 Insufficient Storage";

/// A `DAV:multistatus` being written.
pub(super) struct Multistatus {
    writer: Writer,
    pieces: mpsc::Sender<Result<Piece, Error>>,
    preferences: Preferences,
    /// The memory of what is being written.
    share: Option<Share>,
    /// A piece is with the client: the answer has a status.
    has_begun: bool,
}

impl Piece {
    fn last(done: Multistatus) -> Self {
        let share = done.share.filter(|_| done.writer.len() > SMALL);
        Self { octets: done.writer.finish().into(), share, is_last: true }
    }
}

impl Multistatus {
    /// A resource with what is wanted of it, and the body that a report selected.
    pub(super) async fn resource(
        &mut self,
        scene: &PropertyContext<'_>,
        wanted: &Wanted,
        body: Option<(&'static Name, &[u8])>,
    ) -> Result<(), Error> {
        let writer = &mut self.writer;
        writer.open(&webdav::RESPONSE).leaf(&webdav::HREF, &scene.href());
        let outcome = property::select(scene, wanted, body.map(|(name, _)| name));
        let minimal = self.preferences.minimal;
        // RFC 8144 2.1: with nothing to tell there still is a 200, and it is empty.
        if !outcome.found.is_empty() || body.is_some() || outcome.missing.is_empty() || minimal {
            writer.open(&webdav::PROPSTAT).open(&webdav::PROP);
            for (name, value) in &outcome.found {
                write_value(writer, name, value.as_ref());
            }
            if let Some((name, octets)) = body {
                // Bodies are UTF-8: it is looked for what is not only where there is some.
                match std::str::from_utf8(octets) {
                    Ok(text) => writer.leaf(name, text),
                    Err(_) => writer.leaf(name, &String::from_utf8_lossy(octets)),
                };
            }
            writer.close().leaf(&webdav::STATUS, OK).close();
        }
        if !outcome.missing.is_empty() && !minimal {
            writer.open(&webdav::PROPSTAT).open(&webdav::PROP);
            for name in outcome.missing {
                writer.empty(name);
            }
            writer.close().leaf(&webdav::STATUS, MISSING).close();
        }
        writer.close();
        self.send_if_full().await
    }

    /// A resource that is not there, or no longer. RFC 6578 3.5, RFC 4791 7.9
    pub(super) async fn missing(&mut self, href: &str) -> Result<(), Error> {
        self.writer.open(&webdav::RESPONSE).leaf(&webdav::HREF, href);
        self.writer.leaf(&webdav::STATUS, MISSING).close();
        self.send_if_full().await
    }

    /// A resource that cannot be told in the form that was asked for. While nothing has been promised the request fails with
    /// that, else this resource alone. RFC 4918 14.24
    pub(super) async fn refused(&mut self, href: &str, precondition: Precondition) -> Result<(), Error> {
        let (element, status) = precondition.row();
        if !self.has_begun {
            let text = format!("{href} has too many instances in that time: ask for a shorter one");
            return Err(Error::Refused(precondition, text));
        }
        let reason = status.canonical_reason().unwrap_or_default();
        self.writer.open(&webdav::RESPONSE).leaf(&webdav::HREF, href);
        self.writer.leaf(&webdav::STATUS, &format!("HTTP/1.1 {} {reason}", status.as_u16()));
        self.writer.open(&webdav::ERROR).empty(element).close().close();
        self.send_if_full().await
    }

    /// The answer is not all that there is. RFC 6578 3.6, RFC 6352 8.6.2
    pub(super) fn truncated(&mut self, href: &str) {
        self.writer.open(&webdav::RESPONSE).leaf(&webdav::HREF, href).leaf(&webdav::STATUS, TRUNCATED);
        self.writer.open(&webdav::ERROR).empty(Precondition::NumberOfMatches.row().0).close();
        self.writer.close();
    }

    /// The token that comes after all resources. RFC 6578 6.2
    pub(super) fn sync_token(&mut self, token: SyncToken) {
        self.writer.leaf(&webdav::SYNC_TOKEN, &token.to_string());
    }

    /// A response that was made elsewhere.
    pub(super) fn element(&mut self, element: &Element) {
        self.writer.element(element);
    }

    /// Waits for memory for members that are read and written next, if they are large. It is held until they are with
    /// the client.
    pub(super) async fn make_room(&mut self, budget: &Budget, octets: usize) -> Result<(), Error> {
        // What turned out to be small needs no memory of its own, and need not be sent before all is known to go well.
        if self.writer.len() <= SMALL {
            self.share = None;
        }
        if self.share.is_some() {
            self.send().await?;
        }
        self.share = budget.take_for_answer(octets.saturating_mul(COPIES)).await?;
        Ok(())
    }

    async fn send_if_full(&mut self) -> Result<(), Error> {
        if self.writer.len() < PIECE {
            return Ok(());
        }
        self.send().await
    }

    async fn send(&mut self) -> Result<(), Error> {
        self.has_begun = true;
        let piece = Piece { octets: self.writer.take(), share: self.share.take(), is_last: false };
        let sent = tokio::time::timeout(MAX_STALL, self.pieces.send(Ok(piece))).await;
        sent.map_err(|_| Error::ClientGone)?.map_err(|_| Error::ClientGone)
    }
}

fn write_value(writer: &mut Writer, name: &Name, value: Option<&Value>) {
    writer.open(name);
    match value {
        None => {}
        Some(Value::Text(text)) => {
            writer.text(text);
        }
        Some(Value::Hrefs(hrefs)) => {
            for href in hrefs {
                writer.leaf(&webdav::HREF, href);
            }
        }
        Some(Value::Elements(elements)) => {
            for element in elements {
                writer.element(element);
            }
        }
    }
    writer.close();
}

/// Answers 207 with what `produce` writes.
pub(super) async fn answer<P, F>(preferences: Preferences, produce: P) -> Result<Response, Error>
where
    P: FnOnce(Multistatus) -> F,
    F: Future<Output = Result<Multistatus, Error>> + Send + 'static,
{
    let (pieces, mut incoming) = mpsc::channel(AHEAD);
    let mut writer = Writer::new(PREFIXES);
    writer.open(&webdav::MULTISTATUS);
    let mut producing = Box::pin(produce(Multistatus {
        writer,
        pieces: pieces.clone(),
        preferences,
        share: None,
        has_begun: false,
    }));
    let mut begun = Vec::new();
    // What is short is written here and now; only a long answer is worth a task of its own.
    let body = loop {
        tokio::select! {
            biased;
            done = &mut producing => {
                let last = Piece::last(done?);
                while let Ok(piece) = incoming.try_recv() {
                    begun.push(piece?);
                }
                begun.push(last);
                // What takes much memory goes with its share, the rest as one text of known length.
                if begun.iter().any(|piece| piece.share.is_some()) {
                    drop(pieces);
                    break body(begun, incoming);
                }
                let begun: Vec<Bytes> = begun.into_iter().map(|piece| piece.octets).collect();
                break match <[Bytes; 1]>::try_from(begun) {
                    Ok([whole]) => Body::from(whole),
                    Err(begun) => Body::from(begun.concat()),
                };
            }
            Some(piece) = incoming.recv() => begun.push(piece?),
        }
        // Who holds memory must not wait for more of it before the client is sent something.
        if begun.len() >= AHEAD || begun.iter().any(|piece| piece.share.is_some()) {
            tokio::spawn(
                async move {
                    let last = producing.await.map(Piece::last);
                    // A client that went away needs no end.
                    let _ = tokio::time::timeout(MAX_STALL, pieces.send(last)).await;
                }
                .in_current_span(),
            );
            break body(begun, incoming);
        }
    };
    let mut response = (StatusCode::MULTI_STATUS, xml_type(), body).into_response();
    if let Some(applied) = preferences.applied() {
        response.headers_mut().insert("preference-applied", HeaderValue::from_static(applied));
    }
    response.headers_mut().insert("vary", HeaderValue::from_static("Brief, Prefer"));
    Ok(response)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LONG: usize = 10_000;

    /// Writes that many long responses, counts them, and then does as told.
    async fn written(number: usize, end: Result<(), Error>) -> (Result<Response, Error>, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let response = answer(Preferences::default(), |mut out| async move {
            for _ in 0..number {
                out.missing(&"x".repeat(LONG)).await?;
                counted.fetch_add(1, Ordering::SeqCst);
            }
            end.map(|()| out)
        });
        (response.await, count)
    }

    #[tokio::test]
    async fn nothing_is_written_ahead_of_a_client_that_does_not_read() {
        let (response, count) = written(10_000, Ok(())).await;
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        let pieces = AHEAD + 3;
        let written = count.load(Ordering::SeqCst);
        assert!(written <= pieces * (PIECE / LONG + 1), "{written} responses wait in memory");
        let whole = axum::body::to_bytes(response.unwrap().into_body(), usize::MAX).await.unwrap();
        assert_eq!(Element::parse(&whole).unwrap().children().count(), 10_000);
    }

    #[tokio::test]
    async fn a_failure_before_anything_was_sent_has_its_own_status() {
        let (response, _) = written(3, Err(Error::NotFound)).await;
        assert!(matches!(response, Err(Error::NotFound)));
    }

    #[tokio::test]
    async fn a_failure_in_the_middle_breaks_the_answer_off_instead_of_ending_it() {
        let (response, _) = written(1_000, Err(Error::NotFound)).await;
        let body = response.unwrap().into_body();
        assert!(axum::body::to_bytes(body, usize::MAX).await.is_err());
    }

    #[tokio::test]
    async fn an_answer_whose_writer_breaks_is_broken_off_instead_of_ending_early() {
        let response = answer(Preferences::default(), |mut out| async move {
            for _ in 0..1_000 {
                out.missing(&"x".repeat(LONG)).await?;
            }
            [Ok(out)].into_iter().find(Result::is_err).expect("the writer breaks")
        });
        let body = response.await.unwrap().into_body();
        assert!(axum::body::to_bytes(body, usize::MAX).await.is_err());
    }

    #[tokio::test]
    async fn a_short_answer_has_a_length() {
        use axum::body::HttpBody;
        let (response, _) = written(1, Ok(())).await;
        assert!(response.unwrap().into_body().size_hint().exact().is_some());
    }
}
