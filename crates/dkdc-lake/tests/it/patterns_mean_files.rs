//! `*.csv` means one thing in one command and another in the next; or what was to be
//! moved or written is more than the pattern says.

use dkdc_lake::{ErrorKind, Lake, Moment, Tree};

use crate::{Outcome, empty, names, put};

fn lake() -> Result<(tempfile::TempDir, Lake), Box<dyn std::error::Error>> {
    let (folder, lake) = empty()?;
    for name in [
        "r/june.csv",
        "r/july.csv",
        "r/note.txt",
        "r/2025/may.csv",
        "r-2/june.csv",
    ] {
        put(&lake, name, name)?;
    }
    Ok((folder, lake))
}

#[test]
fn in_a_list() -> Outcome {
    let (_folder, lake) = lake()?;
    assert_eq!(
        names(&lake.glob("./r//*.csv", None)?),
        ["r/july.csv", "r/june.csv"]
    );
    assert_eq!(lake.glob("r*/**/*.csv", None)?.len(), 4);
    let none = lake.glob("r/{a", None).expect_err("it is no pattern");
    assert_eq!(none.kind(), ErrorKind::Input);
    Ok(())
}

#[cfg(unix)]
#[test]
fn on_the_way_out() -> Outcome {
    use dkdc_lake::CheckoutOptions;
    let (folder, lake) = lake()?;
    let then = Moment::Idx(lake.state().last()?);
    put(&lake, "r/june.csv", "new")?;
    let to = folder.path().join("to");
    // What is before the pattern is left out of the names, as a path is.
    let report = lake.checkout(&to, &CheckoutOptions::new("r/*.csv"), &mut |_, _| {})?;
    assert_eq!(report.new, 2);
    assert_eq!(std::fs::read(to.join("june.csv"))?, b"new");
    let old = CheckoutOptions::new("**/june.csv").at(Some(then));
    lake.checkout(&to, &old, &mut |_, _| {})?;
    assert_eq!(std::fs::read(to.join("r/june.csv"))?, b"r/june.csv");
    assert!(to.join("r-2/june.csv").exists() && !to.join("r/july.csv").exists());
    for nothing in ["r/*.md", "none/**"] {
        let error = lake.checkout(&to, &CheckoutOptions::new(nothing), &mut |_, _| {});
        let error = error.expect_err("nothing matches");
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    Ok(())
}

#[test]
fn when_they_are_moved() -> Outcome {
    let (_folder, lake) = lake()?;
    assert_eq!(lake.rename_path("r/**/*.csv", "old", None)?, 3);
    for name in ["old/june.csv", "old/july.csv", "old/2025/may.csv"] {
        assert!(lake.contains_file(&name.parse()?)?, "{name}");
    }
    assert_eq!(names(&lake.list(None, Some("r"))?), ["r/note.txt"]);
    // All or none: one is there.
    put(&lake, "r/june.csv", "again")?;
    put(&lake, "r/may.csv", "again")?;
    let taken = lake
        .rename_path("r/*.csv", "old", None)
        .expect_err("it is there");
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
    assert!(lake.contains_file(&"r/may.csv".parse()?)?);
    for nothing in ["r/*.md", "r/june.csv"] {
        let error = lake.rename_path(nothing, "x", None).expect_err("no path");
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    Ok(())
}

#[test]
fn when_they_are_compared() -> Outcome {
    let (folder, lake) = lake()?;
    let then = Moment::Idx(lake.state().last()?);
    for name in ["r/june.csv", "r/note.txt", "r/2025/may.csv"] {
        put(&lake, name, "new")?;
    }
    let tree = |path: &str, at| Tree::Lake {
        path: path.to_owned(),
        user: None,
        at,
    };
    let differ = |before: &Tree, after: &Tree| -> Result<Vec<String>, dkdc_lake::Error> {
        let found = lake.diff(before, after)?.into_iter();
        Ok(found.map(|found| found.name).collect())
    };
    let old = tree("r/*.csv", Some(then));
    for new in ["r/*.csv", "r"] {
        assert_eq!(differ(&old, &tree(new, None))?, ["june.csv"], "{new}");
    }
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk)?;
    for (name, content) in [("june.csv", "new"), ("more.csv", "new"), ("x.txt", "new")] {
        std::fs::write(disk.join(name), content)?;
    }
    let new = tree("r/*.csv", None);
    assert_eq!(
        differ(&new, &Tree::Folder(disk))?,
        ["july.csv", "more.csv"],
        "of the folder, what the pattern matches"
    );
    // What matched once is empty now; what never did is not found.
    lake.rename_path("r", "s", None)?;
    assert_eq!(differ(&old, &new)?.len(), 2);
    let error = differ(&old, &tree("r/*.md", None)).expect_err("it never was");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    Ok(())
}

/// The failure to prevent: a file cannot be reached, since its name is taken for a
/// pattern.
#[test]
fn unless_a_file_has_the_name() -> Outcome {
    let (_folder, lake) = empty()?;
    put(&lake, "a/x[1].csv", "meant")?;
    put(&lake, "a/x1.csv", "matched")?;
    let tree = Tree::Lake {
        path: "a/x[1].csv".to_owned(),
        user: None,
        at: None,
    };
    let nothing = Tree::Lake {
        path: String::new(),
        user: Some("nobody".to_owned()),
        at: None,
    };
    let found = lake.diff(&nothing, &tree)?;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].name, "x[1].csv");
    Ok(())
}
