"""A table's records."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import errors
from .frames import put_all
from .schema import record as as_record

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from . import _core
    from .state import State

Record = dict[str, Any]
Records = list[Record]


class Table:
    """A table of a state: its records are dicts, ``idx`` and ``id`` first.

    Every write is a version, durable when it returns. A record is given as a
    dict, a dataclass, a pydantic model, or as keywords.

    >>> from dkdc_state import State
    >>> class Notes(State):
    ...     tables = {"notes": {"id": str, "body": str, "priority": int}}
    >>> notes = Notes(dbpath="data.db").table("notes")
    >>> notes.append_all({"id": ["n1", "n2"], "body": ["a", "b"], "priority": [2, 1]})
    2
    >>> [note["id"] for note in notes.list(order=["priority"])]
    ['n2', 'n1']
    >>> notes.update(id="n1", body="c")["priority"]
    2
    >>> [note["body"] for note in notes.history("n1")]
    ['a', 'c']
    >>> "n2" in notes, len(notes)
    (True, 2)

    Arrow takes its records by the PyCapsule interface: ``polars.DataFrame(notes)``.
    """

    def __init__(self, state: State, core: _core.Table) -> None:
        self._state = state
        self._core = core

    @property
    def name(self) -> str:
        """The table's name."""
        return self._core.name

    def request(self, key: str) -> Table:
        """The same table, for one write that may be tried again.

        The first write with this key is made. The same write with the same key
        again, at any time and by whomever, is not made and has the same answer; so
        whoever lost an answer just asks again. Another write with the key is
        ``errors.Invalid``. Keys are kept until ``dkdc prune --older-than`` passes
        them, or the table is cleared.

        >>> first = notes.request("order-17").append(id="n1", body="once")
        >>> first == notes.request("order-17").append(id="n1", body="once")
        True
        """
        return Table(self._state, self._core.request(key))

    def append(self, record: Any = None, /, **values: Any) -> Record:
        """Adds a record. ``errors.AlreadyExists`` if there is one of its id.

        >>> notes.append(id="n1", body="draft")["body"]
        'draft'
        """
        return self._core.append(as_record(record, values))

    def update(self, record: Any = None, /, **values: Any) -> Record:
        """Changes the columns that are named. ``errors.NotFound`` if there is no such record.

        >>> _ = notes.append(id="n1", body="draft", priority=1)
        >>> notes.update(id="n1", body="done")["priority"]
        1
        """
        return self._core.update(as_record(record, values))

    def upsert(self, record: Any = None, /, **values: Any) -> Record:
        """Adds a record, or changes the columns that are named.

        >>> _ = notes.upsert(id="n1", body="draft")
        >>> notes.upsert(id="n1", priority=1)["body"]
        'draft'
        """
        return self._core.upsert(as_record(record, values))

    def update_if(
        self, expected: datetime | int, record: Any = None, /, **values: Any
    ) -> Record:
        """Updates if the record's version is still ``expected``; else ``errors.Conflict``.

        >>> seen = notes.append(id="n1", body="draft")
        >>> _ = notes.update(id="n1", body="of somebody else")
        >>> notes.update_if(seen["idx"], id="n1", body="done")
        Traceback (most recent call last):
        dkdc_state.errors.Conflict: ...
        """
        return self._core.update_if(as_record(record, values), expected)

    def delete(self, id: str) -> datetime:
        """Deletes a record; its history stays. The ``idx`` of the delete.

        >>> _ = notes.append(id="n1", body="draft")
        >>> _ = notes.delete("n1")
        >>> "n1" in notes, len(notes.history("n1"))
        (False, 2)
        """
        return self._core.delete(id)

    def restore(self, id: str, idx: datetime | int) -> Record:
        """Gives a record, deleted or not, the values of one of its versions again.

        >>> first = notes.append(id="n1", body="draft")
        >>> _ = notes.delete("n1")
        >>> notes.restore("n1", first["idx"])["body"]
        'draft'
        """
        return self._core.restore(id, idx)

    def append_all(self, data: Any) -> int:
        """Adds all records of a frame, or none: how many.

        ``data`` is anything with Arrow's PyCapsule interface (pyarrow, pandas,
        Polars, DuckDB), a dict of lists, or a list of records.

        >>> import pyarrow as pa
        >>> notes.append_all(pa.table({"id": ["n1", "n2"], "body": ["a", "b"]}))
        2
        """
        return put_all(self._core, data, "append")

    def update_all(self, data: Any) -> int:
        """Updates all records of a frame, or none: how many."""
        return put_all(self._core, data, "update")

    def upsert_all(self, data: Any) -> int:
        """Adds or updates all records of a frame, or none: how many."""
        return put_all(self._core, data, "upsert")

    def get(self, id: str) -> Record | None:
        """The current record of this id.

        >>> _ = notes.append(id="n1", body="draft")
        >>> notes.get("n1")["body"], notes.get("n2")
        ('draft', None)
        """
        return self._core.get(id)

    def contains(self, id: str) -> bool:
        """True if there is a current record of this id."""
        return self._core.contains(id)

    def list(
        self,
        where: Mapping[str, Any] | None = None,
        order: Sequence[str] = (),
        limit: int | None = None,
    ) -> Records:
        """Current records whose columns equal those of ``where``.

        ``order`` names columns; one that begins with ``-`` is descending.

        >>> _ = notes.append_all({"id": ["n1", "n2", "n3"], "priority": [2, 1, 2]})
        >>> [note["id"] for note in notes.list({"priority": 2}, order=["-id"])]
        ['n3', 'n1']
        """
        return self._core.list(*selection(where, order), limit)

    def history(self, id: str) -> Records:
        """Every version of a record, oldest first, with its ``op`` and ``prev``.

        >>> _ = notes.append(id="n1", body="draft")
        >>> _ = notes.delete("n1")
        >>> [(version["op"], version["body"]) for version in notes.history("n1")]
        [('append', 'draft'), ('delete', None)]
        """
        return self._core.history(id)

    def t(self) -> ir.Table:
        """The current records as an Ibis table, live.

        >>> urgent = notes.t().filter(lambda t: t.priority < 10)
        >>> _ = notes.append(id="n1", priority=1)
        >>> urgent.count().to_pyarrow().as_py()
        1
        """
        return self._state.rcon._live_table(self.name, "current")

    def history_t(self) -> ir.Table:
        """Every version as an Ibis table, live, with its ``op`` and ``prev``.

        >>> _ = notes.append(id="n1", body="draft")
        >>> _ = notes.delete("n1")
        >>> notes.history_t().order_by("idx")["op"].to_pyarrow().to_pylist()
        ['append', 'delete']
        """
        return self._state.rcon._live_table(self.name, "history")

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The current records, as Arrow."""
        records = self._state._store.snapshot().current(self.name)
        return records.__arrow_c_stream__(requested_schema)

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and self.contains(id)

    def __len__(self) -> int:
        return self._core.count()

    def __repr__(self) -> str:
        try:
            columns = ", ".join(self._core.columns())
            return f"Table({self.name!r}: {len(self)} records of idx, id, {columns})"
        except errors.Error as error:
            return f"Table({self.name!r}: {error})"

    def _repr_html_(self) -> str:
        """The newest records, as a notebook shows them."""
        try:
            newest = self.list(order=["-idx"], limit=SHOWN)
            return page(self.name, self._core.columns(), newest, len(self))
        except errors.Error as error:
            return f"<b>{html.escape(self.name)}</b>: {html.escape(str(error))}"


#: The most records that a notebook shows.
SHOWN = 10


def page(name: str, columns: Iterable[str], records: Records, count: int) -> str:
    """Records as a notebook shows them."""
    def line(tag: str, cells: Iterable[Any]) -> str:
        texts = ("NULL" if cell is None else str(cell) for cell in cells)
        return "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts)

    lines = [line("th", ["idx", "id", *columns])]
    lines += [line("td", record.values()) for record in records]
    table = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<b>{html.escape(name)}</b>: {count} records<table>{table}</table>"


def selection(
    where: Mapping[str, Any] | None, order: Sequence[str]
) -> tuple[Record, Sequence[str]]:
    """What ``list`` takes, as the core does; one column's name alone is an order too."""
    if where is not None and not isinstance(where, Mapping):
        raise errors.Invalid(f"where is a dict of columns and values, not {where!r}")
    return dict(where or {}), [order] if isinstance(order, str) else order
