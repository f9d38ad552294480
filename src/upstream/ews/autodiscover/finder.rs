//! Discovers once for each mailbox, and again when what was found no longer leads to it.

use super::cache::Book;
use super::{Settings, walk};
use crate::upstream::ews::auth::Credentials;
use crate::upstream::ews::client::Exchange;
use crate::upstream::ews::endpoint::Endpoint;
use crate::upstream::ews::error::Error;
use reqwest::Url;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// What was found is asked for again after this time. docs/EXCHANGE.md, Autodiscover
const FRESH: Duration = Duration::from_secs(24 * 3600);
/// Where it led nowhere, or where the mailbox no longer is, nobody asks again within this time.
const PAUSE: Duration = Duration::from_secs(30);
/// From this many on, what is over is cleared away.
const MAX_REMEMBERED: usize = 1000;

/// Endpoints by mailbox.
#[derive(Debug)]
pub(in crate::upstream::ews) struct Finder {
    settings: Settings,
    name: String,
    book: Arc<Mutex<Book>>,
    turns: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
    tried: Mutex<HashMap<String, (Instant, Option<Error>)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Finder {
    /// Reads what was found before.
    pub(in crate::upstream::ews) fn new(settings: &Settings) -> Result<Self, Error> {
        let Some(domain) = settings.domains.first() else {
            return Err(Error::Settings("neither exchange.url nor exchange.domain is set".to_owned()));
        };
        let book = settings.book.as_deref().map(Book::open).unwrap_or_default();
        Ok(Self {
            name: format!("autodiscover:{domain}"),
            settings: settings.clone(),
            book: Arc::new(Mutex::new(book)),
            turns: Mutex::default(),
            tried: Mutex::default(),
        })
    }

    pub(in crate::upstream::ews) fn name(&self) -> &str {
        &self.name
    }

    /// The endpoint of the credentials' mailbox, as it was found last.
    pub(in crate::upstream::ews) fn known(&self, credentials: &Credentials) -> Option<Arc<Endpoint>> {
        let address = self.settings.address(credentials).ok()?;
        lock(&self.book).get(&address).map(|entry| entry.endpoint)
    }

    /// The endpoint of the credentials' mailbox.
    pub(in crate::upstream::ews) async fn find(
        &self,
        exchange: &Exchange,
        credentials: &Credentials,
    ) -> Result<Arc<Endpoint>, Error> {
        let address = self.settings.address(credentials)?;
        let fresh = || lock(&self.book).get(&address).filter(|entry| entry.age() < FRESH);
        if let Some(entry) = fresh() {
            return Ok(entry.endpoint);
        }
        // Those who ask for the same mailbox at the same time walk once.
        let turn = self.turn(&address);
        let _turn = turn.lock().await;
        if let Some(entry) = fresh() {
            return Ok(entry.endpoint);
        }
        let old = lock(&self.book).get(&address).map(|entry| entry.endpoint);
        let failed = match self.lately(&address) {
            Some(Some(error)) => error,
            _ => match self.walk(exchange, credentials, &address).await {
                Ok(url) => return Ok(self.enter(&address, url)),
                Err(error) => error,
            },
        };
        match old {
            // What was found a day ago is better than nothing; a wrong password is for EWS to refuse.
            Some(endpoint) => Ok(endpoint),
            None => Err(failed),
        }
    }

    /// Another endpoint than the one that no longer has the mailbox, if there is one.
    pub(in crate::upstream::ews) async fn find_again(
        &self,
        exchange: &Exchange,
        credentials: &Credentials,
        from: &Endpoint,
    ) -> Option<Arc<Endpoint>> {
        let address = self.settings.address(credentials).ok()?;
        let turn = self.turn(&address);
        let _turn = turn.lock().await;
        let known = lock(&self.book).get(&address).map(|entry| entry.endpoint);
        if let Some(other) = known.filter(|endpoint| endpoint.url() != from.url()) {
            return Some(other);
        }
        if self.lately(&address).is_some() {
            return None;
        }
        let url = self.walk(exchange, credentials, &address).await.ok()?;
        if url == *from.url() {
            self.note(&address, None);
            return None;
        }
        Some(self.enter(&address, url))
    }

    fn note(&self, address: &str, failed: Option<Error>) {
        let mut tried = lock(&self.tried);
        if tried.len() >= MAX_REMEMBERED {
            tried.retain(|_, (at, _)| at.elapsed() < PAUSE);
        }
        tried.insert(address.to_owned(), (Instant::now(), failed));
    }

    /// How a walk within the last moments ended that was of no use.
    fn lately(&self, address: &str) -> Option<Option<Error>> {
        let tried = lock(&self.tried);
        let (at, failed) = tried.get(address)?;
        (at.elapsed() < PAUSE).then(|| failed.clone())
    }

    async fn walk(
        &self,
        exchange: &Exchange,
        credentials: &Credentials,
        address: &str,
    ) -> Result<Url, Error> {
        let (steps, outcome) = walk::walk(exchange, credentials, address).await;
        match &outcome {
            Ok(url) => tracing::info!(address, %url, "Autodiscover found the mailbox"),
            Err(error) => {
                let way: Vec<String> = steps.iter().map(|s| format!("{}: {}", s.place, s.outcome)).collect();
                tracing::warn!(address, %error, way = way.join("; "), "Autodiscover leads nowhere");
            }
        }
        // What concerns one secret says nothing to those who come with another.
        if let Err(error @ Error::Undiscovered(_)) = &outcome {
            self.note(address, Some(error.clone()));
        }
        outcome
    }

    fn enter(&self, address: &str, url: Url) -> Arc<Endpoint> {
        let endpoint = lock(&self.book).put(address, url);
        if let Some(path) = self.settings.book.clone() {
            let book = Arc::clone(&self.book);
            tokio::task::spawn_blocking(move || {
                if let Err(error) = lock(&book).save(&path) {
                    tracing::warn!(path = %path.display(), %error, "what Autodiscover found cannot be kept");
                }
            });
        }
        endpoint
    }

    fn turn(&self, address: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = lock(&self.turns);
        if turns.len() >= MAX_REMEMBERED {
            turns.retain(|_, turn| turn.strong_count() > 0);
        }
        let known = turns.entry(address.to_owned()).or_default();
        known.upgrade().unwrap_or_else(|| {
            let turn = Arc::default();
            *known = Arc::downgrade(&turn);
            turn
        })
    }
}
