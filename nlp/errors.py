"""What can go wrong with a text model."""

__all__ = ["ModelError", "TaxonomyError"]


class ModelError(ValueError):
    """A model folder that can't be used; the message says which, why, and what to do."""


class TaxonomyError(ModelError):
    """A file of aspects that can't be used; the message lists what is wrong with it."""
