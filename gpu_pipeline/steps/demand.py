"""The steps that say what was sold day by day, and what will be."""

from typing import TYPE_CHECKING

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.exchange import ExchangeRates, in_reporting_currency
from gpu_pipeline.forecasting.demand import combined_demand, daily_demand, forecast_demand
from gpu_pipeline.forecasting.stockouts import STOCK_COLUMNS
from gpu_pipeline.orders import LINE_COLUMNS, settled
from gpu_pipeline.pipeline import Step, Work
from gpu_pipeline.steps.rates import exchange_rates

if TYPE_CHECKING:
    import dask.dataframe as dd

__all__ = ["DEMAND", "FORECAST"]


def _demand(work: Work) -> None:
    lines: dd.DataFrame = work.read("orders", LINE_COLUMNS)
    daily = lines.map_partitions(
        _settled_demand,
        work.lake.backend,
        rates=exchange_rates(work),
        time_zone=work.lake.time_zone,
        meta=work.empty("demand_daily"),
    )
    work.replace("demand_daily", combined_demand(daily.compute()))


def _settled_demand(
    lines: Frame, backend: Backend, *, rates: ExchangeRates | None, time_zone: str
) -> Frame:
    """Without a rate, units are units all the same: they stay in the currency they were sold in."""
    lines = settled(lines, backend)
    if rates is not None:
        converted, as_paid = in_reporting_currency(lines, rates, backend)
        lines = backend.frames.concat([converted, as_paid])
    return daily_demand(lines, time_zone=time_zone)


def _forecast(work: Work) -> None:
    demand = work.read("demand_daily").compute()
    backend = work.lake.backend
    stock = work.read("inventory", STOCK_COLUMNS).compute() if work.has("inventory") else None
    table = forecast_demand(
        demand,
        as_of=work.as_of,
        horizon=work.config.horizon,
        backend=backend,
        time_zone=work.lake.time_zone,
        stock=stock,
    )
    chosen = table.drop_duplicates("product_id")
    work.facts.update(
        products=len(chosen),
        models=chosen["model"].value_counts().to_dict(),
        error=float(chosen["error"].sum()),
        naive_error=float(chosen["naive_error"].sum()),
    )
    work.replace("demand_forecast", backend.from_pandas(table))


DEMAND = Step(
    name="demand",
    reads=("orders",),
    uses=("fx_rates",),
    writes=("demand_daily",),
    run=_demand,
    dated=False,
)
FORECAST = Step(
    name="forecast",
    reads=("demand_daily",),
    uses=("inventory",),
    writes=("demand_forecast",),
    run=_forecast,
    settings=("horizon",),
)
