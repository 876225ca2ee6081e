//! `dkdc import`: a file's rows into a table, all of them or none.
//!
//! A table that is there says what the values must be. One that is not is
//! declared after the whole file has been read: no type is guessed from the
//! first rows. Values are kept exactly or refused, with the line they stand in.

mod csv;
mod infer;
mod ndjson;
mod parquet;
mod records;

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Args;
use dkdc_state::{ColumnDef, ColumnType, State, TableDef, TableSchema};

use crate::exit::{Failure, Result};
use crate::output::{Output, counted, say};
use crate::progress::Progress;
use crate::row::RequestKey;
use crate::store::Stores;
use crate::write::{self, How, Numbered, Target};

pub(crate) const EXAMPLE: &str = "\
Files:
  .csv, .tsv          a line of names, then a line a record; an empty field is
                      NULL, \"\" is an empty text
  .ndjson, .jsonl     a JSON object a line
  .json               an array of JSON objects
  .parquet            any, with plain columns, lists or structs

Example:
  dkdc --db data.db import people people.csv
  dkdc import people more.ndjson --id email --upsert";

#[derive(Args, Debug)]
pub(crate) struct Import {
    /// The table; declared from the file when it is not there
    table: String,
    /// The file, whose name says what it is
    file: PathBuf,
    /// The column that is the records' id
    #[arg(long, value_name = "COL", default_value = "id")]
    id: String,
    /// Change records that are there, instead of refusing them
    #[arg(long)]
    upsert: bool,
    #[command(flatten)]
    request: RequestKey,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Csv(u8),
    Ndjson,
    Json,
    Parquet,
}

/// A file to be read, perhaps twice.
struct Source<'a> {
    path: &'a Path,
    /// Its name in errors.
    name: String,
    /// The column that is the id.
    id: &'a str,
    kind: Kind,
}

pub(crate) fn run(import: &Import, stores: &Stores, output: &mut Output) -> Result<()> {
    let source = Source::new(import)?;
    let how = if import.upsert {
        How::Upsert
    } else {
        How::Append
    };
    let (state, target) = table(import, &source, stores)?;
    let progress = Progress::new("importing", source.count()?);
    let schema = target.schema()?;
    let rows = source.rows(&schema)?;
    let place = source.place();
    let key = import.request.key();
    let what = write::What { how, key };
    let written = write::all(&state, &target, what, &place, rows, &progress)?;
    drop(progress);
    let answer = [
        ("table", import.table.as_str().into()),
        ("rows", written.rows.into()),
    ];
    if written.before {
        say(write::MADE_BEFORE);
        return output.report(answer);
    }
    if let Target::New(def) = &target {
        let columns = def.columns.iter();
        let columns: Vec<String> = columns.map(|c| format!("{}:{}", c.name, c.ty)).collect();
        let columns = columns.join(" ");
        say(&format!("table {} is new: {columns}", import.table));
    }
    let rows = counted(written.rows, "row");
    say(&format!("{rows} {} in {}", how.done(), import.table));
    output.report(answer)
}

/// The table that is there, or the one that the file calls for: that one is
/// declared in the transaction that writes its rows.
fn table(import: &Import, source: &Source<'_>, stores: &Stores) -> Result<(State, Target)> {
    if let Some(state) = stores.if_there()? {
        let known = state.tables()?;
        let known = known.into_iter().find(|table| table.name == import.table);
        if let Some(schema) = known {
            return Ok((state, Target::Known(schema)));
        }
    }
    let mut def = TableDef::new(&import.table);
    // What cannot be imported is refused before a store is made.
    def.columns = source.columns()?;
    def.to_schema()?;
    Ok((stores.or_new()?, Target::New(def)))
}

impl<'a> Source<'a> {
    fn new(import: &'a Import) -> Result<Source<'a>> {
        let path = import.file.as_path();
        let kind = kind(path).ok_or_else(|| {
            let path = path.display();
            Failure::usage(format!(
                "{path}: not named .csv, .tsv, .ndjson, .jsonl, .json or .parquet"
            ))
        })?;
        let meta = path
            .metadata()
            .map_err(|error| Failure::file(path, &error))?;
        if !meta.is_file() {
            return Err(Failure::usage(format!(
                "{}: no regular file",
                path.display()
            )));
        }
        Ok(Source {
            path,
            name: path.display().to_string(),
            id: &import.id,
            kind,
        })
    }

    fn open(&self) -> Result<File> {
        File::open(self.path).map_err(|error| Failure::file(self.path, &error))
    }

    /// What stands before the number of a row.
    fn place(&self) -> String {
        match self.kind {
            Kind::Csv(_) | Kind::Ndjson => format!("{} line", self.name),
            Kind::Json | Kind::Parquet => format!("{} row", self.name),
        }
    }

    /// How many rows there are, where the file says so.
    fn count(&self) -> Result<Option<u64>> {
        match self.kind {
            Kind::Csv(_) | Kind::Ndjson | Kind::Json => Ok(None),
            Kind::Parquet => parquet::count(self).map(Some),
        }
    }

    /// The columns that the whole file calls for, besides the id.
    fn columns(&self) -> Result<Vec<ColumnDef>> {
        let found = match self.kind {
            Kind::Csv(delimiter) => csv::columns(self, delimiter),
            Kind::Ndjson | Kind::Json => ndjson::columns(self),
            Kind::Parquet => parquet::columns(self),
        }?;
        // The number of the version that a record had where it came from.
        let (own, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|(name, _)| name == "idx");
        if !own.is_empty() {
            say(&format!(
                "{}: the column idx is left out, as versions get numbers of their own; call it \
                 something else to keep it",
                self.name
            ));
        }
        let found = found.into_iter();
        Ok(found.map(|(name, ty)| ColumnDef::new(name, ty)).collect())
    }

    fn rows<'s>(
        &'s self,
        table: &'s TableSchema,
    ) -> Result<Box<dyn Iterator<Item = Numbered> + Send + 's>> {
        Ok(match self.kind {
            Kind::Csv(delimiter) => Box::new(csv::rows(self, delimiter, table)?),
            Kind::Ndjson | Kind::Json => Box::new(ndjson::rows(self, table)?),
            Kind::Parquet => Box::new(parquet::rows(self, table)?),
        })
    }

    /// A failure about one row.
    fn wrong(&self, number: u64, why: impl std::fmt::Display) -> Failure {
        Failure::usage(why.to_string()).at(&format!("{} {number}", self.place()))
    }

    fn no_id(&self) -> String {
        format!(
            "there is no column {:?}; --id names the one that is the id",
            self.id
        )
    }

    /// What is said of a file without columns.
    fn nothing(&self) -> &'static str {
        match self.kind {
            Kind::Csv(_) => "it is empty: there is no line of names",
            _ => {
                "it has no records to tell the columns of a new table; dkdc table new declares one"
            }
        }
    }

    /// What a column is called in the table.
    fn renamed<'n>(&self, name: &'n str) -> &'n str {
        if name == self.id { "id" } else { name }
    }

    /// The columns besides the id, once it is clear that there is one id.
    fn besides_id<T>(&self, columns: Vec<(String, T)>) -> Result<Vec<(String, T)>> {
        let ids = columns
            .iter()
            .filter(|(name, _)| self.renamed(name) == "id");
        let why = match ids.count() {
            0 if columns.is_empty() => self.nothing().to_owned(),
            0 => self.no_id(),
            1 => {
                let others = columns.into_iter().filter(|(name, _)| name != self.id);
                return Ok(others.collect());
            }
            _ => format!("it has a column \"id\" beside {:?}", self.id),
        };
        Err(Failure::usage(format!("{}: {why}", self.name)))
    }
}

fn kind(path: &Path) -> Option<Kind> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    Some(match extension.as_str() {
        "csv" => Kind::Csv(b','),
        "tsv" => Kind::Csv(b'\t'),
        "ndjson" | "jsonl" => Kind::Ndjson,
        "json" => Kind::Json,
        "parquet" => Kind::Parquet,
        _ => return None,
    })
}

/// Names and types, in the file's order.
type Columns = Vec<(String, ColumnType)>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_says_what_it_is() {
        for (name, expected) in [
            ("people.csv", Some(Kind::Csv(b','))),
            ("PEOPLE.CSV", Some(Kind::Csv(b','))),
            ("a.b.tsv", Some(Kind::Csv(b'\t'))),
            ("people.jsonl", Some(Kind::Ndjson)),
            ("people.json", Some(Kind::Json)),
            ("people.parquet", Some(Kind::Parquet)),
            ("people.xlsx", None),
            ("people", None),
        ] {
            assert_eq!(kind(Path::new(name)), expected, "{name}");
        }
    }
}
