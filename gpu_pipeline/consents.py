"""Who agreed to marketing: the one rule for exports to files and for answers over HTTP."""

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from gpu_pipeline.backend import Frame

__all__ = ["CONSENT_COLUMNS", "Status", "latest_consents", "statuses"]

CONSENT_COLUMNS = ("customer_key", "marketing_consent", "updated_at")
Status = Literal["unknown", "no consent", "found"]

_STATUSES = np.array(get_args(Status), dtype=object)


def latest_consents(customers: Frame) -> Frame:
    """customer_key and marketing (truth values), a row for each customer of the rows.

    `customers` has `CONSENT_COLUMNS`; the row that was updated last counts. It is asked of all
    rows, never of those until some moment: who took a consent back has taken it back.
    """
    ordered = customers.sort_values(["customer_key", "updated_at"])
    newest = ordered.drop_duplicates(subset=["customer_key"], keep="last").reset_index(drop=True)
    named = newest.rename(columns={"marketing_consent": "marketing"})
    return named[["customer_key", "marketing"]]


def statuses(
    is_known: npt.NDArray[np.bool_], has_consent: npt.NDArray[np.bool_]
) -> npt.NDArray[np.object_]:
    """The `Status` of each customer that somebody asks about for marketing.

    Without a consent that is known to be given, there is none.
    """
    chosen: npt.NDArray[np.object_] = _STATUSES[is_known.astype(np.int64) * (1 + has_consent)]
    return chosen
