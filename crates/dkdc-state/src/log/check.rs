//! Verification: whether the file says what was written to it.
//!
//! Every row is hashed again and its chain followed; what is derived from the
//! log ([`derived`]) and what the file should consist of ([`structure`]) are
//! compared. Damage is named by table, version and record; nothing is changed.

mod derived;
mod events;
mod structure;

use rusqlite::Connection;

use super::catalog::{Catalog, TableMeta};
use super::hash::{Hash, Leaf, link};
use super::{DbResult, Store, prune, read};
use crate::error::{Error, Result};
use crate::record::{Idx, Op};
use events::{Begins, Told};

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
    /// Those of them that are what was written.
    pub sound: u64,
    /// The first that is not.
    pub first: Option<Idx>,
    /// Current records.
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
        // Every kind of damage that keeps SQLite from reading is also a result.
        // The catalog is what the file says, not what this process knows.
        let report = self.read(|conn, _| check(conn, &Catalog::read(conn)?, progress));
        let mut report = match report {
            Err(Error::Damaged { what, .. }) => CheckReport {
                damage: vec![what],
                ..CheckReport::default()
            },
            report => report?,
        };
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
    progress: &mut dyn FnMut(Progress),
) -> Result<CheckReport> {
    let mut report = CheckReport {
        damage: integrity(conn)?,
        ..CheckReport::default()
    };
    report.damage.extend(structure::check(conn, catalog)?);
    let mut told = Told::new(catalog);
    match told.read(conn, catalog, &mut report.damage) {
        Ok(events) => report.events = events,
        Err(error) => report.damage.push(unreadable(error)?),
    }
    match derived::commits(conn, catalog) {
        Ok(damage) => report.damage.extend(damage),
        Err(error) => report.damage.push(unreadable(error)?),
    }
    let mut total = 0;
    for meta in &catalog.tables {
        total += count(conn, &meta.sql.table).unwrap_or(0);
    }
    let mut done = 0;
    for meta in &catalog.tables {
        let mut tick = |versions: u64| {
            progress(Progress {
                done: done + versions,
                total,
            })
        };
        let checked = match table(conn, meta, told.of(meta), &mut tick) {
            Ok(checked) => checked,
            Err(error) => CheckedTable {
                table: meta.name().to_owned(),
                versions: 0,
                sound: 0,
                first: None,
                records: 0,
                damage: vec![unreadable(error)?],
            },
        };
        done += checked.versions;
        let lines = checked
            .damage
            .iter()
            .map(|line| format!("{}: {line}", checked.table));
        report.damage.extend(lines);
        report.tables.push(checked);
    }
    let mut damage = Damage(Vec::new());
    match derived::contents(conn, &mut damage) {
        Ok(()) => report.damage.extend(damage.0),
        Err(error) => report.damage.push(unreadable(error)?),
    }
    progress(Progress { done: total, total });
    Ok(report)
}

/// The line for a part that cannot be read because of what the file says or
/// lacks; other errors stay errors.
fn unreadable(error: Error) -> Result<String> {
    match error {
        Error::Damaged { what, .. } => Ok(what),
        Error::Sqlite { code, message, .. } if tells_of_the_file(code) => {
            Ok(format!("it cannot be read: {message}"))
        }
        error => Err(error),
    }
}

/// True for SQLite's words about a damaged file, rather than about the system.
fn tells_of_the_file(code: i32) -> bool {
    use rusqlite::ffi::{SQLITE_CORRUPT, SQLITE_ERROR, SQLITE_NOTADB};
    [SQLITE_ERROR, SQLITE_CORRUPT, SQLITE_NOTADB].contains(&(code & 0xff))
}

/// SQLite's own verification of its pages.
fn integrity(conn: &Connection) -> Result<Vec<String>> {
    let mut statement = conn.prepare("PRAGMA integrity_check(20)").db()?;
    let lines = statement
        .query_map([], |row| row.get::<_, String>(0))
        .db()?;
    let lines: Vec<String> = lines.collect::<rusqlite::Result<_>>().db()?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
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
struct Damage(Vec<String>);

impl Damage {
    fn add(&mut self, line: String) {
        if self.0.len() < LINES {
            self.0.push(line);
        }
    }
}

fn table(
    conn: &Connection,
    meta: &TableMeta,
    begins: Begins,
    tick: &mut dyn FnMut(u64),
) -> Result<CheckedTable> {
    let mut damage = Damage(Vec::new());
    if meta.schema.floor != begins.floor {
        damage.add(format!(
            "its history begins at {}, but by the events, after its last clear or prune, at {}",
            meta.schema.floor, begins.floor
        ));
    }
    if meta.anchor != begins.anchor {
        damage.add("its chain does not begin where the store or its last clear left it".to_owned());
    }
    let (runs, hash) = prune::runs(conn, meta.schema.number)?;
    if begins.runs != hash {
        damage.add("its versions are not gone where, by the events, they were pruned".to_owned());
    }
    let chained = chain(conn, meta, (begins.anchor, runs), &mut damage, tick)?;
    if chained.stubs != begins.erased {
        damage.add(format!(
            "{} versions are erased, but by the events {}",
            chained.stubs, begins.erased
        ));
    }
    derived::heads(conn, meta, &mut damage)?;
    derived::waypoints(conn, meta, &mut damage)?;
    for at in 0..meta.schema.indexes.len() {
        derived::entries(conn, meta, at, &mut damage)?;
    }
    derived::named_contents(conn, meta, &mut damage)?;
    Ok(CheckedTable {
        table: meta.name().to_owned(),
        versions: chained.versions,
        sound: chained.sound,
        first: chained.first,
        records: read::count(conn, meta)?,
        damage: damage.0,
    })
}

/// What a walk along a table's chain found.
#[derive(Default)]
struct Chained {
    versions: u64,
    sound: u64,
    first: Option<Idx>,
    stubs: u64,
}

/// Hashes every row again; behind a run that was pruned, the chain goes on from
/// what is kept of it.
fn chain(
    conn: &Connection,
    meta: &TableMeta,
    (mut previous, runs): (Hash, Vec<(Idx, Hash)>),
    damage: &mut Damage,
    tick: &mut dyn FnMut(u64),
) -> Result<Chained> {
    let sql = format!(
        "SELECT {}, l._seal, l._hash FROM {} l ORDER BY l.idx",
        meta.sql.row_columns, meta.sql.table
    );
    let columns = meta.schema.columns.len();
    let mut statement = conn.prepare(&sql).db()?;
    let mut rows = statement.query([]).db()?;
    let mut leaf = Leaf::default();
    let mut chained = Chained::default();
    let mut runs = runs.into_iter().peekable();
    while let Some(row) = rows.next().db()? {
        let idx = Idx(row.get(0).db()?);
        while let Some((_, hash)) = runs.next_if(|(upto, _)| *upto < idx) {
            previous = hash;
        }
        let found = read::leaf(row, meta, &mut leaf);
        let hash: Option<Hash> = row.get(columns + 5).ok();
        let id = row.get_ref(1).db()?.as_str().unwrap_or("?");
        let wrong = match (found, hash) {
            (Ok(leaf), Some(hash)) if link(&previous, idx, &leaf) == hash => None,
            (Ok(_), Some(_)) => Some(format!("version {idx} of {id:?} is not what was written")),
            (Err(what), _) => Some(format!("version {idx} of {id:?}: {what}")),
            (_, None) => Some(format!("version {idx} of {id:?} has no hash")),
        };
        match wrong {
            None => chained.sound += 1,
            Some(line) => {
                chained.first.get_or_insert(idx);
                damage.add(line);
            }
        }
        chained.stubs += u64::from(row.get(3).ok() == Some(Op::Erased.code()));
        previous = hash.unwrap_or(previous);
        chained.versions += 1;
        if chained.versions % STEP == 0 {
            tick(chained.versions);
        }
    }
    if runs.next().is_some() {
        damage.add("its newest versions are gone, as if they had been pruned".to_owned());
    }
    Ok(chained)
}
