"""What the models of customer value share: parameters learnt by likelihood, kept as JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator

from gpu_pipeline.backend import Array, Backend, Series
from gpu_pipeline.customer_value.fitting import Floats, Minimum
from gpu_pipeline.errors import NotFitted, PipelineError

__all__ = ["MaximumLikelihoodModel"]

_FILE = "model.json"


class MaximumLikelihoodModel(BaseEstimator):  # type: ignore[misc] # it has no types
    """A model of a few positive parameters, in scikit-learn's manners.

    Learnt: `params_` (name -> value), `log_likelihood_`, `standard_errors_` (None for a parameter
    that the data don't determine), `at_limits_` (the parameters that ended at a limit, because
    the likelihood has no maximum in between), `customers_` and `evaluations_`.
    """

    _parameters: ClassVar[tuple[str, ...]]

    def __init__(self, *, backend: Backend | None = None) -> None:
        """`backend` None is the device that the data lie on."""
        self.backend = backend

    def document(self) -> dict[str, Any]:
        """All that was learnt, as JSON takes it.

        Raises:
            NotFitted: before `fit`.
        """
        self._check_fitted()
        return {
            "params": dict(self.params_),
            "log_likelihood": self.log_likelihood_,
            "standard_errors": dict(self.standard_errors_),
            "at_limits": list(self.at_limits_),
            "customers": self.customers_,
            "evaluations": self.evaluations_,
        }

    @classmethod
    def of_document(cls, document: Mapping[str, Any], *, backend: Backend | None = None) -> Self:
        """The model that gave the document, on this device whichever it was fitted on.

        Raises:
            PipelineError: it is the document of another kind of model.
        """
        model = cls(backend=backend)
        if sorted(document.get("params", ())) != sorted(cls._parameters):
            message = (
                f"This is no document of a {cls.__name__}: its params are "
                f"{', '.join(document.get('params', ())) or 'missing'}, not "
                f"{', '.join(cls._parameters)}. Fit the model again, or name another file."
            )
            raise PipelineError(message)
        model.params_ = {name: float(document["params"][name]) for name in cls._parameters}
        model.log_likelihood_ = float(document["log_likelihood"])
        model.standard_errors_ = dict(document["standard_errors"])
        model.at_limits_ = tuple(document["at_limits"])
        model.customers_ = float(document["customers"])
        model.evaluations_ = int(document["evaluations"])
        return model

    def save(self, folder: str | Path) -> None:
        """Writes model.json into the folder, which is made where it is missing.

        Raises:
            NotFitted: before `fit`.
        """
        text = json.dumps(self.document(), indent=2, allow_nan=False) + "\n"
        path = Path(folder) / _FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    @classmethod
    def load(cls, folder: str | Path, *, backend: Backend | None = None) -> Self:
        """The model that was saved in the folder.

        Raises:
            PipelineError: there is none, or one of another kind.
        """
        path = Path(folder) / _FILE
        if not path.is_file():
            message = f"There is no {path}: save a fitted {cls.__name__} there first."
            raise PipelineError(message)
        return cls.of_document(json.loads(path.read_text()), backend=backend)

    def device(self, values: Array | Series) -> Backend:
        """The device of this model, or where it has none that of the data."""
        return Backend.of(values) if self.backend is None else self.backend

    def _check_fitted(self) -> None:
        if not hasattr(self, "params_"):
            message = f"{type(self).__name__} has no parameters yet: call fit, or load one."
            raise NotFitted(message)

    def values(self) -> Floats:
        """The parameters in their order.

        Raises:
            NotFitted: before `fit`.
        """
        self._check_fitted()
        return np.array([self.params_[name] for name in self._parameters])

    def _learn(
        self,
        found: Minimum,
        units: Sequence[float],
        customers: float,
        constant: float,
        *,
        least: Sequence[float] | float = 0.0,
    ) -> None:
        """Takes over the minimum of -ln L / customers, at logarithms of the parameters.

        Each parameter is its `least` and so many `units` more; `constant` is what ln L has besides.
        """
        names, over = self._parameters, np.exp(found.point) * np.asarray(units)
        errors = _standard_errors(found, over, customers)
        self.params_ = dict(
            zip(names, (float(one) for one in np.asarray(least) + over), strict=True)
        )
        self.log_likelihood_ = float(constant - found.curve.value * customers)
        self.standard_errors_ = dict(zip(names, errors, strict=True))
        self.at_limits_ = tuple(n for n, at in zip(names, found.is_at_limit, strict=True) if at)
        self.customers_ = float(customers)
        self.evaluations_ = found.evaluations


def _standard_errors(found: Minimum, over: Floats, customers: float) -> list[float | None]:
    """Of what is over the least: those of its logarithms, times itself."""
    free = ~found.is_at_limit
    errors: list[float | None] = [None] * len(over)
    information = found.curve.hessian[np.ix_(free, free)] * customers
    if not free.any() or np.linalg.eigvalsh(information)[0] <= 0:
        return errors
    spreads = np.sqrt(np.diag(np.linalg.inv(information)))
    for place, spread in zip(np.flatnonzero(free), spreads, strict=True):
        errors[place] = float(spread * over[place])
    return errors
