//! Room `simulator`: a simulated Exchange server that speaks Exchange Web Services over mailboxes in memory.
//!
//! It serves the demo, the tests and the benchmarks, and is an independent reading of Microsoft's documents: it has its
//! own XML, its own store and its own rules, so that a misunderstanding in the gateway is not repeated here.
//! A request goes `server` → `soap` (envelope, schema) → `operations` → `mailbox`; a second address has the `control`
//! interface that counts requests and injects faults.
//!
//! **Invariant:** names no other module of the crate.
//! **Invariant:** every write gives the item a ChangeKey it never had; an ItemId is never used twice.
//! **Invariant:** stored times are UTC; zones are applied when an answer is written.

mod autodiscover;
mod calendar;
mod clock;
mod control;
mod demo;
mod directory;
mod edit;
pub mod element;
mod faults;
pub mod field;
mod ids;
pub mod item;
mod listen;
mod mailbox;
mod mapi;
mod mime;
mod operations;
mod permissions;
mod product;
mod schema;
mod server;
mod shape;
mod sign_in;
mod soap;
mod subscriptions;
mod throttling;
mod view;
mod world;

pub use control::CONTROL_HELP;
pub use listen::Tls;
pub use product::Product;
pub use server::{Running, Settings, start};
pub use sign_in::{PASSWORD, SERVICE, Scheme, oauth::CLIENT as OAUTH_CLIENT, oauth::SECRET as OAUTH_SECRET};
pub use throttling::Preset as Throttle;
