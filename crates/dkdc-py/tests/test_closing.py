"""The failure to prevent: a state was closed, its file is copied or opened by
something else, and lacks what was written, or locks are lost."""

from __future__ import annotations

import gc
import os
import shutil
import sqlite3

import pyarrow as pa
import pytest

from dkdc_lake import Lake
from dkdc_state import State, errors, ibis


class Notes(State):
    tables = {"notes": {"id": str, "body": str}}


class Overriding(State):
    """As the post's classes do it."""

    def _cons(self):
        wcon = ibis.sqlite.connect(self.dbpath)
        if "notes" not in wcon.list_tables():
            wcon.create_table("notes", schema=ibis.schema({"id": str, "body": str}))
        rcon = ibis.duckdb.connect()
        for name in wcon.list_tables():
            rcon.read_sqlite(self.dbpath, table_name=name)
        return wcon, rcon


def is_alone(path):
    """The file is all there is, and another SQLite may read it."""
    assert not os.path.exists(f"{path}-wal")
    other = sqlite3.connect(path)
    rows = other.execute("select id from notes order by id").fetchall()
    other.close()
    return [id for (id,) in rows]


def write_and_read(state):
    state.wcon.insert("notes", {"id": ["a"], "body": ["x"]})
    state.table("notes").append(id="b")
    assert state.rcon.table("notes").count().execute() == 2
    assert state.table("notes").t().count().execute() == 2


@pytest.mark.parametrize("kind", [Notes, Overriding])
def test_a_state_that_was_closed_leaves_one_whole_file(dbpath, kind):
    with kind(dbpath=dbpath) as state:
        write_and_read(state)
        with pytest.raises(errors.SecondSQLite):
            sqlite3.connect(dbpath)
    assert is_alone(dbpath) == ["a", "b"]
    for use in (
        lambda: state.wcon.insert("notes", {"id": ["c"], "body": ["x"]}),
        lambda: state.rcon.table("notes").count().execute(),
        lambda: state.table("notes"),
    ):
        with pytest.raises(errors.Closed):
            use()
    assert "closed" in repr(state)
    state.close()


@pytest.mark.parametrize("kind", [Notes, Overriding])
def test_what_clear_made_anew_is_closed_as_well(dbpath, kind):
    with kind(dbpath=dbpath) as state:
        old = state.rcon.table("notes").count()
        write_and_read(state)
        state._clear()
        assert old.execute() == 0
        write_and_read(state)
    assert is_alone(dbpath) == ["a", "b"]


def test_a_state_that_was_never_used_is_closed_and_makes_nothing(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    state = Overriding(dbpath=folder / "data.db")
    state.wcon.disconnect()
    state.rcon.disconnect()
    shutil.rmtree(folder)
    state.close()
    assert not folder.exists()
    with pytest.raises(errors.Closed):
        state.table("notes")


def test_connections_are_closed_by_themselves_too(dbpath):
    wcon = ibis.sqlite.connect(dbpath)
    wcon.create_table("notes", schema={"id": "string"})
    wcon.insert("notes", {"id": ["a"]})
    rcon = ibis.duckdb.connect()
    assert rcon.read_sqlite(dbpath, table_name="notes").count().execute() == 1
    wcon.disconnect()
    rcon.disconnect()
    assert is_alone(dbpath) == ["a"]


def test_the_connections_of_a_state_do_not_close_it(dbpath):
    with Notes(dbpath=dbpath) as state:
        write_and_read(state)
        state.wcon.disconnect()
        assert len(state.table("notes")) == 2


def test_what_was_made_of_a_state_is_closed_with_it(dbpath):
    with Notes(dbpath=dbpath) as state:
        write_and_read(state)
        notes = state.table("notes")
        then, changes = state.at("now"), state.changes()
        old, asked = then.table("notes"), then.table("notes").t().count()
        reader = pa.RecordBatchReader.from_stream(notes)
        assert asked.execute() == len(old) == 2
        next(changes)
    assert is_alone(dbpath) == ["a", "b"]
    for use in (
        lambda: then.idx,
        lambda: then.table("notes"),
        lambda: old.get("a"),
        lambda: len(old),
        lambda: next(changes),
        lambda: asked.execute(),
        lambda: pa.table(old),
    ):
        with pytest.raises(errors.Closed):
            use()
    with pytest.raises(Exception, match="was closed"):
        reader.read_all()


def test_what_was_made_of_a_state_that_nobody_has_any_more_goes_on(dbpath):
    write_and_read(Notes(dbpath=dbpath))
    assert [change["id"] for change in Notes(dbpath=dbpath).changes() if change["id"]] == ["a", "b"]
    old = Notes(dbpath=dbpath).at("now").table("notes")
    reader = pa.RecordBatchReader.from_stream(Notes(dbpath=dbpath).table("notes"))
    gc.collect()
    assert reader.read_all().num_rows == 2 and old.contains("a")
    assert pa.table(old).num_rows == 2


def test_a_closed_file_is_guarded_while_something_has_it_open(dbpath):
    with Notes(dbpath=dbpath) as state:
        write_and_read(state)
        begun = state.transaction()
        with begun as tx:
            tx.table("notes").append(id="c")
            state.close()
            with pytest.raises(errors.SecondSQLite):
                sqlite3.connect(dbpath)
    assert is_alone(dbpath) == ["a", "b", "c"]


def test_files_are_in_the_one_file_too(dbpath):
    with Lake(dbpath=dbpath) as lake:
        lake.append_file(filename="a.bin", data=bytes(3_000_000))
        assert lake.text("*").size.execute().tolist() == [3_000_000]
    assert not os.path.exists(dbpath + "-wal")
    with Lake(dbpath=dbpath) as lake:
        assert lake("a.bin")["data"] == bytes(3_000_000)
