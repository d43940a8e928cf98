"""Means over Beta distributions, and the names that both libraries of special functions have."""

import ast
from pathlib import Path

import numpy as np
import pytest

import gpu_pipeline.customer_value
from gpu_pipeline.backend import Backend
from gpu_pipeline.customer_value.special import beta_rule

CPU = Backend.choose("cpu")
# Of cupyx.scipy.special, as its __init__.py lists them: those of gamma, beta and error functions.
IN_CUPY = {
    *("beta", "betainc", "betaincinv", "betaln", "digamma", "erf", "erfinv", "expit", "gammainc"),
    *("gammaincc", "gammaincinv", "gammaln", "log_expit", "logit", "ndtr", "ndtri"),
    *("poch", "polygamma", "psi", "rgamma", "xlog1py", "xlogy", "zeta"),
}


@pytest.mark.parametrize("a", [1e-4, 0.3, 1.0, 7.0, 1e4])
def test_powers_have_their_exact_means(a: float) -> None:
    b = np.array([1e-4, 0.2, 1.0, 30.0, 5000.0, 1e4])
    rule = beta_rule(a, b, reach=1.0, backend=CPU)
    assert rule.weights.sum(axis=1) == pytest.approx(1)
    first = a / (a + b)
    # A power is flat where p or 1 - p is negligible against 1, as the rule asks for.
    assert ((1 + rule.nodes) * rule.weights).sum(axis=1) == pytest.approx(1 + first, rel=1e-11)
    second = first * (a + 1) / (a + b + 1)
    found = ((1 + rule.nodes**2) * rule.weights).sum(axis=1)
    assert found == pytest.approx(1 + second, rel=1e-11)


def test_a_function_that_is_steep_near_0_needs_the_reach_that_is_given() -> None:
    # E[(1 + p u)^-1] of a uniform p is ln(1 + u) / u.
    steep = 1e16

    def mean(reach: float) -> float:
        rule = beta_rule(1.0, np.array([1.0]), reach=reach, backend=CPU)
        return float((rule.weights / (1 + rule.nodes * steep)).sum())

    exact = np.log1p(steep) / steep
    assert mean(steep) == pytest.approx(exact, rel=1e-11, abs=0)
    assert mean(1.0) != pytest.approx(exact, rel=0.01, abs=0)


def test_only_special_functions_that_a_gpu_has_are_used() -> None:
    folder = Path(gpu_pipeline.customer_value.__file__).parent
    used = {
        node.attr
        for file in folder.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and ast.unparse(node.value).rpartition(".")[2] == "special"
    }
    assert {"gammaln", "betainc"} <= used <= IN_CUPY
