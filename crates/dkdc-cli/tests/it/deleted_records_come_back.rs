//! A delete is a version. What is gone by mistake comes back, with the command
//! that the delete itself named.

use crate::shell::{DKDC, Shell, text};

/// Runs the command that the words end with, as it stands there.
fn restore(shell: &Shell, words: &str) {
    let (_, command) = words
        .split_once("; to bring it back: dkdc ")
        .expect("a command");
    let line = format!("{DKDC:?} {command}");
    let ended = shell.command("bash").args(["-c", &line]).output();
    let ended = ended.expect("bash runs");
    assert!(ended.status.success(), "{line}: {ended:?}");
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
        restore(&shell, &words);
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
    restore(&shell, &words);
    let history = shell.json(&["todo", "history", "a"]);
    let ops: Vec<_> = history.iter().map(|version| text(version, "op")).collect();
    assert_eq!(ops, ["append", "delete", "restore"]);
    assert_eq!(text(&history[1], "id"), "a");
    assert!(history[1]["body"].is_null());
}

#[test]
fn the_command_that_brings_it_back_can_be_pasted() {
    let shell = Shell::new();
    for id in [
        "a",
        "two words",
        "it's",
        "-x",
        "$HOME",
        "a\nb",
        "\u{202e}é\\'",
        "日本",
    ] {
        shell.ok(&[
            "--db",
            "my store.db",
            "todo",
            "add",
            "x",
            &format!("--id={id}"),
        ]);
        let words = shell
            .dkdc(&["--db", "my store.db", "todo", "rm", "--", id])
            .err;
        assert!(
            words.contains("dkdc --db 'my store.db' todo restore"),
            "{words}"
        );
        restore(&shell, &words);
        let shown = shell.json(&["--db", "my store.db", "sql", "from history.todos"]);
        let shown: Vec<_> = shown.iter().filter(|row| row["id"] == id).collect();
        assert_eq!(shown.len(), 3, "{words}");
    }
    shell.write("-f", "x");
    for user in ["-u", "ann b"] {
        shell.ok(&[
            "lake",
            "put",
            "--path",
            "p q",
            &format!("--user={user}"),
            "--",
            "-f",
        ]);
        let words = shell
            .dkdc(&["lake", "rm", "p q/-f", &format!("--user={user}")])
            .err;
        restore(&shell, &words);
    }
    assert_eq!(shell.json(&["lake", "ls"]).len(), 2);
}
