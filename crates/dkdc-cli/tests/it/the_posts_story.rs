//! The post promises a list that shows one row and a table that keeps both. A
//! shell that printed other columns, lost a version or made a second id would
//! break what its readers came for.

use crate::shell::{Shell, text};

/// The post's columns with their types, in its order.
const TODOS: [(&str, &str); 9] = [
    ("idx", "timestamp(6)"),
    ("id", "string"),
    ("user_id", "string"),
    ("subject", "string"),
    ("body", "string"),
    ("priority", "int64"),
    ("status", "string"),
    ("description", "string"),
    ("labels", "array<string>"),
];

/// The cells of a line of a table.
fn cells(line: &str) -> Vec<&str> {
    let bars = |c| c == '┃' || c == '│';
    line.trim_matches(bars).split(bars).map(str::trim).collect()
}

#[test]
fn an_empty_table_shows_its_columns_and_types() {
    let shell = Shell::new();
    shell.ok(&["todo", "add", "gone soon"]);
    shell.ok(&["--db", "home/todo.db", "clear", "--force"]);
    let table = shell.ok(&["todo", "ls"]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 6, "{table}");
    assert_eq!(cells(lines[1]), TODOS.map(|(name, _)| name));
    assert_eq!(cells(lines[3]), TODOS.map(|(_, ty)| ty));
}

#[test]
fn an_update_shows_one_row_and_keeps_both() {
    let shell = Shell::new();
    let added = shell.ok(&["todo", "add", "do your homework", "--id", "test"]);
    let row = cells(added.lines().nth(5).expect("a row"));
    let rest = [
        "test",
        "NULL",
        "NULL",
        "do your homework",
        "100",
        "NULL",
        "NULL",
        "NULL",
    ];
    assert_eq!(row[1..], rest);
    assert_eq!(row[0].len(), "2024-11-27 18:02:45.321529".len());

    shell.ok(&["todo", "edit", "test", "--body", "do your homework!"]);
    let listed = shell.ok(&["todo", "ls"]);
    assert_eq!(listed.lines().count(), 7, "{listed}");
    assert!(listed.contains("│ do your homework! │"), "{listed}");

    let history = shell.json(&["todo", "history", "test"]);
    let told: Vec<_> = history
        .iter()
        .map(|v| (text(v, "op"), text(v, "body")))
        .collect();
    assert_eq!(
        told,
        [
            ("append", "do your homework"),
            ("update", "do your homework!")
        ]
    );
}

#[test]
fn the_same_holds_for_a_file_whose_id_stays() {
    let shell = Shell::new();
    shell.write("test.txt", "hello world");
    shell.ok(&["lake", "put", "test.txt"]);
    shell.write("test.txt", "hello world!");
    shell.ok(&["lake", "put", "test.txt"]);

    let files = shell.json(&["lake", "ls"]);
    assert_eq!(files.len(), 1);
    assert_eq!(text(&files[0], "filename"), "test.txt");
    assert_eq!(text(&files[0], "filetype"), "txt");
    assert_eq!(files[0]["size"], 12);
    assert_eq!(shell.ok(&["lake", "cat", "test.txt"]), "hello world!");

    let history = shell.json(&["lake", "history", "test.txt"]);
    assert_eq!(history.len(), 2);
    assert_eq!(history[0]["id"], history[1]["id"]);
    assert_eq!(history[0]["size"], 11);
}

#[test]
fn todos_and_files_share_a_store_when_told_to() {
    let shell = Shell::new().with("DKDC_DB", "data.db");
    shell.write("test.txt", "hello world");
    shell.ok(&["todo", "add", "do your homework", "--id", "test"]);
    shell.ok(&["lake", "put", "test.txt"]);
    let tables = shell.json(&["table", "ls"]);
    let names: Vec<_> = tables.iter().map(|table| text(table, "table")).collect();
    assert_eq!(names, ["todos", "lake"]);
}

#[test]
fn the_most_urgent_todo_comes_first_and_filters_hold_together() {
    let shell = Shell::new();
    shell.ok(&[
        "todo", "add", "later", "--id", "a", "--user", "ann", "--label", "x,y",
    ]);
    shell.ok(&[
        "todo",
        "add",
        "now",
        "--id",
        "b",
        "--user",
        "ann",
        "--priority",
        "-1",
    ]);
    shell.ok(&[
        "todo", "add", "his", "--id", "c", "--user", "bob", "--status", "open",
    ]);
    shell.ok(&["todo", "done", "b"]);
    let ids = |args: &[&str]| -> Vec<String> {
        let found = shell.json(&[&["todo", "ls"], args].concat());
        found
            .iter()
            .map(|todo| text(todo, "id").to_owned())
            .collect()
    };
    assert_eq!(ids(&[]), ["b", "c", "a"]);
    assert_eq!(ids(&["--user", "ann"]), ["b", "a"]);
    assert_eq!(ids(&["--user", "ann", "--status", "done"]), ["b"]);
    assert_eq!(ids(&["--label", "x,y"]), ["a"]);
    assert_eq!(ids(&["--label", "x"]), [""; 0]);
    assert_eq!(ids(&["--limit", "1"]), ["b"]);
}

#[test]
fn a_todo_without_an_id_gets_five_characters() {
    let shell = Shell::new();
    let added = shell.json(&["todo", "add", "buy milk"]);
    assert_eq!(text(&added[0], "id").len(), 5);
}
