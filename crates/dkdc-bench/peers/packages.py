"""What the Python packages take, for `suite/python.rs`: prints milliseconds as JSON.

    python packages.py todos STORE ROUNDS
    python packages.py questions STORE ROUNDS
    python packages.py bulk STORE NEW
"""

import json
import random
import statistics
import sys
import time

from dkdc_state import State
from dkdc_todo import Todo


def timed(run, count=1):
    """Milliseconds that one of `count` takes."""
    started = time.perf_counter()
    for _ in range(count):
        run()
    return (time.perf_counter() - started) * 1000 / count


def medians(rounds, sides):
    """The median of each side, taken in turns; the first round warms up."""
    took = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, (run, count) in sides.items():
            result = timed(run, count)
            if turn:
                took[name].append(result)
    return {name: statistics.median(results) for name, results in took.items()}


def todos(path, rounds):
    """A todo list's own operations."""
    todo = Todo(dbpath=path)
    ids = [found["id"] for found in todo.get_todos()]
    fresh = iter(range(10**9))

    def write(put, id):
        put(id, f"user-{random.randrange(1000):03}", "letter", "write the letter", labels=["a", "b"])

    return medians(
        rounds,
        {
            "append": (lambda: write(todo.append_todo, f"new-{next(fresh)}"), 100),
            "update": (lambda: write(todo.update_todo, random.choice(ids)), 100),
            "get": (lambda: todo.get_todo(random.choice(ids)), 1000),
            "contains": (lambda: todo.contains_todo(random.choice(ids)), 1000),
            "get_all": (todo.get_todos, 1),
        },
    )


def counted(t):
    return t.group_by("user_id").agg(n=t.count(), p=t.priority.mean())


def questions(path, rounds):
    """One expression over current rows, live and on a native table of the same rows."""
    import ibis

    todo = Todo(dbpath=path)
    first = timed(lambda: counted(todo.t()).to_pyarrow())
    t = todo.t()
    native = ibis.duckdb.connect().create_table("todos", todo.table("todos").t().order_by("idx").to_pyarrow())
    native = native.order_by(ibis.asc("priority"), ibis.desc("idx"))
    ours, theirs = counted(t), counted(native)
    rows = [expression.order_by("user_id").to_pyarrow() for expression in (ours, theirs)]
    assert rows[0].equals(rows[1])
    ids = t.limit(1000).id.to_pyarrow().to_pylist()

    def written():
        todo.edit_todo(random.choice(ids), priority=random.randrange(200))
        ours.to_pyarrow()

    sides = {
        "live": (ours.to_pyarrow, 1),
        "native": (theirs.to_pyarrow, 1),
        "written": (written, 1),
    }
    return {"first": first, **medians(rounds, sides)}


def bulk(path, new):
    """All records of one store into another, from a pyarrow table."""
    source = State(path)
    records = source.table("plain").t().drop("idx").to_pyarrow()

    class Copy(State):
        tables = {"plain": source.rcon.table("plain").schema()}

    with Copy(new) as copy:
        took = timed(lambda: copy.table("plain").append_all(records))
        assert len(copy.table("plain")) == records.num_rows
    return {"row": took / records.num_rows}


def main():
    what, path, last = sys.argv[1:]
    random.seed(1)
    if what == "bulk":
        found = bulk(path, last)
    else:
        found = {"todos": todos, "questions": questions}[what](path, int(last))
    print(json.dumps({"ms": found}))


if __name__ == "__main__":
    main()
