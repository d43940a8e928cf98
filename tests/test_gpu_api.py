"""The code that may run on a GPU uses only what cuDF, cuML and CuPy have; `gpu_api` says how."""

import ast
import inspect
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest
from gpu_api import Api, estimator_calls, faults, own_names
from gpu_api.device_code import device_functions

from gpu_pipeline.backend import _ESTIMATORS
from gpu_pipeline.contracts import contract, contract_names

ROOT = Path(__file__).parent.parent
SOURCES = {
    file.relative_to(ROOT).as_posix(): file.read_text("utf-8")
    for package in ("gpu_pipeline", "nlp")
    for file in sorted((ROOT / package).rglob("*.py"))
}
API = Api.load(
    (name for source in SOURCES.values() for name in own_names(source)),
    estimators=(
        (row["gpu"].module, row["gpu"].name)
        for row in _ESTIMATORS.values()
        if row["gpu"].module != row["cpu"].module  # one library for both devices is here to ask
    ),
)


def _not_numbers() -> set[str]:
    """The columns that are text, or a time that may be missing, wherever they occur."""
    columns = [column for name in contract_names() for column in contract(name).columns]
    numbers = {
        column.name
        for column in columns
        if column.type != "string" and (column.required or column.type != "timestamp")
    }
    return {column.name for column in columns} - numbers


@pytest.mark.parametrize("path", SOURCES)
def test_device_code_uses_only_what_a_gpu_has(path: str) -> None:
    found = faults(SOURCES[path], path, API, not_numbers=_not_numbers())
    assert not found, "\n".join(found)


def test_the_walk_reaches_methods_functions_and_lambdas_that_take_device_values() -> None:
    tree = ast.parse(SOURCES["gpu_pipeline/backend.py"])
    assert {"cast", "to_host"} <= {found.name for found in device_functions(tree)}
    source = "def f(frame: Frame): return frame.map_partitions_of(lambda part: part.nope())"
    assert len(faults(source, "module.py", API)) == 2


@pytest.mark.parametrize("name", _ESTIMATORS)
def test_every_estimator_takes_its_fixed_parameters_on_both_devices(name: str) -> None:
    for device, row in _ESTIMATORS[name].items():
        assert set(row.fixed) <= _parameters(name, device), device


def test_every_estimator_is_called_with_what_both_devices_take() -> None:
    found = [
        f"{path}:{line}: {fault}"
        for path, source in SOURCES.items()
        for line, name, words in estimator_calls(source)
        for fault in _call_faults(name, words)
    ]
    assert not found, "\n".join(found)


def _call_faults(name: str, words: set[str]) -> list[str]:
    if name not in _ESTIMATORS:
        return [f"{name} is none of {', '.join(_ESTIMATORS)}, by its literal name"]
    return [
        f"{name} takes no {word}= on the {device}"
        for device, row in _ESTIMATORS[name].items()
        for word in sorted(words - (_parameters(name, device) - set(row.fixed)))
    ]


def _parameters(name: str, device: str) -> set[str]:
    """What the constructor of an estimator takes: recorded for cuML, asked of what is here."""
    row, here = (_ESTIMATORS[name][one] for one in ("gpu" if device == "gpu" else "cpu", "cpu"))
    if row.module != here.module:
        return API.init_parameters(row.module, row.name)
    lineage = getattr(import_module(row.module), row.name).__mro__
    made = [one.__init__ for one in lineage if "__init__" in vars(one)]
    return {word for one in made for word in inspect.signature(one).parameters}


@pytest.mark.parametrize(
    ("name", "words", "fault"),
    [
        ("KMeans", {"n_clusters", "init", "random_state"}, None),
        ("KMeans", {"copy_x"}, "takes no copy_x= on the gpu"),
        ("KMeans", {"oversampling_factor"}, "takes no oversampling_factor= on the cpu"),
        ("KMeans", {"n_init"}, "takes no n_init= on the gpu"),
        ("KMeans", {"**parameters"}, "takes no **parameters= on the gpu"),
        ("kind", {"n_clusters"}, "by its literal name"),
    ],
)
def test_an_estimator_call_that_a_device_refuses_is_named(
    name: str, words: set[str], fault: str | None
) -> None:
    source = f"backend.estimator({name!r}, {', '.join(_spelt(word) for word in sorted(words))})"
    ((_, called, given),) = estimator_calls(source)
    found = "; ".join(_call_faults(called, given))
    assert fault in found if fault else not found


def _spelt(word: str) -> str:
    return word if word.startswith("*") else f"{word}=1"


FRAME, SERIES, ARRAY = "f(frame: Frame)", "f(values: Series)", "f(xp: ModuleType, a: Array)"


@pytest.mark.parametrize(
    ("function", "code", "fault"),
    [
        # Names and keywords that the manifest doesn't have.
        (FRAME, "frame.idxmax()", "no such name on the GPU's DataFrame; sort by the value"),
        (FRAME, "frame.set_axis(names)", "assign to a copy's .index"),
        (FRAME, "frame.price", "no such name on the GPU's DataFrame"),
        (FRAME, "frame.drop_duplicates(subst=['a'])", "takes no subst= (but ignore_index"),
        (FRAME, "frame['a'].case_when(x)", "no such name on the GPU's Series"),
        (FRAME, "x = frame['a']; x.item()", "no such name on the GPU's Series"),
        (FRAME, "frame.groupby('a', sort=True)['b'].smooth()", "no such name on the GPU's GroupBy"),
        (FRAME, "g = frame.groupby('a', sort=True); g.rolled(3)", "on the GPU's GroupBy"),
        (FRAME, "frame.merge(other, on='a').unheard_of()", "no such name on any cuDF or CuPy"),
        ("f(frame: 'Frame | None')", "frame.idxmax()", "no such name"),
        ("f(*, frame: Frame = None)", "frame.idxmax()", "no such name"),
        ("f(backend: Backend)", "xp = backend.xp; xp.nope(1)", "CuPy has no such name"),
        (SERIES, "values.str.casefold()", "no such name on the GPU's StringMethods; use .str.low"),
        (SERIES, "values.dt.normalize()", 'use .dt.floor("D")'),
        (SERIES, "values.list.explode()", "no such name on the GPU's ListMethods"),
        (SERIES, "values.str.pad(3, fill='0')", "takes no fill="),
        (ARRAY, "xp.maximum.reduceat(a, starts)", "has no reduceat; CuPy has add.reduceat alone"),
        (ARRAY, "xp.minimum.accumulate(a)", "has no accumulate"),
        (ARRAY, "xp.apply_over_everything(a)", "CuPy has no such name"),
        (ARRAY, "xp.datetime64('2026-01-01')", "CuPy has no such name; use np.datetime64"),
        (ARRAY, "xp.linalg.expm(a)", "CuPy's linalg has no expm"),
        (ARRAY, "xp.random.rand(3)", "CuPy has no such name"),
        (ARRAY, "xp.sum(a, where=a > 0)", "takes no where="),
        (ARRAY, "xp.add(a, a, where=a > 0)", "takes no where= (but casting, dtype, out)"),
        (ARRAY, "a.argsort(order='x')", "takes no order="),
        (ARRAY, "a.searchsorted_all(a)", "no such name on the GPU's ndarray"),
        (FRAME, "backend.frames.merge_asof(frame, frame)", "use xp.searchsorted"),
        (FRAME, "a, frames = 1, backend.frames; frames.Index(a).nope()", "no such name on any"),
        (FRAME, "frames = backend.frames; frames.qcut(frame['a'], 4)", "use xp.quantile and"),
        (FRAME, "backend.frames.concat([frame], copy=False)", "takes no copy="),
        (FRAME, "backend.frames.Series([1], fastpath=True)", "takes no fastpath="),
        # What exists there and is not to be used.
        (FRAME, "frame.groupby('a', sort=True).agg(total=('b', 'sum'))", "dask-cudf refuses it"),
        (FRAME, "frame.groupby('a', sort=True).agg({'b': 'nunique'})", "drop_duplicates on key"),
        (FRAME, "frame.groupby('a', sort=True).agg(lambda x: x)", "by name alone"),
        (FRAME, "frame.groupby('a', as_index=False, sort=True)", "reset_index() on the result"),
        (FRAME, "frame.groupby('a')", "sort= is not said"),
        (FRAME, "frame['a'].apply(len)", "runs as Numba"),
        (FRAME, "frame.itertuples()", "rows are not iterated"),
        (FRAME, "[x for x in frame['a']]", "can't be iterated"),
        (FRAME, "names = frame['a']\n    for x in names: pass", "can't be iterated"),
        (SERIES, "list(values)", "can't be iterated"),
        (SERIES, "''.join(values)", "can't be iterated"),
        (SERIES, "values.to_numpy()", "name it, backend.to_host"),
        (SERIES, "values.tolist()", "name it, backend.to_host"),
        (FRAME, "frame.sort_values('a', kind='stable')", "cuDF sorts stably but warns"),
        (FRAME, "frame.sort_values('a', key=len)", "key=: cuDF has no key="),
        (FRAME, "frame.merge(frame, on='a', validate='1:1')", "validate=: not on cuDF"),
        (FRAME, "backend.frames.concat([frame], keys=['a'])", "keys=: not on cuDF: add a column"),
        (SERIES, "backend.frames.to_datetime(values, errors='coerce')", "errors=: cuDF raises"),
        (FRAME, "frame['a'].astype(object)", "no object columns"),
        (FRAME, "frame['product_id'].values", "text and nullable times are no CuPy arrays"),
        (FRAME, "frame['shipped_at'].values", "text and nullable times are no CuPy arrays"),
        (SERIES, "values.str.replace('a', 'b')", "regex= is not said"),
        (SERIES, "values.str.contains('a')", "regex= is not said"),
        (SERIES, "values.str.split(',')", "regex= is not said"),
        (SERIES, "values.str.contains('(?=a)', regex=True)", "libcudf's regex has no look-around"),
        (SERIES, r"values.str.extract(r'(a)\1')", "libcudf's regex has no look-around"),
        (SERIES, "values.str.contains(_PATTERN, regex=True)", "libcudf's regex has no"),
        (SERIES, "values.str.replace('a', 'b', regex=False, case=False)", "case=: not on cuDF"),
        (ARRAY, "xp.lexsort((a, a))", "xp.stack the keys"),
        (ARRAY, "a.argsort(kind='heapsort')", 'kind="stable" alone'),
        (ARRAY, "np.cumsum(a)", "NumPy in device code: use backend.xp"),
        (FRAME, "pd.concat([frame])", "pandas in device code: use backend.frames"),
        # Only the branch of the other device is free.
        (SERIES, "if backend.device == 'gpu':\n        values.nope()", "no such name"),
        (SERIES, "if backend.device != 'cpu':\n        values.nope()", "no such name"),
        (SERIES, "x = values.nope() if backend.device == 'gpu' else values", "no such name"),
        (SERIES, "def inner(part: Frame): part.nope()", "no such name"),
    ],
)
def test_what_a_gpu_lacks_is_named_with_its_remedy(function: str, code: str, fault: str) -> None:
    source = f"_PATTERN = '(?i)a'\ndef {function}:\n    {code}\n"
    found = faults(source, "module.py", API, not_numbers=_not_numbers())
    assert fault in "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        '''
        def totals(frame: Frame, contract: Contract, *, backend: Backend) -> Frame:
            """A whole step: group, sort, kernel, join."""
            keyed = frame[frame["quantity"] > 0].assign(units=frame["quantity"])
            grouped = keyed.groupby("product_id", sort=True)[["units"]].agg({"units": "sum"})
            whole = grouped.reset_index().sort_values(["units", "product_id"], ascending=False)
            text = whole["product_id"].str.strip().str.replace(r"\\d+$", "", regex=True)
            codes, unique = text.factorize()
            names = [column.name for column in contract.columns]
            names.append("units")
            day = frame["ordered_at"].dt.floor("D").astype("int64").values
            late = frame["ordered_at"] < np.datetime64("2026-01-01")
            edges = backend.xp.flatnonzero(backend.xp.diff(day) != 0)
            parts = backend.frames.concat([whole, frame], ignore_index=True)
            return parts.merge(whole, on="product_id", how="left")[list(frame.columns)]
        ''',
        """
        def sums(values: "Array", starts: "Array", *, xp: ModuleType) -> "Array":
            order = xp.argsort(values, kind="stable")
            first = xp.add.reduceat(values[order], starts).astype(np.int64)
            level = xp.where(first > 0, first, np.nan).sum(axis=0, keepdims=True)
            by_row = xp.stack([row.sum() for row in values])
            return xp.concatenate([first, level]) + xp.linalg.norm(first)
        """,
        """
        def digits(values: Series, backend: Backend) -> Series:
            if backend.device == "gpu":
                return values.str.htoi()
            return pd.Series([int(value, 16) for value in values], index=values.index)
        """,
        """
        def digits(values: Series, backend: Backend) -> Series:
            if backend.device == "cpu":
                codes = np.unique(values)
            else:
                codes = values.unique()
            return values.hash_values() if backend.device == "gpu" else values.map(hash)
        """,
        """
        def read(texts: Series, backend: Backend) -> Array:
            host = backend.to_pandas(texts)
            clean = [redact(text) for text in host.tolist()]
            counts = np.bincount(backend.to_host(texts))
            def inner(part: pd.DataFrame) -> None:
                part.itertuples()
            columns = [backend.to_host(texts) for name in ("a", "b")]
            changes = sum(column[1:] != column[:-1] for column in columns)
            starts = (changes.nonzero()[0] + 1).tolist()
            numbers, counts = np.unique(host["a"], return_counts=True)
            host = pd.concat([host, host]) if counts.tolist() else host
            made = pd.Series([int(line) for line in host["line"]])
            shown = np.sort(np.random.default_rng(0).permutation(9)[:3])
            falling = np.argsort(-backend.to_host(texts), kind="stable")
            return pd.concat([host, host]), backend.xp.asarray(counts)
        """,
        """
        import dask.dataframe as dd
        def pieces(frame: "dd.DataFrame | Frame") -> None:
            frame.to_delayed() if isinstance(frame, dd.DataFrame) else [frame]
        """,
        """
        class Model:
            def fit(self, frame: Frame) -> Self:
                (left, _), *rest = (1, 2), 3
                rng = np.random.default_rng(self.seed)
                self.centres_ = self.start(frame.columns, rng)
                return self
        """,
        """
        Floats: TypeAlias = npt.NDArray[np.float64]
        def centred(points: Array, *, centres: Floats, rng: np.random.Generator) -> Array:
            return points - xp.asarray(np.cumsum(centres) + np.sum(rng.normal(size=3)))
        """,
        """
        def host(frame: pd.DataFrame, lines: npt.NDArray[Any]) -> None:
            frame.itertuples()
            np.maximum.accumulate(lines)
        """,
    ],
)
def test_code_that_a_gpu_can_run_is_not_a_fault(source: str) -> None:
    assert faults(dedent(source), "module.py", API, not_numbers=_not_numbers()) == []
