"""Which texts say of themselves that they mean something else."""

import re

__all__ = ["is_marked_ironic"]

_MARKER = re.compile(
    r"(?<!\w)#(?:sarcas(?:m|tic)|iron(?:y|ic)|not)(?!\w)|(?:^|\s)/s\W*$", re.IGNORECASE
)


def is_marked_ironic(text: str) -> bool:
    """Whether the text marks itself as sarcastic: "/s" at its end, #sarcasm, #irony, #not.

    Its words then say the opposite of what it means, or something beside it: nobody's literal
    reading of it can be trusted. An emoji (an upside-down face) is no marker: most who send one
    mean what they write.
    """
    return _MARKER.search(text) is not None
