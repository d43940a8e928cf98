"""The exchange rates of a run."""

from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.exchange import RATE_COLUMNS, ExchangeRates, lines_without_rate
from gpu_pipeline.pipeline import Work

__all__ = ["exchange_rates", "rates_of"]


def rates_of(work: Work) -> ExchangeRates | None:
    """The rates to the lake's reporting currency; None where it has none and nothing is converted.

    Nothing is converted at a rate of a later day than its own: rates of after `as_of` change
    nothing.
    """
    lake = work.lake
    if not lake.currency:
        return None
    table: Frame = work.empty("fx_rates")
    if work.has("fx_rates"):
        table = lake.read("fx_rates", RATE_COLUMNS).compute()
    return ExchangeRates.of(
        lake.backend.to_pandas(table), currency=lake.currency, time_zone=lake.time_zone
    )


def exchange_rates(work: Work) -> ExchangeRates | None:
    """What `rates_of` gives; says in the facts how many order lines lack one."""
    rates, lake = rates_of(work), work.lake
    if rates is None:
        return None
    lines = work.read("orders", ["ordered_at", "currency", "line_type"]).to_delayed()
    missing = compute(*(delayed(_moves_without_rate)(some, rates, lake.backend) for some in lines))
    work.facts.update(currency=lake.currency, without_rate=sum(missing))
    return rates


def _moves_without_rate(lines: Frame, rates: ExchangeRates, backend: Backend) -> int:
    moves = lines[lines["line_type"].isin(["sale", "return"])]
    return lines_without_rate(moves, rates, backend)
