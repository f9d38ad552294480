//! How many wrong passwords may come: so many for one name from one address, so many for one name from all addresses,
//! so many from one address for all names, then one at a time.
//!
//! Where somebody has signed in before, only the first of these counts for that name: whoever guesses elsewhere locks
//! nobody out.
//!
//! Only a password that was not refused before is a guess: a phone with an old one guesses nothing. A password that
//! opened the mailbox before is no guess either, so that nobody can lock others out. After a restart it is known by its
//! mark ([`super::password_mark`]): where the other budgets are spent, by those who guess behind the same address for
//! instance, what fits a mark has a budget of its own.
//!
//! The budgets of names are so small that guesses alone do not make Exchange lock an account where the domain's policy allows
//! more than ten wrong passwords in a quarter of an hour. By default Windows locks none. ("Account lockout threshold")
//!
//! **Invariant:** memory is bounded whoever comes: those for whom there is no place share one.

use super::visitors::{Accepted, Visitors};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A budget that fills again by one at a time.
struct Limit {
    most: u32,
    each: Duration,
}

/// For one name from one address.
const FOR_A_PAIR: Limit = Limit { most: 5, each: Duration::from_secs(180) };
/// For one name from all addresses.
const FOR_A_NAME: Limit = Limit { most: 7, each: Duration::from_secs(240) };
/// For one name with passwords that may have opened its mailbox before: one guess in 65,536 does.
const FOR_USED_PASSWORDS: Limit = Limit { most: 5, each: Duration::from_secs(30) };
/// Many people may stand behind one address.
const FROM_AN_ADDRESS: Limit = Limit { most: 100, each: Duration::from_secs(3) };
/// Names and addresses that have a budget of their own.
const MAX_OWN: usize = 10_000;
/// The longest that the answer to a wrong password is held back.
const MAX_DELAY: Duration = Duration::from_secs(1);

/// The budgets of all names and addresses.
pub(super) struct LoginThrottle {
    visitors: Visitors,
    pairs: Mutex<Budgets<Pair>>,
    names: Mutex<Budgets<String>>,
    used_passwords: Mutex<Budgets<String>>,
    addresses: Mutex<Budgets<IpAddr>>,
}

/// A name, and the address from which it is tried if that is known.
type Pair = (String, Option<IpAddr>);

/// A guess that was let through; it is paid for until it turns out to be right.
#[must_use]
pub(super) struct Guess<'a> {
    guesses: &'a LoginThrottle,
    pair: Pair,
    paid_by: PaidBy,
    /// How long the answer is to be held back if it is wrong: longer with each.
    pub(super) delay: Duration,
}

/// Which budgets a guess was taken from.
#[derive(Clone, Copy, PartialEq)]
enum PaidBy {
    /// Those of pair, name and address.
    Stranger,
    /// The pair's alone.
    KnownAddress,
    UsedPassword,
}

struct Budgets<K> {
    limit: Limit,
    /// When each is full again; those that are full need no entry.
    full_at: HashMap<K, Instant>,
    shared: Instant,
    swept: Instant,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LoginThrottle {
    pub(super) fn new(visitors: Visitors) -> Self {
        Self {
            visitors,
            pairs: Mutex::new(Budgets::new(FOR_A_PAIR)),
            names: Mutex::new(Budgets::new(FOR_A_NAME)),
            used_passwords: Mutex::new(Budgets::new(FOR_USED_PASSWORDS)),
            addresses: Mutex::new(Budgets::new(FROM_AN_ADDRESS)),
        }
    }

    /// Remembers that somebody of this name signed in from this address, with this password if it is a new one.
    pub(super) fn note_signed_in(&self, name: &str, address: Option<IpAddr>, accepted: Option<Accepted<'_>>) {
        self.visitors.note(name, address.map(network), accepted);
    }

    /// Lets a guess through, or says when the next one may come.
    pub(super) fn acquire(
        &self,
        name: &str,
        address: Option<IpAddr>,
        password: &str,
    ) -> Result<Guess<'_>, Duration> {
        let now = Instant::now();
        let pair = (name.to_owned(), address.map(network));
        let (debt, paid_by) = match self.pay_by_address(&pair, now) {
            Ok(paid) => paid,
            Err(wait) if !self.visitors.may_have_used(name, password) => return Err(wait),
            Err(_) => (lock(&self.used_passwords).spend(&pair.0, now)?, PaidBy::UsedPassword),
        };
        Ok(Guess { guesses: self, pair, paid_by, delay: (debt / 1_000).min(MAX_DELAY) })
    }

    fn pay_by_address(&self, pair: &Pair, now: Instant) -> Result<(Duration, PaidBy), Duration> {
        let debt = lock(&self.pairs).spend(pair, now)?;
        if pair.1.is_some_and(|address| self.visitors.has(&pair.0, address)) {
            return Ok((debt, PaidBy::KnownAddress));
        }
        if let Err(wait) = self.pay_for_strangers(pair, now) {
            lock(&self.pairs).refund(pair, now);
            return Err(wait);
        }
        Ok((debt, PaidBy::Stranger))
    }

    fn pay_for_strangers(&self, (name, address): &Pair, now: Instant) -> Result<(), Duration> {
        if let Some(address) = address {
            lock(&self.addresses).spend(address, now)?;
        }
        if let Err(wait) = lock(&self.names).spend(name, now) {
            if let Some(address) = address {
                lock(&self.addresses).refund(address, now);
            }
            return Err(wait);
        }
        Ok(())
    }
}

impl Guess<'_> {
    /// It was right, or nobody could tell.
    pub(super) fn refund(self) {
        let now = Instant::now();
        let (name, address) = &self.pair;
        if self.paid_by == PaidBy::UsedPassword {
            return lock(&self.guesses.used_passwords).refund(name, now);
        }
        lock(&self.guesses.pairs).refund(&self.pair, now);
        if self.paid_by == PaidBy::KnownAddress {
            return;
        }
        lock(&self.guesses.names).refund(name, now);
        if let Some(address) = address {
            lock(&self.guesses.addresses).refund(address, now);
        }
    }
}

/// One customer has 2^64 addresses of IPv6. RFC 6177 2
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

impl<K: Hash + Eq + Clone> Budgets<K> {
    fn new(limit: Limit) -> Self {
        let now = Instant::now();
        Self { limit, full_at: HashMap::new(), shared: now, swept: now }
    }

    /// Takes one, and gives how long the budget needs to be full again; or says when there is one to be taken.
    fn spend(&mut self, key: &K, now: Instant) -> Result<Duration, Duration> {
        let Limit { most, each } = self.limit;
        let full_at = self.full_at(key, now);
        let debt = full_at.saturating_duration_since(now) + each;
        let over = debt.saturating_sub(each * most);
        if !over.is_zero() {
            return Err(over);
        }
        *full_at = now + debt;
        Ok(debt)
    }

    fn refund(&mut self, key: &K, now: Instant) {
        let each = self.limit.each;
        let full_at = self.full_at(key, now);
        *full_at = full_at.checked_sub(each).unwrap_or(now);
    }

    fn full_at(&mut self, key: &K, now: Instant) -> &mut Instant {
        if self.full_at.len() >= MAX_OWN && now.saturating_duration_since(self.swept) >= self.limit.each {
            self.swept = now;
            self.full_at.retain(|_, at| *at > now);
        }
        if self.full_at.len() >= MAX_OWN && !self.full_at.contains_key(key) {
            return &mut self.shared;
        }
        self.full_at.entry(key.clone()).or_insert(now)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn wrong(guesses: &LoginThrottle, name: &str, address: &str) -> Result<Duration, Duration> {
        guesses.acquire(name, Some(address.parse().unwrap()), "wrong").map(|guess| guess.delay)
    }

    fn guesses() -> LoginThrottle {
        LoginThrottle::new(Visitors::default())
    }

    fn signed_in(guesses: &LoginThrottle, name: &str, address: &str, password: &str) {
        let accepted = Accepted { password, others_stay_good: false };
        guesses.note_signed_in(name, Some(address.parse().unwrap()), Some(accepted));
    }

    #[test]
    fn a_name_may_be_guessed_at_five_times_from_an_address_and_then_once_in_a_while() {
        let guesses = guesses();
        let delays: Vec<Duration> = (0..5).map(|_| wrong(&guesses, "alice", "192.0.2.1").unwrap()).collect();
        assert!(delays.is_sorted() && delays[0] < delays[4] && delays[4] <= MAX_DELAY, "{delays:?}");
        let wait = wrong(&guesses, "alice", "192.0.2.1").unwrap_err();
        assert!(wait <= FOR_A_PAIR.each, "{wait:?}");
        wrong(&guesses, "bob", "192.0.2.1").unwrap();
        wrong(&guesses, "alice", "192.0.2.2").unwrap();
    }

    #[test]
    fn many_addresses_that_guess_at_a_name_do_not_lock_out_who_signed_in_before() {
        let guesses = guesses();
        signed_in(&guesses, "alice", "203.0.113.5", "right");
        let outcomes: Vec<_> = (0..50).map(|n| wrong(&guesses, "alice", &format!("192.0.2.{n}"))).collect();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 7);
        wrong(&guesses, "alice", "203.0.113.5").unwrap();
        // That address is one like all others for other names.
        for n in 0..100 {
            wrong(&guesses, &format!("user{n}"), "203.0.113.5").unwrap();
        }
        wrong(&guesses, "another", "203.0.113.5").unwrap_err();
        wrong(&guesses, "alice", "203.0.113.5").unwrap();
    }

    #[test]
    fn who_guesses_behind_the_same_address_does_not_lock_out_a_password_that_was_accepted_before() {
        let guesses = guesses();
        let address = "203.0.113.5".parse().unwrap();
        signed_in(&guesses, "alice", "203.0.113.5", "right");
        for n in 0..100 {
            let _ = guesses.acquire("alice", Some(address), &format!("guess {n}")).map(|guess| guess.delay);
            guesses.acquire("alice", Some(address), "right").unwrap().refund();
        }
        // A phone elsewhere is let in, too.
        guesses.acquire("alice", Some("192.0.2.9".parse().unwrap()), "right").unwrap().refund();
        // An old password that is no longer good is asked for a few times.
        let asked = (0..50).filter(|_| guesses.acquire("alice", Some(address), "right").is_ok()).count();
        assert_eq!(asked, 5);
    }

    #[test]
    fn right_passwords_cost_nothing() {
        let guesses = guesses();
        for _ in 0..1_000 {
            guesses.acquire("alice", Some("192.0.2.1".parse().unwrap()), "right").unwrap().refund();
        }
        wrong(&guesses, "alice", "192.0.2.1").unwrap();
    }

    #[test]
    fn an_address_may_guess_at_some_names_and_its_neighbours_of_ipv6_are_one_with_it() {
        let guesses = guesses();
        for n in 0..100 {
            wrong(&guesses, &format!("user{n}"), &format!("2001:db8::{n:x}")).unwrap();
        }
        wrong(&guesses, "another", "2001:db8::ffff").unwrap_err();
        wrong(&guesses, "another", "2001:db8:0:1::1").unwrap();
        wrong(&guesses, "another", "192.0.2.1").unwrap();
    }

    #[test]
    fn a_refused_name_costs_its_address_nothing() {
        let guesses = guesses();
        for _ in 0..1_000 {
            let _ = wrong(&guesses, "alice", "192.0.2.1");
        }
        wrong(&guesses, "bob", "192.0.2.1").unwrap();
    }

    #[test]
    fn whoever_comes_memory_is_bounded() {
        let guesses = guesses();
        for n in 0..3 * MAX_OWN {
            let _ = guesses.acquire(&format!("user{n}"), None, "wrong").map(|guess| guess.delay);
        }
        assert_eq!(lock(&guesses.names).full_at.len(), MAX_OWN);
        guesses.acquire("one more", None, "wrong").map(|guess| guess.delay).unwrap_err();
    }
}
