"""The failure to prevent: an answer is lost on its way, the write is tried again,
and is made twice."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from dkdc_state import State, errors


class Notes(State):
    tables = {"notes": {"id": str, "body": str, "n": int}}


@pytest.fixture
def state(dbpath):
    return Notes(dbpath=dbpath)


@pytest.fixture
def notes(state):
    return state.table("notes")


WRITES = {
    "append": lambda t, first: t.append(id="new", body="x"),
    "update": lambda t, first: t.update(id="old", body="x"),
    "upsert": lambda t, first: t.upsert(id="old", body="x"),
    "update_if": lambda t, first: t.update_if(first["idx"], id="old", body="x"),
    "delete": lambda t, first: t.delete("old"),
    "restore": lambda t, first: t.restore("old", first["idx"]),
    "append_all": lambda t, first: t.append_all({"id": ["new", "newer"], "n": [1, 2]}),
    "update_all": lambda t, first: t.update_all([{"id": "old", "n": 2}]),
    "upsert_all": lambda t, first: t.upsert_all(pa.table({"id": ["old", "new"], "n": [1, 2]})),
}


@pytest.mark.parametrize("name", WRITES)
def test_the_same_write_again_has_the_same_answer_and_makes_nothing(state, notes, name):
    first = notes.append(id="old", body="draft")
    write = WRITES[name]
    answer = write(notes.request("key"), first)
    made = list(state.changes(after=first["idx"]))
    assert len(made) == (2 if answer == 2 else 1)
    notes.upsert(id="other")
    again = write(state.table("notes").request("key"), first)
    assert again == answer
    later = list(state.changes(after=made[-1]["resume"]))
    assert [change["id"] for change in later] == ["other"]


def test_another_write_with_the_key_is_refused_and_one_that_was_refused_is_not_remembered(notes):
    notes.request("key").append(id="a", n=1)
    for other in (
        lambda t: t.append(id="a", n=2),
        lambda t: t.upsert(id="a", n=1),
        lambda t: t.delete("a"),
        lambda t: t.append_all({"id": ["a", "b"]}),
    ):
        with pytest.raises(errors.Invalid, match="key 'key'|key \"key\""):
            other(notes.request("key"))
    with pytest.raises(errors.AlreadyExists):
        notes.request("second").append(id="a", n=1)
    assert notes.request("second").append(id="b")["id"] == "b"
    assert [row["id"] for row in notes.list(order="id")] == ["a", "b"]


def test_a_frame_is_one_request_in_whichever_way_it_is_given(notes):
    rows = 20_000
    frame = {"id": [f"{n:05}" for n in range(rows)], "n": list(range(rows))}
    for given in (frame, pa.table(frame), pd.DataFrame(frame), pl.DataFrame(frame)):
        assert notes.request("import").append_all(given) == rows
    assert len(notes) == rows
    with pytest.raises(errors.Invalid, match="another write"):
        notes.request("import").append_all(pa.table(frame).slice(1))


def test_a_transaction_is_made_once(state, notes):
    for _ in range(3):
        with state.transaction() as tx:
            if tx.once("order"):
                tx.table("notes").append(id="a")
    assert len(notes.history("a")) == 1
    with pytest.raises(ZeroDivisionError), state.transaction() as tx:
        assert tx.once("other")
        raise ZeroDivisionError
    with state.transaction() as tx:
        assert tx.once("other")


def test_a_process_that_died_before_it_had_its_answer_asks_again(notes, dbpath):
    script = (
        "import os, sys; from dkdc_state import State\n"
        "State(sys.argv[1]).table('notes').request('order').append(id='a', n=5)\n"
        "os._exit(9)\n"
    )
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", script, dbpath], check=False).returncode == 9
    assert notes.request("order").append(id="a", n=5)["n"] == 5
    assert len(notes.history("a")) == 1


def test_a_key_is_text(notes, state):
    for key in (5, None, b"key", "a\ud800"):
        with pytest.raises(errors.Invalid, match="key"):
            notes.request(key)
        with pytest.raises(errors.Invalid, match="key"), state.transaction() as tx:
            tx.once(key)
