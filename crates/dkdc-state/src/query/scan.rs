//! The table functions through which DuckDB reads the log.
//!
//! `dkdc_scan(table, token, after, upto)` gives a table's log rows of a range, up
//! to the snapshot that the token stands for; `dkdc_scan_at` up to a moment
//! within it, which `dkdc_moment` gives as a row. What a token stands for, [`pin`](super::pin)
//! knows.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use duckdb::core::{DataChunkHandle, LogicalTypeHandle, LogicalTypeId};
use duckdb::vtab::{
    BindInfo, InitInfo, TableFunctionInfo, VTab, record_batch_to_duckdb_data_chunk,
    to_duckdb_logical_type,
};

use super::pin::{self, Failure, NOT_OURS, Pin};
use crate::error::{Error, Result};
use crate::log::scan::{self, Scanned};
use crate::log::{event, moment};
use crate::record::Idx;
use crate::time::Moment;

/// Rows in one of DuckDB's vectors.
const VECTOR: usize = 2048;
/// Rows read from the log at first, for questions that want few.
const FIRST_PAGE: usize = VECTOR;
/// Rows read from the log at a time.
const PAGE: usize = 8 * VECTOR;

/// Registers the table functions.
pub(super) fn register(connection: &duckdb::Connection) -> duckdb::Result<()> {
    connection.register_table_function::<Scan<false>>("dkdc_scan")?;
    connection.register_table_function::<Scan<true>>("dkdc_scan_at")?;
    connection.register_table_function::<Resolved>("dkdc_moment")?;
    super::replaced::register(connection)?;
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

/// The snapshot and the table that the first parameters name.
pub(super) fn pin_of(bind: &BindInfo) -> Result<(Arc<Pin>, u32), Failure> {
    let token = bind.get_parameter(1);
    if token.is_null() {
        return Err(NOT_OURS.into());
    }
    let pin = pin::of(token.to_int64())?;
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
struct Resolved;

/// One row, once.
struct Once(AtomicBool);

impl VTab for Resolved {
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
        let since = bound.pin.catalog.event;
        if let Some(batches) = store
            .tails
            .read(store, bound.table, range, since, &columns)?
        {
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
        let events = (bound.pin.catalog.event, catalog.event);
        event::check(conn, &bound.pin.store, bound.table, events)?;
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
