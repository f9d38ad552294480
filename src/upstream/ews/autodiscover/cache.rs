//! What was found: for each address its endpoint, in memory and in one file.
//!
//! The file holds no secret. It can be deleted at any time.

use crate::upstream::ews::endpoint::Endpoint;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Addresses that are remembered.
const MAX_ADDRESSES: usize = 20_000;

/// One address' endpoint.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) endpoint: Arc<Endpoint>,
    /// Seconds since 1970, for the file: the next process knows no other clock.
    found: u64,
    /// How old it was when it was entered here; `None`: nobody knows.
    old: Option<Duration>,
    entered: Instant,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: BTreeMap<String, Entry>,
    endpoints: HashMap<Url, Arc<Endpoint>>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    url: String,
    found: u64,
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl Entry {
    /// How long ago it was found; for ever for what a clock has put into the future. What happens to the wall clock while
    /// the program runs changes nothing.
    pub(super) fn age(&self) -> Duration {
        self.old.map_or(Duration::MAX, |old| old.saturating_add(self.entered.elapsed()))
    }
}

impl Book {
    /// What the file has; nothing where there is none or it makes no sense.
    pub(super) fn open(path: &Path) -> Self {
        let lines: BTreeMap<String, Line> = std::fs::read(path)
            .ok()
            .and_then(|octets| serde_json::from_slice(&octets).ok())
            .unwrap_or_default();
        let mut book = Self::default();
        for (address, Line { url, found }) in lines.into_iter().take(MAX_ADDRESSES) {
            if let Some(url) = Url::parse(&url).ok().filter(|url| url.scheme() == "https") {
                book.enter(address, url, found);
            }
        }
        book
    }

    pub(super) fn get(&self, address: &str) -> Option<Entry> {
        self.entries.get(address).cloned()
    }

    /// Enters what was found just now; addresses at the same URL share what is known of it.
    pub(super) fn put(&mut self, address: &str, url: Url) -> Arc<Endpoint> {
        if self.entries.len() >= MAX_ADDRESSES && !self.entries.contains_key(address) {
            self.entries.pop_first();
        }
        self.enter(address.to_owned(), url, now())
    }

    fn enter(&mut self, address: String, url: Url, found: u64) -> Arc<Endpoint> {
        let new = || Arc::new(Endpoint::new(url.clone()));
        let endpoint = Arc::clone(self.endpoints.entry(url.clone()).or_insert_with(new));
        let old = now().checked_sub(found).map(Duration::from_secs);
        let entry = Entry { endpoint: Arc::clone(&endpoint), found, old, entered: Instant::now() };
        self.entries.insert(address, entry);
        endpoint
    }

    /// Writes the file anew, whole or not at all.
    pub(super) fn save(&self, path: &Path) -> io::Result<()> {
        let line = |entry: &Entry| Line { url: entry.endpoint.url().to_string(), found: entry.found };
        let lines: BTreeMap<&String, Line> = self.entries.iter().map(|(a, e)| (a, line(e))).collect();
        let octets = serde_json::to_vec(&lines)?;
        let passing = path.with_extension("new");
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&passing, octets)?;
        std::fs::rename(&passing, path)
    }
}
