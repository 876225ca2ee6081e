//! One thread's operations.

use std::io::Cursor;
use std::sync::Arc;

use dkdc_state::{Error, ErrorKind, Idx, Op, Row, State, Transaction, Value, Version};

use super::{Stop, Tables, Wobble};
use crate::ledger::{Answer, Ledger, Part};
use crate::random::Random;

/// Records that all workers write.
const SHARED: u64 = 24;
/// Tokens of one operation, at most.
const TOKENS: u64 = 64;
const DAY: i64 = 86_400_000_000;
/// Of so many operations, after one a record is read.
const READ_BACK: u64 = 4;
/// Words of large content: more than one thread gives.
const LARGE: usize = (5 << 20) / 8;

/// A thread that works.
pub(super) struct Hand {
    pub(super) random: Random,
    pub(super) ledger: Ledger,
    /// Tokens begin here.
    pub(super) base: u64,
    pub(super) thread: u64,
    /// Operations yet to be done.
    pub(super) left: u64,
    pub(super) done: u64,
    /// Versions of its own to restore.
    pub(super) mine: Vec<(String, Idx)>,
    /// Records that nobody else writes, as they are since they were acknowledged:
    /// what restores one gives it the same values.
    pub(super) own: Vec<Row>,
    pub(super) clock: Option<Arc<Wobble>>,
}

/// What an operation wants to write.
struct Plan {
    parts: Vec<Part>,
    action: Action,
}

enum Action {
    Append(Row),
    Update(Row),
    Upsert(Row),
    Delete(String),
    Restore(String, Idx),
    Batch(Vec<Row>),
    /// Both halves of a pair, and a note; given up at the end if `false`.
    Pair(Row, Row, Row, bool),
    Add(i64),
    File(Row, Vec<u8>),
}

impl Action {
    /// Whether it may be refused: for what others write, or since it is given up.
    fn is_refusable(&self) -> bool {
        match self {
            Action::Append(row) => !is_own(&row.id),
            Action::Update(_) | Action::Delete(_) | Action::Add(_) => true,
            Action::Pair(.., keep) => !keep,
            Action::Upsert(_) | Action::Restore(..) | Action::Batch(_) | Action::File(..) => false,
        }
    }
}

/// A record that no other worker writes, and that is written once.
fn is_own(id: &str) -> bool {
    id.starts_with('w')
}

/// Content of which each word is another: the token, and numbers after it.
pub(crate) fn content(token: i64, words: usize) -> Vec<u8> {
    let words = (0_i64..).take(words).map(|n| token.wrapping_add(n));
    words.flat_map(i64::to_le_bytes).collect()
}

fn part(table: &str, op: Option<Op>, id: &str, token: i64) -> Part {
    Part {
        table: table.to_owned(),
        op,
        id: id.to_owned(),
        token,
    }
}

impl Hand {
    /// Does what is left, until the store fails.
    pub(super) fn work(
        &mut self,
        state: &State,
        tables: &Tables,
        acknowledged: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<(), Stop> {
        while self.left > 0 {
            self.left -= 1;
            if let Some(clock) = &self.clock
                && self.random.one_in(20)
            {
                let ahead = *self.random.of(&[-DAY, 0, 0, 3_600_000_000, -1_000_000]);
                clock.set(ahead);
            }
            if self.random.one_in(40) {
                // What the mirror cannot do now, it does later.
                keep_mirror(state)?;
            }
            let plan = self.plan();
            let refusable = plan.action.is_refusable();
            let number = self.ledger.intend(&plan.parts, refusable)?;
            let result = self.act(state, tables, &plan.action);
            let (answer, failure) = judged(result);
            self.ledger.answer(&answer)?;
            if let Answer::Done(idxs) = &answer {
                acknowledged(self.thread, number);
                self.remember(plan, idxs);
                if number.is_multiple_of(READ_BACK) {
                    self.read_back(tables, number / READ_BACK)?;
                }
            }
            if let Some(error) = failure {
                return Err(error.into());
            }
        }
        Ok(())
    }

    fn remember(&mut self, plan: Plan, idxs: &[Idx]) {
        for (part, idx) in plan.parts.iter().zip(idxs) {
            if part.table == "notes" && part.token != 0 {
                self.mine.push((part.id.clone(), *idx));
            }
        }
        if self.mine.len() > 200 {
            self.mine.drain(..100);
        }
        match plan.action {
            Action::Append(row) if is_own(&row.id) => self.own.push(row),
            Action::Pair(_, _, row, _) => self.own.push(row),
            Action::Batch(rows) => self.own.extend(rows),
            _ => {}
        }
        if self.own.len() > 200 {
            self.own.drain(..100);
        }
    }

    /// A record of its own is what it wrote, or cannot be read: another one, or none,
    /// is a wrong answer.
    fn read_back(&self, tables: &Tables, turn: u64) -> crate::Result<()> {
        if self.own.is_empty() {
            return Ok(());
        }
        let row = &self.own[usize::try_from(turn)? % self.own.len()];
        let is_in = |found: &Row| {
            let mut fields = row.fields.iter();
            fields.all(|(name, value)| found.get(name) == Some(value))
        };
        match tables.notes.get(&row.id) {
            Ok(Some(found)) if is_in(&found.record) => Ok(()),
            Err(error) if is_failure(&error) || error.kind() == ErrorKind::Busy => Ok(()),
            read => Err(format!("acknowledged as {row:?}, and read as {read:?}").into()),
        }
    }

    /// A number that no other write has.
    fn token(&mut self, at: u64) -> i64 {
        i64::try_from(self.base + self.done * TOKENS + at).unwrap_or(i64::MAX)
    }

    fn shared(&mut self) -> String {
        format!("s{}", self.random.below(SHARED))
    }

    fn note(&mut self, id: &str, token: i64) -> Row {
        // Some go to overflow pages.
        let len = match self.random.below(20) {
            0 => 20_000,
            1..4 => 3_000,
            _ => self.random.below(60),
        };
        let body: String =
            std::iter::repeat_n("word ", usize::try_from(len / 5).unwrap_or(0)).collect();
        Row::new(id)
            .with("token", token)
            .with("body", format!("{token} {body}"))
    }

    fn plan(&mut self) -> Plan {
        self.done += 1;
        let token = self.token(1);
        let own = format!("w{token}");
        let one = |op, id: &str, token, action| Plan {
            parts: vec![part("notes", op, id, token)],
            action,
        };
        match self.random.below(100) {
            0..20 => {
                let row = self.note(&own, token);
                one(Some(Op::Append), &own, token, Action::Append(row))
            }
            20..26 => {
                let id = self.shared();
                let row = self.note(&id, token);
                one(Some(Op::Append), &id, token, Action::Append(row))
            }
            26..40 => {
                let id = self.shared();
                let row = self.note(&id, token);
                one(Some(Op::Update), &id, token, Action::Update(row))
            }
            40..55 => {
                let id = self.shared();
                let row = self.note(&id, token);
                one(None, &id, token, Action::Upsert(row))
            }
            55..63 => {
                let id = self.shared();
                one(Some(Op::Delete), &id, 0, Action::Delete(id.clone()))
            }
            63..69 if !self.mine.is_empty() => {
                let (id, idx) = self.random.of(&self.mine).clone();
                one(Some(Op::Restore), &id, 0, Action::Restore(id.clone(), idx))
            }
            69..77 => self.batch(),
            77..87 => self.pair(),
            87..94 => Plan {
                parts: vec![part("sums", None, "sum", token)],
                action: Action::Add(token),
            },
            _ => {
                let words = match self.random.index(9_000) {
                    len if len.is_multiple_of(200) => LARGE,
                    len => len / 8 + 1,
                };
                let content = content(token, words);
                let row = Row::new(own.as_str()).with("token", token);
                Plan {
                    parts: vec![part("files", Some(Op::Append), &own, token)],
                    action: Action::File(row, content),
                }
            }
        }
    }

    fn batch(&mut self) -> Plan {
        let count = 2 + self.random.below(40);
        let (mut parts, mut rows) = (Vec::new(), Vec::new());
        for at in 0..count {
            let token = self.token(1 + at);
            let id = format!("w{token}");
            rows.push(self.note(&id, token));
            parts.push(part("notes", Some(Op::Append), &id, token));
        }
        Plan {
            parts,
            action: Action::Batch(rows),
        }
    }

    fn pair(&mut self) -> Plan {
        let [left, right, noted] = [1, 2, 3].map(|at| self.token(at));
        let which = self.random.below(4);
        let half = |side: &str, token: i64| {
            let id = format!("{side}{which}");
            (
                part("pairs", None, &id, token),
                Row::new(id.as_str()).with("token", token),
            )
        };
        let ((a, left), (b, right)) = (half("left", left), half("right", right));
        let id = format!("w{noted}");
        let note = self.note(&id, noted);
        let keep = !self.random.one_in(5);
        Plan {
            parts: vec![a, b, part("notes", Some(Op::Append), &id, noted)],
            action: Action::Pair(left, right, note, keep),
        }
    }

    fn act(&self, state: &State, tables: &Tables, action: &Action) -> Result<Vec<Version>, Error> {
        let notes = &tables.notes;
        let one = |version: Version| vec![version];
        match action {
            Action::Append(row) => notes.append(row).map(one),
            Action::Update(row) => notes.update(row).map(one),
            Action::Upsert(row) => notes.upsert(row).map(one),
            Action::Delete(id) => notes.delete(id).map(one),
            Action::Restore(id, idx) => notes.restore(id, *idx).map(one),
            Action::Batch(rows) => notes.append_all(rows),
            Action::Pair(left, right, note, keep) => state.transaction(|tx| {
                let versions = both(tx, left, right, note)?;
                match keep {
                    true => Ok(versions),
                    // Any refusal will do: what was done is taken back.
                    false => Err(Error::InsideTransaction),
                }
            }),
            Action::Add(token) => add(tables, *token).map(one),
            Action::File(row, content) => {
                let blob = state.put_blob(Cursor::new(content))?;
                let row = row.clone().with("content", blob);
                tables.files.append(&row).map(one)
            }
        }
    }
}

fn both(
    tx: &Transaction<'_, '_>,
    left: &Row,
    right: &Row,
    note: &Row,
) -> Result<Vec<Version>, Error> {
    let pairs = tx.rows("pairs")?;
    let left = pairs.upsert(left)?;
    let right = pairs.upsert(right)?;
    Ok(vec![left, right, tx.rows("notes")?.append(note)?])
}

/// Adds one to the sum, if nobody else did since it was read.
fn add(tables: &Tables, token: i64) -> Result<Version, Error> {
    let row = |n: i64| Row::new("sum").with("n", n).with("token", token);
    match tables.sums.get("sum")? {
        None => tables.sums.append(&row(1)),
        Some(sum) => {
            let n = sum.get("n").and_then(Value::as_int).unwrap_or(0);
            tables.sums.update_if(&row(n + 1), sum.idx())
        }
    }
}

/// Brings the mirror up to date. What keeps it from that is no failure of the
/// work, unless the store itself fails.
fn keep_mirror(state: &State) -> Result<(), Error> {
    match state.keep_mirror() {
        Err(error) if error.kind() == ErrorKind::Damaged => Err(error),
        _ => Ok(()),
    }
}

/// What an error says about the write: refused, or in doubt.
fn judged(result: Result<Vec<Version>, Error>) -> (Answer, Option<Error>) {
    match result {
        Ok(versions) => {
            let idxs = versions.iter().map(|version| version.idx);
            (Answer::Done(idxs.collect()), None)
        }
        Err(error) if is_failure(&error) => (Answer::Doubt(error.to_string()), Some(error)),
        Err(error) if error.kind() == ErrorKind::Busy => (Answer::Busy(error.to_string()), None),
        Err(error) => (Answer::Refused(error.to_string()), None),
    }
}

/// The disk, or what it says, and not what was asked for.
fn is_failure(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Failure | ErrorKind::Damaged)
}
