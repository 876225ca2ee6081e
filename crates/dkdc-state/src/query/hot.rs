//! Hot rows: the current rows of tables that are asked for again and again, as
//! tables of DuckDB's own.
//!
//! The first question about a table reads the mirror; the second one loads its
//! current rows into memory, and every further one brings them up to date first:
//! what was superseded goes, what is new comes. They hold exactly one snapshot;
//! a question of an older one is answered elsewhere. All of them together stay
//! within a budget.

use std::collections::{HashMap, HashSet};

use duckdb::Connection;

use super::engine::refused;
use super::judge::Judged;
use super::pin::Pinned;
use super::views;
use crate::error::Result;
use crate::log::catalog::TableMeta;
use crate::mirror::Pieces;
use crate::record::Idx;
use crate::schema::ColumnType;

/// Questions about a table until its rows are loaded.
const ASKED: u32 = 2;
/// Of the memory that DuckDB may have, which is 80% of the machine's, hot rows
/// take this share: a tenth of the machine's.
const SHARE: u64 = 8;
/// Rows that come until the memory they take is looked at again.
const LOOK: u64 = 65_536;

/// Rows that are loaded at a time: until a checkpoint they are not compressed.
const LOAD: u64 = 524_288;

/// So many new versions are looked at one by one.
const FEW: usize = 512;

/// The tables in memory.
pub(super) struct Hot {
    /// In bytes; `None` until DuckDB is asked what it may have.
    budget: Option<u64>,
    tables: HashMap<u32, Rows>,
    asked: HashMap<u32, u32>,
    /// Too large for the budget.
    large: HashSet<u32>,
    /// Of no use any more, or not yet, and perhaps there: they are to go.
    stale: HashSet<u32>,
}

/// The current rows of one table.
struct Rows {
    /// Every row up to this version is there ...
    upto: Idx,
    /// ... and none after this one.
    newest: Idx,
    /// Rows now.
    count: u64,
    /// Rows that went since they were loaded: DuckDB keeps their place.
    gone: u64,
    /// Rows that came since the memory was looked at.
    came: u64,
}

/// What a table's log has beyond the rows in memory.
#[derive(Clone, Copy)]
struct Ahead<'a> {
    meta: &'a TableMeta,
    pieces: &'a Pieces,
    newest: Idx,
    upto: Idx,
}

/// The database of these tables. In memory too, it compresses what it holds at a
/// checkpoint: a column of few values is then grouped by their numbers, several
/// times as fast as by the values.
const DATABASE: &str = "dkdc_hot";
/// Rows that are looked at for columns of few values, and so many have one each.
const SAMPLE: u64 = 20_480;
const FEW_VALUES: u64 = SAMPLE / 8;

fn name(number: u32) -> String {
    format!("{DATABASE}.main.current_{number}")
}

impl Hot {
    pub(super) fn new(budget: Option<u64>) -> Hot {
        Hot {
            budget,
            tables: HashMap::new(),
            asked: HashMap::new(),
            large: HashSet::new(),
            stale: HashSet::new(),
        }
    }

    /// The table that holds a table's current rows.
    pub(super) fn name(&self, number: u32) -> Option<String> {
        self.tables.contains_key(&number).then(|| name(number))
    }

    /// True when a question reads nothing but rows that are in memory.
    pub(super) fn suffices(&self, pinned: &Pinned, judged: &Judged) -> bool {
        let is_there = |name: &String| {
            let meta = pinned.catalog.find(name);
            meta.is_some_and(|meta| self.tables.contains_key(&meta.schema.number))
        };
        !judged.others && judged.tables.iter().all(is_there)
    }

    /// Nothing is in memory any more: what was erased must not stay there, nor half of
    /// what was loaded. Questions under way keep what they see to their end.
    pub(super) fn forget(&mut self, connection: &Connection) {
        let tables = self.tables.drain();
        self.stale.extend(tables.map(|(number, _)| number));
        self.large.clear();
        self.drop_stale(connection);
    }

    /// What cannot go now goes with the next question.
    fn drop_stale(&mut self, connection: &Connection) {
        self.stale.retain(|number| {
            let drop = format!("DROP TABLE IF EXISTS {}", name(*number));
            let dropped = connection.execute_batch(&drop);
            if let Err(error) = &dropped {
                tracing::warn!(%error, "rows that are of no use stay in memory");
            }
            dropped.is_err()
        });
    }

    /// Brings what is in memory up to a snapshot, and loads what is asked for
    /// again. `None`: what is there is newer. Else the tables that came or went.
    pub(super) fn suit(
        &mut self,
        connection: &Connection,
        pinned: &Pinned,
        judged: &Judged,
    ) -> Result<Option<Vec<u32>>> {
        self.drop_stale(connection);
        let idx = pinned.idx();
        if self.tables.values().any(|rows| rows.newest > idx) {
            return Ok(None);
        }
        let mut changed = Vec::new();
        let all = pinned.catalog.tables.iter().zip(&pinned.pieces);
        for ((meta, pieces), newest) in all.zip(&pinned.newest) {
            let ahead = Ahead {
                meta,
                pieces,
                newest: *newest,
                upto: idx,
            };
            let number = meta.schema.number;
            if self.tables.contains_key(&number) {
                if !self.catch_up(connection, pinned, ahead)? {
                    changed.push(number);
                }
            } else if pinned.is_last()
                && judged.names(meta.name())
                && self.is_due(connection, number, pieces)?
            {
                self.load(connection, ahead)?;
                changed.push(number);
            }
        }
        Ok(Some(changed))
    }

    /// True when a table has been asked for often enough, and may fit: in
    /// memory, rows take more than in a file.
    fn is_due(&mut self, connection: &Connection, number: u32, pieces: &Pieces) -> Result<bool> {
        let asked = self.asked.entry(number).or_default();
        *asked = asked.saturating_add(1);
        if *asked < ASKED || self.large.contains(&number) {
            return Ok(false);
        }
        let bytes = pieces.current.as_ref().map_or(1, |current| current.bytes);
        Ok(bytes <= self.budget(connection)?)
    }

    fn budget(&mut self, connection: &Connection) -> Result<u64> {
        let budget = match self.budget {
            Some(budget) => budget,
            None => memory_limit(connection)? / SHARE,
        };
        self.budget = Some(budget);
        Ok(budget)
    }

    /// Loads a table's rows, unless they are too large. When that fails, a part of
    /// them may be there until all is forgotten.
    fn load(&mut self, connection: &Connection, ahead: Ahead<'_>) -> Result<()> {
        let number = ahead.meta.schema.number;
        let table = name(number);
        let select = views::current_at(ahead.meta, ahead.pieces, ahead.upto);
        self.tables.remove(&number);
        self.stale.insert(number);
        let few = of_few_values(connection, ahead.meta, &select)?;
        let columns = views::declared(ahead.meta, |name| few.contains(name));
        connection
            .execute_batch(&format!(
                "ATTACH IF NOT EXISTS ':memory:' AS {DATABASE} (COMPRESS); \
                 CREATE OR REPLACE TABLE {table} ({columns})"
            ))
            .map_err(refused)?;
        let mut count = 0;
        for part in parts(connection, &select)? {
            let part = format!("INSERT INTO {table} SELECT * FROM ({select}) WHERE {part}");
            count += connection.execute(&part, []).map_err(refused)? as u64;
            if let Err(error) = connection.execute_batch(&format!("CHECKPOINT {DATABASE}")) {
                tracing::debug!(%error, "current rows stay as they were loaded");
            }
        }
        let rows = Rows {
            upto: ahead.upto,
            newest: ahead.newest.min(ahead.upto),
            count,
            gone: 0,
            came: 0,
        };
        self.stale.remove(&number);
        self.tables.insert(number, rows);
        self.keep_within(connection, number)
    }

    /// Lets a table go when memory is over the budget.
    fn keep_within(&mut self, connection: &Connection, number: u32) -> Result<()> {
        let used: Option<i64> = connection
            .query_row(
                "SELECT sum(memory_usage_bytes)::BIGINT FROM duckdb_memory() \
                 WHERE tag = 'IN_MEMORY_TABLE'",
                [],
                |row| row.get(0),
            )
            .map_err(refused)?;
        if u64::try_from(used.unwrap_or(0)).unwrap_or(0) > self.budget(connection)? {
            self.large.insert(number);
            self.tables.remove(&number);
            self.stale.insert(number);
            self.drop_stale(connection);
        }
        Ok(())
    }

    /// Brings a table's rows up to a snapshot. False: they were let go.
    fn catch_up(
        &mut self,
        connection: &Connection,
        pinned: &Pinned,
        ahead: Ahead<'_>,
    ) -> Result<bool> {
        let number = ahead.meta.schema.number;
        let Some(rows) = self.tables.get_mut(&number) else {
            return Ok(false);
        };
        if ahead.upto <= rows.upto {
            return Ok(true);
        }
        if ahead.newest > rows.upto {
            // Whoever comes next waits until both are done; if one fails, all
            // of it is made again.
            let range = (rows.upto, ahead.upto);
            let (gone, came) = apply(connection, pinned, ahead, range)?;
            rows.count = (rows.count + came).saturating_sub(gone);
            rows.gone += gone;
            rows.came += came;
        }
        rows.upto = ahead.upto;
        rows.newest = rows.newest.max(ahead.newest.min(ahead.upto));
        if rows.gone > rows.count.max(LOOK) {
            self.load(connection, ahead)?;
        } else if rows.came > LOOK {
            rows.came = 0;
            self.keep_within(connection, number)?;
        }
        Ok(self.tables.contains_key(&number))
    }
}

/// Conditions that part the rows into some of about [`LOAD`] rows each.
fn parts(connection: &Connection, select: &str) -> Result<Vec<String>> {
    let count: u64 = connection
        .query_row(&format!("SELECT count(*) FROM ({select})"), [], |row| {
            row.get(0)
        })
        .map_err(refused)?;
    if count <= LOAD {
        return Ok(vec!["true".to_owned()]);
    }
    let parts = count.div_ceil(LOAD);
    // Literals: DuckDB folds no division here.
    let share = |part: u64| format!("{:.6}", part as f64 / parts as f64);
    let shares: Vec<String> = (1..parts).map(share).collect();
    let sql = format!(
        "SELECT DISTINCT unnest(approx_quantile(epoch_us(idx), [{}])) AS bound \
         FROM ({select}) ORDER BY bound",
        shares.join(", ")
    );
    let mut statement = connection.prepare(&sql).map_err(refused)?;
    let bounds = statement.query_map([], |row| row.get(0)).map_err(refused)?;
    let bounds: Vec<i64> = bounds.collect::<duckdb::Result<_>>().map_err(refused)?;
    let mut parts = Vec::with_capacity(bounds.len() + 1);
    let mut above = "true".to_owned();
    for bound in bounds {
        parts.push(format!("{above} AND idx <= make_timestamp({bound})"));
        above = format!("idx > make_timestamp({bound})");
    }
    parts.push(above);
    Ok(parts)
}

/// The columns of text that have few values, as far as a sample shows.
fn of_few_values(
    connection: &Connection,
    meta: &TableMeta,
    select: &str,
) -> Result<HashSet<String>> {
    let columns = meta.schema.columns.iter();
    let texts: Vec<&str> = columns
        .filter(|column| column.ty == ColumnType::Text)
        .map(|column| column.name.as_str())
        .collect();
    if texts.is_empty() {
        return Ok(HashSet::new());
    }
    let counts: Vec<String> = texts
        .iter()
        .map(|name| format!("approx_count_distinct({})", views::quote(name)))
        .collect();
    let counts = counts.join(", ");
    let sql = format!("SELECT {counts} FROM (SELECT * FROM ({select}) LIMIT {SAMPLE})");
    let counts: Vec<u64> = connection
        .query_row(&sql, [], |row| {
            (0..texts.len()).map(|at| row.get(at)).collect()
        })
        .map_err(refused)?;
    let few = texts.into_iter().zip(counts);
    let few = few.filter(|(_, count)| *count <= FEW_VALUES);
    Ok(few.map(|(name, _)| name.to_owned()).collect())
}

/// The bytes that DuckDB may have, which it says as people do: `18.6 GiB`.
fn memory_limit(connection: &Connection) -> Result<u64> {
    let sql = "WITH s AS (SELECT string_split(current_setting('memory_limit'), ' ') AS s) \
               SELECT (s[1]::DOUBLE * CASE s[2] WHEN 'KiB' THEN 2^10 WHEN 'MiB' THEN 2^20 \
               WHEN 'GiB' THEN 2^30 WHEN 'TiB' THEN 2^40 ELSE 1 END)::UBIGINT FROM s";
    let limit = connection.query_row(sql, [], |row| row.get(0));
    limit.map_err(refused)
}

/// Brings a table's rows from one version to another: how many went and came.
fn apply(
    connection: &Connection,
    pinned: &Pinned,
    ahead: Ahead<'_>,
    range: (Idx, Idx),
) -> Result<(u64, u64)> {
    let (meta, pieces) = (ahead.meta, ahead.pieces);
    let table = name(meta.schema.number);
    let run = |sql: String| connection.execute(&sql, []).map_err(refused);
    let (superseded, among_them) = match pinned.replaced(meta, range, FEW)? {
        Some(few) if few.is_empty() => (None, false),
        Some(few) => {
            let among_them = few.iter().any(|idx| *idx > range.0);
            (Some(views::list(&few)), among_them)
        }
        None => (Some(views::superseded(meta, pieces, range)), true),
    };
    let gone = match superseded {
        Some(superseded) => run(format!("DELETE FROM {table} WHERE idx IN ({superseded})"))?,
        None => 0,
    };
    let newer = views::newer(meta, pieces, range, among_them);
    let came = run(format!("INSERT INTO {table} {newer}"))?;
    Ok((gone as u64, came as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::TableSchema;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "what stays is in the DuckDB that this makes"
    )]
    fn a_table_whose_rows_could_not_all_be_loaded_is_forgotten_too() {
        let connection = Connection::open_in_memory().expect("a DuckDB");
        let schema = TableSchema {
            number: 1,
            name: "t".to_owned(),
            columns: Vec::new(),
            indexes: Vec::new(),
            floor: Idx::ZERO,
        };
        let meta = TableMeta::new(schema, [0; 32]);
        let upto = Idx::from_micros(1);
        let pieces = Pieces {
            ranges: vec![(Idx::ZERO, upto)],
            ..Pieces::default()
        };
        let ahead = Ahead {
            meta: &meta,
            pieces: &pieces,
            newest: upto,
            upto,
        };
        let mut hot = Hot::new(None);
        let failed = hot.load(&connection, ahead);
        failed.expect_err("this DuckDB cannot read the log");
        let tables = || -> u64 {
            let sql = "SELECT count(*) FROM duckdb_tables()";
            let count = connection.query_row(sql, [], |row| row.get(0));
            count.expect("a count")
        };
        assert_eq!(tables(), 1, "it was made before its rows were read");
        hot.forget(&connection);
        assert_eq!(tables(), 0);
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the parts are those that DuckDB makes"
    )]
    fn many_rows_are_loaded_in_parts_each_row_once() {
        let connection = Connection::open_in_memory().expect("a DuckDB");
        let rows = LOAD * 3 + 1;
        let select = format!("SELECT make_timestamp(range * 7) AS idx FROM range({rows})");
        let parts = parts(&connection, &select).expect("parts");
        assert_eq!(parts.len(), 4, "{parts:?}");
        let counts = parts.iter().map(|part| -> u64 {
            let sql = format!("SELECT count(*) FROM ({select}) WHERE {part}");
            let count = connection.query_row(&sql, [], |row| row.get(0));
            count.expect("a count")
        });
        let counts: Vec<u64> = counts.collect();
        assert_eq!(counts.iter().sum::<u64>(), rows, "{counts:?}");
        assert!(
            counts.iter().all(|count| *count < LOAD + LOAD / 4),
            "{counts:?}"
        );
        let few = super::parts(&connection, "SELECT make_timestamp(1) AS idx");
        assert_eq!(few.expect("parts"), ["true"]);
    }
}
