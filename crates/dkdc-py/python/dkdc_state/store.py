"""Opening stores: in one place, so that all are closed when Python ends."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import Any

from . import guard
from ._core import State as Store

_open: weakref.WeakSet[Store] = weakref.WeakSet()


def open_store(path: str | os.PathLike[str], **options: Any) -> Store:
    """The store at a path; one that is not there is made."""
    guard.install()
    store = Store(path, **options)
    _open.add(store)
    return store


@atexit.register
def _close_all() -> None:
    # A store that is closed is one file: its log is checkpointed.
    for store in list(_open):
        store.close()
