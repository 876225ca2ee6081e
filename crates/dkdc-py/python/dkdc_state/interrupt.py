"""Ctrl-C while DuckDB works.

DuckDB looks for signals by itself, but its other threads go on with what they
are at, and it waits for them: for ever, if that is a large join.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


@contextmanager
def interruptible(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """What Ctrl-C raises ends what the connection does, and is what is raised."""
    before = signal.getsignal(signal.SIGINT)
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or not callable(before):
        yield
        return
    raised: list[BaseException] = []

    def stop(number: int, frame: Any) -> None:
        try:
            before(number, frame)
        except BaseException as error:
            raised.append(error)
            con.interrupt()
            raise

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    except Exception:
        if raised:
            raise raised[0] from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)
