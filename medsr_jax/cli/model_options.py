"""The options that say which receiver a command uses, and that receiver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from medsr_jax.errors import MedsrError, UsageError

if TYPE_CHECKING:
    from medsr_jax.restoration import Restorer

DEFAULT = "auto"
BICUBIC = "bicubic"
BACKENDS = ("xla", "onnxruntime", "openvino")
PRECISIONS = ("float32", "bfloat16")
VIEWS = (2, 4, 8)
_GRID = 8

Model = Annotated[
    str,
    typer.Option(
        autocompletion=lambda: [*packaged_models(), DEFAULT, BICUBIC],
        help="A packaged model's name (`medsr models`) or a weights file, for packets of its scale; bicubic; or auto:"
        " a packaged model where there is one for the packet's scale, else bicubic.",
    ),
]
Blend = Annotated[
    str | None,
    typer.Option(
        autocompletion=lambda: packaged_models(),
        help="A second model, whose weights are blended with the first's; with auto, that for scale 4.",
    ),
]
Alpha = Annotated[
    float | None, typer.Option(help="0..1: the second model's part of the blend; 0.5 if left out.", show_default=False)
]
Backend = Annotated[
    str,
    typer.Option(autocompletion=lambda: BACKENDS, help="What computes the network: xla, onnxruntime or openvino."),
]
Precision = Annotated[
    str | None,
    typer.Option(
        autocompletion=lambda: PRECISIONS,
        help="float32 or bfloat16. Left out, float32; in XLA on an accelerator bfloat16.",
        show_default=False,
    ),
]
Ensemble = Annotated[bool, typer.Option("--ensemble", help="Average what the network makes of flipped images.")]
Views = Annotated[
    int | None,
    typer.Option(
        help="Of the ensemble: 2 for the image and its mirror image, 4 for all flips, 8 for transposes too. Left out,"
        " what was measured to suit the model.",
        show_default=False,
    ),
]
Tile = Annotated[int, typer.Option(help="Small pixels on a side that are restored at once; 0 for all.")]
NoRefine = Annotated[bool, typer.Option("--no-refine", help="Leave out the fit to what was sent.")]


def packaged_models() -> list[str]:
    """Their names, for the shell's completion."""
    from medsr_jax.weights import model_file

    return model_file.names()


def check_receiver(
    model: str,
    *,
    blend: str | None = None,
    alpha: float | None = None,
    backend: str = "xla",
    precision: str | None = None,
    ensemble: bool = False,
    views: int | None = None,
    uncertainty: bool = False,
    tile: int = 256,
    batch: int = 1,
) -> None:
    """Refuse what `load` can't make, before any file is read and without JAX.

    Raises:
        UsageError: a value is out of its range, or requires another option; there is no such model.
    """
    if alpha is not None and blend is None:
        raise UsageError("--alpha requires --blend MODEL")
    if alpha is not None and not 0 <= alpha <= 1:
        raise UsageError(f"--alpha is a number from 0 to 1, not {alpha:g}")
    if views is not None and not (ensemble or uncertainty):
        raise UsageError("--views requires --ensemble")
    if views is not None and views not in VIEWS:
        raise UsageError(f"--views is one of {', '.join(map(str, VIEWS))}, not {views}")
    if backend not in BACKENDS:
        raise UsageError(f"--backend is one of {', '.join(BACKENDS)}, not {backend}")
    if precision is not None and precision not in PRECISIONS:
        raise UsageError(f"--precision is one of {', '.join(PRECISIONS)}, not {precision}")
    if tile < 0 or tile % _GRID:
        raise UsageError(f"--tile is a multiple of {_GRID}, or 0 for whole images, not {tile}")
    if batch < 1:
        raise UsageError(f"--batch is a number from 1 up, not {batch}")
    for option, name in (("--model", model), ("--blend", blend)):
        if name not in (None, DEFAULT, BICUBIC):
            from medsr_jax.weights.model_file import find

            try:
                find(name)
            except MedsrError as error:
                raise UsageError(f"{option}: {error}") from error


def load(
    model: str,
    *,
    blend: str | None = None,
    alpha: float | None = None,
    backend: str = "xla",
    precision: str | None = None,
    ensemble: bool = False,
    views: int | None = None,
    uncertainty: bool = False,
    tile: int = 256,
    batch: int = 1,
    refine: bool = True,
) -> Restorer:
    """The receiver, with compiled programs kept in the user's cache folder for the next start.

    Raises:
        MedsrError: as `Restorer`, `model_file.load` and `blend`.
    """
    import jax.numpy as jnp

    from medsr_jax.restoration.compilation import keep_compiled_programs
    from medsr_jax.restoration.restorer import AUTO, DEFAULT_MODEL, Restorer
    from medsr_jax.weights import model_file

    keep_compiled_programs()
    chosen: str | model_file.Weights = model
    if blend is not None:
        from medsr_jax.weights import blend as blending

        first = model_file.load(DEFAULT_MODEL if model == AUTO else model)
        chosen = blending.blend(first, model_file.load(blend), alpha=0.5 if alpha is None else alpha)
    return Restorer(
        chosen,
        tile=tile or None,
        batch=batch,
        refine=refine,
        dtype=None if precision is None else getattr(jnp, precision),
        backend=backend,
        ensemble=ensemble,
        views=views,
        uncertainty=uncertainty,
    )
