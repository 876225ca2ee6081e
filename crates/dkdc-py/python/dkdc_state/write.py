"""The write connection: what the post's classes do with ``ibis.sqlite``.

It looks like an Ibis backend as far as a state's ``_cons`` and its methods use
one. Every row inserted is a version of the record whose ``id`` it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from . import errors
from .frames import as_frame, put_all
from .schema import declaration

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from . import _core
    from .backend import Backend


class WriteConnection:
    """Tables made and rows inserted; ``table`` shows every version, live."""

    name = "dkdc"

    def __init__(
        self,
        store: _core.State,
        shown: Mapping[str, Sequence[str]] | None = None,
        own: bool = False,
    ) -> None:
        self._store = store
        self._shown = shown or {}
        self._own = own

    def disconnect(self) -> None:
        """Closes the store, if ``ibis.sqlite.connect`` opened it; a state closes its own."""
        self._close_stores()

    def _close_stores(self) -> None:
        if self._own:
            self._store.close()

    @cached_property
    def _reader(self) -> Backend:
        from .backend import connect

        return connect(self._store, self._shown)

    def list_tables(self, *, like: str | None = None) -> list[str]:
        """The names of the tables, oldest first; those that match ``like``, a regex.

        >>> wcon.list_tables(like="^no")
        ['notes']
        """
        import re

        names = self._store.tables()
        return [name for name in names if like is None or re.search(like, name)]

    def table(self, name: str) -> ir.Table:
        """Every version of every record, as an Ibis table; the user's columns only.

        >>> wcon.insert("notes", {"id": ["n1"], "body": ["draft"]})
        >>> wcon.insert("notes", {"id": ["n1"], "body": ["done"]})
        >>> wcon.table("notes").order_by("idx").body.to_pyarrow().to_pylist()
        ['draft', 'done']
        """
        self._store.table(name)
        return self._reader.table(name)

    def create_table(
        self, name: str, obj: Any = None, *, schema: Any = None, overwrite: bool = False
    ) -> None:
        """Makes a table; ``idx`` in the schema is the version, ``id`` the key.

        >>> wcon.create_table("tags", schema={"id": "string", "color": "string"})
        >>> wcon.list_tables()
        ['notes', 'tags']
        """
        if overwrite:
            raise errors.Invalid(f"table {name}: nothing is overwritten; clear it, or insert")
        if name in self._store.tables():
            raise errors.AlreadyExists(f"table {name} already exists")
        if schema is None:
            schema = _schema(name, obj)
        columns, defaults = declaration(name, schema)
        self._store.define(name, columns, defaults)
        if obj is not None:
            self.insert(name, obj)

    def insert(self, name: str, obj: Any, **options: Any) -> None:
        """Inserts rows, all of them or none: a dict of lists, or a frame.

        A new ``id`` is an append, a known one an update; an ``idx`` is passed
        over: the state gives each version its own.

        >>> import pandas as pd
        >>> wcon.insert("notes", pd.DataFrame({"id": ["n1", "n2"], "body": ["a", "b"]}))
        >>> len(notes)
        2
        """
        if options.get("overwrite"):
            raise errors.Invalid(f"table {name}: nothing is overwritten; clear it, or insert")
        put_all(self._store.table(name), obj, "upsert")

    def drop_table(self, name: str, *, database: Any = None, force: bool = False) -> None:
        """Empties a table: every version is gone for good. The table itself stays."""
        if force and name not in self._store.tables():
            return
        self._store.clear([name])

    def drop_view(self, name: str, *, database: Any = None, force: bool = False) -> None:
        """There are no views here: with ``force``, nothing; without, an error."""
        if not force:
            raise errors.NotFound(f"there is no view {name!r}")

    def __repr__(self) -> str:
        return f"WriteConnection({str(self._store.path)!r})"


def _schema(name: str, obj: Any) -> Any:
    """The types that rows have, as Ibis sees them."""
    if obj is None:
        raise errors.Invalid(f"table {name}: give a schema")
    import ibis

    if isinstance(obj, ibis.Table):
        return obj.schema()
    try:
        return ibis.memtable(as_frame(obj)).schema()
    except errors.Error:
        raise
    except Exception as error:
        raise errors.Invalid(f"table {name}: give a schema: {error}") from error
