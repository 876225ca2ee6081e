//! A file of ten thousand lines with one bad line, half of it written, has to
//! be taken apart by hand before it can be sent again. So all lines go in
//! together, or none.

use crate::shell::Shell;

fn line(id: usize) -> String {
    format!("{{\"id\": \"r{id}\", \"name\": \"N{id}\", \"n\": {id}}}\n")
}

#[test]
fn all_lines_of_stdin_are_written_together() {
    let shell = Shell::with_people();
    let lines: String = (0..20_000).map(line).collect();
    let ended = shell.dkdc_reading(lines, &["row", "append", "people", "-"]);
    assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{ended:?}");
    assert_eq!(ended.err, "20000 rows appended\n");
    let found = shell.json(&["sql", "select count(*) as n, sum(n) as s from people"]);
    assert_eq!(
        (&found[0]["n"], &found[0]["s"]),
        (&20_000.into(), &199_990_000.into())
    );
}

#[test]
fn a_bad_line_is_named_and_nothing_is_written() {
    let shell = Shell::with_people();
    shell.ok(&[
        "row",
        "append",
        "people",
        r#"{"id": "r3", "name": "there already"}"#,
    ]);
    let good: String = (0..3).map(line).collect();
    for (bad, code, says) in [
        ("{\"id\": \"x\"\n", 2, "stdin line 5: people"),
        (
            "{\"id\": \"x\", \"name\": 7}\n",
            2,
            "stdin line 5: people \"x\": column name",
        ),
        (
            "{\"id\": \"x\", \"nam\": \"X\"}\n",
            2,
            "stdin line 5: table people",
        ),
        (
            "{\"id\": \"r3\", \"name\": \"X\"}\n",
            4,
            "stdin line 5: people \"r3\" already exists",
        ),
        (
            "{\"id\": \"r0\", \"name\": \"X\"}\n",
            4,
            "stdin line 5: people \"r0\" already exists",
        ),
    ] {
        // The blank line counts, as it does in an editor.
        let input = format!("{good}\n{bad}{}", line(9));
        let ended = shell.dkdc_reading(input, &["row", "append", "people", "-"]);
        let said = ended.failed(code);
        assert!(said.starts_with(says), "{said}");
        assert_eq!(shell.json(&["row", "ls", "people"]).len(), 1);
    }
}

#[test]
fn updates_and_upserts_take_many_rows_too() {
    let shell = Shell::with_people();
    let lines: String = (0..10).map(line).collect();
    let missing = shell.dkdc_reading(&lines, &["row", "update", "people", "-"]);
    assert!(missing.failed(3).starts_with("stdin line 1: people \"r0\""));
    for _ in 0..2 {
        let ended = shell.dkdc_reading(&lines, &["row", "upsert", "people", "-"]);
        assert_eq!(ended.err, "10 rows upserted\n");
    }
    let ended = shell.dkdc_reading(
        "{\"id\": \"r1\", \"n\": -1}\n",
        &["row", "update", "people", "-"],
    );
    assert_eq!(ended.err, "1 row updated\n");
    assert_eq!(shell.json(&["row", "get", "people", "r1"])[0]["n"], -1);
    assert_eq!(shell.json(&["row", "history", "people", "r1"]).len(), 3);
}

#[test]
fn what_is_printed_can_be_read_back() {
    let shell = Shell::with_people();
    let lines: String = (0..10).map(line).collect();
    shell.dkdc_reading(lines, &["row", "append", "people", "-"]);
    let printed = shell.ok(&["row", "ls", "people", "--format", "ndjson"]);
    shell.ok(&[
        "--db",
        "copy.db",
        "table",
        "new",
        "people",
        "name:text",
        "born:date",
        "n:int",
        "score:float",
        "tags:list<text>",
        "data:bytes",
        "extra:json",
    ]);
    let copied = shell.dkdc_reading(
        printed,
        &["--db", "copy.db", "row", "append", "people", "-"],
    );
    assert_eq!(copied.err, "10 rows appended\n");
}
