//! A script fails at three in the morning, and its log says "not found": what
//! was not found? And the shell has to tell "not there" from "there already"
//! without reading messages.

use dkdc_todo::{Edit, Error, ErrorKind, Todo};

use crate::{Outcome, empty};

#[test]
fn in_the_posts_words() -> Outcome {
    let (_folder, todos) = empty()?;
    todos.append(Todo::new("test", "do your homework"))?;
    let refused = todos
        .append(Todo::new("test", "again"))
        .expect_err("exists");
    assert_eq!(refused.to_string(), "todo test already exists");
    let refused = todos.add(Todo::new("test", "again")).expect_err("exists");
    assert_eq!(refused.to_string(), "todo test already exists");
    let refused = todos
        .update(Todo::new("nope", ""))
        .expect_err("does not exist");
    assert_eq!(refused.to_string(), "todo nope does not exist");
    Ok(())
}

#[test]
fn whatever_was_asked_of_it() -> Outcome {
    let (_folder, todos) = empty()?;
    let missing = [
        todos.get("nope").map(drop),
        todos.update(Todo::new("nope", "")).map(drop),
        todos.edit("nope", &Edit::new()).map(drop),
        todos.done("nope").map(drop),
        todos.delete("nope").map(drop),
        todos.restore("nope", dkdc_todo::Idx::ZERO).map(drop),
        todos.history("nope").map(drop),
        todos.resolve("nope").map(drop),
        todos.resolve_with_deleted("nope").map(drop),
    ];
    for answer in missing {
        let error = answer.expect_err("there is no such todo");
        assert!(
            matches!(&error, Error::NotFound { id } if id == "nope"),
            "{error:?}"
        );
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    Ok(())
}

#[test]
fn kinds_follow_what_a_caller_can_do() -> Outcome {
    let (_folder, todos) = empty()?;
    todos.append(Todo::new("test", ""))?;
    let exists = todos.append(Todo::new("test", "")).expect_err("exists");
    assert_eq!(exists.kind(), ErrorKind::AlreadyExists);
    for id in ["", &"x".repeat(1025)] {
        let error = todos.append(Todo::new(id, "")).expect_err("no such id");
        assert_eq!(error.kind(), ErrorKind::Input, "{error}");
        assert!(error.to_string().contains(&id.len().to_string()), "{error}");
    }
    let longest = "x".repeat(1024);
    todos.append(Todo::new(longest.as_str(), ""))?;
    assert!(todos.contains(&longest, None)?);
    Ok(())
}

#[test]
fn other_tables_errors_stay_theirs() -> Outcome {
    let (_folder, todos) = empty()?;
    todos.append(Todo::new("test", "do your homework"))?;
    let failed = todos.state().transaction(|tx| {
        let same = tx.table::<Todo>()?;
        same.append(&Todo::new("test", "again"))?;
        Ok::<_, Error>(())
    });
    assert!(matches!(failed, Err(Error::AlreadyExists { id }) if id == "test"));
    let foreign = dkdc_state::Error::NotFound {
        table: "notes".to_owned(),
        id: "test".to_owned(),
    };
    assert!(matches!(Error::from(foreign), Error::State(_)));
    Ok(())
}
