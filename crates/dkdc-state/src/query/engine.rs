//! DuckDB in memory: opened, locked down, and asked.

use std::sync::{Arc, Mutex, PoisonError};

use duckdb::{Config, Connection};

use super::scan::{self, Pinned};
use super::stage::Stage;
use super::{Answer, Setup, files, views};
use crate::error::{Error, Result};
use crate::log::Store;
use crate::log::identity::beside;
use crate::mirror;

/// One DuckDB.
pub(crate) struct Engine {
    connection: Mutex<Connection>,
    stage: Stage,
}

impl Store {
    /// The store's DuckDB, opened by the first who asks.
    pub(crate) fn engine(&self) -> Result<Arc<Engine>> {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*engine {
            return Ok(Arc::clone(engine));
        }
        let opened = Arc::new(Engine::open(self, &Setup::default())?);
        *engine = Some(Arc::clone(&opened));
        Ok(opened)
    }
}

/// DuckDB's words, without its prefix for this kind of error being lost.
pub(super) fn refused(error: duckdb::Error) -> Error {
    Error::Query(match error {
        duckdb::Error::DuckDBFailure(_, Some(message)) => message,
        other => other.to_string(),
    })
}

impl Engine {
    /// Opens DuckDB, loads files as tables, and locks it down.
    pub(super) fn open(store: &Store, setup: &Setup) -> Result<Engine> {
        let connection = open().map_err(refused)?;
        // DuckDB makes the folder when it spills, removes it at its end, and
        // shares it with other processes.
        let spill = beside(&store.path, "-spill");
        let spill = spill.to_str().filter(|_| store.read_only.is_none());
        let spill = views::literal(spill.unwrap_or(""));
        let limit = setup.memory_limit.map_or(String::new(), |bytes| {
            format!("SET memory_limit = '{bytes}B';")
        });
        connection
            .execute_batch(&format!("SET temp_directory = {spill}; {limit}"))
            .map_err(refused)?;
        for (name, path) in &setup.files {
            files::load(&connection, name, path)?;
        }
        let mirror = mirror::folder(&store.path);
        let mirror = views::literal(&format!("{}/", mirror.to_string_lossy()));
        connection
            .execute_batch(&format!(
                "SET immediate_transaction_mode = true; \
                 SET allowed_directories = [{mirror}]; SET enable_external_access = false; \
                 SET lock_configuration = true"
            ))
            .map_err(refused)?;
        scan::register(&connection).map_err(refused)?;
        Ok(Engine {
            connection: Mutex::new(connection),
            stage: Stage::default(),
        })
    }

    /// A connection for one question.
    pub(crate) fn connect(&self) -> Result<Connection> {
        let connection = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        connection.try_clone().map_err(refused)
    }

    /// Asks, and hands over the columns and the rows as they come.
    pub(super) fn answer(
        &self,
        connection: Connection,
        mut pinned: Pinned,
        query: &str,
        answer: &Answer,
    ) {
        let mut told = false;
        let mut result = self.ask(&connection, &pinned, query, answer, &mut told);
        // A table that was altered, or a file that was replaced, after the views
        // were made: once more, on fresh ones.
        if let (Err(Error::Query(_)), false) = (&result, told)
            && let Some(newer) = pinned.renewed()
        {
            pinned = newer;
            // The transaction, if it came so far; when it did not, this fails.
            let _ = connection.execute_batch("ROLLBACK");
            result = self.ask(&connection, &pinned, query, answer, &mut told);
        }
        if let Err(error) = result {
            // Whoever asked waits for the columns or for rows, or is gone.
            let _ = if told {
                answer.send.send(Err(error)).is_ok()
            } else {
                answer.tell.send(Err(error)).is_ok()
            };
        }
    }

    fn ask(
        &self,
        connection: &Connection,
        pinned: &Pinned,
        query: &str,
        answer: &Answer,
        told: &mut bool,
    ) -> Result<()> {
        let asked = self.stream(connection, pinned, query, answer, told);
        asked.map_err(|error| pinned.take_error().unwrap_or(error))
    }

    fn stream(
        &self,
        connection: &Connection,
        pinned: &Pinned,
        query: &str,
        answer: &Answer,
        told: &mut bool,
    ) -> Result<()> {
        let token = pinned.token();
        connection
            .execute_batch(&format!(
                "SET VARIABLE dkdc = {token}::BIGINT; \
                 SET VARIABLE dkdc_idx = make_timestamp({})",
                pinned.idx()
            ))
            .map_err(refused)?;
        only_reads(connection, query)?;
        // Whatever the statement does inside DuckDB is undone with this
        // transaction.
        self.stage.enter(connection, pinned)?;
        let mut statement = connection.prepare(query).map_err(refused)?;
        let rows = statement.stream_arrow([]).map_err(refused)?;
        if answer.tell.send(Ok(rows.get_schema())).is_err() {
            return Ok(());
        }
        *told = true;
        for batch in rows {
            let batch = batch.map_err(refused)?;
            if answer.send.send(Ok(batch)).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the query layer opens DuckDB here"
)]
fn open() -> duckdb::Result<Connection> {
    let config = Config::default()
        .enable_autoload_extension(false)?
        .with("autoinstall_known_extensions", "false")?
        .with("allow_community_extensions", "false")?
        .with("allow_unredacted_secrets", "false")?;
    Connection::open_in_memory_with_flags(config)
}

/// What EXPLAIN or EXPLAIN ANALYZE is asked of: DuckDB's function takes the
/// statement alone, and explaining one that reads only reads.
fn explained(query: &str) -> &str {
    let after = |text: &str, word: &str| {
        let (first, rest) = text.trim_start().split_at_checked(word.len())?;
        let ends = rest.starts_with(char::is_whitespace);
        (first.eq_ignore_ascii_case(word) && ends).then(|| text.len() - rest.len())
    };
    let Some(at) = after(query, "explain") else {
        return query;
    };
    let rest = &query[at..];
    after(rest, "analyze").map_or(rest, |at| &rest[at..])
}

/// Refuses what is not one statement that reads. DuckDB's parser decides, not
/// the beginning of the text.
fn only_reads(connection: &Connection, query: &str) -> Result<()> {
    let explained = explained(query);
    let (refused_by, statements): (Option<String>, Option<i64>) = connection
        .query_row(
            "SELECT CASE WHEN (j->'error')::BOOLEAN THEN j->>'error_message' END, \
                    json_array_length(j, '$.statements')::BIGINT \
             FROM (SELECT json_serialize_sql(?::VARCHAR) AS j)",
            [explained],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .map_err(refused)?;
    match (refused_by, statements) {
        (Some(why), _) if why.contains("Only SELECT") => Err(Error::Query(
            "only statements that read are answered, such as SELECT, FROM or DESCRIBE".to_owned(),
        )),
        (Some(why), _) => Err(Error::Query(why)),
        (None, Some(1)) => Ok(()),
        (None, _) => Err(Error::Query(
            "one statement at a time is answered".to_owned(),
        )),
    }
}
