"""The failure to prevent: what a process does around a state (forks, threads,
signals, another SQLite) loses an acknowledged write, or hangs."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import warnings

import pyarrow as pa
import pytest

from dkdc_lake import Lake
from dkdc_state import State, errors, ibis


class Notes(State):
    tables = {"notes": {"id": str, "body": str, "n": int}}


@pytest.fixture
def state(dbpath):
    return Notes(dbpath=dbpath)


def in_child(run):
    """What `run` returns in a forked child, as text."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        # One that hangs ends, and its parent has no answer.
        signal.alarm(120)
        try:
            text = run()
        except BaseException as error:  # noqa: BLE001
            text = f"{type(error).__name__}: {error}"
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return text


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


@needs_fork
@pytest.mark.parametrize(
    "use",
    [
        lambda state, path: state.table("notes").append(id="b"),
        lambda state, path: state.table("notes").get("a"),
        lambda state, path: state.table("notes").t().count().execute(),
        lambda state, path: state.transaction().__enter__(),
        lambda state, path: state.at("now"),
        lambda state, path: Notes(dbpath=path),
    ],
    ids=["append", "get", "ibis", "transaction", "at", "open again"],
)
def test_a_fork_may_not_use_what_its_parent_opened(state, dbpath, use):
    state.table("notes").append(id="a")
    assert state.table("notes").t().count().execute() == 1
    text = in_child(lambda: str(use(state, dbpath)))
    assert text.startswith("Forked: ") and "spawn" in text
    assert state.table("notes").append(id="c")["id"] == "c"


@needs_fork
def test_a_fork_closes_nothing_of_its_parents(state, dbpath):
    notes = state.table("notes")
    notes.append(id="a")
    assert in_child(lambda: str(state.close())) == "None"
    notes.append(id="b")
    count = "select count(*) from notes"
    done = subprocess.run(
        [sys.executable, "-c", f"import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('{count}').fetchone())", dbpath],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "2"
    assert state.check() == []


@needs_fork
def test_a_fork_inside_a_transaction_is_refused_and_ends(state):
    notes = state.table("notes")

    begun = state.transaction()
    with begun as tx:
        inside = tx.table("notes")
        inside.append(id="a")
        uses = [
            lambda: inside.append(id="b"),
            lambda: inside.get("a"),
            lambda: tx.table("notes"),
            lambda: begun.__exit__(None, None, None),
            lambda: notes.get("a"),
        ]
        for use in uses:
            assert in_child(lambda use=use: str(use())).startswith("Forked: ")
        assert in_child(lambda: begun.__exit__(ZeroDivisionError, None, None) or "left") == "left"
    assert [found["id"] for found in notes.list()] == ["a"]


@needs_fork
def test_a_fork_may_open_other_stores(state, tmp_path):
    other = str(tmp_path / "other.db")
    assert in_child(lambda: Notes(dbpath=other).table("notes").append(id="a")["id"]) == "a"
    assert Notes(dbpath=other).table("notes").contains("a")


def test_pythons_own_sqlite_is_kept_from_open_stores(state, dbpath, tmp_path):
    state.table("notes").append(id="a")
    link = tmp_path / "link.db"
    link.symlink_to(dbpath)
    for path in (dbpath, str(link), f"file:{dbpath}?mode=ro"):
        with pytest.raises(errors.SecondSQLite, match="is open here"):
            sqlite3.connect(path, uri=path.startswith("file:"))
    other = sqlite3.connect(tmp_path / "other.db")
    other.close()
    state.close()
    reader = sqlite3.connect(dbpath)
    assert reader.execute("select id from notes").fetchall() == [("a",)]
    reader.close()


def test_a_second_sqlite_that_nobody_keeps_away_takes_no_acknowledged_write(dbpath):
    # Python's own library, called past its module: it closes as the last one, with no
    # lock left to stop it, and removes the log into which the store writes on.
    script = (
        "import _sqlite3, ctypes, os, sys\n"
        "from dkdc_state import State, errors\n"
        "class Notes(State): tables = {'notes': {'id': str}}\n"
        "notes = Notes(sys.argv[1]).table('notes')\n"
        "other = ctypes.CDLL(_sqlite3.__file__)\n"
        "def disturb():\n"
        "    db = ctypes.c_void_p()\n"
        "    assert other.sqlite3_open(os.fsencode(sys.argv[1]), ctypes.byref(db)) == 0\n"
        "    sql = b'select count(*) from notes'\n"
        "    assert other.sqlite3_exec(db, sql, None, None, None) == 0\n"
        "    assert other.sqlite3_close(db) == 0\n"
        "for n in range(30):\n"
        "    if n % 10 == 9: disturb()\n"
        "    try:\n"
        "        notes.append(id=f'n{n}')\n"
        "        os.write(1, f'n{n}\\n'.encode())\n"
        "    except errors.Error as error:\n"
        "        os.write(2, f'{type(error).__name__}: {error}\\n'.encode())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, dbpath], capture_output=True, timeout=60, check=False
    )
    said = done.stderr.decode()
    assert done.returncode == 0, said
    acknowledged = done.stdout.decode().split()
    assert len(acknowledged) >= 9, said
    notes = Notes(dbpath=dbpath)
    lost = [id for id in acknowledged if id not in notes.table("notes")]
    assert not lost, said
    assert notes.check() == []


def test_opening_the_file_of_an_open_store_warns(state, dbpath):
    # The warning becomes the error, so that nothing is opened.
    with warnings.catch_warnings():
        warnings.simplefilter("error", errors.StoreOpened)
        for path in (dbpath, dbpath + "-shm"):
            with pytest.raises(errors.StoreOpened, match="drops the store's locks"):
                open(path, "rb")
        open(dbpath + "-other", "wb").close()


def test_two_states_on_one_file_share_it(state, dbpath):
    other = Notes(dbpath=dbpath)
    state.table("notes").append(id="a", n=1)
    assert other.table("notes").get("a")["n"] == 1
    with state.transaction() as tx:
        tx.table("notes").update(id="a", n=2)
        with pytest.raises(errors.InsideTransaction):
            other.table("notes").append(id="b")
    other.close()
    assert state.table("notes").get("a")["n"] == 2


def test_threads_write_at_once_and_none_is_lost(state):
    notes = state.table("notes")

    def write(at):
        for n in range(50):
            notes.append(id=f"{at}-{n}", n=n)

    threads = [threading.Thread(target=write, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(notes) == 400
    assert notes.t().count().execute() == 400


def test_a_transaction_of_one_thread_is_waited_for_by_others(state):
    notes = state.table("notes")
    began, written = threading.Event(), []

    def write():
        began.wait()
        written.append(notes.append(id="b")["idx"])

    thread = threading.Thread(target=write)
    thread.start()
    with state.transaction() as tx:
        began.set()
        mine = tx.table("notes").append(id="a")["idx"]
        assert "b" not in tx.table("notes")
    thread.join()
    assert written[0] > mine


def test_other_threads_run_while_a_call_waits(state):
    """Many rows go in; meanwhile this thread counts."""
    rows = 200_000
    table = pa.table({"id": [f"{n:06}" for n in range(rows)], "n": list(range(rows))})
    thread = threading.Thread(target=lambda: state.table("notes").append_all(table))
    thread.start()
    turns = 0
    while thread.is_alive():
        turns += 1
    assert turns > 1000
    assert len(state.table("notes")) == rows


def test_control_c_ends_a_long_write_and_nothing_is_written(state):
    notes = state.table("notes")
    rows = 2_000_000
    table = pa.table({"id": pa.array(range(rows)).cast("string"), "n": pa.array(range(rows))})
    # The write takes many times as long.
    press = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        press.start()
        notes.append_all(table)
    assert len(notes) == 0
    assert notes.append(id="a")["id"] == "a"


def test_control_c_ends_a_long_question_and_the_next_one_is_answered(state):
    notes = state.table("notes")
    notes.append_all(pa.table({"id": [f"{n:05}" for n in range(20_000)], "n": range(20_000)}))
    t = notes.t()
    pairs = t.cross_join(t.view()).filter(lambda j: (j.n * j.n_right + 1) % 7 == 3)
    # The question takes many times as long.
    press = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        press.start()
        pairs.cross_join(t.view(), rname="third_{name}").count().execute()
    assert t.count().execute() == 20_000
    notes.append(id="new")
    assert t.count().execute() == 20_001


LONG = {
    "create_table": lambda con, expression: con.create_table("long", expression),
    "cache": lambda con, expression: expression.cache(),
    "to_parquet": lambda con, expression: expression.to_parquet(os.devnull),
    "to_pyarrow_batches": lambda con, expression: expression.to_pyarrow_batches().read_all(),
    "to_polars": lambda con, expression: expression.to_polars(),
    "raw_sql": lambda con, expression: con.raw_sql(ibis.to_sql(expression)).fetchall(),
}


@pytest.mark.parametrize("name", LONG)
def test_control_c_ends_whatever_is_made_of_a_long_question(state, name):
    notes = state.table("notes")
    notes.append_all(pa.table({"id": [f"{n:05}" for n in range(20_000)], "n": range(20_000)}))
    t = notes.t()
    pairs = t.cross_join(t.view()).filter(lambda j: (j.n * j.n_right + 1) % 7 == 3)
    triples = pairs.cross_join(t.view(), rname="third_{name}").aggregate(n=lambda j: j.count())
    # The question takes many times as long.
    press = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        press.start()
        LONG[name](state.rcon, triples)
    assert t.count().execute() == 20_000


def test_control_c_ends_the_wait_for_a_transaction(state):
    ready, leave = threading.Event(), threading.Event()

    def hold():
        try:
            with state.transaction() as tx:
                tx.table("notes").append(id="a")
                ready.set()
                leave.wait()
        finally:
            ready.set()

    thread = threading.Thread(target=hold)
    thread.start()
    ready.wait()
    press = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT))
    try:
        with pytest.raises(KeyboardInterrupt):
            press.start()
            with state.transaction():
                pass
    finally:
        leave.set()
        thread.join()
    assert state.table("notes").append(id="b")["id"] == "b"


def test_who_waits_too_long_for_a_writer_is_told_that_it_is_busy(dbpath):
    script = (
        "import sys; from dkdc_state import State\n"
        "class Notes(State): tables = {'notes': {'id': str, 'n': int}}\n"
        "with Notes(sys.argv[1]).transaction() as tx:\n"
        "    tx.table('notes').append(id='a')\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    Notes(dbpath=dbpath).close()
    holder = subprocess.Popen(
        [sys.executable, "-c", script, dbpath],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout.readline() == "held\n"
        state = State(dbpath, busy_timeout=0.05)
        notes = state.table("notes")
        for write in (
            lambda: notes.append(id="b"),
            lambda: notes.append_all({"id": ["b", "c"]}),
            lambda: notes.append_all(pa.table({"id": ["b"]})),
            lambda: state.transaction().__enter__(),
            lambda: state._clear(),
        ):
            with pytest.raises(errors.Busy) as raised:
                write()
            assert isinstance(raised.value, TimeoutError)
        # Who only reads waits for nobody.
        assert len(notes) == notes.t().count().execute() == 0
    finally:
        holder.communicate("", timeout=60)
    assert notes.append(id="b")["id"] == "b" and notes.contains("a")


def damage(path, marker):
    """Changes what a file says, where it says this."""
    with open(path, "r+b") as file:
        content = file.read()
        assert marker in content
        at = -1
        while (at := content.find(marker, at + 1)) >= 0:
            file.seek(at)
            file.write(b"#" * len(marker))


def test_damage_is_told_as_damage_by_everything_that_meets_it(dbpath):
    with Notes(dbpath=dbpath) as state:
        state.table("notes").append_all({"id": [f"{n:05}" for n in range(2_000)]})
    with open(dbpath, "r+b") as file:
        # Every page but those that are read to open it.
        size = os.path.getsize(dbpath)
        for at in range(0, size, 4096):
            file.seek(at)
            page = file.read(4096)
            if b"00500" in page:
                file.seek(at)
                file.write(bytes([99]) * 8)
    state = Notes(dbpath=dbpath)
    notes = state.table("notes")
    for use in (
        lambda: notes.list(),
        lambda: notes.get("00500"),
        lambda: notes.t().count().execute(),
        lambda: notes.history_t().to_pyarrow(),
        lambda: state.rcon.sql("SELECT * FROM notes").to_pandas(),
        lambda: state.at("now").table("notes").t().to_polars(),
    ):
        with pytest.raises(errors.Damaged) as raised:
            use()
        assert isinstance(raised.value, RuntimeError)
    assert state.check() != []


def test_damaged_content_is_told_as_damage(dbpath):
    marker = b"The content of this file is what is damaged. "
    with Lake(dbpath=dbpath) as lake:
        first = lake.append_file(filename="a.csv", data=b"n\n" + marker)
        lake.append_file(filename="b.csv", data=b"n\n1\n")
    damage(dbpath, marker)
    lake = Lake(dbpath=dbpath)
    for use in (
        lambda: lake("a.csv"),
        lambda: lake.file_history("a.csv"),
        lambda: lake.csv("*.csv"),
        lambda: lake.text("a.csv"),
        lambda: lake.t().to_pyarrow(),
        lambda: lake.t().data.max().execute(),
        lambda: lake.t().cache(),
        lambda: lake.t().to_pyarrow_batches().read_all(),
    ):
        with pytest.raises(errors.Damaged):
            use()
    # What is whole is read, and a question that does not ask for it is answered.
    assert lake("b.csv")["data"] == b"n\n1\n"
    assert lake.t().filename.execute().tolist() == ["b.csv", "a.csv"]
    assert lake.contains_file("a.csv") and first["filename"] == "a.csv"


def test_rows_that_fail_on_their_way_in_leave_nothing(state):
    schema = pa.schema({"id": pa.string()})

    def batches():
        yield pa.record_batch([["a"]], schema=schema)
        raise RuntimeError("the source broke")

    with pytest.raises(errors.Invalid, match="the source broke"):
        state.table("notes").append_all(pa.RecordBatchReader.from_batches(schema, batches()))
    assert len(state.table("notes")) == 0


@pytest.mark.parametrize(
    "leave", ["", "sys.exit(3)", "tx = state.transaction(); tx.__enter__()", "changes = state.changes()"]
)
def test_a_process_that_ends_leaves_one_whole_file(dbpath, leave):
    script = (
        "import sys; from dkdc_state import State\n"
        "class Notes(State): tables = {'notes': {'id': str}}\n"
        "state = Notes(sys.argv[1]); state.table('notes').append(id='a')\n"
        "state.table('notes').t().count().execute()\n" + leave
    )
    done = subprocess.run([sys.executable, "-c", script, dbpath], timeout=60, check=False)
    assert done.returncode == (3 if "exit" in leave else 0)
    assert not os.path.exists(dbpath + "-wal")
    assert len(Notes(dbpath=dbpath).table("notes")) == 1


def test_a_process_may_end_while_its_threads_write_and_read(dbpath):
    script = (
        "import itertools, os, sys, threading; from dkdc_state import State\n"
        "class Notes(State): tables = {'notes': {'id': str}}\n"
        "state = Notes(sys.argv[1]); notes = state.table('notes')\n"
        "wrote = threading.Event()\n"
        "def write(at):\n"
        "    for n in itertools.count():\n"
        "        notes.append(id=f'{at}-{n}')\n"
        # One write a line: print() writes the end of a line by itself, and threads
        # would end each other's.
        "        os.write(1, f'{at}-{n}\\n'.encode())\n"
        "        wrote.set()\n"
        "def read():\n"
        "    while True: notes.t().count().execute()\n"
        "for at in range(4): threading.Thread(target=write, args=(at,), daemon=True).start()\n"
        "threading.Thread(target=read, daemon=True).start()\n"
        "wrote.wait()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, dbpath], stdout=subprocess.PIPE, timeout=60, check=False
    )
    # How a thread that is cut off ends is Python's affair; what was acknowledged is there.
    assert done.returncode <= 0
    notes = Notes(dbpath=dbpath)
    acknowledged = done.stdout.decode().split("\n")[:-1]
    assert acknowledged
    assert all(id in notes.table("notes") for id in acknowledged)
    assert notes.check() == []


def test_a_file_that_is_no_store_is_left_as_it_is(tmp_path):
    path = tmp_path / "other.db"
    path.write_bytes(b"not a database, and long enough to be looked at" * 100)
    before = path.read_bytes()
    with pytest.raises(errors.Invalid, match="no dkdc store"):
        State(path)
    assert path.read_bytes() == before
    with pytest.raises(errors.NotFound):
        State(tmp_path / "absent.db", create=False)


def test_a_read_only_state_reads(state, dbpath):
    state.table("notes").append(id="a")
    reader = State(dbpath, read_only=True)
    assert reader.table("notes").get("a")["id"] == "a"
    with pytest.raises(errors.Failure, match="read-only"):
        reader.table("notes").append(id="b")
    with pytest.raises(errors.Invalid, match="durability"):
        State(dbpath, durability="none")
