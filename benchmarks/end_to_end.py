"""How long the whole path takes, how much memory it needs, and what it gets right.

    python benchmarks/end_to_end.py [FOLDER]

Runs the command line as a user would, in processes of their own, in FOLDER (by default a
temporary one), and prints Markdown tables.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

import numpy as np

from gpu_pipeline import Lake
from gpu_pipeline.publish import Snapshot

COMMAND = Path(sys.executable).with_name("gpu-pipeline")
PACKAGES = ("gpu-pipeline", "dask", "pandas", "pyarrow", "deltalake", "scikit-learn", "torch")
LOOKUPS = 5000


def measured(words: Sequence[str], folder: Path) -> tuple[float, float]:
    """(wall seconds, peak resident MB of the process) of one call."""
    began = time.perf_counter()
    child = subprocess.Popen(
        [COMMAND, *words], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        message = f"gpu-pipeline {' '.join(words)} ended with {child.returncode}"
        raise RuntimeError(message)
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def print_machine() -> None:
    """What it ran on."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    print(
        f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, no GPU"
    )
    print(f"{versions}\n")


def print_times(folder: Path) -> None:
    """Seconds and memory of each command; help is the median of five."""
    print("| command | seconds | peak MB |\n|---|---|---|")
    helps = [measured(["--help"], folder) for _ in range(5)]
    print(f"| `--help` | {median(h[0] for h in helps):.2f} | {helps[0][1]:.0f} |")
    for words in (
        ["demo"],
        ["demo"],
        ["demo", "--real"],
        ["run", "--lake", "real-lake"],
        ["run", "--lake", "demo-lake", "--workers", "2", "--from", "features"],
    ):
        seconds, megabytes = measured(words, folder)
        print(f"| `{' '.join(words)}` | {seconds:.1f} | {megabytes:.0f} |", flush=True)


def print_rows(folder: Path) -> None:
    """What became of every row, by file."""
    print("\n| lake | rows in | accepted | rejected | duplicates |\n|---|---|---|---|---|")
    for name in ("demo-lake", "real-lake"):
        files = Lake(folder / name).read("source_files").compute()
        total = files[["rows", "accepted", "rejected", "duplicates"]].sum()
        kept = total["accepted"] + total["rejected"] + total["duplicates"]
        assert total["rows"] == kept, name
        print(f"| {name} | " + " | ".join(f"{count:,}" for count in total) + " |")


def print_forecasts(folder: Path) -> None:
    """Errors on the last backtest window, which the choice of method did not see."""
    print("\n| lake | products | method's MAE, summed | seasonal naive's | better by |")
    print("|---|---|---|---|---|")
    for name in ("demo-lake", "real-lake"):
        table = Lake(folder / name).read("demand_forecast").compute()
        chosen = table.drop_duplicates("product_id")
        error, naive = chosen["error"].sum(), chosen["naive_error"].sum()
        print(
            f"| {name} | {len(chosen):,} | {error:,.0f} | {naive:,.0f} | {1 - error / naive:.1%} |"
        )


def print_lookups(folder: Path) -> None:
    """Customers looked up in the snapshot, one after the other, in this process."""
    lake = Lake(folder / "real-lake")
    keys = lake.read("customer_features", ["customer_key"]).compute()["customer_key"].to_numpy()
    snapshot = Snapshot.open(lake.path / "serving")
    times = []
    for key in np.random.default_rng(0).choice(keys, LOOKUPS):
        began = time.perf_counter()
        snapshot.customer(int(key))
        times.append(time.perf_counter() - began)
    snapshot.close()
    p50, p99 = np.quantile(times, [0.5, 0.99]) * 1000
    print(f"\n{LOOKUPS:,} customers of {len(keys):,} looked up: p50 {p50:.3f} ms, p99 {p99:.3f} ms")


def print_sentiment(folder: Path) -> None:
    """Texts of the demo scored in one call, the model loaded beforehand."""
    from nlp import SentimentModel

    texts = Lake(folder / "demo-lake").read("reviews", ["text"]).compute()["text"].tolist()
    model = SentimentModel.load()
    model.score(texts[:50])
    began = time.perf_counter()
    model.score(texts)
    rate = len(texts) / (time.perf_counter() - began)
    print(
        f"\n{len(texts):,} reviews scored ({model.precision}, {model.device}): {rate:,.0f} texts/s"
    )
    print(f"\nModel card: {json.dumps(model.card['evaluation'])}")


def main(folder: Path) -> None:
    """Every question in turn."""
    print_machine()
    print_times(folder)
    print_rows(folder)
    print_forecasts(folder)
    print_lookups(folder)
    print_sentiment(folder)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
