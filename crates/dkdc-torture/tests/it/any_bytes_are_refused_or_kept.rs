//! Bytes that nobody made on purpose: the bodies of the fuzz targets, with as
//! many inputs as a test may take.
//!
//! The failures to prevent: a panic, and a value that is kept as another. Where no
//! input is accepted, or none refused, nothing is shown: each test has so many of both.

use std::path::PathBuf;

use dkdc_torture::bodies::{self, Became};
use dkdc_torture::random::Random;

use crate::seed::seed;
use crate::skipped::skipped;

/// What inputs are made of.
struct Made<'p> {
    /// Those that mean something.
    pieces: &'p [&'p str],
    /// Inputs that are accepted as they are.
    whole: &'p [&'p str],
}

/// Runs a body on so many inputs, of which it must accept and refuse at least these.
fn any(
    made: &Made<'_>,
    inputs: u64,
    (accepted, refused): (u64, u64),
    body: impl Fn(&[u8]) -> Became + std::panic::RefUnwindSafe,
) {
    let mut random = Random::new(seed());
    let mut became = Vec::new();
    for input in 0..inputs {
        let bytes = made.bytes(&mut random);
        match std::panic::catch_unwind(|| body(&bytes)) {
            Ok(done) => became.push(done),
            Err(panic) => {
                println!("input {input}: {:?}", String::from_utf8_lossy(&bytes));
                std::panic::resume_unwind(panic);
            }
        }
    }
    for (what, least) in [(Became::Accepted, accepted), (Became::Refused, refused)] {
        let found = became.iter().filter(|done| **done == what).count() as u64;
        assert!(found >= least, "{what:?}: {found} of {inputs}");
    }
}

impl Made<'_> {
    fn bytes(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = Vec::new();
        if !self.whole.is_empty() && random.one_in(3) {
            bytes.extend_from_slice(random.of(self.whole).as_bytes());
        } else {
            for _ in 0..random.below(12) {
                if self.pieces.is_empty() || random.one_in(8) {
                    bytes.extend_from_slice(&random.number().to_le_bytes());
                } else {
                    bytes.extend_from_slice(random.of(self.pieces).as_bytes());
                }
            }
        }
        // One that means something, with a byte of it changed.
        if !bytes.is_empty() && random.one_in(3) {
            let at = random.index(bytes.len());
            bytes[at] = random.number().to_le_bytes()[0];
        }
        bytes
    }
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
    let whole = [
        "5 minutes ago",
        "yesterday 14:00",
        "2026-11-22T10:00[Europe/Berlin]",
        "1795341600000000",
    ];
    let made = Made {
        pieces: TIMES,
        whole: &whole,
    };
    any(&made, 20_000, (1000, 1000), bodies::time);
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
    let whole = [
        r#"{"id":"a","c0":"x","c1":9007199254740993,"c8":{"x":[1]}}"#,
        r#"{"id":"b","c2":9007199254740992,"c3":true,"c5":"2026-11-22"}"#,
        r#"{"id":"c","c2":-0.5,"c9":["x","y"]}"#,
    ];
    let made = Made {
        pieces: JSON,
        whole: &whole,
    };
    any(&made, 4_000, (100, 100), bodies::row);
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
    let stored = bodies::stored_schema();
    let made = Made {
        pieces: SCHEMA,
        whole: &[&stored],
    };
    any(&made, 150, (5, 50), bodies::schema);
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
    let made = Made {
        pieces: &pieces,
        whole: &[],
    };
    any(&made, 300, (0, 100), bodies::record);
}

/// Bytes that are changes: sometimes there are none.
const ANY: Made<'_> = Made {
    pieces: &[],
    whole: &[],
};

#[test]
fn bytes_changed_in_a_database() {
    any(&ANY, 150, (1, 50), bodies::database);
}

#[test]
fn bytes_changed_in_a_file_of_the_mirror() {
    any(&ANY, 100, (0, 50), bodies::mirror);
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
    let whole = [
        "{\"id\":\"a\",\"x\":9007199254740993}\n{\"id\":\"b\",\"x\":1}\n",
        "{\"id\":\"a\",\"x\":0.5}\n\n{\"id\":\"b\",\"x\":9007199254740992}\n",
        "\u{feff}{\"id\":\"a\",\"x\":\"y\"}\n{\"id\":\"b\",\"x\":null}",
    ];
    let made = Made {
        pieces: &pieces,
        whole: &whole,
    };
    any(&made, 100, (5, 5), |bytes| {
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
    let whole = [
        "id,x\na,1\nb,2026-11-22\n",
        "\u{feff}id,x\r\na,\"1,\"\"2\"\"\"\r\n\r\nb,\"\"",
        "x,id\r\"y\r\nz\",a\r,\"b\"\r",
    ];
    let made = Made {
        pieces: &pieces,
        whole: &whole,
    };
    any(&made, 100, (5, 5), |bytes| {
        bodies::import(&program, "csv", bytes)
    });
}
