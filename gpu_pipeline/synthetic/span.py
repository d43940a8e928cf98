"""The span of days in which the shop is open."""

from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np

from gpu_pipeline.synthetic.columns import DAY, Ints


@dataclass(frozen=True)
class Span:
    """`days` days from `opens`, a midnight in seconds."""

    opens: int
    days: int

    @property
    def closes(self) -> int:
        """The first second after it."""
        return self.opens + self.days * DAY

    def date(self, day: int) -> date:
        """The day with that number, from 0."""
        return datetime.fromtimestamp(self.opens + day * DAY, UTC).date()

    def day_of(self, at: Ints) -> Ints:
        """Days since it opened, kept within it."""
        return np.clip((at - self.opens) // DAY, 0, self.days - 1)

    def weekdays(self) -> Ints:
        """0 (Monday) to 6, day by day: 1970 began on a Thursday."""
        return (self.opens // DAY + 3 + np.arange(self.days)) % 7

    def months(self) -> Ints:
        """0 (January) to 11, day by day."""
        days = np.datetime64(0, "D") + self.opens // DAY + np.arange(self.days)
        return days.astype("datetime64[M]").astype(np.int64) % 12
