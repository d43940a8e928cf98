"""Rows of any file: which are sound, what their columns say, what is written in return."""
