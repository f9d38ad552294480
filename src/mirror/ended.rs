//! Meetings that a client's write has ended: a client that repeats the write must not create them anew.

use super::store::{Error, Mirror};
use super::tables::ENDED;
use crate::model::id::CollectionId;
use jiff::Timestamp;
use redb::{ReadableTable as _, ReadableTableMetadata as _};

/// Rows of a mirror; beyond this the oldest half is forgotten.
const MAX_ROWS: u64 = 1_000;

impl Mirror {
    /// Notes that a write cancels a meeting, or declines the owner's part in it; durable when this returns.
    pub fn note_ended(&self, id: &CollectionId, uid: &str) -> Result<(), Error> {
        let write = self.begin()?;
        {
            let mut table = write.open_table(ENDED)?;
            table.insert((id.as_str(), uid), Timestamp::now().as_second())?;
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

    /// Whether a write of this gateway was to end this meeting.
    pub fn has_ended(&self, id: &CollectionId, uid: &str) -> Result<bool, Error> {
        let read = self.begin_read()?;
        Ok(read.open_table(ENDED)?.get((id.as_str(), uid))?.is_some())
    }
}
