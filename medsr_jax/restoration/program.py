"""A compiled restoration program: a generator with data consistency, its tile halo and the label of its results."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from medsr_jax.models import build
from medsr_jax.models.registry import CONDITIONAL
from medsr_jax.restoration.ensemble import usual_views
from medsr_jax.restoration.function import Inputs, Outputs, make_restore, make_restore_outside
from medsr_jax.restoration.options import BICUBIC, GRID
from medsr_jax.weights import Weights
from medsr_jax.weights.grey import for_grey


@dataclasses.dataclass(frozen=True)
class Program:
    """One generator, compiled.

    Attributes:
        label: the model's name, then ensemble, backend and precision where they are not the default.
        scale: of the result's sides to the input's.
        halo: small pixels that are computed around a tile and discarded.
        identity: equal where results are: the parameters' hash, ensemble, backend and precision.
        restore: made by `function.make_restore` or `make_restore_outside`.
        conditional: the generator takes a condition (`models.conditions`) in place of a strength.
    """

    label: str
    scale: int
    halo: int
    identity: str
    restore: Callable[[Inputs], Outputs]
    conditional: bool = False


def network_program(
    weights: Weights,
    *,
    halo: int,
    dtype: Any = None,
    backend: str = "xla",
    ensemble: bool = False,
    views: int | None = None,
    uncertainty: bool = False,
) -> Program:
    """The program of a model's weights.

    Args:
        weights: of one channel, or of three that can be converted to one (`weights.grey`).
        halo: a multiple of 8.
        dtype, backend, ensemble, views, uncertainty: as of `Restorer`.

    Raises:
        MedsrError: the backend is not available.
    """
    weights = for_grey(weights)
    # An accelerator's default is not part of the label.
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
    conditional = weights.model in CONDITIONAL
    return Program(", ".join(words), module.scale, halo, identity, restore, conditional)


def interpolation_program(scale: int, *, uncertainty: bool = False) -> Program:
    """Bicubic interpolation; equivariant to flips and transposes, so without ensemble and with a spread of zero.

    Args:
        scale: 1..8.
        uncertainty: as of `Restorer`.
    """
    program = make_restore(build(BICUBIC, {"scale": scale}), scale=scale)

    def restore(inputs: Inputs) -> Outputs:
        outputs = program({}, jax.device_put(inputs))
        # Views would differ by rounding alone.
        return dataclasses.replace(outputs, spread=jnp.zeros_like(outputs.image)) if uncertainty else outputs

    return Program(BICUBIC, scale, GRID, BICUBIC, restore)


def name_of(weights: Weights) -> str:
    """The model's name: its card's, or its file's."""
    return weights.card.get("name") or weights.path.stem
