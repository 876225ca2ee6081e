//! Lists of records: filter, order and limit, by an index where one fits.
//!
//! Every condition stays in the SQL text; an index only narrows what is looked
//! at and gives the order, so that a wrong choice of index costs time only. An
//! index whose entries are damaged could hide a row: `check` compares them.

mod as_of;
mod condition;
mod listed;
mod whole;

use std::borrow::Cow;

pub(crate) use as_of::count_as_of;
use rusqlite::types::{Type, Value as Sql};
use rusqlite::{Connection, Row};

use super::catalog::TableMeta;
use super::read::{self, Begun, LogRow};
use super::{DbResult, damaged, format, index, moment, recent};
use crate::error::{Error, Result};
use crate::record::{Idx, Value};
use crate::schema::{ColumnType, Index, IndexPart, Nulls, PartKey};
use crate::state::select::{Select, Test};
use condition::{condition_sql, expression, sql_value};
pub(crate) use listed::list_parts;
pub use listed::{Listed, ListedValue};

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Current records.
    Current,
    /// Records that were current at this version.
    AsOf(Idx),
    /// The last live version of records that are deleted now.
    Deleted,
}

/// A condition on a column that exists, with a value of its type.
struct Condition {
    key: PartKey,
    test: Test,
    value: Value,
}

/// A select whose names and values have been checked.
struct Checked {
    conditions: Vec<Condition>,
    order: Vec<IndexPart>,
}

impl Checked {
    /// The places of the columns that give the order.
    fn places(&self) -> Vec<usize> {
        let place = |part: &IndexPart| match part.key {
            PartKey::Column(number) => Some(number as usize - 1),
            PartKey::Id | PartKey::Idx => None,
        };
        self.order.iter().filter_map(place).collect()
    }
}

/// The records, in order, each made of its row. The rows have the columns at the
/// places that are wanted; `None`: all.
pub(crate) fn list_made<T>(
    conn: &Connection,
    meta: &TableMeta,
    listed: (&Select, Scope),
    wanted: Option<&[usize]>,
    make: impl Fn(LogRow) -> Result<T>,
) -> Result<Vec<T>> {
    let mut found = Vec::new();
    let order = each(conn, meta, listed, wanted, |row, begun| {
        found.push(make(read::decode_some(&meta.schema, row, begun, wanted)?)?);
        Ok(())
    })?;
    if let Some(order) = order {
        whole::reorder(&mut found, order);
    }
    Ok(found)
}

/// Gives each record's row, as [`TableSql::row_columns`](super::format::TableSql)
/// selects it, or with the columns at the places that are wanted. Says in which order
/// they were asked for, unless it is this.
pub(crate) fn each(
    conn: &Connection,
    meta: &TableMeta,
    (select, scope): (&Select, Scope),
    wanted: Option<&[usize]>,
    mut give: impl FnMut(&Row<'_>, Begun<'_>) -> Result<()>,
) -> Result<Option<Vec<usize>>> {
    let checked = check(meta, select)?;
    recent::catch_up(conn, meta)?;
    if scope == Scope::Current && select.limit.is_none() && is_whole(meta, &checked) {
        // What orders them is read, too.
        let wanted = wanted.map(|places| [places, &checked.places()].concat());
        let wanted = wanted.as_deref();
        let columns = selected(meta, wanted);
        return whole::each(conn, meta, &checked, &columns, give).map(Some);
    }
    let mut params = Vec::new();
    let source = match scope {
        Scope::Current => current_source(meta, &checked, &mut params),
        Scope::AsOf(asof) => {
            moment::check_floor(meta, asof)?;
            as_of::collect_as_of(conn, meta, asof)?;
            let log = &meta.sql.table;
            Source {
                from: format!("temp._dkdc_asof a CROSS JOIN {log} l ON l.idx = a.idx WHERE 1"),
                may_lack_rows: false,
                order: Order::BySql,
            }
        }
        Scope::Deleted => Source {
            from: format!(
                "{} h CROSS JOIN {log} d ON d.idx = h.idx CROSS JOIN {log} l ON l.idx = d._prev \
                 WHERE h.deleted = 1",
                meta.sql.heads,
                log = meta.sql.table
            ),
            may_lack_rows: false,
            order: Order::BySql,
        },
    };
    let columns = selected(meta, wanted);
    let mut sql = format!("SELECT {columns} FROM {}", source.from);
    for condition in &checked.conditions {
        let condition = condition_sql(meta, condition, &mut params);
        if source.may_lack_rows {
            // A row that is not there fulfils no condition, and is found all the same.
            sql += &format!(" AND (l.idx IS NULL OR {condition})");
        } else {
            sql += &format!(" AND {condition}");
        }
    }
    match &source.order {
        Order::Given(order) => {
            sql += " ORDER BY ";
            sql += order;
        }
        Order::BySql => {
            sql += " ORDER BY ";
            for part in &checked.order {
                sql += &expression(meta, part.key, &mut params);
                sql += if part.descending { " DESC, " } else { ", " };
            }
            sql += "l.id";
        }
    }
    if let Some(limit) = select.limit {
        sql += " LIMIT ?";
        params.push(Sql::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    }
    let mut statement = conn.prepare_cached(&sql).db()?;
    let mut rows = statement.query(rusqlite::params_from_iter(params)).db()?;
    while let Some(row) = rows.next().db()? {
        if row.get_ref(0).db()?.data_type() == Type::Null {
            return Err(no_row(meta));
        }
        give(row, read::beginning(&meta.schema, row)?)?;
    }
    Ok(None)
}

/// What a row is selected as, with the columns at these places, or all.
fn selected<'m>(meta: &'m TableMeta, wanted: Option<&[usize]>) -> Cow<'m, str> {
    let is_wanted = |at| wanted.is_none_or(|places| places.contains(&at));
    if (0..meta.schema.columns.len()).all(is_wanted) {
        return Cow::Borrowed(&meta.sql.row_columns);
    }
    Cow::Owned(format::row_columns(&meta.schema, is_wanted))
}

/// A head without its row.
fn no_row(meta: &TableMeta) -> Error {
    damaged(format!(
        "table {}: a head names a version that is not there, or another record's",
        meta.name()
    ))
}

/// Where rows come from, and how they get into the order asked for.
struct Source {
    from: String,
    /// True when it has heads whose rows are not there, too.
    may_lack_rows: bool,
    order: Order,
}

enum Order {
    /// They come in it, by this.
    Given(String),
    /// SQLite sorts them.
    BySql,
}

fn check(meta: &TableMeta, select: &Select) -> Result<Checked> {
    let resolve = |name: &str| -> Result<(PartKey, ColumnType)> {
        Ok(match name {
            "id" => (PartKey::Id, ColumnType::Text),
            "idx" => (PartKey::Idx, ColumnType::Int),
            name => {
                let (at, column) = meta.schema.column(name)?;
                (PartKey::Column(super::append::column_number(at)), column.ty)
            }
        })
    };
    let mut conditions = Vec::with_capacity(select.conditions.len());
    for condition in &select.conditions {
        let (key, ty) = resolve(&condition.column)?;
        let compared = match (condition.test, ty) {
            (Test::Has, ColumnType::List(item)) => item.as_column(),
            (Test::Has, _) => return Err(no_list(meta, &condition.column)),
            _ => ty,
        };
        let value = match (&condition.value, key) {
            (Value::Timestamp(t), PartKey::Idx) => Ok(Value::Int(t.as_microsecond())),
            (value, _) => value.check_depth().map(|()| value.clone()),
        };
        let checked = value.and_then(|value| value.check(compared));
        let value = checked.map_err(|error| Error::InvalidValue {
            table: meta.name().to_owned(),
            id: String::new(),
            source: error.in_column(&condition.column),
        })?;
        conditions.push(Condition {
            key,
            test: condition.test,
            value,
        });
    }
    let order = select
        .order
        .iter()
        .map(|(name, descending)| {
            Ok(IndexPart {
                key: resolve(name)?.0,
                descending: *descending,
            })
        })
        .collect::<Result<_>>()?;
    Ok(Checked { conditions, order })
}

fn no_list(meta: &TableMeta, column: &str) -> Error {
    Error::InvalidSchema {
        table: meta.name().to_owned(),
        why: format!("column {column} is no list"),
    }
}

/// How well an index serves.
struct Fit<'m> {
    index: &'m Index,
    at: usize,
    /// Leading parts that a condition fixes.
    fixed: usize,
    /// The part after them has a condition.
    ranged: bool,
    /// The order asked for, forwards or backwards.
    backwards: Option<bool>,
    score: usize,
}

impl Fit<'_> {
    /// True when not every entry is looked at.
    fn narrows(&self) -> bool {
        self.fixed > 0 || self.ranged
    }
}

/// One record is asked for.
fn is_by_id(checked: &Checked) -> bool {
    let mut conditions = checked.conditions.iter();
    conditions.any(|c| c.key == PartKey::Id && c.test == Test::Eq)
}

/// The index that serves best, if one does.
fn best<'m>(meta: &'m TableMeta, checked: &Checked) -> Option<Fit<'m>> {
    let indexes = meta.schema.indexes.iter().enumerate();
    indexes
        .filter_map(|(at, index)| fit(index, at, checked))
        .max_by_key(|fit| (fit.score, usize::MAX - fit.at))
}

/// True when every record is looked at, and has a key that orders it. Each entry of an
/// index that gives the order would have its head looked up, and each row then is
/// anywhere in the log.
fn is_whole(meta: &TableMeta, checked: &Checked) -> bool {
    !is_by_id(checked)
        && !best(meta, checked).is_some_and(|fit| fit.narrows())
        && checked.order.iter().all(|part| has_key(meta, *part))
}

fn current_source(meta: &TableMeta, checked: &Checked, params: &mut Vec<Sql>) -> Source {
    let (heads, log) = (&meta.sql.heads, &meta.sql.table);
    // A head without its row is found, and refused.
    let row = format!("LEFT JOIN {log} l ON l.idx = h.idx AND l.id = h.id");
    let by_id = is_by_id(checked);
    let best = best(meta, checked);
    if let Some(fit) = best.filter(|_| !by_id) {
        let bounds = bounds(&fit, checked, params);
        let from = format!("{} WHERE {bounds}", meta.sql.index_rows[fit.at]);
        let order = match fit.backwards {
            Some(true) => Order::Given("i.key DESC, i.id".to_owned()),
            Some(false) => Order::Given("i.key, i.id".to_owned()),
            None => Order::BySql,
        };
        return Source {
            from,
            may_lack_rows: true,
            order,
        };
    }
    // By `idx`, the log itself has the order.
    if checked
        .order
        .first()
        .is_some_and(|part| part.key == PartKey::Idx)
        && !by_id
    {
        let down = if checked.order[0].descending {
            " DESC"
        } else {
            ""
        };
        return Source {
            from: format!(
                "{log} l WHERE l.idx = {} AND l._op NOT IN ({})",
                format::head_idx(&meta.schema, "l.id"),
                format::DEAD
            ),
            may_lack_rows: false,
            order: Order::Given(format!("l.idx{down}")),
        };
    }
    let mut from = format!("{heads} h {row} WHERE h.deleted = 0");
    for condition in &checked.conditions {
        if condition.key == PartKey::Id && condition.test == Test::Eq {
            from += " AND h.id = ?";
            params.push(sql_value(&condition.value));
        }
    }
    Source {
        from,
        may_lack_rows: true,
        order: Order::BySql,
    }
}

/// True when values of a part have bytes that order them.
fn has_key(meta: &TableMeta, part: IndexPart) -> bool {
    let PartKey::Column(number) = part.key else {
        return true;
    };
    let ty = meta.schema.columns[number as usize - 1].ty;
    !matches!(ty, ColumnType::Json | ColumnType::List(_))
}

fn fit<'m>(index: &'m Index, at: usize, checked: &Checked) -> Option<Fit<'m>> {
    let fixes = |part: &IndexPart| {
        checked
            .conditions
            .iter()
            .any(|c| c.key == part.key && c.test == Test::Eq)
    };
    let fixed = index.parts.iter().take_while(|part| fixes(part)).count();
    // Records with a NULL are not in such an index.
    if index.unique == Some(Nulls::Distinct) {
        let null = |c: &Condition| c.test == Test::Eq && c.value.is_null();
        if fixed < index.parts.len() || checked.conditions.iter().any(null) {
            return None;
        }
    }
    let ranged = index.parts.get(fixed).is_some_and(|part| {
        checked
            .conditions
            .iter()
            .any(|c| c.key == part.key && is_range(c.test))
    });
    let backwards = direction(&index.parts, fixed, checked);
    let ordered = backwards.is_some() && !checked.order.is_empty();
    let score = 4 * fixed + 2 * usize::from(ranged) + 3 * usize::from(ordered);
    (score > 0).then_some(Fit {
        index,
        at,
        fixed,
        ranged,
        backwards,
        score,
    })
}

fn is_range(test: Test) -> bool {
    matches!(test, Test::Lt | Test::Le | Test::Gt | Test::Ge)
}

/// Whether the index gives the order asked for: forwards `Some(false)`,
/// backwards `Some(true)`.
fn direction(parts: &[IndexPart], fixed: usize, checked: &Checked) -> Option<bool> {
    let is_fixed = |key: PartKey| parts[..fixed].iter().any(|part| part.key == key);
    let wanted: Vec<&IndexPart> = checked
        .order
        .iter()
        .filter(|part| !is_fixed(part.key))
        .collect();
    let rest = parts.get(fixed..fixed + wanted.len())?;
    let mut pairs = wanted.iter().zip(rest);
    let Some((first, part)) = pairs.next() else {
        // What is fixed is one group; within it, records come by id only when
        // the index has no further part.
        return (fixed == parts.len()).then_some(false);
    };
    if first.key != part.key {
        return None;
    }
    let backwards = first.descending != part.descending;
    let follows = |(wanted, part): (&&IndexPart, &IndexPart)| {
        wanted.key == part.key && (wanted.descending != part.descending) == backwards
    };
    // Among equal keys, records come by id, as without an index.
    let whole = fixed + wanted.len() == parts.len() || wanted.iter().any(|p| p.key == PartKey::Idx);
    (pairs.all(follows) && whole).then_some(backwards)
}

/// Which conditions are looked for.
type Wanted = fn(Test) -> bool;

/// The range of keys that can hold what is asked for.
fn bounds(fit: &Fit<'_>, checked: &Checked, params: &mut Vec<Sql>) -> String {
    let value_of = |key: PartKey, wanted: Wanted| {
        checked
            .conditions
            .iter()
            .find(move |c| c.key == key && wanted(c.test))
    };
    let mut prefix = Vec::new();
    for part in &fit.index.parts[..fit.fixed] {
        if let Some(condition) = value_of(part.key, |test| test == Test::Eq) {
            index::push(&mut prefix, *part, &condition.value);
        }
    }
    let (mut low, mut high) = (prefix.clone(), index::after_prefix(&prefix));
    if let Some(part) = fit.index.parts.get(fit.fixed) {
        let with = |value: &Value| {
            let mut key = prefix.clone();
            index::push(&mut key, *part, value);
            key
        };
        // A descending part turns the range around; both ends are included
        // here, and the conditions decide.
        let (at_least, at_most): (Wanted, Wanted) = if part.descending {
            (is_upper, is_lower)
        } else {
            (is_lower, is_upper)
        };
        if let Some(condition) = value_of(part.key, at_least) {
            low = with(&condition.value);
        }
        if let Some(condition) = value_of(part.key, at_most) {
            high = index::after_prefix(&with(&condition.value));
        }
    }
    params.push(Sql::Blob(low));
    match high {
        Some(high) => {
            params.push(Sql::Blob(high));
            "i.key >= ? AND i.key < ?".to_owned()
        }
        None => "i.key >= ?".to_owned(),
    }
}

fn is_lower(test: Test) -> bool {
    matches!(test, Test::Gt | Test::Ge)
}

fn is_upper(test: Test) -> bool {
    matches!(test, Test::Lt | Test::Le)
}
