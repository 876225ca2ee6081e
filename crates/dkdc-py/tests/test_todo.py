"""The failure to prevent: `Todo` or `Lake` does something else than the
original did, or says it in other words."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dkdc_lake import Lake
from dkdc_state import State, errors
from dkdc_todo import Todo
from dkdc_util import get_dkdc_dir, now, uuid


@pytest.fixture
def todo(dbpath):
    return Todo(dbpath=dbpath)


@pytest.fixture
def lake(dbpath):
    return Lake(dbpath=dbpath)


def add(todo, id, user_id=None, **rest):
    return todo.append_todo(id=id, user_id=user_id, subject=None, body=id, **rest)


def test_errors_are_the_built_in_ones_and_say_what_the_original_said(todo):
    add(todo, "test")
    with pytest.raises(ValueError, match="^todo test already exists$") as raised:
        add(todo, "test")
    assert isinstance(raised.value, errors.AlreadyExists)
    with pytest.raises(ValueError, match="^todo none does not exist$") as raised:
        todo.update_todo("none", None, None, None)
    assert isinstance(raised.value, errors.NotFound)
    with pytest.raises(IndexError, match="none"):
        todo.get_todo("none")


def test_the_list_is_by_priority_and_the_newest_first(todo):
    for id, priority in [("a", 2), ("b", 1), ("c", 2)]:
        add(todo, id, priority=priority)
    assert [row["id"] for row in todo.get_todos()] == ["b", "c", "a"]
    assert todo.t().to_pyarrow().to_pylist() == todo() == todo.get_todos()


def test_a_reassigned_todo_leaves_its_old_users_list(todo):
    add(todo, "a", user_id="ann")
    assert todo.contains_todo("a", user_id="ann") and not todo.contains_todo("a", user_id="bob")
    todo.edit_todo("a", user_id="bob")
    assert todo.get_todos(user_id="ann") == []
    assert todo.todos_t("ann").count().execute() == 0
    assert [row["id"] for row in todo("bob")] == ["a"]
    with pytest.raises(IndexError):
        todo.get_todo("a", user_id="ann")


def test_update_writes_every_column_and_edit_those_it_names(todo):
    add(todo, "a", priority=5, labels=["x,y", "z"])
    assert todo.edit_todo("a", status="done")["labels"] == ["x,y", "z"]
    updated = todo.update_todo("a", None, None, "b")
    assert (updated["priority"], updated["labels"], updated["status"]) == (100, None, None)


def test_deleted_todos_are_gone_and_come_back(todo):
    first = add(todo, "a")
    deleted = todo.delete_todo("a")
    assert deleted > first["idx"] and not todo.contains_todo("a")
    assert todo.t().count().execute() == 0
    todo.table("todos").restore("a", first["idx"])
    assert todo.get_todo("a")["body"] == "a"
    assert [row["op"] for row in todo.table("todos").history("a")] == [
        "append", "delete", "restore",
    ]  # fmt: skip


def test_files_are_known_by_user_path_and_filename(lake):
    lake.append_file(filename="a.txt", data=b"1")
    lake.append_file(filename="a.txt", path="p", data=b"2")
    lake.append_file(filename="a.txt", path="p", user_id="ann", data=b"3")
    assert lake.get_file("a.txt")["data"] == b"1"
    assert lake("a.txt", "p")["data"] == b"2"
    assert lake("a.txt", "p", "ann")["data"] == b"3"
    assert not lake.contains_file("a.txt", user_id="ann")
    assert lake.contains_path("p") and lake.contains_path("p", "ann")
    assert not lake.contains_path("p", "bob")
    newest_first = lake.t().select("path", "user_id").to_pyarrow().to_pylist()
    assert [(row["path"], row["user_id"]) for row in newest_first] == [
        ("p", "ann"), ("p", None), (None, None),
    ]  # fmt: skip
    assert lake.lake_t("ann").count().execute() == 1


def test_the_lakes_errors_are_the_originals(lake):
    with pytest.raises(AssertionError):
        lake.append_file(data=b"")
    with pytest.raises(AssertionError):
        lake.append_file(filename="a.txt")
    with pytest.raises(ValueError, match="^File a.txt does not exist$"):
        lake.get_file("a.txt", path="p")
    with pytest.raises(ValueError, match="^File a.txt does not exist$"):
        lake.update_file(None, None, "a.txt", None, b"", None, None, None)
    lake.append_file(filename="a.txt", path="p", data=b"")
    with pytest.raises(ValueError, match="^File a.txt already exists$"):
        lake.append_file(filename="a.txt", path="p", data=b"")


def test_content_comes_back_as_it_was_from_any_version(lake):
    data = bytes(range(256)) * 8192
    first = lake.append_file(filename="a.bin", data=data)
    lake.update_file(None, None, "a.bin", None, bytearray(b"small"), 2, None, None, ["l"])
    assert lake("a.bin")["data"] == b"small"
    assert [file["data"] for file in lake.file_history("a.bin")] == [data, b"small"]
    assert lake.wcon.table("lake").data.to_pyarrow().to_pylist() == [data, b"small"]
    lake.delete_file("a.bin")
    assert lake.restore_file(first["idx"], "a.bin")["data"] == data


def test_state_todo_and_lake_share_a_file(dbpath):
    todo, lake, state = Todo(dbpath=dbpath), Lake(dbpath=dbpath), State(dbpath)
    add(todo, "a")
    lake.append_file(filename="a.txt", data=b"1")
    assert state.list_tables() == ["todos", "lake"]
    assert sorted(state.rcon.list_tables()) == ["lake", "todos"]
    both = state.rcon.table("todos").count().as_scalar() + state.rcon.table("lake").count()
    assert both.execute() == 2
    state._clear("todos")
    assert todo() == [] and lake.contains_file("a.txt")
    state._clear()
    assert not lake.contains_file("a.txt") and state.list_tables() == ["todos", "lake"]
    with pytest.raises(errors.NotFound, match="no table"):
        state._clear(["nothing"])


def test_files_of_any_kind_are_read_as_text(lake):
    first = lake.append_file(path="r", filename="a.txt", data="grün\n".encode())
    lake.append_file(path="r", filename="b.bin", data=b"\xff\x00")
    lake.append_file(path="r", filename="c", data=b"")
    lake.update_file(None, "r", "a.txt", None, b"late", None, None, None)
    rows = lake.text("r/*").order_by("file").to_pyarrow().to_pylist()
    assert rows == [
        {"file": "r/a.txt", "size": 4, "text": "late", "_file": "r/a.txt"},
        {"file": "r/b.bin", "size": 2, "text": None, "_file": "r/b.bin"},
        {"file": "r/c", "size": 0, "text": "", "_file": "r/c"},
    ]
    (then,) = lake.text("r/*.txt", at=first["idx"]).to_pyarrow().to_pylist()
    assert (then["text"], then["size"]) == ("grün\n", 6)


def test_the_default_stores_are_in_dkdcs_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DKDC_DIR", str(tmp_path / "made"))
    assert get_dkdc_dir() == str(tmp_path / "made")
    add(Todo(), "a")
    Lake().append_file(filename="a.txt", data=b"")
    assert (tmp_path / "made" / "todo.db").is_file()
    assert (tmp_path / "made" / "lake.db").is_file()


def test_dkdcs_folder_is_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("DKDC_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert get_dkdc_dir() == str(tmp_path / ".dkdc") and (tmp_path / ".dkdc").is_dir()
    add(Todo(), "a")
    Lake().append_file(filename="a.txt", data=b"")
    made = {path.name for path in (tmp_path / ".dkdc").iterdir()}
    assert {"todo.db", "lake.db"} <= made


def test_an_update_without_a_user_leaves_another_users_file_alone(lake):
    lake.append_file(filename="a.txt", data=b"nobody's")
    anns = lake.append_file(user_id="ann", filename="a.txt", data=b"ann's")
    lake.update_file(None, None, "a.txt", None, b"new", None, None, None)
    assert lake("a.txt")["data"] == b"new"
    assert lake("a.txt", user_id="ann") == anns
    lake.delete_file("a.txt")
    with pytest.raises(errors.NotFound):
        lake.update_file(None, None, "a.txt", None, b"newer", None, None, None)
    assert lake("a.txt", user_id="ann") == anns


def test_util_makes_times_and_ids_as_the_original(dbpath):
    time = now()
    assert time.tzinfo is None
    left, right = uuid().split("-")
    assert abs(int(left) / 100000 - __import__("time").time()) < 60
    assert len(right) == 8
    assert uuid() != uuid()


def test_ibis_is_not_imported_by_those_who_do_not_use_it(dbpath):
    script = (
        "import sys; from dkdc_todo import Todo; todo = Todo(dbpath=sys.argv[1]);"
        "todo.append_todo('a', None, None, 'b'); print(todo.get_todo('a')['body'], todo);"
        "print([m for m in ('ibis', 'duckdb', 'pandas', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, dbpath], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[0].startswith("b Todo(")
    assert done.stdout.splitlines()[1] == "[]"


def test_tables_are_read_out_of_files_now_and_as_they_were(lake, tmp_path):
    first = lake.append_file(path="r", filename="a.csv", data=b"n,s\n1,x\n2,y\n")
    lake.append_file(path="r", filename="b.csv", data=b"n,more\n3,z\n")
    lake.append_file(path="r/deep", filename="c.csv", data=b"n\n4\n", user_id="ann")
    rows = lake.csv("r/*.csv").order_by("n").to_pyarrow().to_pylist()
    assert rows == [
        {"n": 1, "s": "x", "more": None, "_file": "r/a.csv"},
        {"n": 2, "s": "y", "more": None, "_file": "r/a.csv"},
        {"n": 3, "s": None, "more": "z", "_file": "r/b.csv"},
    ]
    assert lake.csv("**/*.csv").n.sum().execute() == 10
    assert lake.csv("**/*.csv", user_id="ann").n.execute().tolist() == [4]
    lake.update_file(None, "r", "a.csv", "csv", b"n;s\n7;x\n", None, None, None)
    assert lake.csv("r/a.csv", delim=";").n.execute().tolist() == [7]
    assert lake.csv("r/a.csv", at=first["idx"]).n.execute().tolist() == [1, 2]

    lake.append_file(filename="j.json", data=b'{"n": 1}\n{"n": 2}\n')
    assert lake.json("*.json").n.sum().execute() == 3
    lake.csv("r/b.csv").drop("_file").to_parquet(tmp_path / "b.parquet")
    lake.append_file(filename="b.parquet", data=(tmp_path / "b.parquet").read_bytes())
    assert lake.parquet("b.parquet").drop("_file").n.execute().tolist() == [3]
    for read in (lake.csv, lake.json, lake.parquet, lake.text):
        with pytest.raises(errors.NotFound, match="no file matches"):
            read("none/*")
    with pytest.raises(errors.Invalid, match="no pattern"):
        lake.csv("r/{a")
