//! From which addresses each name has signed in, remembered over restarts.
//!
//! **Invariant:** the file holds names and networks, never anything of a password.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Names that are remembered.
const MAX_NAMES: usize = 10_000;
/// Addresses of each: the latest.
const MAX_ADDRESSES: usize = 16;

/// Addresses by name, the latest last.
type Book = HashMap<String, Vec<IpAddr>>;

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

    pub(super) fn has(&self, name: &str, address: IpAddr) -> bool {
        self.book().get(name).is_some_and(|known| known.contains(&address))
    }

    /// Remembers a sign-in. The file is written only when the address is new for the name.
    pub(super) fn note(&self, name: &str, address: IpAddr) {
        {
            let mut book = self.book();
            if book.get(name).is_some_and(|known| known.contains(&address)) {
                return;
            }
            if book.len() >= MAX_NAMES
                && !book.contains_key(name)
                && let Some(other) = book.keys().next().cloned()
            {
                book.remove(&other);
            }
            let known = book.entry(name.to_owned()).or_default();
            if known.len() >= MAX_ADDRESSES {
                known.remove(0);
            }
            known.push(address);
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

    #[test]
    fn who_signed_in_before_a_restart_is_known_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("visitors.json");
        let address = "192.0.2.1".parse().unwrap();
        Visitors::open(file.clone()).note("alice", address);
        let again = Visitors::open(file.clone());
        assert!(again.has("alice", address) && !again.has("bob", address));
        std::fs::write(&file, "damaged").unwrap();
        assert!(!Visitors::open(file).has("alice", address));
    }
}
