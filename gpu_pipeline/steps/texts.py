"""The step that scores what people wrote."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.config import Config
from gpu_pipeline.contracts import contract
from gpu_pipeline.pipeline import Step, Work
from gpu_pipeline.steps.text_pieces import SOURCES, Piece, Scored, Task, scored, unscored
from gpu_pipeline.store import Files, Part, compact_if_fragmented
from nlp.intents import intents_version
from nlp.reading import reader_version

__all__ = ["SENTIMENT"]

_TABLES = ("text_sentiment", "text_aspects")
# What is lost at most when a run is killed.
_TEXTS_PER_COMMIT = 20_000
# What a worker takes at a time: some seconds of work on a CPU, a full device on a GPU.
_TEXTS_AT_ONCE = {"cpu": 2_000, "gpu": 20_000}


def _text_sentiment(work: Work) -> None:
    """Scores the texts that have no score yet; where it is asked for, all of them again.

    Another model scores what comes from then on: what has a score keeps it. What is done is
    committed as it goes, so that a run that was killed goes on where it was.
    """
    task = Task(
        version=reader_version(work.config.text_model),
        intents=intents_version(work.config.intent_model),
        everything=work.forced,
        texts_at_once=_TEXTS_AT_ONCE[work.lake.backend.device],
    )
    found = compute(*(delayed(unscored)(work, i, task) for i in range(work.lake.buckets)))
    pieces = [piece for one in found for piece in one.pieces]
    total = sum(piece.texts for piece in pieces)
    kept = sum((Counter(one.versions) for one in found), Counter[str]())
    done, waiting, without = 0, list[Scored](), Counter[str]()
    for wave in _waves(pieces, _side_by_side()):
        for one in compute(*(delayed(scored)(work, piece, task) for piece in wave)):
            waiting.append(one)
            done += one.piece.texts
            without.update(one.without_label)
        work.say(f"{done:,} of {total:,} texts")
        if sum(one.piece.texts for one in waiting) >= _TEXTS_PER_COMMIT and done < total:
            _keep(work, waiting)
            waiting = []
    _tell(work, task, kept, scored=done, without=without)
    _finish(work, waiting)


def _tell(
    work: Work, task: Task, kept: Counter[str], *, scored: int, without: Counter[str]
) -> None:
    """The facts: what was scored now, and by which versions all scores were made."""
    others = sum(kept.values()) - kept[task.version]
    kept[task.version] += scored
    work.facts.update(
        model_version=task.version,
        intents_version=task.intents,
        scored=scored,
        without_label=dict(without),
        texts_by_model=dict(kept),
    )
    if others:
        work.facts["notes"] = [
            f"{others:,} of {sum(kept.values()):,} texts keep the scores of another model; to "
            "score all with this one: `gpu-pipeline run --from sentiment`"
        ]


def _keep(work: Work, done: Sequence[Scored]) -> None:
    """Commits what was done so far, without the fingerprint of a finished step."""
    for name, parts in _by_table(done).items():
        work.writer.commit(
            contract(name),
            parts,
            instead_of=_replaced(work, name, done),
            note={"run": work.run_id, "unfinished": True},
        )


def _finish(work: Work, done: Sequence[Scored]) -> None:
    for name, parts in _by_table(done).items():
        work.commit(name, parts, overwrite=False, instead_of=_replaced(work, name, done))
    for name in _TABLES:
        compact_if_fragmented(work.writer, contract(name))


def _by_table(done: Sequence[Scored]) -> dict[str, list[Part]]:
    """Aspects first: a text counts as done once it has a score, and must have its aspects then."""
    return {
        "text_aspects": [part for one in done for part in one.aspects],
        "text_sentiment": [part for one in done for part in one.sentiment],
    }


def _replaced(work: Work, table: str, done: Sequence[Scored]) -> Files | None:
    """Where everything is scored again: the files with what was said of the pieces before."""
    if not work.forced or not work.has(table):
        return None
    files = work.lake.files(table)
    places = {(one.piece.bucket, month) for one in done for month in one.piece.months}
    there = zip(files.buckets.tolist(), files.months.tolist(), strict=True)
    return files.where(np.fromiter((place in places for place in there), bool, len(files)))


def _waves(pieces: Sequence[Piece], width: int) -> Iterator[Sequence[Piece]]:
    """So many pieces at a time."""
    for start in range(0, len(pieces), width):
        yield pieces[start : start + width]


def _side_by_side() -> int:
    """How many pieces are worked on at a time: one a worker, or two of which one has the model."""
    from distributed import default_client

    try:
        client = default_client()
    except ValueError:
        return 2
    return sum(client.nthreads().values())


def _versions(config: Config) -> str:
    return f"{reader_version(config.text_model)} {intents_version(config.intent_model)}"


SENTIMENT = Step(
    name="sentiment",
    reads=SOURCES,
    writes=_TABLES,
    run=_text_sentiment,
    dated=False,
    state=_versions,
)
