//! What is done to a store rather than to records: what it is to forget, to
//! prove, to copy.

use super::State;
use crate::error::Result;
use crate::log::erase::Erased;
use crate::log::vacuum::Vacuumed;

impl State {
    /// Erases records for good: their ids, their content in every version, the
    /// content of blobs that nothing else names, and what is derived of them in
    /// indexes, the mirror, free pages and the `-wal`. Of each version a stub
    /// stays, which keeps the hash chain whole and reveals nothing; an event
    /// keeps how many there were. Their ids can be used again.
    ///
    /// The file is written anew, as by [`vacuum`](State::vacuum), which takes its
    /// time and the room for a copy; writers wait meanwhile. A reader, such as a
    /// question under way, may hold on to a file or to the `-wal`: that is in
    /// [`Erased::left`]. Copies made before, such as backups, are not touched.
    ///
    /// ```
    /// # use dkdc_state::{ColumnDef, ColumnType, Row, State, TableDef};
    /// # let folder = tempfile::tempdir()?;
    /// # let state = State::open(folder.path().join("data.db"))?;
    /// let people = TableDef::new("people").column(ColumnDef::new("city", ColumnType::Text));
    /// let people = state.define(&people)?;
    /// people.append(&Row::new("ada").with("city", "London"))?;
    /// people.update(&Row::new("ada").with("city", "Marylebone"))?;
    /// let erased = state.erase("people", &["ada"])?;
    /// assert_eq!((erased.versions, erased.left.len()), (2, 0));
    /// assert!(people.history("ada")?.is_empty());
    /// assert!(state.check()?.is_sound());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) when no version of a record has
    /// its id, deleted or not; then nothing is erased.
    pub fn erase(&self, table: &str, ids: &[&str]) -> Result<Erased> {
        self.writable()?.erase(table, ids)
    }

    /// Writes the file anew without what was deleted, empties the `-wal`, and
    /// gives their space back. Needs room for a copy of the store, beside it and
    /// in the system's folder for temporary files; writers wait meanwhile.
    ///
    /// # Errors
    /// As for any write; what readers prevent is in [`Vacuumed::left`].
    pub fn vacuum(&self) -> Result<Vacuumed> {
        self.writable()?.vacuum()
    }
}
