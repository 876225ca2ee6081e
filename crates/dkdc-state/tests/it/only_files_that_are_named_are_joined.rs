//! A file to join is the very file that was named, read as what its ending says.
//!
//! The failure to prevent: a file is called `a*.csv`, and the rows of `ab.csv`
//! are in the answer; compressed JSON is read as CSV; a folder's name becomes a
//! column.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

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
