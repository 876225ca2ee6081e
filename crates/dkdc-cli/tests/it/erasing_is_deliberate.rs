//! `row erase` cannot be taken back. A script must say so, a person types the id,
//! and afterwards there is nothing to be found.

use crate::shell::Shell;

fn shell() -> Shell {
    let shell = Shell::with_people();
    for row in [
        r#"{"id": "ada", "name": "Ada Lovelace"}"#,
        r#"{"id": "bob", "name": "Bob"}"#,
    ] {
        shell.ok(&["row", "append", "people", row]);
    }
    shell.ok(&[
        "row",
        "update",
        "people",
        r#"{"id": "ada", "name": "Ada King"}"#,
    ]);
    shell
}

#[test]
fn a_pipe_must_force_it() {
    let shell = shell();
    let line = shell.fails(2, &["row", "erase", "people", "ada"]);
    assert!(line.contains("--force"), "{line}");
    shell.fails(3, &["row", "erase", "people", "ada", "nobody", "--force"]);
    shell.fails(3, &["row", "erase", "nothing", "ada", "--force"]);
    shell.ok(&["row", "get", "people", "ada"]);
    let ended = shell.dkdc(&["row", "erase", "people", "ada", "--force"]);
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (0, "2 versions and 0 contents erased\n")
    );
    shell.fails(3, &["row", "get", "people", "ada"]);
    shell.fails(3, &["row", "history", "people", "ada"]);
    shell.fails(3, &["row", "erase", "people", "ada", "--force"]);
    for file in std::fs::read_dir(shell.folder()).expect("a folder") {
        let path = file.expect("an entry").path();
        if path.is_file() {
            let content = std::fs::read(&path).expect("a file");
            let found = content.windows(4).any(|w| w == b"Love" || w == b"King");
            assert!(!found, "{}", path.display());
        }
    }
    shell.ok(&["check"]);
    assert_eq!(shell.json(&["row", "ls", "people"]).len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_person_types_the_id() {
    let shell = shell();
    for no in ["y\n", "\n", "ADA\n"] {
        let ended = shell.on_terminal(200, "dkdc row erase people ada", no);
        assert_eq!(ended.code, 1, "{ended:?}");
        let asked = "Erase \"ada\" of people (2 versions) for good? Type ada to go on:";
        assert!(ended.out.contains(asked), "{ended:?}");
        assert!(ended.out.contains("nothing was erased"), "{ended:?}");
    }
    let ended = shell.on_terminal(80, "dkdc row erase people ada", "ada\n");
    assert_eq!(ended.code, 0, "{ended:?}");
    shell.fails(3, &["row", "get", "people", "ada"]);
}

#[test]
fn a_vacuum_gives_space_back() {
    let shell = shell();
    let large = format!(r#"{{"id": "big", "name": "{}"}}"#, "x".repeat(100_000));
    shell.ok(&["row", "append", "people", &large]);
    shell.ok(&["clear", "--force"]);
    let before = shell.read("data.db").len();
    let ended = shell.dkdc(&["vacuum"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.err.contains(" bytes, before it "), "{ended:?}");
    let after = shell.read("data.db").len();
    assert!(after + 90_000 < before, "{after} of {before}");
    shell.ok(&["check"]);
}
