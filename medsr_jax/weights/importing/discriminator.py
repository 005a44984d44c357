"""Import U-Net discriminators of other projects as variables of `models.UNetDiscriminator`."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.models import UNetDiscriminator
from medsr_jax.weights.importing import naming
from medsr_jax.weights.importing.state import read_state
from medsr_jax.weights.parameters import as_float32, flatten, unflatten
from medsr_jax.weights.shapes import mismatch


@dataclasses.dataclass(frozen=True)
class UNetWeights:
    """A discriminator's variables.

    Attributes:
        fields: of the module.
        variables: its collections ``params`` and ``batch_stats``, float32 NumPy arrays.
        source: the file.
    """

    fields: dict[str, Any]
    variables: dict[str, Any]
    source: pathlib.Path


def load_unet(path: str | pathlib.Path) -> UNetWeights:
    """A file of PyTorch or safetensors, with the names of Real-ESRGAN's ``netD``: ``conv1.weight_orig`` and so on.

    Raises:
        MedsrError: the file is not found, is damaged, or has another network.
    """
    path = pathlib.Path(path)
    tensors = read_state(path, wanted=naming.is_unet, title="U-Net discriminator").tensors
    flat: dict[str, np.ndarray] = {}
    for name, tensor in tensors.items():
        found = naming.unet_path(name)
        if found is None:
            raise MedsrError(
                f"unknown tensor {name}", path=path, remedy="expected a U-Net discriminator with spectral normalisation"
            )
        flat["/".join(found)] = _laid_out(as_float32(name, tensor, path))
    for key in [key for key in flat if key.endswith("/v")]:
        flat[key] = _reordered(flat[key], flat.get(f"params{key.removeprefix('batch_stats').removesuffix('v')}kernel"))
    first = flat["params/conv0/kernel"]
    if first.ndim != 4 or not first.size:
        raise MedsrError(
            "has convolutions without filters", path=path, remedy="the file is incomplete, or of another model"
        )
    fields = {"channels": first.shape[2], "features": first.shape[3]}
    if problem := mismatch(flat, _shapes(fields)):
        raise MedsrError(f"{problem}", path=path, remedy="the file is incomplete, or of another model")
    return UNetWeights(fields, unflatten(flat), path)


def _laid_out(numbers: np.ndarray) -> np.ndarray:
    return numbers.transpose(2, 3, 1, 0) if numbers.ndim == 4 else numbers


def _reordered(v: np.ndarray, kernel: np.ndarray | None) -> np.ndarray:
    """The right singular vector, whose entries are ordered as the weights of one filter: there by channels first."""
    if kernel is None or kernel.ndim != 4 or v.size != kernel[..., 0].size:
        return v  # a mismatch of shapes is reported later
    rows, columns, c, _ = kernel.shape
    return v.reshape(c, rows, columns).transpose(1, 2, 0).ravel()


def _shapes(fields: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    module = UNetDiscriminator(**fields)
    x = jax.ShapeDtypeStruct((1, 8, 8, fields["channels"]), jnp.float32)
    return {name: leaf.shape for name, leaf in flatten(jax.eval_shape(module.init, jax.random.key(0), x)).items()}
