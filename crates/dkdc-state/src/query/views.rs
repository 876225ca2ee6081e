//! The SQL of the names that a question may use.
//!
//! "Current" needs no window function: every version names the one it replaces,
//! so a row is current when no row names it and it holds a record.

use crate::log::catalog::{Catalog, TableMeta};

/// A name as SQL writes it.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Views and macros for every table.
pub(super) fn create_all(catalog: &Catalog) -> String {
    let mut sql = "CREATE SCHEMA IF NOT EXISTS history;\n".to_owned();
    for meta in &catalog.tables {
        let number = meta.schema.number;
        let name = quote(meta.name());
        let now = format!("dkdc_scan({number}, getvariable('dkdc'))");
        let then = format!("dkdc_scan_at({number}, getvariable('dkdc'), x::VARCHAR)");
        sql += &format!(
            "CREATE OR REPLACE VIEW {name} AS {};\n",
            current(meta, &now)
        );
        sql += &format!(
            "CREATE OR REPLACE VIEW history.{name} AS {};\n",
            history(meta, &now)
        );
        sql += &format!(
            "CREATE OR REPLACE MACRO {}(x) AS TABLE {};\n",
            quote(&format!("{}_at", meta.name())),
            current(meta, &then)
        );
    }
    sql
}

fn columns(meta: &TableMeta) -> String {
    meta.schema.columns.iter().fold(
        "make_timestamp(l.idx) AS idx, l.id".to_owned(),
        |list, column| format!("{list}, l.{}", quote(&column.name)),
    )
}

/// The rows of `scan` that nothing in it supersedes.
fn current(meta: &TableMeta, scan: &str) -> String {
    format!(
        "SELECT {} FROM {scan} l \
         ANTI JOIN (SELECT _prev FROM {scan} WHERE _prev IS NOT NULL) s ON l.idx = s._prev \
         WHERE l._op NOT IN (3, 5)",
        columns(meta)
    )
}

fn history(meta: &TableMeta, scan: &str) -> String {
    format!(
        "SELECT {}, CASE l._op WHEN 1 THEN 'append' WHEN 2 THEN 'update' WHEN 3 THEN 'delete' \
         WHEN 4 THEN 'restore' ELSE 'erased' END AS op, make_timestamp(l._prev) AS prev \
         FROM {scan} l",
        columns(meta)
    )
}
