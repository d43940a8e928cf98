"""A recipe: which labelled files a text model learns from, how, and under which terms.

The bundled model's own is `recipe.yaml` beside this file; any other has the same form.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gpu_pipeline.errors import IngestError
from gpu_pipeline.text_training.labelled import label_codes, read_columns
from nlp.training import Source
from nlp.training.planted import planted_pairs

__all__ = ["Recipe", "SourceFile", "TrainingSet"]

OWN = Path(__file__).parent / "recipe.yaml"
Label = Literal["negative", "neutral", "positive"]
Share = Annotated[float, Field(ge=0, le=1)]


class SourceFile(BaseModel):
    """One source: a file's columns, or planted sentences.

    Labels come from `labels` (value to label; rows with another value are left out) or from
    `bands` (numbers up to the first are negative, from the second on positive). `where` and
    `where_not` choose rows by a column's value. `about` is the column with the aspect that the
    label speaks of, `group` that of the text which several rows are versions of. `share` is the
    part of it that an epoch sees, one number or one for each member (members of different diets,
    averaged, know more than either), `hold_out` the part that is only measured on. `phrases`:
    words and pairs of words are learnt from it as well, which suits thousands of reviews.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    licence: str
    permissive: bool = False
    file: str = ""
    text: str | tuple[str, ...] = ""
    label: str = ""
    labels: dict[str, Label] = Field(default_factory=dict)
    bands: tuple[float, float] | None = None
    where: dict[str, str] = Field(default_factory=dict)
    where_not: dict[str, str] = Field(default_factory=dict)
    about: str | None = None
    group: str | None = None
    planted: int = Field(0, ge=0)
    share: Share | tuple[Share, ...] = 1.0
    hold_out: float = Field(0.0, ge=0, lt=1)
    phrases: bool = False

    @model_validator(mode="after")
    def _says_where_from(self) -> Self:
        if not self.planted and not (self.file and self.text and self.label):
            message = f"{self.name}: give file, text and label, or planted."
            raise ValueError(message)
        if self.file and bool(self.labels) == (self.bands is not None):
            message = f"{self.name}: give labels or bands."
            raise ValueError(message)
        if not any(self.shares):
            message = f"{self.name}: no member sees any of it; give a share above 0."
            raise ValueError(message)
        return self

    def read(self, folder: Path, *, seed: int) -> Source:
        """The source's rows with a text and a label.

        Raises:
            IngestError: the file can't be read, or lacks a column, or no row has a label.
        """
        if self.planted:
            sentences, aspects, moods = planted_pairs(self.planted, seed)
            return Source(
                name=self.name, texts=sentences, labels=moods, about=aspects, shares=self.shares
            )
        frame = self._chosen(read_columns(folder / self.file, self._columns()))
        texts = frame[self._texts()[0]].astype(str)
        for name in self._texts()[1:]:
            texts = texts + ". " + frame[name].astype(str)
        codes = label_codes(frame[self.label], self.labels, self.bands)
        known = codes >= 0
        if not known.any():
            message = f"{folder / self.file}: no row of {self.name} has a label of the recipe."
            raise IngestError(message)
        return Source(
            name=self.name,
            texts=texts[known].tolist(),
            labels=codes[known],
            about=None if self.about is None else frame[self.about][known].astype(str).tolist(),
            groups=None if self.group is None else frame[self.group][known].astype(str).tolist(),
            shares=self.shares,
            phrases=self.phrases,
        )

    @property
    def shares(self) -> tuple[float, ...]:
        """What an epoch of each member sees of the source."""
        return self.share if isinstance(self.share, tuple) else (self.share,)

    def _texts(self) -> tuple[str, ...]:
        return (self.text,) if isinstance(self.text, str) else self.text

    def _columns(self) -> list[str]:
        more = [name for name in (self.about, self.group) if name is not None]
        return list(
            dict.fromkeys([*self._texts(), self.label, *more, *self.where, *self.where_not])
        )

    def _chosen(self, frame: pd.DataFrame) -> pd.DataFrame:
        keep = frame[[*self._texts(), self.label]].notna().all(axis=1)
        for column, value in self.where.items():
            keep &= frame[column].astype(str) == value
        for column, value in self.where_not.items():
            keep &= frame[column].astype(str) != value
        return frame[keep].reset_index(drop=True)


@dataclass(frozen=True)
class TrainingSet:
    """What is learnt from, what is held out of it, and what comes from elsewhere to measure on."""

    learnt: list[Source]
    held_out: list[Source]
    measured: list[Source]


class Recipe(BaseModel):
    """Sources to learn from, and sources that are only measured on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: tuple[SourceFile, ...]
    measured_on: tuple[SourceFile, ...] = ()

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """The recipe in a YAML file, by default the bundled model's.

        Raises:
            IngestError: it can't be read, or says something that is not known.
        """
        path = OWN if path is None else path
        try:
            return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeError, yaml.YAMLError, ValidationError) as error:
            message = f"The recipe {path} can't be used: {' '.join(str(error).split())}"
            raise IngestError(message) from error

    def permissive(self) -> Self:
        """The recipe with the sources whose terms allow any use, each seen whole."""
        kept = [source for source in self.sources if source.permissive]
        whole = tuple(source.model_copy(update={"share": 1.0}) for source in kept)
        return self.model_copy(update={"sources": whole})

    def read(self, folder: Path, *, seed: int) -> TrainingSet:
        """All sources, their held-out parts apart; no text is on both sides, nor a copy of it.

        Raises:
            IngestError: a file can't be read, or lacks a column or labels.
        """
        measured = [source.read(folder, seed=seed) for source in self.measured_on]
        parts = [
            source.read(folder, seed=seed).split(source.hold_out, seed) for source in self.sources
        ]
        held_out = [held for held, _ in parts if held is not None]
        copies = frozenset(key for source in (*measured, *held_out) for key in source.copy_keys())
        return TrainingSet(
            learnt=[rest.without(copies) for _, rest in parts],
            held_out=held_out,
            measured=measured,
        )
