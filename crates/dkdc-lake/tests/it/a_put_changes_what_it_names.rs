//! A new version of a file loses the labels it had, because the person who put
//! it did not repeat them; or a nightly job that puts the same thousand files
//! adds a thousand versions a night.

use dkdc_lake::{Edit, FileName, Op};

use crate::{Outcome, empty, text};

#[test]
fn and_nothing_else() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("test.txt");
    let labels = vec!["red, green".to_owned()];
    let edit = Edit::new()
        .filetype("text/plain")
        .version(1)
        .status("draft")
        .description("first")
        .labels(labels.clone())
        .mode(0o644);
    let first = lake.put(&name, &edit, &b"one"[..])?;
    assert!(first.written);
    assert_eq!(first.file.version.op, Op::Append);

    let second = lake.put(&name, &Edit::new().status("final"), &b"two"[..])?;
    assert!(second.written);
    assert_eq!(second.file.version.op, Op::Update);
    let file = lake.get(&name)?;
    assert_eq!(file, second.file);
    assert_eq!(file.id, first.file.id);
    assert_eq!(file.status.as_deref(), Some("final"));
    assert_eq!(file.filetype.as_deref(), Some("text/plain"));
    assert_eq!(file.record.version, Some(1));
    assert_eq!(file.description.as_deref(), Some("first"));
    assert_eq!(file.labels, Some(labels));
    assert_eq!(file.mode, Some(0o644));
    assert_eq!(text(&lake, &name)?, "two");

    let nothing = Edit::new()
        .filetype(None)
        .version(None)
        .status(None)
        .description(None)
        .labels(None)
        .mode(None);
    let bare = lake.put(&name, &nothing, &b"two"[..])?.file;
    assert_eq!(
        (&bare.filetype, bare.record.version, &bare.status),
        (&None, None, &None)
    );
    assert_eq!(
        (&bare.description, &bare.labels, bare.mode),
        (&None, &None, None)
    );
    assert_eq!(lake.get(&name)?, bare);
    Ok(())
}

#[test]
fn the_same_again_is_no_version() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("test.txt").of_user("ann");
    let edit = Edit::new().status("draft");
    let first = lake.put(&name, &edit, &b"one"[..])?;
    for edit in [
        Edit::new(),
        edit.clone(),
        Edit::new().filetype("txt").mode(None),
    ] {
        let again = lake.put(&name, &edit, &b"one"[..])?;
        assert!(!again.written, "{edit:?}");
        assert_eq!(again.file, first.file);
    }
    assert_eq!(lake.history(&name)?.len(), 1);
    // Other content or other metadata is one.
    assert!(
        lake.put(&name, &Edit::new().status("final"), &b"one"[..])?
            .written
    );
    assert!(lake.put(&name, &Edit::new(), &b"One"[..])?.written);
    assert_eq!(lake.history(&name)?.len(), 3);
    Ok(())
}

#[test]
fn the_time_of_the_content_goes_with_the_content() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("test.txt");
    let mtime: jiff::Timestamp = "2026-11-22T10:00:00.123456789Z".parse()?;
    let edit = Edit::new().mtime(mtime);
    let kept = lake.put(&name, &edit, &b"one"[..])?.file.record.mtime;
    assert_eq!(kept, Some("2026-11-22T10:00:00.123456Z".parse()?));
    // The same file from the same disk is the same, nanoseconds and all.
    assert!(!lake.put(&name, &edit, &b"one"[..])?.written);
    // The same content from elsewhere says nothing against the time ...
    assert!(!lake.put(&name, &Edit::new(), &b"one"[..])?.written);
    // ... and other content ends it.
    assert_eq!(
        lake.put(&name, &Edit::new(), &b"two"[..])?
            .file
            .record
            .mtime,
        None
    );
    Ok(())
}

#[test]
fn a_deleted_file_is_a_new_one_when_put_again() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("test.txt");
    let first = lake
        .put(&name, &Edit::new().status("draft"), &b"one"[..])?
        .file;
    lake.delete(&name)?;
    let second = lake.put(&name, &Edit::new(), &b"one"[..])?;
    assert!(second.written);
    assert_ne!(second.file.id, first.id);
    assert_eq!(second.file.status, None);
    Ok(())
}
