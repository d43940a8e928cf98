"""Settings come from arguments, the environment, the file and the defaults, in that order."""

import os
import traceback
from pathlib import Path

import pytest

from gpu_pipeline.config import CONFIG_FILE, Config
from gpu_pipeline.errors import ConfigError

PREFIX = "GPU_PIPELINE_"
SECRET = "correct-horse-battery-staple"  # noqa: S105


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and an environment without settings of ours."""
    for name in [name for name in os.environ if name.upper().startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_nobody_sets_has_its_default() -> None:
    config = Config.load()
    assert (config.lake, config.device, config.buckets) == (Path("lake"), "auto", 16)
    assert (config.host, config.key, config.api_keys) == ("127.0.0.1", None, ())


def test_each_place_gives_way_to_the_one_before_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / CONFIG_FILE).write_text("horizon = 7\nseed = 7\nworkers = 7\n")
    monkeypatch.setenv(f"{PREFIX}SEED", "8")
    monkeypatch.setenv(f"{PREFIX}WORKERS", "8")
    config = Config.load(workers=9)
    assert (config.segments, config.horizon, config.seed, config.workers) == (0, 7, 8, 9)


def test_an_argument_of_none_is_not_given_and_a_zero_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}SEED", "8")
    assert Config.load(seed=None).seed == 8
    assert Config.load(seed=0).seed == 0


def test_lists_and_keys_are_read_from_the_environment_and_stay_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = "0f" * 32
    monkeypatch.setenv(f"{PREFIX}KEY", key)
    monkeypatch.setenv(f"{PREFIX}API_KEYS", f'["{SECRET}"]')
    config = Config.load()
    assert config.key is not None
    assert config.key.get_secret_value() == key
    assert [one.get_secret_value() for one in config.api_keys] == [SECRET]
    assert key not in repr(config)
    assert SECRET not in f"{config} {config.model_dump()}"


def test_a_lake_is_asked_for_what_somebody_set_and_for_no_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Config.load(currency=None).asked_of_lake == {}
    assert Config.load(time_zone="UTC").asked_of_lake == {"time_zone": "UTC"}
    monkeypatch.setenv(f"{PREFIX}CURRENCY", "EUR")
    (folder / CONFIG_FILE).write_text('time_zone = "Asia/Tokyo"\n')
    assert Config.load().asked_of_lake == {"currency": "EUR", "time_zone": "Asia/Tokyo"}


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Config.load().seed = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("buckets", 24),
        ("buckets", 0),
        ("buckets", 8192),
        ("currency", "eur"),
        ("currency", "ERU"),
        ("device", "tpu"),
        ("horizon", 0),
        ("horizon", 366),
        ("key", "0f" * 31),
        ("key", "xy" * 32),
        ("key", f"{'0f' * 32},{'0f' * 31}"),
        ("key", f"{'0f' * 32},"),
        ("port", 65536),
        ("port", "http"),
        ("review_days", 0),
        ("seed", -1),
        ("segments", 13),
        ("service_level", 0.4),
        ("service_level", 1),
        ("time_zone", "Europe/Lundun"),
        ("time_zone", "../etc"),
        ("workers", -1),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_wherever_it_comes_from(
    name: str, value: object, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=f"Bad settings: {name}: "):
        Config.load(**{name: value})
    with monkeypatch.context() as context:
        context.setenv(f"{PREFIX}{name.upper()}", str(value))
        with pytest.raises(ConfigError, match=f"Bad settings: {name}: "):
            Config.load()
    (folder / CONFIG_FILE).write_text(f"{name} = {value!r}\n")
    with pytest.raises(ConfigError, match=f"Bad settings: {name}: .*{CONFIG_FILE}"):
        Config.load()


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"seed: .*; port: |port: .*; seed: "):
        Config.load(port=0, seed=-1)


def test_a_setting_that_nobody_knows_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="worker: "):
        Config.load(worker=2)
    (folder / CONFIG_FILE).write_text("sede = 1\n")
    with pytest.raises(ConfigError, match="sede: "):
        Config.load()


@pytest.mark.parametrize("text", ["seed = ", "seed: 1", "[seed", 'lake = "a', "seed = 1\nseed = 2"])
def test_a_file_that_is_not_toml_is_refused_by_name(text: str, folder: Path) -> None:
    (folder / CONFIG_FILE).write_text(text)
    with pytest.raises(ConfigError, match=f"^{CONFIG_FILE} is not valid: .* \\(at "):
        Config.load()


def test_a_list_that_is_not_json_is_blamed_on_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}API_KEYS", SECRET)
    with pytest.raises(ConfigError, match="api_keys") as caught:
        Config.load()
    assert CONFIG_FILE not in str(caught.value)


@pytest.mark.parametrize("place", ["argument", "environment", "list", "file", "broken file"])
def test_a_secret_is_in_no_error_wherever_it_was_given(
    place: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, object] = {}
    match place:
        case "argument":
            given["key"] = SECRET
        case "environment":
            monkeypatch.setenv(f"{PREFIX}KEY", SECRET)
        case "list":
            monkeypatch.setenv(f"{PREFIX}API_KEYS", SECRET)
        case "file":
            (folder / CONFIG_FILE).write_text(f'key = "{SECRET}"\napi_keys = "{SECRET}"\n')
        case _:
            (folder / CONFIG_FILE).write_text(f'key = "{SECRET}" x\n')
    with pytest.raises(ConfigError) as caught:
        Config.load(**given)
    # What a log would show: the error, what caused it, and the lines of code.
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_setting_that_does_not_exist_is_refused_in_the_environment_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(f"{PREFIX}LAKEE", "x")
    with pytest.raises(ConfigError, match="GPU_PIPELINE_LAKEE"):
        Config.load()


def test_a_key_means_the_same_in_capitals() -> None:
    key = Config.load(key="AB" * 32).key
    assert key is not None
    assert key.get_secret_value() == "ab" * 32


def test_after_rotations_the_key_is_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}KEY", f" {'AB' * 32}, {'cd' * 32}\n")
    key = Config.load().key
    assert key is not None
    assert key.get_secret_value() == f"{'ab' * 32},{'cd' * 32}"
