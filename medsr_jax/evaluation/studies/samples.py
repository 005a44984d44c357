"""Real images and a model for benchmarks, from what is installed."""

from __future__ import annotations

import pathlib
import runpy
import sys

import numpy as np

from medsr_jax.transmission.mapping import to_codes

CONFIG = pathlib.Path(__file__).parents[3] / "configs" / "xray_x4.py"


def radiograph(path: pathlib.Path | None) -> np.ndarray:
    """(rows, columns) uint8, bone white: the image at ``path``, else pydicom-data's radiograph, else pydicom's CT."""
    from medsr_jax.errors import MedsrError
    from medsr_jax.imaging import read_image

    try:
        image = read_image(path or _bundled())
    except MedsrError as error:
        sys.exit(str(error))
    pixels = image.pixels[0]
    if pixels.dtype == np.uint8:
        levels = pixels
    else:
        # The ends of the histogram are markers and padding.
        low, high = np.percentile(pixels, (0.1, 99.9))
        levels = to_codes(pixels, low=float(low), high=float(high), levels=255)
    result: np.ndarray = 255 - levels if image.inverted else levels
    return result


def _bundled() -> pathlib.Path:
    from pydicom.data import get_testdata_file

    for name in ("RG1_UNCI.dcm", "RG1_J2KR.dcm", "693_J2KI.dcm"):
        if (found := get_testdata_file(name, download=False)) is not None:
            return pathlib.Path(str(found))
    sys.exit("no real image: pip install pydicom-data, or name one with --image")


def tiled(image: np.ndarray, *, side: int) -> np.ndarray:
    """(side, side) uint8: the image, mirrored at its edges until it is large enough, or its centre if it is larger."""
    rows, columns = image.shape
    image = image[max(0, (rows - side) // 2) :, max(0, (columns - side) // 2) :][:side, :side]
    missing = side - image.shape[0], side - image.shape[1]
    return np.pad(image, ((0, missing[0]), (0, missing[1])), mode="symmetric")


def model_file(name: str | None, folder: pathlib.Path) -> tuple[str, str]:
    """The model to measure and a word on it: the one named, the packaged one, or the config's with random weights.

    Args:
        name: a packaged model or a weights file; None to choose.
        folder: where random weights are written, if it comes to that.
    """
    from medsr_jax.errors import MedsrError
    from medsr_jax.restoration.restorer import DEFAULT_MODEL
    from medsr_jax.weights import model_file

    try:
        return str(model_file.load(name or DEFAULT_MODEL).path), name or DEFAULT_MODEL
    except MedsrError as error:
        if name is not None:
            sys.exit(str(error))
    import jax
    import jax.numpy as jnp

    from medsr_jax.models import build

    config = runpy.run_path(str(CONFIG))["get_config"]().model
    model = build(config.name, config.fields.to_dict())
    # XLA compiles the default generator of random bits ten times longer.
    key = jax.random.key(0, impl="rbg")
    params = jax.jit(model.init)(key, jnp.zeros((1, 32, 32, 1)), jnp.zeros((1,)))["params"]
    path = folder / "random.safetensors"
    model_file.save(path, model=config.name, fields=config.fields.to_dict(), params=jax.device_get(params), card={})
    return str(path), f"{CONFIG.name} with random weights ({DEFAULT_MODEL} is not packaged here)"
