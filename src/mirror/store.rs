//! Files: one per key, opened once.

use super::known::Known;
use super::record::Queue;
use super::recovery::set_aside;
use super::tables::{
    ARRIVALS, BODIES, DISPLACED, ENDED, FOLDERS, HEADS, INTENTS, LOG, META, NAMES, PARTS, REVISIONS, SHOWN,
    STAGE, UIDS, WRITTEN,
};
use super::times::Times;
use super::write::forget_versions;
use crate::model::id::{CollectionId, UpstreamId};
use redb::{Builder, Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, WriteTransaction};
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

/// Raised when the tables change their form: files of other forms are thrown away.
const FORMAT: &str = "3";
/// The same without the index of times, which is built from the rest.
const FORMAT_WITHOUT_TIMES: &str = "2";

/// How long a file may be in closing.
const CLOSING: Duration = Duration::from_secs(2);

/// Where the mirror lies.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A folder that only exdav reads.
    pub path: PathBuf,
    /// Octets of cache per open file.
    pub cache: u64,
    /// A file that nobody has worked on for so long is closed; who needs it opens it again.
    pub idle: Duration,
    /// Names that are gone which a collection's change log remembers, about; older sync-tokens are forgotten.
    pub most_gone: u64,
}

const DEFAULT_CACHE: usize = 2 << 20;

impl Default for Settings {
    fn default() -> Self {
        Self {
            path: PathBuf::from("exdav-store"),
            cache: DEFAULT_CACHE as u64,
            idle: Duration::from_mins(2),
            most_gone: 20_000,
        }
    }
}

/// What can go wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The sync-token is of another file, too old or from the future.
    #[error("this sync-token is not known")]
    Forgotten,
    /// The folder cannot be used.
    #[error("the store cannot be used: {0}")]
    Folder(#[from] std::io::Error),
    /// Another process has it.
    #[error("the store's folder {} is used by another exdav: end that, or give this one its own `store.path`", .0.display())]
    Taken(PathBuf),
    /// redb failed.
    #[error("the store failed: {0}")]
    Store(#[source] Box<redb::Error>),
    /// What lies there is not what was written.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// It was written by another exdav.
    #[error("the store has another format: {0}")]
    Outdated(String),
    /// There is no more room on the disk.
    #[error("the disk of the store is full: {0}")]
    Full(#[source] std::io::Error),
    /// It was damaged; another one can be opened in its place.
    #[error("the store was damaged and is filled anew")]
    Replaced,
    /// A write for a collection that is not there any more.
    #[error("there is no collection `{0}`")]
    NoCollection(CollectionId),
    /// The work was cut off.
    #[error("the store's work was cut off: {0}")]
    Interrupted(String),
}

macro_rules! from_redb {
    ($($kind:ty),+) => { $(
        impl From<$kind> for Error {
            fn from(error: $kind) -> Self {
                let error: redb::Error = error.into();
                match error {
                    redb::Error::Corrupted(why) => Self::Damaged(why),
                    redb::Error::Io(error) => Self::of_file(error),
                    error => Self::Store(Box::new(error)),
                }
            }
        }
    )+ };
}

impl Error {
    fn of_file(error: std::io::Error) -> Self {
        match error.kind() {
            // It ends where something should be.
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => Self::Damaged(error.to_string()),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Self::Full(error),
            _ => Self::Store(Box::new(redb::Error::Io(error))),
        }
    }
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
    pub(super) settings: Settings,
    pub(super) open: Mutex<HashMap<String, Weak<Mirror>>>,
    /// Locked while it is this process's alone.
    pub(super) own: OnceLock<File>,
}

/// One file.
#[derive(Debug)]
pub struct Mirror {
    /// `None` while it rests or cannot be opened.
    pub(super) db: RwLock<Option<Database>>,
    /// How often it was opened.
    pub(super) opened: AtomicU64,
    /// It was damaged.
    pub(super) is_dead: AtomicBool,
    /// Shared by all who work, had alone by who opens the file again.
    pub(super) gate: RwLock<()>,
    /// When somebody last worked on it.
    pub(super) worked: Mutex<Instant>,
    /// When it was last tried to open it again; `None` while it rests.
    pub(super) tried: Mutex<Option<Instant>>,
    /// When the log was last told of trouble.
    pub(super) told: Mutex<Option<Instant>>,
    pub(super) epoch: u64,
    pub(super) path: PathBuf,
    pub(super) settings: Settings,
    pub(super) rendering: String,
    /// What was recorded since the refresh that is under way began.
    written_during_refresh: Mutex<HashMap<CollectionId, HashSet<UpstreamId>>>,
    /// Writes that wait to be recorded.
    pub(super) queue: Queue,
    pub(super) known: Mutex<Known>,
}

/// An error with the file or folder that it is about.
pub(super) fn at(path: &Path, error: &std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl Store {
    /// Prepares the folder.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(&settings.path).map_err(|error| at(&settings.path, &error))?;
        restrict(&settings.path, 0o700).map_err(|error| at(&settings.path, &error))?;
        Ok(Self { settings, open: Mutex::default(), own: OnceLock::new() })
    }

    /// Whether there is a file for a key.
    pub fn has(&self, key: &Key) -> bool {
        self.path(&file_name(key)).exists()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.settings.path.join(format!("{name}.redb"))
    }

    /// The mirror of a key. Items of another `rendering` are fetched and rendered anew. Blocks.
    pub fn open(&self, key: &Key, rendering: &str) -> Result<Arc<Mirror>, Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let name = file_name(key);
        if let Some(mirror) = open.get(&name).and_then(Weak::upgrade).filter(|mirror| !mirror.is_dead()) {
            return Ok(mirror);
        }
        open.retain(|_, mirror| mirror.strong_count() > 0);
        let path = self.path(&name);
        let began = Instant::now();
        let mut is_new = false;
        let mirror = loop {
            // What lies in a damaged file may be more than the database is prepared for.
            let opened = catch_unwind(AssertUnwindSafe(|| Mirror::open(&path, &self.settings, rendering)));
            match opened.unwrap_or_else(|_| Err(Error::Damaged("it cannot be opened".to_owned()))) {
                Ok(mirror) => break mirror,
                Err(error @ (Error::Damaged(_) | Error::Outdated(_))) if !is_new => {
                    tracing::warn!(%error, "the mirror is filled anew");
                    match error {
                        Error::Damaged(_) => set_aside(&path)?,
                        _ => std::fs::remove_file(&path)?,
                    }
                    is_new = true;
                }
                // Whoever held it is just closing it.
                Err(Error::Store(error))
                    if matches!(*error, redb::Error::DatabaseAlreadyOpen) && began.elapsed() < CLOSING =>
                {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(error) => return Err(error),
            }
        };
        let mirror = Arc::new(mirror);
        open.insert(name, Arc::downgrade(&mirror));
        Ok(mirror)
    }
}

/// Gives a path to its owner alone, if it is not already so.
fn restrict(path: &Path, mode: u32) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mut permissions = std::fs::metadata(path)?.permissions();
        if permissions.mode() & 0o777 != mode {
            permissions.set_mode(mode);
            std::fs::set_permissions(path, permissions)?;
        }
    }
    #[cfg(not(unix))]
    let _ = (path, mode);
    Ok(())
}

/// Opens or makes a file that nobody else may read.
pub(super) fn private_file(path: &Path) -> Result<File, Error> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(|error| at(path, &error))?;
    restrict(path, 0o600).map_err(|error| at(path, &error))?;
    Ok(file)
}

/// One to one with the key: two users never meet in one file. None of the parts holds a line break.
fn file_name(key: &Key) -> String {
    let Key { upstream, mailbox, accessor } = key;
    let text = format!("{upstream}\n{}\n{}", mailbox.to_ascii_lowercase(), accessor.to_ascii_lowercase());
    Sha256::digest(text).iter().take(16).map(|octet| format!("{octet:02x}")).collect()
}

/// Opens a file, or makes it; gives what its sync-tokens begin with.
pub(super) fn open_file(path: &Path, settings: &Settings, rendering: &str) -> Result<(Database, u64), Error> {
    let file = private_file(path)?;
    let mut builder = Builder::new();
    builder.set_cache_size(usize::try_from(settings.cache).unwrap_or(DEFAULT_CACHE));
    let db = match builder.create_file(file) {
        Ok(db) => db,
        Err(redb::DatabaseError::Storage(redb::StorageError::Io(error)))
            if !matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) =>
        {
            return Err(Error::of_file(error));
        }
        Err(error @ redb::DatabaseError::DatabaseAlreadyOpen) => return Err(error.into()),
        Err(error) => return Err(Error::Damaged(error.to_string())),
    };
    let mut write = db.begin_write()?;
    write.set_quick_repair(true);
    let (epoch, has_times) = {
        let mut meta = write.open_table(META)?;
        let read = |meta: &redb::Table<'_, &str, &[u8]>, key: &str| {
            Ok::<_, Error>(meta.get(key)?.map(|row| String::from_utf8_lossy(row.value()).into_owned()))
        };
        let format = read(&meta, "format")?;
        let has_times = format.as_deref() != Some(FORMAT_WITHOUT_TIMES);
        match format {
            None => {
                let hasher = std::collections::hash_map::RandomState::new().build_hasher();
                let drawn = format!("{:016x}", hasher.finish());
                meta.insert("epoch", drawn.as_bytes())?;
                meta.insert("format", FORMAT.as_bytes())?;
            }
            Some(format) if format == FORMAT => {}
            Some(_) if !has_times => drop(meta.insert("format", FORMAT.as_bytes())?),
            Some(format) => return Err(Error::Outdated(format)),
        }
        let text = read(&meta, "epoch")?.unwrap_or_default();
        let epoch = u64::from_str_radix(&text, 16).map_err(|_| Error::Damaged("no epoch".to_owned()))?;
        (epoch, has_times)
    };
    write.open_table(FOLDERS)?;
    write.open_table(HEADS)?;
    write.open_table(BODIES)?;
    write.open_table(NAMES)?;
    write.open_table(UIDS)?;
    write.open_table(LOG)?;
    write.open_table(REVISIONS)?;
    write.open_table(STAGE)?;
    write.open_table(INTENTS)?;
    write.open_table(ARRIVALS)?;
    write.open_table(WRITTEN)?;
    write.open_table(DISPLACED)?;
    write.open_table(ENDED)?;
    write.open_table(SHOWN)?;
    write.open_table(PARTS)?;
    {
        let mut times = Times::open(&write)?;
        if !has_times {
            times.build(&write)?;
        }
        times.check(&write)?;
    }
    let is_other = {
        let before = write
            .open_table(META)?
            .insert("rendering", rendering.as_bytes())?
            .map(|row| row.value() != rendering.as_bytes());
        before == Some(true)
    };
    if is_other {
        forget_versions(&write)?;
    }
    write.commit()?;
    Ok((db, epoch))
}

impl Mirror {
    fn open(path: &Path, settings: &Settings, rendering: &str) -> Result<Self, Error> {
        let (db, epoch) = open_file(path, settings, rendering)?;
        Ok(Self {
            db: RwLock::new(Some(db)),
            opened: AtomicU64::new(1),
            is_dead: AtomicBool::new(false),
            gate: RwLock::default(),
            worked: Mutex::new(Instant::now()),
            tried: Mutex::new(Some(Instant::now())),
            told: Mutex::default(),
            epoch,
            path: path.to_owned(),
            settings: settings.clone(),
            rendering: rendering.to_owned(),
            written_during_refresh: Mutex::default(),
            queue: Queue::default(),
            known: Mutex::default(),
        })
    }

    /// Begins to read.
    pub(super) fn begin_read(&self) -> Result<ReadTransaction, Error> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let db = db.as_ref().ok_or_else(|| Error::Interrupted("it cannot be opened".to_owned()))?;
        Ok(db.begin_read()?)
    }

    /// Begins to write: one at a time.
    pub(super) fn begin(&self) -> Result<WriteTransaction, Error> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let db = db.as_ref().ok_or_else(|| Error::Interrupted("it cannot be opened".to_owned()))?;
        let mut write = db.begin_write()?;
        // A kill leaves a file that opens at once.
        write.set_quick_repair(true);
        Ok(write)
    }

    pub(super) fn written_during_refresh(
        &self,
    ) -> MutexGuard<'_, HashMap<CollectionId, HashSet<UpstreamId>>> {
        self.written_during_refresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the mirror away from the async workers.
    pub async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Mirror) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let mirror = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || mirror.work(work)).await;
        done.unwrap_or_else(|error| Err(Error::Interrupted(error.to_string())))
    }
}
