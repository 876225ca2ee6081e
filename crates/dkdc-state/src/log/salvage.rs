//! Salvage: what is sound in a damaged file becomes a store of its own.
//!
//! The damaged file is copied first and never written. Its rows are read in order,
//! where they lie in the copy; where a page cannot be read, reading goes on behind it. A
//! version is taken over when its hash proves it, or when nothing can be proven because
//! the one before it is lost, which is said. Numbers stay; the chain is a new one, of a
//! new store, since nothing links over a hole. What was erased stays erased.

mod begins;
mod chain;
mod content;
mod pages;
mod reading;
mod record;
#[cfg(test)]
mod tests;
mod trees;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::json;
use uuid::Uuid;

use super::access::{self, foreign};
use super::append::{Hashed, Scribe, insert_row};
use super::backup::{Draft, refuse_existing};
use super::catalog::{Catalog, TableMeta};
use super::check::Progress;
use super::event::{self, EventKind};
use super::format::FORMAT;
use super::hash::{self, Hash};
use super::identity::beside;
use super::read::LogRow;
use super::{Config, DbResult, alter, checkpoint, locate, open, prune, registry, repair};
use crate::error::{Error, Result};
use crate::record::{Idx, Op, Value, Version};
use crate::schema::TableSchema;
use crate::schema::sql::Cell;
use begins::Begins;
use chain::{Chain, Judged};
use content::{Contents, Source};
use reading::{Next, Reading};
use trees::Trees;

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
        let part = beside(from, suffix);
        if part.exists() {
            copy(&part, &beside(&source.path, suffix))?;
        }
    }
    complete(&source.path)?;
    let draft = Draft::of_store(from, to)?;
    let salvaged = take(&source.path, &draft.path, config, progress);
    let salvaged =
        salvaged.map_err(|error| locate(from, config.busy_timeout, foreign(from, error)))?;
    draft.publish(to)?;
    Ok(salvaged)
}

/// Copies what a file says, and not who may read or write it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut part = File::open(from).map_err(|error| Error::io(from, error))?;
    let copy = if to.exists() {
        File::options().write(true).open(to)
    } else {
        access::new_file().open(to)
    };
    let mut copy = copy.map_err(|error| Error::io(to, error))?;
    io::copy(&mut part, &mut copy)
        .map(|_| ())
        .map_err(|error| Error::io(from, error))
}

/// Gives the copy of a file whose end is missing pages in its place: SQLite would
/// refuse all of it. One that says that most of it is missing may be wrong in that.
fn complete(copy: &Path) -> Result<()> {
    let failed = |error| Error::io(copy, error);
    let file = File::options().read(true).write(true).open(copy);
    let mut file = file.map_err(failed)?;
    let mut header = [0; 32];
    let there = file.metadata().map_err(failed)?.len();
    if there < 100 || file.read_exact(&mut header).is_err() {
        return Ok(());
    }
    let page = match u64::from(u16::from_be_bytes([header[16], header[17]])) {
        1 => 1 << 16,
        page => page,
    };
    let pages = u32::from_be_bytes([header[28], header[29], header[30], header[31]]);
    let whole = u64::from(pages) * page;
    if (there..2 * there + page).contains(&whole) {
        file.set_len(whole).map_err(failed)?;
    }
    Ok(())
}

/// Makes a store in an empty file of what is sound in a copy of the damaged one.
fn take(
    source: &Path,
    draft: &Path,
    config: &Config,
    progress: &mut dyn FnMut(Progress),
) -> Result<Salvaged> {
    let old = open::damaged(source, config)?;
    // What is in the copy's `-wal` goes into the copy, where rows are read.
    if !checkpoint::passive(&old)?.complete {
        return Err(Error::Busy {
            path: source.to_owned(),
            waited: config.busy_timeout,
        });
    }
    let catalog = Catalog::read_tables(&old)?;
    let mut work = Work {
        old,
        trees: Trees::open(source)?,
        new: open::fresh(draft, config, catalog.begins)?,
        total: 0,
        done: 0,
        contents: Contents::default(),
    };
    let salvaged = work.run(&catalog, config.clock.now(), progress)?;
    work.new.execute_batch("COMMIT").db()?;
    work.new.close().map_err(|(_, error)| error).db()?;
    Ok(salvaged)
}

struct Work {
    /// A copy of the damaged file, and where its rows lie.
    old: Connection,
    trees: Trees,
    /// The new store, in its one transaction.
    new: Connection,
    total: u64,
    done: u64,
    contents: Contents,
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
        let mut last = Idx(now.saturating_sub(1));
        for meta in &catalog.tables {
            let begins = Begins::read(&self.old, &catalog.store_id, meta);
            let table = self.table(meta, begins, &store, progress)?;
            last = table.newest.values().copied().fold(last, Idx::max);
            salvaged.tables.push(table.found);
        }
        if self.commits(last).is_err() {
            let line = "which versions were committed together";
            salvaged.lost.push(line.to_owned());
        }
        let versions: u64 = salvaged.tables.iter().map(|table| table.versions).sum();
        let lost: usize = salvaged.tables.iter().map(|table| table.lost.len()).sum();
        let schemas = alter::schema_hashes(&self.new, catalog.tables.len())?;
        let detail = json!({
            "salvaged": {
                "store": catalog.store_id.to_string(), "versions": versions, "lost": lost,
            },
            "schemas": schemas,
        });
        let mut idx = after(last)?;
        event::insert(&self.new, &store, idx, EventKind::Repair, None, &detail)?;
        for meta in catalog.tables.iter().filter(|m| m.schema.floor > Idx::ZERO) {
            idx = after(idx)?;
            self.floor(&store, meta, idx)?;
        }
        Ok(salvaged)
    }

    /// History that had been cleared or pruned stays outside.
    fn floor(&self, store: &Uuid, meta: &TableMeta, idx: Idx) -> Result<()> {
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
        begins: Begins,
        store: &Uuid,
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
            scribe: Scribe::default(),
            found: SalvagedTable {
                table: meta.name().to_owned(),
                ..SalvagedTable::default()
            },
        };
        alter::create(&self.new, &table.meta)?;
        self.rows(meta, begins, &mut table, progress)?;
        self.derive(&mut table)?;
        Ok(table)
    }

    /// Reads a table's rows in order, and takes over what is sound.
    fn rows(
        &mut self,
        meta: &TableMeta,
        begins: Begins,
        table: &mut Table,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<()> {
        let mut reading = Reading::begin(&self.old, &self.trees, meta)?;
        table.found.lost.append(&mut reading.lost);
        let (mut chain, mut judged) = (Chain::new(begins), Vec::new());
        loop {
            let next = reading.next(&self.trees, &self.new, meta)?;
            let is_end = matches!(next, Next::End);
            match next {
                Next::Row(found) => {
                    chain.row(*found, &mut judged);
                    self.step(progress);
                }
                Next::Gap(gap) => chain.gap(gap),
                Next::End => chain.end(&mut judged),
            }
            for judged in judged.drain(..) {
                match judged {
                    Judged::Lost(line) => table.found.lost.push(line),
                    Judged::Taken { row, .. } if row.version.op == Op::Erased => {}
                    Judged::Taken { row, is_proven } => {
                        let is_taken = self.take_over(table, row)?;
                        table.found.unproven += u64::from(is_taken && !is_proven);
                    }
                }
            }
            if is_end {
                return Ok(());
            }
        }
    }

    fn step(&mut self, progress: &mut dyn FnMut(Progress)) {
        self.done += 1;
        if self.done.is_multiple_of(1024) {
            let (done, total) = (self.done, self.total.max(self.done));
            progress(Progress { done, total });
        }
    }

    /// Makes what is derived. Where records share what must be unique, since newer
    /// versions of them are lost, it need not be unique any more.
    fn derive(&self, table: &mut Table) -> Result<()> {
        loop {
            let (columns, id, other) = match repair::derive(&self.new, &table.meta) {
                Err(Error::NotUnique {
                    columns, id, other, ..
                }) => (columns, id, other),
                done => return done,
            };
            let mut schema = TableSchema::clone(&table.meta.schema);
            let names = schema.to_def().indexes.into_iter().map(|index| {
                let names = index.columns.into_iter().map(|column| column.name);
                names.collect::<Vec<String>>()
            });
            for (index, names) in schema.indexes.iter_mut().zip(names) {
                if names == columns {
                    index.unique = None;
                }
            }
            alter::save_schema(&self.new, &schema)?;
            table.meta = TableMeta::new(schema, table.meta.anchor);
            table.found.lost.push(format!(
                "that {} is unique: {id:?} and {other:?} have the same",
                columns.join(", ")
            ));
        }
    }

    /// Writes a version into the new store; false if the content that it names is not
    /// sound.
    fn take_over(&mut self, table: &mut Table, row: LogRow) -> Result<bool> {
        let from = Source {
            conn: &self.old,
            trees: &self.trees,
        };
        for value in &row.values {
            if let Value::Blob(blob) = value
                && !self.contents.bring(from, &self.new, blob)?
            {
                table.found.lost.push(format!(
                    "version {} of {:?}: the content that it names is damaged or gone",
                    row.version.idx, row.id
                ));
                return Ok(false);
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
            Hashed::Now(&mut table.scribe),
            &table.chain,
            &row.id,
            version,
            values.iter().map(Cell::of),
        )?;
        table.newest.insert(row.id, version.idx);
        table.found.versions += 1;
        Ok(true)
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

/// The number after another.
fn after(idx: Idx) -> Result<Idx> {
    let next = idx.as_micros().checked_add(1);
    next.map(Idx).ok_or_else(|| Error::Sqlite {
        path: PathBuf::new(),
        code: 0,
        message: "the store's clock is at its end: no event can be newer".to_owned(),
    })
}
