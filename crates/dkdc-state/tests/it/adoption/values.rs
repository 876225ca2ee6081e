//! Adopted values are what the original's values meant.
//!
//! The failure to prevent: a number is rounded, a day becomes a time, or rows
//! without an id become one record.

use dkdc_state::{ColumnType, ListItem, State, Value};

use super::{TODOS, Todo, assert_sound, file};

#[test]
fn a_row_without_an_id_becomes_a_record_of_its_own() {
    let (_folder, path) = file(&[
        TODOS,
        "INSERT INTO todos(idx, id, body, priority) VALUES ('2024-01-01', NULL, 'a', NULL),
            ('2024-01-02', 'named', 'b', 1), ('2024-01-03', NULL, 'c', 3);",
    ]);
    let state = State::open(&path).expect("it is adopted");
    let todos = state.table::<Todo>().expect("the table");
    let body = |id: &str| {
        todos
            .get(id)
            .expect("get")
            .and_then(|todo| todo.body.clone())
    };
    assert_eq!(body("original-1").as_deref(), Some("a"));
    assert_eq!(body("original-3").as_deref(), Some("c"));
    assert_eq!(todos.count().expect("count"), 3);
    // A todo without a priority has the default, and the event says how many.
    let priority = todos
        .get("original-1")
        .expect("get")
        .map(|todo| todo.priority);
    assert_eq!(priority, Some(100));
    let detail = &state.events().expect("events")[0].detail["tables"][0];
    assert_eq!(
        (&detail["without_id"], &detail["filled"]["priority"]),
        (&2.into(), &1.into())
    );
    assert_sound(&state);
}

#[test]
fn tables_of_ones_own_keep_their_columns_and_types() {
    let (_folder, path) = file(&[
        r#"CREATE TABLE "Mine & more" (flag BOOLEAN, "idx" TIMESTAMP(6), ratio REAL, day DATE,
            "id" TEXT, at TIMESTAMPTZ, raw BLOB, doc JSON, key UUID, count UBIGINT, rowid TEXT,
            labels TEXT NOT NULL);"#,
        r#"INSERT INTO "Mine & more" VALUES (1, '2024-01-01', 2, '2024-02-29', 'é',
            '2024-01-01T12:00:00+02:00', x'00ff', '{"a": [1, null]}',
            '67E55044-10B1-426F-9247-BB680E5FE0C8', 9007199254740993, 'row', 'a,b');"#,
        r#"CREATE INDEX by_day ON "Mine & more"(day);"#,
    ]);
    let state = State::open(&path).expect("it is adopted");
    let schema = state.tables().expect("tables").remove(0);
    let types: Vec<_> = schema
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.ty))
        .collect();
    use ColumnType as T;
    assert_eq!(
        types,
        [
            ("flag", T::Bool),
            ("ratio", T::Float),
            ("day", T::Date),
            ("at", T::Timestamp),
            ("raw", T::Bytes),
            ("doc", T::Json),
            ("key", T::Uuid),
            ("count", T::Int),
            ("rowid", T::Text),
            ("labels", T::Text),
        ]
    );
    let row = state
        .rows("Mine & more")
        .and_then(|t| t.get("é"))
        .expect("get")
        .expect("there");
    assert_eq!(row.get("ratio"), Some(&Value::Float(2.0)));
    assert_eq!(row.get("count"), Some(&Value::Int(9_007_199_254_740_993)));
    assert_eq!(
        row.get("at").map(Value::to_string).as_deref(),
        Some("2024-01-01T10:00:00Z")
    );
    assert_eq!(
        row.get("doc").map(Value::to_string).as_deref(),
        Some(r#"{"a":[1,null]}"#)
    );
    assert!(!types.contains(&("labels", T::List(ListItem::Text))));
    assert_sound(&state);
}
