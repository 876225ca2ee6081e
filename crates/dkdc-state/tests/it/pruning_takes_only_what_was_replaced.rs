//! A table that is written every second is pruned every night.
//!
//! The failure to prevent: what is current goes with what is old; a moment that
//! should still be readable answers something else than before; a moment that is
//! gone answers with nothing, as if there had been nothing; or the proof that
//! nobody tampered ends with the first prune.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use dkdc_state::{
    ColumnDef, ColumnType, Error, EventKind, Idx, Keep, Op, Row, Select, State, Table, TableDef,
};

use crate::support::{
    NOON, Place, SECOND, TestClock, assert_sound, intruder, note, notes, refusal,
};

fn keep(versions: u64) -> Keep {
    Keep::Versions(NonZeroU64::new(versions).expect("some"))
}

/// Records that are written again and again, one of them deleted, one only once.
fn furnished(state: &State, clock: &TestClock) -> (Table<Row>, Vec<Idx>) {
    let table = state.define(&notes()).expect("a table");
    let mut versions = Vec::new();
    for n in 0..200 {
        clock.step(SECOND);
        let id = ["a", "b", "c"][n % 3];
        let n = i64::try_from(n).expect("few");
        versions.push(table.upsert(&note(id, n)).expect("either").idx);
        if n == 50 {
            versions.push(table.append(&note("once", n)).expect("new").idx);
        }
    }
    table.delete("c").expect("there");
    (table, versions)
}

type All = BTreeMap<String, (Idx, Row)>;

fn at(state: &State, idx: Idx) -> dkdc_state::Result<All> {
    let rows = state.at(idx.into())?.rows("notes")?.list(&Select::new())?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id.clone(), (row.idx(), row.record)))
        .collect())
}

/// What every version of the store reads.
fn everything(state: &State, versions: &[Idx]) -> Vec<(Idx, All)> {
    versions
        .iter()
        .map(|idx| (*idx, at(state, *idx).expect("in history")))
        .collect()
}

#[track_caller]
fn assert_answers(state: &State, before: &[(Idx, All)], floor: Idx) {
    for (idx, all) in before {
        if *idx < floor {
            assert_eq!(refusal(at(state, *idx)), "OutsideHistory", "{idx}");
        } else {
            assert_eq!(&at(state, *idx).expect("in history"), all, "{idx}");
            let snapshot = state.at((*idx).into()).expect("in history");
            let table = snapshot.rows("notes").expect("a table");
            for id in ["a", "b", "c", "once"] {
                let found = table.get(id).expect("a read").map(|row| row.idx());
                assert_eq!(found, all.get(id).map(|(idx, _)| *idx), "{id} at {idx}");
            }
        }
    }
}

#[test]
fn moments_from_the_floor_on_answer_as_before_and_those_below_are_errors() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let (table, versions) = furnished(&state, &clock);
    let before = everything(&state, &versions);
    let since = versions[100];
    let would = state
        .would_prune("notes", Keep::Since(since.into()))
        .expect("a count");
    assert_eq!(table.history("a").expect("a read").len(), 67);
    let pruned = state
        .prune("notes", Keep::Since(since.into()))
        .expect("pruned");
    assert_eq!(
        (pruned.versions, pruned.floor),
        (would.versions, would.floor)
    );
    assert_eq!(pruned.versions, 97, "but what was current then");
    assert!(pruned.value_bytes > 0 && pruned.floor <= since);
    assert_answers(&state, &before, pruned.floor);
    assert_sound(&state);
    // Again, there is nothing to do, and no event.
    let events = state.events().expect("events").len();
    let again = state
        .prune("notes", Keep::Since(since.into()))
        .expect("nothing");
    assert_eq!(again.versions, 0);
    assert_eq!(state.events().expect("events").len(), events);

    // Further, by count: runs of what is gone grow together.
    let pruned = state.prune("notes", keep(2)).expect("pruned");
    assert_answers(&state, &before, pruned.floor);
    for (id, left) in [("a", 2), ("b", 2), ("c", 2), ("once", 1)] {
        assert_eq!(table.history(id).expect("a read").len(), left, "{id}");
    }
    assert_eq!(
        table.history("c").expect("a read")[1].version.op,
        Op::Delete
    );
    let kept = table.history("c").expect("a read")[0].version.idx;
    table.restore("c", kept).expect("it is there");
    assert_sound(&state);
    let pruned = state.prune("notes", keep(1)).expect("pruned");
    assert_eq!(pruned.versions, 4);
    assert_eq!(table.count().expect("a count"), 4);
    assert_sound(&state);
    let kinds = state
        .events()
        .expect("events")
        .into_iter()
        .map(|event| event.kind);
    assert_eq!(kinds.filter(|kind| *kind == EventKind::Prune).count(), 3);
    // Writing goes on, also in the next process.
    drop((table, state));
    let state = place.open();
    let table = state.rows("notes").expect("a table");
    table.update(&note("a", 1)).expect("there");
    table.append(&note("d", 1)).expect("new");
    assert_sound(&state);
    state.clear(&["notes"]).expect("a table");
    table.append(&note("d", 1)).expect("new");
    assert_sound(&state);
}

#[cfg(feature = "query")]
#[test]
fn questions_and_the_mirror_say_the_same() {
    use dkdc_state::arrow_array::cast::AsArray;
    use dkdc_state::arrow_array::types::Int64Type;
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let (_, versions) = furnished(&state, &clock);
    let ask = |query: &str| -> dkdc_state::Result<i64> {
        let batches = state.sql(query)?.collect::<dkdc_state::Result<Vec<_>>>()?;
        Ok(batches[0].column(0).as_primitive::<Int64Type>().value(0))
    };
    let sum = "select sum(n)::bigint from notes";
    let then = format!("select sum(n)::bigint from notes_at({})", versions[150]);
    let old = format!("select sum(n)::bigint from notes_at({})", versions[10]);
    for seal in [false, true] {
        if seal {
            state.seal_mirror().expect("files");
        }
        let (now, past) = (ask(sum).expect("a sum"), ask(&then).expect("a sum"));
        assert!(ask(&old).is_ok() || seal);
        let since = versions[if seal { 120 } else { 100 }];
        let pruned = state
            .prune("notes", Keep::Since(since.into()))
            .expect("pruned");
        assert!(pruned.versions > 10);
        for _ in 0..3 {
            assert_eq!(
                (ask(sum).expect("a sum"), ask(&then).expect("a sum")),
                (now, past)
            );
        }
        assert_eq!(refusal(ask(&old)), "OutsideHistory");
        state.seal_mirror().expect("files");
        assert_eq!(
            (ask(sum).expect("a sum"), ask(&then).expect("a sum")),
            (now, past)
        );
        let left = i64::try_from(state.status().expect("numbers").tables[0].versions);
        assert_eq!(
            ask("select count(*) from history.notes").expect("a count"),
            left.expect("few")
        );
        assert_sound(&state);
    }
}

#[test]
fn space_comes_back_and_content_that_nothing_names_goes() {
    let place = Place::new();
    let state = place.open();
    let table = TableDef::new("files").column(ColumnDef::new("data", ColumnType::Blob));
    let table = state.define(&table).expect("a table");
    for n in 0..20u8 {
        // Which does not shrink.
        let mut data = vec![0; 100_000];
        let mut noise = blake3::Hasher::new().update(&[n]).finalize_xof();
        noise.fill(&mut data);
        let blob = state.put_blob(&data[..]).expect("content");
        table
            .upsert(&Row::new("f").with("data", blob))
            .expect("either");
    }
    let pruned = state.prune("files", keep(1)).expect("pruned");
    assert_eq!(pruned.versions, 19);
    assert!(
        pruned.before > 2_000_000 && pruned.after < 300_000,
        "{pruned:?}"
    );
    assert_eq!(state.status().expect("numbers").blob_bytes, 100_000);
    assert_sound(&state);
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_older_than_the_store() {
    let place = Place::new();
    let clock = TestClock::new(NOON);
    let state = place.open_at(&clock);
    let (_, versions) = furnished(&state, &clock);
    assert_eq!(refusal(state.prune("nothing", keep(1))), "UnknownTable");
    let early = Keep::Since("1999-01-01".parse().expect("a time"));
    assert_eq!(state.prune("notes", early).expect("nothing").versions, 0);
    let late = Keep::Since("2999-01-01".parse().expect("a time"));
    assert!(matches!(
        state.prune("notes", late),
        Err(Error::OutsideHistory { .. })
    ));
    assert_eq!(everything(&state, &versions).len(), versions.len());
    let reader = State::options().read_only(true);
    drop(state);
    let reader = reader.open(place.db()).expect("a store");
    assert_eq!(refusal(reader.prune("notes", keep(1))), "ReadOnly");
    assert!(
        reader
            .would_prune("notes", keep(1))
            .expect("a count")
            .versions
            > 0
    );
}

#[test]
fn rows_that_were_taken_out_as_if_pruned_are_missed() {
    for change in [
        "DELETE FROM _dkdc_pruned WHERE upto = (SELECT min(upto) FROM _dkdc_pruned)",
        "UPDATE _dkdc_pruned SET hash = zeroblob(32)",
        "INSERT INTO _dkdc_pruned SELECT 1, idx, _hash FROM notes WHERE idx = (SELECT min(idx) FROM notes);
         DELETE FROM notes WHERE idx = (SELECT min(idx) FROM notes)",
        "UPDATE _dkdc_tables SET floor = 0",
        "DELETE FROM _dkdc_events WHERE kind = 'prune'",
    ] {
        let place = Place::new();
        let clock = TestClock::new(NOON);
        let state = place.open_at(&clock);
        furnished(&state, &clock);
        state.prune("notes", keep(3)).expect("pruned");
        assert_sound(&state);
        intruder(&place.db()).execute_batch(change).expect(change);
        let damage = state.check().expect("a check").damage;
        let named = damage.iter().any(|line| line.starts_with("notes: its "));
        assert!(named, "{change}: {damage:?}");
    }
}
