"""The failure to prevent: somebody upgrades from the original packages, and a
version of theirs is gone, or is another."""

from __future__ import annotations

import sqlite3
from datetime import datetime

import pytest

from dkdc_lake import Lake
from dkdc_todo import Todo

#: As Ibis made the tables of the original packages.
ORIGINAL = """
CREATE TABLE todos (idx TIMESTAMP, id TEXT, user_id TEXT, subject TEXT, body TEXT,
    priority INTEGER, status TEXT, description TEXT, labels TEXT);
CREATE TABLE lake (idx TIMESTAMP, id TEXT, user_id TEXT, path TEXT, filename TEXT,
    filetype TEXT, data BLOB, version INTEGER, status TEXT, description TEXT, labels TEXT);
INSERT INTO todos VALUES ('2024-11-27 18:02:45.321529', 'test', NULL, NULL,
    'do your homework', 100, NULL, NULL, NULL);
INSERT INTO todos VALUES ('2024-11-27 18:02:45.373844', 'test', NULL, NULL,
    'do your homework!', 100, NULL, NULL, 'school,late');
INSERT INTO lake VALUES ('2024-11-27 18:02:45.505331', '173273056550533-f0d929c0', NULL, NULL,
    'test.txt', 'txt', CAST('hello world' AS BLOB), NULL, NULL, NULL, NULL);
"""


@pytest.fixture
def original(dbpath):
    con = sqlite3.connect(dbpath)
    con.executescript(ORIGINAL)
    con.close()
    return dbpath


def test_a_file_of_the_original_packages_opens_with_every_version(original):
    todo, lake = Todo(dbpath=original), Lake(dbpath=original)
    assert todo.get_todo("test") == {
        "idx": datetime(2024, 11, 27, 18, 2, 45, 373844),
        "id": "test",
        "user_id": None,
        "subject": None,
        "body": "do your homework!",
        "priority": 100,
        "status": None,
        "description": None,
        "labels": ["school", "late"],
    }
    assert todo.t().to_pyarrow().to_pylist() == todo()
    bodies = todo.wcon.table("todos").order_by("idx").body.to_pyarrow().to_pylist()
    assert bodies == ["do your homework", "do your homework!"]
    assert lake("test.txt")["data"] == b"hello world"
    assert lake("test.txt")["id"] == "173273056550533-f0d929c0"
    assert lake.t().data.to_pyarrow().to_pylist() == [b"hello world"]


def test_it_is_written_on(original):
    todo = Todo(dbpath=original)
    todo.edit_todo("test", status="done")
    assert [row["op"] for row in todo.table("todos").history("test")] == [
        "append", "update", "update",
    ]  # fmt: skip
    assert todo.at("2024-11-27 18:02:46").table("todos").get("test")["status"] is None
