//! `dkdc status`: the store in numbers.

use dkdc_state::{Idx, Status};

use crate::exit::Result;
use crate::output::{Cell, Column, Format, Output, Sheet};
use crate::store::Stores;

pub(crate) const EXAMPLE: &str = "\
Example:
  dkdc status
  dkdc status --json";

pub(crate) fn run(stores: &Stores, output: &mut Output) -> Result<()> {
    let status = stores.existing()?.status()?;
    if output.format() != Format::Table {
        return output.sheet(whole(&status));
    }
    for (name, value) in facts(&status) {
        output.line(&format!("{name:<8} {value}"))?;
    }
    output.sheet(tables(&status))
}

/// What people want to know of the store, before its tables.
fn facts(status: &Status) -> [(&'static str, String); 6] {
    [
        ("store", status.path.display().to_string()),
        (
            "id",
            format!("{}, format {}", status.store_id, status.format),
        ),
        ("created", moment(status.created)),
        ("newest", moment(status.last)),
        (
            "size",
            format!(
                "{} and {} not yet folded in",
                size(status.db_bytes),
                size(status.wal_bytes)
            ),
        ),
        (
            "content",
            format!(
                "{} pieces, {}, stored in {}",
                status.blobs,
                size(status.blob_bytes),
                size(status.blob_stored_bytes)
            ),
        ),
    ]
}

fn moment(idx: Idx) -> String {
    let time = format!("{:.6}", idx.timestamp());
    format!(
        "{} (idx {idx})",
        time.trim_end_matches('Z').replace('T', " ")
    )
}

/// Bytes as people say them.
fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

fn tables(status: &Status) -> Sheet<'static> {
    let rows = status.tables.iter().map(|table| {
        vec![
            table.name.as_str().into(),
            table.records.into(),
            table.versions.into(),
            table.last.into(),
        ]
    });
    let columns = vec![
        Column::new("table", "string"),
        Column::new("records", "int64"),
        Column::new("versions", "int64"),
        Column::new("newest", "timestamp(6)"),
    ];
    Sheet::of(columns, rows.collect())
}

/// Everything, for programs.
fn whole(status: &Status) -> Sheet<'static> {
    let tables = status.tables.iter().map(|table| {
        let floor = (table.floor != Idx::ZERO).then_some(table.floor);
        Cell::Struct(vec![
            ("table".to_owned(), table.name.as_str().into()),
            ("records".to_owned(), table.records.into()),
            ("versions".to_owned(), table.versions.into()),
            ("newest".to_owned(), table.last.into()),
            ("begins".to_owned(), floor.into()),
        ])
    });
    let fields: Vec<(&str, &str, Cell)> = vec![
        ("path", "string", status.path.display().to_string().into()),
        ("store_id", "uuid", status.store_id.to_string().into()),
        ("format", "int64", Cell::Int(status.format)),
        ("created", "timestamp(6)", status.created.into()),
        ("newest", "timestamp(6)", status.last.into()),
        ("db_bytes", "int64", status.db_bytes.into()),
        ("wal_bytes", "int64", status.wal_bytes.into()),
        ("blobs", "int64", status.blobs.into()),
        ("blob_bytes", "int64", status.blob_bytes.into()),
        (
            "blob_stored_bytes",
            "int64",
            status.blob_stored_bytes.into(),
        ),
        ("tables", "json", Cell::List(tables.collect())),
    ];
    let columns = fields
        .iter()
        .map(|(name, ty, _)| Column::new(*name, *ty))
        .collect();
    Sheet::of(
        columns,
        vec![fields.into_iter().map(|(_, _, cell)| cell).collect()],
    )
}
