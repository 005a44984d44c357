"""A generator as the receiver runs it: compiled, with its tiles' halo and with what its results are called."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from medsr_jax.models import build
from medsr_jax.restoration.ensemble import usual_views
from medsr_jax.restoration.function import Inputs, Outputs, make_restore, make_restore_outside
from medsr_jax.restoration.tiles import GRID
from medsr_jax.weights import Weights
from medsr_jax.weights.grey import for_grey

BICUBIC = "bicubic"


@dataclasses.dataclass(frozen=True)
class Network:
    """One generator.

    Attributes:
        label: its name, and what else shapes the result: the ensemble, a backend that is not XLA, half precision.
        scale: its enlargement.
        halo: small pixels that are computed around a tile and not kept.
        identity: the same for the same results: the parameters' hash, and what else shapes them.
        restore: the program, `function.make_restore`'s or `make_restore_outside`'s.
    """

    label: str
    scale: int
    halo: int
    identity: str
    restore: Callable[[Inputs], Outputs]


def network(
    weights: Weights,
    *,
    halo: int,
    dtype: Any = None,
    backend: str = "xla",
    ensemble: bool = False,
    views: int | None = None,
    uncertainty: bool = False,
) -> Network:
    """The network of weights.

    Args:
        weights: of one channel, or of three that can be folded to one (`weights.grey`).
        halo: a multiple of 8.
        dtype, backend, ensemble, views, uncertainty: as of `Restorer`.

    Raises:
        MedsrError: the backend can't be had.
    """
    weights = for_grey(weights)
    # What an accelerator's default is goes without saying.
    precision = "" if dtype in (None, jnp.float32) else jnp.dtype(dtype).name
    if dtype is None:
        dtype = jnp.float32 if backend != "xla" or jax.default_backend() == "cpu" else jnp.bfloat16
    module: Any = build(weights.model, weights.fields, dtype=dtype)
    averaged = (views or usual_views(weights.model)) if ensemble or uncertainty else 1
    options: dict[str, Any] = {"scale": module.scale, "views": averaged, "spread": uncertainty}
    restore: Callable[[Inputs], Outputs]
    if backend == "xla":
        program, params = make_restore(module, **options), jax.device_put(weights.params)
        restore = lambda inputs: program(params, jax.device_put(inputs))  # noqa: E731
    else:
        from medsr_jax.restoration.backends import open_backend

        restore = make_restore_outside(open_backend(backend, weights, dtype=dtype), **options)
    words = [name_of(weights)]
    words += [f"x{averaged} self-ensemble"] if averaged > 1 else []
    words += [backend] if backend != "xla" else []
    words += [precision] if precision else []
    identity = " ".join([weights.sha256, *words[1:]])
    return Network(", ".join(words), module.scale, halo, identity, restore)


def interpolation(scale: int, *, uncertainty: bool = False) -> Network:
    """Bicubic interpolation, which any view of an image gives the same result: it has no ensemble, and no spread.

    Args:
        scale: 1..8.
        uncertainty: as of `Restorer`.
    """
    program = make_restore(build(BICUBIC, {"scale": scale}), scale=scale)

    def restore(inputs: Inputs) -> Outputs:
        outputs = program({}, jax.device_put(inputs))
        # Not what the views of an image would differ by, which is rounding, and would fill a map.
        return dataclasses.replace(outputs, spread=jnp.zeros_like(outputs.image)) if uncertainty else outputs

    return Network(BICUBIC, scale, GRID, BICUBIC, restore)


def name_of(weights: Weights) -> str:
    """The model's name: its card's, or its file's."""
    return weights.card.get("name") or weights.path.stem
