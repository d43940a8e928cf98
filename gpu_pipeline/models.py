"""ModelRegistry: every model that was fitted, with what it was made from and what it is worth.

A model is a folder `<kind>/<model_id>/` of JSON: `model.json`, its learnt numbers, and `card.json`.
Nothing is pickled, so a model that was fitted on a GPU serves on a CPU, and one may read it.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from gpu_pipeline.errors import PipelineError

__all__ = ["ModelCard", "ModelRegistry"]

_BUILDING = ".building"  # a folder that is not whole yet


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a model was made from, and what came out.

    `model_id` is the id of the run that fitted it, `data_versions` are the versions of the tables
    it learnt from, `code` is a digest of the product's code. A model that `is_published` made the
    tables that name it; one that is not says in `reasons` why the one before it stayed.
    """

    kind: str
    model_id: str
    as_of: str
    device: str
    code: str
    seed: int
    data_versions: Mapping[str, int]
    metrics: Mapping[str, Any] = field(default_factory=dict)
    is_published: bool = True
    reasons: tuple[str, ...] = ()

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """The card that was written as this JSON object."""
        return cls(**{**document, "reasons": tuple(document["reasons"])})


class ModelRegistry:
    """The models in a folder.

    >>> registry = ModelRegistry(Path("lake/models"))  # doctest: +SKIP
    >>> [card.model_id for card in registry.cards("segments")]  # doctest: +SKIP
    ['20261101T060000-8c1f', '20261108T060000-03ab']
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, document: Mapping[str, Any], card: ModelCard) -> None:
        """Keeps a model: all of it or, where the process is killed, nothing. One writer at a time.

        Numbers must be finite: JSON knows no others.

        Raises:
            PipelineError: that model is there already: what was served must stay what it was.
        """
        text = json.dumps(document, indent=2, allow_nan=False) + "\n"
        target = self._folder(card.kind, card.model_id)
        if target.exists():
            message = f"{target} is there already: a model is kept as it was fitted."
            raise PipelineError(message)
        for left in target.parent.glob(f"*{_BUILDING}"):  # by a writer that was killed
            shutil.rmtree(left)
        building = target.with_name(target.name + _BUILDING)
        building.mkdir(parents=True)
        (building / "model.json").write_text(text)
        said = {**asdict(card), "digest": _digest(text)}
        (building / "card.json").write_text(json.dumps(said, indent=2, allow_nan=False) + "\n")
        building.replace(target)

    def load(self, kind: str, model_id: str) -> dict[str, Any]:
        """The learnt numbers of a model.

        Raises:
            PipelineError: it is not there, or is not what its card was written for.
        """
        _, digest = self._read(kind, model_id)
        text = (self._folder(kind, model_id) / "model.json").read_text()
        if _digest(text) != digest:
            message = (
                f"The model {kind}/{model_id} in {self.folder} is not the one its card is about: "
                "somebody changed it. Fit it again, or bring the file back."
            )
            raise PipelineError(message)
        document: dict[str, Any] = json.loads(text)
        return document

    def card(self, kind: str, model_id: str) -> ModelCard:
        """The card of a model.

        Raises:
            PipelineError: it is not there.
        """
        return self._read(kind, model_id)[0]

    def cards(self, kind: str | None = None) -> list[ModelCard]:
        """The cards of all models, or of all of one kind, in order of kind and of their runs."""
        kinds = [kind] if kind is not None else _names(self.folder)
        return [
            self._read(one, name)[0]
            for one in kinds
            for name in _names(self.folder / one)
            if not name.endswith(_BUILDING)
        ]

    def _read(self, kind: str, model_id: str) -> tuple[ModelCard, str]:
        path = self._folder(kind, model_id) / "card.json"
        try:
            said = json.loads(path.read_text())
            digest = said.pop("digest")
            return ModelCard.of(said), digest
        except FileNotFoundError:
            known = ", ".join(n for n in _names(self.folder / kind) if not n.endswith(_BUILDING))
            message = f"There is no model {kind}/{model_id}: there are {known or 'none'}."
            raise PipelineError(message) from None
        except (ValueError, KeyError, TypeError) as error:
            message = f"{path} is no card of a model: {error}. Move its folder away and fit again."
            raise PipelineError(message) from error

    def _folder(self, kind: str, model_id: str) -> Path:
        return self.folder / kind / model_id


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
