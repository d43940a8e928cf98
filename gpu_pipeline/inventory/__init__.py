"""Inventory: what a forecast and the stock say about what to order, where and when."""

from gpu_pipeline.inventory.curves import DemandCurves
from gpu_pipeline.inventory.holding import Holdings
from gpu_pipeline.inventory.planning import Reason, reorder_plan
from gpu_pipeline.inventory.rule import Periods, ReorderRule, order_quantity, reorder_rule
from gpu_pipeline.inventory.simulating import Simulated, planned_points, simulated_service
from gpu_pipeline.inventory.units import Units

__all__ = [
    "DemandCurves",
    "Holdings",
    "Periods",
    "Reason",
    "ReorderRule",
    "Simulated",
    "Units",
    "order_quantity",
    "planned_points",
    "reorder_plan",
    "reorder_rule",
    "simulated_service",
]
