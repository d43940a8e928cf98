"""The step that tells which kinds of customers there are, why each is of its kind, who moved."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import pandas as pd
from dask.base import compute
from dask.delayed import delayed

from gpu_pipeline.backend import Backend, Frame
from gpu_pipeline.contracts import contract
from gpu_pipeline.errors import LakeError, PipelineError
from gpu_pipeline.models import ModelCard, ModelRegistry
from gpu_pipeline.orders import one_currency
from gpu_pipeline.pipeline import Step, Work, code_digest
from gpu_pipeline.segmentation import (
    FEATURES,
    PROFILE_COLUMNS,
    Refit,
    SegmentModel,
    explained,
    moves,
    renamings,
    segment_profiles,
    segment_traits,
    summed_moves,
)
from gpu_pipeline.store import SAME_ROWS, Lake, Part

__all__ = ["SEGMENTS"]

KIND = "segments"
_TABLE = "customer_segments"
_SIZES = ["segment", "name", "customers"]


def _segments(work: Work) -> None:
    """Fits on one device, on all customers' few numbers; assigns bucket by bucket.

    What the run before left is read from `customer_segments`, which is therefore written last: a
    run that is killed in between begins again from the same.
    """
    backend = work.lake.backend
    before = _Before.of(work)
    last = before.model.features if before else ()
    columns = list(dict.fromkeys([*PROFILE_COLUMNS, *FEATURES, *last]))
    features: Frame = work.read("customer_features", columns).compute().reset_index(drop=True)
    one_currency(features, backend)
    found = _model(work, features, before)
    labels = backend.to_pandas(found.model.assign(features))
    host = backend.to_pandas(features)
    profiles = segment_profiles(host, labels, previous=before.profiles if before else None)
    points = backend.to_host(found.model.points(features))
    traits = segment_traits(host, labels, points, found.model.features)
    names = {int(n): name for n, name in zip(profiles["segment"], profiles["name"], strict=True)}
    work.facts.update(customers=len(host), segments=len(profiles), names=list(names.values()))
    work.facts.update(found.facts)
    if before is not None:
        work.facts.update(renamed=[vars(one) for one in renamings(before.profiles, profiles)])
    written = compute(
        *(
            delayed(_assigned)(work, found.model, names, before, bucket)
            for bucket in range(work.lake.buckets)
        )
    )
    migration = _migration([moved for _, moved in written], before, names)
    work.replace("segment_profiles", backend.from_pandas(profiles))
    work.replace("segment_traits", backend.from_pandas(traits))
    work.replace("segment_migration", backend.from_pandas(migration))
    work.commit(
        _TABLE,
        [part for parts, _ in written for part in parts],
        overwrite=True,
        note={
            "model": found.model_id,
            "as_of": work.as_of.isoformat(),
            "before": {"version": before.version, "model": before.model_id} if before else None,
            "new_segments": _asks_for_new(work),
            "sizes": profiles[_SIZES].to_dict("records"),
        },
    )


@dataclass(frozen=True)
class _Before:
    """The segments as the last run at an earlier moment left them.

    `profiles` has segment, name and customers of then. Who was in which may not be readable any
    more: a rotation or a clean-up of old files closes a version.
    """

    lake: Lake
    version: int
    model_id: str
    model: SegmentModel
    profiles: pd.DataFrame
    is_readable: bool

    @classmethod
    def of(cls, work: Work) -> Self | None:
        """Those before this moment, however often it was run since; None where there are none.

        Raises:
            PipelineError: its model can't be read, and nobody asked for new segments.
        """
        found = _earlier(work)
        if found is None:
            return None
        version, said = found
        model_id = said["model"]
        try:
            model = _loaded(work, model_id)
        except PipelineError as error:
            if _asks_for_new(work):
                return None
            message = f"{error} To begin with other segments: `gpu-pipeline run --new-segments`."
            raise PipelineError(message) from error
        lake = work.lake.pinned({_TABLE: version})
        try:
            lake.read(_TABLE, ["segment"])
        except LakeError as error:
            work.facts.update(before=str(error))
            is_readable = False
        else:
            is_readable = True
        return cls(lake, version, model_id, model, pd.DataFrame(said["sizes"]), is_readable)

    @property
    def names(self) -> dict[int, str]:
        """The names of the segments, by number."""
        named = zip(self.profiles["segment"], self.profiles["name"], strict=True)
        return {int(segment): name for segment, name in named}

    def moved(self, labels: Frame, bucket: int) -> pd.DataFrame | None:
        """How many customers of a bucket went from which segment to which; None if unknown."""
        if not self.is_readable:
            return None
        then = self.lake.read_bucket(_TABLE, bucket, columns=["customer_key", "segment"])
        return Backend.of(labels).to_pandas(moves(then, labels))


def _loaded(work: Work, model_id: str) -> SegmentModel:
    document = ModelRegistry(work.lake.path / "models").load(KIND, model_id)
    model = SegmentModel.of_document(document, backend=work.lake.backend)
    unknown = set(model.features) - set(contract("customer_features").names)
    if unknown:
        message = f"The model {KIND}/{model_id} needs {', '.join(sorted(unknown))}: nobody has it."
        raise PipelineError(message)
    return model


def _earlier(work: Work) -> tuple[int, dict[str, Any]] | None:
    """(the version, what its commit says) of the last run at an earlier moment than this."""
    if work.lake.version(_TABLE) is None:
        return None
    version = None
    for said in work.lake.history(_TABLE):
        version = said["version"] if version is None else version
        if said["operation"] in SAME_ROWS:
            continue  # of the same rows, and the one that can be read the longest
        if "sizes" in said and datetime.fromisoformat(said["as_of"]) < work.as_of:
            return version, said
        version = None
    return None


@dataclass(frozen=True)
class _Found:
    """The model that makes the tables, the id it has in the registry, and what is to be said."""

    model: SegmentModel
    model_id: str
    facts: dict[str, Any]


def _model(work: Work, features: Frame, before: _Before | None) -> _Found:
    """A model of these customers, or the one before where the new one is not fit to replace it."""
    registry = ModelRegistry(work.lake.path / "models")
    backend, config = work.lake.backend, work.config
    fitted = SegmentModel(n_segments=config.segments, seed=config.seed, backend=backend)
    previous = before.model if before else None
    asked_anew = _asks_for_new(work) or config.segments not in (0, _count(previous))
    fitted.fit(features, previous=previous, anew=asked_anew)
    refit = fitted.refit_of(previous, features) if previous else None
    why = () if refit is None or asked_anew else refit.reasons
    metrics = _metrics(fitted, refit, customers=len(features))
    card = ModelCard(
        kind=KIND,
        model_id=work.run_id,
        as_of=work.as_of.isoformat(),
        device=backend.reason,
        code=code_digest("gpu_pipeline", "nlp"),
        seed=config.seed,
        data_versions={"customer_features": work.lake.version("customer_features") or 0},
        metrics=metrics,
        is_published=not why,
        reasons=why,
    )
    registry.save(fitted.document(), card)
    told = {name: metrics[name] for name in ("silhouette", "stability", "inertia", "refit")}
    if why and before is not None:
        told |= {"kept": before.model_id, "why": "; ".join(why)}
        return _Found(before.model, before.model_id, told)
    return _Found(fitted, work.run_id, told)


def _asks_for_new(work: Work) -> bool:
    """Whether somebody asks for new segments, or has when this moment was run last.

    A run that is repeated takes nothing back.
    """
    said = work.lake.note(_TABLE)
    has_asked = said.get("as_of") == work.as_of.isoformat() and said.get("new_segments", False)
    return work.config.new_segments or bool(has_asked)


def _count(model: SegmentModel | None) -> int:
    return 0 if model is None else len(model.segments_)


def _metrics(model: SegmentModel, refit: Refit | None, *, customers: int) -> dict[str, Any]:
    """What a model that was fitted on so many customers is worth, for its card."""
    return {
        "customers": customers,
        "segments": len(model.segments_),
        "silhouette": model.silhouette_,
        "stability": model.stability_,
        "inertia": model.inertia_,
        "choice": [one._asdict() for one in model.choice_],
        "refit": None if refit is None else dict(vars(refit)),
    }


def _assigned(
    work: Work, model: SegmentModel, names: dict[int, str], before: _Before | None, bucket: int
) -> tuple[list[Part], pd.DataFrame | None]:
    """(the written parts of a bucket, how many of its customers went which way)."""
    backend, table = work.lake.backend, contract(_TABLE)
    columns = ["customer_key", "as_of", *model.features]
    features = work.lake.read_bucket("customer_features", bucket, columns=columns)
    told = explained(model, features)
    as_of = features["as_of"].reset_index(drop=True)
    whole = told.assign(name=told["segment"].map(names).astype("str"), as_of=as_of)
    parts = work.writer.write(backend.cast(whole, table), table, number=bucket)
    return parts, before.moved(told, bucket) if before else None


def _migration(
    parts: Sequence[pd.DataFrame | None], before: _Before | None, names: dict[int, str]
) -> pd.DataFrame:
    """Who went where; nobody did before there were segments."""
    then = before.names if before else {}
    return summed_moves([p for p in parts if p is not None], before=then, after=names)


SEGMENTS = Step(
    name="segments",
    reads=("customer_features",),
    writes=("segment_profiles", "segment_traits", "segment_migration", _TABLE),
    run=_segments,
    settings=("segments", "seed", "new_segments"),
)
