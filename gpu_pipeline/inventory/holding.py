"""Holdings: what lies at a location, what it waits for, and what that comes to."""

from dataclasses import dataclass
from typing import Self

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.inventory.curves import DemandCurves
from gpu_pipeline.inventory.rule import Periods, order_quantity, reorder_rule
from gpu_pipeline.inventory.units import Units

__all__ = ["Holdings"]

_ENOUGH = 0.99  # of what may be asked for: stock that suffices for more is too much


@dataclass(frozen=True)
class Holdings:
    """Some products at some locations, float64 arrays with an entry each.

    on_hand: units there now; what was sold since the count is taken off.
    on_order: units that are on their way.
    lot: units that are ordered at once.
    unit_cost: of one unit, minor units.
    lead_days, lead_days_spread: from order to arrival, mean and standard deviation.
    demand_share: the location's part of its product's demand.
    product: int64, the product's place in the demand curves.
    """

    on_hand: Array
    on_order: Array
    lot: Array
    unit_cost: Array
    lead_days: Array
    lead_days_spread: Array
    demand_share: Array
    product: Array
    backend: Backend

    @classmethod
    def of(cls, stock: Frame, backend: Backend) -> Self:
        """From the rows of `latest_stock`, with product and sold_since_count beside.

        A lead time that is not known counts as 0 days, a spread as none.
        """
        xp = backend.xp

        def numbers(name: str) -> Array:
            return xp.asarray(stock[name].fillna(0).values).astype("float64")

        return cls(
            on_hand=xp.maximum(numbers("on_hand") - numbers("sold_since_count"), 0.0),
            on_order=numbers("on_order"),
            lot=xp.maximum(numbers("minimum_order"), 1.0),
            unit_cost=numbers("unit_cost"),
            lead_days=numbers("lead_time_days"),
            lead_days_spread=numbers("lead_time_days_spread"),
            demand_share=numbers("demand_share"),
            product=xp.asarray(stock["product"].values),
            backend=backend,
        )

    @property
    def position(self) -> Array:
        """Units on hand and on order."""
        return self.on_hand + self.on_order

    def plan(
        self, curves: DemandCurves, *, service_level: float, review_days: int
    ) -> dict[str, Array]:
        """The figures of the table `reorder_plan` that follow from demand, by their names."""
        xp, days = self.backend.xp, self.lead_days
        now, spread = xp.zeros(days.shape), self.lead_days_spread
        review, both = now + review_days, days + review_days
        lead, whole = self._asked(curves, days, spread), self._asked(curves, both, spread)
        periods = Periods(
            review=self._asked(curves, review, now),
            lead=Units(whole.mean - self._mean(curves, review), lead.variance, self.backend),
            both=whole,
        )
        rule = reorder_rule(periods, self.lot, service_level=service_level)
        wanted = order_quantity(self.position, rule.reorder_point, self.lot)
        quantity = xp.where(whole.mean > 0, wanted, 0.0)
        until_delivery = self._until_delivery(curves)
        too_much = self._too_much(curves, both, rule.reorder_point)
        return {
            "daily_demand": curves.rate[self.product] * self.demand_share,
            "lead_time_demand": lead.mean,
            "lead_time_demand_spread": xp.sqrt(lead.variance),
            "protected_demand": whole.mean,
            "protected_demand_spread": xp.sqrt(whole.variance),
            "safety_stock": rule.safety_stock,
            "reorder_point": rule.reorder_point,
            "order_quantity": quantity,
            "order_cost": quantity * self.unit_cost,
            "cycle_service": rule.cycle_service,
            "fill_rate": rule.fill_rate,
            "days_of_cover": curves.days_until(self.on_hand, self.product, self.demand_share),
            "stockout_risk": until_delivery.exceeds(self.on_hand),
            "units_short": until_delivery.loss(self.on_hand),
            "overstock_units": too_much,
            "overstock_cost": too_much * self.unit_cost,
        }

    def _mean(self, curves: DemandCurves, days: Array) -> Array:
        return self.demand_share * curves.mean_over(days, self.product)

    def _asked(self, curves: DemandCurves, days: Array, spread: Array) -> Units:
        """What is asked for in that many days, of which the standard deviation is `spread`.

        The variance of a location: whether a unit is asked for there is by chance.
        """
        xp, share = self.backend.xp, self.demand_share
        mean = curves.mean_over(days, self.product)
        variance = curves.variance_over(days, self.product)
        here = share**2 * (variance - mean) + share * mean
        rate = share * mean / xp.where(days > 0, days, 1.0)
        return Units(share * mean, xp.maximum(here, 0.0) + (rate * spread) ** 2, self.backend)

    def _until_delivery(self, curves: DemandCurves) -> Units:
        """What is asked for until the next delivery.

        With nothing on order that is a whole lead time away; with something, it comes somewhere
        within one: half of it on average, with the spread of a uniform distribution.
        """
        xp, days = self.backend.xp, self.lead_days
        is_coming = self.on_order > 0
        wait = xp.where(is_coming, days / 2, days)
        return self._asked(curves, wait, xp.where(is_coming, days / 12**0.5, self.lead_days_spread))

    def _too_much(self, curves: DemandCurves, both: Array, reorder_point: Array) -> Array:
        """Units that neither the days of the forecast nor the rule need, whole ones."""
        xp = self.backend.xp
        days = xp.maximum(both, float(curves.mean.shape[1]))
        asked = self._asked(curves, days, self.lead_days_spread)
        lifted = xp.where(asked.mean > 0, reorder_point + self.lot, 0.0)
        needed = xp.maximum(asked.quantile(_ENOUGH), lifted)
        return xp.floor(xp.maximum(self.position - needed, 0.0))
