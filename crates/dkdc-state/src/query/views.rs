//! The SQL of the names that a question may use.
//!
//! "Current" needs no window function: every version names the one it replaces,
//! so a row is current when no row names it and it holds a record: of the rows
//! that were current at a version, those that nothing newer names, and of what
//! is newer, the same. A table's rows come from the mirror's files and, for what
//! these lack, from the log; both are cut off at the snapshot.

use crate::log::catalog::TableMeta;
use crate::log::scan::{self, Scanned};
use crate::mirror::{Current, Pieces};
use crate::record::{Idx, Value};
use crate::schema::{Column, ColumnType};

/// A name as SQL writes it.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL writes it.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// For which snapshots a table's current rows are asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum For<'a> {
    /// For one, whose current rows are in this table.
    One(&'a str),
    /// For those that are not older than the mirror's current rows.
    Newer,
    Any,
}

/// The view of a table's current rows; `files_is_free`: no table has the name of the
/// view of its files.
pub(super) fn current(
    meta: &TableMeta,
    pieces: &Pieces,
    which: For<'_>,
    files_is_free: bool,
) -> String {
    let now = Cut::snapshot(meta.schema.number, "getvariable('dkdc_idx')");
    let current = match which {
        For::One(table) => format!("SELECT * FROM {table}"),
        For::Newer => fenced(&current_newer(meta, pieces, &now)),
        For::Any => fenced(&current_any(meta, pieces, &now)),
    };
    let files = if files_is_free && has_files(meta) {
        let name = quote(&format!("{}_files", meta.name()));
        format!("CREATE OR REPLACE VIEW {name} AS SELECT * EXCLUDE (data) FROM ({current});\n")
    } else {
        String::new()
    };
    format!(
        "CREATE OR REPLACE VIEW {} AS {};\n{files}",
        quote(meta.name()),
        content(meta, current)
    )
}

/// The view of a table's history, the macro for moments, and those that read
/// files. A macro's parameter hides columns of its name: `_moment` can be none.
pub(super) fn past(meta: &TableMeta, pieces: &Pieces) -> String {
    let number = meta.schema.number;
    let now = Cut::snapshot(number, "getvariable('dkdc_idx')");
    let then = Cut {
        upto: format!(
            "(SELECT idx FROM dkdc_moment({number}, getvariable('dkdc'), _moment::VARCHAR))"
        ),
        scan: format!("dkdc_scan_at({number}, getvariable('dkdc')"),
        moment: ", _moment::VARCHAR".to_owned(),
    };
    format!(
        "CREATE SCHEMA IF NOT EXISTS history;\n\
         CREATE OR REPLACE VIEW history.{} AS {};\n\
         CREATE OR REPLACE MACRO {}(_moment) AS TABLE {};\n{}",
        quote(meta.name()),
        history(meta, &now.source(meta, pieces)),
        quote(&format!("{}_at", meta.name())),
        content(meta, fenced(&current_any(meta, pieces, &then))),
        of_files(meta)
    )
}

/// Rows that a question's conditions are asked of only when they are rows of the
/// answer: DuckDB would ask those that were replaced, deleted or erased as well, and
/// one whose old text is no number fails the question for ever. It takes no condition
/// below a column that is another each time it is asked for; nobody asks for this one.
fn fenced(rows: &str) -> String {
    format!("SELECT * EXCLUDE (_dkdc_fence) FROM (SELECT *, random() AS _dkdc_fence FROM ({rows}))")
}

/// True for a table of files: their names, and the content that `data` names.
fn has_files(meta: &TableMeta) -> bool {
    let is = |name: &str, ty: ColumnType| {
        let columns = &meta.schema.columns;
        columns
            .iter()
            .any(|column| column.name == name && column.ty == ty)
    };
    is("path", ColumnType::Text) && is("filename", ColumnType::Text) && is("data", ColumnType::Blob)
}

/// Of files, `data` is the content: read where it is asked for alone.
fn content(meta: &TableMeta, current: String) -> String {
    if !has_files(meta) {
        return current;
    }
    format!(
        "SELECT * REPLACE (dkdc_content(getvariable('dkdc'), data.hash, data.size) AS data) \
         FROM ({current})"
    )
}

/// Of files, `<table>_csv(pattern, at := ..., user := ...)` and so on read what is in
/// them.
fn of_files(meta: &TableMeta) -> String {
    if !has_files(meta) {
        return String::new();
    }
    let name = |ending: &str| quote(&format!("{}_{ending}", meta.name()));
    let mut sql = String::new();
    for kind in ["csv", "json", "parquet", "text"] {
        sql += &format!(
            "CREATE OR REPLACE MACRO {}(_pattern, \"at\" := NULL, \"user\" := NULL) AS TABLE \
             SELECT * FROM dkdc_{kind}({}, getvariable('dkdc'), CAST(_pattern AS VARCHAR), \
             CAST(\"at\" AS VARCHAR), CAST(\"user\" AS VARCHAR));\n",
            name(kind),
            meta.schema.number
        );
    }
    sql
}

/// A table's current rows at a version that is not older than those of the
/// mirror, as a SELECT.
pub(super) fn current_at(meta: &TableMeta, pieces: &Pieces, idx: Idx) -> String {
    let upto = format!("make_timestamp({idx})");
    let cut = Cut::snapshot(meta.schema.number, &upto);
    current_newer(meta, pieces, &cut)
}

/// The current rows among those after a version, up to another; `among_them`
/// unless none of them supersedes another.
pub(super) fn newer(
    meta: &TableMeta,
    pieces: &Pieces,
    (after, upto): (Idx, Idx),
    among_them: bool,
) -> String {
    let cut = Cut::snapshot(meta.schema.number, &format!("make_timestamp({upto})"));
    let source = cut.source(meta, &pieces.newer(after));
    let columns = columns(meta, false);
    if among_them {
        unsuperseded(meta, &source, None)
    } else {
        format!("SELECT {columns} FROM {source} l WHERE l._op NOT IN (3, 5)")
    }
}

/// The versions that those after a version, up to another, replace.
pub(super) fn superseded(meta: &TableMeta, pieces: &Pieces, (after, upto): (Idx, Idx)) -> String {
    let cut = Cut::snapshot(meta.schema.number, &format!("make_timestamp({upto})"));
    let source = cut.source(meta, &pieces.newer(after));
    format!("SELECT _prev FROM {source} WHERE _prev IS NOT NULL")
}

/// Versions, one by one.
pub(super) fn list(versions: &[Idx]) -> String {
    let all: Vec<String> = versions
        .iter()
        .map(|idx| format!("make_timestamp({idx})"))
        .collect();
    all.join(", ")
}

/// From the file of current rows, for a cut that is not older than it; else
/// from history: one of them gives nothing, and is not read.
fn current_any(meta: &TableMeta, pieces: &Pieces, cut: &Cut) -> String {
    let Some(current) = &pieces.current else {
        return unsuperseded(meta, &cut.source(meta, pieces), None);
    };
    let upto = current.upto;
    let not_older = format!("{} >= make_timestamp({upto})", cut.upto);
    let older = format!("{} < make_timestamp({upto})", cut.upto);
    format!(
        "{} UNION ALL {}",
        current_joined(meta, pieces, cut, current, &not_older),
        unsuperseded(meta, &cut.before(upto).source(meta, pieces), Some(&older)),
    )
}

/// From the file of current rows and what is newer, for the question's own snapshot,
/// which is not older than the file: `dkdc_is_current` knows what was replaced.
fn current_newer(meta: &TableMeta, pieces: &Pieces, cut: &Cut) -> String {
    let Some(current) = &pieces.current else {
        return unsuperseded(meta, &cut.source(meta, pieces), None);
    };
    let number = meta.schema.number;
    let is_current = format!("dkdc_is_current({number}, getvariable('dkdc'), l.idx)");
    format!(
        "SELECT {} FROM {} l WHERE {is_current} UNION ALL \
         SELECT {} FROM {} l WHERE l._op NOT IN (3, 5) AND {is_current}",
        columns(meta, true),
        file_of(meta, current),
        columns(meta, false),
        cut.source(meta, &pieces.newer(current.upto)),
    )
}

/// The same for a cut that is another than the question's snapshot; nothing unless a
/// condition holds.
fn current_joined(
    meta: &TableMeta,
    pieces: &Pieces,
    cut: &Cut,
    current: &Current,
    when: &str,
) -> String {
    let newer = cut.source(meta, &pieces.newer(current.upto));
    format!(
        "SELECT {} FROM {} l {} WHERE {when} UNION ALL {}",
        columns(meta, true),
        file_of(meta, current),
        not_superseded_in(&newer),
        unsuperseded(meta, &newer, Some(when)),
    )
}

/// The mirror's file of current rows.
fn file_of(meta: &TableMeta, current: &Current) -> String {
    format!(
        "read_parquet([{}], schema = MAP {{{}}})",
        literal(&current.path.to_string_lossy()),
        fields(meta, &scan::current_columns(&meta.schema)),
    )
}

/// Up to where a table is read.
struct Cut {
    upto: String,
    scan: String,
    moment: String,
}

impl Cut {
    fn snapshot(table: u32, upto: &str) -> Cut {
        Cut {
            upto: upto.to_owned(),
            scan: format!("dkdc_scan({table}, getvariable('dkdc')"),
            moment: String::new(),
        }
    }

    /// The same cut where it is before a version, else one that leaves nothing
    /// of any file.
    fn before(&self, idx: Idx) -> Cut {
        let upto = &self.upto;
        Cut {
            upto: format!("(SELECT c FROM (SELECT {upto} AS c) WHERE c < make_timestamp({idx}))"),
            scan: self.scan.clone(),
            moment: self.moment.clone(),
        }
    }

    /// All versions of a table's pieces up to the cut.
    fn source(&self, meta: &TableMeta, pieces: &Pieces) -> String {
        let schema = &meta.schema;
        let all = scan::all_columns(schema);
        let columns: Vec<String> = all.iter().map(|c| quote(c.name(schema))).collect();
        let columns = columns.join(", ");
        let mut parts = Vec::new();
        if !pieces.files.is_empty() {
            let files: Vec<String> = pieces
                .files
                .iter()
                .map(|piece| literal(&piece.path.to_string_lossy()))
                .collect();
            let after = pieces.newer_than.map_or(String::new(), |than| {
                format!(" AND idx > make_timestamp({than})")
            });
            parts.push(format!(
                "SELECT {columns} FROM read_parquet([{}], schema = MAP {{{}}}) \
                 WHERE idx <= {}{after}",
                files.join(", "),
                fields(meta, &all),
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
fn fields(meta: &TableMeta, columns: &[Scanned]) -> String {
    let schema = &meta.schema;
    let field = |column: &Scanned| {
        format!(
            "{}: {{name: {}, type: '{}', default_value: NULL}}",
            column.field_id(),
            literal(column.name(schema)),
            type_name(column.ty(schema))
        )
    };
    let all: Vec<String> = columns.iter().map(field).collect();
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

/// The columns of a table in memory that holds current rows. Those of text are
/// compressed where they have few values; to decompress others takes longer than to
/// read them.
pub(super) fn declared(meta: &TableMeta, has_few_values: impl Fn(&str) -> bool) -> String {
    const AS_IT_IS: &str = "USING COMPRESSION uncompressed";
    let columns = meta.schema.columns.iter().map(|column| {
        let (name, ty) = (quote(&column.name), type_name(column.ty));
        match column.ty {
            ColumnType::Int
            | ColumnType::Float
            | ColumnType::Bool
            | ColumnType::Timestamp
            | ColumnType::Date
            | ColumnType::Blob => format!(", {name} {ty}"),
            _ if has_few_values(&column.name) => format!(", {name} {ty}"),
            _ => format!(", {name} {ty} {AS_IT_IS}"),
        }
    });
    format!(
        "idx TIMESTAMP, id VARCHAR {AS_IT_IS}{}",
        columns.collect::<String>()
    )
}

/// What a record is, of `l`; all of it live, or not.
fn columns(meta: &TableMeta, live: bool) -> String {
    let columns = meta.schema.columns.iter();
    columns.fold("l.idx, l.id".to_owned(), |list, column| {
        format!("{list}, {}", expression(column, live))
    })
}

/// A column, with the default of rows that are older than it.
fn expression(column: &Column, live: bool) -> String {
    let name = quote(&column.name);
    let Some(initial) = &column.initial else {
        return format!("l.{name}");
    };
    let live = if live { "" } else { " AND l._op NOT IN (3, 5)" };
    format!(
        "CASE WHEN l.idx < make_timestamp({}){live} \
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

/// The records of `source` that nothing in it supersedes, if a condition holds.
fn unsuperseded(meta: &TableMeta, source: &str, when: Option<&str>) -> String {
    let when = when.map_or(String::new(), |when| format!(" AND {when}"));
    format!(
        "SELECT {} FROM {source} l {} WHERE l._op NOT IN (3, 5){when}",
        columns(meta, false),
        not_superseded_in(source)
    )
}

/// Of `l`, what nothing in `source` supersedes.
fn not_superseded_in(source: &str) -> String {
    format!("ANTI JOIN (SELECT _prev FROM {source} WHERE _prev IS NOT NULL) s ON l.idx = s._prev")
}

fn history(meta: &TableMeta, source: &str) -> String {
    format!(
        "SELECT {}, CASE l._op WHEN 1 THEN 'append' WHEN 2 THEN 'update' WHEN 3 THEN 'delete' \
         WHEN 4 THEN 'restore' ELSE 'erased' END AS op, l._prev AS prev FROM {source} l",
        columns(meta, false)
    )
}
