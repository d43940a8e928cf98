"""Redaction: recall and precision by kind, and texts a second beside Microsoft Presidio.

Recall and precision are of a planted corpus (tests/privacy/planted.py): an identifier counts as
found when the text comes out exactly as it must. Speed is of real texts; Presidio runs its
pattern recognizers alone, with an engine for language that does nothing, in a Python of its own
(a virtual environment with presidio-analyzer), right after ours and on the same texts.

Run: python benchmarks/redaction.py FOLDER_OF_TEXTS [--peer PYTHON]
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "privacy"))
from planted import SHOWN, STRUCTURED, UNSTRUCTURED, Planted, harmless, planted

from gpu_pipeline import __version__
from gpu_pipeline.backend import Backend
from gpu_pipeline.privacy import redact, redacted_with_counts

PLANTED_PER_KIND, HARMLESS, SEED = 20_000, 200_000, 20260601
TEXTS_PER_FILE, RUNS = 1_000, 3
# What stands in place of an identifier, by Presidio's name for its kind.
PEER_KINDS = {
    "email": ("EMAIL_ADDRESS",),
    "phone": ("PHONE_NUMBER",),
    "card": ("CREDIT_CARD",),
    "iban": ("IBAN_CODE",),
    "ip": ("IP_ADDRESS",),
    "mac": ("MAC_ADDRESS",),
}
PEER = """
import json, sys, time
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

class Nothing(NlpEngine):
    "No language model: patterns need none."
    engine_name = "nothing"
    def load(self): pass
    def is_loaded(self): return True
    def is_stopword(self, word, language): return False
    def is_punct(self, word, language): return False
    def get_supported_entities(self): return []
    def get_supported_languages(self): return ["en"]
    def process_text(self, text, language):
        return NlpArtifacts([], [], [], [], self, language)
    def process_batch(self, texts, language, **_):
        for text in texts:
            yield text, self.process_text(text, language)

registry = RecognizerRegistry(supported_languages=["en"])
registry.load_predefined_recognizers(languages=["en"], nlp_engine=Nothing())
registry.remove_recognizer("SpacyRecognizer")
engine = AnalyzerEngine(registry=registry, nlp_engine=Nothing(), supported_languages=["en"])
given = json.load(open(sys.argv[1]))
engine.analyze(text="warm up 1", language="en")
began = time.perf_counter()
found = [engine.analyze(text=text, language="en") for text in given["texts"]]
seconds = time.perf_counter() - began
spans = [
    [[r.entity_type, r.start, r.end] for r in engine.analyze(text=text, language="en")]
    for text in given["planted"]
]
print(json.dumps({"seconds": seconds, "spans": spans}))
"""


def main() -> None:
    folder, peer = _arguments()
    backend = Backend.choose("cpu")
    print(f"gpu-pipeline {__version__}, pandas {pd.__version__}")
    print(f"Python {platform.python_version()} on {platform.machine()}, one thread\n")
    _show_quality()
    texts = _texts(folder)
    speed = max(_texts_a_second(texts, backend) for _ in range(RUNS))
    print(f"\n{len(texts):,} real texts of {int(texts.str.len().mean())} characters on average")
    print(f"{'gpu-pipeline':<36}{speed:12,.0f} texts/s")
    if peer is None:
        print("Presidio was left out: --peer names a Python that has presidio-analyzer.")
        return
    sample = {kind: planted(kind, 400, seed=SEED) for kind in PEER_KINDS}
    peers_speed, recall = _peer(peer, texts.tolist(), sample)
    print(f"{'Presidio, pattern recognizers':<36}{peers_speed:12,.0f} texts/s")
    print(f"{'':<36}{speed / peers_speed:11.1f}x")
    print("\nRecall of Presidio, where any span of the kind covers the identifier:")
    for kind, share in recall.items():
        print(f"  {kind:<12}{share:7.3f}")


def _arguments() -> tuple[Path, Path | None]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="Parquet files with texts")
    parser.add_argument("--peer", type=Path, help="a Python that has presidio-analyzer")
    given = parser.parse_args()
    return given.folder, given.peer


def _show_quality() -> None:
    found, wrong = Counter[str](), Counter[str]()
    for kind in (*STRUCTURED, *UNSTRUCTURED):
        for one in planted(kind, PLANTED_PER_KIND, seed=SEED):
            clean = redact(one.text)
            found[kind] += clean == one.wanted
            wrong.update(_surplus(clean, one))
    for text in harmless(HARMLESS, seed=SEED):
        wrong.update(_surplus(redact(text), None))
    print(f"{PLANTED_PER_KIND:,} texts a kind, {HARMLESS:,} that identify nobody")
    print(f"{'kind':<28}recall  precision")
    for kind in (*STRUCTURED, *UNSTRUCTURED):
        precise = found[kind] / max(1, found[kind] + wrong[SHOWN[kind]])
        print(f"{kind:<28}{found[kind] / PLANTED_PER_KIND:6.4f}  {precise:9.4f}")


def _surplus(clean: str, one: Planted | None) -> Counter[str]:
    """What was taken for identifiers that are none, by what stands in their place."""
    counts = Counter({shown: clean.count(shown) for shown in SHOWN.values()})
    if one is not None:
        counts[SHOWN[one.kind]] -= 1
    return +counts


def _texts(folder: Path) -> "pd.Series[str]":
    """Some texts of each file: of the column with the longest values."""
    found = []
    for path in sorted(folder.glob("*.parquet")):
        frame = pq.read_table(path).slice(0, TEXTS_PER_FILE).to_pandas()
        texts = frame.select_dtypes("str")
        longest = max(texts, key=lambda name, texts=texts: texts[name].str.len().mean())
        found.append(texts[longest].dropna())
    return pd.concat(found, ignore_index=True)


def _texts_a_second(texts: "pd.Series[str]", backend: Backend) -> float:
    began = time.perf_counter()
    redacted_with_counts(texts, backend=backend)
    return len(texts) / (time.perf_counter() - began)


def _peer(
    python: Path, texts: Sequence[str], sample: dict[str, list[Planted]]
) -> tuple[float, dict[str, float]]:
    given = [one for kind in sample for one in sample[kind]]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.json"
        path.write_text(json.dumps({"texts": texts, "planted": [one.text for one in given]}))
        done = subprocess.run(
            [str(python), "-c", PEER, str(path)], capture_output=True, text=True, check=True
        )
    said = json.loads(done.stdout.splitlines()[-1])
    covered = Counter[str]()
    for one, spans in zip(given, said["spans"], strict=True):
        start, end = len(one.before), len(one.before) + len(one.identifier)
        covered[one.kind] += any(
            name in PEER_KINDS[one.kind] and first <= start and last >= end
            for name, first, last in spans
        )
    return len(texts) / said["seconds"], {
        kind: covered[kind] / len(ones) for kind, ones in sample.items()
    }


if __name__ == "__main__":
    main()
