"""The state that applications extend."""

from __future__ import annotations

import html
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar

from . import errors
from .schema import declaration
from .snapshot import Snapshot
from .store import open_store
from .table import Table
from .transaction import Transaction

if TYPE_CHECKING:
    from ibis.backends import BaseBackend
    from typing_extensions import Self

    from . import _core
    from .write import WriteConnection


class State:
    """Every version of every record, in one file.

    Extend it by declaring ``tables``, or by overriding ``_cons``:

    >>> from dkdc_state import State
    >>> class Notes(State):
    ...     tables = {"notes": {"id": str, "body": str}}
    >>> with Notes(dbpath="data.db") as state:
    ...     state.table("notes").append(id="n1", body="draft")["body"]
    'draft'
    """

    #: Tables by name: an Ibis schema, a dict of types, a dataclass, or a pydantic
    #: model. They are made, or get the columns that they lack, when it is opened.
    tables: ClassVar[Mapping[str, Any]] = {}

    #: By table: columns, or lists of columns, that no two current records have alike.
    unique: ClassVar[Mapping[str, Sequence[str | Sequence[str]]]] = {}

    #: By table: columns, or lists of columns, by which ``list`` finds records fast.
    indexes: ClassVar[Mapping[str, Sequence[str | Sequence[str]]]] = {}

    #: True when it was closed.
    _closed = False

    #: By table: the columns that Ibis tables show, if not all of them.
    _shown: ClassVar[Mapping[str, Sequence[str]]] = {}

    def __init__(self, dbpath: str | os.PathLike[str] = "data.db", **options: Any) -> None:
        """Opens the store at ``dbpath``, or makes it.

        ``options``: ``create=True``, ``read_only=False``, ``durability="full"``
        (or ``"relaxed"``), ``busy_timeout=30.0`` seconds.
        """
        self.dbpath = dbpath
        self._options = options
        if type(self)._cons is State._cons:
            # Ibis is imported by those who use it; the file is opened now.
            _ = self._store
        else:
            self.wcon, self.rcon = self._cons()

    # connections

    def _cons(self) -> tuple[Any, Any]:
        """The write connection and the read connection: to be overridden."""
        from .backend import connect
        from .write import WriteConnection

        wcon = WriteConnection(self._store, self._shown)
        return wcon, connect(self._store, self._shown)

    @property
    def wcon(self) -> WriteConnection | Any:
        """The write connection: tables made, rows inserted, every version read."""
        if "_wcon" not in self.__dict__:
            self.wcon, self.rcon = self._cons()
        return self.__dict__["_wcon"]

    @wcon.setter
    def wcon(self, wcon: Any) -> None:
        self._keep("_wcon", wcon)

    @property
    def rcon(self) -> BaseBackend | Any:
        """The read connection: Ibis' DuckDB backend, whose tables are live."""
        if "_rcon" not in self.__dict__:
            self.wcon, self.rcon = self._cons()
        return self.__dict__["_rcon"]

    @rcon.setter
    def rcon(self, rcon: Any) -> None:
        self._keep("_rcon", rcon)

    def _keep(self, name: str, con: Any) -> None:
        self.__dict__[name] = con
        # Earlier ones are still read by tables that were made of them.
        self.__dict__.setdefault("_cons_made", []).append(con)

    @property
    def _store(self) -> _core.State:
        store: _core.State | None = self.__dict__.get("_opened")
        if store is None:
            if self._closed:
                raise errors.Closed(f"{os.fspath(self.dbpath)} was closed")
            store = open_store(self.dbpath, **self.__dict__.get("_options", {}))
            self.__dict__["_opened"] = store
            try:
                self._declare(store)
            except BaseException:
                self.__dict__.pop("_opened")
                store.close()
                raise
        return store

    def _declare(self, store: _core.State) -> None:
        """Makes the tables that this class has."""
        for name, declared in self.tables.items():
            columns, defaults = declaration(name, declared)
            indexes, unique = _lists(self.indexes, name), _lists(self.unique, name)
            store.define(name, columns, defaults, indexes, unique)

    def _clear(self, table_names: str | list[str] | None = None) -> None:
        """Empties tables, all of them if none is named: every version is gone for good."""
        store = self._store
        if table_names is None:
            table_names = store.tables()
        elif isinstance(table_names, str):
            table_names = [table_names]
        if table_names:
            store.clear(table_names)
        if type(self)._cons is not State._cons:
            self.wcon, self.rcon = self._cons()

    # records

    def table(self, name: str) -> Table:
        """A table by its name.

        >>> state.table("notes").append(id="n1", body="draft")["body"]
        'draft'
        """
        return Table(self, self._store.table(name))

    def list_tables(self) -> list[str]:
        """The names of the tables, oldest first.

        >>> state.list_tables()
        ['notes']
        """
        return self._store.tables()

    def transaction(self) -> Transaction:
        """A transaction over any tables, to be used in ``with``.

        >>> with state.transaction() as tx:
        ...     _ = tx.table("notes").append(id="n1", body="one")
        ...     _ = tx.table("notes").append(id="n2", body="two")
        >>> len(notes)
        2
        """
        return Transaction(self._store)

    def at(
        self, when: str | datetime | int | None = None, *, idx: datetime | int | None = None
    ) -> Snapshot:
        """The state at a moment.

        ``when`` is a time, such as ``"5 minutes ago"``, ``"2026-11-22 10:00"``
        or a datetime (naive: UTC): everything committed at or before it. ``idx``
        is a version.

        >>> first = notes.append(id="n1", body="draft")
        >>> _ = notes.update(id="n1", body="done")
        >>> state.at(idx=first["idx"]).table("notes").get("n1")["body"]
        'draft'
        >>> state.at("now").table("notes").get("n1")["body"]
        'done'
        """
        if (when is None) == (idx is None):
            raise errors.Invalid("at() takes a time, or idx=")
        if idx is not None:
            when = _micros(idx)
        assert when is not None
        return Snapshot(self, self._store.at(when))

    def changes(self, after: datetime | int = 0) -> Iterator[dict[str, Any]]:
        """Every version and event of every table after one, in order, up to now.

        Each has ``idx``, ``resume`` (pass it as ``after`` to go on), ``table``,
        ``op``, ``id`` and ``record``.

        >>> first = notes.append(id="n1", body="draft")
        >>> _ = notes.delete("n1")
        >>> [(change["op"], change["id"]) for change in state.changes(after=first["idx"])]
        [('delete', 'n1')]
        """
        return self._store.changes(after)

    def check(self) -> list[str]:
        """Verifies the whole store: what is wrong, a line each.

        >>> state.check()
        []
        """
        return self._store.check()

    # itself

    def close(self) -> None:
        """Closes this state; used again, it raises ``errors.Closed``.

        >>> state.close()
        >>> notes.get("n1")
        Traceback (most recent call last):
        dkdc_state.errors.Closed: ...
        """
        self._closed = True
        store = self.__dict__.get("_opened")
        if store is not None:
            store.close()
        for con in self.__dict__.get("_cons_made", []):
            close = getattr(con, "_close_stores", None)
            if close is not None:
                close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _counts(self) -> list[tuple[str, int]]:
        store = self._store
        return [(name, store.table(name).count()) for name in store.tables()]

    def __repr__(self) -> str:
        name, path = type(self).__name__, os.fspath(self.dbpath)
        if self._closed:
            return f"{name}({path!r}, closed)"
        try:
            counts = ", ".join(f"{table}: {count}" for table, count in self._counts())
        except errors.Error as error:
            counts = str(error)
        return f"{name}({path!r}{', ' if counts else ''}{counts})"

    def _repr_html_(self) -> str:
        title = html.escape(f"{type(self).__name__}: {os.fspath(self.dbpath)}")
        if self._closed:
            return f"<b>{title}</b> (closed)"
        try:
            rows = "".join(
                f"<tr><td>{html.escape(table)}</td><td>{count}</td></tr>"
                for table, count in self._counts()
            )
        except errors.Error as error:
            return f"<b>{title}</b>: {html.escape(str(error))}"
        head = "<tr><th>table</th><th>records</th></tr>"
        return f"<b>{title}</b><table>{head}{rows}</table>"


def _lists(
    named: Mapping[str, Sequence[str | Sequence[str]]], table: str
) -> list[list[str]]:
    """The columns of each index of a table."""
    columns = named.get(table, ())
    columns = [columns] if isinstance(columns, str) else columns
    return [[one] if isinstance(one, str) else list(one) for one in columns]


def _micros(idx: datetime | int) -> int:
    """A version's number in microseconds."""
    if isinstance(idx, int):
        return idx
    if not isinstance(idx, datetime):
        raise errors.Invalid(f"an idx is a datetime or microseconds, not {idx!r}")
    from datetime import timedelta, timezone

    if idx.tzinfo is not None:
        idx = idx.astimezone(timezone.utc).replace(tzinfo=None)
    return (idx - datetime(1970, 1, 1)) // timedelta(microseconds=1)
