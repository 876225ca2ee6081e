//! A table wider than the terminal wraps into a heap of bars. On a terminal it
//! fits, in a pipe nothing is cut, and whoever wants no colours gets none.

#![cfg(target_os = "linux")]

use crate::shell::{Shell, text};

fn shell() -> Shell {
    let shell = Shell::new();
    let body = "a long body that goes on and on ".repeat(5);
    shell.ok(&[
        "todo", "add", &body, "--id", "test", "--label", "home", "--label", "work",
    ]);
    shell
}

/// Without colours.
fn bare(text: &str) -> String {
    ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m"]
        .iter()
        .fold(text.to_owned(), |text, code| text.replace(code, ""))
}

#[test]
fn every_line_fits_whatever_the_width() {
    let shell = shell();
    for columns in [40, 80, 120] {
        let ended = shell.on_terminal(columns, "dkdc todo ls 2>/dev/null", "");
        assert_eq!(ended.code, 0, "{ended:?}");
        let shown = bare(&ended.out);
        let widest = shown
            .lines()
            .map(|line| line.trim_end().chars().count())
            .max();
        assert!(widest <= Some(columns), "{columns}:\n{shown}");
        assert_eq!(shown.contains('…'), columns > 40, "{shown}");
    }
}

#[test]
fn what_names_a_version_or_a_record_is_whole() {
    let shell = shell();
    shell.write("a.txt", "hello");
    shell.ok(&["lake", "put", "a.txt", "--path", "a/path/that/goes/on"]);
    let whole = |columns: usize, script: &str, row: &serde_json::Value| {
        let shown = bare(&shell.on_terminal(columns, script, "").out);
        let idx = text(row, "idx").replace('T', " ").replace('Z', "");
        for key in [idx.as_str(), text(row, "id")] {
            assert!(
                shown.contains(&format!("│ {key} ")),
                "{columns} {script}: {key} in\n{shown}"
            );
        }
    };
    let todo = &shell.json(&["todo", "ls"])[0];
    let file = &shell.json(&["lake", "ls"])[0];
    for columns in [30, 60, 80, 120] {
        whole(columns, "dkdc todo ls", todo);
        whole(columns, "dkdc todo history test", todo);
        whole(columns, "dkdc lake ls", file);
        whole(
            columns,
            "dkdc --db home/todo.db sql 'select body, idx, id from todos'",
            todo,
        );
        whole(
            columns,
            "dkdc --db home/todo.db changes --format table",
            todo,
        );
    }
}

#[test]
fn what_is_not_shown_is_said() {
    let ended = shell().on_terminal(80, "dkdc todo ls >/dev/null; dkdc todo ls", "");
    assert!(
        ended
            .out
            .contains("NULL in every row, so not shown: user_id, subject"),
        "{ended:?}"
    );
}

#[test]
fn names_are_bold_and_nulls_dim_unless_no_color_is_set() {
    let shell = shell();
    let coloured = shell.on_terminal(300, "dkdc todo ls", "").out;
    assert!(coloured.contains("\u{1b}[1mid\u{1b}[0m"), "{coloured:?}");
    assert!(coloured.contains("\u{1b}[2mNULL\u{1b}[0m"), "{coloured:?}");
    for plain in [
        "NO_COLOR=1 dkdc todo ls",
        "TERM=dumb dkdc todo ls",
        "dkdc todo ls | cat",
    ] {
        let plain = shell.on_terminal(300, plain, "").out;
        assert!(!plain.contains('\u{1b}'), "{plain:?}");
    }
}

#[test]
fn a_pipe_gets_every_cell_whole() {
    let shell = shell();
    let body = "a long body that goes on and on ".repeat(5);
    assert!(shell.ok(&["todo", "ls"]).contains(&body));
}

#[test]
fn a_screen_gets_a_thousand_rows_and_a_pipe_all() {
    let shell = Shell::with_people();
    let query = "dkdc sql 'select range as n from range(1500)'";
    let ended = shell.on_terminal(80, query, "");
    assert!(
        ended
            .out
            .contains("1000 rows shown, there are more; --format csv for all"),
        "{}",
        ended.out
    );
    assert!(ended.out.contains("│   999 │") && !ended.out.contains("│  1000 │"));
    let piped = shell.ok(&["sql", "select range as n from range(1500)"]);
    assert_eq!(piped.lines().count(), 1500 + 6);
}
