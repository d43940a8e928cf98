"""The lake: Delta tables bucketed by customer; read a version, commit a version."""

from gpu_pipeline.store.compaction import (
    Compaction,
    compact,
    compact_if_fragmented,
    compact_tables,
    remove_old_files,
)
from gpu_pipeline.store.conditions import Condition
from gpu_pipeline.store.folder import new_run_id
from gpu_pipeline.store.keys import key_hashes, read_keys
from gpu_pipeline.store.lake import Lake
from gpu_pipeline.store.parts import Part, write_parts
from gpu_pipeline.store.version import SAME_ROWS, Files
from gpu_pipeline.store.writer import Writer

__all__ = [
    "SAME_ROWS",
    "Compaction",
    "Condition",
    "Files",
    "Lake",
    "Part",
    "Writer",
    "compact",
    "compact_if_fragmented",
    "compact_tables",
    "key_hashes",
    "new_run_id",
    "read_keys",
    "remove_old_files",
    "write_parts",
]
