"""What can go wrong with a text model."""

__all__ = ["ModelError"]


class ModelError(ValueError):
    """A model folder that can't be used; the message says which, why, and what to do."""
