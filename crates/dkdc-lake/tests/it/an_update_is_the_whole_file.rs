//! A program that writes files as a whole clears a field by leaving it `None`,
//! and finds the old value still there.

use dkdc_lake::{FileName, NewFile};

use crate::{Outcome, empty};

fn full(name: FileName) -> Result<NewFile, Box<dyn std::error::Error>> {
    Ok(NewFile {
        filetype: Some("text/plain".to_owned()),
        version: Some(-7),
        status: Some("draft".to_owned()),
        description: Some("what, where".to_owned()),
        labels: Some(vec!["red, green".to_owned(), String::new()]),
        mode: Some(0o100_644),
        mtime: Some("2026-11-22T10:00:00.123456789Z".parse()?),
        ..NewFile::new(name)
    })
}

#[test]
fn every_field_comes_back_as_it_was() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("test.txt").in_path("a/b").of_user("ann");
    let appended = lake.append_file(full(name.clone())?, &b"hello world"[..])?;
    let file = lake.get(&name)?;
    assert_eq!(file, appended);
    assert_eq!(file.name(), name);
    assert_eq!(file.filetype.as_deref(), Some("text/plain"));
    assert_eq!(file.record.version, Some(-7));
    assert_eq!(file.status.as_deref(), Some("draft"));
    assert_eq!(file.description.as_deref(), Some("what, where"));
    assert_eq!(
        file.labels,
        Some(vec!["red, green".to_owned(), String::new()])
    );
    assert_eq!(file.mode, Some(0o100_644));
    assert_eq!(file.size, 11);
    // BLAKE3 of "hello world".
    assert_eq!(
        file.hash,
        "d74981efa70a0c880b8d8c1985d075dbcbf679b99a5f9914e5aaf96b831a9e24"
    );
    // A disk's nanoseconds are cut to the state's microseconds.
    let mtime = "2026-11-22T10:00:00.123456Z".parse()?;
    assert_eq!(file.mtime, Some(mtime));
    Ok(())
}

#[test]
fn what_is_none_becomes_null() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("test.txt");
    let first = lake.append_file(full(name.clone())?, &b"hello world"[..])?;
    let bare = NewFile {
        filetype: None,
        ..NewFile::new(name.clone())
    };
    lake.update_file(bare, &b"hello world"[..])?;
    let file = lake.get(&name)?;
    assert_eq!(file.id, first.id);
    assert_eq!(
        (&file.filetype, file.record.version, &file.status),
        (&None, None, &None)
    );
    assert_eq!((&file.description, &file.labels), (&None, &None));
    assert_eq!((file.mode, file.mtime), (None, None));
    assert_eq!(file.data, first.data);
    Ok(())
}

#[test]
fn an_update_is_always_a_version() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("test.txt");
    lake.append_file(NewFile::new(name.clone()), &b"same"[..])?;
    lake.update_file(NewFile::new(name.clone()), &b"same"[..])?;
    assert_eq!(lake.history(&name)?.len(), 2);
    Ok(())
}
