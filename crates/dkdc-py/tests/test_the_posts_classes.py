"""The failure to prevent: a class written for the original packages, which
overrides `_cons`, does not run on this core."""

from __future__ import annotations

import posts_classes
import pytest

from dkdc_state import State, errors, ibis


def test_a_todo_list_written_as_in_the_post_runs(dbpath):
    todo = posts_classes.Todo(dbpath=dbpath)
    assert todo() == []
    first = todo.append_todo("test", None, None, "do your homework", labels=["a", "b"])
    assert (first["body"], first["labels"]) == ("do your homework", ["a", "b"])
    second = todo.update_todo("test", None, None, "do your homework!")
    assert second["idx"] > first["idx"] and second["labels"] is None
    assert todo.t().count().to_pyarrow().as_py() == 1
    assert todo.wcon.table("todos").count().to_pyarrow().as_py() == 2
    with pytest.raises(ValueError, match="todo test already exists"):
        todo.append_todo("test", None, None, "again")


def test_a_lake_written_as_in_the_post_runs_in_the_same_file(dbpath):
    todo = posts_classes.Todo(dbpath=dbpath)
    lake = posts_classes.Lake(dbpath=dbpath)
    todo.append_todo("test", None, None, "do your homework")
    file = lake.append_file(filename="test.txt", filetype="txt", data=b"hello world")
    assert file["data"] == b"hello world"
    assert lake("test.txt") == file
    assert todo.wcon.list_tables() == ["todos", "lake"]


@pytest.mark.parametrize("names", [None, "todos", ["todos"]])
def test_clear_empties_and_the_tables_exist_again(dbpath, names):
    todo = posts_classes.Todo(dbpath=dbpath)
    todo.append_todo("test", None, None, "do your homework")
    todo._clear(names)
    assert todo() == []
    assert todo.wcon.table("todos").count().to_pyarrow().as_py() == 0
    assert todo.append_todo("test", None, None, "again")["body"] == "again"


def test_a_subclass_of_state_that_overrides_cons_has_the_state_as_well(dbpath):
    class Notes(State):
        def _cons(self):
            wcon = ibis.sqlite.connect(self.dbpath)
            if "notes" not in wcon.list_tables():
                wcon.create_table("notes", schema=ibis.schema({"id": str, "body": str}))
            rcon = ibis.duckdb.connect()
            for name in wcon.list_tables():
                rcon.read_sqlite(self.dbpath, table_name=name)
            return wcon, rcon

    state = Notes(dbpath=dbpath)
    state.wcon.insert("notes", {"id": ["a", "b"], "body": ["1", "2"]})
    assert state.table("notes").get("b")["body"] == "2"
    assert state.rcon.table("notes").count().execute() == 2
    assert state.table("notes").t().count().execute() == 2


def test_a_table_needs_a_key_that_is_text(dbpath):
    wcon = ibis.sqlite.connect(dbpath)
    with pytest.raises(errors.Invalid, match="needs a column id"):
        wcon.create_table("notes", schema=ibis.schema({"body": str}))
    with pytest.raises(errors.Invalid, match="the column id must be a string"):
        wcon.create_table("notes", schema=ibis.schema({"id": int}))
    assert wcon.list_tables() == []
