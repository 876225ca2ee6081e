//! What a worker intended, and what it was told: outside the store, one line
//! each, written before anything else goes on.
//!
//! One thread, one ledger, so that at most its last operation is in doubt after
//! a kill. A line that was written survives the process, though not the power;
//! power is the recording's business ([`crate::power`]).

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use dkdc_state::{Idx, Op};

use crate::Result;

/// One record that an operation changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The table.
    pub table: String,
    /// What the version is to be; `None`: an append or an update.
    pub op: Option<Op>,
    /// The record's id.
    pub id: String,
    /// A number that no other write has; 0 for deletes and restores.
    pub token: i64,
}

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Acknowledged: the versions, in the order of the parts.
    Done(Vec<Idx>),
    /// Refused: nothing of it may be there.
    Refused(String),
    /// Others kept the store until the deadline: nothing of it may be there.
    Busy(String),
    /// Not acknowledged, as after an I/O error or a kill: all of it or nothing.
    Doubt(String),
}

/// An operation: its number, what it was to do, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number in its ledger.
    pub number: u64,
    /// What it was to do, as one.
    pub parts: Vec<Part>,
    /// It may be refused: for what others write, or since it is given up.
    pub refusable: bool,
    /// What became of it.
    pub answer: Answer,
}

/// A ledger that is written.
pub struct Ledger {
    file: File,
    number: u64,
}

impl Ledger {
    /// A new ledger.
    ///
    /// # Errors
    /// When the file is there already or cannot be made.
    pub fn create(path: &Path) -> Result<Ledger> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(path)?;
        Ok(Ledger { file, number: 0 })
    }

    /// Says what is about to be done, and whether it may be refused. Returns the
    /// operation's number.
    ///
    /// # Errors
    /// When the ledger cannot be written: nothing may be done then.
    pub fn intend(&mut self, parts: &[Part], refusable: bool) -> Result<u64> {
        self.number += 1;
        let kind = if refusable { 'I' } else { 'M' };
        let mut line = format!("{kind} {}", self.number);
        for part in parts {
            let op = part.op.map_or("write", Op::name);
            line += &format!("\t{} {op} {} {}", part.table, part.id, part.token);
        }
        self.write(line)?;
        Ok(self.number)
    }

    /// Says what became of it.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn answer(&mut self, answer: &Answer) -> Result<()> {
        let line = match answer {
            Answer::Done(idxs) => {
                let idxs: Vec<String> = idxs.iter().map(Idx::to_string).collect();
                format!("A {}\t{}", self.number, idxs.join(" "))
            }
            Answer::Refused(why) => format!("R {}\t{}", self.number, one_line(why)),
            Answer::Busy(why) => format!("B {}\t{}", self.number, one_line(why)),
            Answer::Doubt(why) => format!("D {}\t{}", self.number, one_line(why)),
        };
        self.write(line)
    }

    fn write(&mut self, mut line: String) -> Result<()> {
        line.push('\n');
        // One call, so that a line is there or not.
        self.file.write_all(line.as_bytes())?;
        Ok(())
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\t'], " ")
}

/// Reads a ledger back. A last operation without an answer is in doubt.
///
/// # Errors
/// A line that no ledger has.
pub fn read(path: &Path) -> Result<Vec<Entry>> {
    let text = std::fs::read_to_string(path)?;
    let mut entries: Vec<Entry> = Vec::new();
    for line in text.split_inclusive('\n') {
        // The kill came while it was written.
        let Some(line) = line.strip_suffix('\n') else {
            break;
        };
        let wrong = || format!("{}: no line of a ledger: {line}", path.display());
        if line.starts_with(['I', 'M']) {
            entries.push(intent(line).ok_or_else(wrong)?);
        } else {
            let (number, answer) = answer(line).ok_or_else(wrong)?;
            let entry = entries.last_mut().filter(|entry| entry.number == number);
            entry.ok_or_else(wrong)?.answer = answer;
        }
    }
    Ok(entries)
}

fn intent(line: &str) -> Option<Entry> {
    let mut fields = line.split('\t');
    let (kind, number) = fields.next()?.split_once(' ')?;
    let number = number.parse().ok()?;
    let part = |field: &str| {
        let mut words = field.split(' ');
        Some(Part {
            table: words.next()?.to_owned(),
            op: match words.next()? {
                "write" => None,
                "append" => Some(Op::Append),
                "update" => Some(Op::Update),
                "delete" => Some(Op::Delete),
                "restore" => Some(Op::Restore),
                _ => return None,
            },
            id: words.next()?.to_owned(),
            token: words.next()?.parse().ok()?,
        })
    };
    Some(Entry {
        number,
        parts: fields.map(part).collect::<Option<_>>()?,
        refusable: kind == "I",
        answer: Answer::Doubt("killed".to_owned()),
    })
}

fn answer(line: &str) -> Option<(u64, Answer)> {
    let (head, rest) = line.split_once('\t')?;
    let (kind, number) = head.split_once(' ')?;
    let answer = match kind {
        "A" => {
            let idxs = rest.split(' ').filter(|idx| !idx.is_empty());
            Answer::Done(idxs.map(str::parse).collect::<Result<_, _>>().ok()?)
        }
        "R" => Answer::Refused(rest.to_owned()),
        "B" => Answer::Busy(rest.to_owned()),
        "D" => Answer::Doubt(rest.to_owned()),
        _ => return None,
    };
    Some((number.parse().ok()?, answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_that_was_cut_off_is_read_up_to_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ledger");
        let mut ledger = Ledger::create(&path).expect("a ledger");
        let part = |op, token| Part {
            table: "notes".into(),
            op,
            id: "a".into(),
            token,
        };
        ledger
            .intend(&[part(None, 7), part(Some(Op::Delete), 0)], true)
            .expect("a line");
        let done = Answer::Done(vec![Idx::from_micros(5), Idx::from_micros(6)]);
        ledger.answer(&done).expect("a line");
        ledger
            .intend(&[part(Some(Op::Append), 8)], false)
            .expect("a line");
        ledger.write("A 2\t7".into()).expect("a line");
        let bytes = std::fs::read(&path).expect("a file");
        // The last line is not whole.
        std::fs::write(&path, &bytes[..bytes.len() - 1]).expect("a file");
        let entries = read(&path).expect("a ledger");
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].parts[1], part(Some(Op::Delete), 0));
        assert_eq!(entries[0].answer, done);
        assert_eq!(entries[1].answer, Answer::Doubt("killed".into()));
        assert!(entries[0].refusable && !entries[1].refusable);
    }
}
