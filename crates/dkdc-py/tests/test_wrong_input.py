"""The failure to prevent: something wrong is given, and what comes back is no
clear error: a panic, an error of another library, or silence."""

from __future__ import annotations

import datetime
import math
import pathlib

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from dkdc_lake import Lake
from dkdc_state import State, errors, ibis
from dkdc_todo import Todo

SURROGATE = "a\ud800"
HUGE = 10**40


class Notes(State):
    tables = {"notes": {"id": str, "body": str, "n": int, "tags": list[str], "more": dict}}


class Given:
    """What the calls below are made on."""

    def __init__(self, dbpath):
        self.path = dbpath
        self.state = Notes(dbpath=dbpath)
        self.notes = self.state.table("notes")
        self.first = self.notes.append(id="n1", body="x", n=1)
        self.todo = Todo(dbpath=dbpath)
        self.lake = Lake(dbpath=dbpath)
        self.lake.append_file(filename="a.txt", data=b"\xff")
        self.then = self.state.at("now").table("notes")
        self.wcon = self.state.wcon


@pytest.fixture
def given(dbpath):
    return Given(dbpath)


def add(given, **values):
    return given.todo.append_todo(**{"id": "t", "user_id": None, "subject": None, "body": "b", **values})


def put(given, **values):
    return given.lake.append_file(**{"filename": "b.txt", "data": b"", **values})


def declared(columns):
    return type("Declared", (State,), {"tables": {"other": columns}})


#: By what is wrong: the exception, what its message says, and the call.
CALLS = {
    # opening
    "a path that is a number": (errors.Invalid, "dbpath", lambda g: State(5)),
    "no path for the façade": (errors.Invalid, "dbpath", lambda g: ibis.sqlite.connect(None)),
    "no path": (errors.Invalid, "dbpath", lambda g: State(None)),
    "a path with a NUL": (errors.Error, "", lambda g: State("a\0b")),
    "a folder": (errors.Error, "", lambda g: State(pathlib.Path(g.path).parent)),
    "a folder that is not there": (errors.Error, "", lambda g: State(g.path + "/no/data.db")),
    "a flag that is text": (errors.Invalid, "read_only", lambda g: State(g.path, read_only="no")),
    "durability as a number": (errors.Invalid, "durability", lambda g: State(g.path, durability=1)),
    "a timeout that is text": (errors.Invalid, "busy_timeout", lambda g: State(g.path, busy_timeout="1")),
    "a timeout below zero": (errors.Invalid, "busy_timeout", lambda g: State(g.path, busy_timeout=-1.0)),
    "a timeout that is NaN": (errors.Invalid, "busy_timeout", lambda g: State(g.path, busy_timeout=math.nan)),
    "an endless timeout": (errors.Invalid, "busy_timeout", lambda g: State(g.path, busy_timeout=math.inf)),
    # declaring
    "tables that are a number": (errors.Invalid, "other", lambda g: declared(5)(g.path)),
    "a type that is none": (errors.Invalid, "x", lambda g: declared({"id": str, "x": object})(g.path)),
    "a list of any": (errors.Invalid, "x", lambda g: declared({"id": str, "x": list})(g.path)),
    "a column's name that is a number": (errors.Invalid, "name", lambda g: declared({"id": str, 5: str})(g.path)),
    "a column's name with a surrogate": (errors.Invalid, "name", lambda g: declared({"id": str, SURROGATE: str})(g.path)),
    "a column's name that is ours": (errors.Invalid, "_prev", lambda g: declared({"id": str, "_prev": str})(g.path)),
    "a table's name that is ours": (errors.Invalid, "_dkdc", lambda g: g.wcon.create_table("_dkdc_x", schema={"id": str})),
    "a table's name that is empty": (errors.Invalid, "name", lambda g: g.wcon.create_table("", schema={"id": str})),
    "a table's name that is a number": (errors.Invalid, "name", lambda g: g.wcon.create_table(5, schema={"id": str})),
    "a table that is there": (errors.AlreadyExists, "notes", lambda g: g.wcon.create_table("notes", schema={"id": str})),
    # tables
    "an unknown table": (errors.NotFound, "notes", lambda g: g.state.table("nothing")),
    "a table's name as a number, asked for": (errors.Invalid, "name", lambda g: g.state.table(5)),
    "a table's name with a surrogate": (errors.Invalid, "name", lambda g: g.state.table(SURROGATE)),
    "clearing an unknown table": (errors.NotFound, "nothing", lambda g: g.state._clear("nothing")),
    "clearing a number": (errors.Invalid, "tables", lambda g: g.state._clear(5)),
    "clearing numbers": (errors.Invalid, "tables", lambda g: g.state._clear([5])),
    "an unknown table of wcon": (errors.NotFound, "nothing", lambda g: g.wcon.table("nothing")),
    "a table of nothing": (errors.Invalid, "schema", lambda g: g.wcon.create_table("new")),
    "a table of a number": (errors.Invalid, "records", lambda g: g.wcon.create_table("new", 5)),
    "a table of rows without ids": (errors.Invalid, "id", lambda g: g.wcon.create_table("new", {"n": [1]})),
    "a view that is not there": (errors.NotFound, "view", lambda g: g.wcon.drop_view("nothing")),
    "an unknown table to insert into": (errors.NotFound, "nothing", lambda g: g.wcon.insert("nothing", {"id": ["a"]})),
    # writing
    "no record": (errors.Invalid, "id", lambda g: g.notes.append()),
    "a number for a record": (errors.Invalid, "record", lambda g: g.notes.append(5)),
    "a record's class": (errors.Invalid, "record", lambda g: g.notes.append(dict)),
    "an id that is a number": (errors.Invalid, "id", lambda g: g.notes.append(id=5)),
    "an id that is None": (errors.Invalid, "id", lambda g: g.notes.append(id=None)),
    "an empty id": (errors.Invalid, "id", lambda g: g.notes.append(id="")),
    "a long id": (errors.Invalid, "id", lambda g: g.notes.append(id="x" * 1025)),
    "an id with a surrogate": (errors.Invalid, "id", lambda g: g.notes.append(id=SURROGATE)),
    "a column that is a number": (errors.Invalid, "name", lambda g: g.notes.append({"id": "a", 5: 1})),
    "a column with a surrogate": (errors.Invalid, "name", lambda g: g.notes.append({"id": "a", SURROGATE: 1})),
    "an unknown column": (errors.Invalid, "nothing", lambda g: g.notes.append(id="a", nothing=1)),
    "a huge integer": (errors.Invalid, "n", lambda g: g.notes.append(id="a", n=HUGE)),
    "a float in an integer's place": (errors.Invalid, "n", lambda g: g.notes.append(id="a", n=math.nan)),
    "a surrogate in text": (errors.Invalid, "body", lambda g: g.notes.append(id="a", body=SURROGATE)),
    "a surrogate in a list": (errors.Invalid, "tags", lambda g: g.notes.append(id="a", tags=[SURROGATE])),
    "a surrogate in JSON": (errors.Invalid, "more", lambda g: g.notes.append(id="a", more={"a": SURROGATE})),
    "a surrogate in a name of JSON": (errors.Invalid, "more", lambda g: g.notes.append(id="a", more={SURROGATE: 1})),
    "a set": (errors.Invalid, "tags", lambda g: g.notes.append(id="a", tags={"x"})),
    "a list in itself": (errors.Invalid, "more", lambda g: g.notes.append(id="a", more=_endless())),
    "updating nothing that is there": (errors.NotFound, "nothing", lambda g: g.notes.update(id="nothing")),
    "a version that is text": (errors.Invalid, "version", lambda g: g.notes.update_if("x", id="n1")),
    "a version that is huge": (errors.Invalid, "version", lambda g: g.notes.update_if(HUGE, id="n1")),
    "a version that is none": (errors.Conflict, "n1", lambda g: g.notes.update_if(-1, id="n1", n=2)),
    "a version that is the least": (errors.Conflict, "n1", lambda g: g.notes.update_if(-(2**63), id="n1", n=2)),
    "deleting a number": (errors.Invalid, "id", lambda g: g.notes.delete(5)),
    "deleting nothing": (errors.NotFound, "nothing", lambda g: g.notes.delete("nothing")),
    "restoring a version that is not there": (errors.NotFound, "n1", lambda g: g.notes.restore("n1", 5)),
    "restoring a float": (errors.Invalid, "version", lambda g: g.notes.restore("n1", 5.0)),
    # frames
    "a number for a frame": (errors.Invalid, "int", lambda g: g.notes.append_all(5)),
    "text for a frame": (errors.Invalid, "str", lambda g: g.notes.append_all("text")),
    "a column of numbers for records": (errors.Invalid, "record", lambda g: g.notes.append_all([1, 2])),
    "columns that are no lists": (errors.Invalid, "id", lambda g: g.notes.append_all({"id": 5})),
    "a Series of pandas": (errors.Invalid, "one column", lambda g: g.notes.append_all(pd.Series(["a"], name="id"))),
    "a Series of Polars": (errors.Invalid, "one column", lambda g: g.notes.append_all(pl.Series("id", ["a"]))),
    "an array of Arrow's": (errors.Invalid, "one column", lambda g: g.notes.append_all(pa.array(["a"]))),
    "values of several types": (errors.Invalid, "one type", lambda g: g.notes.append_all(pd.DataFrame({"id": ["a", 5]}))),
    "a stream of no records": (errors.Invalid, "records", lambda g: g.notes.append_all(_Stream(pa.chunked_array([["a"]])))),
    "ids that are all None": (errors.Invalid, "needs an id", lambda g: g.notes.append_all(pl.DataFrame({"id": [None]}))),
    "an id of numbers": (errors.Invalid, "id", lambda g: g.notes.append_all(pa.table({"id": [5]}))),
    "a wrong row among good ones": (errors.Invalid, "n", lambda g: g.notes.append_all({"id": ["a", "b"], "n": [1, "x"]})),
    "an Arrow stream that is none": (errors.Invalid, "Arrow", lambda g: g.notes.append_all(_Broken())),
    # reading
    "getting a number": (errors.Invalid, "id", lambda g: g.notes.get(5)),
    "getting a surrogate": (errors.Invalid, "id", lambda g: g.notes.get(SURROGATE)),
    "asking for bytes": (errors.Invalid, "id", lambda g: g.notes.contains(b"n1")),
    "the history of None": (errors.Invalid, "id", lambda g: g.notes.history(None)),
    "where that is text": (errors.Invalid, "where", lambda g: g.notes.list("n = 1")),
    "where that names nothing": (errors.Invalid, "nothing", lambda g: g.notes.list({"nothing": 1})),
    "where that compares with another type": (errors.Invalid, "n", lambda g: g.notes.list({"n": "x"})),
    "where that is a surrogate": (errors.Invalid, "body", lambda g: g.notes.list({"body": SURROGATE})),
    "an order that names nothing": (errors.Invalid, "nothing", lambda g: g.notes.list(order=["nothing"])),
    "an order that is a number": (errors.Invalid, "order", lambda g: g.notes.list(order=5)),
    "a limit below zero": (errors.Invalid, "limit", lambda g: g.notes.list(limit=-1)),
    "a limit that is text": (errors.Invalid, "limit", lambda g: g.notes.list(limit="1")),
    # the past
    "two moments": (errors.Invalid, "at", lambda g: g.state.at("now", idx=5)),
    "a moment beyond the calendar": (errors.Invalid, "time", lambda g: g.state.at(datetime.datetime.max)),
    "a moment that is a float": (errors.Invalid, "", lambda g: g.state.at(5.5)),
    "a moment with a surrogate": (errors.Invalid, "", lambda g: g.state.at(SURROGATE)),
    "a moment before all": (errors.OutsideHistory, "", lambda g: g.state.at(datetime.datetime(1, 1, 1))),
    "a moment to come": (errors.OutsideHistory, "", lambda g: g.state.at("2999-01-01")),
    "an idx that is text": (errors.Invalid, "idx", lambda g: g.state.at(idx="now")),
    "an idx that is huge": (errors.Invalid, "", lambda g: g.state.at(idx=HUGE)),
    "changes after text": (errors.Invalid, "version", lambda g: list(g.state.changes("x"))),
    "getting a number as it was": (errors.Invalid, "id", lambda g: g.then.get(5)),
    "an unknown column, as it was": (errors.Invalid, "nothing", lambda g: g.then.list({"nothing": 1})),
    "an unknown table, as it was": (errors.NotFound, "nothing", lambda g: g.state.at("now").table("nothing")),
    # transactions
    "a transaction that has not begun": (errors.Closed, "with", lambda g: g.state.transaction().table("notes")),
    # todos
    "a todo's id that is a number": (errors.Invalid, "id", lambda g: add(g, id=5)),
    "a priority that is text": (errors.Invalid, "priority", lambda g: add(g, priority="high")),
    "a priority of a float": (errors.Invalid, "priority", lambda g: add(g, priority=1.5)),
    "labels that are text": (errors.Invalid, "labels", lambda g: add(g, labels="school")),
    "labels of numbers": (errors.Invalid, "labels", lambda g: add(g, labels=[1])),
    "a user that is a number": (errors.Invalid, "user_id", lambda g: add(g, user_id=5)),
    "editing what no todo has": (errors.Invalid, "nothing", lambda g: (add(g), g.todo.edit_todo("t", nothing=1))),
    "todos of a user that is a number": (errors.Invalid, "user_id", lambda g: g.todo.get_todos(user_id=5)),
    "a todo that is a number": (errors.Invalid, "id", lambda g: g.todo.get_todo(5)),
    "deleting no todo": (errors.NotFound, "todo x does not exist", lambda g: g.todo.delete_todo("x")),
    # files
    "a filename that is a number": (errors.Invalid, "filename", lambda g: put(g, filename=5)),
    "a filename with a surrogate": (errors.Invalid, "filename", lambda g: put(g, filename=SURROGATE)),
    "an empty filename": (errors.Invalid, "", lambda g: put(g, filename="")),
    "a path that is a number in the lake": (errors.Invalid, "path", lambda g: put(g, path=5)),
    "data that is text": (errors.Invalid, "data", lambda g: put(g, data="text")),
    "data that is a list": (errors.Invalid, "data", lambda g: put(g, data=[1])),
    "a version that is text, of a file": (errors.Invalid, "version", lambda g: put(g, version="1")),
    "a version that is huge, of a file": (errors.Invalid, "version", lambda g: put(g, version=HUGE)),
    "labels that are text, of a file": (errors.Invalid, "labels", lambda g: put(g, labels="x")),
    "a status that is a number": (errors.Invalid, "status", lambda g: put(g, status=1)),
    "no file": (errors.NotFound, "File x does not exist", lambda g: g.lake("x")),
    "a file that is a number": (errors.Invalid, "filename", lambda g: g.lake(5)),
    "a path that is None": (errors.Invalid, "path", lambda g: g.lake.contains_path(None)),
    "a pattern that is a number": (errors.Invalid, "pattern", lambda g: g.lake.csv(5)),
    "a pattern that is none": (errors.Invalid, "pattern", lambda g: g.lake.text("{a")),
    "files before all": (errors.OutsideHistory, "", lambda g: g.lake.text("*", at=datetime.datetime(2001, 1, 1))),
    "files at a float": (errors.Invalid, "", lambda g: g.lake.text("*", at=5.5)),
    "restoring a file to nothing": (errors.NotFound, "", lambda g: g.lake.restore_file(5, "a.txt")),
}  # fmt: skip


def _endless():
    endless: list = []
    endless.append(endless)
    return endless


class _Stream:
    def __init__(self, stream):
        self.stream = stream

    def __arrow_c_stream__(self, requested_schema=None):
        return self.stream.__arrow_c_stream__(requested_schema)


class _Broken:
    def __arrow_c_stream__(self, requested_schema=None):
        return object()


@pytest.mark.parametrize("wrong", CALLS)
def test_what_is_wrong_is_one_clear_error(given, wrong):
    expected, says, call = CALLS[wrong]
    with pytest.raises(errors.Error) as raised:
        call(given)
    assert type(raised.value) is expected or (
        expected is errors.Error and isinstance(raised.value, errors.Error)
    )
    text = str(raised.value)
    assert text and says in text and "\n" not in text
    assert "PyErr" not in text and "BUG" not in text and "Error {" not in text
    # Nothing was written, and all goes on.
    assert given.notes.get("n1") == given.first and len(given.notes) == 1
    assert given.state.check() == []


#: Calls on what was closed.
CLOSED = {
    "append": lambda g: g.notes.append(id="a"),
    "append_all": lambda g: g.notes.append_all({"id": ["a"]}),
    "append_all of arrow": lambda g: g.notes.append_all(pa.table({"id": ["a"]})),
    "get": lambda g: g.notes.get("n1"),
    "len": lambda g: len(g.notes),
    "list": lambda g: g.notes.list(),
    "history": lambda g: g.notes.history("n1"),
    "table": lambda g: g.state.table("notes"),
    "list_tables": lambda g: g.state.list_tables(),
    "transaction": lambda g: g.state.transaction().__enter__(),
    "at": lambda g: g.state.at("now"),
    "changes": lambda g: g.state.changes(),
    "check": lambda g: g.state.check(),
    "clear": lambda g: g.state._clear(),
    "insert": lambda g: g.wcon.insert("notes", {"id": ["a"]}),
    "ibis": lambda g: g.notes.t().count().execute(),
}


@pytest.mark.parametrize("use", CLOSED)
def test_a_closed_state_is_closed_to_every_call(given, use):
    given.todo.close()
    given.lake.close()
    given.state.close()
    given.state.close()
    with pytest.raises(errors.Closed, match="was closed"):
        CLOSED[use](given)
    assert "closed" in repr(given.state) and "closed" in given.state._repr_html_()
    assert "closed" in repr(given.notes) and "closed" in given.notes._repr_html_()


def test_times_are_exact_or_refused(dbpath):
    class Times(State):
        tables = {"times": {"id": str, "at": datetime.datetime}}

    times = Times(dbpath=dbpath).table("times")
    utc = datetime.timezone.utc
    early = datetime.timezone(datetime.timedelta(hours=-11))
    for at, stored in [
        (datetime.datetime.min, datetime.datetime.min),
        (datetime.datetime(9999, 12, 30, 22),) * 2,
        (datetime.datetime(2026, 1, 1, tzinfo=utc), datetime.datetime(2026, 1, 1)),
        (datetime.datetime(2026, 1, 1, tzinfo=early), datetime.datetime(2026, 1, 1, 11)),
        (datetime.datetime(1969, 12, 31, 23, 59, 59, 999999),) * 2,
    ]:
        assert times.upsert(id="a", at=at)["at"] == stored
        (listed,) = times.list()
        assert listed["at"] == stored and listed["at"].tzinfo is None
        assert type(listed["at"]) is datetime.datetime
    # The last day of the calendar is beyond what time zones leave for all.
    for late in (datetime.datetime.max, datetime.datetime.max.replace(tzinfo=early)):
        with pytest.raises(errors.Invalid, match="at: .*9999"):
            times.upsert(id="a", at=late)


def test_ibis_says_which_tables_there_are(given):
    with pytest.raises(Exception, match="nothing"):
        given.state.rcon.table("nothing")
    with pytest.raises(errors.Invalid, match="table_name"):
        ibis.duckdb.connect().read_sqlite(given.path)
    with pytest.raises(errors.NotFound, match="nothing"):
        ibis.duckdb.connect().read_sqlite(given.path, table_name="nothing")


def test_what_breaks_arrows_rules_or_pythons_is_refused_whole(dbpath):
    class Kinds(State):
        tables = {"n": {"id": str, "s": str, "j": dict, "d": datetime.date, "ts": datetime.datetime}}

    state = Kinds(dbpath=dbpath)
    table = state.table("n")
    table.append(id="ok", s="x")
    bad = pa.array([b"caf\xe9"]).view(pa.string())
    days = pa.array([7304485], pa.int32()).view(pa.date32())
    year_0 = pa.array([-719500], pa.int32()).view(pa.date32())
    for given in [
        {"id": ["a"], "s": bad},
        {"id": bad},
        {"id": ["a"], "j": bad},
        {"id": ["a"], "d": days},
        {"id": ["a"], "d": year_0},
        {"id": ["a"], "ts": pa.array([-62135596800001], pa.timestamp("ms"))},
    ]:
        with pytest.raises(errors.Invalid):
            table.append_all(pa.table(given))
    assert [found["id"] for found in table.list()] == ["ok"]
    assert table.append_all(pa.table({"id": ["a"], "s": ["caf\xe9"]})) == 1


def test_a_question_may_have_space_around_its_dots(dbpath):
    with Notes(dbpath=dbpath) as state:
        state.table("notes").append(id="a", body="x", n=1)
    for between in ["\n  .", " /* here */ . "]:
        with Notes(dbpath=dbpath) as state:
            asked = state.rcon.sql(f"select count(*) n from dkdc.current{between}notes")
            assert asked.n.execute()[0] == 1, between
