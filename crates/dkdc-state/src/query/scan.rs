//! The table functions through which DuckDB reads the log.
//!
//! `dkdc_scan(table, token, after, upto)` gives a table's log rows of a range, up
//! to the snapshot that the token stands for; `dkdc_scan_at` up to a moment
//! within it, which `dkdc_moment` gives as a row. A token is random, one for each
//! connection, and means something only while a question is asked there.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use duckdb::core::{DataChunkHandle, LogicalTypeHandle, LogicalTypeId};
use duckdb::vtab::{
    BindInfo, InitInfo, TableFunctionInfo, VTab, record_batch_to_duckdb_data_chunk,
    to_duckdb_logical_type,
};

use crate::error::{Error, Result};
use crate::log::catalog::{Catalog, TableMeta};
use crate::log::scan::newest;
use crate::log::scan::{self, Scanned};
use crate::log::{Store, event, manifest, moment};
use crate::mirror::{Held, Pieces};
use crate::record::Idx;
use crate::time::Moment;

/// Rows in one of DuckDB's vectors.
const VECTOR: usize = 2048;
/// Rows read from the log at first, for questions that want few.
const FIRST_PAGE: usize = VECTOR;
/// Rows read from the log at a time.
const PAGE: usize = 8 * VECTOR;

pub(super) type Failure = Box<dyn std::error::Error>;

/// Snapshots of questions under way, by token.
static PINNED: LazyLock<Mutex<HashMap<i64, Arc<Pin>>>> = LazyLock::new(Mutex::default);

/// What a question's table functions read.
pub(super) struct Pin {
    pub(super) store: Arc<Store>,
    idx: Idx,
    now: i64,
    /// The tables that the views are made of: a column renamed since has here
    /// the name that the views use.
    pub(super) catalog: Arc<Catalog>,
    /// Tails are kept in memory: it is the question that reads, and not what
    /// brings other things up to date for it.
    keeps_tails: AtomicBool,
    /// The error behind the text that DuckDB reports.
    error: Mutex<Option<Error>>,
}

impl Pin {
    /// Keeps the error, and gives DuckDB its text.
    pub(super) fn fail(&self, error: Error) -> Failure {
        let text = error.to_string();
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        text.into()
    }
}

/// A snapshot, for as long as its question takes.
pub(super) struct Pinned {
    token: i64,
    pin: Arc<Pin>,
    pub(super) catalog: Arc<Catalog>,
    /// From where each table is read, by number minus one.
    pub(super) pieces: Vec<Pieces>,
    /// The newest version of each table, of whatever snapshot.
    pub(super) newest: Vec<Idx>,
    /// The newest version or event of all.
    last: Idx,
    /// The pieces' files, which stay while this is there.
    held: Vec<Held>,
}

impl Pinned {
    /// Of a snapshot, or of the state as it is now. The token is one that no
    /// other question has.
    pub(super) fn new(store: &Arc<Store>, idx: Option<Idx>, token: i64) -> Result<Pinned> {
        let read = store.read(|conn, catalog| {
            let newest = catalog.tables.iter().map(|meta| newest(conn, meta));
            let newest = newest.collect::<Result<Vec<_>>>()?;
            Ok((Arc::clone(catalog), manifest::read(conn)?, newest))
        });
        let (catalog, manifest, newest) = read?;
        let last = newest.iter().copied().fold(catalog.event, Idx::max);
        let idx = idx.unwrap_or(last);
        let mut held = Vec::new();
        let numbers = catalog.tables.iter().map(|meta| meta.schema.number);
        let pieces = numbers
            .map(|number| store.mirror().pieces(&manifest, number, &mut held))
            .collect();
        let pin = Arc::new(Pin {
            now: store.config.clock.now(),
            store: Arc::clone(store),
            idx,
            catalog: Arc::clone(&catalog),
            keeps_tails: AtomicBool::new(false),
            error: Mutex::new(None),
        });
        lock().insert(token, Arc::clone(&pin));
        Ok(Pinned {
            token,
            pin,
            catalog,
            pieces,
            newest,
            last,
            held,
        })
    }

    /// The versions that those of a range replace; `None` when it has too many.
    pub(super) fn replaced(
        &self,
        meta: &TableMeta,
        range: (Idx, Idx),
        limit: usize,
    ) -> Result<Option<Vec<Idx>>> {
        let read = self.pin.store.read(|conn, catalog| {
            let meta = catalog.by_number(meta.schema.number)?;
            moment::check_floor(meta, range.1)?;
            scan::batch(conn, meta, &[Scanned::Prev], range, limit)
        })?;
        let Some((batch, _)) = read else {
            return Ok(Some(Vec::new()));
        };
        let replaced = batch.column(0).as_primitive::<TimestampMicrosecondType>();
        let replaced = replaced.iter().flatten().map(Idx::from_micros);
        Ok((batch.num_rows() < limit).then(|| replaced.collect()))
    }

    /// True when the snapshot is the newest there is.
    pub(super) fn is_last(&self) -> bool {
        self.pin.idx == self.last
    }

    /// Runs something as if the snapshot were the newest: views are made for
    /// every table, also for those whose history begins after the snapshot.
    pub(super) fn at_last<T>(&self, run: impl FnOnce() -> T) -> T {
        let last = Pin {
            now: self.pin.now,
            store: Arc::clone(&self.pin.store),
            idx: self.last,
            catalog: Arc::clone(&self.catalog),
            keeps_tails: AtomicBool::new(false),
            error: Mutex::new(None),
        };
        lock().insert(self.token, Arc::new(last));
        let done = run();
        lock().insert(self.token, Arc::clone(&self.pin));
        done
    }

    /// From here on, tails that are read are kept for the questions to come.
    pub(super) fn keep_tails(&self) {
        self.pin.keeps_tails.store(true, Ordering::Relaxed);
    }

    /// Refuses what was read of files that somebody altered meanwhile.
    pub(super) fn verify(&self) -> Result<()> {
        match self.held.iter().find(|held| held.is_altered()) {
            Some(held) => Err(changed(held)),
            None => Ok(()),
        }
    }

    /// The error behind what DuckDB reported: the log's, or that a file is gone.
    pub(super) fn cause(&self, error: Error) -> Error {
        let of_log = self.take_error();
        let gone = || self.held.iter().find(|held| !held.is_there());
        of_log.unwrap_or_else(|| gone().map_or(error, changed))
    }

    /// The snapshot's version.
    pub(super) fn idx(&self) -> Idx {
        self.pin.idx
    }

    /// The error behind what DuckDB reported.
    pub(super) fn take_error(&self) -> Option<Error> {
        let mut error = self
            .pin
            .error
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        error.take()
    }
}

fn changed(held: &Held) -> Error {
    Error::Changed {
        path: held.path.clone(),
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        lock().remove(&self.token);
    }
}

fn lock() -> std::sync::MutexGuard<'static, HashMap<i64, Arc<Pin>>> {
    PINNED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers the table functions.
pub(super) fn register(connection: &duckdb::Connection) -> duckdb::Result<()> {
    connection.register_table_function::<Scan<false>>("dkdc_scan")?;
    connection.register_table_function::<Scan<true>>("dkdc_scan_at")?;
    connection.register_table_function::<At>("dkdc_moment")?;
    super::content::register(connection)
}

/// The table function; with a moment or without.
struct Scan<const AT: bool>;

/// What is scanned.
struct Bound {
    pin: Arc<Pin>,
    table: u32,
    after: Idx,
    upto: Idx,
    /// What no file of the mirror has.
    is_tail: bool,
    columns: Vec<Scanned>,
}

/// Where a scan is.
struct Position {
    /// By DuckDB's place in the output: the place in `Bound::columns`.
    wanted: Vec<usize>,
    cursor: Mutex<Cursor>,
}

struct Cursor {
    /// The last row read.
    after: Option<Idx>,
    page: usize,
    done: bool,
    ready: VecDeque<RecordBatch>,
}

impl<const AT: bool> VTab for Scan<AT> {
    type BindData = Bound;
    type InitData = Position;

    fn bind(bind: &BindInfo) -> Result<Bound, Failure> {
        let (pin, table) = pin_of(bind)?;
        let idx = |place| Idx::from_micros(bind.get_parameter(place).to_int64());
        let at = if AT { Some(moment_of(bind, 4)?) } else { None };
        let bound = bound(&pin, table, at.as_deref());
        let upto = bound.map_err(|error| pin.fail(error))?;
        let schema = pin
            .catalog
            .by_number(table)
            .map_err(|error| pin.fail(error))?;
        let schema = Arc::clone(&schema.schema);
        let columns = scan::all_columns(&schema);
        for column in &columns {
            let ty = to_duckdb_logical_type(&column.data_type(&schema))?;
            bind.add_result_column(&column.label(), ty);
        }
        Ok(Bound {
            pin,
            table,
            after: idx(2),
            upto: upto.min(idx(3)),
            is_tail: idx(3).as_micros() == i64::MAX,
            columns,
        })
    }

    fn init(init: &InitInfo) -> Result<Position, Failure> {
        let wanted = init.get_column_indices();
        // A count needs no column; DuckDB then asks for one that is not there.
        let place = |index: u64| usize::try_from(index).unwrap_or(usize::MAX);
        Ok(Position {
            wanted: wanted.into_iter().map(place).collect(),
            cursor: Mutex::new(Cursor {
                after: None,
                page: FIRST_PAGE,
                done: false,
                ready: VecDeque::new(),
            }),
        })
    }

    fn func(
        function: &TableFunctionInfo<Self>,
        output: &mut DataChunkHandle,
    ) -> Result<(), Failure> {
        let bound = function.get_bind_data();
        let position = function.get_init_data();
        let mut cursor = position
            .cursor
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if cursor.ready.is_empty() && !cursor.done {
            read_page(bound, position, &mut cursor).map_err(|error| bound.pin.fail(error))?;
        }
        match cursor.ready.pop_front() {
            Some(batch) => record_batch_to_duckdb_data_chunk(&batch, output),
            None => {
                output.set_len(0);
                Ok(())
            }
        }
    }

    fn supports_pushdown() -> bool {
        true
    }

    fn parameters() -> Option<Vec<LogicalTypeHandle>> {
        let moment = AT.then_some(LogicalTypeId::Varchar);
        let parameters = [LogicalTypeId::Bigint; 4].into_iter().chain(moment);
        Some(parameters.map(LogicalTypeHandle::from).collect())
    }
}

const NOT_OURS: &str = "dkdc's table functions serve only its own views";

/// What a token stands for.
pub(super) fn pin(token: i64) -> Result<Arc<Pin>, Failure> {
    let pin = lock().get(&token).cloned();
    pin.ok_or_else(|| NOT_OURS.into())
}

/// The snapshot and the table that the first parameters name.
pub(super) fn pin_of(bind: &BindInfo) -> Result<(Arc<Pin>, u32), Failure> {
    let token = bind.get_parameter(1);
    if token.is_null() {
        return Err(NOT_OURS.into());
    }
    let pin = pin(token.to_int64())?;
    let table = u32::try_from(bind.get_parameter(0).to_int64())?;
    Ok((pin, table))
}

fn moment_of(bind: &BindInfo, place: u64) -> Result<String, Failure> {
    let at = bind.get_parameter(place);
    if at.is_null() {
        return Err("the moment is NULL".into());
    }
    Ok(at.to_string())
}

/// The table function that resolves a moment: one row, the version it means.
struct At;

/// One row, once.
struct Once(AtomicBool);

impl VTab for At {
    type BindData = Idx;
    type InitData = Once;

    fn bind(bind: &BindInfo) -> Result<Idx, Failure> {
        let (pin, table) = pin_of(bind)?;
        let at = moment_of(bind, 2)?;
        let upto = bound(&pin, table, Some(&at)).map_err(|error| pin.fail(error))?;
        let ty = LogicalTypeHandle::from(LogicalTypeId::Timestamp);
        bind.add_result_column("idx", ty);
        Ok(upto)
    }

    fn init(_: &InitInfo) -> Result<Once, Failure> {
        Ok(Once(false.into()))
    }

    fn func(
        function: &TableFunctionInfo<Self>,
        output: &mut DataChunkHandle,
    ) -> Result<(), Failure> {
        if function.get_init_data().0.swap(true, Ordering::Relaxed) {
            output.set_len(0);
            return Ok(());
        }
        let idx = function.get_bind_data().as_micros();
        let idx = arrow_array::TimestampMicrosecondArray::from(vec![idx]);
        let batch = RecordBatch::try_from_iter([("idx", Arc::new(idx) as arrow_array::ArrayRef)])?;
        record_batch_to_duckdb_data_chunk(&batch, output)
    }

    fn parameters() -> Option<Vec<LogicalTypeHandle>> {
        let parameters = [
            LogicalTypeId::Bigint,
            LogicalTypeId::Bigint,
            LogicalTypeId::Varchar,
        ];
        Some(parameters.map(LogicalTypeHandle::from).into())
    }
}

/// Up to which version a scan goes.
pub(super) fn bound(pin: &Pin, table: u32, at: Option<&str>) -> Result<Idx> {
    let moment = at.map(|text| parse(pin, text)).transpose()?;
    pin.store.read(|conn, catalog| {
        let meta = catalog.by_number(table)?;
        let upto = match moment {
            None => pin.idx,
            Some(Moment::Idx(idx)) if idx > pin.idx => {
                return Err(Error::OutsideHistory {
                    asked: idx.to_string(),
                    why: format!("the question is asked as of version {}", pin.idx),
                });
            }
            // DuckDB's now() is a little after ours.
            Some(moment) => {
                let now = pin.store.config.clock.now();
                moment::resolve(conn, catalog, moment, now)?.min(pin.idx)
            }
        };
        moment::check_floor(meta, upto)?;
        Ok(upto)
    })
}

fn parse(pin: &Pin, text: &str) -> Result<Moment> {
    Moment::parse(text, Idx::from_micros(pin.now).timestamp())
}

/// Reads the next rows and cuts them into vectors.
fn read_page(bound: &Bound, position: &Position, cursor: &mut Cursor) -> Result<()> {
    let any = Scanned::Idx;
    let columns: Vec<Scanned> = position
        .wanted
        .iter()
        .map(|at| bound.columns.get(*at).copied().unwrap_or(any))
        .collect();
    if bound.is_tail && cursor.after.is_none() && bound.pin.keeps_tails.load(Ordering::Relaxed) {
        let (store, range) = (&bound.pin.store, (bound.after, bound.upto));
        if let Some(batches) = store.tails.read(store, bound.table, range, &columns)? {
            batches.iter().for_each(|batch| cursor.add(batch));
            cursor.done = true;
            return Ok(());
        }
    }
    let range = (cursor.after.unwrap_or(bound.after), bound.upto);
    let limit = cursor.page;
    let read = bound.pin.store.read(|conn, catalog| {
        let meta = catalog.by_number(bound.table)?;
        moment::check_floor(meta, bound.upto)?;
        // Pages before this one may hold what it supersedes no longer.
        let since = bound.pin.catalog.event;
        if catalog.event != since && event::took(conn, bound.table, since)? {
            return Err(Error::Changed {
                path: bound.pin.store.path.clone(),
            });
        }
        scan::batch(conn, meta, &columns, range, limit)
    })?;
    cursor.page = PAGE;
    let Some((batch, last)) = read else {
        cursor.done = true;
        return Ok(());
    };
    cursor.done = last >= bound.upto;
    cursor.after = Some(last);
    cursor.add(&batch);
    Ok(())
}

impl Cursor {
    /// Cuts rows into vectors.
    fn add(&mut self, batch: &RecordBatch) {
        for from in (0..batch.num_rows()).step_by(VECTOR) {
            let rows = VECTOR.min(batch.num_rows() - from);
            self.ready.push_back(batch.slice(from, rows));
        }
    }
}
