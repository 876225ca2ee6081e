//! A list of a million todos does not fit into memory, and while it is read
//! page by page somebody writes: a todo that moves to the top is missed, one
//! that moves down is there twice.

use dkdc_todo::{Edit, Todo, TodoFilter, Todos};

use crate::{Outcome, empty};

/// More than a page, and groups of one priority that end in the middle of one.
fn many() -> Result<(tempfile::TempDir, Todos), Box<dyn std::error::Error>> {
    let (folder, todos) = empty()?;
    let todo = |number: usize| Todo {
        priority: [100, 100, 100, -7, i64::MAX, i64::MIN][number % 6],
        user_id: number.is_multiple_of(2).then(|| "ann".to_owned()),
        labels: number.is_multiple_of(3).then(|| vec!["three".to_owned()]),
        ..Todo::new(format!("t{number}"), "")
    };
    let all: Vec<Todo> = (0..4_500).map(todo).collect();
    todos.table().append_all(&all)?;
    Ok((folder, todos))
}

fn filters() -> Vec<TodoFilter> {
    let all = TodoFilter::default;
    let mut filters = vec![
        all(),
        TodoFilter {
            user: Some("ann".to_owned()),
            ..all()
        },
        TodoFilter {
            label: Some("three".to_owned()),
            ..all()
        },
        TodoFilter {
            status: Some("done".to_owned()),
            ..all()
        },
    ];
    for limit in [0, 1, 999, 1000, 1001, 4_499, 4_500, 9_999] {
        filters.push(TodoFilter {
            limit: Some(limit),
            ..all()
        });
    }
    filters
}

#[test]
fn they_are_the_same_as_those_read_at_once() -> Outcome {
    let (_folder, todos) = many()?;
    for filter in filters() {
        let walked = todos.iter(&filter)?.collect::<Result<Vec<_>, _>>()?;
        assert_eq!(walked, todos.select(&filter)?, "{filter:?}");
    }
    Ok(())
}

#[test]
fn what_is_written_meanwhile_is_not_in_them() -> Outcome {
    let (_folder, todos) = many()?;
    for filter in filters() {
        for steps in [0, 1, 1500] {
            let before = todos.select(&filter)?;
            let mut walk = todos.iter(&filter)?;
            let mut walked = walk.by_ref().take(steps).collect::<Result<Vec<_>, _>>()?;
            // Of the last ones, one goes to the top, one to the bottom, one away.
            let mut last = before.iter().rev().map(|todo| todo.id.as_str());
            if let Some(id) = last.next() {
                todos.edit(id, &Edit::new().priority(i64::MIN))?;
            }
            if let Some(id) = last.next() {
                todos.edit(id, &Edit::new().priority(i64::MAX))?;
            }
            if let Some(id) = last.next() {
                todos.delete(id)?;
            }
            todos.add(Todo::draft("new"))?;
            walked.extend(walk.collect::<Result<Vec<_>, _>>()?);
            assert!(walked == before, "{filter:?} after {steps}");
        }
    }
    Ok(())
}
