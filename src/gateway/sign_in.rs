//! Who may open which mirror.
//!
//! A name that is an account of exdav's own signs in with an app password, and the account says how its mailbox is
//! reached. Any other name and password are Exchange's, and Exchange checks them. Either way a password is held only as
//! a keyed hash whose key dies with the process. Within [`Settings::recheck`] of the last yes the hash opens the mailbox;
//! then it is asked for again.

use super::Principal;
use super::error::Error;
use super::guesses::Guesses;
use super::mailbox::Mailbox;
use super::upstream::{Service, Upstreams};
use crate::accounts::{self, Account, Accounts};
use crate::convert::{self, Privacy};
use crate::ews;
use crate::mirror::{self, Key, Store};
use crate::model::id::{CollectionId, ResourceName, login_segment};
use crate::sync::{self, Follower};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq as _;

/// How users are let in.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long Exchange's yes to a password holds.
    pub recheck: Duration,
    /// How long Exchange's no holds: a client with an old password must not lock the account. Twice as long each time
    /// the same password is refused again, up to [`Settings::recheck`].
    pub refusal: Duration,
    /// How long the mirror answers on its own while Exchange is away.
    pub offline: Duration,
    /// IANA name of the zone of all-day and floating times; empty: that of this machine.
    pub zone: String,
    /// Where clients reach exdav, for links to attachments; empty: no links.
    pub public_url: String,
    /// Whether names that are no account sign in with what Exchange accepts.
    pub pass_through: bool,
    /// Accounts of exdav's own.
    pub accounts: accounts::Settings,
    /// Who impersonates the mailboxes of accounts.
    pub service: Service,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            pass_through: true,
            accounts: accounts::Settings::default(),
            service: Service::default(),
            recheck: Duration::from_secs(15 * 60),
            refusal: Duration::from_secs(10),
            offline: Duration::from_secs(7 * 24 * 3600),
            zone: String::new(),
            public_url: String::new(),
        }
    }
}

/// Makes the path of an attachment: principal's segment, collection, member, MANAGED-ID.
pub type Links = fn(&str, &CollectionId, &ResourceName, &str) -> String;

/// The whole product behind the protocol: signs users in. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    exchange: ews::Exchange,
    upstreams: Upstreams,
    accounts: Option<Accounts>,
    hashing: tokio::sync::Semaphore,
    store: Arc<Store>,
    settings: Settings,
    sync: sync::Settings,
    live: sync::Live,
    convert: convert::Settings,
    links: Links,
    zone: Arc<str>,
    secret: [u8; 32],
    known: Mutex<HashMap<String, Known>>,
    refused: Mutex<HashMap<Digest, Refused>>,
    guesses: Guesses,
    turns: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
}

type Digest = [u8; 32];

#[derive(Clone)]
struct Known {
    /// The password that Exchange took last, or the app passwords that were used.
    digests: Vec<Digest>,
    /// The account's, when the name is one.
    fingerprint: Option<u64>,
    address: String,
    /// Exchange's last yes.
    accepted: Instant,
    /// When Exchange could last not be asked.
    missed: Option<Instant>,
    mailbox: Mailbox,
}

/// A password that Exchange refused.
#[derive(Clone, Copy)]
struct Refused {
    at: Instant,
    times: u32,
}

impl Refused {
    fn hold(self, settings: &Settings) -> Duration {
        let doubled = settings.refusal.saturating_mul(1 << self.times.saturating_sub(1).min(16));
        doubled.min(settings.recheck.max(settings.refusal))
    }
}

/// Why somebody may be who they say.
#[derive(Clone, Copy)]
enum Proof<'a> {
    Password(&'a str),
    /// A proxy that is trusted says so.
    Vouched,
}

/// With whose rights a mailbox is opened.
pub(super) enum Way {
    /// Its owner's.
    Own,
    /// Those of a guest, who is granted that of private items.
    Visit { guest: Mailbox, privacy: Privacy },
}

/// Whose mailbox is opened, and how.
struct Entry {
    credentials: ews::Credentials,
    /// SMTP address.
    address: String,
    fingerprint: Option<u64>,
}

impl Known {
    /// Compares with all, whichever it is.
    fn knows(&self, digest: &Digest) -> bool {
        self.digests.iter().fold(subtle::Choice::from(0), |same, known| same | known.ct_eq(digest)).into()
    }

    fn is_open(&self, settings: &Settings) -> bool {
        if self.mailbox.is_refused() {
            return false;
        }
        let age = self.accepted.elapsed();
        let is_waiting = self.missed.is_some_and(|at| at.elapsed() < PATIENCE);
        age < settings.recheck || (is_waiting && age < settings.offline)
    }
}

/// From this many sign-ins under way on it is looked through which are over.
const MOST_TURNS: usize = 256;
/// After Exchange was away at a sign-in, users whom it accepted before are let in for this long without asking again.
const PATIENCE: Duration = Duration::from_secs(10);
/// App passwords that are hashed at once: each takes 19 MiB.
const MOST_HASHING: usize = 2;
/// App passwords of one account that are remembered.
const MOST_DIGESTS: usize = 16;
/// Longer nobody waits for Exchange at the door: whom it knew before is let in to the mirror.
const LONGEST_SIGN_IN: Duration = Duration::from_secs(20);
/// Sign-ins and refusals that are remembered at once.
const MOST_REMEMBERED: usize = 10_000;
/// Octets of a name: an address has at most 254, `DOMAIN\user` fewer. RFC 5321 4.5.3.1
const LONGEST_NAME: usize = 512;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gateway({})", self.0.exchange.name())
    }
}

impl Gateway {
    /// Whether attachments are served: links to them need to know where clients reach exdav.
    pub fn has_links(&self) -> bool {
        !self.0.settings.public_url.is_empty()
    }

    /// Prepares the product; asks nobody yet. Needs a tokio runtime.
    pub fn new(
        settings: Settings,
        mut ews: ews::Settings,
        mirror: mirror::Settings,
        sync: sync::Settings,
        convert: convert::Settings,
        links: Links,
    ) -> Result<Self, Error> {
        let mut secret = [0; 32];
        rustls::crypto::ring::default_provider()
            .secure_random
            .fill(&mut secret)
            .map_err(|_| Error::Internal("the system has no random numbers".to_owned(), None))?;
        let zone = if settings.zone.is_empty() {
            jiff::tz::TimeZone::system().iana_name().unwrap_or("UTC").to_owned()
        } else {
            settings.zone.clone()
        };
        ews.autodiscover.book.get_or_insert_with(|| mirror.path.join("autodiscover.json"));
        let exchange = ews::Exchange::new(ews)?;
        let store = Arc::new(Store::new(mirror)?);
        tokio::spawn(Store::let_rest(Arc::downgrade(&store)));
        Ok(Self(Arc::new(Inner {
            upstreams: Upstreams::new(&exchange, &settings.service),
            exchange,
            accounts: Accounts::open(&settings.accounts)?,
            hashing: tokio::sync::Semaphore::new(MOST_HASHING),
            store,
            settings,
            live: sync::Live::new(sync.live),
            sync,
            convert,
            links,
            zone: zone.into(),
            secret,
            known: Mutex::default(),
            refused: Mutex::default(),
            guesses: Guesses::new(),
            turns: Mutex::default(),
        })))
    }

    /// Takes leave of the upstream, for a few seconds at most.
    pub async fn shutdown(&self) {
        self.0.live.shutdown().await;
    }

    /// Opens the mailbox of `login` if the upstream accepts the password.
    ///
    /// Fails with [`Error::SignIn`] only when the upstream refused the credentials.
    pub async fn sign_in(&self, login: &str, password: &str) -> Result<Mailbox, Error> {
        self.enter(None, login, Proof::Password(password)).await
    }

    /// The same for somebody who comes from this address.
    ///
    /// Fails with [`Error::TooMany`] after too many wrong passwords for this name or from this address.
    pub async fn sign_in_from(&self, address: IpAddr, login: &str, password: &str) -> Result<Mailbox, Error> {
        self.enter(Some(address), login, Proof::Password(password)).await
    }

    /// Opens the mailbox of the account of this name for somebody whom a trusted proxy knows, by a client certificate
    /// for instance. Fails with [`Error::SignIn`] where there is no such account: Exchange wants to see a password.
    pub async fn sign_in_vouched(&self, login: &str) -> Result<Mailbox, Error> {
        self.enter(None, login, Proof::Vouched).await
    }

    async fn enter(&self, address: Option<IpAddr>, login: &str, proof: Proof<'_>) -> Result<Mailbox, Error> {
        let login = login.trim();
        if login.is_empty() || login.len() > LONGEST_NAME || login.chars().any(char::is_control) {
            return Err(Error::SignIn);
        }
        // Only ASCII: other letters that fold together may be other users' names.
        let key = login.to_ascii_lowercase();
        let digest = self.digest(&key, proof);
        if let Some(outcome) = self.remembered(&key, &digest) {
            return outcome;
        }
        let (outcome, delay) = {
            // Those who come with the same name at the same time ask Exchange once.
            let turn = self.turn(&key);
            let _turn = turn.lock().await;
            if let Some(outcome) = self.remembered(&key, &digest) {
                return outcome;
            }
            let guess = if self.is_guess(&key, &digest, proof) {
                let paid = self.0.guesses.pay(&key, address);
                Some(paid.map_err(|retry_after| Error::TooMany { retry_after })?)
            } else {
                None
            };
            let outcome = self.ask(login, &key, proof, digest).await;
            let delay = guess.as_ref().map(|guess| guess.delay).unwrap_or_default();
            if let Some(guess) = guess.filter(|_| !matches!(outcome, Err(Error::SignIn))) {
                guess.pay_back();
            }
            (outcome, delay)
        };
        if matches!(outcome, Err(Error::SignIn)) {
            // Others of that name do not wait for this.
            tokio::time::sleep(delay).await;
        }
        outcome
    }

    /// Whether it is a password that was neither good nor refused before.
    fn is_guess(&self, key: &str, digest: &Digest, proof: Proof<'_>) -> bool {
        let was_good = || lock(&self.0.known).get(key).is_some_and(|known| known.knows(digest));
        matches!(proof, Proof::Password(_)) && !was_good() && !lock(&self.0.refused).contains_key(digest)
    }

    fn turn(&self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = lock(&self.0.turns);
        if turns.len() >= MOST_TURNS {
            turns.retain(|_, turn| turn.strong_count() > 0);
        }
        let known = turns.entry(key.to_owned()).or_default();
        known.upgrade().unwrap_or_else(|| {
            let turn = Arc::default();
            *known = Arc::downgrade(&turn);
            turn
        })
    }

    fn digest(&self, key: &str, proof: Proof<'_>) -> Digest {
        // HMAC takes keys of any length, so this cannot fail; the fallback opens nothing.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0.secret) else { return [0; 32] };
        mac.update(key.as_bytes());
        match proof {
            Proof::Password(password) => {
                mac.update(&[0]);
                mac.update(password.as_bytes());
            }
            // No name has a control character, so that no password can look like this.
            Proof::Vouched => mac.update(&[1]),
        }
        mac.finalize().into_bytes().into()
    }

    fn remembered(&self, key: &str, digest: &Digest) -> Option<Result<Mailbox, Error>> {
        let settings = &self.0.settings;
        if lock(&self.0.refused).get(digest).is_some_and(|no| no.at.elapsed() < no.hold(settings)) {
            return Some(Err(Error::SignIn));
        }
        let known =
            lock(&self.0.known).get(key).cloned().filter(|known| !known.mailbox.mirror().is_dead())?;
        let same = known.knows(digest) && self.fingerprint(key).is_ok_and(|now| now == known.fingerprint);
        (same && known.is_open(settings)).then_some(Ok(known.mailbox))
    }

    fn fingerprint(&self, key: &str) -> Result<Option<u64>, Error> {
        match &self.0.accounts {
            Some(accounts) => Ok(accounts.fingerprint(key)?),
            None => Ok(None),
        }
    }

    /// Who comes in by this name and password, before Exchange is asked.
    async fn entry(&self, login: &str, key: &str, proof: Proof<'_>) -> Result<Entry, Error> {
        let fingerprint = self.fingerprint(key)?;
        let Some(accounts) = self.0.accounts.as_ref().filter(|_| fingerprint.is_some()) else {
            let Proof::Password(password) = proof else { return Err(Error::SignIn) };
            if !self.0.settings.pass_through {
                // It takes as long as with a name that is known, so that nobody can find out names.
                if let Some(accounts) = &self.0.accounts {
                    self.verify(accounts, key, password).await?;
                }
                return Err(Error::SignIn);
            }
            let credentials = ews::Credentials::password(login, password);
            return Ok(Entry { credentials, address: key.to_owned(), fingerprint });
        };
        let account = match proof {
            Proof::Password(password) => self.verify(accounts, key, password).await?,
            Proof::Vouched => accounts.find(key)?,
        };
        let account = account.ok_or(Error::SignIn)?;
        let credentials = self.0.upstreams.credentials(&self.0.exchange, accounts, &account)?;
        Ok(Entry { credentials, address: account.mailbox.to_ascii_lowercase(), fingerprint })
    }

    async fn verify(&self, accounts: &Accounts, key: &str, password: &str) -> Result<Option<Account>, Error> {
        let failed = |error: &dyn fmt::Display| Error::Internal(error.to_string(), None);
        let _turn = self.0.hashing.acquire().await.map_err(|error| failed(&error))?;
        let (book, name, secret) = (accounts.clone(), key.to_owned(), password.to_owned());
        let account = tokio::task::spawn_blocking(move || book.verify(&name, &secret)).await;
        Ok(account.map_err(|error| failed(&error))??)
    }

    fn refuse(&self, digest: Digest) {
        let mut refused = lock(&self.0.refused);
        if refused.len() >= MOST_REMEMBERED {
            refused.retain(|_, no| no.at.elapsed() < no.hold(&self.0.settings));
        }
        // Who makes so many up is not remembered, but still has to pay for each.
        if refused.len() >= MOST_REMEMBERED && !refused.contains_key(&digest) {
            return;
        }
        let times = refused.get(&digest).map_or(1, |no| no.times.saturating_add(1));
        refused.insert(digest, Refused { at: Instant::now(), times });
    }

    async fn ask(&self, login: &str, key: &str, proof: Proof<'_>, digest: Digest) -> Result<Mailbox, Error> {
        let Entry { credentials, address, fingerprint } = match self.entry(login, key, proof).await {
            Err(Error::SignIn) => {
                // An account that is made in a moment opens in a moment.
                if matches!(proof, Proof::Password(_)) {
                    self.refuse(digest);
                }
                return Err(Error::SignIn);
            }
            entry => entry?,
        };
        let session = self.0.exchange.session(credentials);
        let before = lock(&self.0.known).get(key).cloned();
        let before = before.filter(|known| known.address == address && !known.mailbox.mirror().is_dead());
        let same = before.as_ref().is_some_and(|known| known.knows(&digest));
        let signed_in = tokio::time::timeout(LONGEST_SIGN_IN, Follower::sign_in(&session)).await;
        let late = || ews::Error::Lost("no answer to the sign-in in time".to_owned()).into();
        match signed_in.unwrap_or_else(|_| Err(late())) {
            Ok(folders) => {
                let mut digests = vec![digest];
                let mailbox = match before {
                    Some(known) => {
                        known.mailbox.use_session(&session);
                        // A new password of an account opens the same door, one of a person's is another key.
                        if !same && fingerprint.is_none() {
                            known.mailbox.follower().stop_listening();
                        }
                        // Exchange knows one password, an account may have several.
                        if fingerprint.is_some() && fingerprint == known.fingerprint {
                            digests.extend(known.digests.into_iter().filter(|d| *d != digest));
                            digests.truncate(MOST_DIGESTS);
                        }
                        known.mailbox
                    }
                    None => self.open(login, &address, session, Way::Own).await?,
                };
                mailbox.note_accepted();
                lock(&self.0.refused).remove(&digest);
                mailbox.follower().note_distinguished(&folders);
                let mut known = lock(&self.0.known);
                if known.len() >= MOST_REMEMBERED {
                    let recheck = self.0.settings.recheck;
                    known.retain(|_, k| k.accepted.elapsed() < recheck);
                }
                let accepted = Instant::now();
                known.insert(
                    key.to_owned(),
                    Known { digests, fingerprint, address, accepted, missed: None, mailbox: mailbox.clone() },
                );
                Ok(mailbox)
            }
            // Where only tokens are taken, nobody's password is good but those of accounts.
            Err(sync::Error::Exchange(error))
                if matches!(error, ews::Error::SignIn)
                    || (matches!(error, ews::Error::NoScheme) && self.0.accounts.is_some()) =>
            {
                if same {
                    // The password was good and is no longer.
                    lock(&self.0.known).remove(key);
                }
                self.refuse(digest);
                Err(Error::SignIn)
            }
            Err(error) => match before {
                // Exchange is away: its last yes to this very password holds a while longer.
                Some(known)
                    if same
                        && !known.mailbox.is_refused()
                        && known.accepted.elapsed() < self.0.settings.offline
                        && matches!(Error::from(error.clone()), Error::Unavailable { .. }) =>
                {
                    tracing::warn!(%error, "Exchange is away: the mirror answers on its own");
                    if let Some(known) = lock(&self.0.known).get_mut(key) {
                        known.missed = Some(Instant::now());
                    }
                    Ok(known.mailbox)
                }
                _ => Err(error.into()),
            },
        }
    }

    pub(super) async fn open(
        &self,
        login: &str,
        address: &str,
        session: ews::Session,
        way: Way,
    ) -> Result<Mailbox, Error> {
        let inner = &self.0;
        let principal = principal(login, address);
        let (accessor, privacy) = match &way {
            Way::Own => (login.to_owned(), Privacy::Shown),
            // No login has a zero octet in it.
            Way::Visit { guest, privacy } => {
                (format!("{}\0{privacy:?}", guest.principal().segment), *privacy)
            }
        };
        let key =
            Key { upstream: inner.exchange.name().to_owned(), mailbox: principal.address.clone(), accessor };
        let rendering = format!(
            "{} {:?} {} {}",
            convert::RENDERING_VERSION,
            inner.convert,
            inner.zone,
            inner.settings.public_url
        );
        let store = Arc::clone(&inner.store);
        let mirror = tokio::task::spawn_blocking(move || store.open(&key, &rendering))
            .await
            .map_err(|error| Error::Internal(error.to_string(), None))??;
        let context = convert::Context {
            people: Arc::default(),
            addresses: principal.addresses.clone().into(),
            zone: Arc::clone(&inner.zone),
            attachment_url: None,
            directory: Arc::default(),
            contents: Arc::default(),
            privacy,
            elsewhere: Arc::default(),
            settings: inner.convert,
        };
        let links = (!inner.settings.public_url.is_empty()).then(|| {
            let (base, segment) =
                (inner.settings.public_url.trim_end_matches('/').to_owned(), principal.segment.clone());
            let path = inner.links;
            let make = move |id: &CollectionId, name: &ResourceName, managed: &str| {
                format!("{base}{}", path(&segment, id, name, managed))
            };
            Arc::new(make) as sync::Links
        });
        let shared = match &way {
            Way::Own => None,
            Way::Visit { .. } => Some(sync::Shared { owner: address.to_owned(), privacy }),
        };
        let follower =
            Follower::new(session, mirror, context, links, shared, inner.sync.clone(), inner.live.clone());
        let attachments = inner.settings.public_url.as_str();
        let mailbox =
            Mailbox::new(principal, follower, attachments, Arc::clone(&inner.zone), Timestamp::now(), &way);
        mailbox.settle().await;
        Ok(mailbox)
    }
}

fn principal(login: &str, address: &str) -> Principal {
    let login = login.to_ascii_lowercase();
    // DOMAIN\user has no address that could be guessed.
    let address = address.to_owned();
    let display_name = login.split('@').next().unwrap_or(&login).to_owned();
    Principal { segment: login_segment(&login), addresses: vec![address.clone()], address, display_name }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_one_to_one_with_logins() {
        assert_eq!(login_segment("demo@example.com"), "demo~40example.com");
        assert_eq!(login_segment("corp\\jörg~x"), "corp~5Cj~C3~B6rg~7Ex");
    }

    #[test]
    fn a_password_that_is_refused_again_and_again_is_asked_for_less_and_less() {
        let settings = Settings::default();
        let hold = |times| Refused { at: Instant::now(), times }.hold(&settings).as_secs();
        assert_eq!([1, 2, 3, 4].map(hold), [10, 20, 40, 80]);
        assert_eq!(hold(u32::MAX), settings.recheck.as_secs());
    }
}
