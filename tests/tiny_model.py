"""A sentiment model of a few kilobytes, as a Hugging Face folder: random weights, a dozen words."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import BertProcessing
from transformers import BertConfig, BertForSequenceClassification, BertModel

WORDS = ("the phone is a very and so it was my", "bad awful broken", "okay", "good great lovely")
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
LABELS = ("negative", "neutral", "positive")


def classifier_folder(
    folder: Path, *, labels: tuple[str, ...] = LABELS, seed: int = 0, **config: Any
) -> Path:
    """A whole classifier with random weights."""
    settings = _config(id2label=dict(enumerate(labels)), **config)
    torch.manual_seed(seed)
    return _saved(BertForSequenceClassification(settings), folder)


def encoder_folder(folder: Path, *, seed: int = 0) -> Path:
    """An encoder without a head, to train from."""
    torch.manual_seed(seed)
    return _saved(BertModel(_config()), folder)


def _config(**changes: Any) -> BertConfig:
    vocabulary = [*SPECIAL, *" ".join(WORDS).split()]
    return BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=34,
        initializer_range=0.3,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **changes,
    )


def _saved(module: torch.nn.Module, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.contiguous() for name, value in module.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(module.config.to_dict()))
    _tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def _tokenizer() -> Tokenizer:
    vocabulary = [*SPECIAL, *" ".join(WORDS).split()]
    numbers = {word: i for i, word in enumerate(vocabulary)}
    tokenizer = Tokenizer(WordPiece(numbers, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer
