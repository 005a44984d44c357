"""The options of a receiver, and that receiver."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from medsr_jax.restoration.options import BACKENDS, BICUBIC, DEFAULT_TILE, PRECISIONS, ReceiverOptions
from medsr_jax.transmission.options import AUTO

if TYPE_CHECKING:
    from medsr_jax.restoration import Restorer
    from medsr_jax.weights import model_file


@dataclasses.dataclass(frozen=True)
class Receiving:
    """How packets are restored; `ReceiverOptions` has the fields' meaning."""

    model: Annotated[
        str,
        typer.Option(
            autocompletion=lambda: [*packaged_models(), AUTO, BICUBIC],
            help="A packaged model's name (`medsr models`) or a weights file, for packets of its scale; bicubic; or"
            " auto: a packaged model where there is one for the packet's scale, else bicubic.",
        ),
    ] = AUTO
    blend: Annotated[
        str | None,
        typer.Option(
            autocompletion=lambda: packaged_models(),
            help="A second model, whose weights are blended with the first's; with auto, that for scale 4.",
        ),
    ] = None
    alpha: Annotated[
        float | None,
        typer.Option(help="0..1: the second model's share of the blend; 0.5 by default.", show_default=False),
    ] = None
    backend: Annotated[
        str,
        typer.Option(autocompletion=lambda: BACKENDS, help="What computes the network: xla, onnxruntime or openvino."),
    ] = BACKENDS[0]
    precision: Annotated[
        str | None,
        typer.Option(
            autocompletion=lambda: PRECISIONS,
            help="float32 or bfloat16. By default float32; in XLA on an accelerator bfloat16.",
            show_default=False,
        ),
    ] = None
    ensemble: Annotated[bool, typer.Option("--ensemble", help="Average the network's answers to flipped images.")] = (
        False
    )
    views: Annotated[
        int | None,
        typer.Option(
            help="Of the ensemble: 2 for the image and its mirror image, 4 for all flips, 8 for transposes too. By"
            " default what was measured to suit the model.",
            show_default=False,
        ),
    ] = None
    tile: Annotated[int, typer.Option(help="Small pixels on a side that are restored at once; 0 for all.")] = (
        DEFAULT_TILE
    )
    no_refine: Annotated[bool, typer.Option("--no-refine", help="Leave out the fit to what was sent.")] = False

    def options(self, *, uncertainty: bool = False, batch: int = 1) -> ReceiverOptions:
        """The options of a receiver.

        Raises:
            ParameterError: one of them is out of its range.
        """
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        refine = not values.pop("no_refine")
        return ReceiverOptions(**values, refine=refine, uncertainty=uncertainty, batch=batch)


def packaged_models() -> list[str]:
    """Their names, for the shell's completion."""
    from medsr_jax.weights import model_file

    return model_file.names()


def load(options: ReceiverOptions) -> Restorer:
    """The receiver, with compiled programs kept in the user's cache folder for the next start.

    Raises:
        MedsrError: as `Restorer`, `model_file.load` and `blend`.
    """
    import jax.numpy as jnp

    from medsr_jax.restoration.compilation import keep_compiled_programs
    from medsr_jax.restoration.restorer import DEFAULT_MODEL, Restorer
    from medsr_jax.weights import model_file

    keep_compiled_programs()
    model: str | model_file.Weights = options.model
    if options.blend is not None:
        from medsr_jax.weights import blend as blending

        first = model_file.load(DEFAULT_MODEL if options.model == AUTO else options.model)
        alpha = 0.5 if options.alpha is None else options.alpha
        model = blending.blend(first, model_file.load(options.blend), alpha=alpha)
    return Restorer(
        model,
        tile=options.tile or None,
        batch=options.batch,
        refine=options.refine,
        dtype=None if options.precision is None else getattr(jnp, options.precision),
        backend=options.backend,
        ensemble=options.ensemble,
        views=options.views,
        uncertainty=options.uncertainty,
    )
