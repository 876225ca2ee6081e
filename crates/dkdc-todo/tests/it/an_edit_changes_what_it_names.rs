//! The original packages' update reset every column that was not given: marking
//! a todo as done lost its labels. And two people who edit different columns at
//! once must both be heard.

use dkdc_todo::{Edit, Error, Todo, Todos};

use crate::{Outcome, empty};

fn full() -> Todo {
    Todo {
        user_id: Some("ann".to_owned()),
        subject: Some("school".to_owned()),
        priority: 1,
        status: Some("open".to_owned()),
        description: Some("page 7".to_owned()),
        labels: Some(vec!["maths".to_owned()]),
        ..Todo::new("test", "do your homework")
    }
}

#[test]
fn and_nothing_else() -> Outcome {
    type Case = (Edit, fn(&mut Todo));
    let cases: [Case; 9] = [
        (Edit::new().user_id("bob"), |t| {
            t.user_id = Some("bob".into())
        }),
        (Edit::new().subject("home"), |t| {
            t.subject = Some("home".into())
        }),
        (Edit::new().body("read"), |t| t.body = Some("read".into())),
        (Edit::new().priority(7), |t| t.priority = 7),
        (Edit::new().status("late"), |t| {
            t.status = Some("late".into())
        }),
        (Edit::new().description("p. 8"), |t| {
            t.description = Some("p. 8".into())
        }),
        (Edit::new().labels(vec!["a".to_owned()]), |t| {
            t.labels = Some(vec!["a".into()])
        }),
        (Edit::new().status(None).labels(None), |t| {
            t.status = None;
            t.labels = None;
        }),
        (
            Edit::new()
                .user_id(None)
                .subject(None)
                .body(None)
                .description(None),
            |t| {
                t.user_id = None;
                t.subject = None;
                t.body = None;
                t.description = None;
            },
        ),
    ];
    for (edit, change) in cases {
        let (_folder, todos) = empty()?;
        todos.append(full())?;
        let mut expected = full();
        change(&mut expected);
        let edited = todos.edit("test", &edit)?;
        assert_eq!(edited.record, expected, "{edit:?}");
        assert_eq!(todos.get("test")?, edited, "{edit:?}");
        assert_eq!(todos.history("test")?.len(), 2, "{edit:?}");
    }
    Ok(())
}

#[test]
fn an_edit_that_changes_nothing_writes_nothing() -> Outcome {
    let (_folder, todos) = empty()?;
    let first = todos.append(full())?;
    assert_eq!(todos.edit("test", &Edit::new())?, first);
    assert_eq!(todos.edit("test", &Edit::new().priority(1))?, first);
    assert_eq!(todos.history("test")?.len(), 1);
    Ok(())
}

#[test]
fn done_keeps_the_rest() -> Outcome {
    let (_folder, todos) = empty()?;
    todos.append(full())?;
    let done = todos.done("test")?;
    let expected = Todo {
        status: Some("done".to_owned()),
        ..full()
    };
    assert_eq!(done.record, expected);
    assert_eq!(todos.done("test")?, done); // again: it is done already
    assert_eq!(todos.history("test")?.len(), 2);
    Ok(())
}

#[test]
fn an_edit_of_nothing_is_refused() -> Outcome {
    let (_folder, todos) = empty()?;
    let refused = todos.edit("test", &Edit::new().priority(1));
    assert!(matches!(refused, Err(Error::NotFound { id }) if id == "test"));
    todos.append(full())?;
    todos.delete("test")?;
    let refused = todos.done("test");
    assert!(matches!(refused, Err(Error::NotFound { id }) if id == "test"));
    Ok(())
}

#[test]
fn edits_at_once_are_all_kept() -> Outcome {
    const ROUNDS: i64 = 25;
    let (_folder, todos) = empty()?;
    todos.append(full())?;
    let repeat = |todos: Todos, edit: fn(i64) -> Edit| {
        std::thread::spawn(move || {
            (1..=ROUNDS).try_for_each(|round| todos.edit("test", &edit(1000 + round)).map(drop))
        })
    };
    let writers = [
        repeat(todos.clone(), |n| Edit::new().priority(n)),
        repeat(todos.clone(), |n| Edit::new().body(n.to_string().as_str())),
        repeat(todos.clone(), |n| {
            Edit::new().status(n.to_string().as_str())
        }),
        repeat(todos.clone(), |n| {
            Edit::new().subject(n.to_string().as_str())
        }),
    ];
    for writer in writers {
        writer.join().map_err(|_| "a writer panicked")??;
    }
    let last = (1000 + ROUNDS).to_string();
    let expected = Todo {
        priority: 1000 + ROUNDS,
        body: Some(last.clone()),
        status: Some(last.clone()),
        subject: Some(last),
        ..full()
    };
    assert_eq!(todos.get("test")?.record, expected);
    // No edit was lost, and none was written twice.
    assert_eq!(todos.history("test")?.len(), 1 + 4 * 25);
    Ok(())
}
