//! The original's update wrote NULL into every column it was not given: a new
//! body cost a todo its labels. Here an edit is about what it names.

use serde_json::json;

use crate::shell::{Shell, text};

#[test]
fn an_edit_of_a_todo_keeps_the_rest() {
    let shell = Shell::new();
    shell.ok(&[
        "todo", "add", "milk", "--id", "m", "--user", "ann", "--label", "a,b", "--label", "c",
    ]);
    let edited = shell.json(&[
        "todo",
        "edit",
        "m",
        "--body",
        "oat milk",
        "--priority",
        "-5",
    ]);
    assert_eq!(text(&edited[0], "body"), "oat milk");
    assert_eq!(edited[0]["priority"], -5);
    assert_eq!(text(&edited[0], "user_id"), "ann");
    assert_eq!(edited[0]["labels"], json!(["a,b", "c"]));

    let edited = shell.json(&["todo", "edit", "m", "--null", "labels", "--null", "user"]);
    assert_eq!(edited[0]["labels"], json!(null));
    assert_eq!(edited[0]["user_id"], json!(null));
    assert_eq!(text(&edited[0], "body"), "oat milk");
}

#[test]
fn an_edit_that_names_nothing_is_refused() {
    let shell = Shell::new();
    shell.ok(&["todo", "add", "milk", "--id", "m"]);
    let line = shell.fails(2, &["todo", "edit", "m"]);
    assert!(line.contains("--body"), "{line}");
}

#[test]
fn an_update_of_a_row_keeps_the_rest() {
    let shell = Shell::with_people();
    shell.ok(&[
        "row",
        "append",
        "people",
        r#"{"id": "ada", "name": "Ada", "n": 1}"#,
    ]);
    let updated = shell.json(&[
        "row",
        "update",
        "people",
        r#"{"id": "ada", "born": "1815-12-10"}"#,
    ]);
    assert_eq!(text(&updated[0], "name"), "Ada");
    assert_eq!(updated[0]["n"], 1);
    let upserted = shell.json(&["row", "upsert", "people", r#"{"id": "ada", "n": null}"#]);
    assert_eq!(upserted[0]["n"], json!(null));
    assert_eq!(text(&upserted[0], "born"), "1815-12-10");
}

#[test]
fn a_put_keeps_what_an_earlier_one_said() {
    let shell = Shell::new();
    shell.write("a.txt", "one");
    shell.ok(&["lake", "put", "a.txt", "--status", "draft", "--label", "x"]);
    shell.write("a.txt", "two");
    let put = shell.json(&["lake", "put", "a.txt"]);
    assert_eq!(text(&put[0], "status"), "draft");
    assert_eq!(put[0]["labels"], json!(["x"]));
}

#[test]
fn an_edit_does_not_give_and_take_at_once() {
    let shell = Shell::new();
    shell.dkdc(&["todo", "add", "x", "--id", "a"]);
    let ended = shell.dkdc(&["todo", "edit", "a", "--body", "y", "--null", "body"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert_eq!(text(&shell.json(&["todo", "show", "a"])[0], "body"), "x");
}
