//! Every version of every record stays readable, in order, however many there
//! are.
//!
//! The failure to prevent: a read as of a moment takes a short cut through the
//! history (a waypoint) and lands one version beside the right one; or a
//! history ends where its record was deleted.

use dkdc_state::{Error, Idx, Op, Row, Value};

use crate::support::{NOON, Place, TestClock, assert_sound, note, notes};

#[test]
fn a_record_with_ten_thousand_versions_is_right_at_each_of_them() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let notes = state.define(&notes()).expect("a table");
    // Neighbours, so that a step in the wrong record would show.
    let mut expected: Vec<(Idx, Option<i64>)> = Vec::new();
    for round in 0..100i64 {
        state
            .transaction(|tx| {
                let notes = tx.rows("notes")?;
                for n in round * 100..(round + 1) * 100 {
                    let version = match n % 97 {
                        96 => notes.delete("a")?,
                        _ => notes.upsert(&note("a", n))?,
                    };
                    expected.push((version.idx, (n % 97 != 96).then_some(n)));
                    if n % 50 == 0 {
                        notes.upsert(&note("b", -n))?;
                        notes.upsert(&note("A", -n))?;
                    }
                }
                Ok::<(), Error>(())
            })
            .expect("a round");
        clock.step(1);
    }
    let single = notes.update(&note("a", 10_000)).expect("there").idx;
    expected.push((single, Some(10_000)));

    let history = notes.history("a").expect("a history");
    let found = history.iter().map(|v| {
        let n = v
            .record
            .as_ref()
            .map(|row| row.get("n").and_then(Value::as_int));
        (v.version.idx, n.map(|n| n.expect("a number")))
    });
    assert_eq!(found.collect::<Vec<_>>(), expected);
    let prevs: Vec<Option<Idx>> = history.iter().map(|v| v.version.prev).collect();
    let before: Vec<Option<Idx>> = std::iter::once(None)
        .chain(expected.iter().map(|e| Some(e.0)))
        .collect();
    assert_eq!(prevs, before[..prevs.len()]);

    // A moment includes the whole commit it is in: the last of the round.
    for at in (0..expected.len())
        .step_by(997)
        .chain([0, 31, 32, 33, 9_999, 10_000])
    {
        let last = if at == 10_000 {
            10_000
        } else {
            at / 100 * 100 + 99
        };
        let then = state.at(expected[at].0.into()).expect("history");
        let then = then.rows("notes").expect("a table");
        let found = then.get("a").expect("a read");
        let n = found
            .as_ref()
            .and_then(|row| row.get("n"))
            .and_then(Value::as_int);
        assert_eq!(n, expected[last].1, "as of version {at}");
        assert_eq!(then.contains("a").expect("a read"), n.is_some());
        assert_eq!(then.history("a").expect("a history").len(), last + 1);
    }
    assert_sound(&state);
}

#[test]
fn single_versions_are_right_at_every_997th() {
    let place = Place::new();
    let state = place.open();
    let notes = state.define(&notes()).expect("a table");
    let mut made = Vec::new();
    std::thread::scope(|scope| {
        // Another record grows between the versions of the first.
        scope.spawn(|| {
            for n in 0..1000 {
                notes.upsert(&note("b", n)).expect("either");
            }
        });
        for n in 0..10_000 {
            made.push(notes.upsert(&note("a", n)).expect("either").idx);
        }
    });
    for n in (0..10_000i64).step_by(997) {
        let idx = made[usize::try_from(n).expect("small")];
        let then = state.at(idx.into()).expect("history");
        let found = then
            .rows("notes")
            .expect("a table")
            .get("a")
            .expect("a read");
        let found = found.expect("it was there");
        assert_eq!((found.idx(), found.get("n")), (idx, Some(&Value::Int(n))));
        let before = Idx::from_micros(idx.as_micros() - 1);
        let then = state.at(before.into()).expect("history");
        let found = then
            .rows("notes")
            .expect("a table")
            .get("a")
            .expect("a read");
        let expected = (n > 0).then(|| Value::Int(n - 1));
        assert_eq!(found.and_then(|row| row.get("n").cloned()), expected);
    }
    assert_sound(&state);
}

#[test]
fn a_deleted_record_keeps_its_history_and_can_come_back_twice() {
    let place = Place::new();
    let state = place.open();
    let notes = state.define(&notes()).expect("a table");
    let v1 = notes.append(&note("a", 1)).expect("new").idx;
    notes.delete("a").expect("there");
    notes.append(&note("a", 2)).expect("the id is free");
    notes.delete("a").expect("there");
    notes.restore("a", v1).expect("it had it");
    let ops: Vec<Op> = notes
        .history("a")
        .expect("a history")
        .iter()
        .map(|v| v.version.op)
        .collect();
    assert_eq!(
        ops,
        [Op::Append, Op::Delete, Op::Append, Op::Delete, Op::Restore]
    );
    assert_eq!(
        notes.get("a").expect("a read").expect("there").record,
        note("a", 1)
    );
    assert!(notes.history("never").expect("a history").is_empty());
    assert_sound(&state);
}

#[test]
fn a_diff_names_each_column_that_differs() {
    let place = Place::new();
    let state = place.open();
    let notes = state.define(&notes()).expect("a table");
    let v1 = notes.append(&note("a", 1)).expect("new").idx;
    let v2 = notes
        .update(&Row::new("a").with("n", 2))
        .expect("there")
        .idx;
    let v3 = notes
        .update(&Row::new("a").with("body", Value::Null))
        .expect("there")
        .idx;
    let diff = notes.diff("a", v1, v2).expect("a diff");
    assert_eq!(diff.len(), 1);
    assert_eq!(
        (diff[0].column.as_str(), &diff[0].from, &diff[0].to),
        ("n", &1.into(), &2.into())
    );
    let columns: Vec<String> = notes
        .diff("a", v1, v3)
        .expect("a diff")
        .into_iter()
        .map(|d| d.column)
        .collect();
    assert_eq!(columns, ["body", "n"]);
    assert!(notes.diff("a", v2, v2).expect("a diff").is_empty());
    let missing = notes
        .diff("a", v1, Idx::from_micros(7))
        .expect_err("no such version");
    assert!(matches!(missing, Error::NoSuchVersion { idx, .. } if idx.as_micros() == 7));
    let b = notes.append(&note("b", 1)).expect("new").idx;
    assert!(notes.diff("a", v1, b).is_err(), "another record's version");
    assert!(notes.version("a", b).expect("a read").is_none());
}
