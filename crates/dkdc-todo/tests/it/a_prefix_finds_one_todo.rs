//! Somebody types the first letters of an id, and another todo is deleted: the
//! first one that began like that.

use dkdc_todo::{Error, ErrorKind, Moment, Todo};

use crate::{Outcome, empty};

#[test]
fn a_unique_prefix_is_enough() -> Outcome {
    let (_folder, todos) = empty()?;
    for id in ["abcde", "abxyz", "kmnpq", "ab", "ÄB"] {
        todos.append(Todo::new(id, ""))?;
    }
    assert_eq!(todos.resolve("k")?, "kmnpq");
    assert_eq!(todos.resolve("abc")?, "abcde");
    assert_eq!(todos.resolve("abxyz")?, "abxyz");
    assert_eq!(todos.resolve("Ä")?, "ÄB");
    // In full it means itself, though others begin with it.
    assert_eq!(todos.resolve("ab")?, "ab");
    Ok(())
}

#[test]
fn an_ambiguous_one_lists_the_candidates() -> Outcome {
    let (_folder, todos) = empty()?;
    for id in ["abxyz", "abcde", "b"] {
        todos.append(Todo::new(id, ""))?;
    }
    let error = todos.resolve("a").expect_err("two begin with a");
    assert_eq!(error.to_string(), "todo a could be any of: abcde, abxyz");
    assert_eq!(error.kind(), ErrorKind::Input);

    for number in 10..30 {
        todos.append(Todo::new(format!("many{number}"), ""))?;
    }
    let error = todos.resolve("many").expect_err("twenty begin with many");
    let Error::Ambiguous {
        candidates, more, ..
    } = &error
    else {
        return Err(error.into());
    };
    assert!(*more);
    assert_eq!(candidates.len(), 10);
    assert_eq!(candidates[0], "many10");
    assert!(error.to_string().ends_with("many19, ..."), "{error}");
    Ok(())
}

#[test]
fn none_and_nothing_are_errors() -> Outcome {
    let (_folder, todos) = empty()?;
    todos.append(Todo::new("only", ""))?;
    let error = todos.resolve("nope").expect_err("none begins with it");
    assert_eq!(error.to_string(), "todo nope does not exist");
    // Every id begins with nothing: a forgotten argument is not "the only one".
    for error in [
        todos.resolve("").expect_err("nothing"),
        todos.resolve_with_deleted("").expect_err("nothing"),
    ] {
        assert_eq!(error.kind(), ErrorKind::Input);
    }
    for odd in ["%", "_", "o%", "onl_", "*", "ONLY", "only\u{0}"] {
        let error = todos.resolve(odd).expect_err("not a pattern");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{odd:?}");
    }
    Ok(())
}

#[test]
fn deleted_todos_are_found_only_where_asked() -> Outcome {
    let (_folder, todos) = empty()?;
    for id in ["abcde", "abxyz", "abxzz", "kmnpq"] {
        todos.append(Todo::new(id, ""))?;
    }
    let before = todos.state().last()?;
    for id in ["abxyz", "abxzz", "kmnpq"] {
        todos.delete(id)?;
    }
    assert_eq!(todos.resolve("ab")?, "abcde");
    assert!(todos.resolve("k").is_err());
    assert_eq!(todos.resolve_with_deleted("k")?, "kmnpq");
    assert_eq!(todos.resolve_with_deleted("kmnpq")?, "kmnpq");
    assert_eq!(todos.resolve_with_deleted("abc")?, "abcde");
    let error = todos.resolve_with_deleted("ab").expect_err("three");
    assert_eq!(
        error.to_string(),
        "todo ab could be any of: abcde, abxyz, abxzz"
    );

    let then = todos.at(Moment::Idx(before))?;
    assert_eq!(then.resolve("k")?, "kmnpq");
    assert!(then.resolve("ab").is_err());
    Ok(())
}
