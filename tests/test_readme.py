"""What the README promises is what there is."""

import re
from pathlib import Path

import pytest
import typer

from gpu_pipeline.cli import app
from gpu_pipeline.config import Config

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_every_setting_is_in_the_table_with_its_default() -> None:
    table = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", README, flags=re.MULTILINE))
    assert set(table) == set(Config.model_fields)
    for name, field in Config.model_fields.items():
        shown = "" if field.default in (None, "", ()) else f"`{field.default}`"
        assert table[name] == shown, name


def test_every_command_is_shown() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name in commands:
        assert re.search(rf"gpu-pipeline {name}\b", README), name


def test_every_command_that_is_shown_exists_with_its_options() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for line in re.findall(r"^(?:\.venv/bin/)?gpu-pipeline .*$", README, flags=re.MULTILINE):
        name, *words = line.split("#")[0].split()[1:]
        options = {text for p in commands[name].params for text in p.opts}
        assert {word for word in words if word.startswith("--")} <= options, line


def test_every_route_is_in_the_table() -> None:
    from api.app import create_app

    config = Config.load(api_keys=("0" * 64,))
    paths = create_app(config).openapi()["paths"]
    promised = set(re.findall(r"(?:GET|POST) (/v1/[\w/{}]+)", README))
    described = {re.sub(r"\{\w+\}", "{id}", path) for path in paths if path.startswith("/v1/")}
    assert promised == described


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!http)([^)#]+)\)", README))))
def test_every_file_that_is_linked_is_there(link: str) -> None:
    assert (ROOT / link).is_file()


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:docs|data|benchmarks|notebooks|tests)/[\w./]*)`", README)))
)
def test_every_path_that_is_named_is_there(path: str) -> None:
    assert (ROOT / path).exists()
