"""The failure to prevent: a call that waits, for a lock or the disk, stops every
thread of the program."""

from __future__ import annotations

import sys
import threading
import time

import pyarrow as pa
import pytest

from dkdc_lake import Lake
from dkdc_state import State


class Notes(State):
    tables = {"notes": {"id": str, "body": str, "n": int}}


class Given:
    def __init__(self, dbpath):
        self.path = dbpath
        self.state = Notes(dbpath=dbpath)
        self.store = self.state._store
        self.notes = self.state.table("notes")
        self.first = self.notes.append(id="n1", body="x", n=1)
        self.lake = Lake(dbpath=dbpath)
        self.file = self.lake.append_file(filename="a.txt", data=b"x")
        self.snapshot = self.store.snapshot()
        self.then = self.snapshot.table("notes")
        self.tx = self.store.transaction
        self.count = 0

    def new(self):
        self.count += 1
        return f"new-{self.count}"


@pytest.fixture
def given(dbpath):
    return Given(dbpath)


def update(given):
    given.lake.update_file(None, None, "a.txt", None, b"y", None, None, None)


CALLS = {
    "open and close": lambda g: Notes(dbpath=g.path).close(),
    "append": lambda g: g.notes.append(id=g.new()),
    "update": lambda g: g.notes.update(id="n1", n=2),
    "upsert": lambda g: g.notes.upsert(id="n1", n=2),
    "update_if": lambda g: g.notes.update_if(g.notes.get("n1")["idx"], id="n1"),
    "delete": lambda g: (g.notes.upsert(id="n2"), g.notes.delete("n2")),
    "restore": lambda g: g.notes.restore("n1", g.first["idx"]),
    "append_all": lambda g: g.notes.append_all(pa.table({"id": [g.new()]})),
    "get": lambda g: g.notes.get("n1"),
    "contains": lambda g: g.notes.contains("n1"),
    "count": lambda g: len(g.notes),
    "list": lambda g: g.notes.list(),
    "history": lambda g: g.notes.history("n1"),
    "last": lambda g: g.store.last(),
    "tables": lambda g: g.state.list_tables(),
    "schema": lambda g: g.store.schema("notes"),
    "define": lambda g: g.store.define("notes", [("body", "text", False)]),
    "clear": lambda g: g.state._clear("lake"),
    "snapshot": lambda g: g.store.snapshot(),
    "at": lambda g: g.state.at("now"),
    "changes": lambda g: list(g.state.changes()),
    "check": lambda g: g.state.check(),
    "transaction": lambda g: g.tx().rollback(),
    "the snapshot's table": lambda g: g.snapshot.table("notes"),
    "the snapshot's get": lambda g: g.then.get("n1"),
    "the snapshot's contains": lambda g: g.then.contains("n1"),
    "the snapshot's count": lambda g: g.then.count(),
    "the snapshot's list": lambda g: g.then.list({}, []),
    "the snapshot's history": lambda g: g.then.history("n1"),
    "the snapshot's rows": lambda g: pa.table(g.snapshot.current("notes")),
    "append_file": lambda g: g.lake.append_file(filename=g.new(), data=b"x"),
    "update_file": update,
    "get_file": lambda g: g.lake("a.txt"),
    "contains_file": lambda g: g.lake.contains_file("a.txt"),
    "contains_path": lambda g: g.lake.contains_path("p"),
    "restore_file": lambda g: g.lake.restore_file(g.file["idx"], "a.txt"),
    "file_history": lambda g: g.lake.file_history("a.txt"),
}


@pytest.fixture
def turns():
    """Counts how often another thread has run, which it does only where it is let:
    nobody is made to give way."""
    counted, done = [0], threading.Event()

    def count():
        while not done.is_set():
            counted[0] += 1
            time.sleep(0)

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=count)
    thread.start()
    sys.setswitchinterval(1e6)
    yield counted
    sys.setswitchinterval(interval)
    done.set()
    thread.join()


@pytest.mark.parametrize("name", CALLS)
def test_other_threads_run_while_a_call_may_wait(given, turns, name):
    call = CALLS[name]
    call(given)
    before = turns[0]
    # Others are let run each time, and do not always wake up in time.
    deadline = time.monotonic() + 60
    while turns[0] == before:
        assert time.monotonic() < deadline, "no other thread ran"
        call(given)
