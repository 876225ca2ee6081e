//! What comes out of a lake goes into the folder that was named, and nowhere else.
//!
//! The failure to prevent: a name from a lake, or a link that somebody put into
//! the folder, leads to another place; a run that is cut off leaves half a file
//! under a final name; one damaged file keeps the others from being restored.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use dkdc_lake::{CheckoutOptions, Done, Edit, File, FileName, Lake, TreeReport};
use dkdc_state::{Record, State};

fn lake(folder: &Path) -> Lake {
    Lake::open(folder.join("data.db")).expect("a lake")
}

fn put(lake: &Lake, name: &str, content: &[u8]) {
    let name: FileName = name.parse().expect("a name");
    lake.put(&name, &Edit::new(), content).expect("put");
}

fn checkout(lake: &Lake, to: &Path, options: &CheckoutOptions) -> (TreeReport, Vec<String>) {
    let mut failed = Vec::new();
    let report = lake.checkout(to, options, &mut |name, done| {
        if let Done::Failed(why) = done {
            failed.push(format!("{name}: {why}"));
        }
    });
    (report.expect("a report"), failed)
}

/// A record as an original package or a bent writer may have left it.
fn smuggle(lake: &Lake, path: Option<&str>, filename: &str) {
    let blob = lake.state().put_blob(&b"smuggled"[..]).expect("content");
    let mut record = lake.put(&FileName::new("model"), &Edit::new(), &b"x"[..]);
    let mut file: File = record.as_mut().expect("put").file.record.clone();
    file.id = format!("{path:?}{filename}");
    file.path = path.map(str::to_owned);
    file.filename = filename.to_owned();
    (file.size, file.hash, file.data) = (8, blob.hex(), blob);
    lake.table().append(&file).expect("appended");
    assert_eq!(file.id(), file.id);
}

#[test]
fn names_that_lead_elsewhere_are_refused_and_the_others_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = lake(folder.path());
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).expect("a folder");
    put(&lake, "good.txt", b"good");
    for (path, filename) in [
        (Some(".."), "outside/x"),
        (Some("../outside"), "x"),
        (Some("a/../../outside"), "x"),
        (None, ".."),
        (None, "nul\0"),
        (Some("a"), "b/../../../outside/x"),
        (None, ".dkdc-checkout-x"),
    ] {
        smuggle(&lake, path, filename);
    }
    let absolute = outside.to_str().expect("UTF-8").to_owned();
    smuggle(&lake, Some(&absolute), "x");
    // A drive to Windows, where nothing is checked out; here it is a name like others.
    smuggle(&lake, Some("C:\\temp"), "x");
    let to = folder.path().join("to");
    let (report, failed) = checkout(&lake, &to, &CheckoutOptions::new(""));
    assert_eq!((report.new, report.failed), (3, 8), "{failed:?}");
    assert_eq!(
        fs::read(to.join("C:\\temp/x")).expect("a file"),
        b"smuggled"
    );
    assert_eq!(fs::read(to.join("good.txt")).expect("a file"), b"good");
    assert_eq!(fs::read_dir(&outside).expect("a folder").count(), 0);
    let mut names: Vec<String> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| !name.starts_with("data.db"))
        .collect();
    names.sort();
    assert_eq!(names, ["outside", "to"]);
}

#[test]
fn links_in_the_target_are_not_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = lake(folder.path());
    put(&lake, "a/one", b"new");
    put(&lake, "two", b"new");
    put(&lake, "three", b"new");
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).expect("a folder");
    fs::write(outside.join("two"), "old").expect("a file");
    let to = folder.path().join("to");
    fs::create_dir(&to).expect("a folder");
    symlink(&outside, to.join("a")).expect("a link");
    symlink(outside.join("two"), to.join("two")).expect("a link");
    let (report, failed) = checkout(&lake, &to, &CheckoutOptions::new(""));
    assert_eq!((report.new, report.failed), (1, 2), "{failed:?}");
    // Told to replace, it replaces the link and not what it leads to.
    let (report, failed) = checkout(&lake, &to, &CheckoutOptions::new("").replace(true));
    assert_eq!((report.changed, report.unchanged), (1, 1), "{failed:?}");
    assert!(!to.join("two").is_symlink());
    assert_eq!(fs::read(outside.join("two")).expect("a file"), b"old");
    assert_eq!(fs::read_dir(&outside).expect("a folder").count(), 1);
}

#[test]
fn what_is_there_is_replaced_only_when_told_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = lake(folder.path());
    put(&lake, "a", b"lake");
    let to = folder.path().join("to");
    fs::create_dir(&to).expect("a folder");
    fs::write(to.join("a"), "disk").expect("a file");
    let (report, failed) = checkout(&lake, &to, &CheckoutOptions::new(""));
    assert_eq!(report.failed, 1, "{failed:?}");
    assert_eq!(fs::read(to.join("a")).expect("a file"), b"disk");
    let (report, _) = checkout(&lake, &to, &CheckoutOptions::new("").replace(true));
    assert_eq!(report.changed, 1);
    assert_eq!(fs::read(to.join("a")).expect("a file"), b"lake");
}

#[test]
fn what_an_interrupted_run_left_is_swept_and_the_rest_is_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = lake(folder.path());
    put(&lake, "a", b"aaaa");
    put(&lake, "b", b"bbbb");
    let to = folder.path().join("to");
    let old = to.join(".dkdc-checkout-old/folder-0/x");
    fs::create_dir_all(&old).expect("a folder");
    fs::write(old.join("file"), "half").expect("a file");
    fs::write(to.join(".dkdc-checkout-old/0-0"), "half").expect("a file");
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).expect("a folder");
    fs::write(outside.join("kept"), "").expect("a file");
    symlink(&outside, old.join("link")).expect("a link");
    fs::write(to.join("a"), "aaaa").expect("a file");
    let (report, failed) = checkout(&lake, &to, &CheckoutOptions::new(""));
    assert_eq!((report.new, report.unchanged), (1, 1), "{failed:?}");
    let left: Vec<_> = fs::read_dir(&to).expect("a folder").collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(outside.join("kept").exists());
}

/// New folders get their names as wholes, others file by file.
#[test]
fn folders_that_are_there_are_filled_and_the_others_are_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = lake(folder.path());
    let names = [
        "a/one",
        "a/b/two",
        "a/b/c/three",
        "d/e/four",
        "d/five",
        "six",
    ];
    for name in names {
        put(&lake, name, name.as_bytes());
    }
    put(&lake, "d", b"has a folder's name");
    let to = folder.path().join("to");
    fs::create_dir_all(to.join("a/b")).expect("folders");
    fs::write(to.join("a/b/mine"), "mine").expect("a file");
    let (report, failed) = checkout(&lake, &to, &CheckoutOptions::new(""));
    // Of the file and the folder of one name, one is there.
    let d = to.join("d");
    assert_eq!(report.failed, if d.is_dir() { 1 } else { 2 }, "{failed:?}");
    assert!(failed.iter().all(|failed| failed.starts_with('d')));
    for name in names
        .iter()
        .filter(|name| d.is_dir() || !name.starts_with('d'))
    {
        assert_eq!(fs::read(to.join(name)).expect("a file"), name.as_bytes());
    }
    assert_eq!(fs::read(to.join("a/b/mine")).expect("a file"), b"mine");
    let mut left: Vec<_> = fs::read_dir(&to)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["a", "d", "six"]);
}

#[test]
fn a_damaged_content_is_named_and_the_others_are_restored() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = lake(folder.path());
    put(&lake, "bad", &[7; 5000]);
    put(&lake, "good", &[8; 5000]);
    put(&lake, "gone", &[9; 5000]);
    drop(lake);
    let script = "DROP TRIGGER _dkdc_guard_update__dkdc_chunks; \
                  DROP TRIGGER _dkdc_guard_delete__dkdc_chunks; \
                  UPDATE _dkdc_chunks SET data = x'00' WHERE number = 1; \
                  DELETE FROM _dkdc_chunks WHERE number = 3";
    crate::altered(&folder.path().join("data.db"), script);
    let lake = Lake::on(&State::open(folder.path().join("data.db")).expect("a store"));
    let to = folder.path().join("to");
    let (report, failed) = checkout(&lake.expect("a lake"), &to, &CheckoutOptions::new(""));
    assert_eq!((report.new, report.failed), (1, 2), "{failed:?}");
    for (failed, name) in failed.iter().zip(["bad", "gone"]) {
        let is_named = failed.starts_with(&format!("{name}: ")) && failed.contains("damaged");
        assert!(is_named, "{failed:?}");
        assert!(!to.join(name).exists());
    }
    assert_eq!(fs::read(to.join("good")).expect("a file"), [8; 5000]);
}

/// The failure to prevent: SQLite takes an old `-wal` for one of a database that is
/// there, and acknowledged writes are gone.
#[test]
fn no_part_of_a_database_is_laid_beside_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = lake(folder.path());
    let names = ["a.db", "a.db-wal", "b.db-journal", "c.db", "d.db-wal"];
    for name in names {
        put(&lake, name, b"from the lake");
    }
    let to = folder.path().join("to");
    fs::create_dir(&to).expect("a folder");
    for name in ["a.db", "b.db", "c.db-wal"] {
        fs::write(to.join(name), "of others").expect("a file");
    }
    for options in [
        CheckoutOptions::new(""),
        CheckoutOptions::new("").replace(true),
    ] {
        let (_, failed) = checkout(&lake, &to, &options);
        for name in ["a.db-wal", "b.db-journal", "c.db"] {
            let named = failed
                .iter()
                .any(|why| why.starts_with(&format!("{name}: ")));
            assert!(named && !to.join(name).exists(), "{name}: {failed:?}");
        }
        assert_eq!(
            fs::read(to.join("d.db-wal")).expect("a file"),
            b"from the lake"
        );
    }
    // All of a database goes where none is.
    let (report, failed) = checkout(&lake, &folder.path().join("new"), &CheckoutOptions::new(""));
    assert_eq!((report.new, failed.len()), (5, 0));
}

#[test]
fn stores_are_not_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = lake(folder.path());
    let path = |name: &str| folder.path().join(name);
    drop(State::open(path("closed.db")).expect("a store"));
    let open = State::open(path("open.db")).expect("a store");
    for name in ["data.db", "closed.db", "open.db"] {
        put(&lake, name, b"other");
    }
    let (report, failed) = checkout(
        &lake,
        folder.path(),
        &CheckoutOptions::new("").replace(true),
    );
    assert_eq!((report.failed, failed.len()), (3, 3), "{failed:?}");
    assert!(failed.iter().all(|why| why.contains("store")), "{failed:?}");
    drop((lake, open));
    for name in ["data.db", "closed.db", "open.db"] {
        assert!(
            State::open(path(name))
                .expect("a store")
                .check()
                .expect("a check")
                .is_sound()
        );
    }
}
