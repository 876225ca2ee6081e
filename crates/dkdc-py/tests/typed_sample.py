"""Code as people write it, for the type checker: never run."""

from datetime import datetime
from typing import Any

import ibis.expr.types as ir
from typing_extensions import assert_type

from dkdc_lake import Lake
from dkdc_state import State, Table, errors
from dkdc_todo import Todo
from dkdc_util import get_dkdc_dir, now, uuid


class Notes(State):
    tables = {"notes": {"id": str, "body": str}}

    def append_note(self, id: str, body: str) -> dict[str, Any]:
        return self.table("notes").append(id=id, body=body)


def use() -> None:
    with Notes("notes.db", durability="relaxed") as state:
        assert_type(state.table("notes"), Table)
        assert_type(state.table("notes").t(), ir.Table)
        assert_type(state.table("notes").get("a"), dict[str, Any] | None)
        assert_type(state.table("notes").list(order=["id"]), list[dict[str, Any]])
        assert_type(state.table("notes").append_all([]), int)
        assert_type(state.at("5 minutes ago").idx, datetime)
        assert_type(state.append_note("a", "b"), dict[str, Any])
        with state.transaction() as tx:
            assert_type(tx.table("notes").delete("a"), datetime)
        for change in state.changes():
            assert_type(change, dict[str, Any])
    try:
        assert_type(Todo().append_todo("a", None, None, "b"), dict[str, Any])
    except errors.AlreadyExists as error:
        assert_type(error.idx, datetime | None)
    assert_type(Todo().t(), ir.Table)
    assert_type(Todo()(), list[dict[str, Any]])
    assert_type(Lake().contains_file("a.txt"), bool)
    assert_type(uuid() + get_dkdc_dir(), str)
    assert_type(now(), datetime)
