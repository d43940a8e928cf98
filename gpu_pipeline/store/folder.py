"""The lake's folder: its settings, and its key beside it."""

import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from gpu_pipeline.errors import LakeError
from gpu_pipeline.privacy import fingerprint, new_key

__all__ = ["key_path", "make_lake_folder", "read_settings"]

FORMAT = 1
SETTINGS = "lake.json"
_NEEDED = {"format": int, "buckets": int, "time_zone": str, "key_fingerprint": str}
_UNFINISHED = ".new"


def key_path(lake: Path) -> Path:
    """Where the key of a lake lies: beside it, never inside."""
    whole = lake.resolve()
    return whole.with_name(f"{whole.name}.key")


def read_settings(root: Path) -> dict[str, Any]:
    """What was decided when the lake was made: its format, buckets, time zone, key fingerprint.

    Raises:
        LakeError: there is no lake, a newer version made it, or its settings are damaged.
    """
    try:
        settings = json.loads((root / SETTINGS).read_text())
    except FileNotFoundError:
        message = f"No lake in {root}: `gpu-pipeline ingest DIR --lake {root}` makes one."
        raise LakeError(message) from None
    except (OSError, ValueError) as error:
        message = f"{root / SETTINGS} can't be read: {error}"
        raise LakeError(message) from error
    known = settings if isinstance(settings, dict) else {}
    if isinstance(known.get("format"), int) and known["format"] > FORMAT:
        message = (
            f"The lake {root} has format {known['format']}, this version knows {FORMAT}: "
            "upgrade gpu-pipeline."
        )
        raise LakeError(message)
    faults = [name for name, kind in _NEEDED.items() if not isinstance(known.get(name), kind)]
    if faults:
        message = f"{root / SETTINGS} is damaged: it lacks {', '.join(faults)}."
        raise LakeError(message)
    return known


def make_lake_folder(root: Path, *, buckets: int, key: str | None) -> None:
    """Makes a new, empty lake with its key, where there is none yet.

    Raises:
        LakeError: the folder can't be made or holds something else.
    """
    if (root / SETTINGS).is_file():
        return
    if buckets < 1 or buckets & (buckets - 1):
        message = f"A lake has a power of two of buckets, not {buckets}."
        raise LakeError(message)
    _make_folder(root)
    used = key if key is not None else _key_in_file(key_path(root))
    settings = {
        "format": FORMAT,
        "buckets": buckets,
        "time_zone": "UTC",
        "key_fingerprint": fingerprint(used),
    }
    _write_whole(root / SETTINGS, json.dumps(settings, indent=2) + "\n")


def _make_folder(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
        taken = any(path.suffix != _UNFINISHED for path in root.iterdir())
        if not taken:
            root.chmod(0o700)
    except OSError as error:
        message = f"The lake {root} can't be made: {error.strerror}."
        raise LakeError(message) from error
    if taken:
        message = f"{root} is there and is no lake: give an empty or a new folder."
        raise LakeError(message)


def _key_in_file(path: Path) -> str:
    """The key in the file; a fresh one where there is no file."""
    if not path.exists():
        _write_whole(path, new_key() + "\n", only_if_absent=True)
    key = path.read_text().strip()
    if not re.fullmatch("[0-9a-fA-F]{64}", key):
        message = f"{path} holds no pseudonym key, which is 64 hexadecimal digits."
        raise LakeError(message)
    return key


def _write_whole(path: Path, text: str, *, only_if_absent: bool = False) -> None:
    """The file with exactly this text, readable by its owner alone, or as it was."""
    new = path.with_name(f"{path.name}{_UNFINISHED}")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    if only_if_absent:
        with suppress(FileExistsError):
            path.hardlink_to(new)
        new.unlink()
    else:
        new.replace(path)
