//! Many records at once, all of them or none.

use dkdc_state::{Error, Row, State, Table};
use pyo3::prelude::*;

use crate::errors::{raise, state_error};

/// What records that come in do.
#[derive(Clone, Copy)]
pub(crate) enum Mode {
    Append,
    Update,
    Upsert,
}

impl Mode {
    pub(crate) fn parse(py: Python<'_>, mode: &str) -> PyResult<Mode> {
        match mode {
            "append" => Ok(Mode::Append),
            "update" => Ok(Mode::Update),
            "upsert" => Ok(Mode::Upsert),
            other => {
                let message = format!("mode is append, update or upsert, not {other:?}");
                Err(raise(py, "Invalid", &message))
            }
        }
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
pub(crate) fn write(
    to: &Target<'_>,
    mode: Mode,
    pieces: impl IntoIterator<Item = Result<Vec<Row>, Error>>,
) -> Result<u64, Stop> {
    let mut count = 0;
    let Some(key) = to.request else {
        return to.state.transaction(|tx| {
            let rows = tx.rows(to.table.name())?;
            for records in pieces {
                let records = records?;
                match mode {
                    Mode::Append => rows.append_all(&records)?,
                    Mode::Update => rows.update_all(&records)?,
                    Mode::Upsert => rows.upsert_all(&records)?,
                };
                count += records.len() as u64;
                signalled()?;
            }
            Ok(count)
        });
    };
    let mut records = Vec::new();
    for piece in pieces {
        records.append(&mut piece?);
        signalled()?;
    }
    let rows = to.table.request(key);
    let versions = match mode {
        Mode::Append => rows.append_all(&records)?,
        Mode::Update => rows.update_all(&records)?,
        Mode::Upsert => rows.upsert_all(&records)?,
    };
    Ok(versions.len() as u64)
}

/// Writes rows, as [`write`] does.
pub(crate) fn write_rows(
    py: Python<'_>,
    to: &Target<'_>,
    mode: Mode,
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
