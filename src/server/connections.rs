//! How many connections are open at once: fewer than the process has file descriptors for.
//!
//! When there are too many, the one is closed that runs no request and has been silent longest; only when all run one,
//! the longest silent of those.

use axum_server::accept::Accept;
use futures_util::future::BoxFuture;
use futures_util::task::AtomicWaker;
use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tower::Service;

/// No process serves more.
const MAX_CONNECTIONS: usize = 4096;
/// Where the system does not say how many files may be open: what most systems allow.
const USUAL_FILES: usize = 1024;

/// Half of the files that may be open: stores, and connections to Exchange, take the others.
pub(super) fn most() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next());
    let files = soft.map_or(USUAL_FILES, |number| number.parse().unwrap_or(usize::MAX));
    (files / 2).clamp(1, MAX_CONNECTIONS)
}

/// All open connections.
#[derive(Clone)]
pub(super) struct Connections(Arc<Inner>);

struct Inner {
    most: usize,
    began: Instant,
    next: AtomicU64,
    open: Mutex<HashMap<u64, Arc<State>>>,
}

/// What is known of a connection.
struct State {
    /// When octets last came or went, in milliseconds since the beginning.
    active: AtomicU64,
    /// Requests that are being answered.
    running: AtomicUsize,
    closed: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Connections {
    pub(super) fn new(most: usize) -> Self {
        let open = Mutex::default();
        Self(Arc::new(Inner { most, began: Instant::now(), next: AtomicU64::new(0), open }))
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<State>>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn add(&self) -> Ticket {
        let state = Arc::new(State {
            active: AtomicU64::new(self.now()),
            running: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            writer: AtomicWaker::new(),
        });
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let mut open = self.open();
        while open.len() >= self.0.most {
            let rank = |state: &State| {
                (state.running.load(Ordering::Relaxed) > 0, state.active.load(Ordering::Relaxed))
            };
            let oldest = open.iter().min_by_key(|(id, state)| (rank(state), **id)).map(|(id, _)| *id);
            let Some(state) = oldest.and_then(|id| open.remove(&id)) else { break };
            state.closed.store(true, Ordering::Release);
            state.reader.wake();
            state.writer.wake();
            tracing::debug!("too many connections: the longest silent one is closed");
        }
        open.insert(id, Arc::clone(&state));
        Ticket { connections: self.clone(), id, state }
    }
}

/// One place among the open connections, given back when it is dropped.
struct Ticket {
    connections: Connections,
    id: u64,
    state: Arc<State>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.connections.open().remove(&self.id);
    }
}

/// Counts connections on their way to whoever accepts them.
#[derive(Clone)]
pub(super) struct Counting<A> {
    pub(super) inner: A,
    pub(super) connections: Connections,
}

impl<A, S> Accept<TcpStream, S> for Counting<A>
where
    A: Accept<TcpStream, S, Stream = TcpStream>,
    A::Future: Send + 'static,
    A::Service: Send + 'static,
{
    type Stream = Counted;
    type Service = Watched<A::Service>;
    type Future = BoxFuture<'static, io::Result<(Counted, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let ticket = self.connections.add();
        let accepted = self.inner.accept(stream, service);
        Box::pin(async move {
            let (stream, inner) = accepted.await?;
            let service = Watched { inner, state: Arc::clone(&ticket.state) };
            Ok((Counted { stream, ticket }, service))
        })
    }
}

/// A stream that is closed when its place is needed.
pub(super) struct Counted {
    stream: TcpStream,
    ticket: Ticket,
}

impl Counted {
    fn check(&self) -> io::Result<()> {
        if self.ticket.state.closed.load(Ordering::Acquire) {
            Err(io::ErrorKind::ConnectionAborted.into())
        } else {
            Ok(())
        }
    }

    fn note(&self) {
        self.ticket.state.active.store(self.ticket.connections.now(), Ordering::Relaxed);
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.ticket.state.reader.register(context.waker());
        self.check()?;
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.note();
        }
        read
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.ticket.state.writer.register(context.waker());
        self.check()?;
        let written = Pin::new(&mut self.stream).poll_write(context, octets);
        if written.is_ready() {
            self.note();
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.ticket.state.writer.register(context.waker());
        self.check()?;
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        if written.is_ready() {
            self.note();
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A service that notes which of its requests are running.
#[derive(Clone)]
pub(super) struct Watched<S> {
    inner: S,
    state: Arc<State>,
}

struct Running(Arc<State>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<S, R> Service<R> for Watched<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.state.running.fetch_add(1, Ordering::Relaxed);
        let running = Running(Arc::clone(&self.state));
        let answer = self.inner.call(request);
        Box::pin(async move {
            let outcome = answer.await;
            drop(running);
            outcome
        })
    }
}
