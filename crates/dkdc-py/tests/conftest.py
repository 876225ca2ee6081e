"""What the tests share."""

from __future__ import annotations

import os

import pytest

# Tables are shown whole.
os.environ["COLUMNS"] = "400"


@pytest.fixture
def dbpath(tmp_path):
    """Where a store may be made."""
    return str(tmp_path / "data.db")
