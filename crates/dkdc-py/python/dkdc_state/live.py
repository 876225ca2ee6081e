"""A store's tables in a DuckDB, brought up to date before they are read.

DuckDB keeps two tables of its own per table of the store: the current records
(``now``) and every version (``log``), each from the first time that it is asked
for. They are loaded as Arrow, and from then on only what is newer is; after an
event (a table was cleared, a column added) all of it is again. Both are brought
to the same version in one transaction of a connection of its own, so that a
question sees one snapshot and disturbs no other. An unchanged store costs one
look at its newest version.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Literal

from . import errors
from .interrupt import interruptible

if TYPE_CHECKING:
    import duckdb

    from . import _core

Kind = Literal["log", "now"]

_BEFORE_ALL = -(2**63)

#: Batches of newer versions, 16,384 at most in each: with so many, current
#: records are loaded anew instead.
_MANY = 64

_TYPES = {
    "text": "VARCHAR",
    "int": "BIGINT",
    "float": "DOUBLE",
    "bool": "BOOLEAN",
    "bytes": "BLOB",
    "blob": "STRUCT(hash VARCHAR, size BIGINT)",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
    "uuid": "UUID",
    "json": "JSON",
}

#: The names of operations, by their codes in the log.
_OPS = ("append", "update", "delete", "restore", "erased")
_GONE = "(3, 5)"


def quote(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def _sql_type(name: str) -> str:
    if name.startswith("list<"):
        return _sql_type(name[5:-1]) + "[]"
    return _TYPES[name]


class _Table:
    """One table, as DuckDB has it."""

    def __init__(self, name: str, columns: list[tuple[str, str]]) -> None:
        self.name = name
        self.columns = columns
        #: Up to which version it is loaded, for each kind that was asked for.
        self.upto: dict[Kind, int] = {}
        #: The newest event when it was.
        self.event: int | None = None


class Live:
    """A store's tables in one DuckDB connection, in a database of their own."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        database: str,
        store: _core.State,
        shown: Mapping[str, Sequence[str]],
        pinned: _core.Snapshot | None,
        names: set[str] | None,
    ) -> None:
        self.con = con
        self.database = database
        self.store = store
        self.shown = shown
        self.pinned = pinned
        #: The tables to show; ``None``: all there are, also those yet to come.
        self.names = names
        self.tables: dict[str, _Table] = {}
        self._made: set[str] = set()
        #: The newest versions at which the tables and the rows were looked at.
        self._bound: int | None = None
        self._seen: int | None = None
        self._lock = threading.RLock()
        #: What failed in the store while DuckDB asked it: DuckDB says it in its own words.
        self.failed: list[errors.Error] = []
        con.execute(f"ATTACH ':memory:' AS {database}")
        for schema in ("log", "now", "current", "history"):
            con.execute(f"CREATE SCHEMA {database}.{schema}")

        # Of the store alone: DuckDB keeps it for as long as there is a connection.
        failed = self.failed

        def content(hash: str, size: int) -> Any:
            try:
                return store.blob(hash, size)
            except errors.Error as error:
                failed.append(error)
                raise

        con.create_function(f"{database}_content", content, ["VARCHAR", "BIGINT"], "BLOB")
        self.bind()

    def bind(self) -> None:
        """Makes the views of tables that are new, or have other columns by now."""
        with self._lock:
            last = self.store.last()
            if last == self._bound:
                return
            for name in self.store.tables():
                if self.names is not None and name not in self.names:
                    continue
                columns = self.store.schema(name)
                known = self.tables.setdefault(name, _Table(name, []))
                if columns != known.columns or name not in self._made:
                    known.columns = columns
                    self._make(known)
            self._bound = last

    def add(self, name: str) -> None:
        """One more table to show, if not all are."""
        with self._lock:
            if self.names is not None:
                self.names.add(name)
                self._bound = None
            self.bind()

    def touch(self, name: str, kind: Kind) -> None:
        """From now on, these rows are wanted."""
        with self._lock:
            if name in self.tables and kind not in self.tables[name].upto:
                self.tables[name].upto[kind] = _BEFORE_ALL
                self._seen = None

    def touch_named_in(self, sql: str) -> None:
        """The same for all that a text may name."""
        text = sql.lower().replace('"', "")
        for name in list(self.tables):
            plain = re.escape(name.lower().replace('"', ""))
            for found in re.finditer(rf"(?<!\w)(current\.)?{plain}(?!\w)", text):
                self.touch(name, "now" if found[1] else "log")
                if "current" in text:
                    # Perhaps with spaces or a comment between the two.
                    self.touch(name, "now")

    def refresh(self) -> None:
        """Brings what is wanted to one snapshot: the newest, or the pinned one."""
        with self._lock:
            last = self.store.last()
            if last == self._seen:
                return
            self.bind()
            snapshot = self.pinned or self.store.snapshot()
            cur = self.con.cursor()
            try:
                with interruptible(cur):
                    cur.begin()
                    for table in list(self.tables.values()):
                        kinds = list(table.upto)
                        while not all([self._load(cur, snapshot, table, kind) for kind in kinds]):
                            pass
                    cur.commit()
            except BaseException:
                cur.close()
                # Half of it may be there: all of it again, next time.
                for table in list(self.tables.values()):
                    self._make(table)
                raise
            cur.close()
            self._seen = last if self.pinned else snapshot.micros

    def _load(
        self,
        cur: duckdb.DuckDBPyConnection,
        snapshot: _core.Snapshot,
        table: _Table,
        kind: Kind,
    ) -> bool:
        """Brings one kind of a table to a snapshot. False: all kinds of it begin anew."""
        import pyarrow as pa

        after, upto = table.upto[kind], snapshot.micros
        if kind == "now" and after == _BEFORE_ALL:
            stream = snapshot.current(table.name)
        else:
            stream = snapshot.scan(table.name, after)
        if table.event is None and stream.columns == table.columns:
            table.event = stream.event
        elif stream.event != table.event:
            # Rows may be gone for good, columns may be others.
            table.columns = stream.columns
            self._anew(cur, table)
            table.event = stream.event
            return False
        if after < upto:
            try:
                reader = pa.RecordBatchReader.from_stream(stream)
                newer = list(islice(reader, _MANY))
                if newer:
                    data: Any = pa.Table.from_batches(newer)
                    if len(newer) == _MANY:
                        if kind == "now" and after != _BEFORE_ALL:
                            self._anew(cur, table)
                            return False
                        batches = chain(newer, reader)
                        data = pa.RecordBatchReader.from_batches(reader.schema, batches)
                    cur.register("_dkdc_new", data)
                    self._insert(cur, table, kind)
                    cur.unregister("_dkdc_new")
            except Exception:
                # Arrow and DuckDB have what failed in the store as text only.
                failure = stream.failure()
                if failure is not None:
                    raise failure from None
                raise
            table.upto[kind] = upto
        return True

    def _anew(self, cur: duckdb.DuckDBPyConnection, table: _Table) -> None:
        cur.commit()
        self._make(table)
        cur.begin()

    def _insert(self, cur: duckdb.DuckDBPyConnection, table: _Table, kind: Kind) -> None:
        """Puts in what is newer."""
        there = f"{self.database}.{kind}.{quote(table.name)}"
        record = ["idx", "id"]
        for name, type_name in table.columns:
            column = quote(name)
            if type_name.strip("list<>") in ("uuid", "json"):
                column = f"CAST({column} AS {_sql_type(type_name)}) AS {column}"
            record.append(column)
        rows = ", ".join(record)
        if kind == "log":
            cur.execute(f"INSERT INTO {there} SELECT {rows}, _prev, _op FROM _dkdc_new")
        elif table.upto[kind] == _BEFORE_ALL:
            cur.execute(f"INSERT INTO {there} SELECT {rows} FROM _dkdc_new")
        else:
            replaced = "SELECT _prev FROM _dkdc_new WHERE _prev IS NOT NULL"
            cur.execute(f"DELETE FROM {there} WHERE idx IN ({replaced})")
            cur.execute(
                f"INSERT INTO {there} SELECT {rows} FROM _dkdc_new "
                f"WHERE _op NOT IN {_GONE} AND idx NOT IN ({replaced})"
            )

    def _make(self, table: _Table) -> None:
        """Makes a table anew, empty, and the views over it."""
        con, name = self.con, quote(table.name)
        log = f"{self.database}.log.{name}"
        now = f"{self.database}.now.{name}"
        record = ["idx TIMESTAMP", "id VARCHAR"]
        record += [f"{quote(column)} {_sql_type(kind)}" for column, kind in table.columns]
        con.execute(
            f"CREATE OR REPLACE TABLE {log} ({', '.join(record)}, _prev TIMESTAMP, _op BIGINT)"
        )
        con.execute(f"CREATE OR REPLACE TABLE {now} ({', '.join(record)})")
        every = self._columns(table, None)
        shown = self._columns(table, self.shown.get(table.name))
        ops = " ".join(f"WHEN {code} THEN '{op}'" for code, op in enumerate(_OPS, 1))
        con.execute(f"CREATE OR REPLACE VIEW {self.database}.current.{name} AS SELECT {every} FROM {now}")
        con.execute(
            f"CREATE OR REPLACE VIEW {self.database}.history.{name} AS "
            f"SELECT {every}, CASE _op {ops} END AS op, _prev AS prev FROM {log}"
        )
        con.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT {shown} FROM {log}")
        table.upto = dict.fromkeys(table.upto, _BEFORE_ALL)
        self._made.add(table.name)
        self._seen = None

    def _columns(self, table: _Table, shown: Sequence[str] | None) -> str:
        """Columns of a view; content is read when it is asked for."""
        columns = {"idx": "idx", "id": "id"}
        for name, kind in table.columns:
            at = quote(name)
            if kind == "blob":
                columns[name] = f"{self.database}_content({at}.hash, {at}.size) AS {at}"
            else:
                columns[name] = at
        return ", ".join(sql for name, sql in columns.items() if shown is None or name in shown)
