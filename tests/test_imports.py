"""Who may import what: the order of the packages, of the layers, and the homes of heavy libraries.

Read from the sources without importing them. Imports inside functions count, and so do those
for type checkers: a name that a signature needs is a dependency too. Only the homes of heavy
libraries don't mind them, since they cost nothing at run time.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
# A package imports itself and those to its right.
PACKAGES = ("api", "gpu_pipeline", "nlp")
# A module of gpu_pipeline imports only from the rows above its own.
LAYERS = (
    ("errors", "money", "time_zones"),
    ("config", "contracts", "terminal", "durations"),
    ("backend",),
    ("privacy", "access", "kernels"),
    ("store", "orders", "labels", "ordering"),
    ("quality", "lineage", "charts", "exchange", "event_columns", "models", "consents"),
    (
        *("ingest", "synthetic", "sessions", "funnels", "features"),
        *("associations", "paths", "cohorts"),
    ),
    (
        *("segmentation", "customer_value", "forecasting", "inventory", "trends", "publish"),
        *("scoring", "text_training", "session_files", "exporting", "file_rows"),
    ),
    ("streaming", "report", "segment_files", "forecast_files"),
    ("governance", "doctor"),
    ("pipeline",),
    ("steps",),
    ("demo", "summary"),
    ("cli",),
)
HEIGHT = {name: height for height, layer in enumerate(LAYERS) for name in layer}
RAPIDS = ("cudf", "cuml", "cupy", "dask_cuda", "dask_cudf", "rmm")
TRANSFORMERS = ("safetensors", "tokenizers", "torch", "transformers")
HOMES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(RAPIDS, ("gpu_pipeline/backend.py",)),
    **dict.fromkeys(TRANSFORMERS, ("nlp/model/", "nlp/training/")),
    **dict.fromkeys(("fastapi", "starlette"), ("api/",)),
    "duckdb": ("gpu_pipeline/store/sql.py",),
    "py3langid": ("nlp/language.py",),
    **dict.fromkeys(("cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"), ()),
}
ENVIRONMENT = ("os.environ", "os.environb", "os.getenv", "os.putenv")
ENVIRONMENT_READER = "gpu_pipeline/config.py"


class Import(NamedTuple):
    """One imported name, dotted, and whether only a type checker sees it."""

    name: str
    line: int
    for_types: bool


def faults(path: str, source: str) -> list[str]:
    """Everything that the file at `path`, relative to the repository, must not do."""
    tree = ast.parse(source)
    return [*_module_faults(path), *_import_faults(path, tree), *_call_faults(path, tree)]


def _module_faults(path: str) -> Iterator[str]:
    package, own = _place(path)
    if package == "gpu_pipeline" and own and own not in HEIGHT:
        yield f"{path}: {own} is in no layer: place it in LAYERS of tests/test_imports.py"


def _import_faults(path: str, tree: ast.Module) -> Iterator[str]:
    package, own = _place(path)
    for found in _imports(tree, path):
        root, _, rest = found.name.partition(".")
        where = f"{path}:{found.line}: imports {found.name}"
        if root in PACKAGES and PACKAGES.index(root) < PACKAGES.index(package):
            yield f"{where}, but the direction is {' -> '.join(PACKAGES)}"
        elif root == package == "gpu_pipeline":
            yield from (f"{where}, {fault}" for fault in _layer_faults(own, rest.split(".")[0]))
        elif found.name in ENVIRONMENT and path != ENVIRONMENT_READER:
            yield f"{where}, which {ENVIRONMENT_READER} alone does"
        elif not found.for_types and not path.startswith(HOMES.get(root, path)):
            yield f"{where}, which belongs in {' and '.join(HOMES[root]) or 'no file of ours'}"


def _layer_faults(own: str, other: str) -> Iterator[str]:
    """What is wrong with the module `own` ("" is the package itself) importing `other`."""
    if own == other or other.startswith("__"):
        return
    if not own:
        if other != "store":
            yield "but the package itself offers only what store holds"
    elif not other.islower():
        yield "which is no module: import it from where it lies"
    elif own in HEIGHT and other in HEIGHT:
        layer = LAYERS[HEIGHT[own]]
        if other in layer:
            yield f"a peer: {', '.join(layer)} don't know each other"
        elif HEIGHT[other] > HEIGHT[own]:
            yield f"which lies below {own}: a module imports only from the rows above its own"


def _call_faults(path: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        where = f"{path}:{getattr(node, 'lineno', 0)}"
        match node:
            case ast.Call(func=ast.Name(id="eval" | "exec" | "__import__" as name)):
                yield f"{where}: calls {name}"
            case ast.Attribute(attr="read_pickle" | "to_pickle" as name):
                yield f"{where}: {name}: no pickle anywhere"
            case ast.keyword(arg="allow_pickle", value=ast.Constant(value=True)):
                yield f"{where}: allow_pickle=True: no pickle anywhere"
            case ast.Attribute() if ast.unparse(node) in ENVIRONMENT and path != ENVIRONMENT_READER:
                yield f"{where}: reads the environment, which {ENVIRONMENT_READER} alone does"


def _imports(tree: ast.Module, path: str) -> Iterator[Import]:
    hidden = {id(node) for block in _type_checking(tree) for node in ast.walk(block)}
    for node in ast.walk(tree):
        names: list[str] = []
        match node:
            case ast.Import():
                names = [alias.name for alias in node.names]
            case ast.ImportFrom():
                base = _absolute(node, path)
                # `from gpu_pipeline.store import Lake` is about the store, once.
                is_module = "." in base
                names = [base] if is_module else [f"{base}.{alias.name}" for alias in node.names]
            case ast.Call(
                func=ast.Name(id="import_module") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                names = [name]
        line = getattr(node, "lineno", 0)
        yield from (Import(name, line, id(node) in hidden) for name in names)


def _type_checking(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from node.body


def _absolute(node: ast.ImportFrom, path: str) -> str:
    parts = Path(path).with_suffix("").parts
    base = parts[: len(parts) - node.level] if node.level else ()
    return ".".join([*base, *([node.module] if node.module else [])])


def _place(path: str) -> tuple[str, str]:
    """The package of a file and its module there; "" is the package's own __init__."""
    package, module, *_ = Path(path).with_suffix("").parts
    return package, "" if module == "__init__" else module


def _sources() -> dict[str, str]:
    files = (file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py")))
    return {file.relative_to(ROOT).as_posix(): file.read_text("utf-8") for file in files}


def test_every_module_keeps_to_its_layer_and_to_its_libraries() -> None:
    found = [fault for path, source in _sources().items() for fault in faults(path, source)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "source", "fault"),
    [
        ("nlp/text.py", "import gpu_pipeline.store", "the direction is"),
        (
            "gpu_pipeline/cli/__init__.py",
            "def serve():\n    from api.app import create_app",
            "direction is",
        ),
        ("gpu_pipeline/cli/__init__.py", "import_module('api.app')", "the direction is"),
        ("gpu_pipeline/store/log.py", "from gpu_pipeline.ingest import read", "lies below store"),
        ("gpu_pipeline/store/log.py", "from ..ingest import read", "lies below store"),
        ("gpu_pipeline/kernels.py", "from gpu_pipeline import privacy", "a peer"),
        (
            "gpu_pipeline/kernels.py",
            "from gpu_pipeline import Lake",
            "is no module: import it from",
        ),
        (
            "gpu_pipeline/config.py",
            "if TYPE_CHECKING:\n    from gpu_pipeline.contracts import Contract",
            "a peer",
        ),
        ("gpu_pipeline/__init__.py", "from gpu_pipeline.features import fit", "offers only"),
        ("gpu_pipeline/helpers.py", "", "is in no layer: place it"),
        ("gpu_pipeline/kernels.py", "import cupy as cp", "belongs in gpu_pipeline/backend.py"),
        ("gpu_pipeline/kernels.py", "importlib.import_module('cudf.core')", "belongs in gpu_pip"),
        ("nlp/text.py", "def f():\n    from torch.nn import Module", "belongs in nlp/model/ and"),
        ("gpu_pipeline/publish/snapshot.py", "from fastapi import FastAPI", "belongs in api/"),
        ("nlp/model/__init__.py", "import pickle", "belongs in no file of ours"),
        ("nlp/model/__init__.py", "eval('1')", "calls eval"),
        ("nlp/model.py", "np.load(path, allow_pickle=True)", "no pickle anywhere"),
        ("nlp/model.py", "frame.to_pickle(path)", "no pickle anywhere"),
        ("api/app.py", "import os\nos.environ['HOME']", "reads the environment"),
        ("nlp/model.py", "os.getenv('HOME')", "reads the environment"),
        ("nlp/model.py", "from os import environ", "which gpu_pipeline/config.py alone does"),
    ],
)
def test_what_must_not_be_imported_is_named(path: str, source: str, fault: str) -> None:
    assert fault in "\n".join(faults(path, source))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("api/app.py", "from gpu_pipeline.store import Lake\nimport nlp\nimport fastapi"),
        ("gpu_pipeline/__init__.py", "from gpu_pipeline.store import Lake"),
        ("gpu_pipeline/cli/__init__.py", "from gpu_pipeline import __version__, pipeline"),
        ("gpu_pipeline/store/log.py", "from gpu_pipeline.store.files import parts\nimport pandas"),
        ("gpu_pipeline/store/log.py", "from .files import parts\nfrom ..backend import Backend"),
        ("gpu_pipeline/backend.py", "import_module('cupy')"),
        ("nlp/text.py", "if TYPE_CHECKING:\n    import torch"),
        ("nlp/model/__init__.py", "import torch\nmodel.eval()"),
        ("gpu_pipeline/config.py", "import os\nos.environ['HOME']"),
    ],
)
def test_what_may_be_imported_is_not_a_fault(path: str, source: str) -> None:
    assert faults(path, source) == []


def test_importing_the_packages_loads_nothing_heavy() -> None:
    heavy = {*RAPIDS, "torch", "transformers", "pandas", "dask", "sklearn", "fastapi"}
    assert _loaded_by(PACKAGES) & heavy == set()


def test_importing_every_module_loads_no_gpu_library() -> None:
    modules = [
        ".".join(Path(path).with_suffix("").parts).removesuffix(".__init__")
        for path in _sources()
        if not path.endswith("__main__.py")
    ]
    assert _loaded_by(modules) & set(RAPIDS) == set()


def _loaded_by(modules: list[str] | tuple[str, ...]) -> set[str]:
    """The top-level modules in a fresh interpreter that has imported these."""
    program = f"import {', '.join(modules)}, sys; print(*{{m.split('.')[0] for m in sys.modules}})"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())
