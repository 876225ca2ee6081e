//! Tables as the post shows them: bold names, types below, then the rows.
//!
//! The first rows decide the widths; further ones stream through at those
//! widths, so that a table of any length takes little memory. Without a
//! terminal nothing is shortened and nothing is coloured.

use std::io::{self, Write};

use super::cell::Cell;
use super::layout::{self, Layout, Measure};
use super::text::{escaped, shortened, width};
use super::{Column, Sheet};
use crate::exit::{Failure, Result};

/// How a table looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Columns of the terminal; `None`: no terminal.
    pub(super) width: Option<usize>,
    /// Whether names are bold and NULLs dim.
    pub(super) coloured: bool,
}

impl Style {
    /// What begins and ends bold text.
    pub(super) fn bold(self) -> (&'static str, &'static str) {
        if self.coloured {
            ("\x1b[1m", "\x1b[0m")
        } else {
            ("", "")
        }
    }

    fn dim(self) -> (&'static str, &'static str) {
        if self.coloured {
            ("\x1b[2m", "\x1b[0m")
        } else {
            ("", "")
        }
    }
}

/// Rows that decide the widths.
const SAMPLE: usize = 1000;

/// Writes a sheet, at most `limit` rows of it. Returns what a reader should
/// know of what is not there.
pub(super) fn write(
    out: &mut impl Write,
    sheet: Sheet<'_>,
    style: Style,
    limit: Option<usize>,
) -> Result<Vec<String>> {
    let Sheet {
        columns,
        mut rows,
        total,
    } = sheet;
    let sample = rows
        .by_ref()
        .take(limit.unwrap_or(SAMPLE))
        .map(|row| Ok(row?.iter().map(Shown::of).collect()))
        .collect::<Result<Vec<Vec<Shown>>>>()?;
    let measures = measure(&columns, &sample);
    let layout = layout::fit(&measures, style.width);
    let grid = Grid {
        columns: &columns,
        layout: &layout,
        style,
    };
    written(grid.head(out))?;
    for row in &sample {
        written(grid.row(out, row))?;
    }
    let mut notes = grid.notes();
    if limit.is_none() {
        for row in rows {
            let row: Vec<Shown> = row?.iter().map(Shown::of).collect();
            written(grid.row(out, &row))?;
        }
    } else if let Some(more) = rows.next() {
        more?;
        let shown = sample.len();
        notes.push(match total {
            Some(total) => format!("{shown} of {total} rows shown; --format csv for all"),
            None => format!("{shown} rows shown, there are more; --format csv for all"),
        });
    }
    written(grid.foot(out))?;
    Ok(notes)
}

/// A cell as text.
struct Shown {
    text: String,
    null: bool,
}

impl Shown {
    fn of(cell: &Cell) -> Shown {
        Shown {
            text: cell.shown(),
            null: *cell == Cell::Null,
        }
    }
}

fn measure(columns: &[Column], rows: &[Vec<Shown>]) -> Vec<Measure> {
    let of = |(at, column): (usize, &Column)| {
        let name = width(&escaped(&column.name).to_string());
        let cells = rows.iter().map(|row| width(&row[at].text)).max();
        Measure {
            name,
            natural: name.max(width(&column.ty)).max(cells.unwrap_or(0)),
            only_nulls: !rows.is_empty() && rows.iter().all(|row| row[at].null),
            text: !column.is_number() && !column.is_time(),
            key: matches!(column.name.as_str(), "idx" | "id"),
        }
    };
    columns.iter().enumerate().map(of).collect()
}

struct Grid<'a> {
    columns: &'a [Column],
    layout: &'a Layout,
    style: Style,
}

impl Grid<'_> {
    fn head(&self, out: &mut impl Write) -> io::Result<()> {
        let (bold, dim) = (self.style.bold(), self.style.dim());
        self.rule(out, ["┏", "━", "┳", "┓"])?;
        self.line(out, "┃", |column, width| {
            let name = shortened(&escaped(&column.name).to_string(), width);
            padded(&name, width, false, bold)
        })?;
        self.rule(out, ["┡", "━", "╇", "┩"])?;
        self.line(out, "│", |column, width| {
            padded(&shortened(&column.ty, width), width, false, dim)
        })?;
        self.rule(out, ["├", "─", "┼", "┤"])
    }

    fn row(&self, out: &mut impl Write, row: &[Shown]) -> io::Result<()> {
        out.write_all("│".as_bytes())?;
        for (at, width) in &self.layout.shown {
            let cell = &row[*at];
            let text = match self.style.width {
                Some(_) => shortened(&cell.text, *width),
                None => cell.text.clone(),
            };
            let style = if cell.null {
                self.style.dim()
            } else {
                ("", "")
            };
            let text = padded(&text, *width, self.columns[*at].is_number(), style);
            write!(out, " {text} │")?;
        }
        out.write_all(b"\n")
    }

    fn foot(&self, out: &mut impl Write) -> io::Result<()> {
        self.rule(out, ["└", "─", "┴", "┘"])
    }

    fn line(
        &self,
        out: &mut impl Write,
        bar: &str,
        text: impl Fn(&Column, usize) -> String,
    ) -> io::Result<()> {
        out.write_all(bar.as_bytes())?;
        for (at, width) in &self.layout.shown {
            write!(out, " {} {bar}", text(&self.columns[*at], *width))?;
        }
        out.write_all(b"\n")
    }

    fn rule(&self, out: &mut impl Write, [left, line, cross, right]: [&str; 4]) -> io::Result<()> {
        let lines = self
            .layout
            .shown
            .iter()
            .map(|(_, width)| line.repeat(width + 2));
        let lines: Vec<String> = lines.collect();
        writeln!(out, "{left}{}{right}", lines.join(cross))
    }

    /// What is not shown, in words.
    fn notes(&self) -> Vec<String> {
        let note = |places: &[usize], what: &str| {
            let names: Vec<&str> = places
                .iter()
                .map(|at| self.columns[*at].name.as_str())
                .collect();
            (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
        };
        let nulls = note(&self.layout.nulls, "NULL in every row, so not shown");
        let cut = note(&self.layout.cut, "no room for, --format json shows them");
        nulls.into_iter().chain(cut).collect()
    }
}

/// A text in its place, coloured without what fills it up.
fn padded(text: &str, to: usize, right: bool, (on, off): (&str, &str)) -> String {
    let fill = " ".repeat(to.saturating_sub(width(text)));
    if right {
        format!("{fill}{on}{text}{off}")
    } else {
        format!("{on}{text}{off}{fill}")
    }
}

fn written(result: io::Result<()>) -> Result<()> {
    result.map_err(|error| Failure::stdout(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style {
        width: None,
        coloured: false,
    };

    fn sheet(rows: Vec<Vec<Cell>>) -> Sheet<'static> {
        let columns = vec![Column::new("id", "string"), Column::new("n", "int64")];
        Sheet::of(columns, rows)
    }

    fn drawn(sheet: Sheet<'_>, style: Style, limit: Option<usize>) -> (String, Vec<String>) {
        let mut out = Vec::new();
        let notes = write(&mut out, sheet, style, limit).expect("memory does not fail");
        (String::from_utf8(out).expect("UTF-8"), notes)
    }

    #[test]
    fn a_table_looks_as_the_post_shows_it() {
        let rows = vec![
            vec![Cell::from("test"), Cell::Int(100)],
            vec![Cell::from("日本"), Cell::Null],
        ];
        let expected = "\
┏━━━━━━━━┳━━━━━━━┓
┃ id     ┃ n     ┃
┡━━━━━━━━╇━━━━━━━┩
│ string │ int64 │
├────────┼───────┤
│ test   │   100 │
│ 日本   │  NULL │
└────────┴───────┘
";
        assert_eq!(drawn(sheet(rows), PLAIN, None).0, expected);
    }

    #[test]
    fn colours_do_not_move_the_frame() {
        let style = Style {
            width: Some(80),
            coloured: true,
        };
        let rows = || vec![vec![Cell::from("a"), Cell::Null]];
        let coloured = drawn(sheet(rows()), style, None).0;
        assert!(coloured.contains("\x1b[1mid\x1b[0m     ┃"), "{coloured}");
        assert!(coloured.contains("│  \x1b[2mNULL\x1b[0m │"), "{coloured}");
        let mut bare = coloured;
        for code in ["\x1b[0m", "\x1b[1m", "\x1b[2m"] {
            bare = bare.replace(code, "");
        }
        assert_eq!(bare, drawn(sheet(rows()), PLAIN, None).0);
    }

    #[test]
    fn every_line_fits_the_terminal() {
        let wide = "日本 long text that goes on ".repeat(10);
        let rows = vec![vec![Cell::from(wide), Cell::Int(i64::MAX)]; 3];
        for columns in [40, 61, 80] {
            let style = Style {
                width: Some(columns),
                coloured: false,
            };
            let names = vec![Column::new("body", "string"), Column::new("n", "int64")];
            let (drawn, _) = drawn(Sheet::of(names, rows.clone()), style, None);
            assert!(drawn.lines().all(|line| width(line) <= columns), "{drawn}");
            assert!(drawn.contains(&i64::MAX.to_string()));
        }
    }

    #[test]
    fn what_is_cut_is_said() {
        let rows = vec![vec![Cell::from("a"), Cell::Int(1)]; 5];
        let (text, notes) = drawn(sheet(rows), PLAIN, Some(2));
        assert_eq!(text.lines().count(), 8);
        assert_eq!(notes, ["2 of 5 rows shown; --format csv for all"]);
    }

    #[test]
    fn rows_beyond_the_sample_are_all_there() {
        let mut rows = vec![vec![Cell::from("a"), Cell::Int(1)]; SAMPLE];
        rows.push(vec![Cell::from("a longer one"), Cell::Int(1)]);
        let (text, notes) = drawn(sheet(rows), PLAIN, None);
        assert!(text.contains("│ a longer one │"));
        assert_eq!(text.lines().count(), SAMPLE + 1 + 6);
        assert!(notes.is_empty());
    }
}
