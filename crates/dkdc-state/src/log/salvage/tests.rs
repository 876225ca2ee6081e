//! Salvage reads rows as SQLite does, whatever they are and however they lie.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::{Value, ValueRef};

use super::record::Record;
use super::trees::{Place, Trees};
use crate::cases::cases;

type Rows = BTreeMap<i64, Vec<Value>>;

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::Integer),
        (-3i64..300).prop_map(Value::Integer),
        (any::<i64>(), 0u32..64).prop_map(|(n, by)| Value::Integer(n >> by)),
        any::<i32>().prop_map(|n| Value::Real(f64::from(n) / 4.0)),
        "[a-zé]{0,40}".prop_map(Value::Text),
        (0usize..9000, any::<u8>()).prop_map(|(len, byte)| Value::Blob(vec![byte; len])),
        (0usize..700, any::<u8>()).prop_map(|(len, byte)| Value::Blob(vec![byte; len])),
    ]
}

#[derive(Clone, Debug)]
enum Change {
    Put(i64, Value, i32, Value),
    Delete(prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let number = prop_oneof![0i64..2000, any::<i64>()];
    prop_oneof![
        4 => (number, value(), any::<i32>(), value()).prop_map(|(n, a, b, c)| Change::Put(n, a, b, c)),
        1 => any::<prop::sample::Index>().prop_map(Change::Delete),
    ]
}

#[expect(
    clippy::disallowed_methods,
    reason = "a file of SQLite's that is no store"
)]
fn made(path: &Path, page_size: u32, has_maps: bool, changes: &[Change]) -> (u32, Rows) {
    let conn = Connection::open(path).expect("a file");
    conn.pragma_update(None, "page_size", page_size)
        .expect("a size");
    conn.pragma_update(None, "auto_vacuum", if has_maps { 2 } else { 0 })
        .expect("maps or none");
    conn.execute_batch("CREATE TABLE t(idx INTEGER PRIMARY KEY, a, b REAL, c); BEGIN")
        .expect("a table");
    let mut rows = Rows::new();
    for change in changes {
        match change {
            Change::Put(number, a, b, c) => {
                let sql = "INSERT OR REPLACE INTO t VALUES (?1, ?2, ?3, ?4)";
                conn.execute(sql, (number, a, b, c)).expect("a row");
                let b = Value::Real(f64::from(*b));
                rows.insert(*number, vec![Value::Null, a.clone(), b, c.clone()]);
            }
            Change::Delete(at) if !rows.is_empty() => {
                let number = *rows.keys().nth(at.index(rows.len())).expect("a row");
                conn.execute("DELETE FROM t WHERE idx = ?1", [number])
                    .expect("gone");
                rows.remove(&number);
            }
            Change::Delete(_) => {}
        }
    }
    conn.execute_batch("COMMIT").expect("written");
    let root = conn.query_row(
        "SELECT rootpage FROM sqlite_schema WHERE name = 't'",
        [],
        |row| row.get(0),
    );
    (root.expect("a page"), rows)
}

fn read(path: &Path, root: u32) -> Rows {
    let trees = Trees::open(path).expect("a file");
    let mut rows = Rows::new();
    for place in trees.places(root) {
        let Place::Rows(page) = place else {
            panic!("{place:?}");
        };
        let page = trees.rows(page).expect("a page");
        assert!(page.is_sound);
        for at in 0..page.len() {
            let record = trees.pages.record(&page, at, usize::MAX).expect("a record");
            let values: Option<Vec<ValueRef<'_>>> = Record::new(&record).expect("one").collect();
            let mut values: Vec<Value> = values
                .expect("values")
                .into_iter()
                .map(|value| value.try_into().expect("a value"))
                .collect();
            if let Value::Integer(whole) = values[2] {
                values[2] = Value::Real(whole as f64);
            }
            let number = page.number(at).expect("a number");
            assert!(rows.keys().next_back().is_none_or(|last| *last < number));
            rows.insert(number, values);
        }
    }
    rows
}

proptest! {
    #![proptest_config(cases(48))]
    #[test]
    fn rows_are_read_as_sqlite_wrote_them(
        page_size in prop::sample::select(vec![512u32, 1024, 4096, 65536]),
        has_maps: bool,
        changes in vec(change(), 0..400),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.db");
        let (root, rows) = made(&path, page_size, has_maps, &changes);
        prop_assert_eq!(read(&path, root), rows);
    }
}
