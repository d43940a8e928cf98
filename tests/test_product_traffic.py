"""Traffic of products: what people looked at, put into carts and bought of late."""

from datetime import datetime, timedelta
from typing import Any

from made_tables import put

from gpu_pipeline.config import Config
from gpu_pipeline.pipeline import Work
from gpu_pipeline.steps.traffic import product_traffic
from gpu_pipeline.store import Lake

MOMENT = datetime(2026, 6, 30, 12)  # noqa: DTZ001


def event(
    number: int, kind: str, product: str | None, *, customer: int = 1, days_ago: float = 1.0
) -> dict[str, Any]:
    return {
        "event_id": f"e{number}",
        "customer_key": customer,
        "occurred_at": MOMENT - timedelta(days=days_ago),
        "event_type": kind,
        "product_id": product,
    }


def counted(lake: Lake) -> dict[str, tuple[int, int, int]]:
    with lake.writer() as writer:
        facts: dict[str, Any] = {"run_id": "r", "fingerprint": "f", "as_of": MOMENT}
        work = Work(lake=lake, writer=writer, config=Config.load(), **facts)
        found = product_traffic(work)
    assert list(found.columns) == ["product_id", "views", "carts", "purchases"]
    return {str(row[0]): tuple(row[1:]) for row in found.itertuples(index=False)}


def test_each_kind_of_event_of_the_last_days_counts_for_its_product(lake: Lake) -> None:
    made = [
        *(event(i, "view", "lamp", customer=i, days_ago=i) for i in range(1, 30)),
        event(90, "cart", "lamp"),
        event(91, "purchase", "lamp", customer=2),
        event(92, "purchase", "rug"),
        event(93, "search", "rug"),
        event(94, "view", None),
        event(95, "view", "rug", days_ago=-1),
    ]
    put(lake, "clickstream", made)
    assert counted(lake) == {"lamp": (27, 1, 1), "rug": (0, 0, 1)}


def test_what_machines_looked_at_is_left_out(lake: Lake) -> None:
    put(lake, "clickstream", [event(1, "view", "lamp"), event(2, "view", "lamp", customer=5)])
    span = {"started_at": MOMENT - timedelta(days=1.2), "ended_at": MOMENT - timedelta(days=0.5)}
    put(
        lake,
        "sessions",
        [
            {"customer_key": 1, "session_id": 1, "excluded_for": None, **span},
            {"customer_key": 5, "session_id": 2, "excluded_for": "too_fast", **span},
        ],
    )
    assert counted(lake) == {"lamp": (1, 0, 0)}


def test_without_clicks_there_is_no_traffic(lake: Lake) -> None:
    assert counted(lake) == {}
