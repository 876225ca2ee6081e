//! A number that JSON rounds, a NULL that CSV turns into an empty text, a value
//! that looks one way in a list and another in SQL: programs downstream compute
//! with what they are given.

use serde_json::json;

use crate::shell::{Shell, text};

fn shell() -> Shell {
    let shell = Shell::with_people();
    for row in [
        json!({"id": "a", "name": "", "n": i64::MAX, "score": 1.0, "tags": ["x", null],
            "data": "6869", "extra": {"b": 1, "a": [true]}}),
        json!({"id": "b", "name": "line\nbreak", "n": 9_007_199_254_740_993_i64}),
    ] {
        shell.ok(&["row", "append", "people", &row.to_string()]);
    }
    shell
}

#[test]
fn numbers_are_exact_and_null_is_null() {
    let rows = shell().json(&["row", "ls", "people"]);
    assert_eq!(rows[0]["n"], i64::MAX);
    assert_eq!(rows[1]["n"], 9_007_199_254_740_993_i64);
    assert_eq!(rows[0]["name"], "");
    assert_eq!(rows[1]["born"], json!(null));
    assert_eq!(rows[0]["tags"], json!(["x", null]));
    assert_eq!(rows[0]["data"], "6869");
    let time: Result<jiff::Timestamp, _> = text(&rows[0], "idx").parse();
    assert!(time.is_ok());
}

#[test]
fn ndjson_has_the_same_objects_a_line_each() {
    let shell = shell();
    let lines = shell.ok(&["row", "ls", "people", "--format", "ndjson"]);
    let lines: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines, shell.json(&["row", "ls", "people"]));
}

#[test]
fn csv_tells_an_empty_text_from_null() {
    let csv = shell().ok(&["row", "ls", "people", "--format", "csv"]);
    let (header, rows) = csv.split_once('\n').expect("lines");
    assert_eq!(header, "idx,id,name,born,n,score,tags,data,extra");
    let first = rows.lines().next().expect("a row");
    let (_, values) = first.split_once(',').expect("fields");
    assert_eq!(
        values,
        "a,\"\",,9223372036854775807,1.0,\"[\"\"x\"\",null]\",6869,\
        \"{\"\"a\"\":[true],\"\"b\"\":1}\""
    );
    assert!(
        rows.contains("b,\"line\nbreak\",,9007199254740993,,,,\n"),
        "{rows}"
    );
}

#[test]
fn a_condition_in_sql_changes_which_records_not_how_they_look() {
    let shell = shell();
    let all = shell.json(&["row", "ls", "people"]);
    assert_eq!(
        shell.json(&["row", "ls", "people", "--where", "true -- all"]),
        all
    );
    assert_eq!(
        shell.json(&["row", "ls", "people", "--where", "name = ''"]),
        all[..1]
    );
    let down = ["row", "ls", "people", "--order", "-n"];
    let by_log = shell.json(&down);
    assert_eq!(text(&by_log[0], "id"), "a");
    assert_eq!(
        shell.json(&[&down[..], &["--where", "true"]].concat()),
        by_log
    );
    assert_eq!(
        shell
            .json(&["row", "ls", "people", "--order", "born", "--limit", "1"])
            .len(),
        1
    );
}

#[test]
fn a_table_shows_names_types_nulls_and_bytes() {
    let table = shell().ok(&["row", "ls", "people"]);
    for part in [
        "┃ score   ┃",
        "│ float64 │",
        "│ array<string> │",
        "│ b'hi'  │",
        "│ NULL ",
        "line\\nbreak",
    ] {
        assert!(table.contains(part), "{part} in\n{table}");
    }
    assert!(!table.contains('\u{1b}'), "no colour in a pipe");
}

#[test]
fn nothing_found_is_still_a_result() {
    let shell = Shell::with_people();
    assert_eq!(shell.ok(&["row", "ls", "people", "--json"]), "[]\n");
    assert_eq!(shell.ok(&["row", "ls", "people", "--format", "ndjson"]), "");
    assert_eq!(
        shell
            .ok(&["row", "ls", "people", "--format", "csv"])
            .lines()
            .count(),
        1
    );
}

#[test]
fn a_program_learns_what_was_done() {
    let shell = Shell::with_people();
    shell.write("p.csv", "id,name\na,A\nb,B\n");
    shell.write("f.txt", "text");
    shell.ok(&["lake", "put", "f.txt", "--path", "p"]);
    shell.ok(&["todo", "add", "x", "--id", "t"]);
    for (args, says) in [
        (
            &["import", "people", "p.csv"][..],
            json!({"table": "people", "rows": 2}),
        ),
        (
            &["row", "rm", "people", "a"],
            json!({"op": "delete", "id": "a"}),
        ),
        (
            &["row", "erase", "people", "a", "--force"],
            json!({"versions": 2, "contents": 0}),
        ),
        (
            &["export", "people", "--to", "out.csv"],
            json!({"file": "out.csv", "rows": 1}),
        ),
        (&["backup", "copy.db"], json!({"file": "copy.db"})),
        (&["vacuum"], json!({})),
        (&["mirror", "seal"], json!({"table": "people"})),
        (&["todo", "rm", "t"], json!({"op": "delete", "id": "t"})),
        (
            &["lake", "get", "p/f.txt", "-o", "g.txt"],
            json!({"file": "g.txt", "bytes": 4}),
        ),
        (&["lake", "rm", "-r", "p"], json!({"files": 1})),
    ] {
        let found = shell.json(args);
        let [found] = found.as_slice() else {
            panic!("{args:?}: {found:?}");
        };
        for (name, value) in says.as_object().expect("an object") {
            assert_eq!(found.get(name), Some(value), "{args:?}: {found}");
        }
    }
}

#[test]
fn words_do_not_mix_with_results() {
    let shell = Shell::with_people();
    shell.ok(&["row", "append", "people", r#"{"id": "a", "name": "A"}"#]);
    let ended = shell.dkdc(&["row", "rm", "people", "a"]);
    assert_eq!(ended.out, "");
    assert!(
        ended
            .err
            .contains("to bring it back: dkdc row restore --version="),
        "{ended:?}"
    );
}
