"""Fine-tuning, calibration and evaluation of a sentiment model."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from nlp.model import SentimentModel
from nlp.model.encoding import read_tokenizer
from nlp.model.folders import weights_digest
from nlp.training.encoders import classifier, encoder_folder
from nlp.training.evaluation import Evaluation, calibration_of, evaluate
from nlp.training.examples import Examples, Source
from nlp.training.fitting import Progress
from nlp.training.members import Task, fitted
from nlp.training.phrases import known_phrases, learnt_phrases
from nlp.training.plan import TrainingPlan

__all__ = [
    "Evaluation",
    "Progress",
    "Source",
    "TrainingPlan",
    "encoder_folder",
    "evaluate",
    "train",
]


def train(
    sources: Sequence[Source],
    *,
    encoder: Path,
    plan: TrainingPlan,
    calibrate_on: Sequence[Source] = (),
    device: str = "cpu",
    work: Path | None = None,
    processes: int = 1,
    progress: Progress | None = None,
) -> SentimentModel:
    """A classifier fine-tuned on the sources, its probabilities calibrated on others.

    `encoder` is the folder of an encoder, which gets a new head, or of a trained three-class
    model, whose phrases are kept where no source is one to learn phrases from. The plan's members
    are trained one after another, or in that many `processes`, on one CPU thread each (two of them
    get 1.4 times as far as one with two threads), or on the GPU `device`; the same plan, texts and
    encoder give the same weights. With a folder `work` a training that was cut off goes on from
    there when it is asked for again. `progress` is called with (steps done, steps in all, loss),
    over all members.

    Raises:
        ModelError: a source's labels are others, or the encoder's folder lacks weights.
    """
    import torch

    tokenizer = read_tokenizer(encoder)
    examples = Examples.of(sources, tokenizer, plan.longest_tokens)
    task = Task(
        examples=examples,
        encoder=encoder,
        plan=plan,
        device=device,
        fingerprint=_fingerprint(examples, encoder, plan),
    )
    members = fitted(task, work=work, processes=processes, progress=progress)
    module = classifier(encoder, seed=plan.seed)
    weights = {name: torch.stack([m[name].cpu() for m in members]).mean(0) for name in members[0]}
    module.load_state_dict(weights, strict=False)
    card = {
        "encoder_sha256": weights_digest(encoder),
        "plan": asdict(plan),
        "rows": len(examples),
        "targets": any(source.about is not None for source in sources),
        "certain_above": plan.certain_above,
        "window_tokens": plan.window_tokens,
    }
    phrases = learnt_phrases(sources, tokenizer, plan) or known_phrases(encoder, tokenizer)
    model = SentimentModel(module, tokenizer, phrases=phrases, card=card, device=device)
    return _calibrated(model, calibrate_on) if calibrate_on else model


def _fingerprint(examples: Examples, encoder: Path, plan: TrainingPlan) -> str:
    digest = hashlib.sha256(json.dumps(asdict(plan), sort_keys=True).encode())
    digest.update(weights_digest(encoder).encode())
    for values in (examples.labels, examples.weights, examples.source, examples.group):
        digest.update(values.tobytes())
    digest.update(json.dumps([examples.shares, examples.second]).encode())
    for ids in examples.ids:
        digest.update(np.array(ids, dtype=np.int32).tobytes())
    return digest.hexdigest()


def _calibrated(model: SentimentModel, sources: Sequence[Source]) -> SentimentModel:
    """The model with the calibration that makes the held-out texts likeliest."""
    texts = [text for source in sources for text in source.texts]
    about = [a for source in sources for a in source.about or [None] * len(source.texts)]
    wanted = np.concatenate([source.labels for source in sources])
    found = calibration_of(model.evidence(texts, about), wanted)
    return SentimentModel(
        model.module,
        model.tokenizer,
        phrases=model.phrases,
        card={**model.card, **found._asdict()},
        device=model.device,
    )
