"""Do segments and values say who buys next quarter? UCI Online Retail, cut after nine months.

Everything is learnt from what had happened by the cut; what each customer then spent in the
quarter after it, less returns, is looked at alone. Segments stand beside two rules that shops use:
scikit-learn's k-means on standardised recency, frequency and revenue, with as many groups, and the
fifths of revenue. `explained` is the share of the variance of log(1 + spent) between customers that
the groups explain. Values stand beside "the same as last quarter".

Run: python benchmarks/next_quarter.py
"""

import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler
from timing import machine

from gpu_pipeline.backend import Backend
from gpu_pipeline.customer_value.judging import judged_model
from gpu_pipeline.customer_value.past import pasts
from gpu_pipeline.demo import REAL_DATA
from gpu_pipeline.features import customer_features, rfm_scores
from gpu_pipeline.ingest import FileMapping, ingest
from gpu_pipeline.orders import LINE_COLUMNS
from gpu_pipeline.segmentation import SegmentModel, segment_profiles
from gpu_pipeline.store import Lake

CUT = datetime(2011, 9, 1)  # noqa: DTZ001
QUARTER = timedelta(days=91)
CPU = Backend.choose("cpu")


def main() -> None:
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        lines = _order_lines(Path(folder))
    features = customer_features(lines, CUT, CPU)
    spent = _spent(lines, CUT, CUT + QUARTER, features["customer_key"])
    print(f"{len(features):,} customers at {CUT:%Y-%m-%d}; {(spent > 0).mean():.0%} buy after it\n")
    _show_groups(features, spent)
    _show_values(lines)


def _order_lines(folder: Path) -> pd.DataFrame:
    lake = Lake.create(folder / "lake", backend=CPU)
    with CPU.cluster():
        mapping = FileMapping.load(REAL_DATA / "online_retail.mapping.yaml")
        ingest(lake, REAL_DATA / "online_retail.parquet", mapping=mapping)
        return lake.read("orders", LINE_COLUMNS).compute()


def _spent(
    lines: pd.DataFrame, since: datetime, until: datetime, keys: "pd.Series[int]"
) -> "pd.Series[float]":
    """What each customer spent in (since, until], less returns, in pounds."""
    before, after = (
        customer_features(lines, moment, CPU).set_index("customer_key")["revenue"]
        for moment in (since, until)
    )
    return (after.reindex(keys).fillna(0) - before.reindex(keys).fillna(0)).clip(lower=0) / 100


def _show_groups(features: pd.DataFrame, spent: "pd.Series[float]") -> None:
    model = SegmentModel(seed=0, backend=CPU).fit(features)
    ours = model.assign(features)
    profiles = segment_profiles(features, ours)
    rfm = features[["days_since_last_order", "orders", "revenue"]]
    count = len(profiles)
    recipe = KMeans(count, random_state=0).fit_predict(StandardScaler().fit_transform(rfm))
    fifths = rfm_scores(features)["revenue_score"]
    print(f"{count} segments, silhouette {model.silhouette_:.3f}, stability {model.stability_:.3f}")
    table = pd.DataFrame({"segment": ours["segment"].to_numpy(), "spent": spent.to_numpy()})
    means = table.groupby("segment")["spent"].agg(["size", "mean", lambda s: (s > 0).mean()])
    means.columns = ["customers", "spent", "buy"]
    means["name"] = profiles.set_index("segment")["name"]
    print(means.sort_values("spent", ascending=False).round(2).to_string(), "\n")
    for name, groups in (
        ("segments", ours["segment"]),
        ("k-means recipe", recipe),
        ("fifths", fifths),
    ):
        labels = np.asarray(groups)
        by = spent.groupby(labels).mean()
        smallest = np.bincount(labels - labels.min()).min()
        print(
            f"{name:>15}: explained {_explained(labels, spent):.3f}, best group "
            f"{by.max():,.0f}, worst {by.min():,.2f}, smallest group {smallest:,}"
        )


def _explained(labels: np.ndarray, spent: "pd.Series[float]") -> float:
    logged = np.log1p(spent.to_numpy())
    fitted = pd.Series(logged).groupby(labels).transform("mean")
    return float(fitted.var() / logged.var())


def _show_values(lines: pd.DataFrame) -> None:
    now, cut, earlier = pasts(lines, CUT + QUARTER, QUARTER.days, CPU, most=10**6)
    judged = judged_model(now, cut, earlier, QUARTER.days)
    assert judged.trial is not None, judged.notes
    trial = judged.trial
    print(f"\nValue of {trial.customers:,} customers over the quarter, in pounds")
    for name, found in trial.value.items():
        share = found.top_decile_share or 0.0
        print(
            f"{name:>15}: off by {found.mean_absolute_error / 100:,.0f} (mean), root mean square "
            f"{found.root_mean_squared_error / 100:,.0f}, bias {found.bias or 0.0:+.0%}; "
            f"its best tenth brought {share:.0%}"
        )
    deciles = pd.DataFrame(trial.deciles)
    each = deciles["actual"] / deciles["customers"] / 100
    print(
        f"{'tenths':>15}: the best brought {each.iloc[0]:,.0f} each, the last {each.iloc[-1]:,.0f}"
    )
    for name, risk in trial.churn.items():
        print(
            f"{name:>15}: who buys nothing: area under curve {risk.area_under_curve:.3f}, "
            f"calibration error {risk.calibration_error:.3f}, Brier {risk.brier:.3f}"
        )
    print(
        f"{'intervals':>15}: {trial.interval_coverage:.1%} of the values lie in that of 80 %, "
        f"{trial.central_share:.1%} where ties count in part"
    )


if __name__ == "__main__":
    main()
