"""Snapshot: what is published, for those who read it."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Self

from gpu_pipeline.errors import LakeError
from gpu_pipeline.publish.folder import FINISHED, LAYOUT, current_version

__all__ = ["Snapshot"]

_CUSTOMER = "SELECT * FROM customer_features WHERE customer_key = ?"
# Of some customers, for whom a mark each is put in.
_OF_CUSTOMERS = "SELECT {columns} FROM {table} WHERE customer_key IN ({marks})"
_ANY_CONSENT = "SELECT EXISTS (SELECT 1 FROM consents) AS found"
_SEGMENTS = "SELECT * FROM segment_profiles ORDER BY segment"
_TRAITS = "SELECT * FROM segment_traits ORDER BY segment, rank"
_MIGRATION = "SELECT * FROM segment_migration ORDER BY from_segment, to_segment"
_MODELS = "SELECT kind, model_id, card FROM models ORDER BY kind"
_MODEL = "SELECT * FROM models WHERE kind = ?"
_PRODUCT = """
SELECT n.product_id, n.name, s.texts, s.negative, s.neutral, s.positive
FROM product_names n LEFT JOIN product_sentiment s ON s.product_id = n.product_id
WHERE n.product_id = ?
"""
_PRODUCTS = """
SELECT n.product_id, n.name, s.texts, s.negative, s.neutral, s.positive
FROM product_search f
JOIN product_names n ON n.product_id = f.product_id
LEFT JOIN product_sentiment s ON s.product_id = f.product_id
WHERE f.product_id > ? AND instr(f.folded, ?) > 0
ORDER BY f.product_id LIMIT ?
"""
_OPEN_CASES = """
SELECT * FROM support_cases WHERE customer_key = ? AND is_open ORDER BY opened_at, case_id
"""
_QUALITY = "SELECT * FROM product_quality WHERE product_id = ? ORDER BY week"
_RELATED = """
SELECT r.*, n.name AS related_name
FROM related_products r LEFT JOIN product_names n ON n.product_id = r.related_product_id
WHERE r.product_id = ? AND r.relation = ? ORDER BY r.rank
"""
_FUNNEL = """
WITH days AS (
    SELECT day, sum(sessions) AS sessions, sum(bounced) AS bounced, sum(viewed) AS viewed,
        sum(carted) AS carted, sum(checked_out) AS checked_out, sum(purchased) AS purchased,
        sum(abandoned_carts) AS abandoned_carts, sum(views) AS views, sum(purchases) AS purchases
    FROM funnel_daily
    WHERE day >= :since AND day <= :until
        AND (:channel IS NULL OR channel = :channel) AND (:device IS NULL OR device = :device)
    GROUP BY day
)
SELECT *, 1.0 * bounced / sessions AS bounce_rate, 1.0 * purchased / sessions AS conversion_rate,
    1.0 * abandoned_carts / nullif(carted, 0) AS cart_abandonment_rate,
    1.0 * views / sessions AS pages_per_session
FROM days ORDER BY day
"""
_ALERTS = """
SELECT a.*, n.name FROM trend_alerts a LEFT JOIN product_names n ON n.product_id = a.product_id
WHERE (a.closed_at IS NULL OR a.closed_at >= :since)
    AND (:product IS NULL OR a.product_id = :product) AND (:aspect IS NULL OR a.aspect = :aspect)
    AND (:kind IS NULL OR a.kind = :kind)
ORDER BY a.closed_at IS NOT NULL, a.detected_at DESC, a.product_id
"""
_EXAMPLES = """
SELECT source, text_id, text FROM trend_examples
WHERE product_id = ? AND detected_at = ? ORDER BY rank
"""
_RISING = "SELECT * FROM rising_terms ORDER BY rank"
_MOOD = """
SELECT * FROM product_sentiment_daily
WHERE product_id = ? AND aspect = ? AND day >= ? ORDER BY day
"""
_FORECAST = "SELECT * FROM demand_forecast WHERE product_id = ? ORDER BY day"
_REORDER = "SELECT * FROM reorder_plan WHERE product_id = ? ORDER BY location"
_TRAFFIC = "SELECT * FROM product_traffic WHERE product_id = ?"


class Snapshot:
    """One published set of results, read-only and usable from several threads.

    Rows come as dicts of the table's columns; times are ISO 8601 text in UTC.

    >>> snapshot = Snapshot.open(Path("lake/serving"))  # doctest: +SKIP
    >>> snapshot.forecast("85123A")[0]["p90"]  # doctest: +SKIP
    21.4
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.version = path.stem
        # A search reads every name; lookups by key, a few microseconds each, don't wait for it.
        self._lookups = _Reader(path)
        self._searches = _Reader(path)
        self.facts = {row["name"]: row["value"] for row in self._lookups.rows("SELECT * FROM meta")}
        self.model_ids = {row["kind"]: row["model_id"] for row in self.models()}

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The snapshot that is served from `folder`.

        Raises:
            LakeError: nothing is published there, or it can't be read.
        """
        version = current_version(folder)
        if version is None:
            message = f"Nothing is published in {folder} yet: run `gpu-pipeline run`."
            raise LakeError(message)
        return cls(folder / "snapshots" / f"{version}{FINISHED}")

    def close(self) -> None:
        """Closes the file, once every query that is under way has ended."""
        self._lookups.close()
        self._searches.close()

    def customer(self, key: int) -> dict[str, Any] | None:
        """Features of one customer, if known."""
        return self._row(_CUSTOMER, key)

    def buyers_of(self, keys: Sequence[int]) -> set[int]:
        """Those of the customers who bought something."""
        return set(self._of_customers("customer_features", keys, columns="customer_key"))

    def segments_of(self, keys: Sequence[int]) -> dict[int, dict[str, Any]]:
        """Those of the customers who are in a segment, by key: which, how near, and why."""
        return self._of_customers("customer_segments", keys)

    def values_of(self, keys: Sequence[int]) -> dict[int, dict[str, Any]]:
        """What those of the customers who bought something may still buy, by key."""
        return self._of_customers("customer_value", keys)

    def consents_of(self, keys: Sequence[int]) -> dict[int, bool]:
        """What those of the customers who ever said something to marketing last said."""
        found = self._of_customers("consents", keys)
        return {key: bool(row["marketing"]) for key, row in found.items()}

    def has_consents(self) -> bool:
        """Whether anybody's consent to marketing is known at all."""
        (row,) = self._lookups.rows(_ANY_CONSENT)
        return bool(row["found"])

    def open_cases(self, key: int) -> list[dict[str, Any]]:
        """Support cases of one customer that wait for an answer, the oldest first."""
        return self._lookups.rows(_OPEN_CASES, key)

    def segments(self) -> list[dict[str, Any]]:
        """The segment profiles, in order of their number."""
        return self._lookups.rows(_SEGMENTS)

    def traits(self) -> list[dict[str, Any]]:
        """What sets segments apart, the strongest trait of each first."""
        return self._lookups.rows(_TRAITS)

    def migration(self) -> list[dict[str, Any]]:
        """How many customers went from which segment to which since the run before."""
        return self._lookups.rows(_MIGRATION)

    def models(self) -> list[dict[str, Any]]:
        """kind, model_id and card (JSON) of each model that made what is published."""
        return self._lookups.rows(_MODELS)

    def model(self, kind: str) -> dict[str, Any] | None:
        """The same of one kind, with its `document` (JSON); None where none is published."""
        return self._row(_MODEL, kind)

    def product(self, product_id: str) -> dict[str, Any] | None:
        """Name and text counts (None where nobody wrote) of one product, if known."""
        return self._row(_PRODUCT, product_id)

    def forecast(self, product_id: str) -> list[dict[str, Any]]:
        """Forecast of one product, day by day; empty where there is none."""
        return self._lookups.rows(_FORECAST, product_id)

    def reorder(self, product_id: str) -> list[dict[str, Any]]:
        """What to order of one product, a row a location; empty where it is in no stock."""
        return self._lookups.rows(_REORDER, product_id)

    def traffic(self, product_id: str) -> dict[str, Any] | None:
        """Views, carts and purchases of one product in the last 28 days; None where none are."""
        return self._row(_TRAFFIC, product_id)

    def quality(self, product_id: str) -> list[dict[str, Any]]:
        """Returns, contacts and texts of one product, week by week; empty where there are none."""
        return self._lookups.rows(_QUALITY, product_id)

    def related(self, product_id: str, relation: str) -> list[dict[str, Any]]:
        """What goes with one product by one relation, with `related_name`, in order of rank."""
        return self._lookups.rows(_RELATED, product_id, relation)

    def funnel(
        self, since: date, until: date, *, channel: str | None = None, device: str | None = None
    ) -> list[dict[str, Any]]:
        """How far the sessions of each of these days got, those of one channel or device alone."""
        return self._lookups.rows(
            _FUNNEL,
            {
                "since": _moment(since),
                "until": _moment(until),
                "channel": channel,
                "device": device,
            },
        )

    def alerts(
        self,
        since: date,
        *,
        product_id: str | None = None,
        aspect: str | None = None,
        kind: str | None = None,
    ) -> list[dict[str, Any]]:
        """Alerts that are on, or were until `since` or later, the open and the latest first.

        Each with the product's `name` and its `examples`: source, text_id and text.
        """
        given = {"product": product_id, "aspect": aspect, "kind": kind, "since": _moment(since)}
        rows = self._lookups.rows(_ALERTS, given)
        for row in rows:
            key = (row["product_id"], row["detected_at"])
            row["examples"] = self._lookups.rows(_EXAMPLES, *key)
        return rows

    def rising_terms(self) -> list[dict[str, Any]]:
        """Words and phrases that more people used in the last week, the most surprising first."""
        return self._lookups.rows(_RISING)

    def mood(self, product_id: str, since: date, *, aspect: str = "") -> list[dict[str, Any]]:
        """How people spoke of a product, or of one aspect, on each day with texts."""
        return self._lookups.rows(_MOOD, product_id, aspect, _moment(since))

    def products(
        self, search: str = "", *, after: str = "", limit: int = 50
    ) -> list[dict[str, Any]]:
        """At most `limit` products whose name contains `search` in any case, by product_id.

        `after` is the last product_id of the page before.
        """
        return self._searches.rows(_PRODUCTS, after, search.casefold(), limit)

    def _of_customers(
        self, table: str, keys: Sequence[int], *, columns: str = "*"
    ) -> dict[int, dict[str, Any]]:
        marks = ", ".join("?" * len(keys))
        query = _OF_CUSTOMERS.format(columns=columns, table=table, marks=marks)
        rows = self._lookups.rows(query, *keys)
        return {row["customer_key"]: row for row in rows}

    def _row(self, query: str, *values: object) -> dict[str, Any] | None:
        rows = self._lookups.rows(query, *values)
        return rows[0] if rows else None


def _moment(day: date) -> str:
    """The beginning of the day as the tables write it."""
    return f"{day:%Y-%m-%d}T00:00:00.000000Z"


class _Reader:
    """One connection that threads take in turn: under the interpreter's lock more buy nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.Lock()
        with self._faults_named():
            # Opened at once: the file stays readable after it is removed.
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
        self._connection.row_factory = sqlite3.Row
        try:
            self._check_layout()
        except LakeError:
            self.close()
            raise

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:  # noqa: ANN401
        """The answer; the values take the places of `?`, one mapping those of `:name`."""
        given = values[0] if values and isinstance(values[0], dict) else values
        with self._turn, self._faults_named():
            return [dict(row) for row in self._connection.execute(query, given)]

    def close(self) -> None:
        with self._turn:
            self._connection.close()

    def _check_layout(self) -> None:
        (found,) = self.rows("PRAGMA user_version")
        if found["user_version"] != LAYOUT:
            message = (
                f"{self._path} has layout {found['user_version']}, this version reads "
                f"{LAYOUT}: publish again with `gpu-pipeline run`."
            )
            raise LakeError(message)

    @contextmanager
    def _faults_named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            message = f"{self._path} can't be read ({error}): run `gpu-pipeline run` to publish."
            raise LakeError(message) from error
