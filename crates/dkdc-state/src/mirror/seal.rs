//! Writing files: log rows beyond the watermark become one, and rows of other
//! files do.

use std::sync::atomic::Ordering;
use std::time::Instant;

use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use arrow_array::RecordBatch;

use super::keeper::{Keeper, Site};
use super::publish::Draft;
use crate::error::{Error, Result};
use crate::log::manifest::{self, Kind, Sealed};
use crate::log::scan::{self, Scanned};
use crate::log::{hash, locate, moment};
use crate::record::{Idx, hex};
use crate::schema::TableSchema;

/// Rows in a row group: what DuckDB writes and reads best.
const ROW_GROUP: usize = 65_536;
/// Bytes of a dictionary: what is larger repeats too little to be worth one.
const DICTIONARY: usize = 64 << 10;
/// Rows read from the log at a time.
const PAGE: usize = 16_384;

/// A file under way.
pub(super) struct Sheet {
    writer: ArrowWriter<Draft>,
    rows: u64,
}

impl Sheet {
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(failed)
    }
}

/// An error of parquet's.
pub(super) fn failed(error: parquet::errors::ParquetError) -> Error {
    let error = std::io::Error::other(error);
    Error::io(std::path::Path::new("a file of the mirror"), error)
}

impl Keeper {
    /// Writes a table's log of a range into a file, and enters it into the
    /// manifest.
    pub(super) fn seal(
        &mut self,
        table: u32,
        (after, upto): (Idx, Idx),
        replaces: &[&Sealed],
    ) -> Result<bool> {
        let catalog = self.catalog()?;
        let since = catalog.event;
        let schema = &catalog.by_number(table)?.schema;
        let columns = scan::all_columns(schema);
        let mut sheet = self.sheet(schema, &columns)?;
        let mut at = after;
        loop {
            let page = self.read(|conn, catalog| {
                let meta = catalog.by_number(table)?;
                moment::check_floor(meta, upto)?;
                // Columns that came meanwhile are NULL in these rows.
                scan::batch(conn, meta, &columns, (at, upto), PAGE)
            })?;
            let Some((batch, last)) = page else { break };
            sheet.write(&batch)?;
            at = last;
        }
        self.enter(
            sheet,
            table,
            Kind::History,
            (after, upto),
            (replaces, since),
        )
    }

    /// A new file with these columns.
    pub(super) fn sheet(&self, schema: &TableSchema, columns: &[Scanned]) -> Result<Sheet> {
        let draft = Draft::create(&self.site.mirror.folder)?;
        let ascending = ["idx", "_prev"].map(ColumnPath::from);
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_dictionary_page_size_limit(DICTIONARY)
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .set_created_by("dkdc".to_owned());
        for column in ascending {
            properties = properties
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_encoding(column, Encoding::DELTA_BINARY_PACKED);
        }
        let arrow = scan::arrow_schema(schema, columns);
        let writer = ArrowWriter::try_new(draft, arrow, Some(properties.build()));
        Ok(Sheet {
            writer: writer.map_err(failed)?,
            rows: 0,
        })
    }

    /// Publishes a file and enters it into the manifest, in place of others, if
    /// nothing was taken from the table since its rows were read. False: another
    /// process was first, or something was; then the file is gone.
    pub(super) fn enter(
        &mut self,
        sheet: Sheet,
        table: u32,
        kind: Kind,
        (after, upto): (Idx, Idx),
        (replaces, since): (&[&Sealed], Idx),
    ) -> Result<bool> {
        let mut random = [0; 8];
        hash::random(&mut random)?;
        let what = match kind {
            Kind::History => "",
            Kind::Current => "current-",
        };
        let file = format!("{table}-{what}{upto}-{}.parquet", hex(&random));
        let draft = sheet.writer.into_inner().map_err(failed)?;
        let published = draft.publish(&file)?;
        let written = &self.site.mirror.rows_written;
        written.fetch_add(sheet.rows, Ordering::Relaxed);
        let sealed = Sealed {
            file,
            table,
            kind,
            after,
            upto,
            rows: sheet.rows,
            bytes: published.bytes,
            hash: published.hash,
        };
        let entered = self.entered(&sealed, replaces, since);
        // It stays locked until the manifest names it.
        drop(published.file);
        if matches!(entered, Ok(true)) {
            self.site.mirror.written(&sealed);
            for old in replaces {
                self.remove(&old.file);
            }
        } else {
            self.remove(&sealed.file);
        }
        entered
    }

    /// Enters a file into the manifest. Writers of this process let it pass;
    /// those of others are waited for as a write would.
    fn entered(&self, sealed: &Sealed, replaces: &[&Sealed], since: Idx) -> Result<bool> {
        let Site { path, config, .. } = &self.site;
        let began = Instant::now();
        loop {
            let entered = {
                let _passes = self.site.mirror.entering.lock();
                manifest::enter(&self.conn, sealed, replaces, since)
            };
            let entered = entered.map_err(|error| locate(path, began.elapsed(), error));
            match entered {
                Err(Error::Busy { .. }) if began.elapsed() < config.busy_timeout => {
                    self.go_on()?;
                }
                entered => return entered,
            }
        }
    }
}
