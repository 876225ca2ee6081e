//! Two people add a todo at once, and one replaces the other; or a new todo
//! takes the id of a deleted one, and its history begins with somebody else's.

use std::collections::HashSet;

use dkdc_todo::{Todo, Todos};

use crate::{Outcome, empty};

#[test]
fn they_are_short_and_easy_to_read() -> Outcome {
    let (_folder, todos) = empty()?;
    for _ in 0..200 {
        let id = todos.new_id()?;
        assert_eq!(id.len(), 5);
        assert!(
            id.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()),
            "{id}"
        );
        assert!(!id.contains(['0', 'o', '1', 'l', 'i']), "{id}");
    }
    Ok(())
}

#[test]
fn add_makes_one_when_there_is_none() -> Outcome {
    let (_folder, todos) = empty()?;
    let made = todos.add(Todo {
        priority: 7,
        ..Todo::draft("buy milk")
    })?;
    assert_eq!((made.id.len(), made.priority), (5, 7));
    assert_eq!(todos.get(&made.id)?, made);
    let given = todos.add(Todo::new("mine", "buy bread"))?;
    assert_eq!(given.id, "mine");
    Ok(())
}

#[test]
fn threads_that_add_at_once_all_keep_theirs() -> Outcome {
    const EACH: usize = 50;
    let (_folder, todos) = empty()?;
    let add = |todos: Todos| {
        std::thread::spawn(move || {
            (0..EACH)
                .map(|n| Ok(todos.add(Todo::draft(n.to_string()))?.record.id))
                .collect::<Result<Vec<_>, dkdc_todo::Error>>()
        })
    };
    let threads: Vec<_> = (0..8).map(|_| add(todos.clone())).collect();
    let mut ids = HashSet::new();
    for thread in threads {
        ids.extend(thread.join().map_err(|_| "a thread panicked")??);
    }
    assert_eq!(ids.len(), 8 * EACH);
    assert_eq!(todos.table().count()?, 400);
    Ok(())
}
