"""A todo list that keeps every version.

>>> from dkdc_todo import Todo
>>> todo = Todo(dbpath="data.db")
>>> todo.append_todo(id="test", user_id=None, subject=None, body="do your homework")["priority"]
100
>>> todo.update_todo(id="test", user_id=None, subject=None, body="do your homework!")["body"]
'do your homework!'
>>> len(todo.get_todos()), todo.wcon.table("todos").count().to_pyarrow().as_py()
(1, 2)
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dkdc_state import State, Table, errors
from dkdc_util import get_dkdc_dir

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from dkdc_state import _core

__all__ = ["Todo"]


class Todo(State):
    """A todo list in a store; ``~/.dkdc/todo.db`` unless said."""

    todos_table_name = "todos"

    def __init__(self, dbpath: str | os.PathLike[str] | None = None, **options: Any) -> None:
        if dbpath is None:
            dbpath = os.path.join(get_dkdc_dir(), "todo.db")
        super().__init__(dbpath=dbpath, **options)

    def _declare(self, store: _core.State) -> None:
        store.define_todos()
        super()._declare(store)

    # tables

    def todos_t(self, user_id: str | None = None) -> ir.Table:
        """The current todos, live: by priority, the newest first among equals.

        >>> t = todo.todos_t()
        >>> _ = todo.append_todo("test", None, None, "do your homework")
        >>> t.body.to_pyarrow().to_pylist()
        ['do your homework']
        """
        import ibis

        t = self.table(self.todos_table_name).t()
        if user_id:
            t = t.filter(t["user_id"] == user_id)
        return t.order_by(ibis.asc("priority"), ibis.desc("idx"))

    # contains

    def contains_todo(self, id: str, user_id: str | None = None) -> bool:
        """True if there is such a todo now, and it is this user's, if one is named.

        >>> _ = todo.append_todo("test", "ann", None, "do your homework")
        >>> todo.contains_todo("test"), todo.contains_todo("test", user_id="bob")
        (True, False)
        """
        return self._find(id, user_id) is not None

    # get record

    def get_todos(self, user_id: str | None = None) -> list[dict[str, Any]]:
        """The current todos, in the order of ``todos_t``.

        >>> _ = todo.append_todo("later", None, None, "rest")
        >>> _ = todo.append_todo("first", None, None, "work", priority=1)
        >>> [found["id"] for found in todo.get_todos()]
        ['first', 'later']
        """
        where = {"user_id": user_id} if user_id else None
        return self._todos.list(where, order=["priority", "-idx"])

    def get_todo(self, id: str, user_id: str | None = None) -> dict[str, Any]:
        """The current todo of this id; ``errors.NotFound`` if there is none.

        >>> todo.get_todo("test")
        Traceback (most recent call last):
        dkdc_state.errors.NotFound: todo test does not exist
        """
        found = self._find(id, user_id)
        if found is None:
            raise errors.NotFound(f"todo {id} does not exist")
        return found

    # append record

    def append_todo(
        self,
        id: str,
        user_id: str | None,
        subject: str | None,
        body: str | None,
        priority: int = 100,
        status: str | None = None,
        description: str | None = None,
        labels: list[str] | None = None,
    ) -> dict[str, Any]:
        """Adds a todo and returns it; ``errors.AlreadyExists`` if there is one of its id.

        >>> todo.append_todo("test", None, None, "do your homework", labels=["school"])["labels"]
        ['school']
        """
        try:
            return self._todos.append(
                id=id,
                user_id=user_id,
                subject=subject,
                body=body,
                priority=priority,
                status=status,
                description=description,
                labels=labels,
            )
        except errors.AlreadyExists:
            raise errors.AlreadyExists(f"todo {id} already exists") from None

    # update record

    def update_todo(
        self,
        id: str,
        user_id: str | None,
        subject: str | None,
        body: str | None,
        priority: int = 100,
        status: str | None = None,
        description: str | None = None,
        labels: list[str] | None = None,
    ) -> dict[str, Any]:
        """Replaces a todo, all of it, and returns it: see ``edit_todo`` for a part.

        >>> _ = todo.append_todo("test", None, None, "do your homework", priority=1)
        >>> todo.update_todo("test", None, None, "do your homework!")["priority"]
        100
        """
        return self.edit_todo(
            id,
            user_id=user_id,
            subject=subject,
            body=body,
            priority=priority,
            status=status,
            description=description,
            labels=labels,
        )

    def edit_todo(self, id: str, **changes: Any) -> dict[str, Any]:
        """Changes just the columns that are named, and returns the todo.

        >>> _ = todo.append_todo("test", None, None, "do your homework", priority=1)
        >>> todo.edit_todo("test", status="done")["priority"]
        1
        """
        try:
            return self._todos.update(id=id, **changes)
        except errors.NotFound:
            raise errors.NotFound(f"todo {id} does not exist") from None

    def delete_todo(self, id: str) -> datetime:
        """Deletes a todo; its history stays.

        >>> _ = todo.append_todo("test", None, None, "do your homework")
        >>> _ = todo.delete_todo("test")
        >>> todo.contains_todo("test")
        False
        """
        try:
            return self._todos.delete(id)
        except errors.NotFound:
            raise errors.NotFound(f"todo {id} does not exist") from None

    @property
    def _todos(self) -> Table:
        return self.table(self.todos_table_name)

    def _find(self, id: str, user_id: str | None) -> dict[str, Any] | None:
        found = self._todos.get(id)
        if found is None or (user_id and found["user_id"] != user_id):
            return None
        return found

    # aliases
    __call__ = get_todos
    t = todos_t
