"""Fast, simple, persistent state.

Every version of every record is kept, durably, in one SQLite file; Ibis reads
it, live, now or as of any moment.

>>> from dkdc_state import State
>>> class Notes(State):
...     tables = {"notes": {"id": str, "body": str, "labels": list[str]}}
>>> state = Notes(dbpath="data.db")
>>> notes = state.table("notes")
>>> first = notes.append(id="n1", body="draft", labels=["a"])
>>> notes.update(id="n1", body="done")["labels"]
['a']
>>> notes.t().count().to_pyarrow().as_py()
1
>>> len(notes.history("n1"))
2
>>> state.at(idx=first["idx"]).table("notes").get("n1")["body"]
'draft'

The examples of methods begin with such a ``state`` and its ``notes``, empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import errors, ibis
from .snapshot import Snapshot, SnapshotTable
from .state import State
from .table import Table
from .transaction import Transaction, TransactionTable

if TYPE_CHECKING:
    import ibis.expr.datatypes as dt

__all__ = [
    "Snapshot",
    "SnapshotTable",
    "State",
    "Table",
    "Transaction",
    "TransactionTable",
    "dt",
    "errors",
    "ibis",
]


def __getattr__(name: str) -> Any:
    # Ibis takes half a second to import: only those who use it wait for it.
    if name == "dt":
        import ibis.expr.datatypes as dt

        return dt
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
