"""Publishing: a run's results as one read-only SQLite file, swapped in atomically."""

from gpu_pipeline.publish.folder import current_version
from gpu_pipeline.publish.rekeying import rekeyed_snapshot
from gpu_pipeline.publish.snapshot import Snapshot
from gpu_pipeline.publish.tables import SERVED_CONTRACTS, served_tables
from gpu_pipeline.publish.writing import FACTS, write_snapshot

__all__ = [
    "FACTS",
    "SERVED_CONTRACTS",
    "Snapshot",
    "current_version",
    "rekeyed_snapshot",
    "served_tables",
    "write_snapshot",
]
