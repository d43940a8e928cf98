"""Segments beside scikit-learn's usual recipe and RFM rules: what is found, how sure, how fast.

`planted`: shops that `generate` makes, ingested and described by the product. How well the
planted segments are recovered (adjusted Rand index; 1 is perfect, 0 chance), on seeds that the
default features were not chosen on. The recipe is StandardScaler and KMeans on days since the
last order, orders and revenue as they are, told the planted number; the rules are quintiles of
the same three: each code by itself, and the usual names by recency and frequency.

`real`: Online Retail. What each number of segments scores, and what a customer sees of a refit
from month to month, beside fits that know nothing of the month before.

`speed`: customers like those of a planted shop, fit and assign, each way in a process of its own,
the best of RUNS.

Run: python benchmarks/segments.py [planted real speed] [--customers N ...]
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from timing import best_of, in_own_process, machine

from gpu_pipeline.backend import Backend

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from gpu_pipeline.ingest import FileMapping

SHOPS = ((3000, 180, 21), (3000, 180, 22), (10_000, 180, 23), (3000, 365, 24), (3000, 90, 25))
RETAIL = Path(__file__).parents[1] / "data" / "online_retail.parquet"
MONTHS = range(4, 13)
RFM = ["days_since_last_order", "orders", "revenue"]
PLANTED, SEGMENTS_OF_SPEED, RUNS = 4, 8, 3
QUESTIONS = ("planted", "real", "speed")
KEY = "5e" * 32
CPU = Backend.choose("cpu")
Labels = npt.NDArray[Any]


def main() -> None:
    given = _arguments()
    if given.way:
        print(json.dumps(_measured(given.way, given.folder)))
        return
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        if "planted" in given.questions:
            _show_planted(Path(name))
        if "real" in given.questions:
            _show_real(Path(name))
        if "speed" in given.questions:
            for customers in given.customers:
                _show_speed(Path(name), customers)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("questions", nargs="*", default=QUESTIONS, metavar="QUESTION")
    parser.add_argument("--customers", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _show_planted(folder: Path) -> None:
    from gpu_pipeline.segmentation import SegmentModel

    print("\nPlanted segments: adjusted Rand index, by customers, days and seed of the shop")
    ways: Mapping[str, Callable[[pd.DataFrame], Labels]] = {
        "ours, number chosen": lambda shop: SegmentModel().fit_predict(shop),
        f"ours, told {PLANTED}": lambda shop: SegmentModel(n_segments=PLANTED).fit_predict(shop),
        "ours, hdbscan": lambda shop: SegmentModel(method="hdbscan").fit_predict(shop),
        f"scikit-learn's recipe, told {PLANTED}": lambda shop: _recipe(shop, PLANTED)[1],
        "RFM quintiles, every code": lambda shop: _codes(shop)["rfm"].to_numpy(),
        "RFM quintiles, by names": _named,
    }
    shops = [_planted_shop(folder / f"shop-{seed}", *size, seed) for *size, seed in SHOPS]
    heads = [", ".join(map(str, shop)) for shop in SHOPS]
    print(f"{'':<34}{''.join(f'{head:>16}' for head in heads)}    mean")
    for way, labels in ways.items():
        found = [_index(shop, labels(shop)) for shop in shops]
        print(f"{way:<34}{''.join(f'{one:16.3f}' for one in found)}{np.mean(found):8.3f}")
    numbers = [len(SegmentModel().fit(shop).segments_) for shop in shops]
    print(f"{'number chosen':<34}{''.join(f'{one:16d}' for one in numbers)}")


def _planted_shop(folder: Path, customers: int, days: int, seed: int) -> pd.DataFrame:
    """Features of every customer, and the segment that was planted."""
    from gpu_pipeline.features import customer_features
    from gpu_pipeline.privacy.pseudonyms import token
    from gpu_pipeline.synthetic import generate

    folder.mkdir()
    generate(folder, customers=customers, days=days, seed=seed)
    lines = _lines(folder.with_suffix(".lake"), next(folder.glob("orders*")))
    shop = customer_features(lines, lines["ordered_at"].max().to_pydatetime(), CPU)
    truth = pd.read_parquet(folder / "truth" / "customers.parquet")
    keys = [token(one, key=KEY, kind="customer") for one in truth["customer_id"]]
    return shop.merge(truth.assign(customer_key=keys)[["customer_key", "segment"]])


def _lines(lake_path: Path, source: Path, mapping: "FileMapping | None" = None) -> pd.DataFrame:
    """The order lines of a file, as the product keeps them."""
    from gpu_pipeline.ingest import ingest
    from gpu_pipeline.orders import LINE_COLUMNS
    from gpu_pipeline.store import Lake

    lake = Lake.create(lake_path, buckets=1, backend=CPU, key=KEY)
    with CPU.cluster():
        ingest(lake, source, mapping=mapping)
        return lake.read("orders", list(LINE_COLUMNS)).compute()


def _index(shop: pd.DataFrame, labels: Labels) -> float:
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(shop["segment"], labels))


def _recipe(shop: pd.DataFrame, segments: int) -> "tuple[Pipeline, Labels]":
    from sklearn.cluster import KMeans
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    made = make_pipeline(StandardScaler(), KMeans(n_clusters=segments, random_state=0))
    return made, made.fit_predict(shop[RFM].astype("float64"))


def _codes(shop: pd.DataFrame) -> pd.DataFrame:
    from gpu_pipeline.features import rfm_scores

    return rfm_scores(shop)


def _named(shop: pd.DataFrame) -> Labels:
    scores = _codes(shop)
    recent, often = scores["days_since_last_order_score"], scores["orders_score"]
    return np.select(
        [(recent >= 4) & (often >= 4), (recent >= 3) & (often >= 3), often >= 3],
        ["champions", "loyal", "slipping away"],
        "one-off",
    )


def _show_real(folder: Path) -> None:
    from sklearn.metrics import adjusted_rand_score

    from gpu_pipeline.features import customer_features
    from gpu_pipeline.ingest import FileMapping
    from gpu_pipeline.segmentation import SegmentModel

    moments = [datetime(2011, month, 10) for month in MONTHS]  # noqa: DTZ001
    mapping = FileMapping.load(RETAIL.with_suffix(".mapping.yaml"))
    lines = _lines(folder / "retail", RETAIL, mapping)
    shops = [customer_features(lines, moment, CPU) for moment in moments]
    known = SegmentModel().fit(shops[-1])
    print(f"\nOnline Retail, {len(shops[-1]):,} customers: {len(known.segments_)} segments chosen")
    print(f"{'segments':>8}{'silhouette':>12}{'stability':>12}")
    for one in known.choice_:
        print(f"{one.n_segments:8d}{one.silhouette:12.3f}{one.stability:12.3f}")
    print(
        f"\n{'refit in':<10}{'kept':>8}{'published':>11}{'alone, same label':>20}{'its index':>11}"
    )
    last = SegmentModel().fit(shops[0])
    for moment, (before, shop) in zip(moments[1:], pairwise(shops), strict=True):
        model = SegmentModel().fit(shop, previous=last)
        refit = model.refit_of(last, shop)
        alone = [_recipe(one, len(last.segments_))[0].predict(shop[RFM]) for one in (before, shop)]
        same, index = (alone[0] == alone[1]).mean(), adjusted_rand_score(*alone)
        said = "yes" if refit.is_good else "no"
        print(f"{moment:%Y-%m}   {refit.agreement:8.1%}{said:>11}{same:20.1%}{index:11.3f}")
        last = model if refit.is_good else last


def _show_speed(folder: Path, customers: int) -> None:
    if not (folder / "shop.parquet").is_file():
        shop = _planted_shop(folder / "speed", 10_000, 180, 3)
        shop.to_parquet(folder / "shop.parquet")
    _write_customers(folder, customers)
    found = {
        way: in_own_process(sys.executable, __file__, "--way", way, "--folder", str(folder))
        for way in WAYS
    }
    print(f"\n{customers:,} customers, {SEGMENTS_OF_SPEED} segments")
    print(f"{'':<44}seconds  times as long")
    for way, one in found.items():
        first = found[next(name for name in WAYS if name.split(":")[0] == way.split(":")[0])]
        longer = one["seconds"] / first["seconds"]
        print(f"{way:<44}{one['seconds']:7.2f}{longer:15.2f}")


def _write_customers(folder: Path, customers: int) -> None:
    """As those of the shop, each number a little off: none is there twice."""
    from gpu_pipeline.segmentation import FEATURES

    rng = np.random.default_rng(20260601)
    shop = pd.read_parquet(folder / "shop.parquet")[list(FEATURES)].astype("float64")
    drawn = shop.iloc[rng.integers(0, len(shop), customers)].reset_index(drop=True)
    for name in ("days_since_last_order", "revenue", "mean_days_between_orders"):
        drawn[name] *= rng.lognormal(0, 0.05, customers)
    drawn.insert(0, "customer_key", rng.integers(-(2**63), 2**63 - 1, customers))
    drawn.to_parquet(folder / "customers.parquet")


def _measured(way: str, folder: Path) -> dict[str, Any]:
    frame = pd.read_parquet(folder / "customers.parquet")
    measured, _ = best_of(RUNS, WAYS[way](frame))
    return measured


def _our_fit(frame: pd.DataFrame) -> Callable[[], Any]:
    from gpu_pipeline.segmentation import SegmentModel

    return lambda: SegmentModel(n_segments=SEGMENTS_OF_SPEED).fit(frame)


def _our_choice(frame: pd.DataFrame) -> Callable[[], Any]:
    from gpu_pipeline.segmentation import SegmentModel

    return lambda: SegmentModel().fit(frame)


def _our_assignment(frame: pd.DataFrame) -> Callable[[], Any]:
    model = _our_fit(frame)()
    return lambda: model.assign(frame)


def _their_fit(frame: pd.DataFrame, *, starts: int | str = "auto") -> Callable[[], Any]:
    return lambda: _their_recipe(starts).fit(_filled(frame))


def _their_ten_starts(frame: pd.DataFrame) -> Callable[[], Any]:
    return _their_fit(frame, starts=10)


def _their_assignment(frame: pd.DataFrame) -> Callable[[], Any]:
    made = _their_recipe("auto").fit(_filled(frame))
    return lambda: made.predict(_filled(frame))


def _their_recipe(starts: int | str) -> "Pipeline":
    from sklearn.cluster import KMeans
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    kmeans = KMeans(n_clusters=SEGMENTS_OF_SPEED, n_init=starts, random_state=0)
    return make_pipeline(StandardScaler(), kmeans)


def _filled(frame: pd.DataFrame) -> pd.DataFrame:
    """The same six features; scikit-learn takes no gaps."""
    return frame.drop(columns="customer_key").fillna(0.0)


WAYS: dict[str, Callable[[pd.DataFrame], Callable[[], Any]]] = {
    "fit: ours (10 starts, stability)": _our_fit,
    "fit: ours, number chosen from 3 to 12": _our_choice,
    "fit: scikit-learn's recipe (1 start)": _their_fit,
    "fit: scikit-learn's recipe (10 starts)": _their_ten_starts,
    "assign: ours (prepare, nearest, distance)": _our_assignment,
    "assign: scikit-learn's recipe (predict)": _their_assignment,
}


if __name__ == "__main__":
    main()
