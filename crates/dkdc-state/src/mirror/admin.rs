//! The mirror as its owner sees and orders it: what there is, bring it up to
//! date, make it anew, take it away.

use super::keeper::{Keeper, Seen};
use super::publish::nothing_in_the_way;
use super::{Mirror, folder};
use crate::error::{Error, Result};
use crate::log::{Store, manifest};
use crate::record::Idx;
use crate::state::State;

/// What the mirror has of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MirroredTable {
    /// The table.
    pub table: String,
    /// Versions that are in files.
    pub versions: u64,
    /// The newest of them.
    pub upto: Option<Idx>,
    /// Versions that are only in the log so far.
    pub tail: u64,
    /// Records in the file of current rows, if there is one.
    pub current: Option<u64>,
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl State {
    /// What the mirror has, by table: the Parquet files beside the store from
    /// which questions in SQL are answered.
    ///
    /// ```
    /// # use dkdc_state::{ColumnDef, ColumnType, Row, State, TableDef};
    /// # let folder = tempfile::tempdir()?;
    /// # let state = State::open(folder.path().join("data.db"))?;
    /// let notes = state.define(&TableDef::new("notes").column(ColumnDef::new("body", ColumnType::Text)))?;
    /// notes.append(&Row::new("n1").with("body", "draft"))?;
    /// assert_eq!(state.mirror_status()?[0].tail, 1);
    /// state.seal_mirror()?;
    /// assert_eq!(state.mirror_status()?[0].versions, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Only when the store cannot be read.
    pub fn mirror_status(&self) -> Result<Vec<MirroredTable>> {
        let store = self.store();
        let (catalog, seen) = store.read(|conn, catalog| {
            let seen = Seen::read(store.mirror(), conn, catalog)?;
            Ok((catalog.clone(), seen))
        })?;
        let tables = catalog.tables.iter().map(|meta| {
            let table = seen.table(meta.schema.number, 1);
            let files = table.history.iter().copied().chain(table.current);
            MirroredTable {
                table: meta.name().to_owned(),
                versions: table.history.iter().map(|sealed| sealed.rows).sum(),
                upto: table.history.last().map(|sealed| sealed.upto),
                tail: table.tail.rows,
                current: table.current.map(|sealed| sealed.rows),
                files: files.clone().count() as u64,
                bytes: files.map(|sealed| sealed.bytes).sum(),
            }
        });
        Ok(tables.collect())
    }

    /// Brings the mirror up to date, which it otherwise is by itself once enough
    /// is newer: afterwards files hold everything that was committed before.
    ///
    /// # Errors
    /// [`Error::ReadOnly`](crate::Error::ReadOnly), or that the files cannot be
    /// written.
    pub fn seal_mirror(&self) -> Result<()> {
        let store = self.store();
        store.refuse_inside()?;
        store.refuse_unwritable()?;
        nothing_in_the_way(&folder(&store.path))?;
        Keeper::open(store.keeper.site.clone())?.seal_all()
    }

    /// Makes the mirror anew from the log.
    ///
    /// # Errors
    /// As [`seal_mirror`](State::seal_mirror).
    pub fn rebuild_mirror(&self) -> Result<()> {
        self.drop_mirror()?;
        self.seal_mirror()
    }

    /// Takes the mirror's files away. Questions are answered from the log until
    /// it is made anew, by itself or by [`rebuild_mirror`](State::rebuild_mirror).
    ///
    /// # Errors
    /// As [`seal_mirror`](State::seal_mirror).
    pub fn drop_mirror(&self) -> Result<()> {
        let store = self.store();
        store.refuse_inside()?;
        store.refuse_unwritable()?;
        nothing_in_the_way(&folder(&store.path))?;
        let files = store.write(|tx| {
            let files = manifest::read(tx.conn)?.files;
            let tables = tx.catalog.tables.len();
            for number in 1..=u32::try_from(tables).unwrap_or(u32::MAX) {
                tx.forget(number)?;
            }
            Ok(files)
        })?;
        store.remove_files(&files);
        Ok(())
    }
}

impl State {
    /// For measurements: rows that this process has written into files of the
    /// mirror.
    #[doc(hidden)]
    #[must_use]
    pub fn mirror_rows_written(&self) -> u64 {
        let written = &self.store().mirror().rows_written;
        written.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Store {
    /// The mirror as this process knows it.
    pub(crate) fn mirror(&self) -> &Mirror {
        &self.keeper.site.mirror
    }
}

impl Keeper {
    /// Does what is due, and puts every tail into files.
    fn seal_all(&mut self) -> Result<()> {
        let mirror = std::sync::Arc::clone(&self.site.mirror);
        let _at_work = mirror.at_work.lock();
        self.keep()?;
        let count = self.catalog()?.tables.len();
        let last = self.seen()?.last();
        for table in 1..=u32::try_from(count).unwrap_or(u32::MAX) {
            loop {
                let seen = self.seen()?;
                if seen.table(table, 1).tail.rows == 0 || seen.beyond(table).0 >= last {
                    break;
                }
                // Not done: another process did some of it. It is looked at
                // again, as when the table was cleared meanwhile.
                match self.seal(table, seen.beyond(table), &[]) {
                    Ok(_) | Err(Error::OutsideHistory { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            let seen = self.seen()?;
            if seen.lacks_current(table) {
                self.write_current(seen.manifest(), table)?;
            }
        }
        self.keep()
    }
}
