"""What a customer will spend until a horizon: the whole distribution, given her past.

N purchases of Gamma(p, nu) each add up to Gamma(p N, nu), and given her past nu is distributed
Gamma(q + p x, v + s), x being the purchases so far and s what they brought (Fader & Hardie 2013,
brucehardie.com/notes/025). So the total over v + s follows a beta prime distribution for each N,
mixed over N: its tail is a sum of incomplete beta functions. It depends on the amounts only
through its unit v + s, so customers with equal purchases share it.
"""

from dataclasses import dataclass
from types import ModuleType

from gpu_pipeline.backend import Array
from gpu_pipeline.customer_value.purchases import PurchaseCounts

__all__ = ["Totals"]

_EACH, _PER_DOUBLING = 32.0, 16.0  # numbers of purchases by themselves, then in cells
_NEGLIGIBLE = 1e-8  # a probability
# Of a search in the logarithm of a total.
_NEWTON_STEPS, _STEPS, _CLOSE, _LONGEST, _FAR = 40, 80, 1e-5, 3.0, 700.0
_LEAST_SHARE, _LEAST_SLOPE = 1e-15, 1e-3


@dataclass(frozen=True)
class Totals:
    """The totals of some customers, each in a unit of her own, a row each.

    `counts` are their purchases; an amount is Gamma(`p`, nu), and nu Gamma(`shape`, unit).
    """

    counts: PurchaseCounts
    p: float
    shape: Array

    def quantile(self, probability: float) -> Array:
        """The least total that is not exceeded with at least that probability."""
        xp = self._xp
        tail = 1 - probability
        found = xp.zeros(len(self.shape))
        rows = xp.flatnonzero(self.counts.at_least(1.0) > tail)
        if len(rows):
            found[rows] = self._taken(rows)._quantile_above_0(tail)
        return found

    def at_most(self, total: Array) -> Array:
        """The probability that each one's total is at most this one, 0 or more."""
        xp = self._xp
        beyond = self.counts.one_if_alive()
        rows = xp.flatnonzero(total > 0)
        if len(rows):
            beyond[rows] = _Cells.of(self._taken(rows)).tail(xp.log(total[rows]), xp)[0]
        return xp.clip(1 - self.counts.p_alive * beyond, 0.0, 1.0)

    @property
    def _xp(self) -> ModuleType:
        return self.counts.backend.xp

    def _taken(self, rows: Array) -> "Totals":
        return Totals(self.counts.taken(rows), self.p, self.shape[rows])

    def _quantile_above_0(self, tail: float) -> Array:
        """Where a total above 0 has that tail: Newton's method on log-odds over log totals.

        These two are nearly proportional to each other on either side. A step out of the bounds
        that are known by then halves them instead, and so do all after some dozens: the last of
        them are too close to differ.
        """
        xp = self._xp
        cells, bought = _Cells.of(self), self.counts.one_if_alive()
        # Rounding alone can put a total just above 0 at 0.
        wanted = _log_odds(_share(tail / self.counts.p_alive / bought, xp), xp)
        logs = xp.log(self.p * cells.mean(xp) / (bought * self.shape))
        low, high, rows = logs - _FAR, logs + _FAR, xp.arange(len(logs))
        for number in range(_STEPS):
            here, part = logs[rows], bought[rows]
            beyond, slope = cells.taken(rows, xp).tail(here, xp)
            share = _share(beyond / part, xp)
            over = _log_odds(share, xp) - wanted[rows]
            low[rows] = xp.where(over > 0, here, low[rows])
            high[rows] = xp.where(over > 0, high[rows], here)
            steep = xp.maximum(slope / part / (share * (1 - share)), _LEAST_SLOPE)
            step = xp.clip(over / steep, -_LONGEST, _LONGEST)
            is_near = xp.abs(step) <= _CLOSE
            is_in = (here + step > low[rows]) & (here + step < high[rows])
            is_trusted = is_near | (is_in & (number < _NEWTON_STEPS))
            halfway = (low[rows] + high[rows]) / 2
            logs[rows] = xp.where(is_trusted, here + step, halfway)
            rows = rows[~is_near]
            if not len(rows):
                break
        return xp.exp(logs)


@dataclass(frozen=True)
class _Cells:
    """The likely numbers of purchases of customers who are alive, in order of their rows.

    Small numbers have a cell each; larger ones share cells, the wider the larger they are.
    `scale` is ln B(p n, shape).
    """

    special: ModuleType
    rows: int
    row: Array
    purchases: Array
    probability: Array
    first: Array
    second: Array
    scale: Array

    @classmethod
    def of(cls, totals: Totals) -> "_Cells":
        """All whose probability counts."""
        counts, xp = totals.counts, totals.counts.backend.xp
        special = totals.counts.backend.special
        number, rows, parts = 1.0, xp.arange(len(totals.shape)), []
        tail = counts.at_least_if_alive(1.0)
        while len(rows):
            width = max(1.0, number // _PER_DOUBLING) if number >= _EACH else 1.0
            rest = counts.at_least_if_alive(number + width)
            middle = xp.full(len(rows), number + (width - 1) / 2)
            parts.append((rows, middle, tail - rest))
            left = xp.flatnonzero(rest > _NEGLIGIBLE)
            number, rows, tail, counts = number + width, rows[left], rest[left], counts.taken(left)
        row, purchases, probability = (xp.concatenate(one) for one in zip(*parts, strict=True))
        order = xp.argsort(row, kind="stable")
        row, purchases, probability = row[order], purchases[order], probability[order]
        first, second = totals.p * purchases, totals.shape[row]
        scale = special.gammaln(first) + special.gammaln(second) - special.gammaln(first + second)
        size = len(totals.shape)
        return cls(special, size, row, purchases, probability, first, second, scale)

    def taken(self, rows: Array, xp: ModuleType) -> "_Cells":
        """The cells of these rows, in ascending order, which are numbered anew."""
        if len(rows) == self.rows:
            return self
        is_taken = xp.zeros(self.rows, dtype=bool)
        is_taken[rows] = True
        at = xp.flatnonzero(is_taken[self.row])
        numbers = xp.cumsum(is_taken.astype(xp.int64)) - 1
        rest = (self.purchases, self.probability, self.first, self.second, self.scale)
        columns = (column[at] for column in rest)
        return _Cells(self.special, len(rows), numbers[self.row[at]], *columns)

    def mean(self, xp: ModuleType) -> Array:
        """The expected number of purchases of each row."""
        return self._summed(self.probability * self.purchases, xp)

    def tail(self, logs: Array, xp: ModuleType) -> tuple[Array, Array]:
        """(the probability that each row's total is over e^`logs`, how fast it falls in `logs`)."""
        at = logs[self.row]
        rest, part = -xp.logaddexp(0.0, at), -xp.logaddexp(0.0, -at)
        beyond = self.special.betainc(self.second, self.first, xp.exp(rest))
        density = xp.exp(self.first * part + self.second * rest - self.scale)
        return (
            self._summed(self.probability * beyond, xp),
            self._summed(self.probability * density, xp),
        )

    def _summed(self, values: Array, xp: ModuleType) -> Array:
        total: Array = xp.bincount(self.row, weights=values, minlength=self.rows)
        return total


def _share(probability: Array, xp: ModuleType) -> Array:
    """The probability, neither 0 nor 1."""
    return xp.clip(probability, _LEAST_SHARE, 1 - _LEAST_SHARE)


def _log_odds(probability: Array, xp: ModuleType) -> Array:
    return xp.log(probability) - xp.log1p(-probability)
