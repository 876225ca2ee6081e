//! A delete is a version. What is gone by mistake comes back, with the command
//! that the delete itself named.

use crate::shell::{Shell, text};

/// The command that the words end with, as a shell reads it.
fn restore(words: &str) -> Vec<String> {
    let (_, command) = words.split_once("; dkdc ").expect("a command");
    let (command, _) = command.split_once(" brings it back").expect("a command");
    command
        .split(' ')
        .map(|word| word.trim_matches('\'').to_owned())
        .collect()
}

#[test]
fn todos_rows_and_files_come_back_as_they_were() {
    let shell = Shell::with_people();
    shell.ok(&["todo", "add", "x", "--id", "a", "--label", "l"]);
    shell.ok(&["row", "append", "people", r#"{"id": "a", "name": "A"}"#]);
    shell.write("a.txt", "hello");
    shell.ok(&["lake", "put", "a.txt", "--path", "p", "--user", "ann"]);
    for (remove, show) in [
        (&["todo", "rm", "a"][..], &["todo", "show", "a"][..]),
        (
            &["row", "rm", "people", "a"],
            &["row", "get", "people", "a"],
        ),
        (
            &["lake", "rm", "p/a.txt", "--user", "ann"],
            &["lake", "cat", "p/a.txt", "--user", "ann"],
        ),
    ] {
        let before = shell.ok(&[show, &["--format", "csv"]].concat());
        let words = shell.dkdc(remove).err;
        shell.fails(3, show);
        shell.fails(3, remove);
        shell.ok(&restore(&words));
        let after = shell.ok(&[show, &["--format", "csv"]].concat());
        // All but the idx in front.
        let values = |csv: &str| {
            csv.lines()
                .last()
                .map(|l| l.split_once(',').map_or(l, |(_, v)| v).to_owned())
        };
        assert_eq!(values(&after), values(&before), "{remove:?}");
    }
}

#[test]
fn history_tells_the_whole_story() {
    let shell = Shell::new();
    shell.ok(&["todo", "add", "x", "--id", "a"]);
    let words = shell.dkdc(&["todo", "rm", "a"]).err;
    shell.ok(&restore(&words));
    let history = shell.json(&["todo", "history", "a"]);
    let ops: Vec<_> = history.iter().map(|version| text(version, "op")).collect();
    assert_eq!(ops, ["append", "delete", "restore"]);
    assert_eq!(text(&history[1], "id"), "a");
    assert!(history[1]["body"].is_null());
}
