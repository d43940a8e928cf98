"""Preview: what landing files would become, without a lake."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gpu_pipeline.backend import Backend
from gpu_pipeline.ingest.duplicates import with_row_numbers
from gpu_pipeline.ingest.mapping import Feed
from gpu_pipeline.ingest.planning import LandingFile, Plan
from gpu_pipeline.ingest.reading import Block, column_names, file_kind, read_blocks
from gpu_pipeline.ingest.reading.nested import steps
from gpu_pipeline.ingest.rows import typed_rows
from gpu_pipeline.privacy import as_hex, new_key, redact

__all__ = ["Example", "Fed", "Preview", "previewed"]

EXAMPLES = 3


@dataclass(frozen=True, kw_only=True)
class Fed:
    """A landing column of the contract, and what it is made of: None where nothing feeds it."""

    column: str
    source: str | None


@dataclass(frozen=True, kw_only=True)
class Example:
    """One row of a file and what becomes of it.

    `before` is what the file says by landing column, persons hidden, or nothing of a row without
    structure; `after` the typed row, or nothing where there are `reasons` to reject it.
    """

    line: int
    before: Mapping[str, str | None]
    after: Mapping[str, Any]
    reasons: str = ""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A file under its contract: how it is read, how many rows pass, and why the others don't.

    Duplicates are not looked for: that takes a lake. `examples` are the first rows that pass,
    and the first one for each of the first reasons not to.
    """

    name: str
    contract: str
    written: Mapping[str, str]
    columns: tuple[Fed, ...]
    unused: tuple[str, ...]
    accepted: int
    rejected: int
    reasons: Mapping[str, int]
    warnings: Mapping[str, int]
    examples: tuple[Example, ...]


def previewed(plan: Plan, *, backend: Backend) -> Iterator[Preview]:
    """Each file of a plan, read to its end; pseudonyms are made with a key that is thrown away.

    Raises:
        IngestError: a file can't be read.
    """
    key = new_key()
    for file in plan.files:
        yield _previewed(file, key, backend)


def _previewed(file: LandingFile, key: str, backend: Backend) -> Preview:
    feed, names = file.feed, column_names(file.path, file.feed.dialect)
    accepted, reasons, warnings = 0, Counter[str](), Counter[str]()
    examples: list[Example] = []
    for block in read_blocks(file.path, feed.dialect):
        typed = typed_rows(
            Block(file.landed(block.table, key=key), block.lines, block.broken),
            feed.found,
            file_no=file.file_no,
            key=key,
            time_zone=feed.time_zone,
            backend=backend,
        )
        refused = backend.to_pandas(typed.rejected)[["line", "reasons"]]
        wanted = max(EXAMPLES - accepted, 0)
        first = with_row_numbers(typed.accepted.head(wanted), feed.found, backend)
        examples += _passing(backend.to_pandas(first), block, feed)
        examples += _failing(refused, block, feed, known=list(reasons))
        accepted += len(typed.accepted)
        reasons.update(refused["reasons"].tolist())
        warned = {rule.reason: n for rule, n in typed.failed.items() if rule.severity == "warn"}
        warnings.update(warned)
    return Preview(
        name=file.name,
        contract=feed.contract,
        written=_written(file),
        columns=tuple(_feeding(feed, names)),
        unused=_unused(feed, names),
        accepted=accepted,
        rejected=reasons.total(),
        reasons=dict(reasons.most_common()),
        warnings=dict(warnings.most_common()),
        examples=tuple(examples),
    )


def _written(file: LandingFile) -> dict[str, str]:
    """How the file is read; what it has no use for is blank."""
    kind, dialect = file_kind(file.path), file.feed.dialect
    facts = {"kind": kind, "time zone": file.feed.time_zone}
    if kind != "parquet":
        facts["encoding"] = dialect.encoding
    if kind == "csv":
        facts |= {"delimiter": dialect.delimiter, "quote": dialect.quote}
        facts |= {"escape": dialect.escape, "header": ", ".join(dialect.header) or "in the file"}
    return facts


def _feeding(feed: Feed, names: Sequence[str]) -> Iterator[Fed]:
    for column in feed.found.landing_columns:
        if column in feed.columns:
            yield Fed(column=column, source=feed.columns[column].told)
        else:
            yield Fed(column=column, source=column if column in names else None)


def _unused(feed: Feed, names: Sequence[str]) -> tuple[str, ...]:
    """The file's columns that feed nothing, and in which nothing lies that does."""
    fields = feed.dialect.fields or ()
    wanted = {*fields, *(steps(field)[0] for field in fields)}
    return tuple(name for name in names if name not in wanted)


def _passing(rows: pd.DataFrame, block: Block, feed: Feed) -> Iterator[Example]:
    made = rows.drop(columns=["file_no", "line"])
    if "customer_key" in made:
        made["customer_key"] = made["customer_key"].map(as_hex)
    after = json.loads(made.to_json(orient="records", date_format="iso", date_unit="us"))
    for line, row in zip(rows["line"].tolist(), after, strict=True):
        yield Example(line=line, before=_before(line, block, feed), after=row)


def _failing(
    refused: pd.DataFrame, block: Block, feed: Feed, *, known: Sequence[str]
) -> Iterator[Example]:
    """The first row of each reason that was not `known`, of the first few."""
    new = refused[~refused["reasons"].isin(known)].drop_duplicates("reasons")
    broken = {row.line for row in block.broken}
    for line, reasons in new.head(max(EXAMPLES - len(known), 0)).itertuples(index=False):
        before = {} if line in broken else _before(line, block, feed)
        yield Example(line=line, before=before, after={}, reasons=reasons)


def _before(line: int, block: Block, feed: Feed) -> dict[str, str | None]:
    """What the file says for each landing column, identifiers in it redacted, persons hidden."""
    place = int(np.searchsorted(block.lines, line))
    row = block.table.slice(place, 1).to_pylist()[0]
    persons = {way.of for column in feed.found.columns for way in column.pseudonyms}
    persons -= set(feed.found.names)
    hidden = {need for name in persons for need in feed.needs_of(name)}
    said = {}
    for column in feed.found.landing_columns:
        values = [_shown(row.get(need), is_hidden=need in hidden) for need in feed.needs_of(column)]
        if any(need in row for need in feed.needs_of(column)):
            said[column] = " | ".join(value or "" for value in values) or None
    return said


def _shown(value: object, *, is_hidden: bool) -> str | None:
    if value is None:
        return None
    return "(hidden)" if is_hidden else redact(str(value))
