"""What can go wrong, as types. A message says what, where, what was found and what to do."""

__all__ = [
    "ConfigError",
    "ContractError",
    "DeviceError",
    "FitError",
    "HistoryError",
    "IngestError",
    "LakeError",
    "NotFitted",
    "PanelError",
    "PipelineError",
]


class PipelineError(Exception):
    """The root of every error that the pipeline raises on purpose."""


class ConfigError(PipelineError):
    """A setting that can't be used."""


class DeviceError(PipelineError):
    """The device that was asked for is not there or can't be used."""


class ContractError(PipelineError):
    """A contract that is missing, malformed, or not kept by our own code."""


class LakeError(PipelineError):
    """A lake that is missing, locked, or was made with another key or by a newer version."""


class FitError(PipelineError):
    """A fit that came to no best parameters."""


class HistoryError(PipelineError):
    """Purchase histories that nobody can have, with every fault that was found in them."""


class IngestError(PipelineError):
    """A landing file or a mapping that can't be read at all."""


class NotFitted(PipelineError):
    """A model was asked to predict before it was fitted."""


class PanelError(PipelineError):
    """A frame that is not a panel of series, with every fault that was found in it."""
