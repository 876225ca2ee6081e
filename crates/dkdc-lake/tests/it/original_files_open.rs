//! Somebody upgrades from the original Python packages, and the todos and files
//! of two years are gone, or came along without their history.
//!
//! `tests/fixtures/original.sqlite` is such a file; `original.py` beside it
//! made it, in the post's schema and through Ibis, as those packages did.

use std::path::PathBuf;

use dkdc_lake::{Edit, FileName, Idx, Lake, Moment};
use dkdc_todo::{Todo, Todos};
use tempfile::TempDir;

use crate::{Outcome, names, put, text};

fn original() -> Result<(TempDir, PathBuf), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("data.db");
    std::fs::write(&path, include_bytes!("../fixtures/original.sqlite"))?;
    Ok((folder, path))
}

/// Microseconds of 2024-11-27 18:02:45, the second in which all was written.
fn at(micros: i64) -> Idx {
    Idx::from_micros(1_732_730_565_000_000 + micros)
}

#[test]
fn with_every_todo_and_version() -> Outcome {
    let (_folder, path) = original()?;
    let todos = Todos::open(path)?;
    let list = todos.list(None)?;
    let shown: Vec<_> = list
        .iter()
        .map(|t| (t.id.as_str(), t.body.as_deref()))
        .collect();
    assert_eq!(
        shown,
        [
            ("milk", Some("buy oat milk")),
            ("test", Some("do your homework!"))
        ]
    );
    let test = todos.get("test")?;
    assert_eq!(test.record, Todo::new("test", "do your homework!"));
    assert_eq!(test.idx(), at(373_844));
    assert_eq!(test.version.prev, Some(at(321_529)));
    assert_eq!(todos.list(Some("ann"))?.len(), 1);

    let first = &todos.history("milk")?[0];
    let labels = first.record.as_ref().and_then(|todo| todo.labels.clone());
    assert_eq!(labels, Some(vec!["home".to_owned(), "red".to_owned()]));
    let then = todos.at(Moment::Idx(at(400_000)))?;
    assert_eq!(then.get("milk")?.body.as_deref(), Some("buy milk"));

    // And it goes on.
    todos.done("milk")?;
    todos.add(Todo::draft("buy bread"))?;
    assert_eq!(todos.history("milk")?.len(), 3);
    assert!(todos.state().check()?.is_sound());
    Ok(())
}

#[test]
fn with_every_file_and_version() -> Outcome {
    let (_folder, path) = original()?;
    let lake = Lake::open(path)?;
    assert_eq!(names(&lake.list(None, None)?), ["a/twice.txt", "test.txt"]);
    let name = FileName::new("test.txt");
    let file = lake.get(&name)?;
    assert_eq!(file.id, "173273056550533-f0d929c0");
    assert_eq!(file.idx(), at(586_443));
    assert_eq!(file.filetype.as_deref(), Some("txt"));
    assert_eq!((file.size, &file.hash), (12, &file.data.hex()));
    assert_eq!((file.mode, file.mtime), (None, None));
    assert_eq!(text(&lake, &name)?, "hello world!");
    let history = lake.history(&name)?;
    let first = history[0].record.as_ref().ok_or("no record")?;
    assert_eq!(lake.read_file_to_vec(first)?, b"hello world");

    // The same content put again is the same file, and a new one its version.
    assert!(!lake.put(&name, &Edit::new(), &b"hello world!"[..])?.written);
    let new = put(&lake, "test.txt", "hello lake")?;
    assert_eq!(new.id, file.id);
    assert_eq!(lake.history(&name)?.len(), 3);
    assert!(lake.state().check()?.is_sound());
    Ok(())
}

#[test]
fn with_one_file_for_each_name() -> Outcome {
    let (_folder, path) = original()?;
    let lake = Lake::open(path)?;
    let twice = FileName::new("twice.txt").in_path("a").of_user("ann");
    let newest = lake.get(&twice)?;
    assert_eq!(newest.id, "173273056560000-00000002");
    assert_eq!(newest.labels, Some(vec!["x".to_owned(), "y".to_owned()]));
    // The other is closed, not lost: its version can be had back.
    let history = lake.history(&twice)?;
    let old = history
        .iter()
        .find(|version| {
            version
                .record
                .as_ref()
                .is_some_and(|file| file.id != newest.id)
        })
        .ok_or("the other file is lost")?;
    let restored = lake.restore(&twice, old.idx())?;
    assert_eq!(restored.id, newest.id);
    assert_eq!(text(&lake, &twice)?, "old");
    Ok(())
}
