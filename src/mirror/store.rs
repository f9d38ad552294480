//! Files: one per key, opened once.

use super::tables::{BODIES, FOLDERS, HEADS, LOG, META, NAMES, REVISIONS, STAGE};
use redb::{Builder, Database, ReadableTable as _};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Raised when the tables change their form: older files are thrown away.
const FORMAT: &str = "1";

/// Where the mirror lies.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A folder that only exdav reads.
    pub path: PathBuf,
    /// Octets of cache per open file.
    pub cache: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { path: PathBuf::from("exdav-store"), cache: 4 << 20 }
    }
}

/// What can go wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The sync-token is of another file, too old or from the future.
    #[error("this sync-token is not known")]
    Forgotten,
    /// The folder cannot be used.
    #[error("the store's folder cannot be used: {0}")]
    Folder(#[from] std::io::Error),
    /// redb failed.
    #[error("the store failed: {0}")]
    Store(#[source] Box<redb::Error>),
    /// What lies there is not what was written.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}

macro_rules! from_redb {
    ($($kind:ty),+) => { $(
        impl From<$kind> for Error {
            fn from(error: $kind) -> Self {
                Self::Store(Box::new(error.into()))
            }
        }
    )+ };
}

from_redb!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::SetDurabilityError
);

/// Whose mirror it is: a shared folder seen by two users with different rights is mirrored twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The upstream's endpoint.
    pub upstream: String,
    /// The mailbox.
    pub mailbox: String,
    /// Who looks at it.
    pub accessor: String,
}

/// All files.
#[derive(Debug)]
pub struct Store {
    settings: Settings,
    open: Mutex<HashMap<Key, Weak<Mirror>>>,
}

/// One file.
#[derive(Debug)]
pub struct Mirror {
    pub(super) db: Database,
    pub(super) epoch: u64,
}

impl Store {
    /// Prepares the folder.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        std::fs::create_dir_all(&settings.path)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&settings.path, std::fs::Permissions::from_mode(0o700))?;
        }
        Ok(Self { settings, open: Mutex::default() })
    }

    /// The mirror of a key. Items of another `rendering` are fetched and rendered anew. Blocks.
    pub fn open(&self, key: &Key, rendering: &str) -> Result<Arc<Mirror>, Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mirror) = open.get(key).and_then(Weak::upgrade) {
            return Ok(mirror);
        }
        open.retain(|_, mirror| mirror.strong_count() > 0);
        let path = self.settings.path.join(format!("{}.redb", file_name(key)));
        let mirror = match Mirror::open(&path, self.settings.cache, rendering) {
            Ok(mirror) => mirror,
            Err(Error::Damaged(why)) => {
                // Nothing is lost: Exchange is the truth.
                tracing::warn!(%why, "the mirror is filled anew");
                std::fs::remove_file(&path)?;
                Mirror::open(&path, self.settings.cache, rendering)?
            }
            Err(error) => return Err(error),
        };
        let mirror = Arc::new(mirror);
        open.insert(key.clone(), Arc::downgrade(&mirror));
        Ok(mirror)
    }
}

fn file_name(key: &Key) -> String {
    let Key { upstream, mailbox, accessor } = key;
    let text = format!("{upstream}\n{}\n{}", mailbox.to_lowercase(), accessor.to_lowercase());
    Sha256::digest(text).iter().take(16).map(|octet| format!("{octet:02x}")).collect()
}

impl Mirror {
    fn open(path: &std::path::Path, cache: u64, rendering: &str) -> Result<Self, Error> {
        let mut builder = Builder::new();
        builder.set_cache_size(usize::try_from(cache).unwrap_or(4 << 20));
        let opened = builder.create(path);
        let db = match opened {
            Ok(db) => db,
            Err(redb::DatabaseError::Storage(redb::StorageError::Io(error))) => {
                return Err(Error::Folder(error));
            }
            Err(error @ redb::DatabaseError::DatabaseAlreadyOpen) => return Err(error.into()),
            Err(error) => return Err(Error::Damaged(error.to_string())),
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        }
        let mut write = db.begin_write()?;
        write.set_quick_repair(true);
        let epoch;
        let same_rendering;
        {
            let mut meta = write.open_table(META)?;
            let read = |meta: &redb::Table<'_, &str, &[u8]>, key: &str| {
                Ok::<_, Error>(meta.get(key)?.map(|row| String::from_utf8_lossy(row.value()).into_owned()))
            };
            match read(&meta, "format")? {
                None => {
                    let hasher = std::collections::hash_map::RandomState::new().build_hasher();
                    let drawn = format!("{:016x}", hasher.finish());
                    meta.insert("epoch", drawn.as_bytes())?;
                    meta.insert("format", FORMAT.as_bytes())?;
                }
                Some(format) if format == FORMAT => {}
                Some(format) => return Err(Error::Damaged(format!("its format is {format}"))),
            }
            let text = read(&meta, "epoch")?.unwrap_or_default();
            epoch = u64::from_str_radix(&text, 16).map_err(|_| Error::Damaged("no epoch".to_owned()))?;
            let before = meta.insert("rendering", rendering.as_bytes())?;
            same_rendering = before.is_none_or(|row| row.value() == rendering.as_bytes());
        }
        write.open_table(FOLDERS)?;
        write.open_table(HEADS)?;
        write.open_table(BODIES)?;
        write.open_table(NAMES)?;
        write.open_table(LOG)?;
        write.open_table(REVISIONS)?;
        write.open_table(STAGE)?;
        write.commit()?;
        let mirror = Self { db, epoch };
        if !same_rendering {
            mirror.forget_versions()?;
        }
        Ok(mirror)
    }

    /// Works on the mirror away from the async workers.
    pub async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Mirror) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let mirror = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&mirror))
            .await
            .unwrap_or_else(|error| Err(Error::Damaged(error.to_string())))
    }
}
