"""What a lake says about stock: what to order first, and what there is too much of."""

import pandas as pd

from gpu_pipeline.money import minor_digits, minor_digits_of

__all__ = ["SHOWN_ORDERS", "money_text", "stock_lines", "stock_totals", "urgent_orders"]

SHOWN_ORDERS = 10
_URGENT = [
    *("product_id", "location", "left", "on_order", "days_of_cover", "lead_time_days"),
    *("stockout_risk", "units_short", "order_quantity", "order_cost", "currency"),
]


def urgent_orders(plan: pd.DataFrame) -> pd.DataFrame:
    """The ten orders of `reorder_plan` without which most money's worth of units will be missing.

    product_id, location; left, the units on hand less what was sold since they were counted;
    on_order, days_of_cover, lead_time_days, stockout_risk, units_short, order_quantity;
    order_cost in major units of `currency`.
    """
    due = plan[plan["order_quantity"] > 0]
    unit = 10.0 ** minor_digits_of(due["currency"])
    worth = due["units_short"] * due["unit_cost"] / unit
    table = due.assign(
        left=(due["on_hand"] - due["sold_since_count"]).clip(lower=0),
        order_cost=due["order_cost"] / unit,
        worth=worth,
    )
    ordered = table.sort_values(
        ["worth", "product_id", "location"], ascending=[False, True, True], ignore_index=True
    )
    return ordered[_URGENT].head(SHOWN_ORDERS)


def stock_totals(plan: pd.DataFrame) -> pd.DataFrame:
    """A row a currency: stocks; orders, order_units and order_cost; the same of overstock.

    A stock is a product at a location. Costs are in major units.
    """
    parts = {
        "stocks": pd.Series(1, index=plan.index),
        "orders": (plan["order_quantity"] > 0).astype("int64"),
        "order_units": plan["order_quantity"],
        "order_cost": plan["order_cost"],
        "overstocks": (plan["overstock_units"] > 0).astype("int64"),
        "overstock_units": plan["overstock_units"],
        "overstock_cost": plan["overstock_cost"],
    }
    table = pd.DataFrame(parts).groupby(plan["currency"]).sum().reset_index()
    unit = 10.0 ** minor_digits_of(table["currency"])
    costs = ["order_cost", "overstock_cost"]
    return table.assign(**table[costs].div(unit, axis=0))


def stock_lines(totals: pd.DataFrame) -> list[str]:
    """What is to be ordered in all, and what there is too much of, a sentence each currency."""
    lines = []
    for row in totals.to_dict("records"):
        spent, bound = (
            money_text(row[name], row["currency"]) for name in ("order_cost", "overstock_cost")
        )
        lines.append(
            f"{row['orders']:,} of {row['stocks']:,} stocks are to be filled up: "
            f"{row['order_units']:,} units for {spent}."
        )
        if row["overstocks"]:
            lines.append(
                f"Too much lies in {row['overstocks']:,} of them: {row['overstock_units']:,} "
                f"units that cost {bound}."
            )
    return lines


def money_text(amount: float, currency: str) -> str:
    """An amount in major units with its currency."""
    return f"{amount:,.{minor_digits(currency)}f} {currency}"
