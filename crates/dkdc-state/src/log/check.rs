//! Verification: whether the file says what was written to it.
//!
//! Every row is hashed again and its chain followed; heads, indexes, waypoints
//! and contents are compared with the log. Damage is named by table, version
//! and record; nothing is changed.

use rusqlite::{Connection, OptionalExtension};

use super::append::column_number;
use super::catalog::{Catalog, TableMeta};
use super::hash::{Hash, Leaf, link};
use super::{DbResult, Store, event, format, index, read};
use crate::error::{Error, Result};
use crate::record::{Idx, Op};
use crate::schema::sql::{Cell, quote};

/// How far a check is, in versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Versions verified.
    pub done: u64,
    /// Versions there are.
    pub total: u64,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// The tables, oldest first.
    pub tables: Vec<CheckedTable>,
    /// Events verified.
    pub events: u64,
    /// All damage, the tables' included; at most 20 lines for each place.
    pub damage: Vec<String>,
}

/// What a check found in one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedTable {
    /// The table.
    pub table: String,
    /// Versions read.
    pub versions: u64,
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
        let report = self.read(|conn, catalog| check(conn, catalog, progress));
        match report {
            Err(Error::Damaged { what, .. }) => Ok(CheckReport {
                damage: vec![what],
                ..CheckReport::default()
            }),
            report => report,
        }
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
    report.damage.extend(strangers(conn, catalog)?);
    report.events = events(conn, catalog, &mut report.damage)?;
    let mut total = 0;
    for meta in &catalog.tables {
        total += count(conn, &meta.sql.table)?;
    }
    let mut done = 0;
    for meta in &catalog.tables {
        let mut tick = |versions: u64| {
            progress(Progress {
                done: done + versions,
                total,
            })
        };
        let checked = match table(conn, meta, &mut tick) {
            Err(Error::Damaged { what, .. }) => CheckedTable {
                table: meta.name().to_owned(),
                versions: 0,
                records: 0,
                damage: vec![what],
            },
            checked => checked?,
        };
        done += checked.versions;
        let lines = checked
            .damage
            .iter()
            .map(|line| format!("{}: {line}", checked.table));
        report.damage.extend(lines);
        report.tables.push(checked);
    }
    contents(conn, &mut report.damage)?;
    progress(Progress { done: total, total });
    Ok(report)
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

/// Tables of ours that other programs changed, dropped or guards that are gone.
fn strangers(conn: &Connection, catalog: &Catalog) -> Result<Vec<String>> {
    let mut damage = Vec::new();
    let mut expect = |kind: &str, name: &str| -> Result<()> {
        let there = conn
            .prepare_cached("SELECT 1 FROM sqlite_schema WHERE type = ?1 AND name = ?2")
            .and_then(|mut s| s.exists((kind, name)))
            .db()?;
        if !there {
            damage.push(format!("the {kind} {name} is gone"));
        }
        Ok(())
    };
    let mut tables: Vec<String> = format::STORE_TABLE_NAMES.map(str::to_owned).to_vec();
    for meta in &catalog.tables {
        tables.push(meta.name().to_owned());
        tables.push(format::head_name(meta.name()));
        let indexes = meta.schema.indexes.iter();
        tables.extend(indexes.map(|index| format::index_name(meta.name(), index.number)));
    }
    for name in &tables {
        expect("table", name)?;
        for action in ["insert", "update", "delete"] {
            expect("trigger", &format!("_dkdc_guard_{action}_{name}"))?;
        }
    }
    let mut statement = conn
        .prepare(
            "SELECT type, name, tbl_name FROM sqlite_schema WHERE type IN ('trigger', 'index')",
        )
        .db()?;
    let mut rows = statement.query([]).db()?;
    while let Some(row) = rows.next().db()? {
        let (kind, name, on): (String, String, String) =
            (row.get(0).db()?, row.get(1).db()?, row.get(2).db()?);
        let ours = name.starts_with("_dkdc_") || name.starts_with("sqlite_autoindex_");
        if !ours && tables.contains(&on) {
            damage.push(format!(
                "another program put the {kind} {name} on table {on}"
            ));
        }
    }
    Ok(damage)
}

fn count(conn: &Connection, table: &str) -> Result<u64> {
    let count: i64 = conn
        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
            row.get(0)
        })
        .db()?;
    Ok(u64::try_from(count).unwrap_or(0))
}

fn events(conn: &Connection, catalog: &Catalog, damage: &mut Vec<String>) -> Result<u64> {
    let mut statement = conn
        .prepare("SELECT idx, kind, \"table\", detail, _hash FROM _dkdc_events ORDER BY idx")
        .db()?;
    let mut rows = statement.query([]).db()?;
    let mut previous = event::genesis(&catalog.store_id);
    let mut events = 0;
    while let Some(row) = rows.next().db()? {
        let idx = Idx(row.get(0).db()?);
        let (kind, detail): (String, String) = (row.get(1).db()?, row.get(3).db()?);
        let hash: Hash = row.get(4).db()?;
        if event::hash(&previous, idx, &kind, row.get(2).db()?, &detail) != hash {
            damage.push(format!("event {idx} ({kind}) is not what was written"));
        }
        previous = hash;
        events += 1;
    }
    Ok(events)
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

fn table(conn: &Connection, meta: &TableMeta, tick: &mut dyn FnMut(u64)) -> Result<CheckedTable> {
    let mut damage = Damage(Vec::new());
    let versions = chain(conn, meta, &mut damage, tick)?;
    heads(conn, meta, &mut damage)?;
    for at in 0..meta.schema.indexes.len() {
        entries(conn, meta, at, &mut damage)?;
    }
    Ok(CheckedTable {
        table: meta.name().to_owned(),
        versions,
        records: read::count(conn, meta)?,
        damage: damage.0,
    })
}

/// Hashes every row again.
fn chain(
    conn: &Connection,
    meta: &TableMeta,
    damage: &mut Damage,
    tick: &mut dyn FnMut(u64),
) -> Result<u64> {
    let sql = format!(
        "SELECT {}, l._seal, l._hash FROM {} l ORDER BY l.idx",
        meta.sql.row_columns, meta.sql.table
    );
    let columns = meta.schema.columns.len();
    let mut statement = conn.prepare(&sql).db()?;
    let mut rows = statement.query([]).db()?;
    let mut previous = meta.anchor;
    let mut leaf = Leaf::default();
    let mut versions = 0;
    while let Some(row) = rows.next().db()? {
        let idx = Idx(row.get(0).db()?);
        let found = row_leaf(row, meta, &mut leaf);
        let hash: Option<Hash> = row.get(columns + 5).ok();
        let id = row.get_ref(1).db()?.as_str().unwrap_or("?");
        match (found, hash) {
            (Ok(leaf), Some(hash)) if link(&previous, idx, &leaf) == hash => previous = hash,
            (Ok(_), Some(hash)) => {
                damage.add(format!("version {idx} of {id:?} is not what was written"));
                previous = hash;
            }
            (Err(what), _) => damage.add(format!("version {idx} of {id:?}: {what}")),
            (_, None) => damage.add(format!("version {idx} of {id:?} has no hash")),
        }
        versions += 1;
        if versions % STEP == 0 {
            tick(versions);
        }
    }
    Ok(versions)
}

fn row_leaf(row: &rusqlite::Row<'_>, meta: &TableMeta, leaf: &mut Leaf) -> Result<Hash, String> {
    let read = |error: rusqlite::Error| error.to_string();
    let columns = meta.schema.columns.len();
    let id = row.get_ref(1).map_err(read)?;
    let id = id.as_str().map_err(|_| "its id is no text".to_owned())?;
    let prev: Option<i64> = row.get(2).map_err(read)?;
    let op = Op::from_code(row.get(3).map_err(read)?).ok_or("its op is unknown")?;
    let seal = row.get_ref(columns + 4).map_err(read)?;
    let seal = seal
        .as_blob()
        .map_err(|_| "its seal is no blob".to_owned())?;
    if op == Op::Erased {
        return seal
            .try_into()
            .map_err(|_| "its stub has no hash".to_owned());
    }
    leaf.start(seal, meta.schema.number, prev.map(Idx), op, id);
    for at in 0..columns {
        let cell = Cell::of_ref(row.get_ref(at + 4).map_err(read)?)?;
        leaf.column(column_number(at), &cell);
    }
    Ok(leaf.finish())
}

/// Compares the heads with the log: for each id its newest version, whether it
/// is live, and how many there are; and each `_prev` with the version before.
fn heads(conn: &Connection, meta: &TableMeta, damage: &mut Damage) -> Result<()> {
    let (log, head) = (&meta.sql.table, &meta.sql.head_table);
    let floor = meta.schema.floor.as_micros();
    let sql = format!(
        "WITH l AS (SELECT idx, id, _prev, _op, \
                      lag(idx) OVER w AS before, lead(idx) OVER w AS after \
                    FROM {log} WINDOW w AS (PARTITION BY id ORDER BY idx)) \
         SELECT l.idx, l.id, l._prev IS NOT l.before AND coalesce(l._prev, 0) >= {floor}, \
                l.after IS NULL AND (h.idx IS NOT l.idx OR h.deleted IS NOT (l._op IN (3, 5))) \
         FROM l LEFT JOIN {head} h ON h.id = l.id \
         WHERE (l._prev IS NOT l.before AND coalesce(l._prev, 0) >= {floor}) \
            OR (l.after IS NULL AND (h.idx IS NOT l.idx OR h.deleted IS NOT (l._op IN (3, 5)))) \
         LIMIT {LINES}"
    );
    let mut statement = conn.prepare(&sql).db()?;
    let mut rows = statement.query([]).db()?;
    while let Some(row) = rows.next().db()? {
        let (idx, id): (i64, String) = (row.get(0).db()?, row.get(1).db()?);
        if row.get(2).db()? {
            damage.add(format!(
                "version {idx} of {id:?} does not name the one it replaced"
            ));
        } else {
            damage.add(format!(
                "the head of {id:?} does not name its newest version {idx}"
            ));
        }
    }
    let sql = format!(
        "SELECT h.id FROM {head} h LEFT JOIN {log} l ON l.idx = h.idx AND l.id = h.id \
         WHERE l.idx IS NULL LIMIT {LINES}"
    );
    let mut statement = conn.prepare(&sql).db()?;
    let mut rows = statement.query([]).db()?;
    while let Some(row) = rows.next().db()? {
        let id: String = row.get(0).db()?;
        damage.add(format!("the head of {id:?} names no version"));
    }
    Ok(())
}

/// Compares one index with the current records.
fn entries(conn: &Connection, meta: &TableMeta, at: usize, damage: &mut Damage) -> Result<()> {
    let def = &meta.schema.indexes[at];
    let name = quote(&format::index_name(meta.name(), def.number));
    let sql = format!(
        "SELECT {} FROM {} h CROSS JOIN {} l ON l.idx = h.idx WHERE h.deleted = 0",
        meta.sql.row_columns, meta.sql.head_table, meta.sql.table
    );
    let mut statement = conn.prepare(&sql).db()?;
    let mut find = conn
        .prepare(&format!("SELECT 1 FROM {name} WHERE key = ?1 AND id = ?2"))
        .db()?;
    let mut rows = statement.query([]).db()?;
    let mut expected = 0;
    while let Some(row) = rows.next().db()? {
        let row = match read::decode(&meta.schema, row) {
            Ok(row) => row,
            Err(Error::Damaged { what, .. }) => {
                damage.add(what);
                continue;
            }
            Err(error) => return Err(error),
        };
        let Some(key) = index::key(def, &row.id, row.version.idx, &row.values) else {
            continue;
        };
        expected += 1;
        if !find.exists((key, &row.id)).db()? {
            damage.add(format!("index {} does not have {:?}", def.number, row.id));
        }
    }
    let found = count(conn, &name)?;
    if found != expected {
        damage.add(format!(
            "index {} has {found} entries, not {expected}",
            def.number
        ));
    }
    Ok(())
}

/// Hashes every content again.
fn contents(conn: &Connection, damage: &mut Vec<String>) -> Result<()> {
    let mut statement = conn
        .prepare("SELECT number, hash, size, data FROM _dkdc_chunks ORDER BY number")
        .db()?;
    let mut rows = statement.query([]).db()?;
    let mut bad = 0;
    while let Some(row) = rows.next().db()? {
        let number: i64 = row.get(0).db()?;
        let hash: Option<Hash> = row.get(1).optional().ok().flatten();
        let size: i64 = row.get(2).db()?;
        let data = row.get_ref(3).db()?.as_blob().unwrap_or(&[]);
        let sound = hash.is_some_and(|hash| blake3::hash(data).as_bytes() == &hash)
            && i64::try_from(data.len()) == Ok(size);
        if !sound && bad < LINES {
            bad += 1;
            damage.push(format!("content {number} is not what was put"));
        }
    }
    Ok(())
}
