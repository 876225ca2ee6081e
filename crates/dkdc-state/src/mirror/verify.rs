//! Proof that the mirror says what the log says: every file is hashed and read
//! again, and compared with the log row by row.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};

use super::current;
use super::reread::Rows;
use super::trust::{Held, Trust};
use crate::error::{Error, Result};
use crate::log::manifest::{self, Kind, Sealed};
use crate::log::scan::{self, Scanned};
use crate::log::{Store, moment};
use crate::record::{Idx, Op};
use crate::schema::TableSchema;

/// Rows read from the log at a time.
const PAGE: usize = 16_384;

/// What was found of the mirror's files.
#[derive(Debug, Default)]
pub(crate) struct Verified {
    /// Files that are gone or altered: they are not read.
    pub(crate) lost: Vec<String>,
    /// Files that are what was written, and yet not what the log says.
    pub(crate) wrong: Vec<String>,
}

impl Store {
    /// Compares every file of the mirror with the log.
    pub(crate) fn verify_mirror(&self) -> Result<Verified> {
        let (catalog, manifest) =
            self.read(|conn, catalog| Ok((catalog.clone(), manifest::read(conn)?)))?;
        let mut verified = Verified::default();
        for sealed in &manifest.files {
            let schema = &catalog.by_number(sealed.table)?.schema;
            let at = format!("{} ({})", sealed.file, schema.name);
            let Some(held) = Trust::hold_anew(&super::folder(&self.path), sealed) else {
                // It may have been replaced meanwhile.
                if self.read(|conn, _| manifest::names(conn, &sealed.file))? {
                    verified.lost.push(format!("{at} is not what was written"));
                }
                continue;
            };
            match self.first_difference(sealed, &held, schema) {
                Ok(None) => {}
                // What was erased meanwhile, the log does not say any more.
                Ok(Some(_)) if !self.read(|conn, _| manifest::names(conn, &sealed.file))? => {}
                Ok(Some(what)) => verified.wrong.push(format!("mirror: {at}: {what}")),
                // The table was cleared meanwhile, and the file with it.
                Err(Error::OutsideHistory { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(verified)
    }

    /// Where a file first says something else than the log.
    fn first_difference(
        &self,
        sealed: &Sealed,
        held: &Held,
        schema: &TableSchema,
    ) -> Result<Option<String>> {
        let columns = match sealed.kind {
            Kind::History => scan::all_columns(schema),
            Kind::Current => scan::current_columns(schema),
        };
        let superseded = match sealed.kind {
            Kind::History => None,
            Kind::Current => Some(self.superseded(sealed)?),
        };
        let mut file = Slices::new(Rows::new(held, schema, &columns)?);
        let mut log = columns.clone();
        log.push(Scanned::Op);
        let mut at = sealed.after;
        while let Some((batch, last)) = self.page(sealed, &log, at)? {
            at = last;
            let batch = match &superseded {
                None => batch,
                Some(superseded) => {
                    let op = batch
                        .column(columns.len())
                        .as_primitive::<Int64Type>()
                        .clone();
                    let live = |at: usize| Op::from_code(op.value(at)).is_some_and(Op::is_live);
                    current::filter(&batch, |at, idx| live(at) && !superseded.has(idx))?
                }
            };
            let place: Vec<usize> = (0..columns.len()).collect();
            let expected = batch.project(&place).map_err(current::unexpected)?;
            if let Some(idx) = file.differs(&expected)? {
                return Ok(Some(format!(
                    "it is not what the log says at version {idx}"
                )));
            }
        }
        Ok(file
            .rest()?
            .map(|idx| format!("version {idx} is not in the log")))
    }

    fn page(
        &self,
        sealed: &Sealed,
        columns: &[Scanned],
        at: Idx,
    ) -> Result<Option<(RecordBatch, Idx)>> {
        self.read(|conn, catalog| {
            let meta = catalog.by_number(sealed.table)?;
            moment::check_floor(meta, sealed.upto)?;
            scan::batch(conn, meta, columns, (at, sealed.upto), PAGE)
        })
    }

    /// The versions that others replaced, as the log has them.
    fn superseded(&self, sealed: &Sealed) -> Result<current::Superseded> {
        let mut all = Vec::new();
        let mut at = sealed.after;
        while let Some((batch, last)) = self.page(sealed, &[Scanned::Idx, Scanned::Prev], at)? {
            at = last;
            let prev = batch.column(1).as_primitive::<TimestampMicrosecondType>();
            all.extend(
                (0..prev.len())
                    .filter(|at| prev.is_valid(*at))
                    .map(|at| prev.value(at)),
            );
        }
        Ok(current::Superseded::new(all))
    }
}

/// Rows of a file, cut as they are asked for.
struct Slices {
    rows: Rows,
    left: Option<RecordBatch>,
}

impl Slices {
    fn new(rows: Rows) -> Slices {
        Slices { rows, left: None }
    }

    /// At most so many of the next rows; `None` at the end.
    fn next(&mut self, count: usize) -> Result<Option<RecordBatch>> {
        loop {
            let batch = match self.left.take() {
                Some(batch) => batch,
                None => match self.rows.next() {
                    Some(batch) => batch?,
                    None => return Ok(None),
                },
            };
            if batch.num_rows() == 0 {
                continue;
            }
            let taken = count.min(batch.num_rows());
            if taken < batch.num_rows() {
                self.left = Some(batch.slice(taken, batch.num_rows() - taken));
            }
            return Ok(Some(batch.slice(0, taken)));
        }
    }

    /// The version of the first row that is not the next of these.
    fn differs(&mut self, expected: &RecordBatch) -> Result<Option<Idx>> {
        let mut done = 0;
        while done < expected.num_rows() {
            let Some(found) = self.next(expected.num_rows() - done)? else {
                return Ok(Some(version(expected, done)));
            };
            let part = expected.slice(done, found.num_rows());
            if part.columns() != found.columns() {
                let same =
                    |at: &usize| part.slice(*at, 1).columns() == found.slice(*at, 1).columns();
                let at = (0..part.num_rows()).find(|at| !same(at)).unwrap_or(0);
                return Ok(Some(version(&part, at)));
            }
            done += found.num_rows();
        }
        Ok(None)
    }

    /// The version of a row that is still there.
    fn rest(&mut self) -> Result<Option<Idx>> {
        Ok(self.next(1)?.map(|batch| version(&batch, 0)))
    }
}

fn version(batch: &RecordBatch, at: usize) -> Idx {
    let idx = batch.column(0).as_primitive::<TimestampMicrosecondType>();
    Idx::from_micros(idx.value(at))
}
