//! `clear` is the one command that loses history. A script must say so, a
//! person is asked, and nothing else is touched.

use crate::shell::{Shell, text};

fn shell() -> Shell {
    let shell = Shell::with_people();
    shell.ok(&["table", "new", "other", "x:int"]);
    shell.ok(&["row", "append", "people", r#"{"id": "a", "name": "A"}"#]);
    shell.ok(&["row", "update", "people", r#"{"id": "a", "n": 1}"#]);
    shell.ok(&["row", "append", "other", r#"{"id": "o"}"#]);
    shell
}

fn versions(shell: &Shell) -> Vec<u64> {
    let status = shell.json(&["status"]);
    let tables = status[0]["tables"].as_array().expect("tables");
    tables
        .iter()
        .filter_map(|table| table["versions"].as_u64())
        .collect()
}

#[test]
fn a_pipe_must_force_it() {
    let shell = shell();
    let line = shell.fails(2, &["clear"]);
    assert!(line.contains("--force"), "{line}");
    shell.fails(3, &["clear", "other", "nobody", "--force"]);
    assert_eq!(versions(&shell), [2, 1]);
    let cleared = shell.json(&["clear", "people", "--force"]);
    assert_eq!(
        (text(&cleared[0], "cleared"), &cleared[0]["versions"]),
        ("people", &2.into())
    );
    assert_eq!(versions(&shell), [0, 1]);
    shell.ok(&["clear", "--force"]);
    assert_eq!(versions(&shell), [0, 0]);
    assert_eq!(
        shell.json(&["table", "ls"]).len(),
        2,
        "the tables are still there"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_person_is_asked() {
    let shell = shell();
    for no in ["n\n", "\n", "what\n"] {
        let ended = shell.on_terminal(80, "dkdc clear", no);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(
            ended.out.contains("Clear 2 tables (3 versions)? [y/N]"),
            "{ended:?}"
        );
        assert!(ended.out.contains("nothing was cleared"), "{ended:?}");
    }
    assert_eq!(versions(&shell), [2, 1]);
    let ended = shell.on_terminal(80, "dkdc clear other", "y\n");
    assert!(
        ended.out.contains("Clear 1 table (1 version)? [y/N]"),
        "{ended:?}"
    );
    assert_eq!(versions(&shell), [2, 0]);
}

#[test]
fn what_was_cleared_is_outside_history() {
    let shell = shell();
    let before = shell.json(&["row", "get", "people", "a"]);
    shell.ok(&["clear", "people", "--force"]);
    let line = shell.fails(
        2,
        &["row", "ls", "people", "--as-of", text(&before[0], "idx")],
    );
    assert!(line.contains("outside history"), "{line}");
}
