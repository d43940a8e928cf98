"""Duplicates: rows that say the same are one row; rows of one key that don't are a conflict.

Pure functions of one bucket, which holds all rows that could be equal.
"""

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.contracts import Contract
from gpu_pipeline.ingest.rows import UNNUMBERED, row_hashes
from gpu_pipeline.kernels import mixed_hash, ordinals_in_runs, run_starts

__all__ = ["deduplicated", "with_row_numbers", "without_repeats"]

PROVENANCE = ("file_no", "line")


def with_row_numbers(frame: Frame, found: Contract, backend: Backend) -> Frame:
    """Where the source numbers no lines: a number from what the row says and its ordinal.

    Identical rows of one file are different rows; the same rows in another file are the same.
    """
    numbered = [column.name for column in found.columns if column.row_number]
    if not numbered or not len(frame):
        return frame
    (name,) = numbered
    missing = frame[name] == UNNUMBERED
    if not bool(missing.any()):
        return frame
    hashes = row_hashes(frame, found, backend)
    ordered = frame.assign(row_hash=hashes).sort_values(["file_no", "row_hash", "line"])
    columns = [backend.as_bits(ordered[c]) for c in ("file_no", "row_hash")]
    starts = run_starts(columns, backend.xp)
    ordinals = ordinals_in_runs(starts, len(ordered), backend.xp)
    made = backend.frames.Series(
        mixed_hash([columns[1], ordinals], backend.xp), index=ordered.index
    )
    return ordered.assign(**{name: ordered[name].where(ordered[name] != UNNUMBERED, made)}).drop(
        columns="row_hash"
    )


def deduplicated(
    new: Frame, present: Frame, found: Contract, backend: Backend
) -> tuple[Frame, Frame]:
    """(rows to add, rows whose key another row has with other values); the rest are repeats."""
    key = list(found.key)
    both = backend.frames.concat(
        [present.assign(is_new=False), new.sort_values(list(PROVENANCE)).assign(is_new=True)],
        ignore_index=True,
    )
    shared = both.duplicated(subset=key, keep=False)
    if not bool(shared.any()):
        return new, new.iloc[:0]
    different = _said_once(both[shared], found)
    repeated = different.duplicated(subset=key, keep="first")
    kept = backend.frames.concat([both[~shared], different[~repeated]])
    conflicts = different[repeated]
    return (
        kept[kept["is_new"]].drop(columns="is_new"),
        conflicts[conflicts["is_new"]].drop(columns="is_new"),
    )


def without_repeats(frame: Frame, found: Contract) -> Frame:
    """Of rows that say the same, the first."""
    return _said_once(frame.sort_values(list(PROVENANCE)), found)


def _said_once(ordered: Frame, found: Contract) -> Frame:
    said = [name for name in found.names if name not in PROVENANCE]
    return ordered[~ordered.duplicated(subset=said, keep="first")]
