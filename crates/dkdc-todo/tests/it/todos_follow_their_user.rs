//! The original packages filtered by user before they took the latest version:
//! a todo that ann had handed to bob stayed in ann's list for ever, as it was
//! on the day she handed it over.

use dkdc_todo::{Edit, Todo, TodoFilter};

use crate::{Outcome, empty, ids};

fn of(user: Option<&str>, id: &str) -> Todo {
    Todo {
        user_id: user.map(str::to_owned),
        ..Todo::new(id, "do your homework")
    }
}

#[test]
fn a_reassigned_todo_leaves_the_old_list() -> Outcome {
    let (_folder, todos) = empty()?;
    todos.append(of(Some("ann"), "test"))?;
    assert_eq!(ids(&todos.list(Some("ann"))?), ["test"]);
    assert_eq!(ids(&todos.list(Some("bob"))?), [""; 0]);

    todos.edit("test", &Edit::new().user_id("bob"))?;
    assert_eq!(ids(&todos.list(Some("ann"))?), [""; 0]);
    assert_eq!(ids(&todos.list(Some("bob"))?), ["test"]);
    assert!(!todos.contains("test", Some("ann"))?);
    assert!(todos.contains("test", Some("bob"))?);
    assert_eq!(todos.find("test", Some("ann"))?, None);

    // The same by a whole update, to nobody.
    todos.update(of(None, "test"))?;
    assert_eq!(ids(&todos.list(Some("bob"))?), [""; 0]);
    assert_eq!(ids(&todos.list(None)?), ["test"]);
    assert!(todos.contains("test", None)?);
    Ok(())
}

#[test]
fn no_user_means_everyone() -> Outcome {
    let (_folder, todos) = empty()?;
    for (user, id) in [
        (Some("ann"), "a"),
        (Some("bob"), "b"),
        (None, "n"),
        (Some(""), "e"),
    ] {
        todos.append(of(user, id))?;
    }
    assert_eq!(ids(&todos.list(None)?), ["e", "n", "b", "a"]);
    assert_eq!(ids(&todos.list(Some("ann"))?), ["a"]);
    assert_eq!(ids(&todos.list(Some(""))?), ["e"]);
    assert_eq!(ids(&todos.list(Some("ANN"))?), [""; 0]);
    for id in ["a", "b", "n", "e"] {
        assert!(todos.contains(id, None)?);
    }
    assert!(!todos.contains("n", Some("ann"))?);
    Ok(())
}

#[test]
fn a_deleted_todo_is_in_nobodys_list() -> Outcome {
    let (_folder, todos) = empty()?;
    todos.append(of(Some("ann"), "test"))?;
    todos.delete("test")?;
    assert_eq!(ids(&todos.list(Some("ann"))?), [""; 0]);
    assert!(!todos.contains("test", Some("ann"))?);
    let filter = TodoFilter {
        user: Some("ann".to_owned()),
        ..TodoFilter::default()
    };
    assert_eq!(todos.select(&filter)?, []);
    Ok(())
}
