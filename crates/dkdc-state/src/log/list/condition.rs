//! The conditions of a list, as SQL.

use rusqlite::types::Value as Sql;

use super::Condition;
use crate::log::catalog::TableMeta;
use crate::record::Value;
use crate::schema::sql::{Cell, quote};
use crate::schema::{ColumnType, ListItem, PartKey};
use crate::state::select::Test;

/// The SQL of a column, with the default of rows older than it.
pub(super) fn expression(meta: &TableMeta, key: PartKey, params: &mut Vec<Sql>) -> String {
    match key {
        PartKey::Id => "l.id".to_owned(),
        PartKey::Idx => "l.idx".to_owned(),
        PartKey::Column(number) => {
            let column = &meta.schema.columns[number as usize - 1];
            let name = quote(&column.name);
            match &column.initial {
                None => format!("l.{name}"),
                Some(initial) => {
                    params.push(sql_value(initial));
                    let since = column.since;
                    format!(
                        "CASE WHEN l.idx < {since} THEN coalesce(l.{name}, ?) ELSE l.{name} END"
                    )
                }
            }
        }
    }
}

pub(super) fn sql_value(value: &Value) -> Sql {
    match Cell::of(value) {
        Cell::Null => Sql::Null,
        Cell::Int(i) => Sql::Integer(i),
        Cell::Real(f) => Sql::Real(f),
        Cell::Text(t) => Sql::Text(t.into_owned()),
        Cell::Blob(b) => Sql::Blob(b.into_owned()),
    }
}

pub(super) fn condition_sql(
    meta: &TableMeta,
    condition: &Condition,
    params: &mut Vec<Sql>,
) -> String {
    let left = expression(meta, condition.key, params);
    params.push(sql_value(&condition.value));
    let operator = match condition.test {
        Test::Eq => "IS",
        Test::Ne => "IS NOT",
        Test::Lt => "<",
        Test::Le => "<=",
        Test::Gt => ">",
        Test::Ge => ">=",
        Test::Has if holds_json(meta, condition.key) => {
            // `value` would be the text of a string, and `->` is JSON.
            if condition.value.is_null() {
                params.pop();
                params.push(Sql::Text("null".to_owned()));
            }
            return format!(
                "EXISTS (SELECT 1 FROM json_each({left}) e WHERE e.json -> e.key IS ?)"
            );
        }
        Test::Has => {
            return format!("EXISTS (SELECT 1 FROM json_each({left}) e WHERE e.value IS ?)");
        }
    };
    format!("{left} {operator} ?")
}

fn holds_json(meta: &TableMeta, key: PartKey) -> bool {
    let PartKey::Column(number) = key else {
        return false;
    };
    meta.schema.columns[number as usize - 1].ty == ColumnType::List(ListItem::Json)
}
