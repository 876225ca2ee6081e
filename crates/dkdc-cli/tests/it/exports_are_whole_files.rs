//! Somebody exports a table, or keeps an answer, to go on with elsewhere: values
//! have changed on the way, the file of yesterday is gone because the export of
//! today failed, or an ending that nobody knows writes something else.

use std::fs::File;

use arrow_ipc::reader::FileReader;
use serde_json::json;

use crate::shell::Shell;

const DB: [&str; 2] = ["--db", "data.db"];

fn shell() -> Shell {
    let shell = Shell::with_people();
    for row in [
        r#"{"id":"a","name":"Ada","born":"1815-12-10","n":9007199254740993,"score":0.1,"tags":["x, y","\"z\""]}"#,
        r#"{"id":"b","name":"","extra":{"k":[1,null]}}"#,
        r#"{"id":"c","name":"two\nlines","score":-1e300,"tags":[]}"#,
    ] {
        shell.ok(&[&DB[..], &["row", "append", "people", row]].concat());
    }
    shell.ok(&[&DB[..], &["row", "update", "people", r#"{"id":"c","n":3}"#]].concat());
    shell.ok(&[&DB[..], &["row", "rm", "people", "b"]].concat());
    shell
}

fn files(shell: &Shell) -> Vec<String> {
    let entries = std::fs::read_dir(shell.folder()).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into()
        })
        .filter(|name: &String| !name.starts_with("data.db"))
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_exported_can_be_imported_as_it_was() {
    let shell = shell();
    let there = shell.json(
        &[
            &DB[..],
            &["sql", "select * exclude idx from people order by id"],
        ]
        .concat(),
    );
    assert_eq!(there.len(), 2);
    for file in ["people.parquet", "people.csv", "people.ndjson"] {
        let ended = shell.dkdc(&[&DB[..], &["export", "people", "--to", file]].concat());
        assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{ended:?}");
        assert!(
            ended.err.ends_with(&format!("{file}: 2 rows\n")),
            "{ended:?}"
        );
        // The version's number is not a record's.
        let cut = format!("cut.{}", file.rsplit('.').next().expect("an ending"));
        let question = "select * exclude idx from people order by id";
        shell.ok(&[&DB[..], &["sql", question, "-o", &cut]].concat());
        let other = format!("{file}.db");
        let types = [
            "name:text!",
            "born:date",
            "n:int",
            "score:float",
            "tags:list<text>",
            "data:bytes",
            "extra:json",
        ];
        shell.ok(&[&["--db", &other, "table", "new", "people"][..], &types].concat());
        shell.ok(&["--db", &other, "import", "people", &cut]);
        let here = shell.json(&["--db", &other, "sql", question]);
        assert_eq!(here, there, "{file}");
    }
}

#[test]
fn history_and_the_past_are_exported_too() {
    let shell = shell();
    let export = |args: &[&str]| {
        shell.ok(&[&DB[..], &["export", "people", "--to", "people.json"], args].concat());
        let text = String::from_utf8(shell.read("people.json")).expect("text");
        serde_json::from_str::<Vec<serde_json::Value>>(&text).expect("an array")
    };
    let history = export(&["--history"]);
    let ops: Vec<_> = history.iter().map(|row| row["op"].clone()).collect();
    assert_eq!(
        ops,
        [
            json!("append"),
            json!("append"),
            json!("append"),
            json!("update"),
            json!("delete")
        ]
    );
    let third = history[2]["idx"].as_str().expect("a time").to_owned();
    let then = export(&["--as-of", &third]);
    let ids: Vec<_> = then.iter().map(|row| row["id"].clone()).collect();
    assert_eq!(ids, [json!("a"), json!("b"), json!("c")]);
}

#[test]
fn arrow_files_have_the_types() {
    let shell = shell();
    shell.ok(&[
        &DB[..],
        &[
            "sql",
            "select id, n, born, tags from people order by id",
            "--format",
            "arrow",
            "-o",
            "answer",
        ],
    ]
    .concat());
    let file = File::open(shell.path("answer")).expect("a file");
    let reader = FileReader::try_new(file, None).expect("an Arrow file");
    let types: Vec<String> = reader
        .schema()
        .fields()
        .iter()
        .map(|field| field.data_type().to_string())
        .collect();
    assert_eq!(types[1..3], ["Int64", "Date32"]);
    assert!(types[3].starts_with("List("), "{types:?}");
    let rows: usize = reader.map(|batch| batch.expect("a batch").num_rows()).sum();
    assert_eq!(rows, 2);
}

#[test]
fn a_file_stays_when_its_successor_fails() {
    let shell = shell();
    shell.write("people.parquet", "of yesterday");
    let fails = "select case when id = 'c' then error('no') else id end as x from people";
    let ended = shell.dkdc(&[&DB[..], &["sql", fails, "-o", "people.parquet"]].concat());
    assert_ne!(ended.code, 0, "{ended:?}");
    assert_eq!(shell.read("people.parquet"), b"of yesterday");
    assert_eq!(files(&shell), ["people.parquet"], "nothing is left behind");
}

#[test]
fn what_cannot_be_exported_is_refused_in_one_line() {
    let shell = shell();
    std::fs::create_dir(shell.path("data.db.csv")).expect("a folder");
    for (args, code, words) in [
        (
            &["export", "people", "--to", "people.xlsx"][..],
            2,
            "end its name in .parquet",
        ),
        (&["export", "nobody", "--to", "nobody.csv"], 3, "nobody"),
        (&["export", "people", "--to", "data.db.csv"], 2, "a folder"),
        (
            &["export", "people", "--to", "no/where.csv"],
            3,
            "no/where.csv",
        ),
        (&["sql", "from people", "--format", "parquet"], 2, "-o FILE"),
        (
            &["sql", "from people", "--format", "csv", "-o", "p.parquet"],
            2,
            "says .parquet",
        ),
        (
            &["sql", "select interval 1 day as i", "-o", "i.parquet"],
            1,
            "cannot be written so",
        ),
    ] {
        let ended = shell.dkdc(&[&DB[..], args].concat());
        assert_eq!(
            (ended.code, ended.out.as_str()),
            (code, ""),
            "{args:?}: {ended:?}"
        );
        assert_eq!(ended.err.lines().count(), 1, "{ended:?}");
        assert!(ended.err.contains(words), "{args:?}: {ended:?}");
    }
    assert_eq!(files(&shell), Vec::<String>::new());
}

#[test]
fn no_store_is_replaced() {
    let shell = shell();
    std::fs::copy(shell.path("data.db"), shell.path("data.csv")).expect("a copy");
    std::fs::remove_file(shell.path("data.db")).expect("removed");
    shell.ok(&["--db", "other.csv", "table", "new", "t", "n:int"]);
    shell.write("file", "content");
    shell.ok(&["--db", "data.csv", "lake", "put", "file"]);
    #[cfg(unix)]
    std::os::unix::fs::symlink("data.csv", shell.path("link.csv")).expect("a link");
    for target in ["data.csv", "link.csv", "./data.csv", "other.csv"] {
        for args in [
            &["export", "people", "--to", target][..],
            &["sql", "from people", "-o", target],
            &["lake", "get", "file", "-o", target],
        ] {
            let ended = shell.dkdc(&[&["--db", "data.csv"][..], args].concat());
            assert_eq!(ended.code, 2, "{args:?}: {ended:?}");
            assert!(ended.err.contains("that is a store"), "{ended:?}");
        }
    }
    shell.ok(&["--db", "data.csv", "check"]);
    shell.ok(&["--db", "other.csv", "check"]);
}

#[test]
fn json_comes_back_as_json() {
    let shell = Shell::with_people();
    shell.ok(&["table", "new", "t", "j:json", "l:list<json>", "s:text"]);
    let row = r#"{"id": "1", "j": {"k": [1, "x"]}, "l": [{"a": null}, 2], "s": "{}"}"#;
    shell.ok(&["row", "append", "t", row]);
    let before = shell.json(&["row", "ls", "t"]);
    for file in ["t.ndjson", "t.csv", "t.parquet"] {
        shell.ok(&["export", "t", "--to", file]);
        shell.ok(&["import", "t", file, "--upsert"]);
        let after = shell.json(&["row", "ls", "t"]);
        for column in ["j", "l", "s"] {
            assert_eq!(after[0][column], before[0][column], "{file}: {column}");
        }
    }
    shell.ok(&["export", "t", "--history", "--to", "all.ndjson"]);
    let line = String::from_utf8(shell.read("all.ndjson")).expect("UTF-8");
    assert!(line.contains(r#""j":{"k":[1,"x"]}"#), "{line}");
}
