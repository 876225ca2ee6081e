"""The failure to prevent: a table of one's own loses, changes or invents
something."""

from __future__ import annotations

import dataclasses
import datetime
import gc
import uuid
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import pytest

from dkdc_state import State, errors, ibis

EVERY = {
    "id": str,
    "text": str,
    "int": int,
    "float": float,
    "bool": bool,
    "bytes": bytes,
    "time": datetime.datetime,
    "day": datetime.date,
    "uuid": uuid.UUID,
    "json": dict,
    "texts": list[str],
    "ints": list[int],
    "floats": list[float],
}
VALUES: dict[str, Any] = {
    "text": "ö\0'\"",
    "int": -(2**63),
    "float": 0.1,
    "bool": True,
    "bytes": b"\0\xff",
    "time": datetime.datetime(2026, 11, 22, 10, 0, 0, 1),
    "day": datetime.date(1, 1, 1),
    "uuid": uuid.UUID(int=2**127 + 5),
    "json": {"a": [1, None, 2.5, "x", {"b": True}], "big": 2**64 - 1},
    "texts": ["a,b", None, ""],
    "ints": [1, 2**63 - 1],
    "floats": [0.5, None],
}


class Every(State):
    tables = {"every": EVERY}


@dataclasses.dataclass
class Note:
    id: str
    body: str
    priority: int = 100
    user_id: str | None = None
    labels: list[str] = dataclasses.field(default_factory=list)


class Model(pydantic.BaseModel):
    id: str
    body: str
    priority: int = 100
    user_id: str | None = None
    labels: list[str] = []


class Notes(State):
    tables = {"notes": Note}


@pytest.fixture
def every(dbpath):
    return Every(dbpath=dbpath).table("every")


@pytest.fixture
def state(dbpath):
    return Notes(dbpath=dbpath)


@pytest.fixture
def notes(state):
    return state.table("notes")


def test_values_come_back_exactly(every):
    assert every.append(id="a", **VALUES) == {**every.get("a")}
    found = every.get("a")
    assert {name: found[name] for name in VALUES} == VALUES
    assert all(type(found[name]) is type(value) for name, value in VALUES.items())
    every.append(id="none")
    assert {every.get("none")[name] for name in VALUES} == {None}


def test_ibis_reads_the_same_values(every):
    every.append(id="a", **VALUES)
    row = every.t().to_pyarrow().to_pylist()[0]
    found = every.get("a")
    row["uuid"] = uuid.UUID(str(row["uuid"]))
    row["json"] = __import__("json").loads(row["json"])
    assert row == found


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("int", 2**63),
        ("int", 1.0),
        ("int", True),
        ("int", "1"),
        ("float", float("nan")),
        ("float", 2**63 - 1),
        ("text", 1),
        ("text", "\ud800"),
        ("bytes", "text"),
        ("time", pd.Timestamp("2026-11-22 10:00:00.000000001")),
        ("time", datetime.date(2026, 11, 22)),
        ("day", datetime.datetime(2026, 11, 22)),
        ("uuid", "no uuid"),
        ("json", {"a": float("nan")}),
        ("json", {"a": 2**64}),
        ("json", {1: 2}),
        ("json", {"a": object()}),
        ("texts", "text"),
        ("texts", [1]),
        ("ints", [2**63]),
        ("floats", [float("inf")]),
        ("text", object()),
    ],
)
def test_what_cannot_be_kept_is_refused_and_named(every, column, value):
    with pytest.raises(errors.Invalid, match=column):
        every.append({"id": "a", column: value})
    assert "a" not in every


def test_values_of_other_libraries_are_taken(every):
    every.append(
        id="a",
        int=np.int64(5),
        float=np.float32(0.5),
        bool=np.bool_(True),
        time=pd.Timestamp("2026-11-22 12:00", tz="Europe/Berlin"),
        ints=np.array([1, 2]),
        uuid=str(VALUES["uuid"]),
        bytes=memoryview(b"x"),
    )
    found = every.get("a")
    assert found["int"] == 5 and found["float"] == 0.5 and found["bool"] is True
    assert found["time"] == datetime.datetime(2026, 11, 22, 11)
    assert found["ints"] == [1, 2] and found["uuid"] == VALUES["uuid"]
    assert found["bytes"] == b"x"


@pytest.mark.parametrize(
    "declared",
    [
        lambda: Note,
        lambda: Model,
        lambda: ibis.schema(
            {"id": "!string", "body": "!string", "priority": "int64", "labels": "array<string>"}
        ),
        lambda: {"id": str, "body": "text", "priority": "int64", "labels": "list<text>"},
    ],
    ids=["dataclass", "pydantic", "ibis", "dict"],
)
def test_tables_are_declared_in_any_of_four_ways(dbpath, declared):
    class Declared(State):
        tables = {"notes": declared()}

    notes = Declared(dbpath=dbpath).table("notes")
    record = notes.append(id="n1", body="draft", priority=1, labels=["a"])
    assert (record["body"], record["priority"], record["labels"]) == ("draft", 1, ["a"])
    assert str(notes.t().schema()["labels"]) == "array<string>"


def test_defaults_and_required_columns_are_those_of_the_class(notes):
    assert notes.append(Note("n1", "draft"))["priority"] == 100
    assert notes.append(Model(id="n2", body="draft"))["labels"] == []
    assert notes.append(id="n3", body="x")["priority"] == 100
    with pytest.raises(errors.Invalid, match="body"):
        notes.append(id="n4")


class Person(pydantic.BaseModel):
    id: str
    email: str
    name: str | None = None
    team: str = "none"


def test_columns_may_be_unique_and_indexed(dbpath):
    class People(State):
        tables = {"people": Person}
        unique = {"people": ["email", ["name", "team"]]}
        indexes = {"people": "team"}

    people = People(dbpath=dbpath).table("people")
    people.append(Person(id="a", email="a@x", name="Ada"))
    with pytest.raises(errors.AlreadyExists, match="email") as raised:
        people.append(Person(id="b", email="a@x"))
    assert (raised.value.table, raised.value.id, raised.value.other) == ("people", "b", "a")
    with pytest.raises(errors.AlreadyExists, match="name, team"):
        people.append(Person(id="b", email="b@x", name="Ada"))
    people.append_all([Person(id="b", email="b@x"), Person(id="c", email="c@x", team="red")])
    assert [row["id"] for row in people.list({"team": "red"})] == ["c"]
    people.delete("a")
    assert people.append(Person(id="d", email="a@x", name="Ada"))["email"] == "a@x"

    class Wrong(State):
        tables = {"people": Person}
        unique = {"people": ["nothing"]}

    with pytest.raises(errors.Invalid, match="nothing"):
        Wrong(dbpath=dbpath)


def test_a_record_is_written_and_read(notes):
    first = notes.append(id="n1", body="draft")
    second = notes.update(id="n1", body="done")
    assert second["priority"] == 100
    with pytest.raises(errors.Conflict) as raised:
        notes.update_if(first["idx"], id="n1", body="late")
    assert raised.value.actual == second["idx"] and raised.value.id == "n1"
    third = notes.update_if(second["idx"], id="n1", body="sure")
    assert notes.upsert(id="n2", body="new")["body"] == "new"
    assert notes.delete("n1") > third["idx"]
    assert notes.get("n1") is None and "n1" not in notes and len(notes) == 1
    restored = notes.restore("n1", first["idx"])
    assert restored["body"] == "draft"
    history = notes.history("n1")
    assert [row["op"] for row in history] == ["append", "update", "update", "delete", "restore"]
    assert [row["prev"] for row in history] == [None, *(row["idx"] for row in history[:-1])]
    assert history[3]["body"] is None
    assert notes.history("never") == []


def test_errors_carry_what_they_are_about(notes):
    first = notes.append(id="n1", body="x")
    with pytest.raises(errors.AlreadyExists) as raised:
        notes.append(id="n1", body="y")
    assert (raised.value.table, raised.value.id, raised.value.idx) == ("notes", "n1", first["idx"])
    with pytest.raises(errors.NotFound) as raised:
        notes.delete("n2")
    assert (raised.value.table, raised.value.id) == ("notes", "n2")
    with pytest.raises(errors.Invalid, match="no column"):
        notes.append(id="n2", body="x", nothing=1)
    with pytest.raises(errors.Invalid, match="needs an id"):
        notes.append(body="x")
    with pytest.raises(errors.NotFound, match="tables: notes"):
        notes._state.table("nothing")


def test_lists_are_filtered_ordered_and_cut(notes):
    for id, priority in [("a", 2), ("b", 1), ("c", 2)]:
        notes.append(id=id, body=id, priority=priority)
    ids = [row["id"] for row in notes.list({"priority": 2}, order=["-id"])]
    assert ids == ["c", "a"]
    assert [row["id"] for row in notes.list(order=["priority", "id"], limit=2)] == ["b", "a"]


@pytest.mark.parametrize("enabled", [True, False])
def test_a_long_list_leaves_the_cycle_collector_as_it_was(notes, enabled):
    notes.append_all({"id": [str(n) for n in range(2000)], "body": ["x"] * 2000})
    try:
        if not enabled:
            gc.disable()
        assert len(notes.list()) == 2000
        assert gc.isenabled() == enabled
    finally:
        gc.enable()


def test_the_past_is_read(state, notes):
    first = notes.append(id="n1", body="draft")
    notes.update(id="n1", body="done")
    then = state.at(idx=first["idx"])
    assert then.idx == first["idx"]
    assert then.table("notes").get("n1")["body"] == "draft"
    assert "n1" in then.table("notes") and len(then.table("notes")) == 1
    pinned = then.table("notes").t()
    assert pinned.body.to_pyarrow().to_pylist() == ["draft"]
    assert then.rcon.table("notes").count().execute() == 1
    notes.append(id="n2", body="x")
    assert pinned.count().execute() == 1
    assert state.at("now").table("notes").get("n1")["body"] == "done"
    with pytest.raises(errors.OutsideHistory):
        state.at("1 year ago")
    with pytest.raises(errors.Invalid, match="takes a time"):
        state.at()
    with pytest.raises(errors.Invalid, match="not a time"):
        state.at("whenever")


def test_changes_resume(state, notes):
    notes.append(id="n1", body="draft")
    seen = list(state.changes())
    assert [(change["table"], change["op"]) for change in seen][-1] == ("notes", "append")
    notes.update(id="n1", body="done")
    (change,) = state.changes(after=seen[-1]["resume"])
    assert (change["op"], change["id"], change["record"]["body"]) == ("update", "n1", "done")


def test_a_transaction_is_all_or_nothing(state, notes):
    with state.transaction() as tx:
        inside = tx.table("notes")
        inside.append(id="n1", body="a")
        assert inside.get("n1")["body"] == "a" and len(inside) == 1
        inside.append(id="n2", body="b")
    assert len(notes) == 2
    with pytest.raises(RuntimeError, match="enough"), state.transaction() as tx:
        tx.table("notes").delete("n1")
        raise RuntimeError("enough")
    assert "n1" in notes
    with pytest.raises(errors.AlreadyExists), state.transaction() as tx:
        tx.table("notes").append(id="n3", body="c")
        tx.table("notes").append(id="n1", body="c")
    assert "n3" not in notes


def test_the_state_inside_its_transaction_is_an_error_and_no_deadlock(state, notes):
    with state.transaction() as tx:
        with pytest.raises(errors.InsideTransaction):
            notes.append(id="n1", body="a")
        with pytest.raises(errors.InsideTransaction), state.transaction():
            pass
        tx.table("notes").append(id="n2", body="b")
    assert notes.append(id="n1", body="a")["body"] == "a"
    with pytest.raises(errors.Closed):
        tx.table("notes")


FRAME = {"id": ["a", "b"], "body": ["1", "2"], "labels": [["x", "y"], []]}


@pytest.mark.parametrize(
    "frame",
    [
        lambda: pa.table(FRAME),
        lambda: pa.table(FRAME).to_reader(),
        lambda: pd.DataFrame(FRAME),
        lambda: pl.DataFrame(FRAME),
        lambda: pl.LazyFrame(FRAME),
        lambda: FRAME,
        lambda: [dict(zip(FRAME, row, strict=True)) for row in zip(*FRAME.values(), strict=True)],
        lambda: ibis.memtable(FRAME),
    ],
    ids=["pyarrow", "reader", "pandas", "polars", "lazy polars", "dict", "records", "ibis"],
)
def test_frames_are_taken_in_whole(notes, frame):
    assert notes.append_all(frame()) == 2
    assert notes.get("a")["labels"] == ["x", "y"] and notes.get("b")["labels"] == []
    assert notes.upsert_all(frame()) == 2 and notes.update_all(frame()) == 2
    with pytest.raises(errors.AlreadyExists):
        notes.append_all(frame())
    assert len(notes.history("a")) == 3


def test_a_pandas_frame_is_taken_without_its_index(notes):
    frame = pd.DataFrame({"id": ["c", "a", "b"], "body": ["3", "1", "2"], "priority": [3, 1, 2]})
    picked = frame[frame.priority > 1].sort_values("id")
    assert picked.index.tolist() == [2, 0]
    assert notes.append_all(picked) == 2
    named = frame.set_index(pd.Index(["x", "y", "z"], name="letter"))
    assert notes.upsert_all(named) == 3
    # An index of ids is where the ids are.
    assert notes.update_all(frame.assign(body="new").set_index("id")) == 3
    assert [row["body"] for row in notes.list()] == ["new"] * 3
    notes._state.wcon.insert("notes", picked.assign(body="newer"))
    assert [row["body"] for row in notes.list(order="id")] == ["new", "newer", "newer"]


def test_a_frame_without_rows_adds_none_whatever_its_types_are(notes):
    for empty in (
        pl.DataFrame({"id": [], "body": []}),
        pl.LazyFrame({"id": [], "body": []}),
        pd.DataFrame({"id": [], "body": []}),
        pa.table({"id": pa.array([], pa.null())}),
        pa.table({"id": pa.array([], pa.string())}),
        pa.schema({"id": pa.string()}).empty_table(),
        {"id": []},
        [],
    ):
        assert notes.append_all(empty) == 0
    with pytest.raises(errors.Invalid, match="needs an id"):
        notes.append_all(pl.DataFrame({"id": [None], "body": ["x"]}))
    # Nor does a list of nothing have a type.
    untyped = {"id": ["a"], "body": ["x"], "user_id": [None], "labels": [[]]}
    for frame in (pl.DataFrame, pl.LazyFrame, pa.table, pd.DataFrame):
        assert notes.upsert_all(frame(untyped)) == 1
        assert notes.get("a")["labels"] == [] and notes.get("a")["user_id"] is None


def test_every_type_goes_in_and_out_by_arrow(every, tmp_path):
    every.append(id="a", **VALUES)
    every.append(id="none")
    out = every.t().to_pyarrow()
    again = Every(dbpath=str(tmp_path / "again.db")).table("every")
    assert again.append_all(out) == 2
    for id in ("a", "none"):
        was, now = every.get(id), again.get(id)
        assert {**was, "idx": None} == {**now, "idx": None}


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("int", pa.array([2**63], pa.uint64())),
        ("int", pa.array([1.5])),
        ("int", pa.array(["1"])),
        ("float", pa.array([float("nan")])),
        ("time", pa.array([1], pa.timestamp("ns"))),
        ("text", pa.array([1])),
        ("uuid", pa.array(["no uuid"])),
        ("json", pa.array(["{"])),
        ("texts", pa.array([[1]])),
        ("text", pa.array([{"a": 1}])),
        ("nothing", pa.array([1])),
    ],
)
def test_frames_that_cannot_be_kept_are_refused_whole(every, column, values):
    good = pa.table({"id": ["a"]})
    bad = pa.table({"id": ["b"], column: values})
    with pytest.raises(errors.Invalid, match=column):
        every.append_all(bad)
    assert every.append_all(good) == 1 and len(every) == 1


def test_a_frame_without_ids_is_refused(every):
    with pytest.raises(errors.Invalid, match="id"):
        every.append_all(pa.table({"text": ["x"]}))
    with pytest.raises(errors.Invalid, match="id"):
        every.append_all(pa.table({"id": ["a", None]}))
    with pytest.raises(errors.Invalid, match="lengths differ"):
        every.append_all({"id": ["a", "b"], "text": ["x"]})
    for twice in ("id", "text"):
        named = pa.table([["a"], ["x"], ["y"]], names=["id", twice, twice])
        for mode in (every.append_all, every.upsert_all):
            with pytest.raises(errors.Invalid, match=f"column {twice} is named twice"):
                mode(named)
    assert len(every) == 0


def test_tables_grow_and_never_shrink(dbpath, notes):
    notes.append(id="n1", body="draft")

    class More(State):
        tables = {"notes": {"id": str, "body": str, "mood": str}}

    more = More(dbpath=dbpath).table("notes")
    assert more.update(id="n1", mood="good")["priority"] == 100
    assert notes.update(id="n1", mood="better")["mood"] == "better"
    assert "mood" in notes.t().columns

    class Other(State):
        tables = {"notes": {"id": str, "body": int}}

    with pytest.raises(errors.Invalid, match="body"):
        Other(dbpath=dbpath)


def test_states_show_what_they_are(state, notes, dbpath):
    notes.append(id="n1", body="<b>")
    assert repr(state) == f"Notes({dbpath!r}, notes: 1)"
    assert "<td>notes</td><td>1</td>" in state._repr_html_()
    assert repr(notes) == "Table('notes': 1 records of idx, id, body, priority, user_id, labels)"
    shown = notes._repr_html_()
    assert "<b>notes</b>: 1 records" in shown and "<th>body</th>" in shown
    assert "<td>&lt;b&gt;</td>" in shown and "<td>NULL</td>" in shown
    then = state.at("now")
    assert "Snapshot(" in repr(then)
    notes.append(id="n2", body="y")
    shown = then.table("notes")._repr_html_()
    assert "<b>notes</b>: 1 records" in shown and "<th>body</th>" in shown
    assert "<td>&lt;b&gt;</td>" in shown and "<td>NULL</td>" in shown
    assert repr(then.table("notes")) == f"SnapshotTable('notes': 1 records, {then!r})"
    assert repr(state.wcon) == f"WriteConnection({dbpath!r})"
    begun = state.transaction()
    assert repr(begun) == f"Transaction({dbpath!r}, not open)"
    with begun as tx:
        assert repr(tx) == f"Transaction({dbpath!r}, open)"
        assert repr(tx.table("notes")) == "TransactionTable('notes')"
    assert repr(begun) == f"Transaction({dbpath!r}, not open)"
    assert state.check() == []


def test_a_closed_state_says_so(dbpath):
    with Notes(dbpath=dbpath) as state:
        notes = state.table("notes")
    with pytest.raises(errors.Closed, match="was closed"):
        notes.append(id="n1", body="x")
    assert "closed" in repr(state)
    assert Notes(dbpath=dbpath).table("notes").append(id="n1", body="x")["body"] == "x"
