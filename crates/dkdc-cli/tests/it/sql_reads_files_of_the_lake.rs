//! Files of the lake are asked by SQL where they lie.
//!
//! The failure to prevent: a file is unpacked in vain, or not at all; a column comes
//! from another one, or from another version; what nobody asked for is read.

use crate::shell::Shell;

fn shell() -> Shell {
    let shell = Shell::new().with("DKDC_DB", "l.db");
    std::fs::create_dir_all(shell.path("tree/sub")).expect("a folder");
    shell
}

fn sql(shell: &Shell, query: &str) -> String {
    shell.ok(&["sql", query, "--format", "csv"])
}

/// Adds the tree, and says what the newest version is.
fn add(shell: &Shell) -> String {
    shell.ok(&["lake", "add", "tree"]);
    let newest = sql(shell, "select max(idx) as i from lake_files");
    newest.lines().nth(1).expect("an idx").to_owned()
}

#[test]
fn text_csv_and_json() {
    let shell = shell();
    shell.write("tree/a.csv", "x,y\n1,2\n3,4\n");
    shell.write("tree/sub/b.txt", "one\ntwo\n");
    shell.write("tree/sub/c.tmp", "no");
    let then = add(&shell);
    let sql = |query: &str| sql(&shell, query);
    let sum = "select sum(x) as x, sum(y) as y from lake_csv('tree/*.csv')";
    assert_eq!(sql(sum), "x,y\n4,6\n");
    let text = "select length(text) as n, _file from lake_text('tree/**/*.txt')";
    assert_eq!(sql(text), "n,_file\n8,tree/sub/b.txt\n");
    let data = "select data::varchar as d from lake where filename = 'b.txt'";
    assert!(sql(data).contains("one"));
    assert_eq!(sql("select count(*) as n from lake_files"), "n\n3\n");
    assert_eq!(sql("select count(*) as n from lake"), "n\n3\n");
    shell.write("tree/a.csv", "x,z\n10,q\n");
    shell.write("tree/e.csv", "x,y\n5,6.5\n");
    add(&shell);
    let both = "select x, y, z from lake_csv('tree/*.csv') order by x";
    assert_eq!(sql(both), "x,y,z\n5,6.5,\n10,,q\n");
    let old = format!("select sum(x) as x from lake_csv('tree/*.csv', at := '{then}')");
    assert_eq!(sql(&old), "x\n4\n");
    shell.write(
        "tree/j.json",
        r#"[{"n": 1, "l": [1, 2]}, {"n": 2.5, "o": {"p": "q"}}]"#,
    );
    add(&shell);
    let json = "select sum(n) as n, max(o.p) as p from lake_json('tree/*.json')";
    assert_eq!(sql(json), "n,p\n3.5,q\n");
    let refused = shell.fails(3, &["sql", "from lake_csv('no/*.csv')"]);
    assert!(refused.contains("matches"), "{refused}");
}

#[test]
fn parquet() {
    let shell = shell();
    let write = |name: &str, query: &str| {
        shell.ok(&["sql", query, "-o", &format!("tree/{name}.parquet")]);
    };
    // There must be a store to ask.
    shell.write("tree/note.txt", "x");
    add(&shell);
    write(
        "one",
        "select n, n * 1.5::double as d, 'row ' || n as s, n % 2 = 0 as even, \
         date '2026-01-01' + n::integer as day, \
         timestamp '2026-01-01 12:00:00.000001' as t, [n, null] as l, {'k': n, 'v': 'v'} as o \
         from range(10000) r(n)",
    );
    let then = add(&shell);
    let sql = |query: &str| sql(&shell, query);
    let all = "select count(*) as n, sum(n) as s, sum(d) as d, max(s) as m, \
               count(*) filter (where even) as e, max(day) as day, max(t) as t, \
               sum(l[1]) as l, sum(o.k) as k, min(_file) as f from lake_parquet('tree/*.parquet')";
    let expected = "10000,49995000,74992500.0,row 9999,5000,2053-05-18,2026-01-01T12:00:00.000001Z,\
                    49995000,49995000,tree/one.parquet";
    assert_eq!(sql(all).lines().nth(1), Some(expected));
    let some = "select s from lake_parquet('tree/*.parquet') where n between 4998 and 4999";
    assert_eq!(sql(some), "s\nrow 4998\nrow 4999\n");
    // Another type, one column less and one more: by name, and NULL elsewhere.
    write("two", "select 0.25::double as n, 'new' as z");
    add(&shell);
    let both = "select count(*) as c, sum(n) as n, count(s) as s, max(z) as z \
                from lake_parquet('tree/{one,two}.parquet')";
    assert_eq!(sql(both), "c,n,s,z\n10001,49995000.25,10000,new\n");
    write("one", "select 7 as n");
    add(&shell);
    let now = "select count(*) as c, sum(n) as n from lake_parquet('tree/one.parquet'";
    assert_eq!(sql(&format!("{now})")), "c,n\n1,7\n");
    let old = sql(&format!("{now}, at := '{then}')"));
    assert_eq!(old, "c,n\n10000,49995000\n");
    let refused = shell.fails(2, &["sql", "from lake_parquet('tree/*.txt')"]);
    assert!(refused.contains("tree/note.txt"), "{refused}");
}

/// A piece that holds nothing but one column is damaged: a question that does not
/// ask for the column has no need of it.
#[test]
fn of_parquet_only_what_is_asked_for_is_read() {
    let shell = shell();
    shell.write("tree/note.txt", "x");
    add(&shell);
    let query =
        "select n, md5(n::varchar) || md5((n + 7)::varchar) as noise from range(100000) r(n)";
    shell.ok(&["sql", query, "-o", "tree/wide.parquet"]);
    add(&shell);
    let db = shell.path("l.db");
    // Not far from the end, where the wide column is.
    let script = "DROP TRIGGER _dkdc_guard_update__dkdc_chunks; UPDATE _dkdc_chunks \
                  SET data = zeroblob(length(data)) WHERE number = (SELECT number \
                  FROM _dkdc_chunks WHERE codec < 2 ORDER BY number DESC LIMIT 1 OFFSET 40)";
    let done = std::process::Command::new("sqlite3")
        .arg(db)
        .arg(script)
        .status();
    assert!(done.expect("sqlite3 runs").success());
    let some = "select sum(n) as n from lake_parquet('tree/*.parquet')";
    assert_eq!(sql(&shell, some), "n\n4999950000\n");
    // It is the store's fault, and not the question's.
    for all in [
        "select max(noise) as m from lake_parquet('tree/*.parquet')",
        "select length(data::varchar) as n from lake where filename = 'wide.parquet'",
    ] {
        let failed = shell.fails(7, &["sql", all]);
        assert!(failed.contains("the content of"), "{failed}");
    }
    let text = shell.fails(
        7,
        &["sql", "select max(text) from lake_text('tree/wide.*')"],
    );
    assert!(text.contains("tree/wide.parquet"), "{text}");
}

#[test]
fn a_name_that_no_file_has_is_not_found() {
    let shell = Shell::new().with("DKDC_DB", "l.db");
    shell.write("a.csv", "x\n1\n");
    shell.ok(&["lake", "put", "a.csv"]);
    for sql in [
        "from lake_csv('nope.csv')",
        "select * from lake_text('no/*.txt')",
    ] {
        let line = shell.fails(3, &["sql", sql]);
        assert!(line.contains("no file of lake matches"), "{line}");
    }
}

/// Two people have a file of one name: the rows of both are read, or those of one.
#[test]
fn users_can_be_told_apart() {
    let shell = Shell::new().with("DKDC_DB", "l.db");
    for (user, x) in [("ann", 1), ("bob", 20)] {
        let csv = format!("x\n{x}\n");
        let args = ["lake", "put", "-", "--name", "a.csv", "--user", user];
        shell.dkdc_reading(csv, &args);
    }
    let sum = |arguments: &str| {
        let query = format!("select sum(x) as x from lake_csv('*.csv'{arguments})");
        sql(&shell, &query)
    };
    assert_eq!(sum(""), "x\n21\n");
    assert_eq!(sum(", user := 'ann'"), "x\n1\n");
    let newest = sql(&shell, "select max(idx) as i from lake_files");
    let newest = newest.lines().nth(1).expect("an idx");
    let then = format!(", at := '{newest}', user := 'bob'");
    assert_eq!(sum(&then), "x\n20\n");
    let nobody = shell.fails(3, &["sql", "from lake_csv('*.csv', user := 'eve')"]);
    assert!(
        nobody.contains("no file of lake, of user \"eve\","),
        "{nobody}"
    );
}
