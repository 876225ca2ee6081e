"""The failure to prevent: a class written for the original packages, which
overrides `_cons`, does not run on this core."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import polars as pl
import posts_classes
import pyarrow as pa
import pytest

from dkdc_state import State, errors, ibis
from dkdc_util import now


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


def test_rows_are_inserted_in_whichever_way_they_are_given(dbpath):
    wcon = ibis.sqlite.connect(database=dbpath)
    rows = {"id": ["a", "b"], "body": ["1", None], "n": [1, 2]}
    given = {
        "dict": rows,
        "records": [{"id": "a", "body": "1", "n": 1}, {"id": "b", "body": None, "n": 2}],
        "pyarrow": pa.table(rows),
        "pandas": pd.DataFrame(rows, index=[7, 8]),
        "polars": pl.DataFrame(rows),
        "ibis": ibis.memtable(rows),
    }
    for name, obj in given.items():
        wcon.create_table(name, obj=obj)
        wcon.insert(name, obj)
        table = wcon.table(name).order_by("idx")
        types = {column: str(kind) for column, kind in table.schema().items()}
        assert types == {"idx": "timestamp(6)", "id": "string", "body": "string", "n": "int64"}
        assert [row["body"] for row in table.to_pyarrow().to_pylist()] == ["1", None] * 2
    assert wcon.list_tables() == list(given)
    wcon.create_table("with idx", pa.table({"idx": [datetime(2020, 1, 1)], "id": ["a"]}))
    assert wcon.table("with idx").columns == ("idx", "id")


def test_a_given_idx_is_passed_over(dbpath):
    wcon = ibis.sqlite.connect(dbpath)
    wcon.create_table("notes", schema={"idx": "timestamp", "id": "string", "body": "string"})
    begun, long_ago = now(), datetime(2020, 1, 1)
    for obj in (
        {"idx": [long_ago], "id": ["a"], "body": ["1"]},
        {"idx": [long_ago] * 2, "id": ["a", "b"], "body": ["2", "2"]},
        pa.table({"idx": [long_ago], "id": ["a"], "body": ["3"]}),
    ):
        wcon.insert("notes", obj)
    times = wcon.table("notes").order_by("idx").idx.to_pyarrow().to_pylist()
    assert len(set(times)) == 4 and min(times) >= begun


def test_views_are_dropped_as_the_posts_clear_does(dbpath):
    wcon = ibis.sqlite.connect(dbpath)
    wcon.create_table("notes", schema={"id": "string"})
    assert wcon.drop_view("notes", force=True) is None
    with pytest.raises(errors.NotFound, match="no view 'notes'"):
        wcon.drop_view("notes")
    wcon.drop_table("nothing", force=True)
    with pytest.raises(errors.NotFound):
        wcon.drop_table("nothing")
    assert wcon.list_tables() == ["notes"]


def test_the_facade_is_ibis_in_everything_else(dbpath):
    import ibis as real

    assert ibis.__version__ == real.__version__
    assert ibis.sqlite.compile(ibis.literal(1)) == real.sqlite.compile(real.literal(1))
    assert ibis.duckdb.compile(ibis.literal(1)) == real.duckdb.compile(real.literal(1))
    assert ibis.options is real.options and ibis.Table is real.Table
    for place in (ibis, ibis.sqlite, ibis.duckdb):
        with pytest.raises(AttributeError, match="nothing"):
            place.nothing  # noqa: B018
    with pytest.raises(AttributeError):
        ibis.__path__  # noqa: B018
    assert ibis.duckdb.connect(database=":memory:").list_tables() == []


def test_a_connection_connects_anew_with_its_stores(dbpath):
    wcon = ibis.sqlite.connect(dbpath)
    wcon.create_table("notes", pa.table({"id": ["a"]}))
    rcon = ibis.duckdb.connect()
    t = rcon.read_sqlite(dbpath, table_name="notes")
    state = State(dbpath)
    for con in (rcon, state.rcon, state.at("now").rcon):
        con.reconnect()
        assert con.table("notes").count().execute() == 1
    wcon.insert("notes", {"id": ["b"]})
    assert t.count().execute() == state.table("notes").t().count().execute() == 2
    rcon.disconnect()
    with pytest.raises(errors.Closed):
        rcon.reconnect()


def test_connections_to_one_duckdb_file_have_a_store_each(dbpath, tmp_path):
    ibis.sqlite.connect(dbpath).create_table("notes", pa.table({"id": ["a"]}))
    for _ in range(2):
        con = ibis.duckdb.connect(tmp_path / "other.ddb")
        t = con.read_sqlite(dbpath, table_name="notes")
        assert t.count().execute() == 1


def test_a_table_needs_a_key_that_is_text(dbpath):
    wcon = ibis.sqlite.connect(dbpath)
    with pytest.raises(errors.Invalid, match="needs a column id"):
        wcon.create_table("notes", schema=ibis.schema({"body": str}))
    with pytest.raises(errors.Invalid, match="the column id must be a string"):
        wcon.create_table("notes", schema=ibis.schema({"id": int}))
    assert wcon.list_tables() == []
