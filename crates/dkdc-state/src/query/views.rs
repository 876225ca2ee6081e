//! The SQL of the names that a question may use.
//!
//! "Current" needs no window function: every version names the one it replaces,
//! so a row is current when no row names it and it holds a record. A table's
//! rows come from the mirror's files and, for what these lack, from the log;
//! both are cut off at the snapshot, so that a view made for newer files
//! answers an older snapshot all the same.

use crate::log::catalog::{Catalog, TableMeta};
use crate::log::scan::{self, Scanned};
use crate::mirror::Pieces;
use crate::record::Value;
use crate::schema::{Column, ColumnType};

/// A name as SQL writes it.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL writes it.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Views and macros for every table; `pieces` by table.
pub(super) fn create_all(catalog: &Catalog, pieces: &[Pieces]) -> String {
    let mut sql = "CREATE SCHEMA IF NOT EXISTS history;\n".to_owned();
    for (meta, pieces) in catalog.tables.iter().zip(pieces) {
        let number = meta.schema.number;
        let name = quote(meta.name());
        let now = Cut {
            upto: "getvariable('dkdc_idx')".to_owned(),
            scan: format!("dkdc_scan({number}, getvariable('dkdc')"),
            moment: String::new(),
        };
        let then = Cut {
            upto: format!(
                "(SELECT idx FROM dkdc_moment({number}, getvariable('dkdc'), x::VARCHAR))"
            ),
            scan: format!("dkdc_scan_at({number}, getvariable('dkdc')"),
            moment: ", x::VARCHAR".to_owned(),
        };
        let now = now.source(meta, pieces);
        let then = then.source(meta, pieces);
        sql += &format!(
            "CREATE OR REPLACE VIEW {name} AS {};\n\
             CREATE OR REPLACE VIEW history.{name} AS {};\n\
             CREATE OR REPLACE MACRO {}(x) AS TABLE {};\n",
            current(meta, &now),
            history(meta, &now),
            quote(&format!("{}_at", meta.name())),
            current(meta, &then)
        );
    }
    sql
}

/// Up to where a table is read.
struct Cut {
    upto: String,
    scan: String,
    moment: String,
}

impl Cut {
    /// All versions of a table up to the cut.
    fn source(&self, meta: &TableMeta, pieces: &Pieces) -> String {
        let schema = &meta.schema;
        let columns: Vec<String> = scan::all_columns(schema)
            .into_iter()
            .map(|column| quote(column.name(schema)))
            .collect();
        let columns = columns.join(", ");
        let mut parts = Vec::new();
        if !pieces.files.is_empty() {
            let files: Vec<String> = pieces
                .files
                .iter()
                .map(|path| literal(&path.to_string_lossy()))
                .collect();
            parts.push(format!(
                "SELECT {columns} FROM read_parquet([{}], schema = MAP {{{}}}) WHERE idx <= {}",
                files.join(", "),
                fields(meta),
                self.upto
            ));
        }
        let labels = scan::all_columns(schema).into_iter();
        let renamed = labels.map(|c| format!("{} AS {}", c.label(), quote(c.name(schema))));
        let renamed = renamed.collect::<Vec<_>>().join(", ");
        for (after, upto) in &pieces.ranges {
            // The least of all integers cannot be written as a literal.
            let after = after.as_micros().max(-i64::MAX);
            let (scan, moment) = (&self.scan, &self.moment);
            parts.push(format!(
                "SELECT {renamed} FROM {scan}, {after}, {upto}{moment})"
            ));
        }
        format!("({})", parts.join(" UNION ALL "))
    }
}

/// The columns of the mirror's files by their permanent numbers: a file keeps
/// the names of its time, and lacks what came later.
fn fields(meta: &TableMeta) -> String {
    let schema = &meta.schema;
    let field = |column: Scanned| {
        format!(
            "{}: {{name: {}, type: '{}', default_value: NULL}}",
            column.field_id(),
            literal(column.name(schema)),
            type_name(column.ty(schema))
        )
    };
    let all: Vec<String> = scan::all_columns(schema).into_iter().map(field).collect();
    all.join(", ")
}

fn type_name(ty: ColumnType) -> String {
    match ty {
        ColumnType::Text | ColumnType::Uuid | ColumnType::Json => "VARCHAR".to_owned(),
        ColumnType::Int => "BIGINT".to_owned(),
        ColumnType::Float => "DOUBLE".to_owned(),
        ColumnType::Bool => "BOOLEAN".to_owned(),
        ColumnType::Bytes => "BLOB".to_owned(),
        ColumnType::Blob => "STRUCT(hash VARCHAR, size BIGINT)".to_owned(),
        ColumnType::Timestamp => "TIMESTAMP".to_owned(),
        ColumnType::Date => "DATE".to_owned(),
        ColumnType::List(item) => format!("{}[]", type_name(item.as_column())),
    }
}

fn columns(meta: &TableMeta) -> String {
    let columns = meta.schema.columns.iter();
    columns.fold("l.idx, l.id".to_owned(), |list, column| {
        format!("{list}, {}", expression(column))
    })
}

/// A column, with the default of rows that are older than it.
fn expression(column: &Column) -> String {
    let name = quote(&column.name);
    let Some(initial) = &column.initial else {
        return format!("l.{name}");
    };
    format!(
        "CASE WHEN l.idx < make_timestamp({}) AND l._op NOT IN (3, 5) \
         THEN coalesce(l.{name}, {}) ELSE l.{name} END AS {name}",
        column.since,
        constant(initial, column.ty)
    )
}

/// A value as SQL writes it.
fn constant(value: &Value, ty: ColumnType) -> String {
    let name = type_name(ty);
    match value {
        Value::Null => format!("NULL::{name}"),
        Value::Bytes(bytes) => format!("unhex('{}')", crate::record::hex(bytes)),
        Value::List(_) => format!("{}::JSON::{name}", literal(&value.to_json().to_string())),
        Value::Timestamp(t) => format!("make_timestamp({})", t.as_microsecond()),
        value => format!("{}::{name}", literal(&value.to_string())),
    }
}

/// The rows of `source` that nothing in it supersedes.
fn current(meta: &TableMeta, source: &str) -> String {
    format!(
        "SELECT {} FROM {source} l \
         ANTI JOIN (SELECT _prev FROM {source} WHERE _prev IS NOT NULL) s ON l.idx = s._prev \
         WHERE l._op NOT IN (3, 5)",
        columns(meta)
    )
}

fn history(meta: &TableMeta, source: &str) -> String {
    format!(
        "SELECT {}, CASE l._op WHEN 1 THEN 'append' WHEN 2 THEN 'update' WHEN 3 THEN 'delete' \
         WHEN 4 THEN 'restore' ELSE 'erased' END AS op, l._prev AS prev FROM {source} l",
        columns(meta)
    )
}
