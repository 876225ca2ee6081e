//! Salvage: what is sound in a damaged file becomes a store of its own.
//!
//! The damaged file is copied first and never written. Its rows are read in order;
//! where a page cannot be read, reading goes on behind it. A version is taken over
//! when its hash proves it, or when nothing can be proven because the one before it
//! is lost, which is said. Numbers stay; the chain is a new one, of a new store,
//! since nothing links over a hole. What was erased stays erased.

mod content;
mod pages;
mod reading;
mod trees;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use serde_json::json;

use super::access::foreign;
use super::append::{Scribe, insert_row};
use super::backup::{Draft, refuse_existing};
use super::catalog::{Catalog, TableMeta};
use super::check::Progress;
use super::event::{self, EventKind};
use super::format::FORMAT;
use super::hash::{self, Hash, link};
use super::identity::beside;
use super::read::LogRow;
use super::{Config, DbResult, alter, checkpoint, locate, open, prune, registry, repair};
use crate::error::{Error, Result};
use crate::record::{Idx, Op, Value, Version};
use crate::schema::TableSchema;
use crate::schema::sql::Cell;
use content::Contents;
use reading::{Next, Reading};

/// What was got out of a damaged file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvaged {
    /// The tables, oldest first.
    pub tables: Vec<SalvagedTable>,
    /// What was lost outside tables.
    pub lost: Vec<String>,
}

/// What was got out of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvagedTable {
    /// The table.
    pub table: String,
    /// Versions that are in the new store.
    pub versions: u64,
    /// Those of them that cannot be proven, since the version before is lost.
    pub unproven: u64,
    /// What was lost: versions, or ranges of them that cannot be read.
    pub lost: Vec<String>,
}

/// Gets every sound version out of a file, into a new one.
pub(crate) fn salvage(
    from: &Path,
    to: &Path,
    config: &Config,
    progress: &mut dyn FnMut(Progress),
) -> Result<Salvaged> {
    refuse_existing(to)?;
    if !from.is_file() {
        return Err(Error::NoStore {
            path: from.to_owned(),
        });
    }
    if registry::is_open(from) {
        return Err(Error::NotAStore {
            path: from.to_owned(),
            why: "this process has it open: close it first".to_owned(),
        });
    }
    // A `-wal` is taken into the copy; the file itself stays as it is.
    let source = Draft::begin(to)?;
    for suffix in ["", "-wal"] {
        let (part, copy) = (beside(from, suffix), beside(&source.path, suffix));
        if part.exists() {
            fs::copy(&part, &copy).map_err(|error| Error::io(&part, error))?;
        }
    }
    let draft = Draft::begin(to)?;
    let salvaged = take(&source.path, &draft.path, config, progress);
    let salvaged =
        salvaged.map_err(|error| locate(from, config.busy_timeout, foreign(from, error)))?;
    draft.publish(to)?;
    Ok(salvaged)
}

/// Makes a store in an empty file of what is sound in a copy of the damaged one.
fn take(
    source: &Path,
    draft: &Path,
    config: &Config,
    progress: &mut dyn FnMut(Progress),
) -> Result<Salvaged> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let old = open::connection(source, flags, config)?;
    // What is in the copy's `-wal` goes into the copy, where pages are looked at; if
    // that fails, more is looked for by trial.
    if let Err(error) = checkpoint::passive(&old) {
        tracing::debug!(%error, "the copy keeps its -wal");
    }
    let roots = roots(&old)?;
    // Nobody reads the pages that are written anew.
    drop(old);
    let numbers: Vec<u32> = roots.values().copied().collect();
    let dropped = trees::mend(source, &numbers);
    let old = open::connection(source, flags, config)?;
    let catalog = Catalog::read_tables(&old)?;
    let new = open::fresh(draft, config, catalog.begins)?;
    let mut work = Work {
        old,
        new,
        holes: roots
            .into_iter()
            .filter_map(|(table, root)| Some((table, *dropped.get(&root)?)))
            .collect(),
        total: 0,
        done: 0,
        contents: Contents::default(),
    };
    let salvaged = work.run(&catalog, config.clock.now(), progress)?;
    work.new.execute_batch("COMMIT").db()?;
    work.new.close().map_err(|(_, error)| error).db()?;
    Ok(salvaged)
}

/// The first pages of the trees of rows, by table.
fn roots(conn: &Connection) -> Result<HashMap<String, u32>> {
    let sql = "SELECT name, rootpage FROM sqlite_schema WHERE type = 'table' AND rootpage > 1";
    let mut all = conn.prepare(sql).db()?;
    let all = all
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .db()?;
    all.collect::<Result<_, _>>().db()
}

struct Work {
    /// A copy of the damaged file.
    old: Connection,
    /// The new store, in its one transaction.
    new: Connection,
    /// Pages of rows that are in their table no more, by its name: where one was,
    /// nothing but the chain tells.
    holes: HashMap<String, u64>,
    total: u64,
    done: u64,
    contents: Contents,
}

/// A version that does not fit its hash: the version or the hash is damaged, which
/// the next version tells.
struct Doubtful {
    row: LogRow,
    hash: Hash,
}

/// One table on its way.
struct Table {
    meta: TableMeta,
    chain: Hash,
    newest: HashMap<String, Idx>,
    scribe: Scribe,
    found: SalvagedTable,
}

impl Work {
    fn run(
        &mut self,
        catalog: &Catalog,
        now: i64,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Salvaged> {
        let count = |table: &str| {
            let sql = format!("SELECT count(*) FROM {table}");
            self.old.query_row(&sql, [], |row| row.get::<_, i64>(0))
        };
        // A table that cannot be counted is only missing from the progress.
        let counts = catalog
            .tables
            .iter()
            .filter_map(|meta| count(&meta.sql.table).ok());
        self.total = counts.map(|n| u64::try_from(n).unwrap_or(0)).sum();
        let store = Catalog::read_tables(&self.new)?.store_id;
        let mut salvaged = Salvaged::default();
        // No reason to leave what can be read: the number itself may be damaged.
        let format = open::version(&self.old).ok();
        if let Some(format) = format.filter(|format| *format > FORMAT) {
            salvaged.lost.push(format!(
                "what came after format {FORMAT}, if the file is of format {format} as it says"
            ));
        }
        let mut last = Idx(now - 1);
        for meta in &catalog.tables {
            let table = self.table(meta, &store, progress)?;
            last = table.newest.values().copied().fold(last, Idx::max);
            salvaged.tables.push(table.found);
        }
        if self.commits(last).is_err() {
            let line = "which versions were committed together";
            salvaged.lost.push(line.to_owned());
        }
        let versions: u64 = salvaged.tables.iter().map(|table| table.versions).sum();
        let lost: usize = salvaged.tables.iter().map(|table| table.lost.len()).sum();
        let detail = json!({"salvaged": {
            "store": catalog.store_id.to_string(), "versions": versions, "lost": lost,
        }});
        let idx = Idx(last.as_micros() + 1);
        event::insert(&self.new, &store, idx, EventKind::Repair, None, &detail)?;
        let floors = catalog.tables.iter().filter(|m| m.schema.floor > Idx::ZERO);
        for (meta, micros) in floors.zip(idx.as_micros() + 1..) {
            self.floor(&store, meta, Idx(micros))?;
        }
        Ok(salvaged)
    }

    /// History that had been cleared or pruned stays outside.
    fn floor(&self, store: &uuid::Uuid, meta: &TableMeta, idx: Idx) -> Result<()> {
        let (number, floor) = (meta.schema.number, meta.schema.floor.as_micros());
        let runs = crate::record::hex(&prune::runs(&self.new, number)?.1);
        let detail = json!({"versions": 0, "floor": floor, "runs": runs});
        event::insert(
            &self.new,
            store,
            idx,
            EventKind::Prune,
            Some(number),
            &detail,
        )?;
        self.new
            .execute(
                "UPDATE _dkdc_tables SET floor = ?2 WHERE number = ?1",
                (number, floor),
            )
            .map(|_| ())
            .db()
    }

    fn table(
        &mut self,
        meta: &TableMeta,
        store: &uuid::Uuid,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Table> {
        let schema = TableSchema {
            floor: Idx::ZERO,
            ..TableSchema::clone(&meta.schema)
        };
        let anchor = hash::genesis(store, schema.number);
        let mut table = Table {
            meta: TableMeta::new(schema, anchor),
            chain: anchor,
            newest: HashMap::new(),
            scribe: Scribe::new(),
            found: SalvagedTable {
                table: meta.name().to_owned(),
                ..SalvagedTable::default()
            },
        };
        alter::create(&self.new, &table.meta)?;
        self.rows(meta, &mut table, progress)?;
        repair::derive(&self.new, &table.meta)?;
        Ok(table)
    }

    /// Reads a table's rows in order, and takes over what is sound.
    fn rows(
        &mut self,
        meta: &TableMeta,
        table: &mut Table,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let runs = prune::runs(&self.old, meta.schema.number);
        let runs = runs.map_or_else(|_| Vec::new(), |(runs, _)| runs);
        let mut runs = runs.into_iter().peekable();
        // `None`: the version before is lost.
        let mut previous = Some(meta.anchor);
        let mut doubtful: Option<Doubtful> = None;
        let mut reading = Reading::default();
        let mut holes = self.holes.remove(meta.name()).unwrap_or(0);
        let mut after = Idx(i64::MIN);
        loop {
            let row = match reading.next(&self.old, meta, after)? {
                Next::End => break,
                Next::Lost(upto, what) => {
                    table.lose(doubtful.take());
                    table.found.lost.push(what);
                    (after, previous) = (upto, None);
                    if upto == Idx(i64::MAX) {
                        break;
                    }
                    continue;
                }
                Next::Row(row) => *row,
            };
            let before = std::mem::replace(&mut after, row.idx);
            self.done += 1;
            if self.done.is_multiple_of(1024) {
                let (done, total) = (self.done, self.total.max(self.done));
                progress(Progress { done, total });
            }
            while let Some((_, hash)) = runs.next_if(|(upto, _)| *upto < row.idx) {
                previous = Some(hash);
            }
            let fits = |previous: &Hash| {
                row.leaf
                    .is_some_and(|leaf| Some(link(previous, row.idx, &leaf)) == row.hash)
            };
            // Does it fit the version before, if only that one's hash was damaged?
            let mended = doubtful.as_ref().is_some_and(|before| fits(&before.hash));
            match doubtful.take() {
                Some(before) if mended => self.take_over(table, before.row)?,
                other => table.lose(other),
            }
            let proven = mended || previous.as_ref().is_some_and(fits);
            if !proven && previous.is_some() && row.leaf.is_some() && holes > 0 {
                holes -= 1;
                previous = None;
                let line = format!("versions after {before} and before {}", row.idx);
                table
                    .found
                    .lost
                    .push(format!("{line}: they cannot be read"));
            }
            let unproven = previous.is_none() && row.leaf.is_some();
            match (row.row, row.leaf) {
                (Some(found), _) if found.version.op == Op::Erased && (proven || unproven) => {}
                (Some(found), _) if proven || unproven => {
                    table.found.unproven += u64::from(!proven);
                    self.take_over(table, found)?;
                }
                (Some(found), Some(leaf)) => {
                    doubtful = previous.map(|previous| Doubtful {
                        row: found,
                        hash: link(&previous, row.idx, &leaf),
                    });
                }
                _ => table
                    .found
                    .lost
                    .push(format!("version {}: it is not readable", row.idx)),
            }
            previous = row.hash;
        }
        table.lose(doubtful.take());
        if holes > 0 {
            table.found.lost.push(format!(
                "what was on {holes} more pages that cannot be read, if they were not side by side"
            ));
        }
        Ok(())
    }

    /// Writes a version into the new store, if the content that it names is sound.
    fn take_over(&mut self, table: &mut Table, row: LogRow) -> Result<()> {
        for value in &row.values {
            if let Value::Blob(blob) = value
                && !self.contents.bring(&self.old, &self.new, blob)?
            {
                table.found.lost.push(format!(
                    "version {} of {:?}: the content that it names is damaged or gone",
                    row.version.idx, row.id
                ));
                return Ok(());
            }
        }
        let version = Version {
            prev: table.newest.get(&row.id).copied(),
            ..row.version
        };
        let mut insert = self.new.prepare_cached(&table.meta.sql.insert).db()?;
        let values = if version.op.is_live() {
            row.values
        } else {
            Vec::new()
        };
        table.chain = insert_row(
            &table.meta,
            &mut insert,
            &mut table.scribe,
            &table.chain,
            &row.id,
            version,
            values.iter().map(Cell::of),
        )?;
        table.newest.insert(row.id, version.idx);
        table.found.versions += 1;
        Ok(())
    }

    /// Which versions were committed together.
    fn commits(&self, newest: Idx) -> Result<()> {
        let mut all = self
            .old
            .prepare("SELECT first, last, wall FROM _dkdc_commits WHERE last <= ?1 ORDER BY first")
            .db()?;
        let mut insert = self
            .new
            .prepare("INSERT INTO _dkdc_commits(first, last, wall) VALUES (?1, ?2, ?3)")
            .db()?;
        let mut rows = all.query([newest.as_micros()]).db()?;
        let mut end = i64::MIN;
        while let Some(row) = rows.next().db()? {
            let (first, last): (i64, i64) = (row.get(0).db()?, row.get(1).db()?);
            let wall: Option<i64> = row.get(2).db()?;
            if end < first && first <= last {
                insert.execute((first, last, wall)).db()?;
                end = last;
            }
        }
        Ok(())
    }
}

impl Table {
    fn lose(&mut self, doubtful: Option<Doubtful>) {
        if let Some(Doubtful { row, .. }) = doubtful {
            self.found.lost.push(format!(
                "version {} of {:?} is not what was written",
                row.version.idx, row.id
            ));
        }
    }
}
