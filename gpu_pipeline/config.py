"""Settings from a file, the environment and the command line, checked and frozen."""

import json
import os
import re
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from gpu_pipeline.errors import ConfigError
from gpu_pipeline.money import is_currency
from gpu_pipeline.time_zones import is_time_zone

__all__ = ["Config"]

CONFIG_FILE = "gpu-pipeline.toml"
ENV_PREFIX = "GPU_PIPELINE_"
_KEY = re.compile("[0-9a-f]{64}")
_SIZE = re.compile(r"\d+(\.\d+)?\s*([kMGT]i?)?B")


class Config(BaseSettings):
    """Every setting of the product; the only reader of the environment.

    Order of precedence: arguments, ``GPU_PIPELINE_*`` variables, ``gpu-pipeline.toml`` in the
    working directory, the defaults here.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        toml_file=CONFIG_FILE,
    )

    lake: Path = Field(Path("lake"), description="Folder of the lake.")
    device: Literal["auto", "cpu", "gpu"] = Field("auto", description="Where frames live.")
    workers: int = Field(0, ge=0, description="Dask worker processes; 0 is threads in this one.")
    scheduler: str = Field("", description="Address of an existing Dask scheduler, tcp://…")
    memory: str = Field("", description="Memory limit of a worker, or of an ingest, such as 4GB.")
    buckets: int = Field(16, description="Buckets of a new lake, a power of two.")
    time_zone: str = Field("UTC", description="Whose days are the business days of a new lake.")
    currency: str = Field(
        "", description="What a new lake reports in, such as EUR; empty is the orders' only one."
    )
    key: SecretStr | None = Field(
        None, description="Pseudonym key, 64 hex digits; after rotations all, commas between."
    )
    seed: int = Field(0, ge=0, description="Seed of everything random.")
    segments: int = Field(
        0, ge=0, le=12, description="Customer segments; 0 chooses by silhouette and stability."
    )
    new_segments: bool = Field(
        default=False, description="Let a fit change what the segments mean."
    )
    horizon: int = Field(28, ge=1, le=365, description="Days to forecast.")
    value_horizon: int = Field(
        28, ge=1, le=3650, description="Days that a customer's value and churn risk are about."
    )
    service_level: float = Field(
        0.95, ge=0.5, le=0.999, description="Chance that no stock-out comes before a delivery."
    )
    review_days: int = Field(
        7, ge=1, le=365, description="Days between two looks at the stock, to order what is due."
    )
    text_model: Path | None = Field(None, description="Model folder; empty is the bundled one.")
    intent_model: Path | None = Field(
        None, description="Folder of an intent model; empty is the bundled one."
    )
    host: str = Field("127.0.0.1", description="Address that the API binds to.")
    port: int = Field(8000, ge=1, le=65535, description="Port of the API.")
    api_keys: tuple[SecretStr, ...] = Field((), description="sha256 of the keys the API accepts.")

    @field_validator("buckets")
    @classmethod
    def _is_power_of_two(cls, value: int) -> int:
        if not 1 <= value <= 4096 or value & (value - 1):
            message = "must be a power of two from 1 to 4096"
            raise ValueError(message)
        return value

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        if not is_time_zone(value):
            message = f"{value!r} is no time zone of the IANA database, such as Europe/London"
            raise ValueError(message)
        return value

    @field_validator("currency")
    @classmethod
    def _is_a_currency(cls, value: str) -> str:
        if value and not is_currency(value):
            message = f"{value!r} is no currency of ISO 4217, such as EUR"
            raise ValueError(message)
        return value

    @field_validator("key")
    @classmethod
    def _is_hex_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            keys = [key.strip().lower() for key in value.get_secret_value().split(",")]
            if not all(_KEY.fullmatch(key) for key in keys):
                message = "must be 64 hexadecimal digits, or several such keys, the oldest first"
                raise ValueError(message)
            return SecretStr(",".join(keys))
        return value

    @field_validator("memory")
    @classmethod
    def _is_a_size(cls, value: str) -> str:
        if value and not _SIZE.fullmatch(value):
            message = "must be a size such as 4GB or 512MiB"
            raise ValueError(message)
        return value

    @classmethod
    def load(cls, **given: Any) -> Self:  # noqa: ANN401
        """The settings, where arguments that are None count as not given.

        Raises:
            ConfigError: a setting is malformed or unknown; every fault is listed.
        """
        named = {name for name in os.environ if name.startswith(ENV_PREFIX)}
        unknown = {n for n in named if n.removeprefix(ENV_PREFIX).lower() not in cls.model_fields}
        if unknown:
            known = ", ".join(f"{ENV_PREFIX}{name.upper()}" for name in cls.model_fields)
            message = f"No setting is called {', '.join(sorted(unknown))}. There are {known}."
            raise ConfigError(message)
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            # The value is left out: it may be a secret.
            faults = "; ".join(
                f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
            )
            message = f"Bad settings: {faults}. See `gpu-pipeline run --help` or {CONFIG_FILE}."
            raise ConfigError(message) from None
        except SettingsError as error:
            message = f"Bad settings: {error}: a list is written as JSON."
            raise ConfigError(message) from None
        except ValueError as error:
            message = f"{CONFIG_FILE} is not valid: {error}"
            raise ConfigError(message) from error

    @property
    def asked_of_lake(self) -> dict[str, str]:
        """The time zone and the currency, as far as somebody set them: a lake has its own."""
        names = self.model_fields_set & {"time_zone", "currency"}
        return {name: getattr(self, name) for name in names}

    def export(self) -> None:
        """Puts what was set into the environment, for processes that this one starts."""
        for name in self.model_fields_set:
            os.environ[f"{ENV_PREFIX}{name.upper()}"] = _as_text(getattr(self, name))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def _as_text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return json.dumps([_as_text(item) for item in value])
    return "" if value is None else str(value)
