"""A lake of files that keeps every version of every file.

>>> from dkdc_lake import Lake
>>> lake = Lake(dbpath="data.db")
>>> first = lake.append_file(filename="test.txt", filetype="txt", data=b"hello world")
>>> lake.get_file(filename="test.txt")["data"]
b'hello world'
>>> lake.t().count().to_pyarrow().as_py()
1
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from dkdc_state import State, errors
from dkdc_util import get_dkdc_dir

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from dkdc_state import _core

__all__ = ["Lake"]

_COLUMNS = [
    "idx",
    "id",
    "user_id",
    "path",
    "filename",
    "filetype",
    "data",
    "version",
    "status",
    "description",
    "labels",
]


class Lake(State):
    """A lake of files in a store; ``~/.dkdc/lake.db`` unless said.

    User, path and filename identify a file together; ``None`` is a value.
    """

    lake_table_name = "lake"
    _shown: ClassVar = {"lake": _COLUMNS}

    def __init__(self, dbpath: str | os.PathLike[str] | None = None, **options: Any) -> None:
        if dbpath is None:
            dbpath = os.path.join(get_dkdc_dir(), "lake.db")
        super().__init__(dbpath=dbpath, **options)

    def _declare(self, store: _core.State) -> None:
        self._lake = store.lake()
        super()._declare(store)

    # tables

    def lake_t(self, user_id: str | None = None) -> ir.Table:
        """The current files, live, the newest first; content is read if it is asked for.

        >>> _ = lake.append_file(filename="a.txt", data=b"hello")
        >>> lake.lake_t().select("filename", "data").to_pyarrow().to_pylist()
        [{'filename': 'a.txt', 'data': b'hello'}]
        """
        import ibis

        t = self.table(self.lake_table_name).t().select(*_COLUMNS)
        if user_id:
            t = t.filter(t["user_id"] == user_id)
        return t.order_by(ibis.desc("idx"))

    # contains

    def contains_path(self, path: str, user_id: str | None = None) -> bool:
        """True if a current file is in this path: this user's, or anyone's."""
        return self._files.contains_path(path, user_id)

    def contains_file(
        self, filename: str, path: str | None = None, user_id: str | None = None
    ) -> bool:
        """True if there is such a file now.

        >>> _ = lake.append_file(filename="a.txt", path="letters", data=b"hello")
        >>> lake.contains_file("a.txt"), lake.contains_file("a.txt", path="letters")
        (False, True)
        """
        return self._files.contains_file(user_id, path, filename)

    # get record

    def get_file(
        self, filename: str, path: str | None = None, user_id: str | None = None
    ) -> dict[str, Any]:
        """The current version of a file; ``errors.NotFound`` if there is none.

        >>> _ = lake.append_file(filename="a.txt", data=b"hello")
        >>> lake.get_file("a.txt")["data"]
        b'hello'
        """
        return self._files.get_file(user_id, path, filename)

    # append record

    def append_file(
        self,
        user_id: str | None = None,
        path: str | None = None,
        filename: str | None = None,
        filetype: str | None = None,
        data: bytes | None = None,
        version: int | None = None,
        status: str | None = None,
        description: str | None = None,
        labels: list[str] | None = None,
    ) -> dict[str, Any]:
        """Adds a file and returns it; ``errors.AlreadyExists`` if there is one of its name.

        >>> lake.append_file(path="letters", filename="a.txt", data=b"hello")["path"]
        'letters'
        """
        if filename is None or data is None:
            raise errors.MissingArgument("filename and data are required")
        said = _said(filetype, version, status, description, labels)
        return self._files.append_file(user_id, path, filename, data, said)

    # update record

    def update_file(
        self,
        user_id: str | None,
        path: str | None,
        filename: str,
        filetype: str | None,
        data: bytes,
        version: int | None,
        status: str | None,
        description: str | None,
        labels: list[str] | None = None,
    ) -> dict[str, Any]:
        """Replaces a file, all of it but its id, and returns it.

        >>> _ = lake.append_file(filename="a.txt", data=b"hello")
        >>> lake.update_file(None, None, "a.txt", "txt", b"hello!", None, None, None)["data"]
        b'hello!'
        """
        said = _said(filetype, version, status, description, labels)
        return self._files.update_file(user_id, path, filename, data, said)

    def delete_file(
        self, filename: str, path: str | None = None, user_id: str | None = None
    ) -> datetime:
        """Deletes a file; its history and its content stay.

        >>> _ = lake.append_file(filename="a.txt", data=b"hello")
        >>> _ = lake.delete_file("a.txt")
        >>> lake.contains_file("a.txt")
        False
        """
        return self._files.delete_file(user_id, path, filename)

    def restore_file(
        self,
        idx: datetime | int,
        filename: str,
        path: str | None = None,
        user_id: str | None = None,
    ) -> dict[str, Any]:
        """Brings back a version of a file, content and all.

        >>> first = lake.append_file(filename="a.txt", data=b"hello")
        >>> _ = lake.delete_file("a.txt")
        >>> lake.restore_file(first["idx"], "a.txt")["data"]
        b'hello'
        """
        return self._files.restore_file(user_id, path, filename, idx)

    def file_history(
        self, filename: str, path: str | None = None, user_id: str | None = None
    ) -> list[dict[str, Any]]:
        """Every version of a file, oldest first, with its ``op``.

        >>> _ = lake.append_file(filename="a.txt", data=b"hello")
        >>> _ = lake.delete_file("a.txt")
        >>> [version["op"] for version in lake.file_history("a.txt")]
        ['append', 'delete']
        """
        return self._files.history(user_id, path, filename)

    # contents

    def csv(
        self,
        glob: str,
        at: str | datetime | int | None = None,
        user_id: str | None = None,
        **options: Any,
    ) -> ir.Table:
        """The rows of CSV files, together, as an Ibis table.

        ``glob`` matches paths with filenames (``reports/*.csv``); ``at`` is a
        moment, as ``State.at`` takes it. Columns go together by name, and ``_file``
        says where a row is from. The files are read now; ``options`` are those of
        Ibis' ``read_csv``.

        >>> _ = lake.append_file(path="r", filename="a.csv", data=b"n\\n3\\n")
        >>> lake.csv("r/*.csv").n.to_pyarrow().to_pylist()
        [3]
        """
        return self._read("read_csv", glob, at, user_id, options)

    def json(
        self,
        glob: str,
        at: str | datetime | int | None = None,
        user_id: str | None = None,
        **options: Any,
    ) -> ir.Table:
        """As ``csv``, of files of JSON or a JSON object a line.

        >>> _ = lake.append_file(filename="a.json", data=b'{"n": 3}')
        >>> lake.json("*.json").n.to_pyarrow().to_pylist()
        [3]
        """
        return self._read("read_json", glob, at, user_id, options)

    def parquet(
        self,
        glob: str,
        at: str | datetime | int | None = None,
        user_id: str | None = None,
        **options: Any,
    ) -> ir.Table:
        """As ``csv``, of Parquet files."""
        return self._read("read_parquet", glob, at, user_id, options)

    def text(
        self,
        glob: str,
        at: str | datetime | int | None = None,
        user_id: str | None = None,
    ) -> ir.Table:
        """Files of any kind, a row each: ``file``, ``size``, and ``text`` if it is UTF-8.

        ``glob`` and ``at`` are as in ``csv``.

        >>> _ = lake.append_file(filename="a.txt", data=b"hello")
        >>> lake.text("*.txt").text.to_pyarrow().to_pylist()
        ['hello']
        """
        import pyarrow as pa

        rows: list[tuple[str, int, str | None]] = []
        with self._spooled(glob, at, user_id) as names:
            for path, name in names.items():
                with open(path, "rb") as file:
                    content = file.read()
                try:
                    text = content.decode()
                except UnicodeDecodeError:
                    text = None
                rows.append((name, len(content), text))
        files, sizes, texts = zip(*rows, strict=True)
        columns = {
            "file": pa.array(files, pa.string()),
            "size": pa.array(sizes, pa.int64()),
            "text": pa.array(texts, pa.string()),
            "_file": pa.array(files, pa.string()),
        }
        return self._temporary(pa.table(columns))

    @contextmanager
    def _spooled(
        self, glob: str, at: str | datetime | int | None, user_id: str | None
    ) -> Iterator[dict[str, str]]:
        """The files that match, in a folder for a while: where each is, and its name."""
        import tempfile

        with tempfile.TemporaryDirectory(prefix="dkdc-lake-") as folder:
            found = self._files.spool(glob, user_id, at, folder)
            if not found:
                raise errors.NotFound(f"no file matches {glob}")
            yield {os.fspath(path): name for path, name in found}

    def _temporary(self, rows: Any) -> ir.Table:
        from ibis.util import gen_name

        table: ir.Table = self.rcon.create_table(gen_name("lake"), rows, temp=True)
        return table

    def _read(
        self,
        how: str,
        glob: str,
        at: str | datetime | int | None,
        user_id: str | None,
        options: dict[str, Any],
    ) -> ir.Table:
        import ibis

        options = {"union_by_name": True, "filename": "_file", **options}
        with self._spooled(glob, at, user_id) as names:
            rows = getattr(self.rcon, how)(list(names), **options)
            named = ibis.literal(names, type="map<string, string>").get(rows["_file"])
            table = self._temporary(rows.mutate(_file=named))
            self.rcon.drop_view(rows.get_name())
        return table

    @property
    def _files(self) -> _core.Lake:
        _ = self._store
        return self._lake

    # aliases
    __call__ = get_file
    t = lake_t


def _said(
    filetype: str | None,
    version: int | None,
    status: str | None,
    description: str | None,
    labels: list[str] | None,
) -> dict[str, Any]:
    return {
        "filetype": filetype,
        "version": version,
        "status": status,
        "description": description,
        "labels": labels,
    }
