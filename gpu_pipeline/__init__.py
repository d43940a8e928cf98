"""GPU-accelerated analytics for e-commerce: a lake, steps over it, and models fitted on it.

>>> from gpu_pipeline import Lake
>>> lake = Lake("demo-lake")  # doctest: +SKIP
>>> lake.read("orders", columns=["product_id", "quantity"]).head()  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpu_pipeline.store import Lake

__all__ = ["Lake", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Lake, imported when it is first asked for: the command line's help needs no frames."""
    if name == "Lake":
        from gpu_pipeline.store import Lake

        return Lake
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
