//! `dkdc ... | head` closes the pipe on a program that still writes. That is no
//! failure: nothing is said, and the code is 0.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use crate::shell::{DKDC, Shell};

/// Takes a line and goes.
fn first_line(shell: &Shell, args: &[&str]) -> String {
    let mut command = shell.command(DKDC);
    let command = command
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("dkdc runs");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    out.read_line(&mut line).expect("a line");
    drop(out);
    let mut said = String::new();
    let mut err = child.stderr.take().expect("a pipe");
    err.read_to_string(&mut said).expect("text");
    let status = child.wait().expect("it ends");
    assert_eq!((status.code(), said.as_str()), (Some(0), ""), "{args:?}");
    line
}

#[test]
fn every_format_ends_quietly() {
    let shell = Shell::with_people();
    for format in ["table", "json", "ndjson", "csv"] {
        let query = "select range as n, 'some text' as t from range(10000000)";
        assert!(!first_line(&shell, &["sql", query, "--format", format]).is_empty());
    }
}

#[test]
fn a_reader_who_leaves_while_nothing_comes_is_noticed() {
    let shell = Shell::with_people();
    let line = first_line(&shell, &["changes", "--follow"]);
    assert!(line.starts_with("{\"idx\":"), "{line}");
}

#[test]
fn so_does_a_large_file() {
    let shell = Shell::new();
    shell.write("large.txt", "a line\n".repeat(1_000_000));
    shell.ok(&["lake", "put", "large.txt"]);
    assert_eq!(
        first_line(&shell, &["lake", "cat", "large.txt"]),
        "a line\n"
    );
}
