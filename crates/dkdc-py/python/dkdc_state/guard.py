"""Keeps other SQLite libraries of this process away from open stores.

POSIX drops every lock that a process has on a file as soon as the process
closes *any* descriptor of it. Python's own ``sqlite3`` has an SQLite of its
own: opening a store with it would take the store's locks away, and writes that
were acknowledged could be lost. So that is an error, before it happens.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any
from urllib.parse import unquote, urlsplit

from . import _core, errors

_installed = False


def install() -> None:
    """Begins to watch; what is watched is asked for at each opening."""
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_audit)


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event == "sqlite3.connect":
        path = _path(args[0])
        if path is not None and _core.is_open(path):
            raise errors.SecondSQLite(
                f"{path} is open here: a second SQLite library would drop its locks; "
                "use the state, or open it in another process"
            )
    elif event == "open" and isinstance(args[0], (str, bytes, os.PathLike)):
        path = _path(args[0])
        # The locks are on the file itself and on the index of its log.
        if path is not None and _core.is_open(path.removesuffix("-shm")):
            warnings.warn(
                f"{path} is of an open store: closing a file of it drops the store's locks",
                errors.StoreOpened,
                stacklevel=2,
            )


def _path(given: Any) -> str | None:
    """The path that ``sqlite3.connect`` and ``open`` mean."""
    try:
        path = os.fsdecode(given)
    except (TypeError, ValueError):
        return None
    if path.startswith("file:"):
        path = unquote(urlsplit(path).path)
    return path or None
