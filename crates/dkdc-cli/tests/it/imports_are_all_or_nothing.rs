//! An import that guesses types from the first row turns a postal code into a
//! number, and one that stops in the middle leaves half a file. Types come from
//! the whole file, values are exact or refused, and all rows go in or none.

use std::fs::File;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, UInt64Array,
};
use parquet::arrow::ArrowWriter;
use serde_json::json;

use crate::shell::{Shell, text};

/// Names and types of a table's columns.
fn types(shell: &Shell, table: &str) -> Vec<String> {
    let schema = shell.json(&["--db", "data.db", "table", "schema", table]);
    let columns = schema.iter().filter(|row| row["kind"] == "column");
    columns
        .map(|row| format!("{}:{}", text(row, "name"), text(row, "type")))
        .collect()
}

#[test]
fn a_csv_file_becomes_a_table_with_the_types_of_all_its_rows() {
    let shell = Shell::new();
    shell.write(
        "people.csv",
        "\u{feff}id,name,code,n,score,born,at,ok,none\r\n\
        a,\"Ada, \"\"Countess\"\"\",1234,1,1,1815-12-10,2026-11-22 10:00:00.5,true,\r\n\
        b,\"two\nlines\",0123,,2.5,,2026-11-22T11:00:00+01:00,FALSE,\r\n",
    );
    let ended = shell.dkdc(&["--db", "data.db", "import", "people", "people.csv"]);
    assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{ended:?}");
    assert!(
        ended.err.ends_with("2 rows appended in people\n"),
        "{}",
        ended.err
    );
    let expected = [
        "name:text",
        "code:text",
        "n:int",
        "score:float",
        "born:date",
        "at:timestamp",
        "ok:bool",
        "none:text",
    ];
    assert_eq!(types(&shell, "people"), expected);
    let rows = shell.json(&["row", "ls", "people"]);
    assert_eq!(text(&rows[0], "name"), "Ada, \"Countess\"");
    assert_eq!(text(&rows[1], "name"), "two\nlines");
    assert_eq!(text(&rows[1], "code"), "0123");
    assert_eq!(text(&rows[1], "at"), "2026-11-22T10:00:00.000000Z");
    assert_eq!(
        (&rows[1]["n"], &rows[1]["none"]),
        (&json!(null), &json!(null))
    );
}

#[test]
fn an_ndjson_file_keeps_lists_objects_and_exact_numbers() {
    let shell = Shell::new();
    shell.write(
        "t.ndjson",
        concat!(
            "{\"id\": 7, \"tags\": [\"a,b\"], \"big\": 9223372036854775807, \"o\": {\"x\": [1]}}\n",
            "{\"id\": \"x\", \"f\": 1, \"mixed\": 1}\n",
            "{\"id\": \"y\", \"f\": 0.5, \"mixed\": \"two\", \"tags\": []}\n",
        ),
    );
    shell.ok(&["--db", "data.db", "import", "t", "t.ndjson"]);
    let mut found = types(&shell, "t");
    found.sort();
    assert_eq!(
        found,
        [
            "big:int",
            "f:float",
            "mixed:json",
            "o:json",
            "tags:list<text>"
        ]
    );
    let rows = shell.json(&["row", "ls", "t"]);
    assert_eq!(text(&rows[0], "id"), "7");
    assert_eq!(rows[0]["big"], i64::MAX);
    assert_eq!(rows[0]["o"], json!({"x": [1]}));
    assert_eq!(rows[2]["mixed"], "two");
}

fn parquet(shell: &Shell, name: &str, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let file = File::create(shell.path(name)).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
}

#[test]
fn a_parquet_file_keeps_its_own_types() {
    let shell = Shell::new();
    parquet(
        &shell,
        "t.parquet",
        vec![
            ("key", Arc::new(Int64Array::from(vec![1, 2]))),
            ("name", Arc::new(StringArray::from(vec![Some("a"), None]))),
            ("f", Arc::new(Float64Array::from(vec![0.1, f64::MAX]))),
            ("at", Arc::new(TimestampMicrosecondArray::from(vec![1, 2]))),
            ("data", Arc::new(BinaryArray::from(vec![&b"\x00"[..], b""]))),
        ],
    );
    shell.ok(&["--db", "data.db", "import", "t", "t.parquet", "--id", "key"]);
    assert_eq!(
        types(&shell, "t"),
        ["name:text", "f:float", "at:timestamp", "data:bytes"]
    );
    let rows = shell.json(&["row", "ls", "t"]);
    assert_eq!(text(&rows[0], "id"), "1");
    assert_eq!(text(&rows[0], "at"), "1970-01-01T00:00:00.000001Z");
    assert_eq!(text(&rows[0], "data"), "00");
    assert_eq!(rows[1]["f"], f64::MAX);
}

#[test]
fn a_row_that_is_refused_is_named_and_nothing_is_written() {
    let shell = Shell::with_people();
    parquet(
        &shell,
        "big.parquet",
        vec![
            ("id", Arc::new(StringArray::from(vec!["a", "b"]))),
            ("name", Arc::new(StringArray::from(vec!["A", "B"]))),
            ("n", Arc::new(UInt64Array::from(vec![1, u64::MAX]))),
        ],
    );
    let files: [(&str, &[u8], i32, &str); 12] = [
        (
            "short.csv",
            b"id,name\na,A\nb\n",
            2,
            "short.csv line 3: 1 field",
        ),
        (
            "type.csv",
            b"id,name,n\na,A,1\nb,B,x\n",
            2,
            "type.csv line 3: people \"b\": column n",
        ),
        (
            "column.csv",
            b"id,name,nam\na,A,1\n",
            2,
            "column.csv line 2: table people has no column",
        ),
        (
            "double.csv",
            b"id,name\na,A\na,B\n",
            4,
            "double.csv line 3: people \"a\" already",
        ),
        (
            "required.csv",
            b"id,name\na,A\nb,\n",
            2,
            "required.csv line 3: people \"b\": column name",
        ),
        (
            "noid.csv",
            b"name\nA\n",
            2,
            "noid.csv: there is no column \"id\"",
        ),
        (
            "emptyid.csv",
            b"id,name\na,A\n,B\n",
            2,
            "emptyid.csv line 3: people",
        ),
        (
            "twice.csv",
            b"id,name,name\na,A,B\n",
            2,
            "twice.csv line 1: the column \"name\"",
        ),
        (
            "latin.csv",
            b"id,name\na,A\nb,caf\xe9\n",
            2,
            "latin.csv line 3: it is not UTF-8",
        ),
        (
            "bad.ndjson",
            b"{\"id\":\"a\",\"name\":\"A\"}\n\n{\"id\":\n",
            2,
            "bad.ndjson line 3",
        ),
        (
            "none.ndjson",
            b"{\"id\":\"a\",\"name\":\"A\"}\n[1]\n",
            2,
            "none.ndjson line 2",
        ),
        ("no.parquet", b"PAR1 is how it begins", 2, "no.parquet"),
    ];
    for (name, content, code, says) in files {
        shell.write(name, content);
        let line = shell.fails(code, &["import", "people", name]);
        assert!(line.starts_with(says), "{line}");
    }
    let line = shell.fails(2, &["import", "people", "big.parquet"]);
    assert!(
        line.starts_with("big.parquet row 2: ") && line.contains("n"),
        "{line}"
    );
    assert!(shell.json(&["row", "ls", "people"]).is_empty());
    assert_eq!(shell.json(&["sql", "from history.people"]).len(), 0);
}

#[test]
fn a_file_that_cannot_be_imported_makes_no_store() {
    let shell = Shell::new();
    shell.write("noid.csv", "name\nA\n");
    shell.fails(2, &["--db", "new.db", "import", "people", "noid.csv"]);
    shell.fails(3, &["--db", "new.db", "import", "people", "missing.csv"]);
    shell.fails(2, &["--db", "new.db", "import", "people", "people.xlsx"]);
    shell.fails(3, &["import", "people", "noid.csv"]);
    assert!(!shell.path("new.db").exists() && !shell.path("data.db").exists());
}

#[test]
fn an_import_may_change_what_is_there() {
    let shell = Shell::with_people();
    shell.ok(&[
        "row",
        "append",
        "people",
        r#"{"id": "a", "name": "A", "n": 5}"#,
    ]);
    shell.write("more.csv", "id,name\na,Ada\nb,Bob\n");
    shell.fails(4, &["import", "people", "more.csv"]);
    shell.ok(&["import", "people", "more.csv", "--upsert"]);
    let rows = shell.json(&["row", "ls", "people"]);
    assert_eq!((text(&rows[0], "name"), &rows[0]["n"]), ("Ada", &json!(5)));
    assert_eq!(rows.len(), 2);
}

#[test]
fn an_export_is_an_import() {
    let shell = Shell::with_people();
    let row = json!({"id": "a", "name": "x,\"y\"\n", "born": "0001-01-01", "n": i64::MIN,
        "score": 0.1, "tags": ["a,b", null], "data": "00ff", "extra": {"k": "v"}});
    shell.ok(&["row", "append", "people", &row.to_string()]);
    for name in ["copy.csv", "copy.ndjson", "copy.json"] {
        let format = name.split('.').next_back().unwrap_or_default();
        shell.write(name, shell.ok(&["row", "ls", "people", "--format", format]));
        let store = format!("{format}.db");
        shell.ok(&[
            "--db",
            &store,
            "table",
            "new",
            "people",
            "name:text!",
            "born:date",
            "n:int",
            "score:float",
            "tags:list<text>",
            "data:bytes",
            "extra:json",
        ]);
        shell.ok(&["--db", &store, "import", "people", name]);
        let mut copied = shell.json(&["--db", &store, "row", "ls", "people"]);
        copied[0].as_object_mut().expect("an object").remove("idx");
        assert_eq!(copied[0], row, "{format}");
    }
}

#[test]
fn a_json_file_is_an_array_of_objects() {
    let shell = Shell::new().with("DKDC_DB", "data.db");
    shell.write(
        "a.json",
        "[\n {\"id\": \"a\", \"n\": 1},\n {\"id\": \"b\"}\n]",
    );
    shell.ok(&["import", "t", "a.json"]);
    let ids = shell.ok(&["sql", "select id, n from t order by id", "--format", "csv"]);
    assert_eq!(ids, "id,n\na,1\nb,\n");
    for (text, says) in [
        ("{\"id\": \"a\"}", "b.json: expected an array"),
        (
            "[{\"id\": \"c\"}, 1]",
            "b.json row 2: expected a JSON object",
        ),
        ("[{\"id\": \"c\"}", "b.json: it is no array"),
    ] {
        shell.write("b.json", text);
        let line = shell.fails(2, &["import", "t", "b.json"]);
        assert!(line.contains(says), "{line}");
    }
}

#[test]
fn a_column_that_is_left_out_is_told() {
    let shell = Shell::new().with("DKDC_DB", "data.db");
    shell.write("a.csv", "id,idx,n\na,7,1\n");
    let ended = shell.dkdc(&["import", "t", "a.csv"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        ended.err.contains("a.csv: the column idx is left out"),
        "{ended:?}"
    );
}

#[test]
fn an_empty_text_is_not_null() {
    let shell = Shell::with_people();
    for row in [
        json!({"id": "a", "name": "", "data": "", "extra": ""}),
        json!({"id": "b", "name": "B", "data": null, "extra": null}),
    ] {
        shell.ok(&["row", "append", "people", &row.to_string()]);
    }
    shell.ok(&["table", "add-column", "people", "note:text"]);
    shell.ok(&["row", "update", "people", r#"{"id": "b", "note": ""}"#]);
    let exported = shell.ok(&["row", "ls", "people", "--format", "csv"]);
    shell.write("people.csv", &exported);
    let rows = |shell: &Shell| {
        let mut rows = shell.json(&["row", "ls", "people"]);
        for row in &mut rows {
            row.as_object_mut().expect("an object").remove("idx");
        }
        rows
    };
    let before = rows(&shell);
    shell.ok(&["clear", "people", "--force"]);
    shell.ok(&["import", "people", "people.csv"]);
    assert_eq!(rows(&shell), before);

    // A new table keeps it apart, too; and what quotes everything means NULL
    // where nothing empty can be.
    shell.write("new.csv", "id,a\n1,\"\"\n2,\n3,5\n");
    shell.ok(&["import", "new", "new.csv"]);
    let new = shell.json(&["row", "ls", "new"]);
    assert_eq!((&new[0]["a"], &new[1]["a"]), (&json!(""), &json!(null)));
    shell.write(
        "all.csv",
        "\"id\",\"name\",\"n\",\"born\"\n\"q\",\"\",\"\",\"\"\n",
    );
    shell.ok(&["import", "people", "all.csv"]);
    let all = &shell.json(&["row", "get", "people", "q"])[0];
    assert_eq!(
        (&all["name"], &all["n"], &all["born"]),
        (&json!(""), &json!(null), &json!(null))
    );
}

#[test]
fn a_line_is_numbered_as_an_editor_numbers_it() {
    let shell = Shell::with_people();
    for end in ["\n", "\r\n"] {
        let lines = ["id,name,n", "a,A,1", "", "b,\"two", "lines\",2", "c,C,x"];
        shell.write("lines.csv", lines.join(end));
        let line = shell.fails(2, &["import", "people", "lines.csv"]);
        assert!(
            line.starts_with("lines.csv line 6: people \"c\""),
            "{end:?}: {line}"
        );
    }
}

#[test]
fn a_table_whose_rows_are_refused_is_not_declared() {
    let shell = Shell::new();
    shell.write("twice.csv", "id,n\na,1\na,2\n");
    let ended = shell.dkdc(&["--db", "data.db", "import", "twice", "twice.csv"]);
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(ended.err.contains("line 3"), "{}", ended.err);
    let tables = shell.json(&["--db", "data.db", "table", "ls"]);
    assert!(tables.is_empty(), "{tables:?}");
}

#[test]
fn a_file_that_was_cut_off_inside_a_field_is_refused() {
    let shell = Shell::new();
    shell.write("cut.csv", "id,a\n1,\"x\n2,y\n3,z\n");
    let ended = shell.dkdc(&["--db", "data.db", "import", "cut", "cut.csv"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.err.contains("inside a quoted field"), "{}", ended.err);
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
}

#[test]
fn no_records_are_imported_as_none() {
    let shell = Shell::with_people();
    for name in ["a.json", "a.ndjson", "a.csv", "a.parquet"] {
        shell.ok(&["export", "people", "--to", name]);
        let made = shell.json(&["import", "people", name]);
        assert_eq!(made[0]["rows"], 0, "{name}");
    }
    for name in ["a.json", "a.ndjson"] {
        let line = shell.fails(2, &["import", "new", name]);
        assert!(line.contains("it has no records"), "{line}");
    }
}
