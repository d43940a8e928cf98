"""The log of a table, read directly: what a commit said of itself, for the price of one file.

Delta's protocol: `_delta_log/<version>.json` holds one action a line, `commitInfo` among them;
`_last_checkpoint` names a version that is there.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = [
    "added_files",
    "added_paths",
    "commit_info",
    "data_version",
    "is_table",
    "latest_version",
    "log_entry",
]


def log_entry(folder: Path, version: int) -> Path:
    """Where the table in `folder` keeps what made it this version."""
    return folder / "_delta_log" / f"{version:020d}.json"


def is_table(folder: Path) -> bool:
    """Whether a first version is there; a log without one was left by a killed writer."""
    return log_entry(folder, 0).is_file()


def latest_version(folder: Path) -> int:
    """The number of the latest version of a table that is there."""
    version = _checkpointed(folder)
    while log_entry(folder, version + 1).is_file():
        version += 1
    return version


def commit_info(folder: Path, version: int) -> dict[str, Any]:
    """What the commit of this version said of itself; empty where it said nothing."""
    infos = _actions(folder, version, "commitInfo")
    return dict(next(infos, {}))


def data_version(folder: Path, version: int) -> int:
    """The version that gave the table its rows: a compaction after it changed none of them."""
    return int(commit_info(folder, version).get("data_version", version))


def added_paths(folder: Path, version: int) -> set[str]:
    """The files that this version brought in, relative to the table."""
    return {action["path"] for action in _actions(folder, version, "add")}


def added_files(folder: Path, version: int) -> list[dict[str, Any]]:
    """What the log says of each of these files, as Delta's protocol has it."""
    return list(_actions(folder, version, "add"))


def _actions(folder: Path, version: int, kind: str) -> Iterator[dict[str, Any]]:
    """The actions of one kind, in order, parsed as they are asked for."""
    with log_entry(folder, version).open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(f'{{"{kind}"'):
                yield json.loads(line)[kind]


def _checkpointed(folder: Path) -> int:
    """A version that is there: that of the last checkpoint, else the first."""
    try:
        hint = json.loads((folder / "_delta_log" / "_last_checkpoint").read_text())
    except (FileNotFoundError, ValueError):  # a hint only: readers may do without it
        return 0
    return int(hint["version"])
