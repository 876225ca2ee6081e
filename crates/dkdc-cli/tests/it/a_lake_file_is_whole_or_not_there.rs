//! A download that stops half-way over the good copy loses both. And a name in
//! the lake is somebody's text: it must not lead out of the folder.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, UNIX_EPOCH};

use crate::shell::{Shell, text};

#[test]
fn a_file_comes_back_as_it_was_put() {
    let shell = Shell::new();
    let content: Vec<u8> = (0..3_000_000_u32)
        .map(|n| n.to_le_bytes()[usize::from(n % 2 == 0)])
        .collect();
    shell.write("run.sh", &content);
    let path = shell.path("run.sh");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4755)).expect("a mode");
    let time = UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456);
    fs::File::open(&path)
        .and_then(|file| file.set_modified(time))
        .expect("a time");
    let put = shell.json(&["lake", "put", "run.sh", "--path", "bin"]);
    assert_eq!(text(&put[0], "mtime"), "2023-11-14T22:13:20.123456Z");

    let ended = shell.dkdc(&["lake", "get", "bin/run.sh", "-o", "copy.sh"]);
    assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{ended:?}");
    assert_eq!(shell.read("copy.sh"), content);
    let meta = shell.path("copy.sh").metadata().expect("a file");
    // Executable as before, but nobody's rights are lent.
    assert_eq!(meta.permissions().mode() & 0o7111, 0o111);
    assert_eq!(meta.modified().expect("a time"), time);
    assert_eq!(
        shell
            .dkdc(&["lake", "get", "bin/run.sh", "-o", "/dev/null"])
            .code,
        0
    );
}

#[test]
fn nothing_is_replaced_unless_it_is_named() {
    let shell = Shell::new();
    shell.write("a.txt", "in the lake");
    shell.ok(&["lake", "put", "a.txt"]);
    shell.write("a.txt", "mine");
    let line = shell.fails(4, &["lake", "get", "a.txt"]);
    assert!(line.contains("-o a.txt"), "{line}");
    assert_eq!(shell.read("a.txt"), b"mine");
    shell.ok(&["lake", "get", "a.txt", "-o", "a.txt"]);
    assert_eq!(shell.read("a.txt"), b"in the lake");
    fs::remove_file(shell.path("a.txt")).expect("removed");
    shell.ok(&["lake", "get", "a.txt"]);
    assert_eq!(shell.read("a.txt"), b"in the lake");
    assert_eq!(
        shell.ok(&["lake", "get", "a.txt", "-o", "-"]),
        "in the lake"
    );
}

#[test]
fn a_failure_leaves_nothing_behind() {
    let shell = Shell::new();
    shell.write("a.txt", "a");
    shell.ok(&["lake", "put", "a.txt"]);
    fs::remove_file(shell.path("a.txt")).expect("removed");
    shell.fails(2, &["lake", "get", "a.txt", "-o", "home"]);
    shell.fails(3, &["lake", "get", "a.txt", "-o", "missing/a.txt"]);
    shell.fails(3, &["lake", "get", "b.txt"]);
    symlink("elsewhere.txt", shell.path("a.txt")).expect("a link");
    shell.fails(4, &["lake", "get", "a.txt"]);
    assert!(!shell.path("elsewhere.txt").exists());
    let names = fs::read_dir(shell.folder()).expect("a folder").count();
    assert_eq!(names, 2, "home and the link");
}

#[test]
fn a_name_leads_to_no_other_folder() {
    let shell = Shell::new().with("DKDC_DB", "data.db");
    shell.dkdc_reading("x", &["lake", "put", "-", "--name", "a", "--path", "p"]);
    let id = text(&shell.json(&["lake", "ls"])[0], "id").to_owned();
    for name in ["..", "."] {
        let put = shell.dkdc_reading("x", &["lake", "put", "-", "--name", name, "--path", "p"]);
        put.failed(2);
        // As only another program can have put it.
        let row = format!(r#"{{"id": "{id}", "filename": "{name}"}}"#);
        shell.ok(&["row", "update", "lake", &row]);
        shell.fails(2, &["lake", "get", &format!("p/{name}")]);
        shell.ok(&["lake", "get", &format!("p/{name}"), "-o", "given.txt"]);
    }
}

#[test]
fn stdin_can_be_put_under_a_name() {
    let shell = Shell::new();
    let put = shell.dkdc_reading(
        "from a pipe",
        &["lake", "put", "-", "--name", "a.MD", "--json"],
    );
    let put: Vec<serde_json::Value> = serde_json::from_str(&put.out).expect("JSON");
    assert_eq!(text(&put[0], "filetype"), "md");
    assert!(put[0]["mtime"].is_null());
    assert_eq!(shell.ok(&["lake", "cat", "a.MD"]), "from a pipe");
    let line = shell.dkdc_reading("x", &["lake", "put", "-"]).failed(2);
    assert!(line.contains("--name"), "{line}");
}

#[test]
fn what_cannot_be_put_makes_no_version_and_no_store() {
    let shell = Shell::new();
    fs::create_dir(shell.path("folder")).expect("a folder");
    shell.fails(2, &["lake", "put", "folder"]);
    shell.fails(3, &["lake", "put", "missing.txt"]);
    shell.fails(2, &["lake", "put", "folder", "--name", "a/b"]);
    assert!(!shell.path("home").exists());
    shell.fails(2, &["lake", "cat", "a/"]);
}

#[test]
fn the_same_file_again_is_no_new_version() {
    let shell = Shell::new();
    shell.write("a.txt", "a");
    shell.ok(&["lake", "put", "a.txt"]);
    let again = shell.dkdc(&["lake", "put", "a.txt"]);
    assert!(again.err.contains("no new version"), "{again:?}");
    assert_eq!(shell.json(&["lake", "history", "a.txt"]).len(), 1);
}

#[test]
fn users_and_paths_keep_files_apart() {
    let shell = Shell::new();
    for (content, args) in [
        ("none", &["--name", "a.txt"][..]),
        ("ann", &["--name", "a.txt", "--user", "ann"]),
        ("path", &["--name", "a.txt", "--path", "x"]),
        ("below", &["--name", "a.txt", "--path", "x/y"]),
        ("beside", &["--name", "a.txt", "--path", "xy"]),
    ] {
        shell.dkdc_reading(content, &[&["lake", "put", "-"], args].concat());
    }
    assert_eq!(shell.ok(&["lake", "cat", "a.txt"]), "none");
    assert_eq!(shell.ok(&["lake", "cat", "a.txt", "--user", "ann"]), "ann");
    assert_eq!(shell.ok(&["lake", "cat", "x/y/a.txt"]), "below");
    let names = |args: &[&str]| shell.json(&[&["lake", "ls"], args].concat()).len();
    assert_eq!(
        (
            names(&[]),
            names(&["x"]),
            names(&["x/y"]),
            names(&["--user", "ann"])
        ),
        (5, 2, 1, 1)
    );
    let line = shell.fails(3, &["lake", "cat", "x/a.txt", "--user", "ann"]);
    assert!(line.contains("File x/a.txt does not exist"), "{line}");
}

#[test]
fn a_path_is_the_same_however_its_slashes_are_typed() {
    let shell = Shell::new();
    shell.write("a.txt", "hello");
    for path in ["x/y", "/x/y/", "x//y", "./x/./y"] {
        let put = shell.json(&["lake", "put", "a.txt", "--path", path]);
        assert_eq!(text(&put[0], "path"), "x/y", "{path}");
        for name in [format!("{path}/a.txt"), "/x/y/a.txt".to_owned()] {
            assert_eq!(shell.ok(&["lake", "cat", &name]), "hello", "{name}");
            assert_eq!(shell.json(&["lake", "history", &name]).len(), 1, "{name}");
        }
        assert_eq!(shell.json(&["lake", "ls", path]).len(), 1, "{path}");
    }
    for path in ["", "/", "."] {
        let put = shell.json(&["lake", "put", "a.txt", "--path", path]);
        assert!(put[0]["path"].is_null(), "{path:?}");
        assert_eq!(shell.json(&["lake", "ls", path]).len(), 2, "{path:?}");
    }
    assert_eq!(shell.ok(&["lake", "cat", "/a.txt"]), "hello");
    for args in [
        &["lake", "put", "a.txt", "--path", "../x"][..],
        &["lake", "put", "a.txt", "--path", "x/.."],
        &["lake", "put", "a.txt", "--name", ".."],
    ] {
        let line = shell.fails(2, args);
        assert!(line.contains("\"..\""), "{line}");
    }
    let line = shell.fails(3, &["lake", "cat", "x/../a.txt"]);
    assert_eq!(line, "File x/../a.txt does not exist");
    assert_eq!(shell.json(&["lake", "ls"]).len(), 2);
}

/// The failure to prevent: SQLite takes what has the name of a part of a store for one.
#[test]
fn no_file_becomes_a_part_of_a_store() {
    let shell = Shell::new();
    shell.ok(&["--db", "closed.db", "todo", "add", "precious"]);
    shell.write("f", "no journal");
    shell.ok(&["lake", "put", "f"]);
    for ending in ["-wal", "-shm", "-journal"] {
        let target = format!("closed.db{ending}");
        let told = shell.fails(2, &["lake", "get", "f", "-o", &target]);
        assert!(told.contains("a store, or part of one"), "{told}");
        assert!(!shell.path(&target).exists());
    }
    shell.ok(&["lake", "get", "f", "-o", "other.db-wal"]);
    let told = shell.fails(2, &["--db", "closed.db", "lake", "put", "closed.db"]);
    assert!(told.contains("it is the store itself"), "{told}");
}
