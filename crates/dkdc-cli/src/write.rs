//! Many rows into one table, in one transaction: all of them or none.
//!
//! Rows come as a stream, so that memory stays flat; SQLite keeps what is not
//! committed yet. An error names the place in the input that it is about.

use dkdc_state::{Row, State, TxTable, Version};

use crate::exit::{Failure, Result};
use crate::progress::Progress;

/// What is done with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Append,
    Update,
    Upsert,
}

impl How {
    /// As in "3 rows appended".
    pub(crate) fn done(self) -> &'static str {
        match self {
            How::Append => "appended",
            How::Update => "updated",
            How::Upsert => "upserted",
        }
    }

    fn put(self, table: &TxTable<'_, '_, '_, Row>, row: &Row) -> dkdc_state::Result<Version> {
        match self {
            How::Append => table.append(row),
            How::Update => table.update(row),
            How::Upsert => table.upsert(row),
        }
    }
}

/// A row, and the number of its line.
pub(crate) type Numbered = Result<(u64, Row)>;

/// Rows between two looks at the bar.
const STEP: u64 = 1024;

/// Writes the rows; returns how many. `place` and a number say where a row
/// stands, as in `stdin line 17`.
pub(crate) fn all(
    state: &State,
    table: &str,
    how: How,
    place: &str,
    rows: impl Iterator<Item = Numbered>,
    progress: &Progress,
) -> Result<u64> {
    state.transaction(|tx| {
        let table = tx.rows(table)?;
        let mut count = 0;
        for row in rows {
            let (number, row) = row?;
            how.put(&table, &row)
                .map_err(|error| Failure::from(error).at(&format!("{place} {number}")))?;
            count += 1;
            if count % STEP == 0 {
                progress.set(count);
            }
        }
        Ok(count)
    })
}
