//! What people and programs do to a store that is open, and what the system
//! runs short of.

use std::path::Path;
use std::process::Command;

use dkdc_state::{Durability, Error, Row};
use dkdc_torture::oracle;
use dkdc_torture::work::{self, Tables};

use crate::skipped::skipped;
use crate::support::{PROGRAM, command, said};

fn work_on(store: &Path, ledgers: &Path, worker: u64, threads: u64, operations: u64) -> Command {
    let mut command = command("work", store);
    command.arg(ledgers);
    for (name, number) in [
        ("--worker", worker),
        ("--threads", threads),
        ("--operations", operations),
        ("--seed", worker),
    ] {
        command.arg(name).arg(number.to_string());
    }
    command
}

/// Something of this process opens the file and closes it, which drops the locks
/// of the store. Another process then takes itself for the last one, and removes the
/// `-wal` into which this one writes on.
#[test]
fn a_file_whose_bytes_were_read_in_the_process_takes_no_false_acknowledgement() {
    for round in 0..5 {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("data.db");
        let ledgers = folder.path().join("ledgers");
        std::fs::create_dir(&ledgers).expect("a folder");
        let state = work::options(Durability::Full)
            .open(&store)
            .expect("a store");
        let notes = Tables::define(&state).expect("tables").notes;
        let mut acknowledged = Vec::new();
        for n in 0..20 {
            let row = Row::new(format!("own{n}")).with("token", -1 - n);
            if n == 10 {
                drop(std::fs::read(&store).expect("its bytes"));
                said(&mut work_on(&store, &ledgers, 1 + round, 1, 5));
            }
            match notes.append(&row) {
                Ok(version) => acknowledged.push((format!("own{n}"), version.idx)),
                Err(Error::Replaced { .. } | Error::Poisoned { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        drop((notes, state));
        let state = work::options(Durability::Full)
            .open(&store)
            .expect("a store");
        let notes = state.rows("notes").expect("the table");
        for (id, idx) in acknowledged {
            let found = notes.get(&id).expect("a read");
            assert_eq!(found.map(|found| found.idx()), Some(idx), "{id} is lost");
        }
        assert!(state.check().expect("a check").is_sound());
    }
}

#[test]
fn a_process_that_runs_out_of_memory_or_descriptors_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("data.db");
    said(&mut work_on(&store, folder.path(), 1, 1, 20));
    let limits = [
        "-v 60000",
        "-v 120000",
        "-v 250000",
        "-n 6",
        "-n 9",
        "-n 14",
    ];
    let mut failed = 0;
    for (limit, worker) in limits.iter().zip(2..) {
        let work = work_on(&store, folder.path(), worker, 3, 60);
        let limited = Command::new("sh")
            .args([
                "-c",
                &format!("ulimit {limit}; exec \"$0\" \"$@\""),
                PROGRAM,
            ])
            .args(work.get_args())
            .output()
            .expect("sh runs");
        failed += u32::from(!limited.status.success());
        let errors = String::from_utf8_lossy(&limited.stderr);
        assert!(!errors.contains("BUG"), "{limit}: {errors}");
        assert!(!errors.contains("panicked"), "{limit}: {errors}");
        oracle::judge(&store, folder.path()).unwrap_or_else(|error| panic!("{limit}: {error}"));
    }
    assert!(failed > 0, "no limit was reached");
}

/// The failure: a container is given `data.db` alone. Its `-wal` is beside it inside
/// the container, where no other sees it, and goes with the container.
#[test]
fn a_file_that_is_mounted_by_itself_is_not_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("data.db");
    said(&mut work_on(&store, folder.path(), 1, 1, 5));
    let mounted = folder.path().join("mounted.db");
    std::fs::write(&mounted, "").expect("a file");
    let mount = Command::new("mount")
        .arg("--bind")
        .args([&store, &mounted])
        .output();
    if !mount.is_ok_and(|output| output.status.success()) {
        skipped("nothing can be mounted by this user");
        return;
    }
    let open = |read_only| {
        let options = work::options(Durability::Full).read_only(read_only);
        options.open(&mounted).map(|_| ())
    };
    let (writing, reading) = (open(false), open(true));
    let unmounted = Command::new("umount").arg(&mounted).status();
    assert!(unmounted.expect("umount runs").success());
    let error = writing.expect_err("its -wal would be another").to_string();
    assert!(error.contains("mount its folder"), "{error}");
    reading.expect("as it is");
    oracle::judge(&store, folder.path()).expect("everything is there");
}
