"""Many records at once, in whichever way people have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import errors
from .schema import record

if TYPE_CHECKING:
    from . import _core


def put_all(table: _core.Table, data: Any, mode: str) -> int:
    """Writes all records of a frame, or none: how many."""
    data = as_frame(data)
    if isinstance(data, list):
        return table.put_rows(data, mode)
    return table.put_arrow(data, mode)


def as_frame(data: Any) -> Any:
    """What was given, as a list of records or as what Arrow reads.

    >>> as_frame({"id": ["n1", "n2"], "body": ["a", "b"]})
    [{'id': 'n1', 'body': 'a'}, {'id': 'n2', 'body': 'b'}]
    """
    kinds = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(data).__mro__}
    if ("pandas", "DataFrame") in kinds:
        return _of_pandas(data)
    if ("polars", "LazyFrame") in kinds:
        return as_frame(data.collect())
    if ("polars", "DataFrame") in kinds and any("Null" in str(kind) for kind in data.dtypes):
        # Polars hands out columns without a type in a way that Arrow does not know.
        return data.to_arrow()
    if {name for _, name in kinds} & {"Series", "Array", "ChunkedArray"}:
        raise errors.Invalid(
            f"{type(data).__name__} is one column, and no records: give a frame"
        )
    if ("pyarrow", "RecordBatchReader") in kinds:
        return _of_batches(data)
    if isinstance(data, Mapping):
        return _of_columns(data)
    if isinstance(data, (list, tuple)):
        return [record(row, {}) for row in data]
    if hasattr(data, "__arrow_c_stream__"):
        return data
    if hasattr(data, "to_pyarrow"):
        return data.to_pyarrow()
    raise errors.Invalid(
        f"{type(data).__name__} holds no records: give a frame, a dict of lists or a list of dicts"
    )


def _of_batches(data: Any) -> Any:
    """Without batches of another schema than the reader's, which pyarrow lets pass."""
    import pyarrow as pa

    def batches() -> Iterator[Any]:
        for number, batch in enumerate(data, 1):
            if (batch.schema.names, batch.schema.types) != (data.schema.names, data.schema.types):
                found = ", ".join(f"{field.name}: {field.type}" for field in batch.schema)
                raise errors.Invalid(f"batch {number} has other columns than the reader: {found}")
            yield batch

    return pa.RecordBatchReader.from_batches(data.schema, batches())


def _of_columns(data: Mapping[Any, Any]) -> list[dict[str, Any]]:
    for name, values in data.items():
        if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
            raise errors.Invalid(f"column {name}: {values!r} is no list of values")
    columns = {name: list(values) for name, values in data.items()}
    lengths = {len(values) for values in columns.values()}
    if len(lengths) > 1:
        raise errors.Invalid(f"the columns' lengths differ: {sorted(lengths)}")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _of_pandas(data: Any) -> Any:
    """Without its index, which counts rows, unless that is where the ids are."""
    import pyarrow as pa

    ids = "id" in data.index.names and "id" not in data.columns
    try:
        return pa.Table.from_pandas(data, preserve_index=ids)
    except (pa.ArrowException, TypeError) as error:
        said = ": ".join(str(part) for part in reversed(error.args))
        raise errors.Invalid(f"a column's values are of no one type: {said}") from error
