//! All current records, without an index that narrows them: the rows are read in the
//! order of the log, where they lie side by side, and put into the order asked for
//! here. SQLite would carry each whole row through its sorter.

use rusqlite::{Connection, Row, ToSql};

use super::condition::condition_sql;
use super::{Checked, no_row};
use crate::error::Result;
use crate::log::catalog::TableMeta;
use crate::log::read::{self, Begun};
use crate::log::{DbResult, index};
use crate::record::Value;
use crate::schema::{IndexPart, PartKey};

/// Gives each row for which the conditions hold, with the columns that are selected by
/// `columns`, and says in which order they were asked for.
pub(super) fn each(
    conn: &Connection,
    meta: &TableMeta,
    checked: &Checked,
    columns: &str,
    mut give: impl FnMut(&Row<'_>, Begun<'_>) -> Result<()>,
) -> Result<Vec<usize>> {
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
    // Of those for which conditions hold there may be few.
    let room = if conditions.is_empty() {
        heads.places.len()
    } else {
        0
    };
    let mut keys = Vec::with_capacity(room);
    for (idx, start, end) in &heads.places {
        statement.raw_bind_parameter(params.len() + 1, idx).db()?;
        let mut rows = statement.raw_query();
        let row = rows.next().db()?.ok_or_else(|| no_row(meta))?;
        let begun = read::beginning(&meta.schema, row)?;
        if begun.1 != &heads.ids[*start..*end] {
            return Err(no_row(meta));
        }
        if !conditions.is_empty() {
            let holds: Option<bool> = row.get(meta.schema.columns.len() + 4).db()?;
            if holds != Some(true) {
                continue;
            }
        }
        keys.push((sort_key(meta, &checked.order, row, begun)?, keys.len()));
        give(row, begun)?;
    }
    keys.sort_unstable();
    Ok(keys.into_iter().map(|(_, at)| at).collect())
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

/// Bytes that order rows as asked for; among equals, by id.
fn sort_key(
    meta: &TableMeta,
    order: &[IndexPart],
    row: &Row<'_>,
    (version, id): Begun<'_>,
) -> Result<Vec<u8>> {
    let mut key = Vec::with_capacity(9 * order.len() + 18);
    for part in order {
        match part.key {
            PartKey::Idx => index::push(&mut key, *part, &Value::Int(version.idx.as_micros())),
            PartKey::Id => index::push_text(&mut key, part.descending, id),
            PartKey::Column(number) => {
                let at = number as usize - 1;
                let value = read::value(&meta.schema, row, (version, id), at)?;
                index::push(&mut key, *part, &value);
            }
        }
    }
    key.extend_from_slice(id.as_bytes());
    Ok(key)
}

/// Puts what was at `order[n]` at `n`.
pub(super) fn reorder<T>(items: &mut [T], mut order: Vec<usize>) {
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
    use crate::cases::cases;

    proptest! {
        #![proptest_config(cases(256))]

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
