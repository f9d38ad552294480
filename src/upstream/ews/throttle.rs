//! How much is asked of a busy server: one user's slots, and the quiet that it asked for.

use super::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Answers in a row after which one more request may be under way at once.
const TRUST: u32 = 20;

/// The log tells of one spell of refusals in this time; each is a line when it begins and one when it ends.
const SELDOM: Duration = Duration::from_mins(5);

/// No quiet is longer, whatever the server asks for: a slip of an administrator must not lock a user out.
const MAX_BACK_OFF: Duration = Duration::from_mins(5);

/// One user's share of the server. It shrinks with every refusal and grows slowly with what is served.
/// Source: docs/EXCHANGE.md, Errors.
#[derive(Debug)]
pub(super) struct Throttle {
    most: usize,
    slots: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Slots that there are, taken or free; at least one.
    slots: usize,
    /// Answers since the last refusal or growth.
    served: u32,
    /// Refusals of this spell.
    refused: u64,
    quiet_until: Option<Instant>,
    /// When the log last told that a spell began.
    told: Option<Instant>,
    /// It was this one.
    is_told: bool,
}

/// The right to send one request.
#[derive(Debug)]
pub(super) struct Slot<'a> {
    throttle: &'a Throttle,
    permit: SemaphorePermit<'a>,
}

impl Throttle {
    /// At most so many requests at once.
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1);
        let state =
            State { slots: most, served: 0, refused: 0, quiet_until: None, told: None, is_told: false };
        Self { most, slots: Semaphore::new(most), state: Mutex::new(state) }
    }

    /// A slot, when the server may be asked; [`Error::Busy`] when that is too late for this patience.
    pub(super) async fn enter(&self, patience: &mut Duration) -> Result<Slot<'_>, Error> {
        loop {
            if let Some(quiet) = self.quiet() {
                let left = patience.checked_sub(quiet);
                *patience = left.ok_or(Error::Busy { back_off: Some(quiet) })?;
                tokio::time::sleep(crate::upstream::with_jitter(quiet)).await;
                continue;
            }
            let permit = self.slots.acquire().await.map_err(|e| Error::Unreachable(e.to_string()))?;
            // Whoever was before may have been sent away.
            if self.quiet().is_none() {
                return Ok(Slot { throttle: self, permit });
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn quiet(&self) -> Option<Duration> {
        let left = self.state().quiet_until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

impl Slot<'_> {
    /// The server was too busy: nobody of this user asks it before `back_off` is over, and then fewer at once.
    pub(super) fn refused(self, back_off: Option<Duration>) {
        let mut state = self.throttle.state();
        state.served = 0;
        state.refused += 1;
        if let Some(back_off) = back_off {
            state.quiet_until = state.quiet_until.max(Some(Instant::now() + back_off.min(MAX_BACK_OFF)));
        }
        if state.refused == 1 && state.told.is_none_or(|at| at.elapsed() > SELDOM) {
            (state.told, state.is_told) = (Some(Instant::now()), true);
            tracing::warn!(
                back_off_ms = back_off.map(|b| b.as_millis()),
                "Exchange is busy: it is asked less"
            );
        }
        if state.slots > 1 {
            state.slots -= 1;
            self.permit.forget();
        }
    }

    /// The server answered.
    pub(super) fn served(self) {
        let mut state = self.throttle.state();
        if state.refused == 0 {
            return;
        }
        state.served += 1;
        if state.served < TRUST {
            return;
        }
        state.served = 0;
        if state.slots < self.throttle.most {
            state.slots += 1;
            self.throttle.slots.add_permits(1);
        }
        if state.slots == self.throttle.most {
            if std::mem::take(&mut state.is_told) {
                tracing::info!(refused = state.refused, "Exchange takes as much as before");
            }
            state.refused = 0;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn none() -> Duration {
        Duration::ZERO
    }

    #[tokio::test]
    async fn a_refusal_takes_a_slot_away_and_the_last_one_stays() {
        let throttle = Throttle::new(3);
        for left in [2, 1, 1, 1] {
            throttle.enter(&mut none()).await.unwrap().refused(None);
            assert_eq!(throttle.slots.available_permits(), left);
        }
    }

    #[tokio::test]
    async fn what_is_served_in_a_row_gives_slots_back_but_never_more_than_there_were() {
        let throttle = Throttle::new(2);
        throttle.enter(&mut none()).await.unwrap().refused(None);
        for _ in 1..TRUST {
            throttle.enter(&mut none()).await.unwrap().served();
        }
        assert_eq!(throttle.slots.available_permits(), 1);
        for _ in 0..3 * TRUST {
            throttle.enter(&mut none()).await.unwrap().served();
        }
        assert_eq!(throttle.slots.available_permits(), 2);
    }

    #[tokio::test]
    async fn the_quiet_that_one_request_is_told_to_keep_is_kept_by_all() {
        let throttle = Throttle::new(4);
        throttle.enter(&mut none()).await.unwrap().refused(Some(Duration::from_hours(1)));
        let refused = throttle.enter(&mut Duration::from_secs(30)).await.unwrap_err();
        let Error::Busy { back_off: Some(wait) } = refused else { panic!("{refused:?}") };
        assert!(wait <= MAX_BACK_OFF, "{wait:?}");
        assert!(wait > Duration::from_mins(4), "{wait:?}");
    }

    #[test]
    fn a_wait_is_spread_over_a_quarter_of_it() {
        let wait = Duration::from_secs(4);
        assert!(
            (0..100)
                .all(|_| (wait..wait + Duration::from_secs(1)).contains(&crate::upstream::with_jitter(wait)))
        );
    }
}
