"""Texts scored per second: our scorer beside transformers' pipeline and ONNX Runtime in int8.

The same transformer and the same texts for all (ours weighs phrases besides): the lengths are
those of the files in the folder, as many texts from each. The pipeline runs as one calls it first
(a list of texts), with a batch size, and with its best batch size on texts sorted by length; ONNX
Runtime, which needs a Python of its own with onnx, onnxruntime, torch and transformers, on sorted
texts in int8. Peers' labels are compared with the transformer's alone in float32. They get
normalised texts and are not charged for that; ours gets the texts as they came. Each way is
measured in a process of its own, one after the other, in several rounds; the best counts.

Run: python benchmarks/sentiment_speed.py FOLDER_OF_TEXTS [--texts N] [--peer PYTHON]
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from timing import in_own_process, machine

BATCH_SIZES = (8, 16, 32, 64, 128)
SEED, SHORTEST_MEAN = 20260601, 30
# A pipeline that takes texts one by one is slow enough to be measured on fewer.
PART_FOR_SINGLE = 4
LABELS = ("negative", "neutral", "positive")
Scorer = Callable[[list[str]], np.ndarray]


def main() -> None:
    given = _arguments()
    if given.way:
        print(json.dumps(WAYS[given.way](given.folder)))
        return
    print(f"{machine()}, torch {version('torch')}, transformers {version('transformers')}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_texts(given.folder, folder, given.texts)
        _write_model(folder)
        found: dict[str, dict[str, Any]] = {}
        for _ in range(given.rounds):
            for way in WAYS:
                _measure(way, folder, given.peer, found)
        _show(found, json.loads((folder / "texts.json").read_text()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="Parquet files with texts")
    parser.add_argument("--texts", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--peer", help="a Python that has onnx and onnxruntime")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(way: str, folder: Path, peer: str | None, found: dict[str, dict[str, Any]]) -> None:
    python = peer if way in NEEDS_PEER else sys.executable
    if python is None:
        return
    measured = in_own_process(python, __file__, str(folder), "--way", way)
    if way not in found or measured["rate"] > found[way]["rate"]:
        found[way] = measured


def _write_texts(source: Path, folder: Path, count: int) -> None:
    """As many texts of each file, of the column with the longest values, in any order."""
    from nlp.text import normalise

    columns = []
    for path in sorted(source.glob("*.parquet")):
        texts = pd.read_parquet(path).select_dtypes("str")
        means = {name: texts[name].str.len().mean() for name in texts}
        if means and max(means.values()) >= SHORTEST_MEAN:
            columns.append(texts[max(means, key=lambda name, means=means: means[name])].dropna())
    each = count // len(columns)
    drawn = pd.concat(
        [c.drop_duplicates().sample(min(each, len(c)), random_state=SEED) for c in columns]
    )
    raw = drawn.sample(frac=1, random_state=SEED).tolist()
    plain = {normalise(text): text for text in raw}
    plain.pop("", None)
    texts = {"raw": list(plain.values()), "plain": list(plain)}
    (folder / "texts.json").write_text(json.dumps(texts))


def _write_model(folder: Path) -> None:
    """The bundled model as a float32 folder that any library reads."""
    from nlp import SentimentModel

    model = SentimentModel.load(device="cpu", precision="float32")
    model.module.save_pretrained(folder)
    model.tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "BertTokenizer", "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _texts(folder: Path, kind: str = "plain") -> list[str]:
    texts: list[str] = json.loads((folder / "texts.json").read_text())[kind]
    return texts


def _timed(score: Scorer, texts: list[str]) -> dict[str, Any]:
    score(texts[:16])
    began = time.perf_counter()
    said = score(texts)
    seconds = time.perf_counter() - began
    return {"rate": len(texts) / seconds, "labels": said.tolist()}


def _ours(precision: str) -> Callable[[Path], dict[str, Any]]:
    def measured(folder: Path) -> dict[str, Any]:
        from nlp import SentimentModel
        from nlp.model.batching import batches

        model = SentimentModel.load(device="auto", precision=precision)  # type: ignore[arg-type]
        found = _timed(lambda texts: model.score(texts).argmax(axis=1), _texts(folder, "raw"))
        plain = _texts(folder)
        windows = sorted(
            model._encoder.windows(plain, [None] * len(plain)), key=lambda one: len(one.ids)
        )
        tokens = sum(len(one.ids) for one in windows)
        area = sum(len(part) * len(part[-1].ids) for part in batches(windows, 2048))
        return found | {
            "tokens": tokens,
            "padding": 1 - tokens / area,
            "alone": model.evidence(plain).logits.argmax(axis=1).tolist(),
            "how": f"{model.precision}, {model.device}",
        }

    return measured


def _pipeline(folder: Path) -> Callable[..., list[dict[str, Any]]]:
    from transformers import pipeline
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    made: Callable[..., list[dict[str, Any]]] = pipeline(
        "text-classification", model=str(folder), truncation=True
    )
    return made


def _as_called(folder: Path) -> dict[str, Any]:
    call, texts = _pipeline(folder), _texts(folder)
    return _timed(lambda some: _numbered(call(some)), texts[: len(texts) // PART_FOR_SINGLE])


def _with_batches(folder: Path) -> dict[str, Any]:
    call = _pipeline(folder)
    return _timed(lambda some: _numbered(call(some, batch_size=32)), _texts(folder))


def _best_batches(folder: Path) -> dict[str, Any]:
    call = _pipeline(folder)
    return _best(lambda size: lambda some: _numbered(call(some, batch_size=size)), folder)


def _best(made: Callable[[int], Scorer], folder: Path) -> dict[str, Any]:
    """The best batch size on texts sorted by length, found on a part of them."""
    texts = _texts(folder)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    ordered = [texts[i] for i in order]
    size = max(BATCH_SIZES, key=lambda size: _timed(made(size), ordered[::5])["rate"])
    found = _timed(made(size), ordered)
    labels = np.empty(len(texts), dtype=np.int64)
    labels[order] = found["labels"]
    return found | {"labels": labels.tolist(), "how": f"batches of {size}, sorted"}


def _numbered(answers: list[dict[str, Any]]) -> np.ndarray:
    return np.array([LABELS.index(answer["label"]) for answer in answers])


def _onnx(folder: Path) -> dict[str, Any]:
    """ONNX Runtime, dynamic int8; tokenised by the same Rust tokenizer."""
    import onnxruntime
    from tokenizers import Tokenizer

    session = onnxruntime.InferenceSession(_exported(folder), providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(512)
    tokenizer.enable_padding()

    def score(texts: list[str], size: int) -> np.ndarray:
        found = []
        for start in range(0, len(texts), size):
            encoded = tokenizer.encode_batch(texts[start : start + size])
            given = {
                "input_ids": np.array([one.ids for one in encoded]),
                "attention_mask": np.array([one.attention_mask for one in encoded]),
            }
            found.append(session.run(None, given)[0].argmax(axis=1))
        return np.concatenate(found)

    found = _best(lambda size: lambda texts: score(texts, size), folder)
    return found | {"how": f"{onnxruntime.__version__}, {found['how']}"}


def _exported(folder: Path) -> Path:
    """The model as an int8 ONNX file; the exporter needs shapes that may change named as such."""
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import AutoModelForSequenceClassification

    whole, small = folder / "model.onnx", folder / "model.int8.onnx"
    if not small.is_file():
        module = AutoModelForSequenceClassification.from_pretrained(
            folder, attn_implementation="eager"
        )
        names = ["input_ids", "attention_mask"]
        torch.onnx.export(
            _logits_only(module.eval()),
            (torch.ones(2, 16, dtype=torch.int64), torch.ones(2, 16, dtype=torch.int64)),
            str(whole),
            input_names=names,
            output_names=["logits"],
            dynamic_axes={name: {0: "texts", 1: "tokens"} for name in names},
            dynamo=False,
        )
        quantize_dynamic(str(whole), str(small), weight_type=QuantType.QInt8)
    return small


def _logits_only(module: Any) -> Any:  # noqa: ANN401
    """The module as one that takes ids and mask and gives logits alone."""
    import torch

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return self.module(input_ids=ids, attention_mask=mask).logits

    return Logits()


def _show(found: dict[str, dict[str, Any]], texts: dict[str, list[str]]) -> None:
    exact, alone = (np.array(found[EXACT][kind]) for kind in ("labels", "alone"))
    tokens = found[EXACT]["tokens"] / len(texts["raw"])
    print(f"{len(texts['raw']):,} texts, {tokens:.1f} tokens on average")
    print(f"padding in our batches: {found[EXACT]['padding']:.1%}\n")
    ours = found[OURS]["rate"]
    print(f"{'':<34}{'texts/s':>9}{'tokens/s':>11}{'ours':>7}  flips against float32")
    for way, one in found.items():
        said = np.array(one["labels"])
        flips = int((said != (exact if "alone" in one else alone)[: len(said)]).sum())
        print(
            f"{way:<34}{one['rate']:9,.0f}{one['rate'] * tokens:11,.0f}{ours / one['rate']:6.1f}x"
            f"  {flips} of {len(said)}  {one.get('how', '')}"
        )


OURS, EXACT = "gpu-pipeline", "gpu-pipeline, float32"
WAYS: dict[str, Callable[[Path], dict[str, Any]]] = {
    OURS: _ours("auto"),
    EXACT: _ours("float32"),
    "pipeline(texts)": _as_called,
    "pipeline(texts, batch_size=32)": _with_batches,
    "pipeline, sorted, best batch size": _best_batches,
    "ONNX Runtime int8, sorted": _onnx,
}
NEEDS_PEER = ("ONNX Runtime int8, sorted",)


if __name__ == "__main__":
    main()
