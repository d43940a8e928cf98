"""The contracts of the product: one file each, read once."""

from functools import cache
from importlib.resources import files

from gpu_pipeline.contracts.model import REJECTED_SUFFIX, Contract
from gpu_pipeline.contracts.odcs import parsed
from gpu_pipeline.errors import ContractError

__all__ = ["contract", "contract_names", "sources"]

_SUFFIX = ".odcs.yaml"


@cache
def contract(name: str) -> Contract:
    """The contract of a table.

    Raises:
        ContractError: there is none of that name, or its file is malformed.
    """
    source = name.removesuffix(REJECTED_SUFFIX)
    if source != name and source in sources():
        return contract(source).rejected()
    file = files(__package__) / f"{name}{_SUFFIX}"
    if not file.is_file():
        message = f"No contract for {name!r}: there are {', '.join(contract_names())}."
        raise ContractError(message)
    return parsed(file.read_text(encoding="utf-8"))


@cache
def contract_names() -> tuple[str, ...]:
    """The tables that have a contract, in order of the alphabet."""
    return tuple(
        sorted(f.name[: -len(_SUFFIX)] for f in files(__package__).iterdir() if _SUFFIX in f.name)
    )


@cache
def sources() -> tuple[str, ...]:
    """The tables that landing files feed."""
    return tuple(name for name in contract_names() if contract(name).stage == "source")
