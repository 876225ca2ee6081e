"""What the tests share."""

from __future__ import annotations

import pytest


@pytest.fixture
def dbpath(tmp_path):
    """Where a store may be made."""
    return str(tmp_path / "data.db")
