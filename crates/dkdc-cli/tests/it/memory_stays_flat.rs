//! A table of millions of rows goes through a pipe.
//!
//! The failure to prevent: rows are collected before the first is written, so that what
//! works with a small table ends, with a large one, with the process killed.
#![cfg(target_os = "linux")]

use std::fmt::Write;
use std::fs;
use std::io::Read;
use std::process::Stdio;

use crate::shell::{DKDC, Shell};

const ROWS: usize = 100_000;
/// Of a row, in bytes.
const WIDTH: usize = 96;
/// What ten times the rows may take more, in KiB. They are 140 MB more, and would come
/// on top of what groups of them take while files of the mirror are written and read:
/// that is 100 MB more here, and not more than this of sixty times the rows.
const GROWTH: u64 = 160 << 10;

/// A store with a table of so many rows, none of them like another.
fn with_rows(rows: usize) -> Shell {
    let shell = Shell::new().with("DKDC_DB", "data.db");
    let mut lines = String::new();
    let mut noise = 1_u64;
    for n in 0..rows {
        write!(lines, "{{\"id\":\"{n:07}\",\"text\":\"").expect("memory");
        for _ in 0..WIDTH / 16 {
            noise = noise
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(n as u64 | 1);
            write!(lines, "{noise:016x}").expect("memory");
        }
        lines.push_str("\"}\n");
    }
    shell.write("rows.ndjson", lines);
    shell.ok(&["import", "t", "rows.ndjson"]);
    shell
}

/// The most memory that a process has had, in KiB; none when it has ended.
fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().strip_suffix(" kB")?.parse().ok()
}

/// Reads all rows through a pipe: how many there are, and the most memory it took.
fn read_all(shell: &Shell) -> (usize, u64) {
    let mut command = shell.command(DKDC);
    command.args(["sql", "from t", "--format", "ndjson"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("dkdc runs");
    let mut out = child.stdout.take().expect("a pipe");
    let (mut rows, mut most, mut bytes) = (0, 0, vec![0; 1 << 16]);
    loop {
        let read = out.read(&mut bytes).expect("rows");
        if read == 0 {
            break;
        }
        rows += bytes[..read].iter().filter(|byte| **byte == b'\n').count();
        most = most.max(peak(child.id()).unwrap_or(0));
    }
    assert!(child.wait().expect("it ends").success());
    (rows, most)
}

#[test]
fn while_ten_times_as_many_rows_pass_through() {
    let [few, many] = [ROWS, 10 * ROWS].map(|rows| {
        let (found, peak) = read_all(&with_rows(rows));
        assert_eq!(found, rows);
        peak
    });
    println!("{few} KiB, then {many} KiB");
    assert!(many < few + GROWTH, "{few} KiB, and then {many} KiB");
}
