"""The state as it was."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from . import errors
from .table import SHOWN, page, selection

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from . import _core
    from .backend import Backend
    from .state import State

Record = dict[str, Any]
Records = list[Record]


class Snapshot:
    """The state at one version: what is written later does not change it.

    >>> from dkdc_state import State
    >>> class Notes(State):
    ...     tables = {"notes": {"id": str, "body": str}}
    >>> state = Notes(dbpath="data.db")
    >>> first = state.table("notes").append(id="n1", body="draft")
    >>> second = state.table("notes").update(id="n1", body="done")
    >>> state.at(idx=first["idx"]).table("notes").get("n1")["body"]
    'draft'
    """

    def __init__(self, state: State, core: _core.Snapshot) -> None:
        self._state = state
        self._core = core

    @property
    def idx(self) -> datetime:
        """The newest version that it includes."""
        return self._core.idx

    @cached_property
    def rcon(self) -> Backend:
        """An Ibis DuckDB backend that reads this snapshot."""
        from .backend import connect

        return connect(self._state._store, self._state._shown, self._core)

    def table(self, name: str) -> SnapshotTable:
        """A table, as it was."""
        return SnapshotTable(self, name, self._core.table(name))

    def __repr__(self) -> str:
        return f"Snapshot({self._state.dbpath!r} at {self.idx.isoformat()})"


class SnapshotTable:
    """A table as it was."""

    def __init__(self, snapshot: Snapshot, name: str, core: _core.SnapshotTable) -> None:
        self._snapshot = snapshot
        self._core = core
        self.name = name

    def get(self, id: str) -> Record | None:
        """The record of this id, as it was.

        >>> _ = notes.append(id="n1", body="draft")
        >>> then = state.at("now").table("notes")
        >>> _ = notes.delete("n1")
        >>> then.get("n1")["body"]
        'draft'
        """
        return self._core.get(id)

    def contains(self, id: str) -> bool:
        """True if there was a record of this id."""
        return self._core.contains(id)

    def list(
        self,
        where: Mapping[str, Any] | None = None,
        order: Sequence[str] = (),
        limit: int | None = None,
    ) -> Records:
        """As ``Table.list``.

        >>> _ = notes.append_all({"id": ["n1", "n2"], "priority": [2, 1]})
        >>> then = state.at("now").table("notes")
        >>> [note["id"] for note in then.list(order="priority")]
        ['n2', 'n1']
        """
        return self._core.list(*selection(where, order), limit)

    def history(self, id: str) -> Records:
        """Every version that the record had by then, oldest first.

        >>> first = notes.append(id="n1", body="draft")
        >>> _ = notes.update(id="n1", body="done")
        >>> len(state.at(idx=first["idx"]).table("notes").history("n1"))
        1
        """
        return self._core.history(id)

    def t(self) -> ir.Table:
        """The records as an Ibis table.

        >>> first = notes.append(id="n1", body="draft")
        >>> _ = notes.append(id="n2", body="later")
        >>> state.at(idx=first["idx"]).table("notes").t().count().to_pyarrow().as_py()
        1
        """
        return self._snapshot.rcon._live_table(self.name, "current")

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The records, as Arrow."""
        return self._snapshot._core.current(self.name).__arrow_c_stream__(requested_schema)

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and self.contains(id)

    def __len__(self) -> int:
        return self._core.count()

    def __repr__(self) -> str:
        try:
            return f"SnapshotTable({self.name!r}: {len(self)} records, {self._snapshot!r})"
        except errors.Error as error:
            return f"SnapshotTable({self.name!r}: {error})"

    def _repr_html_(self) -> str:
        try:
            columns = [column for column, _ in self._snapshot._core.current(self.name).columns]
            newest = self.list(order=["-idx"], limit=SHOWN)
            return page(self.name, columns, newest, len(self))
        except errors.Error as error:
            return f"<b>{html.escape(self.name)}</b>: {html.escape(str(error))}"
