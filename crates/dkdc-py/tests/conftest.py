"""What the tests share."""

from __future__ import annotations

import os
import signal

import pytest

# Tables are shown whole.
os.environ["COLUMNS"] = "400"

# A shell's job in the background ignores Ctrl-C, and so would Python.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def dbpath(tmp_path):
    """Where a store may be made."""
    return str(tmp_path / "data.db")
