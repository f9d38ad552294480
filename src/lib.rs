//! exdav: CalDAV and CardDAV in front of Microsoft Exchange.
//!
//! Clients speak WebDAV, CalDAV and CardDAV to exdav. It holds, per signed-in user, a *mirror* of the
//! Exchange folders that they use. Reads are answered from the mirror after making sure that it is fresh;
//! writes go straight to Exchange, and only what Exchange acknowledged enters the mirror. Exchange is the
//! only truth: the mirror can be deleted at any moment and nothing is lost.
//!
//! ```text
//! client ─HTTP→ server ─→ dav (method, preconditions, XML) ─→ gateway (the product in domain words)
//!                                                              │ read                  │ write
//!                                                              ▼                       ▼
//!                                               mirror ←── sync (refresh)   text → convert → upstream ─→ Exchange
//!                                                 │              ▲                                 │
//!                                        rendered bytes          └────────────── record ←──────────┘
//!                                                 ▼
//!                                            multistatus
//! ```
//!
//! The modules stand below in their order: each names only those above it, which `tests/layering.rs` checks. An item is
//! rendered (item → text) when it enters the mirror, never when it is read.
//!
//! **Invariant:** nothing above `upstream` knows a word of EWS, nothing below `dav` knows a URL.
//! **Invariant:** only what Exchange acknowledged is in the mirror; a half-done refresh is never visible.
//! **Invariant:** a mirror opens only for credentials that Exchange itself accepted.

pub mod model;
pub mod xml;

pub mod simulator;

pub mod text;

pub mod upstream;

pub mod mirror;

pub mod accounts;

pub mod query;

pub mod convert;

pub mod sync;

pub mod gateway;

pub mod dav;

pub mod server;

pub mod config;

pub mod cli;
