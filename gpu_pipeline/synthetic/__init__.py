"""A seeded tech shop with known truth: landing files of every source, at any size.

Customers of four planted segments place orders whose days follow a planted demand; visits, texts,
support cases and stock are derived from those orders, so that every key and amount agrees.

Inside, money is integer cents, a moment is seconds since 1970 (UTC), a choice is a code into
labels, and -1 stands for none. Customers are made in cells of some thousands, each from its own
random streams. Bytes repeat on any machine and any number of workers, given the same versions of
NumPy, PyArrow and zlib.
"""

from gpu_pipeline.synthetic.generating import FILES, Format, Truth, generate

__all__ = ["FILES", "Format", "Truth", "generate"]
