//! Merging: files of history that meet become one.

use super::keeper::Keeper;
use super::reread::Rows;
use super::trust::Held;
use crate::error::Result;
use crate::log::manifest::{Kind, Sealed};
use crate::log::scan;
use crate::record::Idx;

impl Keeper {
    /// Writes the rows of files that meet, oldest first, into one, as
    /// they were when `since` was the newest event. False: one of
    /// them is not what was written, or another process was first.
    pub(super) fn merge(&mut self, files: &[&Sealed], since: Idx) -> Result<bool> {
        let (Some(first), Some(last)) = (files.first(), files.last()) else {
            return Ok(false);
        };
        let Some(held) = self.hold_all(files) else {
            return Ok(false);
        };
        let catalog = self.catalog()?;
        let schema = &catalog.by_number(first.table)?.schema;
        let columns = scan::all_columns(schema);
        let mut sheet = self.sheet(schema, &columns)?;
        for file in &held {
            for batch in Rows::new(file, schema, &columns)? {
                self.go_on()?;
                sheet.write(&batch?)?;
            }
        }
        if !held.iter().all(Held::is_there) {
            return Ok(false);
        }
        drop(held);
        let range = (first.after, last.upto);
        self.enter(sheet, first.table, Kind::History, range, (files, since))
    }
}
