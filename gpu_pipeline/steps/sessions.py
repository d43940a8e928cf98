"""The step that makes sessions of clicks, and goes on from where the run before left off.

The note of each version of `sessions` says what it was made of: the version of clickstream, the
events that were seen, and which version of `open_sessions` holds those that may yet be followed.
That table is committed first, so the commit of `sessions` is the one moment at which both count:
whoever is killed between them leaves a version of `open_sessions` that nobody asks for.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import LakeError
from gpu_pipeline.exchange import ExchangeRates
from gpu_pipeline.pipeline import Step, Work, code_digest
from gpu_pipeline.sessions import CLICK_COLUMNS
from gpu_pipeline.steps.rates import rates_of
from gpu_pipeline.steps.session_buckets import (
    Additions,
    Made,
    bucket_anew,
    bucket_grown,
    only_currency,
)
from gpu_pipeline.store import Files, Lake, compact_if_fragmented

__all__ = ["SESSIONS"]

_TABLES = ("sessions", "open_sessions")
_COUNTS = ("events", "late", "rebuilt_customers", "without_currency", "without_rate")


@dataclass(frozen=True, kw_only=True)
class _Basis:
    """What a version of `sessions` was made of: versions of tables, and what else it depends on.

    All clicks until `seen_until` (ISO 8601, UTC), unless it is not of the `whole` clickstream:
    then the moment of the run came before its end.
    """

    clickstream: int
    open_sessions: int
    seen_until: str
    whole: bool
    code: str
    rates: str | None


def _sessions(work: Work) -> None:
    """Sessions of the events that came, or, where that can't be told, of all events anew."""
    rates, last = rates_of(work), work.lake.latest("clickstream")
    seen_until = _last_click(work)
    additions = _additions(work, rates)
    if isinstance(additions, Additions):
        work.facts["made"] = "from what came since"
        made = _grown(work, additions, rates, seen_until)
    else:
        work.facts.update(made="anew", because=additions)
        made = _anew(work, rates, seen_until)
    is_anew = isinstance(additions, str)
    replaced = None if is_anew else _replaced(work.lake, made)
    _tell(work, made, rates, replaced)
    opened = [part for one in made for part in one.opened]
    basis = _Basis(
        open_sessions=work.commit("open_sessions", opened, overwrite=True),
        seen_until=seen_until.isoformat(),
        whole=last is None or last <= work.as_of,
        clickstream=_version(work.lake),
        code=_code(),
        rates=_digest(rates, seen_until),
    )
    work.commit(
        "sessions",
        [part for one in made for part in one.sessions],
        overwrite=is_anew,
        instead_of=replaced,
        note={"basis": asdict(basis)},
    )
    compact_if_fragmented(work.writer, contract("sessions"))


def _additions(work: Work, rates: ExchangeRates | None) -> Additions | str:
    """What came since the sessions were last made; or why they are made anew."""
    lake, note = work.lake, work.lake.note("sessions")
    said, code = note.get("basis"), _code()
    if work.forced:
        return "it was asked for"
    if said is None:
        return "there is nothing to go on from"
    if said.get("code") != code:
        return "the code is another"
    basis, last = _Basis(**said), lake.latest("clickstream")
    then = datetime.fromisoformat(basis.seen_until)
    if basis.rates != _digest(rates, then):
        return "exchange rates of days before are others"
    if not basis.whole or (last is not None and last > work.as_of):
        return "clicks of after the moment of the run are left out, or were"
    files = lake.added("clickstream", basis.clickstream)
    if files is None:
        return "clickstream was rewritten, or files of it were given up"
    opened = _with_open_sessions(lake, basis.open_sessions)
    if opened is None:
        return "the open sessions of then were given up"
    return Additions(
        files=files,
        opened=opened,
        seen_until=then,
        currency=note.get("currency"),
    )


def _last_click(work: Work) -> datetime:
    """When the last click of the run was: what happened elsewhere later closes no session."""
    last = work.lake.latest("clickstream")
    if last is None or last <= work.as_of:
        return work.as_of if last is None else last
    found = work.read("clickstream", ["occurred_at"])["occurred_at"].max().compute()
    return work.as_of if pd.isna(found) else pd.Timestamp(found).to_pydatetime()


def _version(lake: Lake) -> int:
    number = lake.version("clickstream")
    if number is None:
        message = f"No table 'clickstream' in {lake.path}."
        raise LakeError(message)
    return number


def _code() -> str:
    return code_digest("gpu_pipeline")[:16]


def _digest(rates: ExchangeRates | None, seen_until: datetime) -> str | None:
    """What is asked of rates: those of later days change nothing of what was made before."""
    return None if rates is None else rates.digest(seen_until)


def _with_open_sessions(lake: Lake, version: int) -> Lake | None:
    """The lake where `open_sessions` is read as it was in that version; None where it is gone."""
    if lake.data_version("open_sessions") == version:
        return lake
    before = lake.pinned({"open_sessions": version})
    try:
        before.read("open_sessions")  # lazy: looks for its files
    except LakeError:
        return None
    return before


def _anew(work: Work, rates: ExchangeRates | None, seen_until: datetime) -> Sequence[Made]:
    clicks = work.read("clickstream", CLICK_COLUMNS.names).to_delayed()
    make = delayed(bucket_anew)
    return compute(
        *(make(work, some, number, rates, seen_until) for number, some in enumerate(clicks))
    )


def _grown(
    work: Work, additions: Additions, rates: ExchangeRates | None, seen_until: datetime
) -> Sequence[Made]:
    """Of each bucket that has new events, or sessions that may be over by now."""
    opened = additions.opened.files("open_sessions").buckets
    buckets = np.unique(np.concatenate([additions.files.buckets, opened])).tolist()
    grow = delayed(bucket_grown)
    return compute(*(grow(work, bucket, additions, rates, seen_until) for bucket in buckets))


def _replaced(lake: Lake, made: Sequence[Made]) -> Files:
    return lake.files("sessions").named(path for one in made for path in one.replaced)


def _tell(
    work: Work, made: Sequence[Made], rates: ExchangeRates | None, replaced: Files | None
) -> None:
    """The facts: of this run its events, of the whole table its sessions and purchases.

    Raises:
        PipelineError: without a reporting currency, purchases are paid in several.
    """
    before = work.lake.note("sessions") if replaced is not None else {}
    counts: Counter[str] = Counter(dict.fromkeys(_COUNTS, 0))
    for one in made:
        counts.update(one.counts)
    for name in ("without_currency", "without_rate"):
        counts[name] += before.get(name, 0)
    currency = only_currency(
        [before.get("currency"), *(one.currency for one in made)], work.lake.backend
    )
    rows = sum(part.rows for one in made for part in one.sessions)
    if replaced is not None:
        rows += work.lake.rows("sessions") - int(replaced.rows.sum())
    work.facts.update(**counts, sessions=rows, currency=currency)
    if rates is None:
        del work.facts["without_rate"]


SESSIONS = Step(
    name="sessions",
    reads=("clickstream",),
    uses=("fx_rates",),
    writes=_TABLES,
    run=_sessions,
    dated=False,
)
