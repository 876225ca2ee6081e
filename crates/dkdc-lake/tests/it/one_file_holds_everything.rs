//! The post opens a state, a todo list and a lake on one `data.db`. If one of
//! them locked the others out, or cleared their tables, it would not run.

use dkdc_lake::{Edit, File, FileName, Lake};
use dkdc_state::{Moment, Record, State};
use dkdc_todo::{Todo, Todos};

use crate::{Outcome, put, text};

#[derive(Record, Clone, Debug, PartialEq)]
#[record(table = "notes")]
struct Note {
    #[record(id)]
    id: String,
    body: String,
}

#[test]
fn opened_as_the_post_does() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("data.db");
    let state = State::open(&path)?;
    let todos = Todos::open(&path)?;
    let lake = Lake::open(&path)?;
    let notes = state.table::<Note>()?;

    let note = Note {
        id: "test".to_owned(),
        body: "the same id in another table".to_owned(),
    };
    let first = notes.append(&note)?.idx;
    let second = todos.append(Todo::new("test", "do your homework"))?.idx();
    let third = put(&lake, "test.txt", "hello world")?.idx();
    // One clock for all of them.
    assert!(first < second && second < third);
    assert_eq!(state.last()?, third);
    let tables = state.tables()?;
    let mut tables: Vec<_> = tables.iter().map(|table| table.name.as_str()).collect();
    tables.sort_unstable();
    assert_eq!(tables, ["lake", "notes", "todos"]);

    // Clearing one leaves the others.
    state.clear(&["todos"])?;
    assert_eq!(todos.list(None)?, []);
    assert_eq!(notes.get("test")?.map(|note| note.record), Some(note));
    assert_eq!(text(&lake, &FileName::new("test.txt"))?, "hello world");
    todos.append(Todo::new("test", "again"))?;
    assert_eq!(todos.list(None)?.len(), 1);

    // And clearing all leaves them empty, and in use.
    state.clear(&[])?;
    assert_eq!(lake.list(None, None)?, []);
    assert!(!notes.contains("test")?);
    put(&lake, "test.txt", "hello world")?;
    assert!(state.check()?.is_sound());
    Ok(())
}

#[test]
fn a_transaction_spans_them() -> Outcome {
    let folder = tempfile::tempdir()?;
    let state = State::open(folder.path().join("data.db"))?;
    let (todos, lake) = (Todos::on(&state)?, Lake::on(&state)?);
    let file = put(&lake, "test.txt", "hello world")?;

    let finish = |fail: bool| {
        state.transaction(|tx| {
            tx.table::<Todo>()?
                .append(&Todo::new("test", "read test.txt"))?;
            tx.table::<File>()?.delete(&file.id)?;
            if fail {
                return Err("changed my mind".into());
            }
            Ok::<_, Box<dyn std::error::Error>>(())
        })
    };
    assert!(finish(true).is_err());
    assert!(!todos.contains("test", None)?);
    assert!(lake.contains_file(&FileName::new("test.txt"))?);
    finish(false)?;
    assert!(todos.contains("test", None)?);
    assert!(!lake.contains_file(&FileName::new("test.txt"))?);
    Ok(())
}

#[test]
fn one_moment_covers_them_all() -> Outcome {
    let folder = tempfile::tempdir()?;
    let state = State::open(folder.path().join("data.db"))?;
    let (todos, lake) = (Todos::on(&state)?, Lake::on(&state)?);
    todos.append(Todo::new("test", "one"))?;
    put(&lake, "test.txt", "one")?;
    let when = state.last()?;
    todos.update(Todo::new("test", "two"))?;
    put(&lake, "test.txt", "two")?;

    let name = FileName::new("test.txt");
    let then = (todos.at(Moment::Idx(when))?, lake.at(Moment::Idx(when))?);
    assert_eq!(then.0.get("test")?.body.as_deref(), Some("one"));
    assert_eq!(then.1.read_to_vec(&name)?, b"one");
    assert_eq!(then.0.idx(), then.1.idx());
    Ok(())
}

#[test]
fn handles_are_shared_among_threads() -> Outcome {
    fn check<T: Clone + Send + Sync + 'static>(_: &T) {}
    let folder = tempfile::tempdir()?;
    let state = State::open(folder.path().join("data.db"))?;
    let (todos, lake) = (Todos::on(&state)?, Lake::on(&state)?);
    check(&todos);
    check(&lake);
    let writer = {
        let lake = lake.clone();
        std::thread::spawn(move || {
            (0..50).try_for_each(|n| {
                let name = FileName::new(n.to_string());
                lake.put(&name, &Edit::new(), &b"hello world"[..]).map(drop)
            })
        })
    };
    for n in 0..50 {
        todos.append(Todo::new(n.to_string(), ""))?;
    }
    writer.join().map_err(|_| "the writer panicked")??;
    assert_eq!(todos.list(None)?.len(), 50);
    assert_eq!(lake.list(None, None)?.len(), 50);
    Ok(())
}
