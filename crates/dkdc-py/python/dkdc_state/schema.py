"""Declarations of tables, in whichever way people have them.

An Ibis schema, a dict of names and types, a dataclass or a pydantic model: all
become the state's own columns. Types are Ibis', Python's or the state's names.
"""

from __future__ import annotations

import dataclasses
import sys
import types
import typing
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from . import errors

_PYTHON: dict[Any, str] = {
    str: "text",
    int: "int",
    float: "float",
    bool: "bool",
    bytes: "bytes",
    datetime: "timestamp",
    date: "date",
    UUID: "uuid",
    dict: "json",
    Any: "json",
}

#: Ibis' names of types, and the state's own.
_NAMES = {
    "string": "text",
    "boolean": "bool",
    "binary": "bytes",
    "uint8": "int",
    "uint16": "int",
    "uint32": "int",
    **{f"int{bits}": "int" for bits in (8, 16, 32, 64)},
    **{f"float{bits}": "float" for bits in (16, 32, 64)},
    **{
        name: name
        for name in "text int float bool bytes blob timestamp date uuid json".split()
    },
}


class Column(NamedTuple):
    """A column: its name, its type, and whether every record must have it."""

    name: str
    type: str
    required: bool = False


class Declaration(NamedTuple):
    """A table's columns besides ``idx`` and ``id``, and what they are if not given."""

    columns: list[Column]
    defaults: dict[str, Any]


def declaration(table: str, declared: Any) -> Declaration:
    """What a declaration means.

    >>> declaration("notes", {"id": str, "body": "string", "labels": list[str]}).columns[1]
    Column(name='labels', type='list<text>', required=False)
    """
    fields, defaults = _fields(table, declared)
    columns = []
    for name, given in fields.items():
        kind, nullable = _column_type(table, name, given)
        if name == "id":
            if kind != "text":
                raise errors.Invalid(f"table {table}: the column id must be a string, not {kind}")
        elif name == "idx":
            if kind != "timestamp":
                raise errors.Invalid(f"table {table}: the column idx is a timestamp, not {kind}")
        else:
            columns.append(Column(name, kind, not nullable))
    if "id" not in fields:
        raise errors.Invalid(f"table {table} needs a column id of strings: it is the records' key")
    defaults = {name: value for name, value in defaults.items() if value is not None}
    return Declaration(columns, defaults)


def record(given: Any, values: dict[str, Any]) -> dict[str, Any]:
    """A record as a dict: one that was given, and columns named beside it."""
    if given is None:
        return values
    if isinstance(given, Mapping):
        fields = dict(given)
    elif dataclasses.is_dataclass(given) and not isinstance(given, type):
        fields = {field.name: getattr(given, field.name) for field in dataclasses.fields(given)}
    elif hasattr(given, "model_dump"):
        fields = given.model_dump()
    else:
        raise errors.Invalid(f"{type(given).__name__} is no record: give a dict or a dataclass")
    return {**fields, **values}


def _fields(table: str, declared: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Names and types, and defaults."""
    if dataclasses.is_dataclass(declared):
        hints = typing.get_type_hints(declared)
        members = dataclasses.fields(declared)
        defaults = {}
        for field in members:
            if field.default is not dataclasses.MISSING:
                defaults[field.name] = field.default
            elif field.default_factory is not dataclasses.MISSING:
                defaults[field.name] = field.default_factory()
        return {field.name: _Strict(hints[field.name]) for field in members}, defaults
    if hasattr(declared, "model_fields"):
        fields = {name: _Strict(field.annotation) for name, field in declared.model_fields.items()}
        defaults = {
            name: field.get_default(call_default_factory=True)
            for name, field in declared.model_fields.items()
            if not field.is_required()
        }
        return fields, defaults
    if isinstance(declared, Mapping):
        return dict(declared.items()), {}
    raise errors.Invalid(
        f"table {table}: {declared!r} declares no table; "
        "give a dict, an Ibis schema, a dataclass or a pydantic model"
    )


class _Strict(NamedTuple):
    """A type that says itself whether there may be none."""

    type: Any


def _column_type(table: str, name: str, given: Any) -> tuple[str, bool]:
    """The state's name of a type, and whether there may be no value."""
    strict = isinstance(given, _Strict)
    given = given.type if isinstance(given, _Strict) else given
    given, optional = _without_none(given)
    found = _type_name(given)
    if found is None:
        raise errors.Invalid(
            f"table {table}, column {name}: {given} cannot be kept; what can: strings, "
            "64-bit integers and floats, booleans, binary, timestamps to the microsecond, "
            "dates, UUIDs, JSON, and arrays of these except binary"
        )
    nullable = getattr(given, "nullable", True)
    return found, optional or (not strict and nullable)


def _without_none(given: Any) -> tuple[Any, bool]:
    unions: tuple[Any, ...] = (typing.Union, types.UnionType)
    if typing.get_origin(given) in unions:
        rest = [part for part in typing.get_args(given) if part is not type(None)]
        if len(rest) == 1:
            return rest[0], True
    return given, False


def _type_name(given: Any) -> str | None:
    if typing.get_origin(given) in (list, tuple):
        (item, *_) = typing.get_args(given)
        return _list_of(_type_name(_without_none(item)[0]))
    if typing.get_origin(given) is dict:
        return "json"
    try:
        if given in _PYTHON:
            return _PYTHON[given]
    except TypeError:
        pass
    if isinstance(given, str):
        return _by_name(given)
    ibis_types = sys.modules.get("ibis.expr.datatypes")
    if ibis_types is None:
        return None
    try:
        dtype = ibis_types.dtype(given)
    except (TypeError, ValueError):
        return None
    if dtype.is_array():
        return _list_of(_type_name(dtype.value_type))
    if dtype.is_timestamp():
        fits = dtype.timezone in (None, "UTC") and (dtype.scale or 6) <= 6
        return "timestamp" if fits else None
    return _NAMES.get(type(dtype).__name__.lower())


def _by_name(name: str) -> str | None:
    name = name.strip().lower().lstrip("!")
    for opening in ("array<", "list<"):
        if name.startswith(opening) and name.endswith(">"):
            return _list_of(_by_name(name[len(opening) : -1]))
    if name in ("timestamp(6)", "timestamp('utc')"):
        return "timestamp"
    return _NAMES.get(name)


def _list_of(item: str | None) -> str | None:
    return None if item is None else f"list<{item}>"
