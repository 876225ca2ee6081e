//! A store on a read-only disk, or of another user, is still there to be read.
//! Writing to it is the error, and the only one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::shell::{DKDC, Shell};

/// Nobody's number, on the systems we know.
const NOBODY: u32 = 65534;

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    id.stdout == b"0\n"
}

/// Runs `dkdc` as somebody whom permissions bind.
fn bound(shell: &Shell, args: &[&str]) -> (Option<i32>, String, String) {
    let program = shell.path("dkdc");
    let mut command = shell.command(&program);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let ended = command.args(args).output().expect("dkdc runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (ended.status.code(), text(ended.stdout), text(ended.stderr))
}

#[test]
fn a_store_that_may_not_be_read_says_so() {
    let shell = Shell::new().with("DKDC_DB", "data.db");
    shell.ok(&["todo", "add", "buy milk", "--id", "milk"]);
    fs::copy(DKDC, shell.path("dkdc")).expect("a copy");
    let mode = |path: &str, mode| {
        fs::set_permissions(shell.path(path), fs::Permissions::from_mode(mode)).expect("a mode");
    };
    mode("data.db", 0o000);
    mode("", 0o555);
    let (code, out, err) = bound(&shell, &["todo", "ls"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(
        err.contains("data.db: Permission denied") && err.lines().count() == 1,
        "{err}"
    );
    mode("", 0o755);
}

#[test]
fn a_folder_that_cannot_be_written_can_be_read() {
    let shell = Shell::new().with("DKDC_DB", "data.db");
    shell.ok(&["todo", "add", "buy milk", "--id", "milk"]);
    // Root's own folders are closed to others, its programs with them.
    fs::copy(DKDC, shell.path("dkdc")).expect("a copy");
    let mode = |path: &str, mode| {
        fs::set_permissions(shell.path(path), fs::Permissions::from_mode(mode)).expect("a mode");
    };
    mode("data.db", 0o444);
    mode("", 0o555);

    for args in [
        &["todo", "ls", "--format", "csv"][..],
        &["todo", "show", "milk", "--format", "csv"],
        &["row", "ls", "todos", "--format", "csv"],
        &["sql", "select body from todos", "--format", "csv"],
    ] {
        let (code, out, err) = bound(&shell, args);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{args:?}");
        assert!(out.contains("buy milk"), "{args:?}: {out}");
    }
    // What is not there need not be declared to be read.
    let (code, out, err) = bound(&shell, &["lake", "ls", "--format", "ndjson"]);
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "", ""));
    let (code, _, err) = bound(&shell, &["lake", "cat", "a.txt"]);
    assert_eq!(
        (code, err.as_str()),
        (Some(3), "dkdc: File a.txt does not exist\n")
    );
    for args in [
        &["todo", "add", "x"][..],
        &["todo", "rm", "milk"],
        &["row", "update", "todos", r#"{"id": "milk", "body": "x"}"#],
        &["table", "new", "t", "a:int"],
        &["--db", "new.db", "todo", "add", "x"],
    ] {
        let (code, out, err) = bound(&shell, args);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{args:?}: {err}");
        assert!(
            err.starts_with("dkdc: ") && err.lines().count() == 1,
            "{args:?}: {err}"
        );
        assert!(
            err.contains("cannot be written") || err.contains("new.db"),
            "{args:?}: {err}"
        );
    }
    // So that the folder can be removed.
    mode("", 0o755);
    assert_eq!(shell.json(&["todo", "ls"]).len(), 1);
}
