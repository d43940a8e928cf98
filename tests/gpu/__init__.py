"""Tests that need a CUDA device: `pytest -m gpu` runs them, elsewhere they say why they don't."""
