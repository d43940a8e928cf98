"""What exists on both devices but not alike: names, keywords and calls to avoid, with remedies.

From the sources of cuDF 26.10 and CuPy 14: what they raise NotImplementedError for, warn about,
or answer in another order. Every rule here says what to write instead.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Kind = Callable[[ast.AST], str]

NO_ITERATION = (
    "cuDF's columns and groups can't be iterated: use a column operation, or take "
    "backend.to_pandas(…) first"
)
NOT_NUMBERS = (
    "text and nullable times are no CuPy arrays: factorize() the text, "
    'astype("int64") the time after fillna'
)
HOST_LIBRARY = {
    "numpy": "NumPy in device code: use backend.xp, or a function of its own for host arrays",
    "pandas": "pandas in device code: use backend.frames, or a function of its own for host frames",
}
# Types and scalars, which both libraries take from the host, and seeded draws, which are ours.
HOST_SCALARS = {
    "numpy": {
        *("bool_", "dtype", "errstate", "finfo", "iinfo", "inf", "nan", "newaxis", "pi", "random"),
        *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
        *("float32", "float64", "datetime64", "timedelta64"),
    },
    "pandas": {"Timedelta", "Timestamp"},
}
# The manifest lists no submodules.
XP_SUBMODULES = {
    "linalg": {
        *("cholesky", "det", "eigh", "eigvalsh", "inv", "lstsq", "matrix_power", "matrix_rank"),
        *("norm", "pinv", "qr", "slogdet", "solve", "svd"),
    }
}
_TO_HOST = "a copy to the host: name it, backend.to_host(…) or backend.to_pandas(…)"
_ROWS = "rows are not iterated on a GPU: use column operations, or a kernel on backend.xp"
REFUSED = {
    "NamedAgg": 'dask-cudf refuses it: agg({"column": "sum"}), then rename',
    "apply": "runs as Numba on cuDF: use column operations, or a kernel on backend.xp",
    "applymap": "runs as Numba on cuDF: use column operations, or a kernel on backend.xp",
    **dict.fromkeys(("iteritems", "iterrows", "itertuples"), _ROWS),
    **dict.fromkeys(("to_list", "to_numpy", "tolist"), _TO_HOST),
}
REMEDIES = {
    "Timedelta": "use np.timedelta64",
    "Timestamp": "use np.datetime64, or take a datetime as a parameter",
    "accumulate": "CuPy has add.accumulate and multiply.accumulate alone: use the runs of a sort",
    "datetime64": "use np.datetime64, a scalar of the host that both libraries take",
    "casefold": "use .str.lower()",
    "extractall": "use .str.findall or .str.extract",
    "filter": "select columns by name",
    "fullmatch": 'use .str.contains(r"^…$", regex=True)',
    "idxmax": "sort by the value with a tie-break and take the first",
    "idxmin": "sort by the value with a tie-break and take the first",
    "json_normalize": "flatten on the host, before the frame",
    "merge_asof": "sort both sides and use xp.searchsorted",
    "normalize": 'use .dt.floor("D")',
    "qcut": "use xp.quantile and xp.searchsorted",
    "reduceat": "CuPy has add.reduceat alone: use sums, or the first and last of a run",
    "set_axis": "assign to a copy's .index or .columns",
    "to_timedelta": "use np.timedelta64",
}
_SORT = {
    "inplace": "cuDF returns a new frame: assign the result",
    "key": "cuDF has no key=: sort by a column that holds it",
    "kind": "cuDF sorts stably but warns of it: add a tie-break to the columns",
}
_MERGE = {"indicator": "not on cuDF: bring a marker column", "validate": "not on cuDF: count keys"}
_FRAME_ONLY = "not on cuDF"
REFUSED_KEYWORDS: Mapping[str, Mapping[str, str]] = {
    "clip": {"axis": _FRAME_ONLY},
    "concat": {"keys": "not on cuDF: add a column", "levels": _FRAME_ONLY, "names": _FRAME_ONLY},
    "cumcount": {"ascending": "not on cuDF: sort the other way"},
    "fillna": {"limit": _FRAME_ONLY},
    "get_dummies": {"sparse": _FRAME_ONLY},
    "groupby": {"as_index": "not on dask-cudf: call reset_index() on the result"},
    "join": {"on": "not on cuDF: use merge", "validate": _FRAME_ONLY},
    "map": {"na_action": _FRAME_ONLY},
    "mask": {"axis": _FRAME_ONLY, "level": _FRAME_ONLY},
    "merge": _MERGE,
    "pivot_table": dict.fromkeys(("dropna", "margins", "observed", "sort"), _FRAME_ONLY),
    "reindex": dict.fromkeys(("level", "limit", "method", "tolerance"), _FRAME_ONLY),
    "shift": {"freq": _FRAME_ONLY, "suffix": _FRAME_ONLY},
    "sort_index": _SORT,
    "sort_values": _SORT,
    "to_datetime": {
        "errors": "cuDF raises for columns: keep what .str.istimestamp(format) knows, then parse",
        **dict.fromkeys(("exact", "origin", "yearfirst"), _FRAME_ONLY),
    },
    "where": {"axis": _FRAME_ONLY, "level": _FRAME_ONLY},
}
_REFUSED_ON_STR = {"replace": {"case": _FRAME_ONLY, "flags": _FRAME_ONLY}}
_REGEX_MUST_BE_SAID = {"contains", "replace", "split"}
_ALWAYS_REGEX = {"count", "extract", "findall", "match"}
# Look-around, inline flags, named groups; back-references.
_NOT_IN_LIBCUDF = re.compile(r"\(\?(?!:)|\\[1-9]")
_CONSUMERS = {"dict", "enumerate", "list", "map", "set", "sorted", "tuple", "zip"}
_CONSUMERS |= {"all", "any", "max", "min", "sum"}


def in_call(call: ast.Call, kind: Kind, constants: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the call, whatever the manifest says; `constants` are the file's own."""
    if not isinstance(call.func, ast.Attribute):
        return
    of, method = kind(call.func.value), call.func.attr
    if of in ("host", "module", "numpy", "ours", "pandas"):
        return
    given = {word.arg: word.value for word in call.keywords if word.arg}
    refused = _REFUSED_ON_STR if of == "StringMethods" else {} if of == "xp" else REFUSED_KEYWORDS
    for word in given.keys() & refused.get(method, {}).keys():
        yield f"{word}=: {refused[method][word]}"
    if of == "StringMethods":
        yield from _in_text(call, method, given, constants)
    elif method in ("agg", "aggregate"):
        yield from _in_aggregation(call)
    elif method == "groupby" and "sort" not in given:
        yield "sort= is not said: pandas sorts the groups, cuDF doesn't"
    elif method == "astype" and ast.unparse(call.args[0] if call.args else call) in _OBJECT:
        yield "cuDF has no object columns: use str or a number"
    elif method == "lexsort" and call.args and isinstance(call.args[0], ast.Tuple | ast.List):
        yield "CuPy takes one array of shape (keys, rows): xp.stack the keys"
    elif method in ("argsort", "sort") and ast.unparse(given.get("kind", _STABLE)) != "'stable'":
        yield 'CuPy knows kind="stable" alone'


def iterated(node: ast.AST, kind: Kind) -> Iterator[ast.expr]:
    """The device values that the loop, comprehension or builtin would go through one by one."""
    values: list[ast.expr] = []
    match node:
        case ast.For(iter=value) | ast.comprehension(iter=value):
            values = [value]
        case ast.Call(func=ast.Name(id=name), args=given) if name in _CONSUMERS:
            values = given
        case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join"), args=given):
            values = given
    yield from (value for value in values if kind(value) in ("Series", "GroupBy"))


_OBJECT = {"object", "'object'", "'O'"}
_STABLE = ast.Constant("stable")


def _in_aggregation(call: ast.Call) -> Iterator[str]:
    if any(isinstance(word.value, ast.Tuple) for word in call.keywords):
        yield REFUSED["NamedAgg"]
    inside = [node for value in (*call.args, *call.keywords) for node in ast.walk(value)]
    if any(isinstance(node, ast.Lambda) for node in inside):
        yield "cuDF aggregates by name alone, not by a function"
    if any(isinstance(node, ast.Constant) and node.value == "nunique" for node in inside):
        yield 'fails on both: drop_duplicates on key and column, then "count"'


def _in_text(
    call: ast.Call, method: str, given: Mapping[str, ast.expr], constants: Mapping[str, Any]
) -> Iterator[str]:
    if method in _REGEX_MUST_BE_SAID and "regex" not in given:
        yield "regex= is not said: pandas and cuDF guess differently"
    is_regex = method in _ALWAYS_REGEX or ast.unparse(given.get("regex", _STABLE)) == "True"
    first = call.args[0] if call.args else given.get("pat")
    pattern = constants.get(first.id) if isinstance(first, ast.Name) else first
    pattern = pattern.value if isinstance(pattern, ast.Constant) else pattern
    if is_regex and isinstance(pattern, str) and _NOT_IN_LIBCUDF.search(pattern):
        yield "libcudf's regex has no look-around, flags, named groups or back-references"
