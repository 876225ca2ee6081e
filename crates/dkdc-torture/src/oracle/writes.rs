//! The log against what was intended and acknowledged.

use std::collections::{BTreeMap, HashMap};

use dkdc_state::{Idx, Op, Value};

use super::{Found, Judged, Log, Wrong};
use crate::ledger::{Answer, Entry, Part};

/// Each record's versions follow one another, as their operations may.
pub(super) fn chains(log: &Log, wrong: &mut Wrong) {
    let mut newest: HashMap<(&str, &str), (Idx, Op)> = HashMap::new();
    let mut sum = 0;
    for (idx, found) in log {
        let key = (found.table.as_str(), found.id.as_str());
        let before = newest.insert(key, (*idx, found.version.op));
        if found.version.prev != before.map(|(idx, _)| idx) {
            wrong.add(format!(
                "version {idx} of {} replaces {:?}, the newest was {before:?}",
                found.id, found.version.prev
            ));
        }
        let there = before.is_some_and(|(_, op)| op.is_live());
        let fits = match found.version.op {
            Op::Append => !there,
            Op::Update | Op::Delete => there,
            Op::Restore => before.is_some(),
            Op::Erased => false,
        };
        if !fits {
            wrong.add(format!(
                "version {idx} of {}: {} after {before:?}",
                found.id, found.version.op
            ));
        }
        if found.table == "sums" {
            sum += 1;
            let n = found.row.as_ref().and_then(|row| row.get("n"));
            if n.and_then(Value::as_int) != Some(sum) {
                wrong.add(format!("version {idx} of the sum is {n:?}, not {sum}"));
            }
        }
    }
}

/// The log by token: rewritten content of restores aside.
fn by_token(log: &Log, wrong: &mut Wrong) -> HashMap<i64, Idx> {
    let mut tokens = HashMap::new();
    for (idx, found) in log {
        if !matches!(found.version.op, Op::Append | Op::Update) {
            continue;
        }
        if let Some(other) = tokens.insert(found.token(), *idx) {
            wrong.add(format!(
                "the write {} is there twice: {other} and {idx}",
                found.token()
            ));
        }
    }
    tokens
}

/// Accounts for every version by an operation, and for every operation by its
/// versions.
pub(super) fn ledgers(log: &Log, ledgers: &[Vec<Entry>], wrong: &mut Wrong) -> Judged {
    let tokens = by_token(log, wrong);
    let mut judged = Judged::default();
    let mut owed: BTreeMap<Idx, ()> = log.keys().map(|idx| (*idx, ())).collect();
    // Deletes and restores in doubt bear no token: how many there may be.
    let mut doubtful: HashMap<(&str, &str, Op), usize> = HashMap::new();
    for ledger in ledgers {
        let mut last = Idx::ZERO;
        for entry in ledger {
            match &entry.answer {
                Answer::Done(idxs) => {
                    judged.acknowledged += 1;
                    if idxs.len() != entry.parts.len() {
                        wrong.add(format!("{entry:?}: not an answer for each part"));
                    }
                    for (part, idx) in entry.parts.iter().zip(idxs) {
                        if owed.remove(idx).is_none() {
                            wrong.add(format!(
                                "acknowledged, and lost or claimed twice: {part:?} at {idx}"
                            ));
                        } else if !fits(part, &log[idx]) {
                            wrong.add(format!("{part:?} is {:?}", log[idx]));
                        }
                        if *idx <= last {
                            wrong.add(format!("{part:?} at {idx}, after {last}"));
                        }
                        last = *idx;
                    }
                }
                Answer::Refused(why) | Answer::Busy(why) => {
                    judged.refused += 1;
                    if !entry.refusable && matches!(entry.answer, Answer::Refused(_)) {
                        wrong.add(format!("refused, and nothing was in its way: {entry:?}"));
                    }
                    for part in entry
                        .parts
                        .iter()
                        .filter(|part| tokens.contains_key(&part.token))
                    {
                        wrong.add(format!("refused ({why}), and there: {part:?}"));
                    }
                }
                Answer::Doubt(_) => {
                    match doubt(entry, log, &tokens, wrong) {
                        Some(idxs) => {
                            judged.present += 1;
                            for idx in idxs {
                                owed.remove(&idx);
                            }
                        }
                        None => judged.absent += 1,
                    }
                    for part in entry.parts.iter().filter(|part| part.token == 0) {
                        if let Some(op) = part.op {
                            *doubtful.entry((&part.table, &part.id, op)).or_default() += 1;
                        }
                    }
                }
            }
        }
    }
    for idx in owed.keys() {
        let found = &log[idx];
        let key = (found.table.as_str(), found.id.as_str(), found.version.op);
        match doubtful.get_mut(&key) {
            Some(left) if *left > 0 => {
                *left -= 1;
                judged.present += 1;
                judged.absent -= judged.absent.min(1);
            }
            _ => wrong.add(format!("nobody wrote {found:?}")),
        }
    }
    judged
}

fn fits(part: &Part, found: &Found) -> bool {
    part.table == found.table
        && part.id == found.id
        && match part.op {
            Some(op) => op == found.version.op,
            None => matches!(found.version.op, Op::Append | Op::Update),
        }
        && (part.token == 0 || part.token == found.token())
}

/// An operation in doubt is there with all of its parts, one after another, or
/// with none.
fn doubt(
    entry: &Entry,
    log: &Log,
    tokens: &HashMap<i64, Idx>,
    wrong: &mut Wrong,
) -> Option<Vec<Idx>> {
    let parts: Vec<&Part> = entry.parts.iter().filter(|part| part.token != 0).collect();
    let found: Vec<Idx> = parts
        .iter()
        .filter_map(|part| tokens.get(&part.token).copied())
        .collect();
    if found.is_empty() {
        return None;
    }
    if found.len() != parts.len() {
        wrong.add(format!("a part of {entry:?} is there: {found:?}"));
    }
    for (part, idx) in parts.iter().zip(&found) {
        if !fits(part, &log[idx]) {
            wrong.add(format!("{part:?} is {:?}", log[idx]));
        }
    }
    let next = |pair: &[Idx]| pair[0].as_micros() + 1 == pair[1].as_micros();
    if !found.windows(2).all(next) {
        wrong.add(format!("{entry:?} is not one after another: {found:?}"));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nothing_is_in_the_way_of_is_not_refused() {
        let why = || "there is no table".to_owned();
        for (refusable, answer, expected) in [
            (false, Answer::Refused(why()), 1),
            (true, Answer::Refused(why()), 0),
            (false, Answer::Busy(why()), 0),
            (false, Answer::Doubt(why()), 0),
        ] {
            let entry = Entry {
                number: 1,
                parts: vec![Part {
                    table: "notes".into(),
                    op: Some(Op::Append),
                    id: "w7".into(),
                    token: 7,
                }],
                refusable,
                answer,
            };
            let mut wrong = Wrong::default();
            ledgers(&Log::new(), &[vec![entry]], &mut wrong);
            assert_eq!(wrong.0.len(), expected, "{:?}", wrong.0);
        }
    }
}
