//! "What was on my list when I promised that?" must have the answer of that
//! moment, whatever was edited, deleted or reassigned since.

use dkdc_todo::{Edit, Error, ErrorKind, Moment, Todo, TodoFilter};

use crate::{Outcome, empty, ids};

#[test]
fn as_it_was() -> Outcome {
    let (_folder, todos) = empty()?;
    let first = todos.append(Todo {
        user_id: Some("ann".to_owned()),
        ..Todo::new("test", "do your homework")
    })?;
    todos.append(Todo::new("other", "something else"))?;
    let then = todos.at(Moment::Idx(todos.state().last()?))?;

    todos.edit(
        "test",
        &Edit::new().body("changed").user_id("bob").priority(500),
    )?;
    todos.delete("other")?;
    todos.append(Todo::new("new", "later"))?;
    assert_eq!(ids(&todos.list(None)?), ["new", "test"]);

    assert_eq!(then.idx(), then.snapshot().idx());
    assert_eq!(ids(&then.list(None)?), ["other", "test"]);
    assert_eq!(then.list(Some("ann"))?, std::slice::from_ref(&first));
    assert_eq!(ids(&then.list(Some("bob"))?), [""; 0]);
    assert_eq!(then.get("test")?, first);
    assert!(then.contains("test", Some("ann"))?);
    assert!(then.contains("other", None)?);
    assert_eq!(then.find("new", None)?, None);
    assert_eq!(then.history("test")?.len(), 1);
    let one = TodoFilter {
        limit: Some(1),
        ..TodoFilter::default()
    };
    assert_eq!(ids(&then.select(&one)?), ["other"]);
    for missing in [then.get("new").map(drop), then.history("new").map(drop)] {
        assert!(matches!(missing, Err(Error::NotFound { id }) if id == "new"));
    }
    Ok(())
}

#[test]
fn by_the_clock_too() -> Outcome {
    let (_folder, todos) = empty()?;
    let first = todos.append(Todo::new("test", "do your homework"))?;
    std::thread::sleep(std::time::Duration::from_millis(5));
    todos.update(Todo::new("test", "do your homework!"))?;
    let then = todos.at(Moment::Time(first.idx().timestamp()))?;
    assert_eq!(then.get("test")?, first);
    let now = todos.at("now".parse()?)?;
    assert_eq!(now.get("test")?, todos.get("test")?);
    Ok(())
}

#[test]
fn but_not_before_there_was_any() -> Outcome {
    let (_folder, todos) = empty()?;
    todos.append(Todo::new("test", "do your homework"))?;
    let error = todos
        .at("1999-12-31 23:59".parse()?)
        .expect_err("before the store");
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(matches!(
        error,
        Error::State(dkdc_state::Error::OutsideHistory { .. })
    ));
    Ok(())
}
