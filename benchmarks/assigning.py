"""How long one customer's segment takes over HTTP: a running server, one request after the other.

Asks the server of a published lake for the segment of customers with the features that its run
gave them, one a request and a thousand a request, and holds every label to that of the run.

Run: gpu-pipeline demo --lake shop, then: python benchmarks/assigning.py shop [--requests N]
"""

import argparse
import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from timing import machine

from gpu_pipeline.backend import Backend
from gpu_pipeline.segmentation import FEATURES
from gpu_pipeline.store import Lake

KEY = "a key of the benchmark"
AT_ONCE, WARM_UP, SECONDS_TO_START = 1000, 50, 120


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("lake", type=Path)
    parser.add_argument("--requests", type=int, default=2000)
    given = parser.parse_args()
    lake = Lake(given.lake, backend=Backend.choose("cpu"))
    features = lake.read("customer_features", ["customer_key", *FEATURES]).compute()
    segments = lake.read("customer_segments", ["customer_key", "segment"]).compute()
    both = features.merge(segments, on="customer_key")
    asked = both[list(FEATURES)].astype(object)
    rows = asked.where(asked.notna(), None).to_dict("records")
    labels = both["segment"].tolist()
    print(machine())
    with _served(lake.path) as connection:
        _ask(connection, rows[:1] * WARM_UP, labels[:1] * WARM_UP, 1)
        places = np.random.default_rng(0).integers(0, len(rows), given.requests)
        some = [rows[i] for i in places], [labels[i] for i in places]
        _show("one customer", _ask(connection, *some, 1))
        many = (rows * (20 * AT_ONCE // len(rows) + 1))[: 20 * AT_ONCE]
        wanted = (labels * (20 * AT_ONCE // len(rows) + 1))[: 20 * AT_ONCE]
        _show(f"{AT_ONCE:,} customers", _ask(connection, many, wanted, AT_ONCE))
    print(f"every label that of the run; {len(rows):,} different customers")


@contextmanager
def _served(lake: Path) -> Iterator[http.client.HTTPConnection]:
    """A connection to a server of the lake, which ends with the context."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    environment = {**os.environ, "GPU_PIPELINE_API_KEYS": json.dumps([digest])}
    command = [str(Path(sys.executable).with_name("gpu-pipeline")), "serve", "--lake", str(lake)]
    server = subprocess.Popen(
        [*command, "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        _wait(connection)
        yield connection
    finally:
        connection.close()
        server.terminate()
        server.wait()


def _wait(connection: http.client.HTTPConnection) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().read():
                return
        except OSError:
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _ask(
    connection: http.client.HTTPConnection,
    rows: list[dict[str, Any]],
    labels: list[int],
    at_once: int,
) -> list[float]:
    """Milliseconds of each request, from its first byte sent to its last byte read."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    took = []
    for first in range(0, len(rows), at_once):
        body = json.dumps({"customers": rows[first : first + at_once]})
        began = time.perf_counter()
        connection.request("POST", "/v1/segments/assign", body, headers)
        answer = connection.getresponse().read()
        took.append((time.perf_counter() - began) * 1000)
        found = [one["segment"] for one in json.loads(answer)["data"]]
        if found != labels[first : first + at_once]:
            sys.exit("Another label than the run gave.")
    return took


def _show(what: str, took: list[float]) -> None:
    p50, p95, p99 = np.quantile(took, [0.5, 0.95, 0.99])
    print(
        f"{what} a request, {len(took):,} requests: p50 {p50:.2f} ms, p95 {p95:.2f} ms, "
        f"p99 {p99:.2f} ms, longest {max(took):.2f} ms"
    )


if __name__ == "__main__":
    main()
