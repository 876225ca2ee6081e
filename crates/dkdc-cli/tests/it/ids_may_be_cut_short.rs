//! Nobody types a whole id; but a prefix that means two todos must not close
//! the wrong one.

use crate::shell::{Shell, text};

fn shell() -> Shell {
    let shell = Shell::new();
    for id in ["abc", "abd", "xyz", "xy"] {
        shell.ok(&["todo", "add", "x", "--id", id]);
    }
    shell
}

#[test]
fn a_beginning_that_is_one_todos_means_it() {
    let shell = shell();
    assert_eq!(text(&shell.json(&["todo", "show", "abc"])[0], "id"), "abc");
    assert_eq!(
        text(&shell.json(&["todo", "done", "abd"])[0], "status"),
        "done"
    );
    assert_eq!(
        text(
            &shell.json(&["todo", "edit", "xyz", "--body", "y"])[0],
            "body"
        ),
        "y"
    );
    shell.ok(&["todo", "rm", "xyz"]);
    // Deleted ones are found where they may come back.
    assert_eq!(shell.json(&["todo", "history", "xyz"]).len(), 3);
    assert_eq!(text(&shell.json(&["todo", "show", "x"])[0], "id"), "xy");
}

#[test]
fn a_whole_id_means_itself_even_if_others_begin_with_it() {
    assert_eq!(text(&shell().json(&["todo", "show", "xy"])[0], "id"), "xy");
}

#[test]
fn a_beginning_of_several_is_refused_with_the_candidates() {
    let shell = shell();
    for command in ["show", "done", "rm", "history"] {
        let line = shell.fails(2, &["todo", command, "ab"]);
        assert!(line.contains("abc, abd"), "{line}");
    }
    shell.fails(2, &["todo", "edit", "x", "--body", "y"]);
    assert_eq!(shell.json(&["todo", "ls", "--status", "done"]).len(), 0);
    assert_eq!(shell.json(&["todo", "ls"]).len(), 4);
}
