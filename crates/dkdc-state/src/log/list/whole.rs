//! All current records, without an index that narrows them: the rows are read in the
//! order of the log, where they lie side by side, and put into the order asked for
//! here. SQLite would carry each whole row through its sorter.

use rusqlite::{Connection, ToSql};

use super::condition::condition_sql;
use super::{Checked, no_row, sort_key};
use crate::error::Result;
use crate::log::DbResult;
use crate::log::catalog::TableMeta;
use crate::log::read::{self, LogRow};

/// The records for which the conditions hold, in order, each made of its row, which
/// has the columns that are selected by `columns`.
pub(super) fn list<T>(
    conn: &Connection,
    meta: &TableMeta,
    checked: &Checked,
    (columns, wanted): (&str, Option<&[usize]>),
    make: impl Fn(LogRow) -> Result<T>,
) -> Result<Vec<T>> {
    let heads = Heads::read(conn, meta)?;
    let mut params = Vec::new();
    let conditions: Vec<String> = checked
        .conditions
        .iter()
        .map(|condition| condition_sql(meta, condition, &mut params))
        .collect();
    let holds = if conditions.is_empty() {
        "1".to_owned()
    } else {
        conditions.join(" AND ")
    };
    let log = &meta.sql.table;
    let sql = format!("SELECT {columns}, {holds} FROM {log} l WHERE l.idx = ?");
    let mut statement = conn.prepare_cached(&sql).db()?;
    for (at, param) in params.iter().enumerate() {
        statement
            .raw_bind_parameter(at + 1, param as &dyn ToSql)
            .db()?;
    }
    let mut found = Vec::with_capacity(heads.places.len());
    let mut keys = Vec::with_capacity(heads.places.len());
    for (idx, start, end) in &heads.places {
        statement.raw_bind_parameter(params.len() + 1, idx).db()?;
        let mut rows = statement.raw_query();
        let row = rows.next().db()?.ok_or_else(|| no_row(meta))?;
        let id = row.get_ref(1).db()?;
        if id.as_str().ok() != Some(&heads.ids[*start..*end]) {
            return Err(no_row(meta));
        }
        let holds: Option<bool> = row.get(meta.schema.columns.len() + 4).db()?;
        if holds != Some(true) {
            continue;
        }
        let row = read::decode_some(&meta.schema, row, wanted)?;
        keys.push((sort_key(&checked.order, &row), keys.len()));
        found.push(make(row)?);
    }
    keys.sort_unstable();
    let order = keys.into_iter().map(|(_, at)| at).collect();
    reorder(&mut found, order);
    Ok(found)
}

/// Where the current rows are, in the order of the log.
struct Heads {
    /// All ids, one behind the other.
    ids: String,
    /// A row's number, and where in `ids` its record's id is.
    places: Vec<(i64, usize, usize)>,
}

impl Heads {
    fn read(conn: &Connection, meta: &TableMeta) -> Result<Heads> {
        let sql = format!("SELECT idx, id FROM {} WHERE deleted = 0", meta.sql.heads);
        let mut statement = conn.prepare_cached(&sql).db()?;
        let mut rows = statement.query([]).db()?;
        let mut heads = Heads {
            ids: String::new(),
            places: Vec::new(),
        };
        while let Some(row) = rows.next().db()? {
            let start = heads.ids.len();
            let id = row.get_ref(1).db()?;
            heads.ids += id.as_str().map_err(|_| no_row(meta))?;
            heads
                .places
                .push((row.get(0).db()?, start, heads.ids.len()));
        }
        heads.places.sort_unstable();
        Ok(heads)
    }
}

/// Puts what was at `order[n]` at `n`.
fn reorder<T>(items: &mut [T], mut order: Vec<usize>) {
    for start in 0..items.len() {
        let mut at = start;
        loop {
            let from = std::mem::replace(&mut order[at], at);
            if from == start || from == at {
                break;
            }
            items.swap(at, from);
            at = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::reorder;

    proptest! {
        #[test]
        fn items_get_into_the_order_that_their_keys_have(keys in prop::collection::vec(0u8..9, 0..40)) {
            let mut order: Vec<usize> = (0..keys.len()).collect();
            order.sort_by_key(|at| keys[*at]);
            let expected: Vec<usize> = order.clone();
            let mut items: Vec<usize> = (0..keys.len()).collect();
            reorder(&mut items, order);
            prop_assert_eq!(items, expected);
        }
    }
}
