//! The evening the disk fails is the wrong one to learn how backups, proofs and
//! rescues work: each is one command, says what it did, and ends with a code that a
//! script can trust.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use crate::shell::{DKDC, Shell, text};

fn shell() -> Shell {
    let shell = Shell::with_people();
    let rows: String = (0..300)
        .map(|n| format!("{{\"id\": \"p{n}\", \"name\": \"name {n}\"}}\n"))
        .collect();
    shell.dkdc_reading(&rows, &["row", "append", "people", "-"]);
    for n in 0..3 {
        let row = format!("{{\"id\": \"p7\", \"n\": {n}}}");
        shell.ok(&["row", "update", "people", &row]);
    }
    shell
}

#[test]
fn a_backup_is_a_store_and_replaces_nothing() {
    let shell = shell();
    let ended = shell.dkdc(&["backup", "copy.db"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.err.starts_with("copy.db: ") && ended.err.contains(" bytes, as of 20"));
    shell.ok(&["--db", "copy.db", "check"]);
    let rows = |db: &str| shell.ok(&["--db", db, "row", "ls", "people", "--json"]);
    assert_eq!(rows("copy.db"), rows("data.db"));
    let line = shell.fails(4, &["backup", "copy.db"]);
    assert!(line.contains("copy.db is there already"), "{line}");
    shell.fails(3, &["backup", "no/such/folder.db"]);
}

/// The files in the shell's folder.
fn names(shell: &Shell) -> Vec<String> {
    let entries = std::fs::read_dir(shell.folder()).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

fn is_under_way(shell: &Shell) -> bool {
    names(shell).iter().any(|name| name.starts_with(".dkdc-"))
}

/// Starts a command that writes a file, and sends it a signal while it does.
fn signalled(shell: &Shell, command: &mut Command, signal: &str) -> ExitStatus {
    let mut child = command.spawn().expect("dkdc runs");
    while !is_under_way(shell) {
        let ended = child.try_wait().expect("a child");
        assert!(ended.is_none(), "{ended:?}: {:?}", names(shell));
        std::thread::yield_now();
    }
    let pid = child.id().to_string();
    let kill = Command::new("kill").args([signal, &pid]).status();
    assert!(kill.expect("kill runs").success());
    child.wait().expect("it ends")
}

#[test]
fn a_command_that_is_interrupted_leaves_no_file_behind() {
    let shell = shell();
    let endless = "select range as n from range(100000000000)";
    let mut command = shell.command(DKDC);
    command.args(["sql", endless, "-o", "all.csv"]);
    // Not by Ctrl-C's signal: where the tests run in the background, it is ignored.
    let status = signalled(&shell, &mut command, "-TERM");
    assert_eq!(status.signal(), Some(15), "{status}");
    assert!(
        !is_under_way(&shell) && !shell.path("all.csv").exists(),
        "{:?}",
        names(&shell)
    );
}

/// The terminal is closed over an export that was to outlive it.
#[cfg(target_os = "linux")]
#[test]
fn a_command_that_is_to_ignore_a_hang_up_does() {
    let shell = shell();
    let mut command = shell.command("sh");
    command
        .args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", DKDC])
        .args(["sql", "select range as n from range(5000000)"])
        .args(["-o", "all.csv"])
        .stderr(Stdio::null());
    let status = signalled(&shell, &mut command, "-HUP");
    assert!(status.success(), "{status}");
    let all = shell.read("all.csv");
    assert_eq!(all.iter().filter(|byte| **byte == b'\n').count(), 5_000_001);
}

#[test]
fn heads_that_were_kept_prove_that_nothing_was_cut_off() {
    let shell = shell();
    let heads = shell.ok(&["head"]);
    let lines: Vec<&str> = heads.lines().collect();
    assert_eq!(lines.len(), 2, "{heads}");
    assert!(lines[0].starts_with("_dkdc_events ") && lines[1].starts_with("people "));
    shell.write("heads.txt", &heads);
    shell.ok(&["backup", "then.db"]);
    shell.ok(&["row", "append", "people", r#"{"id": "new", "name": "New"}"#]);
    let ended = shell.dkdc(&["check", "--expect", "heads.txt"]);
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (0, "2 chains as expected\n")
    );
    // An older copy in its place is sound, and lacks the end.
    shell.write("heads.txt", shell.ok(&["head"]));
    shell.ok(&["--db", "then.db", "check"]);
    let line = shell.fails(7, &["--db", "then.db", "check", "--expect", "heads.txt"]);
    assert!(
        line.contains("is not what was expected: people: version"),
        "{line}"
    );
    shell.ok(&["clear", "people", "--force"]);
    let line = shell.fails(1, &["check", "--expect", "heads.txt"]);
    assert!(line.contains("cannot be proven"), "{line}");
    shell.fails(3, &["check", "--expect", "nothing.txt"]);
    shell.write("other.txt", "no heads\n");
    let line = shell.fails(2, &["check", "--expect", "other.txt"]);
    assert!(line.contains("other.txt line 1"), "{line}");
    shell.write("other.txt", "\n");
    shell.fails(2, &["check", "--expect", "other.txt"]);
}

#[test]
fn a_damaged_store_is_repaired_or_salvaged() {
    let shell = shell();
    shell.ok(&["check", "--repair"]);
    let mut bytes = shell.read("data.db");
    let at = bytes.windows(8).position(|window| window == b"name 150");
    bytes[at.expect("the row")] = b'N';
    shell.write("data.db", &bytes);
    let ended = shell.dkdc(&["check", "--repair", "--json"]);
    let found: Vec<serde_json::Value> = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(
        (&found[0]["damaged"], &found[0]["sound"]),
        (&1.into(), &false.into())
    );
    assert!(found[0]["first_damaged"].is_string(), "{found:?}");
    assert_eq!(ended.code, 7, "the log is not mended");
    let salvaged = shell.json(&["salvage", "data.db", "rescued.db"]);
    assert_eq!(
        (text(&salvaged[0], "table"), &salvaged[0]["versions"]),
        ("people", &302.into())
    );
    assert_eq!(salvaged[0]["lost"].as_array().map(Vec::len), Some(1));
    shell.ok(&["--db", "rescued.db", "check"]);
    assert_eq!(
        shell
            .json(&["--db", "rescued.db", "row", "ls", "people"])
            .len(),
        299
    );
    shell.fails(4, &["salvage", "data.db", "rescued.db"]);
    shell.fails(3, &["salvage", "nobody.db", "x.db"]);
    shell.write("text.db", "no store");
    shell.fails(2, &["salvage", "text.db", "x.db"]);
    assert!(!shell.path("x.db").exists());
}

#[test]
fn a_prune_is_deliberate_and_says_what_it_takes() {
    let shell = shell();
    let line = shell.fails(2, &["prune", "people", "--keep-versions", "1"]);
    assert!(line.contains("--force"), "{line}");
    shell.fails(2, &["prune", "people", "--force"]);
    shell.fails(2, &["prune", "people", "--keep-versions", "0", "--force"]);
    shell.fails(
        2,
        &["prune", "people", "--older-than", "whenever", "--force"],
    );
    shell.fails(3, &["prune", "nothing", "--keep-versions", "1", "--force"]);
    let old = shell.json(&["row", "history", "people", "p7"]);
    let args = ["prune", "people", "--keep-versions", "2"];
    let would = shell.json(&[&args[..], &["--dry-run"]].concat());
    assert_eq!(
        (&would[0]["versions"], &would[0]["bytes_after"]),
        (&2.into(), &serde_json::Value::Null)
    );
    assert_eq!(shell.json(&["row", "history", "people", "p7"]).len(), 4);
    let none = shell.json(&["prune", "people", "--older-than", "90 days", "--force"]);
    assert_eq!(none[0]["versions"], 0);
    let pruned = shell.json(&[&args[..], &["--force"]].concat());
    assert_eq!(pruned[0]["versions"], 2);
    assert_eq!(shell.json(&["row", "history", "people", "p7"]).len(), 2);
    let line = shell.fails(2, &["row", "ls", "people", "--as-of", text(&old[0], "idx")]);
    assert!(line.contains("outside history"), "{line}");
    shell.ok(&["check"]);
}

#[test]
fn a_request_is_made_once() {
    let shell = Shell::with_people();
    let append = [
        "row",
        "append",
        "people",
        r#"{"id": "a", "name": "A"}"#,
        "--request-key",
        "1",
    ];
    let first = shell.json(&append);
    assert_eq!(shell.json(&append), first);
    let other = [
        "row",
        "append",
        "people",
        r#"{"id": "b", "name": "B"}"#,
        "--request-key",
        "1",
    ];
    let line = shell.fails(2, &other);
    assert!(line.contains("request key \"1\""), "{line}");
    let rows = "{\"id\": \"c\", \"name\": \"C\"}\n";
    let lines = ["row", "append", "people", "-", "--request-key", "2"];
    assert_eq!(shell.dkdc_reading(rows, &lines).err, "1 row appended\n");
    let again = shell.dkdc_reading(rows, &[&lines[..], &["--json"]].concat());
    assert_eq!((again.code, again.out.as_str()), (0, "[{\"rows\":1}]\n"));
    assert!(again.err.contains("made before"), "{again:?}");
    shell.write("more.ndjson", "{\"id\": \"d\", \"name\": \"D\"}\n");
    for _ in 0..2 {
        let made = shell.json(&["import", "people", "more.ndjson", "--request-key", "3"]);
        assert_eq!(
            (text(&made[0], "table"), &made[0]["rows"]),
            ("people", &1.into())
        );
    }
    // Another day's rows with the same key.
    let other = shell.dkdc_reading("{\"id\": \"e\", \"name\": \"E\"}\n", &lines);
    assert_eq!(other.code, 2, "{other:?}");
    shell.write("more.ndjson", "{\"id\": \"f\", \"name\": \"F\"}\n");
    let line = shell.fails(
        2,
        &["import", "people", "more.ndjson", "--request-key", "3"],
    );
    assert!(line.contains("request key \"3\""), "{line}");
    shell.fails(2, &["import", "people", "more.ndjson", "--request-key", ""]);
    assert_eq!(shell.json(&["row", "ls", "people"]).len(), 3);
}
