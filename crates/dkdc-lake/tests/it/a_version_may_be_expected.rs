//! Two people edit the same file; the second must learn that the first was there,
//! instead of undoing it.

use dkdc_lake::{Edit, Error, ErrorKind, FileName, Idx};

use crate::{Outcome, empty, put, text};

#[test]
fn what_came_too_late_is_refused() -> Outcome {
    let (_folder, lake) = empty()?;
    let name: FileName = "a/test.txt".parse()?;
    let read = put(&lake, "a/test.txt", "one")?.idx();
    let newer = lake.put(&name, &Edit::new().expecting(read), &b"two"[..])?;
    assert!(newer.written);
    let newer = newer.file.idx();
    // The same content too: it was written without this knowledge.
    for content in ["three", "two"] {
        let late = lake.put(&name, &Edit::new().expecting(read), content.as_bytes());
        let error = late.expect_err("somebody wrote since");
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.to_string().starts_with("File a/test.txt is at "));
        let Error::Conflict {
            expected, actual, ..
        } = error
        else {
            return Err(error.into());
        };
        assert_eq!((expected, actual), (read, Some(newer)));
    }
    assert_eq!(text(&lake, &name)?, "two");
    assert!(
        !lake
            .put(&name, &Edit::new().expecting(newer), &b"two"[..])?
            .written
    );
    Ok(())
}

#[test]
fn a_file_that_was_deleted_since_is_a_conflict_and_one_that_never_was_is_not_found() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("test.txt");
    let expecting = |idx: Idx| lake.put(&name, &Edit::new().expecting(idx), &b"x"[..]);
    let error = expecting(Idx::from_micros(1)).expect_err("there is none");
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    let read = put(&lake, "test.txt", "one")?.idx();
    lake.delete(&name)?;
    let error = expecting(read).expect_err("it is deleted");
    assert!(
        matches!(error, Error::Conflict { actual: None, .. }),
        "{error:?}"
    );
    let error = expecting(Idx::from_micros(1)).expect_err("it never had this");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // Another file has the name now.
    put(&lake, "test.txt", "two")?;
    let error = expecting(read).expect_err("it is another");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(text(&lake, &name)?, "two");
    Ok(())
}

/// A reader that takes long gives others time to write.
#[test]
fn also_while_the_content_is_read() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("test.txt");
    let read = put(&lake, "test.txt", "one")?.idx();
    let mut others = Some(());
    let slow = std::iter::from_fn(|| {
        if others.take().is_some() {
            put(&lake, "test.txt", "theirs").expect("put");
            return Some(b'm');
        }
        None
    });
    let late = lake.put(&name, &Edit::new().expecting(read), Bytes(slow));
    assert_eq!(late.expect_err("late").kind(), ErrorKind::Conflict);
    assert_eq!(text(&lake, &name)?, "theirs");
    Ok(())
}

struct Bytes<I>(I);

impl<I: Iterator<Item = u8>> std::io::Read for Bytes<I> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match (buffer.first_mut(), self.0.next()) {
            (Some(first), Some(byte)) => {
                *first = byte;
                Ok(1)
            }
            _ => Ok(0),
        }
    }
}

/// A list is read, somebody changes one of it, and the list is deleted.
#[test]
fn of_what_is_deleted_together_all_or_none_goes() -> Outcome {
    let (_folder, lake) = empty()?;
    for name in ["a/1", "a/2", "a/3"] {
        put(&lake, name, "old")?;
    }
    let read = lake.list(None, Some("a"))?;
    put(&lake, "a/2", "new")?;
    let error = lake.delete_all(&read).expect_err("one has changed");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(
        error.to_string().starts_with("File a/2 is at version"),
        "{error}"
    );
    assert_eq!(lake.list(None, None)?.len(), 3);
    let read = lake.list(None, Some("a"))?;
    lake.delete(&"a/3".parse()?)?;
    let error = lake.delete_all(&read).expect_err("one is deleted");
    assert!(
        matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound),
        "{error:?}"
    );
    assert_eq!(lake.list(None, None)?.len(), 2);
    assert_eq!(lake.delete_all(&lake.list(None, None)?)?.len(), 2);
    assert!(lake.list(None, None)?.is_empty());
    Ok(())
}
