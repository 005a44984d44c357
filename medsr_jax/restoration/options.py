"""The choices of a receiver, checked in this one place. Imports neither JAX nor NumPy."""

from __future__ import annotations

import dataclasses

from medsr_jax.errors import MedsrError, ParameterError
from medsr_jax.transmission.options import AUTO

BICUBIC = "bicubic"
BACKENDS = ("xla", "onnxruntime", "openvino")
PRECISIONS = ("float32", "bfloat16")
VIEWS = (2, 4, 8)
GRID = 8
DEFAULT_TILE = 256


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReceiverOptions:
    """How packets are restored.

    Attributes:
        model: the name of a packaged model or the path of a weights file; "bicubic"; or "auto", a packaged model for
            packets of its scale and "bicubic" for others.
        blend: a second model, whose weights are blended with the first's; None for none.
        alpha: 0..1, the second model's share of the blend; None for 0.5.
        backend: what computes the network: "xla", "onnxruntime" or "openvino".
        precision: "float32" or "bfloat16"; None for float32, in XLA on an accelerator bfloat16.
        ensemble: average the network's answers to flipped images.
        views: 2, 4 or 8 of the ensemble; None for what was measured to suit the model.
        uncertainty: give the spread of the ensemble's answers, too.
        tile: small pixels on a side that are restored at once; 0 for whole images.
        batch: tiles or frames that go through the network at once.
        refine: fit the result to what was sent (data consistency).

    Raises:
        ParameterError: a value is out of its range, requires another one, or there is no such model.
    """

    model: str = AUTO
    blend: str | None = None
    alpha: float | None = None
    backend: str = BACKENDS[0]
    precision: str | None = None
    ensemble: bool = False
    views: int | None = None
    uncertainty: bool = False
    tile: int = DEFAULT_TILE
    batch: int = 1
    refine: bool = True

    def __post_init__(self) -> None:
        if self.alpha is not None and self.blend is None:
            raise ParameterError("alpha", "requires a second model to blend with")
        if self.alpha is not None and not 0 <= self.alpha <= 1:
            raise ParameterError("alpha", f"must be between 0 and 1, not {self.alpha:g}")
        if self.blend in {AUTO, BICUBIC}:
            raise ParameterError("blend", f"must be a packaged model or a weights file, not {self.blend}")
        if self.blend is not None and self.model == BICUBIC:
            raise ParameterError("blend", f"requires a first model with weights, not {BICUBIC}")
        if self.views is not None and not (self.ensemble or self.uncertainty):
            raise ParameterError("views", "requires the ensemble")
        check_choice("views", self.views, VIEWS)
        check_choice("backend", self.backend, BACKENDS)
        check_choice("precision", self.precision, PRECISIONS)
        check_tiles(self.tile, self.batch)
        for parameter, name in (("model", self.model), ("blend", self.blend)):
            if name not in (None, AUTO, BICUBIC):
                _check_model(parameter, str(name))


def check_choice(name: str, value: object, allowed: tuple[object, ...]) -> None:
    """Refuse a value that is neither None nor among those allowed.

    Raises:
        ParameterError: it is not.
    """
    if value is not None and value not in allowed:
        raise ParameterError(name, f"must be one of {', '.join(map(str, allowed))}, not {value}")


def check_tiles(tile: int, batch: int) -> None:
    """Refuse tiles that don't lie on the grid of the JPEG's blocks, and batches of nothing.

    Raises:
        ParameterError: one of them is such.
    """
    if tile < 0 or tile % GRID:
        raise ParameterError("tile", f"must be a multiple of {GRID}, or 0 for whole images, not {tile}")
    if batch < 1:
        raise ParameterError("batch", f"must be at least 1, not {batch}")


def _check_model(parameter: str, name: str) -> None:
    from medsr_jax.weights.model_file import find

    try:
        find(name)
    except MedsrError as error:
        raise ParameterError(parameter, str(error)) from error
