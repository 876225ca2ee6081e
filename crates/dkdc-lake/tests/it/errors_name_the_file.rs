//! A script fails at three in the morning, and its log says "not found": what
//! was not found? And the shell has to tell "not there" from "there already"
//! without reading messages.

use dkdc_lake::{Edit, Error, ErrorKind, FileName, Idx, NewFile};

use crate::{Outcome, empty};

#[test]
fn in_the_posts_words_with_the_path() -> Outcome {
    let (_folder, lake) = empty()?;
    let name = FileName::new("test.txt").in_path("a/b").of_user("ann");
    let new = NewFile::new(name.clone());
    let error = lake
        .update_file(new.clone(), &b""[..])
        .expect_err("missing");
    assert_eq!(error.to_string(), "File a/b/test.txt does not exist");
    lake.append_file(new.clone(), &b""[..])?;
    let error = lake.append_file(new, &b""[..]).expect_err("there");
    assert_eq!(error.to_string(), "File a/b/test.txt already exists");
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    Ok(())
}

#[test]
fn whatever_was_asked_of_it() -> Outcome {
    let (_folder, lake) = empty()?;
    lake.put(
        &FileName::new("nope").of_user("ann"),
        &Edit::new(),
        &b""[..],
    )?;
    let nope = FileName::new("nope").in_path("a");
    let missing = [
        lake.get(&nope).map(drop),
        lake.read(&nope).map(drop),
        lake.read_to_vec(&nope).map(drop),
        lake.update_file(NewFile::new(nope.clone()), &b""[..])
            .map(drop),
        lake.delete(&nope).map(drop),
        lake.restore(&nope, Idx::ZERO).map(drop),
        lake.history(&nope).map(drop),
    ];
    for answer in missing {
        let error = answer.expect_err("there is no such file");
        assert!(
            matches!(&error, Error::NotFound { name } if *name == nope),
            "{error:?}"
        );
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    Ok(())
}

#[test]
fn an_update_of_nothing_reads_nothing() -> Outcome {
    let (_folder, lake) = empty()?;
    let mut content = &b"read me"[..];
    let name = FileName::new("test.txt");
    assert!(
        lake.update_file(NewFile::new(name.clone()), &mut content)
            .is_err()
    );
    assert_eq!(content, b"read me");
    lake.append_file(NewFile::new(name.clone()), &b""[..])?;
    assert!(lake.append_file(NewFile::new(name), &mut content).is_err());
    assert_eq!(content, b"read me");
    Ok(())
}
