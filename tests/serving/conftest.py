"""A small published shop, a tiny text model in the product's own format, and the app on both."""

from collections.abc import Callable, Iterator
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
from gpu_pipeline.privacy import token
from gpu_pipeline.publish import write_snapshot
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
        }
    ).astype({"as_of": "datetime64[us]"})
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
        }
    ).astype({"as_of": "datetime64[us]"})
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
        }
    ).astype({"day": "datetime64[us]", "as_of": "datetime64[us]"})
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
    return {
        # In chunks, as a run brings them.
        "customer_features": [features.iloc[:2], features.iloc[2:]],
        "customer_segments": [segments],
        "segment_profiles": [profiles],
        "demand_forecast": [forecast],
        "product_names": [names],
        "product_sentiment": [sentiment],
        "support_cases": [whole(cases, "support_cases")],
        "product_quality": [whole(weeks, "product_quality")],
        "related_products": [whole(related, "related_products")],
        "funnel_daily": [whole(visits, "funnel_daily")],
    }


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
def publish(lake: Lake) -> Callable[..., Path]:
    """Publishes the shop; each call is a run, whose forecasts are `units`."""

    def publish(*, units: float = 1.0, run_id: str = "run-1") -> Path:
        facts = {
            "run_id": run_id,
            "as_of": AS_OF.isoformat(),
            "made_at": "2026-01-02T03:04:05+00:00",
            "data_versions": "{}",
            "model_version": "abc",
            "fingerprint": "f1",
        }
        return write_snapshot(lake.path / "serving", frames(lake, units=units), facts=facts)

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
