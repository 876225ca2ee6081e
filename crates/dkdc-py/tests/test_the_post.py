"""The failure to prevent: the people the post was written for paste it, and it
does not run, or shows something else."""

from __future__ import annotations

import datetime
import pathlib
import runpy

import pytest

TODO = ["idx", "id", "user_id", "subject", "body", "priority", "status", "description", "labels"]
LAKE = [
    "idx", "id", "user_id", "path", "filename", "filetype", "data", "version", "status",
    "description", "labels",
]  # fmt: skip
HOMEWORK = {
    "id": "test",
    "user_id": None,
    "subject": None,
    "body": "do your homework",
    "priority": 100,
    "status": None,
    "description": None,
    "labels": None,
}
FILE = {
    "user_id": None,
    "path": None,
    "filename": "test.txt",
    "filetype": "txt",
    "data": b"hello world",
    "version": None,
    "status": None,
    "description": None,
    "labels": None,
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("post")
    script = pathlib.Path(__file__).with_name("post.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return runpy.run_path(str(script))["shown"]


def without(record, *names):
    return {name: value for name, value in record.items() if name not in names}


def types(schema):
    return {name: str(dtype) for name, dtype in schema.items()}


def test_an_empty_table_shows_its_columns_and_types(shown):
    text, schema = shown["no todos"]
    assert list(schema) == TODO
    assert types(schema) == {
        **dict.fromkeys(TODO, "string"),
        "idx": "timestamp(6)",
        "priority": "int64",
        "labels": "array<string>",
    }
    assert all(name in text for name in TODO)
    text, schema = shown["no files"]
    assert list(schema) == LAKE
    assert types(schema) == {
        **dict.fromkeys(LAKE, "string"),
        "idx": "timestamp(6)",
        "data": "binary",
        "version": "int64",
        "labels": "array<string>",
    }
    assert "timestamp(6)" in text and "array<string>" in text


def test_append_and_update_return_the_record(shown):
    appended, updated = shown["appended"], shown["updated"]
    assert list(appended) == TODO
    assert without(appended, "idx") == HOMEWORK
    assert without(updated, "idx") == {**HOMEWORK, "body": "do your homework!"}
    assert type(appended["idx"]) is datetime.datetime and appended["idx"].tzinfo is None
    assert appended["idx"] < updated["idx"]
    assert shown["got"] == updated


def test_the_table_shows_the_latest_version_and_the_underlying_one_both(shown):
    text, one = shown["one todo"]
    assert one.to_pylist() == [shown["appended"]]
    assert "do your homework" in text and "NULL" in text
    text, one = shown["still one todo"]
    assert one.to_pylist() == [shown["updated"]]
    assert "do your homework!" in text
    text, both = shown["underlying todos"]
    assert both.to_pylist() == [shown["appended"], shown["updated"]]
    assert both.column_names == TODO
    assert text.count("do your homework") == 2


def test_the_same_with_the_lake(shown):
    appended, updated = shown["appended file"], shown["updated file"]
    assert list(appended) == LAKE
    assert without(appended, "idx", "id") == FILE
    assert without(updated, "idx", "id") == {**FILE, "data": b"hello world!"}
    assert appended["id"] == updated["id"]
    time, digits = appended["id"].split("-")
    assert (len(time), len(digits)) == (15, 8)
    assert int(digits, 16) >= 0 and time.isdigit()
    assert shown["one file"][1].to_pylist() == [appended]
    assert "b'hello world'" in shown["one file"][0]
    assert shown["still one file"][1].to_pylist() == [updated]
    assert shown["underlying files"][1].to_pylist() == [appended, updated]
    assert shown["underlying files"][1].column_names == LAKE
