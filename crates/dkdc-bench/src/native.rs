//! The limit: native DuckDB tables that hold exactly the rows asked for.

#![expect(
    clippy::disallowed_methods,
    reason = "a peer is DuckDB without the state; it is opened here"
)]

use std::fs::File;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use dkdc_state::{Idx, State};
use duckdb::Connection;
use parquet::arrow::ArrowWriter;

use crate::Result;
use crate::measure::micros;

/// DuckDB in memory, with a table `current` and a table `history`.
pub(crate) struct Native {
    connection: Connection,
}

impl Native {
    /// Loads a table's rows, by way of a Parquet file in `room`.
    pub(crate) fn load(state: &State, table: &str, room: &Path) -> Result<Native> {
        let connection = Connection::open_in_memory()?;
        for (name, rows) in [
            ("current", table.to_owned()),
            ("history", format!("history.{table}")),
        ] {
            let path = room.join("native.parquet");
            export(state, &rows, &path)?;
            load(&connection, name, &path)?;
            std::fs::remove_file(&path)?;
        }
        Ok(Native { connection })
    }

    /// Loads a table `current` from a Parquet file.
    pub(crate) fn of_parquet(path: &Path) -> Result<Native> {
        let connection = Connection::open_in_memory()?;
        load(&connection, "current", path)?;
        Ok(Native { connection })
    }

    /// Milliseconds until the last row is there.
    pub(crate) fn ask(&self, question: &str) -> Result<f64> {
        let started = Instant::now();
        let mut statement = self.connection.prepare(question)?;
        for batch in statement.stream_arrow([])? {
            black_box(batch?);
        }
        Ok(micros(started, 1) / 1000.0)
    }

    /// The rows of a moment, as one writes it by hand who knows `prev`.
    pub(crate) fn as_of(idx: Idx) -> String {
        let at = format!("make_timestamp({})", idx.as_micros());
        format!(
            "(from history h where idx <= {at} and op not in ('delete', 'erased') \
             and not exists (from history n where n.prev = h.idx and n.idx <= {at}))"
        )
    }

    /// What every process that asks DuckDB pays.
    pub(crate) fn select_42() -> Result<()> {
        let connection = Connection::open_in_memory()?;
        let answer: i64 = connection.query_row("select 42", [], |row| row.get(0))?;
        if answer == 42 {
            Ok(())
        } else {
            Err("DuckDB cannot count".into())
        }
    }
}

/// Writes rows into a Parquet file.
pub(crate) fn export(state: &State, rows: &str, path: &Path) -> Result<()> {
    // In order of idx, as files and log have them.
    let batches = state.sql(&format!("from {rows}"))?;
    let mut writer = ArrowWriter::try_new(File::create(path)?, batches.schema(), None)?;
    for batch in batches {
        writer.write(&batch?)?;
    }
    writer.close()?;
    Ok(())
}

fn load(connection: &Connection, table: &str, path: &Path) -> Result<()> {
    let path = path.to_string_lossy().replace('\'', "''");
    Ok(connection.execute_batch(&format!(
        "CREATE TABLE {table} AS FROM read_parquet('{path}')"
    ))?)
}
