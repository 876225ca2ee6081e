//! Many records at once, all of them or none.

use dkdc_state::record_support::Existing;
use dkdc_state::{Error, Row, State, Table, TxTable};
use pyo3::prelude::*;

use crate::errors::{raise, state_error};

/// What records that come in ask of those that are there.
pub(crate) fn mode(py: Python<'_>, mode: &str) -> PyResult<Existing> {
    match mode {
        "append" => Ok(Existing::Refused),
        "update" => Ok(Existing::Required),
        "upsert" => Ok(Existing::Either),
        other => {
            let message = format!("mode is append, update or upsert, not {other:?}");
            Err(raise(py, "Invalid", &message))
        }
    }
}

/// Some of the records that come in.
pub(crate) trait Piece {
    fn len(&self) -> usize;
    fn put(&self, to: &TxTable<'_, '_, '_, Row>, mode: Existing) -> Result<(), Error>;
    /// As records that last.
    fn into_rows(self) -> Result<Vec<Row>, Error>;
}

impl Piece for Vec<Row> {
    fn len(&self) -> usize {
        self.len()
    }

    fn put(&self, to: &TxTable<'_, '_, '_, Row>, mode: Existing) -> Result<(), Error> {
        to.put_all(self, mode).map(drop)
    }

    fn into_rows(self) -> Result<Vec<Row>, Error> {
        Ok(self)
    }
}

/// Where records go, and by which request.
pub(crate) struct Target<'a> {
    pub(crate) state: &'a State,
    pub(crate) table: &'a Table<Row>,
    pub(crate) request: Option<&'a str>,
}

/// Rows that are written at a time, and between looks for a signal.
pub(crate) const PIECE: usize = 1 << 13;

/// What ends a write.
pub(crate) enum Stop {
    State(Error),
    Python(PyErr),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::State(error)
    }
}

impl Stop {
    pub(crate) fn raised(self, py: Python<'_>) -> PyErr {
        match self {
            Stop::State(error) => state_error(py, &error),
            Stop::Python(error) => error,
        }
    }
}

/// Writes records, which come in pieces, in one transaction: how many. A signal ends
/// it, and nothing is written.
///
/// A request is compared as a whole: all of it is taken in before it is written.
pub(crate) fn write<P: Piece>(
    to: &Target<'_>,
    mode: Existing,
    pieces: impl IntoIterator<Item = Result<P, Error>>,
) -> Result<u64, Stop> {
    let mut count = 0;
    let Some(key) = to.request else {
        return to.state.transaction(|tx| {
            let rows = tx.rows(to.table.name())?;
            for piece in pieces {
                let piece = piece?;
                piece.put(&rows, mode)?;
                count += piece.len() as u64;
                signalled()?;
            }
            Ok(count)
        });
    };
    let mut records = Vec::new();
    for piece in pieces {
        records.append(&mut piece?.into_rows()?);
        signalled()?;
    }
    let versions = to.table.request(key).put_all(&records, mode)?;
    Ok(versions.len() as u64)
}

/// Writes rows, as [`write`] does.
pub(crate) fn write_rows(
    py: Python<'_>,
    to: &Target<'_>,
    mode: Existing,
    rows: Vec<Row>,
) -> PyResult<u64> {
    let mut rows = rows.into_iter();
    let pieces = std::iter::from_fn(|| {
        let piece: Vec<Row> = rows.by_ref().take(PIECE).collect();
        (!piece.is_empty()).then_some(Ok(piece))
    });
    let written = py.detach(|| write(to, mode, pieces));
    written.map_err(|stop| stop.raised(py))
}

fn signalled() -> Result<(), Stop> {
    Python::attach(|py| py.check_signals()).map_err(Stop::Python)
}
