"""Export generators as StableHLO: one file with the weights, for JAX on CPUs, GPUs and TPUs, with dynamic sizes.

The file is what `jax.export.deserialize` reads. JAX keeps such files readable for six months of its later versions, and
for three weeks of its earlier ones.
"""

from __future__ import annotations

from typing import Any

import flax.errors
import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.models import build
from medsr_jax.models.conditions import CONDITIONS
from medsr_jax.weights.exporting.interface import interface
from medsr_jax.weights.model_file import Weights

PLATFORMS = ("cpu", "cuda", "tpu")


def exported(weights: Weights) -> jax.export.Exported:
    """The network as a function of images (b, m h, m w, channels), float32 in [0, 1], and where it uses it the strength
    (b,) or (b, 3); m is the module's ``multiple``.

    Raises:
        MedsrError: the parameters don't fit the model.
    """
    module: Any = build(weights.model, weights.fields)
    params = jax.tree.map(np.asarray, weights.params)

    def network(image: jax.Array, *strength: jax.Array) -> Any:
        return module.apply({"params": params}, image, *strength)

    ends = interface(weights)
    batch, height, width = jax.export.symbolic_shape("b, h, w")
    sides = (ends.multiple * height, ends.multiple * width)
    arguments = [jax.ShapeDtypeStruct((batch, *sides, ends.channels), jnp.float32)]
    if ends.strength:
        shape = (batch, CONDITIONS) if ends.conditional else (batch,)
        arguments.append(jax.ShapeDtypeStruct(shape, jnp.float32))
    try:
        return jax.export.export(jax.jit(network), platforms=PLATFORMS)(*arguments)
    except (flax.errors.FlaxError, KeyError, TypeError, ValueError) as error:
        problem = f"the parameters don't fit {weights.model} with its fields ({str(error).splitlines()[0]})"
        raise MedsrError(problem, path=weights.path) from error


def serialized(weights: Weights) -> bytes:
    """`exported` as the bytes of a file."""
    return bytes(exported(weights).serialize())
