"""The post, pasted in its order: every complete statement of it, verbatim.

Left out is its import of its own website. Calls whose output it shows and whose
text it lost are reconstructed, and marked so. `shown` collects what it showed.
"""

# ruff: noqa
shown = {}

from dkdc_state import State, ibis

ibis.options.interactive = True

state = State()
state._clear()  # for demonstration purposes, clear all tables

from dkdc_todo import Todo

todo = Todo(dbpath="data.db")

shown["no todos"] = todo.t()  # reconstructed
shown["no todos"] = (repr(shown["no todos"]), shown["no todos"].schema())

shown["appended"] = (
todo.append_todo(id="test", user_id=None, subject=None, body="do your homework")
)

shown["one todo"] = repr(todo.t()), todo.t().to_pyarrow()  # reconstructed

shown["updated"] = (
todo.update_todo(id="test", user_id=None, subject=None, body="do your homework!")
)

shown["still one todo"] = repr(todo.t()), todo.t().to_pyarrow()  # reconstructed

underlying = todo.wcon.table(todo.todos_table_name)  # reconstructed
shown["underlying todos"] = repr(underlying), underlying.to_pyarrow()

shown["got"] = todo.get_todo(id="test")  # reconstructed

from dkdc_lake import Lake

lake = Lake(dbpath="data.db")

shown["no files"] = repr(lake.t()), lake.t().schema()  # reconstructed

shown["appended file"] = lake.append_file(  # reconstructed but for its last line
    user_id=None,
    path=None,
    filename="test.txt",
    filetype="txt",
    data=b"hello world",
)

shown["one file"] = repr(lake.t()), lake.t().to_pyarrow()  # reconstructed

shown["updated file"] = lake.update_file(  # reconstructed but for one line
    user_id=None,
    path=None,
    filename="test.txt",
    filetype="txt",
    data=b"hello world!",
    version=None,
    status=None,
    description=None,
)

shown["still one file"] = repr(lake.t()), lake.t().to_pyarrow()  # reconstructed

underlying = lake.wcon.table(lake.lake_table_name)  # reconstructed
shown["underlying files"] = repr(underlying), underlying.to_pyarrow()

ibis.options.interactive = False
