//! A file to join is the very file that was named, read as what its ending says.
//!
//! The failure to prevent: a file is called `a*.csv`, and the rows of `ab.csv`
//! are in the answer; compressed JSON is read as CSV; a folder's name becomes a
//! column.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use dkdc_state::arrow_array::cast::AsArray;
use dkdc_state::{Error, Result};

use crate::support::Place;

/// The columns and the number of rows of a file.
fn joined(place: &Place, file: &Path) -> Result<(Vec<String>, usize)> {
    let query = place.open().snapshot()?.query().with_file("f", file);
    let answer = query.run("select * from f")?;
    let fields = answer.schema();
    let names = fields.fields().iter().map(|field| field.name().clone());
    let rows = answer.map(|batch| batch.map(|batch| batch.num_rows()));
    Ok((names.collect(), rows.sum::<Result<usize>>()?))
}

fn zipped(content: &str, to: &Path) {
    let file = std::fs::File::create(to).expect("a file");
    let mut gzip = Command::new("gzip")
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(file)
        .spawn()
        .expect("gzip runs");
    let mut input = gzip.stdin.take().expect("its input");
    input.write_all(content.as_bytes()).expect("it reads");
    drop(input);
    assert!(gzip.wait().expect("it ends").success());
}

#[test]
fn a_name_is_no_pattern() {
    let place = Place::new();
    let odd = place.at("odd [dir] *");
    std::fs::create_dir(&odd).expect("a folder");
    std::fs::create_dir(place.at("odd d x")).expect("a folder");
    std::fs::write(place.at("odd d x").join("f.csv"), "a\n1\n2\n3\n").expect("a file");
    std::fs::write(odd.join("f.csv"), "a\n1\n2\n").expect("a file");
    let rows = |name: &str| joined(&place, &place.at(name)).map(|(_, rows)| rows);
    std::fs::write(place.at("ab.csv"), "a\n1\n2\n3\n").expect("a file");
    for name in [
        "a*.csv", "a?.csv", "a[b].csv", "**.csv", "a\\*.csv", "'a'.csv", "ä b.csv",
    ] {
        assert!(matches!(rows(name), Err(Error::Io { .. })), "{name}");
        std::fs::write(place.at(name), "a\n1\n").expect("a file");
        assert_eq!(rows(name).expect(name), 1, "{name}");
    }
    assert_eq!(rows("odd [dir] */f.csv").expect("a file"), 2);
    assert_eq!(rows("ab.csv").expect("a file"), 3);
    // An error names the file, not the way in which it is read.
    std::fs::write(place.at("no*.parquet"), "x").expect("a file");
    let error = rows("no*.parquet").expect_err("no Parquet").to_string();
    assert!(error.contains("no*.parquet"), "{error}");
}

#[test]
fn the_ending_says_what_a_file_is_compressed_or_not() {
    let place = Place::new();
    let columns = |name: &str| joined(&place, &place.at(name));
    let file = |name: &str, content: &str| {
        if name.to_lowercase().ends_with(".gz") {
            zipped(content, &place.at(name));
        } else {
            std::fs::write(place.at(name), content).expect("a file");
        }
    };
    for (name, content) in [
        ("f.csv", "a,b\n1,2\n3,4\n"),
        ("f.csv.gz", "a,b\n1,2\n3,4\n"),
        ("F*.CSV.GZ", "a,b\n1,2\n3,4\n"),
        ("f.tsv", "a\tb\n1\t2\n3\t4\n"),
        ("f.tsv.gz", "a\tb\n1\t2\n3\t4\n"),
        ("f.json", "[{\"a\": 1, \"b\": 2}, {\"a\": 3, \"b\": 4}]"),
        ("f.json.gz", "[{\"a\": 1, \"b\": 2}, {\"a\": 3, \"b\": 4}]"),
        ("f.ndjson", "{\"a\": 1, \"b\": 2}\n{\"a\": 3, \"b\": 4}\n"),
        (
            "f?.jsonl.gz",
            "{\"a\": 1, \"b\": 2}\n{\"a\": 3, \"b\": 4}\n",
        ),
    ] {
        file(name, content);
        let (names, rows) = columns(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((names, rows), (vec!["a".into(), "b".into()], 2), "{name}");
    }
    for name in ["f.gz", "f.txt", "f.txt.gz", "f.parquet.gz", "f"] {
        file(name, "a\n1\n");
        assert!(matches!(columns(name), Err(Error::Query(_))), "{name}");
    }
}

#[test]
fn the_first_line_says_what_parts_the_fields() {
    let place = Place::new();
    for (content, names) in [
        ("id;\"price, EUR\"\n1;2,50\n", &["id", "price, EUR"][..]),
        (
            "\u{feff}\"a\"\"b;\"\"\",\"c;d;e\"\n1,2\n",
            &["a\"b;\"", "c;d;e"],
        ),
        (
            "a b;5\" pipe, long;c\n1;2;3\n",
            &["a b", "5\" pipe, long", "c"],
        ),
        ("a,b,c;d\n1,2,3\n", &["a", "b", "c;d"]),
        ("\"id\n1,2,3\";\"x\"\n1;2\n", &["id\n1,2,3", "x"]),
        ("a|b\r\n1|2\r\n", &["a", "b"]),
        ("a\n1\n", &["a"]),
    ] {
        std::fs::write(place.at("f.csv"), content).expect("a file");
        zipped(content, &place.at("f[1].csv.gz"));
        for file in ["f.csv", "f[1].csv.gz"] {
            let found = joined(&place, &place.at(file));
            let (found, rows) = found.unwrap_or_else(|error| panic!("{content:?}: {error}"));
            assert!(found == names && rows == 1, "{file}: {found:?}, {rows}");
        }
    }
    // Either may be meant, and one of them is wrong.
    let content = "id;price, EUR\n1;2,50\n";
    std::fs::write(place.at("f.csv"), content).expect("a file");
    zipped(content, &place.at("f.csv.gz"));
    for file in ["f.csv", "f.csv.gz"] {
        let error = joined(&place, &place.at(file))
            .expect_err("a tie")
            .to_string();
        assert!(error.contains("as many ',' as ';'"), "{error}");
    }
}

#[test]
fn only_the_ending_of_the_given_name_says_that_tabs_do() {
    let place = Place::new();
    let folder = place.at("x.tsv.d");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("a.csv"), "a,b\n1,2\n").expect("a file");
    std::os::unix::fs::symlink(folder.join("a.csv"), place.at("a.tsv")).expect("a link");
    let names = |file: &Path| joined(&place, file).expect("a file").0;
    assert_eq!(names(&folder.join("a.csv")), ["a", "b"]);
    assert_eq!(names(&place.at("a.tsv")), ["a,b"]);
}

#[test]
fn a_folders_name_is_no_column() {
    let place = Place::new();
    let folder = place.at("year=2024");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("f.csv"), "a\n1\n").expect("a file");
    let (names, rows) = joined(&place, &folder.join("f.csv")).expect("a file");
    assert_eq!((names, rows), (vec!["a".to_owned()], 1));
}

#[test]
fn the_file_of_an_open_store_is_not_joined() {
    let place = Place::new();
    let state = place.open();
    std::os::unix::fs::symlink(place.db(), place.at("x.csv")).expect("a link");
    // Neither by its own questions nor by another store's.
    for asked in [&place, &Place::new()] {
        let error = joined(asked, &place.at("x.csv")).expect_err("a store");
        assert!(error.to_string().contains("an open store"), "{error}");
    }
    drop(state);
}

/// Words of an application become days: `Infinity` the first of 1900, `epoch` the first
/// of 1970.
#[test]
fn a_word_is_no_day() {
    let place = Place::new();
    let texts = |file: &str, content: &str, column: &str| {
        std::fs::write(place.at(file), content).expect("a file");
        zipped(content, &place.at(&format!("{file}.gz")));
        let ask = |file: &str| -> Result<Vec<String>> {
            let file = place.at(file);
            let query = place.open().snapshot()?.query().with_file("f", file);
            let sql = format!("select cast({column} as text), typeof({column}) from f");
            let mut found = Vec::new();
            for batch in query.run(&sql)? {
                let batch = batch?;
                let [text, ty] = [0, 1].map(|at| batch.column(at).as_string::<i32>().clone());
                let rows = text.iter().zip(&ty);
                found.extend(rows.map(|(text, ty)| {
                    format!("{} {}", text.unwrap_or("NULL"), ty.unwrap_or_default())
                }));
            }
            Ok(found)
        };
        let found = ask(file).expect(file);
        assert_eq!(ask(&format!("{file}.gz")).expect(file), found, "{file}");
        found
    };
    for (file, content, column, expected) in [
        (
            "f.json",
            "[{\"a\": \"Infinity\"}]",
            "a",
            &["Infinity VARCHAR"][..],
        ),
        (
            "f.ndjson",
            "{\"a\": \"epoch\", \"b\": 1}\n{\"a\": \"2026-01-02\", \"b\": 2}\n",
            "a",
            &["epoch VARCHAR", "2026-01-02 VARCHAR"],
        ),
        (
            "f.json",
            "[{\"x y\": {\"DATE\": \"-infinity\", \"n\": 1}, \"d\": \"31-12-2026\"}]",
            "\"x y\"",
            &["{'DATE': -infinity, 'n': 1} STRUCT(DATE VARCHAR, n BIGINT)"],
        ),
        (
            "f.json",
            "[{\"x y\": [\"epoch\"], \"d\": \"31-12-2026\"}]",
            "d",
            &["2026-12-31 DATE"],
        ),
        (
            "f.csv",
            "a,b\nepoch,1\ninf,2\n",
            "a",
            &["epoch VARCHAR", "inf VARCHAR"],
        ),
        (
            "f.csv",
            "a,b\n1970-01-01,x\n,y\n",
            "a",
            &["1970-01-01 DATE", "NULL DATE"],
        ),
        (
            "f.json",
            "[{\"a\": \"1900-01-01\", \"b\": \"1970-01-01T00:00:00\"}]",
            "b",
            &["1970-01-01 00:00:00 TIMESTAMP"],
        ),
    ] {
        assert_eq!(texts(file, content, column), expected, "{content}");
    }
}
