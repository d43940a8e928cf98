"""Clickstream from a landing file to the lake, beside the same work written by hand.

Every contender reads the same CSV or Parquet file, in a process of its own, and leaves typed,
checked, pseudonymised rows, sorted by customer and time, as zstd Parquet per bucket and month, and
the rejected ones with their reasons. All must agree on how many rows were accepted, rejected and
repeated. The clock starts after imports; memory is the most that the process had resident.

What the contenders by hand (clickstream/by_polars.py, by_pandera.py) leave out: a commit that is
atomic and happens once, a look at the keys of earlier loads, broken records, identifiers of people
other than e-mail addresses and telephones, and any bound on memory: both hold the whole file.

Run: python benchmarks/ingest_clickstream.py [--rows N] [--peer PYTHON] [--folder FOLDER]
"""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

FORMATS = ("csv", "parquet")
POLARS = "Polars, by hand"
# Name, module of `clickstream`, and what its `load` takes besides the file and the folder.
OURS = {
    "gpu-pipeline": ("by_pipeline",),
    "gpu-pipeline, 500 MB": ("by_pipeline", str(500 * 10**6)),
}
BY_HAND = {POLARS: ("by_polars",), "Pandera on pandas, by hand": ("by_pandera",)}
PACKAGES = ("gpu-pipeline", "pandas", "pyarrow", "deltalake", "dask")
PEER_PACKAGES = ("polars", "pandera", "pandas", "pyarrow")


@dataclass(frozen=True)
class Contender:
    """A module with a `load` and what that takes last, in a Python that has what it needs."""

    python: Path
    words: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of the rows of a file, and what that took."""

    accepted: int
    rejected: int
    duplicates: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    disk_mb: float

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.accepted, self.rejected, self.duplicates


def main() -> None:
    given = _arguments()
    ours = Path(sys.executable)
    print(f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}")
    print(_in_process(ours, "versions", *PACKAGES))
    contenders = {name: Contender(ours, words) for name, words in OURS.items()}
    if given.peer is None:
        print("Polars and Pandera were left out: --peer names a Python that has them.")
    else:
        print(f"by hand: {_in_process(given.peer, 'versions', *PEER_PACKAGES)}")
        contenders |= {name: Contender(given.peer, words) for name, words in BY_HAND.items()}
    with tempfile.TemporaryDirectory(dir=given.folder) as temporary:
        folder = Path(temporary)
        _in_process(ours, "write", str(given.rows), str(folder))
        for kind in FORMATS:
            source = folder / f"clickstream.{kind}"
            size = source.stat().st_size / 1e6
            print(f"\n{source.name}: {given.rows:,} rows, {size:,.0f} MB, best of {given.repeat}")
            _show(given.rows, _best(source, folder / "out", contenders, given.repeat))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of each file")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, in turn; best counts")
    parser.add_argument("--folder", type=Path, help="an existing one, for files of some GB")
    parser.add_argument(
        "--peer", type=Path, help="a Python that has polars, pandera, pandas and pyarrow"
    )
    return parser.parse_args()


def _in_process(python: Path, function: str, *words: str) -> Any:  # noqa: ANN401
    """What a function of this file returns in a process of its own, which starts small."""
    here = Path(__file__)
    program = f"import json, sys, {here.stem} as b; print(json.dumps(b.{function}(*sys.argv[1:])))"
    done = subprocess.run(
        [str(python), "-c", program, *words],
        cwd=here.parent,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def versions(*packages: str) -> str:
    return ", ".join(f"{name} {version(name)}" for name in packages)


def write(rows: str, folder: str) -> None:
    import_module("clickstream.rows").write_files(int(rows), Path(folder))


def measured(source: str, out: str, module: str, *words: str) -> dict[str, Any]:
    """An `Outcome` of a contender, in this process, as a dict."""
    load, folder = import_module(f"clickstream.{module}").load, Path(out)
    folder.mkdir()
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    accepted, rejected, duplicates = load(Path(source), folder, *words)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    outcome = Outcome(
        accepted=accepted,
        rejected=rejected,
        duplicates=duplicates,
        seconds=seconds,
        cpu_seconds=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        peak_mb=after.ru_maxrss * 1024 / 1e6,
        disk_mb=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6,
    )
    return asdict(outcome)


def _best(
    source: Path, out: Path, contenders: Mapping[str, Contender], repeat: int
) -> dict[str, Outcome]:
    """The fastest run of each contender.

    Raises:
        RuntimeError: they disagree on what became of the rows: that is not the same work.
    """
    found: dict[str, list[Outcome]] = {name: [] for name in contenders}
    for _ in range(repeat):
        for name, one in contenders.items():
            said = _in_process(one.python, "measured", str(source), str(out), *one.words)
            found[name].append(Outcome(**said))
            shutil.rmtree(out)
    counts = {name: {one.counts for one in runs} for name, runs in found.items()}
    if len(set().union(*counts.values())) > 1:
        message = f"Accepted, rejected and repeated rows of {source.name} differ: {counts}"
        raise RuntimeError(message)
    return {name: min(runs, key=lambda one: one.seconds) for name, runs in found.items()}


def _show(rows: int, best: Mapping[str, Outcome]) -> None:
    accepted, rejected, repeated = next(iter(best.values())).counts
    print(f"accepted {accepted:,}, rejected {rejected:,}, repeated {repeated:,}\n")
    print("| contender | rows/s | seconds | CPU seconds | peak MB | MB on disk | speed to Polars |")
    print("|---|---|---|---|---|---|---|")
    for name, one in best.items():
        ratio = f"{best[POLARS].seconds / one.seconds:.2f}x" if POLARS in best else "-"
        print(
            f"| {name} | {rows / one.seconds:,.0f} | {one.seconds:.1f} | {one.cpu_seconds:.1f} "
            f"| {one.peak_mb:,.0f} | {one.disk_mb:,.0f} | {ratio} |"
        )
    sys.stdout.flush()


if __name__ == "__main__":
    main()
