"""The failure to prevent: values of a frame that land on other ids, or half of a frame
that is kept."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from dkdc_state import State, errors

COUNT = 20_000


class Rows(State):
    tables = {
        "rows": {"id": str, "text": str, "n": int, "x": float, "yes": bool, "raw": bytes},
    }


COLUMNS = {
    "id": pa.string(),
    "text": pa.string(),
    "n": pa.int64(),
    "x": pa.float64(),
    "yes": pa.bool_(),
    "raw": pa.binary(),
}


def records():
    """As many as come in several pieces, made beside writing, each unlike all others."""
    chance = random.Random(4)
    for n in range(COUNT):
        values = {"text": f"text {n}", "n": n, "x": n / 8, "yes": n % 3 == 0, "raw": b"%d" % n}
        missing = chance.choice([None, *values])
        yield {"id": f"r{n}", **values, missing: None} if missing else {"id": f"r{n}", **values}


def sliced(table):
    """The same rows, which begin and end somewhere within the buffers."""
    padded = pa.concat_tables([table.slice(0, 7), table, table.slice(0, 5)]).combine_chunks()
    return padded.slice(7, COUNT)


def cast(**types):
    """The same rows, with other types of Arrow's for them."""
    return lambda table: table.cast(pa.schema({**COLUMNS, **types}))


def dictionaries(table):
    columns = [
        column.dictionary_encode() if name in {"id", "text", "n"} else column
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    return pa.table(columns, names=table.column_names)


SHAPES = {
    "plain": lambda table: table,
    "sliced": sliced,
    "in pieces": lambda table: pa.Table.from_batches(table.to_batches(max_chunksize=1234)),
    "dictionaries": dictionaries,
    "large": cast(id=pa.large_string(), text=pa.large_string(), raw=pa.large_binary()),
    "views": cast(id=pa.string_view(), text=pa.string_view(), raw=pa.binary_view()),
    "narrow": cast(n=pa.int32()),
    "other order": lambda table: table.select(["raw", "x", "id", "n", "yes", "text"]),
}


@pytest.mark.parametrize("mode", ["append_all", "upsert_all"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_frame_is_kept_as_its_rows_are(dbpath, shape, mode):
    given = list(records())
    rows = Rows(dbpath=dbpath).table("rows")
    if mode == "upsert_all":
        # Every second one is there, with all of it unlike what comes.
        rows.append_all(
            [{"id": row["id"], "text": "old", "n": -1, "x": -1.0} for row in given[::2]]
        )
    frame = SHAPES[shape](pa.Table.from_pylist(given, schema=pa.schema(COLUMNS)))
    assert getattr(rows, mode)(frame) == COUNT
    kept = {row.pop("id"): row for row in rows.list()}
    assert len(kept) == COUNT
    for row in given:
        found = kept[row.pop("id")]
        del found["idx"]
        assert found == row


def test_batches_of_other_columns_than_their_reader_leave_nothing(dbpath):
    rows = Rows(dbpath=dbpath).table("rows")
    schema = pa.schema({"id": pa.string(), "text": pa.string(), "n": pa.int64()})
    good = pa.record_batch([["a"], ["x"], [1]], schema=schema)
    for bad in (
        pa.record_batch([["b"], ["y"]], names=["id", "text"]),
        pa.record_batch([["b"], ["y"], pa.array([2], pa.int32())], names=["id", "text", "n"]),
    ):
        reader = pa.RecordBatchReader.from_batches(schema, iter([good, bad]))
        with pytest.raises(errors.Invalid, match="batch 2 has other columns"):
            rows.append_all(reader)
        assert len(rows) == 0
    reader = pa.RecordBatchReader.from_batches(schema, iter([good]))
    assert rows.append_all(reader) == 1


def test_a_column_is_named_once_also_where_there_are_no_rows(dbpath):
    rows = Rows(dbpath=dbpath).table("rows")
    for twice in ("id", "idx", "text"):
        names = ["id", twice, twice] if twice != "id" else ["id", "id"]
        empty = pa.table([pa.array([], pa.string())] * len(names), names=names)
        with pytest.raises(errors.Invalid, match=f"column {twice} is named twice"):
            rows.append_all(empty)
    assert len(rows) == 0
