"""The failure to prevent: what a page, a docstring or a type says does not hold."""

from __future__ import annotations

import doctest
import importlib
import pathlib
import re
import subprocess
import sys
import types

import pytest

import dkdc_state
from dkdc_lake import Lake
from dkdc_state import State
from dkdc_state.write import WriteConnection
from dkdc_todo import Todo

#: Ibis and pyarrow have no types of their own.
CHECKS = ["--strict", "--disable-error-code=import-untyped", "--allow-subclassing-any"]
ROOT = pathlib.Path(__file__).parents[3]
MODULES = [
    "dkdc_lake",
    "dkdc_state",
    "dkdc_state.errors",
    "dkdc_state.frames",
    "dkdc_state.schema",
    "dkdc_state.snapshot",
    "dkdc_state.state",
    "dkdc_state.table",
    "dkdc_state.transaction",
    "dkdc_state.write",
    "dkdc_todo",
    "dkdc_util",
]


#: Public methods that do what another one does, whose example will do.
WITHOUT_EXAMPLE = {
    "Snapshot": {"table"},
    "SnapshotTable": {"contains"},
    "Table": {"contains", "update_all", "upsert_all"},
    "TransactionTable": {
        "append", "contains", "delete", "get", "restore", "update", "update_if", "upsert",
    },
    "Lake": {"contains_path", "parquet"},
    "WriteConnection": {"disconnect", "drop_table", "drop_view"},
}  # fmt: skip


class Notes(State):
    tables = {"notes": {"id": str, "body": str, "priority": int}}


def beginning(folder):
    """What the examples of methods begin with: all of it is empty."""
    folder.mkdir()
    state = Notes(dbpath=folder / "notes.db")
    others = {"todo": Todo(dbpath=folder / "todo.db"), "lake": Lake(dbpath=folder / "lake.db")}
    return {"state": state, "notes": state.table("notes"), "wcon": state.wcon, **others}


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name, tmp_path, monkeypatch):
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for number, example in enumerate(doctest.DocTestFinder(exclude_empty=True).find(module)):
        folder = tmp_path / str(number)
        example.globs |= beginning(folder)
        monkeypatch.chdir(folder)
        runner.run(example)
    assert runner.tries > 0 and runner.failures == 0


def test_the_page_runs_from_its_first_line_to_its_last(tmp_path, monkeypatch):
    page = (ROOT / "docs" / "python.md").read_text()
    snippets = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(snippets) >= 8
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DKDC_DIR", str(tmp_path / "dkdc"))
    monkeypatch.setenv("MPLBACKEND", "agg")
    # Dataclasses look for the module that they are in.
    module = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    for number, snippet in enumerate(snippets, 1):
        name = f"docs/python.md, snippet {number}"
        exec(compile(snippet, name, "exec", dont_inherit=True), vars(module))
    assert (tmp_path / "notes.png").read_bytes().startswith(b"\x89PNG")
    bars = {text.get_text(): bar.get_height() for text, bar in _bars(module.axes)}
    assert bars == {"append": 8, "delete": 2, "restore": 1, "update": 2}


def _bars(axes):
    return zip(axes.get_xticklabels(), axes.patches, strict=True)


def test_the_readmes_python_runs(tmp_path, monkeypatch):
    page = (ROOT / "README.md").read_text()
    snippets = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert snippets
    monkeypatch.chdir(tmp_path)
    for snippet in snippets:
        exec(compile(snippet, "README.md", "exec", dont_inherit=True), {"__name__": "page"})


def test_every_public_thing_says_what_it_is():
    for name in set(dkdc_state.__all__) - {"dt"}:
        assert getattr(dkdc_state, name).__doc__, name
    for thing in PUBLIC:
        for name in public(thing):
            doc = getattr(thing, name).__doc__
            assert doc, f"{thing.__name__}.{name}"
            without = name in WITHOUT_EXAMPLE.get(thing.__name__, ())
            assert (">>>" not in doc) == without, f"{thing.__name__}.{name}"


PUBLIC = [
    dkdc_state.Snapshot,
    dkdc_state.SnapshotTable,
    dkdc_state.State,
    dkdc_state.Table,
    dkdc_state.Transaction,
    dkdc_state.TransactionTable,
    WriteConnection,
    Lake,
    Todo,
]


def public(thing):
    return [name for name in vars(thing) if name[0] != "_" and callable(getattr(thing, name))]


def test_one_wheel_is_for_all_versions_of_python():
    from dkdc_state import _core

    assert ".abi3." in _core.__file__ or sys.platform == "win32"


def test_the_types_are_what_a_type_checker_sees(tmp_path):
    sample = pathlib.Path(__file__).with_name("typed_sample.py")
    packages = [part for name in ("state", "todo", "lake", "util") for part in ("-p", f"dkdc_{name}")]
    for what in ([str(sample)], packages):
        checked = subprocess.run(
            [sys.executable, "-m", "mypy", *CHECKS, "--cache-dir", str(tmp_path), *what],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
