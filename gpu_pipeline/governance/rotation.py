"""Rotation: one more key in the chain, and every pseudonym in the lake made anew with it.

token' = the rule of a token over the 16 digits of the token: raw ids are not needed, rows of one
person still join, and the tokens that were known before are worth nothing. A lookup by raw id
walks the chain.

In this order, so that a kill at any moment is made good by rotating again:

1. the new key goes into the key file, marked as coming
2. `rotation.json` in the lake: from now on nobody reads or writes
3. table by table: all rows with new keys, in one commit; then the files of older versions go
4. what is served is published with new keys; older snapshots go
5. `lake.json`: the chain's fingerprint, and the versions before which each table is closed
6. the mark in the key file goes, then `rotation.json`
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.contracts import Contract, contract
from gpu_pipeline.errors import LakeError
from gpu_pipeline.ingest.staging import Place, Staging
from gpu_pipeline.privacy import (
    as_hex,
    chained,
    fingerprint,
    keys_in,
    new_key,
    rotated,
    rotated_all,
)
from gpu_pipeline.publish import rekeyed_snapshot
from gpu_pipeline.store import Lake, Writer
from gpu_pipeline.store.folder import (
    ROTATION,
    key_path,
    read_key_file,
    read_settings,
    write_key_file,
    write_settings,
    write_whole,
)
from gpu_pipeline.store.log import added_paths

__all__ = ["RotationReport", "rotate_key"]

Progress = Callable[[str, str], None]
_KEY = "customer_key"
_EVIDENCE = "row_values"
_TOKEN = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, kw_only=True)
class RotationReport:
    """What a rotation did: the keys that there are now, and the rows of each table."""

    keys: int
    tables: Mapping[str, int]
    snapshot: str | None


class _LakeAtRest(Lake):
    """A lake whose keys are being rotated, as only the one who rotates them may read it."""

    def _check_settled(self) -> None:
        pass


@dataclass(frozen=True)
class _Chain:
    """The keys of the lake and the one that is added; `file` is where they are kept, if in one."""

    before: str
    added: str
    file: Path | None

    @property
    def whole(self) -> str:
        return chained(self.before, self.added)

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.whole)

    @property
    def transaction(self) -> str:
        """What the commits of this rotation are known by."""
        return f"rotation:{self.fingerprint}"


def rotate_key(
    path: Path, *, backend: Backend, key: str | None = None, progress: Progress | None = None
) -> RotationReport:
    """Adds a key to the lake's chain and makes every pseudonym in it anew; finishes what was begun.

    Without `key`, a fresh one is added to `<path>.key`. A `key` that is given is the whole chain,
    the new one at its end. Works bucket by bucket, in the memory that one bucket takes. Versions
    before it can't be read any more, and what is served is published again. `progress` is told
    of each table: its name, "started" or "done".

    Raises:
        LakeError: there is no such lake, another process is writing, the keys are not the lake's,
            or `key` has no new one at its end.
    """
    lake = _LakeAtRest(path, backend=backend)
    # The lock of any writer: what a killed one left is removed first.
    with lake.writer() as writer:
        chain = _begun(path, key)
        if chain.file is not None and not (path / ROTATION).exists():
            write_key_file(chain.file, chain.before, coming=chain.added)
        write_whole(path / ROTATION, json.dumps({"to": chain.fingerprint}) + "\n")
        tables = [name for name in lake.tables() if _KEY in contract(name).names]
        for name in tables:
            if progress is not None:
                progress(name, "started")
            _rekey(lake, writer, contract(name), chain)
            _close(lake, name)
            if progress is not None:
                progress(name, "done")
        snapshot = rekeyed_snapshot(
            lake.serving,
            lambda token: rotated(token, key=chain.added),
            key_fingerprint=chain.fingerprint,
        )
        _finish(lake, tables, chain)
        return RotationReport(
            keys=len(keys_in(chain.whole)),
            tables={name: lake.rows(name) for name in tables},
            snapshot=None if snapshot is None else snapshot.stem,
        )


def _begun(path: Path, key: str | None) -> _Chain:
    """The chain as this rotation makes it; that of the one that was begun, where one was."""
    begun, now = _journal(path), read_settings(path)["key_fingerprint"]
    chain = _given(key) if key is not None else _kept(key_path(path), begun)
    if begun is None and fingerprint(chain.before) != now:
        where = "the keys that were given are" if key is not None else f"{chain.file} is"
        message = f"{where} not those of {path}, with a new one at the end."
        raise LakeError(message)
    if begun is not None and chain.fingerprint != begun:
        message = (
            f"A rotation of the keys of {path} was begun with another new key: give the keys that "
            "it was begun with to finish it."
        )
        raise LakeError(message)
    return chain


def _given(key: str) -> _Chain:
    *before, added = keys_in(key)
    if not before or added in before:
        message = (
            "A key was given (GPU_PIPELINE_KEY): to rotate it, give the keys that there are and a "
            "new one, with commas between, such as `$GPU_PIPELINE_KEY,$(openssl rand -hex 32)`, "
            "and keep them so."
        )
        raise LakeError(message)
    return _Chain(chained(*before), added, None)


def _kept(file: Path, begun: str | None) -> _Chain:
    """The keys in the file and the one that is coming, or, where it has come already, the last."""
    if not file.is_file():
        message = (
            f"The pseudonym key {file} is missing: put it there (mode 0600), or give the keys and "
            "a new one in the variable GPU_PIPELINE_KEY, with commas between."
        )
        raise LakeError(message)
    before, coming = read_key_file(file)
    if begun is not None and fingerprint(before) == begun:
        *before_it, coming = keys_in(before)
        return _Chain(chained(*before_it), coming, file)
    return _Chain(before, coming if coming is not None else new_key(), file)


def _journal(path: Path) -> str | None:
    """The fingerprint that the rotation which was begun leads to; None where none was."""
    try:
        return str(json.loads((path / ROTATION).read_text())["to"])
    except FileNotFoundError:
        return None


def _rekey(lake: Lake, writer: Writer, found: Contract, chain: _Chain) -> None:
    """Commits the table's rows with new keys, once."""
    if lake.loaded(found.name, [chain.transaction]):
        return
    folder = writer.staging / "rotation" / found.name
    staging = Staging(folder, found, buckets=lake.buckets, backend=lake.backend)
    for bucket in range(staging.buckets):
        rows = lake.read_bucket(found.name, bucket)
        if len(rows):
            rekeyed = _with_new_keys(rows, found, chain.added, lake.backend)
            staging.put(f"{bucket:05d}", rekeyed)
    parts = []
    for bucket in range(staging.buckets):
        rows = staging.take(Place((bucket,)))
        if len(rows):
            parts += writer.write(rows, found, number=bucket)
    note = {name: said for name, said in lake.note(found.name).items() if name != "files"}
    writer.commit(
        found,
        parts,
        overwrite=True,
        transactions=[chain.transaction],
        note={**note, "rotated_to": chain.fingerprint},
    )


def _with_new_keys(rows: Frame, found: Contract, key: str, backend: Backend) -> Frame:
    tokens = rotated_all(backend.to_host(rows[_KEY]), key=key)
    rows = rows.assign(
        **{_KEY: backend.frames.Series(backend.xp.asarray(tokens), index=rows.index)}
    )
    if found.stage != "rejected":
        return rows
    hidden = _hidden(found)
    host = backend.to_pandas(rows[[_EVIDENCE]])
    shown = host.assign(**{_EVIDENCE: [_evidence(text, hidden, key) for text in host[_EVIDENCE]]})
    return rows.assign(**{_EVIDENCE: backend.from_pandas(shown)[_EVIDENCE]})


def _hidden(rejected: Contract) -> frozenset[str]:
    """The landing columns that evidence shows as pseudonyms."""
    source = contract(rejected.name.removesuffix("_rejected"))
    named = {way.of for column in source.columns for way in column.pseudonyms}
    return frozenset(named.difference(source.names))


def _evidence(text: str, hidden: frozenset[str], key: str) -> str:
    """What is kept of a rejected row (a digest of the line, or JSON), with new pseudonyms."""
    if _TOKEN.fullmatch(text):
        return _new_hex(text, key)
    said: dict[str, Any] = json.loads(text)
    renewed = {name: _new_hex(said[name], key) for name in hidden.intersection(said)}
    return json.dumps({**said, **renewed}, ensure_ascii=False) if renewed else text


def _new_hex(token: str, key: str) -> str:
    number = int.from_bytes(bytes.fromhex(token), "big", signed=True)
    return as_hex(rotated(number, key=key))


def _close(lake: Lake, table: str) -> None:
    """Removes every file of the table that its latest version does not name."""
    folder = lake.path / "tables" / table
    kept = {Path(path).stem for path in added_paths(folder, lake.version(table) or 0)}
    below = sorted(folder.glob("**/*"), reverse=True)  # files before their folders
    for path in below:
        if "_delta_log" in path.relative_to(folder).parts:
            continue
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif path.is_file() and path.name.partition(".")[0] not in kept:
            path.unlink()


def _finish(lake: Lake, tables: list[str], chain: _Chain) -> None:
    settings = read_settings(lake.path)
    closed = {name: lake.version(name) for name in tables}
    settings["closed_before"] = {**settings.get("closed_before", {}), **closed}
    settings["key_fingerprint"] = chain.fingerprint
    write_settings(lake.path, settings)
    if chain.file is not None:
        write_key_file(chain.file, chain.whole)
    (lake.path / ROTATION).unlink()
