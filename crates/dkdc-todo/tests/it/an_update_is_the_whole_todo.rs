//! A program that writes records as a whole clears a field by leaving it
//! `None`, and finds the old value still there; or it appends twice, and the
//! second silently replaces the first.

use dkdc_todo::{Error, Todo};

use crate::{Outcome, empty};

#[test]
fn what_is_none_becomes_null() -> Outcome {
    let (_folder, todos) = empty()?;
    todos.append(Todo {
        user_id: Some("ann".to_owned()),
        subject: Some("school".to_owned()),
        priority: 1,
        status: Some("open".to_owned()),
        description: Some("page 7".to_owned()),
        labels: Some(vec!["maths".to_owned()]),
        ..Todo::new("test", "do your homework")
    })?;
    let bare = Todo {
        body: None,
        ..Todo::new("test", "")
    };
    let updated = todos.update(bare.clone())?;
    assert_eq!(updated.record, bare);
    assert_eq!(todos.get("test")?, updated);
    Ok(())
}

#[test]
fn every_field_comes_back_as_it_was() -> Outcome {
    let (_folder, todos) = empty()?;
    let full = Todo {
        id: "ünïcode 🦆 'quoted'".to_owned(),
        user_id: Some(String::new()),
        subject: Some("a\nb".to_owned()),
        body: Some("\"; drop table todos; --".to_owned()),
        priority: i64::MIN,
        status: Some("NULL".to_owned()),
        description: Some("\u{0}nul\u{0}".to_owned()),
        labels: Some(vec![]),
    };
    todos.append(full.clone())?;
    assert_eq!(todos.get(&full.id)?.record, full);
    Ok(())
}

#[test]
fn an_update_of_nothing_is_refused() -> Outcome {
    let (_folder, todos) = empty()?;
    let refused = todos.update(Todo::new("test", "do your homework"));
    assert!(matches!(refused, Err(Error::NotFound { id }) if id == "test"));
    assert_eq!(todos.list(None)?, []);
    Ok(())
}

#[test]
fn an_append_of_what_is_there_is_refused() -> Outcome {
    let (_folder, todos) = empty()?;
    let first = todos.append(Todo::new("test", "do your homework"))?;
    let refused = todos.append(Todo::new("test", "something else"));
    assert!(matches!(refused, Err(Error::AlreadyExists { id }) if id == "test"));
    assert_eq!(todos.list(None)?, [first]);
    Ok(())
}
