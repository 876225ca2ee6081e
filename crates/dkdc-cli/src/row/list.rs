//! Listing records: by the log's indexes, or, with `--where`, in SQL.

use clap::Args;
use dkdc_state::{Select, State, TableSchema};

use crate::cli::AsOf;
use crate::exit::{Failure, Result};
use crate::output::{Output, Sheet};
use crate::{records, sql};

#[derive(Args, Debug)]
pub(crate) struct Ls {
    /// The table
    table: String,
    /// Only records for which this holds: a condition in SQL
    #[arg(long = "where", value_name = "SQL", allow_hyphen_values = true)]
    condition: Option<String>,
    /// By this column, NULLs first; -COL: the other way round; may be given again
    #[arg(long, value_name = "COL", allow_hyphen_values = true)]
    order: Vec<String>,
    /// At most so many
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    limit: Option<usize>,
    #[command(flatten)]
    as_of: AsOf,
}

pub(super) fn run(state: &State, ls: &Ls, output: &mut Output) -> Result<()> {
    let table = state.rows(&ls.table)?;
    let schema = table.schema()?;
    if let Some(condition) = &ls.condition {
        let snapshot = match ls.as_of.as_of {
            Some(when) => state.at(when)?,
            None => state.snapshot()?,
        };
        if condition.trim().is_empty() {
            return Err(Failure::usage("--where: no condition is given"));
        }
        // What ends our brackets early cannot end these as well.
        let judged = snapshot.sql(&format!(
            "SELECT [\n{condition}\n] FROM {} LIMIT 0",
            quoted(&ls.table)
        ));
        let answer = judged.and_then(|_| snapshot.sql(&ls.in_sql(condition)));
        let names = state.tables()?.iter().map(|t| t.name.clone()).collect();
        let answer = answer.map_err(|error| sql::worded(error, names))?;
        return output.sheet(as_records(&schema, sql::sheet(answer)));
    }
    let select = ls.select(output.enough());
    let found = match ls.as_of.as_of {
        Some(when) => state.at(when)?.rows(&ls.table)?.list(&select)?,
        None => table.list(&select)?,
    };
    let mut sheet = records::rows(&schema, found);
    if ls.limit.is_none() {
        // What was fetched need not be all there is.
        sheet.total = None;
    }
    output.sheet(sheet)
}

/// SQL has text where a table has JSON; the same records look the same.
fn as_records<'a>(schema: &TableSchema, answer: Sheet<'a>) -> Sheet<'a> {
    let columns = records::columns_in(schema);
    let json = columns.iter().filter(|column| column.ty.contains("json"));
    let json = json.map(|column| column.name.clone()).collect();
    Sheet {
        columns,
        ..answer.with_json(json)
    }
}

impl Ls {
    fn select(&self, enough: Option<usize>) -> Select {
        let select = self.order.iter().fold(Select::new(), |select, order| {
            match order.strip_prefix('-') {
                Some(column) => select.order_desc(column),
                None => select.order(order),
            }
        });
        let select = select.order("id");
        match self.limit.or(enough) {
            Some(limit) => select.limit(limit),
            None => select,
        }
    }

    /// The same question in SQL. The condition ends with its line, so that a
    /// comment in it hides nothing of ours.
    fn in_sql(&self, condition: &str) -> String {
        let order = self
            .order
            .iter()
            .map(|order| match order.strip_prefix('-') {
                Some(column) => format!("{} DESC NULLS LAST", quoted(column)),
                None => format!("{} NULLS FIRST", quoted(order)),
            });
        let order: Vec<String> = order.chain(["\"id\"".to_owned()]).collect();
        let limit = self
            .limit
            .map_or(String::new(), |limit| format!(" LIMIT {limit}"));
        format!(
            "SELECT * FROM {} WHERE (\n{condition}\n) ORDER BY {}{limit}",
            quoted(&self.table),
            order.join(", ")
        )
    }
}

/// A name as SQL writes it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_comments_stay_inside_the_question() {
        let ls = Ls {
            table: "a\"b".to_owned(),
            condition: None,
            order: vec!["-n".to_owned(), "x".to_owned()],
            limit: Some(3),
            as_of: AsOf { as_of: None },
        };
        let expected = "SELECT * FROM \"a\"\"b\" WHERE (\nn > 1 -- few\n) \
            ORDER BY \"n\" DESC NULLS LAST, \"x\" NULLS FIRST, \"id\" LIMIT 3";
        assert_eq!(ls.in_sql("n > 1 -- few"), expected);
    }
}
