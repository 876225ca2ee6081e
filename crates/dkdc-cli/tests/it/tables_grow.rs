//! A table that is declared today has to live with what is learned tomorrow,
//! without a migration script and without losing what it has.

use serde_json::json;

use crate::shell::{Shell, text};

#[test]
fn a_schema_says_what_was_declared() {
    let shell = Shell::new();
    shell.ok(&[
        "--db",
        "data.db",
        "table",
        "new",
        "t",
        "a:text!",
        "b:list<int>",
        "c:int=5",
        "--index",
        "c,-idx",
        "--unique",
        "a",
    ]);
    let schema = shell.json(&["table", "schema", "t"]);
    let rows: Vec<_> = schema
        .iter()
        .map(|row| {
            (
                text(row, "kind"),
                text(row, "name"),
                &row["type"],
                &row["required"],
            )
        })
        .collect();
    let expected = [
        ("id", "id", &json!("text"), &json!(true)),
        ("column", "a", &json!("text"), &json!(true)),
        ("column", "b", &json!("list<int>"), &json!(false)),
        ("column", "c", &json!("int"), &json!(false)),
        ("index", "c,-idx", &json!(null), &json!(null)),
        ("unique", "a", &json!(null), &json!(null)),
    ];
    assert_eq!(rows, expected);
    assert_eq!(text(&schema[3], "default"), "5");
}

#[test]
fn a_new_column_is_there_for_old_records() {
    let shell = Shell::with_people();
    shell.ok(&["row", "append", "people", r#"{"id": "a", "name": "A"}"#]);
    shell.ok(&["table", "add-column", "people", "mail:text"]);
    shell.ok(&["table", "add-column", "people", "rank:int!=7"]);
    let line = shell.fails(2, &["table", "add-column", "people", "must:int!"]);
    assert!(line.contains("must"), "{line}");
    let found = shell.json(&["row", "get", "people", "a"]);
    assert_eq!(
        (&found[0]["mail"], &found[0]["rank"]),
        (&json!(null), &json!(7))
    );
}

#[test]
fn a_renamed_column_keeps_its_history() {
    let shell = Shell::with_people();
    shell.ok(&[
        "row",
        "append",
        "people",
        r#"{"id": "a", "name": "A", "n": 1}"#,
    ]);
    shell.ok(&["table", "rename-column", "people", "n", "count"]);
    let history = shell.json(&["row", "history", "people", "a"]);
    assert_eq!(history[0]["count"], 1);
    assert_eq!(
        shell.json(&["sql", "select count from people"])[0]["count"],
        1
    );
}

#[test]
fn a_name_that_a_column_had_is_no_other_columns() {
    let shell = Shell::with_people();
    shell.ok(&["table", "rename-column", "people", "born", "birthday"]);
    for column in ["born:date", "BORN:text"] {
        let line = shell.fails(2, &["table", "add-column", "people", column]);
        assert!(line.contains("birthday was called"), "{line}");
    }
}

/// The failure to prevent: two make a table of one name at once, both are told that it
/// is theirs, and it is neither's.
#[test]
fn of_those_who_make_a_table_at_once_one_does() {
    let shell = Shell::new();
    shell.ok(&["--db", "data.db", "table", "new", "first"]);
    for round in 0..8 {
        let name = format!("t{round}");
        let codes = std::thread::scope(|scope| {
            let made = ["a:int", "b:int"].map(|column| {
                let (shell, name) = (&shell, &name);
                scope.spawn(move || shell.dkdc(&["table", "new", name, column]).code)
            });
            made.map(|thread| thread.join().expect("no panic"))
        });
        assert!(codes == [0, 4] || codes == [4, 0], "{codes:?}");
        let schema = shell.json(&["table", "schema", &name]);
        let columns = schema.iter().filter(|row| text(row, "kind") == "column");
        assert_eq!(columns.count(), 1);
    }
}

#[test]
fn who_makes_a_table_that_is_there_is_told_where_to_look() {
    let shell = Shell::new();
    let args = ["--db", "it's.db", "table", "new", "my t"];
    shell.ok(&args);
    let line = shell.fails(4, &args);
    let command = r"dkdc --db 'it'\''s.db' table schema 'my t'";
    assert!(line.ends_with(&format!("see {command}")), "{line}");
}
