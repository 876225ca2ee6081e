//! "What did it say before?" is the question that history is kept for. An
//! answer from now, or one that mixes two moments, is worse than none.

use serde_json::json;

use crate::shell::{Shell, text};

#[test]
fn todos_are_read_as_they_were() {
    let shell = Shell::new();
    let first = shell.json(&["todo", "add", "draft", "--id", "a"]);
    let then = text(&first[0], "idx").to_owned();
    shell.ok(&["todo", "edit", "a", "--body", "done"]);
    shell.ok(&["todo", "add", "other", "--id", "b"]);
    shell.ok(&["todo", "rm", "a"]);
    let listed = shell.json(&["todo", "ls", "--as-of", &then]);
    assert_eq!(listed, first);
    assert_eq!(shell.json(&["todo", "show", "a", "--as-of", &then]), first);
    assert_eq!(
        shell
            .json(&["todo", "history", "a", "--as-of", &then])
            .len(),
        1
    );
    assert_eq!(shell.json(&["todo", "ls"]).len(), 1);
    shell.fails(3, &["todo", "show", "b", "--as-of", &then]);
}

#[test]
fn an_idx_is_taken_in_microseconds_and_as_it_is_shown() {
    let shell = Shell::new();
    shell.ok(&["todo", "add", "draft", "--id", "a"]);
    let first = shell.json(&["todo", "history", "a"]);
    let shown = text(&first[0], "idx");
    let time: jiff::Timestamp = shown.parse().expect("a timestamp");
    let in_table = shown.trim_end_matches('Z').replace('T', " ");
    shell.ok(&["todo", "edit", "a", "--body", "done"]);
    for when in [shown, &in_table, &time.as_microsecond().to_string()] {
        let then = shell.json(&["todo", "show", "a", "--as-of", when]);
        assert_eq!(text(&then[0], "body"), "draft", "{when}");
        let restored = shell.json(&["todo", "restore", "a", "--version", when]);
        assert_eq!(text(&restored[0], "body"), "draft", "{when}");
    }
}

#[test]
fn files_are_read_as_they_were() {
    let shell = Shell::new();
    shell.write("a.txt", "one");
    let put = shell.json(&["lake", "put", "a.txt", "--path", "x/y", "--user", "ann"]);
    let then = text(&put[0], "idx").to_owned();
    shell.write("a.txt", "two");
    shell.ok(&["lake", "put", "a.txt", "--path", "x/y", "--user", "ann"]);
    let name = ["x/y/a.txt", "--user", "ann"];
    let read = |args: &[&str]| shell.ok(&[args, &name, &["--as-of", &then]].concat());
    assert_eq!(read(&["lake", "cat"]), "one");
    assert_eq!(shell.ok(&[&["lake", "cat"][..], &name].concat()), "two");
    read(&["lake", "get", "-o", "old.txt"]);
    assert_eq!(shell.read("old.txt"), b"one");
    assert_eq!(
        shell.json(&["lake", "ls", "x", "--as-of", &then])[0]["size"],
        3
    );
    assert_eq!(
        read(&["lake", "history", "--format", "ndjson"])
            .lines()
            .count(),
        1
    );
}

#[test]
fn rows_and_sql_are_answered_from_the_same_moment() {
    let shell = Shell::with_people();
    let first = shell.json(&[
        "row",
        "append",
        "people",
        r#"{"id": "a", "name": "A", "n": 1}"#,
    ]);
    let then = text(&first[0], "idx").to_owned();
    shell.ok(&["row", "update", "people", r#"{"id": "a", "n": 2}"#]);
    shell.ok(&[
        "row",
        "append",
        "people",
        r#"{"id": "b", "name": "B", "n": 3}"#,
    ]);
    let at = |args: &[&str]| shell.json(&[args, &["--as-of", &then]].concat());
    assert_eq!(at(&["row", "ls", "people"]), first);
    assert_eq!(at(&["row", "ls", "people", "--where", "n < 5"]), first);
    assert_eq!(at(&["row", "get", "people", "a"]), first);
    assert_eq!(at(&["row", "history", "people", "a"]).len(), 1);
    let sum = ["sql", "select sum(n)::int as s from people"];
    assert_eq!(at(&sum), [json!({"s": 1})]);
    assert_eq!(shell.json(&sum), [json!({"s": 5})]);
    let both = shell.json(&[
        "sql",
        &format!("select (select sum(n) from people_at('{then}'))::int as s"),
    ]);
    assert_eq!(both, [json!({"s": 1})]);
}

#[test]
fn a_moment_may_be_said_in_words() {
    let shell = Shell::new();
    shell.ok(&["todo", "add", "x", "--id", "a"]);
    assert_eq!(shell.json(&["todo", "ls", "--as-of", "now"]).len(), 1);
    let line = shell.fails(2, &["todo", "ls", "--as-of", "yesterday 14:00"]);
    assert!(line.contains("history begins at"), "{line}");
}

#[test]
fn a_version_is_told_as_it_can_be_given_back() {
    let shell = Shell::with_people();
    let row = r#"{"id": "a", "name": "A"}"#;
    let idx = text(&shell.json(&["row", "append", "people", row])[0], "idx").to_owned();
    let line = shell.fails(4, &["row", "append", "people", row]);
    assert!(
        line.ends_with(&format!("already exists (version {idx})")),
        "{line}"
    );
    let micros = idx
        .parse::<dkdc_state::Moment>()
        .map(|moment| match moment {
            dkdc_state::Moment::Time(time) => time.as_microsecond().to_string(),
            dkdc_state::Moment::Idx(idx) => idx.to_string(),
        });
    let micros = micros.expect("a moment");
    let spaced = idx.replace('T', " ").replace('Z', "");
    for version in [idx.as_str(), &micros, &spaced] {
        assert_eq!(
            shell
                .json(&["row", "get", "people", "a", "--as-of", version])
                .len(),
            1
        );
        shell.ok(&["row", "restore", "people", "a", "--version", version]);
    }
}

#[test]
fn what_is_outside_history_is_named_as_it_was_asked_for() {
    let shell = Shell::with_people();
    let row = r#"{"id": "a", "name": "A"}"#;
    let idx = text(&shell.json(&["row", "append", "people", row])[0], "idx").to_owned();
    for asked in ["0", "1", "999"] {
        let line = shell.fails(2, &["row", "ls", "people", "--as-of", asked]);
        assert!(
            line.starts_with(&format!("{asked} is outside history: history begins at 2")),
            "{line}"
        );
    }
    // A little later: no version is of that moment.
    let now = format!("{}9Z", &idx[..idx.len() - 2]);
    shell.ok(&["clear", "--force"]);
    let line = shell.fails(2, &["row", "get", "people", "a", "--as-of", &now]);
    let begins = " is outside history: the history of table people begins at 2";
    assert!(line.starts_with(&format!("{now}{begins}")), "{line}");
    let line = shell.fails(2, &["sql", "from people", "--as-of", &now]);
    assert!(line.starts_with(&format!("{now}{begins}")), "{line}");
}
