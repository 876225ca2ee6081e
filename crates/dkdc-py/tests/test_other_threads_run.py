"""The failure to prevent: a call that waits, for a lock or the disk, stops every
thread of the program."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from contextlib import contextmanager

import pyarrow as pa
import pytest

from dkdc_lake import Lake
from dkdc_state import State, errors


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
        large = self.lake.append_file(filename="large", data=bytes(2_000_000))
        named = self.store.table("lake").get(large["id"])["data"]
        self.content = named["hash"], named["size"]

    def new(self):
        self.count += 1
        return f"new-{self.count}"


@pytest.fixture
def given(dbpath):
    return Given(dbpath)


#: How often a call is made on what was made for it: others do not always wake up in time.
OFTEN = 200


@contextmanager
def inside(given):
    """A table in a transaction that has begun, and ids of records that it has."""
    tx = given.store.transaction()
    table = tx.table("notes")
    ids = [given.new() for _ in range(OFTEN)]
    for id in ids:
        table.append({"id": id})
    try:
        yield [(table, id) for id in ids]
    finally:
        tx.rollback()


@contextmanager
def begun(given):
    """A transaction that may be ended."""
    tx = given.store.transaction()
    tx.table("notes").append({"id": given.new()})
    yield [tx]


@contextmanager
def many_begun(given):
    tx = given.store.transaction()
    yield [tx] * OFTEN
    tx.rollback()


@contextmanager
def files(given):
    names = [given.new() for _ in range(OFTEN)]
    for name in names:
        given.lake.append_file(filename=name, data=b"x")
    yield names


@contextmanager
def folders(given):
    with tempfile.TemporaryDirectory() as folder:
        yield [tempfile.mkdtemp(dir=folder) for _ in range(OFTEN)]


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
    "append_all of records": lambda g: g.notes.append_all([{"id": g.new()}, {"id": g.new()}]),
    "a request": lambda g: g.notes.request("key").upsert(id="n2"),
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
    "a content": lambda g: g.store.blob(*g.content),
}

def in_tx(call):
    return inside, lambda given, made: call(given, *made)


#: What is made before, and the call, which has each of it.
PREPARED = {
    "the transaction's append": in_tx(lambda g, t, id: t.append({"id": g.new()})),
    "the transaction's update": in_tx(lambda g, t, id: t.update({"id": id})),
    "the transaction's upsert": in_tx(lambda g, t, id: t.upsert({"id": id})),
    "the transaction's update_if": in_tx(lambda g, t, id: _conflict(t, id)),
    "the transaction's delete": in_tx(lambda g, t, id: t.delete(id)),
    "the transaction's restore": in_tx(lambda g, t, id: t.restore("n1", g.first["idx"])),
    "the transaction's get": in_tx(lambda g, t, id: t.get(id)),
    "the transaction's contains": in_tx(lambda g, t, id: t.contains(id)),
    "the transaction's count": in_tx(lambda g, t, id: t.count()),
    "the transaction's table": (many_begun, lambda g, tx: tx.table("notes")),
    "the transaction's once": (many_begun, lambda g, tx: tx.once(g.new())),
    "commit": (begun, lambda g, tx: tx.commit()),
    "rollback": (begun, lambda g, tx: tx.rollback()),
    "delete_file": (files, lambda g, name: g.lake.delete_file(name)),
    "csv, its files": (folders, lambda g, to: g.lake._files.spool("a.txt", None, None, to)),
}


def _conflict(table, id):
    with pytest.raises(errors.Conflict):
        table.update_if({"id": id}, 5)


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


@pytest.mark.parametrize("name", PREPARED)
def test_other_threads_run_while_a_call_on_what_was_made_may_wait(given, turns, name):
    prepare, call = PREPARED[name]
    deadline = time.monotonic() + 60
    ran = False
    while not ran:
        assert time.monotonic() < deadline, "no other thread ran"
        with prepare(given) as all_made:
            before = turns[0]
            for made in all_made:
                call(given, made)
            ran = turns[0] != before
