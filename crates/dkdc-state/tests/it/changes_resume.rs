//! Who follows the changes sees each of them once, also after an interruption.
//!
//! The failure to prevent: a copy is kept by cursor, its process is killed in
//! the middle of a transaction, and it resumes after the first half: it has an
//! order without its lines for ever.

use std::collections::BTreeMap;

use dkdc_state::{Change, ChangeKind, Error, EventKind, Idx, Row, State, TableDef};

use crate::support::{Place, note, notes, refusal};

fn all(state: &State, after: Idx) -> Vec<Change> {
    let changes = state.changes(after).expect("changes");
    changes.map(|change| change.expect("a change")).collect()
}

/// Two tables, single writes, batches, transactions over both, and an event.
fn busy(place: &Place) -> State {
    let state = place.open();
    let notes = state.define(&notes()).expect("a table");
    let others = state.define(&TableDef::new("others")).expect("a table");
    for round in 0..30i64 {
        let id = |n: i64| format!("{round}/{n}");
        notes.append(&note(&id(0), round)).expect("new");
        let rows: Vec<Row> = (1..=round).map(|n| note(&id(n), n)).collect();
        notes.append_all(&rows).expect("new");
        state
            .transaction(|tx| {
                let (notes, others) = (tx.rows("notes")?, tx.rows("others")?);
                for n in 0..round % 5 {
                    notes.delete(&id(n))?;
                    others.append(&Row::new(id(n)))?;
                }
                Ok::<(), Error>(())
            })
            .expect("a transaction");
        if round == 15 {
            let column = dkdc_state::ColumnDef::new("x", dkdc_state::ColumnType::Int);
            state
                .define(&TableDef::new("others").column(column))
                .expect("a column");
        }
        others.append(&Row::new(id(-1))).expect("new");
    }
    state
}

#[test]
fn from_the_beginning_they_are_all_there_and_in_order() {
    let place = Place::new();
    let state = busy(&place);
    let changes = all(&state, Idx::ZERO);
    assert!(changes.is_sorted_by(|a, b| a.idx < b.idx));
    let status = state.status().expect("a status");
    let versions: u64 = status.tables.iter().map(|table| table.versions).sum();
    let events = state.events().expect("events");
    assert_eq!(changes.len() as u64, versions + events.len() as u64);
    let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [EventKind::Create; 3]
            .into_iter()
            .chain([EventKind::Alter])
            .collect::<Vec<_>>()
    );
    // Replayed, they give the current records.
    let mut copy = BTreeMap::new();
    for change in &changes {
        if let ChangeKind::Version { table, id, row, .. } = &change.kind {
            match row {
                Some(row) => copy.insert((table.clone(), id.clone()), row.clone()),
                None => copy.remove(&(table.clone(), id.clone())),
            };
        }
    }
    for table in ["notes", "others"] {
        let rows = state.rows(table).expect("a table");
        for row in rows.list(&dkdc_state::Select::new()).expect("a list") {
            let copied = copy.remove(&(table.to_owned(), row.id.clone()));
            assert_eq!(copied.as_ref(), Some(&row.record));
        }
    }
    assert!(copy.is_empty(), "{copy:?}");
    assert_eq!(all(&state, state.last().expect("a read")), []);
}

#[test]
fn whoever_stops_anywhere_resumes_with_whole_commits() {
    let place = Place::new();
    let state = busy(&place);
    let changes = all(&state, Idx::ZERO);
    for (at, change) in changes.iter().enumerate().step_by(7) {
        assert!(change.resume <= change.idx);
        let rest = all(&state, change.resume);
        // What comes again begins a commit, which had not come to its end.
        let again = changes[..=at]
            .iter()
            .filter(|c| c.idx > change.resume)
            .count();
        let idxs = |changes: &[Change]| changes.iter().map(|c| c.idx).collect::<Vec<_>>();
        assert_eq!(idxs(&rest), idxs(&changes[at + 1 - again..]));
        if again > 0 {
            let first = state.at(rest[0].idx.into()).expect("a moment").idx();
            assert!(first > change.idx, "{} was no commit under way", change.idx);
        }
        // A cursor that is no resume point does not split a commit either.
        let from_inside = all(&state, change.idx);
        let first = from_inside
            .first()
            .map_or(Idx::from_micros(i64::MAX), |c| c.idx);
        assert!(first > change.idx || first == rest[0].idx);
    }
}

#[test]
fn a_commit_larger_than_a_page_is_not_split() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let other = state.define(&TableDef::new("others")).expect("a table");
    let start = table.append(&note("first", 1)).expect("new").idx;
    let rows: Vec<Row> = (0..3000).map(|n| note(&format!("{n:04}"), n)).collect();
    let versions = table.append_all(&rows).expect("new");
    other.append(&Row::new("after")).expect("new");
    let changes = all(&state, start);
    assert_eq!(changes.len(), 3001);
    for change in &changes[..2999] {
        assert_eq!(change.resume, start, "at {}", change.idx);
    }
    assert_eq!(changes[2999].resume, versions[2999].idx);
    assert_eq!(changes[3000].resume, changes[3000].idx);
    assert_eq!(
        all(&state, versions[1500].idx).len(),
        3001,
        "from inside: the whole commit"
    );
}

#[test]
fn what_comes_after_the_call_is_for_the_next() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    table.append(&note("a", 1)).expect("new");
    let mut changes = state.changes(Idx::ZERO).expect("changes");
    let first = changes.next().expect("one").expect("a change");
    table.append(&note("b", 1)).expect("new");
    assert_eq!(changes.count(), 2, "the table and a");
    assert_eq!(all(&state, first.resume).len(), 3);
}

/// The failure to prevent: a backup is put in the store's place, and who follows it
/// by a cursor of the store as it was hears nothing, for as long as it takes to
/// number past that cursor, and never learns what was written until then.
#[test]
fn a_cursor_beyond_the_newest_change_is_an_error() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    table.append(&note("a", 1)).expect("new");
    let backup = place.at("backup.db");
    state.backup(&backup, &mut |_| {}).expect("a backup");
    let cursor = table.append(&note("b", 1)).expect("new").idx;
    assert_eq!(all(&state, cursor), []);
    let restored = State::open(&backup).expect("a store");
    assert_eq!(refusal(restored.changes(cursor)), "OutsideHistory");
    assert_eq!(refusal(restored.follow(cursor)), "OutsideHistory");
    let last = restored.last().expect("a read");
    assert_eq!(all(&restored, last), []);
    let error = restored.changes(cursor).expect_err("beyond").to_string();
    assert!(error.contains(&last.shown()), "{error}");
}

#[test]
fn following_waits_for_what_is_yet_to_come() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let last = state.last().expect("a read");
    let mut follow = state.follow(last).expect("changes");
    let now = std::time::Instant::now();
    assert_eq!(follow.next_before(Some(now)).expect("no change yet"), None);
    std::thread::scope(|scope| {
        let follower = scope.spawn(|| {
            let mut seen = Vec::new();
            while seen.len() < 100 {
                let change = follow.next().expect("it never ends").expect("a change");
                seen.push(change.idx);
            }
            seen
        });
        let mut made = Vec::new();
        for n in 0..100 {
            made.push(table.append(&note(&n.to_string(), n)).expect("new").idx);
        }
        assert_eq!(follower.join().expect("a follower"), made);
    });
}
