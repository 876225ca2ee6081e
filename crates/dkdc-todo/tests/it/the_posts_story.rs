//! Somebody reads the post, types what it shows, and gets something else: a
//! column of another type, a priority that is not 100, two rows where there
//! should be one, or one version where there should be two.

use std::slice::from_ref;

use dkdc_state::ColumnType::{Int, List, Text};
use dkdc_state::ListItem;
use dkdc_todo::{Op, Todo, Todos, Versioned};

use crate::{Outcome, empty};

fn homework(body: &str) -> Todo {
    Todo {
        id: "test".to_owned(),
        user_id: None,
        subject: None,
        body: Some(body.to_owned()),
        priority: 100,
        status: None,
        description: None,
        labels: None,
    }
}

#[test]
fn in_four_steps() -> Outcome {
    let (_folder, todos) = empty()?;
    todos.append(Todo::new("old", "from before"))?;

    // 1. Clear; the table is empty, and its columns are there.
    todos.state().clear(&[])?;
    assert_eq!(todos.list(None)?, []);
    let schema = todos.table().schema()?;
    let columns = schema.columns.iter().map(|c| (c.name.as_str(), c.ty));
    assert_eq!(
        columns.collect::<Vec<_>>(),
        [
            ("user_id", Text),
            ("subject", Text),
            ("body", Text),
            ("priority", Int),
            ("status", Text),
            ("description", Text),
            ("labels", List(ListItem::Text)),
        ]
    );

    // 2. Append: priority 100, the rest NULL, one row.
    let first = todos.append(Todo::new("test", "do your homework"))?;
    assert_eq!(first.record, homework("do your homework"));
    assert_eq!(todos.list(None)?, from_ref(&first));

    // 3. Update: the table shows one row, the underlying one both.
    let second = todos.update(Todo::new("test", "do your homework!"))?;
    assert_eq!(second.record, homework("do your homework!"));
    assert!(second.idx() > first.idx());
    assert_eq!(todos.list(None)?, from_ref(&second));
    let both = |version: Versioned<Todo>| Versioned {
        version: version.version,
        record: Some(version.record),
    };
    assert_eq!(
        todos.history("test")?,
        [both(first.clone()), both(second.clone())]
    );

    // And the convenience methods agree.
    assert_eq!(todos.get("test")?, second);
    assert!(todos.contains("test", None)?);
    assert!(!todos.contains("nope", None)?);
    Ok(())
}

#[test]
fn versions_say_what_they_did() -> Outcome {
    let (_folder, todos) = empty()?;
    let first = todos.append(Todo::new("test", "do your homework"))?.version;
    let second = todos
        .update(Todo::new("test", "do your homework!"))?
        .version;
    let third = todos.delete("test")?;
    let fourth = todos.restore("test", first.idx)?.version;
    assert_eq!(
        [first.op, second.op, third.op, fourth.op],
        [Op::Append, Op::Update, Op::Delete, Op::Restore]
    );
    assert_eq!(
        [second.prev, third.prev, fourth.prev],
        [Some(first.idx), Some(second.idx), Some(third.idx)]
    );
    assert_eq!(first.prev, None);
    Ok(())
}

#[test]
fn it_is_still_there_after_reopening() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("data.db");
    let written = Todos::open(&path)?.append(Todo::new("test", "do your homework"))?;
    let reopened = Todos::open(&path)?;
    assert_eq!(reopened.list(None)?, [written]);
    Ok(())
}
