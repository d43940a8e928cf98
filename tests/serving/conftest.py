"""A small published shop, a tiny text model in the product's own format, and the app on both."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app
from api.auth import digest
from gpu_pipeline.backend import Backend
from gpu_pipeline.config import Config
from gpu_pipeline.contracts import contract
from gpu_pipeline.features import SCORES
from gpu_pipeline.models import ModelCard
from gpu_pipeline.privacy import token
from gpu_pipeline.publish import write_snapshot
from gpu_pipeline.segmentation import SegmentModel
from gpu_pipeline.store import Lake
from nlp import SentimentModel

CPU = Backend.choose("cpu")
KEY = "a key for tests"
AS_OF = pd.Timestamp("2011-12-09T12:50:00")
# C-9 buys for the first time today and is in no segment yet.
CUSTOMERS = ("C-1", "17850", "mail@example.com", "C-9")
PRODUCTS = {
    "10002": "INFLATABLE POLITICAL GLOBE",
    "22423": "REGENCY CAKESTAND 3 TIER",
    "84879": "ASSORTED COLOUR BIRD ORNAMENT",
    "85123A": "WHITE HANGING HEART T-LIGHT HOLDER",
    "GB/12": "Größer als groß",
}
HORIZON = 3


def frames(lake: Lake, *, units: float = 1.0) -> dict[str, list[pd.DataFrame]]:
    """What a run would publish; `units` is the mean of every forecast."""
    keys = [token(customer, key=lake.key, kind="customer") for customer in CUSTOMERS]
    n = len(keys)
    features = pd.DataFrame(
        {
            "customer_key": keys,
            "as_of": AS_OF,
            "first_order_at": AS_OF - pd.to_timedelta(range(1, n + 1), unit="D"),
            "last_order_at": AS_OF,
            "days_since_last_order": 0.0,
            "tenure_days": np.arange(1.0, n + 1),
            "orders": range(1, n + 1),
            "units": 7,
            "products": 3,
            "revenue": -1250,
            "average_order": 625.5,
            "returned_units": 1,
            "return_rate": 1 / 7,
            "currency": "GBP",
            "orders_last_90_days": 1,
            "revenue_last_90_days": 990,
            "discount_share": 0.125,
            # No catalogue, no clicks and no texts; one case, that is open.
            "support_cases": 1.0,
            "open_cases": 1.0,
            "days_since_last_case": 2.5,
            **dict.fromkeys(SCORES, 4),
        }
    )
    features = whole(features, "customer_features")
    segments = pd.DataFrame(
        {
            "customer_key": keys[:-1],
            "as_of": AS_OF,
            "segment": [0, 0, 1],
            "name": ["regulars", "regulars", "one-time buyers"],
            "distance": [0.25, 1.5, 0.75],
            "next_segment": [1, 1, 0],
            "reason_1": ["orders often", "spends much", "orders rarely"],
            "reason_2": ["spends much", None, None],
        }
    )
    traits = pd.DataFrame(
        {
            "segment": [1, 0, 0],
            "rank": [1, 2, 1],
            "feature": ["orders", "revenue", "orders"],
            "value": [1.0, 900.0, 6.0],
            "usual": 3.0,
            "effect": [-1.0, 0.5, 1.5],
            "label": ["1 order", "GBP 9.00", "6 orders"],
            "text": ["1 order", "GBP 9.00 spent", "6 orders, 2x the usual"],
        }
    )
    moves = pd.DataFrame(
        {
            "from_segment": [0, -2],
            "to_segment": [1, 0],
            "from_name": ["regulars", "not there before"],
            "to_name": ["one-time buyers", "regulars"],
            "customers": [1, 2],
            "share_of_from": 1.0,
        }
    )
    values = pd.DataFrame(
        {
            "customer_key": keys[:2],
            "as_of": AS_OF,
            "horizon_days": 90,
            "purchases": [3, 9],
            "p_alive": [0.25, 0.75],
            "churn_risk": [0.875, 0.5],
            "is_churning": [True, False],
            "expected_purchases": [0.125, 2.5],
            "expected_value": [150.5, 9000.0],
            "value_low": 0.0,
            "value_high": 20000.0,
            "currency": "GBP",
        }
    )
    # 17850 took the consent back; nobody knows what C-9 said.
    consents = pd.DataFrame({"customer_key": keys[:3], "marketing": [True, False, True]})
    profiles = pd.DataFrame(
        {
            "segment": [1, 0],
            "as_of": AS_OF,
            "name": ["one-time buyers", "regulars"],
            "customers": [1, 2],
            "customer_share": [1 / 3, 2 / 3],
            "revenue_share": [0.1, 0.9],
            "days_since_last_order": [200.0, 12.5],
            "tenure_days": [200.0, 300.0],
            "orders": [1.0, 6.5],
            "average_order": [900.0, 2000.0],
            "revenue": [900.0, 13000.0],
            "return_rate": [0.0, 0.05],
            "currency": "GBP",
            "growth": [None, 0.5],
            "customers_before": [None, 2.0],
            "description": ["They bought once.", "They buy often."],
        }
    )
    day = AS_OF.normalize()
    forecast = pd.DataFrame(
        {
            "product_id": np.repeat([p for p in PRODUCTS if p != "10002"], HORIZON),
            "day": [day + pd.Timedelta(days=h + 1) for h in range(HORIZON)] * (len(PRODUCTS) - 1),
            "horizon": list(range(1, HORIZON + 1)) * (len(PRODUCTS) - 1),
            "mean": units,
            "p10": units / 2,
            "p50": units,
            "p90": units * 2,
            "model": "smoothing",
            "error": 2.5,
            "naive_error": 3.5,
            "as_of": day,
            "total_sd": [units * h**0.5 for h in range(1, HORIZON + 1)] * (len(PRODUCTS) - 1),
        }
    )
    figures = {
        **{"safety_stock": 3.5, "reorder_point": 12.0, "cycle_service": 0.96, "fill_rate": 0.99},
        **{"days_of_cover": 4.5, "stockout_risk": 0.75, "units_short": 2.5, "daily_demand": 1.5},
        **{"lead_time_demand": 6.0, "lead_time_demand_spread": 2.0},
        **{"protected_demand": 10.0, "protected_demand_spread": 3.0},
    }
    stock = {"service_level": 0.95, "review_days": 7, "counted_at": AS_OF, "as_of": AS_OF}
    stock |= {"currency": "GBP", "minimum_order": 6, "unit_cost": 250, "on_hand": 7}
    plan = pd.DataFrame(
        [
            # In order of neither: a reader gets them by location.
            {"product_id": "85123A", "location": "York", "reason": "old count", **stock},
            {
                **{"product_id": "85123A", "location": "Leeds", "reason": "order"},
                **{"order_quantity": 12, "order_cost": 3000, "demand_share": 1.0, "on_order": 0},
                **{"lead_time_days": 4.0, "sold_since_count": 0.5, "supplier": "Hearts Ltd"},
                **{**stock, **figures},
            },
        ]
    )
    opened = {"opened_at": AS_OF - pd.Timedelta(days=2), "last_message_at": AS_OF, "as_of": AS_OF}
    cases = pd.DataFrame(
        {
            "customer_key": keys[0],
            "case_id": ["K2", "K1", "K0"],
            "key_kind": "customer",
            "product_id": ["85123A", None, None],
            "messages": [2, 1, 4],
            "resolved_at": [None, None, AS_OF],
            "is_open": [True, True, False],
            "mood": [-0.5, None, None],
            **opened,
        }
    )
    weeks = pd.DataFrame(
        {
            "product_id": "85123A",
            "week": [day - pd.Timedelta(days=4), day - pd.Timedelta(days=11)],
            "units_sold": [8, 12],
            "units_returned": [1, 0],
            "units_sold_last_13_weeks": [20, 12],
            "units_returned_last_13_weeks": [1, 0],
            "return_rate": [0.05, 0.0],
            "category": "home",
        }
    )
    related = pd.DataFrame(
        {
            "product_id": "85123A",
            "relation": ["co_buy", "co_buy", "co_view"],
            "related_product_id": ["84879", "22423", "10002"],
            "rank": [2, 1, 1],
            "baskets": [5, 9, 3],
            "lift": 2.5,
            "as_of": AS_OF,
        }
    )
    visits = pd.DataFrame(
        {
            "day": [day, day, day - pd.Timedelta(days=1), day - pd.Timedelta(days=90)],
            "channel": ["direct", "email", "direct", "direct"],
            "device": ["mobile", "desktop", "mobile", "mobile"],
            "sessions": [8, 2, 4, 5],
            "carted": [3, 1, 0, 1],
            "abandoned_carts": [2, 0, 0, 1],
            "views": [20, 5, 4, 9],
        }
    )
    names = pd.DataFrame({"product_id": list(PRODUCTS), "name": list(PRODUCTS.values())})
    counts = {"texts": [6], "negative": [1], "neutral": [2], "positive": [3]}
    sentiment = pd.DataFrame({"product_id": ["85123A"], **counts})
    came_across = {"views": [40], "carts": [9], "purchases": [4]}
    traffic = pd.DataFrame({"product_id": ["85123A"], **came_across})
    return {
        # In chunks, as a run brings them.
        "customer_features": [features.iloc[:2], features.iloc[2:]],
        "customer_segments": [whole(segments, "customer_segments")],
        "segment_profiles": [whole(profiles, "segment_profiles")],
        "segment_traits": [whole(traits, "segment_traits")],
        "segment_migration": [whole(moves, "segment_migration")],
        "customer_value": [whole(values, "customer_value")],
        "consents": [consents],
        "demand_forecast": [whole(forecast, "demand_forecast")],
        "reorder_plan": [whole(plan, "reorder_plan")],
        "product_names": [names],
        "product_sentiment": [sentiment],
        "product_traffic": [traffic],
        "support_cases": [whole(cases, "support_cases")],
        "product_quality": [whole(weeks, "product_quality")],
        "related_products": [whole(related, "related_products")],
        "funnel_daily": [whole(visits, "funnel_daily")],
    }


@pytest.fixture(scope="session")
def model_rows(segment_model: SegmentModel) -> pd.DataFrame:
    """A model of segments that was fitted, and one of value that has only a card here."""
    documents = {"segments": segment_model.document(), "customer_value": {}}
    rows = [
        (kind, f"run-{kind}", json.dumps(asdict(_card(kind))), json.dumps(document))
        for kind, document in documents.items()
    ]
    return pd.DataFrame(rows, columns=["kind", "model_id", "card", "document"], dtype="str")


@pytest.fixture(scope="session")
def segment_model(made_customers: pd.DataFrame) -> SegmentModel:
    """Two segments of the made customers."""
    return SegmentModel(n_segments=2, backend=CPU).fit(made_customers)


@pytest.fixture(scope="session")
def made_customers() -> pd.DataFrame:
    """customer_key and features: every other one orders often and lately, the others once."""
    count = 60
    rng = np.random.default_rng(0)
    is_often = np.arange(count) % 2 == 0
    return pd.DataFrame(
        {
            "customer_key": np.arange(count),
            "days_since_last_order": np.where(is_often, 5.0, 300.0) + rng.random(count),
            "orders": np.where(is_often, 9, 1),
            "revenue": np.where(is_often, 90_000, 4_000) + rng.integers(0, 99, count),
            "discount_share": rng.random(count),
            "mean_days_between_orders": np.where(is_often, 20.5, np.nan),
            "orders_last_90_days": np.where(is_often, 4, 0),
        }
    )


def _card(kind: str) -> ModelCard:
    return ModelCard(
        kind=kind,
        model_id=f"run-{kind}",
        as_of=AS_OF.isoformat(),
        device="cpu: asked for",
        code="0f" * 12,
        seed=7,
        data_versions={"customer_features": 3},
        metrics={"stability": 0.5},
    )


def whole(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """The frame in the contract's columns and types; what it lacks is null, or nothing."""
    filled = frame.reindex(columns=list(contract(table).names))
    numbers = [c.name for c in contract(table).columns if c.type != "string" and c.required]
    filled[numbers] = filled[numbers].fillna(0)
    return CPU.cast(filled, contract(table))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.create(tmp_path / "lake", backend=Backend.choose("cpu"))


@pytest.fixture
def publish(lake: Lake, model_rows: pd.DataFrame) -> Callable[..., Path]:
    """Publishes the shop; each call is a run, whose forecasts are `units`.

    Further frames take the place of the tables of their names; None leaves one out.
    """

    def publish(
        *, units: float = 1.0, run_id: str = "run-1", **changed: pd.DataFrame | None
    ) -> Path:
        tables = {"models": [model_rows], **frames(lake, units=units)}
        tables |= {name: [] if frame is None else [frame] for name, frame in changed.items()}
        facts = {
            "run_id": run_id,
            "as_of": AS_OF.isoformat(),
            "made_at": "2026-01-02T03:04:05+00:00",
            "data_versions": "{}",
            "model_version": "abc",
            "fingerprint": "f1",
        }
        return write_snapshot(lake.path / "serving", tables, facts=facts)

    return publish


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two narrow layers with random weights, saved as the product saves its own."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghijklmnopqrstuvwxyz"]
    words += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        id2label={0: "negative", 1: "neutral", 2: "positive"},
        initializer_range=1.0,
    )
    folder = tmp_path_factory.mktemp("model")
    SentimentModel(BertForSequenceClassification(config), tokenizer).save(folder)
    return folder


@pytest.fixture
def config(lake: Lake, model_folder: Path) -> Config:
    return Config(lake=lake.path, device="cpu", text_model=model_folder, api_keys=(digest(KEY),))


@pytest.fixture
def app(config: Config) -> FastAPI:
    return create_app(config)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """A client with the key, of an app that is running."""
    headers = {"Authorization": f"Bearer {KEY}"}
    with TestClient(app, headers=headers, follow_redirects=False) as client:
        yield client


@pytest.fixture
def shop(publish: Callable[..., Path], client: TestClient) -> TestClient:
    """The same, with the shop published."""
    publish()
    return client
