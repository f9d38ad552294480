//! The file: what is in it, and how it is replaced.

use super::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// All accounts by their folded names.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Book {
    /// Name → account.
    pub entries: BTreeMap<String, Entry>,
}

/// One account.
#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The mailbox's SMTP address.
    pub mailbox: String,
    /// How it is reached.
    pub reach: Reach,
    /// Its app passwords.
    #[serde(default)]
    pub passwords: Vec<AppPassword>,
}

/// How a mailbox is reached; secrets are sealed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// By impersonation.
    Service,
    /// By its own password.
    Password {
        /// Sign-in name at Exchange.
        login: String,
        /// Its password.
        sealed: String,
    },
    /// By tokens.
    Tokens {
        /// The refresh token; none before the first sign-in.
        sealed: Option<String>,
    },
}

/// An app password.
#[derive(Debug, Serialize, Deserialize)]
pub struct AppPassword {
    /// The owner's name for it.
    pub label: String,
    /// argon2id, as a PHC string.
    pub hash: String,
}

impl Book {
    /// What the file holds; nothing when there is no file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let wrong = |reason: String| Error::File { path: path.to_owned(), reason };
        match std::fs::read(path) {
            Ok(octets) => {
                serde_json::from_slice(&octets).map_err(|error| wrong(format!("is damaged: {error}")))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(wrong(error.to_string())),
        }
    }

    /// Reads, changes and replaces the file; other processes wait for it.
    pub fn change(path: &Path, change: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let failed = |error: std::io::Error| Error::File { path: path.to_owned(), reason: error.to_string() };
        let beside = |end: &str| {
            let mut name = path.to_owned();
            name.as_mut_os_string().push(end);
            name
        };
        let turn = File::create(beside(".lock")).map_err(failed)?;
        turn.lock().map_err(failed)?;
        let mut book = Self::read(path)?;
        change(&mut book)?;
        let text = serde_json::to_vec_pretty(&book)
            .map_err(|error| Error::File { path: path.to_owned(), reason: error.to_string() })?;
        let new = beside(".new");
        write_private(&new, &text).map_err(failed)?;
        std::fs::rename(&new, path).map_err(failed)?;
        // The name is durable when the folder is.
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        Ok(())
    }
}

/// Writes a file that only its owner may read, and waits until it is on the disk.
pub fn write_private(path: &PathBuf, octets: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(octets)?;
    file.sync_all()
}
