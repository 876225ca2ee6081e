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

#: Ibis and pyarrow have no types of their own.
CHECKS = ["--strict", "--disable-error-code=import-untyped", "--allow-subclassing-any"]
ROOT = pathlib.Path(__file__).parents[3]
MODULES = [
    "dkdc_lake",
    "dkdc_state",
    "dkdc_state.errors",
    "dkdc_state.schema",
    "dkdc_state.snapshot",
    "dkdc_state.state",
    "dkdc_state.table",
    "dkdc_state.transaction",
    "dkdc_todo",
    "dkdc_util",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried > 0 and failed == 0


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
    assert bars == {"append": 7, "delete": 1, "restore": 1, "update": 2}


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
    import dkdc_state
    from dkdc_lake import Lake
    from dkdc_todo import Todo

    for name in set(dkdc_state.__all__) - {"dt"}:
        assert getattr(dkdc_state, name).__doc__, name
    for thing in (dkdc_state.State, dkdc_state.Table, dkdc_state.Snapshot, Todo, Lake):
        for name in vars(thing):
            if not name.startswith("_"):
                attribute = getattr(thing, name)
                assert not callable(attribute) or attribute.__doc__, f"{thing.__name__}.{name}"


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
