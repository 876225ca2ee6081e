//! Bytes that nobody made on purpose: the bodies of the fuzz targets, with as
//! many inputs as a test may take.
//!
//! The failures to prevent: a panic, and a value that is kept as another.

use std::path::PathBuf;

use dkdc_torture::bodies;
use dkdc_torture::random::Random;

use crate::seed::seed;
use crate::skipped::skipped;

/// Runs a body on inputs made of pieces that mean something, and of those that
/// do not.
fn any(pieces: &[&str], inputs: u64, body: impl Fn(&[u8]) + std::panic::RefUnwindSafe) {
    let mut random = Random::new(seed());
    for input in 0..inputs {
        let bytes = made_of(pieces, &mut random);
        let done = std::panic::catch_unwind(|| body(&bytes));
        if let Err(panic) = done {
            println!("input {input}: {:?}", String::from_utf8_lossy(&bytes));
            std::panic::resume_unwind(panic);
        }
    }
}

fn made_of(pieces: &[&str], random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.below(12) {
        if pieces.is_empty() || random.one_in(8) {
            bytes.extend_from_slice(&random.number().to_le_bytes());
        } else {
            bytes.extend_from_slice(random.of(pieces).as_bytes());
        }
    }
    // One that means something, with a byte of it changed.
    if !bytes.is_empty() && random.one_in(3) {
        let at = random.index(bytes.len());
        bytes[at] = random.number().to_le_bytes()[0];
    }
    bytes
}

const TIMES: &[&str] = &[
    "5",
    "minutes",
    " ",
    "ago",
    "yesterday",
    "now",
    "2026-11-22",
    "T",
    "10:00",
    ":00.123456",
    "Z",
    "+02:00",
    "[Europe/Berlin]",
    "-",
    "9999",
    "12-31",
    "-009999",
    "monday",
    "last",
    "1795341600000000",
    "9223372036854775807",
    "999999999999",
    "years",
    "in",
    "3",
    "days",
];

#[test]
fn time_phrases() {
    any(TIMES, 20_000, bodies::time);
}

const JSON: &[&str] = &[
    "{",
    "}",
    "\"id\"",
    ":",
    "\"a\"",
    ",",
    "\"c0\"",
    "\"c1\"",
    "\"c2\"",
    "\"c3\"",
    "\"c5\"",
    "\"c8\"",
    "\"c9\"",
    "[",
    "]",
    "null",
    "true",
    "1",
    "-0.0",
    "1e400",
    "9223372036854775808",
    "9007199254740993",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"2026-11-22\"",
    "{\"id\":\"a\",",
    "{\"id\":\"a\",\"c1\":",
    "}",
    "{\"id\":\"a\",\"c8\":",
    "{\"id\":\"a\",\"c9\":[",
    "]}",
    "\"Infinity\"",
    "\"x\"",
];

#[test]
fn rows_in_json() {
    any(JSON, 4_000, bodies::row);
}

const SCHEMA: &[&str] = &[
    "[",
    "]",
    "{",
    "}",
    ",",
    "\"name\":",
    "\"c0\"",
    "\"number\":",
    "1",
    "\"type\":",
    "\"text\"",
    "\"int\"",
    "\"list<text>\"",
    "\"since\":",
    "0",
    "null",
    "\"default\":",
    "[]",
    "{}",
    "\"nullable\":",
    "true",
];

#[test]
fn schemas_in_a_store() {
    any(SCHEMA, 150, bodies::schema);
}

#[test]
fn cells_of_a_stored_record() {
    let pieces = [
        "\0",
        "\u{1}",
        "\u{2}",
        "\u{5}",
        "\u{b}",
        "[1,",
        "]",
        "{",
        "2026-11-22",
    ];
    any(&pieces, 300, bodies::record);
}

#[test]
fn bytes_changed_in_a_database() {
    any(&[], 150, bodies::database);
}

#[test]
fn bytes_changed_in_a_file_of_the_mirror() {
    any(&[], 100, bodies::mirror);
}

/// The program, when it was built: `cargo test --workspace` does.
fn dkdc() -> Option<PathBuf> {
    let program = PathBuf::from(crate::support::PROGRAM).with_file_name("dkdc");
    if program.exists() {
        return Some(program);
    }
    skipped("dkdc is not built");
    None
}

#[test]
fn ndjson_to_import() {
    let Some(program) = dkdc() else { return };
    let mut pieces = JSON.to_vec();
    pieces.extend([
        "\n",
        "\n",
        "{\"id\":\"b\",\"x\":1}\n",
        "{\"id\":\"c\",\"x\":\"y\"}\n",
        "\u{feff}",
    ]);
    any(&pieces, 100, |bytes| {
        bodies::import(&program, "ndjson", bytes)
    });
}

#[test]
fn csv_to_import() {
    let Some(program) = dkdc() else { return };
    let pieces = [
        "id",
        ",",
        "x",
        "\n",
        "\r\n",
        "\"",
        "a",
        "\"\"",
        "1",
        "id,x\n",
        "a,1\n",
        "b,2026-11-22\n",
        "\u{feff}",
        "é",
    ];
    any(&pieces, 100, |bytes| bodies::import(&program, "csv", bytes));
}
