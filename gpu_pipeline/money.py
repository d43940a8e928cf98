"""Money: how many decimals a currency has, by ISO 4217. Amounts in tables are minor units."""

__all__ = ["MINOR_DIGITS", "USUAL_DIGITS"]

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
