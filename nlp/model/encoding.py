"""From texts to windows of token ids, framed as the model's kind wants them."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nlp.errors import ModelError
from nlp.text import windows

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel

__all__ = ["Encoder", "Window", "longest_input", "read_tokenizer"]


class Window(NamedTuple):
    """A piece of one text, ready for the model.

    `text` is its text's number, `ids` its tokens with the special ones; those from number `second`
    on are of the second segment (the aspect), which is len(ids) where there is none.
    """

    text: int
    ids: list[int]
    second: int


class _Template(NamedTuple):
    """The special tokens before a text, between it and an aspect, and at the end."""

    before: list[int]
    between: list[int]
    after: list[int]


class Encoder:
    """Cuts texts into windows of at most `longest` tokens, specials and aspect included."""

    def __init__(self, tokenizer: "Tokenizer", longest: int) -> None:
        self.tokenizer = tokenizer
        self.longest = longest
        self._alone = _template(tokenizer, is_pair=False)

    def windows(self, texts: Sequence[str], about: Sequence[str | None]) -> Iterator[Window]:
        """The windows of each text; each carries the text's whole aspect, if it has one.

        Raises:
            ModelError: an aspect leaves less than half of a window to its text.
        """
        encoded = self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        aspects = self._aspect_ids(about)
        paired = _template(self.tokenizer, is_pair=True) if aspects else self._alone
        for number, (encoding, aspect) in enumerate(zip(encoded, about, strict=True)):
            before, between, after = self._alone if aspect is None else paired
            tail = between + (aspects[aspect] if aspect is not None else []) + after
            size = self.longest - len(before) - len(tail)
            if size < self.longest // 2 - len(before) - len(between) - len(after):
                message = (
                    f"The aspect {aspect!r} takes {len(aspects[aspect or ''])} of the model's "
                    f"{self.longest} tokens: name it in at most half of them."
                )
                raise ModelError(message)
            for ids in windows(encoding.ids, size):
                whole = [*before, *ids, *tail]
                is_pair = aspect is not None
                second = len(before) + len(ids) + len(between) if is_pair else len(whole)
                yield Window(number, whole, second)

    def _aspect_ids(self, about: Sequence[str | None]) -> dict[str, list[int]]:
        names = list(dict.fromkeys(aspect for aspect in about if aspect is not None))
        encoded = self.tokenizer.encode_batch_fast(names, add_special_tokens=False)
        return {name: encoding.ids for name, encoding in zip(names, encoded, strict=True)}


def longest_input(module: "PreTrainedModel") -> int:
    """How many tokens the model has positions for."""
    positions = int(getattr(module.config, "max_position_embeddings", 0) or 512)
    for name, part in module.named_modules():
        # RoBERTa's kind starts counting positions after the padding id.
        if name.endswith("position_embeddings") and getattr(part, "padding_idx", None) is not None:
            return positions - int(part.padding_idx) - 1
    return positions


def read_tokenizer(folder: Path) -> "Tokenizer":
    """The fast tokenizer in the folder; it neither pads nor cuts.

    Raises:
        ModelError: there is none, or it can't be read.
    """
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        message = (
            f"{path} is missing: save the model with its fast tokenizer "
            "(transformers: AutoTokenizer.from_pretrained(model).save_pretrained(folder))."
        )
        raise ModelError(message)
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers has no narrower one
        message = f"{path} can't be read: {error}."
        raise ModelError(message) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _template(tokenizer: "Tokenizer", *, is_pair: bool) -> _Template:
    """What the tokenizer puts around texts, found by encoding a word, or two."""
    encoding = tokenizer.encode("a", "a") if is_pair else tokenizer.encode("a")
    owners = zip(encoding.ids, encoding.sequence_ids, strict=True)
    runs = [(owner, [i for i, _ in run]) for owner, run in groupby(owners, key=lambda x: x[1])]
    found: list[list[int]] = [[], [], []]
    place = 0
    for owner, ids in runs:
        if owner is None:
            found[place] = ids
        else:
            place = owner + 1
    if is_pair:
        return _Template(*found)
    return _Template(found[0], [], found[1])
