//! A program that follows a store must neither miss a change nor see one
//! twice, whenever it is stopped and started again.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value as Json, json};

use crate::shell::{DKDC, Shell, text};

fn changes(shell: &Shell, args: &[&str]) -> Vec<Json> {
    let out = shell.ok(&[&["changes"], args].concat());
    out.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn shell() -> Shell {
    let shell = Shell::with_people();
    shell.ok(&["row", "append", "people", r#"{"id": "a", "name": "A"}"#]);
    shell.ok(&["row", "update", "people", r#"{"id": "a", "n": 1}"#]);
    shell.ok(&["row", "rm", "people", "a"]);
    shell
}

#[test]
fn every_version_and_event_is_a_line() {
    let found = changes(&shell(), &[]);
    let ops: Vec<_> = found.iter().map(|change| text(change, "op")).collect();
    assert_eq!(ops, ["create", "create", "append", "update", "delete"]);
    assert_eq!(found[1]["table"], "people");
    assert_eq!(found[3]["prev"], found[2]["idx"]);
    assert_eq!(found[2]["row"]["name"], "A");
    assert_eq!(found[4]["row"], json!(null));
}

#[test]
fn each_line_says_where_to_go_on() {
    let shell = shell();
    let all = changes(&shell, &[]);
    for (at, change) in all.iter().enumerate() {
        assert_eq!(
            changes(&shell, &["--after", text(change, "resume")]),
            all[at + 1..]
        );
    }
}

#[test]
fn a_transaction_is_not_split() {
    let shell = Shell::with_people();
    let before = changes(&shell, &[]).len();
    shell.dkdc_reading(
        "{\"id\":\"a\",\"name\":\"A\"}\n{\"id\":\"b\",\"name\":\"B\"}\n",
        &["row", "append", "people", "-"],
    );
    let found = &changes(&shell, &[])[before..];
    assert_eq!(found.len(), 2);
    assert_eq!(
        changes(&shell, &["--after", text(&found[0], "resume")]),
        found
    );
    assert!(changes(&shell, &["--after", text(&found[1], "resume")]).is_empty());
}

/// The failure to prevent: a backup took the store's place, and whoever goes on
/// after what they read last hears nothing, and believes it.
#[test]
fn what_is_after_everything_is_an_error() {
    let shell = shell();
    for args in [
        &["changes", "--after", "2999-01-01"][..],
        &["changes", "--follow", "--after", "2999-01-01"],
    ] {
        let line = shell.dkdc(args).failed(2);
        assert!(
            line.contains("is outside history: the newest version is"),
            "{line}"
        );
    }
}

#[test]
fn other_formats_have_the_same_changes() {
    let shell = shell();
    let json: Vec<Json> = serde_json::from_str(&shell.ok(&["changes", "--json"])).expect("JSON");
    assert_eq!(json, changes(&shell, &[]));
    assert_eq!(
        shell.ok(&["changes", "--format", "table"]).lines().count(),
        5 + 6
    );
}

#[test]
fn a_follower_sees_what_is_yet_to_come() {
    let shell = shell();
    let last = changes(&shell, &[]).pop().expect("a change");
    let mut command = shell.command(DKDC);
    command.args(["changes", "--follow", "--after", text(&last, "resume")]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("dkdc runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    for n in 0..3 {
        let row = format!(r#"{{"id": "f{n}", "name": "F"}}"#);
        shell.ok(&["row", "append", "people", &row]);
        // Waits until the line is there.
        let line = lines.next().expect("a line").expect("text");
        let change: Json = serde_json::from_str(&line).expect("JSON");
        assert_eq!(text(&change, "id"), format!("f{n}"));
    }
    child.kill().expect("it runs until it is stopped");
    child.wait().expect("it ends");
}
