"""Holds the code that may run on a GPU to the recorded API of cuDF 26.10, cuML 26.10 and CuPy 14.

**What is walked.** A function or method that has a parameter annotated `Frame`, `Series` or
`Array` (the aliases of `gpu_pipeline.backend`, also quoted or in a union), or a parameter or a
local named `xp`, with the functions inside it. Everything else is host code: a function whose
parameters are `pd.DataFrame` or `npt.NDArray` is free to use all of pandas and NumPy.

**What is host code inside a walked function.** A branch on the device (`if backend.device ==
"cpu": …`, and what follows an `if backend.device == "gpu": return …`), whatever comes out of
`backend.to_host` or `backend.to_pandas`, and a function inside it that takes `pd.` or `npt.`.

**How a name is judged.** By what the receiver is where that can be read off (a parameter, a
column of it, `.str`, a groupby, a local made from one of these), else by all kinds of device
value together, plain Python's types and our own classes. So the check finds what exists nowhere
and what is misspelt; the rest is for `tests/gpu` on a device.
"""

import ast
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from gpu_api import traps
from gpu_api.device_code import device_functions, gpu_nodes, is_host_type, parameter_kinds
from gpu_api.recorded import ACCESSORS, Api

__all__ = ["Api", "estimator_calls", "faults", "own_names"]

_LIBRARIES = {"np": "numpy", "numpy": "numpy", "pd": "pandas", "pandas": "pandas", "xp": "xp"}
_TO_HOST = {"to_host", "to_pandas", "to_arrow"}
# cuDF keeps its column index on the host.
_ON_HOST = {"columns", "dtype", "dtypes", "name", "names", "ndim", "shape"}
_SAME_KIND = {"assign", "astype", "copy", "drop", "dropna", "fillna", "head", "sort_values"}
# Nothing to hold to the manifest: mypy knows our own values, and host values are free.
_FREE = {"host", "module", "ours"}


def faults(source: str, path: str, api: Api, *, not_numbers: Collection[str] = ()) -> list[str]:
    """What the file's device code uses that a GPU lacks, as `path:line: code: why`.

    `not_numbers` are the columns that hold text or times, which no CuPy array can.
    """
    tree = ast.parse(source)
    known, constants = _module_names(tree)
    host_types = {name for node in tree.body for name, of in _assignments(node) if is_host_type(of)}
    found = {
        (node.lineno, f"{path}:{node.lineno}: {ast.unparse(node)[:80]}: {why}")
        for function in device_functions(tree)
        for node, why in _Walk(
            known | parameter_kinds(function, host_types), function, constants, api, not_numbers
        ).faults()
    }
    return [message for _, message in sorted(found)]


def own_names(source: str) -> Iterator[str]:
    """The methods and attributes of every class in the source."""
    for of in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)):
        for node in ast.walk(of):
            match node:
                case ast.FunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                    yield name
                case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                    yield name


def estimator_calls(source: str) -> Iterator[tuple[int, str, set[str]]]:
    """(line, name, keywords) of each `….estimator(name, …)`; code where a literal is due."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(attr="estimator"), args=[name, *_], keywords=given):
                words = {word.arg or f"**{ast.unparse(word.value)}" for word in given}
                yield node.lineno, ast.unparse(name).strip("'"), words


class _Walk:
    """One device function: what its names stand for, and what is wrong with their use."""

    def __init__(
        self,
        kinds: dict[str, str],
        function: ast.FunctionDef,
        constants: Mapping[str, Any],
        api: Api,
        not_numbers: Collection[str],
    ) -> None:
        self.api = api
        self.constants = constants
        self.not_numbers = not_numbers
        self.kinds = kinds
        self.nodes = gpu_nodes(function)
        self._learn_locals()

    def faults(self) -> Iterator[tuple[ast.expr, str]]:
        """Each faulty expression, with what is wrong and what to do."""
        calls = {id(node.func): node for node in self.nodes if isinstance(node, ast.Call)}
        for node in self.nodes:
            if isinstance(node, ast.Attribute):
                call = calls.get(id(node))
                yield from ((call or node, why) for why in self._name_faults(node, call))
            if isinstance(node, ast.Call):
                yield from ((node, why) for why in traps.in_call(node, self.kind, self.constants))
            yield from ((at, traps.NO_ITERATION) for at in traps.iterated(node, self.kind))

    def kind(self, node: ast.AST) -> str:
        """What the expression is: a kind of device value, a library, host, ours, or ?."""
        match node:
            case ast.Name(id=name):
                return _LIBRARIES.get(name) or self.kinds.get(name, "?")
            case ast.Attribute(attr="xp" | "frames" as name):
                return name
            case ast.Attribute(value=value, attr=name):
                return _attribute_kind(self.kind(value), name)
            case ast.Subscript(value=value, slice=key):
                of = self.kind(value)
                if of == "DataFrame" and isinstance(key, ast.Constant):
                    return "Series"
                return of if of in ("GroupBy", *_FREE) else "?"
            case ast.Call(func=ast.Attribute(value=value, attr=method), args=given):
                return self._result_kind(self.kind(value), method, given)
            case ast.Call(func=ast.Name(id="import_module")):
                return "module"
            case ast.Call(args=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts):
                return self._shared_kind(parts)
            case ast.comprehension(iter=value):
                return self.kind(value)
            case ast.BinOp() | ast.UnaryOp() | ast.Compare() | ast.IfExp():
                return self._shared_kind(list(ast.iter_child_nodes(node)))
            case ast.ListComp() | ast.GeneratorExp():
                return self._shared_kind(list(ast.iter_child_nodes(node)))
        return "?"

    def _result_kind(self, of: str, method: str, given: list[ast.expr]) -> str:
        if method in _TO_HOST or of == "host":
            return "host"
        if of in ("numpy", "pandas"):
            return self._shared_kind(given)
        if method == "groupby":
            return "GroupBy"
        return of if method in _SAME_KIND and of in ("DataFrame", "Series") else "?"

    def _shared_kind(self, parts: Sequence[ast.AST]) -> str:
        """Host where a part is, since host and device values don't mix; else unknown."""
        return "host" if any(self.kind(part) == "host" for part in parts) else "?"

    def _learn_locals(self) -> None:
        """A local has the kind of what is assigned to it, wherever that is always the same."""
        names = (node for node in self.nodes if isinstance(node, ast.Name))
        stored = Counter(name.id for name in names if isinstance(name.ctx, ast.Store))
        plain = [pair for node in self.nodes for pair in _assignments(node)]
        self.kinds |= dict.fromkeys(stored - Counter(name for name, _ in plain), "?")
        for name, value in sorted(plain, key=_from_inside_out):
            kind = self.kind(value)
            self.kinds[name] = kind if self.kinds.get(name, kind) == kind else "?"

    def _name_faults(self, node: ast.Attribute, call: ast.Call | None) -> Iterator[str]:
        of, name = self.kind(node.value), node.attr
        if of in _FREE:
            return
        if name in traps.REFUSED and of != "xp":
            yield traps.REFUSED[name]
            return
        why: str | None
        if isinstance(node.value, ast.Attribute) and self.kind(node.value.value) == "xp":
            why = self.api.ufunc_fault(node.value.attr, name)
        elif of in ("xp", "frames"):
            why = self.api.module_fault(of, name, call)
        elif of in ("numpy", "pandas"):
            is_free = name in traps.HOST_SCALARS[of] or (call and self.kind(call) == "host")
            why = None if is_free else traps.HOST_LIBRARY[of]
        else:
            why = self.api.method_fault(of, name, call)
        if why:
            yield f"{why}; {traps.REMEDIES[name]}" if name in traps.REMEDIES else why
        if name == "values" and _column(node.value) in self.not_numbers:
            yield traps.NOT_NUMBERS


def _attribute_kind(of: str, name: str) -> str:
    if of in _FREE:
        return of
    if of in ("numpy", "pandas") or name in _ON_HOST:
        return "host"
    return "ndarray" if name == "values" else ACCESSORS.get(name, "?")


def _module_names(tree: ast.Module) -> tuple[dict[str, str], dict[str, Any]]:
    """What the file's imports and own names are, and the values of its literal constants."""
    known: dict[str, str] = {}
    constants: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = (alias.asname or alias.name.split(".")[0] for alias in node.names)
            known |= dict.fromkeys(names, "module")
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            known[node.name] = "module"
        for name, value in _assignments(node):
            known[name] = "module"
            if isinstance(value, ast.Constant):
                constants[name] = value.value
    return known, constants


def _assignments(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Names and what is assigned to them; a loop's or a tuple's names are pieces of the whole."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield name, value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
            if len(names) == len(values) and all(isinstance(name, ast.Name) for name in names):
                yield from zip((ast.unparse(name) for name in names), values, strict=True)
        case (
            ast.Assign(targets=[target], value=whole)
            | ast.For(target=target, iter=whole)
            | ast.comprehension(target=target, iter=whole)
        ):
            piece = ast.copy_location(ast.Subscript(whole, ast.Slice()), whole)
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            yield from ((name.id, piece) for name in names if isinstance(name, ast.Name))


def _from_inside_out(assignment: tuple[str, ast.expr]) -> tuple[int, int]:
    """Orders assignments as they happen: a comprehension's before what it is assigned to."""
    value = assignment[1]
    return value.end_lineno or 0, -value.col_offset


def _column(node: ast.expr) -> str | None:
    """The name of the column that is taken from a frame, where it is written out."""
    match node:
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
    return None
