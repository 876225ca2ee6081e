//! A file that is there cannot be reached, since its name looks like something else;
//! or a pattern means other files in one command than in the next.

use std::fs;

use crate::shell::{Shell, text};

fn shell() -> Shell {
    let shell = Shell::new();
    fs::create_dir_all(shell.path("r/2025")).expect("a folder");
    for name in ["june.csv", "july.csv", "note.txt", "2025/may.csv"] {
        shell.write(&format!("r/{name}"), format!("{name}\n"));
    }
    shell.ok(&["lake", "add", "r"]);
    shell
}

/// What a column says, in order.
fn column(shell: &Shell, args: &[&str], name: &str) -> Vec<String> {
    let rows = shell.json(&[&["lake"], args].concat());
    let mut words: Vec<String> = rows.iter().map(|row| text(row, name).to_owned()).collect();
    words.sort();
    words
}

#[test]
fn a_pattern_means_the_same_everywhere() {
    let shell = shell();
    let both = ["r/july.csv", "r/june.csv"];
    assert_eq!(column(&shell, &["log", "r/*.csv"], "file"), both);
    let du = shell.json(&["lake", "du", "r/*.csv"]);
    assert_eq!((&du[0]["files"], &du[1]["files"]), (&2.into(), &2.into()));
    let then = shell.json(&["lake", "log", "-n", "1"]);
    let then = text(&then[0], "idx").to_owned();
    shell.write("r/june.csv", "new");
    shell.write("r/note.txt", "new");
    shell.ok(&["lake", "add", "r"]);
    let old = format!("r/*.csv@{then}");
    let differ = |after: &str| column(&shell, &["diff", &old, after], "file");
    for after in ["r", "r/*.csv", "./r"] {
        assert_eq!(differ(after), ["june.csv"], "{after}");
    }
    shell.ok(&["lake", "checkout", "r/**/*.csv", "--to", "out"]);
    assert_eq!(shell.read("out/2025/may.csv"), b"2025/may.csv\n");
    assert!(shell.path("out/june.csv").exists() && !shell.path("out/note.txt").exists());
    let moved = shell.dkdc(&["lake", "mv", "r/*.csv", "old"]);
    assert_eq!((moved.code, moved.err.as_str()), (0, "2 files moved\n"));
    // Also those that were there.
    assert_eq!(column(&shell, &["log", "r/*.csv"], "file").len(), 5);
    let log = shell.json(&["lake", "log", "old/*"]);
    assert_eq!(text(&log[0], "was").len(), "r/june.csv".len());
    for args in [
        &["checkout", "r/*.md", "--to", "out"][..],
        &["mv", "r/*.md", "old"],
        &["log", "r/*.md"],
        &["du", "r/*.md"],
        &["diff", "r/*.md", "r"],
    ] {
        let line = shell.fails(3, &[&["lake"], args].concat());
        assert_eq!(line, "File r/*.md does not exist", "{args:?}");
    }
    let line = shell.fails(2, &["lake", "log", "r/{a"]);
    assert!(line.contains("it is no pattern"), "{line}");
}

#[test]
fn a_file_with_the_name_comes_before_a_pattern_and_a_version() {
    let shell = shell();
    for (name, content) in [
        ("a", "a"),
        ("a@5", "at five"),
        ("a@yesterday", "at all"),
        ("a@word", "no time"),
        ("x[1].txt", "meant"),
        ("x1.txt", "matched"),
    ] {
        let put = shell.dkdc_reading(content, &["lake", "put", "-", "--name", name]);
        assert_eq!(put.code, 0, "{put:?}");
        assert_eq!(shell.ok(&["lake", "show", name]), content);
    }
    let first = shell.json(&["lake", "history", "a@word"]);
    let idx = text(&first[0], "idx").to_owned();
    shell.dkdc_reading("changed", &["lake", "put", "-", "--name", "a@word"]);
    let version = format!("a@word@{idx}");
    assert_eq!(shell.ok(&["lake", "show", &version]), "no time");
    let differ = |before: &str, after: &str| {
        let args = ["lake", "diff", before, after, "--text", "--format", "table"];
        shell.ok(&args)
    };
    let lines = differ(&version, "a@word");
    assert!(lines.contains("+changed") && lines.contains("-no time"));
    assert!(differ("a@5", "a@yesterday").contains("-at five"));
    // A path with an @ in it.
    let path = ["lake", "put", "-", "--name", "b", "--path", "me@yesterday"];
    shell.dkdc_reading("b", &path);
    assert!(differ("me@yesterday", "r/2025").contains("-b"));
    assert_eq!(column(&shell, &["log", "x[1].txt"], "file"), ["x[1].txt"]);
    shell.ok(&["lake", "mv", "x[1].txt", "y.txt"]);
    assert_eq!(shell.ok(&["lake", "show", "y.txt"]), "meant");
    // Nobody's time.
    shell.fails(2, &["lake", "show", "a@nonsense"]);
    shell.fails(3, &["lake", "show", "a", "--user", "ann"]);
}

#[test]
fn a_folder_comes_out_as_it_was() {
    let shell = shell();
    let then = shell.json(&["lake", "log", "-n", "1"]);
    let then = text(&then[0], "idx").to_owned();
    shell.write("r/june.csv", "new");
    fs::remove_file(shell.path("r/note.txt")).expect("a file");
    shell.ok(&["lake", "sync", "r"]);
    shell.ok(&["lake", "mv", "-r", "r", "s"]);
    shell.ok(&["lake", "checkout", "r", "--to", "old", "--as-of", &then]);
    assert_eq!(shell.read("old/june.csv"), b"june.csv\n");
    assert_eq!(shell.read("old/note.txt"), b"note.txt\n");
    assert_eq!(shell.read("old/2025/may.csv"), b"2025/may.csv\n");
    shell.fails(3, &["lake", "checkout", "r", "--to", "old"]);
    shell.fails(
        3,
        &["lake", "checkout", "s", "--to", "old", "--as-of", &then],
    );
}
