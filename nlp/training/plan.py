"""TrainingPlan: everything that changes the weights, besides texts and encoder."""

from dataclasses import dataclass

__all__ = ["TrainingPlan"]


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How to fine-tune.

    `members` models are trained from seeds that follow `seed`, with the same new head, and their
    weights averaged (Wortsman et al. 2022, Model soups); a source may be on the diet of some more
    than of others. The learning rate falls from the head down by `layer_decay` a layer. What is
    kept of a member is the exponential average of its weights over the last steps, `averaging` of
    it carried on at each.

    Texts are cut in the middle to `longest_tokens` to learn from, and read in windows of
    `window_tokens`: in much longer ones than it has learnt a model is less often right. A label is
    certain whose probability reaches `certain_above`.

    Phrases are learnt that stand in `phrase_texts` texts or more, by a logistic regression of
    that inverse strength of regularisation; the `most_phrases` that weigh most are kept.
    """

    seed: int = 0
    members: int = 2
    epochs: int = 4
    batch_size: int = 32
    learning_rate: float = 1e-4
    layer_decay: float = 0.95
    warmup_fraction: float = 0.1
    weight_decay: float = 0.01
    label_smoothing: float = 0.1
    averaging: float = 0.999
    certain_above: float = 0.5
    longest_tokens: int = 128
    window_tokens: int = 128
    phrase_texts: int = 2
    phrase_strength: float = 30.0
    most_phrases: int = 200_000
    steps_per_checkpoint: int = 500
