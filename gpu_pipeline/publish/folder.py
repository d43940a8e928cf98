"""The folder of snapshots: one of them is served, the others wait to be removed.

folder/snapshots/000007.sqlite    a snapshot, never changed once it has this name
folder/current                    symlink to the snapshot that is served
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gpu_pipeline.errors import LakeError

__all__ = [
    "BUILDING",
    "FINISHED",
    "LAYOUT",
    "current_version",
    "next_snapshot",
    "on_disk",
    "only_writer",
    "point_to",
    "remove_leftovers",
    "remove_old",
]

LAYOUT = 5
KEPT_SNAPSHOTS = 3
FINISHED, BUILDING = ".sqlite", ".building"
_POINTER, _NEW_POINTER, _LOCK = "current", "current.new", "publish.lock"


def current_version(folder: Path) -> str | None:
    """The version of the snapshot that is served from `folder`; None before the first.

    Raises:
        LakeError: the pointer is there and is none.
    """
    pointer = folder / _POINTER
    try:
        return pointer.readlink().stem
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"{pointer} is no pointer to a snapshot ({error.strerror}): remove it."
        raise LakeError(message) from error


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Holds the folder's lock, which the system releases however the process ends."""
    with (folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"Another process is publishing in {folder}: wait until it has ended."
            raise LakeError(message) from error
        yield


def next_snapshot(snapshots: Path) -> Path:
    """The name of the next one: beyond all ever seen here, finished or not, used but once."""
    numbers = (int(path.stem) for path in snapshots.iterdir() if path.stem.isdigit())
    return snapshots / f"{max(numbers, default=0) + 1:06d}{FINISHED}"


def remove_leftovers(folder: Path) -> None:
    """Removes what killed writers left: half-built files, and whole ones never pointed to."""
    current = current_version(folder) or ""
    (folder / _NEW_POINTER).unlink(missing_ok=True)
    for path in (folder / "snapshots").iterdir():
        if path.suffix == BUILDING or path.stem > current:
            path.unlink()


def remove_old(snapshots: Path) -> None:
    """Removes all but the last `KEPT_SNAPSHOTS`."""
    for path in sorted(snapshots.glob(f"*{FINISHED}"))[:-KEPT_SNAPSHOTS]:
        path.unlink()


def on_disk(path: Path) -> None:
    """Waits until the file or folder is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def point_to(target: Path, folder: Path) -> None:
    """Serves the snapshot from now on."""
    pointer = folder / _NEW_POINTER
    pointer.symlink_to(target.relative_to(folder))
    pointer.replace(folder / _POINTER)
    on_disk(folder)
