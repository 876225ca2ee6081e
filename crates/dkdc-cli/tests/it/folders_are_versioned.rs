//! A folder in the lake is added, compared, moved, deleted and written out by the
//! commands that people expect, and they say what they did.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::shell::{DKDC, Shell, text};

fn shell() -> Shell {
    let shell = Shell::new();
    fs::create_dir_all(shell.path("tree/sub")).expect("a folder");
    shell.write("tree/a.csv", "x,y\n1,2\n3,4\n");
    shell.write("tree/sub/b.txt", "one\ntwo\n");
    shell.write("tree/sub/c.tmp", "no");
    shell
}

#[test]
fn a_folder_goes_in_and_comes_out() {
    let shell = shell();
    let dry = shell.ok(&[
        "lake",
        "add",
        "tree",
        "--exclude",
        "*.tmp",
        "--dry-run",
        "--json",
    ]);
    assert!(dry.contains("sub/b.txt") && !dry.contains("c.tmp"), "{dry}");
    assert!(!shell.ok(&["lake", "ls", "--json"]).contains("a.csv"));
    let added = shell.ok(&["lake", "add", "tree", "--exclude", "*.tmp"]);
    assert!(
        added.starts_with("2 new, 0 changed, 0 unchanged"),
        "{added}"
    );
    let again = shell.ok(&["lake", "add", "tree", "--exclude", "*.tmp", "--json"]);
    assert!(
        again.contains("\"unchanged\":2") || again.contains("\"unchanged\": 2"),
        "{again}"
    );
    let out = shell.ok(&["lake", "checkout", "tree", "--to", "out"]);
    assert!(out.starts_with("2 new"), "{out}");
    assert_eq!(shell.read("out/sub/b.txt"), b"one\ntwo\n");
    shell.write("out/sub/b.txt", "mine");
    let refused = shell.fails(1, &["lake", "checkout", "tree", "--to", "out"]);
    assert!(refused.contains("1 file failed"), "{refused}");
    shell.ok(&["lake", "checkout", "tree", "--to", "out", "--force"]);
    assert_eq!(shell.read("out/sub/b.txt"), b"one\ntwo\n");
    shell.fails(3, &["lake", "checkout", "nothing", "--to", "out"]);
    shell.fails(3, &["lake", "add", "nothing"]);
}

#[test]
fn differences_and_the_log_are_shown() {
    let shell = shell();
    shell.ok(&["lake", "add", "tree"]);
    shell.write("tree/sub/b.txt", "one\n2\n");
    let diff = shell.ok(&["lake", "diff", "tree", "./tree", "--json"]);
    assert!(
        diff.contains("sub/b.txt") && !diff.contains("a.csv"),
        "{diff}"
    );
    let lines = shell.ok(&[
        "lake", "diff", "tree", "./tree", "--text", "--format", "table",
    ]);
    assert!(lines.contains("-two") && lines.contains("+2"), "{lines}");
    fs::remove_file(shell.path("tree/a.csv")).expect("a file");
    let synced = shell.ok(&["lake", "sync", "tree"]);
    assert!(
        synced.contains("1 changed") && synced.contains("1 deleted"),
        "{synced}"
    );
    shell.ok(&["lake", "mv", "tree/sub/b.txt", "tree/sub/d.txt"]);
    shell.ok(&["lake", "mv", "-r", "tree/sub", "moved"]);
    let log = shell.ok(&["lake", "log", "moved/d.txt", "--json"]);
    assert!(log.contains("tree/sub/d.txt"), "{log}");
    assert_eq!(shell.ok(&["lake", "show", "moved/d.txt"]), "one\n2\n");
    let versions = shell.json(&["lake", "history", "moved/d.txt"]);
    let first = &versions[0]["idx"];
    let first = first.as_str().map_or(first.to_string(), str::to_owned);
    let first = format!("tree/sub/b.txt@{first}");
    assert_eq!(shell.ok(&["lake", "show", &first]), "one\ntwo\n");
    let lines = shell.ok(&[
        "lake",
        "diff",
        &first,
        "moved/d.txt",
        "--text",
        "--format",
        "table",
    ]);
    assert!(lines.contains("-two") && lines.contains("+2"), "{lines}");
    shell.fails(3, &["lake", "show", "tree/a.csv"]);
    let deleted = shell.dkdc(&["lake", "rm", "moved/*.tmp"]);
    assert!(deleted.err.starts_with("1 file deleted"), "{deleted:?}");
    shell.ok(&["lake", "rm", "-r", "moved"]);
    shell.fails(3, &["lake", "rm", "-r", "moved"]);
    let du = shell.ok(&["lake", "du", "--json"]);
    assert!(du.contains("all versions"), "{du}");
    let gone = shell.ok(&["lake", "gc", "--dry-run", "--json"]);
    assert!(gone.contains("\"pieces\""), "{gone}");
    shell.ok(&["lake", "gc"]);
}

/// Whenever it is killed, no final name has half a file, and the same command again
/// does the rest.
#[test]
fn what_is_interrupted_goes_on() {
    let shell = Shell::new().with("DKDC_DB", "l.db");
    let files = 400;
    for number in 0..files {
        let folder = shell.path(&format!("tree/{}", number % 20));
        fs::create_dir_all(&folder).expect("a folder");
        let content = format!("{number} ").repeat(2000);
        fs::write(folder.join(number.to_string()), content).expect("a file");
    }
    let wal = || fs::metadata(shell.path("l.db-wal")).map_or(0, |wal| wal.len());
    for bytes in [1, 1 << 18] {
        let until = || wal() >= bytes;
        killed(&shell, &["lake", "add", "tree"], &until);
    }
    shell.ok(&["lake", "add", "tree"]);
    let out = shell.path("out");
    for under_way in [1, 30, 300, files] {
        let until = || count(&out) >= under_way;
        killed(&shell, &["lake", "checkout", "tree", "--to", "out"], &until);
        same_where_there(&shell, files);
    }
    shell.ok(&["lake", "checkout", "tree", "--to", "out"]);
    assert_eq!(same_where_there(&shell, files), files);
    let left = fs::read_dir(shell.path("out")).expect("a folder");
    assert_eq!(left.count(), 20, "nothing is under way any more");
    shell.ok(&["check"]);
}

/// Runs a command until something is so, or it has ended.
fn killed(shell: &Shell, args: &[&str], until: &dyn Fn() -> bool) {
    let mut command = shell.command(DKDC);
    let command = command.args(args).stdout(Stdio::null());
    let mut child = command.spawn().expect("it runs");
    while !until() && child.try_wait().expect("a state").is_none() {
        std::thread::yield_now();
    }
    child.kill().expect("killed");
    child.wait().expect("it ends");
}

/// How many files and folders are somewhere below.
fn count(folder: &Path) -> usize {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let entries = entries.filter_map(Result::ok);
    entries.map(|entry| 1 + count(&entry.path())).sum()
}

/// How many files are out, each of which must be whole.
fn same_where_there(shell: &Shell, files: usize) -> usize {
    let is_there = |number: &usize| {
        let name = format!("{}/{number}", number % 20);
        match fs::read(shell.path("out").join(&name)) {
            Ok(out) => {
                assert!(out == shell.read(&format!("tree/{name}")), "{name}");
                true
            }
            Err(_) => false,
        }
    };
    (0..files).filter(is_there).count()
}

/// A script asks for what it has mistyped, and goes on as if nothing had changed.
#[test]
fn what_never_was_is_not_found() {
    let shell = shell();
    shell.ok(&["lake", "add", "tree"]);
    let line = shell.fails(3, &["lake", "diff", "tree", "treee"]);
    assert_eq!(line, "File treee does not exist");
    for args in [
        &["diff", "nope", "nope2"][..],
        &["diff", "tree", "tree", "--user", "ann"],
        &["log", "nope"],
        &["log", "tree", "--user", "ann"],
        &["du", "nope"],
        &["du", "tree/a.cs"],
    ] {
        shell.fails(3, &[&["lake"], args].concat());
    }
    let names = |args: &[&str]| {
        let rows = shell.json(&[&["lake"], args].concat());
        rows.iter()
            .map(|row| row["file"].to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&["log", "tree/sub", "-n", "0"]).len(), 0);
    shell.ok(&["lake", "rm", "-r", "tree/sub"]);
    assert_eq!(names(&["diff", "tree/sub", "tree"]), ["\"a.csv\""]);
    assert_eq!(names(&["log", "./tree//sub"]).len(), 4);
    let du = shell.json(&["lake", "du", "tree/sub"]);
    assert_eq!((&du[0]["files"], &du[1]["files"]), (&0.into(), &2.into()));
}

#[test]
fn a_file_is_listed_by_its_name() {
    let shell = shell();
    shell.ok(&["lake", "add", "tree"]);
    shell.ok(&["lake", "add", "tree", "--user", "ann"]);
    shell.write("a[1].txt", "x");
    shell.ok(&["lake", "put", "a[1].txt"]);
    let count = |args: &[&str]| shell.json(&[&["lake", "ls"], args].concat()).len();
    assert_eq!(count(&["tree/a.csv"]), 2);
    assert_eq!(count(&["/tree//a.csv", "--user", "ann"]), 1);
    assert_eq!(count(&["a[1].txt"]), 1);
    let log = shell.json(&["lake", "log"]);
    let before_ann = text(&log[4], "idx");
    assert_eq!(count(&["tree/a.csv", "--as-of", before_ann]), 1);
    assert_eq!(count(&["tree"]), 6);
    assert_eq!(shell.json(&["lake", "du", "tree/a.csv"])[0]["files"], 2);
}

#[test]
fn the_log_tells_users_apart() {
    let shell = shell();
    shell.ok(&["lake", "add", "tree"]);
    shell.ok(&["lake", "add", "tree", "--user", "ann"]);
    let users = |args: &[&str]| {
        let rows = shell.json(&[&["lake", "log"], args].concat());
        let ann = rows.iter().filter(|row| row["user_id"] == "ann").count();
        (rows.len(), ann)
    };
    assert_eq!(users(&[]), (6, 3));
    assert_eq!(users(&["--user", "ann"]), (3, 3));
    assert_eq!(users(&["tree/sub", "--user", "ann"]), (2, 2));
    let du = |args: &[&str]| shell.json(&[&["lake", "du"], args].concat())[1]["files"].clone();
    assert_eq!((du(&[]), du(&["--user", "ann"])), (6.into(), 3.into()));
}

#[cfg(unix)]
#[test]
fn a_file_is_no_folder_to_write_into() {
    let shell = shell();
    shell.ok(&["lake", "add", "tree"]);
    shell.write("file", "x");
    for to in ["file", "file/", "file/sub"] {
        let line = shell.fails(4, &["lake", "checkout", "tree", "--to", to]);
        assert_eq!(line, "file: it is a file, not a folder", "{to}");
    }
    let line = shell.fails(2, &["lake", "diff", "tree", "./file"]);
    assert_eq!(line, "./file: it is a file, not a folder");
}

#[test]
fn what_files_take_is_told_exactly() {
    let shell = Shell::new();
    fs::create_dir_all(shell.path("tree")).expect("a folder");
    // Three files of one content that does not shrink; of one, an older version.
    let content: Vec<u8> = (0..2500_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    for name in ["a", "b", "c"] {
        shell.write(&format!("tree/{name}"), &content);
    }
    shell.write("tree/c", &content[..5000]);
    shell.ok(&["lake", "add", "tree"]);
    shell.write("tree/c", &content);
    shell.ok(&["lake", "add", "tree"]);
    let du = shell.json(&["lake", "du"]);
    let row = |at: usize| {
        let number = |name: &str| du[at][name].clone();
        let names = ["files", "logical", "unique", "stored"];
        (names.map(number), number("dedup"), number("compression"))
    };
    let numbers = |numbers: [u64; 4]| numbers.map(serde_json::Value::from);
    assert_eq!(
        row(0),
        (numbers([3, 30_000, 10_000, 10_000]), 3.0.into(), 1.0.into())
    );
    assert_eq!(
        row(1),
        (
            numbers([4, 35_000, 15_000, 15_000]),
            2.33.into(),
            1.0.into()
        )
    );
}

/// The failure to prevent: somebody collects, and wonders why the file is as large as
/// before.
#[test]
fn space_that_a_store_keeps_is_told() {
    let original = include_bytes!("../../../dkdc-lake/tests/fixtures/original.sqlite");
    let rows: String = (0..5000).map(|n| format!("{n},row {n}\n")).collect();
    for (file, is_adopted) in [(&original[..], true), (&[][..], false)] {
        let shell = Shell::new().with("DKDC_DB", "data.db");
        shell.write("data.db", file);
        shell.dkdc_reading("x", &["lake", "put", "-", "--name", "a"]);
        shell.write("rows.csv", format!("id,name\n{rows}"));
        shell.ok(&["import", "t", "rows.csv"]);
        shell.ok(&["clear", "t", "--force"]);
        let said = shell.dkdc(&["lake", "gc"]).err;
        assert_eq!(said.contains("for later writes"), is_adopted, "{said}");
        assert_eq!(said.contains("data.db vacuum"), is_adopted, "{said}");
        shell.ok(&["vacuum"]);
        assert_eq!(shell.dkdc(&["lake", "gc"]).err, "");
    }
}

/// A bar is for people who look at it: a script's log has none.
#[test]
fn progress_is_shown_on_a_terminal_only() {
    let shell = shell();
    shell.write("large", vec![7; 20 << 20]);
    for args in [
        &["lake", "add", "tree"][..],
        &["lake", "put", "large"],
        &["lake", "checkout", "tree", "--to", "out"],
    ] {
        assert_eq!(shell.dkdc(args).err, "", "{args:?}");
    }
    let got = shell.dkdc(&["lake", "get", "large", "-o", "copy"]);
    assert_eq!(got.err, "copy: 20971520 bytes\n");
}

#[cfg(target_os = "linux")]
#[test]
fn a_large_file_shows_how_far_it_is() {
    let shell = shell();
    let slow = "(head -c 6000000 /dev/zero; sleep 0.5; head -c 6000000 /dev/zero)";
    let put = format!("{slow} | dkdc lake put - --name z");
    let shown = shell.on_terminal(100, &put, "");
    assert!(
        shown.out.contains("reading") && shown.out.contains("MiB"),
        "{shown:?}"
    );
    let small = shell.on_terminal(100, "echo small | dkdc lake put - --name s", "");
    assert!(!small.out.contains("reading"), "{small:?}");
    // Reading it takes longer than a look.
    let large = fs::File::create(shell.path("tree/large")).expect("a file");
    large.set_len(400 << 20).expect("a size");
    let shown = shell.on_terminal(100, "dkdc lake add tree", "");
    assert!(
        shown.out.contains("adding") && shown.out.contains("/400.00 MiB"),
        "{shown:?}"
    );
}
