//! From which addresses and with which passwords each name has signed in, remembered over restarts.
//!
//! **Invariant:** of passwords the file holds [`Marks`] alone, which open nothing and by which nobody finds a password.

use super::password_mark::Marks;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Names that are remembered.
const MAX_NAMES: usize = 10_000;
/// Addresses of each: the latest.
const MAX_ADDRESSES: usize = 16;

type Book = HashMap<String, Visitor>;

/// What is remembered of a name.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(from = "Stored")]
struct Visitor {
    /// The latest last.
    addresses: Vec<IpAddr>,
    passwords: Marks,
}

/// How a visitor may be written in the file.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    /// By versions that remembered no passwords.
    Addresses(Vec<IpAddr>),
    Whole {
        addresses: Vec<IpAddr>,
        passwords: Marks,
    },
}

impl From<Stored> for Visitor {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Addresses(addresses) => Self { addresses, passwords: Marks::default() },
            Stored::Whole { addresses, passwords } => Self { addresses, passwords },
        }
    }
}

/// A password that was accepted.
#[derive(Clone, Copy)]
pub(super) struct Accepted<'a> {
    pub(super) password: &'a str,
    /// Whether the name's other passwords are still good.
    pub(super) others_stay_good: bool,
}

/// Who has signed in from where.
#[derive(Default)]
pub(super) struct Visitors {
    /// `None`: nothing outlives the process.
    file: Option<PathBuf>,
    book: Mutex<Book>,
    /// Who writes the file.
    writing: Mutex<()>,
}

impl Visitors {
    /// Those that the file remembers; without a readable file nobody.
    pub(super) fn open(file: PathBuf) -> Self {
        let book = match std::fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::warn!("{}: {error}; addresses of earlier sign-ins are forgotten", file.display());
                Book::default()
            }),
            Err(_) => Book::default(),
        };
        Self { file: Some(file), book: Mutex::new(book), writing: Mutex::default() }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn visitor(&self, name: &str) -> Visitor {
        self.book().get(name).cloned().unwrap_or_default()
    }

    /// Whether the name has signed in from this address.
    pub(super) fn has(&self, name: &str, address: IpAddr) -> bool {
        self.book().get(name).is_some_and(|known| known.addresses.contains(&address))
    }

    /// Whether the name may have signed in with this password. Takes about a millisecond where there are any.
    pub(super) fn may_have_used(&self, name: &str, password: &str) -> bool {
        self.visitor(name).passwords.fit(password)
    }

    /// Remembers a sign-in. The file is written only when the address or the password is new for the name.
    pub(super) fn note(&self, name: &str, address: Option<IpAddr>, accepted: Option<Accepted<'_>>) {
        let address = address.filter(|address| !self.has(name, *address));
        let passwords = accepted.and_then(|accepted| {
            let known = self.visitor(name).passwords;
            known.with(accepted.password, accepted.others_stay_good).filter(|new| *new != known)
        });
        if address.is_none() && passwords.is_none() {
            return;
        }
        {
            let mut book = self.book();
            if book.len() >= MAX_NAMES
                && !book.contains_key(name)
                && let Some(other) = book.keys().next().cloned()
            {
                book.remove(&other);
            }
            let visitor = book.entry(name.to_owned()).or_default();
            visitor.passwords = passwords.unwrap_or_else(|| visitor.passwords.clone());
            if let Some(address) = address {
                if visitor.addresses.len() >= MAX_ADDRESSES {
                    visitor.addresses.remove(0);
                }
                visitor.addresses.push(address);
            }
        }
        let Some(file) = &self.file else { return };
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let text = serde_json::to_vec(&*self.book()).unwrap_or_default();
        if let Err(error) = replace(file, &text) {
            tracing::warn!("{}: {error}", file.display());
        }
    }
}

/// Writes a file anew that is either the old or the new one whatever happens, for this user's eyes alone.
fn replace(file: &Path, text: &[u8]) -> io::Result<()> {
    let beside = file.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&beside)?.write_all(text)?;
    std::fs::rename(&beside, file)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn accepted(password: &str) -> Option<Accepted<'_>> {
        Some(Accepted { password, others_stay_good: false })
    }

    #[test]
    fn who_signed_in_before_a_restart_is_known_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("visitors.json");
        let address = "192.0.2.1".parse().unwrap();
        Visitors::open(file.clone()).note("alice", Some(address), accepted("secret of alice"));
        let again = Visitors::open(file.clone());
        assert!(again.has("alice", address) && !again.has("bob", address));
        assert!(again.may_have_used("alice", "secret of alice") && !again.may_have_used("alice", "guess"));
        assert!(!again.may_have_used("bob", "secret of alice"));
        // The same once more writes nothing.
        std::fs::remove_file(&file).unwrap();
        again.note("alice", Some(address), accepted("secret of alice"));
        assert!(!file.exists());
        again.note("alice", Some(address), accepted("another secret"));
        assert!(file.exists() && !again.may_have_used("alice", "secret of alice"));
        std::fs::write(&file, "damaged").unwrap();
        assert!(!Visitors::open(file).has("alice", address));
    }

    #[test]
    fn the_file_of_a_version_that_remembered_addresses_alone_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("visitors.json");
        std::fs::write(&file, r#"{"alice":["192.0.2.1"]}"#).unwrap();
        let visitors = Visitors::open(file);
        assert!(visitors.has("alice", "192.0.2.1".parse().unwrap()));
        assert!(!visitors.may_have_used("alice", ""));
    }
}
