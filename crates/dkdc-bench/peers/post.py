"""The post's design, rebuilt: SQLite for writes through Ibis, DuckDB's SQLite
reader through Ibis for reads, "latest" by a window function over everything.

Fills a table with versions, then measures each operation and prints the
medians, in milliseconds, as JSON.

    python post.py FOLDER VERSIONS RECORDS OPERATION...
"""

import datetime
import json
import os
import random
import sqlite3
import statistics
import sys
import time

import duckdb
import ibis
from duckdb_extensions import import_extension

WORDS = "write read call the letter to school and buy milk for report check about".split()
COLUMNS = "idx id user_id subject body priority status description labels".split()


class Todos:
    """A todo list as the post builds one."""

    def __init__(self, path):
        self.path = path
        self.writes = ibis.sqlite.connect(path)
        self.reads = ibis.duckdb.connect()
        self.reads.read_sqlite(path, table_name="todos")

    def latest(self):
        todos = self.reads.table("todos")
        newest = ibis.window(group_by="id", order_by=ibis.desc("idx"))
        todos = todos.mutate(rank=ibis.row_number().over(newest))
        todos = todos.filter(todos["rank"] == 0).drop("rank")
        todos = todos.mutate(labels=todos["labels"].split(","))
        return todos.order_by(ibis.asc("priority"), ibis.desc("idx"))

    def contains(self, id):
        todos = self.latest()
        return todos.filter(todos["id"] == id).count().to_pyarrow().as_py() > 0

    def get(self, id):
        todos = self.latest()
        return todos.filter(todos["id"] == id).to_pyarrow().to_pylist()[0]

    def get_all(self):
        return self.latest().to_pyarrow().to_pylist()

    def append(self, row):
        if self.contains(row["id"]):
            raise ValueError("it exists")
        self.writes.insert("todos", {name: [row[name]] for name in COLUMNS})
        return self.get(row["id"])

    def update(self, row):
        if not self.contains(row["id"]):
            raise ValueError("it does not exist")
        self.writes.insert("todos", {name: [row[name]] for name in COLUMNS})
        return self.get(row["id"])

    def aggregate(self):
        todos = self.latest()
        counted = todos.group_by("user_id").agg(n=todos.count(), p=todos.priority.mean())
        return counted.to_pyarrow().num_rows


def row(at, id):
    labels = ",".join(random.choice(WORDS) for _ in range(random.randrange(4)))
    return {
        "idx": at,
        "id": id,
        "user_id": f"user-{random.randrange(1000):03}",
        "subject": random.choice(WORDS),
        "body": " ".join(random.choice(WORDS) for _ in range(random.randint(3, 12))),
        "priority": random.randrange(200),
        "status": random.choice(["open", None]),
        "description": None,
        "labels": labels or None,
    }


def fill(path, versions, records):
    """As Ibis makes the table and writes its rows."""
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE TABLE todos (idx TIMESTAMP, id TEXT, user_id TEXT, subject TEXT, "
        "body TEXT, priority INTEGER, status TEXT, description TEXT, labels TEXT)"
    )
    ids = ["".join(random.choices("0123456789abcdefghjkmnpqrstvwxyz", k=16)) for _ in range(records)]
    start = datetime.datetime(2024, 11, 27)

    def rows():
        for at in range(versions):
            id = ids[at] if at < records else random.choice(ids)
            when = start + datetime.timedelta(microseconds=at)
            yield list((row(when, id) | {"idx": when.isoformat(" ", "microseconds")}).values())

    marks = ", ".join("?" * len(COLUMNS))
    connection.executemany(f"INSERT INTO todos VALUES ({marks})", rows())
    connection.commit()
    connection.close()
    return ids


def main():
    folder, versions, records = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    random.seed(1)
    import_extension("sqlite_scanner")
    path = os.path.join(folder, "post.db")
    ids = fill(path, versions, records)
    todos = Todos(path)
    fresh = iter(range(10**9))
    operations = {
        "aggregate": todos.aggregate,
        "append": lambda: todos.append(row(datetime.datetime.now(), f"new-{next(fresh)}")),
        "update": lambda: todos.update(row(datetime.datetime.now(), random.choice(ids))),
        "get": lambda: todos.get(random.choice(ids)),
        "contains": lambda: todos.contains(random.choice(ids)),
        "get_all": todos.get_all,
    }
    found = {}
    for name in sys.argv[4:]:
        took = []
        for _ in range(8):
            started = time.perf_counter()
            operations[name]()
            took.append((time.perf_counter() - started) * 1000)
        # The first warms up.
        found[name] = statistics.median(took[1:])
    print(json.dumps({"duckdb": duckdb.__version__, "ibis": ibis.__version__, "ms": found}))


if __name__ == "__main__":
    main()
