"""Contracts: every table as data, one Open Data Contract Standard file each."""

from gpu_pipeline.contracts.catalogue import contract, contract_names, sources
from gpu_pipeline.contracts.model import (
    COLUMN_TYPES,
    Column,
    ColumnType,
    Contract,
    Pseudonym,
    Reference,
)
from gpu_pipeline.contracts.odcs import parsed
from gpu_pipeline.contracts.rules import Check, Rule, Severity

__all__ = [
    "COLUMN_TYPES",
    "Check",
    "Column",
    "ColumnType",
    "Contract",
    "Pseudonym",
    "Reference",
    "Rule",
    "Severity",
    "contract",
    "contract_names",
    "parsed",
    "sources",
]
