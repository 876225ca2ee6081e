//! A tour that shows what did not happen is an advertisement. Each line that it
//! prints is run, and what it leaves behind is what it told.

use crate::shell::{Shell, text};

#[test]
fn the_tour_tells_the_posts_story_and_leaves_nothing() {
    let temporary = Shell::new();
    let shell = Shell::new().with("TMPDIR", &temporary.folder().display().to_string());
    let told = shell.ok(&["tour"]);
    for part in [
        "$ dkdc todo add 'do your homework' --id test",
        "│ do your homework! │",
        "$ dkdc todo history test",
        "hello world!",
        "--as-of",
        "somebody wrote since",
        "(exit code 5)",
        "$ dkdc todo restore test --version",
        "$ dkdc sql 'select",
        "│ restore │        1 │",
        "$ dkdc check",
    ] {
        assert!(told.contains(part), "{part} in\n{told}");
    }
    assert!(!told.contains('\u{1b}'));
    let left = std::fs::read_dir(temporary.folder())
        .expect("a folder")
        .count();
    assert_eq!(left, 0);
    assert!(!shell.path("home").exists());
}

#[test]
fn a_tour_may_leave_its_store() {
    let shell = Shell::new();
    let told = shell.ok(&["tour", "--dir", "kept"]);
    assert!(told.contains("kept/data.db"), "{told}");
    let history = shell.json(&["--db", "kept/data.db", "todo", "history", "test"]);
    let ops: Vec<_> = history.iter().map(|version| text(version, "op")).collect();
    assert_eq!(ops, ["append", "update", "update", "delete", "restore"]);
    assert_eq!(
        shell.ok(&["--db", "kept/data.db", "lake", "cat", "test.txt"]),
        "hello world!"
    );
    let line = shell.fails(4, &["tour", "--dir", "kept"]);
    assert!(line.contains("already"), "{line}");
}
