//! "What did the report say when it was sent?" must have the answer of that
//! moment, content and all, whatever was put, deleted or moved since.

use dkdc_lake::{Edit, Error, ErrorKind, FileName, Moment};

use crate::{Outcome, empty, names, put};

#[test]
fn as_it_was() -> Outcome {
    let (_folder, lake) = empty()?;
    let name: FileName = "a/test.txt".parse()?;
    let gone = FileName::new("gone.txt");
    put(&lake, "gone.txt", "soon gone")?;
    put(&lake, "a/test.txt", "zero")?;
    let first = put(&lake, "a/test.txt", "one")?;
    let then = lake.at(Moment::Idx(lake.state().last()?))?;
    put(&lake, "a/test.txt", "two")?;
    put(&lake, "b/new.txt", "new")?;
    lake.delete(&gone)?;

    assert_eq!(then.idx(), first.idx());
    assert_eq!(then.get(&name)?, first);
    assert_eq!(then.read_to_vec(&name)?, b"one");
    assert_eq!(std::io::read_to_string(then.read(&name)?)?, "one");
    assert_eq!(names(&then.list(None, None)?), ["a/test.txt", "gone.txt"]);
    assert_eq!(names(&then.list(None, Some("a"))?), ["a/test.txt"]);
    assert!(then.list(Some("ann"), None)?.is_empty());
    assert!(then.contains_file(&gone)?);
    assert_eq!(then.read_to_vec(&gone)?, b"soon gone");
    assert!(then.contains_path("a", None)?);
    assert!(!then.contains_path("b", None)?);
    assert_eq!(then.history(&name)?.len(), 2);
    assert_eq!(then.history(&gone)?.len(), 1);
    assert_eq!(lake.history(&gone)?.len(), 2);

    let new: FileName = "b/new.txt".parse()?;
    assert_eq!(then.find(&new)?, None);
    for missing in [
        then.get(&new).map(drop),
        then.read_to_vec(&new).map(drop),
        then.history(&new).map(drop),
    ] {
        assert!(matches!(missing, Err(Error::NotFound { name }) if name == new));
    }
    Ok(())
}

#[test]
fn under_the_name_of_that_time() -> Outcome {
    let (_folder, lake) = empty()?;
    let mut file = put(&lake, "old.txt", "one")?.record;
    let then = lake.at(Moment::Idx(lake.state().last()?))?;
    file.filename = "new.txt".to_owned();
    lake.table().update(&file)?;
    let old = FileName::new("old.txt");
    assert_eq!(then.read_to_vec(&old)?, b"one");
    assert_eq!(then.history(&old)?.len(), 1);
    assert!(!then.contains_file(&FileName::new("new.txt"))?);
    Ok(())
}

#[test]
fn but_not_before_there_was_any() -> Outcome {
    let (_folder, lake) = empty()?;
    lake.put(&FileName::new("test.txt"), &Edit::new(), &b""[..])?;
    let error = lake
        .at("1999-12-31 23:59".parse()?)
        .expect_err("before the store");
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(matches!(
        error,
        Error::State(dkdc_state::Error::OutsideHistory { .. })
    ));
    Ok(())
}
