//! Sealing: log rows beyond the watermark become a file.

use std::sync::Arc;

use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::folder;
use super::publish::Draft;
use crate::error::{Error, Result};
use crate::log::manifest::{self, Sealed};
use crate::log::{Store, hash, moment, scan, writer};
use crate::record::Idx;

/// A tail of so many rows is sealed.
const SEAL_ROWS: u64 = 16_384;
/// Rows in a row group: what DuckDB writes and reads best.
const ROW_GROUP: usize = 122_880;
/// Rows read from the log at a time.
const PAGE: usize = 16_384;

impl Store {
    /// Seals what is due: tails that have become large, and files that are no
    /// longer what was written.
    pub(crate) fn seal_due(&self) -> Result<()> {
        let (files, tails, last) = self.read(|conn, catalog| {
            let files = manifest::read(conn)?;
            let last = writer::last(conn, catalog)?;
            let mut tails = Vec::new();
            for meta in &catalog.tables {
                let number = meta.schema.number;
                let after = manifest::watermark(&files, number);
                if manifest::tail(conn, &meta.sql.table, after, SEAL_ROWS)? == SEAL_ROWS {
                    tails.push((number, after));
                }
            }
            Ok((files, tails, last))
        })?;
        for old in files.iter().filter(|sealed| !self.trusts(sealed)) {
            if self.seal(old.table, (old.after, old.upto), Some(old))? {
                self.remove_files(std::slice::from_ref(old));
            }
        }
        for (table, after) in tails {
            self.seal(table, (after, last), None)?;
        }
        Ok(())
    }

    /// Writes a table's rows of a range into a file, and enters it into the
    /// manifest. False: another process was first.
    fn seal(&self, table: u32, range: (Idx, Idx), replaces: Option<&Sealed>) -> Result<bool> {
        let folder = folder(&self.path);
        let draft = Draft::create(&folder)?;
        let mut random = [0; 8];
        hash::random(&mut random)?;
        let (after, upto) = range;
        let file = format!("{table}-{upto}-{}.parquet", crate::record::hex(&random));
        let (rows, draft) = self.write_rows(table, range, draft)?;
        let published = draft.publish(&file)?;
        let sealed = Sealed {
            file,
            table,
            after,
            upto,
            rows,
            bytes: published.bytes,
            hash: published.hash,
        };
        if self.write(|tx| tx.enter(&sealed, replaces))? {
            self.trust_written(&sealed);
            return Ok(true);
        }
        self.remove_files(std::slice::from_ref(&sealed));
        Ok(false)
    }

    fn write_rows(
        &self,
        table: u32,
        (after, upto): (Idx, Idx),
        draft: Draft,
    ) -> Result<(u64, Draft)> {
        let schema = self.read(|_, catalog| Ok(Arc::clone(&catalog.by_number(table)?.schema)))?;
        let columns = scan::all_columns(&schema);
        let failed = |error: parquet::errors::ParquetError| {
            Error::io(&folder(&self.path), std::io::Error::other(error))
        };
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .set_created_by("dkdc".to_owned())
            .build();
        let arrow = scan::arrow_schema(&schema, &columns);
        let mut writer = ArrowWriter::try_new(draft, arrow, Some(properties)).map_err(failed)?;
        let (mut at, mut rows) = (after, 0);
        loop {
            let page = self.read(|conn, catalog| {
                let meta = catalog.by_number(table)?;
                moment::check_floor(meta, upto)?;
                // Columns that came meanwhile are NULL in these rows.
                scan::batch(conn, meta, &columns, (at, upto), PAGE)
            })?;
            let Some((batch, last)) = page else { break };
            rows += batch.num_rows() as u64;
            writer.write(&batch).map_err(failed)?;
            at = last;
        }
        Ok((rows, writer.into_inner().map_err(failed)?))
    }
}
