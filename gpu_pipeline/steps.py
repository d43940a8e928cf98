"""The steps of the product: what each reads, what it writes, and how."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.config import Config
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import LakeError
from gpu_pipeline.exchange import (
    RATE_COLUMNS,
    ExchangeRates,
    in_reporting_currency,
    lines_without_rate,
)
from gpu_pipeline.features import customer_features
from gpu_pipeline.forecasting.demand import combined_demand, daily_demand, forecast_demand
from gpu_pipeline.orders import LINE_COLUMNS, one_currency, settled
from gpu_pipeline.pipeline import Step, Work, code_digest
from gpu_pipeline.publish import Snapshot, write_snapshot
from gpu_pipeline.quality.results import RESULTS, written
from gpu_pipeline.quality.tables import table_measurements
from gpu_pipeline.segmentation import SegmentModel, segment_profiles
from gpu_pipeline.sessions import CLICK_COLUMNS, SessionRule, click_sessions
from gpu_pipeline.store import Lake, Part
from nlp import SentimentModel
from nlp.model import version_of

if TYPE_CHECKING:
    import dask.dataframe as dd

__all__ = ["STEPS", "TEXT_SOURCES"]

TEXT_SOURCES = ("reviews", "feedback", "social", "support")
_SOURCES = (
    *("customers", "products", "orders", "clickstream", *TEXT_SOURCES),
    *("inventory", "fx_rates", "promotions"),
)


def _quality(work: Work) -> None:
    """Looks at references, freshness and volume again: what was missing may have come."""
    found = table_measurements(work.lake, as_of=work.as_of, run_id=work.run_id)
    failing = [f"{one.contract}: {one.rule}" for one in found if one.verdict == "warned"]
    work.facts.update(checked=len(found), warned=failing)
    work.commit(RESULTS, written(work.lake, work.writer, found), overwrite=False)


def _sessions(work: Work) -> None:
    """Every bucket by itself: it holds its customers' whole histories."""
    clicks = work.read("clickstream", CLICK_COLUMNS.names).to_delayed()
    made = compute(
        *(delayed(_sessions_written)(work, some, number) for number, some in enumerate(clicks))
    )
    for place, table in enumerate(("sessions", "open_sessions")):
        work.commit(table, [part for parts in made for part in parts[place]], overwrite=True)


def _sessions_written(work: Work, clicks: Frame, number: int) -> list[list[Part]]:
    made = click_sessions(clicks, work.as_of, SessionRule(), work.lake.backend)
    tables = (contract("sessions"), contract("open_sessions"))
    return [
        work.writer.write(rows, table, number=number)
        for rows, table in zip(made, tables, strict=True)
    ]


def _features(work: Work) -> None:
    rates = _exchange_rates(work)
    table = work.read("orders", LINE_COLUMNS).map_partitions(
        customer_features,
        work.as_of,
        work.lake.backend,
        rates=rates,
        meta=_meta(work, "customer_features"),
    )
    work.replace("customer_features", table)


def _segments(work: Work) -> None:
    """Fits on one device, on all customers' few numbers; assigns bucket by bucket."""
    backend = work.lake.backend
    features: Frame = work.read("customer_features").compute().reset_index(drop=True)
    one_currency(features, backend)
    model = SegmentModel(
        n_segments=work.config.segments, seed=work.config.seed, backend=backend
    ).fit(features)
    labelled = model.assign(features)
    host = backend.to_pandas(features)
    profiles = segment_profiles(host, backend.to_pandas(labelled))
    names = dict(zip(profiles["segment"], profiles["name"], strict=True))
    work.facts.update(
        customers=len(host),
        segments=len(profiles),
        inertia=model.inertia_,
        names=list(names.values()),
    )
    model.save(
        work.lake.path / "models" / "segments" / work.run_id,
        card={
            "run": work.run_id,
            "device": backend.reason,
            "as_of": work.as_of.isoformat(),
            "customer_features": work.lake.version("customer_features"),
            "customers": len(host),
        },
    )
    named = labelled.assign(name=labelled["segment"].map(names), as_of=features["as_of"])
    work.replace("customer_segments", named)
    work.replace("segment_profiles", backend.from_pandas(profiles))


def _demand(work: Work) -> None:
    lines: dd.DataFrame = work.read("orders", LINE_COLUMNS)
    daily = lines.map_partitions(
        _settled_demand,
        work.lake.backend,
        rates=_exchange_rates(work),
        time_zone=work.lake.time_zone,
        meta=_meta(work, "demand_daily"),
    )
    work.replace("demand_daily", combined_demand(daily.compute()))


def _settled_demand(
    lines: Frame, backend: Backend, *, rates: ExchangeRates | None, time_zone: str
) -> Frame:
    """Without a rate, units are units all the same: they stay in the currency they were sold in."""
    lines = settled(lines, backend)
    if rates is not None:
        converted, as_paid = in_reporting_currency(lines, rates, backend)
        lines = backend.frames.concat([converted, as_paid])
    return daily_demand(lines, time_zone=time_zone)


def _exchange_rates(work: Work) -> ExchangeRates | None:
    """The rates to the lake's reporting currency; None where it has none and nothing is converted.

    Says in the facts how many lines lack one. No order is converted at a rate of a later day than
    its own: rates of after `as_of` change nothing.
    """
    lake = work.lake
    if not lake.currency:
        return None
    there = work.has("fx_rates")
    table: Frame = lake.read("fx_rates", RATE_COLUMNS).compute() if there else _no_rates(work)
    rates = ExchangeRates.of(
        lake.backend.to_pandas(table), currency=lake.currency, time_zone=lake.time_zone
    )
    lines = work.read("orders", ["ordered_at", "currency", "line_type"]).to_delayed()
    missing = compute(*(delayed(_moves_without_rate)(some, rates, lake.backend) for some in lines))
    work.facts.update(currency=lake.currency, without_rate=sum(missing))
    return rates


def _no_rates(work: Work) -> Frame:
    return work.lake.backend.empty(contract("fx_rates"), RATE_COLUMNS)


def _moves_without_rate(lines: Frame, rates: ExchangeRates, backend: Backend) -> int:
    moves = lines[lines["line_type"].isin(["sale", "return"])]
    return lines_without_rate(moves, rates, backend)


def _forecast(work: Work) -> None:
    demand = work.read("demand_daily").compute()
    backend = work.lake.backend
    table = forecast_demand(
        demand,
        as_of=work.as_of,
        horizon=work.config.horizon,
        backend=backend,
        time_zone=work.lake.time_zone,
    )
    chosen = table.drop_duplicates("product_id")
    work.facts.update(
        products=len(chosen),
        models=chosen["model"].value_counts().to_dict(),
        error=float(chosen["error"].sum()),
        naive_error=float(chosen["naive_error"].sum()),
    )
    work.replace("demand_forecast", backend.from_pandas(table))


def _text_sentiment(work: Work) -> None:
    """Scores the texts that have no score yet; all of them when model or code changed."""
    version = version_of(work.config.text_model)
    scorer = f"{version} {code_digest('nlp')}"
    overwrite = work.forced or work.lake.note("text_sentiment").get("scorer") != scorer
    model: SentimentModel | None = None
    parts, scored = [], 0
    for bucket in range(work.lake.buckets):
        unscored = _unscored(work, bucket, everything=overwrite)
        if not unscored:
            continue
        model = model or SentimentModel.load(work.config.text_model)
        rows = pd.concat([_scored(texts, source, model) for source, texts in unscored.items()])
        # One write for all sources: a file a month, not one a source.
        parts += work.writer.write(
            work.lake.backend.from_pandas(rows.reset_index(drop=True)), contract("text_sentiment")
        )
        scored += len(rows)
    work.facts.update(model_version=version, scored=scored, scorer=scorer)
    work.commit("text_sentiment", parts, overwrite=overwrite)


def _unscored(work: Work, bucket: int, *, everything: bool) -> dict[str, pd.DataFrame]:
    """The bucket's texts that have no score yet, by source; none of a source that has none."""
    found = {name: _texts(work, name, bucket) for name in TEXT_SOURCES if work.has(name)}
    if not everything and work.has("text_sentiment"):
        columns = ["source", "text_id"]
        done = work.lake.read_bucket("text_sentiment", bucket, columns=columns)
        done = work.lake.backend.to_pandas(done)
        for source, texts in found.items():
            ids = done.loc[done["source"] == source, "text_id"]
            found[source] = texts[~texts[contract(source).key[0]].isin(ids)]
    return {source: texts for source, texts in found.items() if len(texts)}


def _texts(work: Work, source: str, bucket: int) -> pd.DataFrame:
    found = contract(source)
    time = found.event_time or ""
    by_then = (time, "<=", np.datetime64(work.as_of, "us"))
    columns = [found.key[0], "customer_key", "key_kind", time, "product_id", "text"]
    return work.lake.backend.to_pandas(
        work.lake.read_bucket(source, bucket, [by_then], columns=columns)
    )


def _scored(texts: pd.DataFrame, source: str, model: SentimentModel) -> pd.DataFrame:
    found = contract(source)
    scores = model.score(texts["text"].tolist()).astype("float64")
    return pd.DataFrame(
        {
            "source": source,
            "text_id": texts[found.key[0]],
            "customer_key": texts["customer_key"],
            "key_kind": texts["key_kind"],
            "created_at": texts[found.event_time],
            "product_id": texts["product_id"],
            **{label: scores[:, i] for i, label in enumerate(model.labels)},
            "label": [model.labels[i] for i in scores.argmax(axis=1)],
            "model_version": model.version,
        }
    )


def _publish(work: Work) -> None:
    served = ("customer_features", "customer_segments", "segment_profiles", "demand_forecast")
    tables = {name: _chunks(work, name) for name in served if work.has(name)}
    sentiment = _product_sentiment(work)
    tables["product_sentiment"] = iter([sentiment])
    tables["product_names"] = iter([_product_names(work, sentiment["product_id"])])
    versions = {name: work.lake.version(name) for name in work.lake.tables()}
    path = write_snapshot(
        work.lake.serving,
        tables,
        facts={
            "run_id": work.run_id,
            "as_of": work.as_of.isoformat(),
            "made_at": datetime.now(UTC).isoformat(),
            "data_versions": json.dumps(versions),
            "model_version": version_of(work.config.text_model),
            "fingerprint": work.fingerprint,
        },
    )
    work.facts.update(snapshot=path.stem)


def _chunks(work: Work, table: str) -> Iterator[pd.DataFrame]:
    frame = work.read(table)
    for i in range(frame.npartitions):
        yield work.lake.backend.to_pandas(frame.partitions[i].compute())


def _product_names(work: Work, mentioned: "pd.Series[str]") -> pd.DataFrame:
    """product_id and name: the catalogue's, else the last on an order line, else the id itself."""
    to_pandas = work.lake.backend.to_pandas
    found = [pd.DataFrame({"product_id": mentioned, "name": mentioned})]
    if work.has("orders"):
        columns = ["product_id", "product_name", "ordered_at", "line_type"]
        lines = work.read("orders", columns).map_partitions(_printed_names).compute()
        printed = to_pandas(_printed_names(lines))
        found.append(printed.assign(name=printed["product_name"].fillna(printed["product_id"])))
    if work.has("products"):
        found.append(to_pandas(work.read("products", ["product_id", "name"]).compute()))
    names = pd.concat(found)[["product_id", "name"]]
    return names.drop_duplicates("product_id", keep="last").reset_index(drop=True)


def _printed_names(lines: Frame) -> Frame:
    """The line of each product on whose sale its name was printed last; any where none was."""
    sold = lines[lines["line_type"] == "sale"]
    ordered = sold.assign(printed=sold["product_name"].notna()).sort_values(
        ["printed", "ordered_at", "product_name"]
    )
    return ordered.drop_duplicates(subset=["product_id"], keep="last")[list(lines.columns)]


def _product_sentiment(work: Work) -> pd.DataFrame:
    """Texts about each product, and how many of them sound which way."""
    columns = ["product_id", "label"]
    if work.has("text_sentiment"):
        frame: Frame = work.read("text_sentiment", columns).compute()
    else:
        frame = _meta(work, "text_sentiment")[columns]
    about = work.lake.backend.to_pandas(frame).dropna()
    said = {label: about["label"] == label for label in SentimentModel.labels}
    counts = pd.DataFrame(said).groupby(about["product_id"]).sum().astype("int64")
    counts.insert(0, "texts", counts.sum(axis=1))
    return counts.reset_index()


def _meta(work: Work, table: str) -> Frame:
    return work.lake.backend.empty(contract(table))


def _published(lake: Lake) -> str | None:
    try:
        snapshot = Snapshot.open(lake.serving)
    except LakeError:
        # Nothing there, or damaged: either way it is to be made.
        return None
    try:
        return snapshot.facts.get("fingerprint")
    finally:
        snapshot.close()


def _text_model(config: Config) -> str:
    return version_of(config.text_model)


STEPS = (
    Step(name="quality", reads=_SOURCES, writes=(RESULTS,), run=_quality),
    Step(
        name="sessions",
        reads=("clickstream",),
        writes=("sessions", "open_sessions"),
        run=_sessions,
        dated=False,
    ),
    Step(
        name="features",
        reads=("orders",),
        uses=("fx_rates",),
        writes=("customer_features",),
        run=_features,
    ),
    Step(
        name="segments",
        reads=("customer_features",),
        writes=("customer_segments", "segment_profiles"),
        run=_segments,
        settings=("segments", "seed"),
    ),
    Step(
        name="demand",
        reads=("orders",),
        uses=("fx_rates",),
        writes=("demand_daily",),
        run=_demand,
        dated=False,
    ),
    Step(
        name="forecast",
        reads=("demand_daily",),
        writes=("demand_forecast",),
        run=_forecast,
        settings=("horizon",),
    ),
    Step(
        name="sentiment",
        reads=TEXT_SOURCES,
        writes=("text_sentiment",),
        run=_text_sentiment,
        dated=False,
        state=_text_model,
    ),
    Step(
        name="publish",
        reads=(
            "customer_features",
            "customer_segments",
            "segment_profiles",
            "demand_forecast",
            "text_sentiment",
            "orders",
            "products",
        ),
        writes=(),
        run=_publish,
        current=_published,
    ),
)
