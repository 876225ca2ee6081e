//! `dkdc export`, and answers of `dkdc sql` that go into a file: batch by
//! batch, so that their size does not matter.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow_ipc::writer::FileWriter;
use clap::Args;
use dkdc_state::{Batches, TableSchema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::cli::AsOf;
use crate::exit::{Code, Failure, Result};
use crate::file::NewFile;
use crate::output::{self, Format, Output, counted, say};
use crate::progress::Progress;
use crate::store::Stores;

pub(crate) const EXAMPLE: &str = "\
The file's ending says how it is written: .parquet, .arrow, .csv, .ndjson or .json.

Example:
  dkdc export people --to people.parquet
  dkdc export people --history --to all.csv
  dkdc export people --as-of yesterday --to people.ndjson";

#[derive(Args, Debug)]
pub(crate) struct Export {
    /// The table
    table: String,
    /// The file to write; one that is there is replaced
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Every version, with op and prev, and not current records alone
    #[arg(long)]
    history: bool,
    #[command(flatten)]
    as_of: AsOf,
}

pub(crate) fn run(export: &Export, stores: &Stores, output: &mut Output) -> Result<()> {
    let format = format_of(&export.to, None)?;
    let state = stores.existing()?;
    let snapshot = match export.as_of.as_of {
        Some(when) => state.at(when)?,
        None => state.snapshot()?,
    };
    // An error names the table, and what others there are.
    let table = snapshot.rows(&export.table)?;
    let total = if export.history {
        None
    } else {
        Some(table.count()?)
    };
    let name = export.table.replace('"', "\"\"");
    let schema = if export.history { "history" } else { "main" };
    let rows = snapshot.sql(&format!("from {schema}.\"{name}\" order by idx"))?;
    let as_json = json_columns(&*state.rows(&export.table)?.schema()?);
    let rows = write(rows, &export.to, format, total, state.path(), as_json)?;
    output.report([
        ("file", export.to.display().to_string().into()),
        ("rows", rows.into()),
    ])
}

/// The columns of JSON, which SQL has as text.
fn json_columns(schema: &TableSchema) -> Vec<String> {
    let columns = schema.columns.iter();
    columns
        .filter(|column| column.ty.to_string().contains("json"))
        .map(|column| column.name.clone())
        .collect()
}

/// How a file is to be written: as asked for, else by its ending.
///
/// # Errors
/// An ending that says something else than what is asked for, or nothing.
pub(crate) fn format_of(path: &Path, asked: Option<Format>) -> Result<Format> {
    let ending = path.extension().and_then(|ending| ending.to_str());
    let ending = ending.unwrap_or_default().to_lowercase();
    let says = match ending.as_str() {
        "parquet" => Some(Format::Parquet),
        "arrow" | "feather" => Some(Format::Arrow),
        "csv" => Some(Format::Csv),
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        "json" => Some(Format::Json),
        _ => None,
    };
    let path = path.display();
    match (asked, says) {
        (Some(asked), Some(says)) if asked != says => Err(Failure::usage(format!(
            "{path}: its name says .{ending}, --format another: leave --format out, or name it so"
        ))),
        (Some(format), _) | (None, Some(format)) => Ok(format),
        (None, None) => Err(Failure::usage(format!(
            "{path}: end its name in .parquet, .arrow, .csv, .ndjson or .json"
        ))),
    }
}

/// Writes an answer into a file. `total`: its rows, if that is known. `store`:
/// the one that was asked. `as_json`: columns whose text is JSON. Returns how many
/// rows there were.
pub(crate) fn write(
    batches: Batches,
    path: &Path,
    format: Format,
    total: Option<u64>,
    store: &Path,
    as_json: Vec<String>,
) -> Result<u64> {
    let mut file = NewFile::begin(path, true, 0o666, store)?;
    let progress = Progress::new("rows", total);
    let mut failed = None;
    let content = Content {
        to: BufWriter::with_capacity(1 << 18, file.content()),
        failed: &mut failed,
    };
    let rows = rows(batches, format, content, as_json, &progress);
    let rows = match failed {
        Some(error) => return Err(file.failed(&error)),
        None => rows?,
    };
    file.finish()?;
    drop(progress);
    say(&format!("{}: {}", path.display(), counted(rows, "row")));
    Ok(rows)
}

fn rows(
    batches: Batches,
    format: Format,
    mut content: Content<'_>,
    as_json: Vec<String>,
    progress: &Progress,
) -> Result<u64> {
    let schema = batches.schema();
    let mut rows = 0;
    let batches = batches.map(|batch| {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        progress.set(rows);
        Ok(batch)
    });
    match format {
        Format::Parquet => {
            let zstd = Compression::ZSTD(ZstdLevel::default());
            let properties = WriterProperties::builder().set_compression(zstd).build();
            let writer = ArrowWriter::try_new(&mut content, schema, Some(properties));
            let mut writer = writer.map_err(|error| refused(&error))?;
            for batch in batches {
                writer.write(&batch?).map_err(|error| refused(&error))?;
            }
            writer.close().map_err(|error| refused(&error))?;
        }
        Format::Arrow => {
            let writer = FileWriter::try_new(&mut content, &schema);
            let mut writer = writer.map_err(|error| refused(&error))?;
            for batch in batches {
                writer.write(&batch?).map_err(|error| refused(&error))?;
            }
            writer.finish().map_err(|error| refused(&error))?;
        }
        format => {
            let sheet = output::batches(&schema, batches).with_json(as_json);
            output::write(&mut content, sheet, format)?;
        }
    }
    // What fails here is remembered.
    content.flush().map_err(|error| Failure::stdout(&error))?;
    Ok(rows)
}

/// What a format has no way to keep.
fn refused(error: &dyn std::error::Error) -> Failure {
    Failure::new(Code::Failure, format!("it cannot be written so: {error}"))
}

/// A file's content: remembers why it could not be written.
struct Content<'f> {
    to: BufWriter<&'f mut File>,
    failed: &'f mut Option<io::Error>,
}

impl Content<'_> {
    fn remember<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| {
            let again = io::Error::from(error.kind());
            self.failed.get_or_insert(error);
            again
        })
    }
}

impl Write for Content<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.to.write(bytes);
        self.remember(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.to.flush();
        self.remember(done)
    }
}
