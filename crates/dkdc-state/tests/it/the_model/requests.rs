//! Requests, as the model knows them: what was asked with a key, and the answer.

use dkdc_state::{Value, Version};

use super::keeping;
use super::model::{Model, Picker, Refused};
use super::ops::{Once, Put, RowOp, Target};

#[derive(Clone, Debug)]
pub(super) struct Answered {
    /// The table of a single write; none: a transaction's.
    pub(super) table: Option<usize>,
    /// What was asked; none: it is not known any more, or was never said.
    pub(super) print: Option<String>,
    /// The versions that it made are within.
    pub(super) span: (i64, i64),
    answer: Option<Version>,
}

impl Model {
    /// A write that is made once.
    pub(super) fn request(&mut self, key: &str, op: &RowOp) -> Result<Version, Refused> {
        self.put_before(op);
        let (table, print) = self.print(op, &self.version_picker());
        if let Some(found) = self.requests.get(key) {
            let same = found.print.as_ref().is_none_or(|asked| *asked == print);
            return match found.answer {
                Some(answer) if found.table.is_some() && same => Ok(answer),
                _ => Err(Refused::RequestDiffers),
            };
        }
        let version = self.unit(|unit| unit.row_op(op))?;
        let idx = version.idx.as_micros();
        let answered = Answered {
            table: Some(table),
            print: Some(print),
            span: (idx, idx),
            answer: Some(version),
        };
        self.requests.insert(key.to_owned(), answered);
        Ok(version)
    }

    /// A transaction that is made once, if it has a key.
    pub(super) fn once(
        &mut self,
        once: Option<Once>,
        about: &str,
        write: impl FnOnce(&mut Model) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let Some(Once { key, about: says }) = once else {
            return write(self);
        };
        let print = says.then(|| about.to_owned());
        if let Some(found) = self.requests.get(key) {
            let both = found.print.as_ref().zip(print.as_ref());
            let same = both.is_none_or(|(asked, now)| asked == now);
            return match found.table.is_none() && same {
                true => Ok(()),
                false => Err(Refused::RequestDiffers),
            };
        }
        write(self)?;
        let answered = Answered {
            table: None,
            print,
            span: self.first.map_or((0, 0), |first| (first, self.last)),
            answer: None,
        };
        self.requests.insert(key.to_owned(), answered);
        Ok(())
    }

    /// What a write asks for, and of which table: names of columns, and by which
    /// handle it comes, make no difference.
    fn print(&self, op: &RowOp, ids: &Picker) -> (usize, String) {
        let put = |at: usize, put: Put, row: &dkdc_state::Row| {
            let place = |name: &str| self.tables[at].place(name).expect("a column");
            let named = row.fields.iter();
            let mut named: Vec<_> = named
                .map(|(name, value)| (place(name), as_kept(value)))
                .collect();
            named.sort_by_key(|(place, _)| *place);
            format!("{put:?} {named:?}")
        };
        let (at, id, what) = match op {
            RowOp::Put(Target::Typed, how, row) => (0, &row.id, put(0, *how, row)),
            RowOp::Put(Target::Rows(at), how, row) => (*at, &row.id, put(*at, *how, row)),
            RowOp::UpdateIf(at, row, pick) => {
                let expected = ids.expected(*at, &row.id, *pick);
                (
                    *at,
                    &row.id,
                    put(*at, Put::Update, row) + &format!(" if {expected}"),
                )
            }
            RowOp::Delete(at, id) => (*at, id, "delete".to_owned()),
            RowOp::DeleteIf(at, id, pick) => {
                let expected = ids.expected(*at, id, *pick);
                (*at, id, format!("delete if {expected}"))
            }
            RowOp::Restore(at, id, pick) => {
                let version = ids.version(*at, id, *pick);
                (*at, id, format!("restore {version}"))
            }
            RowOp::File(id, which) => {
                let row = dkdc_state::Row::new(id.as_str()).with("file", keeping::blob(*which));
                (1, id, put(1, Put::Upsert, &row))
            }
        };
        (at, format!("{at} {id:?} {what}"))
    }
}

/// There is one zero.
fn as_kept(value: &Value) -> Value {
    match value {
        Value::Float(f) if *f == 0.0 => Value::Float(0.0),
        value => value.clone(),
    }
}
