//! Writes that have ended meetings: a client that repeats one, since it got no answer, must not create the meeting anew.

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

/// What tells a request from all others.
fn request(name: &ResourceName, octets: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(name.as_str()).chain_update([0]).chain_update(octets).finalize().into()
}

impl Mirror {
    /// Notes that this text, put at this name, cancels a meeting or declines the owner's part in it; durable when this
    /// returns.
    pub fn note_ended(&self, id: &CollectionId, name: &ResourceName, octets: &[u8]) -> Result<(), Error> {
        let write = self.begin()?;
        {
            let mut table = write.open_table(ENDED)?;
            let request = request(name, octets);
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

    /// Whether this very text, put at this name, was to end a meeting not long ago.
    pub fn has_ended(&self, id: &CollectionId, name: &ResourceName, octets: &[u8]) -> Result<bool, Error> {
        let read = self.begin_read()?;
        let request = request(name, octets);
        let at = read.open_table(ENDED)?.get((id.as_str(), request.as_slice()))?.map(|row| row.value());
        Ok(at.is_some_and(|at| (Timestamp::now().as_second() - at).abs() < MAX_AGE))
    }
}
