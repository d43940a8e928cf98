"""Streams: the content of a file, decompressed and as UTF-8."""

import codecs
from pathlib import Path

import pyarrow as pa

from gpu_pipeline.errors import IngestError

__all__ = ["COMPRESSIONS", "opened", "opened_text"]

COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}


def opened(path: Path) -> pa.NativeFile:
    """The content, decompressed.

    Raises:
        IngestError: the file has no bytes.
    """
    if path.stat().st_size == 0:
        message = f"{path} is empty: not even a header."
        raise IngestError(message)
    return pa.input_stream(str(path), compression=COMPRESSIONS.get(path.suffix.lower()))


def opened_text(path: Path, encoding: str) -> pa.NativeFile:
    """The content as UTF-8; UTF-8 itself is checked: Arrow's row handler is silent about faults."""
    source = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    return pa.transcoding_input_stream(opened(path), source, "utf-8")
