//! Help without an example sends its reader to the web. Every command has one,
//! and the completions know every command.

use crate::shell::Shell;

/// Every command, with what it has below.
const COMMANDS: [(&str, &[&str]); 19] = [
    (
        "todo",
        &[
            "add", "ls", "show", "edit", "done", "rm", "history", "restore",
        ],
    ),
    (
        "lake",
        &[
            "put", "get", "cat", "rm", "mv", "history", "restore", "ls", "add", "sync", "checkout",
            "diff", "log", "show", "du", "gc",
        ],
    ),
    (
        "table",
        &["new", "ls", "schema", "add-column", "rename-column"],
    ),
    (
        "row",
        &[
            "append", "update", "upsert", "get", "rm", "erase", "history", "restore", "ls",
        ],
    ),
    ("import", &[]),
    ("export", &[]),
    ("mirror", &["status", "seal", "rebuild", "drop"]),
    ("sql", &[]),
    ("changes", &[]),
    ("check", &[]),
    ("status", &[]),
    ("head", &[]),
    ("backup", &[]),
    ("salvage", &[]),
    ("prune", &[]),
    ("vacuum", &[]),
    ("clear", &[]),
    ("tour", &[]),
    ("completions", &[]),
];

#[test]
fn every_command_shows_an_example() {
    let shell = Shell::new();
    let helps = |words: &[&str]| {
        let help = shell.ok(&[words, &["--help"]].concat());
        assert!(help.contains("Example:\n  "), "{words:?}: {help}");
        help
    };
    let whole = helps(&[]);
    for (command, below) in COMMANDS {
        assert!(whole.contains(&format!("\n  {command} ")), "{command}");
        let help = helps(&[command]);
        for name in below {
            assert!(help.contains(&format!("\n  {name} ")), "{command} {name}");
            helps(&[command, name]);
        }
    }
    // No command is missing above.
    let listed = whole
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1);
    let listed = listed.take_while(|line| !line.is_empty()).count();
    assert_eq!(listed, COMMANDS.len() + 1, "and help itself");
}

#[test]
fn help_tells_the_exit_codes_and_where_stores_are() {
    let help = Shell::new().ok(&["--help"]);
    for part in [
        "Exit codes:",
        "  7  damaged",
        "DKDC_DIR",
        "DKDC_DB",
        "./data.db",
    ] {
        assert!(help.contains(part), "{part}");
    }
}

#[test]
fn completions_know_every_command() {
    let shell = Shell::new();
    for name in ["bash", "zsh", "fish"] {
        let script = shell.ok(&["completions", name]);
        for (command, below) in COMMANDS {
            assert!(script.contains(command), "{name}: {command}");
            assert!(
                below.iter().all(|below| script.contains(below)),
                "{name}: {command}"
            );
        }
    }
    shell.fails(2, &["completions", "cmd"]);
}

#[test]
fn nothing_at_all_is_answered_with_help() {
    let ended = Shell::new().dkdc(&[""; 0]);
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    assert!(ended.err.contains("Usage: dkdc"), "{ended:?}");
    let version = Shell::new().ok(&["--version"]);
    assert!(version.starts_with("dkdc "), "{version}");
}
