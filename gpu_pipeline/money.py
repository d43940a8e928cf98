"""Money: the currencies of ISO 4217, their decimals, and what one is worth in another.

Amounts in tables are minor units: cents, yen, fils.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "MINOR_DIGITS",
    "MOST_MINOR_UNITS",
    "USUAL_DIGITS",
    "Factor",
    "is_currency",
    "minor_digits",
    "minor_digits_of",
]

USUAL_DIGITS = 2

_NONE = (
    *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
    *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
)
_THREE = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_FOUR = ("CLF", "UYW")

# The currencies whose number of decimals is not the usual one.
MINOR_DIGITS = {
    **dict.fromkeys(_NONE, 0),
    **dict.fromkeys(_THREE, 3),
    **dict.fromkeys(_FOUR, 4),
}

# The money of ISO 4217, with that of the last years whose amounts are still in people's files.
_CODES = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP
    BYN BZD CAD CDF CHF CLF CLP CNY COP CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD
    FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY
    KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU
    MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD
    RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP
    TRY TTD TWD TZS UAH UGX USD UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR
    ZMW ZWG ZWL
"""
_DECIMALS = 18  # of a factor at most: ten to that is an int64
MOST_MINOR_UNITS = 2**50  # an amount that is converted stays below


def is_currency(code: str) -> bool:
    """Whether this is the code of a currency."""
    return code in _CODES.split()


def minor_digits(currency: str) -> int:
    """How many decimals amounts in that currency have; the usual 2 of what is none.

    >>> [minor_digits(code) for code in ("EUR", "JPY", "KWD")]
    [2, 0, 3]
    """
    return MINOR_DIGITS.get(currency, USUAL_DIGITS)


def minor_digits_of(currencies: "pd.Series[Any]") -> "pd.Series[float]":
    """`minor_digits` of a pandas or a cuDF series of currencies, as float64."""
    return currencies.map(MINOR_DIGITS).fillna(USUAL_DIGITS).astype("float64")


@dataclass(frozen=True)
class Factor:
    """A decimal number: `mantissa` divided by `divisor`, a power of ten; both fit int64."""

    mantissa: int
    divisor: int

    @classmethod
    def of_rate(cls, rate: float, *, of: str, to: str) -> Self:
        """What minor units of one currency are worth in those of another.

        `rate` is the worth of a whole unit, a finite positive number; it means the shortest
        decimal that reads as this float. Beyond 18 decimals the factor is rounded, half to even.
        """
        digits = [MINOR_DIGITS.get(code, USUAL_DIGITS) for code in (of, to)]
        exact = Decimal(repr(float(rate))).scaleb(digits[1] - digits[0]).normalize()
        exponent = exact.as_tuple().exponent
        decimals = min(_DECIMALS, max(0, -int(exponent)))
        mantissa = int(exact.scaleb(decimals).to_integral_value())
        # With a larger one, no amount but 0 stays below the most that is multiplied.
        return cls(min(mantissa, MOST_MINOR_UNITS * 10**3), 10**decimals)
