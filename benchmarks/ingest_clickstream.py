"""Clickstream from a landing file to the lake, beside the same work written by hand.

Every contender reads the same CSV or Parquet file, in a process of its own, and leaves typed,
checked, pseudonymised rows, sorted by customer and time, as zstd Parquet per bucket and month, and
the rejected ones with their reasons. All must agree on how many rows were accepted, rejected and
repeated. The clock starts after imports; memory is the most that the process had resident.

What those by hand (`ingest_clickstream_by_hand.py`) leave out: a commit that is atomic and happens
once, a look at what was loaded before, broken records, all kinds of identifiers but e-mail
addresses and telephones, and any bound on memory: both hold the whole file.

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
from importlib.metadata import version
from pathlib import Path
from typing import Any

FORMATS = ("csv", "parquet")
POLARS, PANDERA = "Polars, by hand", "Pandera on pandas, by hand"
# Of gpu-pipeline: what the process may take, None for what it takes by default.
BUDGETS = {"gpu-pipeline": None, "gpu-pipeline, 500 MB": 500 * 10**6}
PACKAGES = ("gpu-pipeline", "pandas", "pyarrow", "deltalake", "dask")
PEER_PACKAGES = ("polars", "pandera", "pandas", "pyarrow")


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
    contenders = dict.fromkeys(BUDGETS, ours)
    if given.peer is None:
        print("Polars and Pandera were left out: --peer names a Python that has them.")
    else:
        print(f"by hand: {_in_process(given.peer, 'versions', *PEER_PACKAGES)}")
        contenders |= dict.fromkeys((POLARS, PANDERA), given.peer)
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
    from ingest_clickstream_rows import write_files

    write_files(int(rows), Path(folder))


def measured(name: str, source: str, out: str) -> dict[str, Any]:
    """An `Outcome` of a contender in this process, as a dict."""
    work, folder = _CONTENDERS[name](BUDGETS.get(name)), Path(out)
    folder.mkdir()
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    accepted, rejected, duplicates = work(Path(source), folder)
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


def _of_pipeline(memory_bytes: int | None) -> Work:
    from gpu_pipeline import Lake
    from gpu_pipeline.ingest import LoadOptions, ingest

    options = LoadOptions() if memory_bytes is None else LoadOptions(memory_bytes=memory_bytes)

    def work(source: Path, folder: Path) -> Counts:
        lake = Lake.create(folder / "lake", backend=Backend.choose("cpu"))
        with lake.backend.cluster():
            (report,) = ingest(lake, source, options=options).files
        return report.accepted, report.rejected, report.duplicates

    return work


def _of_polars(_: int | None) -> Work:
    from ingest_clickstream_by_hand import polars_contender

    return polars_contender


def _of_pandera(_: int | None) -> Work:
    from ingest_clickstream_by_hand import pandera_contender

    return pandera_contender
