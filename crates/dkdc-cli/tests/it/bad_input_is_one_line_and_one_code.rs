//! A script that gets a backtrace, three lines of usage or the wrong code
//! cannot tell a typing error from a broken disk. Every refusal is one line
//! that says what and where, a code that is documented, and no half-done work.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;

use serde_json::json;

use crate::shell::{DKDC, Shell};

/// Refused with this code, by a line that says all of this.
fn refused(shell: &Shell, code: i32, args: &[&str], says: &[&str]) {
    let line = shell.fails(code, args);
    for part in says {
        assert!(
            line.contains(part),
            "{args:?}: {line:?} does not say {part:?}"
        );
    }
}

#[test]
fn unknown_tables_and_columns_are_named_with_those_there_are() {
    let shell = Shell::with_people();
    let row = r#"{"id": "a", "name": "A"}"#;
    for args in [
        &["row", "ls", "nobody"][..],
        &["row", "get", "nobody", "a"],
        &["row", "append", "nobody", row],
        &["row", "history", "nobody", "a"],
        &["row", "rm", "nobody", "a"],
        &["table", "schema", "nobody"],
        &["table", "add-column", "nobody", "x:int"],
        &["clear", "nobody", "--force"],
    ] {
        refused(&shell, 3, args, &["\"nobody\"", "people"]);
    }
    let unknown = r#"{"id": "a", "name": "A", "nam": "B"}"#;
    refused(
        &shell,
        2,
        &["row", "append", "people", unknown],
        &["\"nam\"", "born"],
    );
    refused(
        &shell,
        2,
        &["row", "ls", "people", "--order", "nam"],
        &["\"nam\"", "born"],
    );
    refused(
        &shell,
        2,
        &["table", "rename-column", "people", "nam", "x"],
        &["\"nam\""],
    );
    refused(
        &shell,
        2,
        &["row", "ls", "people", "--where", "nam > 1"],
        &["nam"],
    );
    refused(&shell, 2, &["sql", "select nam from people"], &["nam"]);
}

#[test]
fn a_question_about_an_unknown_table_is_not_found() {
    let shell = Shell::with_people();
    shell.write("sales.csv", "id\n1\n");
    for query in [
        "select * from nobody",
        "from history.nobody",
        "from nobody_at('yesterday')",
        "select * from people join nobody using (id)",
    ] {
        let line = shell.fails(3, &["sql", query]);
        assert_eq!(
            line, "there is no table \"nobody\"; tables: people",
            "{query}"
        );
    }
    let line = shell.fails(3, &["sql", "from nobody", "--with", "sales=sales.csv"]);
    assert!(line.ends_with("; tables: people, sales"), "{line}");
    refused(
        &shell,
        3,
        &["sql", "from people.nobody"],
        &["people.nobody"],
    );
    let condition = "id in (select id from nobody)";
    refused(
        &shell,
        3,
        &["row", "ls", "people", "--where", condition],
        &["\"nobody\""],
    );
    // A function is no table.
    refused(&shell, 2, &["sql", "select nobody(1)"], &["nobody"]);
}

#[test]
fn a_file_to_join_is_told_in_its_own_words() {
    let shell = Shell::with_people();
    shell.write("bad.parquet", "no parquet");
    shell.write("a.csv", "a\n1\n");
    let line = shell.fails(2, &["sql", "from s", "--with", "s=bad.parquet"]);
    assert!(
        line.contains("bad.parquet") && !line.contains("CREATE"),
        "{line}"
    );
    // Lines that are left out would be a wrong answer.
    shell.write("ragged.csv", "id,name\na,A\nb\nc,C,extra\n");
    refused(
        &shell,
        2,
        &["sql", "from r", "--with", "r=ragged.csv"],
        &["ragged.csv: its lines do not have as many fields as the first"],
    );
    let late: String = (0..30_000).map(|n| format!("{n},n\n")).collect();
    shell.write("late.csv", format!("id,name\n{late}x,y\n"));
    let line = shell.fails(2, &["sql", "from r", "--with", "r=late.csv"]);
    assert!(
        line.contains("Line: 30002") && !line.contains("Possible"),
        "{line}"
    );
    shell.write("parted.csv", "id;name\n1;a,b\n");
    let found = shell.json(&["sql", "from r", "--with", "r=parted.csv"]);
    assert_eq!(found, [json!({"id": 1, "name": "a,b"})]);
    for taken in ["people=a.csv", "People=a.csv"] {
        refused(
            &shell,
            2,
            &["sql", "select 1", "--with", taken],
            &["already"],
        );
    }
    let twice = ["sql", "select 1", "--with", "a=a.csv", "--with", "a=a.csv"];
    refused(&shell, 2, &twice, &["a table \"a\" already"]);
}

#[test]
fn a_folder_that_is_not_there_is_not_found() {
    let shell = Shell::with_people();
    shell.write("a.txt", "a");
    shell.ok(&["lake", "put", "a.txt"]);
    for args in [
        &["--db", "no/data.db", "todo", "add", "x"][..],
        &["--db", "no/data.db", "todo", "ls"],
        &["--db", "no/data.db", "table", "new", "t", "a:int"],
        &["--db", "no/data.db", "import", "t", "a.csv"],
        &["lake", "put", "no/a.txt"],
        &["lake", "get", "a.txt", "-o", "no/a.txt"],
        &["import", "people", "no/people.csv"],
    ] {
        let line = shell.fails(3, args);
        assert!(
            !line.contains(".dkdc-get-") && !line.contains("os error"),
            "{line}"
        );
    }
    assert!(!shell.path("no").exists());
}

#[test]
fn a_name_that_a_column_has_is_there_already() {
    let shell = Shell::with_people();
    for args in [
        &["table", "add-column", "people", "n:int"][..],
        &["table", "add-column", "people", "n:text"],
        &["table", "rename-column", "people", "score", "n"],
    ] {
        let line = shell.fails(4, args);
        assert_eq!(line, "table people has a column \"n\" already");
    }
    refused(
        &shell,
        2,
        &["table", "add-column", "people", "N:int"],
        &["case"],
    );
    refused(
        &shell,
        2,
        &["table", "rename-column", "people", "score", "N"],
        &["case"],
    );
    refused(
        &shell,
        2,
        &["table", "rename-column", "people", "score", "id"],
        &["id"],
    );
}

#[test]
fn values_that_do_not_fit_are_refused_with_their_column() {
    let shell = Shell::with_people();
    for (fields, says) in [
        (r#""name": 1"#, "column name: expected text"),
        (r#""n": "1""#, "column n: expected int"),
        (r#""n": 1.5"#, "column n: expected int, found number 1.5"),
        (r#""n": [1]"#, "column n: expected int, found list [1]"),
        (
            r#""n": {"a": 1}"#,
            "column n: expected int, found object {\"a\":1}",
        ),
        (r#""n": true"#, "column n: expected int, found bool true"),
        (r#""n": "x""#, "column n: expected int, found text \"x\""),
        (
            r#""n": 9223372036854775808"#,
            "column n: 9223372036854775808 is out of range",
        ),
        (r#""n": -9223372036854775809"#, "column n"),
        (
            r#""score": 9007199254740993"#,
            "9007199254740993 cannot be kept exactly: it would come back as 9007199254740992",
        ),
        (r#""born": "1815-13-10""#, "column born"),
        (r#""data": "0g""#, "column data"),
        (r#""tags": "x""#, "column tags"),
        (r#""tags": [1]"#, "column tags"),
        (r#""name": null"#, "column name: a value is required"),
        (r#""score": NaN"#, "people"),
        (r#""score": 1e400"#, "out of range"),
    ] {
        let row = format!(r#"{{"id": "a", {fields}}}"#);
        refused(&shell, 2, &["row", "append", "people", &row], &[says]);
    }
    assert!(shell.json(&["row", "ls", "people"]).is_empty());
}

#[test]
fn rows_that_are_none_are_refused() {
    let shell = Shell::with_people();
    let long = format!(r#"{{"id": "{}", "name": "A"}}"#, "x".repeat(1025));
    let deep = format!(
        r#"{{"id": "a", "name": "A", "extra": {}1{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    for (row, says) in [
        (r#"{"name": "A"}"#, "\"id\""),
        (r#"{"id": "", "name": "A"}"#, "1 to 1024 bytes"),
        (r#"{"id": 1, "name": "A"}"#, "must be a string"),
        (long.as_str(), "this one has 1025"),
        (r#"{"id": "a", "name": "A""#, " column 2"),
        (r#"{"id": "a", "id": "b", "name": "A"}"#, "twice"),
        (r#"["a"]"#, "people"),
        ("", "people"),
        (deep.as_str(), "people"),
    ] {
        // Longer than one argument may be.
        let ended = shell.dkdc_reading(format!("{row} \n"), &["row", "append", "people", "-"]);
        if row.is_empty() {
            assert_eq!(ended.code, 0, "{ended:?}");
        } else {
            assert!(ended.failed(2).contains(says), "{row}");
        }
        if row.len() < 100_000 {
            refused(&shell, 2, &["row", "append", "people", row], &[says]);
        }
    }
    assert!(shell.json(&["row", "ls", "people"]).is_empty());
}

#[test]
fn ids_of_todos_follow_the_same_rules() {
    let shell = Shell::new();
    refused(
        &shell,
        2,
        &["todo", "add", "x", "--id", ""],
        &["1 to 1024 bytes"],
    );
    refused(
        &shell,
        2,
        &["todo", "add", "x", "--id", &"é".repeat(513)],
        &["1026"],
    );
    refused(&shell, 2, &["todo", "show", ""], &["1 to 1024 bytes"]);
    shell.ok(&["todo", "add", "x", "--id", &"é".repeat(512)]);
    refused(
        &shell,
        3,
        &["todo", "show", "nope"],
        &["todo nope does not exist"],
    );
    shell.ok(&["todo", "add", "x", "--id", "a"]);
    refused(
        &shell,
        4,
        &["todo", "add", "x", "--id", "a"],
        &["todo a already exists"],
    );
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    let shell = Shell::with_people();
    let latin = OsString::from_vec(b"caf\xe9".to_vec());
    let line = shell.fails(2, &[OsStr::new("todo"), OsStr::new("add"), &latin]);
    assert!(line.contains("UTF-8: \"caf"), "{line}");
    let ended = shell.dkdc_reading(
        b"{\"id\": \"a\", \"name\": \"A\"}\n{\"id\": \"caf\xe9\", \"name\": \"A\"}\n",
        &["row", "append", "people", "-"],
    );
    assert!(ended.failed(2).contains("stdin line 2: it is not UTF-8"));
    let ended = shell.dkdc_reading(b"select 'caf\xe9'", &["sql", "-"]);
    assert!(ended.failed(2).contains("UTF-8"));
}

#[test]
fn files_that_are_no_stores_are_refused_and_stay_as_they_are() {
    let shell = Shell::with_people();
    shell.write(
        "text.db",
        "hello, this is no database, however long it may be\n".repeat(100),
    );
    refused(
        &shell,
        2,
        &["--db", "text.db", "status"],
        &["text.db", "no dkdc store"],
    );
    refused(
        &shell,
        2,
        &["--db", "text.db", "todo", "add", "x"],
        &["text.db", "no dkdc store"],
    );
    assert!(
        shell
            .read("text.db")
            .starts_with(b"hello, this is no database")
    );
    refused(&shell, 2, &["--db", ".", "status"], &["folder"]);
    refused(
        &shell,
        3,
        &["--db", "missing.db", "status"],
        &["no store at missing.db"],
    );
    refused(
        &shell,
        3,
        &["--db", "missing.db", "row", "ls", "people"],
        &["missing.db"],
    );
    assert!(!shell.path("missing.db").exists());

    // What a program of the future writes: everything but its format is ours.
    let mut newer = shell.read("data.db");
    let format = newer[60..64]
        .try_into()
        .map(u32::from_be_bytes)
        .expect("four bytes");
    newer[60..64].copy_from_slice(&(format + 1).to_be_bytes());
    shell.write("newer.db", &newer);
    refused(
        &shell,
        2,
        &["--db", "newer.db", "status"],
        &["upgrade dkdc"],
    );
    refused(
        &shell,
        2,
        &["--db", "newer.db", "todo", "add", "x"],
        &["upgrade dkdc"],
    );
    assert_eq!(shell.read("newer.db"), newer);
}

#[test]
fn times_that_are_none_or_outside_history_are_refused() {
    let shell = Shell::new();
    shell.ok(&["todo", "add", "x", "--id", "a"]);
    for (when, says) in [
        ("soonish", "is not a time"),
        ("2026-02-30", "is not a time"),
        ("", "is not a time"),
        ("1999-01-01", "outside history"),
        ("2999-01-01", "outside history"),
        ("5 minutes ago", "outside history"),
        ("9999999999999999", "outside history"),
        ("99999999999999999999", "no idx is greater"),
    ] {
        refused(&shell, 2, &["todo", "ls", "--as-of", when], &[says]);
        refused(&shell, 2, &["todo", "show", "a", "--as-of", when], &[says]);
    }
    refused(
        &shell,
        2,
        &["todo", "restore", "a", "--version", "yesterday"],
        &["idx"],
    );
    refused(
        &shell,
        3,
        &["todo", "restore", "a", "--version", "12345"],
        &["no version 12345"],
    );
}

#[test]
fn arguments_that_cannot_be_are_refused_with_a_tip() {
    let shell = Shell::with_people();
    refused(&shell, 2, &["todo", "ad", "x"], &["'ad'", "add"]);
    refused(&shell, 2, &["todo", "add"], &["<BODY>"]);
    refused(
        &shell,
        2,
        &["todo", "add", "x", "--priority", "high"],
        &["'high'", "--priority"],
    );
    for args in [
        &["todo", "ls", "--limit", "-1"][..],
        &["row", "ls", "people", "--limit", "-1"],
        &["todo", "ls", "--as-of", "-1"],
        &["todo", "ls", "--wait", "-1"],
        &["changes", "--after", "-1"],
    ] {
        refused(&shell, 2, args, &["invalid value '-1' for '--"]);
    }
    shell.write("file", "");
    refused(&shell, 2, &["lake", "add", "file"], &["lake put"]);
    let mut elsewhere = shell.command(DKDC);
    let elsewhere = elsewhere.env("DKDC_DIR", "file").args(["todo", "add", "x"]);
    let said = elsewhere.output().expect("dkdc runs");
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(
        (said.status.code(), text.as_str()),
        (Some(2), "dkdc: file: it is no folder\n")
    );
    refused(
        &shell,
        2,
        &["table", "new", "t", "a:int", "--index", "a,a"],
        &["twice"],
    );
    let many: Vec<String> = (0..3000).map(|n| format!("c{n}:int")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let many = [&["table", "new", "t"][..], &many].concat();
    refused(&shell, 2, &many, &["3000 columns are too many"]);
    refused(
        &shell,
        2,
        &["todo", "ls", "--format", "xml"],
        &["'xml'", "ndjson"],
    );
    refused(
        &shell,
        2,
        &["todo", "ls", "--json", "--format", "csv"],
        &["--json"],
    );
    refused(
        &shell,
        2,
        &["todo", "add", "x", "--as-of", "now"],
        &["--as-of"],
    );
    refused(
        &shell,
        2,
        &["table", "new", "t", "a:day"],
        &["day", "timestamp"],
    );
    refused(&shell, 2, &["table", "new", "t", "a"], &["name:type"]);
    refused(&shell, 2, &["table", "new", "_t", "a:int"], &["_t"]);
    refused(&shell, 2, &["table", "new", "t", "id:int"], &["id"]);
    refused(
        &shell,
        2,
        &["table", "new", "t", "a:int", "A:int"],
        &["twice"],
    );
    refused(
        &shell,
        2,
        &["table", "new", "t", "a:int", "--index", "b"],
        &["b"],
    );
    refused(&shell, 4, &["table", "new", "people", "a:int"], &["people"]);
    refused(
        &shell,
        4,
        &["table", "add-column", "people", "n:int"],
        &["\"n\""],
    );
    refused(&shell, 2, &["changes", "--after", "x"], &["--after"]);
    refused(
        &shell,
        2,
        &["changes", "--follow", "--format", "table"],
        &["ndjson"],
    );
    refused(
        &shell,
        2,
        &["sql", "select 1", "--with", "x"],
        &["name=file"],
    );
    refused(
        &shell,
        3,
        &["sql", "select 1", "--with", "x=no.csv"],
        &["no.csv"],
    );
    assert_eq!(shell.json(&["table", "ls"]).len(), 1);
}

#[test]
fn sql_that_does_not_read_is_refused() {
    let shell = Shell::with_people();
    shell.write("secret.csv", "a\n1\n");
    for (query, says) in [
        ("selec 1", "selec"),
        ("select 1; select 2", "one statement"),
        ("delete from people", ""),
        ("create table t (a int)", ""),
        ("copy (select 1) to 'out.csv'", ""),
        ("with x as (select 1) select * from 'secret.csv'", ""),
        ("select * from read_csv('secret.csv')", ""),
        ("attach 'x.db'", ""),
        ("install httpfs", ""),
        ("set memory_limit = '1TB'", ""),
        ("", ""),
    ] {
        refused(&shell, 2, &["sql", query], &[says]);
    }
    assert!(!shell.path("out.csv").exists());
    assert!(!shell.path("x.db").exists());
}

#[test]
fn a_condition_is_one_condition() {
    let shell = Shell::with_people();
    for condition in [
        "",
        "  ",
        "false) union all select * from people where (true",
        "true) order by (id",
        "id = 'ada' -- ]",
    ] {
        let listed = shell.dkdc(&["row", "ls", "people", "--where", condition]);
        let known = condition.starts_with("id");
        assert_eq!(
            listed.code,
            if known { 0 } else { 2 },
            "{condition}: {listed:?}"
        );
    }
    for row in [r#"{"id": "a", "name": "A"}"#, r#"{"id": "b", "name": "B"}"#] {
        shell.ok(&["row", "append", "people", row]);
    }
    let inner = "name = (select max(name) from people)";
    assert_eq!(
        shell.json(&["row", "ls", "people", "--where", inner]).len(),
        1
    );
}

#[test]
fn a_date_is_a_day_and_a_second_is_none_of_sixty_one() {
    let shell = Shell::with_people();
    shell.ok(&["table", "add-column", "people", "seen:timestamp"]);
    for (column, value) in [
        ("born", "2026-01-01T13:45:00"),
        ("born", "2026-01-01T23:00:00-05:00"),
        ("born", "2026-01-01 00:00"),
        ("seen", "2026-06-30T23:59:60Z"),
    ] {
        let row = format!(r#"{{"id": "x", "name": "X", "{column}": "{value}"}}"#);
        refused(
            &shell,
            2,
            &["row", "append", "people", &row],
            &[column, value],
        );
    }
}

#[test]
fn what_is_no_json_is_told_without_a_parsers_words() {
    let shell = Shell::with_people();
    for (row, says) in [
        (
            "{a}",
            "it is no JSON object: the mistake is at line 1 column 2",
        ),
        (
            "x",
            "it is no JSON object: the mistake is at line 1 column 1",
        ),
        (
            "{\"id\": \"a\"",
            "it is no JSON object: it ends too early, at line 1 column 10",
        ),
        ("[1]", "it is no JSON object, such as {\"id\": \"a\"}"),
    ] {
        let line = shell.fails(2, &["row", "append", "people", row]);
        assert_eq!(line, format!("people: {says}"));
        shell.write("a.ndjson", row);
        let line = shell.fails(2, &["import", "people", "a.ndjson"]);
        assert!(line.starts_with("a.ndjson line 1: "), "{line}");
        assert!(line.contains("JSON object"), "{line}");
    }
    shell.write("a.json", "[{\"id\": \"a\"},");
    let line = shell.fails(2, &["import", "people", "a.json"]);
    let says = "a.json: it is no array of JSON objects: it ends too early, at line 1 column 13";
    assert_eq!(line, says);
    let line = shell.fails(2, &["table", "new", "t", "j:json={a}"]);
    assert!(line.contains("the mistake is at line 1 column 2"), "{line}");
}
