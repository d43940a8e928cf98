"""The command line: parse, call one function, print.

Imports of frames and models stand inside the commands: help answers in a fraction of a second.
"""

import sys

import typer

from gpu_pipeline.cli import (
    exporting,
    forecasting,
    governing,
    looking,
    quality,
    running,
    segmenting,
    serving,
    sessionizing,
    texts,
    training,
    upkeep,
)
from gpu_pipeline.errors import PipelineError
from nlp import ModelError

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Analytics for an online shop: files in, segments, forecasts and sentiment out, served.",
)
for command in (
    running.demo,
    running.generate,
    running.ingest,
    running.run,
    looking.answers,
    looking.report,
    looking.status,
    looking.history,
    looking.models,
    quality.quality,
    upkeep.compact,
    governing.rotate_key,
    texts.score,
    training.train,
    training.train_intents,
    sessionizing.sessionize,
    segmenting.segment,
    forecasting.forecast,
    exporting.export_segment,
    serving.serve,
):
    app.command()(command)


def main() -> None:
    """Runs the command line: exit code 0, 1 for a named error, 2 for wrong usage."""
    try:
        app()
    except (PipelineError, ModelError) as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)
