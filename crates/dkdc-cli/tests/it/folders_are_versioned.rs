//! A folder in the lake is added, compared, moved, deleted and written out by the
//! commands that people expect, and they say what they did.

use crate::shell::Shell;

fn shell() -> Shell {
    let shell = Shell::new();
    std::fs::create_dir_all(shell.path("tree/sub")).expect("a folder");
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
    std::fs::remove_file(shell.path("tree/a.csv")).expect("a file");
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
    shell.fails(3, &["lake", "show", "tree/a.csv"]);
    let deleted = shell.ok(&["lake", "rm", "moved/*.tmp"]);
    assert!(deleted.starts_with("1 file deleted"), "{deleted}");
    shell.ok(&["lake", "rm", "-r", "moved"]);
    shell.fails(3, &["lake", "rm", "-r", "moved"]);
    let du = shell.ok(&["lake", "du", "--json"]);
    assert!(du.contains("all versions"), "{du}");
    let gone = shell.ok(&["lake", "gc", "--dry-run", "--json"]);
    assert!(gone.contains("\"pieces\""), "{gone}");
    shell.ok(&["lake", "gc"]);
}

#[test]
fn sql_reads_what_is_in_the_files() {
    let shell = shell();
    shell.ok(&["--db", "l.db", "lake", "add", "tree"]);
    let sql = |query: &str| shell.ok(&["--db", "l.db", "sql", query, "--format", "csv"]);
    let sum = "select sum(x) as x, sum(y) as y from lake_csv('tree/*.csv')";
    assert_eq!(sql(sum), "x,y\n4,6\n");
    let text = "select length(text) as n, _file from lake_text('tree/**/*.txt')";
    assert_eq!(sql(text), "n,_file\n8,tree/sub/b.txt\n");
    let data = "select data::varchar as d from lake where filename = 'b.txt'";
    assert!(sql(data).contains("one"));
    assert_eq!(sql("select count(*) as n from lake_files"), "n\n3\n");
    assert_eq!(sql("select count(*) as n from lake"), "n\n3\n");
    let then = sql("select max(idx) as i from lake_files");
    let then = then.lines().nth(1).expect("an idx").to_owned();
    shell.write("tree/a.csv", "x,z\n10,q\n");
    shell.write("tree/e.csv", "x,y\n5,6.5\n");
    shell.ok(&["--db", "l.db", "lake", "add", "tree"]);
    let both = "select x, y, z from lake_csv('tree/*.csv') order by x";
    assert_eq!(sql(both), "x,y,z\n5,6.5,\n10,,q\n");
    let old = format!("select sum(x) as x from lake_csv('tree/*.csv', at := '{then}')");
    assert_eq!(sql(&old), "x\n4\n");
    shell.write(
        "tree/j.json",
        r#"[{"n": 1, "l": [1, 2]}, {"n": 2.5, "o": {"p": "q"}}]"#,
    );
    shell.ok(&["--db", "l.db", "lake", "add", "tree"]);
    let json = "select sum(n) as n, max(o.p) as p from lake_json('tree/*.json')";
    assert_eq!(sql(json), "n,p\n3.5,q\n");
    let refused = shell.fails(2, &["--db", "l.db", "sql", "from lake_csv('no/*.csv')"]);
    assert!(refused.contains("matches"), "{refused}");
}
