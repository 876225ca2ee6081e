//! Verification: whether the file says what was written to it.
//!
//! Every row is hashed again and its chain followed; what is derived from the
//! log ([`derived`]) and what the file should consist of ([`structure`]) are
//! compared. Damage is named by table, version and record; nothing is changed.
//! Each part fails alone: what cannot be read is damage, and the others go on.

mod chain;
mod derived;
mod events;
mod structure;

use rusqlite::Connection;

use super::catalog::{Catalog, TableMeta};
use super::{DbResult, Store, alter, prune, read, recent};
use crate::error::{Error, Result};
use crate::record::Idx;
use chain::Walk;
use events::{Expected, Told};

/// How far a long call is: a check in versions, a backup in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Done so far.
    pub done: u64,
    /// All there is to do.
    pub total: u64,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// The tables, oldest first.
    pub tables: Vec<CheckedTable>,
    /// Events verified.
    pub events: u64,
    /// All damage, the tables' included; at most 20 lines for each place.
    pub damage: Vec<String>,
    /// Files of the mirror that are gone or altered. That is no damage: they are
    /// not read, and are written again.
    pub mirror: Vec<String>,
}

/// What a check found in one table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckedTable {
    /// The table.
    pub table: String,
    /// Versions read.
    pub versions: u64,
    /// Those of them that are proven to be what was written.
    pub sound: u64,
    /// The first that is not. Where a page cannot be read, nothing tells which
    /// versions are on it: then the number after the last sound one before it.
    pub first: Option<Idx>,
    /// Current records; 0 when they cannot be counted.
    pub records: u64,
    /// What is wrong, by version and record.
    pub damage: Vec<String>,
}

impl CheckReport {
    /// True when nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty()
    }
}

/// Lines of damage reported for one table.
const LINES: usize = 20;
/// Versions between two calls of the progress function.
const STEP: u64 = 4096;

impl Store {
    pub(crate) fn check(&self, progress: &mut dyn FnMut(Progress)) -> Result<CheckReport> {
        // Once SQLite has met a damaged page it writes nothing more, not even what a
        // reader notes of the heads: so that is done before, table by table.
        for meta in &self.catalog().tables {
            let _ = self.read(|conn, _| recent::catch_up(conn, meta));
        }
        let mut report = CheckReport::default();
        // The catalog is what the file says, not what this process knows.
        let read = self.read(|conn, _| check(conn, &Catalog::read(conn)?, &mut report, progress));
        match read {
            // Nor does it end, then, what only read; all was said already.
            Err(Error::Damaged { .. }) if !report.is_sound() => {}
            Err(Error::Damaged { what, .. }) => report.damage.push(what),
            read => read?,
        }
        match self.verify_mirror() {
            Ok(mirror) => {
                report.damage.extend(mirror.wrong.into_iter().take(LINES));
                report.mirror = mirror.lost;
            }
            // Of a log that cannot be read, this was said already.
            Err(Error::Damaged { .. } | Error::Sqlite { .. }) if !report.is_sound() => {}
            Err(Error::Damaged { what, .. }) => report.damage.push(what),
            Err(error) => return Err(error),
        }
        Ok(report)
    }
}

fn check(
    conn: &Connection,
    catalog: &Catalog,
    report: &mut CheckReport,
    progress: &mut dyn FnMut(Progress),
) -> Result<()> {
    let lines = &mut report.damage;
    part(integrity(conn, lines), "the file's pages", lines)?;
    part(structure::check(conn, catalog, lines), "the schema", lines)?;
    let strays = structure::stray_waypoints(conn, catalog, lines);
    part(strays, "the waypoints", lines)?;
    let mut told = Told::new(catalog);
    part(told.read(conn, catalog, lines), "the events", lines)?;
    report.events = told.events;
    part(derived::commits(conn, catalog, lines), "the commits", lines)?;
    let mut total = 0;
    for meta in &catalog.tables {
        total += count(conn, &meta.sql.table).unwrap_or(0);
    }
    let mut done = 0;
    for meta in &catalog.tables {
        let mut tick = |versions: u64| {
            let done = done + versions;
            progress(Progress {
                done,
                total: total.max(done),
            });
        };
        let checked = table(conn, meta, catalog.begins, told.of(meta), &mut tick)?;
        done += checked.versions;
        let lines = checked
            .damage
            .iter()
            .map(|line| format!("{}: {line}", checked.table));
        report.damage.extend(lines);
        report.tables.push(checked);
    }
    let mut damage = Damage::default();
    let verified = derived::contents(conn, &mut damage);
    part(verified, "the contents", &mut damage.0)?;
    report.damage.append(&mut damage.0);
    total = total.max(done);
    progress(Progress { done: total, total });
    Ok(())
}

/// What a part found; that it cannot be verified is a line of damage.
fn part<T>(found: Result<T>, what: &str, lines: &mut Vec<String>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) => {
            lines.push(format!("{what} cannot be verified: {}", told_of(error)?));
            Ok(None)
        }
    }
}

/// What an error tells of the file, by what that says or lacks; other errors stay
/// errors.
fn told_of(error: Error) -> Result<String> {
    use rusqlite::ffi::{SQLITE_CORRUPT, SQLITE_ERROR, SQLITE_NOTADB};
    match error {
        Error::Damaged { what, .. } => Ok(what),
        Error::Sqlite { code, message, .. }
            if [SQLITE_ERROR, SQLITE_CORRUPT, SQLITE_NOTADB].contains(&(code & 0xff)) =>
        {
            Ok(message)
        }
        error => Err(error),
    }
}

/// SQLite's own verification of its pages.
fn integrity(conn: &Connection, damage: &mut Vec<String>) -> Result<()> {
    let mut statement = conn.prepare("PRAGMA integrity_check(20)").db()?;
    let lines = statement
        .query_map([], |row| row.get::<_, String>(0))
        .db()?;
    for line in lines {
        match line.db() {
            Ok(line) if line == "ok" => {}
            Ok(line) => damage.push(line),
            Err(error) if damage.is_empty() => return Err(error),
            // When it has named something, it ends with that error.
            Err(error) => return told_of(error).map(|_| ()),
        }
    }
    Ok(())
}

fn count(conn: &Connection, table: &str) -> Result<u64> {
    let count: i64 = conn
        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
            row.get(0)
        })
        .db()?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Damage of one table, up to [`LINES`].
#[derive(Default)]
struct Damage(Vec<String>);

impl Damage {
    fn add(&mut self, line: String) {
        if self.0.len() < LINES {
            self.0.push(line);
        }
    }
}

/// Checks one table; without what the events tell of it, by what the list of tables
/// says.
fn table(
    conn: &Connection,
    meta: &TableMeta,
    from: Idx,
    expected: Option<Expected>,
    tick: &mut dyn FnMut(u64),
) -> Result<CheckedTable> {
    let mut damage = Damage::default();
    let runs = prune::runs(conn, meta.schema.number);
    let runs = part(runs, "what was pruned", &mut damage.0)?;
    let schema = alter::schema_hash(conn, meta.schema.number);
    let schema = part(schema, "its schema", &mut damage.0)?;
    if let Some(expected) = &expected {
        let runs = runs.as_ref().map(|(_, hash)| *hash);
        expected.compare(meta, (schema, runs), &mut damage);
    }
    let begins = chain::Begins {
        from,
        anchor: expected
            .as_ref()
            .map_or(meta.anchor, |expected| expected.anchor),
        runs: runs.map_or_else(Vec::new, |(runs, _)| runs),
    };
    let chained = Walk::new(conn, meta, &mut damage, tick).run(&begins);
    let chained = part(chained, "its versions", &mut damage.0)?.unwrap_or_default();
    if let Some(expected) = &expected
        && chained.is_whole
        && chained.stubs != expected.erased
    {
        damage.add(format!(
            "{} versions are erased, but by the events {}",
            chained.stubs, expected.erased
        ));
    }
    let heads = derived::heads(conn, meta, &mut damage);
    part(heads, "its heads", &mut damage.0)?;
    let waypoints = derived::waypoints(conn, meta, &mut damage);
    part(waypoints, "its waypoints", &mut damage.0)?;
    for (at, index) in meta.schema.indexes.iter().enumerate() {
        let entries = derived::entries(conn, meta, at, &mut damage);
        let what = format!("index {}", index.number);
        part(entries, &what, &mut damage.0)?;
    }
    let contents = derived::named_contents(conn, meta, &mut damage);
    part(contents, "the content that it names", &mut damage.0)?;
    let records = read::count(conn, meta);
    let records = part(records, "the number of its records", &mut damage.0)?;
    Ok(CheckedTable {
        table: meta.name().to_owned(),
        versions: chained.versions,
        sound: chained.sound,
        first: chained.first,
        records: records.unwrap_or(0),
        damage: damage.0,
    })
}
