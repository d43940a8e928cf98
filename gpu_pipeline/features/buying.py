"""What customers buy: orders, units, revenue, discounts and returns, and the rhythm of orders."""

from gpu_pipeline.backend import Array, Series
from gpu_pipeline.features.histories import MICROSECONDS_PER_DAY, divided
from gpu_pipeline.features.moves import Moves
from gpu_pipeline.kernels import radix_order, run_starts, segment_sums

__all__ = ["measures", "rhythm", "spending"]

_WINDOW_DAYS = 90


def measures(moves: Moves) -> dict[str, Array | Series]:
    """How long ago, how often and for how much: what scores compare customers by."""
    xp, sales = moves.backend.xp, moves.sales
    return {
        "days_since_last_order": (moves.since(0) - sales.time[moves.last]) / MICROSECONDS_PER_DAY,
        "orders": xp.bincount(sales.customer[moves.orders], minlength=len(moves.customers)),
        "revenue": moves.sold(sales.amount) + moves.sent_back(moves.returns.amount),
    }


def spending(moves: Moves) -> dict[str, Array | Series]:
    """Units, products and amounts of each customer, the last days by themselves too."""
    xp, sales, returns = moves.backend.xp, moves.sales, moves.returns
    since = moves.since(_WINDOW_DAYS)
    units, returned = moves.sold(sales.quantity), -moves.sent_back(returns.quantity)
    recent = moves.sold(xp.where(sales.time > since, sales.amount, 0))
    recent += moves.sent_back(xp.where(returns.time > since, returns.amount, 0))
    new_orders = sales.customer[moves.orders][sales.time[moves.orders] > since]
    paid, discount = moves.sold(sales.amount), moves.sold(sales.discount)
    return {
        "units": units,
        "products": _products(moves),
        "returned_units": returned,
        # A source may have lines of no unit; the rate must stay a number.
        "return_rate": returned / xp.maximum(units, 1),
        "discount_share": divided(discount, paid + discount, moves.backend),
        "orders_last_90_days": xp.bincount(new_orders, minlength=len(moves.customers)),
        "revenue_last_90_days": recent,
    }


def rhythm(moves: Moves) -> dict[str, Array | Series]:
    """First and last order, and what lies between orders; each counts at its first sale."""
    xp, backend, sales = moves.backend.xp, moves.backend, moves.sales
    customer, time = sales.customer[moves.orders], sales.time[moves.orders]
    gaps = xp.bincount(customer, minlength=len(moves.customers)) - 1
    within = customer[1:] == customer[:-1]
    customer, gap = customer[1:][within], (time[1:] - time[:-1])[within]
    total = _sums(gap, customer, moves)
    mean = total / xp.maximum(gaps, 1)
    # Around the mean, so that nothing is lost where all pauses are long and alike.
    squares = _sums((gap - mean[customer]) ** 2, customer, moves)
    variance = divided(squares, xp.where(gaps > 1, gaps - 1, 0), backend)
    first, last = sales.time[moves.starts], sales.time[moves.last]
    frames = backend.frames
    return {
        "first_order_at": frames.Series(first).astype("datetime64[us]"),
        "last_order_at": frames.Series(last).astype("datetime64[us]"),
        "tenure_days": (moves.since(0) - first) / MICROSECONDS_PER_DAY,
        "mean_days_between_orders": divided(total, gaps, backend) / MICROSECONDS_PER_DAY,
        "sd_days_between_orders": variance**0.5 / MICROSECONDS_PER_DAY,
    }


def _products(moves: Moves) -> Array:
    """How many different products each customer bought."""
    xp, sales = moves.backend.xp, moves.sales
    codes, products = sales.frame["product_id"].factorize()
    product = xp.asarray(codes)[sales.rows]
    order = radix_order(product, len(products), xp)
    # Stable: within a product, customers lie in order.
    customer = sales.customer[order]
    starts = run_starts([product[order], customer], xp)
    return xp.bincount(customer[starts], minlength=len(moves.customers))


def _sums(values: Array, customer: Array, moves: Moves) -> Array:
    """The sum of each customer's values, a customer's together; 0 who has none."""
    xp = moves.backend.xp
    starts = run_starts([customer], xp)
    found = xp.zeros(len(moves.customers), dtype=values.dtype)
    found[customer[starts]] = segment_sums(values, starts, xp)
    return found
