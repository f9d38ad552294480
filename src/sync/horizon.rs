//! How far back calendars are shown, as the days go by.
//!
//! It is judged again whenever somebody asks for a collection, and moves at midnight, UTC: what is not shown any more is
//! reported once a day, and a listing and its token never disagree. Tasks and contacts are not bounded.

use super::follower::{Error, Follower};
use crate::model::collection::CollectionKind;
use crate::model::id::CollectionId;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

const DAY: i64 = 86_400;

impl Follower {
    /// Makes sure that these collections are shown as far back as the settings ask now. Asks Exchange nothing.
    pub(super) async fn move_horizons(&self, ids: &[CollectionId]) -> Result<(), Error> {
        let settings = &self.0.settings;
        let wanted = settings.past.and_then(|past| horizon((settings.clock)(), past));
        for folder in self.0.mirror.known_folders().await?.iter() {
            let id = &folder.collection.id;
            let wanted = wanted.filter(|_| folder.collection.kind == CollectionKind::Calendar);
            if folder.horizon != wanted.map(Timestamp::as_second) && ids.contains(id) {
                let id = id.clone();
                self.0.mirror.run(move |mirror| mirror.move_horizon(&id, wanted)).await?;
            }
        }
        Ok(())
    }
}

/// The beginning of the day, UTC, that was so long ago; `None` before all that can be named.
fn horizon(now: Timestamp, past: Duration) -> Option<Timestamp> {
    let past = SignedDuration::try_from(past).ok()?;
    let at = now.checked_sub(past).ok()?.as_second();
    Timestamp::from_second(at - at.rem_euclid(DAY)).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_horizon_moves_at_midnight() {
        let days = |number: u64| Duration::from_secs(number * 86_400);
        let at = |now: &str, past| horizon(now.parse().unwrap(), past).map(|at| at.to_string());
        let first = Some("2025-12-31T00:00:00Z".to_owned());
        assert_eq!(at("2026-01-30T00:00:00Z", days(30)), first);
        assert_eq!(at("2026-01-30T23:59:59Z", days(30)), first);
        assert_eq!(at("2026-01-31T00:00:00Z", days(30)), Some("2026-01-01T00:00:00Z".to_owned()));
        assert_eq!(at("1969-12-31T12:00:00Z", days(1)), Some("1969-12-30T00:00:00Z".to_owned()));
        assert_eq!(at("2026-01-30T00:00:00Z", Duration::MAX), None);
    }
}
