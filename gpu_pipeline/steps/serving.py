"""The step that publishes what the others made."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import pandas as pd

from gpu_pipeline.backend import Frame
from gpu_pipeline.consents import CONSENT_COLUMNS, latest_consents
from gpu_pipeline.errors import LakeError
from gpu_pipeline.models import ModelRegistry
from gpu_pipeline.pipeline import Step, Work
from gpu_pipeline.publish import SERVED_CONTRACTS, Snapshot, write_snapshot
from gpu_pipeline.steps.examples import trend_examples
from gpu_pipeline.steps.traffic import product_traffic
from gpu_pipeline.store import Lake
from nlp import SentimentModel
from nlp.reading import reader_version

__all__ = ["PUBLISH"]

_SERVED_MOOD = timedelta(days=120)
# The tables that a model makes, whose commits name it, and its kind.
_MODELLED = {"customer_segments": "segments", "customer_value": "customer_value"}


def _publish(work: Work) -> None:
    tables = {name: _chunks(work, name) for name in SERVED_CONTRACTS if work.has(name)}
    if "support_cases" in tables:
        tables["support_cases"] = (some[some["is_open"]] for some in tables["support_cases"])
    sentiment = _product_sentiment(work)
    tables["product_sentiment"] = iter([sentiment])
    mentioned = pd.concat([sentiment["product_id"], _stocked(work)])
    tables["product_names"] = iter([_product_names(work, mentioned)])
    tables["product_traffic"] = iter([product_traffic(work)])
    tables["consents"] = _consents(work)
    if "product_sentiment_daily" in tables:
        first = work.as_of - _SERVED_MOOD
        daily = tables["product_sentiment_daily"]
        tables["product_sentiment_daily"] = (some[some["day"] > first] for some in daily)
    tables["trend_examples"] = iter([trend_examples(work)])
    tables["models"] = iter([_models(work)])
    versions = {name: work.lake.version(name) for name in work.lake.tables()}
    path = write_snapshot(
        work.lake.serving,
        tables,
        facts={
            "run_id": work.run_id,
            "as_of": work.as_of.isoformat(),
            "made_at": datetime.now(UTC).isoformat(),
            "data_versions": json.dumps(versions),
            "model_version": reader_version(work.config.text_model),
            "fingerprint": work.fingerprint,
        },
    )
    work.facts.update(snapshot=path.stem)


def _chunks(work: Work, table: str) -> Iterator[pd.DataFrame]:
    frame = work.read(table)
    for i in range(frame.npartitions):
        yield work.lake.backend.to_pandas(frame.partitions[i].compute())


def _consents(work: Work) -> Iterator[pd.DataFrame]:
    """What customers last said to marketing, after the moment of the run too."""
    if not work.has("customers"):
        return
    frame = work.lake.read("customers", CONSENT_COLUMNS)
    for i in range(frame.npartitions):
        yield work.lake.backend.to_pandas(latest_consents(frame.partitions[i].compute()))


def _models(work: Work) -> pd.DataFrame:
    """The models that made what is published, each with its card."""
    registry = ModelRegistry(work.lake.path / "models")
    rows = []
    for table, kind in _MODELLED.items():
        model_id = work.lake.note(table).get("model")
        if model_id is None:
            continue
        card = json.dumps(asdict(registry.card(kind, model_id)))
        document = json.dumps(registry.load(kind, model_id))
        rows.append((kind, model_id, card, document))
    return pd.DataFrame(rows, columns=["kind", "model_id", "card", "document"], dtype="str")


def _stocked(work: Work) -> "pd.Series[str]":
    """The products that lie somewhere."""
    columns = ["product_id"]
    has_plan = work.has("reorder_plan")
    plan = work.read("reorder_plan", columns).compute() if has_plan else work.empty("reorder_plan")
    return work.lake.backend.to_pandas(plan[columns])["product_id"]


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
    """Texts with a score about each product, and how many of them sound which way."""
    columns = ["product_id", "label"]
    if work.has("text_sentiment"):
        frame: Frame = work.read("text_sentiment", columns).compute()
    else:
        frame = work.empty("text_sentiment")[columns]
    about = work.lake.backend.to_pandas(frame).dropna()
    said = {label: about["label"] == label for label in SentimentModel.labels}
    counts = pd.DataFrame(said).groupby(about["product_id"]).sum().astype("int64")
    counts.insert(0, "texts", counts.sum(axis=1))
    return counts.reset_index()


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


PUBLISH = Step(
    name="publish",
    reads=(*SERVED_CONTRACTS, "text_sentiment", "orders", "products"),
    uses=("customers", "clickstream", "sessions", "reviews", "feedback", "social"),
    writes=(),
    run=_publish,
    current=_published,
)
