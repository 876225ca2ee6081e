"""Ibis' own DuckDB backend, with a store's tables in it.

What is changed of it is small: tables of a store are brought up to date before
anything is executed, so that an expression made before a write sees the write.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis.expr.types as ir
from ibis.backends.duckdb import Backend as DuckDB

from . import errors
from .interrupt import interruptible
from .live import Live
from .store import open_store

if TYPE_CHECKING:
    from . import _core


class Backend(DuckDB):
    """Ibis' DuckDB backend; ``read_sqlite`` of a store binds its tables, live.

    Beside a table of every version, as ``name``, there are ``current.name`` and
    ``history.name`` in the database ``dkdc``.
    """

    _lives: list[Live]
    #: The stores that this connection opened itself.
    _stores: list[_core.State]

    def do_connect(self, *args: Any, **kwargs: Any) -> None:
        super().do_connect(*args, **kwargs)
        self._lives = []
        self._stores = []
        # A DuckDB connection has one result at a time: threads take turns.
        self._turn = threading.RLock()

    def reconnect(self) -> None:
        """Connects anew, with the same tables of stores; what else was made is gone."""
        before = self.__dict__.get("_lives", []), self.__dict__.get("_stores", [])
        if before[0]:
            super().disconnect()
        super().reconnect()
        lives, self._stores = before
        for live in lives:
            anew = self._attach(live.store, live.shown, live.pinned, live.names)
            for table in live.tables.values():
                for kind in table.upto:
                    anew.touch(table.name, kind)

    def disconnect(self) -> None:
        """Closes the connection, and the stores that it opened."""
        super().disconnect()
        self._close_stores()

    def _close_stores(self) -> None:
        for store in self._stores:
            store.close()

    def read_sqlite(
        self, path: str | Path, /, *, table_name: str | None = None
    ) -> ir.Table:
        """A table of the store at ``path``, live: every version of every record.

        A file that is no store is left to DuckDB.
        """
        if table_name is None:
            raise errors.Invalid("read_sqlite needs table_name=")
        live = self._live_of(path)
        if live is None:
            return super().read_sqlite(path, table_name=table_name)
        live.add(table_name)
        if table_name not in live.tables:
            live.store.table(table_name)  # says which there are
        return self.table(table_name)

    def _live_of(self, path: str | os.PathLike[str]) -> Live | None:
        """What this connection has of the store at a path."""
        resolved = os.path.realpath(path)
        for live in self._lives:
            if os.path.realpath(live.store.path) == resolved:
                return live
        try:
            store = open_store(path, create=False)
        except errors.Invalid:
            return None
        self._stores.append(store)
        return self._attach(store, {}, None, set())

    def _attach(
        self,
        store: _core.State,
        shown: Mapping[str, Sequence[str]],
        pinned: _core.Snapshot | None,
        names: set[str] | None,
    ) -> Live:
        if not self._lives:
            self._spill_beside(store)
        database = self._free_database()
        live = Live(self.con, database, store, shown, pinned, names)
        self._lives.append(live)
        return live

    def _free_database(self) -> str:
        """``dkdc``, or the first of ``dkdc2``, ``dkdc3``, ... that is free.

        Connections to one file of DuckDB's share their databases.
        """
        rows = self.con.execute("SELECT database_name FROM duckdb_databases()").fetchall()
        taken = {name for (name,) in rows}
        names = chain(["dkdc"], (f"dkdc{number}" for number in count(2)))
        return next(name for name in names if name not in taken)

    def _spill_beside(self, store: _core.State) -> None:
        """What memory cannot hold goes beside the store, not into the current folder."""
        chosen = "SELECT current_setting('temp_directory') NOT IN ('', '.tmp')"
        if self.con.execute(chosen).fetchone() == (False,):
            folder = f"{os.fspath(store.path)}-spill".replace("'", "''")
            self.con.execute(f"SET temp_directory = '{folder}'")

    def _live_table(self, name: str, schema: str) -> ir.Table:
        """A table of the first store: its current records, or its history."""
        for live in self._lives:
            live.bind()
            if name in live.tables:
                return self.table(name, database=(live.database, schema))
        raise errors.NotFound(f"this connection has no table {name!r} of a store")

    # what Ibis calls

    def get_schema(
        self, table_name: str, *, catalog: str | None = None, database: str | None = None
    ) -> Any:
        with self._turn:
            for live in self._lives:
                live.bind()
                if catalog in (None, live.database):
                    live.touch(table_name, "now" if database == "current" else "log")
            return super().get_schema(table_name, catalog=catalog, database=database)

    def list_tables(self, **kwargs: Any) -> list[str]:
        with self._turn:
            for live in self._lives:
                live.bind()
            names: list[str] = super().list_tables(**kwargs)
            return names

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """One question at a time, which Ctrl-C ends; what fails in a store is its error."""
        with self._turn, interruptible(self.con):
            for live in self._lives:
                live.failed.clear()
            try:
                yield
            except Exception:
                for live in self._lives:
                    if live.failed:
                        raise live.failed.pop() from None
                raise

    def raw_sql(self, query: Any, **kwargs: Any) -> Any:
        text = query if isinstance(query, str) else query.sql(dialect=self.name)
        with self._asking():
            for live in self._lives:
                live.touch_named_in(text)
            self._refresh()
            return super().raw_sql(query, **kwargs)

    def execute(self, expr: ir.Expr, /, **kwargs: Any) -> Any:
        with self._asking():
            return super().execute(expr, **kwargs)

    def to_pyarrow(self, expr: ir.Expr, /, **kwargs: Any) -> Any:
        with self._asking():
            return super().to_pyarrow(expr, **kwargs)

    def to_pyarrow_batches(self, expr: ir.Expr, /, **kwargs: Any) -> Any:
        import pyarrow as pa

        reader = super().to_pyarrow_batches(expr, **kwargs)

        def batches() -> Iterator[Any]:
            while True:
                with self._asking():
                    batch = next(reader, None)
                if batch is None:
                    return
                yield batch

        return pa.RecordBatchReader.from_batches(reader.schema, batches())

    def create_table(self, name: str, /, *args: Any, **kwargs: Any) -> ir.Table:
        with self._asking():
            return super().create_table(name, *args, **kwargs)

    def _run_pre_execute_hooks(self, expr: ir.Expr) -> None:
        self._refresh()
        super()._run_pre_execute_hooks(expr)

    def _refresh(self) -> None:
        for live in self._lives:
            live.refresh()


def connect(
    store: _core.State,
    shown: Mapping[str, Sequence[str]],
    pinned: _core.Snapshot | None = None,
) -> Backend:
    """A connection with all tables of a store: live, or at a snapshot."""
    backend: Backend = Backend().connect()
    backend._attach(store, shown, pinned, None)
    return backend
