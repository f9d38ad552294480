//! The embedded store: what Exchange holds, as clients get it. redb and nothing else. Disposable.
//!
//! One file per [`Key`]. A collection's members, its change log and the cursor that produced them change in one
//! transaction ([`Mirror::commit`]); what has been fetched before that lies in a staging area ([`Mirror::stage`])
//! that survives a crash and is never visible. What this gateway wrote itself enters with [`Mirror::record`].
//!
//! **Invariant:** the log has one row per name that was ever shown, living or gone, so a token is answered in the size of
//! the answer.
//! **Invariant:** a token that cannot be honoured is [`Error::Forgotten`], never a partial answer.
//! **Invariant:** a key's file is opened by those who hold its key; whether they may is decided in `gateway`.

mod ended;
mod entry;
mod idle;
mod intent;
mod known;
mod members;
mod parts;
mod pending_move;
mod record;
mod recovery;
mod store;
mod tables;
mod times;
mod window;
mod write;

pub use ended::Outcome;
pub use entry::{Attachment, Entry, Part};
pub use intent::{Intent, PendingNotification};
pub use pending_move::PendingMove;
pub use record::AcknowledgedWrite;
pub use store::{Error, Key, Mirror, Settings, Store};
pub use tables::{Change, Changes, Folder, Listed};
pub use write::Commit;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
