//! Two people edit the same record; the second must learn that the first was
//! there, instead of undoing it. And whoever must wait learns for whom.

use std::time::Duration;

use dkdc_state::{Error, State};

use crate::shell::{Shell, text};

#[test]
fn compare_and_set_refuses_what_came_too_late() {
    let shell = Shell::with_people();
    let first = shell.json(&["row", "append", "people", r#"{"id": "a", "name": "A"}"#]);
    let read = text(&first[0], "idx").to_owned();
    let set = |n: i32, version: &str| {
        let row = format!(r#"{{"id": "a", "n": {n}}}"#);
        shell.dkdc(&["row", "update", "people", &row, "--if-version", version])
    };
    assert_eq!(set(1, &read).code, 0);
    let line = set(2, &read).failed(5);
    assert!(line.contains("somebody wrote since"), "{line}");
    assert_eq!(shell.json(&["row", "get", "people", "a"])[0]["n"], 1);
    let now = shell.json(&["row", "get", "people", "a"]);
    assert_eq!(set(3, text(&now[0], "idx")).code, 0);
}

#[test]
fn a_record_that_is_not_there_is_not_found_whatever_version_it_should_have() {
    let shell = Shell::with_people();
    let row = r#"{"id": "a", "name": "A"}"#;
    let update =
        |version: &str| shell.dkdc(&["row", "update", "people", row, "--if-version", version]);
    let line = update("1").failed(3);
    assert_eq!(line, "people \"a\" does not exist");
    let added = shell.json(&["row", "append", "people", row]);
    shell.ok(&["row", "rm", "people", "a"]);
    // Deleted since it was read: somebody wrote.
    let line = update(text(&added[0], "idx")).failed(5);
    assert!(line.contains("somebody wrote since"), "{line}");
    let deleted = shell.json(&["row", "history", "people", "a"]);
    update(text(&deleted[1], "idx")).failed(3);
}

#[test]
fn a_file_is_put_only_over_the_version_that_was_read() {
    let shell = Shell::new();
    let put = |content: &str, version: Option<&str>| {
        let args = ["lake", "put", "-", "--name", "a.txt", "--json"];
        let version = version.map(|version| ["--if-version", version]);
        let version = version.as_ref().map_or(&[][..], |version| &version[..]);
        shell.dkdc_reading(content, &[&args, version].concat())
    };
    let line = put("zero", Some("1")).failed(3);
    assert_eq!(line, "File a.txt does not exist");
    put("one", None);
    let read = shell.json(&["lake", "ls"]);
    let read = text(&read[0], "idx");
    assert_eq!(put("two", Some(read)).code, 0);
    for late in ["two", "three"] {
        let line = put(late, Some(read)).failed(5);
        assert!(
            line.contains("File a.txt is at") && line.ends_with("somebody wrote since"),
            "{line}"
        );
    }
    assert_eq!(shell.ok(&["lake", "cat", "a.txt"]), "two");
    let read = shell.json(&["lake", "ls"]);
    shell.ok(&["lake", "rm", "a.txt"]);
    put("three", Some(text(&read[0], "idx"))).failed(5);
    shell.fails(3, &["lake", "cat", "a.txt"]);
}

#[test]
fn one_version_for_many_rows_is_refused() {
    let shell = Shell::with_people();
    let line = shell.fails(2, &["row", "update", "people", "-", "--if-version", "1"]);
    assert!(line.contains("--if-version"), "{line}");
}

#[test]
fn values_that_are_unique_are_told_with_their_owner() {
    let shell = Shell::new();
    shell.ok(&[
        "--db",
        "data.db",
        "table",
        "new",
        "users",
        "mail:text",
        "--unique",
        "mail",
    ]);
    shell.ok(&[
        "row",
        "append",
        "users",
        r#"{"id": "a", "mail": "x@example.org"}"#,
    ]);
    let line = shell.fails(
        4,
        &[
            "row",
            "append",
            "users",
            r#"{"id": "b", "mail": "x@example.org"}"#,
        ],
    );
    assert!(line.contains("\"a\"") && line.contains("mail"), "{line}");
    for id in ["c", "d"] {
        shell.ok(&["row", "append", "users", &format!(r#"{{"id": "{id}"}}"#)]);
    }
}

#[test]
fn a_writer_that_keeps_others_waiting_is_told() {
    let shell = Shell::with_people();
    let row = r#"{"id": "a", "name": "A"}"#;
    let state = State::options().busy_timeout(Duration::ZERO);
    let state = state.open(shell.path("data.db")).expect("the store");
    state
        .transaction(|tx| {
            tx.rows("people")?;
            let line = shell.fails(6, &["row", "append", "people", row, "--wait", "0.05"]);
            assert!(line.contains("busy"), "{line}");
            // Readers need not wait.
            assert!(shell.json(&["row", "ls", "people"]).is_empty());
            Ok::<(), Error>(())
        })
        .expect("a transaction");
    shell.ok(&["row", "append", "people", row]);
}
