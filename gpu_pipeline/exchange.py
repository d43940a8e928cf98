"""Amounts of other currencies in the reporting one, at the rate of their day."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from types import ModuleType
from typing import TYPE_CHECKING, Self
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from gpu_pipeline.backend import Array, Backend, Frame
from gpu_pipeline.errors import PipelineError
from gpu_pipeline.money import MOST_MINOR_UNITS, Factor
from gpu_pipeline.orders import business_day

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RATE_COLUMNS", "ExchangeRates", "in_reporting_currency", "lines_without_rate"]

RATE_COLUMNS = ("currency", "day", "rate")
_AMOUNTS = ("unit_price", "discount", "refunded")
_LAST_DAYS = 7  # a rate counts on its day and on these many after it, until the next one
_MICROSECONDS_PER_DAY = 86_400_000_000


@dataclass(frozen=True)
class _Quotes:
    """What a currency was worth: days since 1970 in ascending order, and a factor for each."""

    days: npt.NDArray[np.int64]
    mantissas: npt.NDArray[np.int64]
    divisors: npt.NDArray[np.int64]


@dataclass(frozen=True)
class ExchangeRates:
    """What other currencies are worth in the reporting `currency`, business day by business day.

    Small, on the host, sent to workers as it is. `time_zone` says which day a moment falls on.
    """

    currency: str
    time_zone: str
    quotes: Mapping[str, _Quotes]

    @classmethod
    def of(cls, rates: "pd.DataFrame", *, currency: str, time_zone: str = "UTC") -> Self:
        """The rates of the table `fx_rates` (`RATE_COLUMNS`), the last one of each day.

        The date of `day` is the business day itself, wherever the business is.
        """
        latest = rates.sort_values(["currency", "day"])
        latest = latest.assign(day=latest["day"].dt.floor("D"))
        latest = latest.drop_duplicates(["currency", "day"], keep="last")
        quotes = {
            str(code): _quotes(of_one, of=str(code), to=currency)
            for code, of_one in latest.groupby("currency")
        }
        return cls(currency, time_zone, quotes)

    def digest(self, until: datetime) -> str:
        """Equal where amounts of up to that moment (UTC) are converted alike."""
        local = until.replace(tzinfo=UTC).astimezone(ZoneInfo(self.time_zone))
        last = (local.date() - date(1970, 1, 1)).days
        told = hashlib.sha256(f"{self.currency} {self.time_zone}".encode())
        for code, quotes in sorted(self.quotes.items()):
            known = int((quotes.days <= last).sum())
            told.update(f"{code} {known}".encode() if known else b"")
            for values in (quotes.days, quotes.mantissas, quotes.divisors):
                told.update(values[:known].tobytes())
        return told.hexdigest()[:16]


def in_reporting_currency(
    lines: Frame, rates: ExchangeRates, backend: Backend
) -> tuple[Frame, Frame]:
    """(the lines with their amounts in the reporting currency, those whose rate is not known).

    unit_price, discount and refunded, as far as they are there, are each converted at the rate
    of the business day of `ordered_at`, or else of the last day with one in the week before, and
    rounded once to minor units, half away from zero. Lines of the reporting currency need no
    rate. Both frames keep the order, index and columns of `lines`; the second is as it was.

    Raises:
        PipelineError: an amount is converted to more than money has; the rate must be wrong.
    """
    xp = backend.xp
    foreign = _foreign(lines, rates, backend)
    if not foreign:
        return lines, lines.iloc[:0]
    days = _days(lines, rates, backend)
    amounts = {n: backend.as_bits(lines[n]).copy() for n in _AMOUNTS if n in lines.columns}
    rated = xp.ones(len(lines), dtype=bool)
    for code in foreign:
        rows = xp.flatnonzero(xp.asarray((lines["currency"] == code).values))
        places = _places(rates, code, days[rows], xp)
        rated[rows] = places >= 0
        rows, places = rows[places >= 0], places[places >= 0]
        if not len(rows):
            continue
        quotes = rates.quotes[code]
        factors = [xp.asarray(of)[places] for of in (quotes.mantissas, quotes.divisors)]
        for values in amounts.values():
            try:
                values[rows] = multiplied(values[rows], *factors, xp=xp)
            except OverflowError:
                raise PipelineError(_too_much(code, rates.currency)) from None
    columns = {n: backend.frames.Series(v, index=lines.index) for n, v in amounts.items()}
    kept = backend.frames.Series(rated, index=lines.index)
    return lines.assign(**columns, currency=rates.currency)[kept], lines[~kept]


def lines_without_rate(lines: Frame, rates: ExchangeRates, backend: Backend) -> int:
    """How many of the lines `in_reporting_currency` would set aside.

    Reads currency and ordered_at alone.
    """
    xp = backend.xp
    days = _days(lines, rates, backend)
    missing = 0
    for code in _foreign(lines, rates, backend):
        of_code = days[xp.asarray((lines["currency"] == code).values)]
        missing += int((_places(rates, code, of_code, xp) < 0).sum())
    return missing


def multiplied(amounts: Array, mantissas: Array, divisors: Array, *, xp: ModuleType) -> Array:
    """The int64 `amounts` times mantissa / divisor, rounded once, half away from zero; exact.

    All of one length. A product is guessed in float64 and set right by what it leaves over,
    which int64 tells exactly although the products themselves wrap around.

    Raises:
        OverflowError: a product is about `MOST_MINOR_UNITS` or more: the guess might be wrong.
    """
    sizes = xp.abs(amounts)
    guessed = xp.abs(amounts.astype("float64")) * (mantissas.astype("float64") / divisors)
    if bool((guessed >= MOST_MINOR_UNITS).any()):
        message = f"A product is {MOST_MINOR_UNITS} or more."
        raise OverflowError(message)
    products = xp.rint(guessed).astype("int64")
    left = sizes * mantissas - products * divisors
    products += (2 * left >= divisors).astype("int64")
    products -= (2 * left < -divisors).astype("int64")
    signed: Array = xp.sign(amounts) * products
    return signed


def _quotes(rates: "pd.DataFrame", *, of: str, to: str) -> _Quotes:
    factors = [Factor.of_rate(rate, of=of, to=to) for rate in rates["rate"]]
    return _Quotes(
        days=rates["day"].to_numpy("datetime64[D]").astype("int64"),
        mantissas=np.array([factor.mantissa for factor in factors], dtype=np.int64),
        divisors=np.array([factor.divisor for factor in factors], dtype=np.int64),
    )


def _days(lines: Frame, rates: ExchangeRates, backend: Backend) -> Array:
    """The business day of each line, in days since 1970."""
    midnights = business_day(lines["ordered_at"], rates.time_zone).astype("datetime64[us]")
    return backend.as_bits(midnights) // _MICROSECONDS_PER_DAY


def _foreign(lines: Frame, rates: ExchangeRates, backend: Backend) -> list[str]:
    """The other currencies of the lines, few, on the host."""
    found = backend.to_pandas(lines[["currency"]].drop_duplicates())["currency"]
    return sorted(set(found) - {rates.currency})


def _places(rates: ExchangeRates, code: str, days: Array, xp: ModuleType) -> Array:
    """Which quote of the currency counts on each day; -1 where none is recent enough."""
    if code not in rates.quotes:
        return xp.full(len(days), -1)
    quoted = xp.asarray(rates.quotes[code].days)
    places = xp.searchsorted(quoted, days, side="right") - 1
    is_recent = (places >= 0) & (days - quoted[xp.maximum(places, 0)] <= _LAST_DAYS)
    return xp.where(is_recent, places, -1)


def _too_much(code: str, currency: str) -> str:
    return (
        f"An amount in {code} becomes {MOST_MINOR_UNITS:,} or more minor units of {currency}: "
        f"look at the rates of {code} in fx_rates, and at the prices of its orders."
    )
