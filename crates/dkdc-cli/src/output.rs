//! What a command has found, on its way to stdout.
//!
//! Every command hands over [`Sheet`]s: named and typed columns over a stream
//! of rows. One path turns them into a table for people, or into JSON, NDJSON
//! or CSV for programs. Rows are not collected, except for the beginning of a
//! table, whose widths they decide.
//!
//! Owns stdout and stderr: results go to the one, words to the other.

mod arrow;
mod cell;
mod format;
mod grid;
mod layout;
mod text;

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use clap::ValueEnum;
use dkdc_state::ColumnType;

use crate::exit::{Failure, Result};
pub(crate) use arrow::{batches, cell_of};
pub(crate) use cell::Cell;
pub(crate) use text::escaped;

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people: names, types, rows in a frame
    Table,
    /// An array of objects
    Json,
    /// One object a line
    Ndjson,
    /// A line of names, then a line a row
    Csv,
    /// Columns with types, compressed; into a file
    Parquet,
    /// Columns with types, as they are in memory; into a file
    Arrow,
}

/// A column of a sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The type, as Ibis names it.
    pub(crate) ty: String,
}

impl Column {
    pub(crate) fn new(name: impl Into<String>, ty: impl Into<String>) -> Column {
        Column {
            name: name.into(),
            ty: ty.into(),
        }
    }

    pub(crate) fn of(name: impl Into<String>, ty: ColumnType) -> Column {
        Column::new(name, ibis_name(ty))
    }

    /// True when cells stand at the right, digits below digits.
    fn is_number(&self) -> bool {
        ["int", "uint", "float", "decimal"]
            .iter()
            .any(|number| self.ty.starts_with(number) && !self.ty.starts_with("interval"))
    }

    /// True when half of a cell would be another time.
    fn is_time(&self) -> bool {
        ["time", "date", "interval"]
            .iter()
            .any(|time| self.ty.starts_with(time))
    }
}

/// What Ibis calls a column's type.
fn ibis_name(ty: ColumnType) -> String {
    match ty {
        ColumnType::Text => "string".to_owned(),
        ColumnType::Int => "int64".to_owned(),
        ColumnType::Float => "float64".to_owned(),
        ColumnType::Bool => "boolean".to_owned(),
        ColumnType::Bytes => "binary".to_owned(),
        ColumnType::Timestamp => "timestamp(6)".to_owned(),
        ColumnType::List(item) => format!("array<{}>", ibis_name(item.as_column())),
        ColumnType::Blob | ColumnType::Date | ColumnType::Uuid | ColumnType::Json => ty.to_string(),
    }
}

/// The rows of a sheet, one after the other.
pub(crate) type Rows<'a> = Box<dyn Iterator<Item = Result<Vec<Cell>>> + 'a>;

/// Named and typed columns over a stream of rows.
pub(crate) struct Sheet<'a> {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Rows<'a>,
    /// How many rows there are, where that is known beforehand.
    pub(crate) total: Option<usize>,
}

impl<'a> Sheet<'a> {
    /// A sheet of rows that are there already.
    pub(crate) fn of(columns: Vec<Column>, rows: Vec<Vec<Cell>>) -> Sheet<'a> {
        Sheet {
            columns,
            total: Some(rows.len()),
            rows: Box::new(rows.into_iter().map(Ok)),
        }
    }

    /// The same with JSON in columns whose text is that: SQL has no other.
    pub(crate) fn with_json(self, named: Vec<String>) -> Sheet<'a> {
        if named.is_empty() {
            return self;
        }
        let is_json: Vec<bool> = self
            .columns
            .iter()
            .map(|column| named.contains(&column.name))
            .collect();
        let rows = self.rows.map(move |row| {
            let cells = row?.into_iter().zip(&is_json);
            Ok(cells
                .map(|(cell, json)| if *json { cell.parsed() } else { cell })
                .collect())
        });
        Sheet {
            columns: self.columns,
            rows: Box::new(rows),
            total: self.total,
        }
    }

    /// A sheet of rows that come as they are asked for.
    pub(crate) fn streamed(columns: Vec<Column>, rows: Rows<'a>) -> Sheet<'a> {
        Sheet {
            columns,
            rows,
            total: None,
        }
    }
}

/// Rows of a table that a terminal shows at most.
pub(crate) const SCREEN: usize = 1000;

/// stdout, and how it is to be written.
pub(crate) struct Output {
    format: Option<Format>,
    style: grid::Style,
    /// True when people read stdout.
    terminal: bool,
    out: BufWriter<Stdout>,
}

impl Output {
    /// `format` as it was asked for, if it was.
    pub(crate) fn new(format: Option<Format>) -> Output {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        Output {
            format,
            style: grid::Style {
                width: terminal.then(terminal_width).flatten(),
                coloured: terminal && wants_colour(),
            },
            terminal,
            out: BufWriter::with_capacity(1 << 16, stdout),
        }
    }

    /// The format asked for, else this one.
    pub(crate) fn format_or(&self, default: Format) -> Format {
        self.format.unwrap_or(default)
    }

    /// The format asked for, if one was.
    pub(crate) fn asked(&self) -> Option<Format> {
        self.format
    }

    /// Refuses the formats that only files have.
    pub(crate) fn refuse_files_format(&self) -> Result<()> {
        match self.format() {
            Format::Parquet | Format::Arrow => Err(only_files()),
            _ => Ok(()),
        }
    }

    /// The format for most commands.
    pub(crate) fn format(&self) -> Format {
        self.format_or(Format::Table)
    }

    /// True when people read stdout as a terminal shows it.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// How many rows are worth fetching: one more than a terminal shows, so
    /// that it can say that there are more; `None`: all.
    pub(crate) fn enough(&self) -> Option<usize> {
        (self.terminal && self.format() == Format::Table).then_some(SCREEN + 1)
    }

    /// Writes a sheet in the format asked for.
    pub(crate) fn sheet(&mut self, sheet: Sheet<'_>) -> Result<()> {
        let format = self.format();
        self.sheet_as(sheet, format)
    }

    /// Writes a sheet in this format.
    pub(crate) fn sheet_as(&mut self, sheet: Sheet<'_>, format: Format) -> Result<()> {
        match format {
            Format::Table => self.table(sheet)?,
            format => write(&mut self.out, sheet, format)?,
        }
        self.flush()
    }

    /// Writes a sheet as NDJSON whose every line goes out at once.
    pub(crate) fn live(&mut self, sheet: Sheet<'_>) -> Result<()> {
        format::ndjson(&mut self.out, sheet, true)
    }

    fn table(&mut self, sheet: Sheet<'_>) -> Result<()> {
        let limit = self.terminal.then_some(SCREEN);
        let notes = grid::write(&mut self.out, sheet, self.style, limit)?;
        self.flush()?;
        for note in notes {
            say(&note);
        }
        Ok(())
    }

    /// True when a program asked for results.
    pub(crate) fn is_for_programs(&self) -> bool {
        self.format() != Format::Table
    }

    /// What a command did, for programs: one row, in the format asked for. People
    /// are told in words, with [`say`].
    pub(crate) fn report<const N: usize>(&mut self, done: [(&str, Cell); N]) -> Result<()> {
        if !self.is_for_programs() {
            return Ok(());
        }
        let columns = done.iter().map(|(name, _)| Column::new(*name, ""));
        let columns = columns.collect();
        let row = done.map(|(_, cell)| cell).into();
        self.sheet(Sheet::of(columns, vec![row]))
    }

    /// Writes a line of text that is itself the result.
    pub(crate) fn line(&mut self, text: &str) -> Result<()> {
        let line = escaped(text);
        writeln!(self.out, "{line}").map_err(|error| Failure::stdout(&error))
    }

    /// The same, in bold where that is wanted.
    pub(crate) fn headline(&mut self, text: &str) -> Result<()> {
        let (on, off) = self.style.bold();
        let line = escaped(text);
        writeln!(self.out, "{on}{line}{off}").map_err(|error| Failure::stdout(&error))
    }

    /// stdout, for what is bytes.
    pub(crate) fn bytes(&mut self) -> &mut impl Write {
        &mut self.out
    }

    /// Hands over what is still here.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(|error| Failure::stdout(&error))
    }
}

/// Writes a sheet for programs.
pub(crate) fn write(out: &mut impl Write, sheet: Sheet<'_>, format: Format) -> Result<()> {
    match format {
        Format::Json => format::json(out, sheet),
        Format::Ndjson => format::ndjson(out, sheet, false),
        Format::Csv => format::csv(out, sheet),
        Format::Table => Err(Failure::usage(
            "a table is for people: name another --format",
        )),
        Format::Parquet | Format::Arrow => Err(only_files()),
    }
}

fn only_files() -> Failure {
    Failure::usage("parquet and arrow go into files: dkdc sql QUERY -o FILE, or dkdc export")
}

/// Says something to whoever sits there: one line on stderr.
pub(crate) fn say(words: &str) {
    // Words are a courtesy; a command does not fail for want of a listener.
    let _ = writeln!(io::stderr(), "{}", crate::exit::one_line(words));
}

/// `1 row`, `2 rows`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn terminal_width() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size()?;
    Some(usize::from(width.0)).filter(|width| *width > 0)
}

/// As <https://no-color.org> has it.
fn wants_colour() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !is_set("NO_COLOR") && !is_dumb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_names_that_ibis_gives_them() {
        for (ty, name) in [
            ("text", "string"),
            ("int", "int64"),
            ("float", "float64"),
            ("bool", "boolean"),
            ("bytes", "binary"),
            ("timestamp", "timestamp(6)"),
            ("list<text>", "array<string>"),
            ("uuid", "uuid"),
        ] {
            let ty: ColumnType = ty.parse().expect("a type");
            assert_eq!(ibis_name(ty), name);
        }
    }

    #[test]
    fn only_numbers_stand_at_the_right() {
        for (ty, right) in [
            ("int64", true),
            ("uint8", true),
            ("decimal(38, 0)", true),
            ("interval", false),
            ("string", false),
            ("timestamp(6)", false),
        ] {
            assert_eq!(Column::new("x", ty).is_number(), right, "{ty}");
        }
    }
}
