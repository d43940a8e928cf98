"""Which functions are device code, and which of their statements run on a GPU."""

import ast
import re
from collections.abc import Collection, Iterator

_ALIAS = re.compile(r"(?<![\w.])(Frame|Series|Array)\b")
_KIND_OF_ALIAS = {"Frame": "DataFrame", "Series": "Series", "Array": "ndarray"}
_HOST_ALIAS = re.compile(r"\b(pd|np|npt|pa)\.")


def device_functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    """The outermost functions that the convention calls device code."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef) and _is_device_code(node):
            yield node
        else:
            yield from device_functions(node)


def gpu_nodes(function: ast.FunctionDef) -> list[ast.AST]:
    """The function's nodes that matter on a GPU: no annotations, no host branches."""
    return list(ast.walk(_GpuPath().outermost(function)))


def parameter_kinds(function: ast.FunctionDef, host_types: Collection[str]) -> dict[str, str]:
    """What the parameters are, those of inner functions and lambdas too.

    `host_types` are the names that the file gives to types of NumPy and pandas.
    """
    kinds: dict[str, str] = {}
    inside = (n for n in ast.walk(function) if isinstance(n, ast.FunctionDef | ast.Lambda))
    for name, text in (pair for one in inside for pair in _annotations(one)):
        is_host = text in host_types or _HOST_ALIAS.search(text)
        kind = "host" if is_host else _kind_of_parameter(name, text)
        kinds[name] = kind if kinds.get(name, kind) == kind else "?"
    return kinds


def is_host_type(definition: ast.expr) -> bool:
    """Whether this defines an alias of a host library's type, such as `npt.NDArray[np.float64]`."""
    return bool(re.match(r"(pd|npt|pa)\.\w+(\[|$)", ast.unparse(definition)))


def _kind_of_parameter(name: str, annotation: str) -> str:
    # A Dask frame is a plan on the host; what its partitions go through is looked at there.
    if name in ("self", "cls") or "dd." in annotation:
        return "ours"
    if name == "frames" and annotation.endswith("ModuleType"):
        return "frames"
    choices = {choice.strip() for choice in annotation.split("|")} - {"None"}
    if len(choices) == 1 and (alias := next(iter(choices))) in _KIND_OF_ALIAS:
        return _KIND_OF_ALIAS[alias]
    unknown = not annotation or _ALIAS.search(annotation) or annotation in ("Any", "object")
    return "?" if unknown else "ours"


def _is_device_code(function: ast.FunctionDef) -> bool:
    local = (n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == "xp")
    return any(name == "xp" or _ALIAS.search(text) for name, text in _annotations(function)) or any(
        isinstance(node.ctx, ast.Store) for node in local
    )


def _annotations(function: ast.FunctionDef | ast.Lambda) -> Iterator[tuple[str, str]]:
    """The parameters with the text of their annotations, "" where there is none."""
    of = function.args
    parameters = [*of.posonlyargs, *of.args, *of.kwonlyargs, of.vararg, of.kwarg]
    for parameter in (found for found in parameters if found):
        note = parameter.annotation
        yield parameter.arg, ast.unparse(note).strip("'\"") if note else ""


class _GpuPath(ast.NodeTransformer):
    """Cuts a function down to what runs on a GPU, without annotations."""

    def outermost(self, function: ast.FunctionDef) -> ast.AST:
        """The function itself, with what is inside it cut down."""
        function.decorator_list, function.returns = [], None
        return self.generic_visit(function)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for field in ("body", "orelse", "finalbody"):
            block = getattr(node, field, None)
            if isinstance(block, list):
                setattr(node, field, _gpu_statements(block))
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        is_host = any(_HOST_ALIAS.search(text) for _, text in _annotations(node))
        return ast.Pass() if is_host else self.outermost(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        taken = {"gpu": node.body, "cpu": node.orelse}.get(_device_asked(node.test), node)
        return self.generic_visit(node) if taken is node else self.visit(taken)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(node.arg)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)


def _gpu_statements(block: list[ast.stmt]) -> list[ast.stmt]:
    path: list[ast.stmt] = []
    for statement in block:
        asked = _device_asked(statement.test) if isinstance(statement, ast.If) else ""
        taken = [statement]
        if asked and isinstance(statement, ast.If):
            taken = statement.body if asked == "gpu" else statement.orelse
        path += taken
        if asked and taken and isinstance(taken[-1], ast.Return | ast.Raise):
            break
    return path


def _device_asked(test: ast.expr) -> str:
    """The device on which the test holds, "" where it asks something else."""
    match test:
        case ast.Compare(
            left=ast.Attribute(attr="device"),
            ops=[ast.Eq() | ast.NotEq() as operator],
            comparators=[ast.Constant(value="cpu" | "gpu" as device)],
        ):
            return device if isinstance(operator, ast.Eq) else {"cpu": "gpu", "gpu": "cpu"}[device]
    return ""
