"""Ibis, with stores where it would open SQLite files.

``ibis.sqlite.connect(path)`` is a store's write connection, and what
``ibis.duckdb.connect()`` reads with ``read_sqlite`` is live. Everything else is
Ibis itself, imported when it is first asked for.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .store import open_store

if TYPE_CHECKING:
    from ibis import *  # noqa: F403

    from .backend import Backend
    from .write import WriteConnection


class _SQLite:
    """Ibis' SQLite, with our write connection."""

    def connect(self, database: str | os.PathLike[str]) -> WriteConnection:
        """The write connection of the store at a path, which is made if absent."""
        from .write import WriteConnection

        return WriteConnection(open_store(database), own=True)

    def __getattr__(self, name: str) -> Any:
        import ibis

        return getattr(ibis.sqlite, name)


class _DuckDB:
    """Ibis' DuckDB, with our backend."""

    def connect(self, *args: Any, **kwargs: Any) -> Backend:
        """Ibis' DuckDB backend; its ``read_sqlite`` binds tables of stores, live."""
        from .backend import Backend

        backend: Backend = Backend().connect(*args, **kwargs)
        return backend

    def __getattr__(self, name: str) -> Any:
        import ibis

        return getattr(ibis.duckdb, name)


sqlite = _SQLite()
duckdb = _DuckDB()


def __getattr__(name: str) -> Any:
    # What Python asks of a module is not what Ibis has.
    if name.startswith("__") and name != "__version__":
        raise AttributeError(name)
    import ibis

    return getattr(ibis, name)
