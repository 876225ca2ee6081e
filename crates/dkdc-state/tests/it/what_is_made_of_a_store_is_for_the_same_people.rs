//! A store is for its owner alone, and so is what is made of it.
//!
//! The failure to prevent: `chmod 600 data.db`, and everybody on the machine reads its
//! records in the files of the mirror, or in last night's backup.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use dkdc_state::{Row, State};

use crate::skipped::skipped;
use crate::support::{Place, note, notes, permit};

/// A store of this mode, and with a mirror.
fn sealed(place: &Place, mode: u32) -> State {
    let state = place.open();
    let table = state.define(&notes()).expect("a table");
    let rows: Vec<Row> = (0..100).map(|n| note(&format!("k{n}"), n)).collect();
    table.append_all(&rows).expect("new");
    permit(&place.db(), mode);
    state.seal_mirror().expect("a mirror");
    state
}

fn mode(path: &Path) -> u32 {
    let meta = fs::metadata(path).expect("it is there");
    meta.permissions().mode() & 0o777
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    assert_eq!(paths.len(), 3, "history, current rows, what was verified");
    paths
}

#[test]
fn its_mirror_and_its_backups() {
    for of_store in [0o600, 0o640, 0o660, 0o644, 0o666] {
        let place = Place::new();
        let state = sealed(&place, of_store);
        let folder = place.at("data.db-mirror");
        assert_eq!(mode(&folder), of_store | ((of_store & 0o444) >> 2));
        for path in files(&folder) {
            let is_record = path.ends_with("verified");
            let expected = if is_record {
                of_store
            } else {
                of_store & 0o444
            };
            assert_eq!(mode(&path), expected, "{}, {of_store:o}", path.display());
        }
        let copy = place.at("copy.db");
        state.backup(&copy, &mut |_| {}).expect("a backup");
        assert_eq!(mode(&copy), of_store);
    }
}

#[test]
fn a_backup_of_what_nobody_may_write_can_be_written_by_its_maker() {
    let place = Place::new();
    drop(sealed(&place, 0o644));
    permit(&place.db(), 0o444);
    let state = State::options().read_only(true);
    let state = state.open(place.db()).expect("a store");
    let copy = place.at("copy.db");
    state.backup(&copy, &mut |_| {}).expect("a backup");
    assert_eq!(mode(&copy), 0o644);
}

#[test]
fn a_folder_that_was_open_to_more_is_closed_with_the_next_write() {
    let place = Place::new();
    let state = sealed(&place, 0o644);
    let folder = place.at("data.db-mirror");
    for (of_store, of_folder) in [(0o600, 0o700), (0o644, 0o755)] {
        permit(&place.db(), of_store);
        state.keep_mirror().expect("nothing to do");
        assert_eq!(mode(&folder), of_folder);
    }
}

#[test]
fn a_folder_that_was_put_elsewhere_stays_as_it_is() {
    let place = Place::new();
    let elsewhere = place.at("elsewhere");
    fs::create_dir(&elsewhere).expect("a folder");
    permit(&elsewhere, 0o755);
    symlink(&elsewhere, place.at("data.db-mirror")).expect("a link");
    let _state = sealed(&place, 0o600);
    assert_eq!(mode(&elsewhere), 0o755);
    for path in files(&elsewhere) {
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
}

#[test]
fn what_root_adds_is_the_owners() {
    const NOBODY: u32 = 65_534;
    let place = Place::new();
    drop(place.open());
    if chown(place.db(), Some(NOBODY), Some(NOBODY)).is_err() {
        skipped("only root can do this");
        return;
    }
    let state = sealed(&place, 0o600);
    let owner = |path: &Path| {
        let meta = fs::metadata(path).expect("it is there");
        (meta.uid(), meta.gid())
    };
    let folder = place.at("data.db-mirror");
    assert_eq!(owner(&folder), (NOBODY, NOBODY));
    for path in files(&folder) {
        assert_eq!(owner(&path), (NOBODY, NOBODY), "{}", path.display());
    }
    // A backup is of those who make it.
    let copy = place.at("copy.db");
    state.backup(&copy, &mut |_| {}).expect("a backup");
    assert_eq!(owner(&copy).0, owner(place.folder()).0);
}
