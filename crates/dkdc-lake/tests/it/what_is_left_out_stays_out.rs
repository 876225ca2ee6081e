//! What a folder's owner keeps out of other programs' hands goes into the lake, where
//! it stays for ever; or a folder that was named is left out because of a file that
//! nobody thought of.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use dkdc_lake::AddOptions;

use crate::{Outcome, empty};

fn write(folder: &Path, files: &[(&str, &str)]) -> std::io::Result<()> {
    for (name, content) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, content)?;
    }
    Ok(())
}

/// The names that would be added, but for those of the files that exclude.
fn added(folder: &Path, options: AddOptions) -> Result<BTreeSet<String>, dkdc_lake::Error> {
    let (_place, lake) = empty().expect("a lake");
    let mut names = BTreeSet::new();
    lake.add(folder, &options.dry_run(true), &mut |name, _| {
        if !name.ends_with("ignore") {
            names.insert(name.to_owned());
        }
    })?;
    Ok(names)
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn by_any_of_the_files_that_say_so() -> Outcome {
    let folder = tempfile::tempdir()?;
    write(
        folder.path(),
        &[
            (".gitignore", "*.git\n"),
            (".ignore", "*.ign\n"),
            (".dkdcignore", "*.dkdc\n!kept.git\n"),
            ("a.git", ""),
            ("a.ign", ""),
            ("a.dkdc", ""),
            ("kept.git", ""),
            ("a.txt", ""),
            ("sub/.dkdcignore", "/only-here\n"),
            ("sub/only-here", ""),
            ("sub/deeper/only-here", ""),
            ("sub/a.ign", ""),
        ],
    )?;
    assert_eq!(
        added(folder.path(), AddOptions::new(""))?,
        set(&["a.txt", "kept.git", "sub/deeper/only-here"])
    );
    let without = AddOptions::new("").exclude("sub").exclude("*.git");
    assert_eq!(added(folder.path(), without)?, set(&["a.txt"]));
    let all = added(folder.path(), AddOptions::new("").everything(true))?;
    assert_eq!(all.len(), 8, "{all:?}");
    Ok(())
}

/// As git does it: what its repository leaves out is left out of each folder in it.
#[test]
fn of_a_repository_also_in_its_folders() -> Outcome {
    let folder = tempfile::tempdir()?;
    write(
        folder.path(),
        &[
            // Above the repository: no business of its.
            (".gitignore", "*"),
            ("repo/.git/HEAD", "ref"),
            ("repo/.gitignore", "*.log\n/src/gen/\n"),
            ("repo/.dkdcignore", "*.tmp\n"),
            ("repo/other", ""),
            ("repo/src/a.rs", ""),
            ("repo/src/a.log", ""),
            ("repo/src/a.tmp", ""),
            ("repo/src/gen/x.rs", ""),
            ("repo/src/sub/gen/y.rs", ""),
            ("repo/src/sub/.gitignore", "!kept.log\n"),
            ("repo/src/sub/kept.log", ""),
        ],
    )?;
    let src = folder.path().join("repo/src");
    let expected = set(&["a.rs", "sub/gen/y.rs", "sub/kept.log"]);
    assert_eq!(added(&src, AddOptions::new("s"))?, expected);
    // `--exclude` is about the folder's own names.
    let without = AddOptions::new("s").exclude("src").exclude("repo");
    assert_eq!(added(&src, without)?, expected);
    let all = added(&src, AddOptions::new("s").everything(true))?;
    assert_eq!(all.len(), 6, "{all:?}");
    // Without a repository, what is above says nothing.
    fs::remove_dir_all(folder.path().join("repo/.git"))?;
    let all = added(&src, AddOptions::new("s"))?;
    assert_eq!(all.len(), 6, "{all:?}");
    Ok(())
}

/// Data is often what git is to leave alone: who names the folder means it.
#[test]
fn a_folder_that_is_named_is_meant() -> Outcome {
    for pattern in ["data", "/data/", "data/*", "data/**\n!data/.gitkeep", "*"] {
        let folder = tempfile::tempdir()?;
        let repo = folder.path();
        write(
            repo,
            &[
                (".git/HEAD", "ref"),
                (".gitignore", pattern),
                ("data/.ignore", "*.tmp"),
                ("data/a.csv", ""),
                ("data/a.tmp", ""),
                ("data/sub/b.csv", ""),
            ],
        )?;
        let names = added(&repo.join("data"), AddOptions::new(""))?;
        assert_eq!(names, set(&["a.csv", "sub/b.csv"]), "{pattern}");
        let names = added(&repo.join("data/sub"), AddOptions::new(""))?;
        assert_eq!(names, set(&["b.csv"]), "{pattern}");
        let hooks = added(&repo.join(".git"), AddOptions::new(""))?;
        assert_eq!(hooks, set(&["HEAD"]));
    }
    Ok(())
}
