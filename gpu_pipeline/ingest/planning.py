"""Planning: which landing files there are, and which feed takes each."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from gpu_pipeline.errors import IngestError
from gpu_pipeline.ingest.mapping import Feed, FileMapping
from gpu_pipeline.ingest.reading import column_names
from gpu_pipeline.privacy import redact

__all__ = ["LandingFile", "Plan", "planned"]


@dataclass(frozen=True, kw_only=True)
class LandingFile:
    """A file under one feed, with its identity: the digest of its content and the contract."""

    path: Path
    feed: Feed
    file_id: str

    @property
    def name(self) -> str:
        """The file's name, without an address or number of somebody in it."""
        return redact(self.path.name)

    @property
    def file_no(self) -> int:
        """The number that its rows carry: the start of its identity, never negative."""
        return int(self.file_id[:16], 16) >> 1

    @property
    def transaction(self) -> str:
        """What the commits of a load carry: the file as its feed reads it."""
        return f"{self.file_id}:{self.feed.digest}"

    def landed(self, table: pa.Table, *, key: str) -> pa.Table:
        """The rows of a block with the contract's landing columns.

        Raises:
            IngestError: the feed can't make a column of them.
        """
        try:
            return self.feed.landed(table, key=key)
        except pa.ArrowException as error:
            message = f"{self.name} does not fit its mapping: {str(error).splitlines()[0]}."
            raise IngestError(message) from error


@dataclass(frozen=True)
class Plan:
    """Files that are to be loaded, each under its feed, and those that no feed takes."""

    files: tuple[LandingFile, ...]
    ignored: tuple[str, ...]


def planned(source: str | Path, *, mapping: FileMapping | None = None) -> Plan:
    """What `ingest` would load: needs no lake, reads headers and digests of content.

    The source is a file, a folder, of which every file counts, or a pattern of files with ``*``,
    ``?`` or ``[...]`` in names, ``**`` for folders at any depth.

    Raises:
        IngestError: as in `ingest`, but for what only the rows show.
    """
    feeds = mapping if mapping is not None else FileMapping.by_name()
    found, ignored = _discovered(source, feeds)
    for file in found:
        file.feed.check(file.path, column_names(file.path, file.feed.dialect))
    return Plan(tuple(found), tuple(ignored))


def _discovered(source: str | Path, mapping: FileMapping) -> tuple[list[LandingFile], list[str]]:
    try:
        paths = _files(Path(source))
        found = [
            LandingFile(path=path, feed=feed, file_id=_identity(path, feed.contract))
            for path in paths
            for feed in mapping.feeds_of(path)
        ]
    except OSError as error:
        message = f"{source} can't be read: {error.strerror}."
        raise IngestError(message) from error
    if not found:
        globs = ", ".join(feed.files for feed in mapping.feeds)
        message = f"No feed takes any file of {source}. Feeds take: {globs}."
        raise IngestError(message)
    twice = [p.name for p, number in Counter(f.path for f in found).items() if number > 1]
    if len({(file.path, file.file_id) for file in found}) < len(found):
        message = f"Two feeds of one contract take {', '.join(twice)}: one of them must not."
        raise IngestError(message)
    taken = {file.path for file in found}
    return found, [path.name for path in paths if path not in taken]


def _files(source: Path) -> list[Path]:
    """The files that a source stands for, in order of their paths."""
    if source.is_dir():
        return sorted(path for path in source.iterdir() if path.is_file())
    if source.exists():
        return [source]
    depth = next((i for i, part in enumerate(source.parts) if set(part) & set("*?[")), None)
    if depth is None:
        message = f"{source} does not exist."
        raise IngestError(message)
    folder, pattern = Path(*source.parts[:depth]), str(Path(*source.parts[depth:]))
    try:
        paths = sorted(path for path in folder.glob(pattern) if path.is_file())
    except ValueError as error:
        message = f"{source} is no pattern of files: {error}."
        raise IngestError(message) from error
    if not paths:
        message = f"{source} matches no file: {folder} has none like {pattern}."
        raise IngestError(message)
    return paths


def _identity(path: Path, contract_name: str) -> str:
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(f"{content}:{contract_name}".encode()).hexdigest()
