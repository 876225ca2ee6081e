"""Several writes, all of them or none."""

from __future__ import annotations

import os
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .schema import record as as_record

if TYPE_CHECKING:
    from . import _core

Record = dict[str, Any]


class Transaction:
    """What ``with state.transaction() as tx:`` gives: committed if the block ends well.

    Keep the block short: nobody else writes meanwhile. Inside it, use ``tx``;
    the state itself raises ``errors.InsideTransaction``.

    >>> from dkdc_state import State
    >>> class Notes(State):
    ...     tables = {"notes": {"id": str, "body": str}}
    >>> state = Notes(dbpath="data.db")
    >>> with state.transaction() as tx:
    ...     _ = tx.table("notes").append(id="n1", body="one")
    ...     _ = tx.table("notes").append(id="n2", body="two")
    >>> len(state.table("notes"))
    2
    """

    def __init__(self, store: _core.State) -> None:
        self._store = store
        self._core: _core.Transaction | None = None

    def __enter__(self) -> Transaction:
        self._core = self._store.transaction()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        begun, self._core = self._core, None
        if begun is None:
            return
        if kind is None:
            begun.commit()
        else:
            begun.rollback()

    def __repr__(self) -> str:
        what = "open" if self._core is not None else "not open"
        return f"Transaction({os.fspath(self._store.path)!r}, {what})"

    def table(self, name: str) -> TransactionTable:
        """A table, in this transaction.

        >>> with state.transaction() as tx:
        ...     inside = tx.table("notes")
        ...     _ = inside.append(id="n1", body="draft")
        ...     "n1" in inside
        True
        """
        return TransactionTable(self._begun().table(name))

    def once(self, key: str) -> bool:
        """True the first time that a transaction with this request key is made.

        False when it was committed before: then there is nothing left to do, and
        trying it again after an answer was lost is safe.

        >>> for attempt in range(2):
        ...     with state.transaction() as tx:
        ...         if tx.once("order-17"):
        ...             _ = tx.table("notes").append(id="n1", body="once")
        >>> len(notes.history("n1"))
        1
        """
        return self._begun().once(key)

    def _begun(self) -> _core.Transaction:
        if self._core is None:
            from . import errors

            raise errors.Closed("the transaction has not begun, or has ended: use it in `with`")
        return self._core


class TransactionTable:
    """A table in a transaction: reads see what the transaction wrote."""

    def __init__(self, core: _core.TxTable) -> None:
        self._core = core

    def append(self, record: Any = None, /, **values: Any) -> Record:
        """As ``Table.append``."""
        return self._core.append(as_record(record, values))

    def update(self, record: Any = None, /, **values: Any) -> Record:
        """As ``Table.update``."""
        return self._core.update(as_record(record, values))

    def upsert(self, record: Any = None, /, **values: Any) -> Record:
        """As ``Table.upsert``."""
        return self._core.upsert(as_record(record, values))

    def update_if(
        self, expected: datetime | int, record: Any = None, /, **values: Any
    ) -> Record:
        """As ``Table.update_if``."""
        return self._core.update_if(as_record(record, values), expected)

    def delete(self, id: str) -> datetime:
        """As ``Table.delete``."""
        return self._core.delete(id)

    def restore(self, id: str, idx: datetime | int) -> Record:
        """As ``Table.restore``."""
        return self._core.restore(id, idx)

    def get(self, id: str) -> Record | None:
        """As ``Table.get``."""
        return self._core.get(id)

    def contains(self, id: str) -> bool:
        """As ``Table.contains``."""
        return self._core.contains(id)

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and self.contains(id)

    def __len__(self) -> int:
        return self._core.count()

    def __repr__(self) -> str:
        return f"TransactionTable({self._core.name!r})"
