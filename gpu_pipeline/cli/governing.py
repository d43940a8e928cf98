"""Commands that act on a whole lake for the sake of the people in it."""

from dataclasses import asdict

from gpu_pipeline.cli.options import DeviceOption, JsonOption, LakeOption, config_of

__all__ = ["rotate_key"]


def rotate_key(
    lake: LakeOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,  # noqa: FBT002
) -> None:
    """Add a key to the lake's and make every pseudonym anew; finish a rotation that was stopped."""
    from gpu_pipeline.backend import Backend
    from gpu_pipeline.governance import rotate_key as rotate
    from gpu_pipeline.summary import show_rotation
    from gpu_pipeline.terminal import print_json, progress

    config = config_of(lake=lake, device=device)
    key = config.key.get_secret_value() if config.key is not None else None
    with progress() as show:
        backend = Backend.choose(config.device)
        report = rotate(config.lake, backend=backend, key=key, progress=show)
    if as_json:
        print_json(asdict(report))
    else:
        show_rotation(report)
