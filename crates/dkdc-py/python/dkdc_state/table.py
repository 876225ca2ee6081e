"""A table's records."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import errors
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

    def append(self, record: Any = None, /, **values: Any) -> Record:
        """Adds a record. ``errors.AlreadyExists`` if there is one of its id."""
        return self._core.append(as_record(record, values))

    def update(self, record: Any = None, /, **values: Any) -> Record:
        """Changes the columns that are named. ``errors.NotFound`` if there is no such record."""
        return self._core.update(as_record(record, values))

    def upsert(self, record: Any = None, /, **values: Any) -> Record:
        """Adds a record, or changes the columns that are named."""
        return self._core.upsert(as_record(record, values))

    def update_if(
        self, expected: datetime | int, record: Any = None, /, **values: Any
    ) -> Record:
        """Updates if the record's version is still ``expected``; else ``errors.Conflict``."""
        return self._core.update_if(as_record(record, values), expected)

    def delete(self, id: str) -> datetime:
        """Deletes a record; its history stays. The ``idx`` of the delete."""
        return self._core.delete(id)

    def restore(self, id: str, idx: datetime | int) -> Record:
        """Gives a record, deleted or not, the values of one of its versions again."""
        return self._core.restore(id, idx)

    def append_all(self, data: Any) -> int:
        """Adds all records of a frame, or none: how many.

        ``data`` is anything with Arrow's PyCapsule interface (pyarrow, pandas,
        Polars, DuckDB), a dict of lists, or a list of records.
        """
        return self._put_all(data, "append")

    def update_all(self, data: Any) -> int:
        """Updates all records of a frame, or none: how many."""
        return self._put_all(data, "update")

    def upsert_all(self, data: Any) -> int:
        """Adds or updates all records of a frame, or none: how many."""
        return self._put_all(data, "upsert")

    def _put_all(self, data: Any, mode: str) -> int:
        if not hasattr(data, "__arrow_c_stream__"):
            rows = _rows(data)
            if rows is None:
                data = _arrow(data)
            else:
                return self._put_rows(rows, mode)
        return self._core.put_arrow(data, mode)

    def _put_rows(self, rows: Records, mode: str) -> int:
        if len(rows) == 1:
            getattr(self._core, mode)(rows[0])
        elif rows:
            with self._state.transaction() as tx:
                table = tx.table(self.name)
                for row in rows:
                    getattr(table, mode)(row)
        return len(rows)

    def get(self, id: str) -> Record | None:
        """The current record of this id."""
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
        """
        return self._core.list(*selection(where, order), limit)

    def history(self, id: str) -> Records:
        """Every version of a record, oldest first, with its ``op`` and ``prev``."""
        return self._core.history(id)

    def t(self) -> ir.Table:
        """The current records as an Ibis table, live."""
        return self._state.rcon._live_table(self.name, "current")

    def history_t(self) -> ir.Table:
        """Every version as an Ibis table, live, with its ``op`` and ``prev``."""
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


def _rows(data: Any) -> Records | None:
    """Records, from what is not Arrow; ``None`` for a frame."""
    if isinstance(data, Mapping):
        for name, values in data.items():
            if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
                raise errors.Invalid(f"column {name}: {values!r} is no list of values")
        columns = {name: list(values) for name, values in data.items()}
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            raise errors.Invalid(f"the columns' lengths differ: {sorted(lengths)}")
        return [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ]
    if isinstance(data, (list, tuple)):
        return [as_record(row, {}) for row in data]
    return None


def _arrow(data: Any) -> Any:
    """A frame as Arrow."""
    if hasattr(data, "to_pyarrow"):
        return data.to_pyarrow()
    if type(data).__module__.startswith("pandas"):
        import pyarrow as pa

        return pa.Table.from_pandas(data, preserve_index=False)
    raise errors.Invalid(
        f"{type(data).__name__} holds no records: give a frame, a dict of lists or a list of dicts"
    )
