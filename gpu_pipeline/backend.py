"""Backend: which device this run uses, decided once, and everything that differs by device.

The only module that imports cudf, cuml, cupy, rmm or dask_cuda. Differences are rows of the
tables here; the rest of the code is written once, against the API that both libraries share.
Functions that take a `Frame`, `Series` or `Array` run on either device.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from gpu_pipeline.errors import DeviceError

if TYPE_CHECKING:
    import pyarrow as pa

    from gpu_pipeline.contracts import Contract

__all__ = ["Array", "Backend", "Frame", "Series"]

# A pandas or a cuDF frame or series; a NumPy or a CuPy array.
Frame: TypeAlias = pd.DataFrame
Array: TypeAlias = npt.NDArray[Any]
if TYPE_CHECKING:
    Series: TypeAlias = pd.Series[Any]
else:
    Series = pd.Series
DeviceName = Literal["cpu", "gpu"]


@dataclass(frozen=True)
class Estimator:
    """Where an estimator lives on one device and what it is given besides the caller's own."""

    module: str
    name: str
    fixed: Mapping[str, Any]


_LIBRARIES: dict[DeviceName, dict[str, str]] = {
    "cpu": {"xp": "numpy", "frames": "pandas", "dask": "pandas", "special": "scipy.special"},
    "gpu": {"xp": "cupy", "frames": "cudf", "dask": "cudf", "special": "cupyx.scipy.special"},
}
_COUNTS = {"objective": "count:poisson", "tree_method": "hist"}
_ESTIMATORS: dict[str, dict[DeviceName, Estimator]] = {
    # One start from the caller's centres: both libraries then walk the same path.
    "KMeans": {
        "cpu": Estimator("sklearn.cluster", "KMeans", {"n_init": 1, "algorithm": "lloyd"}),
        "gpu": Estimator("cuml.cluster", "KMeans", {"n_init": 1}),
    },
    "HDBSCAN": {
        # scikit-learn warns of a default that is to change.
        "cpu": Estimator("sklearn.cluster", "HDBSCAN", {"copy": True}),
        "gpu": Estimator("cuml.cluster", "HDBSCAN", {}),
    },
    "RandomForestRegressor": {
        "cpu": Estimator("sklearn.ensemble", "RandomForestRegressor", {"n_jobs": 1}),
        "gpu": Estimator("cuml.ensemble", "RandomForestRegressor", {}),
    },
    # One library for both devices; on one core each, since several are fitted side by side.
    "BoostedTrees": {
        "cpu": Estimator("xgboost", "XGBRegressor", {**_COUNTS, "n_jobs": 1}),
        "gpu": Estimator("xgboost", "XGBRegressor", {**_COUNTS, "device": "cuda"}),
    },
    "LogisticRegression": {
        "cpu": Estimator("sklearn.linear_model", "LogisticRegression", {}),
        "gpu": Estimator("cuml.linear_model", "LogisticRegression", {}),
    },
}
# Arrow's types in the names that each frame library's astype takes; the same in both.
_DTYPES = {
    "string": "str",
    "int64": "int64",
    "float64": "float64",
    "timestamp": "datetime64[us]",
    "bool": "bool",
}
# A kernel's working arrays stay in a core's cache, and cores share the work; a GPU takes all.
_ROWS_AT_ONCE: dict[DeviceName, int] = {"cpu": 1 << 18, "gpu": 1 << 40}
_SECONDS_TO_ANSWER = 5
# At the end of a time of day, not of a date: 2026-03-01 has no offset of one hour.
_OFFSET = r"(?:Z|:\d\d.*[+\-]\d\d(?::?\d\d)?)$"
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
_WITHOUT_OFFSET = "timestamp[us]"
# How times look that Arrow reads in one of its types.
_PLAIN_TIMES = {
    _WITHOUT_OFFSET: f"^{_DATE}(?:{_CLOCK})?$",
    "timestamp[us, tz=UTC]": f"^{_DATE}{_CLOCK}(?:Z|[+-][0-9]{{2}}(?::?[0-9]{{2}})?)$",
}
_POOL_FRACTION = 0.5  # of the device: torch shares it
_ANY_LOCAL_PORT = "127.0.0.1:0"


@dataclass(frozen=True)
class Backend:
    """The device of a run and why it was chosen. Small, immutable, sent to workers as it is.

    >>> Backend.choose("cpu").device
    'cpu'
    """

    device: DeviceName
    reason: str

    @classmethod
    def choose(cls, device: Literal["auto", "cpu", "gpu"] = "auto") -> Self:
        """`auto` takes a GPU where RAPIDS and a device are there; `gpu` insists.

        Raises:
            DeviceError: a GPU was asked for and there is none, with the remedy.
        """
        if device == "cpu":
            return cls("cpu", "cpu: asked for")
        missing = _why_no_gpu()
        if missing is None:
            return cls("gpu", f"gpu: {_device_name()}")
        if device == "gpu":
            message = f"No GPU to use: {missing}. Run with --device cpu, or mend that first."
            raise DeviceError(message)
        return cls("cpu", f"cpu: {missing}")

    @classmethod
    def of(cls, values: Frame | Series | Array) -> Self:
        """The device that the frame, series or array lies on."""
        on_gpu = type(values).__module__.split(".")[0] in ("cudf", "cupy")
        return cls("gpu", "gpu: the data lie there") if on_gpu else cls("cpu", "cpu: it is there")

    @property
    def xp(self) -> ModuleType:
        """The array module: numpy or cupy."""
        return import_module(_LIBRARIES[self.device]["xp"])

    @property
    def frames(self) -> ModuleType:
        """The frame module: pandas or cudf."""
        return import_module(_LIBRARIES[self.device]["frames"])

    @property
    def special(self) -> ModuleType:
        """Special functions of arrays: scipy.special, or CuPy's, which has the commoner ones."""
        return import_module(_LIBRARIES[self.device]["special"])

    @property
    def fits_at_once(self) -> int:
        """How many estimators are best fitted side by side, each on one core; a GPU takes one."""
        return len(os.sched_getaffinity(0)) if self.device == "cpu" else 1

    @property
    def rows_at_once(self) -> int:
        """How many rows a kernel best takes in one piece."""
        return _ROWS_AT_ONCE[self.device]

    def estimator(self, name: str, **parameters: object) -> Any:  # noqa: ANN401
        """A new estimator of that name, unfitted, from the library of this device."""
        row = _ESTIMATORS[name][self.device]
        return getattr(import_module(row.module), row.name)(**row.fixed, **parameters)

    def to_host(self, values: Array | Series) -> Array:
        """The values as a NumPy array; from the GPU this is a copy, on the CPU none."""
        if self.device == "cpu":
            return np.asarray(values)
        host: Array = import_module("cupy").asnumpy(getattr(values, "values", values))
        return host

    def to_pandas(self, frame: Frame) -> "pd.DataFrame":
        """The frame in host memory; on the CPU the frame itself."""
        if self.device == "cpu":
            return frame
        host: pd.DataFrame = frame.to_pandas()  # type: ignore[operator]
        return host

    def from_arrow(self, table: "pa.Table") -> Frame:
        """An Arrow table as a frame of this device."""
        gpu = self.device == "gpu"
        frame: Frame = self.frames.DataFrame.from_arrow(table) if gpu else table.to_pandas()
        return frame

    def to_arrow(self, frame: Frame) -> "pa.Table":
        """The frame as an Arrow table in host memory, without its index."""
        import pyarrow as pa

        if self.device == "gpu":
            table: pa.Table = frame.to_arrow(preserve_index=False)  # type: ignore[operator]
            return table
        return pa.Table.from_pandas(frame, preserve_index=False)

    def from_pandas(self, frame: "pd.DataFrame") -> Frame:
        """A host frame as a frame of this device."""
        return frame if self.device == "cpu" else self.frames.DataFrame.from_pandas(frame)

    def read_parquet(self, paths: Sequence[str], columns: Sequence[str]) -> Frame:
        """The rows of the files, in order."""
        parts = [self.frames.read_parquet(path, columns=list(columns)) for path in paths]
        whole: Frame = parts[0] if len(parts) == 1 else self.frames.concat(parts, ignore_index=True)
        return whole

    def write_parquet(self, frame: Frame, path: Path, *, encodings: Mapping[str, str]) -> None:
        """Writes the frame, without its index, as one zstd Parquet file.

        Columns in `encodings` are written in these, the others as dictionaries of their values.
        """
        options: dict[str, Any] = {"column_encoding": dict(encodings) or None}
        if self.device == "cpu":
            # Arrow takes an encoding only for columns that are to have no dictionary.
            options["use_dictionary"] = [n for n in frame.columns if n not in encodings]
        frame.to_parquet(str(path), compression="zstd", index=False, **options)

    def empty(self, contract: "Contract", columns: Sequence[str] | None = None) -> Frame:
        """No rows of the contract's columns, in its types: Dask's meta, made without reading."""
        names = contract.names if columns is None else columns
        frame: Frame = self.frames.DataFrame({n: [] for n in names}).astype(
            {n: _DTYPES[contract[n].type] for n in names}
        )
        return frame

    def cast(
        self, frame: Frame, contract: "Contract", columns: Sequence[str] | None = None
    ) -> Frame:
        """The frame with exactly the contract's columns (or these), in order and in its types."""
        names = contract.names if columns is None else columns
        types = {name: _DTYPES[contract[name].type] for name in names}
        return frame[list(types)].astype(types)

    def sha64(self, values: Series, *, prefix: str = "", distinct: bool = False) -> Series:
        """The first 64 bits of sha256(prefix ‖ value), big-endian, as int64; 0 for a null.

        Each distinct value is digested once; `distinct` says that none is there twice, or null.
        """
        if self.device == "gpu":
            prefixed: Any = prefix + values
            digests = prefixed.hash_values("sha256")
            high, low = digests.str.slice(0, 8).str.htoi(), digests.str.slice(8, 16).str.htoi()
            # Two's complement by hand: a high half from 2^31 on stands for a negative number.
            signed = (high - (high >= 2**31).astype("int64") * 2**32) * 2**32 + low
            return signed.where(values.notna(), 0)
        start = hashlib.sha256(prefix.encode())
        codes, unique = (slice(-1), values) if distinct else values.factorize()
        texts: list[Any] = unique.tolist()
        digests = bytearray()
        for value in texts:
            digest = start.copy()
            digest.update(value.encode())
            digests += digest.digest()[:8]
        # A null has the code -1, the place at the end.
        bits = np.append(np.frombuffer(digests, ">i8").astype(np.int64), 0)
        return self.frames.Series(bits[codes], index=values.index)

    def utf8(self, values: Series) -> tuple[Array, Array]:
        """(the bytes of all texts one after the other, how many each has); a null has none."""
        if self.device == "gpu":
            return _device_utf8(values, self.xp)
        import pyarrow as pa

        texts = pa.array(values, pa.large_string())
        whole = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
        if whole.null_count:
            whole = whole.fill_null("")
        _, offsets, data = whole.buffers()
        edges = np.frombuffer(offsets, np.int64)[whole.offset : whole.offset + len(whole) + 1]
        raw = np.frombuffer(data or b"", np.uint8)
        return raw[edges[0] : edges[-1]], np.diff(edges)

    def has_only(self, values: Series, characters: str) -> bool:
        """Whether all texts are made of these ASCII characters alone."""
        data, _ = self.utf8(values)
        known = self.xp.zeros(256, dtype=bool)
        known[self.xp.asarray([ord(one) for one in characters])] = True
        return bool(known[data].all())

    def contains(self, values: Series, pattern: str) -> Series:
        """Which texts hold a match of the regular expression (RE2); a null holds none.

        pandas parses a pattern anew at every call to see whether Arrow knows it.
        """
        if self.device == "gpu":
            found: Series = values.str.contains(pattern, regex=True)
            return found.fillna(value=False).astype("bool")
        return self.frames.Series(_host_contains(values, pattern), index=values.index)

    def plain_numbers(self, values: Series) -> Series | None:
        """The texts as float64, where each is a number as programs write it or null; else None."""
        if self.device == "gpu":
            return None
        numbers = _arrow_cast(values, "float64")
        return None if numbers is None else self.frames.Series(numbers, index=values.index)

    def as_bits(self, values: Series) -> Array:
        """Numbers, truth values or times as int64, floats bit by bit; for hashing and sorting."""
        array: Any = values.values
        return array.astype("int64") if array.dtype.kind == "b" else array.view("int64")

    def to_times(self, values: Series, *, time_zone: str = "UTC") -> Series:
        """ISO 8601 texts (or times) as UTC without zone, in microseconds; null where not a time.

        A text without an offset is local time of `time_zone`; in the hour that a clock change
        repeats or skips, the offset of two hours before counts.
        """
        if values.dtype.kind not in "OUT" and str(values.dtype) not in ("str", "string"):
            times: Series = values.astype("datetime64[us]")
            return times if time_zone == "UTC" else _to_utc(times, time_zone)
        # Texts are read on the host: cuDF wants one format, and no offsets, for a whole column.
        text = values if self.device == "cpu" else values.to_pandas()
        return self.frames.Series(_times(text, time_zone), index=values.index)

    @contextmanager
    def cluster(self, *, workers: int = 0, scheduler: str = "", memory: str = "") -> Iterator[None]:
        """Dask set up for this device while the context lasts.

        Threads of this process by default (one GPU is driven from one thread), `workers`
        processes of one device or core each, or the cluster at the `scheduler` address.

        Raises:
            DeviceError: no scheduler answers at the address, or `memory` or `workers` are given
                where they would change nothing.
        """
        import dask

        if scheduler and (workers or memory):
            message = "A scheduler has its own workers and memory: leave out workers and memory."
            raise DeviceError(message)
        if memory and not workers:
            message = "A memory limit is one of worker processes: give a number of workers too."
            raise DeviceError(message)

        settings = {
            "dataframe.backend": _LIBRARIES[self.device]["dask"],
            "dataframe.convert-string": False,
            "dataframe.shuffle.method": "tasks",
            "scheduler": "threads" if self.device == "cpu" else "sync",
        }
        with dask.config.set(settings):
            if scheduler:
                with _existing_cluster(scheduler):
                    yield
            elif workers:
                with self._local_cluster(workers, memory):
                    yield
            else:
                yield

    @contextmanager
    def _local_cluster(self, workers: int, memory: str) -> Iterator[None]:
        from distributed import Client, LocalCluster

        if self.device == "gpu":
            cluster = import_module("dask_cuda").LocalCUDACluster(
                n_workers=workers,
                memory_limit=memory or "auto",
                rmm_pool_size=_POOL_FRACTION,
                enable_cudf_spill=True,
            )
        else:
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                memory_limit=memory or "auto",
                dashboard_address=None,
                # Without one the scheduler's own pages take port 8787, which another run may have.
                scheduler_kwargs={"dashboard_address": _ANY_LOCAL_PORT},
            )
        with cluster, Client(cluster):
            yield


def _device_utf8(values: Series, xp: ModuleType) -> tuple[Array, Array]:
    """cuDF gives the bytes of a character as one number, the first byte highest."""
    texts: Any = values.fillna("").str
    points, lengths = texts.code_points().values, texts.byte_count().values.astype("int64")
    width = 1 + sum((points >= 1 << 8 * more).astype("int64") for more in (1, 2, 3))
    ends = xp.cumsum(width)
    data = xp.zeros(int(ends[-1]) if len(ends) else 0, dtype="uint8")
    for back in range(4):
        has = width > back
        data[ends[has] - 1 - back] = (points[has] >> 8 * back) & 255
    return data, lengths


def _times(text: "pd.Series[Any]", time_zone: str) -> npt.NDArray[Any]:
    """Texts of the host as UTC: Arrow reads all that are written alike, pandas the rest.

    Arrow reads all or none, and one text that is no time would send the others the slow way.
    """
    kinds = [kind for kind in _PLAIN_TIMES if time_zone == "UTC" or kind != _WITHOUT_OFFSET]
    first = text.dropna().head(1)
    usual = [kind for kind in kinds if _host_contains(first, _PLAIN_TIMES[kind]).all()]
    if usual and (times := _arrow_cast(text, usual[0])) is not None:
        return times
    times = np.full(len(text), np.datetime64("NaT"), "datetime64[us]")
    left = text.notna().to_numpy(dtype=bool)
    for kind in kinds:
        alike = left & _host_contains(text, _PLAIN_TIMES[kind])
        if alike.any() and (some := _arrow_cast(text[alike], kind)) is not None:
            times[alike] = some
            left = left & ~alike
    if left.any():
        times[left] = _odd_times(text[left], time_zone)
    return times


def _odd_times(text: "pd.Series[Any]", time_zone: str) -> npt.NDArray[Any]:
    asked = text.where(text.str.slice(0, 4).str.isdigit(), None)
    # Where pandas sees nanoseconds, it keeps them, and times are no time from the year 2262 on.
    asked = asked.str.replace(r"(\.[0-9]{6})[0-9]+", r"\1", regex=True)
    read = pd.to_datetime(asked, format="ISO8601", errors="coerce", utc=True)
    times = read.dt.tz_localize(None).astype("datetime64[us]")
    if time_zone != "UTC":
        has_offset = text.str.contains(_OFFSET, regex=True).fillna(value=False).astype("bool")
        times = times.where(has_offset, _to_utc(times, time_zone))
    return times.to_numpy()


def _host_contains(values: "pd.Series[Any]", pattern: str) -> npt.NDArray[np.bool_]:
    import pyarrow as pa
    import pyarrow.compute as pac

    matches = pac.match_substring_regex(pa.array(values, pa.large_string()), pattern)
    return np.asarray(pac.fill_null(matches, fill_value=False))


def _arrow_cast(values: "pd.Series[Any]", kind: str) -> npt.NDArray[Any] | None:
    """The texts in an Arrow type, many times faster than one by one; None where one has none."""
    import pyarrow as pa

    types = {
        "float64": pa.float64(),
        "timestamp[us]": pa.timestamp("us"),
        "timestamp[us, tz=UTC]": pa.timestamp("us", "UTC"),
    }
    try:
        cast = pa.array(values, pa.large_string()).cast(types[kind])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    if pa.types.is_timestamp(types[kind]):
        cast = cast.cast(pa.timestamp("us"))
    whole: npt.NDArray[Any] = cast.to_numpy(zero_copy_only=False)
    return whole


def _to_utc(times: Series, time_zone: str) -> Series:
    two_hours = np.timedelta64(2, "h")
    here, before = (
        t.dt.tz_localize(time_zone, ambiguous="NaT", nonexistent="NaT")
        .dt.tz_convert("UTC")
        .dt.tz_localize(None)
        for t in (times, times - two_hours)
    )
    return here.fillna(before + two_hours)


@contextmanager
def _existing_cluster(address: str) -> Iterator[None]:
    from distributed import Client, default_client

    try:
        client = Client(address, timeout=_SECONDS_TO_ANSWER)
    except (OSError, ValueError, TimeoutError) as error:
        # One that failed may stay Dask's default, and whatever follows would wait for it.
        with suppress(ValueError, TimeoutError):
            default_client().close(timeout=1)
        message = f"No Dask scheduler answers at {address}: {error}"
        raise DeviceError(message) from error
    with client:
        yield


def _why_no_gpu() -> str | None:
    """What is missing for a GPU run, or None where nothing is."""
    absent = [name for name in ("cudf", "cupy", "cuml", "dask_cudf") if find_spec(name) is None]
    if absent:
        return f"{', '.join(absent)} not installed (README, On a GPU, says which to take)"
    if not import_module("cupy").cuda.is_available():
        return "no CUDA driver or device found (see nvidia-smi and CUDA_VISIBLE_DEVICES)"
    return None


def _device_name() -> str:
    runtime = import_module("cupy").cuda.runtime
    facts = runtime.getDeviceProperties(0)
    count = runtime.getDeviceCount()
    gib = facts["totalGlobalMem"] / 2**30
    version = import_module("cudf").__version__
    return f"{count} x {facts['name'].decode()}, {gib:.0f} GiB, cuDF {version}"
