//! Writes after which the object that was sent is not what is there: a client that repeats one, since it got no answer, must
//! neither create anew the meeting that it ended nor be refused the answer that it has given.

use super::store::{Error, Mirror};
use super::tables::ENDED;
use crate::model::id::{CollectionId, ResourceName};
use jiff::Timestamp;
use redb::{ReadableTable as _, ReadableTableMetadata as _};
use sha2::{Digest as _, Sha256};

/// Rows of a mirror; beyond this the oldest half is forgotten.
const MAX_ROWS: u64 = 1_000;

/// Seconds for which a client may repeat itself. By the wall clock, since it has to hold over restarts; a clock that is set
/// makes a repetition be taken for a new object, or the other way round, and no more than that.
const MAX_AGE: i64 = 24 * 60 * 60;

/// What has become of such a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It cancels a meeting, or declines the owner's part in it.
    Ended,
    /// It answers an invitation, and nothing else of it is stored.
    Answered,
}

/// What tells a request from all others.
fn request(outcome: Outcome, name: &ResourceName, octets: &[u8]) -> [u8; 32] {
    let kind = match outcome {
        Outcome::Ended => [0],
        Outcome::Answered => [1],
    };
    let hash = Sha256::new().chain_update(kind).chain_update(name.as_str());
    hash.chain_update([0]).chain_update(octets).finalize().into()
}

impl Mirror {
    /// Notes what this text, put at this name, does; durable when this returns.
    pub fn note_outcome(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        octets: &[u8],
        outcome: Outcome,
    ) -> Result<(), Error> {
        let write = self.begin()?;
        {
            let mut table = write.open_table(ENDED)?;
            let request = request(outcome, name, octets);
            table.insert((id.as_str(), request.as_slice()), Timestamp::now().as_second())?;
            if table.len()? > MAX_ROWS {
                let mut times =
                    table.iter()?.map(|row| Ok(row?.1.value())).collect::<Result<Vec<i64>, Error>>()?;
                times.sort_unstable();
                let middle = times.get(times.len() / 2).copied().unwrap_or_default();
                table.retain(|_, at| at > middle)?;
            }
        }
        write.commit()?;
        Ok(())
    }

    /// Whether this very text, put at this name, was to do that not long ago.
    pub fn had_outcome(
        &self,
        id: &CollectionId,
        name: &ResourceName,
        octets: &[u8],
        outcome: Outcome,
    ) -> Result<bool, Error> {
        let read = self.begin_read()?;
        let request = request(outcome, name, octets);
        let at = read.open_table(ENDED)?.get((id.as_str(), request.as_slice()))?.map(|row| row.value());
        Ok(at.is_some_and(|at| (Timestamp::now().as_second() - at).abs() < MAX_AGE))
    }
}
