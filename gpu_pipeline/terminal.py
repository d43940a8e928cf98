"""What the command line shows: progress while it works, tables when it is done."""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SERVER_LOG", "Column", "note", "print_json", "print_table", "progress"]

# What `serve` logs: the API's own line for each answer, and the server's warnings.
SERVER_LOG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "api": {"handlers": ["stderr"], "level": "INFO"},
        "uvicorn": {"handlers": ["stderr"], "level": "WARNING"},
    },
}
# A pipe has no width of its own: wide enough for every table.
_PIPE_WIDTH = 110
_SECONDS_BETWEEN_LINES = 5.0
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Column:
    """How a column of a frame is shown: its heading and its values' format."""

    heading: str
    format: str = "{}"

    @property
    def is_number(self) -> bool:
        """Whether values are lined up on the right."""
        return self.format != "{}"


def print_table(title: str, frame: "pd.DataFrame", columns: Mapping[str, Column]) -> None:
    """The frame's named columns as a table; a line instead where there are no rows."""
    if not len(frame):
        _out().print(f"[bold]{title}[/]: none")
        return
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        header_style="dim",
        box=box.SIMPLE_HEAD,
    )
    for column in columns.values():
        table.add_column(
            column.heading,
            justify="right" if column.is_number else "left",
            no_wrap=column.is_number,
            overflow="fold",
        )
    for row in frame[list(columns)].itertuples(index=False):
        table.add_row(*(_cell(v, c) for v, c in zip(row, columns.values(), strict=True)))
    _out().print(table)


def note(text: str) -> None:
    """One line for people, on standard output."""
    _out().print(Text(_CONTROL.sub("", text)), soft_wrap=True)


def print_json(value: object) -> None:
    """The value as one JSON document on standard output; times are ISO 8601."""
    sys.stdout.write(json.dumps(value, default=_as_json, ensure_ascii=False) + "\n")


@contextmanager
def progress() -> Iterator[Callable[[str, str], None]]:
    """A function (what, "started" | "done" | how far it is) that shows work on standard error.

    A terminal gets a live list, anything else a JSON line for each call; how far it is, in words,
    at most every five seconds.
    """
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield _line_logger()
        return
    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        tasks: dict[str, Any] = {}

        def show(what: str, state: str) -> None:
            if state == "started":
                tasks[what] = bars.add_task(what, total=1)
            elif what in tasks and state == "done":
                bars.update(tasks[what], description=what, completed=1)
            elif what in tasks:
                bars.update(tasks[what], description=f"{what} {state}")

        yield show


def _out() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)


def _line_logger() -> Callable[[str, str], None]:
    began = perf_counter()
    last = -_SECONDS_BETWEEN_LINES

    def show(what: str, state: str) -> None:
        nonlocal last
        seconds = perf_counter() - began
        if state not in ("started", "done"):
            if seconds - last < _SECONDS_BETWEEN_LINES:
                return
            last = seconds
        _log_line(what, state, seconds)

    return show


def _log_line(what: str, state: str, seconds: float) -> None:
    line = {"at_seconds": round(seconds, 3), "what": what, "state": state}
    sys.stderr.write(json.dumps(line) + "\n")


def _as_json(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _cell(value: object, column: Column) -> Text:
    """The value as plain text: what looks like markup or a control code is data here."""
    if value is None or value != value:
        return Text("–")
    return Text(_CONTROL.sub("", column.format.format(value)))
