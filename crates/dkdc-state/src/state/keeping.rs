//! What is done to a store rather than to records: what it is to forget, to
//! prove, to copy.

use std::path::Path;

use super::State;
use crate::error::Result;
use crate::log::backup::BackedUp;
use crate::log::check::{CheckReport, Progress};
use crate::log::erase::Erased;
use crate::log::expect::{ChainHead, Expected};
use crate::log::prune::{Keep, Pruned};
use crate::log::salvage::{self, Salvaged};
use crate::log::vacuum::Vacuumed;

impl State {
    /// Verifies the whole store: every hash chain, head, index and content.
    ///
    /// # Errors
    /// When the store cannot be read; damage is in the report.
    pub fn check(&self) -> Result<CheckReport> {
        self.check_with(&mut |_| {})
    }

    /// As [`check`](State::check), telling how far it is.
    ///
    /// # Errors
    /// As [`check`](State::check).
    pub fn check_with(&self, progress: &mut dyn FnMut(Progress)) -> Result<CheckReport> {
        self.store().check(progress)
    }

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

    /// Takes old versions out of a table for good, and gives their space back.
    /// Only versions that a newer one replaced go; a record's newest one stays.
    ///
    /// Every moment from [`Pruned::floor`] on is answered as before; one before it
    /// is outside the table's history. The hash chain stays whole, and an event
    /// keeps how many versions went.
    ///
    /// ```
    /// # use std::num::NonZeroU64;
    /// # use dkdc_state::{ColumnDef, ColumnType, Keep, Row, State, TableDef};
    /// # let folder = tempfile::tempdir()?;
    /// # let state = State::open(folder.path().join("data.db"))?;
    /// let table = TableDef::new("sensors").column(ColumnDef::new("value", ColumnType::Int));
    /// let sensors = state.define(&table)?;
    /// for value in 0..10 {
    ///     sensors.upsert(&Row::new("door").with("value", value))?;
    /// }
    /// let keep = Keep::Versions(NonZeroU64::new(3).expect("three"));
    /// assert_eq!(state.would_prune("sensors", keep)?.versions, 7);
    /// let pruned = state.prune("sensors", keep)?;
    /// assert_eq!((pruned.versions, sensors.history("door")?.len()), (7, 3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownTable`](crate::Error::UnknownTable), and
    /// [`Error::OutsideHistory`](crate::Error::OutsideHistory) for a moment that is
    /// yet to come.
    pub fn prune(&self, table: &str, keep: Keep) -> Result<Pruned> {
        self.writable()?.prune(table, keep)
    }

    /// What [`prune`](State::prune) would take; nothing is changed.
    ///
    /// # Errors
    /// As [`prune`](State::prune).
    pub fn would_prune(&self, table: &str, keep: Keep) -> Result<Pruned> {
        self.store().would_prune(table, keep)
    }

    /// Copies the store, as of one moment, into a new file, while others go on
    /// writing. The copy is a store of its own, whole when it has its name; until
    /// then it is beside it, under that name, `.draft-`, the number of this process
    /// and more.
    ///
    /// ```
    /// # use dkdc_state::State;
    /// # let folder = tempfile::tempdir()?;
    /// # let state = State::open(folder.path().join("data.db"))?;
    /// let copy = folder.path().join("backup.db");
    /// let made = state.backup(&copy, &mut |_| {})?;
    /// assert_eq!(State::open(&copy)?.last()?, made.idx);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::FileExists`](crate::Error::FileExists) when there is something at
    /// `to`; [`Error::Io`](crate::Error::Io).
    pub fn backup(
        &self,
        to: impl AsRef<Path>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<BackedUp> {
        self.store().backup(to.as_ref(), progress)
    }

    /// The newest link of each hash chain, that of the events included, to keep
    /// where whoever can write the store cannot: see [`expect`](State::expect).
    ///
    /// # Errors
    /// As for any read.
    pub fn chain_heads(&self) -> Result<Vec<ChainHead>> {
        self.store().chain_heads()
    }

    /// Whether the chains still hold what [`chain_heads`](State::chain_heads) gave
    /// then. Together with a sound [`check`](State::check) this proves that nothing
    /// since was cut off or rewritten.
    ///
    /// ```
    /// # use dkdc_state::{Row, State, TableDef};
    /// # let folder = tempfile::tempdir()?;
    /// # let state = State::open(folder.path().join("data.db"))?;
    /// let notes = state.define(&TableDef::new("notes"))?;
    /// notes.append(&Row::new("a"))?;
    /// let kept = state.chain_heads()?;
    /// notes.append(&Row::new("b"))?;
    /// let expected = state.expect(&kept)?;
    /// assert!(expected.wrong.is_empty() && expected.unproven.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for any read; what differs is in the result.
    pub fn expect(&self, heads: &[ChainHead]) -> Result<Expected> {
        self.store().expect(heads)
    }

    /// Makes anew what is derived from the log: heads, indexes, waypoints, guards,
    /// the mirror. The log itself is never touched: what is damaged in it stays,
    /// and [`check`](State::check) goes on naming it.
    ///
    /// # Errors
    /// As for any write.
    pub fn repair(&self) -> Result<()> {
        self.writable()?.repair()
    }

    /// Gets every sound version out of a damaged file that nobody has open, into a
    /// new store, and says what was lost. The damaged file is not written.
    ///
    /// Versions keep their numbers; hashes and the store's identity are new. Where
    /// versions were lost, reads of the past may lack them.
    ///
    /// # Errors
    /// [`Error::FileExists`](crate::Error::FileExists) when there is something at
    /// `to`; [`Error::Damaged`](crate::Error::Damaged) when not even the list of
    /// tables can be read.
    pub fn salvage(
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Salvaged> {
        let config = State::options().config;
        salvage::salvage(from.as_ref(), to.as_ref(), &config, progress)
    }
}
