//! Exchange Web Services: typed operations over SOAP. Wire words, no calendar sense.
//!
//! [`Exchange`] is one upstream, [`Session`] one user there. Every request carries a RequestServerVersion; answers
//! are read leniently, by local names, since servers mix up namespaces and send characters that XML forbids.
//!
//! **Invariant:** a request that may have changed something is never repeated blindly.
//! **Invariant:** a server that asks to be left alone is, by all requests of that user.
//! **Invariant:** a password is never part of an error, a log line or a `Debug` text.

mod access;
mod affinity;
pub mod auth;
pub mod autodiscover;
mod boundary;
mod client;
mod endpoint;
mod error;
mod failure;
pub mod field;
mod line;
pub mod network;
mod operations;
mod product;
mod soap;
mod streaming;
mod throttle;
mod transport;
pub mod types;

pub use access::ServiceAccount;
pub use auth::Credentials;
pub use client::{Exchange, Session, Settings};
pub use error::{Error, ResponseCode};
pub use operations::{ConcurrencyProbe, Fetched};
pub use product::{Abilities, Product, consequences};
pub use soap::ServerVersion;
pub use streaming::{Documents, EventStream};
