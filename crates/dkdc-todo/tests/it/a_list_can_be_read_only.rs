//! Somebody is given a store to look at: reading it must work, and an attempt
//! to write must say why it failed and change nothing.

use dkdc_state::Durability;
use dkdc_todo::{Edit, ErrorKind, Moment, State, Todo, Todos};

use crate::{Outcome, ids};

#[test]
fn reading_works_and_writing_is_the_error() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("data.db");
    let written = {
        let state = State::options()
            .durability(Durability::Relaxed)
            .open(&path)?;
        Todos::on(&state)?.append(Todo::new("test", "do your homework"))?
    };

    let todos = Todos::on(&State::options().read_only(true).open(&path)?)?;
    assert_eq!(todos.list(None)?, std::slice::from_ref(&written));
    assert_eq!(todos.resolve("te")?, "test");
    assert_eq!(todos.history("test")?.len(), 1);
    assert_eq!(todos.at(Moment::Idx(written.idx()))?.get("test")?, written);

    for refused in [
        todos.append(Todo::new("new", "")).map(drop),
        todos.add(Todo::draft("")).map(drop),
        todos.update(Todo::new("test", "")).map(drop),
        todos.edit("test", &Edit::new().priority(1)).map(drop),
        todos.delete("test").map(drop),
        todos.restore("test", written.idx()).map(drop),
    ] {
        let error = refused.expect_err("read-only");
        assert_eq!(error.kind(), ErrorKind::Failure, "{error}");
    }
    assert_eq!(ids(&todos.list(None)?), ["test"]);
    Ok(())
}
