"""What can go wrong, sorted by what a caller can do about it.

Each class is also the built-in one that the original packages raise, so that
code written for those goes on working.

>>> from dkdc_state import errors
>>> issubclass(errors.NotFound, (ValueError)) and issubclass(errors.NotFound, IndexError)
True
"""

from __future__ import annotations

from datetime import datetime


class Error(Exception):
    """Anything that goes wrong here."""


class Invalid(Error, ValueError):
    """Mend the input: a name, a value, a declaration, a file that is no store."""


class MissingArgument(Invalid, AssertionError):
    """Something that must be given was not."""


class OutsideHistory(Invalid):
    """A moment that history does not cover."""


class InsideTransaction(Invalid, RuntimeError):
    """The state was used inside a transaction of its own: use the transaction."""


class Closed(Invalid):
    """The state was closed, or the transaction has ended."""


class NotFound(Error, ValueError, IndexError):
    """The record, table or file is not there."""

    table: str | None = None
    id: str | None = None


class AlreadyExists(Error, ValueError):
    """The record, or one with the same unique values (``other``), is there already."""

    table: str | None = None
    id: str | None = None
    idx: datetime | None = None
    other: str | None = None


class Conflict(Error, RuntimeError):
    """Read again and decide again: somebody else wrote first."""

    table: str | None = None
    id: str | None = None
    expected: datetime | None = None
    actual: datetime | None = None


class Busy(Error, TimeoutError):
    """Try again later: somebody else holds the store."""


class Damaged(Error, RuntimeError):
    """Stop, and run ``dkdc check``: the file does not say what was written to it."""


class Failure(Error, OSError):
    """The disk, permissions, the system."""


class Forked(Error, RuntimeError):
    """The store was open when this process was forked."""


class SecondSQLite(Error, RuntimeError):
    """Another SQLite library would open a store that is open here, and drop its locks."""


class StoreOpened(RuntimeWarning):
    """A file of an open store was opened: closing it again drops the store's locks."""
