"""The command that serves a lake over HTTP."""

import ipaddress
import secrets
from typing import Annotated

import typer

from gpu_pipeline.cli.options import LakeOption, config_of, open_lake
from gpu_pipeline.errors import ConfigError

__all__ = ["serve"]


def serve(
    lake: LakeOption = None,
    host: Annotated[str | None, typer.Option(help="Address to bind to.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to bind to.")] = None,
) -> None:
    """Serve the last published run, and score texts, over HTTP."""
    import hashlib

    import uvicorn

    from gpu_pipeline.config import Config
    from gpu_pipeline.publish import current_version
    from gpu_pipeline.terminal import SERVER_LOG, note
    from nlp.model import version_of

    config = config_of(lake=lake, host=host, port=port)
    target = open_lake(config)
    # What is missing is one line here, and a trace in the server.
    version_of(config.text_model)
    target.key  # noqa: B018
    if current_version(target.serving) is None:
        note(f"Nothing is published yet: gpu-pipeline run --lake {target.path}")
    address = f"[{config.host}]" if ":" in config.host else config.host
    url = f"http://{address}:{config.port}"
    if not config.api_keys:
        if not _is_loopback(config.host):
            message = (
                f"Without configured keys the API stays on this machine: {config.host} needs "
                "GPU_PIPELINE_API_KEYS, a JSON list of the keys' sha256 digests."
            )
            raise ConfigError(message)
        key = secrets.token_urlsafe()
        digest = hashlib.sha256(key.encode()).hexdigest()
        given = {name: getattr(config, name) for name in config.model_fields_set}
        config = Config.load(**{**given, "api_keys": (digest,)})
        note(f"One-off key, gone when the server stops: {key}")
        note(f"Try: curl -H 'Authorization: Bearer {key}' {url}/v1/segments")
    note(f"Documentation: {url}/docs")
    config.export()
    uvicorn.run(
        "api.app:create_app",
        factory=True,
        host=config.host,
        port=config.port,
        access_log=False,
        log_config=SERVER_LOG,
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
