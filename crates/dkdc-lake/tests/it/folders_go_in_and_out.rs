//! A folder that goes into the lake comes out of it as it was.
//!
//! The failure to prevent: a changed file is taken for unchanged; one that is
//! excluded goes in; a history ends where a file was moved; a name that differs
//! between two times is not told.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use dkdc_lake::{AddOptions, CheckoutOptions, Edit, FileName, Idx, Lake, Moment, Tree, TreeReport};
use dkdc_state::{Durability, State};

fn lake(folder: &Path) -> Lake {
    let state = State::options().durability(Durability::Relaxed);
    Lake::on(&state.open(folder.join("data.db")).expect("a store")).expect("a lake")
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, content).expect("a file");
}

fn add(lake: &Lake, folder: &Path, options: &AddOptions) -> (TreeReport, BTreeMap<String, String>) {
    let mut told = BTreeMap::new();
    let report = lake.add(folder, options, &mut |name, done| {
        told.insert(name.to_owned(), format!("{done:?}"));
    });
    (report.expect("added"), told)
}

fn checkout(lake: &Lake, to: &Path, options: &CheckoutOptions) -> TreeReport {
    lake.checkout(to, options, &mut |_, _| {})
        .expect("checked out")
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn below(root: &Path, folder: &Path, all: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                below(root, &path, all);
            } else {
                let name = path
                    .strip_prefix(root)
                    .expect("below")
                    .to_str()
                    .expect("UTF-8");
                all.insert(name.to_owned(), fs::read(&path).expect("a file"));
            }
        }
    }
    let mut all = BTreeMap::new();
    below(folder, folder, &mut all);
    all
}

#[test]
fn a_tree_comes_back_and_unchanged_files_are_not_read_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = lake(folder.path());
    let tree = folder.path().join("tree");
    for number in 0..30u32 {
        write(
            &tree,
            &format!("{}/{number}.txt", number % 4),
            number.to_string(),
        );
    }
    write(
        &tree,
        "large/blob.bin",
        (0..2_000_000u32)
            .flat_map(u32::to_le_bytes)
            .collect::<Vec<_>>(),
    );
    write(&tree, "empty", "");
    write(&tree, ".hidden/.dots", "..");
    let options = AddOptions::new("a/b");
    let (report, _) = add(&lake, &tree, &options);
    assert_eq!((report.new, report.failed), (33, 0));
    let (report, _) = add(&lake, &tree, &options);
    assert_eq!((report.unchanged, report.new, report.changed), (33, 0, 0));
    let out = folder.path().join("out");
    assert_eq!(checkout(&lake, &out, &CheckoutOptions::new("a/b")).new, 33);
    assert_eq!(contents(&out), contents(&tree));
    // Again: what is there is left alone.
    let report = checkout(&lake, &out, &CheckoutOptions::new("a/b"));
    assert_eq!((report.new, report.unchanged), (0, 33));
    let before = lake.state().last().expect("an idx");
    // Of the same size, within the same moment.
    write(&tree, "1/1.txt", "9");
    fs::remove_file(tree.join("2/2.txt")).expect("a file");
    let (report, told) = add(&lake, &tree, &options.clone().dry_run(true).delete(true));
    assert_eq!((report.changed, report.deleted), (1, 1));
    assert_eq!(told["1/1.txt"], "Changed");
    assert_eq!(
        lake.state().last().expect("an idx"),
        before,
        "nothing was done"
    );
    let (report, _) = add(&lake, &tree, &options);
    assert_eq!((report.changed, report.deleted), (1, 0));
    let (report, told) = add(&lake, &tree, &options.clone().delete(true));
    assert_eq!((report.deleted, told["2/2.txt"].as_str()), (1, "Deleted"));
    // As it was, and as it is.
    let old = folder.path().join("old");
    let options = CheckoutOptions::new("a/b").at(Some(Moment::Idx(before)));
    checkout(&lake, &old, &options);
    assert_eq!(contents(&old), contents(&out));
    let new = folder.path().join("new");
    checkout(&lake, &new, &CheckoutOptions::new("a/b"));
    assert_eq!(contents(&new), contents(&tree));
}

/// Files are found beside the reading of others: what is told of those that are not read
/// is in order all the same, and all of it is told.
#[test]
fn what_is_only_told_is_told_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = lake(folder.path());
    let tree = folder.path().join("tree");
    let mut names = Vec::new();
    for number in 0..2500 {
        let name = format!("{:02}/{number:04}.txt", number / 100);
        write(&tree, &name, number.to_string());
        names.push(name);
    }
    let told = |options: &AddOptions| {
        let mut told = Vec::new();
        let report = lake.add(&tree, options, &mut |name, done| {
            told.push((name.to_owned(), format!("{done:?}")));
        });
        (report.expect("added"), told)
    };
    let all = |done: &str| -> Vec<(String, String)> {
        let told = |name: &String| (name.clone(), done.to_owned());
        names.iter().map(told).collect()
    };
    let options = AddOptions::new("t");
    let (report, dry) = told(&options.clone().dry_run(true));
    assert_eq!((report.new, dry), (2500, all("New")));
    let (report, mut added) = told(&options);
    added.sort();
    assert_eq!((report.new, added), (2500, all("New")));
    let (report, again) = told(&options);
    assert_eq!((report.unchanged, again), (2500, all("Unchanged")));
    // Every second one is read, and the others are told between.
    for name in names.iter().step_by(2) {
        write(&tree, name, "another");
    }
    let (report, mixed) = told(&options);
    assert_eq!((report.changed, report.unchanged), (1250, 1250));
    let (unchanged, mut changed): (Vec<_>, Vec<_>) =
        mixed.into_iter().partition(|(_, done)| done == "Unchanged");
    let unread = all("Unchanged").into_iter().skip(1).step_by(2);
    assert_eq!(unchanged, unread.collect::<Vec<_>>());
    changed.sort();
    let read = all("Changed").into_iter().step_by(2);
    assert_eq!(changed, read.collect::<Vec<_>>());
}

#[test]
fn what_is_excluded_stays_out() {
    let folder = tempfile::tempdir().expect("a folder");
    // In the folder itself: the store is not a file of the tree.
    let lake = lake(folder.path());
    let tree = folder.path();
    write(tree, ".gitignore", "*.log\n/build/\n");
    write(tree, ".git/HEAD", "ref");
    write(tree, "a.log", "no");
    write(tree, "build/x", "no");
    write(tree, "keep/build/x", "yes");
    write(tree, "keep/a.tmp", "no");
    write(tree, "keep/b.txt", "yes");
    std::os::unix::fs::symlink("/etc/passwd", tree.join("link")).expect("a link");
    let options = AddOptions::new("t").exclude("*.tmp");
    let (report, told) = add(&lake, tree, &options);
    assert_eq!(told["link"], "Skipped(\"a link\")");
    assert_eq!((report.new, report.skipped), (3, 1), "{told:?}");
    assert!(told.contains_key("keep/build/x") && told.contains_key("keep/b.txt"));
    let (report, told) = add(&lake, tree, &AddOptions::new("u").everything(true));
    assert_eq!(report.new, 7, "{told:?}");
    assert!(told.contains_key(".git/HEAD"));
    assert!(
        !told.keys().any(|name| name.starts_with("data.db")),
        "{told:?}"
    );
}

#[test]
fn a_file_that_cannot_be_read_does_not_keep_the_others_out() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().expect("a folder");
    let lake = lake(folder.path());
    let tree = folder.path().join("tree");
    write(&tree, "good", "good");
    fs::write(tree.join(std::ffi::OsStr::from_bytes(b"bad\xff")), "bad").expect("a file");
    let (report, told) = add(&lake, &tree, &AddOptions::new(""));
    assert_eq!((report.new, report.failed), (1, 1), "{told:?}");
    assert_eq!(
        lake.read_to_vec(&FileName::new("good")).expect("content"),
        b"good"
    );
    let missing = lake.add(
        &folder.path().join("none"),
        &AddOptions::new(""),
        &mut |_, _| {},
    );
    assert!(missing.is_err());
}

/// Files are compared first and written later: what somebody else writes in between
/// is a version of its own, and the one from the disk comes on top of it.
#[test]
fn what_others_write_meanwhile_is_not_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = lake(folder.path());
    let tree = folder.path().join("tree");
    let names: Vec<String> = (0..4000).map(|number| format!("{number:04}")).collect();
    for content in ["1", "22"] {
        for name in &names {
            write(&tree, name, content);
        }
        let mut others = Some(["t/3998", "t/3999"]);
        let report = lake.add(&tree, &AddOptions::new("t"), &mut |_, _| {
            // The first of several transactions is done.
            let [changed, deleted] = match others.take() {
                Some(others) if content == "22" => others,
                _ => return,
            };
            let name = changed.parse().expect("a name");
            lake.put(&name, &Edit::new(), &b"other"[..]).expect("put");
            lake.delete(&deleted.parse().expect("a name"))
                .expect("deleted");
        });
        let report = report.expect("added");
        assert_eq!((report.new + report.changed, report.failed), (4000, 0));
    }
    for (name, versions) in [("t/0000", 2), ("t/3998", 3), ("t/3999", 3)] {
        let name: FileName = name.parse().expect("a name");
        assert_eq!(lake.read_to_vec(&name).expect("content"), b"22");
        assert_eq!(
            lake.history(&name).expect("a history").len(),
            versions,
            "{name}"
        );
    }
}

#[test]
fn a_history_follows_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = lake(folder.path());
    let put = |name: &str, content: &str| {
        let name: FileName = name.parse().expect("a name");
        lake.put(&name, &Edit::new(), content.as_bytes())
            .expect("put")
            .file
    };
    let first = put("a/one.txt", "1");
    put("a/b/two.txt", "2");
    put("c/one.txt", "other");
    let to = "d/eins.md".parse().expect("a name");
    let moved = lake
        .rename(&"a/one.txt".parse().expect("a name"), &to)
        .expect("moved");
    assert_eq!(
        (moved.id.as_str(), moved.filetype.as_deref()),
        (first.id.as_str(), Some("md"))
    );
    assert_eq!(lake.history(&to).expect("a history").len(), 2);
    // All or none.
    put("a/one.txt", "new");
    let taken = lake
        .rename_path("a", "c", None)
        .expect_err("c/one.txt is there");
    assert_eq!(taken.kind(), dkdc_lake::ErrorKind::AlreadyExists);
    assert!(lake.contains_path("a/b", None).expect("a read"));
    assert_eq!(lake.rename_path("a", "e/f", None).expect("moved"), 2);
    assert!(
        lake.contains_file(&"e/f/b/two.txt".parse().expect("a name"))
            .expect("a read")
    );
    assert!(
        lake.rename_path("a", "g", None).is_err(),
        "nothing is left there"
    );
    let all = lake
        .versions(Idx::ZERO)
        .expect("versions")
        .collect::<Result<Vec<_>, _>>();
    assert_eq!(all.expect("versions").len(), 7);
}

#[test]
fn differences_are_told_between_times_and_with_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = lake(folder.path());
    let tree = folder.path().join("tree");
    for (name, content) in [("same", "s"), ("changed", "1"), ("gone", "g")] {
        write(&tree, name, content);
    }
    add(&lake, &tree, &AddOptions::new("t"));
    let then = lake.state().last().expect("an idx");
    write(&tree, "changed", "2");
    write(&tree, "new", "n");
    fs::remove_file(tree.join("gone")).expect("a file");
    let at = |at| Tree::Lake {
        path: "t".to_owned(),
        user: None,
        at,
    };
    let names = |before: &Tree, after: &Tree| {
        let found = lake.diff(before, after).expect("differences");
        found
            .into_iter()
            .map(|found| found.name)
            .collect::<Vec<_>>()
    };
    let expected = ["changed", "gone", "new"];
    assert_eq!(names(&at(None), &Tree::Folder(tree.clone())), expected);
    add(&lake, &tree, &AddOptions::new("t").delete(true));
    assert_eq!(names(&at(Some(Moment::Idx(then))), &at(None)), expected);
    assert_eq!(names(&at(None), &Tree::Folder(tree)), [""; 0]);
}

/// The failure to prevent: a store of this process is read as a file, and closing it
/// takes SQLite's locks away.
#[test]
fn files_of_stores_that_are_open_are_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = lake(folder.path());
    let tree = folder.path().join("tree");
    write(&tree, "a", "a");
    let other = State::open(tree.join("other.db")).expect("a store");
    let options = AddOptions::new("").everything(true);
    // By any name.
    fs::hard_link(tree.join("other.db"), tree.join("linked")).expect("a link");
    fs::hard_link(folder.path().join("data.db"), tree.join("own")).expect("a link");
    let (report, told) = add(&lake, &tree, &options);
    assert_eq!((report.new, report.skipped), (1, told.len() as u64 - 1));
    let skipped = ["linked", "other.db", "other.db-shm", "own"];
    assert!(
        skipped
            .iter()
            .all(|name| told[*name].contains("of a store that is open"))
    );
    let everything = Tree::Lake {
        path: String::new(),
        user: None,
        at: None,
    };
    let differs = lake.diff(&Tree::Folder(tree.clone()), &everything);
    assert_eq!(differs.expect("a diff"), []);
    drop(other);
    let (_, told) = add(&lake, &tree, &options);
    assert_eq!(told["other.db"], "New");
}
