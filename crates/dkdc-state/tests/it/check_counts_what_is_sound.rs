//! A page of a store cannot be read, and `check` says where, and how much is sound.
//!
//! The failure to prevent: one bad page, and the report says that nothing is sound, or
//! not where the damage begins; or what is only derived is damaged, and it hides how
//! much of the log is sound.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use dkdc_state::{CheckReport, ErrorKind, Idx, Row};

use crate::salvage_costs_what_is_damaged::file::{Holds, Original, SPOILS, Spoil};
use crate::salvage_costs_what_is_damaged::furnished;
use crate::support::{Place, intruder, notes, quick};

/// The numbers of all versions, those that were erased too, by table.
fn numbers(original: &Original) -> BTreeMap<String, BTreeSet<i64>> {
    let mut numbers: BTreeMap<_, BTreeSet<i64>> = BTreeMap::new();
    for page in original.leaves.values().flatten() {
        let Holds::Versions(keys) = &original.holds[*page] else {
            panic!("{page} has no rows");
        };
        for (table, idx) in keys {
            numbers.entry(table.clone()).or_default().insert(*idx);
        }
    }
    numbers
}

/// What a check says of a file; `None` when it cannot be opened.
fn check(place: &Place, bytes: &[u8], what: &str) -> Option<CheckReport> {
    let path = place.at("damaged.db");
    for suffix in ["-wal", "-shm"] {
        // There is none, mostly.
        let _ = fs::remove_file(place.at(&format!("damaged.db{suffix}")));
    }
    fs::write(&path, bytes).expect("a file");
    match quick().create(false).open(&path) {
        Ok(state) => Some(
            state
                .check()
                .unwrap_or_else(|error| panic!("{what}: {error}")),
        ),
        Err(error) => {
            let kinds = [ErrorKind::Damaged, ErrorKind::Input, ErrorKind::Failure];
            assert!(kinds.contains(&error.kind()), "{what}: {error}");
            None
        }
    }
}

/// The table that a page's versions are of, and their numbers.
fn on_page(holds: &Holds) -> Option<(&String, BTreeSet<i64>)> {
    let Holds::Versions(keys) = holds else {
        return None;
    };
    let table = &keys.first()?.0;
    Some((table, keys.iter().map(|key| key.1).collect()))
}

/// Judges a report on a file of which a page of a log is spoiled.
fn judge_versions(
    report: &CheckReport,
    all: &BTreeMap<String, BTreeSet<i64>>,
    (table, lost): (&String, &BTreeSet<i64>),
    spoil: Spoil,
    what: &str,
) {
    assert_eq!(report.tables.len(), all.len(), "{what}: {report:#?}");
    for found in &report.tables {
        let there = &all[&found.table];
        if found.table != *table {
            assert_eq!(found.sound, there.len() as u64, "{what}: {found:#?}");
            assert_eq!(found.damage, [""; 0], "{what}");
            assert!(found.records > 0, "{what}: {found:#?}");
            continue;
        }
        // Whether the one behind is sound, nobody can say.
        let sound = (there.len() - lost.len()).saturating_sub(1) as u64;
        assert!(found.sound >= sound, "{what}: {sound}, {found:#?}");
        assert!(found.sound <= found.versions, "{what}: {found:#?}");
        let (Some(first), Some(oldest)) = (found.first, lost.first()) else {
            assert_eq!(spoil, Spoil::Sector, "{what}: {found:#?}");
            continue;
        };
        let before = there.range(..oldest).next_back();
        let before = before.map_or(Idx::ZERO, |idx| Idx::from_micros(*idx));
        assert!(before < first, "{what}: {oldest}, {found:#?}");
        // Of a sector, versions before it are sound.
        let newest = if spoil == Spoil::Sector {
            lost.last()
        } else {
            lost.first()
        };
        assert!(
            newest >= Some(&first.as_micros()),
            "{what}: {lost:?}, {found:#?}"
        );
    }
}

#[test]
fn a_page_of_rows_costs_what_is_on_it_and_the_version_behind() {
    let place = Place::new();
    let original = furnished(&place);
    let all = numbers(&original);
    for (page, name) in original.names.iter().enumerate() {
        let Some((table, lost)) = on_page(&original.holds[page]) else {
            continue;
        };
        if table != name {
            continue; // A page of content.
        }
        for spoil in SPOILS {
            let what = format!("{spoil:?}, page {page} of {name}");
            let damaged = original.spoiled(page, spoil);
            let report = check(&place, &damaged, &what).expect("it is opened");
            assert!(
                !report.is_sound() || spoil == Spoil::Sector,
                "{what}: nothing is named"
            );
            judge_versions(&report, &all, (table, &lost), spoil, &what);
        }
    }
}

#[test]
fn a_page_of_what_is_derived_hides_nothing_of_the_log() {
    let place = Place::new();
    let original = furnished(&place);
    let all = numbers(&original);
    let mut judged = BTreeSet::new();
    for (page, name) in original.names.iter().enumerate() {
        let is_derived = ["_dkdc_", "sqlite_autoindex"];
        let is_derived = is_derived.iter().any(|start| name.starts_with(start));
        // Where runs begin that were pruned, nothing else says.
        if !is_derived || name == "_dkdc_pruned" || original.holds[page] == Holds::Tables {
            continue;
        }
        for spoil in SPOILS {
            let what = format!("{spoil:?}, page {page} of {name}");
            let damaged = original.spoiled(page, spoil);
            let Some(report) = check(&place, &damaged, &what) else {
                assert_eq!(name, "_dkdc_events", "{what}: it is not opened");
                continue;
            };
            assert!(
                !report.is_sound() || spoil == Spoil::Sector,
                "{what}: nothing is named"
            );
            assert_eq!(report.tables.len(), all.len(), "{what}: {report:#?}");
            for found in &report.tables {
                let there = all[&found.table].len() as u64;
                assert_eq!(
                    (found.versions, found.sound, found.first),
                    (there, there, None),
                    "{what}: {found:#?}"
                );
            }
            judged.insert(name.as_str());
        }
    }
    for name in ["_dkdc_head_notes", "_dkdc_index_notes_1", "_dkdc_waypoints"] {
        assert!(judged.contains(name), "{name}: {judged:?}");
    }
}

/// A page that leads to others costs what is on those, in the middle of a table too.
#[test]
fn what_lies_before_and_behind_a_page_above_others_is_counted() {
    let place = Place::new();
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let rows: Vec<Row> = (0..3000)
        .map(|n| Row::new(format!("id-{n}")).with("body", "x".repeat(1500)))
        .collect();
    table.append_all(&rows).expect("new");
    drop((table, state));
    let conn = intruder(&place.db());
    // Then it is known what such a page leads to.
    conn.execute_batch("PRAGMA auto_vacuum = NONE; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
        .expect("no maps");
    drop(conn);
    let original = Original::of(&place.db());
    let all = numbers(&original);
    let above = &original.above["notes"];
    assert!(above.len() > 3, "{above:?}");
    for page in above {
        let (table, lost) = on_page(&original.holds[*page]).expect("rows");
        let what = format!("page {page}");
        let damaged = original.spoiled(*page, Spoil::Bytes(0xee));
        let report = check(&place, &damaged, &what).expect("it is opened");
        judge_versions(&report, &all, (table, &lost), Spoil::Bytes(0xee), &what);
    }
}
