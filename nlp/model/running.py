"""A classifier on its device: batches in, logits out."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nlp.model.batching import Batch, batches, padded
from nlp.model.encoding import Window

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

__all__ = ["Classifier"]

_TOKENS_PER_BATCH = {"cpu": 2048, "cuda": 65536}


class Classifier:
    """A sequence classifier, whatever its kind, in one precision on one device."""

    def __init__(self, module: "PreTrainedModel", device: str, precision: str) -> None:
        import torch

        self.module = module
        self.device = device
        torch.nn.Module.to(module, device, getattr(torch, precision)).train(mode=False)
        config = module.config
        takes_types = "token_type_ids" in inspect.signature(module.forward).parameters
        self._takes_types = takes_types and getattr(config, "type_vocab_size", 0) > 1
        self._padding = int(config.pad_token_id or 0)

    def logits(self, windows: Sequence[Window]) -> npt.NDArray[np.float32]:
        """The logits of each window, (windows, classes). Lengths may come in any order."""
        order = sorted(range(len(windows)), key=lambda i: len(windows[i].ids))
        budget = _TOKENS_PER_BATCH[self.device.split(":")[0]]
        rows = batches([windows[i] for i in order], budget)
        found = np.concatenate(list(self._each(padded(part, self._padding) for part in rows)))
        logits = np.empty_like(found)
        logits[order] = found
        return logits

    def _each(self, rows: Iterable[Batch]) -> Iterator[npt.NDArray[np.float32]]:
        if self.device == "cpu":
            yield from _side_by_side(lambda batch: self._forward(batch).numpy(), list(rows))
        else:
            # Results are fetched once, after all batches: none waits for the one before it.
            for logits in [self._forward(batch) for batch in rows]:
                yield logits.cpu().numpy()

    def _forward(self, batch: Batch) -> "torch.Tensor":
        import torch

        inputs = {"input_ids": batch.ids, "attention_mask": batch.mask}
        if self._takes_types:
            inputs["token_type_ids"] = batch.types
        given = {name: self._sent(value) for name, value in inputs.items() if value is not None}
        with torch.inference_mode():
            logits: torch.Tensor = self.module(**given).logits.float()
        return logits

    def _sent(self, values: npt.NDArray[np.int64]) -> "torch.Tensor":
        import torch

        tensor = torch.from_numpy(values)
        if self.device == "cpu":
            return tensor
        return tensor.pin_memory().to(self.device, non_blocking=True)


def _side_by_side(
    work: Callable[[Batch], npt.NDArray[np.float32]], rows: Sequence[Batch]
) -> Iterator[npt.NDArray[np.float32]]:
    """The work on each batch: on one core each, as many at a time as torch has threads.

    Cores that share one batch wait for each other after every operation.
    """
    import torch

    threads = torch.get_num_threads()
    if threads == 1 or len(rows) < threads:
        yield from map(work, rows)
        return
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            # The longest first, so that no core is left with one at the end.
            found = list(pool.map(work, reversed(rows)))
    finally:
        # What a thread sets is the process's default for new threads, too.
        torch.set_num_threads(threads)
    yield from reversed(found)
