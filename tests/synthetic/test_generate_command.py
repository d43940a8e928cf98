from pathlib import Path

from made_shop import digests
from typer.testing import CliRunner

from gpu_pipeline.cli import app
from gpu_pipeline.synthetic import generate


def test_every_option_of_the_command_reaches_the_shop(tmp_path: Path) -> None:
    words = "--customers 110 --days 30 --seed 5 --damage 0.02 --format csv --daily --workers 2"
    answer = CliRunner().invoke(
        app, ["generate", str(tmp_path / "command"), *words.split(), "--currencies", "EUR, JPY"]
    )
    assert answer.exit_code == 0
    generate(
        tmp_path / "call",
        customers=110,
        days=30,
        seed=5,
        damage=0.02,
        file_format="csv",
        daily=True,
        currencies=("EUR", "JPY"),
    )
    assert digests(tmp_path / "command") == digests(tmp_path / "call")
