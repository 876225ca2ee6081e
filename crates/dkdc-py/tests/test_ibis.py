"""The failure to prevent: a question that Ibis' own DuckDB answers, a store's
connection does not, or otherwise; or an answer that is not of now."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import threading

import duckdb
import expressions
import ibis
import ibis.expr.operations as ops
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from ibis.backends.sql.compilers.duckdb import DuckDBCompiler

from dkdc_state import State, errors, live


class Things(State):
    tables = {"things": expressions.SCHEMA}


EVERY = list(expressions.every())


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The rows in a store, after updates and deletes, and in a plain DuckDB."""
    state = Things(dbpath=str(tmp_path_factory.mktemp("ibis") / "data.db"))
    things, rows = state.table("things"), expressions.rows()
    things.append_all([{**row, "i": 0, "s": "other"} for row in rows])
    things.append(id="gone", i=1)
    things.t().count().execute()
    things.update_all(rows)
    things.delete("gone")

    plain = ibis.duckdb.connect()
    texts = [
        {
            **row,
            "uid": row["uid"] and str(row["uid"]),
            "js": row["js"] and json.dumps(row["js"], separators=(",", ":"), ensure_ascii=False),
        }
        for row in rows
    ]
    types = {name: ibis.dtype(kind).to_pyarrow() for name, kind in expressions.SCHEMA.items()}
    types |= {"uid": pa.string(), "js": pa.string()}
    raw = pa.Table.from_pylist(texts, schema=pa.schema(types))
    plain.con.register("raw", raw)
    plain.con.execute(
        "CREATE TABLE things AS SELECT * REPLACE (uid::UUID AS uid, js::JSON AS js) FROM raw"
    )
    return things.t().drop("idx"), plain.table("things")


def answer(make, table):
    expression = make(table)
    result = expression.to_pyarrow()
    if isinstance(result, pa.Scalar):
        return [repr(result.as_py())]
    return sorted(repr(row) for row in result.to_pylist())


@pytest.mark.parametrize("make", [make for _, make in EVERY], ids=[name for name, _ in EVERY])
def test_answers_are_those_of_plain_duckdb(both, make):
    ours, plain = both
    assert answer(make, ours) == answer(make, plain)


def test_there_are_as_many_expressions_as_the_docs_say():
    import re

    docs = pathlib.Path(__file__).parents[3] / "docs" / "python.md"
    (said,) = re.findall(r"([\d,]+) Ibis expressions", docs.read_text())
    assert len(EVERY) >= 300
    assert int(said.replace(",", "")) == len(EVERY)


#: Operations that Ibis has for DuckDB, and that no expression here needs.
ELSEWHERE = {
    # The rows of a store are behind views, which have no numbers of DuckDB's own.
    "RowID",
    # Tables of no connection: bound to one before anything is executed.
    "UnboundTable",
    # Refused by DuckDB itself, see below.
    *expressions.REFUSED,
}


def operations(expression):
    nodes = expression.op().find(ops.Node)
    return {kind.__name__ for node in nodes for kind in type(node).__mro__}


def test_every_operation_that_ibis_has_for_duckdb_is_in_some_expression(both):
    _, plain = both
    undefined = {DuckDBCompiler.visit_Undefined, DuckDBCompiler.visit_Unsupported}
    wanted = {operation.__name__ for operation in DuckDBCompiler.lowered_ops}
    for name, kind in vars(ops).items():
        if isinstance(kind, type) and issubclass(kind, ops.Node):
            visit = getattr(DuckDBCompiler, f"visit_{name}", None)
            if visit is not None and visit not in undefined:
                wanted.add(name)
    # Nothing that a store keeps is a geometry.
    wanted = {name for name in wanted if not name.startswith("Geo")}
    assert len(wanted) > 200
    seen = set().union(*(operations(make(plain)) for _, make in EVERY))
    assert sorted(wanted - ELSEWHERE - seen) == []
    assert sorted(ELSEWHERE & seen) == []


@pytest.mark.parametrize("name", expressions.REFUSED)
def test_what_duckdb_refuses_it_refuses_of_a_store_too(both, name):
    make = expressions.REFUSED[name]
    for table in both:
        assert name in operations(make(table))
        with pytest.raises(duckdb.Error):
            make(table).to_pyarrow()


class Notes(State):
    tables = {"notes": {"id": str, "body": str, "n": int}}


@pytest.fixture
def state(dbpath):
    return Notes(dbpath=dbpath)


def test_expressions_made_before_a_write_see_it(state):
    notes = state.table("notes")
    current = notes.t().count()
    every = state.rcon.table("notes").count()
    assert (current.execute(), every.execute()) == (0, 0)
    first = notes.append(id="a", body="x", n=1)
    assert (current.execute(), every.execute()) == (1, 1)
    notes.update(id="a", n=2)
    assert (current.execute(), every.execute()) == (1, 2)
    assert notes.t().n.to_pyarrow().to_pylist() == [2]
    notes.delete("a")
    assert current.execute() == 0
    notes.restore("a", first["idx"])
    assert notes.t().n.to_pyarrow().to_pylist() == [1]
    assert notes.history_t()["op"].to_pyarrow().to_pylist() == [
        "append", "update", "delete", "restore",
    ]  # fmt: skip
    state._clear()
    assert (current.execute(), every.execute()) == (0, 0)
    notes.append(id="a", body="y", n=5)
    assert (current.execute(), every.execute()) == (1, 1)


def test_every_way_to_execute_is_live(state, tmp_path):
    notes, con = state.table("notes"), state.rcon
    t = notes.t()
    sql = con.sql("SELECT count(*) AS c FROM dkdc.current.notes")
    view = con.create_view("a_view", t.filter(t.n > 0))
    for n in range(1, 4):
        notes.append(id=str(n), body="x", n=n)
        assert len(t.execute()) == n
        assert t.to_pyarrow().num_rows == n
        assert len(t.to_pandas()) == n
        assert len(t.to_polars()) == n
        assert sum(batch.num_rows for batch in t.to_pyarrow_batches()) == n
        assert sql.execute().c[0] == n
        assert view.count().execute() == n
        assert con.raw_sql("SELECT count(*) FROM notes").fetchall() == [(n,)]
        t.to_parquet(tmp_path / "t.parquet")
        assert pl.read_parquet(tmp_path / "t.parquet").height == n
        t.to_csv(tmp_path / "t.csv")
        assert len(pd.read_csv(tmp_path / "t.csv")) == n
        assert con.create_table(f"copy{n}", t).count().execute() == n
        assert t.cache().count().execute() == n


def test_writes_of_other_states_and_tables_made_later_are_seen(state, dbpath):
    other = Notes(dbpath=dbpath)
    current = state.table("notes").t().count()
    other.table("notes").append(id="a")
    assert current.execute() == 1
    other.wcon.create_table("later", schema={"id": "string", "x": "int64"})
    other.wcon.insert("later", {"id": ["a"], "x": [1]})
    assert "later" in state.rcon.list_tables()
    assert state.rcon.table("later").x.sum().execute() == 1


def test_current_rows_come_from_the_mirrors_files_and_what_is_newer(dbpath):
    """A process that only reads meets a large store, which then gets larger."""
    script = (
        "import sys, pyarrow as pa; from dkdc_state import State\n"
        "class Notes(State): tables = {'notes': {'id': str, 'body': str, 'n': int}}\n"
        "notes = Notes(sys.argv[1]).table('notes'); end = int(sys.argv[2])\n"
        "ids = [f'{n:05}' for n in range(end)]\n"
        "notes.upsert_all(pa.table({'id': ids, 'n': range(end)}))\n"
        "notes.update_all(pa.table({'id': ids[::3], 'body': ['x'] * len(ids[::3])}))\n"
        "notes.delete(ids[5]); notes.delete(ids[6]); notes.upsert(id=ids[5], n=-1)\n"
    )

    def write(end):
        subprocess.run([sys.executable, "-c", script, dbpath, str(end)], check=True)

    write(30_000)
    state = State(dbpath)
    notes = state.table("notes")
    t, every = notes.t(), notes.history_t()

    def check():
        rows = [list(row.values()) for row in notes.list(order=["idx"])]
        assert [list(row.values()) for row in t.order_by("idx").to_pyarrow().to_pylist()] == rows
        assert len(rows) == notes_end - 1
        history = every.count().execute()
        assert history == sum(1 for change in state.changes() if change["id"])
        then = state.at(idx=rows[len(rows) // 2][0])
        old = then.table("notes").t().count().execute()
        assert old == len(then.table("notes"))

    notes_end = 30_000
    check()
    assert list(pathlib.Path(dbpath + "-mirror").glob("*.parquet"))
    notes_end = 50_000
    write(notes_end)
    check()


def test_many_new_versions_are_taken_in_as_well_as_few(state, monkeypatch):
    notes = state.table("notes")
    t, every = notes.t(), notes.history_t()
    assert (t.count().execute(), every.count().execute()) == (0, 0)
    monkeypatch.setattr(live, "_MANY", 2)
    for end in (10, 40_000, 60_000, 60_010):
        ids = [str(n) for n in range(end)]
        before = every.count().execute()
        notes.upsert_all(pa.table({"id": ids, "n": range(end)}))
        assert t.n.sum().execute() == sum(range(end))
        assert (t.count().execute(), every.count().execute()) == (end, before + end)


def test_a_pinned_snapshot_does_not_outlive_what_was_cleared(state):
    notes = state.table("notes")
    first = notes.append(id="a", body="secret")
    pinned = state.at(idx=first["idx"]).table("notes").t()
    assert pinned.count().execute() == 1
    notes.append(id="b")
    assert pinned.count().execute() == 1
    state._clear()
    with pytest.raises(errors.OutsideHistory):
        pinned.count().execute()


def test_what_memory_cannot_hold_is_spilled_beside_the_store(state, dbpath, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    rows = 100_000
    words = [f"{n:07} " * 100 for n in range(rows)]
    state.table("notes").append_all(pa.table({"id": [f"{n}" for n in range(rows)], "body": words}))
    con = state.rcon.con
    con.execute("SET memory_limit = '60MB'")
    t = state.table("notes").t()
    assert t.body.length().sum().execute() == 800 * rows
    assert con.execute("SELECT current_setting('temp_directory')").fetchone() == (f"{dbpath}-spill",)
    assert list(elsewhere.iterdir()) == []


def test_columns_added_later_are_seen(state, dbpath):
    state.table("notes").append(id="a", body="x")
    assert state.table("notes").t().count().execute() == 1

    class More(State):
        tables = {"notes": {"id": str, "mood": str}}

    More(dbpath=dbpath).table("notes").update(id="a", mood="good")
    assert state.table("notes").t().mood.to_pyarrow().to_pylist() == ["good"]
    assert state.rcon.table("notes").mood.to_pyarrow().to_pylist() == [None, "good"]


def test_tables_join_with_others_of_duckdb(state):
    state.table("notes").append_all({"id": ["a", "b"], "n": [1, 2]})
    con = state.rcon
    names = con.create_table("names", ibis.memtable({"n": [1, 2], "name": ["one", "two"]}))
    joined = state.table("notes").t().join(names, "n").order_by("n")
    assert joined.name.to_pyarrow().to_pylist() == ["one", "two"]


def test_results_are_taken_by_the_capsule_interface(state):
    state.table("notes").append_all({"id": ["a", "b"], "n": [1, 2]})
    rows = [("a", 1), ("b", 2)]
    for given in (state.table("notes").t(), state.table("notes"), state.at("now").table("notes")):
        assert pl.DataFrame(given).sort("id").select("id", "n").rows() == rows
        assert pa.table(given).column_names == ["idx", "id", "body", "n"]
        frame = pd.DataFrame.from_arrow(given).sort_values("id")
        assert list(zip(frame["id"], frame["n"], strict=True)) == rows
        stream = pa.RecordBatchReader.from_stream(given)
        assert duckdb.sql("SELECT id, n FROM stream ORDER BY id").fetchall() == rows


def test_a_table_goes_into_another_store_as_it_is(state, tmp_path):
    notes = state.table("notes")
    notes.append_all({"id": ["a", "b"], "n": [1, 2]})
    notes.delete("a")
    other = Notes(dbpath=tmp_path / "other.db").table("notes")
    assert other.append_all(notes) == 1
    assert other.upsert_all(state.at(idx=notes.history("a")[0]["idx"]).table("notes")) == 2
    assert [(row["id"], row["n"]) for row in other.list(order="id")] == [("a", 1), ("b", 2)]


def test_tables_are_shown_interactively(state, monkeypatch):
    monkeypatch.setattr(ibis.options, "interactive", True)
    state.table("notes").append(id="a", n=1)
    text = repr(state.table("notes").t())
    assert "timestamp(6)" in text and "NULL" in text and "a" in text


def test_a_question_sees_one_snapshot_of_all_tables(dbpath):
    """Two tables that are always written together are never seen apart."""

    class Two(State):
        tables = {"x": {"id": str}, "y": {"id": str}}

    state = Two(dbpath=dbpath)
    x, y = state.table("x").t(), state.table("y").t()
    apart = (x.count().as_scalar() - y.count().as_scalar()).name("apart")
    done = threading.Event()

    def write():
        try:
            for n in range(100):
                with state.transaction() as tx:
                    tx.table("x").append(id=str(n))
                    tx.table("y").append(id=str(n))
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        seen.add(int(apart.execute()))
    writer.join()
    assert seen == {0}
    assert x.count().execute() == 100


def test_threads_ask_one_connection_at_once(state):
    notes = state.table("notes")
    notes.append_all({"id": [str(n) for n in range(1000)], "n": list(range(1000))})
    total = notes.t().n.sum()
    answers, failures = [], []

    def ask(at):
        try:
            for _ in range(10):
                answers.append(int(total.execute()))
                notes.upsert(id=f"t{at}", n=0)
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=ask, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(answers) == {499500} and len(answers) == 40
