//! Somebody deletes the wrong todo; or wants back what it said last week.

use dkdc_todo::{Error, ErrorKind, Idx, Op, Todo};

use crate::{Outcome, empty};

#[test]
fn a_delete_is_a_version() -> Outcome {
    let (_folder, todos) = empty()?;
    let first = todos.append(Todo::new("test", "do your homework"))?;
    let gone = todos.delete("test")?;
    assert!(!todos.contains("test", None)?);
    assert_eq!(todos.list(None)?, []);
    let history = todos.history("test")?;
    assert_eq!(history.len(), 2);
    assert_eq!(history[0].record.as_ref(), Some(&first.record));
    assert_eq!((history[1].version, &history[1].record), (gone, &None));
    Ok(())
}

#[test]
fn restore_brings_a_deleted_todo_back() -> Outcome {
    let (_folder, todos) = empty()?;
    let first = todos.append(Todo::new("test", "do your homework"))?;
    todos.delete("test")?;
    let restored = todos.restore("test", first.idx())?;
    assert_eq!(restored.record, first.record);
    assert_eq!(restored.version.op, Op::Restore);
    assert_eq!(todos.get("test")?, restored);
    Ok(())
}

#[test]
fn restore_goes_back_to_any_version() -> Outcome {
    let (_folder, todos) = empty()?;
    let first = todos.append(Todo::new("test", "one"))?;
    todos.update(Todo::new("test", "two"))?;
    todos.update(Todo::new("test", "three"))?;
    assert_eq!(
        todos.restore("test", first.idx())?.body.as_deref(),
        Some("one")
    );
    assert_eq!(todos.history("test")?.len(), 4);
    Ok(())
}

#[test]
fn a_deleted_id_may_be_appended_again() -> Outcome {
    let (_folder, todos) = empty()?;
    todos.append(Todo::new("test", "one"))?;
    todos.delete("test")?;
    todos.append(Todo::new("test", "two"))?;
    assert_eq!(todos.get("test")?.body.as_deref(), Some("two"));
    assert_eq!(todos.history("test")?.len(), 3);
    Ok(())
}

#[test]
fn a_version_that_never_was_is_refused() -> Outcome {
    let (_folder, todos) = empty()?;
    let first = todos.append(Todo::new("test", "do your homework"))?;
    let other = todos.append(Todo::new("other", "something else"))?;
    let deleted = todos.delete("other")?;
    let nonsense = Idx::from_micros(first.idx().as_micros() - 1);
    for (id, idx) in [
        ("test", nonsense),
        ("test", other.idx()),
        ("other", deleted.idx),
    ] {
        let refused = todos.restore(id, idx).expect_err("no such version");
        assert_eq!(refused.kind(), ErrorKind::NotFound);
        assert!(refused.to_string().contains(&idx.shown()), "{refused}");
    }
    let refused = todos.restore("nope", first.idx());
    assert!(matches!(refused, Err(Error::NotFound { id }) if id == "nope"));
    assert_eq!(todos.list(None)?, [first]);
    Ok(())
}
