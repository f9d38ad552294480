//! Who may open which mirror.
//!
//! A name that is an account of exdav's own signs in with an app password, and the account says how its mailbox is
//! reached. Any other name and password are Exchange's, and Exchange checks them. Either way a password is known again
//! by a keyed hash alone, whose key dies with the process; a mark of it that opens nothing outlives it
//! ([`super::password_mark`]). Within [`Settings::recheck`] of the last yes the hash opens the
//! mailbox; then it is asked for again.

use super::error::Error;
use super::opening::AccessMode;
use super::product::Settings;
use super::visitors::Accepted;
use super::{Gateway, Mailbox};
use super::{access, identity};
use crate::accounts::{Account, Accounts};
use crate::sync::{self, Early, Follower};
use crate::upstream::{self, Access, ErrorKind, Folder, Session};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq as _;

pub(super) type Digest = [u8; 32];

#[derive(Clone)]
pub(super) struct RememberedSignIn {
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
pub(super) struct Refused {
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

/// Whose mailbox is opened, and how.
struct Entry {
    session: Session,
    /// SMTP address.
    address: String,
    fingerprint: Option<u64>,
}

impl RememberedSignIn {
    /// Compares with all, whichever it is.
    fn knows(&self, digest: &Digest) -> bool {
        self.digests.iter().fold(subtle::Choice::from(0), |same, known| same | known.ct_eq(digest)).into()
    }

    fn is_open(&self, settings: &Settings) -> bool {
        if self.mailbox.is_refused() {
            return false;
        }
        let age = self.accepted.elapsed();
        let is_waiting = self.missed.is_some_and(|at| at.elapsed() < OFFLINE_GRACE);
        age < settings.recheck || (is_waiting && age < settings.offline)
    }
}

/// From this many sign-ins under way on it is looked through which are over.
const MAX_TURNS: usize = 256;
/// After Exchange was away at a sign-in, users whom it accepted before are let in for this long without asking again.
const OFFLINE_GRACE: Duration = Duration::from_secs(10);
/// App passwords that are hashed at once: each takes 19 MiB.
pub(super) const MAX_HASHING: usize = 2;
/// App passwords of one account that are remembered.
const MAX_DIGESTS: usize = 16;
/// Longer nobody waits for Exchange at the door: whom it knew before is let in to the mirror.
const MAX_SIGN_IN: Duration = Duration::from_secs(20);
/// Sign-ins and refusals that are remembered at once.
const MAX_REMEMBERED: usize = 10_000;
/// Octets of a name: an address has at most 254, `DOMAIN\user` fewer. RFC 5321 4.5.3.1
const MAX_NAME: usize = 512;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gateway {
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
        if login.is_empty() || login.len() > MAX_NAME || login.chars().any(char::is_control) {
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
            let was_good = self.was_good(&key, &digest);
            let guess = match proof {
                // What was good or refused before is none.
                Proof::Password(password) if !was_good && !lock(&self.0.refused).contains_key(&digest) => {
                    let paid = self.0.guesses.acquire(&key, address, password);
                    Some(paid.map_err(|retry_after| Error::TooMany { retry_after })?)
                }
                Proof::Password(_) | Proof::Vouched => None,
            };
            let outcome = self.ask(login, &key, proof, digest).await;
            if outcome.is_ok() {
                let accepted = match proof {
                    // Exchange knows one password, an account may have several.
                    Proof::Password(password) if !was_good => {
                        Some(Accepted { password, others_stay_good: self.fingerprint(&key)?.is_some() })
                    }
                    Proof::Password(_) | Proof::Vouched => None,
                };
                self.0.guesses.note_signed_in(&key, address, accepted);
            }
            let delay = guess.as_ref().map(|guess| guess.delay).unwrap_or_default();
            if let Some(guess) = guess.filter(|_| !matches!(outcome, Err(Error::SignIn))) {
                guess.refund();
            }
            (outcome, delay)
        };
        if matches!(outcome, Err(Error::SignIn)) {
            // Others of that name do not wait for this.
            tokio::time::sleep(delay).await;
        }
        outcome
    }

    /// Whether the password opened the mailbox before.
    fn was_good(&self, key: &str, digest: &Digest) -> bool {
        lock(&self.0.known).get(key).is_some_and(|known| known.knows(digest))
    }

    fn turn(&self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = lock(&self.0.turns);
        if turns.len() >= MAX_TURNS {
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
            let session = self.0.upstream.session(&Access::Password { login, password });
            let session = session.map_err(|missing| Error::Barred(missing.to_string()))?;
            return Ok(Entry { session, address: key.to_owned(), fingerprint });
        };
        let account = match proof {
            Proof::Password(password) => self.verify(accounts, key, password).await?,
            Proof::Vouched => accounts.find(key)?,
        };
        let account = account.ok_or(Error::SignIn)?;
        let session = access::session(self.0.upstream.as_ref(), accounts, &account)?;
        Ok(Entry { session, address: account.mailbox.to_ascii_lowercase(), fingerprint })
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
        if refused.len() >= MAX_REMEMBERED {
            refused.retain(|_, no| no.at.elapsed() < no.hold(&self.0.settings));
        }
        // Who makes so many up is not remembered, but still has to pay for each.
        if refused.len() >= MAX_REMEMBERED && !refused.contains_key(&digest) {
            return;
        }
        let times = refused.get(&digest).map_or(1, |no| no.times.saturating_add(1));
        refused.insert(digest, Refused { at: Instant::now(), times });
    }

    async fn ask(&self, login: &str, key: &str, proof: Proof<'_>, digest: Digest) -> Result<Mailbox, Error> {
        let Entry { session, address, fingerprint } = match self.entry(login, key, proof).await {
            Err(Error::SignIn) => {
                // An account that is made in a moment opens in a moment.
                if matches!(proof, Proof::Password(_)) {
                    self.refuse(digest);
                }
                return Err(Error::SignIn);
            }
            entry => entry?,
        };
        let before = lock(&self.0.known).get(key).cloned();
        let before = before.filter(|known| known.address == address && !known.mailbox.mirror().is_dead());
        let same = before.as_ref().is_some_and(|known| known.knows(&digest));
        let is_first = before.is_none() && self.0.sync.fill_at_sign_in && self.is_new(login, &address);
        let signed_in = prove(&session, &address, is_first);
        let signed_in = tokio::time::timeout(MAX_SIGN_IN, signed_in).await;
        let late = || upstream::Error::new(ErrorKind::Lost, "no answer to the sign-in in time").into();
        match signed_in.unwrap_or_else(|_| Err(late())) {
            Ok(SignedIn { folders, early }) => {
                let mut digests = vec![digest];
                let is_new = before.is_none();
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
                            digests.truncate(MAX_DIGESTS);
                        }
                        known.mailbox
                    }
                    None => {
                        let (addresses, early) = match early {
                            Some((addresses, early)) => (addresses, Some(early)),
                            None => (learned(&session, &address, &folders).await?, None),
                        };
                        let mailbox =
                            self.open(login, &address, session, AccessMode::Own { addresses }).await?;
                        if let Some(early) = early {
                            mailbox.follower().note_early(early);
                        }
                        mailbox
                    }
                };
                mailbox.note_accepted();
                lock(&self.0.refused).remove(&digest);
                mailbox.follower().note_distinguished(&folders);
                if is_new {
                    mailbox.follower().begin_fills();
                }
                {
                    let mut known = lock(&self.0.known);
                    if known.len() >= MAX_REMEMBERED {
                        let recheck = self.0.settings.recheck;
                        known.retain(|_, k| k.accepted.elapsed() < recheck);
                    }
                    let accepted = Instant::now();
                    known.insert(
                        key.to_owned(),
                        RememberedSignIn {
                            digests,
                            fingerprint,
                            address,
                            accepted,
                            missed: None,
                            mailbox: mailbox.clone(),
                        },
                    );
                }
                mailbox.settle_apart().await;
                Ok(mailbox)
            }
            // Where only tokens are taken, nobody's password is good but those of accounts.
            Err(sync::Error::Exchange(error))
                if error.is(&ErrorKind::SignIn)
                    || (error.is(&ErrorKind::NoPasswordSignIn) && self.0.accounts.is_some()) =>
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
                _ => {
                    tracing::warn!(%error, "a sign-in could not be checked");
                    Err(error.into())
                }
            },
        }
    }
}

/// What Exchange told of somebody whom it accepted.
struct SignedIn {
    /// The distinguished folders.
    folders: Vec<Option<Folder>>,
    /// The addresses, and what the first fill needs, of a mailbox of which nothing is known.
    early: Option<(Vec<String>, Early)>,
}

/// Lets Exchange judge the credentials in one call; of a mailbox of which nothing is known (`is_first`) the rest is then
/// asked at once.
async fn prove(session: &Session, address: &str, is_first: bool) -> Result<SignedIn, sync::Error> {
    let quick = session.giving_up_at_once();
    let early = if is_first { Early::of_tree(&quick).await? } else { None };
    let Some(mut early) = early else {
        return Ok(SignedIn { folders: Follower::sign_in(&quick).await?, early: None });
    };
    let known: Vec<Option<Folder>> = early.folders().cloned().map(Some).collect();
    let (folders, addresses, ()) = tokio::join!(
        Follower::sign_in(&quick),
        identity::addresses(session, address, &known),
        early.read_ids(session, 2)
    );
    Ok(SignedIn { folders: folders?, early: Some((addresses?, early)) })
}

/// All addresses of a mailbox.
async fn learned(
    session: &Session,
    address: &str,
    folders: &[Option<Folder>],
) -> Result<Vec<String>, upstream::Error> {
    let learned = tokio::time::timeout(MAX_SIGN_IN, identity::addresses(session, address, folders)).await;
    let late = || upstream::Error::new(ErrorKind::Lost, "no answer to a look into the directory in time");
    learned.unwrap_or_else(|_| Err(late()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_is_refused_again_and_again_is_asked_for_less_and_less() {
        let settings = Settings::default();
        let hold = |times| Refused { at: Instant::now(), times }.hold(&settings).as_secs();
        assert_eq!([1, 2, 3, 4].map(hold), [10, 20, 40, 80]);
        assert_eq!(hold(u32::MAX), settings.recheck.as_secs());
    }
}
