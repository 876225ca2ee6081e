//! The most pressing todo is not at the top, or a limit cuts off the wrong
//! end.

use dkdc_todo::{Edit, Todo, TodoFilter};

use crate::{Outcome, empty, ids};

fn todo(id: &str, priority: i64) -> Todo {
    Todo {
        priority,
        ..Todo::new(id, "")
    }
}

#[test]
fn by_priority_then_newest_first() -> Outcome {
    let (_folder, todos) = empty()?;
    for (id, priority) in [("a", 100), ("b", -5), ("c", 100), ("d", 0), ("e", 100)] {
        todos.append(todo(id, priority))?;
    }
    assert_eq!(ids(&todos.list(None)?), ["b", "d", "e", "c", "a"]);
    // A new version makes a todo the newest of its priority.
    todos.edit("a", &Edit::new().body("changed"))?;
    assert_eq!(ids(&todos.list(None)?), ["b", "d", "a", "e", "c"]);
    todos.edit("b", &Edit::new().priority(1000))?;
    assert_eq!(ids(&todos.list(None)?), ["d", "a", "e", "c", "b"]);
    Ok(())
}

#[test]
fn a_limit_takes_the_first() -> Outcome {
    let (_folder, todos) = empty()?;
    for (id, priority) in [("a", 3), ("b", 1), ("c", 2), ("d", 1)] {
        todos.append(todo(id, priority))?;
    }
    for (limit, expected) in [
        (0, &[][..]),
        (1, &["d"]),
        (3, &["d", "b", "c"]),
        (9, &["d", "b", "c", "a"]),
    ] {
        let filter = TodoFilter {
            limit: Some(limit),
            ..TodoFilter::default()
        };
        assert_eq!(ids(&todos.select(&filter)?), expected, "limit {limit}");
    }
    Ok(())
}

#[test]
fn filters_go_together_with_order_and_limit() -> Outcome {
    let (_folder, todos) = empty()?;
    for number in 0..40 {
        todos.append(Todo {
            user_id: Some(["ann", "bob"][number % 2].to_owned()),
            status: (number % 4 < 2).then(|| "open".to_owned()),
            labels: (number % 5 == 0).then(|| vec!["five".to_owned()]),
            priority: i64::try_from(number % 3)?,
            ..Todo::new(number.to_string(), "")
        })?;
    }
    let filter = TodoFilter {
        user: Some("ann".to_owned()),
        status: Some("open".to_owned()),
        label: Some("five".to_owned()),
        limit: None,
    };
    // Numbers divisible by 4 and 5, by their remainder by 3: 0, 20, and none.
    assert_eq!(ids(&todos.select(&filter)?), ["0", "20"]);
    let first = TodoFilter {
        limit: Some(1),
        ..filter.clone()
    };
    assert_eq!(ids(&todos.select(&first)?), ["0"]);
    let open = TodoFilter {
        status: Some("open".to_owned()),
        limit: Some(4),
        ..TodoFilter::default()
    };
    assert_eq!(ids(&todos.select(&open)?), ["36", "33", "24", "21"]);
    assert_eq!(todos.select(&TodoFilter::default())?, todos.list(None)?);
    Ok(())
}
