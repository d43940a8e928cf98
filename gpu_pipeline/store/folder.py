"""The lake's folder: its settings, and its keys beside it."""

import json
import os
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gpu_pipeline.errors import LakeError
from gpu_pipeline.money import is_currency
from gpu_pipeline.privacy import chained, fingerprint, is_key, keys_in, new_key
from gpu_pipeline.time_zones import is_time_zone

__all__ = [
    "ROTATION",
    "check_asked",
    "check_settled",
    "key_path",
    "make_lake_folder",
    "new_run_id",
    "read_key_file",
    "read_settings",
    "write_key_file",
    "write_settings",
    "write_whole",
]

FORMAT = 1
SETTINGS = "lake.json"
ROTATION = "rotation.json"  # there while the keys are being rotated
_CURRENCY = "currency"
_NEEDED = {
    "format": int,
    "buckets": int,
    "time_zone": str,
    _CURRENCY: str,
    "key_fingerprint": str,
}
_UNFINISHED = ".new"
_NEXT = "next "  # before a key that a rotation has not finished with


def new_run_id() -> str:
    """The name of a run or a load in the lake: when it began (UTC), and a few digits of chance."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"


def key_path(lake: Path) -> Path:
    """Where the key of a lake lies: beside it, never inside."""
    whole = lake.resolve()
    return whole.with_name(f"{whole.name}.key")


def read_settings(root: Path) -> dict[str, Any]:
    """What was decided when the lake was made: format, buckets, time zone, currency, fingerprint.

    A lake from before there was a reporting currency has none: "".

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
    known = {_CURRENCY: "", **settings} if isinstance(settings, dict) else {}
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


def write_settings(root: Path, settings: dict[str, Any]) -> None:
    """Puts other settings in the place of those that are there, at once."""
    write_whole(root / SETTINGS, json.dumps(settings, indent=2) + "\n")


def check_settled(root: Path, key_fingerprint: str) -> None:
    """Refuses a lake whose keys are no longer those that it was opened with.

    Raises:
        LakeError: a rotation is under way or was killed, or has ended since.
    """
    if (root / ROTATION).exists():
        message = (
            f"The keys of {root} are being rotated, or a rotation was stopped: nothing is read or "
            f"written until it has ended. `gpu-pipeline rotate-key --lake {root}` finishes it."
        )
        raise LakeError(message)
    if read_settings(root)["key_fingerprint"] != key_fingerprint:
        message = f"The keys of {root} were rotated since it was opened: open it again."
        raise LakeError(message)


def check_asked(root: Path, settings: dict[str, Any], **asked: str | None) -> None:
    """Refuses a lake whose settings are others than those that are asked for (not None).

    Raises:
        LakeError: one is another.
    """
    for name, value in asked.items():
        if value is not None and value != settings[name]:
            message = (
                f"The lake {root} was made with {name} {settings[name]!r}, not {value!r}, and "
                f"keeps it: leave {name} out, or load the files into a new lake."
            )
            raise LakeError(message)


def read_key_file(path: Path) -> tuple[str, str | None]:
    """The chain of keys in the file, and the key that a rotation is about to add, if any.

    Raises:
        LakeError: the file can't be read or holds something else.
    """
    try:
        lines = path.read_text().split("\n")
    except (OSError, UnicodeError) as error:
        message = f"The pseudonym key in {path} can't be read: {error}"
        raise LakeError(message) from error
    said = [line.strip() for line in lines if line.strip()]
    coming = [line.removeprefix(_NEXT) for line in said if line.startswith(_NEXT)]
    keys = [line for line in said if not line.startswith(_NEXT)]
    if not keys or len(coming) > 1 or not all(is_key(key) for key in [*keys, *coming]):
        message = (
            f"{path} holds no pseudonym key, which is 64 hexadecimal digits (after rotations "
            "one key a line, the oldest first)."
        )
        raise LakeError(message)
    return chained(*keys), coming[0] if coming else None


def write_key_file(path: Path, chain: str, *, coming: str | None = None) -> None:
    """The file with these keys, readable by its owner alone, or as it was."""
    lines = [*keys_in(chain), *([] if coming is None else [f"{_NEXT}{coming}"])]
    write_whole(path, "\n".join(lines) + "\n")


def make_lake_folder(
    root: Path, *, buckets: int, key: str | None, time_zone: str, currency: str
) -> None:
    """Makes a new, empty lake with its key, where there is none yet.

    Raises:
        LakeError: the folder can't be made or holds something else, or a setting makes no sense.
    """
    if (root / SETTINGS).is_file():
        return
    if buckets < 1 or buckets & (buckets - 1):
        message = f"A lake has a power of two of buckets, not {buckets}."
        raise LakeError(message)
    if not is_time_zone(time_zone):
        message = f"{time_zone!r} is no time zone of the IANA database, such as Europe/London."
        raise LakeError(message)
    if currency and not is_currency(currency):
        message = f"{currency!r} is no currency of ISO 4217, such as EUR."
        raise LakeError(message)
    _make_folder(root)
    used = key if key is not None else _key_in_file(key_path(root))
    settings = {
        "format": FORMAT,
        "buckets": buckets,
        "time_zone": time_zone,
        _CURRENCY: currency,
        "key_fingerprint": fingerprint(used),
    }
    write_settings(root, settings)


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
    """The keys in the file; a fresh one where there is no file."""
    if not path.exists():
        write_whole(path, new_key() + "\n", only_if_absent=True)
    return read_key_file(path)[0]


def write_whole(path: Path, text: str, *, only_if_absent: bool = False) -> None:
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
