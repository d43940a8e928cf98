"""Customer features as of a moment, one row a customer."""

from datetime import datetime

import numpy as np

from gpu_pipeline.backend import Backend, Frame, Series
from gpu_pipeline.contracts import contract
from gpu_pipeline.exchange import ExchangeRates, in_reporting_currency
from gpu_pipeline.orders import one_currency, settled

__all__ = ["customer_features"]

_MICROSECONDS_PER_DAY = 86_400_000_000


def customer_features(
    lines: Frame, as_of: datetime, backend: Backend, *, rates: ExchangeRates | None = None
) -> Frame:
    """The columns of contract `customer_features` for every customer with a sale by `as_of`.

    `lines` are order lines (`orders.LINE_COLUMNS`) of whole customers; guests are left out, and
    so is everything after `as_of` (UTC, without zone). Revenue is what was sold less discounts
    and returns, in minor units. Rows are sorted by customer_key.

    With `rates`, amounts are in their reporting currency, and sales and returns in a currency
    that they don't know are left out. Entry errors are found first: at the prices that were paid.

    Raises:
        PipelineError: what was sold or returned is in several currencies, and there are no rates.
    """
    moment = np.datetime64(as_of, "us")
    known = lines[(lines["key_kind"] == "customer") & (lines["ordered_at"] <= moment)]
    known = settled(known.reset_index(drop=True), backend)
    known = known[known["line_type"].isin(["sale", "return"])]
    if rates is not None:
        known, _ = in_reporting_currency(known, rates, backend)
    known = known.assign(amount=known["quantity"] * known["unit_price"] - known["discount"])
    sales = known[known["line_type"] == "sale"]
    returns = known[known["line_type"] == "return"]
    if not len(sales):
        return backend.empty(contract("customer_features"))
    one_currency(known, backend)
    by_customer = sales.groupby("customer_key", sort=True)
    table = backend.frames.DataFrame(
        {
            "first_order_at": by_customer["ordered_at"].min(),
            "last_order_at": by_customer["ordered_at"].max(),
            "orders": by_customer["order_id"].nunique(),
            "units": by_customer["quantity"].sum(),
            "products": by_customer["product_id"].nunique(),
            "sold": by_customer["amount"].sum(),
            "currency": by_customer["currency"].min(),
        }
    )
    sent_back = returns.groupby("customer_key", sort=True)
    returned_units = -_aligned(sent_back["quantity"].sum(), table)
    revenue = table["sold"] + _aligned(sent_back["amount"].sum(), table)
    table = table.assign(
        as_of=moment,
        days_since_last_order=_days_until(moment, table["last_order_at"]),
        tenure_days=_days_until(moment, table["first_order_at"]),
        revenue=revenue,
        average_order=revenue / table["orders"],
        returned_units=returned_units,
        # A source may have lines of no unit; the rate must stay a number.
        return_rate=returned_units / table["units"].clip(lower=1),
    )
    return backend.cast(table.reset_index(), contract("customer_features"))


def _aligned(values: Series, table: Frame) -> Series:
    """The values for the customers of the table, 0 where there is none."""
    return values.reindex(table.index).fillna(0).astype("int64")


def _days_until(moment: np.datetime64, times: Series) -> Series:
    microseconds = (moment - times.astype("datetime64[us]")).astype("int64")
    return microseconds / _MICROSECONDS_PER_DAY
