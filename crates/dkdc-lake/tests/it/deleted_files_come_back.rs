//! Somebody deletes the wrong file, puts a new one in its place, and then wants
//! the old one back: under the name, since nobody knows the id.

use dkdc_lake::{Error, FileName, Idx, Op};

use crate::{Outcome, empty, put, text};

#[test]
fn a_delete_is_a_version() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("test.txt");
    let first = put(&lake, "test.txt", "hello world")?;
    let gone = lake.delete(&name)?;
    assert_eq!(gone.op, Op::Delete);
    assert!(!lake.contains_file(&name)?);
    assert_eq!(lake.find(&name)?, None);
    assert_eq!(lake.list(None, None)?, []);
    let history = lake.history(&name)?;
    assert_eq!(history.len(), 2);
    assert_eq!(history[0].record.as_ref(), Some(&first.record));
    assert_eq!((history[1].version, &history[1].record), (gone, &None));
    let again = lake.delete(&name);
    assert!(matches!(again, Err(Error::NotFound { name: missing }) if missing == name));
    Ok(())
}

#[test]
fn restore_brings_a_deleted_file_back() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("test.txt").in_path("a").of_user("ann");
    let edit = dkdc_lake::Edit::new().status("draft");
    let first = lake.put(&name, &edit, &b"one"[..])?.file;
    lake.put(&name, &edit, &b"two"[..])?;
    lake.delete(&name)?;
    let restored = lake.restore(&name, first.idx())?;
    assert_eq!(restored.record, first.record);
    assert_eq!(restored.version.op, Op::Restore);
    assert_eq!(lake.get(&name)?, restored);
    assert_eq!(text(&lake, &name)?, "one");
    assert_eq!(lake.history(&name)?.len(), 4);
    Ok(())
}

#[test]
fn restore_goes_back_to_any_version() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("test.txt");
    let first = put(&lake, "test.txt", "one")?;
    put(&lake, "test.txt", "two")?;
    put(&lake, "test.txt", "three")?;
    assert_eq!(lake.restore(&name, first.idx())?.id, first.id);
    assert_eq!(text(&lake, &name)?, "one");
    Ok(())
}

#[test]
fn a_name_keeps_its_history_across_files() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("test.txt");
    let mut old = Vec::new();
    for content in ["one", "two"] {
        old.push(put(&lake, "test.txt", content)?);
        lake.delete(&name)?;
    }
    let new = put(&lake, "test.txt", "three")?;
    put(&lake, "other.txt", "not this one")?;

    let history = lake.history(&name)?;
    assert_eq!(history.len(), 5);
    assert!(history.is_sorted_by_key(|version| version.idx()));
    let live: Vec<_> = history.iter().filter_map(|v| v.record.as_ref()).collect();
    assert_eq!(live, [&old[0].record, &old[1].record, &new.record]);

    // Each comes back under the name; the file that has it now keeps its id.
    for (file, content) in old.iter().zip(["one", "two"]) {
        let restored = lake.restore(&name, file.idx())?;
        assert_eq!(restored.id, new.id);
        assert_eq!(lake.get(&name)?, restored);
        assert_eq!(text(&lake, &name)?, content);
    }
    assert_eq!(lake.list(None, None)?.len(), 2);
    Ok(())
}

#[test]
fn a_name_that_was_taken_is_not_taken_back() -> Outcome {
    let (_folder, lake) = empty()?;
    let first = put(&lake, "old.txt", "one")?;
    let mut renamed = first.record.clone();
    renamed.filename = "new.txt".to_owned();
    lake.table().update(&renamed)?;
    let other = put(&lake, "old.txt", "two")?;

    let refused = lake.restore(&FileName::new("new.txt"), first.idx());
    let Err(Error::AlreadyExists { name }) = refused else {
        return Err(format!("{refused:?}").into());
    };
    assert_eq!(name, FileName::new("old.txt"));
    assert_eq!(lake.get(&FileName::new("old.txt"))?, other);
    assert_eq!(text(&lake, &FileName::new("new.txt"))?, "one");
    Ok(())
}

#[test]
fn a_version_that_never_was_is_refused() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("test.txt");
    let first = put(&lake, "test.txt", "one")?;
    let other = put(&lake, "other.txt", "two")?;
    let deleted = lake.delete(&name)?;
    for idx in [
        Idx::from_micros(first.idx().as_micros() - 1),
        other.idx(),
        deleted.idx,
    ] {
        let refused = lake.restore(&name, idx);
        assert!(matches!(refused, Err(Error::NoSuchVersion { idx: asked, .. }) if asked == idx));
    }
    let nobodys = FileName::new("test.txt").of_user("ann");
    for refused in [
        lake.restore(&nobodys, first.idx()).map(drop),
        lake.history(&nobodys).map(drop),
    ] {
        assert!(matches!(refused, Err(Error::NotFound { name }) if name == nobodys));
    }
    Ok(())
}
