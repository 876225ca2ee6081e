//! A question in SQL is for reading: over one moment, with files that are named
//! and no others, and exactly.

use serde_json::json;

use crate::shell::Shell;

fn shell() -> Shell {
    let shell = Shell::with_people();
    for row in [
        r#"{"id": "a", "name": "A", "n": 9223372036854775807, "tags": ["x"], "born": "1815-12-10"}"#,
        r#"{"id": "b", "name": "B", "n": 1}"#,
    ] {
        shell.ok(&["row", "append", "people", row]);
    }
    shell
}

#[test]
fn values_come_out_as_sql_has_them() {
    let found = shell().json(&[
        "sql",
        "select sum(n) as huge, count(*) as c, 1.50::decimal(9, 2) as d, \
        [1, null] as l, {'a': 'x'} as s, null as nothing, max(born) as born, 0.1::float as f, \
        timestamp '2026-11-22 10:00:00' as at, interval 1 day as i from people",
    ]);
    let expected = json!([{"huge": 9_223_372_036_854_775_808_u64, "c": 2, "d": 1.5, "l": [1, null],
        "s": {"a": "x"}, "nothing": null, "born": "1815-12-10", "f": 0.1,
        "at": "2026-11-22T10:00:00.000000Z", "i": found[0]["i"]}]);
    assert_eq!(json!(found), expected);
}

#[test]
fn no_column_hides_another_of_its_name() {
    let shell = shell();
    let found = shell.json(&[
        "sql",
        "select a.id, b.id, 1 as id_1, b.id from people a join people b on a.id = 'a' and b.id = 'b'",
    ]);
    assert_eq!(
        json!(found),
        json!([{"id": "a", "id_2": "b", "id_1": 1, "id_3": "b"}])
    );
    for query in ["", " -- nothing\n"] {
        let ended = shell.dkdc(&["sql", query]);
        assert_eq!(ended.code, 2, "{ended:?}");
        assert_eq!(ended.err, "dkdc: there is no question in it\n");
    }
}

#[test]
fn a_question_may_come_from_stdin() {
    let ended = shell().dkdc_reading(
        "select id\nfrom people\norder by id;\n",
        &["sql", "-", "--format", "csv"],
    );
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "id\na\nb\n"),
        "{ended:?}"
    );
}

#[test]
fn named_files_can_be_joined() {
    let shell = shell();
    shell.write("sales.csv", "id,amount\na,5\na,7\n");
    shell.write("rates.ndjson", "{\"id\": \"a\", \"rate\": 2}\n");
    let found = shell.json(&[
        "sql",
        "select name, sum(amount * rate)::int as total from people \
        join sales using (id) join rates using (id) group by name",
        "--with",
        "sales=sales.csv",
        "--with",
        "rates=rates.ndjson",
    ]);
    assert_eq!(json!(found), json!([{"name": "A", "total": 24}]));
    shell.fails(
        2,
        &[
            "sql",
            "select * from read_csv('sales.csv')",
            "--with",
            "sales=sales.csv",
        ],
    );
}

#[test]
fn history_is_a_table_too() {
    let shell = shell();
    shell.ok(&["row", "rm", "people", "b"]);
    let found = shell.json(&["sql", "select id, op from history.people order by idx"]);
    assert_eq!(
        json!(found),
        json!([{"id": "a", "op": "append"}, {"id": "b", "op": "append"},
        {"id": "b", "op": "delete"}])
    );
}

#[test]
fn millions_of_rows_pass_through() {
    let shell = shell();
    let out = shell.ok(&[
        "sql",
        "select range as n from range(2000000)",
        "--format",
        "csv",
    ]);
    assert_eq!(out.lines().count(), 2_000_001);
    assert!(out.ends_with("\n1999999\n"));
}

#[test]
fn a_question_may_begin_with_a_comment() {
    let shell = Shell::with_people();
    shell.write("x.csv", "a\n7\n");
    let answer = shell.json(&["sql", "-- what is it\nselect a from x", "--with", "x=x.csv"]);
    assert_eq!(answer[0]["a"], 7);
    let csv = shell.ok(&["sql", "--format=csv", "--what\nselect 1 as n"]);
    assert_eq!(csv, "n\n1\n");
    // What is mistyped is no comment.
    let line = shell.fails(2, &["sql", "--fromat", "csv", "select 1"]);
    assert!(
        line.contains("'--fromat' found") && line.contains("'--format'"),
        "{line}"
    );
    let line = shell.fails(2, &["todo", "add", "-- what is it"]);
    assert!(line.contains("unexpected argument"), "{line}");
}
