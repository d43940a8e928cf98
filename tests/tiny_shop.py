"""A shop of a dozen customers with every source, as landing files; sixty days, ten texts."""

import csv
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from gpu_pipeline.ingest import ingest
from gpu_pipeline.store import Lake

Rows = Sequence[Mapping[str, Any]]

START = datetime(2026, 1, 1, 9)  # noqa: DTZ001
DAYS = 60
LAST = START + timedelta(days=DAYS)
PRODUCTS = {"lamp": 2500, "sofa": 49900, "rug": 8000}
TEXTS = (
    ("reviews", 5, "c1", "lamp", "great lovely phone"),
    ("reviews", 9, "c2", "lamp", "awful"),
    ("reviews", 30, "c3", "sofa", "it was okay"),
    ("feedback", 12, "c4", "", "good"),
    ("feedback", 50, "c5", "rug", "bad and broken"),
    ("social", 3, "", "lamp", "the phone is great"),
    ("social", 44, "", "", "my phone broken"),
    ("support", 20, "c6", "sofa", "so bad"),
    ("support", 21, "c6", "sofa", "okay"),
    ("support", 59, "c7", "stool", "lovely"),
)


def order(number: int, day: float, customer: str, product: str, **changes: Any) -> dict[str, Any]:
    """One order of one line; the shop prints the name of what it sells."""
    return {
        "order_id": f"o{number}",
        "line_no": 1,
        "ordered_at": at(day),
        "customer_id": customer,
        "product_id": product,
        "product_name": product.capitalize(),
        "quantity": 1,
        "unit_price": PRODUCTS.get(product, 100) / 100,
        "discount": 0,
        "currency": "EUR",
        "line_type": "sale",
        **changes,
    }


def orders() -> list[dict[str, Any]]:
    """Lamps every day; customers who differ; a guest, a fee, a return, an entry error."""
    rng = np.random.default_rng(0)
    made = []
    for day in range(DAYS):
        for _ in range(int(rng.integers(1, 4))):
            # Customer c1 orders most days, c12 hardly ever.
            customer = f"c{min(12, int(rng.geometric(0.3)))}"
            product = str(rng.choice(["lamp", "lamp", "lamp", "rug", "sofa"]))
            units = int(rng.integers(1, 4))
            made.append(order(len(made), day, customer, product, quantity=units))
    number = len(made)
    return [
        *made,
        order(number, 7, "", "lamp"),
        order(number + 1, 8, "c2", "post", unit_price=4.9, line_type="fee"),
        order(number + 2, 58, "c3", "lamp", quantity=-1, line_type="return"),
        order(number + 3, 40, "c1", "rug", quantity=9000),
        order(number + 4, 40.5, "c1", "rug", quantity=-9000, line_type="return"),
    ]


def texts(of: str) -> list[dict[str, Any]]:
    """The rows of one of the sources with texts."""
    found = [row for row in TEXTS if row[0] == of]
    return [text(of, i, day, *said) for i, (_, day, *said) in enumerate(found)]


def text(
    of: str, number: int, day: float, customer: str, product: str, said: str
) -> dict[str, Any]:
    """A text with what its source needs."""
    own = {"reviews": "review_id", "feedback": "feedback_id", "social": "post_id"}
    row = {own.get(of, "message_id"): f"{of}{number}", "customer_id": customer}
    if of == "support":
        row |= {"case_id": "k1", "opened_at": at(day), "sent_at": at(day)}
    else:
        row["created_at"] = at(day)
    return {**row, "product_id": product, "text": said}


def shop() -> dict[str, Rows]:
    """Every source, each with the rows that its contract asks for."""
    return {
        "orders": orders(),
        "products": [
            {
                "product_id": name,
                "name": f"{name.capitalize()} deluxe",
                "category": "home",
                "price": PRODUCTS[name] / 100,
                "currency": "EUR",
                "updated_at": at(0),
            }
            for name in ("lamp", "rug")
        ],
        "customers": [
            {
                "customer_id": f"c{i}",
                "signed_up_at": at(0),
                "marketing_consent": i % 2 == 0,
                "updated_at": at(1),
            }
            for i in range(1, 13)
        ],
        "clickstream": [
            {
                "event_id": f"e{i}",
                "occurred_at": at(i),
                "event_type": "view",
                "customer_id": "c1" if i % 2 else "",
                "visitor_id": "v1",
                "product_id": "lamp",
            }
            for i in range(DAYS)
        ]
        + [
            # In three visits that begin with a lamp, rugs and sofas are compared.
            {
                "event_id": f"{product}{i}",
                "occurred_at": at(i + minutes / 1440),
                "event_type": "view",
                "customer_id": "c1",
                "visitor_id": "v1",
                "product_id": product,
            }
            for i in (1, 3, 5)
            for minutes, product in enumerate(("rug", "sofa"), 1)
        ],
        "inventory": [
            {
                "product_id": "lamp",
                "location": "main",
                "counted_at": at(30),
                "on_hand": 5,
                "unit_cost": 9.5,
                "currency": "EUR",
            }
        ],
        "fx_rates": [{"currency": "USD", "day": at(0), "rate": 0.9}],
        "promotions": [
            {"product_id": "lamp", "starts_at": at(10), "ends_at": at(12), "kind": "percent"}
        ],
        **{source: texts(source) for source in ("reviews", "feedback", "social", "support")},
    }


def at(day: float) -> str:
    """The moment that many days after the shop opened, as a landing file writes it."""
    return (START + timedelta(days=day)).isoformat()


def land(lake: Lake, tables: Mapping[str, Rows], *, folder: Path) -> None:
    """Writes the tables as landing files into a new folder and loads them."""
    folder.mkdir(parents=True)
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    report = ingest(lake, folder)
    assert not report.ignored
    assert not any(file.rejected for file in report.files)
