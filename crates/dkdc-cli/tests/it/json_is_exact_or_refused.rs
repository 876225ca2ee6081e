//! A number of an account has twenty digits, a parser makes it a float, and the
//! money goes to somebody else. JSON is kept as it was given, or it is refused.

use serde_json::json;

use crate::shell::{Shell, text};

/// What must not come in, and what is said of it.
const REFUSED: [(&str, &str); 5] = [
    (
        "18446744073709551616",
        "18446744073709551616 cannot be kept exactly: it would come back as 1.8",
    ),
    (
        "[{\"a\": 0.10000000000000001}]",
        "0.10000000000000001 cannot be kept exactly: it would come back as 0.1",
    ),
    ("-12345678901234567890", "would come back as"),
    ("1e400", "1e400 is out of range"),
    (
        "{\"a\": {\"b\": 1, \"b\": 1}}",
        "the key \"b\" is given twice",
    ),
];

#[test]
fn whichever_way_it_comes_in() {
    let shell = Shell::with_people();
    for (value, says) in REFUSED {
        let row = format!("{{\"id\": \"a\", \"name\": \"A\", \"extra\": {value}}}");
        let mut refusals = vec![
            shell.fails(2, &["row", "append", "people", &row]),
            shell
                .dkdc_reading(&row, &["row", "upsert", "people", "-"])
                .failed(2),
        ];
        let quoted = value.replace('"', "\"\"");
        for (name, content) in [
            ("a.ndjson", row.clone()),
            ("b.ndjson", row.replace("\"id\": \"a\"", "\"key\": 7")),
            ("a.csv", format!("id,name,extra\na,A,\"{quoted}\"\n")),
        ] {
            shell.write(name, content);
            let key = if name == "b.ndjson" { "key" } else { "id" };
            let import = ["import", "people", name, "--id", key];
            refusals.push(shell.fails(2, &import));
        }
        for refusal in refusals {
            assert!(
                refusal.contains(says) && refusal.contains("column extra"),
                "{refusal}"
            );
        }
        let default = format!("j:json={value}");
        let refusal = shell.fails(2, &["table", "new", "t", &default]);
        assert!(refusal.contains(says), "{refusal}");
    }
    assert!(shell.json(&["row", "ls", "people"]).is_empty());
}

#[test]
fn what_can_be_kept_comes_back() {
    let shell = Shell::with_people();
    let extra = json!({"n": [u64::MAX, i64::MIN, 0.1, 1e300, -1.5], "s": "1e400"});
    let row = json!({"id": "a", "name": "A", "extra": extra});
    shell.ok(&["row", "append", "people", &row.to_string()]);
    assert_eq!(
        shell.json(&["row", "get", "people", "a"])[0]["extra"],
        extra
    );
    for format in ["csv", "ndjson"] {
        let name = format!("copy.{format}");
        shell.write(
            &name,
            shell.ok(&["row", "ls", "people", "--format", format]),
        );
        shell.ok(&["import", "people", &name, "--upsert"]);
        assert_eq!(
            shell.json(&["row", "get", "people", "a"])[0]["extra"],
            extra,
            "{format}"
        );
    }
}

#[test]
fn an_id_that_is_a_number_keeps_its_digits() {
    let shell = Shell::with_people();
    let key = "123456789012345678901234567890";
    shell.write("a.ndjson", format!("{{\"key\": {key}, \"name\": \"A\"}}\n"));
    shell.ok(&["import", "people", "a.ndjson", "--id", "key"]);
    assert_eq!(text(&shell.json(&["row", "ls", "people"])[0], "id"), key);
    shell.write("b.ndjson", "{\"key\": 1.5, \"name\": \"A\"}\n");
    let line = shell.fails(2, &["import", "people", "b.ndjson", "--id", "key"]);
    assert!(
        line.contains("b.ndjson line 1: people: the id must be a string, not 1.5"),
        "{line}"
    );
}

/// An account's number comes in as CSV, into a column of floats.
#[test]
fn a_number_in_csv_is_exact_or_refused() {
    let shell = Shell::new();
    shell.ok(&["--db", "data.db", "table", "new", "ff", "a:float"]);
    let inexact = "cannot be kept exactly";
    for (number, says) in [
        ("9007199254740993", inexact),
        ("-12345678901234567890123", inexact),
        ("1e-400", "out of range"),
        ("-1e400", "out of range"),
    ] {
        shell.write("x.csv", format!("id,a\n0,0.5\n1,{number}\n"));
        let line = shell.fails(2, &["import", "ff", "x.csv"]);
        assert!(
            line.contains("x.csv line 3") && line.contains(says),
            "{line}"
        );
        // A new table has no column of floats for these.
        shell.ok(&["--db", "new.db", "import", "t", "x.csv"]);
        let rows = shell.json(&["--db", "new.db", "row", "get", "t", "1"]);
        assert_eq!(text(&rows[0], "a"), number);
        std::fs::remove_file(shell.path("new.db")).expect("a store");
        let default = format!("a:float={number}");
        let line = shell.fails(2, &["table", "new", "t", &default]);
        assert!(line.contains(says), "{line}");
    }
    let kept = "id,a\n1,9007199254740994\n2,007\n3,+.10\n4,-Infinity\n5,-0\n6,1e22\n7,0e-400\n";
    shell.write("x.csv", kept);
    shell.ok(&["import", "ff", "x.csv"]);
    let rows = shell.ok(&["sql", "select a from ff order by id", "--format", "csv"]);
    let expected = "a\n9007199254740994.0\n7.0\n0.1\n-Infinity\n0.0\n1e+22\n0.0\n";
    assert_eq!(rows, expected);
}
