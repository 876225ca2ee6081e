"""Ibis expressions over every type of column, by name: what DuckDB can be asked.

`every()` makes them out of lists of operations; each is a function of the table.
The rows are multiples of a quarter and the like, so that no sum depends on order.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import ibis
import ibis.expr.types as ir
from ibis import _

SCHEMA = {
    "id": "string",
    "i": "int64",
    "j": "int64",
    "f": "float64",
    "g": "float64",
    "b": "boolean",
    "s": "string",
    "u": "string",
    "d": "date",
    "e": "date",
    "ts": "timestamp",
    "tt": "timestamp",
    "uid": "uuid",
    "js": "json",
    "bin": "binary",
    "a": "array<int64>",
    "w": "array<string>",
}


def rows() -> list[dict[str, Any]]:
    """The same 60 rows each time; every seventh value of a column is NULL."""
    words = ["", "alpha", "Beta gamma", "x,y,z", "naïve", "10", "a1b22", "  pad ", "%_"]
    made = []
    for n in range(60):
        day = datetime.date(2020, 2, 27) + datetime.timedelta(days=n * 11)
        time = datetime.datetime(2021, 12, 31, 22, 59, 30, 250000) + datetime.timedelta(
            hours=n * 7, microseconds=n
        )
        row: dict[str, Any] = {
            "i": n * 37 % 23 - 11,
            "j": n % 5 + 1,
            "f": (n * 13 % 29 - 14) / 4,
            "g": (n % 8 + 1) / 2,
            "b": n % 3 == 0,
            "s": words[n % len(words)],
            "u": words[n * 5 % len(words)],
            "d": day,
            "e": day + datetime.timedelta(days=n % 40 - 20),
            "ts": time,
            "tt": time + datetime.timedelta(minutes=n * n),
            "uid": uuid.UUID(int=n % 6 + 1),
            "js": {"a": n, "b": [n, None], "c": {"d": words[n % 9]}, "f": n / 4, "t": n % 2 == 0},
            "bin": bytes([n, 255 - n]),
            "a": [n % 4, 7, n % 2],
            "w": [words[n % 9], "w"],
        }
        for at, name in enumerate(row):
            if (n + at) % 7 == 6 and name != "j":
                row[name] = None
        made.append({"id": f"r{n:03}", **row})
    return made


Make = Callable[[ir.Table], Any]

NUMBERS = ["i", "j", "f", "g"]
OF_ANY = {
    "isnull": lambda c: c.isnull(),
    "notnull": lambda c: c.notnull(),
    "count": lambda c: c.count(),
    "nunique": lambda c: c.nunique(),
    "max": lambda c: c.max(),
    "min": lambda c: c.min(),
    "typeof": lambda c: c.typeof(),
    "coalesce": lambda c: ibis.coalesce(c, c.max()),
    "distinct": lambda c: c.as_table().distinct(),
    "value_counts": lambda c: c.value_counts(),
    "equals itself": lambda c: c == c,
    "identical_to null": lambda c: c.identical_to(ibis.null(c.type())),
}
OF_NUMBER = {
    "abs": lambda c: c.abs(),
    "negate": lambda c: -c,
    "ceil": lambda c: c.ceil(),
    "floor": lambda c: c.floor(),
    "round": lambda c: c.round(),
    "round 1": lambda c: c.round(1),
    "sign": lambda c: c.sign(),
    "sqrt": lambda c: c.abs().sqrt(),
    "exp": lambda c: (c / 16).exp(),
    "ln": lambda c: (c.abs() + 1).ln(),
    "log2": lambda c: (c.abs() + 1).log2(),
    "log10": lambda c: (c.abs() + 1).log10(),
    "log": lambda c: (c.abs() + 1).log(3),
    "isnan": lambda c: ((c - c) / 0.0).isnan(),
    "isinf": lambda c: (c / 0.0).isinf(),
    "sin": lambda c: c.sin(),
    "cos": lambda c: c.cos(),
    "tan": lambda c: c.tan(),
    "cot": lambda c: (c + 100).cot(),
    "asin": lambda c: (c / 64).asin(),
    "acos": lambda c: (c / 64).acos(),
    "atan": lambda c: c.atan(),
    "degrees": lambda c: c.degrees(),
    "radians": lambda c: c.radians(),
    "clip": lambda c: c.clip(-2, 3),
    "to int": lambda c: c.cast("int32"),
    "to float": lambda c: c.cast("float32"),
    "to string": lambda c: c.cast("string"),
    "to decimal": lambda c: c.cast("decimal(12, 3)"),
    "try_cast": lambda c: c.cast("string").try_cast("int64"),
    "fill_null": lambda c: c.fill_null(0),
    "nullif": lambda c: c.nullif(1),
    "between": lambda c: c.between(-1, 2),
    "isin": lambda c: c.isin([1, 2, 3]),
    "notin": lambda c: c.notin([1, 2, 3]),
    "cases": lambda c: ibis.cases((c > 2, "high"), (c < 0, "low"), else_="mid"),
    "ifelse": lambda c: (c > 0).ifelse(c, -c),
    "bucket": lambda c: c.bucket([-20, -5, 0, 5, 20]),
    "histogram": lambda c: c.histogram(nbins=4),
    "sum": lambda c: c.sum(),
    "mean": lambda c: c.mean(),
    "median": lambda c: c.median(),
    "std": lambda c: c.std(),
    "var": lambda c: c.var(how="pop"),
    "quantile": lambda c: c.quantile(0.25),
    "quantiles": lambda c: c.quantile([0.25, 0.5]),
    # What is approximate depends on the order of rows: near enough is the same.
    "approx_quantile": lambda c: (c.approx_quantile(0.25) - c.quantile(0.25)).abs() < 1,
    "approx_quantiles": lambda c: c.approx_quantile([0.25, 0.5]).length(),
    "mode": lambda c: (c > -2).ifelse("most", "few").mode(),
    "kurtosis": lambda c: c.kurtosis(),
    "sum where": lambda c: c.sum(where=c > 0),
    "any": lambda c: (c > 5).any(),
    "all": lambda c: (c > -100).all(),
    "rank": lambda c: c.rank(),
    "dense_rank": lambda c: c.dense_rank(),
    "percent_rank": lambda c: c.percent_rank(),
    "cume_dist": lambda c: c.cume_dist(),
    "top": lambda c: c.topk(3, by=c.max()),
}
OF_TWO_NUMBERS = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "//": lambda x, y: x // y,
    "%": lambda x, y: x % y,
    "**": lambda x, y: x.abs() ** (y % 3),
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">=": lambda x, y: x >= y,
    "!=": lambda x, y: x != y,
    "greatest": lambda x, y: ibis.greatest(x, y),
    "least": lambda x, y: ibis.least(x, y),
    "atan2": lambda x, y: x.atan2(y),
    "corr": lambda x, y: x.corr(y, how="pop"),
    "cov": lambda x, y: x.cov(y),
    "argmax": lambda x, y: x.argmax(y * 100 + x),
    "argmin": lambda x, y: x.argmin(y * 100 + x),
}
OF_TWO_INTS = {
    "&": lambda x, y: x & y,
    "|": lambda x, y: x | y,
    "^": lambda x, y: x ^ y,
    "~": lambda x, y: ~x,
    "<<": lambda x, y: x.abs() << y,
    ">>": lambda x, y: x.abs() >> y,
    "bit_and": lambda x, y: x.bit_and(),
    "bit_or": lambda x, y: x.bit_or(),
    "bit_xor": lambda x, y: x.bit_xor(),
    "to_interval": lambda x, y: ibis.date("2020-01-31") + y.as_interval("M"),
    "as_timestamp": lambda x, y: (y * 100_000_000).as_timestamp("s"),
    "range": lambda x, y: ibis.range(y),
}
OF_BOOL = {
    "not": lambda t: ~t.b,
    "and": lambda t: t.b & (t.i > 0),
    "or": lambda t: t.b | (t.i > 0),
    "xor": lambda t: t.b ^ (t.i > 0),
    "any": lambda t: t.b.any(),
    "all": lambda t: t.b.all(),
    "notall": lambda t: t.b.notall(),
    "notany": lambda t: t.b.notany(),
    "sum": lambda t: t.b.sum(),
    "mean": lambda t: t.b.mean(),
    "to int": lambda t: t.b.cast("int64"),
    "ifelse": lambda t: t.b.ifelse("yes", "no"),
}
OF_STRING = {
    "upper": lambda c: c.upper(),
    "lower": lambda c: c.lower(),
    "capitalize": lambda c: c.capitalize(),
    "length": lambda c: c.length(),
    "strip": lambda c: c.strip(),
    "lstrip": lambda c: c.lstrip(),
    "rstrip": lambda c: c.rstrip(),
    "reverse": lambda c: c.reverse(),
    "contains": lambda c: c.contains("a"),
    "startswith": lambda c: c.startswith("a"),
    "endswith": lambda c: c.endswith("a"),
    "find": lambda c: c.find("a"),
    "left": lambda c: c.left(3),
    "right": lambda c: c.right(3),
    "substr": lambda c: c.substr(1, 3),
    "slice": lambda c: c[1:4],
    "item": lambda c: c[0],
    "replace": lambda c: c.replace("a", "A"),
    "translate": lambda c: c.translate("ab", "xy"),
    "re_search": lambda c: c.re_search(r"\d+"),
    "re_extract": lambda c: c.re_extract(r"([a-z])(\d+)", 2),
    "re_replace": lambda c: c.re_replace(r"[aeiou]", "*"),
    "re_split": lambda c: c.re_split(r"[, ]"),
    "split": lambda c: c.split(","),
    "lpad": lambda c: c.lpad(12, "-"),
    "rpad": lambda c: c.rpad(12, "-"),
    "repeat": lambda c: c.repeat(2),
    "ascii_str": lambda c: c.ascii_str(),
    "like": lambda c: c.like("%a%"),
    "ilike": lambda c: c.ilike("%A%"),
    "concat": lambda c: c.concat("-", c),
    "+": lambda c: c + "!",
    "levenshtein": lambda c: c.levenshtein("alpha"),
    "hexdigest": lambda c: c.hexdigest("md5"),
    "group_concat": lambda c: c.group_concat("|", order_by=c),
    "isin": lambda c: c.isin(["alpha", "10"]),
    "try int": lambda c: c.try_cast("int64"),
    "to binary": lambda c: c.ascii_str().cast("string").cast("binary"),
    "less": lambda c: c < "b",
    "max by length": lambda c: c.length().max(),
    "mode": lambda c: c.fill_null("").mode(),
    "join": lambda c: ibis.literal("/").join([c, c]),
    "is a number": lambda c: c.re_search("^[0-9]+$"),
    "hash": lambda c: c.hash(),
    "find_in_set": lambda c: c.find_in_set(["10", "alpha"]),
}
OF_DATE = {
    "year": lambda c: c.year(),
    "month": lambda c: c.month(),
    "day": lambda c: c.day(),
    "quarter": lambda c: c.quarter(),
    "week_of_year": lambda c: c.week_of_year(),
    "day_of_year": lambda c: c.day_of_year(),
    "day_of_week": lambda c: c.day_of_week.index(),
    "day name": lambda c: c.day_of_week.full_name(),
    "iso_year": lambda c: c.iso_year(),
    "strftime": lambda c: c.strftime("%Y/%m/%d"),
    "truncate month": lambda c: c.truncate("M"),
    "truncate year": lambda c: c.truncate("Y"),
    "truncate week": lambda c: c.truncate("W"),
    "+ day": lambda c: c + ibis.interval(days=3),
    "- month": lambda c: c - ibis.interval(months=1),
    "to string": lambda c: c.cast("string"),
    "group by year": lambda c: c.year().value_counts(),
    "mode": lambda c: c.year().mode(),
    "newest": lambda c: c.max() == c,
    "epoch_seconds": lambda c: c.epoch_seconds(),
    "before today": lambda c: c.cast("date") < ibis.today(),
    "before now": lambda c: c.cast("timestamp") < ibis.now(),
    "text to date": lambda c: c.strftime("%d.%m.%Y").as_date("%d.%m.%Y"),
}
OF_TIMESTAMP = {
    **OF_DATE,
    "hour": lambda c: c.hour(),
    "minute": lambda c: c.minute(),
    "second": lambda c: c.second(),
    "millisecond": lambda c: c.millisecond(),
    "microsecond": lambda c: c.microsecond(),
    "date": lambda c: c.date(),
    "time": lambda c: c.time(),
    "iso text": lambda c: c.strftime("%Y-%m-%dT%H:%M:%S"),
    "millennia": lambda c: c.year() // 1000,
    "truncate hour": lambda c: c.truncate("h"),
    "truncate ms": lambda c: c.truncate("ms"),
    "bucket": lambda c: c.bucket(hours=6),
    "+ seconds": lambda c: c + ibis.interval(seconds=90),
    "to date": lambda c: c.cast("date"),
    "hour between": lambda c: c.hour().between(8, 16),
    "greater": lambda c: c > ibis.timestamp("2022-01-05 00:00:00"),
    "epoch_seconds": lambda c: c.truncate("s").epoch_seconds(),
    "text to timestamp": lambda c: c.strftime("%d.%m.%Y %H:%M").as_timestamp("%d.%m.%Y %H:%M"),
    "text to time": lambda c: c.strftime("%H:%M:%S").as_time("%H:%M:%S"),
    "time + hours": lambda c: c.time() + ibis.interval(hours=3),
    "time - hours": lambda c: c.time() - ibis.interval(hours=3),
    "time made": lambda c: ibis.time(c.hour(), c.minute(), 0),
}
OF_TWO_TIMES = {
    "not equal": lambda x, y: x != y,
    "<": lambda x, y: x < y,
    "delta": lambda x, y: x.delta(y, unit="day"),
    "coalesce": lambda x, y: ibis.coalesce(x, y),
    "between": lambda x, y: x.between(y, y + ibis.interval(days=9)),
    "argmax": lambda x, y: x.argmax(y),
    "difference": lambda x, y: (x - y).cast("string"),
}
OF_TWO_TIMESTAMPS = {
    "difference added": lambda x, y: y + (x - y),
    "times' delta": lambda x, y: x.time().delta(y.time(), unit="minute"),
    "range": lambda x, y: ibis.range(x, y, step=ibis.interval(hours=12)),
}
OF_ARRAY = {
    "length": lambda t: t.a.length(),
    "item": lambda t: t.a[0],
    "slice": lambda t: t.a[1:],
    "contains": lambda t: t.a.contains(7),
    "index": lambda t: t.a.index(7),
    "concat": lambda t: t.a.concat(t.a),
    "repeat": lambda t: t.a.repeat(2),
    "unnest": lambda t: t.a.unnest(),
    "sort": lambda t: t.a.sort(),
    "unique": lambda t: t.a.unique().sort(),
    "remove": lambda t: t.a.remove(7),
    "map": lambda t: t.a.map(lambda x: x * 2),
    "filter": lambda t: t.a.filter(lambda x: x > 1),
    "union": lambda t: t.a.union(ibis.array([9])).sort(),
    "intersect": lambda t: t.a.intersect(ibis.array([7])),
    "zip": lambda t: t.a.zip(t.w),
    "flatten": lambda t: ibis.array([t.a, t.a]).flatten(),
    "sums": lambda t: t.a.sums(),
    "maxs": lambda t: t.a.maxs(),
    "mins": lambda t: t.a.mins(),
    "means": lambda t: t.a.means(),
    "modes": lambda t: t.a.concat(t.a).concat(ibis.array([7])).modes(),
    "anys": lambda t: t.a.map(lambda x: x > 2).anys(),
    "alls": lambda t: t.a.map(lambda x: x > 0).alls(),
    "join": lambda t: t.w.join("+"),
    "of texts": lambda t: t.w.contains("alpha"),
    "texts mapped": lambda t: t.w.map(lambda x: x.upper()),
    "to text": lambda t: t.a.cast("array<string>"),
    "table unnest": lambda t: t.select("id", "a").unnest("a"),
    "equality": lambda t: t.a == ibis.array([1, 7, 1]),
    "made": lambda t: ibis.array([t.i, t.j]),
    "collect": lambda t: t.i.collect(order_by=t.id),
    "collect distinct": lambda t: t.j.collect(order_by=t.j, distinct=True),
}
OF_OTHERS = {
    "json field": lambda t: t.js["a"],
    "json path": lambda t: t.js["c"]["d"].str,
    "json int": lambda t: t.js["a"].int,
    "json item": lambda t: t.js["b"][0].int,
    "json array": lambda t: t.js["b"].array.length(),
    "json text": lambda t: t.js.cast("string"),
    "json sum": lambda t: t.js["a"].int.sum(),
    "json float": lambda t: t.js["f"].float,
    "json bool": lambda t: t.js["t"].bool,
    "json map": lambda t: t.js["c"].map.get("d").str,
    "uuid text": lambda t: t.uid.cast("string"),
    "uuid equals": lambda t: t.uid == ibis.uuid("00000000-0000-0000-0000-000000000002"),
    "uuid max": lambda t: t.uid.max(),
    "uuid groups": lambda t: t.group_by("uid").agg(n=_.count()),
    "binary equals": lambda t: t.bin == ibis.literal(b"\x01\xfe", type="binary"),
    "binary max": lambda t: t.bin.max(),
    "struct": lambda t: ibis.struct({"x": t.i, "y": t.s}),
    "struct field": lambda t: ibis.struct({"x": t.i, "y": t.s}).x,
    "struct unpacked": lambda t: t.select(z=ibis.struct({"x": t.i, "y": t.s})).unpack("z"),
    "map": lambda t: ibis.map(ibis.array(["k"]), ibis.array([t.i])).get("k"),
    "map length": lambda t: _map(t).length(),
    "map keys": lambda t: _map(t).keys(),
    "map values": lambda t: _map(t).values(),
    "map contains": lambda t: _map(t).contains("j"),
    "map merge": lambda t: (_map(t) + ibis.map(ibis.array(["z"]), ibis.array([t.j]))).get("z"),
    "literal": lambda t: t.mutate(l=ibis.literal(5)),
    "null": lambda t: t.mutate(l=ibis.null("int64")),
    "row_number": lambda t: t.order_by("id").mutate(n=ibis.row_number()),
    "date made": lambda t: ibis.date(t.d.year(), t.d.month(), 1),
    "timestamp made": lambda t: ibis.timestamp(2020, 1, t.j, 1, 2, 3),
    "interval +": lambda t: t.d + (t.j.as_interval("D") + ibis.interval(days=1)),
    "interval -": lambda t: t.d + (t.j.as_interval("D") - ibis.interval(days=1)),
    "interval *": lambda t: t.d + t.j.as_interval("D") * 3,
    "pi and e": lambda t: t.f * ibis.pi + ibis.e,
    "random": lambda t: ibis.random() < 2,
    "random uuid": lambda t: ibis.uuid().cast("string").length(),
    "udf of DuckDB": lambda t: _jaccard(t.s.fill_null("") + "x", t.u.fill_null("") + "y"),
    "udf of Python": lambda t: _twice(t.i),
    "aggregate udf of DuckDB": lambda t: _product(t.j, where=t.i > 8),
}


def _map(t: ir.Table) -> Any:
    return ibis.map(ibis.array(["k", "j"]), ibis.array([t.i, t.j]))


@ibis.udf.scalar.builtin(name="jaccard")
def _jaccard(left: str, right: str) -> float: ...


@ibis.udf.scalar.python
def _twice(n: int) -> int:
    return 2 * n


@ibis.udf.agg.builtin(name="product")
def _product(n: int) -> float: ...


def _windows() -> dict[str, Make]:
    by = {"group_by": "j", "order_by": "id"}
    made: dict[str, Make] = {
        "row_number": lambda t: t.mutate(n=ibis.row_number().over(**by)).select("id", "n"),
        "rank": lambda t: ibis.rank().over(group_by="j", order_by=t.i),
        "dense_rank": lambda t: ibis.dense_rank().over(group_by="j", order_by=t.i),
        "percent_rank": lambda t: ibis.percent_rank().over(group_by=t.j, order_by=t.id),
        "cume_dist": lambda t: ibis.cume_dist().over(group_by=t.j, order_by=t.id),
        "ntile": lambda t: ibis.ntile(4).over(group_by=t.j, order_by=t.id),
        "lag": lambda t: t.i.lag().over(**by),
        "lag 2": lambda t: t.i.lag(2, 0).over(**by),
        "lead": lambda t: t.s.lead().over(**by),
        "first": lambda t: t.f.first().over(**by),
        "last": lambda t: t.f.last().over(**by),
        "nth": lambda t: t.f.nth(1).over(**by),
        "cumsum": lambda t: t.i.cumsum(group_by="j", order_by="id"),
        "cummax": lambda t: t.i.cummax(group_by="j", order_by="id"),
        "cummin": lambda t: t.i.cummin(group_by="j", order_by="id"),
        "cummean": lambda t: t.i.cummean(group_by="j", order_by="id"),
        "rows": lambda t: t.i.sum().over(rows=(-2, 1), **by),
        "range": lambda t: t.i.sum().over(range=(-2, 2), order_by=t.j),
        "whole": lambda t: t.f.sum().over(),
        "share": lambda t: t.j / t.j.sum().over(group_by="b"),
        "count": lambda t: t.s.count().over(**by),
        "std": lambda t: t.f.std().over(group_by="j"),
        "latest": lambda t: t.mutate(
            r=ibis.row_number().over(group_by="uid", order_by=ibis.desc("id"))
        ).filter(_.r == 0),
    }
    return made


def _tables() -> dict[str, Make]:
    return {
        "filter": lambda t: t.filter(t.i > 0, t.b),
        "select": lambda t: t.select("id", x=t.i + 1),
        "mutate": lambda t: t.mutate(x=_.i * 2),
        "rename": lambda t: t.rename(number="i"),
        "drop": lambda t: t.drop("js", "bin"),
        "relocate": lambda t: t.relocate("s"),
        "distinct": lambda t: t.select("j", "b").distinct(),
        "distinct on": lambda t: t.order_by("id").distinct(on="j", keep="first").select("j"),
        "limit": lambda t: t.order_by("id").limit(5, offset=3),
        "head": lambda t: t.order_by("id").head(3),
        "order_by": lambda t: t.order_by(ibis.desc("i"), "id").select("id"),
        "nulls first": lambda t: t.order_by(ibis.asc("i", nulls_first=True), "id").select("id"),
        "count": lambda t: t.count(),
        "count where": lambda t: t.count(where=t.i > 0),
        "nunique": lambda t: t.select("j").nunique(),
        "drop_null": lambda t: t.drop_null(["i", "s"]),
        "fill_null": lambda t: t.fill_null({"i": 0, "s": ""}),
        "cast": lambda t: t.cast({"i": "float64"}),
        "union": lambda t: t.select("i").union(t.select(i=_.j)),
        "union distinct": lambda t: t.select("i").union(t.select("i"), distinct=True),
        "intersect": lambda t: t.select("i").intersect(t.select(i=_.j)),
        "difference": lambda t: t.select("i").difference(t.select(i=_.j)),
        "aggregate": lambda t: t.agg(n=_.count(), total=_.i.sum()),
        "group_by": lambda t: t.group_by("j").agg(n=_.count(), m=_.f.mean()),
        "group_by two": lambda t: t.group_by("j", "b").agg(n=_.i.max()),
        "group_by expr": lambda t: t.group_by(y=t.d.year()).agg(n=_.count()),
        "having": lambda t: t.group_by("i").having(_.count() > 2).agg(n=_.count()),
        "group mutate": lambda t: t.group_by("j").mutate(m=_.f.mean()).select("id", "m"),
        "inner join": lambda t: t.select("id", "j").join(_two(t), "j"),
        "left join": lambda t: t.select("id", "i").left_join(_two(t), _.i == _two(t).j),
        "right join": lambda t: _two(t).right_join(t.select("id", "j"), "j"),
        "outer join": lambda t: t.select("id", "i").outer_join(_two(t), [("i", "j")]),
        "semi join": lambda t: t.select("id", "j").semi_join(_two(t).filter(_.j > 2), "j"),
        "anti join": lambda t: t.select("id", "j").anti_join(_two(t).filter(_.j > 2), "j"),
        "cross join": lambda t: t.select("id").limit(0).cross_join(_two(t)),
        "self join": lambda t: t.select("id", "i").join(t.view().select("i", "s"), "i"),
        "asof join": lambda t: t.select("id", "ts").drop_null().asof_join(
            t.view().select(k="id", ts=_.tt).drop_null(), "ts"
        ).select("id", "k"),
        "isin subquery": lambda t: t.filter(t.i.isin(t.select("j").distinct().j)).select("id"),
        "scalar subquery": lambda t: t.filter(t.f > t.f.mean().as_scalar()).select("id"),
        "pivot_longer": lambda t: t.select("id", "i", "j").pivot_longer(["i", "j"]),
        "pivot_wider": lambda t: t.select("id", "i", k="k" + _.j.cast("string")).pivot_wider(
            names_from="k", values_from="i", names=["k1", "k2"], values_agg="sum"
        ),
        "unpivoted sum": lambda t: t.select("i", "j").pivot_longer(["i", "j"]).value.sum(),
        "describe": lambda t: t.select("i", "f").describe(),
        "info": lambda t: t.select("i", "s").info(),
        "alias sql": lambda t: t.alias("things").sql("SELECT id, i + j AS ij FROM things"),
        "value_counts": lambda t: t.j.value_counts(name="n"),
        "memtable join": lambda t: t.select("id", "j").join(
            ibis.memtable({"j": [1, 2], "name": ["one", "two"]}), "j"
        ),
        "memtable union": lambda t: t.select("j").union(ibis.memtable({"j": [99]})),
        "across": lambda t: t.agg(ibis.selectors.across(ibis.selectors.numeric(), _.max())),
        "if_any": lambda t: t.filter(
            ibis.selectors.if_any(ibis.selectors.numeric(), _ > 10)
        ).select("id"),
        "mutate chain": lambda t: t.mutate(x=_.i + 1).mutate(y=_.x * 2).filter(_.y > 0),
        "case": lambda t: t.mutate(k=_.j.cases((1, "one"), (2, "two"), else_="many")),
        "window filter": lambda t: t.filter(_.i == _.i.max().over(group_by="j")).select("id"),
        "row ids": lambda t: t.select(ibis.row_number().over(order_by="id").name("n")),
        "sample all": lambda t: t.sample(1.0).count(),
        "sample": lambda t: t.sample(0.5).count().between(0, 60),
        "exists": lambda t: t.select("id", "i").filter(
            lambda x: (_two(t).j == x.i).any()
        ),
        "literal as a table": lambda t: ibis.literal(5).name("five").as_table(),
        "sql": lambda t: t.get_backend().sql("SELECT 42 AS answer"),
        "time series": lambda t: t.group_by(m=_.ts.truncate("D")).agg(n=_.count()),
        "top": lambda t: t.s.topk(2, by=t.i.sum()),
        "first": lambda t: t.order_by("id").agg(x=_.i.first(order_by=_.id)),
        "arbitrary": lambda t: t.j.arbitrary() > 0,
        "approx_nunique": lambda t: t.j.approx_nunique() > 3,
        "approx_median": lambda t: t.j.approx_median() >= 1,
    }


def _two(t: ir.Table) -> ir.Table:
    return t.group_by("j").agg(biggest=_.f.max())


#: What Ibis hands on, and DuckDB refuses for every column that there is.
REFUSED: dict[str, Make] = {
    "TimeDiff": lambda t: (t.ts.time() - t.tt.time()).cast("string"),
    "TimeTruncate": lambda t: t.ts.time().truncate("h"),
}


def every() -> Iterator[tuple[str, Make]]:
    """All of them, each with a name of its own."""
    for column in SCHEMA:
        for name, op in OF_ANY.items():
            if column == "js" and name in ("max", "min", "coalesce"):
                continue
            yield f"{column}: {name}", _of(op, column)
    for column in NUMBERS:
        for name, op in OF_NUMBER.items():
            yield f"{column}: number: {name}", _of(op, column)
    for name, op in OF_TWO_NUMBERS.items():
        for left, right in [("i", "j"), ("f", "g"), ("i", "g")]:
            yield f"{left} {name} {right}", _of(op, left, right)
    for name, op in OF_TWO_INTS.items():
        yield f"i, j: {name}", _of(op, "i", "j")
    for column in ("s", "u"):
        for name, op in OF_STRING.items():
            yield f"{column}: text: {name}", _of(op, column)
    for name, op in OF_DATE.items():
        yield f"d: date: {name}", _of(op, "d")
    for name, op in OF_TIMESTAMP.items():
        yield f"ts: timestamp: {name}", _of(op, "ts")
    for left, right in [("d", "e"), ("ts", "tt")]:
        for name, op in OF_TWO_TIMES.items():
            yield f"{left}, {right}: {name}", _of(op, left, right)
    for name, op in OF_TWO_TIMESTAMPS.items():
        yield f"ts, tt: {name}", _of(op, "ts", "tt")
    of_tables = {
        "bool": OF_BOOL,
        "array": OF_ARRAY,
        "other": OF_OTHERS,
        "window": _windows(),
        "table": _tables(),
    }
    for of, operations in of_tables.items():
        for name, make in operations.items():
            yield f"{of}: {name}", make


def _of(op: Callable[..., Any], *columns: str) -> Make:
    return lambda t: op(*(t[column] for column in columns))
