//! The simulated server's wall clock: that of this machine, or one that begins at a given moment.

use jiff::{SignedDuration, Timestamp};
use std::time::Instant;

/// Tells the time. A clock that begins at a given moment goes on from there, whatever happens to that of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock(Option<(Timestamp, Instant)>);

impl Clock {
    /// One that shows this moment now; `None`: the machine's.
    pub fn new(start: Option<Timestamp>) -> Self {
        Self(start.map(|start| (start, Instant::now())))
    }

    /// The time.
    pub fn now(self) -> Timestamp {
        let Some((start, since)) = self.0 else { return Timestamp::now() };
        let elapsed = SignedDuration::try_from(since.elapsed()).unwrap_or_default();
        start.saturating_add(elapsed).unwrap_or(start)
    }
}
