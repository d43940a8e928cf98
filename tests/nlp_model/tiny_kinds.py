"""Tiny sequence classifiers of every kind that people use, as Hugging Face folders."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import BertProcessing, RobertaProcessing, TemplateProcessing

WORDS = (
    *("the", "phone", "is", "a", "very", "and", "so", "it", "was", "my", "bad", "awful"),
    *("broken", "okay", "good", "great", "lovely"),
)
WITH_TYPES = ("input_ids", "token_type_ids", "attention_mask")
WITHOUT = ("input_ids", "attention_mask")


@dataclass(frozen=True)
class TinyKind:
    """How a kind frames its texts: its special tokens, first the padding's id."""

    name: str
    specials: tuple[str, ...]
    inputs: tuple[str, ...]
    processor: Callable[[], Any]
    config: dict[str, Any] = field(default_factory=dict)


def _bert() -> Any:
    return BertProcessing(("[SEP]", 3), ("[CLS]", 2))


def _roberta() -> Any:
    return RobertaProcessing(("</s>", 2), ("<s>", 0))


def _xlm_roberta() -> Any:
    return TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )


_BERTS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_ROBERTAS = ("<s>", "<pad>", "</s>", "<unk>")
_AT_1 = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "type_vocab_size": 1}
_DEBERTA = {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "max_relative_positions": -1,
    "type_vocab_size": 0,
}
KINDS = (
    TinyKind("bert", _BERTS, WITH_TYPES, _bert),
    TinyKind("electra", _BERTS, WITH_TYPES, _bert, {"embedding_size": 32}),
    TinyKind("distilbert", _BERTS, WITHOUT, _bert, {"dim": 32, "n_layers": 2, "n_heads": 2}),
    TinyKind("roberta", _ROBERTAS, WITHOUT, _roberta, _AT_1),
    TinyKind("xlm-roberta", _ROBERTAS, WITHOUT, _xlm_roberta, _AT_1),
    TinyKind("camembert", _ROBERTAS, WITHOUT, _xlm_roberta, _AT_1),
    TinyKind("deberta", _BERTS, WITH_TYPES, _bert, _DEBERTA),
    TinyKind(
        "deberta-v2",
        _BERTS,
        WITH_TYPES,
        _bert,
        _DEBERTA | {"position_buckets": 8, "share_att_key": True, "norm_rel_ebd": "layer_norm"},
    ),
)


def kind_folder(folder: Path, kind: TinyKind, *, targets: bool = False) -> Path:
    """A classifier of that kind with random weights, as its own library would save it."""
    config = transformers.AutoConfig.for_model(kind.name)
    changes = {
        "vocab_size": len(kind.specials) + len(WORDS),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 34,
        "initializer_range": 0.3,
        "pad_token_id": 0,
        "id2label": {0: "negative", 1: "neutral", 2: "positive"},
    }
    if kind.name == "distilbert":
        changes = {
            k: v for k, v in changes.items() if not k.startswith(("hidden_s", "num_", "int"))
        }
    config = type(config)(**changes | kind.config)
    torch.manual_seed(0)
    module = transformers.AutoModelForSequenceClassification.from_config(config)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.contiguous() for name, value in module.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(module.config.to_json_string())
    tokenizer_of(kind).save(str(folder / "tokenizer.json"))
    if targets:
        (folder / "card.json").write_text(json.dumps({"targets": True}))
    return folder


def tokenizer_of(kind: TinyKind) -> Tokenizer:
    numbers = {word: i for i, word in enumerate([*kind.specials, *WORDS])}
    unknown = next(name for name in kind.specials if "unk" in name.lower())
    tokenizer = Tokenizer(WordLevel(numbers, unk_token=unknown))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = kind.processor()
    return tokenizer
